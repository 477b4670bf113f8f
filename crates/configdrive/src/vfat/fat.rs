//! The file allocation table: which cluster follows which.

use std::io;

use super::boot_sector::ROOT_CLUSTER;
use super::directory::{Directories, ENTRY_BYTES};
use super::geometry::{FatKind, Geometry};
use crate::{EntryId, Kind, Sink, Tree};

/// The table is written in pieces of about this size, so that a large one does not stand in memory.
const PIECE_BYTES: usize = 64 << 10;

/// Which clusters everything has. Each directory and file has one run of them, and the runs stand end to end:
/// directories in their order, then files in the order of the tree.
#[derive(Debug)]
pub(super) struct Chains {
    /// First cluster of each entry of the tree, 0 for one without clusters.
    first: Vec<u32>,
    /// Length of each run, in clusters, in order.
    lengths: Vec<u32>,
    used: u32,
}

impl Chains {
    /// Gives clusters to everything; the geometry was chosen so that there are enough.
    pub(super) fn new(tree: &Tree, directories: &Directories, geometry: &Geometry) -> Self {
        let cluster_bytes = geometry.cluster_bytes();
        let mut chains = Self {
            first: vec![0; tree.len() + 1],
            lengths: Vec::new(),
            used: 0,
        };
        for number in directories.order() {
            if number > 0 || geometry.kind == FatKind::Fat32 {
                let bytes = directories.entry_count(number) * ENTRY_BYTES;
                let length = bytes.div_ceil(cluster_bytes).max(1);
                chains.take(directories.entry(number), length as u32);
            }
        }
        for entry in tree.entries() {
            if let Kind::File(content) = tree.kind(entry)
                && content.len() > 0
            {
                chains.take(entry, content.len().div_ceil(cluster_bytes) as u32);
            }
        }
        // A directory right below the root says that the one above it has cluster 0, whatever it has (fatgen103).
        chains.first[EntryId::ROOT.index()] = 0;
        chains
    }

    fn take(&mut self, entry: EntryId, length: u32) {
        self.first[entry.index()] = ROOT_CLUSTER + self.used;
        self.lengths.push(length);
        self.used += length;
    }

    /// Returns an entry's first cluster; 0 for an empty file, and for the root.
    pub(super) fn first(&self, entry: EntryId) -> u32 {
        self.first[entry.index()]
    }

    /// Returns how many clusters are taken.
    pub(super) fn used(&self) -> u32 {
        self.used
    }

    /// Writes one copy of the table (fatgen103, "FAT Data Structure").
    pub(super) fn write(&self, geometry: &Geometry, out: &mut dyn Sink) -> io::Result<()> {
        let end = match geometry.kind {
            FatKind::Fat12 => 0xfff,
            FatKind::Fat16 => 0xffff,
            FatKind::Fat32 => 0x0fff_ffff,
        };
        // Entry 0 repeats the media byte below bits that are set; entry 1 says that all is well.
        let mut entries = [end & !0xff | 0xf8, end].into_iter().chain(self.links(end));
        let mut piece = Vec::with_capacity(PIECE_BYTES + 4);
        let mut written = 0;
        while let Some(entry) = entries.next() {
            match geometry.kind {
                FatKind::Fat12 => {
                    // Two entries of twelve bits in three bytes; the last one may be alone.
                    let pair = entry | entries.next().unwrap_or(0) << 12;
                    piece.extend_from_slice(&pair.to_le_bytes()[..3]);
                }
                FatKind::Fat16 => piece.extend_from_slice(&(entry as u16).to_le_bytes()),
                FatKind::Fat32 => piece.extend_from_slice(&entry.to_le_bytes()),
            }
            if piece.len() >= PIECE_BYTES {
                out.write_all(&piece)?;
                written += piece.len() as u64;
                piece.clear();
            }
        }
        out.write_all(&piece)?;
        written += piece.len() as u64;
        out.write_zeros(u64::from(geometry.fat_sectors) * super::SECTOR_BYTES - written)
    }

    /// Returns the entry of every cluster that is taken.
    fn links(&self, end: u32) -> impl Iterator<Item = u32> + '_ {
        let mut cluster = ROOT_CLUSTER;
        self.lengths.iter().flat_map(move |length| {
            let first = cluster;
            cluster += length;
            (first + 1..cluster).chain(std::iter::once(end))
        })
    }
}
