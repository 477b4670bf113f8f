//! The seam between what is done to a guest's files and the filesystems that hold them.
//!
//! [`FileSystem`] knows no blocks and does not commit; [`GuestPath`] is a path in a guest, which is never one of
//! the host's.

mod error;
mod filesystem;
mod path;

pub use error::{Error, Result};
pub use filesystem::{
    Attributes, Entry, FileId, FileSystem, Kind, Limits, NewFile, NewKind, Statistics, Times,
    Timestamp,
};
pub use path::{GuestPath, InvalidPath};
