//! Opening a drive that somebody made, and saying what is wrong with it.

use std::fs::File;
use std::path::Path;

use christen_configdrive::{Drive, Entry, Error};

use crate::failure::Failure;

/// The most bytes of one document that are taken into memory.
pub(crate) const MAX_DOCUMENT_BYTES: u64 = 64 << 20;

/// Opens a drive image for reading.
pub(crate) fn drive(path: &Path) -> Result<Drive<'static>, Failure> {
    let file = File::open(path).map_err(|error| {
        Failure::usage(format!("cannot open `{}`", path.display())).because(&error)
    })?;
    Drive::open(file).map_err(|error| cannot_read(path, &error))
}

/// Lists the tree that Linux would show.
pub(crate) fn entries(drive: &Drive<'_>, path: &Path) -> Result<Vec<Entry>, Failure> {
    drive
        .entries(drive.best_view())
        .map_err(|error| cannot_read(path, &error))
}

/// A drive that cannot be read is the user's to look into.
pub(crate) fn cannot_read(path: &Path, error: &Error) -> Failure {
    let failure =
        Failure::unchanged(format!("cannot read the drive `{}`", path.display())).because(error);
    match error {
        Error::Corrupt(_) => {
            failure.hint("`christen drive verify` lists all that is wrong with it")
        }
        _ => failure,
    }
}
