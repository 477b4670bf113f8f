//! What can go wrong with an ext2, ext3 or ext4 filesystem.

use std::fmt;

use christen_vfs as vfs;

/// The result of an operation on an ext filesystem.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with an ext2, ext3 or ext4 filesystem.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device failed. A change that was under way may have been staged in part.
    #[error("the device of the filesystem failed")]
    Io(#[from] christen_block::Error),

    /// A structure breaks a rule of the format. A change that was under way may have been staged in part.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),

    /// The filesystem is valid, and uses something that is not handled. Nothing was written.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),

    /// The journal holds transactions that were never written back, and replaying them was not asked for. Nothing was written.
    #[error("the journal holds transactions that were never written back")]
    UncleanJournal,

    /// The superblock says that an error was found while the filesystem was in use. Nothing was written.
    #[error("the superblock says that the filesystem has errors")]
    HasErrors,

    /// A filesystem without a journal was not unmounted. Nothing was written.
    #[error("the filesystem was not unmounted")]
    NotUnmounted,

    /// The multiple mount protection says that somebody uses or checks the filesystem. Nothing was written.
    #[error("the multiple mount protection says that the filesystem is in use")]
    InUse,

    /// What was asked cannot be done. The filesystem is as it was before.
    #[error(transparent)]
    Impossible(#[from] vfs::Error),
}

impl Error {
    /// Makes the error for a structure that breaks a rule.
    pub(crate) fn corrupt(structure: &'static str, place: u64, rule: impl Into<String>) -> Self {
        Self::Corrupt(Corrupt::new(structure, place, rule))
    }

    /// Makes the error for something valid that is not handled.
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(Unsupported { what: what.into() })
    }

    /// Tells whether the filesystem is as it was before the operation that gave this error, once the operation's changes are taken back.
    pub(crate) fn leaves_all_as_it_was(&self) -> bool {
        match self {
            Self::Io(_) | Self::Corrupt(_) => false,
            Self::Impossible(error) => !matches!(error, vfs::Error::Io(_) | vfs::Error::Corrupt(_)),
            _ => true,
        }
    }
}

impl From<Error> for vfs::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Impossible(error) => error,
            Error::Io(error) => Self::Io(Box::new(error)),
            Error::Corrupt(error) => Self::Corrupt(Box::new(error)),
            error => Self::Unsupported(Box::new(error)),
        }
    }
}

/// A rule of the format that a filesystem breaks: the structure, its number, and the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt {
    structure: &'static str,
    place: u64,
    rule: String,
}

impl Corrupt {
    /// Names the structure (`inode`), its own number or that of its block, and the rule.
    pub(crate) fn new(structure: &'static str, place: u64, rule: impl Into<String>) -> Self {
        Self {
            structure,
            place,
            rule: rule.into(),
        }
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            structure,
            place,
            rule,
        } = self;
        write!(formatter, "{structure} {place}: {rule}")
    }
}

impl std::error::Error for Corrupt {}

/// Something valid that is not handled, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    what: String,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} not supported", self.what)
    }
}

impl std::error::Error for Unsupported {}
