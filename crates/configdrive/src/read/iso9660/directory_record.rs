//! Directory records (ECMA-119 §9.1).

use std::mem::{offset_of, size_of};

use zerocopy::byteorder::{LE, U16};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::volume_descriptor::{Both16, Both32};
use crate::read::Rule;

/// The fixed part of a directory record as stored.
///
/// | offset | size | field               | note                                       |
/// |-------:|-----:|---------------------|--------------------------------------------|
/// |      0 |    1 | `length`            | of the record; 0 fills the block's rest    |
/// |      1 |    1 | `extended_attribute_length` | blocks before the content          |
/// |      2 |    8 | `extent`            | first block                                |
/// |     10 |    8 | `data_length`       | bytes                                      |
/// |     18 |    7 | `recording_time`    |                                            |
/// |     25 |    1 | `flags`             | 2 directory, 4 associated, 128 more extents |
/// |     26 |    1 | `file_unit_size`    | not 0: interleaved                         |
/// |     27 |    1 | `interleave_gap`    | not 0: interleaved                         |
/// |     28 |    4 | `volume_sequence_number` |                                       |
/// |     32 |    1 | `identifier_length` | the identifier follows, then a byte of padding when it is even, then the system use area |
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
pub(super) struct RawDirectoryRecord {
    length: u8,
    extended_attribute_length: u8,
    pub(super) extent: Both32,
    pub(super) data_length: Both32,
    recording_time: [u8; 7],
    flags: u8,
    file_unit_size: u8,
    interleave_gap: u8,
    volume_sequence_number: Both16,
    identifier_length: u8,
}

/// Bytes of the fixed part.
const HEADER_BYTES: usize = 33;

const _: () = assert!(size_of::<RawDirectoryRecord>() == HEADER_BYTES);
const _: () = assert!(offset_of!(RawDirectoryRecord, data_length) == 10);
const _: () = assert!(offset_of!(RawDirectoryRecord, flags) == 25);
const _: () = assert!(size_of::<U16<LE>>() == 2);

const FLAG_DIRECTORY: u8 = 0x02;
const FLAG_ASSOCIATED: u8 = 0x04;
const FLAG_MORE_EXTENTS: u8 = 0x80;

/// A directory record whose parts lie within it.
#[derive(Debug, Clone)]
pub(super) struct Record<'a> {
    pub(super) length: u8,
    /// The first block of the content, behind any extended attributes.
    pub(super) block: u32,
    pub(super) data_length: u32,
    pub(super) recording_time: [u8; 7],
    pub(super) directory: bool,
    pub(super) associated: bool,
    pub(super) more_extents: bool,
    pub(super) interleaved: bool,
    pub(super) identifier: &'a [u8],
    pub(super) system_use: &'a [u8],
    /// Fields whose halves differ: name, little-endian half, big-endian half.
    pub(super) disagreement: Option<(&'static str, u32, u32)>,
}

impl<'a> Record<'a> {
    /// Parses the record at the beginning of `rest`, what is left of its block.
    /// `None` is the zero byte that fills a block's rest.
    pub(super) fn parse(rest: &'a [u8]) -> Result<Option<Self>, Rule> {
        let length = match rest.first() {
            None | Some(0) => return Ok(None),
            Some(length) => *length,
        };
        let record = rest
            .get(..usize::from(length))
            .ok_or(Rule::RecordLength { length })?;
        let (raw, behind) = RawDirectoryRecord::read_from_prefix(record)
            .map_err(|_| Rule::RecordLength { length })?;
        let too_long = || Rule::IdentifierLength {
            identifier: raw.identifier_length,
            record: length,
        };
        if raw.identifier_length == 0 {
            return Err(too_long());
        }
        let (identifier, behind) = behind
            .split_at_checked(usize::from(raw.identifier_length))
            .ok_or_else(too_long)?;
        // An even identifier is followed by one byte of padding (§9.1.12).
        let padding = usize::from(raw.identifier_length % 2 == 0);
        let system_use = behind.get(padding..).unwrap_or_default();
        let numbers = [
            ("location of extent", raw.extent),
            ("data length", raw.data_length),
        ];
        let mut disagreement = numbers.into_iter().find_map(|(field, both)| {
            let (little, big) = (both.little.get(), both.big.get());
            (little != big).then_some((field, little, big))
        });
        let volume = raw.volume_sequence_number;
        if disagreement.is_none() && volume.little.get() != volume.big.get() {
            disagreement = Some((
                "volume sequence number",
                u32::from(volume.little.get()),
                u32::from(volume.big.get()),
            ));
        }
        Ok(Some(Self {
            length,
            block: raw
                .extent
                .little
                .get()
                .saturating_add(u32::from(raw.extended_attribute_length)),
            data_length: raw.data_length.little.get(),
            recording_time: raw.recording_time,
            directory: raw.flags & FLAG_DIRECTORY != 0,
            associated: raw.flags & FLAG_ASSOCIATED != 0,
            more_extents: raw.flags & FLAG_MORE_EXTENTS != 0,
            interleaved: raw.file_unit_size != 0 || raw.interleave_gap != 0,
            identifier,
            system_use,
            disagreement,
        }))
    }

    /// Says whether this is the record of the directory itself (§6.8.2.2).
    pub(super) fn is_dot(&self) -> bool {
        self.identifier == [0]
    }

    /// Says whether this is the record of the parent.
    pub(super) fn is_dot_dot(&self) -> bool {
        self.identifier == [1]
    }
}

/// Maps a plain identifier as Linux does by default (`fs/isofs/dir.c`,
/// `isofs_name_translate`): lower case, a final `.;1` or `;1` dropped, other `;` and any
/// `/` as dots, an end at a NUL.
pub(super) fn plain_name(identifier: &[u8]) -> Vec<u8> {
    let end = identifier
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(identifier.len());
    let name = identifier.get(..end).unwrap_or(identifier);
    let name = name
        .strip_suffix(b".;1")
        .or_else(|| name.strip_suffix(b";1"))
        .unwrap_or(name);
    name.iter()
        .map(|byte| match byte {
            b';' | b'/' => b'.',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

/// Compares identifiers in the order of a directory (ECMA-119 §9.3): names filled with
/// spaces, then extensions, then the later version first. `unit` is 1 byte, in Joliet 2.
pub(super) fn directory_order(left: &[u8], right: &[u8], unit: usize) -> std::cmp::Ordering {
    let unit = unit.max(1);
    let (name, extension, version) = parts(left, unit);
    let (other_name, other_extension, other_version) = parts(right, unit);
    let padded = |left: &[u8], right: &[u8]| {
        let length = left.len().max(right.len()).div_ceil(unit);
        let fill = |part| {
            let spaces = std::iter::repeat(u16::from(b' '));
            characters(part, unit).chain(spaces).take(length)
        };
        fill(left).cmp(fill(right))
    };
    padded(name, other_name)
        .then_with(|| padded(extension, other_extension))
        .then_with(|| padded(other_version, version))
}

/// Takes an identifier apart: name, extension, version.
fn parts(identifier: &[u8], unit: usize) -> (&[u8], &[u8], &[u8]) {
    let (whole, version) = split_once(identifier, b';', unit);
    let (name, extension) = split_once(whole, b'.', unit);
    (name, extension, version)
}

/// Splits at the first such character; without one the second part is empty.
fn split_once(text: &[u8], at: u8, unit: usize) -> (&[u8], &[u8]) {
    let found = characters(text, unit).position(|character| character == u16::from(at));
    let end = found.map_or(text.len(), |index| index.saturating_mul(unit));
    let (before, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    (before, rest.get(unit..).unwrap_or_default())
}

/// The characters of an identifier, each of so many bytes.
fn characters(text: &[u8], unit: usize) -> impl Iterator<Item = u16> + '_ {
    let join = |sum: u16, byte: &u8| (sum << 8) | u16::from(*byte);
    text.chunks(unit)
        .map(move |chunk| chunk.iter().fold(0, join))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The record of `meta_data.json;1` on a drive by genisoimage, without its system use.
    fn record() -> Vec<u8> {
        let mut bytes = vec![50, 0, 40, 0, 0, 0, 0, 0, 0, 40, 7, 0, 0, 0, 0, 0, 0, 7];
        bytes.extend([126, 11, 22, 20, 10, 5, 0, 0, 0, 0, 1, 0, 0, 1, 16]);
        bytes.extend(b"meta_data.json;1\0");
        bytes
    }

    #[test]
    fn a_record_is_parsed() {
        let bytes = record();
        let parsed = Record::parse(&bytes).unwrap().unwrap();
        assert_eq!((parsed.block, parsed.data_length), (40, 7));
        assert_eq!(parsed.identifier, b"meta_data.json;1");
        assert!(!parsed.directory && !parsed.more_extents && !parsed.interleaved);
        assert_eq!(parsed.disagreement, None);
        assert!(Record::parse(&[0, 1, 2]).unwrap().is_none());
    }

    #[test]
    fn a_changed_record_gives_its_error() {
        let check = |at: usize, value: u8, expected: Rule| {
            let mut bytes = record();
            bytes[at] = value;
            assert_eq!(Record::parse(&bytes).unwrap_err(), expected, "{at}");
        };
        check(0, 1, Rule::RecordLength { length: 1 });
        check(0, 32, Rule::RecordLength { length: 32 });
        check(0, 51, Rule::RecordLength { length: 51 });
        let identifier = |identifier, record| Rule::IdentifierLength { identifier, record };
        check(0, 33, identifier(16, 33));
        check(32, 0, identifier(0, 50));
        check(32, 18, identifier(18, 50));
    }

    #[test]
    fn halves_that_differ_are_told() {
        let check = |at: usize, expected| {
            let mut bytes = record();
            bytes[at] = 9;
            let parsed = Record::parse(&bytes).unwrap().unwrap();
            assert_eq!(parsed.disagreement, Some(expected));
        };
        check(9, ("location of extent", 40, 9));
        check(10, ("data length", 9, 7));
        check(31, ("volume sequence number", 1, 9));
    }

    #[test]
    fn plain_names_as_linux_shows_them() {
        let check = |from: &[u8], expected: &[u8]| assert_eq!(plain_name(from), expected);
        check(b"META_DAT.JSO;1", b"meta_dat.jso");
        check(b"USER_DATA.;1", b"user_data");
        check(b"USER_DATA.;2", b"user_data..2");
        check(b"a.b.c;1", b"a.b.c");
        check(b"LATEST", b"latest");
        check(b"a/b", b"a.b");
    }

    #[test]
    fn order_of_records() {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let check = |left: &[u8], right: &[u8], expected| {
            assert_eq!(directory_order(left, right, 1), expected);
        };
        check(b"A.B;1", b"A-.A;1", Less);
        check(b"A;2", b"A;1", Less);
        check(b"AB", b"A", Greater);
        check(b"A;1", b"A;1", Equal);
        assert_eq!(directory_order(b"\x01a\0b", b"\x01a\0a", 2), Greater);
    }
}
