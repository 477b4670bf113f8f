//! How an image is divided into sectors and clusters.

use super::directory::{Directories, ENTRY_BYTES};
use super::{Layout, SECTOR_BYTES};
use crate::{Error, Format, Kind, Tree};

/// Copies of the file allocation table.
pub(super) const FATS: u32 = 2;
/// The size of an image is a multiple of this many sectors: 4 KiB, the largest block that a disk has, and a whole
/// number of tracks, without which mtools refuses it.
const ALIGNMENT_SECTORS: u64 = 8;
/// Readers decide the width of the table by the number of clusters alone, and some are off by a few (fatgen103,
/// "FAT Type Determination", warns of 16): we keep as far from the limits.
const MARGIN: u64 = 16;
/// From this many clusters on it is FAT16.
const FAT16_FROM: u64 = 4_085;
/// From this many clusters on it is FAT32.
const FAT32_FROM: u64 = 65_525;
/// Linux counts no further (`include/uapi/linux/msdos_fs.h`, `MAX_FAT32`, less the two reserved entries).
const MAX_FAT32: u64 = 0x0fff_fff4;
/// Sectors are counted with 32 bits (fatgen103, `BPB_TotSec32`).
const MAX_SECTORS: u64 = u32::MAX as u64;

/// The width of an entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FatKind {
    Fat12,
    Fat16,
    Fat32,
}

impl FatKind {
    pub(super) fn bits(self) -> u8 {
        match self {
            Self::Fat12 => 12,
            Self::Fat16 => 16,
            Self::Fat32 => 32,
        }
    }

    /// The fewest and most clusters.
    fn range(self) -> (u64, u64) {
        match self {
            Self::Fat12 => (1, FAT16_FROM - 1 - MARGIN),
            Self::Fat16 => (FAT16_FROM + MARGIN, FAT32_FROM - 1 - MARGIN),
            Self::Fat32 => (FAT32_FROM + MARGIN, MAX_FAT32 - MARGIN),
        }
    }
}

/// How an image is divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) kind: FatKind,
    pub(super) oem_name: &'static [u8; 8],
    pub(super) sectors_per_track: u16,
    pub(super) heads: u16,
    pub(super) sectors_per_cluster: u8,
    pub(super) reserved_sectors: u16,
    pub(super) fat_sectors: u32,
    /// 0 for FAT32, whose root is a chain of clusters.
    pub(super) root_entries: u16,
    pub(super) sectors: u32,
    pub(super) clusters: u32,
}

impl Geometry {
    pub(super) fn cluster_bytes(&self) -> u64 {
        u64::from(self.sectors_per_cluster) * SECTOR_BYTES
    }

    pub(super) fn size_bytes(&self) -> u64 {
        u64::from(self.sectors) * SECTOR_BYTES
    }

    /// Returns what is after the last cluster.
    pub(super) fn slack_bytes(&self) -> u64 {
        let used = self.first_data_sector()
            + u64::from(self.clusters) * u64::from(self.sectors_per_cluster);
        (u64::from(self.sectors) - used) * SECTOR_BYTES
    }

    fn first_data_sector(&self) -> u64 {
        u64::from(self.reserved_sectors)
            + u64::from(FATS) * u64::from(self.fat_sectors)
            + u64::from(self.root_entries) * ENTRY_BYTES / SECTOR_BYTES
    }

    pub(super) fn choose(
        tree: &Tree,
        directories: &Directories,
        layout: Layout,
    ) -> Result<Self, Error> {
        if layout == Layout::Nova64MiB {
            return nova(tree, directories);
        }
        // Small clusters waste little, until their table is the larger waste: twice the cluster from each
        // row to the next, FAT32 from 256 MiB on as mkfs.fat has it.
        for (kind, sectors_per_cluster) in [
            (FatKind::Fat12, 1),
            (FatKind::Fat16, 1),
            (FatKind::Fat16, 2),
            (FatKind::Fat16, 4),
            (FatKind::Fat16, 8),
            (FatKind::Fat32, 8),
            (FatKind::Fat32, 16),
            (FatKind::Fat32, 32),
            (FatKind::Fat32, 64),
        ] {
            if let Some(geometry) = exact(tree, directories, kind, sectors_per_cluster) {
                return Ok(geometry);
            }
        }
        Err(Error::TooLarge {
            format: Format::Vfat,
            needed: clusters_needed(tree, directories, FatKind::Fat32, 64) * 64,
            limit: MAX_SECTORS,
            unit: "sectors",
        })
    }
}

/// Returns how many clusters a tree takes.
fn clusters_needed(
    tree: &Tree,
    directories: &Directories,
    kind: FatKind,
    sectors_per_cluster: u8,
) -> u64 {
    let cluster_bytes = u64::from(sectors_per_cluster) * SECTOR_BYTES;
    let files = tree.entries().map(|entry| match tree.kind(entry) {
        Kind::File(content) => content.len().div_ceil(cluster_bytes),
        Kind::Directory | Kind::Symlink(_) => 0,
    });
    let directories = directories
        .order()
        .filter(|number| *number > 0 || kind == FatKind::Fat32)
        .map(|number| {
            let bytes = directories.entry_count(number) * ENTRY_BYTES;
            bytes.div_ceil(cluster_bytes).max(1)
        });
    files.chain(directories).fold(0, u64::saturating_add)
}

/// Returns the smallest image with clusters of this size, or nothing if the tree does not go into it.
fn exact(
    tree: &Tree,
    directories: &Directories,
    kind: FatKind,
    sectors_per_cluster: u8,
) -> Option<Geometry> {
    let (fewest, most) = kind.range();
    let needed = clusters_needed(tree, directories, kind, sectors_per_cluster);
    let per_cluster = u64::from(sectors_per_cluster);
    let (reserved_sectors, root_entries) = match kind {
        // Boot sector, FSInfo and their copy at sector 6, as fatgen103 recommends.
        FatKind::Fat32 => (32_u16, 0),
        // Whole sectors, as fatgen103 demands of `BPB_RootEntCnt`.
        _ => (1, directories.entry_count(0).next_multiple_of(16)),
    };
    let root_entries = u16::try_from(root_entries).ok()?;
    let root_sectors = u64::from(root_entries) * ENTRY_BYTES / SECTOR_BYTES;
    let mut clusters = needed.max(fewest);
    // Aligning the end makes room for a few clusters more, whose entries the table has to have as well; the second
    // round settles it, but for a table that grows by a sector.
    for _ in 0..8 {
        if clusters > most {
            return None;
        }
        let table_bytes = ((clusters + 2) * u64::from(kind.bits())).div_ceil(8);
        let fat_sectors = table_bytes.div_ceil(SECTOR_BYTES);
        let before = u64::from(reserved_sectors) + u64::from(FATS) * fat_sectors + root_sectors;
        let sectors = (before + clusters * per_cluster).next_multiple_of(ALIGNMENT_SECTORS);
        if sectors > MAX_SECTORS {
            return None;
        }
        let there = (sectors - before) / per_cluster;
        if there == clusters {
            return Some(Geometry {
                kind,
                oem_name: b"christen",
                sectors_per_track: ALIGNMENT_SECTORS as u16,
                heads: 16,
                sectors_per_cluster,
                reserved_sectors,
                fat_sectors: fat_sectors as u32,
                root_entries,
                sectors: sectors as u32,
                clusters: clusters as u32,
            });
        }
        clusters = there;
    }
    None
}

/// Returns what `mkfs -t vfat` of dosfstools 4.2 makes of a file of 64 MiB.
fn nova(tree: &Tree, directories: &Directories) -> Result<Geometry, Error> {
    let geometry = Geometry {
        kind: FatKind::Fat16,
        oem_name: b"mkfs.fat",
        sectors_per_track: 32,
        heads: 8,
        sectors_per_cluster: 4,
        reserved_sectors: 4,
        fat_sectors: 128,
        root_entries: 512,
        sectors: 131_072,
        clusters: 32_695,
    };
    let too_large = |needed: u64, limit: u64, unit| Error::TooLarge {
        format: Format::Vfat,
        needed,
        limit,
        unit,
    };
    let root = directories.entry_count(0);
    if root > u64::from(geometry.root_entries) {
        return Err(too_large(
            root,
            u64::from(geometry.root_entries),
            "root directory entries",
        ));
    }
    let needed = clusters_needed(
        tree,
        directories,
        geometry.kind,
        geometry.sectors_per_cluster,
    );
    if needed > u64::from(geometry.clusters) {
        return Err(too_large(needed, u64::from(geometry.clusters), "clusters"));
    }
    Ok(geometry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Content;

    fn check(bytes: u64, expected: (u8, u64)) {
        let mut tree = Tree::new();
        let content = Content::Stream {
            length: bytes,
            open: Box::new(|| Err(std::io::ErrorKind::NotFound.into())),
        };
        tree.add_file("file", content).unwrap();
        let directories = Directories::new(&tree).unwrap();
        let geometry = Geometry::choose(&tree, &directories, Layout::Exact).unwrap();
        assert_eq!(
            (geometry.kind.bits(), geometry.cluster_bytes()),
            expected,
            "{bytes}"
        );
        let (fewest, most) = geometry.kind.range();
        assert!((fewest..=most).contains(&u64::from(geometry.clusters)));
        let table_bits = u64::from(geometry.fat_sectors) * SECTOR_BYTES * 8;
        let entries = u64::from(geometry.clusters) + 2;
        assert!(entries * u64::from(geometry.kind.bits()) <= table_bits);
        assert!(geometry.slack_bytes() < geometry.cluster_bytes());
        assert!(u64::from(geometry.sectors).is_multiple_of(ALIGNMENT_SECTORS));
    }

    #[test]
    fn the_table_is_as_wide_as_the_clusters_are_many() {
        check(0, (12, 512));
        check(1, (12, 512));
        check(4_060 * 512, (12, 512));
        for around in [4_060, 4_068, 4_069, 4_085, 4_100, 4_101, 4_102] {
            check(
                around * 512 + 512,
                (if around < 4_068 { 12 } else { 16 }, 512),
            );
        }
        check(32 << 20, (16, 1024));
        check(100 << 20, (16, 2048));
        check(200 << 20, (16, 4096));
        check(1 << 30, (32, 4096));
        check(u32::MAX.into(), (32, 4096));
    }
}
