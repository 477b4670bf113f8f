//! The master boot record, and the chain of records that holds logical partitions.

use std::collections::HashSet;

use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::{Partition, PartitionType, Role, Table, TableKind};
use crate::device::BlockDevice;
use crate::error::{Corrupt, Result};
use crate::probe;

/// Where the four entries stand.
pub(super) const ENTRIES_OFFSET: usize = 446;

/// The type that announces a GPT (UEFI 2.10, section 5.2.3).
const GPT_TYPE: u8 = 0xee;

/// Linux gives a disk no more partitions (`DISK_MAX_PARTS`, less the disk itself).
const MOST_PARTITIONS: u32 = 255;

/// Linux follows no more records that hold no partition (`parse_extended`).
const MOST_EMPTY_RECORDS: u32 = 100;

/// A master boot record, or one of an extended partition, as stored. Little-endian.
///
/// UEFI 2.10, section 5.2.1, "Legacy Master Boot Record".
///
/// | offset | size | field       | note                                       |
/// |-------:|-----:|-------------|--------------------------------------------|
/// |      0 |  440 | `boot_code` | a FAT volume has its parameters here       |
/// |    440 |    4 | `disk_id`   | the first half of each `PARTUUID`          |
/// |    444 |    2 | `unknown`   |                                            |
/// |    446 |   64 | `entries`   | four                                       |
/// |    510 |    2 | `signature` | `55 aa`                                    |
#[repr(C)]
#[derive(Debug, Clone, FromBytes, KnownLayout, Immutable, Unaligned)]
struct RawRecord {
    boot_code: [u8; 440],
    disk_id: U32,
    unknown: U16,
    entries: [RawEntry; 4],
    signature: [u8; 2],
}

/// An entry as stored. Little-endian.
///
/// | offset | size | field            | note                                              |
/// |-------:|-----:|------------------|---------------------------------------------------|
/// |      0 |    1 | `boot_indicator` | 0 or `0x80`; anything else and there is no table  |
/// |      1 |    3 | `first_address`  | cylinder, head and sector; ignored, as by Linux   |
/// |      4 |    1 | `os_type`        |                                                   |
/// |      5 |    3 | `last_address`   | ignored                                           |
/// |      8 |    4 | `start`          | in sectors                                        |
/// |     12 |    4 | `length`         | in sectors; 0 means unused, whatever the type     |
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
struct RawEntry {
    boot_indicator: u8,
    first_address: [u8; 3],
    os_type: u8,
    last_address: [u8; 3],
    start: U32,
    length: U32,
}

const _: () = assert!(size_of::<RawRecord>() == 512);
const _: () = assert!(std::mem::offset_of!(RawRecord, entries) == ENTRIES_OFFSET);

impl RawEntry {
    fn is_used(&self) -> bool {
        self.length.get() != 0
    }

    /// The types that Linux follows (`is_extended_partition`).
    fn is_extended(&self) -> bool {
        matches!(self.os_type, 0x05 | 0x0f | 0x85)
    }
}

/// A record whose signature and boot indicators are those of a partition table.
#[derive(Debug)]
pub(super) struct BootRecord {
    raw: RawRecord,
}

impl BootRecord {
    /// Returns nothing if this is no partition table for Linux: the signature is missing, or a boot indicator is neither 0 nor
    /// `0x80`, which is what the boot code of a FAT volume looks like (`msdos_partition`).
    pub(super) fn parse(sector: &[u8; 512]) -> Option<Self> {
        let record = Self::parse_chained(sector)?;
        let plausible = record
            .raw
            .entries
            .iter()
            .all(|entry| matches!(entry.boot_indicator, 0 | 0x80));
        // AIX has the same signature and no table (`aix_magic_present`).
        let aix = sector.starts_with(b"\xc9\xc2\xd4\xc1");
        (plausible && !aix).then_some(record)
    }

    /// In the chain of an extended partition only the signature counts.
    fn parse_chained(sector: &[u8; 512]) -> Option<Self> {
        let raw = RawRecord::read_from_bytes(sector).ok()?;
        (raw.signature == [0x55, 0xaa]).then_some(Self { raw })
    }

    /// Returns whether Linux looks for a GPT (`is_pmbr_valid`).
    pub(super) fn announces_gpt(&self) -> bool {
        self.raw
            .entries
            .iter()
            .any(|entry| entry.os_type == GPT_TYPE && entry.start.get() == 1)
    }

    /// Returns whether some entry has the type that keeps Linux from reading this as an MBR.
    pub(super) fn holds_gpt_type(&self) -> bool {
        self.raw
            .entries
            .iter()
            .any(|entry| entry.os_type == GPT_TYPE)
    }

    /// Returns whether there are partitions beside the entry that announces a GPT.
    pub(super) fn is_hybrid(&self) -> bool {
        self.raw
            .entries
            .iter()
            .any(|entry| entry.os_type != GPT_TYPE && entry.os_type != 0)
    }

    /// Returns whether there is no partition, and the first sector belongs to a volume that fills the disk.
    pub(super) fn is_volume(&self, device: &dyn BlockDevice) -> Result<bool> {
        if self.raw.entries.iter().any(RawEntry::is_used) {
            return Ok(false);
        }
        Ok(!probe::volumes(device)?.is_empty())
    }
}

/// Reads the partitions of a disk by its master boot record.
pub(super) fn read(
    device: &dyn BlockDevice,
    record: &BootRecord,
    sector_bytes: u32,
) -> Result<Table> {
    let disk_id = record.raw.disk_id.get();
    let mut reader = Reader {
        device,
        sector_bytes,
        disk_id,
        partitions: Vec::new(),
        next_logical: 5,
        seen: HashSet::new(),
    };
    for (number, entry) in (1..).zip(&record.raw.entries) {
        if !entry.is_used() {
            continue;
        }
        let start = u64::from(entry.start.get());
        let extended = entry.is_extended();
        let role = if extended {
            Role::Extended
        } else {
            Role::Primary
        };
        reader.add(number, start, entry, role);
        if extended {
            reader.follow(start, u64::from(entry.length.get()))?;
        }
    }
    reader.partitions.sort_by_key(|partition| partition.number);
    Ok(Table {
        kind: TableKind::Mbr,
        sector_bytes,
        uuid: (disk_id != 0).then(|| format!("{disk_id:08x}")),
        partitions: reader.partitions,
        findings: Vec::new(),
    })
}

struct Reader<'a> {
    device: &'a dyn BlockDevice,
    sector_bytes: u32,
    disk_id: u32,
    partitions: Vec<Partition>,
    next_logical: u32,
    seen: HashSet<u64>,
}

impl Reader<'_> {
    fn add(&mut self, number: u32, start: u64, entry: &RawEntry, role: Role) {
        let sector_bytes = u64::from(self.sector_bytes);
        // A start is at most two 32-bit numbers added, so no product reaches 2^46.
        self.partitions.push(Partition {
            number,
            start_bytes: start * sector_bytes,
            length_bytes: u64::from(entry.length.get()) * sector_bytes,
            partition_type: PartitionType::Byte(entry.os_type),
            role,
            name: None,
            uuid: (self.disk_id != 0).then(|| format!("{:08x}-{number:02x}", self.disk_id)),
            flags: u64::from(entry.boot_indicator),
        });
    }

    /// Follows the chain of an extended partition, as `parse_extended` does it, but refuses a loop.
    fn follow(&mut self, first: u64, first_length: u64) -> Result<()> {
        let (mut here, mut length) = (first, first_length);
        let mut empty = 0;
        loop {
            let place = here * u64::from(self.sector_bytes);
            let in_device = place
                .checked_add(512)
                .is_some_and(|end| end <= self.device.length());
            if !in_device {
                // The disk was cut; what has been found so far is what Linux finds too.
                return Ok(());
            }
            if !self.seen.insert(here) {
                return Err(
                    corrupt(place, "the chain of logical partitions must not return").into(),
                );
            }
            empty += 1;
            if empty > MOST_EMPTY_RECORDS {
                return Err(corrupt(
                    place,
                    "the chain of logical partitions must have at most 100 empty records in a row",
                )
                .into());
            }
            let mut sector = [0; 512];
            self.device.read_at(&mut sector, place)?;
            let Some(record) = BootRecord::parse_chained(&sector) else {
                return Ok(());
            };
            for (index, entry) in record.raw.entries.iter().enumerate() {
                if !entry.is_used() || entry.is_extended() {
                    continue;
                }
                let offset = u64::from(entry.start.get());
                let size = u64::from(entry.length.get());
                // The third and fourth entries often hold rubbish.
                let plausible =
                    offset + size <= length && here + offset + size <= first + first_length;
                if index >= 2 && !plausible {
                    continue;
                }
                if self.next_logical > MOST_PARTITIONS {
                    return Err(corrupt(place, "a disk has at most 255 partitions").into());
                }
                self.add(self.next_logical, here + offset, entry, Role::Logical);
                self.next_logical += 1;
                empty = 0;
            }
            let next = record
                .raw
                .entries
                .iter()
                .find(|entry| entry.is_used() && entry.is_extended());
            let Some(next) = next else {
                return Ok(());
            };
            here = first + u64::from(next.start.get());
            length = u64::from(next.length.get());
        }
    }
}

fn corrupt(place: u64, rule: &str) -> Corrupt {
    Corrupt::new("extended boot record", place, rule)
}
