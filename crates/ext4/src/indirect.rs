//! Block maps: the twelve direct blocks of a file, and three trees of blocks that are full of block numbers.
//!
//! Linux `Documentation/filesystems/ext4/ifork.rst`, "Direct/Indirect Block Addressing": `i_block[12]` leads to a block of numbers,
//! `i_block[13]` to a block of such blocks, `i_block[14]` to one more level. A zero is a hole. No block has a checksum.

use christen_vfs as vfs;
use zerocopy::FromBytes as _;
use zerocopy::IntoBytes as _;
use zerocopy::byteorder::little_endian::U32;

use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::mapping::{Run, RunKind};
use crate::number::BlockNumber;
use crate::volume::Volume;

/// The blocks that the inode itself names.
const DIRECT: u64 = 12;

/// The way to a block of a file: the slot in the inode, and the slots in the blocks of numbers below, from the top.
#[derive(Debug, Clone, Copy)]
struct Way {
    root: usize,
    slots: [usize; 3],
    levels: usize,
}

/// Returns how many numbers a block holds.
fn per_block(block_bytes: usize) -> u64 {
    (block_bytes / 4) as u64
}

/// Returns how many blocks a file can have.
pub(crate) fn most_blocks(block_bytes: usize) -> u64 {
    let per_block = per_block(block_bytes);
    DIRECT + per_block + per_block.pow(2) + per_block.pow(3)
}

impl Way {
    fn to(at: u64, block_bytes: usize) -> Option<Self> {
        if at < DIRECT {
            return Some(Self {
                root: at as usize,
                slots: [0; 3],
                levels: 0,
            });
        }
        let per_block = per_block(block_bytes);
        let mut left = at - DIRECT;
        for levels in 1..=3_usize {
            let covered = per_block.pow(levels as u32);
            if left < covered {
                let mut slots = [0; 3];
                for slot in slots[..levels].iter_mut().rev() {
                    *slot = (left % per_block) as usize;
                    left /= per_block;
                }
                return Some(Self {
                    root: 11 + levels,
                    slots,
                    levels,
                });
            }
            left -= covered;
        }
        None
    }
}

/// Returns a number of a block of numbers.
fn number(bytes: &[u8], slot: usize) -> u32 {
    bytes
        .get(slot * 4..slot * 4 + 4)
        .and_then(|bytes| U32::read_from_bytes(bytes).ok())
        .map_or(0, U32::get)
}

fn set_number(bytes: &mut [u8], slot: usize, number: u32) {
    if let Some(place) = bytes.get_mut(slot * 4..slot * 4 + 4) {
        place.copy_from_slice(U32::new(number).as_bytes());
    }
}

impl Volume {
    /// Finds out where the content from a block of the file on is.
    pub(crate) fn indirect_lookup(&mut self, inode: &Inode, at: u32) -> Result<Run> {
        let block_bytes = self.block_bytes();
        let Some(way) = Way::to(u64::from(at), block_bytes) else {
            return Ok(Run::hole((1 << 32) - u64::from(at)));
        };
        let per_block = per_block(block_bytes);
        let mut numbers: std::sync::Arc<[u8]> = inode.raw().i_block.as_slice().into();
        let mut slot = way.root;
        let mut count = if way.levels == 0 {
            DIRECT as usize
        } else {
            slot + 1
        };
        for level in 0..way.levels {
            let block = number(&numbers, slot);
            if block == 0 {
                // Everything below is a hole: what the remaining levels cover, less what lies before.
                let covered = per_block.pow((way.levels - level) as u32);
                let before = way.slots[level..way.levels]
                    .iter()
                    .fold(0, |before, slot| before * per_block + *slot as u64);
                return Ok(Run::hole(covered - before));
            }
            numbers = self.read_block(BlockNumber(u64::from(block)))?;
            slot = way.slots[level];
            count = per_block as usize;
        }
        let first = number(&numbers, slot);
        let mut length = 1;
        while slot + length < count {
            let next = number(&numbers, slot + length);
            let follows = if first == 0 {
                next == 0
            } else {
                u64::from(next) == u64::from(first) + length as u64
            };
            if !follows {
                break;
            }
            length += 1;
        }
        if first == 0 {
            return Ok(Run::hole(length as u64));
        }
        if u64::from(first) + length as u64 > self.superblock.blocks() {
            return Err(Error::corrupt(
                "block map of inode",
                u64::from(inode.number.0),
                format!("it leads to block {first}, which is not in the filesystem"),
            ));
        }
        Ok(Run {
            kind: RunKind::Written,
            block: BlockNumber(u64::from(first)),
            length: length as u64,
        })
    }

    /// Puts blocks into the map where there is a hole.
    pub(crate) fn indirect_insert(
        &mut self,
        inode: &mut Inode,
        at: u32,
        block: BlockNumber,
        count: u32,
    ) -> Result<()> {
        let end = block.0 + u64::from(count);
        if end > 1 << 32 {
            return Err(vfs::Error::NoSpace.into());
        }
        for step in 0..count {
            let way = Way::to(u64::from(at) + u64::from(step), self.block_bytes())
                .ok_or(Error::Impossible(vfs::Error::FileTooLarge))?;
            let value = (block.0 + u64::from(step)) as u32;
            if way.levels == 0 {
                set_number(&mut inode.raw_mut().i_block, way.root, value);
                continue;
            }
            let mut table = number(&inode.raw().i_block, way.root);
            if table == 0 {
                table = self.add_table(inode, BlockNumber(end))?;
                set_number(&mut inode.raw_mut().i_block, way.root, table);
            }
            for level in 1..way.levels {
                let slot = way.slots[level - 1];
                let parent = BlockNumber(u64::from(table));
                table = number(&self.read_block(parent)?, slot);
                if table == 0 {
                    table = self.add_table(inode, BlockNumber(end))?;
                    set_number(self.change_block(parent)?, slot, table);
                }
            }
            let place = BlockNumber(u64::from(table));
            self.check_content(place, 1)?;
            set_number(self.change_block(place)?, way.slots[way.levels - 1], value);
        }
        Ok(())
    }

    fn add_table(&mut self, inode: &mut Inode, near: BlockNumber) -> Result<u32> {
        let (block, _) = self.allocate_blocks(near, 1)?;
        let number = u32::try_from(block.0).map_err(|_| Error::Impossible(vfs::Error::NoSpace))?;
        self.create_block(block)?;
        self.charge(inode, 1)?;
        Ok(number)
    }

    /// Frees all blocks of a file from a block on.
    pub(crate) fn indirect_truncate(&mut self, inode: &mut Inode, from: u64) -> Result<()> {
        let mut freed = Freed::default();
        for slot in 0..DIRECT {
            if slot >= from {
                let block = number(&inode.raw().i_block, slot as usize);
                set_number(&mut inode.raw_mut().i_block, slot as usize, 0);
                self.gather(inode, &mut freed, block)?;
            }
        }
        let mut before = DIRECT;
        for levels in 1..=3_u32 {
            let slot = 11 + levels as usize;
            let table = number(&inode.raw().i_block, slot);
            let covered = per_block(self.block_bytes()).pow(levels);
            if table != 0
                && before + covered > from
                && self.truncate_table(
                    inode,
                    &mut freed,
                    table,
                    levels,
                    from.saturating_sub(before),
                )?
            {
                set_number(&mut inode.raw_mut().i_block, slot, 0);
                self.gather(inode, &mut freed, table)?;
            }
            before += covered;
        }
        self.release(inode, &mut freed)
    }

    /// Frees what a block of numbers leads to from a block on, and tells whether nothing is left in it.
    fn truncate_table(
        &mut self,
        inode: &mut Inode,
        freed: &mut Freed,
        table: u32,
        levels: u32,
        from: u64,
    ) -> Result<bool> {
        let place = BlockNumber(u64::from(table));
        let bytes = self.read_block(place)?;
        let covered = per_block(self.block_bytes()).pow(levels - 1);
        let mut cleared = Vec::new();
        for slot in (from / covered) as usize..bytes.len() / 4 {
            let block = number(&bytes, slot);
            if block == 0 {
                continue;
            }
            let within = from.saturating_sub(slot as u64 * covered);
            if levels == 1 || self.truncate_table(inode, freed, block, levels - 1, within)? {
                cleared.push(slot);
                // Blocks are freed as they are seen, so that a map that leads in circles ends at a block that is free already.
                self.gather(inode, freed, block)?;
            }
        }
        let empty = (0..bytes.len() / 4)
            .all(|slot| number(&bytes, slot) == 0 || cleared.binary_search(&slot).is_ok());
        if !empty && !cleared.is_empty() {
            self.check_content(place, 1)?;
            drop(bytes);
            let bytes = self.change_block(place)?;
            for slot in cleared {
                set_number(bytes, slot, 0);
            }
        }
        Ok(empty)
    }

    /// Frees a block together with its neighbours.
    fn gather(&mut self, inode: &mut Inode, freed: &mut Freed, block: u32) -> Result<()> {
        if block == 0 {
            return Ok(());
        }
        let block = u64::from(block);
        if freed.count > 0
            && block == freed.start + u64::from(freed.count)
            && freed.count < u32::MAX / 2
        {
            freed.count += 1;
            return Ok(());
        }
        self.release(inode, freed)?;
        *freed = Freed {
            start: block,
            count: 1,
        };
        Ok(())
    }

    fn release(&mut self, inode: &mut Inode, freed: &mut Freed) -> Result<()> {
        if freed.count > 0 {
            self.free_blocks(BlockNumber(freed.start), freed.count)?;
            self.discharge(inode, freed.count)?;
        }
        freed.count = 0;
        Ok(())
    }
}

/// Blocks that follow one another and are to be freed.
#[derive(Debug, Default)]
struct Freed {
    start: u64,
    count: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways() {
        let way = |at| Way::to(at, 1024).map(|way| (way.root, way.slots, way.levels));
        assert_eq!(way(11), Some((11, [0, 0, 0], 0)));
        assert_eq!(way(12), Some((12, [0, 0, 0], 1)));
        assert_eq!(way(12 + 255), Some((12, [255, 0, 0], 1)));
        assert_eq!(way(12 + 256), Some((13, [0, 0, 0], 2)));
        assert_eq!(way(12 + 256 + 65535), Some((13, [255, 255, 0], 2)));
        assert_eq!(way(12 + 256 + 65536 + 257), Some((14, [0, 1, 1], 3)));
        assert_eq!(way(most_blocks(1024) - 1), Some((14, [255, 255, 255], 3)));
        assert_eq!(way(most_blocks(1024)), None);
    }
}
