//! Header extensions, and where their area ends.

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::features::FeatureName;
use super::header::{Bitmaps, corrupt, text};
use crate::error::Result;

/// The type of an extension that names the backing file's format.
pub(super) const BACKING_FORMAT: u32 = 0xe279_2aca;
const FEATURE_NAMES: u32 = 0x6803_f857;
const BITMAPS: u32 = 0x2385_2875;
const DATA_FILE: u32 = 0x4441_5441;

/// What precedes the data of an extension. Big-endian.
///
/// QEMU `docs/interop/qcow2.rst`, "Header extensions".
///
/// | offset | size | field    | note                                            |
/// |-------:|-----:|----------|-------------------------------------------------|
/// |      0 |    4 | `kind`   | 0 ends the area                                 |
/// |      4 |    4 | `length` | of the data; the next one begins at 8 bytes     |
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
pub(super) struct RawExtension {
    pub(super) kind: U32,
    pub(super) length: U32,
}

/// The data of the bitmaps extension. Big-endian.
///
/// QEMU `docs/interop/qcow2.rst`, "Bitmaps extension".
///
/// | offset | size | field                     | note                       |
/// |-------:|-----:|---------------------------|----------------------------|
/// |      0 |    4 | `nb_bitmaps`              | at least 1                 |
/// |      4 |    4 | `reserved`                | zero                       |
/// |      8 |    8 | `bitmap_directory_size`   | in bytes                   |
/// |     16 |    8 | `bitmap_directory_offset` | at a cluster boundary      |
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
struct RawBitmaps {
    nb_bitmaps: U32,
    reserved: U32,
    bitmap_directory_size: U64,
    bitmap_directory_offset: U64,
}

const _: () = assert!(size_of::<RawBitmaps>() == 24);

/// What the extensions of a header say.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) backing_format: Option<String>,
    pub(super) data_file: Option<Vec<u8>>,
    pub(super) bitmaps: Option<Bitmaps>,
    pub(super) feature_names: Vec<FeatureName>,
}

/// Parses the area of the extensions, which begins at `place` in the file. Unknown ones are stepped over.
pub(super) fn parse(area: &[u8], place: u64) -> Result<Extensions> {
    let mut extensions = Extensions::default();
    let mut offset = 0_usize;
    // Each turn moves on by at least eight bytes, so the length of the area is the bound.
    while let Some((raw, rest)) = area
        .get(offset..)
        .and_then(|rest| RawExtension::read_from_prefix(rest).ok())
    {
        let (kind, length) = (raw.kind.get(), raw.length.get() as usize);
        if kind == 0 {
            break;
        }
        let here = place + offset as u64;
        let data = rest.get(..length).ok_or_else(|| {
            corrupt(
                here,
                format!("a header extension of {length} bytes reaches past its area"),
            )
        })?;
        add(&mut extensions, kind, data, here)?;
        offset += size_of::<RawExtension>() + length.next_multiple_of(8);
    }
    Ok(extensions)
}

fn add(extensions: &mut Extensions, kind: u32, data: &[u8], place: u64) -> Result<()> {
    let is_repeated = match kind {
        BACKING_FORMAT => {
            let name = text(data, place, "backing file's format")?;
            extensions.backing_format.replace(name).is_some()
        }
        DATA_FILE => extensions.data_file.replace(data.to_vec()).is_some(),
        BITMAPS => {
            let raw = RawBitmaps::read_from_bytes(data).map_err(|_| {
                corrupt(
                    place,
                    format!(
                        "a bitmaps extension of {} bytes is not 24 bytes",
                        data.len()
                    ),
                )
            })?;
            let bitmaps = Bitmaps {
                count: raw.nb_bitmaps.get(),
                directory_bytes: raw.bitmap_directory_size.get(),
                directory_offset: raw.bitmap_directory_offset.get(),
            };
            extensions.bitmaps.replace(bitmaps).is_some()
        }
        FEATURE_NAMES => {
            let is_repeated = !extensions.feature_names.is_empty();
            extensions.feature_names = FeatureName::parse_table(data);
            is_repeated
        }
        _ => false,
    };
    if is_repeated {
        let rule = format!("a header extension of type {kind:#010x} stands there twice");
        return Err(corrupt(place, rule).into());
    }
    Ok(())
}
