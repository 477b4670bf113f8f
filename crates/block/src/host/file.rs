//! Files of the host's kernel.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate, openat};
use nix::sys::stat::Mode;
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{Whence, lseek};

use super::{HostFile, Identity, Kind, Locking, NewFile, OpenDirectory};
use crate::error::{Error, Result};

/// Whether a file is opened to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// For reading; the kernel refuses everything else.
    ReadOnly,
    /// For reading and writing.
    ReadWrite,
}

/// Where a host file is, with all links on the way to it resolved.
#[derive(Debug)]
pub struct Located {
    /// The whole path.
    pub path: PathBuf,
    /// The directory that holds it, open.
    pub directory: Arc<OpenDirectory>,
    /// Its name there.
    pub name: OsString,
}

/// Resolves a path, so that what lies beside a file is looked for beside the file and not beside a link to it.
///
/// # Errors
///
/// [`Error::Io`]; nothing was written.
pub fn locate(path: &Path) -> Result<Located> {
    let failed = || Error::io(format!("open `{}`", path.display()));
    let path = path.canonicalize().map_err(failed())?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::NotAFile { path });
    };
    let directory = Arc::new(OpenDirectory::open(parent).map_err(failed())?);
    let name = name.to_owned();
    Ok(Located {
        path,
        directory,
        name,
    })
}

/// Locates a file by a path without links, below a directory that whoever names the file has no power over.
///
/// # Errors
///
/// The host's: also if a link stands where none stood when the path was resolved.
pub(crate) fn locate_beneath(root: &Path, path: &Path) -> io::Result<Located> {
    let outside = || io::Error::from(io::ErrorKind::InvalidInput);
    let relative = path.strip_prefix(root).map_err(|_| outside())?;
    let name = relative.file_name().ok_or_else(outside)?;
    let mut directory = OpenDirectory::open(root)?;
    for component in relative.parent().into_iter().flat_map(Path::components) {
        match component {
            Component::Normal(name) => directory = directory.open_inner(name)?,
            _ => return Err(outside()),
        }
    }
    Ok(Located {
        path: path.into(),
        directory: Arc::new(directory),
        name: name.into(),
    })
}

/// Opens a located file and locks it.
///
/// # Errors
///
/// [`Error::Io`], [`Error::NotAFile`], and [`Error::InUse`] if somebody's locks forbid it. Nothing was written.
pub fn open(located: &Located, opening: Opening, locking: Locking) -> Result<Arc<OpenFile>> {
    let path = &located.path;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidInput => Error::NotAFile { path: path.clone() },
        _ => Error::io(format!("open `{}`", path.display()))(error),
    };
    let file = OpenFile::open_at(&located.directory, &located.name, opening).map_err(failed)?;
    locking
        .take(&file.file)
        .map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Error::InUse { path: path.clone() },
            _ => Error::io(format!("lock `{}`", path.display()))(error),
        })?;
    Ok(Arc::new(file))
}

/// A file that is open in the kernel.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    identity: Identity,
    birth: Option<Birth>,
}

/// How a new file came to be, and so how it gets its name.
#[derive(Debug)]
pub(super) struct Birth {
    pub(super) directory: OpenDirectory,
    /// The name that stands in where the filesystem has no files without one.
    pub(super) temporary: std::sync::Mutex<Option<OsString>>,
}

impl OpenFile {
    /// Opens a file by its name in a directory, following no link and waiting for nobody at a pipe.
    pub(super) fn open_at(
        directory: &OpenDirectory,
        name: &OsStr,
        opening: Opening,
    ) -> io::Result<Self> {
        let access = match opening {
            Opening::ReadOnly => OFlag::O_RDONLY,
            Opening::ReadWrite => OFlag::O_RDWR,
        };
        let flags = access | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = openat(directory, name, flags, Mode::empty())?;
        Self::new(file.into(), None)
    }

    /// Wraps an open file.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for what is neither regular file nor block device.
    pub(super) fn new(file: File, birth: Option<Birth>) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let kind = if metadata.is_file() {
            Kind::Regular
        } else if metadata.file_type().is_block_device() {
            Kind::BlockDevice
        } else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let (device, inode) = match kind {
            Kind::Regular => (metadata.dev(), metadata.ino()),
            Kind::BlockDevice => (metadata.rdev(), 0),
        };
        let identity = Identity {
            kind,
            device,
            inode,
            owner: metadata.uid(),
            mode: metadata.mode() & 0o7777,
            links: metadata.nlink(),
        };
        Ok(Self {
            file,
            identity,
            birth,
        })
    }
}

impl HostFile for OpenFile {
    fn identity(&self) -> Identity {
        self.identity
    }

    fn length(&self) -> io::Result<u64> {
        match self.identity.kind {
            Kind::Regular => Ok(self.file.metadata()?.len()),
            // `stat` says 0 of a block device. The position belongs to nobody: everything else names its offset.
            Kind::BlockDevice => (&self.file).seek(SeekFrom::End(0)),
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut there = 0;
        while there < buffer.len() {
            match self
                .file
                .read_at(&mut buffer[there..], offset + there as u64)
            {
                Ok(0) => break,
                Ok(count) => there += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(there)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        // The owner and mode of a new file are part of what it says; of an image only content and length are ours.
        if self.birth.is_some() {
            self.file.sync_all()
        } else {
            self.file.sync_data()
        }
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<(u64, u64)>> {
        let length = self.length()?;
        if offset >= length {
            return Ok(None);
        }
        let Ok(from) = i64::try_from(offset) else {
            return Ok(None);
        };
        if self.identity.kind == Kind::BlockDevice {
            return Ok(Some((offset, length)));
        }
        let start = match lseek(&self.file, from, Whence::SeekData) {
            Ok(start) => start,
            Err(Errno::ENXIO) => return Ok(None),
            // A filesystem that does not know holes.
            Err(Errno::EINVAL | Errno::EOPNOTSUPP) => return Ok(Some((offset, length))),
            Err(error) => return Err(error.into()),
        };
        let end = lseek(&self.file, start, Whence::SeekHole)?;
        Ok(Some((start as u64, end as u64)))
    }

    fn reserve(&self, offset: u64, length: u64) -> io::Result<()> {
        if self.identity.kind == Kind::BlockDevice || length == 0 {
            return Ok(());
        }
        let (Ok(offset), Ok(length)) = (i64::try_from(offset), i64::try_from(length)) else {
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        loop {
            return match fallocate(
                &self.file,
                FallocateFlags::FALLOC_FL_KEEP_SIZE,
                offset,
                length,
            ) {
                Err(Errno::EINTR) => continue,
                // Nothing can be promised there; `available` is asked as well.
                Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
    }

    fn allocated(&self) -> io::Result<Option<u64>> {
        if self.identity.kind == Kind::BlockDevice {
            return Ok(None);
        }
        // `st_blocks` counts 512 bytes, whatever the blocks of the filesystem are (stat(2)).
        Ok(self.file.metadata()?.blocks().checked_mul(512))
    }

    fn release(&self, offset: u64, length: u64) -> io::Result<()> {
        let end = offset.saturating_add(length);
        // What holds data, written by whomever, is not ours to take away.
        let is_hole = self
            .next_data(offset)?
            .is_none_or(|(start, _)| start >= end);
        if self.identity.kind == Kind::BlockDevice || length == 0 || !is_hole {
            return Ok(());
        }
        let (Ok(offset), Ok(length)) = (i64::try_from(offset), i64::try_from(length)) else {
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        let how = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        Ok(fallocate(&self.file, how, offset, length)?)
    }

    fn available(&self) -> io::Result<Option<u64>> {
        if self.identity.kind == Kind::BlockDevice {
            return Ok(None);
        }
        let found = fstatvfs(&self.file)?;
        Ok(found.blocks_available().checked_mul(found.fragment_size()))
    }

    fn kernel_file(&self) -> Option<&File> {
        Some(&self.file)
    }
}

impl NewFile for OpenFile {
    fn link(&self, name: &OsStr) -> io::Result<()> {
        match &self.birth {
            Some(birth) => birth.link(&self.file, name),
            None => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }

    fn as_file(self: Arc<Self>) -> Arc<dyn HostFile> {
        self
    }
}
