//! A root tree in a directory of the host, as containers have it: a filesystem whose changes are kept in memory and are done to the
//! directory all or not at all.
//!
//! [`HostDirectory`] reads below an open directory and nowhere else: every path goes through `openat2` with `RESOLVE_IN_ROOT`,
//! `RESOLVE_NO_SYMLINKS`, `RESOLVE_NO_MAGICLINKS` and `RESOLVE_NO_XDEV`, so that a link planted in the tree leads nowhere; the
//! guest's own links are followed by [`christen_vfs::walk`] inside the root. What is changed stays in memory until
//! [`HostDirectory::commit`].
//!
//! # The journal
//!
//! A commit makes the directory `.NAME.christen-undo` beside the root `NAME`, its owner's alone, and in it
//!
//! | entry      | what it is                                                                                   |
//! |------------|----------------------------------------------------------------------------------------------|
//! | `new/N`    | what is to come into the tree, complete and on the disk                                      |
//! | `old/N`    | what leaves the tree: a second name of what is replaced, or what was moved out               |
//! | `manifest` | what is moved from where to where, old attributes, a checksum; see the module `manifest`     |
//!
//! The tree is touched only when the manifest is on the disk, and the change is done when the manifest is gone: a journal with a
//! manifest is undone at the next opening, one without is removed.
//!
//! It is weaker than the commit to an image. Others see the change file by file while it runs, and what a process keeps open
//! stays the old file.

#![forbid(unsafe_code)]

mod apply;
mod commit;
mod directory;
mod error;
mod faults;
mod id_map;
mod inode;
mod journal;
mod manifest;
mod plan;
mod prepare;
mod root;
mod seen;
mod undo;

#[cfg(test)]
mod tests;

pub use commit::{Committed, Verified};
pub use directory::HostDirectory;
pub use error::{Error, Result};
pub use id_map::{IdMap, IdMapError, IdRange};
pub use undo::{Recovered, recover};
