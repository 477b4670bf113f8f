//! Where the volumes of a disk begin and end: GPT and MBR, read only.
//!
//! What counts is what the guest will see, so partitions are numbered and tables are believed as Linux does it
//! (`block/partitions/{efi,msdos}.c`); `libblkid` numbers them alike. What Linux would pass over in silence is told as a
//! [`Finding`].

mod gpt;
mod guid;
mod mbr;

use std::fmt;

use crate::device::{BlockDevice, Section};
use crate::error::{Corrupt, Error, Result, Unsupported};

pub use guid::Guid;

/// The sector sizes that disks have.
pub const SECTOR_BYTES: [u32; 2] = [512, 4096];

/// What divides a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// Nothing: the whole disk is one volume, or it is empty.
    None,
    /// A master boot record.
    Mbr,
    /// A GUID partition table.
    Gpt,
}

/// The partitions of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What divides the disk.
    pub kind: TableKind,
    /// The unit in which the table counts.
    pub sector_bytes: u32,
    /// The identity of the table as `blkid` shows it (`PTUUID`), if it has one.
    pub uuid: Option<String>,
    /// The partitions in the order of their numbers.
    pub partitions: Vec<Partition>,
    /// What is odd about the table.
    pub findings: Vec<Finding>,
}

/// A range of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The number that Linux gives it: the N of `sdaN`.
    pub number: u32,
    /// Where it begins, in bytes.
    pub start_bytes: u64,
    /// Its length in bytes.
    pub length_bytes: u64,
    /// What the table says that it holds.
    pub partition_type: PartitionType,
    /// Its place in the table.
    pub role: Role,
    /// Its name (`PARTLABEL`), which only a GPT has.
    pub name: Option<String>,
    /// Its identity as Linux shows it (`PARTUUID`).
    pub uuid: Option<String>,
    /// The attributes of a GPT entry, or the boot indicator of an MBR entry.
    pub flags: u64,
}

/// What a table says that a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionType {
    /// The type GUID of a GPT.
    Guid(Guid),
    /// The type byte of an MBR.
    Byte(u8),
}

impl fmt::Display for PartitionType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guid(guid) => guid.fmt(formatter),
            Self::Byte(byte) => write!(formatter, "0x{byte:02x}"),
        }
    }
}

/// The place of a partition in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It stands in the table itself.
    Primary,
    /// It holds the logical partitions of an MBR, and no volume.
    Extended,
    /// It stands in the chain of an extended partition.
    Logical,
}

/// Something odd about a table that can be read all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The first copy of a GPT cannot be used; the second was read.
    PrimaryDamaged(Corrupt),
    /// The second copy of a GPT cannot be used; the first was read.
    BackupDamaged(Corrupt),
    /// The two copies of a GPT are each whole, and differ; the first was read.
    CopiesDiffer,
    /// The second copy of a GPT is not in the last sector: the disk was made larger.
    BackupNotAtEnd {
        /// The sector in which it is.
        sector: u64,
    },
    /// The MBR before a GPT has partitions of its own. Linux goes by the GPT.
    HybridMbr,
    /// There is a GPT that the MBR does not announce, so Linux does not read it, and neither do we.
    UnannouncedGpt,
    /// A partition reaches past the end of the disk, or ends before it begins.
    OutsideDisk {
        /// Its number.
        number: u32,
    },
    /// Two partitions have bytes in common.
    Overlap {
        /// The number of the one that begins first.
        first: u32,
        /// The number of the other.
        second: u32,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrimaryDamaged(why) => {
                write!(
                    formatter,
                    "the first copy of the table is damaged and the second is used: {why}"
                )
            }
            Self::BackupDamaged(why) => {
                write!(formatter, "the second copy of the table is damaged: {why}")
            }
            Self::CopiesDiffer => {
                formatter.write_str("the two copies of the table differ and the first is used")
            }
            Self::BackupNotAtEnd { sector } => write!(
                formatter,
                "the second copy of the table is in sector {sector}, not at the end of the disk"
            ),
            Self::HybridMbr => {
                formatter.write_str("the master boot record has partitions beside the GPT")
            }
            Self::UnannouncedGpt => formatter.write_str(
                "there is a GPT that the master boot record does not announce; it is not used",
            ),
            Self::OutsideDisk { number } => {
                write!(formatter, "partition {number} does not lie in the disk")
            }
            Self::Overlap { first, second } => {
                write!(formatter, "partitions {first} and {second} overlap")
            }
        }
    }
}

impl Table {
    fn none() -> Self {
        Self {
            kind: TableKind::None,
            sector_bytes: SECTOR_BYTES[0],
            uuid: None,
            partitions: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// Returns the partition that Linux gives this number.
    pub fn partition(&self, number: u32) -> Option<&Partition> {
        self.partitions
            .iter()
            .find(|partition| partition.number == number)
    }

    /// Tells which partitions do not lie in the disk or have bytes in common.
    fn check_ranges(&mut self, device_bytes: u64) {
        let mut inside: Vec<(u64, u64, u32)> = Vec::new();
        for partition in &self.partitions {
            match partition.start_bytes.checked_add(partition.length_bytes) {
                Some(end) if end <= device_bytes && partition.length_bytes > 0 => {
                    if partition.role != Role::Extended {
                        inside.push((partition.start_bytes, end, partition.number));
                    }
                }
                _ => self.findings.push(Finding::OutsideDisk {
                    number: partition.number,
                }),
            }
        }
        inside.sort_unstable();
        let mut reaching = (0, 0);
        for (start, end, number) in inside {
            if start < reaching.0 {
                self.findings.push(Finding::Overlap {
                    first: reaching.1,
                    second: number,
                });
            }
            if end > reaching.0 {
                reaching = (end, number);
            }
        }
    }
}

impl Partition {
    /// Returns the partition as a device of its own.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if it does not lie in `device`, and [`Error::Unsupported`] for an extended partition: that is
    /// no volume, and writing into it would break the logical ones.
    pub fn section<D: BlockDevice>(&self, device: D) -> Result<Section<D>> {
        if self.role == Role::Extended {
            return Err(Unsupported::new("an extended partition as a volume is").into());
        }
        Section::new(device, self.start_bytes, self.length_bytes)
    }
}

/// Reads the table of a disk, whatever the size of its sectors: a GPT tells it by where its header stands, and an MBR is taken
/// to count in sectors of 512 bytes.
///
/// # Errors
///
/// [`Error::Corrupt`] if the disk announces a GPT of which neither copy is whole, or the chain of logical partitions does not end;
/// whatever the device reports.
pub fn read(device: &dyn BlockDevice) -> Result<Table> {
    read_with(device, &SECTOR_BYTES)
}

/// Reads the table of a disk with sectors of a known size.
///
/// # Errors
///
/// As [`read`], and [`Error::Unsupported`] for a size that is not in [`SECTOR_BYTES`].
pub fn read_with_sectors(device: &dyn BlockDevice, sector_bytes: u32) -> Result<Table> {
    if !SECTOR_BYTES.contains(&sector_bytes) {
        let what = format!("a disk with sectors of {sector_bytes} bytes is");
        return Err(Unsupported::new(what).into());
    }
    read_with(device, &[sector_bytes])
}

fn read_with(device: &dyn BlockDevice, sizes: &[u32]) -> Result<Table> {
    if device.length() < 512 {
        return Ok(Table::none());
    }
    let mut sector = [0; 512];
    device.read_at(&mut sector, 0)?;
    let record = mbr::BootRecord::parse(&sector);

    let mut table = match &record {
        Some(record) if record.announces_gpt() => {
            let mut table = gpt::read(device, sizes)?;
            if record.is_hybrid() {
                table.findings.push(Finding::HybridMbr);
            }
            table
        }
        Some(record) if record.holds_gpt_type() => {
            // Linux reads neither table then (`msdos_partition`, and `is_pmbr_valid` before it).
            return Err(Error::Corrupt(Corrupt::new(
                "master boot record",
                mbr::ENTRIES_OFFSET as u64,
                "the entry that announces a GPT must begin in sector 1",
            )));
        }
        Some(record) if !record.is_volume(device)? => {
            let mut table = mbr::read(device, record, sizes[0])?;
            if gpt::has_header(device, sizes)? {
                table.findings.push(Finding::UnannouncedGpt);
            }
            table
        }
        _ => {
            let mut table = Table::none();
            table.sector_bytes = sizes[0];
            if gpt::has_header(device, sizes)? {
                table.findings.push(Finding::UnannouncedGpt);
            }
            table
        }
    };
    table.check_ranges(device.length());
    Ok(table)
}

#[cfg(test)]
mod tests;
