//! Copying a drive's tree to the host, safely.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::read::{limits, printable};
use crate::{Drive, Entry, EntryKind, Error};

/// Names tried for the temporary directory.
const MAX_ATTEMPTS: u32 = 64;

/// What an extraction did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extracted {
    /// Files that were written.
    pub files: usize,
    /// Directories that were made, without the destination itself.
    pub directories: usize,
    /// Bytes that were written.
    pub bytes: u64,
    /// Paths of symbolic links and special files, which are never made on the host.
    pub left_out: Vec<String>,
}

/// Copies the tree that a guest sees into a new directory.
///
/// Files get mode 0600 and directories 0700, for they may hold secrets; modes and owners
/// of the drive are not applied. Symbolic links and special files are left out and
/// reported, so nothing on the drive can lead a write elsewhere. The tree is written to a
/// temporary directory beside `destination`, which then takes its name: it is there whole
/// or not at all. Its parent must exist.
///
/// # Errors
///
/// [`Error::DestinationExists`] when `destination` is anything but an empty directory;
/// [`Error::UnsafeName`] for a name that two entries share; [`Error::TooLong`] when the
/// files have more than [`MAX_EXTRACTED_BYTES`](limits::MAX_EXTRACTED_BYTES) in all;
/// [`Error::Output`] when the host refuses; otherwise as [`Drive::entries`] and
/// [`Drive::copy_file`]. In all cases the destination is as it was.
pub fn extract(drive: &Drive<'_>, destination: &Path) -> Result<Extracted, Error> {
    let entries = drive.entries(drive.best_view())?;
    check(drive, &entries)?;
    check_destination(destination)?;
    let temporary = Temporary::create(destination)?;
    let mut done = Extracted::default();
    for entry in &entries {
        let path = temporary.path.join(OsStr::from_bytes(&entry.path));
        match entry.kind {
            EntryKind::Directory => {
                let made = DirBuilder::new().mode(0o700).create(&path);
                made.map_err(output("make the directory", &path))?;
                done.directories = done.directories.saturating_add(1);
            }
            EntryKind::File => {
                // The directory is our own and new, so nobody else can have put a link here.
                let mut file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&path)
                    .map_err(output("create", &path))?;
                drive.copy_file(entry, &mut file)?;
                done.files = done.files.saturating_add(1);
                done.bytes = done.bytes.saturating_add(entry.length);
            }
            EntryKind::Symlink { .. } | EntryKind::Special { .. } => {
                done.left_out.push(printable(&entry.path));
            }
        }
    }
    temporary.commit(destination)?;
    Ok(done)
}

/// Looks at everything before anything is written.
fn check(drive: &Drive<'_>, entries: &[Entry]) -> Result<(), Error> {
    let mut total = 0_u64;
    let mut previous: Option<&Entry> = None;
    for entry in entries {
        let refuse = || Error::UnsafeName {
            path: printable(&entry.path),
        };
        // The reader has refused these names; what is written to the host is checked again.
        let safe = entry.path.split(|byte| *byte == b'/').all(|part| {
            !matches!(part, b"" | b"." | b"..") && !part.contains(&0) && part.len() <= 255
        });
        if !safe || previous.is_some_and(|previous| previous.path == entry.path) {
            return Err(refuse());
        }
        previous = Some(entry);
        if entry.is_file() {
            drive.extents(entry)?;
            total = total.saturating_add(entry.length);
        }
        if total > limits::MAX_EXTRACTED_BYTES {
            return Err(Error::TooLong {
                path: printable(&entry.path),
                length: total,
                limit: limits::MAX_EXTRACTED_BYTES,
            });
        }
    }
    Ok(())
}

fn check_destination(destination: &Path) -> Result<(), Error> {
    let refuse = || Error::DestinationExists {
        path: destination.to_owned(),
    };
    match fs::symlink_metadata(destination) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(output("look at", destination)(error)),
        Ok(found) if !found.is_dir() => Err(refuse()),
        Ok(_) => {
            let mut inside = fs::read_dir(destination).map_err(output("list", destination))?;
            inside.next().map_or(Ok(()), |_| Err(refuse()))
        }
    }
}

fn output(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Output { step, path, source }
}

/// A directory that goes away unless it is committed.
struct Temporary {
    path: PathBuf,
    committed: bool,
}

impl Temporary {
    fn create(destination: &Path) -> Result<Self, Error> {
        let name = destination.file_name().ok_or_else(|| {
            output("use", destination)(io::Error::from(io::ErrorKind::InvalidInput))
        })?;
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for attempt in 0..MAX_ATTEMPTS {
            let mut hidden = OsStr::new(".").to_owned();
            hidden.push(name);
            hidden.push(format!(".{}-{attempt}.partial", std::process::id()));
            let path = destination.with_file_name(hidden);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    return Ok(Self {
                        path,
                        committed: false,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(output("make a directory beside", destination)(error)),
            }
        }
        Err(output("make a directory beside", destination)(last))
    }

    /// Gives the directory its name; an empty directory there is replaced, anything else
    /// makes the host refuse.
    fn commit(mut self, destination: &Path) -> Result<(), Error> {
        let synced = File::open(&self.path).and_then(|directory| directory.sync_all());
        synced.map_err(output("sync", &self.path))?;
        fs::rename(&self.path, destination).map_err(output("rename to", destination))?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.committed {
            // The error that led here is the one to tell.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
