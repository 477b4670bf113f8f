//! Where a directory is damaged, and how.

use std::fmt;

use christen_vfs::Error;

use super::entry::Broken;

/// A rule that a directory breaks, and where it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damage {
    directory: u32,
    block: Option<u32>,
    broken: Broken,
}

impl Damage {
    /// Names the directory's inode and the block in it.
    pub(super) fn in_block(directory: u32, block: u32, broken: Broken) -> Self {
        Self {
            directory,
            block: Some(block),
            broken,
        }
    }

    /// Names a directory that stands in its inode.
    pub(super) fn in_inode(directory: u32, broken: Broken) -> Self {
        Self {
            directory,
            block: None,
            broken,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "directory inode {}", self.directory)?;
        match self.block {
            Some(block) => write!(formatter, ", block {block}")?,
            None => write!(formatter, ", inline data")?,
        }
        write!(
            formatter,
            ", offset {}: {}",
            self.broken.offset, self.broken.rule
        )
    }
}

impl std::error::Error for Damage {}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Self {
        Self::Corrupt(Box::new(damage))
    }
}
