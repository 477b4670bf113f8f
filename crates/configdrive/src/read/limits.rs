//! How much a drive may ask of its reader.
//!
//! Each limit is far above what any maker of config drives writes, and low enough that a
//! hostile drive costs seconds and some hundred megabytes at the worst.

/// Directories within directories. Linux stops at a path of 4096 bytes, 2048 levels; no
/// config drive has more than five.
pub const MAX_DEPTH: usize = 256;

/// Files and directories in one tree: more than twice the largest drive that is measured.
pub const MAX_ENTRIES: usize = 262_144;

/// Bytes of all paths of one tree. With [`MAX_ENTRIES`] this bounds the memory of a listing.
pub const MAX_PATH_BYTES_IN_TREE: u64 = 64 << 20;

/// Bytes of one path, as Linux's `PATH_MAX`.
pub const MAX_PATH_BYTES: usize = 4096;

/// Bytes of one symbolic link's target, as Linux's `PATH_MAX`.
pub const MAX_SYMLINK_BYTES: usize = 4096;

/// Bytes of directories and their continuation areas read for one tree.
pub const MAX_DIRECTORY_BYTES_IN_TREE: u64 = 256 << 20;

/// Volume descriptors looked at. Linux reads sectors 16 to 99 (`fs/isofs/inode.c`,
/// `isofs_fill_super`).
pub const MAX_VOLUME_DESCRIPTORS: u32 = 84;

/// Continuation areas of one directory record: Linux's `RR_MAX_CE_ENTRIES`.
pub const MAX_CONTINUATIONS: usize = 32;

/// Extents of one file. A multi-extent file has one for each 4 GiB.
pub const MAX_EXTENTS_IN_FILE: usize = 4096;

/// Bytes of one file allocation table kept in memory: 16 million clusters of FAT32.
pub const MAX_FAT_BYTES: u64 = 64 << 20;

/// Faults remembered of one tree; the rest would say nothing new.
pub const MAX_PROBLEMS: usize = 1000;

/// Bytes of one document that is parsed, as [`christen_instance::json::MAX_BYTES`]. Nova's
/// own limit on user data is 64 KiB, and on an injected file 10 KiB; vendor data has none.
pub const MAX_DOCUMENT_BYTES: u64 = 4 << 20;

/// Bytes of all documents that are parsed of one drive. Files may share their content, so
/// a small drive can hold any number of large ones; Nova's sixty documents have far less.
pub const MAX_DOCUMENT_BYTES_IN_ALL: u64 = 128 << 20;

/// Version directories whose documents are checked; Nova writes eleven.
pub const MAX_VERSIONS: usize = 100;

/// Bytes compared between the trees of one drive. Every maker stores a file once for all
/// trees, and then nothing is read.
pub const MAX_COMPARED_BYTES_OF_TREES: u64 = 1 << 30;

/// Bytes compared between two drives.
pub const MAX_COMPARED_BYTES: u64 = 16 << 30;

/// Bytes written by one extraction. Files may share their content on a drive, so the
/// drive's own size is no bound.
pub const MAX_EXTRACTED_BYTES: u64 = 16 << 30;
