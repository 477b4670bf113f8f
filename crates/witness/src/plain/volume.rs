//! The superblock and the block groups (`super.rst`, `group_descr.rst`, `blockgroup.rst`).

use std::sync::Arc;

use super::bytes::Structure;
use crate::Source;
use crate::error::{Error, Result};

/// Where the superblock is, and how long.
const SUPERBLOCK: (u64, usize) = (1024, 1024);

/// `s_feature_incompat`: what changes where things are. Of these the ones that this reader knows.
const KNOWN: u32 = FILETYPE
    | RECOVER
    | META_BG
    | EXTENTS
    | BIT64
    | MMP
    | FLEX_BG
    | EA_INODE
    | CSUM_SEED
    | LARGEDIR
    | INLINE_DATA;
const FILETYPE: u32 = 0x2;
const RECOVER: u32 = 0x4;
const META_BG: u32 = 0x10;
const EXTENTS: u32 = 0x40;
const BIT64: u32 = 0x80;
const MMP: u32 = 0x100;
const FLEX_BG: u32 = 0x200;
const EA_INODE: u32 = 0x400;
const CSUM_SEED: u32 = 0x2000;
const LARGEDIR: u32 = 0x4000;
const INLINE_DATA: u32 = 0x8000;

/// `s_feature_compat`.
const SPARSE_SUPER2: u32 = 0x200;

/// `s_feature_ro_compat`.
const SPARSE_SUPER: u32 = 0x1;
const BIGALLOC: u32 = 0x200;

/// What the superblock says of where things are.
#[derive(Debug)]
pub(super) struct Volume {
    source: Arc<dyn Source>,
    pub(super) block_bytes: usize,
    blocks: u64,
    first_data_block: u32,
    blocks_per_group: u32,
    inodes: u32,
    inodes_per_group: u32,
    pub(super) inode_bytes: usize,
    descriptor_bytes: usize,
    first_meta_group: Option<u32>,
    backups: Backups,
    pub(super) has_file_types: bool,
}

/// Which groups begin with a copy of the superblock.
#[derive(Debug, Clone, Copy)]
enum Backups {
    All,
    Powers,
    Two([u32; 2]),
}

impl Volume {
    pub(super) fn open(source: Arc<dyn Source>) -> Result<Self> {
        let mut bytes = vec![0; SUPERBLOCK.1];
        source
            .read_at(&mut bytes, SUPERBLOCK.0)
            .map_err(Error::Io)?;
        let it = Structure {
            bytes: &bytes,
            name: "superblock",
            number: 0,
        };
        if it.u16(0x38)? != 0xef53 {
            return Err(Error::NoFilesystem);
        }
        let is_dynamic = it.u32(0x4c)? >= 1;
        let features = |offset| if is_dynamic { it.u32(offset) } else { Ok(0) };
        let (compatible, incompatible, read_only) =
            (features(0x5c)?, features(0x60)?, features(0x64)?);
        if incompatible & !KNOWN != 0 {
            return Err(Error::Unsupported("an incompatible feature"));
        }
        if read_only & BIGALLOC != 0 {
            return Err(Error::Unsupported("bigalloc"));
        }
        let log_block_size = it.u32(0x18)?;
        if log_block_size > 6 {
            return Err(it.corrupt("a block has at most 64 KiB"));
        }
        let block_bytes = 1024usize << log_block_size;
        let inode_bytes = if is_dynamic {
            usize::from(it.u16(0x58)?)
        } else {
            128
        };
        if !(128..=block_bytes).contains(&inode_bytes) {
            return Err(it.corrupt("an inode has 128 bytes or more, and at most a block"));
        }
        let is_wide = incompatible & BIT64 != 0;
        let descriptor_bytes = if is_wide {
            usize::from(it.u16(0xfe)?)
        } else {
            32
        };
        if !(32..=block_bytes).contains(&descriptor_bytes) {
            return Err(it.corrupt("a group descriptor has 32 bytes or more, and at most a block"));
        }
        let high = if is_wide { it.u32(0x150)? } else { 0 };
        let volume = Self {
            block_bytes,
            blocks: u64::from(high) << 32 | u64::from(it.u32(0x04)?),
            first_data_block: it.u32(0x14)?,
            blocks_per_group: it.u32(0x20)?,
            inodes: it.u32(0x00)?,
            inodes_per_group: it.u32(0x28)?,
            inode_bytes,
            descriptor_bytes,
            first_meta_group: match incompatible & META_BG {
                0 => None,
                _ => Some(it.u32(0x104)?),
            },
            backups: if compatible & SPARSE_SUPER2 != 0 {
                Backups::Two([it.u32(0x24c)?, it.u32(0x250)?])
            } else if read_only & SPARSE_SUPER != 0 {
                Backups::Powers
            } else {
                Backups::All
            },
            has_file_types: incompatible & FILETYPE != 0,
            source,
        };
        if volume.blocks_per_group == 0 || volume.inodes_per_group == 0 {
            return Err(it.corrupt("a group has blocks and inodes"));
        }
        Ok(volume)
    }

    /// Reads a whole block.
    pub(super) fn block(&self, number: u64) -> Result<Vec<u8>> {
        let mut block = vec![0; self.block_bytes];
        self.bytes(number, 0, &mut block)?;
        Ok(block)
    }

    fn bytes(&self, block: u64, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let corrupt = |rule| Error::Corrupt {
            structure: "block",
            number: block,
            rule,
        };
        if block >= self.blocks {
            return Err(corrupt("it lies behind the end of the filesystem"));
        }
        let start = block
            .checked_mul(self.block_bytes as u64)
            .and_then(|it| it.checked_add(offset))
            .ok_or_else(|| corrupt("it lies behind the end of all bytes"))?;
        self.source.read_at(buffer, start).map_err(Error::Io)
    }

    /// Reads the bytes of an inode.
    pub(super) fn inode_bytes(&self, number: u32) -> Result<Vec<u8>> {
        let corrupt = |rule| Error::Corrupt {
            structure: "inode",
            number: number.into(),
            rule,
        };
        // Inodes are counted from 1 (`inode_table.rst`, "Finding an Inode").
        if number == 0 || number > self.inodes {
            return Err(corrupt("there is no such inode"));
        }
        let (group, index) = (
            (number - 1) / self.inodes_per_group,
            (number - 1) % self.inodes_per_group,
        );
        let table = self.inode_table(group)?;
        let offset = u64::from(index) * self.inode_bytes as u64;
        let block = table
            .checked_add(offset / self.block_bytes as u64)
            .ok_or_else(|| corrupt("it lies behind the end of all bytes"))?;
        let mut bytes = vec![0; self.inode_bytes];
        self.bytes(block, offset % self.block_bytes as u64, &mut bytes)?;
        Ok(bytes)
    }

    /// Returns the first block of a group's inode table.
    fn inode_table(&self, group: u32) -> Result<u64> {
        let per_block = (self.block_bytes / self.descriptor_bytes) as u32;
        let (index, within) = (group / per_block, group % per_block);
        let block = match self.first_meta_group {
            // "Meta Block Groups": the descriptors of a meta group are in its first group.
            Some(first) if index >= first => {
                let leader = u64::from(index) * u64::from(per_block);
                let start =
                    u64::from(self.first_data_block) + leader * u64::from(self.blocks_per_group);
                start + u64::from(self.has_superblock(leader))
            }
            _ => u64::from(self.first_data_block) + 1 + u64::from(index),
        };
        let mut bytes = vec![0; self.descriptor_bytes];
        let offset = u64::from(within) * self.descriptor_bytes as u64;
        self.bytes(block, offset, &mut bytes)?;
        let it = Structure {
            bytes: &bytes,
            name: "group descriptor",
            number: group.into(),
        };
        let high = if self.descriptor_bytes >= 64 {
            it.u32(0x28)?
        } else {
            0
        };
        Ok(u64::from(high) << 32 | u64::from(it.u32(0x08)?))
    }

    /// "Block Group Layout": with sparse_super in groups 0, 1 and the powers of 3, 5 and 7.
    fn has_superblock(&self, group: u64) -> bool {
        let is_power = |base: u64| {
            let mut power = base;
            while power < group {
                power *= base;
            }
            power == group
        };
        match self.backups {
            Backups::All => true,
            Backups::Two(groups) => group == 0 || groups.iter().any(|it| u64::from(*it) == group),
            Backups::Powers => group <= 1 || [3, 5, 7].into_iter().any(is_power),
        }
    }
}
