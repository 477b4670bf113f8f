//! The GUID partition table.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Finding, Guid, Partition, PartitionType, Role, Table, TableKind};
use crate::crc32;
use crate::device::BlockDevice;
use crate::error::{Corrupt, Result};

const SIGNATURE: &[u8; 8] = b"EFI PART";

/// Linux keeps the entries in one allocation of at most this many bytes (`KMALLOC_MAX_SIZE`); 16 KiB is usual.
const MOST_ENTRY_BYTES: u64 = 4 << 20;

/// The header as stored. Little-endian.
///
/// UEFI 2.10, section 5.3.2, "GPT Header".
///
/// | offset | size | field            | note                                                            |
/// |-------:|-----:|------------------|-----------------------------------------------------------------|
/// |      0 |    8 | `signature`      | `EFI PART`                                                      |
/// |      8 |    4 | `revision`       | not looked at, as by Linux                                      |
/// |     12 |    4 | `header_bytes`   | 92 to the size of a sector                                      |
/// |     16 |    4 | `header_crc`     | over `header_bytes` with this field as 0                        |
/// |     24 |    8 | `own_sector`     | where this copy stands                                          |
/// |     32 |    8 | `other_sector`   | where the other one stands                                      |
/// |     40 |    8 | `first_usable`   | sector                                                          |
/// |     48 |    8 | `last_usable`    | sector, inclusive                                               |
/// |     56 |   16 | `disk_guid`      |                                                                 |
/// |     72 |    8 | `entries_sector` | where the entries of this copy begin                            |
/// |     80 |    4 | `entry_count`    |                                                                 |
/// |     84 |    4 | `entry_bytes`    | Linux takes only 128 (`is_gpt_valid`), so do we                 |
/// |     88 |    4 | `entries_crc`    | over all entries, used or not                                   |
#[repr(C)]
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
struct RawHeader {
    signature: [u8; 8],
    revision: U32,
    header_bytes: U32,
    header_crc: U32,
    reserved: U32,
    own_sector: U64,
    other_sector: U64,
    first_usable: U64,
    last_usable: U64,
    disk_guid: [u8; 16],
    entries_sector: U64,
    entry_count: U32,
    entry_bytes: U32,
    entries_crc: U32,
}

const _: () = assert!(size_of::<RawHeader>() == 92);
const _: () = assert!(std::mem::offset_of!(RawHeader, entries_sector) == 72);

/// An entry as stored. Little-endian.
///
/// UEFI 2.10, section 5.3.3, "GPT Partition Entry Array".
///
/// | offset | size | field            | note                                |
/// |-------:|-----:|------------------|-------------------------------------|
/// |      0 |   16 | `type_guid`      | zeros mean unused                   |
/// |     16 |   16 | `partition_guid` | the `PARTUUID`                      |
/// |     32 |    8 | `first`          | sector                              |
/// |     40 |    8 | `last`           | sector, inclusive                   |
/// |     48 |    8 | `attributes`     |                                     |
/// |     56 |   72 | `name`           | UTF-16, ends at the first zero      |
#[repr(C)]
#[derive(Debug, Clone, FromBytes, KnownLayout, Immutable, Unaligned)]
struct RawEntry {
    type_guid: [u8; 16],
    partition_guid: [u8; 16],
    first: U64,
    last: U64,
    attributes: U64,
    name: [U16; 36],
}

const _: () = assert!(size_of::<RawEntry>() == 128);

/// One whole copy of a table.
#[derive(Debug)]
struct Copy {
    header: RawHeader,
    entries: Vec<u8>,
}

/// Reads a GPT that the MBR announces.
pub(super) fn read(device: &dyn BlockDevice, sizes: &[u32]) -> Result<Table> {
    let mut primary_fault = None;
    for sector_bytes in sizes {
        match Copy::read(device, *sector_bytes, 1)? {
            Ok(primary) => return from_primary(device, *sector_bytes, &primary),
            // A header that is there and wrong says more than one that is not there.
            Err(fault) => {
                if primary_fault.is_none() || has_signature(device, *sector_bytes, 1)? {
                    primary_fault = Some(fault);
                }
            }
        }
    }
    for sector_bytes in sizes {
        let last = last_sector(device, *sector_bytes);
        if let Ok(backup) = Copy::read(device, *sector_bytes, last)? {
            let mut table = backup.table(*sector_bytes);
            table
                .findings
                .extend(primary_fault.map(Finding::PrimaryDamaged));
            return Ok(table);
        }
    }
    // There is at least one size, so there is a fault.
    Err(primary_fault
        .unwrap_or_else(|| Corrupt::new("GPT header", 512, "there must be one"))
        .into())
}

/// Returns whether a header stands where the first copy belongs.
pub(super) fn has_header(device: &dyn BlockDevice, sizes: &[u32]) -> Result<bool> {
    for sector_bytes in sizes {
        if has_signature(device, *sector_bytes, 1)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_signature(device: &dyn BlockDevice, sector_bytes: u32, sector: u64) -> Result<bool> {
    let mut signature = [0; 8];
    let place = sector.saturating_mul(u64::from(sector_bytes));
    if place.saturating_add(8) > device.length() {
        return Ok(false);
    }
    device.read_at(&mut signature, place)?;
    Ok(&signature == SIGNATURE)
}

fn last_sector(device: &dyn BlockDevice, sector_bytes: u32) -> u64 {
    (device.length() / u64::from(sector_bytes)).saturating_sub(1)
}

fn from_primary(device: &dyn BlockDevice, sector_bytes: u32, primary: &Copy) -> Result<Table> {
    let mut table = primary.table(sector_bytes);
    let other = primary.header.other_sector.get();
    match Copy::read(device, sector_bytes, other)? {
        Err(fault) => table.findings.push(Finding::BackupDamaged(fault)),
        Ok(backup) => {
            if !primary.agrees_with(&backup) {
                table.findings.push(Finding::CopiesDiffer);
            }
            if other != last_sector(device, sector_bytes) {
                table
                    .findings
                    .push(Finding::BackupNotAtEnd { sector: other });
            }
        }
    }
    Ok(table)
}

impl Copy {
    /// Reads the copy whose header is in `sector`, by the rules of Linux (`is_gpt_valid`). The outer result is of the device, the
    /// inner one says which rule the copy breaks.
    fn read(
        device: &dyn BlockDevice,
        sector_bytes: u32,
        sector: u64,
    ) -> Result<Result<Self, Corrupt>> {
        let unit = u64::from(sector_bytes);
        let place = sector.saturating_mul(unit);
        let wrong = |rule: String| Ok(Err(Corrupt::new("GPT header", place, rule)));
        let last = last_sector(device, sector_bytes);
        if sector == 0 || sector > last {
            return wrong(format!("it must be in one of the sectors 1 to {last}"));
        }
        let mut bytes = vec![0; sector_bytes as usize];
        device.read_at(&mut bytes, place)?;
        let Ok((header, _)) = RawHeader::read_from_prefix(&bytes) else {
            return wrong("it must fit in a sector".into());
        };
        if &header.signature != SIGNATURE {
            return wrong("it must begin with `EFI PART`".into());
        }
        let header_bytes = header.header_bytes.get();
        if !(size_of::<RawHeader>()..=bytes.len()).contains(&(header_bytes as usize)) {
            return wrong(format!(
                "its length must be 92 to {sector_bytes}, not {header_bytes}"
            ));
        }
        bytes[16..20].fill(0);
        if crc32::checksum(&bytes[..header_bytes as usize]) != header.header_crc.get() {
            return wrong("its checksum must be right".into());
        }
        if header.own_sector.get() != sector {
            return wrong(format!(
                "it must name its own sector {sector}, not {}",
                header.own_sector
            ));
        }
        let (first_usable, last_usable) = (header.first_usable.get(), header.last_usable.get());
        if first_usable > last_usable || last_usable > last {
            return wrong(format!(
                "usable sectors {first_usable} to {last_usable} must lie in those of the disk, to {last}"
            ));
        }
        if header.entry_bytes.get() as usize != size_of::<RawEntry>() {
            return wrong(format!(
                "an entry must have 128 bytes, not {}",
                header.entry_bytes
            ));
        }
        let entries_bytes = u64::from(header.entry_count.get()) * size_of::<RawEntry>() as u64;
        if entries_bytes == 0 || entries_bytes > MOST_ENTRY_BYTES {
            return wrong(format!(
                "there must be 1 to 32768 entries, not {}",
                header.entry_count
            ));
        }
        let entries_place = header.entries_sector.get().checked_mul(unit);
        let in_device = entries_place
            .and_then(|start| start.checked_add(entries_bytes))
            .is_some_and(|end| end <= device.length());
        let Some(entries_place) = entries_place.filter(|_| in_device) else {
            return wrong(format!(
                "the entries at sector {} must lie in the disk",
                header.entries_sector
            ));
        };
        let mut entries = vec![0; entries_bytes as usize];
        device.read_at(&mut entries, entries_place)?;
        if crc32::checksum(&entries) != header.entries_crc.get() {
            return Ok(Err(Corrupt::new(
                "GPT entries",
                entries_place,
                "their checksum must be right",
            )));
        }
        Ok(Ok(Self { header, entries }))
    }

    fn agrees_with(&self, other: &Self) -> bool {
        let shared = |copy: &Self| {
            let header = &copy.header;
            (
                header.disk_guid,
                header.first_usable,
                header.last_usable,
                header.entry_count,
            )
        };
        shared(self) == shared(other)
            && self.header.other_sector == other.header.own_sector
            && self.entries == other.entries
    }

    fn table(&self, sector_bytes: u32) -> Table {
        let unit = u64::from(sector_bytes);
        let mut partitions = Vec::new();
        let entries = self.entries.chunks_exact(size_of::<RawEntry>());
        for (number, bytes) in (1..).zip(entries) {
            let Ok(entry) = RawEntry::ref_from_bytes(bytes) else {
                continue;
            };
            let partition_type = Guid::from_stored(entry.type_guid);
            if partition_type.is_zero() {
                continue;
            }
            let (first, last) = (entry.first.get(), entry.last.get());
            // What does not fit in 64 bits does not lie in the disk: a length that says so is kept for the finding.
            let length = last
                .checked_sub(first)
                .and_then(|sectors| sectors.checked_add(1)?.checked_mul(unit));
            partitions.push(Partition {
                number,
                start_bytes: first.saturating_mul(unit),
                length_bytes: length.unwrap_or(0),
                partition_type: PartitionType::Guid(partition_type),
                role: Role::Primary,
                name: Some(name(&entry.name)).filter(|name| !name.is_empty()),
                uuid: Some(Guid::from_stored(entry.partition_guid).to_string()),
                flags: entry.attributes.get(),
            });
        }
        Table {
            kind: TableKind::Gpt,
            sector_bytes,
            uuid: Some(Guid::from_stored(self.header.disk_guid).to_string()),
            partitions,
            findings: Vec::new(),
        }
    }
}

fn name(units: &[U16; 36]) -> String {
    let units = units
        .iter()
        .map(|unit| unit.get())
        .take_while(|unit| *unit != 0);
    char::decode_utf16(units)
        .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}
