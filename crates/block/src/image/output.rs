//! A new file that becomes the changed image, and is not there before it is complete.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::copy_file_range;

use crate::commit::{Committed, Progress};
use crate::error::{Error, Result};
use crate::host::{HostDirectory, HostFile, NewFile, OpenDirectory, read_padded};
use crate::overlay::Overlay;

/// What is copied through memory at once, where the kernel cannot copy.
const PIECE: u64 = 1 << 20;

/// The new file in the making.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    directory: OpenDirectory,
    file: Arc<dyn NewFile>,
}

impl Output {
    /// Makes a file without a name in the directory of `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] if the name is in use, [`Error::Io`].
    pub(super) fn create(path: &Path) -> Result<Self> {
        let failed = || Error::io(format!("make `{}`", path.display()));
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: path.into() });
        }
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let directory = OpenDirectory::open(parent).map_err(failed())?;
        let file = directory.create(None).map_err(failed())?;
        Ok(Self {
            path: path.into(),
            directory,
            file,
        })
    }

    pub(super) fn file(&self) -> Arc<dyn NewFile> {
        Arc::clone(&self.file)
    }

    /// Tells whether it will be in the same directory as an image, so that a relative name means the same in both.
    pub(super) fn is_beside(&self, image: &Path) -> bool {
        let directory = |path: &Path| {
            let parent = path.parent().unwrap_or(Path::new(""));
            parent.join(".").canonicalize().ok()
        };
        let here = directory(&self.path);
        here.is_some() && here == directory(image)
    }

    pub(super) fn reserve(&self, bytes: u64) -> Result<()> {
        let available = self
            .file
            .available()
            .map_err(Error::io("ask for the free space"))?;
        if available.is_some_and(|available| available < bytes) {
            return Err(Error::NoSpace {
                place: format!("`{}`", self.path.display()),
                needed: bytes,
                available,
            });
        }
        Ok(())
    }

    /// Completes the new file and gives it its name.
    ///
    /// # Errors
    ///
    /// The new file is then not there, but for a failed sync of the directory, after which it may or may not survive a loss of power.
    pub(super) fn finish(
        self,
        overlay: Overlay,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Committed> {
        let place = format!("`{}`", self.path.display());
        overlay.seal();
        let mut committed = Committed::default();
        for member in &overlay.files {
            let staged = &member.staged;
            staged.write_out()?;
            let (from, limit) = (staged.base(), staged.base_limit());
            let mut at = 0;
            while let Some((start, end)) = from
                .next_data(at)
                .map_err(Error::io("find the data of the image"))?
                .filter(|(start, _)| *start < limit)
            {
                let end = end.min(limit);
                for (start, length) in staged.untouched(start, end - start) {
                    copy(&**from, &*self.file, start, length).map_err(|error| {
                        match error.kind() {
                            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                                Error::NoSpace {
                                    place: place.clone(),
                                    needed: length,
                                    available: self.file.available().ok().flatten(),
                                }
                            }
                            _ => Error::io(format!("copy {length} bytes at {start}"))(error),
                        }
                    })?;
                }
                at = end;
                progress(Progress {
                    done: at,
                    total: limit,
                });
            }
            committed.redo_bytes = crate::Storage::length(&**staged);
            self.file
                .set_length(committed.redo_bytes)
                .map_err(Error::io(format!("set the length of {place}")))?;
            let (bytes, ranges) = staged.written();
            committed.bytes += bytes;
            committed.ranges += ranges;
        }
        self.file
            .sync()
            .map_err(Error::io(format!("sync {place}")))?;
        let name = self.path.file_name().ok_or_else(|| Error::NotAFile {
            path: self.path.clone(),
        })?;
        self.file.link(name).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists {
                path: self.path.clone(),
            },
            _ => Error::io(format!("link {place}"))(error),
        })?;
        self.directory
            .sync()
            .map_err(Error::io(format!("sync the directory of {place}")))?;
        committed.syncs = 2;
        Ok(committed)
    }
}

/// Copies a range to the same offset of another file; the kernel shares blocks where the filesystem can.
fn copy(from: &dyn HostFile, to: &dyn HostFile, start: u64, length: u64) -> io::Result<()> {
    let mut done = 0;
    if let (Some(source), Some(target)) = (from.kernel_file(), to.kernel_file()) {
        while done < length {
            match copy_in_kernel(source, target, start + done, length - done) {
                Ok(0) => break,
                Ok(count) => done += count,
                // Another filesystem, or one that cannot.
                Err(Errno::EXDEV | Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    let mut piece = vec![0; (length - done).min(PIECE) as usize];
    while done < length {
        let piece = &mut piece[..(length - done).min(PIECE) as usize];
        read_padded(from, piece, start + done)?;
        to.write_at(piece, start + done)?;
        done += piece.len() as u64;
    }
    Ok(())
}

fn copy_in_kernel(from: &File, to: &File, start: u64, length: u64) -> nix::Result<u64> {
    let offset = i64::try_from(start).map_err(|_| Errno::EINVAL)?;
    let (mut source, mut target) = (offset, offset);
    // The kernel copies 2 GiB at most at a time.
    let count = length.min(1 << 30) as usize;
    copy_file_range(from, Some(&mut source), to, Some(&mut target), count).map(|count| count as u64)
}
