//! ext2, ext3 and ext4, read and written in process.

mod directory;
mod journal;
pub mod xattr;
