//! What can go wrong with a disk image.

use std::fmt;
use std::io;

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
    /// Names what is not handled: `qcow2 images encrypted with LUKS`.
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
