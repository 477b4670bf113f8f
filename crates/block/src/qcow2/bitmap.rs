//! Bitmaps, which say what has changed since a backup: after a write of ours they do not, and have to say that.
//!
//! Their autoclear bit could be cleared. That makes QEMU forget them, and leak what they occupy. Its
//! own way of saying the same is the flag `in_use`, which it sets while it writes: a bitmap that was not put down
//! properly is inconsistent, is refused by whoever wants to use it, and can be removed.

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::header::Bitmaps;
use crate::error::Result;
use crate::storage::Storage;

/// The bitmap does not match the disk.
const IN_USE: u32 = 1;
/// The bitmap has to follow every change of the disk.
const AUTO: u32 = 1 << 1;

/// The fixed part of an entry of the bitmap directory. Big-endian.
///
/// QEMU `docs/interop/qcow2.rst`, "Bitmap directory".
///
/// | offset | size | field                 | note                                       |
/// |-------:|-----:|-----------------------|--------------------------------------------|
/// |      0 |    8 | `bitmap_table_offset` |                                            |
/// |      8 |    4 | `bitmap_table_size`   |                                            |
/// |     12 |    4 | `flags`               | bit 0 `in_use`, bit 1 `auto`               |
/// |     16 |    1 | `kind`                | 1: dirty tracking                          |
/// |     17 |    1 | `granularity_bits`    |                                            |
/// |     18 |    2 | `name_size`           |                                            |
/// |     20 |    4 | `extra_data_size`     | extra data, then the name, then to 8 bytes |
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
struct RawEntry {
    bitmap_table_offset: U64,
    bitmap_table_size: U32,
    flags: U32,
    kind: u8,
    granularity_bits: u8,
    name_size: U16,
    extra_data_size: U32,
}

const _: () = assert!(size_of::<RawEntry>() == 24);

/// Where in an entry its flags are, in bytes.
const FLAGS_OFFSET: u64 = 12;

/// Marks the bitmaps that should follow the disk as inconsistent. Others are of a past state and stay right.
///
/// Returns `false`, with nothing written, if the directory is not what the specification says.
///
/// The gate has seen that the directory is in the file, and how many entries it may have.
pub(super) fn invalidate(storage: &dyn Storage, bitmaps: &Bitmaps) -> Result<bool> {
    let mut changes = Vec::new();
    let mut at = 0_u64;
    for _ in 0..bitmaps.count {
        let mut raw = RawEntry::new_zeroed();
        let fixed = size_of::<RawEntry>() as u64;
        if at + fixed > bitmaps.directory_bytes {
            return Ok(false);
        }
        let place = bitmaps.directory_offset + at;
        storage.read_at(raw.as_mut_bytes(), place)?;
        let length = fixed + u64::from(raw.extra_data_size.get()) + u64::from(raw.name_size.get());
        at += length.next_multiple_of(8);
        let flags = raw.flags.get();
        if flags & AUTO != 0 && flags & IN_USE == 0 {
            changes.push((place + FLAGS_OFFSET, flags | IN_USE));
        }
    }
    if at != bitmaps.directory_bytes {
        return Ok(false);
    }
    for (place, flags) in changes {
        storage.write_at(&flags.to_be_bytes(), place)?;
    }
    Ok(true)
}
