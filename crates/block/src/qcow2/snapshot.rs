//! Internal snapshots, as far as they say what they are: their disks are kept and not read.

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::header::Header;
use crate::error::{Corrupt, Result};
use crate::storage::Storage;

/// What QEMU shows of an ID or a name in bytes (`include/block/snapshot.h`, `QEMUSnapshotInfo`: 256 with the final zero).
const MAX_NAME_BYTES: usize = 255;

/// The fixed part of an entry of the snapshot table. Big-endian.
///
/// QEMU `docs/interop/qcow2.rst`, "Snapshots".
///
/// | offset | size | field             | note                                                     |
/// |-------:|-----:|-------------------|----------------------------------------------------------|
/// |      0 |    8 | `l1_table_offset` |                                                          |
/// |      8 |    4 | `l1_size`         |                                                          |
/// |     12 |    2 | `id_str_size`     |                                                          |
/// |     14 |    2 | `name_size`       |                                                          |
/// |     16 |    4 | `date_sec`        | since the epoch                                          |
/// |     20 |    4 | `date_nsec`       |                                                          |
/// |     24 |    8 | `vm_clock_nsec`   | since the guest was started                              |
/// |     32 |    4 | `vm_state_size`   | if the extra data has none                               |
/// |     36 |    4 | `extra_data_size` | extra data, then the ID, then the name, then to 8 bytes  |
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
struct RawEntry {
    l1_table_offset: U64,
    l1_size: U32,
    id_str_size: U16,
    name_size: U16,
    date_sec: U32,
    date_nsec: U32,
    vm_clock_nsec: U64,
    vm_state_size: U32,
    extra_data_size: U32,
}

const _: () = assert!(size_of::<RawEntry>() == 40);

/// The extra data that is known, each field there if the data reaches to its end. Big-endian.
///
/// | offset | size | field                 | note                             |
/// |-------:|-----:|-----------------------|----------------------------------|
/// |      0 |    8 | `vm_state_size_large` | instead of `vm_state_size`       |
/// |      8 |    8 | `disk_size`           | of the virtual disk, in bytes    |
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
struct RawExtra {
    vm_state_size_large: U64,
    disk_size: U64,
}

const _: () = assert!(size_of::<RawExtra>() == 16);

/// An internal snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The ID, which is unique in the image. Any bytes, 255 at most; what is longer is cut, as QEMU does.
    pub id: Vec<u8>,
    /// The name. Any bytes, 255 at most.
    pub name: Vec<u8>,
    /// When it was taken, in seconds since the epoch.
    pub seconds: u32,
    /// The part of a second, in nanoseconds as stored.
    pub nanoseconds: u32,
    /// How long the guest had been running, in nanoseconds.
    pub guest_clock_nanoseconds: u64,
    /// How much of the machine's state was saved with it, in bytes.
    pub state_bytes: u64,
    /// How long its disk is, in bytes.
    pub disk_bytes: u64,
}

/// Reads what the internal snapshots say of themselves, in the order of their table: `most` of them, if there are more.
///
/// The header should have been [admitted](super::admit).
///
/// # Errors
///
/// [`Corrupt`] if an entry does not lie in the file, and whatever stops the reading.
pub fn snapshots(header: &Header, storage: &dyn Storage, most: usize) -> Result<Vec<Snapshot>> {
    let mut found = Vec::new();
    let mut place = header.snapshots_offset;
    for _ in (0..header.snapshots).take(most) {
        let mut raw = RawEntry::new_zeroed();
        let extra_place = after(storage, place, size_of::<RawEntry>() as u64)?;
        storage.read_at(raw.as_mut_bytes(), place)?;
        let id_place = after(storage, extra_place, raw.extra_data_size.get().into())?;
        let name_place = after(storage, id_place, raw.id_str_size.get().into())?;
        let end = after(storage, name_place, raw.name_size.get().into())?;
        let mut extra = RawExtra::new_zeroed();
        let known = (raw.extra_data_size.get() as usize).min(size_of::<RawExtra>());
        // A field of which only a part is there says nothing.
        let known = known / 8 * 8;
        storage.read_at(&mut extra.as_mut_bytes()[..known], extra_place)?;
        let text = |place, length: U16| -> Result<Vec<u8>> {
            let mut bytes = vec![0; usize::from(length.get()).min(MAX_NAME_BYTES)];
            storage.read_at(&mut bytes, place)?;
            Ok(bytes)
        };
        found.push(Snapshot {
            id: text(id_place, raw.id_str_size)?,
            name: text(name_place, raw.name_size)?,
            seconds: raw.date_sec.get(),
            nanoseconds: raw.date_nsec.get(),
            guest_clock_nanoseconds: raw.vm_clock_nsec.get(),
            state_bytes: match known {
                0 => raw.vm_state_size.get().into(),
                _ => extra.vm_state_size_large.get(),
            },
            disk_bytes: match known {
                ..16 => header.virtual_bytes,
                _ => extra.disk_size.get(),
            },
        });
        // The table begins at a cluster, so what is aligned in it is aligned in the file.
        place = end.next_multiple_of(8);
    }
    Ok(found)
}

/// Where something of this length ends, if that is in the file.
fn after(storage: &dyn Storage, place: u64, length: u64) -> Result<u64, Corrupt> {
    let file_bytes = storage.length();
    match place.checked_add(length) {
        Some(end) if end <= file_bytes => Ok(end),
        _ => Err(Corrupt::new(
            "qcow2 snapshot",
            place,
            format!("{length} bytes are not in the file of {file_bytes} bytes"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::header;
    use super::*;
    use crate::storage::MemoryStorage;

    /// An image of which the table of snapshots is at 64 KiB.
    fn image(count: u8, entries: &[u8]) -> (Header, MemoryStorage) {
        let mut bytes = header();
        bytes[63] = count;
        bytes[69] = 1;
        let header = Header::parse(&bytes).unwrap();
        bytes.extend_from_slice(entries);
        (header, MemoryStorage::new(bytes))
    }

    fn entry(extra: &[u8], id: &[u8], name: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 40];
        bytes[12..14].copy_from_slice(&(id.len() as u16).to_be_bytes());
        bytes[14..16].copy_from_slice(&(name.len() as u16).to_be_bytes());
        bytes[19] = 7;
        bytes[23] = 8;
        bytes[31] = 9;
        bytes[35] = 10;
        bytes[36..40].copy_from_slice(&(extra.len() as u32).to_be_bytes());
        for part in [extra, id, name] {
            bytes.extend_from_slice(part);
        }
        bytes.resize(bytes.len().next_multiple_of(8), 0xff);
        bytes
    }

    #[test]
    fn each_length_of_extra_data_is_read() {
        let extra: Vec<u8> = [1 << 40, 3 << 20, 5_u64]
            .iter()
            .flat_map(|it| it.to_be_bytes())
            .collect();
        let table: Vec<_> = [0, 4, 8, 12, 16, 24]
            .iter()
            .flat_map(|length| entry(&extra[..*length], b"1", b"before"))
            .collect();
        let (header, storage) = image(6, &table);
        let found = snapshots(&header, &storage, 100).unwrap();
        let sizes: Vec<_> = found
            .iter()
            .map(|it| (it.state_bytes, it.disk_bytes))
            .collect();
        assert_eq!(
            sizes,
            [
                (10, 1 << 20),
                (10, 1 << 20),
                (1 << 40, 1 << 20),
                (1 << 40, 1 << 20),
                (1 << 40, 3 << 20),
                (1 << 40, 3 << 20),
            ]
        );
        for it in &found {
            assert_eq!((&it.id[..], &it.name[..]), (&b"1"[..], &b"before"[..]));
            let times = (it.seconds, it.nanoseconds, it.guest_clock_nanoseconds);
            assert_eq!(times, (7, 8, 9));
        }
        assert_eq!(snapshots(&header, &storage, 2).unwrap(), found[..2]);
    }

    #[test]
    fn long_names_are_cut_and_the_next_entry_is_found() {
        let mut table = entry(&[], b"", &[b'a'; 65535]);
        table.extend(entry(&[], b"2", b"\xff\x1b"));
        let (header, storage) = image(2, &table);
        let found = snapshots(&header, &storage, 100).unwrap();
        assert_eq!(found[0].name, [b'a'; 255]);
        assert_eq!(found[1].name, b"\xff\x1b");
    }

    #[test]
    fn an_entry_past_the_end_of_the_file_is_refused() {
        let whole = entry(&[0; 16], b"1", b"name");
        for length in 0..16 + 40 + 5 {
            let (header, storage) = image(1, &whole[..length]);
            let error = snapshots(&header, &storage, 100).unwrap_err().to_string();
            assert!(error.starts_with("qcow2 snapshot at "), "{error}");
        }
        let mut huge = whole;
        huge[36..40].fill(0xff);
        let (header, storage) = image(1, &huge);
        assert!(snapshots(&header, &storage, 100).is_err());
    }
}
