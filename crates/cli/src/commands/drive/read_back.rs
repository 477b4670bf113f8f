//! What was written is read again, by the code that reads anyone's drive.

use christen_configdrive::read::ReadAt;
use christen_configdrive::{Drive, Error};
use christen_instance::Document;

/// Why a new drive is not put in its place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadBackError {
    #[error(transparent)]
    Drive(#[from] Error),
    #[error("`{path}` does not read back as it was written: this is a fault of christen")]
    Differs { path: String },
}

/// Reads every document in the tree that Linux shows, and compares bytes.
pub(crate) fn check(written: impl ReadAt, documents: &[Document]) -> Result<(), ReadBackError> {
    let drive = Drive::open(written)?;
    let entries = drive.entries(drive.best_view())?;
    let mut files = entries.iter().filter(|entry| entry.is_file());
    if files.clone().count() != documents.len() {
        return Err(ReadBackError::Differs {
            path: "/".to_owned(),
        });
    }
    let mut by_path: Vec<_> = documents.iter().collect();
    by_path.sort_by(|a, b| a.path.cmp(&b.path));
    files.try_for_each(|entry| {
        let differs = || ReadBackError::Differs {
            path: entry.path_text().into_owned(),
        };
        let index = by_path
            .binary_search_by(|document| document.path.as_bytes().cmp(&entry.path))
            .map_err(|_| differs())?;
        let expected = &by_path[index].content;
        if drive.read_file(entry, expected.len() as u64)? == *expected {
            Ok(())
        } else {
            Err(differs())
        }
    })
}
