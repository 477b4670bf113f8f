//! Which blocks a file has: extent trees, indirect blocks.
//!
//! Linux `Documentation/filesystems/ext4/ifork.rst`; what is a fault is said by e2fsck `pass1.c`, `scan_extent_node` and `process_block`.
//!
//! An extent node, little-endian:
//!
//! | offset | size | field        | note                                                                          |
//! |-------:|-----:|--------------|-------------------------------------------------------------------------------|
//! |      0 |    2 | `eh_magic`   | `f30a`                                                                        |
//! |      2 |    2 | `eh_entries` | at most `eh_max`                                                              |
//! |      4 |    2 | `eh_max`     |                                                                               |
//! |      6 |    2 | `eh_depth`   | 0 in leaves, at most 5                                                        |
//! |      8 |    4 | generation   |                                                                               |
//! |     12 | 12 n | entries      | leaf: `ee_block` 4, `ee_len` 2 (above 32768: not written), `ee_start_hi` 2, `ee_start_lo` 4; index: `ei_block` 4, `ei_leaf_lo` 4, `ei_leaf_hi` 2 |
//! | 12 + 12 `eh_max` | 4 | `et_checksum` | in blocks under `metadata_csum`: CRC-32C over the inode's seed and all before |

use christen_vfs::Error;

use super::Reader;
use super::bytes::{crc32c, join, u16_at, u32_at};
use super::inodes::Inode;

/// A run of blocks of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) logical: u64,
    pub(super) physical: u64,
    pub(super) length: u64,
    pub(super) written: bool,
}

/// Takes what a walk over a file's blocks comes to.
pub(super) trait Visitor {
    /// Takes a run of data, which lies in the filesystem.
    fn data(&mut self, run: Run);

    /// Takes a block of the mapping itself, which lies in the filesystem, and says whether it is to be read: not if it was before, so
    /// that every walk ends.
    fn node(&mut self, block: u64) -> bool;

    /// Takes a rule that the mapping breaks.
    fn broken(&mut self, rule: &'static str);
}

/// Walks over all blocks of a file.
pub(super) fn walk(
    reader: Reader<'_>,
    inode: &Inode,
    visitor: &mut dyn Visitor,
) -> Result<(), Error> {
    if inode.has_extents() {
        let mut tree = Extents {
            reader,
            seed: inode.seed,
            directory: inode.is_directory(),
            next: 0,
            visitor,
        };
        let depth = u16_at(inode.block(), 6);
        if depth > 5 {
            tree.visitor.broken("its extent tree is deeper than 5");
            return Ok(());
        }
        tree.node(inode.block(), depth, 0, 1 << 32)
    } else {
        let mut logical = 0;
        let per_block = reader.geometry.block_bytes as u64 / 4;
        for slot in 0..15 {
            let block = u64::from(u32_at(inode.block(), slot * 4));
            let depth = slot.saturating_sub(11) as u32;
            indirect(reader, block, depth, logical, visitor)?;
            logical += per_block.pow(depth);
        }
        Ok(())
    }
}

struct Extents<'r, 'v> {
    reader: Reader<'r>,
    seed: Option<u32>,
    directory: bool,
    /// The first logical block that no extent has had yet.
    next: u64,
    visitor: &'v mut dyn Visitor,
}

impl Extents<'_, '_> {
    /// Walks over a node that maps the logical blocks from `low` to before `high`.
    fn node(&mut self, bytes: &[u8], depth: u16, low: u64, high: u64) -> Result<(), Error> {
        let capacity = (bytes.len() - 12) / 12;
        let (entries, most) = (usize::from(u16_at(bytes, 2)), usize::from(u16_at(bytes, 4)));
        if u16_at(bytes, 0) != 0xf30a
            || entries > most
            || most > capacity
            || most + 2 < capacity
            || u16_at(bytes, 6) != depth
        {
            self.visitor
                .broken("a header of its extent tree is damaged");
            return Ok(());
        }
        if depth > 0 && entries == 0 {
            self.visitor.broken("an index of its extent tree is empty");
        }
        let mut low = low;
        for position in 0..entries {
            let entry = &bytes[12 + position * 12..][..12];
            let logical = u64::from(u32_at(entry, 0));
            let end = if position + 1 < entries {
                u64::from(u32_at(bytes, 12 + (position + 1) * 12)).min(high)
            } else {
                high
            };
            if depth == 0 {
                low = self.leaf_entry(entry, logical, low, high);
                continue;
            }
            let block = join(u32_at(entry, 4), u32::from(u16_at(entry, 8)));
            if !self.reader.geometry.holds(block, 1) {
                self.visitor.broken("its extent tree names a block outside");
                continue;
            }
            if logical < low || logical >= end {
                self.visitor.broken("its extent tree is out of order");
                continue;
            }
            low = end;
            if !self.visitor.node(block) {
                continue;
            }
            let child = self.reader.block(block)?;
            self.check_checksum(&child);
            if u16_at(&child, 2) > 0 && u64::from(u32_at(&child, 12)) != logical {
                self.visitor
                    .broken("an index of its extent tree does not begin where what it names does");
            }
            self.node(&child, depth - 1, logical, end)?;
        }
        Ok(())
    }

    fn leaf_entry(&mut self, entry: &[u8], logical: u64, low: u64, high: u64) -> u64 {
        let stored = u64::from(u16_at(entry, 4));
        let (length, written) = if stored > 1 << 15 {
            (stored - (1 << 15), false)
        } else {
            (stored, true)
        };
        let physical = join(u32_at(entry, 8), u32::from(u16_at(entry, 6)));
        if length == 0 {
            self.visitor.broken("an extent has no length");
            return low;
        }
        if !self.reader.geometry.holds(physical, length) {
            self.visitor.broken("an extent lies outside");
            return low;
        }
        if logical < low || logical < self.next || logical + length > high {
            self.visitor.broken("its extents are out of order");
            return low;
        }
        if self.directory && !written {
            self.visitor
                .broken("a directory has blocks that were never written");
        }
        self.next = logical + length;
        self.visitor.data(Run {
            logical,
            physical,
            length,
            written,
        });
        self.next
    }

    fn check_checksum(&mut self, bytes: &[u8]) {
        let Some(seed) = self.seed else { return };
        let end = 12 + 12 * usize::from(u16_at(bytes, 4));
        let sound = bytes
            .get(..end)
            .is_some_and(|summed| u32_at(bytes, end) == crc32c(seed, summed));
        if !sound {
            self.visitor
                .broken("the checksum of a block of its extent tree is wrong");
        }
    }
}

/// Walks over a block pointer, `depth` levels above data.
fn indirect(
    reader: Reader<'_>,
    block: u64,
    depth: u32,
    logical: u64,
    visitor: &mut dyn Visitor,
) -> Result<(), Error> {
    if block == 0 {
        return Ok(());
    }
    if !reader.geometry.holds(block, 1) {
        visitor.broken("it names a block outside");
        return Ok(());
    }
    if depth == 0 {
        visitor.data(Run {
            logical,
            physical: block,
            length: 1,
            written: true,
        });
        return Ok(());
    }
    if !visitor.node(block) {
        return Ok(());
    }
    let bytes = reader.block(block)?;
    let per_block = bytes.len() as u64 / 4;
    let step = per_block.pow(depth - 1);
    for (position, pointer) in bytes.chunks_exact(4).enumerate() {
        let pointer = u64::from(u32_at(pointer, 0));
        indirect(
            reader,
            pointer,
            depth - 1,
            logical + position as u64 * step,
            visitor,
        )?;
    }
    Ok(())
}
