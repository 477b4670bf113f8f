//! The host's files, as the commit needs them.
//!
//! Everything that the staged overlay, the commit and the recovery do to the host goes through the three traits of this
//! module. The program uses [`OpenFile`] and [`OpenDirectory`]; tests put devices below that record, cut, lose, tear and
//! fail, because an order of writes and syncs is worth what such a device has seen of it.

mod directory;
mod file;
mod lock;

use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::sync::Arc;

pub use directory::OpenDirectory;
pub(crate) use file::locate_beneath;
pub use file::{Located, OpenFile, Opening, locate, open};
pub use lock::Locking;

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file: it has a length that can be changed, and holes.
    Regular,
    /// A block device: its length is what it is.
    BlockDevice,
}

/// What tells a host file from every other, and who may use it; taken from the open file, never from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Regular file or block device.
    pub kind: Kind,
    /// `st_dev` of a regular file, `st_rdev` of a block device: the node in `/dev` may be made anew.
    pub device: u64,
    /// `st_ino` of a regular file, 0 of a block device.
    pub inode: u64,
    /// The owner's user ID.
    pub owner: u32,
    /// The permission bits, `0o7777` at most.
    pub mode: u32,
    /// How many names it has.
    pub links: u64,
}

/// An open file of the host.
///
/// Methods take `&self`; offsets and lengths are in bytes. What is written is durable after [`sync`](Self::sync) and not before.
pub trait HostFile: Debug + Send + Sync {
    /// Returns what was true of the file when it was opened.
    fn identity(&self) -> Identity;

    /// Returns the length now.
    ///
    /// # Errors
    ///
    /// The host's.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on as far as the file goes, and returns how many bytes that were.
    ///
    /// # Errors
    ///
    /// The host's; the content of `buffer` is then unspecified.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `data` at `offset`.
    ///
    /// # Errors
    ///
    /// The host's; any part of it may have been written.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the file as long as this; what is added is zero.
    ///
    /// # Errors
    ///
    /// The host's; the length is then the old one.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Makes content and length durable.
    ///
    /// # Errors
    ///
    /// The host's; what was written since the last sync may be lost or not.
    fn sync(&self) -> io::Result<()>;

    /// Returns the next range at or after `offset` that may hold anything but zeros, as start and end. A file that cannot tell
    /// returns all the rest of itself.
    ///
    /// # Errors
    ///
    /// The host's.
    fn next_data(&self, offset: u64) -> io::Result<Option<(u64, u64)>>;

    /// Sees to it that a write to this range does not fail for want of space, as far as the host can. Content and length stay.
    ///
    /// # Errors
    ///
    /// [`StorageFull`](io::ErrorKind::StorageFull) above all.
    fn reserve(&self, offset: u64, length: u64) -> io::Result<()>;

    /// Returns how many bytes of the host's space the file takes; `None` where that is not known.
    ///
    /// # Errors
    ///
    /// The host's.
    fn allocated(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    /// Gives back what [`reserve`](Self::reserve) took for this range, if nothing was written there since. Content and length stay. Does
    /// nothing unless it is implemented.
    ///
    /// # Errors
    ///
    /// The host's.
    fn release(&self, _offset: u64, _length: u64) -> io::Result<()> {
        Ok(())
    }

    /// Returns how many bytes may still be written to the filesystem that holds the file, where that is known.
    ///
    /// # Errors
    ///
    /// The host's.
    fn available(&self) -> io::Result<Option<u64>>;

    /// Returns the kernel's file, for copies within the kernel.
    fn kernel_file(&self) -> Option<&File> {
        None
    }
}

/// A new file that has no name yet: it is gone when it is dropped before it got one.
pub trait NewFile: HostFile {
    /// Gives it a name in the directory it was made in. It must not be in use.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) above all; the file then has no name.
    fn link(&self, name: &OsStr) -> io::Result<()>;

    /// Returns it as a file.
    fn as_file(self: Arc<Self>) -> Arc<dyn HostFile>;
}

/// A directory of the host.
pub trait HostDirectory: Debug + Send + Sync {
    /// Makes a file without a name, readable by its owner only: `owner` where we may give files away, us otherwise.
    ///
    /// # Errors
    ///
    /// The host's.
    fn create(&self, owner: Option<u32>) -> io::Result<Arc<dyn NewFile>>;

    /// Opens a file for reading by its name. A link is not followed, and nothing is waited for.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound); [`FilesystemLoop`](io::ErrorKind::FilesystemLoop) for a symbolic link;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for what is neither regular file nor block device.
    fn open(&self, name: &OsStr) -> io::Result<Arc<dyn HostFile>>;

    /// Removes a name.
    ///
    /// # Errors
    ///
    /// The host's; the name is then still there.
    fn unlink(&self, name: &OsStr) -> io::Result<()>;

    /// Makes the names of the directory durable.
    ///
    /// # Errors
    ///
    /// The host's.
    fn sync(&self) -> io::Result<()>;
}

/// Reads exactly `buffer.len()` bytes.
pub(crate) fn read_exact(
    file: &(impl HostFile + ?Sized),
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<()> {
    if file.read_at(buffer, offset)? == buffer.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Reads what is there, and zeros for what lies past the end.
pub(crate) fn read_padded(
    file: &(impl HostFile + ?Sized),
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<()> {
    let there = file.read_at(buffer, offset)?;
    buffer[there..].fill(0);
    Ok(())
}
