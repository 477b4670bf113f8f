//! The blocks of the hashed index. Little-endian; Linux `Documentation/filesystems/ext4/directory.rst`, "Hash Tree Directories".
//!
//! The root, which is the first block and looks to old readers like `.` and a `..` that fills the block:
//!
//! | offset | size | field                      | note                                                            |
//! |-------:|-----:|----------------------------|-----------------------------------------------------------------|
//! |      0 |   12 | `dot`                      | an entry with `rec_len` 12                                      |
//! |     12 |   12 | `dotdot`                   | an entry whose `rec_len` reaches to the end of the block        |
//! |     24 |    4 | `info.reserved_zero`       | 0                                                               |
//! |     28 |    1 | `info.hash_version`        | [`Function`](super::hash::Function); 6 (SipHash) needs the key of an encrypted directory |
//! |     29 |    1 | `info.info_length`         | 8                                                               |
//! |     30 |    1 | `info.indirect_levels`     | levels of nodes between root and leaves: 0 or 1, with `large_dir` also 2 |
//! |     31 |    1 | `info.unused_flags`        | bit 0: not to be used by whoever does not know why              |
//! |     32 |  8 n | `entries`                  | as below                                                        |
//!
//! A node, which looks like an entry that is not used:
//!
//! | offset | size | field     | note                                           |
//! |-------:|-----:|-----------|------------------------------------------------|
//! |      0 |    8 | `fake`    | inode 0, `rec_len` of the whole block, no name |
//! |      8 |  8 n | `entries` | as below                                       |
//!
//! Entries, ordered by hash:
//!
//! | offset | size | field   | note                                                                                      |
//! |-------:|-----:|---------|-------------------------------------------------------------------------------------------|
//! |      0 |    4 | `hash`  | the lowest hash below; bit 0 is set if the leaf before ends with the same hash. In the first entry `limit` and `count` instead, 16 bits each: its hash is that of the entry above |
//! |      4 |    4 | `block` | the lower 28 bits number a block of the directory                                         |

use super::Target;
use super::checksum;
use super::entry::{self, Broken, Layout};

/// The bytes before the entries of the root.
const ROOT_START: usize = 32;
/// The bytes before the entries of a node.
const NODE_START: usize = 8;
const ENTRY_BYTES: usize = 8;
/// The bits of `block` that number a block: `EXT4_DX_BLOCK_MASK`, libext2fs `ext2_fs.h`.
const BLOCK_MASK: u32 = 0x0fff_ffff;

const DOT_DOT_OFFSET: usize = 12;
const HASH_VERSION: usize = 28;
const INFO_LENGTH: usize = 29;
const INDIRECT_LEVELS: usize = 30;
const FLAGS: usize = 31;

/// An index block whose head has been checked: the room for entries lies in the block and they do not exceed it.
#[derive(Debug, Clone)]
pub(super) struct IndexBlock {
    pub(super) block: u32,
    pub(super) bytes: Vec<u8>,
    start: usize,
}

/// How many entries fit.
fn limit_of(block_bytes: usize, start: usize, checksums: bool) -> usize {
    let tail = if checksums {
        checksum::INDEX_TAIL_BYTES
    } else {
        0
    };
    (block_bytes - start - tail) / ENTRY_BYTES
}

/// Tells whether a block looks like a node: to readers without an index an empty leaf looks the same but for its `limit`.
pub(super) fn is_node(layout: Layout, bytes: &[u8], checksums: bool) -> bool {
    let limit = limit_of(layout.block_bytes, NODE_START, checksums);
    entry::is_fake(layout, bytes) && usize::from(read_u16(bytes, NODE_START)) == limit
}

impl IndexBlock {
    /// Parses the root, block 0.
    pub(super) fn root(
        layout: Layout,
        bytes: Vec<u8>,
        checksum_seed: Option<u32>,
        most_levels: u8,
    ) -> Result<Self, Broken> {
        let broken = |offset, rule| Err(Broken::new(offset, rule));
        let dot_dot = entry::dot_dot(layout, &bytes)?;
        if dot_dot.offset() != DOT_DOT_OFFSET
            || dot_dot.length() != layout.block_bytes - DOT_DOT_OFFSET
        {
            return broken(DOT_DOT_OFFSET, "`..` does not fill the root of the index");
        }
        if bytes[24..28] != [0; 4] {
            return broken(24, "`reserved_zero` of the index is not 0");
        }
        if bytes[INFO_LENGTH] != 8 {
            return broken(INFO_LENGTH, "`info_length` of the index is not 8");
        }
        if bytes[INDIRECT_LEVELS] >= most_levels {
            return broken(INDIRECT_LEVELS, "the index has too many levels");
        }
        Self::parse(0, bytes, ROOT_START, checksum_seed)
    }

    /// Parses a node.
    pub(super) fn node(
        layout: Layout,
        block: u32,
        bytes: Vec<u8>,
        checksum_seed: Option<u32>,
    ) -> Result<Self, Broken> {
        if !entry::is_fake(layout, &bytes) {
            return Err(Broken::new(0, "the block is no node of the index"));
        }
        Self::parse(block, bytes, NODE_START, checksum_seed)
    }

    fn parse(
        block: u32,
        bytes: Vec<u8>,
        start: usize,
        checksum_seed: Option<u32>,
    ) -> Result<Self, Broken> {
        let this = Self {
            block,
            bytes,
            start,
        };
        if this.limit() != limit_of(this.bytes.len(), start, checksum_seed.is_some()) {
            return Err(Broken::new(
                start,
                "`limit` is not how many index entries fit",
            ));
        }
        if this.count() == 0 || this.count() > this.limit() {
            return Err(Broken::new(start + 2, "`count` is 0 or above `limit`"));
        }
        if let Some(seed) = checksum_seed {
            checksum::check_index(seed, &this.bytes, this.used(), this.room())
                .map_err(|rule| Broken::new(this.room(), rule))?;
        }
        Ok(this)
    }

    /// Makes of a block with `.` and `..` the root of an index with one entry.
    pub(super) fn new_root(
        layout: Layout,
        mut bytes: Vec<u8>,
        hash_version: u8,
        child: u32,
        checksums: bool,
    ) -> Self {
        entry::set_length(
            layout,
            &mut bytes,
            DOT_DOT_OFFSET,
            layout.block_bytes - DOT_DOT_OFFSET,
        );
        bytes[DOT_DOT_OFFSET + entry::HEADER_BYTES + 2..].fill(0);
        bytes[HASH_VERSION] = hash_version;
        bytes[INFO_LENGTH] = 8;
        Self::with_first(0, bytes, ROOT_START, child, checksums)
    }

    /// Makes a node with the entries of another index block from `from` on.
    pub(super) fn new_node(
        layout: Layout,
        block: u32,
        other: &Self,
        from: usize,
        checksums: bool,
    ) -> Self {
        let mut bytes = vec![0; layout.block_bytes];
        entry::clear(layout, &mut bytes);
        let mut this = Self::with_first(block, bytes, NODE_START, other.child(from), checksums);
        let count = other.count() - from;
        let source = other.entry(from + 1)..other.entry(from + count);
        let target = this.entry(1)..this.entry(count);
        this.bytes[target].copy_from_slice(&other.bytes[source]);
        this.set_count(count);
        this
    }

    fn with_first(block: u32, bytes: Vec<u8>, start: usize, child: u32, checksums: bool) -> Self {
        let limit = limit_of(bytes.len(), start, checksums) as u16;
        let mut this = Self {
            block,
            bytes,
            start,
        };
        this.bytes[start..start + 2].copy_from_slice(&limit.to_le_bytes());
        this.set_only_child(child);
        this
    }

    /// Lets `..` in the root name another directory.
    pub(super) fn set_parent(&mut self, parent: Target) {
        entry::set_target(&mut self.bytes, DOT_DOT_OFFSET, parent);
    }

    /// Leaves one entry.
    pub(super) fn set_only_child(&mut self, child: u32) {
        self.set_count(1);
        self.bytes[self.start + 4..self.start + 8].copy_from_slice(&child.to_le_bytes());
    }

    /// Returns how many levels of nodes the root says there are.
    pub(super) fn indirect_levels(&self) -> u8 {
        self.bytes[INDIRECT_LEVELS]
    }

    /// Says in the root that there is one level of nodes more.
    pub(super) fn add_level(&mut self) {
        self.bytes[INDIRECT_LEVELS] += 1;
    }

    /// Returns the number of the hash function in the root.
    pub(super) fn hash_version(&self) -> u8 {
        self.bytes[HASH_VERSION]
    }

    /// Tells whether the root says that whoever does not know the flag must not use the index.
    pub(super) fn has_unknown_flag(&self) -> bool {
        self.bytes[FLAGS] & 1 != 0
    }

    /// Returns how many entries fit.
    pub(super) fn limit(&self) -> usize {
        usize::from(read_u16(&self.bytes, self.start))
    }

    /// Returns how many entries there are.
    pub(super) fn count(&self) -> usize {
        usize::from(read_u16(&self.bytes, self.start + 2))
    }

    /// Tells whether no entry fits any more.
    pub(super) fn is_full(&self) -> bool {
        self.count() >= self.limit()
    }

    /// Cuts the entries down to `count`.
    pub(super) fn set_count(&mut self, count: usize) {
        let at = self.start + 2;
        self.bytes[at..at + 2].copy_from_slice(&(count as u16).to_le_bytes());
    }

    /// Returns the lowest hash of an entry as stored; the first has none.
    pub(super) fn hash(&self, position: usize) -> u32 {
        if position == 0 {
            return 0;
        }
        read_u32(&self.bytes, self.entry(position))
    }

    /// Returns the block of an entry.
    pub(super) fn child(&self, position: usize) -> u32 {
        read_u32(&self.bytes, self.entry(position) + 4) & BLOCK_MASK
    }

    /// Returns the last entry whose hash is not above `hash`.
    pub(super) fn search(&self, hash: u32) -> usize {
        let (mut low, mut high) = (1, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.hash(middle) > hash {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low - 1
    }

    /// Inserts an entry behind another; there must be room.
    pub(super) fn insert_after(&mut self, position: usize, hash: u32, child: u32) {
        let at = self.entry(position + 1);
        let used = self.used();
        self.bytes.copy_within(at..used, at + ENTRY_BYTES);
        self.bytes[at..at + 4].copy_from_slice(&hash.to_le_bytes());
        self.bytes[at + 4..at + 8].copy_from_slice(&child.to_le_bytes());
        self.set_count(self.count() + 1);
    }

    /// Writes the checksum.
    pub(super) fn seal(&mut self, checksum_seed: Option<u32>) {
        if let Some(seed) = checksum_seed {
            let (used, room) = (self.used(), self.room());
            checksum::seal_index(seed, &mut self.bytes, used, room);
        }
    }

    fn entry(&self, position: usize) -> usize {
        self.start + position * ENTRY_BYTES
    }

    fn used(&self) -> usize {
        self.entry(self.count())
    }

    fn room(&self) -> usize {
        self.entry(self.limit())
    }
}

fn read_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
