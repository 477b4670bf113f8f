//! Allocation of blocks and inodes.

use crate::error::Result;
use crate::inode::Inode;
use crate::number::{BlockNumber, InodeNumber};
use crate::volume::Volume;

/// What the search for free blocks remembers.
#[derive(Debug, Default)]
pub(crate) struct Memory {}

impl Volume {
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
        let _ = (goal, wanted);
        Err(christen_vfs::Error::NoSpace.into())
    }

    /// Frees blocks that follow one another.
    pub(crate) fn free_blocks(&mut self, start: BlockNumber, count: u32) -> Result<()> {
        let _ = (start, count);
        Ok(())
    }

    /// Allocates an inode near its parent. It has a number and a generation and nothing else, and is not written yet.
    ///
    /// # Errors
    ///
    /// `vfs::Error::NoInodes`.
    pub(crate) fn allocate_inode(&mut self, parent: InodeNumber, directory: bool) -> Result<Inode> {
        let _ = (parent, directory);
        Err(christen_vfs::Error::NoInodes.into())
    }

    /// Frees an inode, whose content is freed already, and stamps it as deleted.
    pub(crate) fn free_inode(&mut self, inode: &mut Inode) -> Result<()> {
        let _ = inode;
        Ok(())
    }
}
