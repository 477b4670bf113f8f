//! The walk over a tree of directories (ECMA-119 §6.8).

use std::collections::HashSet;

use super::directory_record::{Record, directory_order, plain_name};
use super::joliet;
use super::rock_ridge::RockRidge;
use super::volume_descriptor::Descriptor;
use crate::Error;
use crate::read::collect::Collector;
use crate::read::entry::{Extent, Storage};
use crate::read::time::record_time;
use crate::read::{Corrupt, Entry, EntryKind, Place, Rule, Source, View, limits};

/// `S_IFMT` and the kinds that a drive may hold.
const TYPE_BITS: u32 = 0o170_000;
const TYPE_DIRECTORY: u32 = 0o040_000;
const TYPE_FILE: u32 = 0o100_000;
const TYPE_SYMLINK: u32 = 0o120_000;

/// A directory that was walked, for the check of the path tables.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    pub(crate) block: u32,
    pub(crate) length: u32,
    pub(crate) path: Vec<u8>,
    pub(crate) identifier: Vec<u8>,
    /// The block of the directory in which its record, or its `CL`, stands.
    pub(crate) parent_block: u32,
    depth: usize,
    relocated: bool,
}

/// What a walk found.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) entries: Vec<Entry>,
    pub(crate) problems: Vec<Corrupt>,
    pub(crate) directories: Vec<Directory>,
}

/// Walks one tree as far as it goes.
pub(super) fn walk(
    source: &Source<'_>,
    descriptor: &Descriptor,
    view: View,
    skip: u8,
) -> Result<Tree, Error> {
    let mut walk = Walk {
        source,
        descriptor,
        view,
        skip,
        collector: Collector::default(),
        seen: HashSet::from([descriptor.root_block]),
        waiting: vec![Directory {
            block: descriptor.root_block,
            length: descriptor.root_bytes,
            path: Vec::new(),
            identifier: vec![0],
            parent_block: descriptor.root_block,
            depth: 0,
            relocated: false,
        }],
    };
    let mut directories = Vec::new();
    while let Some(directory) = walk.waiting.pop() {
        let goes_on = walk.directory(&directory)?;
        directories.push(directory);
        if !goes_on {
            break;
        }
    }
    let (entries, problems) = walk.collector.finish();
    Ok(Tree {
        entries,
        problems,
        directories,
    })
}

struct Walk<'w, 's> {
    source: &'w Source<'s>,
    descriptor: &'w Descriptor,
    view: View,
    skip: u8,
    collector: Collector,
    /// First blocks of the directories met, so that loops end.
    seen: HashSet<u32>,
    waiting: Vec<Directory>,
}

impl Walk<'_, '_> {
    fn block_offset(&self, block: u32) -> u64 {
        u64::from(block).saturating_mul(u64::from(self.descriptor.block_size))
    }

    /// Reads one directory; `false` ends the walk.
    fn directory(&mut self, directory: &Directory) -> Result<bool, Error> {
        let start = self.block_offset(directory.block);
        let place = Place::of("directory", start, &directory.path);
        let length = u64::from(directory.length);
        if !self.collector.afford(length, &place) {
            return Ok(false);
        }
        if !self.source.contains(start, length) {
            let drive = self.source.length();
            self.collector
                .fault(place, Rule::DirectoryPastEnd { length, drive });
            return Ok(true);
        }
        if !directory.length.is_multiple_of(self.descriptor.block_size) {
            self.collector
                .fault(place.clone(), Rule::DirectoryLength(directory.length));
        }
        let bytes = self.source.bytes(start, length, "directory")?;
        let block_size = usize::try_from(self.descriptor.block_size).unwrap_or(usize::MAX);
        let mut index = 0_usize;
        let mut previous: Option<Vec<u8>> = None;
        let mut unfinished: Option<(Vec<u8>, Vec<Extent>)> = None;
        let mut block_start = start;
        for block in bytes.chunks(block_size) {
            let mut rest = block;
            let mut offset = block_start;
            block_start = block_start.saturating_add(u64::from(self.descriptor.block_size));
            loop {
                let place = Place::of("directory record", offset, &directory.path);
                let record = match Record::parse(rest) {
                    Ok(Some(record)) => record,
                    Ok(None) => break,
                    Err(rule) => {
                        self.collector.fault(place, rule);
                        return Ok(true);
                    }
                };
                rest = rest.get(usize::from(record.length)..).unwrap_or_default();
                offset = offset.saturating_add(u64::from(record.length));
                if let Some((field, little, big)) = record.disagreement {
                    self.collector
                        .fault(place.clone(), Rule::BothEndian { field, little, big });
                }
                if index < 2 {
                    self.dot_record(directory, index, &record, &place)?;
                } else if let Some(previous) = &previous {
                    let joliet = self.view == View::Joliet;
                    let unit = if joliet { 2 } else { 1 };
                    // genisoimage orders Joliet by the whole name, others as §9.3 says.
                    let whole = joliet && previous.as_slice() <= record.identifier;
                    if directory_order(previous, record.identifier, unit).is_gt() && !whole {
                        self.collector.fault(place.clone(), Rule::Unordered);
                    }
                }
                if index >= 2 {
                    previous = Some(record.identifier.to_vec());
                }
                index = index.saturating_add(1);
                if record.is_dot() || record.is_dot_dot() || record.associated {
                    continue;
                }
                if !self.record(directory, &record, &place, &mut unfinished)? {
                    return Ok(false);
                }
            }
        }
        if index < 2 {
            self.collector.fault(place.clone(), Rule::NoDotRecords);
        }
        if unfinished.is_some() {
            self.collector.fault(place, Rule::UnfinishedFile);
        }
        Ok(true)
    }

    /// Checks `.` and `..`, and in Rock Ridge that a relocated directory knows its parent.
    fn dot_record(
        &mut self,
        directory: &Directory,
        index: usize,
        record: &Record<'_>,
        place: &Place,
    ) -> Result<(), Error> {
        let dot = index == 0;
        if (dot && !record.is_dot()) || (!dot && !record.is_dot_dot()) {
            self.collector.fault(place.clone(), Rule::NoDotRecords);
            return Ok(());
        }
        let (name, expected) = if dot {
            (".", directory.block)
        } else {
            ("..", directory.parent_block)
        };
        // xorriso 1.5.4 writes the directory itself as `..` in Joliet; Linux looks at neither.
        let habit = !dot && self.view == View::Joliet && record.block == directory.block;
        if !dot && self.view == View::RockRidge && directory.relocated {
            let fields = self.system_use(record, place)?;
            if let Some(parent) = fields.parent_link.filter(|parent| *parent != expected) {
                self.collector
                    .fault(place.clone(), Rule::ParentLink { parent, expected });
            }
        } else if record.block != expected && !habit {
            self.collector.fault(
                place.clone(),
                Rule::DotRecord {
                    record: name,
                    block: record.block,
                    expected,
                },
            );
        }
        Ok(())
    }

    fn system_use(&mut self, record: &Record<'_>, place: &Place) -> Result<RockRidge, Error> {
        let area = record
            .system_use
            .get(usize::from(self.skip)..)
            .unwrap_or_default();
        let fields = RockRidge::read(self.source, area, self.descriptor.block_size)?;
        for fault in fields.corrupt(place) {
            self.collector.fault(fault.place, fault.rule);
        }
        Ok(fields)
    }

    /// Takes one record into the tree; `false` ends the walk.
    fn record(
        &mut self,
        directory: &Directory,
        record: &Record<'_>,
        place: &Place,
        unfinished: &mut Option<(Vec<u8>, Vec<Extent>)>,
    ) -> Result<bool, Error> {
        let mut fields = RockRidge::default();
        let name = match self.view {
            View::RockRidge => {
                fields = self.system_use(record, place)?;
                if !self.collector.afford(fields.continued_bytes, place) {
                    return Ok(false);
                }
                if fields.relocated {
                    return Ok(true);
                }
                fields
                    .name
                    .take()
                    .unwrap_or_else(|| plain_name(record.identifier))
            }
            View::Joliet => {
                let (name, fault) = joliet::name(record.identifier);
                if let Some(rule) = fault {
                    self.collector.fault(place.clone(), rule);
                }
                name
            }
            _ => plain_name(record.identifier),
        };
        let Some(path) = self.collector.child_path(&directory.path, &name, place) else {
            return Ok(true);
        };
        let place = Place {
            path: Some(path.clone()),
            ..place.clone()
        };
        let kind = self.kind(record, &mut fields, &place);
        let mut extents = match unfinished.take() {
            Some((identifier, extents)) if identifier == record.identifier => extents,
            Some(_) => {
                self.collector.fault(place.clone(), Rule::UnfinishedFile);
                Vec::new()
            }
            None => Vec::new(),
        };
        let (mut length, storage) = match kind {
            EntryKind::File => {
                if record.data_length > 0 {
                    extents.push(Extent {
                        offset: self.block_offset(record.block),
                        length: u64::from(record.data_length),
                    });
                }
                if extents.len() > limits::MAX_EXTENTS_IN_FILE {
                    self.collector.fault(place, Rule::TooManyExtents);
                    return Ok(false);
                }
                if record.more_extents {
                    *unfinished = Some((record.identifier.to_vec(), extents));
                    return Ok(true);
                }
                let length = extents
                    .iter()
                    .fold(0_u64, |sum, extent| sum.saturating_add(extent.length));
                self.check_extents(&extents, &place);
                let storage = if fields.zisofs {
                    Storage::Zisofs
                } else if fields.sparse {
                    Storage::Sparse
                } else if record.interleaved {
                    Storage::Interleaved
                } else {
                    Storage::Extents(extents)
                };
                (length, storage)
            }
            _ => (0, Storage::Extents(Vec::new())),
        };
        let is_directory = kind == EntryKind::Directory;
        if !is_directory && kind != EntryKind::File {
            length = 0;
        }
        let posix = fields.posix;
        let entry = Entry {
            path: path.clone(),
            identifier: record.identifier.to_vec(),
            kind,
            mode: posix.map(|(mode, _, _)| mode & 0o7777),
            uid: posix.map(|(_, uid, _)| uid),
            gid: posix.map(|(_, _, gid)| gid),
            mtime: fields.mtime.or_else(|| record_time(record.recording_time)),
            length,
            view: self.view,
            storage,
        };
        if entry.mtime.is_none() && record.recording_time != [0; 7] {
            self.collector.fault(place.clone(), Rule::BadTime);
        }
        if !self.collector.add(entry, &place) {
            return Ok(false);
        }
        if is_directory {
            self.enqueue(directory, record, fields.child_link, path, &place)?;
        }
        Ok(true)
    }

    fn kind(&mut self, record: &Record<'_>, fields: &mut RockRidge, place: &Place) -> EntryKind {
        let directory = record.directory || fields.child_link.is_some();
        if self.view == View::RockRidge && fields.posix.is_none() {
            self.collector.fault(place.clone(), Rule::NoPosix);
        }
        let type_bits = fields.posix.map(|(mode, _, _)| mode & TYPE_BITS);
        if let Some((mode, _, _)) = fields.posix
            && directory != (mode & TYPE_BITS == TYPE_DIRECTORY)
        {
            self.collector.fault(place.clone(), Rule::ModeKind { mode });
        }
        match type_bits {
            _ if directory => EntryKind::Directory,
            Some(TYPE_SYMLINK) => EntryKind::Symlink {
                target: fields.symlink.take().unwrap_or_default(),
            },
            None | Some(TYPE_FILE | TYPE_DIRECTORY) => EntryKind::File,
            Some(type_bits) => EntryKind::Special { type_bits },
        }
    }

    fn check_extents(&mut self, extents: &[Extent], place: &Place) {
        let volume = self.block_offset(self.descriptor.space_blocks);
        for extent in extents {
            if !self.source.contains(extent.offset, extent.length) {
                let rule = Rule::PastEnd {
                    length: extent.length,
                    drive: self.source.length(),
                };
                self.collector.fault(place.clone(), rule);
            } else if extent.end() > volume {
                let rule = Rule::PastVolume {
                    blocks: self.descriptor.space_blocks,
                };
                self.collector.fault(place.clone(), rule);
            }
        }
    }

    /// Puts a directory on the list of those to be walked, once.
    fn enqueue(
        &mut self,
        parent: &Directory,
        record: &Record<'_>,
        child_link: Option<u32>,
        path: Vec<u8>,
        place: &Place,
    ) -> Result<(), Error> {
        let depth = parent.depth.saturating_add(1);
        if depth > limits::MAX_DEPTH {
            self.collector.fault(place.clone(), Rule::TooDeep);
            return Ok(());
        }
        let (block, length) = match child_link {
            None => (record.block, record.data_length),
            // The length of a relocated directory stands in its own first record.
            Some(block) => match self.relocated_length(block)? {
                Some(length) => (block, length),
                None => {
                    self.collector.fault(place.clone(), Rule::ChildLink(block));
                    return Ok(());
                }
            },
        };
        if !self.seen.insert(block) {
            self.collector.fault(place.clone(), Rule::DirectoryLoop);
            return Ok(());
        }
        self.waiting.push(Directory {
            block,
            length,
            path,
            identifier: record.identifier.to_vec(),
            parent_block: parent.block,
            depth,
            relocated: child_link.is_some(),
        });
        Ok(())
    }

    fn relocated_length(&self, block: u32) -> Result<Option<u32>, Error> {
        let offset = self.block_offset(block);
        let size = u64::from(self.descriptor.block_size);
        if !self.source.contains(offset, size) {
            return Ok(None);
        }
        let bytes = self.source.bytes(offset, size, "relocated directory")?;
        Ok(match Record::parse(&bytes) {
            Ok(Some(record)) if record.is_dot() && record.block == block => {
                Some(record.data_length)
            }
            _ => None,
        })
    }
}
