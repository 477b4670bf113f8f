//! What Nova would raise.

use std::fmt;

use super::ItemName;
use crate::Error;

/// The class of a Python exception, by which Nova's callers tell failures apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exception {
    /// A call of libguestfs failed.
    RuntimeError,
    /// Nova's own: no owner was found, or the image could not be mounted.
    NovaException,
    /// The user has no line: Nova builds the text of that error wrongly, so this is what is raised.
    TypeError,
    /// A line has no second cell, or a path no first character.
    IndexError,
    /// A path holds a NUL.
    ValueError,
    /// An account file is not UTF-8.
    UnicodeDecodeError,
    /// A user or group has a number that is no C `int`.
    OverflowError,
    /// The password is mandatory, and the image could not be mounted: the table that Nova looks into then lacks it.
    KeyError,
    /// The image is of a kind that libguestfs is not asked to open.
    UnsupportedImageModel,
    /// The system gave no random bytes.
    OsError,
}

impl Exception {
    /// Returns the name of the class.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RuntimeError => "RuntimeError",
            Self::NovaException => "NovaException",
            Self::TypeError => "TypeError",
            Self::IndexError => "IndexError",
            Self::ValueError => "ValueError",
            Self::UnicodeDecodeError => "UnicodeDecodeError",
            Self::OverflowError => "OverflowError",
            Self::KeyError => "KeyError",
            Self::UnsupportedImageModel => "UnsupportedImageModel",
            Self::OsError => "OSError",
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// An item that could not be injected, and what Nova would raise for it.
///
/// What the item had written until then is staged.
#[derive(Debug, thiserror::Error)]
#[error("cannot inject the item `{item}` (Nova: {exception})")]
pub struct Raised {
    /// Which item.
    pub item: ItemName,
    /// The class of Nova's exception.
    pub exception: Exception,
    /// What went wrong.
    pub source: Error,
}

impl Raised {
    /// Whether what is staged is whole, so that it can be committed as Nova leaves it in the image. If not, the filesystem takes no more
    /// changes, or there was no chance to draw from.
    pub fn leaves_changes(&self) -> bool {
        !ends_all(&self.source)
    }
}

/// Whether nothing can go on: the filesystem takes no more changes, or there is no chance.
fn ends_all(error: &Error) -> bool {
    use christen_vfs::Error as FsError;
    match error {
        Error::File { source, .. } => matches!(
            source,
            FsError::Io(_) | FsError::Corrupt(_) | FsError::Abandoned | FsError::ReadOnly
        ),
        Error::Random { .. } => true,
        _ => false,
    }
}

/// What went wrong with the item at hand.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exception: Exception,
    pub(super) error: Error,
}

impl Failure {
    pub(super) fn new(exception: Exception, error: Error) -> Self {
        Self { exception, error }
    }

    /// Says of which item it is.
    pub(super) fn of(self, item: ItemName) -> Raised {
        Raised {
            item,
            exception: self.exception,
            source: self.error,
        }
    }

    /// Whether nothing can go on, whatever Nova's rules say.
    pub(super) fn ends_all(&self) -> bool {
        ends_all(&self.error)
    }
}

impl From<Error> for Failure {
    /// Whatever libguestfs cannot do is a `RuntimeError` in Python.
    fn from(error: Error) -> Self {
        Self::new(Exception::RuntimeError, error)
    }
}
