//! What can be done to the files of a guest, one step at a time.

use std::fmt;
use std::path::PathBuf;

use christen_vfs::{GuestPath, Timestamp, shown};

use super::owner::Owner;

/// An operation, and where it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The line of the script, from 1; none if it came from the command line.
    pub(crate) line: Option<usize>,
    /// What to do.
    pub(crate) operation: Operation,
}

/// Bytes for a guest. They may be a secret, so they cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Content(pub(crate) Vec<u8>);

impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{} bytes]", self.0.len())
    }
}

/// Permission bits and owner as asked for; what is not said is the engine's default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ownership {
    /// The permission bits, at most `0o7777`.
    pub(crate) permissions: Option<u16>,
    /// Owner and group.
    pub(crate) owner: Owner,
}

/// One change of a guest's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Makes a directory.
    MakeDirectory {
        path: GuestPath,
        /// Make what is missing above it too, and take one that is there already.
        parents: bool,
        ownership: Ownership,
    },
    /// Puts the content of a file of this host into a file.
    Put {
        source: PathBuf,
        path: GuestPath,
        ownership: Ownership,
    },
    /// Puts text into a file, in place of what it had.
    Write {
        path: GuestPath,
        content: Content,
        ownership: Ownership,
    },
    /// Adds text to the end of a file.
    Append { path: GuestPath, content: Content },
    /// Cuts a file, or extends it by a hole.
    Truncate { path: GuestPath, size: u64 },
    /// Removes a file, an empty directory, or a whole tree.
    Remove {
        path: GuestPath,
        recursive: bool,
        /// It may be missing.
        force: bool,
    },
    /// Sets the permission bits.
    ChangePermissions { path: GuestPath, permissions: u16 },
    /// Sets the owner, the group or both.
    ChangeOwner {
        path: GuestPath,
        owner: Owner,
        /// Of a symbolic link, change the link itself.
        link_itself: bool,
    },
    /// Makes a symbolic link.
    SymbolicLink { target: Vec<u8>, path: GuestPath },
    /// Gives a file one more name.
    HardLink {
        existing: GuestPath,
        path: GuestPath,
    },
    /// Moves an entry.
    Move { from: GuestPath, to: GuestPath },
    /// Sets an extended attribute.
    SetAttribute {
        path: GuestPath,
        name: Vec<u8>,
        value: Content,
    },
    /// Removes an extended attribute.
    RemoveAttribute { path: GuestPath, name: Vec<u8> },
    /// Sets the times of a file, which is made if it is missing.
    Touch {
        path: GuestPath,
        /// None means the moment of the run.
        time: Option<Timestamp>,
    },
}

impl fmt::Display for Operation {
    /// Shows the operation for a message: its paths, never its content.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeDirectory { path, .. } => write!(formatter, "mkdir {path}"),
            Self::Put { path, .. } => write!(formatter, "put {path}"),
            Self::Write { path, .. } => write!(formatter, "write {path}"),
            Self::Append { path, .. } => write!(formatter, "append {path}"),
            Self::Truncate { path, size } => write!(formatter, "truncate {path} {size}"),
            Self::Remove { path, .. } => write!(formatter, "rm {path}"),
            Self::ChangePermissions { path, permissions } => {
                write!(formatter, "chmod {permissions:04o} {path}")
            }
            Self::ChangeOwner { path, owner, .. } => write!(formatter, "chown {owner} {path}"),
            Self::SymbolicLink { target, path } => {
                write!(formatter, "ln -s {} {path}", shown(target))
            }
            Self::HardLink { existing, path } => write!(formatter, "ln {existing} {path}"),
            Self::Move { from, to } => write!(formatter, "mv {from} {to}"),
            Self::SetAttribute { path, name, .. } => {
                write!(formatter, "xattr set {path} {}", shown(name))
            }
            Self::RemoveAttribute { path, name } => {
                write!(formatter, "xattr remove {path} {}", shown(name))
            }
            Self::Touch { path, .. } => write!(formatter, "touch {path}"),
        }
    }
}
