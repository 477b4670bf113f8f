//! The kernel of this machine as a judge: images mounted by loop, and directories of the host behind the filesystem trait.
//!
//! All of it needs root. What the kernel must not mount (inline_data, quota, project, casefold) goes to a guest instead.

mod directory;
mod mount;
mod write;

pub use directory::HostDirectory;
pub use mount::{Mount, require};
pub use write::write_files;
