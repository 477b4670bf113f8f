//! Volume descriptors: the primary one, Joliet's supplementary one and the terminator (ECMA-119 §8).

use super::directory_record::Place;
use super::{Options, Tables, both_endian_16, both_endian_32, pad};
use crate::{Error, Timestamp};

const STANDARD_IDENTIFIER: &[u8; 5] = b"CD001";
/// Volume descriptor types (ECMA-119 §8.1.1).
const PRIMARY: u8 = 1;
const SUPPLEMENTARY: u8 = 2;
const TERMINATOR: u8 = 255;
/// Escape sequence of UCS-2 level 3 (Joliet, "SVD Escape Sequences Field").
const UCS2_LEVEL_3: &[u8; 3] = b"%/E";

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Primary,
    Joliet,
}

/// Checks that every text fits its field.
pub(super) fn check(options: &Options) -> Result<(), Error> {
    for (field, value, most, rule) in [
        (
            "volume identifier",
            &options.volume_id,
            32,
            "at most 32 printable ASCII characters",
        ),
        (
            "system identifier",
            &options.system_id,
            32,
            "at most 32 printable ASCII characters",
        ),
        (
            "volume set identifier",
            &options.volume_set_id,
            128,
            "at most 128 printable ASCII characters",
        ),
        (
            "publisher identifier",
            &options.publisher_id,
            128,
            "at most 128 printable ASCII characters",
        ),
        (
            "preparer identifier",
            &options.preparer_id,
            128,
            "at most 128 printable ASCII characters",
        ),
        (
            "application identifier",
            &options.application_id,
            128,
            "at most 128 printable ASCII characters",
        ),
        (
            "copyright file identifier",
            &options.copyright_file_id,
            37,
            "at most 37 printable ASCII characters",
        ),
        (
            "abstract file identifier",
            &options.abstract_file_id,
            37,
            "at most 37 printable ASCII characters",
        ),
        (
            "bibliographic file identifier",
            &options.bibliographic_file_id,
            37,
            "at most 37 printable ASCII characters",
        ),
    ] {
        let printable = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if value.len() > most || !printable {
            return Err(Error::VolumeText {
                field,
                value: value.clone(),
                rule,
            });
        }
    }
    Ok(())
}

/// Appends a descriptor: one sector.
///
/// | offset | size | field (ECMA-119 §8.4 and §8.5)                         |
/// |-------:|-----:|--------------------------------------------------------|
/// |      0 |    7 | type, `CD001`, version 1                               |
/// |      7 |    1 | flags, 0                                               |
/// |      8 |   32 | system identifier                                      |
/// |     40 |   32 | volume identifier                                      |
/// |     80 |    8 | size of the volume in sectors                          |
/// |     88 |   32 | escape sequences (Joliet only)                         |
/// |    120 |   12 | volume set size 1, sequence number 1, block size 2048  |
/// |    132 |    8 | length of a path table                                 |
/// |    140 |   16 | sectors of the path tables: L, optional L, M, optional M |
/// |    156 |   34 | record of the root directory                           |
/// |    190 |  623 | identifiers                                            |
/// |    813 |   68 | times: creation, change, expiration, effective         |
/// |    881 |    1 | file structure version, 1                              |
pub(super) fn write(
    out: &mut Vec<u8>,
    options: &Options,
    kind: Kind,
    sectors: u32,
    tables: Tables,
    root: Place,
) {
    let start = out.len();
    head(
        out,
        if kind == Kind::Primary {
            PRIMARY
        } else {
            SUPPLEMENTARY
        },
    );
    out.push(0);
    text(out, kind, &options.system_id, 32);
    text(out, kind, &options.volume_id, 32);
    out.resize(start + 80, 0);
    both_endian_32(out, sectors);
    if kind == Kind::Joliet {
        out.extend_from_slice(UCS2_LEVEL_3);
    }
    out.resize(start + 120, 0);
    both_endian_16(out, 1);
    both_endian_16(out, 1);
    both_endian_16(out, super::SECTOR_BYTES as u16);
    both_endian_32(out, tables.length_bytes);
    out.extend_from_slice(&tables.little_endian.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&tables.big_endian.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&[34, 0]);
    both_endian_32(out, root.sector);
    both_endian_32(out, root.length_bytes);
    out.extend_from_slice(&super::short_time(options.time));
    out.extend_from_slice(&[2, 0, 0]);
    both_endian_16(out, 1);
    out.extend_from_slice(&[1, 0]);
    for (value, size) in [
        (&options.volume_set_id, 128),
        (&options.publisher_id, 128),
        (&options.preparer_id, 128),
        (&options.application_id, 128),
        (&options.copyright_file_id, 37),
        (&options.abstract_file_id, 37),
        (&options.bibliographic_file_id, 37),
    ] {
        text(out, kind, value, size);
    }
    let made = long_time(options.time);
    out.extend_from_slice(&made);
    out.extend_from_slice(&made);
    // No expiration: digits 0 and a zone of 0 (ECMA-119 §8.4.26.1).
    out.extend_from_slice(b"0000000000000000\0");
    out.extend_from_slice(&made);
    out.push(1);
    pad(out);
}

/// Appends the terminator: one sector (ECMA-119 §8.3).
pub(super) fn terminate(out: &mut Vec<u8>) {
    head(out, TERMINATOR);
    pad(out);
}

fn head(out: &mut Vec<u8>, kind: u8) {
    out.push(kind);
    out.extend_from_slice(STANDARD_IDENTIFIER);
    out.push(1);
}

/// Appends a text filled up with spaces: ASCII, or big-endian UCS-2 of half as many characters. A field of an odd
/// length ends with a zero in UCS-2.
fn text(out: &mut Vec<u8>, kind: Kind, value: &str, size: usize) {
    let end = out.len() + size;
    match kind {
        Kind::Primary => {
            out.extend_from_slice(value.as_bytes());
            out.resize(end, b' ');
        }
        Kind::Joliet => {
            let padding = std::iter::repeat(b' ');
            for byte in value.bytes().chain(padding).take(size / 2) {
                out.extend_from_slice(&[0, byte]);
            }
            out.resize(end, 0);
        }
    }
}

/// Returns the seventeen-byte form of a time (ECMA-119 §8.4.26.1), in UTC.
fn long_time(time: Timestamp) -> [u8; 17] {
    let civil = time.civil();
    let digits = format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}{:02}",
        civil.year.clamp(1, 9999),
        civil.month,
        civil.day,
        civil.hour,
        civil.minute,
        civil.second,
        civil.centisecond
    );
    let mut bytes = [0; 17];
    bytes[..16].copy_from_slice(digits.as_bytes());
    bytes
}
