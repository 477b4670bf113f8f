//! What a filesystem says of itself, without being opened.

use christen_block::BlockDevice;
use zerocopy::FromBytes;

use crate::error::{Error, Result};
use crate::feature::{Feature, Features};
use crate::superblock::{RawSuperblock, SUPERBLOCK_OFFSET, Superblock};

/// What the superblock says. Counters are those of the superblock, which a filesystem in use or with a journal to be replayed keeps
/// elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The features.
    pub features: Features,
    /// The size of a block in bytes.
    pub block_bytes: u32,
    /// The size of an inode in bytes.
    pub inode_bytes: u32,
    /// The blocks of the filesystem.
    pub blocks: u64,
    /// The blocks that are free.
    pub free_blocks: u64,
    /// The blocks that only root may use.
    pub reserved_blocks: u64,
    /// The inodes.
    pub inodes: u32,
    /// The inodes that are free.
    pub free_inodes: u32,
    /// Whether the journal holds transactions that were never written back.
    pub needs_recovery: bool,
    /// Whether it was unmounted, or never mounted. One with a journal counts as unmounted while it is in use.
    pub is_unmounted: bool,
    /// Whether errors were found while it was in use.
    pub has_errors: bool,
    /// Whether files wait for being removed or cut.
    pub has_orphans: bool,
}

impl Summary {
    /// Reads the superblock of a device.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Unsupported`], as opening would say it, and what the device reports.
    pub fn read(device: &dyn BlockDevice) -> Result<Self> {
        let mut bytes = [0; 1024];
        device.read_at(&mut bytes, SUPERBLOCK_OFFSET)?;
        let raw = RawSuperblock::read_from_bytes(&bytes).map_err(|_| {
            Error::corrupt(
                "superblock at byte",
                SUPERBLOCK_OFFSET,
                "it is not of 1024 bytes",
            )
        })?;
        let superblock = Superblock::parse(&raw, device.length())?;
        let features = superblock.features();
        Ok(Self {
            features,
            block_bytes: superblock.block_bytes(),
            inode_bytes: superblock.inode_bytes(),
            blocks: superblock.blocks(),
            free_blocks: superblock.free_blocks(),
            reserved_blocks: superblock.reserved_blocks(),
            inodes: superblock.inodes(),
            free_inodes: superblock.free_inodes(),
            needs_recovery: features.has(Feature::NeedsRecovery),
            is_unmounted: superblock.is_unmounted(),
            has_errors: superblock.has_errors(),
            has_orphans: raw.s_last_orphan.get() != 0 || features.has(Feature::OrphanPresent),
        })
    }
}
