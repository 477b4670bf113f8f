//! Bitmaps, which say what has changed since a backup: after a write of ours they do not, and have to say that.
//!
//! Their autoclear bit could be cleared. That makes QEMU forget them, and leak what they occupy. Its
//! own way of saying the same is the flag `in_use`, which it sets while it writes: a bitmap that was not put down
//! properly is inconsistent, is refused by whoever wants to use it, and can be removed.

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::header::{Bitmaps, Header};
use crate::error::{Corrupt, Result};
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

/// The most bits of a granularity (`block/qcow2-bitmap.c`, `BME_MAX_GRANULARITY_BITS`).
const MAX_GRANULARITY_BITS: u8 = 31;

/// The longest name in bytes (`docs/interop/qcow2.rst`, "Bitmap directory", `name_size`).
const MAX_NAME_BYTES: u16 = 1023;

/// A bitmap, as far as it says what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitmap {
    /// The name, which is unique in the image. Any bytes, 1023 at most.
    pub name: Vec<u8>,
    /// How many bytes of the disk one bit stands for.
    pub granularity_bytes: u64,
    /// It was not put down properly, or the disk has changed without it: it is not to be used.
    pub is_inconsistent: bool,
    /// It is to follow every change of the disk.
    pub is_recording: bool,
}

/// Reads what the bitmaps say of themselves, in the order of their directory: `most` of them, if there are more. There are none
/// if the header does not say that they match the disk, as in QEMU.
///
/// The header should have been [admitted](super::admit).
///
/// # Errors
///
/// [`Corrupt`] if the directory is not what the specification says, and whatever stops the reading.
pub fn bitmaps(header: &Header, storage: &dyn Storage, most: usize) -> Result<Vec<Bitmap>> {
    let Some(bitmaps) = header.bitmaps.filter(|_| header.has_consistent_bitmaps()) else {
        return Ok(Vec::new());
    };
    let corrupt = |place, rule: String| Corrupt::new("qcow2 bitmap directory", place, rule);
    let mut found = Vec::new();
    let mut at = 0;
    for _ in (0..bitmaps.count).take(most) {
        let place = bitmaps.directory_offset.saturating_add(at);
        let (raw, next) = entry(storage, &bitmaps, at)?
            .filter(|(_, next)| *next <= bitmaps.directory_bytes)
            .ok_or_else(|| corrupt(place, "an entry reaches past the directory".to_owned()))?;
        if raw.granularity_bits > MAX_GRANULARITY_BITS {
            let rule = format!("a granularity of 2^{} bytes", raw.granularity_bits);
            return Err(corrupt(place, rule).into());
        }
        let length = raw.name_size.get();
        if length > MAX_NAME_BYTES {
            let rule = format!("a name of {length} bytes; at most 1023 are possible");
            return Err(corrupt(place, rule).into());
        }
        // It ends before `next`, which is in the directory, and that is in the file.
        let name_place =
            place + size_of::<RawEntry>() as u64 + u64::from(raw.extra_data_size.get());
        let mut name = vec![0; length.into()];
        storage.read_at(&mut name, name_place)?;
        let flags = raw.flags.get();
        found.push(Bitmap {
            name,
            granularity_bytes: 1 << raw.granularity_bits,
            is_inconsistent: flags & IN_USE != 0,
            is_recording: flags & AUTO != 0,
        });
        at = next;
    }
    Ok(found)
}

/// Reads the entry at `at` in the directory, and says where the next one begins; none if the directory ends before its fixed part does.
fn entry(storage: &dyn Storage, bitmaps: &Bitmaps, at: u64) -> Result<Option<(RawEntry, u64)>> {
    let mut raw = RawEntry::new_zeroed();
    let fixed = size_of::<RawEntry>() as u64;
    let (Some(end), Some(place)) = (
        at.checked_add(fixed),
        bitmaps.directory_offset.checked_add(at),
    ) else {
        return Ok(None);
    };
    if end > bitmaps.directory_bytes {
        return Ok(None);
    }
    storage.read_at(raw.as_mut_bytes(), place)?;
    let length = fixed + u64::from(raw.extra_data_size.get()) + u64::from(raw.name_size.get());
    let next = at.checked_add(length.next_multiple_of(8));
    Ok(next.map(|next| (raw, next)))
}

/// Marks the bitmaps that should follow the disk as inconsistent. Others are of a past state and stay right.
///
/// Returns `false`, with nothing written, if the directory is not what the specification says.
///
/// The gate has seen that the directory is in the file, and how many entries it may have.
pub(super) fn invalidate(storage: &dyn Storage, bitmaps: &Bitmaps) -> Result<bool> {
    let mut changes = Vec::new();
    let mut at = 0_u64;
    for _ in 0..bitmaps.count {
        let Some((raw, next)) = entry(storage, bitmaps, at)? else {
            return Ok(false);
        };
        let flags = raw.flags.get();
        if flags & AUTO != 0 && flags & IN_USE == 0 {
            let place = bitmaps.directory_offset + at;
            changes.push((place + FLAGS_OFFSET, flags | IN_USE));
        }
        at = next;
    }
    if at != bitmaps.directory_bytes {
        return Ok(false);
    }
    for (place, flags) in changes {
        storage.write_at(&flags.to_be_bytes(), place)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::tests::header;
    use super::*;
    use crate::storage::MemoryStorage;

    /// The bitmaps of an image with this directory at 64 KiB.
    fn read(count: u32, directory: &[u8], most: usize) -> Result<Vec<Bitmap>> {
        let mut bytes = header();
        bytes[95] = 1;
        let mut header = Header::parse(&bytes).unwrap();
        header.bitmaps = Some(Bitmaps {
            count,
            directory_bytes: directory.len() as u64,
            directory_offset: 1 << 16,
        });
        bytes.extend_from_slice(directory);
        bitmaps(&header, &MemoryStorage::new(bytes), most)
    }

    fn encoded(flags: u8, granularity: u8, extra: &[u8], name: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 24];
        bytes[15] = flags;
        bytes[16] = 1;
        bytes[17] = granularity;
        bytes[18..20].copy_from_slice(&(name.len() as u16).to_be_bytes());
        bytes[20..24].copy_from_slice(&(extra.len() as u32).to_be_bytes());
        bytes.extend_from_slice(extra);
        bytes.extend_from_slice(name);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    #[test]
    fn each_entry_is_read() {
        let mut directory = encoded(2, 16, &[1; 13], b"daily");
        directory.extend(encoded(1, 9, &[], b"\x1b\xff"));
        let found = read(2, &directory, 10).unwrap();
        let expected = [
            Bitmap {
                name: b"daily".to_vec(),
                granularity_bytes: 65536,
                is_inconsistent: false,
                is_recording: true,
            },
            Bitmap {
                name: b"\x1b\xff".to_vec(),
                granularity_bytes: 512,
                is_inconsistent: true,
                is_recording: false,
            },
        ];
        assert_eq!(found, expected);
        assert_eq!(read(2, &directory, 1).unwrap(), expected[..1]);
    }

    #[test]
    fn what_the_specification_forbids_is_refused() {
        let good = encoded(2, 16, &[], b"daily");
        for length in 0..good.len() {
            assert!(read(1, &good[..length], 10).is_err(), "{length}");
        }
        assert!(read(2, &good, 10).is_err());
        assert!(read(1, &encoded(0, 32, &[], b"a"), 10).is_err());
        assert!(read(1, &encoded(0, 255, &[], b"a"), 10).is_err());
        assert!(read(1, &encoded(0, 9, &[], &[b'a'; 1024]), 10).is_err());
        let mut huge = good;
        huge[20..24].fill(0xff);
        assert!(read(1, &huge, 10).is_err());
    }
}
