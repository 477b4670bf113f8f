//! The trait that every backend fulfils.

use std::fmt::Debug;
use std::io;
use std::ops::ControlFlow;

use crate::error::Error;

/// The identity of a file while its filesystem is open. What the number means is the backend's own affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u64);

impl FileId {
    /// Wraps a backend's number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the backend's number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A moment, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds of the second, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    SymbolicLink,
    /// A character device.
    CharacterDevice {
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// What is known of a file besides its content and its extended attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// What it is.
    pub kind: Kind,
    /// The permission bits with set-user-ID, set-group-ID and sticky: at most `0o7777`.
    pub permissions: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// How many names it has; of a directory, what the filesystem counts.
    pub links: u32,
    /// The length of the content in bytes.
    pub size: u64,
    /// The bytes that are allocated to it.
    pub allocated: u64,
    /// When it was last read.
    pub accessed: Timestamp,
    /// When its content last changed.
    pub modified: Timestamp,
    /// When its attributes last changed.
    pub changed: Timestamp,
    /// When it was made, if the filesystem keeps that.
    pub created: Option<Timestamp>,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, never empty, without `/` and NUL.
    pub name: Vec<u8>,
    /// The file that it names.
    pub file: FileId,
}

/// A file to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewFile<'a> {
    /// What to make.
    pub kind: NewKind<'a>,
    /// Its permission bits, at most `0o7777`; ignored for a symbolic link, which has `0o777`. There is no umask, but a default
    /// access control list of the directory restricts them as in Linux.
    pub permissions: u16,
    /// The owner.
    pub uid: u32,
    /// The group, unless the directory's set-group-ID bit passes on its own, as in Linux.
    pub gid: u32,
}

/// What a new file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewKind<'a> {
    /// A regular file, empty.
    File,
    /// A directory, empty.
    Directory,
    /// A symbolic link with this target.
    SymbolicLink(&'a [u8]),
    /// A device, a pipe or a socket; the kinds above are not taken here.
    Special(Kind),
}

/// Times to set; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// When it was last read.
    pub accessed: Option<Timestamp>,
    /// When its content last changed.
    pub modified: Option<Timestamp>,
}

/// How much a filesystem holds and has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// The unit of allocation in bytes.
    pub block_bytes: u32,
    /// Blocks that files could use if there were none.
    pub blocks: u64,
    /// Free blocks.
    pub free_blocks: u64,
    /// Free blocks that are not reserved for root.
    pub available_blocks: u64,
    /// Inodes; 0 if the filesystem makes them as needed.
    pub files: u64,
    /// Free inodes.
    pub free_files: u64,
}

/// What a filesystem can hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest name in bytes.
    pub name_bytes: usize,
    /// The longest target of a symbolic link in bytes; 0 if there are no symbolic links.
    pub target_bytes: usize,
    /// The largest file in bytes.
    pub file_bytes: u64,
    /// The most names of one file; 1 if there are no hard links.
    pub links: u32,
    /// The largest value of one extended attribute in bytes; 0 if there are none.
    pub attribute_bytes: usize,
    /// Whether owners, groups and permission bits are kept.
    pub owners: bool,
    /// The smallest step of times, in nanoseconds.
    pub time_step: u32,
    /// The earliest and the latest time, in seconds since 1970.
    pub time_range: (i64, i64),
}

/// A guest's filesystem.
///
/// Identities come from [`root`](Self::root), [`lookup`](Self::lookup), [`list`](Self::list) and [`create`](Self::create) and are valid until the
/// last name of the file is removed. Names are one component, as bytes; symbolic links are never followed here:
/// [`crate::GuestPath`] and the walks over it are the same for every backend.
///
/// Everything happens as it does on Linux to root, who may do all: no permission is ever lacking, and writing takes neither
/// permission bits nor extended attributes from a file.
///
/// What changes a file sets its times as Linux does, to the moment given by [`set_now`](Self::set_now). Reading changes no times.
///
/// Where two rules are broken, the error is the first of: not a directory, the name, not found or there already, the rest.
/// An operation that fails leaves the filesystem as [`Error`] says. Nothing is durable before what is below has been committed.
pub trait FileSystem: Debug {
    /// Returns the top directory.
    fn root(&self) -> FileId;

    /// Returns what the filesystem can hold at most.
    fn limits(&self) -> Limits;

    /// Returns how much there is and how much is left.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Corrupt`].
    fn statistics(&mut self) -> Result<Statistics, Error>;

    /// Sets the moment that changes are stamped with from here on.
    fn set_now(&mut self, now: Timestamp);

    /// Finds an entry. `.` and `..` are no names, and a name that cannot be there is not: here, in [`rename`](Self::rename) and in
    /// [`remove`](Self::remove).
    ///
    /// # Errors
    ///
    /// [`Error::NotDirectory`].
    fn lookup(&mut self, directory: FileId, name: &[u8]) -> Result<Option<FileId>, Error>;

    /// Visits the entries of a directory without `.` and `..`, in the backend's own order, until `visit` breaks.
    ///
    /// # Errors
    ///
    /// [`Error::NotDirectory`].
    fn list(
        &mut self,
        directory: FileId,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), Error>;

    /// Returns what is known of a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Corrupt`].
    fn attributes(&mut self, file: FileId) -> Result<Attributes, Error>;

    /// Returns the target of a symbolic link.
    ///
    /// # Errors
    ///
    /// [`Error::NotLink`].
    fn read_link(&mut self, file: FileId) -> Result<Vec<u8>, Error>;

    /// Reads from `offset` on and returns how many bytes that were: fewer than `buffer` has only at the end of the file. Holes read as zeros.
    ///
    /// # Errors
    ///
    /// [`Error::NotFile`].
    fn read_at(&mut self, file: FileId, buffer: &mut [u8], offset: u64) -> Result<usize, Error>;

    /// Writes all of `data` at `offset`; the file grows as needed, and what lies between its end and `offset` reads as zeros. Without
    /// data nothing changes, the times neither.
    ///
    /// # Errors
    ///
    /// [`Error::NotFile`], [`Error::NoSpace`], [`Error::FileTooLarge`].
    fn write_at(&mut self, file: FileId, data: &[u8], offset: u64) -> Result<(), Error>;

    /// Cuts a file, or extends it by a hole; sets the times even where the size is the same.
    ///
    /// # Errors
    ///
    /// [`Error::NotFile`], [`Error::NoSpace`], [`Error::FileTooLarge`].
    fn set_size(&mut self, file: FileId, size: u64) -> Result<(), Error>;

    /// Puts other content in place of a file's own, all at once: its names, owner, permissions and extended attributes stay.
    /// Returns the new size in bytes.
    ///
    /// # Errors
    ///
    /// As [`write_at`](Self::write_at), and [`Error::Content`]; the old content is then still there.
    fn replace(&mut self, file: FileId, content: &mut dyn io::Read) -> Result<u64, Error>;

    /// Makes a file. A directory that is made in one with the set-group-ID bit has that bit too, and the default access control list
    /// of the directory becomes the new file's own, and a new directory's default.
    ///
    /// # Errors
    ///
    /// [`Error::NotPossible`] for a special file that is none,
    /// [`Error::Exists`], [`Error::NotDirectory`], [`Error::InvalidName`], [`Error::NameTooLong`], [`Error::InvalidTarget`],
    /// [`Error::NoSpace`], [`Error::NoInodes`], [`Error::TooManyLinks`].
    fn create(
        &mut self,
        directory: FileId,
        name: &[u8],
        new: &NewFile<'_>,
    ) -> Result<FileId, Error>;

    /// Gives a file that is no directory one more name.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), and [`Error::IsDirectory`].
    fn link(&mut self, file: FileId, directory: FileId, name: &[u8]) -> Result<(), Error>;

    /// Moves an entry. What has the new name already is replaced, if it is of the same sort: a file for a file, an empty directory for
    /// a directory. If both names are of one file, nothing happens.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::IntoItself`], [`Error::NotEmpty`] where the new name is a directory above the old one,
    /// [`Error::NotDirectory`] and [`Error::IsDirectory`] where a directory meets something else, [`Error::NotEmpty`], and as
    /// [`create`](Self::create).
    fn rename(
        &mut self,
        from: FileId,
        name: &[u8],
        to: FileId,
        new_name: &[u8],
    ) -> Result<(), Error>;

    /// Removes an entry: any file, or an empty directory.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::NotEmpty`].
    fn remove(&mut self, directory: FileId, name: &[u8]) -> Result<(), Error>;

    /// Sets the permission bits, and with them the mask of an access control list as Linux does.
    ///
    /// # Errors
    ///
    /// [`Error::NotPossible`] for a symbolic link.
    fn set_permissions(&mut self, file: FileId, permissions: u16) -> Result<(), Error>;

    /// Sets owner and group. As in Linux, that takes from what is no directory the set-user-ID bit, where the group may execute the
    /// set-group-ID bit, and the attribute `security.capability` (`fs/open.c`, `chown_common`).
    ///
    /// # Errors
    ///
    /// [`Error::NotPossible`] where owners are not kept.
    fn set_owner(&mut self, file: FileId, uid: u32, gid: u32) -> Result<(), Error>;

    /// Sets times; a time outside the range of [`Limits`] is taken to its nearer end, and without any time nothing changes.
    /// At either end the nanoseconds are 0 (`fs/inode.c`, `timestamp_truncate`).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Corrupt`].
    fn set_times(&mut self, file: FileId, times: Times) -> Result<(), Error>;

    /// Returns the names of a file's extended attributes with their prefix (`security.selinux`), sorted. Access control lists are
    /// `system.posix_acl_access` and `system.posix_acl_default`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Corrupt`].
    fn attribute_names(&mut self, file: FileId) -> Result<Vec<Vec<u8>>, Error>;

    /// Returns the value of an extended attribute in the form in which Linux gives it to a program.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Corrupt`].
    fn attribute(&mut self, file: FileId, name: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Sets an extended attribute: `user.`, `trusted.`, `security.`, or one of the two access control lists.
    ///
    /// Setting the access list sets the permission bits too; one that says no more than the permission bits is not kept, and one
    /// without entries (or without a byte) is removed. Setting the value that is there already changes nothing, the times neither.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`] for a prefix alone, [`Error::NameTooLong`] beyond 255 bytes with the prefix; [`Error::NotPossible`]
    /// for another prefix, for `user.` on what is neither file nor directory, and for a list on a symbolic link;
    /// [`Error::InvalidAttribute`] for what is no list, and for a default list on what is no directory;
    /// [`Error::NoAttributeSpace`], also beyond 65,536 bytes.
    fn set_attribute(&mut self, file: FileId, name: &[u8], value: &[u8]) -> Result<(), Error>;

    /// Removes an extended attribute. The permission bits stay when the access list goes.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], for a list too.
    fn remove_attribute(&mut self, file: FileId, name: &[u8]) -> Result<(), Error>;

    /// Writes what is still held back, so that the device below has all changes. The filesystem can be used on.
    ///
    /// # Errors
    ///
    /// [`Error::Abandoned`] after a failure that left changes incomplete: what is below must then not be committed.
    fn finish(&mut self) -> Result<(), Error>;

    /// Returns the entries of a directory as a list.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    fn entries(&mut self, directory: FileId) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        self.list(directory, &mut |entry| {
            entries.push(entry);
            ControlFlow::Continue(())
        })?;
        Ok(entries)
    }
}
