//! The file allocation table.

use super::boot_sector::Geometry;
use crate::Error;
use crate::read::{Extent, Place, Rule, Source};

/// What an entry of the table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Free,
    Cluster(u32),
    Bad,
    End,
}

/// The live copy of the table.
#[derive(Debug)]
pub(super) struct Fat {
    bits: u8,
    bytes: Vec<u8>,
}

impl Fat {
    /// Reads one copy; the geometry has bounded its length.
    pub(super) fn read(source: &Source<'_>, geometry: &Geometry, copy: u8) -> Result<Self, Error> {
        Ok(Self {
            bits: geometry.bits,
            bytes: source.bytes(geometry.fat_offset(copy), geometry.fat_bytes(), "FAT")?,
        })
    }

    /// Returns an entry's number; of FAT32's 32 bits, the upper four are reserved.
    pub(super) fn entry(&self, cluster: u32) -> u32 {
        let index = usize::try_from(cluster).unwrap_or(usize::MAX);
        match self.bits {
            12 => {
                let at = index.saturating_add(index / 2);
                let Some([low, high]) = self.at::<2>(at) else {
                    return 0;
                };
                let pair = u32::from(u16::from_le_bytes([low, high]));
                if index % 2 == 0 {
                    pair & 0xfff
                } else {
                    pair >> 4
                }
            }
            16 => self
                .at::<2>(index.saturating_mul(2))
                .map_or(0, |bytes| u32::from(u16::from_le_bytes(bytes))),
            _ => self
                .at::<4>(index.saturating_mul(4))
                .map_or(0, |bytes| u32::from_le_bytes(bytes) & 0x0fff_ffff),
        }
    }

    fn at<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.bytes.get(offset..)?.first_chunk::<N>().copied()
    }

    /// The number that means the end of a chain, all ones.
    pub(super) fn end_mark(&self) -> u32 {
        match self.bits {
            12 => 0xfff,
            16 => 0xffff,
            _ => 0x0fff_ffff,
        }
    }

    /// Returns what follows a cluster.
    pub(super) fn next(&self, cluster: u32) -> Next {
        let value = self.entry(cluster);
        let end = self.end_mark();
        if value == 0 {
            Next::Free
        } else if value == end.saturating_sub(8) {
            Next::Bad
        } else if value >= end.saturating_sub(7) {
            Next::End
        } else {
            Next::Cluster(value)
        }
    }
}

/// The clusters that chains have used, so that no cluster is walked twice and the whole
/// walk costs no more than the table is long.
#[derive(Debug)]
pub(super) struct Claims {
    taken: Vec<bool>,
}

impl Claims {
    pub(super) fn new(geometry: &Geometry) -> Self {
        let count = usize::try_from(geometry.clusters.saturating_add(2)).unwrap_or(0);
        Self {
            taken: vec![false; count],
        }
    }

    fn claim(&mut self, cluster: u32) -> bool {
        let slot = usize::try_from(cluster)
            .ok()
            .and_then(|index| self.taken.get_mut(index));
        slot.is_some_and(|taken| !std::mem::replace(taken, true))
    }

    pub(super) fn is_taken(&self, cluster: u32) -> bool {
        usize::try_from(cluster)
            .ok()
            .and_then(|index| self.taken.get(index))
            .is_some_and(|taken| *taken)
    }
}

/// A chain as ranges of the drive.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) extents: Vec<Extent>,
    pub(super) clusters: u64,
    pub(super) faults: Vec<Rule>,
}

/// Follows a chain to its end. With `length`, that many bytes are needed, and the extents
/// are cut to them; without, it is a directory's.
pub(super) fn chain(
    geometry: &Geometry,
    fat: &Fat,
    claims: &mut Claims,
    first: u32,
    length: Option<u64>,
) -> Chain {
    let mut chain = Chain::default();
    let cluster_bytes = geometry.cluster_bytes();
    let need = length.map(|length| length.div_ceil(cluster_bytes.max(1)));
    let mut cluster = first;
    loop {
        if !geometry.is_cluster(cluster) {
            chain.faults.push(Rule::BadCluster { cluster });
            return chain;
        }
        if !claims.claim(cluster) {
            chain.faults.push(Rule::CrossLinked { cluster });
            return chain;
        }
        chain.clusters = chain.clusters.saturating_add(1);
        if need.is_none_or(|need| chain.clusters <= need) {
            let offset = geometry.cluster_offset(cluster);
            match chain.extents.last_mut().filter(|last| last.end() == offset) {
                Some(last) => last.length = last.length.saturating_add(cluster_bytes),
                None => chain.extents.push(Extent {
                    offset,
                    length: cluster_bytes,
                }),
            }
        }
        match fat.next(cluster) {
            Next::Cluster(next) => cluster = next,
            Next::End => break,
            Next::Free | Next::Bad => {
                let cluster = fat.entry(cluster);
                chain.faults.push(Rule::BadCluster { cluster });
                return chain;
            }
        }
    }
    if let (Some(need), Some(length)) = (need, length) {
        if chain.clusters < need {
            let have = chain.clusters;
            chain.faults.push(Rule::ShortChain { have, need });
        } else {
            if chain.clusters > need {
                chain.faults.push(Rule::LongChain { need });
            }
            let whole = need.saturating_mul(cluster_bytes);
            if let Some(last) = chain.extents.last_mut() {
                last.length = last.length.saturating_sub(whole.saturating_sub(length));
            }
        }
    }
    chain
}

/// Compares the table with its copies and with the clusters in use (what `fsck.vfat` calls
/// the first and last parts of its check).
pub(super) fn audit(
    source: &Source<'_>,
    geometry: &Geometry,
    fat: &Fat,
    claims: &Claims,
) -> Result<Vec<(Place, Rule)>, Error> {
    let mut faults = Vec::new();
    let place = Place::at("FAT", geometry.fat_offset(geometry.live_fat));
    let last = geometry.clusters.saturating_add(2);
    for copy in 0..geometry.fats {
        if copy == geometry.live_fat || !geometry.mirrored {
            continue;
        }
        let other = Fat::read(source, geometry, copy)?;
        if let Some(cluster) =
            (0..last).find(|cluster| fat.entry(*cluster) != other.entry(*cluster))
        {
            let place = Place::at("FAT", geometry.fat_offset(copy));
            faults.push((place, Rule::FatCopies { copy, cluster }));
        }
    }
    // Entry 0 repeats the media byte, all other bits are ones ("FAT Data Structure").
    let expected = (fat.end_mark() & !0xff) | u32::from(geometry.media);
    if fat.entry(0) != expected {
        let rule = Rule::ReservedFatEntry {
            entry: 0,
            value: fat.entry(0),
            expected,
        };
        faults.push((place.clone(), rule));
    }
    // Entry 1 is an end mark; its two upper bits tell of an unclean unmount or bad reads.
    let one = fat.entry(1);
    let flags = match geometry.bits {
        12 => 0,
        16 => 0xc000,
        _ => 0x0c00_0000,
    };
    if one & flags != flags || (one | flags) < fat.end_mark().saturating_sub(7) {
        let rule = Rule::ReservedFatEntry {
            entry: 1,
            value: one,
            expected: fat.end_mark(),
        };
        faults.push((place.clone(), rule));
    }
    let mut lost = 0_u32;
    let mut first_lost = 0;
    let mut free = 0_u32;
    for cluster in 2..last {
        match fat.next(cluster) {
            Next::Free => free = free.saturating_add(1),
            Next::Bad => {}
            Next::Cluster(_) | Next::End if claims.is_taken(cluster) => {}
            Next::Cluster(_) | Next::End => {
                if lost == 0 {
                    first_lost = cluster;
                }
                lost = lost.saturating_add(1);
            }
        }
    }
    if lost > 0 {
        let rule = Rule::LostClusters {
            count: lost,
            first: first_lost,
        };
        faults.push((place, rule));
    }
    faults.extend(information_sector(source, geometry, free)?);
    Ok(faults)
}

/// Compares FAT32's free count and backup boot sector.
fn information_sector(
    source: &Source<'_>,
    geometry: &Geometry,
    free: u32,
) -> Result<Vec<(Place, Rule)>, Error> {
    /// Offset of `FSI_Free_Count`; all ones mean that it is not known.
    const FREE_COUNT: u64 = 488;
    let mut faults = Vec::new();
    if let Some(sector) = geometry.information_sector {
        let offset = geometry.sector_offset(sector).saturating_add(FREE_COUNT);
        let bytes = source.bytes(offset, 4, "information sector")?;
        let says = bytes.first_chunk::<4>().copied().map(u32::from_le_bytes);
        if let Some(says) = says.filter(|says| *says != u32::MAX && *says != free) {
            let rule = Rule::FreeCount {
                says,
                counted: free,
            };
            faults.push((Place::at("information sector", offset), rule));
        }
    }
    if let Some(sector) = geometry.backup_boot_sector {
        let offset = geometry.sector_offset(sector);
        let backup = source.bytes(offset, 512, "backup boot sector")?;
        if backup != source.bytes(0, 512, "boot sector")? {
            faults.push((Place::at("boot sector", offset), Rule::BackupBootSector));
        }
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_twelve_bits() {
        let fat = Fat {
            bits: 12,
            bytes: vec![0xf8, 0xff, 0xff, 0x03, 0x40, 0x00, 0xff, 0x7f, 0xff],
        };
        let entries: Vec<u32> = (0..6).map(|cluster| fat.entry(cluster)).collect();
        assert_eq!(entries, [0xff8, 0xfff, 3, 4, 0xfff, 0xff7]);
        assert_eq!(fat.next(2), Next::Cluster(3));
        assert_eq!(fat.next(4), Next::End);
        assert_eq!(fat.next(5), Next::Bad);
    }

    #[test]
    fn fat32_ignores_the_upper_four_bits() {
        let fat = Fat {
            bits: 32,
            bytes: vec![0xf8, 0xff, 0xff, 0x0f, 0x05, 0, 0, 0xf0],
        };
        assert_eq!(fat.next(1), Next::Cluster(5));
        assert_eq!(fat.next(9), Next::Free);
    }
}
