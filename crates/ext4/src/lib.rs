//! ext2, ext3 and ext4, read and written in process.

mod alloc;
mod alloc_inode;
mod bitmap;
mod cache;
pub mod check;
mod checksum;
mod directory;
mod directory_access;
mod entries;
mod error;
mod extent;
mod feature;
mod file;
mod filesystem;
mod full;
mod group_descriptor;
mod indirect;
mod inode;
pub mod journal;
mod mapping;
mod mmp;
mod number;
mod options;
mod protection;
mod quota;
mod summary;
mod superblock;
mod volume;
pub mod xattr;

pub use error::{Corrupt, Error, Result, Unsupported};
pub use feature::{Feature, Features};
pub use filesystem::Ext4;
pub use options::{Access, Journal, OpenOptions};
pub use summary::Summary;
