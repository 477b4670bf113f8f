//! The seam between what is done to a guest's files and the filesystems that hold them.
//!
//! [`FileSystem`] knows no blocks and does not commit; [`GuestPath`] is a path in a guest, which is never one of
//! the host's. [`walk`] goes along paths and over trees, [`Mounted`] makes one
//! tree of several filesystems, [`tree`] compares whole trees, and [`memory`] is the filesystem that
//! every other is measured by, with [`conformance`] and [`model`].

pub mod conformance;
mod error;
mod filesystem;
pub mod memory;
pub mod model;
mod mounted;
mod path;
mod text;
pub mod tree;
pub mod walk;

pub use error::{Error, Result};
pub use filesystem::{
    Attributes, Entry, FileId, FileSystem, Kind, Limits, NewFile, NewKind, Statistics, Times,
    Timestamp,
};
pub use mounted::{MOST_MOUNTED, Mounted, Opener};
pub use path::{GuestPath, InvalidPath};
pub use text::shown;
