//! Directories that stand in their inode: the `inline_data` feature.
//!
//! Linux `Documentation/filesystems/ext4/inlinedata.rst`, "Inline Directories", and `fs/ext4/inline.c`. The 60 bytes of `i_block`:
//!
//! | offset | size | field   | note                                                               |
//! |-------:|-----:|---------|--------------------------------------------------------------------|
//! |      0 |    4 | parent  | the inode that `..` names; there are no entries for `.` and `..`   |
//! |      4 |   56 | entries | directory entries that fill these bytes                            |
//!
//! More entries stand in the value of the extended attribute `system.data`, which they fill. The directory's length is 60 and the
//! length of that value. No checksum of its own: the inode has one.

use std::ops::ControlFlow;

use christen_vfs::Error;

use super::damage::Damage;
use super::entry::{self, Broken, Layout, Slot};
use super::{DirectoryContext, FileType, Target, check_name, first_block, visit_region};

/// The bytes of `i_block`.
pub(crate) const BLOCK_BYTES: usize = 60;
const PARENT_BYTES: usize = 4;

/// A directory that stands in its inode.
#[derive(Debug, Clone)]
pub(crate) struct InlineDirectory {
    context: DirectoryContext,
    layout: Layout,
    block_bytes: usize,
    inode_block: [u8; BLOCK_BYTES],
    value: Vec<u8>,
}

/// What came of adding an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Insertion {
    /// The entry is there.
    Done,
    /// There is no room; nothing has changed. The value of `system.data` can be made that long with [`InlineDirectory::grow`], or the
    /// directory moves to a block with [`InlineDirectory::to_block`].
    NoRoom {
        /// The length of the value in bytes with which there is room.
        value_bytes: usize,
    },
}

/// A half of the directory.
#[derive(Debug, Clone, Copy)]
enum Half {
    InodeBlock,
    Value,
}

const HALVES: [Half; 2] = [Half::InodeBlock, Half::Value];

impl InlineDirectory {
    /// Takes what is stored: `i_block` and the value of `system.data`, empty if there is none. `block_bytes` is the size of the
    /// filesystem's blocks.
    pub(crate) fn new(
        context: DirectoryContext,
        block_bytes: usize,
        inode_block: [u8; BLOCK_BYTES],
        value: Vec<u8>,
    ) -> Self {
        Self {
            layout: context.layout(block_bytes),
            context,
            block_bytes,
            inode_block,
            value,
        }
    }

    /// Makes an empty directory. Linux `fs/ext4/inline.c`, `ext4_try_create_inline_dir`.
    pub(crate) fn empty(context: DirectoryContext, block_bytes: usize, parent: u32) -> Self {
        let mut this = Self::new(context, block_bytes, [0; BLOCK_BYTES], Vec::new());
        entry::clear(this.layout, &mut this.inode_block[PARENT_BYTES..]);
        this.set_parent(parent);
        this
    }

    /// Returns what is to be stored in `i_block`.
    pub(crate) fn inode_block(&self) -> &[u8; BLOCK_BYTES] {
        &self.inode_block
    }

    /// Returns what is to be stored as the value of `system.data`.
    pub(crate) fn value(&self) -> &[u8] {
        &self.value
    }

    /// Returns the inode number that `..` names.
    pub(crate) fn parent(&self) -> Result<u32, Error> {
        let [a, b, c, d, ..] = self.inode_block;
        let parent = u32::from_le_bytes([a, b, c, d]);
        if parent == 0 || parent > self.context.inodes {
            return Err(self.damage(
                Half::InodeBlock,
                Broken::new(0, "the parent's inode number is 0 or beyond the last inode"),
            ));
        }
        Ok(parent)
    }

    /// Lets `..` name another directory.
    pub(crate) fn set_parent(&mut self, inode: u32) {
        self.inode_block[..PARENT_BYTES].copy_from_slice(&inode.to_le_bytes());
    }

    /// Finds an entry; `.` and `..` are found too.
    pub(crate) fn lookup(&self, name: &[u8]) -> Result<Option<Target>, Error> {
        let directory = |inode| self.context.target(inode, FileType::Directory);
        match name {
            b"." => Ok(Some(directory(self.context.inode))),
            b".." => Ok(Some(directory(self.parent()?))),
            _ => Ok(self.find(name)?.map(|(_, (slot, _))| slot.target())),
        }
    }

    /// Adds an entry if there is room. [`Error::Exists`] if the name is there already.
    pub(crate) fn insert(
        &mut self,
        name: &[u8],
        inode: u32,
        file_type: FileType,
    ) -> Result<Insertion, Error> {
        self.context.check_insertion(name)?;
        if self.find(name)?.is_some() {
            return Err(Error::Exists);
        }
        let needed = entry::entry_bytes(name.len());
        let target = self.context.target(inode, file_type);
        let layout = self.layout;
        for half in HALVES {
            let room = entry::find_room(layout, self.region(half), needed)
                .map_err(|broken| self.damage(half, broken))?;
            if let Some(slot) = room {
                entry::place(layout, self.region_mut(half), slot, name, target);
                return Ok(Insertion::Done);
            }
        }
        let room = self.last_of_value()?.map_or(0, |slot| slot.room_bytes());
        Ok(Insertion::NoRoom {
            value_bytes: self.value.len() + needed - room,
        })
    }

    /// Makes the value of `system.data` longer: to a multiple of 4, as [`Insertion::NoRoom`] says it, or more. Linux
    /// `fs/ext4/inline.c`, `ext4_update_inline_dir`.
    pub(crate) fn grow(&mut self, value_bytes: usize) -> Result<(), Error> {
        let last = self.last_of_value()?;
        let (start, length) = last.map_or((0, 0), |slot| (slot.offset(), slot.length()));
        let added = value_bytes.saturating_sub(self.value.len());
        self.value.resize(self.value.len() + added, 0);
        if length + added >= entry::SHORTEST_BYTES {
            entry::set_length(self.layout, &mut self.value, start, length + added);
        }
        Ok(())
    }

    /// Removes an entry and returns what it named; [`Error::NotFound`] without one.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Result<Target, Error> {
        check_name(name)?;
        let (half, (slot, previous)) = self.find(name)?.ok_or(Error::NotFound)?;
        entry::remove(self.layout, self.region_mut(half), slot.offset(), previous);
        Ok(slot.target())
    }

    /// Lets an entry name something else and returns what it named; [`Error::NotFound`] without one.
    pub(crate) fn set_target(
        &mut self,
        name: &[u8],
        inode: u32,
        file_type: FileType,
    ) -> Result<Target, Error> {
        check_name(name)?;
        let (half, (slot, _)) = self.find(name)?.ok_or(Error::NotFound)?;
        let target = self.context.target(inode, file_type);
        entry::set_target(self.region_mut(half), slot.offset(), target);
        Ok(slot.target())
    }

    /// Tells whether there is nothing but `.` and `..`.
    pub(crate) fn is_empty(&self) -> Result<bool, Error> {
        let mut empty = true;
        self.list(&mut |_, _| {
            empty = false;
            ControlFlow::Break(())
        })?;
        Ok(empty)
    }

    /// Visits the entries without `.` and `..` until `visit` breaks.
    pub(crate) fn list(
        &self,
        visit: &mut dyn FnMut(&[u8], Target) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        for half in HALVES {
            let damage = |broken| self.damage(half, broken);
            if visit_region(self.layout, self.region(half), damage, visit)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Returns the directory's first block as it is once the directory no longer stands in its inode. Linux `fs/ext4/inline.c`,
    /// `ext4_finish_convert_inline_dir`. The caller removes `system.data` and the flag, and sets the length to that of the block.
    pub(crate) fn to_block(&self) -> Result<Vec<u8>, Error> {
        let mut block = first_block(&self.context, self.block_bytes, self.parent()?);
        let layout = self.layout;
        let end = self.context.entries_end(self.block_bytes);
        for half in HALVES {
            let region = self.region(half);
            for slot in entry::slots(layout, region) {
                let slot = slot.map_err(|broken| self.damage(half, broken))?;
                if slot.inode() == 0 {
                    continue;
                }
                let room = entry::find_room(layout, &block[..end], slot.used_bytes())
                    .map_err(|broken| self.damage(half, broken))?
                    .ok_or_else(|| {
                        self.damage(
                            half,
                            Broken::new(slot.offset(), "the entries do not fit a block"),
                        )
                    })?;
                let (name, target) = (slot.name(region), slot.target());
                entry::place(layout, &mut block[..end], room, name, target);
            }
        }
        self.context.seal_leaf(&mut block);
        Ok(block)
    }

    fn region(&self, half: Half) -> &[u8] {
        match half {
            Half::InodeBlock => &self.inode_block[PARENT_BYTES..],
            Half::Value => &self.value,
        }
    }

    fn region_mut(&mut self, half: Half) -> &mut [u8] {
        match half {
            Half::InodeBlock => &mut self.inode_block[PARENT_BYTES..],
            Half::Value => &mut self.value,
        }
    }

    fn find(&self, name: &[u8]) -> Result<Option<(Half, entry::Place)>, Error> {
        for half in HALVES {
            let found = entry::find(self.layout, self.region(half), name)
                .map_err(|broken| self.damage(half, broken))?;
            if let Some(place) = found {
                return Ok(Some((half, place)));
            }
        }
        Ok(None)
    }

    fn last_of_value(&self) -> Result<Option<Slot>, Error> {
        let mut last = None;
        for slot in entry::slots(self.layout, &self.value) {
            last = Some(slot.map_err(|broken| self.damage(Half::Value, broken))?);
        }
        Ok(last)
    }

    /// Offsets are told as in the directory's data: `i_block`, then the value.
    fn damage(&self, half: Half, broken: Broken) -> Error {
        let start = match half {
            Half::InodeBlock if broken.rule.starts_with("the parent") => 0,
            Half::InodeBlock => PARENT_BYTES,
            Half::Value => BLOCK_BYTES,
        };
        let broken = Broken::new(start + broken.offset, broken.rule);
        Damage::in_inode(self.context.inode, broken).into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::memory::{MemoryBlocks, Random, context, open};
    use super::*;

    fn list(directory: &InlineDirectory) -> BTreeMap<Vec<u8>, u32> {
        let mut entries = BTreeMap::new();
        directory
            .list(&mut |name, target| {
                assert_eq!(entries.insert(name.to_vec(), target.inode), None);
                ControlFlow::Continue(())
            })
            .unwrap();
        entries
    }

    #[test]
    fn both_halves_hold_entries_and_a_block_takes_them() {
        let context = context();
        let mut random = Random::new(1);
        for most in [0, 40, 100, 200] {
            let mut directory = InlineDirectory::empty(context, 1024, 2);
            assert!(directory.is_empty().unwrap());
            let mut model = BTreeMap::new();
            let mut refused = 0;
            for step in 0..300_u32 {
                let number = random.below(30);
                let name = format!("n{number}")
                    .repeat(1 + number as usize % 3)
                    .into_bytes();
                if random.below(3) == 0 {
                    match directory.remove(&name) {
                        Ok(target) => assert_eq!(model.remove(&name), Some(target.inode)),
                        Err(error) => {
                            assert!(matches!(error, Error::NotFound));
                            assert!(!model.contains_key(&name));
                        }
                    }
                    continue;
                }
                match directory.insert(&name, step + 1, FileType::File) {
                    Err(error) => {
                        assert!(matches!(error, Error::Exists));
                        assert!(model.contains_key(&name));
                        continue;
                    }
                    Ok(Insertion::Done) => {}
                    Ok(Insertion::NoRoom { value_bytes }) if value_bytes <= most => {
                        directory.grow(value_bytes).unwrap();
                        let done = directory.insert(&name, step + 1, FileType::File).unwrap();
                        assert_eq!(done, Insertion::Done);
                        assert_eq!(directory.value().len(), value_bytes);
                    }
                    Ok(Insertion::NoRoom { .. }) => {
                        refused += 1;
                        continue;
                    }
                }
                model.insert(name, step + 1);
            }
            assert!(refused > 0);
            assert_eq!(list(&directory), model);
            let mut blocks = MemoryBlocks::new(&context, 1024);
            blocks.blocks[0] = directory.to_block().unwrap();
            let mut directory = open(&context, &mut blocks);
            let mut entries = BTreeMap::new();
            directory
                .list(&mut |name, target| {
                    entries.insert(name.to_vec(), target.inode);
                    ControlFlow::Continue(())
                })
                .unwrap();
            assert_eq!(entries, model);
            assert_eq!(directory.parent().unwrap(), 2);
        }
    }

    #[test]
    fn targets_and_the_parent_are_set() {
        let mut directory = InlineDirectory::empty(context(), 1024, 2);
        let _ = directory.insert(b"a", 12, FileType::File).unwrap();
        directory.set_target(b"a", 13, FileType::Fifo).unwrap();
        let found = directory.lookup(b"a").unwrap().unwrap();
        assert_eq!((found.inode, found.file_type), (13, 5));
        directory.set_parent(9);
        assert_eq!(directory.lookup(b"..").unwrap().unwrap().inode, 9);
        assert_eq!(directory.lookup(b".").unwrap().unwrap().inode, 11);
    }

    #[test]
    fn no_byte_makes_it_panic() {
        let mut random = Random::new(9);
        let mut made = InlineDirectory::empty(context(), 1024, 2);
        made.grow(80).unwrap();
        for name in [&b"abc"[..], b"defghijkl", b"m", b"nopqrstuvwxyz"] {
            let _ = made.insert(name, 12, FileType::File).unwrap();
        }
        for _ in 0..20_000 {
            let mut directory = made.clone();
            for _ in 0..=random.below(3) {
                let value = random.below(256) as u8;
                match random.below(2) {
                    0 => directory.inode_block[random.below(60) as usize] = value,
                    _ => directory.value[random.below(80) as usize] = value,
                }
            }
            directory.value.truncate(random.below(81) as usize);
            let _ = directory.lookup(b"m");
            let _ = directory.is_empty();
            let _ = directory.to_block();
            if let Ok(Insertion::NoRoom { value_bytes }) =
                directory.insert(&[b'x'; 40], 12, FileType::File)
                && directory.grow(value_bytes).is_ok()
            {
                let _ = directory.insert(&[b'x'; 40], 12, FileType::File);
            }
            let _ = directory.remove(b"abc");
        }
    }
}
