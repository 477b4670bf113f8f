//! What can go wrong with a disk image.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::redo::RedoFault;

/// The result of an operation on a disk image.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a disk image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host refused an operation. Whether anything was written is said by the operation.
    #[error("cannot {action}")]
    Io {
        /// What was tried, as a verb phrase: `read 512 bytes at 1024`.
        action: String,
        /// The host's own error.
        source: io::Error,
    },

    /// A structure of the image breaks a rule of its format. Nothing was written.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),

    /// The image is valid, and uses something that is not handled. Nothing was written.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),

    /// A range lies outside the device. Nothing was read or written.
    #[error("{length} bytes at {offset} are outside a device of {device_bytes} bytes")]
    OutOfRange {
        /// Where the range begins, in bytes.
        offset: u64,
        /// Its length in bytes.
        length: u64,
        /// The length of the device in bytes.
        device_bytes: u64,
    },

    /// The device was opened for reading only. Nothing was written.
    #[error("the device is open for reading only")]
    ReadOnly,

    /// The path names neither a regular file nor a block device. Nothing was written.
    #[error("`{path}` is neither a regular file nor a block device")]
    NotAFile {
        /// The path, links resolved.
        path: PathBuf,
    },

    /// Somebody else has the image open: a running guest, another christen. Nothing was written.
    #[error("`{path}` is in use by another process")]
    InUse {
        /// The path, links resolved.
        path: PathBuf,
    },

    /// A file to be made exists. Nothing was written.
    #[error("`{path}` exists already")]
    Exists {
        /// The path.
        path: PathBuf,
    },

    /// An image is to be changed, and nobody has said what format it has. Nothing was written.
    #[error("`{path}` is to be changed and its format is not stated; it looks like {looks_like}")]
    FormatNotStated {
        /// The path as given.
        path: PathBuf,
        /// What a reader would take it for.
        looks_like: &'static str,
    },

    /// A file named inside an image lies outside the directories that were allowed. It was not opened, nothing was written.
    #[error("`{path}`, which the image names, may not be opened")]
    NotAllowed {
        /// The path, resolved as far as it can be.
        path: PathBuf,
    },

    /// The space for a change is not there. The image is as it was.
    #[error("{needed} bytes are needed in {place}{}", available_text(*.available))]
    NoSpace {
        /// Where, as a message says it: a directory or file in backticks where it is known by a name, else `the image` or the like.
        place: String,
        /// How many bytes are needed.
        needed: u64,
        /// How many there are, where the host can tell.
        available: Option<u64>,
    },

    /// The image has no directory of its own that could hold a redo file, and none was given. Nothing was written.
    #[error("`{path}` is no regular file: a directory for the redo file must be given")]
    NoRedoDirectory {
        /// The path, links resolved.
        path: PathBuf,
    },

    /// A change to the image was cut short and is to be completed before anything is built on the image. Nothing was written.
    #[error("a change to `{path}` was cut short and must be completed first")]
    RecoveryPending {
        /// The path, links resolved.
        path: PathBuf,
    },

    /// A redo file was found and is not used. Neither it nor the image was changed.
    #[error("the redo file `{path}` is not used")]
    Redo {
        /// The redo file.
        path: PathBuf,
        /// Why.
        source: RedoFault,
    },

    /// A commit or a recovery was cut short after it had begun. The image may hold a part of the change; the redo file holds all of it,
    /// and a recovery completes it.
    #[error("the change was begun and not completed; `{redo}` completes it")]
    Interrupted {
        /// The redo file.
        redo: PathBuf,
        /// What stopped it.
        source: Box<Error>,
    },
}

fn available_text(available: Option<u64>) -> String {
    available.map_or_else(String::new, |bytes| format!(", and there are {bytes}"))
}

impl Error {
    /// Tells what was tried when the host refused.
    pub fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}

/// A rule of a format that an image breaks: the structure, where it is, and the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt {
    structure: &'static str,
    place: u64,
    rule: String,
}

impl Corrupt {
    /// Names the structure (`qcow2 L2 table`), the offset in bytes at which it stands, and the rule that it breaks.
    pub fn new(structure: &'static str, place: u64, rule: impl Into<String>) -> Self {
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
        write!(formatter, "{structure} at {place}: {rule}")
    }
}

impl std::error::Error for Corrupt {}

/// Something valid that is not handled, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    what: String,
}

impl Unsupported {
    /// Names what is not handled, up to the verb: `qcow2 images encrypted with LUKS are`.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} not supported", self.what)
    }
}

impl std::error::Error for Unsupported {}
