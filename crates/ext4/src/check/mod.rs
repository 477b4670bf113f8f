//! The audit: is a filesystem what its own structures say that it is?
//!
//! The audit was written from the format and not from the writer beside it, with a reader of its own, so that the two agreeing says a
//! little. It changes nothing. What is looked at:
//!
//! | file | what is checked |
//! |---|---|
//! | `geometry` | superblock and group descriptors: their checksums, and that what they name lies in the filesystem |
//! | `inodes` | every inode: checksum, sort, flags, length, counts of blocks |
//! | `mapping` | extent trees and indirect blocks: order, bounds, checksums |
//! | `attributes` | extended attributes in inodes, in blocks and in inodes of their own, with their reference counts |
//! | `names` | directories: entries, `.` and `..`, file types, names that are there twice |
//! | `index` | the hashed index of directories: order, depth, bounds, every leaf named once |
//! | `special` | journal, resize inode, orphans |
//! | `counters` | bitmaps and counters against all that was found, link counts, the way to the root |
//!
//! # Memory
//!
//! One bit for each cluster in use, in pieces of 4 KiB; about 60 bytes for each inode in use; the hashes of the names of one directory at
//! a time and 40 bytes for each of its blocks; 64 bytes for each group; 1,000 findings. A directory whose blocks belong to another
//! file as well is not followed, so that no block is read for more than one directory.

mod attributes;
mod bitmap;
mod bytes;
mod counters;
mod geometry;
mod index;
mod inodes;
mod mapping;
mod names;
mod special;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use christen_block::BlockDevice;
use christen_vfs::Error;

use bitmap::SparseBitmap;
use geometry::{Geometry, Group};

/// How many findings are kept; more are counted.
const MOST_FINDINGS: usize = 1_000;

/// A structure that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What breaks it: `inode`, `block`, `group`, `superblock`.
    pub structure: &'static str,
    /// Which one: the number of the inode, block or group; 0 for the superblock.
    pub number: u64,
    /// The rule that it breaks.
    pub rule: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            structure,
            number,
            rule,
        } = self;
        if *structure == "superblock" {
            return write!(formatter, "superblock: {rule}");
        }
        write!(formatter, "{structure} {number}: {rule}")
    }
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The first findings, at most 1,000, in the order in which they were made.
    pub findings: Vec<Finding>,
    /// How many findings there were.
    pub finding_count: u64,
    /// Whether all was looked at: not if the superblock or the group descriptors are too damaged to go on.
    pub complete: bool,
    /// Whether the journal holds transactions that were never written back. What was found may then be what they put right.
    pub needs_recovery: bool,
    /// Whether the kernel has noted an error in the superblock.
    pub error_noted: bool,
    /// How many inodes are to be deleted or cut when the filesystem is mounted next.
    pub orphans: u64,
    /// How many inodes are in use, the reserved ones included.
    pub inodes: u64,
    /// How many of them are directories.
    pub directories: u64,
}

impl Report {
    /// Tells whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.complete && self.finding_count == 0
    }

    fn find(&mut self, structure: &'static str, number: u64, rule: impl Into<String>) {
        self.finding_count += 1;
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(Finding {
                structure,
                number,
                rule: rule.into(),
            });
        }
    }
}

/// Audits an ext2, ext3 or ext4 filesystem, and changes nothing.
///
/// Checked are checksums, the order and bounds of all structures, that every block and inode is used as the bitmaps say and by one
/// owner alone, link counts, the counters of groups and superblock, the order of directory indexes, and the reference counts of
/// extended attributes. Not checked are the content of files, the backups of the superblock, what quota files account, names of
/// directories that ignore case against their rules, and the content of the journal.
///
/// Memory grows with what is in use, not with the length of the device: a bit for each cluster, about 60 bytes for each inode.
///
/// # Errors
///
/// [`Error::Io`] if the device fails, and [`Error::Unsupported`] if there is no such filesystem or it has features that are not known.
/// Damage is no error but a finding.
pub fn check(device: &dyn BlockDevice) -> Result<Report, Error> {
    let mut report = Report::default();
    let Some(geometry) = Geometry::read(device, &mut report)? else {
        return Ok(report);
    };
    let Some(groups) = geometry::read_groups(device, &geometry, &mut report)? else {
        return Ok(report);
    };
    let mut audit = Audit {
        reader: Reader {
            device,
            geometry: &geometry,
        },
        groups: &groups,
        report,
        used: SparseBitmap::default(),
        inodes: BTreeMap::new(),
        orphans: BTreeSet::new(),
        attribute_blocks: BTreeMap::new(),
        value_inodes: BTreeMap::new(),
    };
    audit.claim_groups();
    audit.read_orphans()?;
    audit.check_inodes()?;
    audit.check_names()?;
    audit.check_special()?;
    audit.check_links();
    audit.check_attribute_counts();
    audit.check_bitmaps()?;
    audit.report.complete = true;
    Ok(audit.report)
}

/// The device and where things are on it.
#[derive(Debug, Clone, Copy)]
struct Reader<'d> {
    device: &'d dyn BlockDevice,
    geometry: &'d Geometry,
}

impl Reader<'_> {
    /// Reads a block that has been checked to lie in the filesystem.
    fn block(&self, block: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; self.geometry.block_bytes];
        self.read(&mut bytes, block * self.geometry.block_bytes as u64)?;
        Ok(bytes)
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), Error> {
        read(self.device, buffer, offset)
    }
}

fn read(device: &dyn BlockDevice, buffer: &mut [u8], offset: u64) -> Result<(), Error> {
    device
        .read_at(buffer, offset)
        .map_err(|error| Error::Io(Box::new(error)))
}

/// What is known of an inode in use.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// `i_links_count`.
    links: u16,
    /// How many entries name it.
    counted: u32,
    /// The upper four bits of `i_mode`.
    sort: u8,
    /// Of a directory: what `..` names, and which directory has an entry for it.
    dot_dot: u32,
    parent: u32,
    /// Whether a name is not needed: journal, quota, orphan file, reserved.
    hidden: bool,
    /// Whether it holds the value of an extended attribute, and how often it says to be named.
    value_count: Option<u64>,
    /// Of a directory: whether its entries are to be read.
    readable: bool,
    indexed: bool,
}

/// An audit on its way.
#[derive(Debug)]
struct Audit<'d> {
    reader: Reader<'d>,
    groups: &'d [Group],
    report: Report,
    /// The clusters that something was found to use.
    used: SparseBitmap,
    /// The inodes in use.
    inodes: BTreeMap<u32, Seen>,
    /// Inodes that are to be deleted or cut at the next mount.
    orphans: BTreeSet<u32>,
    /// Blocks of extended attributes: the count that they state, how often they are named, and the bytes of values in inodes.
    attribute_blocks: BTreeMap<u64, (u64, u64, u64)>,
    /// Inodes with values: how often extended attributes name them.
    value_inodes: BTreeMap<u32, u64>,
}
