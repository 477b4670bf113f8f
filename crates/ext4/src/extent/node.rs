//! One node of an extent tree.

use std::mem::size_of;

use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::Seed;
use crate::number::BlockNumber;

/// The magic number of a node.
const MAGIC: u16 = 0xf30a;

/// The deepest tree (`fs/ext4/ext4_extents.h`, `EXT4_MAX_EXTENT_DEPTH`).
pub(crate) const MOST_LEVELS: u16 = 5;

/// The most blocks of an extent (`EXT_INIT_MAX_LEN`); a greater length means that so many less were never written.
pub(crate) const MOST_BLOCKS: u32 = 1 << 15;

/// The most blocks of an extent that was never written (`EXT_UNWRITTEN_MAX_LEN`).
const MOST_UNWRITTEN: u32 = MOST_BLOCKS - 1;

/// The beginning of a node as stored. Little-endian.
///
/// Linux `Documentation/filesystems/ext4/ifork.rst`, "Extent Tree"; `fs/ext4/ext4_extents.h` (v6.12).
///
/// | offset | size | field           | note                                                                  |
/// |-------:|-----:|-----------------|-----------------------------------------------------------------------|
/// |      0 |    2 | `eh_magic`      | 0xf30a                                                                |
/// |      2 |    2 | `eh_entries`    |                                                                       |
/// |      4 |    2 | `eh_max`        | how many fit: 4 in an inode                                           |
/// |      6 |    2 | `eh_depth`      | 0 for a leaf, otherwise one more than the nodes below                 |
/// |      8 |    4 | `eh_generation` | not used                                                              |
///
/// With `metadata_csum` a node that is a block has its CRC32c right behind `eh_max` entries, which is not at the end of the block where its size
/// less the header leaves a rest of 8 bytes (2 KiB).
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
struct RawHeader {
    eh_magic: U16,
    eh_entries: U16,
    eh_max: U16,
    eh_depth: U16,
    eh_generation: U32,
}

/// An entry of a leaf as stored: `ee_block`, `ee_len`, `ee_start_hi`, `ee_start_lo`.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
struct RawExtent {
    ee_block: U32,
    ee_len: U16,
    ee_start_hi: U16,
    ee_start_lo: U32,
}

/// An entry of an inner node as stored: `ei_block`, `ei_leaf_lo`, `ei_leaf_hi`, and two bytes not used.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
struct RawIndex {
    ei_block: U32,
    ei_leaf_lo: U32,
    ei_leaf_hi: U16,
    ei_unused: U16,
}

const ENTRY_BYTES: usize = 12;
const _: () = assert!(size_of::<RawHeader>() == ENTRY_BYTES);
const _: () = assert!(size_of::<RawExtent>() == ENTRY_BYTES);
const _: () = assert!(size_of::<RawIndex>() == ENTRY_BYTES);

/// Blocks of a file that follow one another on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first block of the file.
    pub(crate) start: u32,
    /// How many blocks: at least 1.
    pub(crate) length: u32,
    /// The first block of the disk.
    pub(crate) block: BlockNumber,
    /// The blocks are allocated and read as zeros.
    pub(crate) unwritten: bool,
}

impl Extent {
    /// Returns the block of the file behind the last one.
    pub(crate) fn end(&self) -> u64 {
        u64::from(self.start) + u64::from(self.length)
    }

    /// Adds another that follows in the file and on the disk, if both fit in one.
    pub(crate) fn merge(&mut self, next: &Self) -> bool {
        let most = if self.unwritten {
            MOST_UNWRITTEN
        } else {
            MOST_BLOCKS
        };
        let fits = self.unwritten == next.unwritten
            && self.end() == u64::from(next.start)
            && self.block.0 + u64::from(self.length) == next.block.0
            && self.length + next.length <= most;
        if fits {
            self.length += next.length;
        }
        fits
    }
}

/// The entries of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entries {
    /// Of a leaf.
    Leaf(Vec<Extent>),
    /// Of an inner node: the first block of the file that is below, and the block of the disk that holds the node.
    Inner(Vec<(u32, BlockNumber)>),
}

/// A node of an extent tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// 0 for a leaf.
    pub(crate) depth: u16,
    /// How many entries fit.
    pub(crate) capacity: usize,
    /// What it holds, in the order of the file.
    pub(crate) entries: Entries,
}

/// Blocks of the file that a node may speak of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Bounds {
    /// All blocks that a file can have.
    pub(crate) const ALL: Self = Self {
        from: 0,
        to: 1 << 32,
    };
}

impl Node {
    /// Makes an empty leaf that is a root.
    pub(crate) fn empty_root() -> Self {
        Self {
            depth: 0,
            capacity: Self::capacity_of(60),
            entries: Entries::Leaf(Vec::new()),
        }
    }

    /// Returns how many entries fit in so many bytes.
    pub(crate) fn capacity_of(bytes: usize) -> usize {
        bytes.saturating_sub(ENTRY_BYTES) / ENTRY_BYTES
    }

    pub(crate) fn len(&self) -> usize {
        match &self.entries {
            Entries::Leaf(extents) => extents.len(),
            Entries::Inner(children) => children.len(),
        }
    }

    /// Tells whether there is one entry more than fits.
    pub(crate) fn overflows(&self) -> bool {
        self.len() > self.capacity
    }

    /// Returns the first block of the file that is spoken of.
    pub(crate) fn first(&self) -> Option<u32> {
        match &self.entries {
            Entries::Leaf(extents) => extents.first().map(|extent| extent.start),
            Entries::Inner(children) => children.first().map(|child| child.0),
        }
    }

    /// Takes the second part away as another node of the same sort: the last entry alone if `at_end`, so that files that only grow get full
    /// nodes (`fs/ext4/extents.c`, `ext4_ext_split`), otherwise half.
    pub(crate) fn split(&mut self, at_end: bool) -> Self {
        let keep = if at_end {
            self.len() - 1
        } else {
            self.len() / 2
        };
        let entries = match &mut self.entries {
            Entries::Leaf(extents) => Entries::Leaf(extents.split_off(keep)),
            Entries::Inner(children) => Entries::Inner(children.split_off(keep)),
        };
        Self {
            depth: self.depth,
            capacity: self.capacity,
            entries,
        }
    }

    /// Takes the bytes of a node: the 60 bytes of a root, or a block with the seed of its checksum if it has one.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub(crate) fn parse(
        bytes: &[u8],
        seed: Option<Seed>,
        depth: Option<u16>,
        bounds: Bounds,
        blocks: u64,
    ) -> Result<Self, String> {
        let (header, rest) = RawHeader::ref_from_prefix(bytes).map_err(|_| "it is too short")?;
        if header.eh_magic.get() != MAGIC {
            return Err("the magic number is not 0xf30a".into());
        }
        let capacity = usize::from(header.eh_max.get());
        let count = usize::from(header.eh_entries.get());
        let most = Self::capacity_of(bytes.len());
        // The rest behind the entries has room for the checksum: `capacity_of` leaves 4 bytes at 1 and 4 KiB, 8 at 2 KiB.
        if capacity == 0 || capacity > most || count > capacity {
            return Err(format!(
                "it has {count} entries of {capacity}, and {most} fit"
            ));
        }
        let own_depth = header.eh_depth.get();
        if own_depth > MOST_LEVELS || depth.is_some_and(|depth| depth != own_depth) {
            return Err(format!("its depth is {own_depth}"));
        }
        if let Some(seed) = seed {
            let at = ENTRY_BYTES * (1 + capacity);
            let stored = bytes
                .get(at..at + 4)
                .and_then(|tail| U32::read_from_bytes(tail).ok())
                .ok_or("there is no room for the checksum")?;
            if seed.with(&bytes[..at]).value() != stored.get() {
                return Err("the checksum is wrong".into());
            }
        }
        // Only a root may be empty, and then it is a leaf: what is below an inner node begins at its number.
        if count == 0 && (own_depth > 0 || depth.is_some()) {
            return Err("it is empty".into());
        }
        let entries = if own_depth == 0 {
            Entries::Leaf(parse_extents(rest, count, bounds, blocks)?)
        } else {
            Entries::Inner(parse_children(rest, count, bounds, blocks)?)
        };
        Ok(Self {
            depth: own_depth,
            capacity,
            entries,
        })
    }

    /// Writes the node into its 60 bytes or its block, with the checksum if a seed is given. No more entries than fit.
    pub(crate) fn encode(&self, bytes: &mut [u8], seed: Option<Seed>) {
        bytes.fill(0);
        let header = RawHeader {
            eh_magic: U16::new(MAGIC),
            eh_entries: U16::new(self.len() as u16),
            eh_max: U16::new(self.capacity as u16),
            eh_depth: U16::new(self.depth),
            eh_generation: U32::new(0),
        };
        let (first, rest) = bytes.split_at_mut(ENTRY_BYTES);
        first.copy_from_slice(header.as_bytes());
        let places = rest.chunks_exact_mut(ENTRY_BYTES);
        match &self.entries {
            Entries::Leaf(extents) => {
                for (place, extent) in places.zip(extents) {
                    let length = extent.length + if extent.unwritten { MOST_BLOCKS } else { 0 };
                    let raw = RawExtent {
                        ee_block: U32::new(extent.start),
                        ee_len: U16::new(length as u16),
                        ee_start_hi: U16::new((extent.block.0 >> 32) as u16),
                        ee_start_lo: U32::new(extent.block.0 as u32),
                    };
                    place.copy_from_slice(raw.as_bytes());
                }
            }
            Entries::Inner(children) => {
                for (place, (start, block)) in places.zip(children) {
                    let raw = RawIndex {
                        ei_block: U32::new(*start),
                        ei_leaf_lo: U32::new(block.0 as u32),
                        ei_leaf_hi: U16::new((block.0 >> 32) as u16),
                        ei_unused: U16::new(0),
                    };
                    place.copy_from_slice(raw.as_bytes());
                }
            }
        }
        if let Some(seed) = seed {
            let at = ENTRY_BYTES * (1 + self.capacity);
            let sum = U32::new(seed.with(&bytes[..at]).value());
            if let Some(tail) = bytes.get_mut(at..at + 4) {
                tail.copy_from_slice(sum.as_bytes());
            }
        }
    }
}

fn entries_of<'a, T: FromBytes + KnownLayout + Immutable + Unaligned + 'a>(
    rest: &'a [u8],
    count: usize,
) -> impl Iterator<Item = &'a T> {
    rest.chunks_exact(ENTRY_BYTES)
        .take(count)
        .filter_map(|bytes| T::ref_from_bytes(bytes).ok())
}

fn parse_extents(
    rest: &[u8],
    count: usize,
    bounds: Bounds,
    blocks: u64,
) -> Result<Vec<Extent>, String> {
    let mut extents = Vec::with_capacity(count + 1);
    let mut free_from = bounds.from;
    for raw in entries_of::<RawExtent>(rest, count) {
        let stored = u32::from(raw.ee_len.get());
        let unwritten = stored > MOST_BLOCKS;
        let extent = Extent {
            start: raw.ee_block.get(),
            length: if unwritten {
                stored - MOST_BLOCKS
            } else {
                stored
            },
            block: BlockNumber(
                u64::from(raw.ee_start_hi.get()) << 32 | u64::from(raw.ee_start_lo.get()),
            ),
            unwritten,
        };
        if extent.length == 0 || u64::from(extent.start) < free_from || extent.end() > bounds.to {
            return Err(format!(
                "the extent of {} blocks from block {} of the file on is out of order",
                extent.length, extent.start
            ));
        }
        if extent.block.0 == 0 || extent.block.0 + u64::from(extent.length) > blocks {
            return Err(format!(
                "an extent begins at block {}, and is not in the filesystem",
                extent.block
            ));
        }
        free_from = extent.end();
        extents.push(extent);
    }
    Ok(extents)
}

fn parse_children(
    rest: &[u8],
    count: usize,
    bounds: Bounds,
    blocks: u64,
) -> Result<Vec<(u32, BlockNumber)>, String> {
    let mut children = Vec::with_capacity(count + 1);
    let mut free_from = bounds.from;
    for raw in entries_of::<RawIndex>(rest, count) {
        let start = raw.ei_block.get();
        let block =
            BlockNumber(u64::from(raw.ei_leaf_hi.get()) << 32 | u64::from(raw.ei_leaf_lo.get()));
        if u64::from(start) < free_from || u64::from(start) >= bounds.to {
            return Err(format!(
                "the entry for block {start} of the file is out of order"
            ));
        }
        if block.0 == 0 || block.0 >= blocks {
            return Err(format!(
                "an entry leads to block {block}, which is not in the filesystem"
            ));
        }
        free_from = u64::from(start) + 1;
        children.push((start, block));
    }
    Ok(children)
}
