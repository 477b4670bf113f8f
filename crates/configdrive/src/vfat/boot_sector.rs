//! The reserved sectors: boot sector, and for FAT32 FSInfo and their copies.

use super::geometry::{FATS, FatKind, Geometry};
use super::{LABEL_BYTES, Options, SECTOR_BYTES};

/// A fixed disk (fatgen103, `BPB_Media`).
const MEDIA: u8 = 0xf8;
/// Offers the machine to the next boot device (INT 18h), and halts if that returns.
const BOOT_CODE: [u8; 5] = [0xcd, 0x18, 0xf4, 0xeb, 0xfd];
const SIGNATURE: [u8; 2] = [0x55, 0xaa];
/// First cluster of FAT32's root.
pub(super) const ROOT_CLUSTER: u32 = 2;
/// Where FSInfo and the copy of the boot sector are (fatgen103, `BPB_FSInfo`, `BPB_BkBootSec`).
const FSINFO_SECTOR: u16 = 1;
const BACKUP_SECTOR: u16 = 6;

/// Returns the reserved sectors.
pub(super) fn reserved(geometry: &Geometry, options: &Options, used: u32) -> Vec<u8> {
    let boot = boot_sector(geometry, options);
    let mut out = vec![0; usize::from(geometry.reserved_sectors) * SECTOR_BYTES as usize];
    let mut put = |sector: u16, bytes: &[u8]| {
        let start = usize::from(sector) * SECTOR_BYTES as usize;
        out[start..start + bytes.len()].copy_from_slice(bytes);
    };
    put(0, &boot);
    if geometry.kind == FatKind::Fat32 {
        let information = fsinfo(geometry.clusters - used, ROOT_CLUSTER + used);
        put(FSINFO_SECTOR, &information);
        put(BACKUP_SECTOR, &boot);
        put(BACKUP_SECTOR + FSINFO_SECTOR, &information);
    }
    out
}

/// Returns the boot sector (fatgen103, "Boot Sector and BPB").
///
/// | offset | size | field                                                |
/// |-------:|-----:|------------------------------------------------------|
/// |      0 |    3 | jump to the boot code                                |
/// |      3 |    8 | OEM name                                             |
/// |     11 |    2 | bytes a sector                                       |
/// |     13 |    1 | sectors a cluster                                    |
/// |     14 |    2 | reserved sectors                                     |
/// |     16 |    1 | copies of the table                                  |
/// |     17 |    2 | entries of the root, 0 for FAT32                     |
/// |     19 |    2 | sectors, 0 if more than 16 bits hold                 |
/// |     21 |    1 | media                                                |
/// |     22 |    2 | sectors a table, 0 for FAT32                         |
/// |     24 |    4 | sectors a track, heads                               |
/// |     28 |    4 | sectors before the volume, 0                         |
/// |     32 |    4 | sectors, 0 if 16 bits hold them                      |
/// |     36 |   28 | FAT32: sectors a table, flags, version, root cluster, FSInfo, copy |
/// | 36, 64 |   26 | drive, 0, 0x29, serial number, label, type           |
/// |    510 |    2 | `55 aa`                                              |
fn boot_sector(geometry: &Geometry, options: &Options) -> Vec<u8> {
    let fat32 = geometry.kind == FatKind::Fat32;
    let code_start: u8 = if fat32 { 90 } else { 62 };
    // A short jump counts from its end.
    let mut out = vec![0xeb, code_start - 2, 0x90];
    out.extend_from_slice(geometry.oem_name);
    out.extend_from_slice(&(SECTOR_BYTES as u16).to_le_bytes());
    out.push(geometry.sectors_per_cluster);
    out.extend_from_slice(&geometry.reserved_sectors.to_le_bytes());
    out.push(FATS as u8);
    out.extend_from_slice(&geometry.root_entries.to_le_bytes());
    // fatgen103 has FAT32 use the long field always.
    let short = match u16::try_from(geometry.sectors) {
        Ok(sectors) if !fat32 => sectors,
        _ => 0,
    };
    out.extend_from_slice(&short.to_le_bytes());
    out.push(MEDIA);
    // FAT12 and FAT16 need 256 sectors at most.
    let fat_sectors = if fat32 {
        0
    } else {
        geometry.fat_sectors as u16
    };
    out.extend_from_slice(&fat_sectors.to_le_bytes());
    out.extend_from_slice(&geometry.sectors_per_track.to_le_bytes());
    out.extend_from_slice(&geometry.heads.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let long = if short == 0 { geometry.sectors } else { 0 };
    out.extend_from_slice(&long.to_le_bytes());
    if fat32 {
        out.extend_from_slice(&geometry.fat_sectors.to_le_bytes());
        // All copies of the table are kept alike; version 0.0.
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&ROOT_CLUSTER.to_le_bytes());
        out.extend_from_slice(&FSINFO_SECTOR.to_le_bytes());
        out.extend_from_slice(&BACKUP_SECTOR.to_le_bytes());
        out.extend_from_slice(&[0; 12]);
    }
    out.extend_from_slice(&[0x80, 0, 0x29]);
    out.extend_from_slice(&options.volume_id.to_le_bytes());
    out.extend_from_slice(&label(&options.label));
    out.extend_from_slice(match geometry.kind {
        FatKind::Fat12 => b"FAT12   ",
        FatKind::Fat16 => b"FAT16   ",
        FatKind::Fat32 => b"FAT32   ",
    });
    out.extend_from_slice(&BOOT_CODE);
    out.resize(SECTOR_BYTES as usize - SIGNATURE.len(), 0);
    out.extend_from_slice(&SIGNATURE);
    out
}

/// Returns FAT32's FSInfo sector (fatgen103, "FAT32 FSInfo Sector Structure").
fn fsinfo(free: u32, next_free: u32) -> Vec<u8> {
    let mut out = b"RRaA".to_vec();
    out.resize(484, 0);
    out.extend_from_slice(b"rrAa");
    out.extend_from_slice(&free.to_le_bytes());
    out.extend_from_slice(&next_free.to_le_bytes());
    out.resize(SECTOR_BYTES as usize - SIGNATURE.len(), 0);
    out.extend_from_slice(&SIGNATURE);
    out
}

/// Returns a label filled up with spaces.
pub(super) fn label(text: &str) -> [u8; LABEL_BYTES] {
    let mut label = [b' '; LABEL_BYTES];
    label[..text.len()].copy_from_slice(text.as_bytes());
    label
}
