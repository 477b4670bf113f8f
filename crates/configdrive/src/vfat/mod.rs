//! VFAT: FAT12, FAT16 or FAT32 with long names.
//!
//! Microsoft's "FAT: General Overview of On-Disk Format" 1.03 (`fatgen103`); where Linux's `fs/fat`, mtools or
//! dosfstools differ from it, what all of them accept. `docs/formats/vfat.md` has the table of clauses.

mod boot_sector;
mod directory;
mod fat;
mod geometry;
mod names;

use crate::{Error, Format, Kind, Sink, Timestamp, Tree, content};
use directory::Directories;
use geometry::Geometry;

/// The size of a sector on our images.
pub const SECTOR_BYTES: u64 = 512;
/// A file's size is a 32-bit number (fatgen103, `DIR_FileSize`).
pub const MAX_FILE_BYTES: u64 = u32::MAX as u64;
/// The most bytes that a label has (fatgen103, `BS_VolLab`).
const LABEL_BYTES: usize = 11;

/// How large an image is and how it is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// As large as the tree needs, up to a multiple of 4 KiB.
    Exact,
    /// Nova's: 64 MiB, divided as mkfs.fat 4.2 does it.
    Nova64MiB,
}

/// How a VFAT image is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// The label; at most 11 ASCII characters, of which lower case stays as it is.
    pub label: String,
    /// Size and division.
    pub layout: Layout,
    /// The volume's serial number.
    pub volume_id: u32,
    /// The time of the label, and of every entry that has none of its own.
    pub time: Timestamp,
}

impl Options {
    /// Returns an image of the exact size, with the time for its serial number.
    pub fn new(label: impl Into<String>, time: Timestamp) -> Self {
        Self {
            label: label.into(),
            layout: Layout::Exact,
            volume_id: time.seconds as u32,
            time,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Size of the image in bytes.
    pub size_bytes: u64,
    /// Width of an entry of the file allocation table: 12, 16 or 32 bits.
    pub fat_bits: u8,
    /// Size of a cluster in bytes.
    pub cluster_bytes: u32,
    /// Number of clusters.
    pub clusters: u32,
}

/// Writes an image, front to back.
///
/// # Errors
///
/// [`Error::CannotHold`], [`Error::SameName`], [`Error::TooLarge`] and [`Error::VolumeText`] before anything is
/// written; [`Error::Content`], [`Error::ContentLength`] and [`Error::Write`] on the way.
pub fn write(tree: &Tree, options: &Options, out: &mut dyn Sink) -> Result<Report, Error> {
    let (directories, geometry) = plan(tree, options)?;
    let chains = fat::Chains::new(tree, &directories, &geometry);
    out.expect(geometry.size_bytes());
    let reserved = boot_sector::reserved(&geometry, options, chains.used());
    out.write_all(&reserved).map_err(Error::Write)?;
    for _ in 0..geometry::FATS {
        chains.write(&geometry, out).map_err(Error::Write)?;
    }
    // The root of FAT12 and FAT16 stands before the clusters, that of FAT32 in the first of them.
    let mut buffer = Vec::new();
    for number in directories.order() {
        buffer.clear();
        directories.encode(tree, options, number, &chains, &mut buffer);
        let unit = match (number, geometry.root_entries) {
            (0, 1..) => u64::from(geometry.root_entries) * directory::ENTRY_BYTES,
            _ => geometry.cluster_bytes(),
        };
        out.write_all(&buffer).map_err(Error::Write)?;
        fill(out, buffer.len() as u64, unit)?;
    }
    for entry in tree.entries() {
        if let Kind::File(file) = tree.kind(entry) {
            content::write(tree, entry, file, out)?;
            fill(out, file.len(), geometry.cluster_bytes())?;
        }
    }
    let free = u64::from(geometry.clusters - chains.used()) * geometry.cluster_bytes();
    out.write_zeros(free + geometry.slack_bytes())
        .map_err(Error::Write)?;
    Ok(Report {
        size_bytes: geometry.size_bytes(),
        fat_bits: geometry.kind.bits(),
        // At most 64 KiB.
        cluster_bytes: geometry.cluster_bytes() as u32,
        clusters: geometry.clusters,
    })
}

/// Returns the size that an image will have, in bytes, without writing it or looking into any content.
///
/// # Errors
///
/// Those of [`write()`] before anything is written.
pub fn size(tree: &Tree, options: &Options) -> Result<u64, Error> {
    Ok(plan(tree, options)?.1.size_bytes())
}

fn plan(tree: &Tree, options: &Options) -> Result<(Directories, Geometry), Error> {
    let printable = options
        .label
        .bytes()
        .all(|byte| (b' '..=b'~').contains(&byte) && !br#""*+,./:;<=>?[\]|"#.contains(&byte));
    if options.label.is_empty()
        || options.label.len() > LABEL_BYTES
        || options.label.starts_with(' ')
        || !printable
    {
        return Err(Error::VolumeText {
            field: "label",
            value: options.label.clone(),
            rule: "1 to 11 printable ASCII characters without punctuation that FAT forbids",
        });
    }
    for entry in tree.entries() {
        let rule = match tree.kind(entry) {
            Kind::Symlink(_) => "there are no symbolic links",
            Kind::File(file) if file.len() > MAX_FILE_BYTES => "a file has less than 4 GiB",
            Kind::Directory | Kind::File(_) => continue,
        };
        return Err(Error::CannotHold {
            format: Format::Vfat,
            path: tree.path(entry),
            rule,
        });
    }
    let directories = Directories::new(tree)?;
    let geometry = Geometry::choose(tree, &directories, options.layout)?;
    Ok((directories, geometry))
}

/// Writes zeros up to a multiple of `unit`.
fn fill(out: &mut dyn Sink, length: u64, unit: u64) -> Result<(), Error> {
    out.write_zeros(length.next_multiple_of(unit) - length)
        .map_err(Error::Write)
}
