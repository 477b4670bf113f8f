//! FAT: recognised by its parameters, because its signatures are optional.

use super::bytes::{read, text_at, u16_at, u32_at};
use super::containers::has_boot_signature;
use super::{Volume, VolumeKind};
use crate::device::BlockDevice;
use crate::error::Result;

/// The label is looked for in as many clusters of the root of FAT32 (`vfat.c`, `probe_vfat`).
const MOST_ROOT_CLUSTERS: u32 = 100;

/// A larger root of FAT12 or FAT16 is not read: 65,535 entries are as many as there can be.
const MOST_ROOT_BYTES: usize = 65_535 * 32;

/// What the boot sector tells (`fatgen103`, "Boot Sector and BPB").
struct Parameters {
    sector_bytes: u64,
    cluster_bytes: u64,
    reserved: u64,
    tables: u64,
    root_entries: u64,
    table_sectors: u64,
    root_cluster: u32,
    serial: u32,
}

impl Parameters {
    /// Takes the parameters if they are plausible by the rules of `fat_valid_superblock`.
    fn parse(sector: &[u8]) -> Option<Self> {
        let jump = matches!(sector[0], 0xeb | 0xe9);
        let signed = &sector[82..87] == b"MSWIN"
            || &sector[82..90] == b"FAT32   "
            || &sector[54..59] == b"MSDOS"
            || matches!(&sector[54..62], b"FAT16   " | b"FAT12   " | b"FAT     ");
        if !(signed || jump && has_boot_signature(sector)) {
            return None;
        }
        // HPFS has the same start.
        if sector[54..].starts_with(b"JFS     ") || sector[54..].starts_with(b"HPFS    ") {
            return None;
        }
        let sector_bytes = u64::from(u16_at(sector, 11));
        let per_cluster = u64::from(sector[13]);
        let media = sector[21];
        let plausible = (512..=4096).contains(&sector_bytes)
            && sector_bytes.is_power_of_two()
            && per_cluster.is_power_of_two()
            && u16_at(sector, 14) != 0
            && (1..=2).contains(&sector[16])
            && (media == 0xf0 || media >= 0xf8);
        if !plausible {
            return None;
        }
        let small = u64::from(u16_at(sector, 22));
        let wide = small == 0;
        let parameters = Self {
            sector_bytes,
            cluster_bytes: sector_bytes * per_cluster,
            reserved: u64::from(u16_at(sector, 14)),
            tables: u64::from(sector[16]),
            root_entries: u64::from(u16_at(sector, 17)),
            table_sectors: if wide {
                u64::from(u32_at(sector, 36))
            } else {
                small
            },
            root_cluster: if wide { u32_at(sector, 44) } else { 0 },
            serial: u32_at(sector, if wide { 67 } else { 39 }),
        };
        (parameters.table_sectors != 0).then_some(parameters)
    }

    fn root_offset(&self) -> u64 {
        (self.reserved + self.tables * self.table_sectors) * self.sector_bytes
    }

    fn label(&self, device: &dyn BlockDevice) -> Result<Option<String>> {
        if self.root_cluster == 0 {
            let length = (self.root_entries as usize * 32).min(MOST_ROOT_BYTES);
            let root = read(device, self.root_offset(), length)?;
            return Ok(root.and_then(|root| search(&root).1));
        }
        let mut cluster = self.root_cluster;
        for _ in 0..MOST_ROOT_CLUSTERS {
            let Some(index) = cluster.checked_sub(2).filter(|_| cluster < 0x0fff_fff0) else {
                break;
            };
            let offset = self.root_offset() + u64::from(index) * self.cluster_bytes;
            let Some(root) = read(device, offset, self.cluster_bytes as usize)? else {
                break;
            };
            let (ended, label) = search(&root);
            if ended || label.is_some() {
                return Ok(label);
            }
            let entry = self.reserved * self.sector_bytes + u64::from(cluster) * 4;
            let Some(next) = read(device, entry, 4)? else {
                break;
            };
            cluster = u32_at(&next, 0) & 0x0fff_ffff;
        }
        Ok(None)
    }
}

/// Looks for the entry that is the label. Returns whether the directory ended, and the label.
fn search(directory: &[u8]) -> (bool, Option<String>) {
    for entry in directory.chunks_exact(32) {
        let (first, attributes) = (entry[0], entry[11]);
        if first == 0 {
            return (true, None);
        }
        let long_name = attributes & 0x3f == 0x0f;
        if first != 0xe5 && !long_name && attributes & 0x18 == 0x08 {
            return (true, text_at(entry, 0, 11));
        }
    }
    (false, None)
}

/// `vfat.c`: the label is that of the root directory; the one in the boot sector is another (`LABEL_FATBOOT`).
pub(super) fn vfat(device: &dyn BlockDevice) -> Result<Option<Volume>> {
    let Some(sector) = read(device, 0, 512)? else {
        return Ok(None);
    };
    let Some(parameters) = Parameters::parse(&sector) else {
        return Ok(None);
    };
    let serial = parameters.serial;
    Ok(Some(Volume {
        kind: VolumeKind::Vfat,
        label: parameters.label(device)?,
        uuid: (serial != 0).then(|| format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff)),
    }))
}
