//! Directories: what their entries name.
//!
//! Linux `Documentation/filesystems/ext4/directory.rst`; what is a fault is said by e2fsck `pass2.c`, `check_dir_block`.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use christen_vfs::Error;

use super::Audit;
use super::bytes::{crc32c, u16_at, u32_at};
use super::index::Index;
use super::inodes::{self, Inode};
use super::mapping::{self, Run, Visitor};

/// An entry as it stands in a region.
#[derive(Debug, Clone, Copy)]
struct Entry<'r> {
    inode: u32,
    sort: u8,
    name: &'r [u8],
}

/// A directory while it is read.
struct Reading<'i> {
    inode: &'i Inode,
    names: HashSet<u64>,
    entries: u64,
}

impl Audit<'_> {
    /// Goes through all directories.
    pub(super) fn check_names(&mut self) -> Result<(), Error> {
        let directories: Vec<u32> = self
            .inodes
            .iter()
            .filter(|(_, seen)| seen.readable)
            .map(|(number, _)| *number)
            .collect();
        self.report.directories = directories.len() as u64;
        for number in directories {
            let inode = Inode::read(self.reader, self.groups, number)?;
            let mut reading = Reading {
                inode: &inode,
                names: HashSet::new(),
                entries: 0,
            };
            if inode.is_inline() {
                self.check_inline(&mut reading);
            } else {
                self.check_blocks_of_names(&mut reading)?;
            }
        }
        Ok(())
    }

    fn check_inline(&mut self, reading: &mut Reading<'_>) {
        let inode = reading.inode;
        let parent = u32_at(inode.block(), 0);
        for (inode, name) in [(inode.number, &b"."[..]), (parent, b"..")] {
            let entry = Entry {
                inode,
                sort: 2,
                name,
            };
            self.check_entry(reading, entry, None);
        }
        let value = inline_value(inode).unwrap_or(&[]);
        if !value.len().is_multiple_of(4) || (!value.is_empty() && value.len() < 12) {
            self.find_inode(
                inode.number,
                "its inline data has a length that no entries have",
            );
            return;
        }
        for region in [&inode.block()[4..], value] {
            if let Err(rule) = self.check_region(reading, region, None) {
                self.find_inode(inode.number, format!("inline directory: {rule}"));
            }
        }
    }

    fn check_blocks_of_names(&mut self, reading: &mut Reading<'_>) -> Result<(), Error> {
        let geometry = self.reader.geometry;
        let inode = reading.inode;
        let mut runs = Runs(Vec::new());
        mapping::walk(self.reader, inode, &mut runs)?;
        let blocks: Vec<u64> = runs
            .0
            .iter()
            .flat_map(|run| run.physical..run.physical + run.length)
            .collect();
        let mut index = None;
        if inode.is_indexed()
            && let Some(first) = blocks.first()
        {
            let root = self.reader.block(*first)?;
            match Index::new(geometry, inode, &root, blocks.len()) {
                Ok(new) => index = Some(new),
                Err(rule) => self.find_inode(inode.number, format!("index: {rule}")),
            }
        }
        for (logical, block) in blocks.iter().enumerate() {
            let bytes = self.reader.block(*block)?;
            let is_node = match &mut index {
                Some(index) => match index.take_block(geometry, inode, logical, &bytes) {
                    Ok(is_node) => is_node,
                    Err(rule) => {
                        self.find_inode(
                            inode.number,
                            format!("index, block {logical} of the directory: {rule}"),
                        );
                        true
                    }
                },
                None => false,
            };
            let mut end = bytes.len();
            if let Some(seed) = inode.seed
                && !is_node
            {
                end -= 12;
                if bytes[end..end + 8] != [0, 0, 0, 0, 12, 0, 0, 0xde]
                    || u32_at(&bytes, end + 8) != crc32c(seed, &bytes[..end])
                {
                    self.find_inode(
                        inode.number,
                        format!("block {logical} of the directory has a wrong checksum or none"),
                    );
                }
            }
            let leaf = index.as_mut().map(|index| (index, logical));
            if let Err(rule) = self.check_region(reading, &bytes[..end], leaf) {
                self.find_inode(
                    inode.number,
                    format!("block {logical} of the directory: {rule}"),
                );
            }
        }
        if let Some(index) = index {
            for rule in index.finish() {
                self.find_inode(inode.number, format!("index: {rule}"));
            }
        }
        Ok(())
    }

    /// Checks the entries that fill a region.
    fn check_region(
        &mut self,
        reading: &mut Reading<'_>,
        region: &[u8],
        mut leaf: Option<(&mut Index, usize)>,
    ) -> Result<(), &'static str> {
        let block_bytes = self.reader.geometry.block_bytes;
        let mut at = 0;
        while at < region.len() {
            let rest = &region[at..];
            if rest.len() < 12 {
                return Err("an entry is too short");
            }
            let mut length = usize::from(u16_at(rest, 4));
            if block_bytes == 1 << 16 && matches!(length, 0 | 0xffff) {
                length = block_bytes;
            }
            let name_bytes = usize::from(rest[6]);
            if length < 12 || length % 4 != 0 || length > rest.len() {
                return Err("the length of an entry is too small, too large or no multiple of 4");
            }
            if name_bytes + 8 > length {
                return Err("a name is longer than its entry");
            }
            let left = rest.len() - length;
            if left != 0 && left < 12 {
                return Err("the last entry does not end at the end");
            }
            let entry = Entry {
                inode: u32_at(rest, 0),
                sort: rest[7],
                name: &rest[8..8 + name_bytes],
            };
            self.check_entry(
                reading,
                entry,
                leaf.as_mut().map(|(index, at)| (&mut **index, *at)),
            );
            at += length;
        }
        Ok(())
    }

    fn check_entry(
        &mut self,
        reading: &mut Reading<'_>,
        entry: Entry<'_>,
        leaf: Option<(&mut Index, usize)>,
    ) {
        let geometry = self.reader.geometry;
        let directory = reading.inode.number;
        let place = reading.entries;
        reading.entries += 1;
        let find = |audit: &mut Self, rule: &str| {
            let name = String::from_utf8_lossy(entry.name).into_owned();
            audit.find_inode(
                directory,
                format!("entry `{}`: {rule}", name.escape_debug()),
            );
        };
        let dots: [&[u8]; 2] = [b".", b".."];
        if let Some(expected) = dots.get(place as usize) {
            if entry.name != *expected || entry.inode == 0 {
                find(self, "the first entries are not `.` and `..`");
            } else if place == 0 && entry.inode != directory {
                find(self, "it is not the directory itself");
            } else if place == 1
                && let Some(seen) = self.inodes.get_mut(&directory)
            {
                seen.dot_dot = entry.inode;
            }
        }
        if entry.inode == 0 {
            return;
        }
        if place > 1 {
            if dots.contains(&entry.name) || entry.name.is_empty() {
                find(self, "it is not the first of that name, or has none");
            }
            if entry.inode == directory || entry.inode == 2 {
                find(self, "it names the directory itself or the root");
            }
            if !reading.inode.is_encrypted()
                && entry.name.iter().any(|byte| matches!(byte, 0 | b'/'))
            {
                find(self, "it has a `/` or a NUL");
            }
        }
        let valid = entry.inode <= geometry.inodes
            && (entry.inode >= geometry.first_inode || entry.inode == 2)
            && !self.is_special(entry.inode);
        if !valid {
            find(self, &format!("inode {} is none for a file", entry.inode));
            return;
        }
        if let Some((index, logical)) = leaf {
            index.take_name(logical, entry.name);
        }
        let mut hasher = DefaultHasher::new();
        entry.name.hash(&mut hasher);
        if !reading.names.insert(hasher.finish()) {
            find(self, "the name is there twice");
        }
        let is_orphan = self.orphans.contains(&entry.inode);
        let Some(seen) = self.inodes.get_mut(&entry.inode) else {
            find(self, &format!("inode {} is not in use", entry.inode));
            return;
        };
        seen.counted += 1;
        let sort = seen.sort;
        let mut second_parent = false;
        if sort == inodes::DIRECTORY && place > 1 {
            second_parent = seen.parent != 0;
            seen.parent = directory;
        }
        let unlinked = seen.links == 0 && is_orphan;
        if second_parent {
            find(self, "it is a second name of a directory");
        }
        if unlinked {
            find(self, &format!("inode {} is to be deleted", entry.inode));
        }
        let expected = if geometry.incompatible & 2 == 0 {
            0
        } else {
            file_type(sort)
        };
        if entry.sort != expected {
            find(self, "its file type is not that of its inode");
        }
    }
}

/// What entries say of an inode of a sort: `EXT4_FT_*`.
fn file_type(sort: u8) -> u8 {
    match sort {
        inodes::FILE => 1,
        inodes::DIRECTORY => 2,
        inodes::CHARACTER_DEVICE => 3,
        inodes::BLOCK_DEVICE => 4,
        inodes::FIFO => 5,
        inodes::SOCKET => 6,
        inodes::LINK => 7,
        _ => 0,
    }
}

/// Returns the value of `system.data`, whose entry was checked with all others.
fn inline_value(inode: &Inode) -> Option<&[u8]> {
    let region = inode.bytes.get(128 + inode.extra_bytes() + 4..)?;
    let mut at = 0;
    while at + 16 <= region.len() && u32_at(region, at) != 0 {
        let name_bytes = usize::from(region[at]);
        if region[at + 1] == 7 && region.get(at + 16..at + 16 + name_bytes)? == b"data" {
            let offset = usize::from(u16_at(region, at + 2));
            let size = u32_at(region, at + 8) as usize;
            return region.get(offset..offset.checked_add(size)?);
        }
        at += (16 + name_bytes).next_multiple_of(4);
    }
    None
}

/// Keeps the runs of a directory.
struct Runs(Vec<Run>);

impl Visitor for Runs {
    fn data(&mut self, run: Run) {
        self.0.push(run);
    }

    fn node(&mut self, _: u64) -> bool {
        // The blocks of a directory that is read were claimed by it alone, so that its tree is one.
        true
    }

    fn broken(&mut self, _: &'static str) {}
}
