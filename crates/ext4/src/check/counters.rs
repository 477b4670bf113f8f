//! Bitmaps and counters against all that was found.
//!
//! What is a fault is said by e2fsck `pass3.c`, `pass4.c` and `pass5.c`.

use std::collections::BTreeSet;

use christen_vfs::Error;

use super::Audit;
use super::bitmap::SparseBitmap;
use super::bytes::{crc32c, u64_at};
use super::geometry::Group;
use super::inodes::DIRECTORY;

/// The most links that are counted: `EXT4_LINK_MAX`, Linux `fs/ext4/ext4.h`.
const MOST_LINKS: u32 = 65_000;

impl Audit<'_> {
    /// Claims what groups use themselves.
    pub(super) fn claim_groups(&mut self) {
        let geometry = self.reader.geometry;
        let ratio = geometry.ratio;
        for (number, group) in (0..).zip(self.groups) {
            let mut head = geometry.head_blocks(number);
            // With clusters a superblock at 1024 is in the second block of 1 KiB.
            if number == 0 && geometry.block_bytes == 1024 && geometry.first_data_block == 0 {
                head += 1;
            }
            let places = [
                (geometry.group_start(number), head),
                (group.block_bitmap, 1),
                (group.inode_bitmap, 1),
                (group.inode_table, geometry.table_blocks()),
            ];
            for (start, length) in places {
                let length = length.min(geometry.blocks - start);
                if length == 0 {
                    continue;
                }
                let first = start / ratio;
                let clusters = (start + length - 1) / ratio + 1 - first;
                let taken = self.used.set_range(first, clusters);
                // Groups may share clusters, never blocks.
                if let Some(block) = taken.filter(|_| ratio == 1) {
                    let rule = format!("its own block {block} is that of another group, too");
                    self.report.find("group", number, rule);
                }
            }
        }
        if geometry.incompatible & 0x100 != 0 && geometry.holds(geometry.mmp_block, 1) {
            self.used.set(geometry.mmp_block / ratio);
        }
    }

    /// Compares link counts, and follows every directory to the root.
    pub(super) fn check_links(&mut self) {
        let geometry = self.reader.geometry;
        self.report.inodes = self.inodes.len() as u64;
        if !self.inodes.contains_key(&2) {
            self.find_inode(2, "there is no root");
        }
        let inodes: Vec<_> = self
            .inodes
            .iter()
            .map(|(number, seen)| (*number, *seen))
            .collect();
        for (number, seen) in inodes {
            if seen.hidden || seen.value_count.is_some() && self.value_inodes.contains_key(&number)
            {
                continue;
            }
            let orphan = self.orphans.contains(&number);
            if seen.counted == 0 {
                if !(orphan && seen.links == 0) {
                    self.find_inode(number, "it has no name");
                }
                continue;
            }
            let directory = seen.sort == DIRECTORY;
            let many = directory && seen.counted > MOST_LINKS;
            let expected = if many { 1 } else { seen.counted };
            // Directories that once had too many links keep the count 1, with or without the feature's bit.
            let overflowed = directory && seen.links == 1 && seen.indexed;
            if u32::from(seen.links) != expected && !overflowed {
                let rule = format!("it has {} links, and {expected} names", seen.links);
                self.find_inode(number, rule);
            }
            if many && geometry.read_only & 0x20 == 0 {
                self.find_inode(number, "it has more links than the filesystem counts");
            }
            if directory && number != 2 && seen.readable {
                if seen.parent == 0 {
                    self.find_inode(number, "no directory has an entry for it");
                } else if seen.parent != seen.dot_dot {
                    let rule = format!(
                        "`..` names inode {}, and its entry is in {}",
                        seen.dot_dot, seen.parent
                    );
                    self.find_inode(number, rule);
                }
            }
            if number == 2 && seen.dot_dot != 2 {
                self.find_inode(2, "`..` of the root does not name the root");
            }
        }
        self.check_connected();
    }

    /// Finds directories that are in one another and not under the root.
    fn check_connected(&mut self) {
        let mut connected: BTreeSet<u32> = BTreeSet::from([2]);
        let directories: Vec<u32> = self
            .inodes
            .iter()
            .filter(|(_, seen)| seen.sort == DIRECTORY && seen.parent != 0)
            .map(|(number, _)| *number)
            .collect();
        for number in directories {
            let mut way = Vec::new();
            let mut on_way = BTreeSet::new();
            let mut at = number;
            let reached = loop {
                if connected.contains(&at) {
                    break true;
                }
                if !on_way.insert(at) {
                    break false;
                }
                way.push(at);
                match self.inodes.get(&at) {
                    Some(seen) if seen.parent != 0 => at = seen.parent,
                    // That it has no name was told already.
                    _ => break true,
                }
            };
            if !reached {
                self.find_inode(number, "it is not under the root");
            }
            connected.extend(way);
        }
    }

    /// Compares the bitmaps of all groups, and the counters.
    pub(super) fn check_bitmaps(&mut self) -> Result<(), Error> {
        let geometry = self.reader.geometry;
        let never_written = self.unwritten_bitmaps();
        let (mut free_blocks, mut free_inodes) = (0, 0);
        for (number, group) in (0..).zip(self.groups) {
            let clusters = self.check_block_bitmap(number, group, &never_written)?;
            let (inodes, directories) = self.check_inode_bitmap(number, group)?;
            let counters = [
                ("free blocks", u64::from(group.free_blocks), clusters),
                ("free inodes", u64::from(group.free_inodes), inodes),
                ("directories", u64::from(group.directories), directories),
            ];
            for (what, stated, found) in counters {
                if stated != found {
                    let rule = format!("it states {stated} {what}, and there are {found}");
                    self.report.find("group", number, rule);
                }
            }
            free_blocks += clusters * geometry.ratio;
            free_inodes += inodes;
        }
        let totals = [
            ("free blocks", geometry.free_blocks, free_blocks),
            ("free inodes", u64::from(geometry.free_inodes), free_inodes),
        ];
        for (what, stated, found) in totals {
            if stated != found {
                let rule = format!("it states {stated} {what}, and there are {found}");
                self.report.find("superblock", 0, rule);
            }
        }
        Ok(())
    }

    /// Returns what is in use according to groups whose bitmap was never written: what these groups use themselves.
    fn unwritten_bitmaps(&self) -> SparseBitmap {
        let geometry = self.reader.geometry;
        let mut used = SparseBitmap::default();
        for (number, group) in (0..).zip(self.groups) {
            if !group.has_no_block_bitmap() {
                continue;
            }
            let places = [
                (geometry.group_start(number), geometry.head_blocks(number)),
                (group.block_bitmap, 1),
                (group.inode_bitmap, 1),
                (group.inode_table, geometry.table_blocks()),
            ];
            for (start, length) in places.into_iter().filter(|(_, length)| *length > 0) {
                let first = start / geometry.ratio;
                used.set_range(first, (start + length - 1) / geometry.ratio + 1 - first);
            }
        }
        used
    }

    /// Returns how many clusters of a group are free.
    fn check_block_bitmap(
        &mut self,
        number: u64,
        group: &Group,
        never_written: &SparseBitmap,
    ) -> Result<u64, Error> {
        let geometry = self.reader.geometry;
        let start = geometry.group_start(number);
        let per_group = geometry.blocks_per_group / geometry.ratio;
        let end = (start + geometry.blocks_per_group).min(geometry.blocks);
        let count = (end - start).div_ceil(geometry.ratio);
        let bytes = if group.has_no_block_bitmap() {
            None
        } else {
            Some(self.reader.block(group.block_bitmap)?)
        };
        if let Some(bytes) = &bytes {
            let summed = (per_group / 8) as usize;
            self.check_bitmap_checksum(
                number,
                "block",
                &bytes[..summed],
                group.block_bitmap_checksum,
            );
            self.check_padding(number, "block", bytes, count);
        }
        let mut free = 0;
        let mut wrong = None;
        // Clusters are counted from block 0, and those of a group from its first block.
        let first = start / geometry.ratio;
        for bit in (0..count).step_by(64) {
            let mask = u64::MAX >> (64 - (count - bit).min(64));
            let stated = match &bytes {
                Some(bytes) => u64_at(bytes, (bit / 8) as usize),
                None => never_written.word(first + bit),
            };
            let found = self.used.word(first + bit);
            free += u64::from((!stated & mask).count_ones());
            let difference = (stated ^ found) & mask;
            if difference != 0 && wrong.is_none() {
                let place = u64::from(difference.trailing_zeros());
                let cluster = first + bit + place;
                wrong = Some((cluster * geometry.ratio, found >> place & 1 == 1));
            }
        }
        if let Some((block, found)) = wrong {
            let rule = if found {
                format!("block {block} is in use and its bitmap says that it is free")
            } else {
                format!("block {block} is free and its bitmap says that it is in use")
            };
            self.report.find("group", number, rule);
        }
        Ok(free)
    }

    /// Returns how many inodes of a group are free, and how many in use are directories.
    fn check_inode_bitmap(&mut self, number: u64, group: &Group) -> Result<(u64, u64), Error> {
        let geometry = self.reader.geometry;
        let count = u64::from(geometry.inodes_per_group);
        let bytes = if group.has_no_inodes() {
            vec![0; geometry.block_bytes]
        } else {
            let bytes = self.reader.block(group.inode_bitmap)?;
            let summed = (count / 8) as usize;
            self.check_bitmap_checksum(
                number,
                "inode",
                &bytes[..summed],
                group.inode_bitmap_checksum,
            );
            self.check_padding(number, "inode", &bytes, count);
            bytes
        };
        let first = number as u32 * geometry.inodes_per_group + 1;
        let last = first + (geometry.inodes_per_group - 1);
        let mut in_use = self.inodes.range(first..=last).peekable();
        let (mut free, mut directories, mut wrong) = (0, 0, None);
        for bit in 0..count {
            let inode = first + bit as u32;
            let seen = in_use.next_if(|(number, _)| **number == inode);
            directories += u64::from(seen.is_some_and(|(_, seen)| seen.sort == DIRECTORY));
            let found = seen.is_some() || inode < geometry.first_inode;
            let stated = bit_of(&bytes, bit);
            if !stated {
                free += 1;
            }
            if stated != found && wrong.is_none() {
                wrong = Some((inode, found));
            }
        }
        if let Some((inode, found)) = wrong {
            let rule = if found {
                format!("inode {inode} is in use and its bitmap says that it is free")
            } else {
                format!("inode {inode} is free and its bitmap says that it is in use")
            };
            self.report.find("group", number, rule);
        }
        Ok((free, directories))
    }

    fn check_bitmap_checksum(&mut self, number: u64, what: &str, bytes: &[u8], stated: u32) {
        let geometry = self.reader.geometry;
        let Some(seed) = geometry.seed else { return };
        let mask = if geometry.is_wide() { u32::MAX } else { 0xffff };
        if crc32c(seed, bytes) & mask != stated {
            let rule = format!("the checksum of its {what} bitmap is wrong");
            self.report.find("group", number, rule);
        }
    }

    /// What lies behind the last bit of a bitmap is set.
    fn check_padding(&mut self, number: u64, what: &str, bytes: &[u8], count: u64) {
        let bits = bytes.len() as u64 * 8;
        let ragged = count.next_multiple_of(8).min(bits);
        let sound = (count..ragged).all(|bit| bit_of(bytes, bit))
            && bytes[(ragged / 8) as usize..]
                .iter()
                .all(|byte| *byte == 0xff);
        if !sound {
            let rule = format!("its {what} bitmap is not filled behind its end");
            self.report.find("group", number, rule);
        }
    }
}

fn bit_of(bytes: &[u8], bit: u64) -> bool {
    bytes[(bit / 8) as usize] >> (bit % 8) & 1 == 1
}
