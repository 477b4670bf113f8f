//! The driver's errors as ours.

use christen_vfs::Error;
use hadris_io::ErrorKind;

/// The driver's error.
pub(crate) type DriverError = hadris_io::Error<christen_block::Error>;

pub(crate) fn convert(error: DriverError) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::NotFound,
        ErrorKind::AlreadyExists => Error::Exists,
        ErrorKind::NotADirectory => Error::NotDirectory,
        ErrorKind::IsADirectory => Error::NotFile,
        ErrorKind::DirectoryNotEmpty => Error::NotEmpty,
        ErrorKind::NoSpace => Error::NoSpace,
        ErrorKind::ReadOnly => Error::ReadOnly,
        ErrorKind::InvalidInput => Error::InvalidName,
        ErrorKind::NameTooLong => Error::NameTooLong,
        ErrorKind::FileTooLarge => Error::FileTooLarge,
        ErrorKind::Io => Error::Io(Box::new(error)),
        ErrorKind::Unsupported | ErrorKind::NotRecognized | ErrorKind::LimitExceeded => {
            Error::Unsupported(Box::new(error))
        }
        // What is left cannot come of what is asked here: a handle that is not pinned, a file that is open.
        _ => Error::Corrupt(Box::new(error)),
    }
}

/// A volume that is not taken, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) &'static str);
