//! How a filesystem is to be opened.

use christen_vfs::Timestamp;

/// Whether the filesystem may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing is written.
    Read,
    /// Changes are taken; what a change needs that is not handled refuses the filesystem at once.
    Write,
}

/// What to do with a journal whose transactions were never written back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// Refuse the filesystem for writing. For reading, what the journal holds is not seen.
    Refuse,
    /// Write them back first, as mounting would; needs [`Access::Write`].
    Replay,
}

/// How to open a filesystem. Nothing has a default: each of these decides on what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenOptions {
    /// Whether it may be changed.
    pub access: Access,
    /// What to do with a journal that needs recovery.
    pub journal: Journal,
    /// What changes are stamped with.
    pub now: Timestamp,
    /// Where the generation numbers of new inodes begin, so that the same changes give the same bytes.
    pub generation_seed: u64,
}
