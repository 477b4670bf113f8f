//! ISO 9660 with Joliet and Rock Ridge, and El Torito's boot records.
//!
//! ECMA-119 (4th edition), the Joliet specification, SUSP 1.12 and RRIP 1.12; where genisoimage or Linux's `fs/isofs`
//! differ from them we do as those do, because Nova's drives come from the one and are read by the other.
//! `docs/formats/iso9660.md` has the table of clauses.

mod directory_record;
mod el_torito;
mod hierarchy;
mod joliet;
mod names;
mod path_table;
mod rock_ridge;
mod volume_descriptor;

use std::io;

use crate::{Content, EntryId, Error, Format, Kind, Sink, Timestamp, Tree, content};
use directory_record::{Locations, MAX_EXTENT_BYTES, Writer};
pub use el_torito::{
    Boot, BootImage, CATALOG_BYTES, MAX_IMAGES, MAX_INFO_TABLE_IMAGE_BYTES, Platform,
};
use hierarchy::{Hierarchy, Relocation};
pub use joliet::Joliet;
pub use names::{Length, NameRules};
pub use rock_ridge::RockRidge;

/// The size of a logical sector, and of a logical block on our images (ECMA-119 §6.1.2, §6.2.2).
pub const SECTOR_BYTES: u64 = 2048;
/// Sectors before the first volume descriptor (ECMA-119 §6.2.1).
const SYSTEM_AREA_SECTORS: u32 = 16;
/// What genisoimage and mkisofs append, for drives whose read-ahead fails near the end of a disc.
pub const DEFAULT_PADDING_SECTORS: u32 = 150;

/// How an ISO 9660 image is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// Volume identifier, the label; at most 32 ASCII characters, of which Joliet keeps 16.
    pub volume_id: String,
    /// System identifier; at most 32 ASCII characters.
    pub system_id: String,
    /// Volume set identifier; at most 128 ASCII characters, as are the next three.
    pub volume_set_id: String,
    /// Publisher identifier.
    pub publisher_id: String,
    /// Data preparer identifier.
    pub preparer_id: String,
    /// Application identifier.
    pub application_id: String,
    /// Name of the copyright file in the root; at most 37 ASCII characters, as are the next two.
    pub copyright_file_id: String,
    /// Name of the abstract file in the root.
    pub abstract_file_id: String,
    /// Name of the bibliographic file in the root.
    pub bibliographic_file_id: String,
    /// When the volume was made, and the time of every entry that has none of its own.
    pub time: Timestamp,
    /// Names in the plain tree.
    pub names: NameRules,
    /// Whether there is a Joliet tree.
    pub joliet: Option<Joliet>,
    /// Whether the plain tree has Rock Ridge records.
    pub rock_ridge: Option<RockRidge>,
    /// Leaves directories below the eighth level where they are, against ECMA-119 §6.8.2.1; otherwise Rock Ridge
    /// moves them, and without Rock Ridge they are refused.
    pub deep_directories: bool,
    /// Sectors of zeros after the last file.
    pub padding_sectors: u32,
    /// What is booted from, if anything.
    pub boot: Option<Boot>,
}

impl Options {
    /// Returns what Nova's arguments to genisoimage mean: `-ldots -allow-lowercase -allow-multidot -l -J -r -V LABEL`.
    pub fn new(volume_id: impl Into<String>, time: Timestamp) -> Self {
        Self {
            volume_id: volume_id.into(),
            system_id: "LINUX".to_owned(),
            volume_set_id: String::new(),
            publisher_id: String::new(),
            preparer_id: String::new(),
            application_id: concat!("CHRISTEN ", env!("CARGO_PKG_VERSION")).to_owned(),
            copyright_file_id: String::new(),
            abstract_file_id: String::new(),
            bibliographic_file_id: String::new(),
            time,
            names: NameRules::NOVA,
            joliet: Some(Joliet::Standard),
            rock_ridge: Some(RockRidge::Rationalized),
            deep_directories: false,
            padding_sectors: DEFAULT_PADDING_SECTORS,
            boot: None,
        }
    }
}

/// A tree of an image, as one kind of reader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum View {
    /// The plain tree; Rock Ridge readers see its entries by their full names.
    Plain,
    /// The Joliet tree.
    Joliet,
}

/// Why an entry has another name in a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Characters were replaced that the view does not have.
    Characters,
    /// The name was too long.
    Length,
    /// Another entry had the name already, so it was numbered.
    Collision,
}

/// An entry that has another name in a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The entry.
    pub entry: EntryId,
    /// The view.
    pub view: View,
    /// The name it has there, without a version number.
    pub name: String,
    /// Why.
    pub reason: Reason,
}

/// Where a file's content stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The file.
    pub entry: EntryId,
    /// Its first sector.
    pub sector: u32,
    /// Its length in bytes.
    pub length: u64,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Report {
    /// Size of the image in bytes.
    pub size_bytes: u64,
    /// Entries that have another name in a view, view by view.
    pub renamed: Vec<Renamed>,
    /// Entries whose Rock Ridge name is longer than the 253 bytes that Linux reads (`fs/isofs/rock.c`,
    /// `get_rock_ridge_filename`): its users see a name cut short.
    pub too_long_for_linux: Vec<EntryId>,
    /// Where the files' content stands, in the order of writing.
    pub extents: Vec<Extent>,
}

/// The longest Rock Ridge name that Linux reads.
const MAX_LINUX_NAME_BYTES: usize = 253;

/// Writes an image, front to back.
///
/// # Errors
///
/// [`Error::Boot`], [`Error::CannotHold`], [`Error::TooLarge`] and [`Error::VolumeText`] before anything is written;
/// [`Error::Content`], [`Error::ContentLength`] and [`Error::Write`] on the way.
pub fn write(tree: &Tree, options: &Options, out: &mut dyn Sink) -> Result<Report, Error> {
    let layout = Layout::new(tree, options)?;
    out.expect(layout.size_bytes());
    layout.metadata(tree, options, out).map_err(Error::Write)?;
    for entry in tree.entries() {
        if let Kind::File(file) = tree.kind(entry) {
            layout.file(tree, options, entry, file, out)?;
            let rest = file.len().next_multiple_of(SECTOR_BYTES) - file.len();
            out.write_zeros(rest).map_err(Error::Write)?;
        }
    }
    out.write_zeros(u64::from(options.padding_sectors) * SECTOR_BYTES)
        .map_err(Error::Write)?;
    let too_long_for_linux = if options.rock_ridge.is_some() {
        tree.entries()
            .filter(|entry| tree.name(*entry).len() > MAX_LINUX_NAME_BYTES)
            .collect()
    } else {
        Vec::new()
    };
    Ok(Report {
        size_bytes: layout.size_bytes(),
        renamed: layout.renamed(tree),
        too_long_for_linux,
        extents: layout.extents,
    })
}

/// Returns the size that an image will have, in bytes, without writing it or looking into any content.
///
/// # Errors
///
/// Those of [`write()`] before anything is written.
pub fn size(tree: &Tree, options: &Options) -> Result<u64, Error> {
    Ok(Layout::new(tree, options)?.size_bytes())
}

/// Where everything stands.
struct Layout {
    plain: Hierarchy,
    joliet: Option<Hierarchy>,
    plain_locations: Locations,
    joliet_locations: Option<Locations>,
    plain_tables: Tables,
    joliet_tables: Option<Tables>,
    extents: Vec<Extent>,
    sectors: u32,
}

/// The two path tables of a hierarchy, one for each byte order.
#[derive(Clone, Copy)]
struct Tables {
    length_bytes: u32,
    little_endian: u32,
    big_endian: u32,
}

/// Hands out sectors in order.
struct Cursor(u64);

impl Cursor {
    /// Takes as many sectors as hold this many bytes, and returns the first.
    fn take(&mut self, bytes: u64) -> Result<u32, Error> {
        let first = self.0;
        self.0 += bytes.div_ceil(SECTOR_BYTES);
        // A volume's size is a 32-bit count of blocks (ECMA-119 §8.4.8).
        match (u32::try_from(self.0), u32::try_from(first)) {
            (Ok(_), Ok(first)) => Ok(first),
            _ => Err(Error::TooLarge {
                format: Format::Iso9660,
                needed: self.0,
                limit: u64::from(u32::MAX),
                unit: "sectors",
            }),
        }
    }

    fn tables(&mut self, hierarchy: &Hierarchy) -> Result<Tables, Error> {
        let length = path_table::length(hierarchy);
        Ok(Tables {
            length_bytes: u32::try_from(length).unwrap_or(u32::MAX),
            little_endian: self.take(length)?,
            big_endian: self.take(length)?,
        })
    }
}

impl Layout {
    fn new(tree: &Tree, options: &Options) -> Result<Self, Error> {
        volume_descriptor::check(options)?;
        if let Some(boot) = &options.boot {
            el_torito::check(tree, boot)?;
        }
        let relocation = Relocation::plan(tree, options)?;
        let plain = Hierarchy::plain(tree, options, &relocation)?;
        let joliet = match options.joliet {
            Some(rules) => Some(Hierarchy::joliet(tree, rules)?),
            None => None,
        };
        let descriptors = 2 + u32::from(options.boot.is_some()) + u32::from(joliet.is_some());
        let mut cursor = Cursor(u64::from(SYSTEM_AREA_SECTORS + descriptors));
        let plain_tables = cursor.tables(&plain)?;
        let joliet_tables = match &joliet {
            Some(hierarchy) => Some(cursor.tables(hierarchy)?),
            None => None,
        };
        let mut plain_locations = Writer::new(tree, options, &plain, options.rock_ridge).measure();
        plain_locations.place(&plain.placement, &mut |bytes| cursor.take(bytes))?;
        let mut joliet_locations = joliet
            .as_ref()
            .map(|hierarchy| Writer::new(tree, options, hierarchy, None).measure());
        if let (Some(locations), Some(hierarchy)) = (&mut joliet_locations, &joliet) {
            locations.place(&hierarchy.placement, &mut |bytes| cursor.take(bytes))?;
        }
        let mut extents = Vec::new();
        let mut sectors_of = vec![0; tree.len() + 1];
        for entry in tree.entries() {
            let length = match tree.kind(entry) {
                Kind::Directory => continue,
                Kind::File(content) => Content::len(content),
                Kind::Symlink(_) => 0,
            };
            let sector = cursor.take(length)?;
            sectors_of[entry.index()] = sector;
            if length > 0 {
                extents.push(Extent {
                    entry,
                    sector,
                    length,
                });
            }
        }
        cursor.take(u64::from(options.padding_sectors) * SECTOR_BYTES)?;
        if let Some(locations) = &mut joliet_locations {
            locations.files.clone_from(&sectors_of);
        }
        plain_locations.files = sectors_of;
        Ok(Self {
            plain,
            joliet,
            plain_locations,
            joliet_locations,
            plain_tables,
            joliet_tables,
            extents,
            // `take` has checked it.
            sectors: cursor.0 as u32,
        })
    }

    fn size_bytes(&self) -> u64 {
        u64::from(self.sectors) * SECTOR_BYTES
    }

    /// Writes everything before the first file.
    fn metadata(&self, tree: &Tree, options: &Options, out: &mut dyn Sink) -> io::Result<()> {
        out.write_zeros(u64::from(SYSTEM_AREA_SECTORS) * SECTOR_BYTES)?;
        let mut head = Vec::new();
        volume_descriptor::write(
            &mut head,
            options,
            volume_descriptor::Kind::Primary,
            self.sectors,
            self.plain_tables,
            self.plain_locations.directories[0],
        );
        if let Some(boot) = &options.boot {
            el_torito::record(&mut head, self.plain_locations.files[boot.catalog.index()]);
        }
        if let (Some(tables), Some(locations)) = (self.joliet_tables, &self.joliet_locations) {
            volume_descriptor::write(
                &mut head,
                options,
                volume_descriptor::Kind::Joliet,
                self.sectors,
                tables,
                locations.directories[0],
            );
        }
        volume_descriptor::terminate(&mut head);
        path_table::write(&mut head, &self.plain, &self.plain_locations);
        if let (Some(hierarchy), Some(locations)) = (&self.joliet, &self.joliet_locations) {
            path_table::write(&mut head, hierarchy, locations);
        }
        out.write_all(&head)?;
        Writer::new(tree, options, &self.plain, options.rock_ridge)
            .write(&self.plain_locations, out)?;
        if let (Some(hierarchy), Some(locations)) = (&self.joliet, &self.joliet_locations) {
            Writer::new(tree, options, hierarchy, None).write(locations, out)?;
        }
        Ok(())
    }

    /// Writes a file's content, or what stands in its place.
    fn file(
        &self,
        tree: &Tree,
        options: &Options,
        entry: EntryId,
        file: &Content,
        out: &mut dyn Sink,
    ) -> Result<(), Error> {
        let sectors = &self.plain_locations.files;
        match &options.boot {
            Some(boot) if boot.catalog == entry => {
                let catalog = el_torito::catalog(tree, options, boot, sectors);
                out.write_all(&catalog).map_err(Error::Write)
            }
            Some(boot) if boot.patches(entry) => {
                // `el_torito::check` has bounded its length.
                let mut image = Vec::with_capacity(file.len() as usize);
                content::write(tree, entry, file, &mut image)?;
                el_torito::patch(&mut image, sectors[entry.index()]);
                out.write_all(&image).map_err(Error::Write)
            }
            _ => content::write(tree, entry, file, out),
        }
    }

    fn renamed(&self, tree: &Tree) -> Vec<Renamed> {
        let mut renamed = Vec::new();
        self.plain.renamed(tree, View::Plain, &mut renamed);
        if let Some(hierarchy) = &self.joliet {
            hierarchy.renamed(tree, View::Joliet, &mut renamed);
        }
        renamed
    }
}

/// Appends zeros up to the next sector.
fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(SECTOR_BYTES as usize), 0);
}

/// Appends a 32-bit number in both byte orders (ECMA-119 §7.3.3).
fn both_endian_32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends a 16-bit number in both byte orders (ECMA-119 §7.2.3).
fn both_endian_16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
    out.extend_from_slice(&value.to_be_bytes());
}

/// Returns the seven-byte form of a time (ECMA-119 §9.1.5), in UTC. Its years are those from 1900 to 2155; a time
/// outside of them becomes the first or last year.
fn short_time(time: Timestamp) -> [u8; 7] {
    let civil = time.civil();
    [
        (civil.year - 1900).clamp(0, 255) as u8,
        civil.month,
        civil.day,
        civil.hour,
        civil.minute,
        civil.second,
        0,
    ]
}

const _: () = assert!(MAX_EXTENT_BYTES.is_multiple_of(SECTOR_BYTES));
