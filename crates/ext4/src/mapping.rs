//! Which blocks of the disk hold which blocks of a file, whichever way the inode says it.

use christen_vfs as vfs;

use crate::error::{Error, Result};
use crate::extent::{Extent, MOST_BLOCKS};
use crate::feature::Feature;
use crate::indirect;
use crate::inode::{FLAG_EXTENTS, Inode};
use crate::number::BlockNumber;
use crate::volume::Volume;

/// What is known of some blocks of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunKind {
    /// They are not allocated and read as zeros.
    Hole,
    /// They are allocated and read as zeros.
    Unwritten,
    /// They hold content.
    Written,
}

/// Blocks of a file that follow one another, on the disk too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// What they are.
    pub(crate) kind: RunKind,
    /// The first block of the disk; 0 for a hole.
    pub(crate) block: BlockNumber,
    /// How many: at least 1. There may be more of the same behind them.
    pub(crate) length: u64,
}

impl Run {
    pub(crate) fn hole(length: u64) -> Self {
        Self {
            kind: RunKind::Hole,
            block: BlockNumber(0),
            length,
        }
    }
}

impl Volume {
    /// Finds out where the content from a block of the file on is.
    pub(crate) fn lookup_run(&mut self, inode: &Inode, at: u32) -> Result<Run> {
        if inode.has_flag(FLAG_EXTENTS) {
            self.extent_lookup(inode, at)
        } else {
            self.indirect_lookup(inode, at)
        }
    }

    /// Allocates blocks for a hole of a file that has `length` blocks at least, and puts the first of them into the file: as many as follow
    /// one another near to what comes before. What they hold is not written.
    pub(crate) fn fill_hole(&mut self, inode: &mut Inode, at: u32, length: u64) -> Result<Run> {
        let goal = self.goal(inode, at)?;
        let wanted = length.min(u64::from(MOST_BLOCKS)) as u32;
        let (block, count) = self.allocate_blocks(goal, wanted)?;
        self.charge(inode, count)?;
        if inode.has_flag(FLAG_EXTENTS) {
            let extent = Extent {
                start: at,
                length: count,
                block,
                unwritten: false,
            };
            self.extent_insert(inode, extent)?;
        } else {
            self.indirect_insert(inode, at, block, count)?;
        }
        Ok(Run {
            kind: RunKind::Written,
            block,
            length: u64::from(count),
        })
    }

    /// Makes blocks that are allocated and read as zeros such that hold content. What they hold is not written.
    pub(crate) fn mark_written(
        &mut self,
        inode: &mut Inode,
        at: u32,
        run: Run,
        length: u64,
    ) -> Result<()> {
        self.extent_remove(inode, u64::from(at), u64::from(at) + length, false)?;
        let mut done = 0;
        while done < length {
            let count = (length - done).min(u64::from(MOST_BLOCKS));
            let extent = Extent {
                // `at` and `length` are of one extent, which ends below 2^32.
                start: at + done as u32,
                length: count as u32,
                block: BlockNumber(run.block.0 + done),
                unwritten: false,
            };
            self.extent_insert(inode, extent)?;
            done += count;
        }
        Ok(())
    }

    /// Frees all blocks of a file from a block on.
    pub(crate) fn free_from(&mut self, inode: &mut Inode, from: u64) -> Result<()> {
        if inode.has_flag(FLAG_EXTENTS) {
            self.extent_remove(inode, from, 1 << 32, true)
        } else {
            self.indirect_truncate(inode, from)
        }
    }

    /// Returns where a block of a file would best be: behind the one before it, or else in the group of the inode
    /// (`fs/ext4/extents.c`, `ext4_ext_find_goal`).
    fn goal(&mut self, inode: &Inode, at: u32) -> Result<BlockNumber> {
        if let Some(before) = at.checked_sub(1) {
            let run = self.lookup_run(inode, before)?;
            if run.kind != RunKind::Hole {
                return Ok(BlockNumber(run.block.0 + 1));
            }
        }
        Ok(self
            .superblock
            .group_of_inode(inode.number)
            .map_or(BlockNumber(0), |(group, _)| {
                self.superblock.group_start(group)
            }))
    }

    /// Counts blocks to what is allocated to an inode.
    pub(crate) fn charge(&mut self, inode: &mut Inode, blocks: u32) -> Result<()> {
        let sectors = u64::from(blocks) * u64::from(self.superblock.block_bytes() / 512);
        let sum = inode.sectors(&self.superblock) + sectors;
        if inode.set_sectors(&self.superblock, sum) {
            Ok(())
        } else {
            Err(vfs::Error::FileTooLarge.into())
        }
    }

    /// Counts blocks off what is allocated to an inode.
    pub(crate) fn discharge(&mut self, inode: &mut Inode, blocks: u32) -> Result<()> {
        let sectors = u64::from(blocks) * u64::from(self.superblock.block_bytes() / 512);
        let rest = inode
            .sectors(&self.superblock)
            .checked_sub(sectors)
            .ok_or_else(|| {
                Error::corrupt(
                    "inode",
                    u64::from(inode.number.0),
                    "more blocks are its own than `i_blocks` counts",
                )
            })?;
        inode.set_sectors(&self.superblock, rest);
        Ok(())
    }

    /// Returns how long a file can be (`fs/ext4/super.c`, `ext4_max_size` and `ext4_max_bitmap_size`).
    pub(crate) fn most_bytes(&self, extents: bool) -> u64 {
        let block_bytes = u64::from(self.superblock.block_bytes());
        // Without `huge_file` only 2^32 - 1 units of 512 bytes can be counted.
        let countable = if self.superblock.has(Feature::HugeFile) {
            u64::MAX / block_bytes
        } else {
            u64::from(u32::MAX) / (block_bytes / 512)
        };
        let blocks = if extents {
            countable.min(u64::from(u32::MAX))
        } else {
            let per_block = block_bytes / 4;
            let tables = 1 + (1 + per_block) + (1 + per_block + per_block * per_block);
            indirect::most_blocks(self.block_bytes())
                .min(countable.saturating_sub(tables))
                .min(u64::from(u32::MAX))
        };
        blocks.saturating_mul(block_bytes).min(i64::MAX as u64)
    }
}
