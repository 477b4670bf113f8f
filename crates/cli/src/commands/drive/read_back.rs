//! What was written is read again, by the code that reads anyone's drive.

use christen_configdrive::read::ReadAt;
use christen_configdrive::{Content, Drive, Error, Kind, Tree};

/// Why a new drive is not put in its place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadBackError {
    #[error(transparent)]
    Drive(#[from] Error),
    #[error("`{path}` does not read back as it was written: this is a fault of christen")]
    Differs { path: String },
}

/// Reads every file of the tree that Linux shows, and compares it with what was to be written.
pub(crate) fn check(written: impl ReadAt, tree: &Tree) -> Result<(), ReadBackError> {
    let drive = Drive::open(written)?;
    let entries = drive.entries(drive.best_view())?;
    let differs = |path: &str| ReadBackError::Differs {
        path: path.to_owned(),
    };
    if entries.len() != tree.len() {
        return Err(differs("/"));
    }
    for entry in entries.iter().filter(|entry| entry.is_file()) {
        let path = entry.path_text();
        let kind = tree.find(&path).map(|expected| tree.kind(expected));
        let Some(Kind::File(Content::Bytes(expected))) = kind else {
            return Err(differs(&path));
        };
        if drive.read_file(entry, expected.len() as u64)? != *expected {
            return Err(differs(&path));
        }
    }
    Ok(())
}
