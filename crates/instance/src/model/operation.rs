//! Plain operations on a guest's files.

use crate::Secret;

/// A plain operation on the guest's files; several are done in their order.
///
/// What each does is what virt-customize's option of that name does, with two differences: paths are taken as they are, without wildcards,
/// and what is so already is not done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A file has this content; one that is not there is root's, mode 0644, as are its parents with 0755.
    Write {
        /// Absolute path.
        path: String,
        /// The file's bytes.
        content: Secret<Vec<u8>>,
    },
    /// A file has this line; it comes behind all others if it is not there.
    AppendLine {
        /// Absolute path.
        path: String,
        /// The line, without its end.
        line: String,
    },
    /// A directory is there, and those above it.
    MakeDirectory {
        /// Absolute path.
        path: String,
    },
    /// A file has these permission bits.
    ChangeMode {
        /// Absolute path.
        path: String,
        /// Permission bits, at most `0o7777`.
        mode: u32,
    },
    /// A file has this owner.
    ChangeOwner {
        /// Absolute path.
        path: String,
        /// Owner and group by name: `user`, `user:group` or `:group`.
        owner: String,
    },
    /// Nothing is there; a directory goes with all that is in it.
    Delete {
        /// Absolute path.
        path: String,
    },
    /// A symbolic link is there.
    Link {
        /// Absolute path of the link.
        path: String,
        /// What it says.
        target: String,
    },
    /// A file or a directory has another name.
    Move {
        /// Absolute path.
        from: String,
        /// Absolute path; an existing directory takes it in.
        to: String,
    },
    /// A file is there; one that is has its times set.
    Touch {
        /// Absolute path.
        path: String,
    },
    /// A file that is there is empty.
    Truncate {
        /// Absolute path.
        path: String,
    },
}

/// Which documents cloud-init finds inside the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// NoCloud's.
    NoCloud,
    /// A config drive's.
    ConfigDrive,
}

/// What becomes of the guest's machine ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineId {
    /// The guest makes one when it boots.
    Reset,
    /// One is drawn.
    Random,
    /// This one: 32 hexadecimal digits in lower case.
    Fixed(String),
}
