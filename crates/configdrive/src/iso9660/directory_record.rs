//! Directories: one record for each entry (ECMA-119 §9.1), with Rock Ridge's fields behind it.

use std::io;

use super::hierarchy::{Directory, Hierarchy, Target};
use super::rock_ridge::{self, Continuation, RockRidge, Role};
use super::{Options, SECTOR_BYTES, both_endian_16, both_endian_32, pad, short_time};
use crate::{Attributes, Content, EntryId, Error, Kind, Sink, Tree};

/// The most that one extent of a file holds: the largest whole number of sectors below 4 GiB (ECMA-119 §9.1.4).
pub(super) const MAX_EXTENT_BYTES: u64 = 0xffff_f800;
/// A record's length is one byte, and even (ECMA-119 §9.1.1, §9.1.13).
const MAX_RECORD_BYTES: usize = 254;
/// A record without its identifier.
const FIXED_BYTES: usize = 33;

/// File flags (ECMA-119 §9.1.6).
const DIRECTORY: u8 = 0x02;
const MULTI_EXTENT: u8 = 0x80;

/// Where a directory stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) sector: u32,
    pub(super) length_bytes: u32,
    /// Length of the continuation areas right behind it. libarchive reads front to back, and has to have read a
    /// directory's name before it comes to the directory.
    continuation_bytes: u32,
}

impl Place {
    /// Returns the length of both, in bytes, filled up to a sector.
    fn whole_sectors(self) -> u64 {
        // The first one is filled up already.
        let both = u64::from(self.length_bytes) + u64::from(self.continuation_bytes);
        both.next_multiple_of(SECTOR_BYTES)
    }

    fn continuation_sector(self) -> u32 {
        self.sector + self.length_bytes.div_ceil(SECTOR_BYTES as u32)
    }
}

/// Where the parts of one tree of an image stand.
#[derive(Debug, Default)]
pub(super) struct Locations {
    /// By number of the directory.
    pub(super) directories: Vec<Place>,
    /// First sector of each file, by entry.
    pub(super) files: Vec<u32>,
    /// The sector after the last directory.
    pub(super) end_sector: u32,
}

impl Locations {
    /// Gives places to what was measured.
    pub(super) fn place(
        &mut self,
        placement: &[u32],
        take: &mut impl FnMut(u64) -> Result<u32, Error>,
    ) -> Result<(), Error> {
        for number in placement {
            let place = &mut self.directories[*number as usize];
            place.sector = take(place.whole_sectors())?;
        }
        self.end_sector = take(0)?;
        Ok(())
    }
}

/// Writes the directories of one tree of an image.
pub(super) struct Writer<'a> {
    tree: &'a Tree,
    hierarchy: &'a Hierarchy,
    rock_ridge: Option<RockRidge>,
    short_time: [u8; 7],
}

/// Buffers for one run.
struct Run<'a> {
    locations: &'a Locations,
    continuation: Continuation,
    fields: Vec<u8>,
    inline: Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        tree: &'a Tree,
        options: &Options,
        hierarchy: &'a Hierarchy,
        rock_ridge: Option<RockRidge>,
    ) -> Self {
        Self {
            tree,
            hierarchy,
            rock_ridge,
            short_time: short_time(options.time),
        }
    }

    /// Returns how long everything is, by writing it with every place 0: lengths do not depend on places.
    pub(super) fn measure(&self) -> Locations {
        let locations = Locations {
            directories: vec![Place::default(); self.hierarchy.directories.len()],
            files: vec![0; self.tree.len() + 1],
            ..Locations::default()
        };
        let mut run = Run::new(&locations);
        let mut scratch = Vec::new();
        let mut directories = vec![Place::default(); self.hierarchy.directories.len()];
        for number in &self.hierarchy.placement {
            scratch.clear();
            self.directory(*number, &mut run, &mut scratch);
            let place = &mut directories[*number as usize];
            place.length_bytes = scratch.len() as u32;
            place.continuation_bytes = run.continuation.bytes.len() as u32;
        }
        Locations {
            directories,
            ..Locations::default()
        }
    }

    /// Writes every directory, each with its continuation areas.
    pub(super) fn write(&self, locations: &Locations, out: &mut dyn Sink) -> io::Result<()> {
        let mut run = Run::new(locations);
        let mut scratch = Vec::new();
        for number in &self.hierarchy.placement {
            scratch.clear();
            self.directory(*number, &mut run, &mut scratch);
            scratch.extend_from_slice(&run.continuation.bytes);
            pad(&mut scratch);
            debug_assert_eq!(
                scratch.len() as u64,
                locations.directories[*number as usize].whole_sectors(),
                "measured and written must agree"
            );
            out.write_all(&scratch)?;
        }
        Ok(())
    }

    /// Appends one directory, filled up to a sector.
    fn directory(&self, number: u32, run: &mut Run<'_>, out: &mut Vec<u8>) {
        let directory = &self.hierarchy.directories[number as usize];
        let own = run.locations.directories[number as usize];
        run.continuation.clear(own.continuation_sector());
        let role = match number {
            0 => Role::Root,
            _ => Role::Itself,
        };
        self.directory_record(directory, own, &[0], role, run, out);
        let parent = &self.hierarchy.directories[directory.parent as usize];
        let above = run.locations.directories[directory.parent as usize];
        let role = match directory.entry {
            Some(entry) if directory.moved => {
                let parent = self.hierarchy.number(self.tree.parent(entry));
                Role::MovedParent(run.locations.directories[parent as usize].sector)
            }
            _ => Role::Itself,
        };
        self.directory_record(parent, above, &[1], role, run, out);
        for index in directory.records.clone() {
            let record = &self.hierarchy.records[index as usize];
            let identifier = record.identifier.bytes(&self.hierarchy.identifiers);
            match (record.target, record.entry) {
                (Target::Directory(child), _) => {
                    let child_directory = &self.hierarchy.directories[child as usize];
                    let place = run.locations.directories[child as usize];
                    let role = match record.entry {
                        None => Role::Moved("rr_moved"),
                        Some(entry) if child_directory.moved => Role::Moved(self.tree.name(entry)),
                        Some(entry) => Role::Named(self.tree.name(entry)),
                    };
                    self.directory_record(child_directory, place, identifier, role, run, out);
                }
                (Target::Moved, Some(entry)) => {
                    let child = self.hierarchy.number(entry) as usize;
                    let place = run.locations.directories[child];
                    self.fields(
                        Some(entry),
                        self.hierarchy.directories[child].subdirectories + 2,
                        Role::Placeholder(self.tree.name(entry), place.sector),
                        run,
                    );
                    // Readers without Rock Ridge see an empty file, which has no place of its own.
                    self.record(
                        run.locations.end_sector,
                        0,
                        0,
                        identifier,
                        Some(entry),
                        run,
                        out,
                    );
                }
                (_, Some(entry)) => self.file(entry, identifier, run, out),
                (_, None) => {}
            }
        }
        pad(out);
    }

    fn directory_record(
        &self,
        directory: &Directory,
        place: Place,
        identifier: &[u8],
        role: Role<'_>,
        run: &mut Run<'_>,
        out: &mut Vec<u8>,
    ) {
        self.fields(directory.entry, directory.subdirectories + 2, role, run);
        self.record(
            place.sector,
            place.length_bytes,
            DIRECTORY,
            identifier,
            directory.entry,
            run,
            out,
        );
    }

    fn file(&self, entry: EntryId, identifier: &[u8], run: &mut Run<'_>, out: &mut Vec<u8>) {
        let mut sector = run.locations.files[entry.index()];
        let mut left = match self.tree.kind(entry) {
            Kind::File(content) => Content::len(content),
            Kind::Directory | Kind::Symlink(_) => 0,
        };
        loop {
            let step = left.min(MAX_EXTENT_BYTES);
            left -= step;
            let flags = if left > 0 { MULTI_EXTENT } else { 0 };
            self.fields(Some(entry), 1, Role::Named(self.tree.name(entry)), run);
            // `step` is below 4 GiB.
            self.record(
                sector,
                step as u32,
                flags,
                identifier,
                Some(entry),
                run,
                out,
            );
            if left == 0 {
                break;
            }
            sector = sector.wrapping_add(step.div_ceil(SECTOR_BYTES) as u32);
        }
    }

    /// Prepares the Rock Ridge fields of the next record.
    fn fields(&self, entry: Option<EntryId>, links: u32, role: Role<'_>, run: &mut Run<'_>) {
        run.fields.clear();
        if let Some(mode) = self.rock_ridge {
            let attributes = self.attributes(entry);
            let kind = entry.map(|entry| self.tree.kind(entry));
            let time = attributes.modified.map_or(self.short_time, short_time);
            rock_ridge::fields(&mut run.fields, mode, kind, attributes, time, links, role);
        }
    }

    fn attributes(&self, entry: Option<EntryId>) -> Attributes {
        self.tree.attributes(entry.unwrap_or(EntryId::ROOT))
    }

    /// Appends a record. It does not cross a sector's end (ECMA-119 §6.8.1.1).
    ///
    /// | offset | size | field                                        |
    /// |-------:|-----:|----------------------------------------------|
    /// |      0 |    1 | length of the record                         |
    /// |      1 |    1 | length of extended attributes, 0             |
    /// |      2 |    8 | first sector, both byte orders               |
    /// |     10 |    8 | length of the extent, both byte orders       |
    /// |     18 |    7 | time                                         |
    /// |     25 |    1 | file flags                                   |
    /// |     26 |    2 | interleaving, 0                              |
    /// |     28 |    4 | number of the volume, 1, both byte orders    |
    /// |     32 |    1 | length of the identifier                     |
    /// |     33 |      | identifier, a zero after an even length      |
    /// |        |      | system use, filled up to an even length      |
    #[allow(clippy::too_many_arguments, reason = "a record's fields, in its order")]
    fn record(
        &self,
        sector: u32,
        length: u32,
        flags: u8,
        identifier: &[u8],
        entry: Option<EntryId>,
        run: &mut Run<'_>,
        out: &mut Vec<u8>,
    ) {
        let named = (FIXED_BYTES + identifier.len()).next_multiple_of(2);
        run.inline.clear();
        run.continuation
            .place(&run.fields, MAX_RECORD_BYTES - named, &mut run.inline);
        let total = (named + run.inline.len()).next_multiple_of(2);
        let sector_bytes = SECTOR_BYTES as usize;
        if out.len() % sector_bytes + total > sector_bytes {
            pad(out);
        }
        let start = out.len();
        out.extend_from_slice(&[total as u8, 0]);
        both_endian_32(out, sector);
        both_endian_32(out, length);
        out.extend_from_slice(
            &self
                .attributes(entry)
                .modified
                .map_or(self.short_time, short_time),
        );
        out.extend_from_slice(&[flags, 0, 0]);
        both_endian_16(out, 1);
        out.push(identifier.len() as u8);
        out.extend_from_slice(identifier);
        out.resize(start + named, 0);
        out.extend_from_slice(&run.inline);
        out.resize(start + total, 0);
    }
}

impl<'a> Run<'a> {
    fn new(locations: &'a Locations) -> Self {
        Self {
            locations,
            continuation: Continuation::default(),
            fields: Vec::new(),
            inline: Vec::new(),
        }
    }
}
