//! The staged overlay: what an image would be, while the image is as it was.
//!
//! It lies below the image format, over one host file or several (a qcow2 image and its data file). An image format gets a
//! [`Storage`] for each, writes its clusters and tables there, and nothing reaches the host until [`Overlay::commit`]. Memory is
//! bounded: written pages beyond a few mebibytes, and every large write, go to the redo file in the making, which is what
//! the commit needs them in anyway.

mod changed;
mod extent;
mod page;
mod spool;
mod staged;

use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use changed::Change;
pub(crate) use extent::ExtentMap;
pub(crate) use spool::{Spool, reserve};
pub(crate) use staged::{Beyond, StagedFile};

use crate::commit::{Mark, RedoPlace};
use crate::error::{Error, Result};
use crate::host::{HostFile, NewFile};
use crate::storage::Storage;

/// A host file to be laid under an overlay.
#[derive(Debug, Clone)]
pub struct OverlayFile {
    /// The file, open for writing if the overlay is to be committed.
    pub file: Arc<dyn HostFile>,
    /// How it is marked while a commit is under way.
    pub mark: Mark,
    /// Where a recovery finds it; none for the first file, which the redo file is found by.
    pub path: Option<PathBuf>,
}

/// The staged changes of all host files of one image.
#[derive(Debug)]
pub struct Overlay {
    pub(crate) files: Vec<Member>,
    pub(crate) spool: Option<Arc<Spool>>,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) staged: Arc<StagedFile>,
    pub(crate) mark: Mark,
    pub(crate) path: Option<PathBuf>,
}

/// What a commit would change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The files that change, in the order in which they were given.
    pub files: Vec<FileChanges>,
}

/// What a commit would change in one host file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChanges {
    /// Which file of the overlay it is.
    pub index: usize,
    /// Its length in bytes, before and after.
    pub length: (u64, u64),
    /// How many bytes differ, counted in whole sectors of 512 bytes.
    pub bytes: u64,
    /// Where: offset and length in bytes, ascending. The first 100,000 of them.
    pub ranges: Vec<(u64, u64)>,
    /// How many ranges there are.
    pub range_count: u64,
}

/// A list longer than this helps nobody, and must not cost memory without bound.
const MAX_LISTED: usize = 100_000;

impl Overlay {
    /// Lays an overlay that can be read only.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; nothing is written, now or later.
    pub fn read_only(files: Vec<OverlayFile>) -> Result<Self> {
        Self::new(files, &Beyond::ReadOnly, None)
    }

    /// Lays an overlay whose commit writes a redo file at `place` and then changes the files.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; nothing was written.
    pub fn staged(files: Vec<OverlayFile>, place: RedoPlace) -> Result<Self> {
        let owner = files.first().map(|first| first.file.identity().owner);
        let spool = Arc::new(Spool::new(place, owner));
        Self::new(files, &Beyond::Spool(Arc::clone(&spool)), Some(spool))
    }

    /// Lays an overlay over `base` whose large writes go to where they belong in a new file, which is to become a changed copy of it.
    pub(crate) fn copy(base: Arc<dyn HostFile>, new: Arc<dyn NewFile>) -> Result<Self> {
        let file = OverlayFile {
            file: base,
            mark: Mark::None,
            path: None,
        };
        Self::new(vec![file], &Beyond::InPlace(new), None)
    }

    fn new(files: Vec<OverlayFile>, beyond: &Beyond, spool: Option<Arc<Spool>>) -> Result<Self> {
        let members = files.into_iter().map(|file| {
            Ok(Member {
                staged: Arc::new(StagedFile::new(file.file, beyond.clone())?),
                mark: file.mark,
                path: file.path,
            })
        });
        let files = members.collect::<Result<_>>()?;
        Ok(Self { files, spool })
    }

    /// Returns the bytes of a file as staged; `None` if there are not so many files.
    pub fn storage(&self, index: usize) -> Option<Arc<dyn Storage>> {
        let staged = Arc::clone(&self.files.get(index)?.staged);
        Some(staged)
    }

    /// Sees to it that large writes of so many bytes in all find room.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`]; nothing was written.
    pub fn reserve(&self, bytes: u64) -> Result<()> {
        match &self.spool {
            Some(spool) => spool.reserve(bytes),
            None => Ok(()),
        }
    }

    /// Compares what is staged with what the files hold.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; nothing is written.
    pub fn changes(&self) -> Result<Changes> {
        let mut changes = Changes::default();
        for (index, member) in self.files.iter().enumerate() {
            let mut file = FileChanges {
                index,
                length: (member.staged.base_length(), member.staged.length()),
                bytes: 0,
                ranges: Vec::new(),
                range_count: 0,
            };
            member.staged.changed(false, &mut |change: &Change<'_>| {
                let length = change.new.len() as u64;
                file.bytes += length;
                match file.ranges.last_mut() {
                    Some((start, before)) if *start + *before == change.offset => *before += length,
                    _ => {
                        file.range_count += 1;
                        if file.ranges.len() < MAX_LISTED {
                            file.ranges.push((change.offset, length));
                        }
                    }
                }
                Ok(())
            })?;
            if file.bytes != 0 || file.length.0 != file.length.1 {
                changes.files.push(file);
            }
        }
        Ok(changes)
    }

    /// Refuses every later write, so that none is lost unnoticed.
    pub(crate) fn seal(&self) {
        for member in &self.files {
            member.staged.seal();
        }
    }
}

impl Changes {
    /// Returns how many bytes differ in all files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Returns how many ranges differ in all files together.
    pub fn ranges(&self) -> u64 {
        self.files.iter().map(|file| file.range_count).sum()
    }
}

/// Turns the host's error while an old range is looked at into ours.
pub(crate) fn reading(error: std::io::Error) -> Error {
    Error::io("read what the image holds")(error)
}
