//! The boot sector (Microsoft, "FAT: General Overview of On-Disk Format", "Boot Sector and
//! BPB").

use std::mem::{offset_of, size_of};

use zerocopy::byteorder::{LE, U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::unpadded;
use crate::Error;
use crate::read::{Corrupt, Place, Rule, Source, Unsupported, limits};

/// The part of the boot sector that all FAT types share. Little-endian.
///
/// | offset | size | field                 | note                                      |
/// |-------:|-----:|-----------------------|-------------------------------------------|
/// |      3 |    8 | `oem_name`            |                                           |
/// |     11 |    2 | `bytes_per_sector`    | 512 to 4096, a power of two               |
/// |     13 |    1 | `sectors_per_cluster` | a power of two                            |
/// |     14 |    2 | `reserved_sectors`    | not 0                                     |
/// |     16 |    1 | `fats`                | not 0                                     |
/// |     17 |    2 | `root_entries`        | 0 on FAT32                                |
/// |     19 |    2 | `total_sectors_16`    | 0: see `total_sectors_32`                 |
/// |     21 |    1 | `media`               | f0 or f8 to ff                            |
/// |     22 |    2 | `sectors_per_fat_16`  | 0 on FAT32                                |
/// |     32 |    4 | `total_sectors_32`    |                                           |
#[repr(C)]
#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
struct RawBootSector {
    jump: [u8; 3],
    oem_name: [u8; 8],
    bytes_per_sector: U16<LE>,
    sectors_per_cluster: u8,
    reserved_sectors: U16<LE>,
    fats: u8,
    root_entries: U16<LE>,
    total_sectors_16: U16<LE>,
    media: u8,
    sectors_per_fat_16: U16<LE>,
    sectors_per_track: U16<LE>,
    heads: U16<LE>,
    hidden_sectors: U32<LE>,
    total_sectors_32: U32<LE>,
}

const _: () = assert!(size_of::<RawBootSector>() == 36);
const _: () = assert!(offset_of!(RawBootSector, sectors_per_fat_16) == 22);

/// What follows on FAT32, before [`RawExtended`].
///
/// | offset | size | field                 | note                                      |
/// |-------:|-----:|-----------------------|-------------------------------------------|
/// |     36 |    4 | `sectors_per_fat_32`  |                                           |
/// |     40 |    2 | `flags`               | bit 7: only the copy in bits 0 to 3 is live |
/// |     44 |    4 | `root_cluster`        |                                           |
/// |     48 |    2 | `information_sector`  | free clusters                             |
/// |     50 |    2 | `backup_boot_sector`  |                                           |
#[repr(C)]
#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
struct RawFat32 {
    sectors_per_fat_32: U32<LE>,
    flags: U16<LE>,
    version: U16<LE>,
    root_cluster: U32<LE>,
    information_sector: U16<LE>,
    backup_boot_sector: U16<LE>,
    reserved: [u8; 12],
}

const _: () = assert!(size_of::<RawFat32>() == 28);

/// The extended boot record, at 36 on FAT12 and FAT16 and at 64 on FAT32.
#[repr(C)]
#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
struct RawExtended {
    drive_number: u8,
    reserved: u8,
    /// 29 when serial and label are there, 28 when only the serial is.
    signature: u8,
    serial: U32<LE>,
    label: [u8; 11],
    file_system_type: [u8; 8],
}

const _: () = assert!(size_of::<RawExtended>() == 26);

/// The most clusters of a FAT12 and of a FAT16 volume (Linux `include/linux/msdos_fs.h`,
/// `MAX_FAT12` and `MAX_FAT16`; the specification's 4084 and 65524).
const MAX_CLUSTERS_12: u32 = 0xff4;
const MAX_CLUSTERS_16: u32 = 0xfff4;
const MAX_CLUSTERS_32: u32 = 0x0fff_fff6;

/// Where things are, in bytes from the beginning of the volume.
#[derive(Debug, Clone)]
pub(super) struct Geometry {
    pub(super) bits: u8,
    pub(super) oem_name: String,
    pub(super) serial: Option<u32>,
    pub(super) label: Option<String>,
    pub(super) sector_bytes: u32,
    pub(super) sectors_per_cluster: u32,
    pub(super) reserved_sectors: u32,
    pub(super) fats: u8,
    pub(super) sectors_per_fat: u32,
    pub(super) root_entries: u32,
    pub(super) total_sectors: u32,
    pub(super) clusters: u32,
    pub(super) media: u8,
    /// The first cluster of the root directory on FAT32.
    pub(super) root_cluster: Option<u32>,
    /// The table that counts (always the first but with FAT32's flags).
    pub(super) live_fat: u8,
    /// Only [`Geometry::live_fat`] is kept up to date.
    pub(super) mirrored: bool,
    pub(super) information_sector: Option<u32>,
    pub(super) backup_boot_sector: Option<u32>,
}

impl Geometry {
    pub(super) fn cluster_bytes(&self) -> u64 {
        u64::from(self.sector_bytes).saturating_mul(u64::from(self.sectors_per_cluster))
    }

    pub(super) fn sector_offset(&self, sector: u32) -> u64 {
        u64::from(sector).saturating_mul(u64::from(self.sector_bytes))
    }

    pub(super) fn fat_bytes(&self) -> u64 {
        self.sector_offset(self.sectors_per_fat)
    }

    pub(super) fn fat_offset(&self, copy: u8) -> u64 {
        self.sector_offset(self.reserved_sectors)
            .saturating_add(self.fat_bytes().saturating_mul(u64::from(copy)))
    }

    pub(super) fn root_offset(&self) -> u64 {
        self.fat_offset(self.fats)
    }

    pub(super) fn root_bytes(&self) -> u64 {
        u64::from(self.root_entries).saturating_mul(32)
    }

    /// Clusters are numbered from 2; the caller has checked the number.
    pub(super) fn cluster_offset(&self, cluster: u32) -> u64 {
        let root_sectors = self
            .root_bytes()
            .div_ceil(u64::from(self.sector_bytes.max(1)));
        self.root_offset()
            .saturating_add(root_sectors.saturating_mul(u64::from(self.sector_bytes)))
            .saturating_add(
                u64::from(cluster)
                    .saturating_sub(2)
                    .saturating_mul(self.cluster_bytes()),
            )
    }

    /// Says whether a number is that of a cluster.
    pub(super) fn is_cluster(&self, cluster: u32) -> bool {
        cluster >= 2 && cluster < self.clusters.saturating_add(2)
    }
}

/// Parses a boot sector; `None` when there is none. What marks one is that Linux would
/// take it (`fs/fat/inode.c`, `fat_read_bpb`); the signature 55 aa is not asked for.
pub(super) fn parse(
    source: &Source<'_>,
    faults: &mut Vec<Corrupt>,
) -> Result<Option<Geometry>, Error> {
    const BOOT_BYTES: u64 = 512;
    if !source.contains(0, BOOT_BYTES) {
        return Ok(None);
    }
    let sector = source.bytes(0, BOOT_BYTES, "boot sector")?;
    let Ok((raw, rest)) = RawBootSector::ref_from_prefix(&sector) else {
        return Ok(None);
    };
    let sector_bytes = u32::from(raw.bytes_per_sector.get());
    let plausible = matches!(sector_bytes, 512 | 1024 | 2048 | 4096)
        && raw.sectors_per_cluster.is_power_of_two()
        && raw.reserved_sectors.get() != 0
        && raw.fats != 0
        && (raw.media == 0xf0 || raw.media >= 0xf8);
    if !plausible {
        return Ok(None);
    }
    let place = Place::at("boot sector", 0);
    let corrupt = |field, value| Corrupt::new(place.clone(), Rule::BootField { field, value });

    let fat32 = RawFat32::ref_from_prefix(rest).ok();
    let is_fat32 = raw.sectors_per_fat_16.get() == 0;
    let sectors_per_fat = match fat32 {
        Some((fat32, _)) if is_fat32 => fat32.sectors_per_fat_32.get(),
        _ => u32::from(raw.sectors_per_fat_16.get()),
    };
    if sectors_per_fat == 0 {
        return Err(corrupt("sectors per FAT", 0).into());
    }
    let total_sectors = match raw.total_sectors_16.get() {
        0 => raw.total_sectors_32.get(),
        sectors => u32::from(sectors),
    };
    let extended = match fat32 {
        Some((_, rest)) if is_fat32 => RawExtended::ref_from_prefix(rest).ok(),
        _ => RawExtended::ref_from_prefix(rest).ok(),
    }
    .map(|(extended, _)| extended);
    let has_serial = extended.filter(|extended| matches!(extended.signature, 0x28 | 0x29));
    let label = extended
        .filter(|extended| extended.signature == 0x29)
        .map(|extended| unpadded(&extended.label))
        .filter(|label| !label.is_empty() && label != "NO NAME");

    let mut geometry = Geometry {
        bits: 32,
        oem_name: unpadded(&raw.oem_name),
        serial: has_serial.map(|extended| extended.serial.get()),
        label,
        sector_bytes,
        sectors_per_cluster: u32::from(raw.sectors_per_cluster),
        reserved_sectors: u32::from(raw.reserved_sectors.get()),
        fats: raw.fats,
        sectors_per_fat,
        root_entries: u32::from(raw.root_entries.get()),
        total_sectors,
        clusters: 0,
        media: raw.media,
        root_cluster: None,
        live_fat: 0,
        mirrored: true,
        information_sector: None,
        backup_boot_sector: None,
    };
    if !geometry
        .root_bytes()
        .is_multiple_of(u64::from(sector_bytes))
    {
        return Err(corrupt("root entries", geometry.root_entries).into());
    }
    let data = geometry
        .cluster_offset(2)
        .checked_div(u64::from(sector_bytes))
        .unwrap_or(0);
    let clusters = u64::from(total_sectors)
        .checked_sub(data)
        .and_then(|sectors| sectors.checked_div(u64::from(geometry.sectors_per_cluster)))
        .and_then(|clusters| u32::try_from(clusters).ok())
        .ok_or_else(|| corrupt("total sectors", total_sectors))?;
    geometry.clusters = clusters;
    geometry.bits = match (is_fat32, clusters) {
        (true, 0..=MAX_CLUSTERS_32) => 32,
        (false, 0..=MAX_CLUSTERS_12) => 12,
        (false, 0..=MAX_CLUSTERS_16) => 16,
        _ => return Err(corrupt("total sectors", total_sectors).into()),
    };
    if let Some((fat32, _)) = fat32.filter(|_| is_fat32) {
        geometry.root_cluster = Some(fat32.root_cluster.get());
        let flags = fat32.flags.get();
        if flags & 0x80 != 0 {
            geometry.mirrored = false;
            geometry.live_fat = u8::try_from(flags & 0x0f).unwrap_or(0);
        }
        let sector = |number: u16| (number != 0 && number != u16::MAX).then(|| u32::from(number));
        geometry.information_sector = sector(fat32.information_sector.get());
        geometry.backup_boot_sector = sector(fat32.backup_boot_sector.get());
    }
    if geometry.live_fat >= geometry.fats {
        return Err(corrupt("active FAT", u32::from(geometry.live_fat)).into());
    }
    let bytes = geometry.fat_bytes();
    if bytes > limits::MAX_FAT_BYTES {
        return Err(Unsupported::HugeFat { bytes }.into());
    }
    let needed = u64::from(clusters)
        .saturating_add(2)
        .saturating_mul(u64::from(geometry.bits))
        .div_ceil(8);
    if bytes < needed {
        return Err(Corrupt::new(place, Rule::ShortFat { bytes, clusters }).into());
    }
    if sector.get(510..) != Some(&[0x55, 0xaa]) {
        faults.push(Corrupt::new(place.clone(), Rule::NoBootSignature));
    }
    let volume = geometry.sector_offset(total_sectors);
    if volume > source.length() {
        let drive = source.length();
        faults.push(Corrupt::new(place, Rule::VolumeTruncated { volume, drive }));
    }
    Ok(Some(geometry))
}
