//! A filesystem as blocks, groups and inodes: what everything above reads and writes through.

use std::sync::Arc;

use christen_block::BlockDevice;
use christen_vfs::{self as vfs, Timestamp};
use zerocopy::byteorder::little_endian::U32;
use zerocopy::{FromBytes as _, IntoBytes as _};

use crate::cache::BlockCache;
use crate::directory::KnownNames;
use crate::error::{Error, Result};
use crate::group_descriptor::GroupDescriptor;
use crate::inode::Inode;
use crate::number::{BlockNumber, GroupNumber, InodeNumber};
use crate::options::{Access, OpenOptions};
use crate::quota::Quotas;
use crate::superblock::{RawSuperblock, SUPERBLOCK_OFFSET, Superblock};

/// A filesystem as blocks, groups and inodes.
///
/// All metadata is changed in memory with its checksum, so that it may go to the device at any time; [`flush`](Self::flush) sends it all. The
/// changes of an operation are taken back as a whole when it cannot be done.
#[derive(Debug)]
pub(crate) struct Volume {
    device: Arc<dyn BlockDevice>,
    access: Access,
    /// What changes are stamped with.
    pub(crate) now: Timestamp,
    /// What the next new inode's generation is made from.
    pub(crate) generation: u64,
    /// What the filesystem is, and its counters.
    pub(crate) superblock: Superblock,
    former: Option<Superblock>,
    cache: BlockCache,
    changed: bool,
    abandoned: bool,
    /// Where the search for free blocks and inodes begins: see `alloc`.
    pub(crate) alloc: crate::alloc::Memory,
    /// What users, groups and projects have.
    pub(crate) quotas: Quotas,
    /// Where names of the directory without an index that was used last may be.
    pub(crate) known_names: KnownNames,
}

impl Volume {
    /// Reads the superblock and decides whether the filesystem can be used as asked, apart from the journal and orphans.
    pub(crate) fn open(device: Arc<dyn BlockDevice>, options: &OpenOptions) -> Result<Self> {
        let length = device.length();
        if length < SUPERBLOCK_OFFSET + 1024 {
            return Err(Error::corrupt(
                "superblock at byte",
                SUPERBLOCK_OFFSET,
                format!("the device has only {length} bytes"),
            ));
        }
        let mut bytes = [0; 1024];
        device.read_at(&mut bytes, SUPERBLOCK_OFFSET)?;
        let raw = RawSuperblock::read_from_bytes(&bytes).map_err(|_| {
            Error::corrupt(
                "superblock at byte",
                SUPERBLOCK_OFFSET,
                "it is not of 1024 bytes",
            )
        })?;
        let superblock = Superblock::parse(&raw, length)?;
        let cache = BlockCache::new(Arc::clone(&device), superblock.block_bytes() as usize);
        Ok(Self {
            device,
            access: options.access,
            now: options.now,
            generation: options.generation_seed,
            superblock,
            former: None,
            cache,
            changed: false,
            abandoned: false,
            alloc: crate::alloc::Memory::default(),
            quotas: Quotas::default(),
            known_names: KnownNames::default(),
        })
    }

    /// Returns the block size in bytes.
    pub(crate) fn block_bytes(&self) -> usize {
        self.superblock.block_bytes() as usize
    }

    /// Refuses a block that is not one of the filesystem's.
    pub(crate) fn check_block(&self, number: BlockNumber) -> Result<()> {
        // The first block of all holds the superblock, or comes before it: nothing else has its number.
        if number.0 <= self.superblock.first_block().0 || number.0 >= self.superblock.blocks() {
            return Err(Error::corrupt(
                "block",
                number.0,
                format!("the filesystem has {} blocks", self.superblock.blocks()),
            ));
        }
        Ok(())
    }

    /// Returns the content of a block of metadata.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if there is no such block.
    pub(crate) fn read_block(&mut self, number: BlockNumber) -> Result<Arc<[u8]>> {
        self.check_block(number)?;
        self.cache.read(number)
    }

    /// Returns a block of metadata to change. The caller sees to its checksum.
    pub(crate) fn change_block(&mut self, number: BlockNumber) -> Result<&mut [u8]> {
        self.check_block(number)?;
        self.changed = true;
        self.cache.change(number)
    }

    /// Returns a block of zeros that is to be metadata from now on; what the device has there is not read.
    pub(crate) fn create_block(&mut self, number: BlockNumber) -> Result<&mut [u8]> {
        self.check_block(number)?;
        self.changed = true;
        Ok(self.cache.create(number))
    }

    /// Puts a whole block of metadata in place.
    pub(crate) fn write_block(&mut self, number: BlockNumber, bytes: &[u8]) -> Result<()> {
        let block = self.create_block(number)?;
        let length = block.len().min(bytes.len());
        block[..length].copy_from_slice(&bytes[..length]);
        Ok(())
    }

    /// Forgets blocks that hold metadata no more.
    pub(crate) fn forget_blocks(&mut self, start: BlockNumber, count: u32) {
        self.cache.forget_range(start, count);
    }

    /// Reads content of files, which is not kept in memory.
    pub(crate) fn read_data(
        &self,
        number: BlockNumber,
        within: usize,
        buffer: &mut [u8],
    ) -> Result<()> {
        let offset = number.0 * self.block_bytes() as u64 + within as u64;
        Ok(self.device.read_at(buffer, offset)?)
    }

    /// Writes content of files, which is not kept in memory. The blocks must be the file's.
    pub(crate) fn write_data(
        &mut self,
        number: BlockNumber,
        within: usize,
        data: &[u8],
    ) -> Result<()> {
        self.changed = true;
        let offset = number.0 * self.block_bytes() as u64 + within as u64;
        Ok(self.device.write_at(data, offset)?)
    }

    /// Returns a group's descriptor.
    pub(crate) fn group(&mut self, group: GroupNumber) -> Result<GroupDescriptor> {
        let (block, offset) = self.superblock.descriptor_place(group);
        let bytes = self.read_block(block)?;
        let length = self.superblock.descriptor_bytes() as usize;
        let descriptor =
            GroupDescriptor::parse(&self.superblock, group, &bytes[offset..offset + length])
                .ok_or_else(|| {
                    Error::corrupt(
                        "group descriptor",
                        u64::from(group.0),
                        "the checksum is wrong",
                    )
                })?;
        let blocks = self.superblock.blocks();
        let table = self.table_blocks();
        let inside = |block: BlockNumber, length: u64| {
            block.0 > self.superblock.first_block().0
                && block.0.checked_add(length).is_some_and(|end| end <= blocks)
        };
        if !inside(descriptor.block_bitmap, 1)
            || !inside(descriptor.inode_bitmap, 1)
            || !inside(descriptor.inode_table, table)
        {
            return Err(Error::corrupt(
                "group descriptor",
                u64::from(group.0),
                "it names a block that is not in the filesystem",
            ));
        }
        Ok(descriptor)
    }

    /// Puts what has changed of a group's descriptor in place.
    pub(crate) fn set_group(
        &mut self,
        group: GroupNumber,
        descriptor: &GroupDescriptor,
    ) -> Result<()> {
        let (block, offset) = self.superblock.descriptor_place(group);
        let length = self.superblock.descriptor_bytes() as usize;
        self.check_block(block)?;
        self.changed = true;
        let bytes = self.cache.change(block)?;
        descriptor.update(&self.superblock, group, &mut bytes[offset..offset + length]);
        Ok(())
    }

    /// Returns how many blocks the inode table of a group has.
    pub(crate) fn table_blocks(&self) -> u64 {
        let bytes = u64::from(self.superblock.inodes_per_group())
            * u64::from(self.superblock.inode_bytes());
        bytes.div_ceil(u64::from(self.superblock.block_bytes()))
    }

    /// Returns where an inode stands: the block, and the offset in it.
    pub(crate) fn inode_place(&mut self, number: InodeNumber) -> Result<(BlockNumber, usize)> {
        let (group, index) = self.superblock.group_of_inode(number).ok_or_else(|| {
            Error::corrupt(
                "inode",
                u64::from(number.0),
                format!("the filesystem has {} inodes", self.superblock.inodes()),
            )
        })?;
        let table = self.group(group)?.inode_table;
        let per_block = self.superblock.block_bytes() / self.superblock.inode_bytes();
        Ok((
            BlockNumber(table.0 + u64::from(index / per_block)),
            (index % per_block * self.superblock.inode_bytes()) as usize,
        ))
    }

    /// Reads an inode.
    pub(crate) fn read_inode(&mut self, number: InodeNumber) -> Result<Inode> {
        let (block, offset) = self.inode_place(number)?;
        let bytes = self.read_block(block)?;
        let stored = &bytes[offset..offset + self.superblock.inode_bytes() as usize];
        Inode::parse(&self.superblock, number, stored)
            .map_err(|rule| Error::corrupt("inode", u64::from(number.0), rule))
    }

    /// Puts an inode in place, with its checksum.
    pub(crate) fn write_inode(&mut self, inode: &mut Inode) -> Result<()> {
        let (block, offset) = self.inode_place(inode.number)?;
        self.check_block(block)?;
        self.changed = true;
        if self.quotas.are_counted() {
            let bytes = self.cache.read(block)?;
            let stored = &bytes[offset..offset + self.superblock.inode_bytes() as usize];
            let before = Inode::of_bytes(&self.superblock, inode.number, stored);
            self.account(&before, inode);
        }
        let stored = inode.encode(&self.superblock);
        self.cache.change(block)?[offset..offset + stored.len()].copy_from_slice(stored);
        Ok(())
    }

    /// Runs an operation that changes something. If it cannot be done, all is as it was; if the device fails or a structure is found damaged,
    /// nothing more is taken.
    pub(crate) fn change<T>(
        &mut self,
        operation: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        if self.access == Access::Read {
            return Err(vfs::Error::ReadOnly.into());
        }
        if self.abandoned {
            return Err(vfs::Error::Abandoned.into());
        }
        self.cache.begin();
        self.alloc.begin();
        self.former = Some(self.superblock.clone());
        let result = operation(self).and_then(|done| {
            self.write_quotas()?;
            Ok(done)
        });
        match &result {
            Ok(_) => {
                self.former = None;
                if let Err(error) = self.cache.commit() {
                    self.abandoned = true;
                    return Err(error);
                }
            }
            Err(error) => {
                self.cache.roll_back();
                if let Some(former) = self.former.take() {
                    self.superblock = former;
                }
                self.alloc.roll_back();
                self.quotas.forget();
                self.known_names.forget();
                // Metadata is as before even then, but content may have been written over in part.
                self.abandoned |= !error.leaves_all_as_it_was();
            }
        }
        result
    }

    /// Writes all that is still in memory to the device: metadata, and the superblock last.
    ///
    /// Copies of the superblock and of the descriptors in other groups stay as they are: Linux writes them only when the filesystem
    /// is resized or tuned, `e2fsck` brings them up to date, and what they are needed for (sizes, places, features) does not change here.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.abandoned {
            return Err(vfs::Error::Abandoned.into());
        }
        if !self.changed {
            return Ok(());
        }
        let result = self.flush_all();
        self.abandoned |= result.is_err();
        result
    }

    fn flush_all(&mut self) -> Result<()> {
        self.cache.flush()?;
        self.superblock.raw.s_wtime = U32::new(self.now.seconds as u32);
        self.superblock.raw.s_wtime_hi = (self.now.seconds >> 32) as u8;
        let bytes = self.superblock.encode();
        self.device.write_at(bytes.as_bytes(), SUPERBLOCK_OFFSET)?;
        self.device.flush()?;
        self.changed = false;
        Ok(())
    }
}
