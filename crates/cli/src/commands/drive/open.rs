//! Opening a drive that somebody made, and saying what is wrong with it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use christen_configdrive::{Drive, Entry, Error};

use crate::failure::Failure;

/// The most bytes of one document that are taken into memory.
pub(crate) const MAX_DOCUMENT_BYTES: u64 = 64 << 20;

/// Opens a drive image for reading.
pub(crate) fn drive(path: &Path) -> Result<Drive<'static>, Failure> {
    let cannot_open = || Failure::usage(format!("cannot open `{}`", path.display()));
    let because = |error: io::Error| cannot_open().because(&error);
    // Before it is opened: a pipe would be waited for until somebody writes to it.
    let kind = fs::metadata(path).map_err(because)?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        return Err(cannot_open()
            .detail("it is neither a file nor a block device")
            .hint("a drive is read here and there, so a pipe must be saved to a file first"));
    }
    let file = File::open(path).map_err(because)?;
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
