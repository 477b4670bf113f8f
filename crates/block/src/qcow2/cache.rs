//! Metadata in memory: pieces of tables, a bounded number of them, written back when they have to go.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Corrupt, Result};
use crate::storage::Storage;

/// Tables are read and written in pieces of this size, or of a cluster if that is smaller: an injection touches few
/// entries of a table, and the commit should carry no more than those pages.
const PIECE_BYTES: u64 = 4096;

/// How many bytes of tables are kept: the L2 entries of 64 GiB with 64 KiB clusters.
const LIMIT_BYTES: u64 = 8 << 20;

/// What a cluster of metadata is used as. One that is used as two of them is corrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    L1,
    L2,
    RefcountTable,
    RefcountBlock,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::L1 => "qcow2 L1 table",
            Self::L2 => "qcow2 L2 table",
            Self::RefcountTable => "qcow2 refcount table",
            Self::RefcountBlock => "qcow2 refcount block",
        }
    }
}

#[derive(Debug)]
struct Piece {
    bytes: Box<[u8]>,
    is_dirty: bool,
    last_used: u64,
}

/// A cache of pieces of tables, by their offset in the file.
#[derive(Debug)]
pub(super) struct Cache {
    storage: Arc<dyn Storage>,
    cluster_bits: u32,
    piece_bytes: u64,
    pieces: HashMap<u64, Piece>,
    /// What every cluster with a piece in the cache is used as, and how many pieces it has here.
    clusters: HashMap<u64, (Kind, u32)>,
    clock: u64,
}

impl Cache {
    pub(super) fn new(storage: Arc<dyn Storage>, cluster_bits: u32) -> Self {
        Self {
            storage,
            cluster_bits,
            piece_bytes: PIECE_BYTES.min(1 << cluster_bits),
            pieces: HashMap::new(),
            clusters: HashMap::new(),
            clock: 0,
        }
    }

    /// Reads the big-endian number at `offset`, a multiple of its size.
    pub(super) fn read_u64(&mut self, kind: Kind, offset: u64) -> Result<u64> {
        let (piece, at) = self.piece(kind, offset)?;
        Ok(read_u64(&piece.bytes[at..at + 8]))
    }

    /// Writes a big-endian number at `offset`, a multiple of its size.
    pub(super) fn write_u64(&mut self, kind: Kind, offset: u64, value: u64) -> Result<()> {
        let (piece, at) = self.piece(kind, offset)?;
        piece.bytes[at..at + 8].copy_from_slice(&value.to_be_bytes());
        piece.is_dirty = true;
        Ok(())
    }

    /// Counts the zero bytes from `offset` on, no further than the piece with them goes.
    pub(super) fn zeros_at(&mut self, kind: Kind, offset: u64) -> Result<u64> {
        let (piece, at) = self.piece(kind, offset)?;
        let rest = &piece.bytes[at..];
        let zeros = rest.iter().position(|byte| *byte != 0);
        Ok(zeros.unwrap_or(rest.len()) as u64)
    }

    /// Copies the cluster of metadata at `from` to the fresh, zero cluster at `to`.
    pub(super) fn copy_cluster(&mut self, kind: Kind, from: u64, to: u64) -> Result<()> {
        let mut offset = 0;
        while offset < 1 << self.cluster_bits {
            let (piece, _) = self.piece(kind, from + offset)?;
            if piece.bytes.iter().any(|byte| *byte != 0) {
                let bytes = piece.bytes.clone();
                let (copy, _) = self.piece(kind, to + offset)?;
                copy.bytes = bytes;
                copy.is_dirty = true;
            }
            offset += self.piece_bytes;
        }
        Ok(())
    }

    /// Tells whether the cluster at `offset` is known to hold metadata.
    pub(super) fn holds(&self, offset: u64) -> Option<Kind> {
        self.clusters
            .get(&(offset >> self.cluster_bits))
            .map(|(kind, _)| *kind)
    }

    /// Forgets the pieces of a cluster that is no longer metadata.
    pub(super) fn forget(&mut self, offset: u64) {
        let mut at = offset;
        while at < offset + (1 << self.cluster_bits) {
            self.pieces.remove(&at);
            at += self.piece_bytes;
        }
        self.clusters.remove(&(offset >> self.cluster_bits));
    }

    /// Writes back what was changed. Everything stays in the cache.
    pub(super) fn flush(&mut self) -> Result<()> {
        let mut dirty: Vec<u64> = self
            .pieces
            .iter()
            .filter(|(_, piece)| piece.is_dirty)
            .map(|(offset, _)| *offset)
            .collect();
        // In this order the same changes are always the same writes.
        dirty.sort_unstable();
        for offset in dirty {
            self.write_back(offset)?;
        }
        Ok(())
    }

    fn write_back(&mut self, offset: u64) -> Result<()> {
        if let Some(piece) = self.pieces.get_mut(&offset)
            && piece.is_dirty
        {
            self.storage.write_at(&piece.bytes, offset)?;
            piece.is_dirty = false;
        }
        Ok(())
    }

    /// Finds the piece with the byte at `offset`, and where in it that byte is.
    fn piece(&mut self, kind: Kind, offset: u64) -> Result<(&mut Piece, usize)> {
        let start = offset & !(self.piece_bytes - 1);
        let cluster = offset >> self.cluster_bits;
        if let Some((other, _)) = self.clusters.get(&cluster)
            && *other != kind
        {
            let rule = format!("the same cluster is a {} too", other.name());
            return Err(Corrupt::new(kind.name(), offset, rule).into());
        }
        if !self.pieces.contains_key(&start) {
            self.make_room()?;
            let mut bytes = vec![0; self.piece_bytes as usize].into_boxed_slice();
            self.storage.read_at(&mut bytes, start)?;
            let piece = Piece {
                bytes,
                is_dirty: false,
                last_used: 0,
            };
            self.pieces.insert(start, piece);
            self.clusters.entry(cluster).or_insert((kind, 0)).1 += 1;
        }
        self.clock += 1;
        let piece = self
            .pieces
            .get_mut(&start)
            .expect("it was there, or has just been put there");
        piece.last_used = self.clock;
        Ok((piece, (offset - start) as usize))
    }

    /// When the cache is full, lets the half go that was not used for longest.
    fn make_room(&mut self) -> Result<()> {
        if (self.pieces.len() as u64) < LIMIT_BYTES / self.piece_bytes {
            return Ok(());
        }
        let mut by_age: Vec<(u64, u64)> = self
            .pieces
            .iter()
            .map(|(offset, piece)| (piece.last_used, *offset))
            .collect();
        by_age.sort_unstable();
        let mut leaving: Vec<u64> = by_age[..by_age.len() / 2]
            .iter()
            .map(|(_, offset)| *offset)
            .collect();
        leaving.sort_unstable();
        for offset in leaving {
            self.write_back(offset)?;
            self.pieces.remove(&offset);
            let cluster = offset >> self.cluster_bits;
            if let Some((_, count)) = self.clusters.get_mut(&cluster) {
                *count -= 1;
                if *count == 0 {
                    self.clusters.remove(&cluster);
                }
            }
        }
        Ok(())
    }
}

fn read_u64(bytes: &[u8]) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(bytes);
    u64::from_be_bytes(number)
}
