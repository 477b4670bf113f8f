//! The redo file: a whole change, written down before the first byte of it reaches an image.
//!
//! It is linked into place when it is complete and durable, and removed when what it says is durable in the image; whoever
//! finds one in between can complete the change. All numbers are little-endian.
//!
//! | offset         | size           | what                                                              |
//! |---------------:|---------------:|-------------------------------------------------------------------|
//! |              0 |            512 | header: `layout::RawHeader`                                       |
//! |           4096 |                | new data, in no order, each piece a multiple of 512 bytes         |
//! | `table_offset` | `table_length` | the table, and with it the end of the file                        |
//!
//! The table is a sequence of records, each a multiple of 8 bytes:
//!
//! - for each file a file record, `layout::RawFile`, followed by its path (not for the first: its path is what the redo file is
//!   found by), padded with zeros to a multiple of 8;
//! - then for each range of it, in ascending order and without overlap, a range record, `layout::RawRange`, followed by
//!   one hash of 8 bytes for each sector of 512 bytes of the *old* content, unless that was zero throughout;
//! - a range record of kind 0, which ends the file.
//!
//! Hashes and checksums are XXH3-64 (seed 0). They are there to notice accidents: a sector that a guest has written in the meantime, a redo
//! file damaged on its disk. Against a forger they would be no use whatever the function: who may write the redo file, mode 0600, is the owner of
//! the image and may write that as well. So a fast hash of 64 bits does; a false match among a million sectors
//! that are neither old nor new has a chance of one in 10¹³.

mod fault;
pub(crate) mod layout;
mod name;
mod reader;
mod writer;

pub use fault::RedoFault;
pub use reader::{RedoSummary, parse};

pub(crate) use name::{beside, in_directory, open};
pub(crate) use reader::{FileEntry, OldContent, RangeEntry, Redo};
pub(crate) use writer::{FileHead, TableWriter};

/// The unit of what is old and what is new: what a disk writes whole or not at all.
pub const SECTOR: u64 = 512;
/// Where new data may begin.
pub(crate) const DATA_START: u64 = 4096;
/// The longest range: so much is held in memory to check or apply it.
pub(crate) const MAX_RANGE: u64 = 1 << 20;
/// An image, its data file, and room for what a later version may need; a forged file cannot ask for more.
pub(crate) const MAX_FILES: u32 = 8;
/// The kernel's `PATH_MAX`.
pub(crate) const MAX_PATH: u32 = 4096;

/// Hashes bytes as the redo file stores it.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// Tells whether all bytes are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<16>();
    chunks.iter().all(|chunk| u128::from_le_bytes(*chunk) == 0)
        && rest.iter().all(|byte| *byte == 0)
}
