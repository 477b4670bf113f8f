//! A directory that comes into being whole or not at all.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Fills a new directory beside `target` and renames it there.
///
/// The target must not exist, or be an empty directory: rename(2) replaces that and nothing
/// else. After an error nothing is left behind. Nothing is synced: a tree is for looking at,
/// and its files would have to be waited for one by one.
pub(crate) fn create(target: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let unfinished = Unfinished {
        path: create_beside(parent)?,
    };
    fill(&unfinished.path)?;
    fs::rename(&unfinished.path, target)
}

/// Writes a file that nobody but its owner reads: documents hold passwords.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(content)
}

/// Removes a directory when dropped; after the rename there is nothing at its path.
struct Unfinished {
    path: PathBuf,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Nobody is left to be told; the error that brought us here is the one that matters.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn create_beside(parent: &Path) -> io::Result<PathBuf> {
    let mut number = 0;
    loop {
        let path = parent.join(format!(".christen-{}-{number}.tmp", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 100 => {
                number += 1;
            }
            Err(error) => return Err(error),
        }
    }
}
