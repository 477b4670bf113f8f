//! What can go wrong with a directory of the host.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use christen_vfs::GuestPath;
use rustix::io::Errno;

/// The result of what is done to a directory of the host.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a directory of the host. But for [`Error::NotUndone`] the tree is then as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The root cannot be opened.
    #[error("cannot open `{}`", .path.display())]
    Open {
        /// The root.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },

    /// The root has nothing beside it where a journal could lie.
    #[error("`{}` {rule}, so no journal can lie beside it", .path.display())]
    NoPlaceForJournal {
        /// The root.
        path: PathBuf,
        /// What is in the way.
        rule: &'static str,
    },

    /// Another process holds the root open for a change.
    #[error("another process is changing the directory")]
    Busy,

    /// A call to the host failed.
    #[error("cannot {action} `{path}`")]
    Host {
        /// What was to be done.
        action: String,
        /// Where in the root.
        path: GuestPath,
        /// Why.
        #[source]
        source: io::Error,
    },

    /// A call to the host failed in the journal.
    #[error("cannot {action} the journal `{}`", .journal.display())]
    Journal {
        /// What was to be done.
        action: &'static str,
        /// The journal.
        journal: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },

    /// What lies where the journal would is not ours.
    #[error("`{}` is no journal of this user: {rule}", .journal.display())]
    ForeignJournal {
        /// Where.
        journal: PathBuf,
        /// The rule that it breaks.
        rule: &'static str,
    },

    /// The manifest of the journal breaks a rule.
    #[error("the manifest of the journal `{}` is damaged: {rule}", .journal.display())]
    Manifest {
        /// The journal.
        journal: PathBuf,
        /// The rule that it breaks.
        rule: &'static str,
    },

    /// A file is no longer what was read.
    #[error("`{path}` was changed by another since it was read")]
    Changed {
        /// Where in the root.
        path: GuestPath,
    },

    /// Another filesystem, or another subvolume, is mounted there.
    #[error("another filesystem begins at `{path}`")]
    OtherFileSystem {
        /// Where in the root.
        path: GuestPath,
    },

    /// A file has names that are not known, which would keep the old content.
    #[error("`{path}` has {links} names, and new content would part it from the others")]
    OtherNames {
        /// Where in the root.
        path: GuestPath,
        /// How many names it has.
        links: u32,
    },

    /// A guest's user or group has no place in the id map.
    #[error("`{path}` would belong to the guest's {sort} {id}, which the id map does not have")]
    NotMapped {
        /// Where in the root.
        path: GuestPath,
        /// `user` or `group`.
        sort: &'static str,
        /// The guest's number.
        id: u32,
    },

    /// The caller may not give a file that owner.
    #[error("`{path}` would belong to {uid}:{gid} of the host, which the caller may not set")]
    Owner {
        /// Where in the root.
        path: GuestPath,
        /// The owner in the host.
        uid: u32,
        /// The group in the host.
        gid: u32,
    },

    /// The staged filesystem failed.
    #[error(transparent)]
    FileSystem(#[from] christen_vfs::Error),

    /// What was written is not what the caller wants to find.
    #[error("what was written is not what is read back, so it was undone")]
    NotVerified(#[source] Box<dyn StdError + Send + Sync>),

    /// A commit failed, and it could not be undone either: the journal stays, and the next opening tries again.
    #[error("the change failed ({cause}), and it could not be undone")]
    NotUndone {
        /// Why the change failed.
        cause: Box<Error>,
        /// Why it could not be undone.
        #[source]
        undo: Box<Error>,
    },
}

/// Says what was to be done to which file.
pub(crate) fn host(action: &str, path: &[Vec<u8>]) -> impl FnOnce(Errno) -> Error {
    let (action, path) = (action.to_owned(), guest_path(path));
    move |source| match source {
        Errno::XDEV => Error::OtherFileSystem { path },
        source => Error::Host {
            action,
            path,
            source: source.into(),
        },
    }
}

pub(crate) fn guest_path(names: &[Vec<u8>]) -> GuestPath {
    let root = GuestPath::root();
    names.iter().fold(root, |path, name| path.join(name))
}

/// An error for whoever knows only filesystems.
pub(crate) fn for_filesystem(error: Error) -> christen_vfs::Error {
    match error {
        Error::FileSystem(error) => error,
        Error::OtherFileSystem { .. } => christen_vfs::Error::Unsupported(Box::new(error)),
        error => christen_vfs::Error::Io(Box::new(error)),
    }
}
