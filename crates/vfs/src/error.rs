//! What can go wrong in a guest's filesystem.

use std::error::Error as StdError;

/// The result of an operation on a guest's filesystem.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in a guest's filesystem.
///
/// After [`Io`](Error::Io) and [`Corrupt`](Error::Corrupt) an operation that changes something may have been
/// staged in part, and the filesystem refuses to [`finish`](crate::FileSystem::finish). After every other variant it is as it was
/// before the operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device below failed.
    #[error("the device failed")]
    Io(#[source] Box<dyn StdError + Send + Sync>),

    /// A structure of the filesystem breaks a rule of its format; the cause names structure, number and rule.
    #[error("the filesystem is damaged")]
    Corrupt(#[source] Box<dyn StdError + Send + Sync>),

    /// The filesystem is valid, and uses something that is not handled; the cause names it.
    #[error("the filesystem cannot be used as asked")]
    Unsupported(#[source] Box<dyn StdError + Send + Sync>),

    /// The filesystem was opened for reading only.
    #[error("the filesystem is open for reading only")]
    ReadOnly,

    /// An earlier failure left the staged changes incomplete, so nothing more is taken.
    #[error("an earlier failure left the changes incomplete")]
    Abandoned,

    /// There is no entry of that name.
    #[error("no such file or directory")]
    NotFound,

    /// There is an entry of that name already.
    #[error("there is one already")]
    Exists,

    /// A directory is needed.
    #[error("not a directory")]
    NotDirectory,

    /// A directory cannot be used so.
    #[error("is a directory")]
    IsDirectory,

    /// A regular file is needed.
    #[error("not a regular file")]
    NotFile,

    /// A symbolic link is needed.
    #[error("not a symbolic link")]
    NotLink,

    /// The directory is not empty.
    #[error("the directory is not empty")]
    NotEmpty,

    /// A directory cannot be moved into itself.
    #[error("a directory cannot be moved into itself")]
    IntoItself,

    /// The filesystem has too few free blocks.
    #[error("no space is left in the filesystem")]
    NoSpace,

    /// The filesystem has no free inode.
    #[error("no inode is left in the filesystem")]
    NoInodes,

    /// The file would be larger than the filesystem can hold.
    #[error("the file is too large for the filesystem")]
    FileTooLarge,

    /// The name is empty, `.`, `..`, or has a byte that the filesystem cannot hold.
    #[error("the name cannot be used")]
    InvalidName,

    /// The name is longer than the filesystem can hold.
    #[error("the name is too long")]
    NameTooLong,

    /// The target of a symbolic link is empty or longer than the filesystem can hold.
    #[error("the target of the link cannot be held")]
    InvalidTarget,

    /// The file has as many links as the filesystem can count.
    #[error("the file has too many links")]
    TooManyLinks,

    /// The path goes through more symbolic links than are followed, as Linux does it: 40.
    #[error("too many symbolic links")]
    LinkLoop,

    /// The extended attributes do not fit.
    #[error("no space is left for extended attributes")]
    NoAttributeSpace,

    /// The value of an extended attribute, or of an access control list, breaks a rule of its kind.
    #[error("the extended attribute cannot hold that")]
    InvalidAttribute,

    /// The filesystem, or this backend, cannot do that at all.
    #[error("{0} cannot be done in this filesystem")]
    NotPossible(&'static str),

    /// A file cannot be moved to, or have a name in, another of the filesystems that make up a tree (`EXDEV` in Linux).
    #[error("the two places are on different filesystems")]
    OtherFileSystem,

    /// A flag of the file or of its directory forbids that even to root, as `chattr +i` and `+a` do it (`EPERM` in Linux); the text names
    /// which.
    #[error("{0}")]
    Protected(&'static str),

    /// A filesystem is mounted there (`EBUSY` in Linux).
    #[error("a filesystem is mounted there")]
    MountPoint,

    /// What the guest mounts there is not at hand; the cause names it.
    #[error("what the guest mounts there is not at hand")]
    NotMounted(#[source] Box<dyn StdError + Send + Sync>),

    /// A source of content could not be read.
    #[error("the content could not be read")]
    Content(#[source] std::io::Error),
}
