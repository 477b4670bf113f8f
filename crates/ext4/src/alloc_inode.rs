//! Allocation of inodes.

use std::sync::Arc;

use christen_vfs as vfs;
use zerocopy::byteorder::little_endian::U32;

use crate::alloc::Wanted;
use crate::bitmap;
use crate::error::{Error, Result};
use crate::feature::Feature;
use crate::group_descriptor::{GroupDescriptor, bitmap_checksum};
use crate::inode::Inode;
use crate::number::{BlockNumber, GroupNumber, InodeNumber};
use crate::volume::Volume;

impl Volume {
    /// Allocates an inode near its parent. It has a number and a generation and nothing else, and is not written yet.
    ///
    /// As Linux for files (`fs/ext4/ialloc.c`, `find_group_other`): the parent's group if it has room for inode and content, otherwise the next that
    /// has; directories are not spread over the disk (`find_group_orlov`), because what is put into an image belongs together.
    ///
    /// # Errors
    ///
    /// `vfs::Error::NoInodes`.
    pub(crate) fn allocate_inode(&mut self, parent: InodeNumber, directory: bool) -> Result<Inode> {
        if self.superblock.free_inodes() == 0 {
            return Err(vfs::Error::NoInodes.into());
        }
        let first = self
            .superblock
            .group_of_inode(parent)
            .map_or(0, |(group, _)| group.0);
        let groups = self.superblock.groups();
        for wanted in [Wanted::InodeAndBlocks, Wanted::Inode] {
            for part in [first..groups, 0..first] {
                let mut next = part.start;
                while let Some((group, descriptor)) = self.next_group(next, part.end, wanted)? {
                    next = group.0 + 1;
                    let bits = self.inode_bitmap(group, &descriptor)?;
                    // The reserved inodes are never free, whatever the bitmap says.
                    let from = if group.0 == 0 {
                        self.superblock.first_inode().0 - 1
                    } else {
                        0
                    };
                    if let Some(index) =
                        bitmap::first(&bits, from..self.superblock.inodes_per_group(), false)
                    {
                        drop(bits);
                        return self.take_inode(group, index, directory);
                    }
                }
            }
        }
        Err(vfs::Error::NoInodes.into())
    }

    fn take_inode(&mut self, group: GroupNumber, index: u32, directory: bool) -> Result<Inode> {
        let per_group = self.superblock.inodes_per_group();
        if self.superblock.features().has_group_checksums() {
            self.initialise_block_bitmap(group)?;
        }
        let mut descriptor = self.group(group)?;
        self.write_inode_bit(group, &mut descriptor, index, true)?;
        descriptor.used_directories = descriptor
            .used_directories
            .saturating_add(u32::from(directory));
        if self.superblock.features().has_group_checksums() {
            let used = per_group - descriptor.unused_inodes.min(per_group);
            if index >= used {
                if !descriptor.inodes_zeroed {
                    // What is counted as used from now on must not be what the disk happens to hold.
                    self.clear_inodes(&descriptor, used, index + 1)?;
                }
                descriptor.unused_inodes = per_group - (index + 1);
            }
        }
        self.set_group(group, &descriptor)?;
        let number = InodeNumber(group.0 * per_group + index + 1);
        if self.quotas.are_counted() {
            // What a deleted inode was counts no more.
            self.clear_inodes(&descriptor, index, index + 1)?;
        }
        let generation = self.next_generation();
        Ok(Inode::new(&self.superblock, number, generation))
    }

    /// Frees an inode, whose content is freed already, and stamps it as deleted.
    pub(crate) fn free_inode(&mut self, inode: &mut Inode) -> Result<()> {
        let number = u64::from(inode.number.0);
        if inode.number < self.superblock.first_inode() {
            return Err(Error::corrupt(
                "inode",
                number,
                "it is reserved and has lost its last name",
            ));
        }
        let (group, index) = self
            .superblock
            .group_of_inode(inode.number)
            .ok_or_else(|| Error::corrupt("inode", number, "there is no such inode"))?;
        let directory = inode.is_directory();
        inode.set_links(0);
        inode.set_size(0);
        // A time below the number of inodes would be taken for an entry of the orphan list (`e2fsck/pass1.c`).
        let deleted =
            (self.now.seconds.clamp(0, i64::from(u32::MAX)) as u32).max(self.superblock.inodes());
        inode.raw_mut().i_dtime = U32::new(deleted);
        self.write_inode(inode)?;
        self.account_freed(inode);
        let mut descriptor = self.group(group)?;
        self.write_inode_bit(group, &mut descriptor, index, false)?;
        if directory {
            descriptor.used_directories =
                descriptor.used_directories.checked_sub(1).ok_or_else(|| {
                    Error::corrupt(
                        "group descriptor",
                        u64::from(group.0),
                        "it counts no directory",
                    )
                })?;
        }
        self.set_group(group, &descriptor)
    }

    /// Sets or clears an inode's bit, which must be the other way before, and corrects the counters; the descriptor is not written yet.
    fn write_inode_bit(
        &mut self,
        group: GroupNumber,
        descriptor: &mut GroupDescriptor,
        index: u32,
        used: bool,
    ) -> Result<()> {
        let bits = self.inode_bitmap(group, descriptor)?;
        if bitmap::is_set(&bits, index) == used {
            return Err(Error::corrupt(
                "inode bitmap of group",
                u64::from(group.0),
                format!("inode {index} of the group is free and used"),
            ));
        }
        let per_group = self.superblock.inodes_per_group();
        let seed = self.superblock.seed();
        let block = if descriptor.inodes_uninitialised {
            let block = self.create_block(descriptor.inode_bitmap)?;
            block.copy_from_slice(&bits);
            block
        } else {
            drop(bits);
            self.change_block(descriptor.inode_bitmap)?
        };
        bitmap::fill(block, index..index + 1, used);
        descriptor.inode_bitmap_checksum = bitmap_checksum(seed, block, per_group);
        descriptor.inodes_uninitialised = false;
        let free = self.superblock.free_inodes();
        let (in_group, in_all) = if used {
            (descriptor.free_inodes.checked_sub(1), free.checked_sub(1))
        } else {
            (descriptor.free_inodes.checked_add(1), free.checked_add(1))
        };
        let (Some(in_group), Some(in_all)) = (in_group, in_all) else {
            return Err(Error::corrupt(
                "superblock at byte",
                1024,
                "there are fewer free inodes than in one group",
            ));
        };
        descriptor.free_inodes = in_group;
        self.superblock.set_free_inodes(in_all);
        self.alloc.note_change(group, Wanted::Inode, used);
        Ok(())
    }

    /// Tells whether an inode is allocated.
    pub(crate) fn is_inode_used(&mut self, number: InodeNumber) -> Result<bool> {
        let Some((group, index)) = self.superblock.group_of_inode(number) else {
            return Ok(false);
        };
        let descriptor = self.group(group)?;
        Ok(bitmap::is_set(
            &self.inode_bitmap(group, &descriptor)?,
            index,
        ))
    }

    /// Returns a group's inode bitmap; of one that never was written, what it would hold.
    fn inode_bitmap(
        &mut self,
        group: GroupNumber,
        descriptor: &GroupDescriptor,
    ) -> Result<Arc<[u8]>> {
        let wrong =
            |rule: String| Error::corrupt("inode bitmap of group", u64::from(group.0), rule);
        let per_group = self.superblock.inodes_per_group();
        let bits: Arc<[u8]> = if descriptor.inodes_uninitialised {
            let mut bits = vec![0; self.block_bytes()];
            bitmap::fill(
                &mut bits,
                per_group..self.superblock.block_bytes() * 8,
                true,
            );
            bits.into()
        } else {
            self.read_block(descriptor.inode_bitmap)?
        };
        if self.alloc.verified_inodes.contains_key(&group) {
            return Ok(bits);
        }
        if self.superblock.has(Feature::MetadataCsum) && !descriptor.inodes_uninitialised {
            let computed = bitmap_checksum(self.superblock.seed(), &bits, per_group);
            if !GroupDescriptor::same_checksum(
                &self.superblock,
                descriptor.inode_bitmap_checksum,
                computed,
            ) {
                return Err(wrong("the checksum is wrong".into()));
            }
        }
        let free = bitmap::count_clear(&bits, per_group);
        if free != descriptor.free_inodes {
            return Err(wrong(format!(
                "{free} inodes are free and the descriptor says {}",
                descriptor.free_inodes
            )));
        }
        if self.superblock.features().has_group_checksums() {
            let used = per_group - descriptor.unused_inodes.min(per_group);
            if bitmap::first(&bits, used..per_group, true).is_some() {
                return Err(wrong("an inode is used that was never used".into()));
            }
        }
        self.alloc.verified_inodes.insert(group, ());
        Ok(bits)
    }

    /// Writes zeros over inodes of a group.
    fn clear_inodes(&mut self, descriptor: &GroupDescriptor, from: u32, to: u32) -> Result<()> {
        let bytes = self.superblock.inode_bytes();
        let per_block = self.superblock.block_bytes() / bytes;
        let mut index = from;
        while index < to {
            let within = index % per_block;
            let count = (per_block - within).min(to - index);
            let block = BlockNumber(descriptor.inode_table.0 + u64::from(index / per_block));
            let place = (within * bytes) as usize..((within + count) * bytes) as usize;
            self.change_block(block)?[place].fill(0);
            index += count;
        }
        Ok(())
    }

    /// Returns the generation of a new inode: the same for the same changes from the same seed (the SplitMix64 generator).
    fn next_generation(&mut self) -> u32 {
        self.generation = self.generation.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.generation;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 32) as u32
    }
}
