//! Allocation of blocks.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use christen_vfs as vfs;

use crate::bitmap;
use crate::error::{Error, Result};
use crate::feature::Feature;
use crate::full::FullGroups;
use crate::group_descriptor::{GroupDescriptor, bitmap_checksum};
use crate::number::{BlockNumber, GroupNumber};
use crate::volume::Volume;

/// In how many groups with free blocks a long enough run is looked for before the longest one that was seen is taken.
const GROUPS_TO_TRY: u32 = 32;

/// The most groups of a flexible group whose metadata is looked for in one group; mke2fs makes 16.
const MOST_GROUPS_PER_FLEX: u32 = 256;

/// A run that begins right at the goal is taken if it has so many blocks, even if more are wanted: to go on where the file ends is
/// worth more than length.
const ENOUGH_AT_GOAL: u32 = 16;

/// What has been found out about groups already.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Groups whose block bitmap was verified.
    verified_blocks: HashMap<GroupNumber, ()>,
    /// Groups whose inode bitmap was verified.
    pub(crate) verified_inodes: HashMap<GroupNumber, ()>,
    /// The longest run that the last search came to which did not find one of the length it wanted: until blocks are freed, there is no use in looking
    /// for longer ones again.
    longest: Option<u32>,
    /// The bits of a group's block bitmap that stand for metadata of fixed place.
    metadata: HashMap<GroupNumber, Arc<[Range<u32>]>>,
    /// Groups without free blocks.
    full_of_blocks: FullGroups,
    /// Groups without free inodes.
    full_of_inodes: FullGroups,
    /// Groups whose bitmaps the operation under way has changed: what is known of them is forgotten when it is taken back.
    changed: Vec<GroupNumber>,
    /// How many groups were looked at for something free.
    #[cfg(test)]
    looked_at: u64,
}

/// What is looked for in groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Blocks,
    Inode,
    /// An inode in a group that has room for content too.
    InodeAndBlocks,
}

impl Memory {
    /// Begins an operation.
    pub(crate) fn begin(&mut self) {
        self.changed.clear();
    }

    /// Forgets what may not be so any more when an operation is taken back. That other groups are full stays true, and must stay known: an
    /// image whose superblock promises space that no group has would else be searched anew by every operation.
    pub(crate) fn roll_back(&mut self) {
        let former = std::mem::take(self);
        self.full_of_blocks = former.full_of_blocks;
        self.full_of_inodes = former.full_of_inodes;
        for group in former.changed {
            self.full_of_blocks.remove(group);
            self.full_of_inodes.remove(group);
        }
        #[cfg(test)]
        {
            self.looked_at = former.looked_at;
        }
    }

    /// Says that bits of a group's block bitmap or inode bitmap are changed, and in which direction.
    pub(crate) fn note_change(&mut self, group: GroupNumber, wanted: Wanted, used: bool) {
        if self.changed.last() != Some(&group) {
            self.changed.push(group);
        }
        match wanted {
            _ if used => {}
            Wanted::Blocks => self.full_of_blocks.remove(group),
            Wanted::Inode | Wanted::InodeAndBlocks => self.full_of_inodes.remove(group),
        }
    }

    /// Returns the first group from this one on that may have what is wanted.
    fn next(&self, mut group: u32, wanted: Wanted) -> u32 {
        loop {
            let mut next = group;
            if wanted != Wanted::Blocks {
                next = self.full_of_inodes.behind(next);
            }
            if wanted != Wanted::Inode {
                next = self.full_of_blocks.behind(next);
            }
            if next == group {
                return group;
            }
            group = next;
        }
    }
}

impl Volume {
    /// Returns the first group with what is wanted, by its descriptor, from `group` on and before `end`.
    pub(crate) fn next_group(
        &mut self,
        mut group: u32,
        end: u32,
        wanted: Wanted,
    ) -> Result<Option<(GroupNumber, GroupDescriptor)>> {
        loop {
            group = self.alloc.next(group, wanted);
            if group >= end {
                return Ok(None);
            }
            #[cfg(test)]
            {
                self.alloc.looked_at += 1;
            }
            let number = GroupNumber(group);
            let descriptor = self.group(number)?;
            if descriptor.free_blocks == 0 {
                self.alloc.full_of_blocks.insert(number);
            }
            if descriptor.free_inodes == 0 {
                self.alloc.full_of_inodes.insert(number);
            }
            if self.alloc.next(group, wanted) == group {
                return Ok(Some((number, descriptor)));
            }
        }
    }

    /// Allocates up to `wanted` blocks that follow one another, as near to `goal` as there are, and returns the first and how many.
    ///
    /// # Errors
    ///
    /// `vfs::Error::NoSpace`.
    pub(crate) fn allocate_blocks(
        &mut self,
        goal: BlockNumber,
        wanted: u32,
    ) -> Result<(BlockNumber, u32)> {
        let wanted = wanted.clamp(1, self.superblock.blocks_per_group());
        if self.superblock.free_blocks() == 0 {
            return Err(vfs::Error::NoSpace.into());
        }
        let (first_group, goal_bit) = self
            .superblock
            .group_of_block(goal)
            .unwrap_or((GroupNumber(0), 0));
        let groups = self.superblock.groups();
        // A quarter of a group is long enough anywhere.
        let enough = wanted
            .min(self.superblock.blocks_per_group() / 4)
            .min(self.alloc.longest.unwrap_or(u32::MAX))
            .max(1);
        let mut best: Option<(GroupNumber, Range<u32>)> = None;
        let mut tried = 0;
        let mut parts = [first_group.0..groups, 0..first_group.0].into_iter();
        let mut part = parts.next().unwrap_or_default();
        loop {
            let Some((group, descriptor)) =
                self.next_group(part.start, part.end, Wanted::Blocks)?
            else {
                match parts.next() {
                    Some(next) => part = next,
                    None => break,
                }
                continue;
            };
            part.start = group.0 + 1;
            let bits = self.block_bitmap(group, &descriptor)?;
            let size = self.superblock.group_blocks(group);
            let is_first = group == first_group;
            let start = if is_first { goal_bit } else { 0 };
            if is_first && !bitmap::is_set(&bits, goal_bit) {
                let limit = size.min(goal_bit.saturating_add(wanted));
                let end = bitmap::first(&bits, goal_bit..limit, true).unwrap_or(limit);
                if end - goal_bit >= wanted.min(ENOUGH_AT_GOAL) {
                    best = Some((group, goal_bit..end));
                    break;
                }
            }
            for range in [start..size, 0..start] {
                let Some(run) = bitmap::clear_run(&bits, range, wanted) else {
                    continue;
                };
                if best.as_ref().is_none_or(|(_, best)| best.len() < run.len()) {
                    best = Some((group, run));
                }
                if best
                    .as_ref()
                    .is_some_and(|(_, best)| best.len() >= enough as usize)
                {
                    break;
                }
            }
            tried += 1;
            let found = best.as_ref().map_or(0, |(_, best)| best.len());
            if found >= enough as usize || (found > 0 && tried >= GROUPS_TO_TRY) {
                break;
            }
        }
        let Some((group, run)) = best else {
            return Err(vfs::Error::NoSpace.into());
        };
        let count = run.end - run.start;
        if count < enough && count < wanted.min(ENOUGH_AT_GOAL) {
            self.alloc.longest = Some(count);
        }
        let start = BlockNumber(self.superblock.group_start(group).0 + u64::from(run.start));
        self.mark_blocks(group, run, true)?;
        Ok((start, count))
    }

    /// Frees blocks that follow one another. What was metadata in them is forgotten.
    pub(crate) fn free_blocks(&mut self, start: BlockNumber, count: u32) -> Result<()> {
        self.check_content(start, count)?;
        self.alloc.longest = None;
        let mut at = start.0;
        let end = start.0 + u64::from(count);
        while at < end {
            let (group, bit) =
                self.superblock
                    .group_of_block(BlockNumber(at))
                    .ok_or_else(|| {
                        Error::corrupt("block", at, "it is freed and belongs to no group")
                    })?;
            let here = u64::from(self.superblock.group_blocks(group) - bit).min(end - at) as u32;
            self.mark_blocks(group, bit..bit + here, false)?;
            at += u64::from(here);
        }
        self.forget_blocks(start, count);
        Ok(())
    }

    /// Refuses blocks as content of a file if they are not in the filesystem, or are metadata of fixed place.
    pub(crate) fn check_content(&mut self, start: BlockNumber, count: u32) -> Result<()> {
        let wrong = |rule: &str| {
            Error::corrupt(
                "block",
                start.0,
                format!("{count} blocks from there on are a file's, {rule}"),
            )
        };
        let end = start
            .0
            .checked_add(u64::from(count))
            .ok_or_else(|| wrong("beyond all numbers"))?;
        if end > self.superblock.blocks() || start.0 <= self.superblock.first_block().0 {
            return Err(wrong("and are not in the filesystem"));
        }
        let mut at = start.0;
        while at < end {
            let (group, bit) = self
                .superblock
                .group_of_block(BlockNumber(at))
                .ok_or_else(|| wrong("and belong to no group"))?;
            let here = u64::from(self.superblock.group_blocks(group) - bit).min(end - at) as u32;
            for range in self.metadata_of(group)?.iter() {
                if range.start < bit + here && bit < range.end {
                    return Err(wrong("and metadata of the filesystem"));
                }
            }
            at += u64::from(here).max(1);
        }
        Ok(())
    }

    /// Sets or clears bits of a group's block bitmap, all of which must be the other way before, and corrects the counters.
    fn mark_blocks(&mut self, group: GroupNumber, bits: Range<u32>, used: bool) -> Result<()> {
        let mut descriptor = self.group(group)?;
        let bitmap = self.block_bitmap(group, &descriptor)?;
        if bitmap::first(&bitmap, bits.clone(), used).is_some() {
            return Err(Error::corrupt(
                "block bitmap of group",
                u64::from(group.0),
                format!(
                    "a block from {} to {} is free and used",
                    bits.start, bits.end
                ),
            ));
        }
        let count = bits.end - bits.start;
        let clusters = self.superblock.blocks_per_group();
        let seed = self.superblock.seed();
        let block = if descriptor.blocks_uninitialised {
            let block = self.create_block(descriptor.block_bitmap)?;
            block.copy_from_slice(&bitmap);
            block
        } else {
            // The copy that was looked at would make `change_block` copy once more.
            drop(bitmap);
            self.change_block(descriptor.block_bitmap)?
        };
        bitmap::fill(block, bits, used);
        descriptor.block_bitmap_checksum = bitmap_checksum(seed, block, clusters);
        descriptor.blocks_uninitialised = false;
        let free = self.superblock.free_blocks();
        let (in_group, in_all) = if used {
            (
                descriptor.free_blocks.checked_sub(count),
                free.checked_sub(u64::from(count)),
            )
        } else {
            (
                descriptor.free_blocks.checked_add(count),
                free.checked_add(u64::from(count)),
            )
        };
        let (Some(in_group), Some(in_all)) = (in_group, in_all) else {
            return Err(Error::corrupt(
                "superblock at byte",
                1024,
                "there are fewer free blocks than in one group",
            ));
        };
        descriptor.free_blocks = in_group;
        self.superblock.set_free_blocks(in_all);
        self.alloc.note_change(group, Wanted::Blocks, used);
        self.set_group(group, &descriptor)
    }

    /// Initialises a group's block bitmap if it never was written, as Linux does when an inode of the group is used
    /// (`fs/ext4/ialloc.c`, `__ext4_new_inode`).
    pub(crate) fn initialise_block_bitmap(&mut self, group: GroupNumber) -> Result<()> {
        if self.group(group)?.blocks_uninitialised {
            self.mark_blocks(group, 0..0, true)?;
        }
        Ok(())
    }

    /// Returns a group's block bitmap; of one that never was written, what it would hold.
    fn block_bitmap(
        &mut self,
        group: GroupNumber,
        descriptor: &GroupDescriptor,
    ) -> Result<Arc<[u8]>> {
        let wrong =
            |rule: String| Error::corrupt("block bitmap of group", u64::from(group.0), rule);
        let size = self.superblock.group_blocks(group);
        let bits: Arc<[u8]> = if descriptor.blocks_uninitialised {
            let mut bits = vec![0; self.block_bytes()];
            for range in self.metadata_of(group)?.iter() {
                bitmap::fill(&mut bits, range.clone(), true);
            }
            bitmap::fill(&mut bits, size..self.superblock.block_bytes() * 8, true);
            bits.into()
        } else {
            self.read_block(descriptor.block_bitmap)?
        };
        if self.alloc.verified_blocks.contains_key(&group) {
            return Ok(bits);
        }
        if self.superblock.has(Feature::MetadataCsum) && !descriptor.blocks_uninitialised {
            let computed = bitmap_checksum(
                self.superblock.seed(),
                &bits,
                self.superblock.blocks_per_group(),
            );
            if !GroupDescriptor::same_checksum(
                &self.superblock,
                descriptor.block_bitmap_checksum,
                computed,
            ) {
                return Err(wrong("the checksum is wrong".into()));
            }
        }
        let free = bitmap::count_clear(&bits, size);
        if free != descriptor.free_blocks {
            return Err(wrong(format!(
                "{free} blocks are free and the descriptor says {}",
                descriptor.free_blocks
            )));
        }
        for range in self.metadata_of(group)?.iter() {
            if bitmap::first(&bits, range.clone(), false).is_some() {
                return Err(wrong("a block of metadata is free".into()));
            }
        }
        self.alloc.verified_blocks.insert(group, ());
        Ok(bits)
    }

    /// Returns the bits of a group's block bitmap that stand for metadata of fixed place: superblock, descriptors, bitmaps and inode tables,
    /// with `flex_bg` those of the groups that share their places with this one.
    fn metadata_of(&mut self, group: GroupNumber) -> Result<Arc<[Range<u32>]>> {
        if let Some(ranges) = self.alloc.metadata.get(&group) {
            return Ok(Arc::clone(ranges));
        }
        let size = self.superblock.group_blocks(group);
        let start = self.superblock.group_start(group).0;
        let mut ranges = Vec::new();
        ranges.push(0..self.superblock.base_blocks(group).min(size));
        let mates = if self.superblock.has(Feature::FlexBg) {
            let groups = 1_u32 << self.superblock.raw.s_log_groups_per_flex;
            let first = group.0 / groups * groups;
            first
                ..first
                    .saturating_add(groups.min(MOST_GROUPS_PER_FLEX))
                    .min(self.superblock.groups())
        } else {
            group.0..group.0 + 1
        };
        let table = self.table_blocks();
        for mate in mates {
            let descriptor = self.group(GroupNumber(mate))?;
            for (block, count) in [
                (descriptor.block_bitmap, 1),
                (descriptor.inode_bitmap, 1),
                (descriptor.inode_table, table),
            ] {
                let from = block.0.max(start);
                let to = (block.0 + count).min(start + u64::from(size));
                if from < to {
                    // Both lie in the group, whose size fits.
                    ranges.push((from - start) as u32..(to - start) as u32);
                }
            }
        }
        let ranges: Arc<[Range<u32>]> = ranges.into();
        self.alloc.metadata.insert(group, Arc::clone(&ranges));
        Ok(ranges)
    }
}

#[cfg(test)]
mod tests {
    use christen_block::MemoryDevice;
    use christen_testkit::{TempDir, tools};

    use super::*;
    use crate::number::InodeNumber;
    use crate::options::{Access, Journal, OpenOptions};

    /// An image of 64 groups whose superblock promises free blocks that no group has.
    fn promising() -> Option<Volume> {
        let mke2fs = tools::require("mke2fs")?;
        let directory = TempDir::new();
        let image = directory.join("image");
        let made = std::process::Command::new(mke2fs)
            .args(["-q", "-F", "-b", "1024", "-g", "256", "-t", "ext2"])
            .args(["-O", "^resize_inode"])
            .arg(&image)
            .arg("16M")
            .status()
            .unwrap();
        assert!(made.success());
        let mut bytes = std::fs::read(&image).unwrap();
        for group in 0..64 {
            // `bg_free_blocks_lo` in the descriptors, which begin in block 2.
            bytes[2048 + group * 32 + 0x0c..][..2].fill(0);
        }
        let options = OpenOptions {
            access: Access::Write,
            journal: Journal::Refuse,
            now: vfs::Timestamp::default(),
            generation_seed: 1,
        };
        let volume = Volume::open(Arc::new(MemoryDevice::new(bytes)), &options).unwrap();
        assert_eq!(volume.superblock.groups(), 64);
        Some(volume)
    }

    #[test]
    fn groups_that_are_full_are_looked_at_once() {
        let Some(mut volume) = promising() else {
            return;
        };
        for _ in 0..20 {
            let goal = volume.superblock.group_start(GroupNumber(40));
            let outcome = volume.change(|volume| {
                volume.allocate_inode(InodeNumber::ROOT, false)?;
                volume.allocate_blocks(goal, 1)
            });
            assert!(matches!(
                outcome,
                Err(Error::Impossible(vfs::Error::NoSpace))
            ));
        }
        // All groups for blocks, and one for the inode each time, which is taken back.
        assert!(
            volume.alloc.looked_at < 64 + 2 * 20,
            "{}",
            volume.alloc.looked_at
        );
    }
}
