//! Walks that are the same over every backend: paths to files, directories to be made, whole trees.
//!
//! None of them leaves the guest's root, and each has a bound, whatever the filesystem says.

mod copy_in;
mod directories;
mod remove;
mod resolve;
mod visit;

pub use copy_in::{Copied, CopyError, Source, SourceFile, SourceKind, copy_in};
pub use directories::{DirectoryOwner, MadeDirectories, create_directories};
pub use remove::remove_tree;
pub use resolve::{LINKS_FOLLOWED, LastLink, Place, resolve, resolve_place, try_resolve};
pub use visit::{DEPTH, Found, Next, visit};

use crate::error::Error;

/// A rule of trees that a filesystem breaks.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokenTree {
    /// A directory is met a second time, so that the tree would have no end.
    #[error("directory {0} is met twice in one tree")]
    MetTwice(u64),
    /// Directories stand too deep for any path of Linux to reach them.
    #[error("directories stand more than {DEPTH} deep")]
    TooDeep,
}

impl From<BrokenTree> for Error {
    fn from(broken: BrokenTree) -> Self {
        Self::Corrupt(Box::new(broken))
    }
}
