//! The directories of one tree of an image in the order of its path table, and what is recorded in each.

use std::collections::HashSet;
use std::ops::Range;

use super::names::{self, Identifier, Room};
use super::{Joliet, Options, Renamed, View};
use crate::{EntryId, Error, Format, Kind, Tree};

/// A path table names a parent by a 16-bit number (ECMA-119 §9.4.4).
const MAX_DIRECTORIES: usize = 65_535;
/// The root is the first of the eight levels of ECMA-119 §6.8.2.1, so a path has at most seven parts.
const MAX_DEPTH: u32 = 7;
/// Where Rock Ridge moves directories that are too deep: one of genisoimage's two names for it, and the one that
/// libarchive insists on (`archive_read_support_format_iso9660.c`, `parse_file_info`).
const RELOCATED: &str = "rr_moved";

/// Which directories Rock Ridge moves, and where to.
#[derive(Debug, Default)]
pub(super) struct Relocation {
    /// In the order of the tree.
    moved: Vec<EntryId>,
    is_moved: HashSet<EntryId>,
    /// A directory of the tree that has the name already; a new one otherwise.
    home: Option<EntryId>,
}

impl Relocation {
    pub(super) fn plan(tree: &Tree, options: &Options) -> Result<Self, Error> {
        let mut relocation = Self::default();
        if tree.deepest_directory() <= MAX_DEPTH || options.deep_directories {
            return Ok(relocation);
        }
        let cannot_hold = |entry, rule| Error::CannotHold {
            format: Format::Iso9660,
            path: tree.path(entry),
            rule,
        };
        let mut depths = vec![0_u8; tree.len() + 1];
        for entry in tree.entries().filter(|entry| tree.is_directory(*entry)) {
            let mut depth = depths[tree.parent(entry).index()] + 1;
            if u32::from(depth) > MAX_DEPTH {
                if options.rock_ridge.is_none() {
                    let rule = "without Rock Ridge a directory has at most seven above it";
                    return Err(cannot_hold(entry, rule));
                }
                relocation.moved.push(entry);
                relocation.is_moved.insert(entry);
                // In the directory of the moved ones.
                depth = 2;
            }
            depths[entry.index()] = depth;
        }
        relocation.home = tree.child(EntryId::ROOT, RELOCATED);
        match relocation.home {
            Some(home) if !tree.is_directory(home) => {
                let rule = "deep directories are moved to a directory of this name";
                Err(cannot_hold(home, rule))
            }
            _ => Ok(relocation),
        }
    }

    fn has(&self, entry: EntryId) -> bool {
        !self.is_moved.is_empty() && self.is_moved.contains(&entry)
    }
}

/// One directory.
#[derive(Debug)]
pub(super) struct Directory {
    /// Absent for a directory that exists for the moved ones only.
    pub(super) entry: Option<EntryId>,
    /// Number of the directory above, counted from 0; the root is above itself.
    pub(super) parent: u32,
    pub(super) identifier: Option<Identifier>,
    pub(super) records: Range<u32>,
    /// Directories below it as the tree has them, wherever they are recorded.
    pub(super) subdirectories: u32,
    /// Whether it is recorded elsewhere than the tree has it.
    pub(super) moved: bool,
}

/// What a directory has recorded.
#[derive(Debug)]
pub(super) struct Record {
    /// Absent for the directory of the moved ones.
    pub(super) entry: Option<EntryId>,
    pub(super) identifier: Identifier,
    pub(super) target: Target,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A file or a link.
    File,
    /// A directory, with its number.
    Directory(u32),
    /// A directory that is recorded elsewhere.
    Moved,
}

/// The directories of one tree of an image.
#[derive(Debug)]
pub(super) struct Hierarchy {
    pub(super) directories: Vec<Directory>,
    pub(super) records: Vec<Record>,
    /// All identifiers, end to end.
    pub(super) identifiers: Vec<u8>,
    /// Numbers of the directories in the order in which they stand in the image.
    pub(super) placement: Vec<u32>,
    /// For each entry of the tree that is a directory, its number.
    numbers: Vec<u32>,
}

impl Hierarchy {
    pub(super) fn plain(
        tree: &Tree,
        options: &Options,
        relocation: &Relocation,
    ) -> Result<Self, Error> {
        let rules = options.names;
        Self::new(
            tree,
            relocation,
            Room::plain(rules),
            |buffer, name, directory| names::plain(buffer, name, directory, rules),
            names::order,
        )
    }

    pub(super) fn joliet(tree: &Tree, rules: Joliet) -> Result<Self, Error> {
        let most = rules.most_units();
        Self::new(
            tree,
            &Relocation::default(),
            Room::joliet(most),
            |buffer, name, _| names::joliet(buffer, name, most),
            names::joliet_order,
        )
    }

    /// Returns the number of a directory of the tree.
    pub(super) fn number(&self, entry: EntryId) -> u32 {
        self.numbers[entry.index()]
    }

    pub(super) fn renamed(&self, tree: &Tree, view: View, renamed: &mut Vec<Renamed>) {
        for record in &self.records {
            let (Some(entry), Some(reason)) = (record.entry, record.identifier.reason) else {
                continue;
            };
            if record.target == Target::Moved {
                continue;
            }
            let bytes = record.identifier.name(&self.identifiers);
            let name = match view {
                View::Plain => {
                    let name = String::from_utf8_lossy(bytes);
                    // Readers drop the dot of a name without extension, whoever put it there.
                    match name.strip_suffix('.') {
                        Some(name) if !tree.is_directory(entry) => name.to_owned(),
                        _ => name.into_owned(),
                    }
                }
                View::Joliet => char::decode_utf16(
                    bytes
                        .chunks_exact(2)
                        .map(|unit| u16::from_be_bytes([unit[0], unit[1]])),
                )
                .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect(),
            };
            renamed.push(Renamed {
                entry,
                view,
                name,
                reason,
            });
        }
    }

    fn new(
        tree: &Tree,
        relocation: &Relocation,
        room: Room,
        identify: impl Fn(&mut Vec<u8>, &str, bool) -> Identifier,
        order: fn(&[u8], &[u8]) -> std::cmp::Ordering,
    ) -> Result<Self, Error> {
        let mut hierarchy = Self {
            directories: vec![Directory {
                entry: Some(EntryId::ROOT),
                parent: 0,
                identifier: None,
                records: 0..0,
                subdirectories: 0,
                moved: false,
            }],
            records: Vec::with_capacity(tree.len()),
            identifiers: Vec::with_capacity(tree.len() * 16),
            placement: Vec::new(),
            numbers: vec![0; tree.len() + 1],
        };
        // Directories are taken up level by level, in each by the number of the one above and then by name:
        // the order of ECMA-119 §6.9.1.
        let mut number = 0;
        while number < hierarchy.directories.len() {
            hierarchy.fill(tree, relocation, number as u32, &identify);
            let Self {
                records,
                identifiers,
                directories,
                numbers,
                ..
            } = &mut hierarchy;
            let start = directories[number].records.start as usize;
            let records = &mut records[start..];
            let compare = |buffer: &[u8], left: &Record, right: &Record| {
                order(
                    left.identifier.bytes(buffer),
                    right.identifier.bytes(buffer),
                )
            };
            records.sort_by(|left, right| compare(identifiers, left, right));
            let renumbered = names::number(
                identifiers,
                records,
                room,
                |record| &mut record.identifier,
                |record| record.entry.map_or(u32::MAX, |entry| entry.index() as u32),
            );
            if renumbered {
                records.sort_by(|left, right| compare(identifiers, left, right));
            }
            for record in records {
                if record.target == Target::Directory(0) {
                    let child = directories.len() as u32;
                    record.target = Target::Directory(child);
                    if let Some(entry) = record.entry {
                        numbers[entry.index()] = child;
                    }
                    directories.push(Directory {
                        entry: record.entry,
                        parent: number as u32,
                        identifier: Some(record.identifier),
                        records: 0..0,
                        subdirectories: 0,
                        moved: record.entry.is_some_and(|entry| relocation.has(entry)),
                    });
                }
            }
            if directories.len() > MAX_DIRECTORIES {
                return Err(Error::TooLarge {
                    format: Format::Iso9660,
                    needed: tree
                        .entries()
                        .filter(|entry| tree.is_directory(*entry))
                        .count() as u64
                        + 1,
                    limit: MAX_DIRECTORIES as u64,
                    unit: "directories",
                });
            }
            number += 1;
        }
        hierarchy.place(relocation);
        Ok(hierarchy)
    }

    /// Decides where directories stand: in the order of their numbers, but the moved ones first, each after the one
    /// that the tree has above it. libarchive reads front to back and finds no other order.
    fn place(&mut self, relocation: &Relocation) {
        let count = self.directories.len();
        if relocation.moved.is_empty() {
            self.placement.extend(0..count as u32);
            return;
        }
        let mut placed = vec![false; count];
        let home = |directory: &Directory| directory.entry == relocation.home;
        let home = self.directories.iter().position(home).unwrap_or(0) as u32;
        let moved = relocation
            .moved
            .iter()
            .rev()
            .map(|entry| self.number(*entry));
        let mut stack: Vec<u32> = moved.chain([home, 0]).collect();
        // Root and home stand for themselves only; below each moved one stands all that is recorded there.
        let alone = [home, 0];
        let mut next = 0..count as u32;
        while let Some(number) = stack.pop().or_else(|| next.next()) {
            if std::mem::replace(&mut placed[number as usize], true) {
                continue;
            }
            self.placement.push(number);
            let directory = &self.directories[number as usize];
            if !alone.contains(&number) && self.placement.len() < count {
                let records = directory.records.clone();
                let below = self.records[records.start as usize..records.end as usize]
                    .iter()
                    .rev()
                    .filter_map(|record| match record.target {
                        Target::Directory(child) => Some(child),
                        Target::File | Target::Moved => None,
                    });
                stack.extend(below);
            }
        }
    }

    /// Puts down what a directory has in it, in any order.
    fn fill(
        &mut self,
        tree: &Tree,
        relocation: &Relocation,
        number: u32,
        identify: &impl Fn(&mut Vec<u8>, &str, bool) -> Identifier,
    ) {
        let start = self.records.len() as u32;
        let entry = self.directories[number as usize].entry;
        let mut subdirectories = 0;
        let mut put = |entry: Option<EntryId>, name: &str, target: Target| {
            let directory = target != Target::File;
            self.records.push(Record {
                entry,
                identifier: identify(&mut self.identifiers, name, directory),
                target,
            });
        };
        if let Some(entry) = entry {
            for child in tree.children(entry).iter().copied() {
                let target = match tree.kind(child) {
                    Kind::Directory if relocation.has(child) => Target::Moved,
                    Kind::Directory => Target::Directory(0),
                    Kind::File(_) | Kind::Symlink(_) => Target::File,
                };
                subdirectories += u32::from(target != Target::File);
                put(Some(child), tree.name(child), target);
            }
        }
        if entry == Some(EntryId::ROOT) && relocation.home.is_none() && !relocation.moved.is_empty()
        {
            put(None, RELOCATED, Target::Directory(0));
        }
        if entry == relocation.home || entry.is_none() {
            for moved in &relocation.moved {
                put(Some(*moved), tree.name(*moved), Target::Directory(0));
            }
        }
        let directory = &mut self.directories[number as usize];
        directory.records = start..self.records.len() as u32;
        directory.subdirectories = subdirectories;
    }
}
