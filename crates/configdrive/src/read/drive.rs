//! A drive of either format.

use std::fmt;
use std::io::Write;

use super::{Corrupt, Entry, EntryKind, FatDrive, IsoDrive, ReadAt, Source, Storage, Unsupported};
use crate::read::error::{Weight, printable};
use crate::{Error, Format};

/// Bytes moved at a time when a file is copied.
const COPY_BYTES: usize = 256 << 10;

/// One of the trees by which a drive can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum View {
    /// The primary tree with POSIX names, modes and links.
    RockRidge,
    /// The supplementary tree with UCS-2 names.
    Joliet,
    /// The primary tree with its own names, as Linux shows them with its default
    /// `map=normal`: lower case, without `;1` and a final dot.
    Plain,
    /// The one tree of a FAT drive.
    Vfat,
}

impl fmt::Display for View {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::RockRidge => "Rock Ridge",
            Self::Joliet => "Joliet",
            Self::Plain => "plain ISO 9660",
            Self::Vfat => "VFAT",
        })
    }
}

/// What a drive says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Details {
    /// Of an ISO 9660 drive.
    Iso9660(IsoDetails),
    /// Of a FAT drive.
    Vfat(FatDetails),
}

/// The primary volume descriptor and the extensions. Texts are without their padding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the fields are named as ECMA-119 §8.4 names them"
)]
pub struct IsoDetails {
    pub system_identifier: String,
    pub volume_identifier: String,
    pub volume_set_identifier: String,
    pub publisher_identifier: String,
    pub data_preparer_identifier: String,
    pub application_identifier: String,
    /// In bytes.
    pub logical_block_size: u32,
    /// In logical blocks.
    pub volume_space_size: u32,
    /// In seconds since 1970, as the other times; `None` is all zeros or no date.
    pub volume_creation: Option<i64>,
    pub volume_modification: Option<i64>,
    pub volume_expiration: Option<i64>,
    pub volume_effective: Option<i64>,
    /// Joliet level 1 to 3, and the supplementary descriptor's volume identifier.
    pub joliet: Option<(u8, String)>,
    /// The identifier of the `ER` field, such as `RRIP_1991A`.
    pub rock_ridge: Option<String>,
    /// A boot record (El Torito) stands among the descriptors.
    pub boot_record: bool,
    /// A volume recognition sequence of UDF stands behind the descriptors.
    pub udf_bridge: bool,
}

/// The boot sector of a FAT drive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the fields are named as the FAT specification names them"
)]
pub struct FatDetails {
    /// Bits of an entry of the table: 12, 16 or 32.
    pub fat_bits: u8,
    pub oem_name: String,
    pub volume_serial: Option<u32>,
    /// The label in the boot sector, without its padding.
    pub boot_sector_label: Option<String>,
    /// The label entry in the root directory, without its padding.
    pub root_label: Option<String>,
    pub bytes_per_sector: u32,
    pub sectors_per_cluster: u32,
    pub reserved_sectors: u32,
    pub fats: u8,
    pub sectors_per_fat: u32,
    pub root_entries: u32,
    pub total_sectors: u32,
    pub clusters: u32,
    pub media: u8,
}

#[derive(Debug)]
pub(crate) enum Volume {
    Iso(Box<IsoDrive>),
    Fat(Box<FatDrive>),
}

/// A config drive that is being read.
///
/// ```
/// let image = std::fs::read("/dev/null")?;
/// let error = christen_configdrive::Drive::open(image.as_slice()).unwrap_err();
/// assert_eq!(error.to_string(), "the drive is not one that can be read");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Drive<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) volume: Volume,
    views: Vec<View>,
}

impl<'a> Drive<'a> {
    /// Opens a drive by what is on it: the volume descriptors of ISO 9660, else the boot
    /// sector of FAT. Reads those and no file.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] when reading fails, [`Error::Unsupported`] when it is neither
    /// format, [`Error::Corrupt`] when its first structures make no sense.
    pub fn open(from: impl ReadAt + 'a) -> Result<Self, Error> {
        let source = Source::new(from)?;
        if let Some(iso) = IsoDrive::open(&source)? {
            let views = iso.views();
            return Ok(Self {
                source,
                volume: Volume::Iso(Box::new(iso)),
                views,
            });
        }
        if let Some(fat) = FatDrive::open(&source)? {
            return Ok(Self {
                source,
                volume: Volume::Fat(Box::new(fat)),
                views: vec![View::Vfat],
            });
        }
        Err(name_other_format(&source)?.into())
    }

    /// Returns the drive's format.
    pub fn format(&self) -> Format {
        match self.volume {
            Volume::Iso(_) => Format::Iso9660,
            Volume::Fat(_) => Format::Vfat,
        }
    }

    /// Returns the label by which a guest finds the drive, without padding: the volume
    /// identifier of the primary descriptor; on FAT the root directory's label entry,
    /// else the one in the boot sector.
    pub fn label(&self) -> &str {
        match &self.volume {
            Volume::Iso(iso) => &iso.details().volume_identifier,
            Volume::Fat(fat) => {
                let details = fat.details();
                details
                    .root_label
                    .as_deref()
                    .or(details.boot_sector_label.as_deref())
                    .unwrap_or_default()
            }
        }
    }

    /// Returns what the drive says of itself.
    pub fn details(&self) -> Details {
        match &self.volume {
            Volume::Iso(iso) => Details::Iso9660(iso.details().clone()),
            Volume::Fat(fat) => Details::Vfat(fat.details().clone()),
        }
    }

    /// Returns the image's length in bytes.
    pub fn length(&self) -> u64 {
        self.source.length()
    }

    /// Returns the trees the drive has; the one that Linux shows comes first (Rock Ridge,
    /// else Joliet, else plain: `fs/isofs/inode.c`, `isofs_fill_super`). Never empty.
    pub fn views(&self) -> &[View] {
        &self.views
    }

    /// Returns the tree that Linux shows.
    pub fn best_view(&self) -> View {
        self.views.first().copied().unwrap_or(View::Plain)
    }

    /// Reads a whole tree: each directory stands before what is in it, and names of one
    /// directory are in the order of their bytes.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchView`], [`Error::Read`], and [`Error::Corrupt`] when the tree cannot
    /// be walked to its end or a name cannot be one. Faults that readers get by are left
    /// to [`verify`](crate::verify::verify).
    pub fn entries(&self, view: View) -> Result<Vec<Entry>, Error> {
        let (entries, problems) = self.walk(view)?;
        match problems
            .into_iter()
            .find(|problem| problem.rule.weight() == Weight::Stops)
        {
            Some(problem) => Err(problem.into()),
            None => Ok(entries),
        }
    }

    /// Reads a tree as far as it goes, with everything that is wrong with it.
    pub(crate) fn walk(&self, view: View) -> Result<(Vec<Entry>, Vec<Corrupt>), Error> {
        if !self.views.contains(&view) {
            return Err(Error::NoSuchView { view });
        }
        match &self.volume {
            Volume::Iso(iso) => iso.walk(&self.source, view),
            Volume::Fat(fat) => fat.walk(&self.source),
        }
    }

    /// Reads a file's content.
    ///
    /// # Errors
    ///
    /// [`Error::NotAFile`]; [`Error::TooLong`] when it has more than `limit` bytes;
    /// otherwise as [`Drive::copy_file`].
    pub fn read_file(&self, entry: &Entry, limit: u64) -> Result<Vec<u8>, Error> {
        if entry.length > limit {
            return Err(Error::TooLong {
                path: printable(&entry.path),
                length: entry.length,
                limit,
            });
        }
        let mut content = Vec::new();
        self.copy_file(entry, &mut content)?;
        Ok(content)
    }

    /// Writes a file's content to `to`, a quarter of a megabyte at a time.
    ///
    /// # Errors
    ///
    /// [`Error::NotAFile`]; [`Error::Unsupported`] for a file that is compressed, sparse
    /// or interleaved; [`Error::Corrupt`] when its content lies outside the drive, then
    /// nothing was written; [`Error::Copy`] when the writer fails.
    pub fn copy_file(&self, entry: &Entry, to: &mut dyn Write) -> Result<(), Error> {
        let mut buffer = Vec::new();
        for extent in self.extents(entry)? {
            let mut offset = extent.offset;
            while offset < extent.end() {
                let rest = extent.end().saturating_sub(offset);
                let size = usize::try_from(rest).map_or(COPY_BYTES, |rest| rest.min(COPY_BYTES));
                buffer.resize(size, 0);
                self.source
                    .fill(&mut buffer, offset, "the content of a file")?;
                to.write_all(&buffer).map_err(|source| Error::Copy {
                    path: printable(&entry.path),
                    source,
                })?;
                offset = offset.saturating_add(u64::try_from(size).unwrap_or(u64::MAX));
            }
        }
        Ok(())
    }

    /// Returns where a file's content stands; all of it lies on the drive.
    pub(crate) fn extents<'e>(&self, entry: &'e Entry) -> Result<&'e [super::Extent], Error> {
        if entry.kind != EntryKind::File {
            return Err(Error::NotAFile {
                path: printable(&entry.path),
            });
        }
        let how = match &entry.storage {
            Storage::Extents(extents) => {
                for extent in extents {
                    self.source
                        .check(extent.offset, extent.length, "the content of a file")?;
                }
                return Ok(extents);
            }
            Storage::Zisofs => "compressed by zisofs (`ZF`)",
            Storage::Sparse => "as a sparse file (`SF`)",
            Storage::Interleaved => "interleaved with another file",
        };
        Err(Unsupported::Storage {
            path: printable(&entry.path),
            how,
        }
        .into())
    }
}

/// Names what the image is instead, for the message.
fn name_other_format(source: &Source<'_>) -> Result<Unsupported, Error> {
    /// Offset, bytes, name.
    const KNOWN: &[(u64, &[u8], &str)] = &[
        (0, b"QFI\xfb", "a qcow2 image"),
        (0, b"\x1f\x8b", "compressed by gzip"),
        (0, b"\xfd7zXZ\0", "compressed by xz"),
        (0, b"\x28\xb5\x2f\xfd", "compressed by zstd"),
        (0, b"H4sI", "gzip in base64, as Ironic takes it"),
        (0, b"XFSB", "an XFS file system"),
        (0, b"hsqs", "a SquashFS image"),
        (3, b"NTFS    ", "an NTFS file system"),
        (3, b"EXFAT   ", "an exFAT file system"),
        (512, b"EFI PART", "a disk with a GPT"),
        (1080, b"\x53\xef", "an ext2, ext3 or ext4 file system"),
        (257, b"ustar", "a tar archive"),
        (32_777, b"CDROM", "a High Sierra volume"),
        (32_769, b"BEA01", "a UDF volume without ISO 9660"),
        (65_600, b"_BHRfS_M", "a btrfs file system"),
        (510, b"\x55\xaa", "a disk with a partition table"),
    ];
    for (offset, magic, name) in KNOWN {
        let length = u64::try_from(magic.len()).unwrap_or(u64::MAX);
        if source.contains(*offset, length)
            && source.bytes(*offset, length, "the signature")? == *magic
        {
            return Ok(Unsupported::OtherFormat(name));
        }
    }
    Ok(Unsupported::UnknownFormat)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_formats_are_named() {
        let check = |offset: usize, magic: &[u8], expected: &str| {
            let mut image = vec![0_u8; 70_000];
            for (to, from) in image.iter_mut().skip(offset).zip(magic) {
                *to = *from;
            }
            match Drive::open(image.as_slice()) {
                Err(Error::Unsupported(what)) => assert_eq!(what.to_string(), expected),
                other => panic!("{expected}: {other:?}"),
            }
        };
        check(0, b"QFI\xfb", "it is a qcow2 image, not ISO 9660 or FAT");
        check(
            0,
            b"H4sIAAAA",
            "it is gzip in base64, as Ironic takes it, not ISO 9660 or FAT",
        );
        check(
            1080,
            b"\x53\xef",
            "it is an ext2, ext3 or ext4 file system, not ISO 9660 or FAT",
        );
        check(
            510,
            b"\x55\xaa",
            "it is a disk with a partition table, not ISO 9660 or FAT",
        );
        check(
            32_769,
            b"BEA01",
            "it is a UDF volume without ISO 9660, not ISO 9660 or FAT",
        );
        check(9, b"?", "it is neither ISO 9660 nor FAT");
    }
}
