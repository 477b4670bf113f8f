//! Directories without an index: blocks of entries, in no order.

use std::mem;

use christen_vfs::Error;

use super::entry::{self, Broken, Slot};
use super::known::{FEW_BLOCKS, KnownNames};
use super::tree::MadeIndex;
use super::{Directory, DirectoryBlocks, IndexFlag, Target, checksum};

/// An entry that was found, with the block in which it stands.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) block: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) slot: Slot,
    pub(super) previous: Option<usize>,
}

impl Found {
    pub(super) fn target(&self) -> Target {
        self.slot.target()
    }
}

impl<B: DirectoryBlocks> Directory<'_, B> {
    /// Finds an entry by looking through all blocks, apart from those that are known not to have it.
    pub(super) fn linear_find(&mut self, name: &[u8]) -> Result<Option<Found>, Error> {
        self.knowing(|directory, known| {
            let mut bytes = vec![0; directory.layout.block_bytes];
            for block in known.blocks_with(name) {
                if let Some(found) = directory.find_in_block(block, name, &mut bytes)? {
                    return Ok(Some(found));
                }
            }
            for block in known.blocks()..directory.blocks.block_count() {
                let found = directory.find_in_block(block, name, &mut bytes)?;
                let region = found.as_ref().map_or(&bytes, |found| &found.bytes);
                if !directory.context.uses_index() {
                    known.learn(directory.layout, block, directory.entries_of(region));
                }
                if found.is_some() {
                    return Ok(found);
                }
            }
            Ok(None)
        })
    }

    /// Finds an entry in a block of whichever sort; `bytes` then hold the block if it is not there.
    fn find_in_block(
        &mut self,
        block: u32,
        name: &[u8],
        bytes: &mut Vec<u8>,
    ) -> Result<Option<Found>, Error> {
        let end = self.read_any(block, bytes)?;
        let found = entry::find(self.layout, &bytes[..end], name)
            .map_err(|broken| self.damage(block, broken))?;
        Ok(found.map(|(slot, previous)| Found {
            block,
            bytes: mem::take(bytes),
            slot,
            previous,
        }))
    }

    /// Does something with what is remembered of this directory; of one with an index or with few blocks that is nothing.
    fn knowing<T>(
        &mut self,
        operation: impl FnOnce(&mut Self, &mut KnownNames) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.context.uses_index() {
            return operation(self, &mut KnownNames::closed());
        }
        if self.blocks.block_count() <= FEW_BLOCKS {
            // It may have been larger, or another.
            self.blocks
                .known_names()
                .forget_directory(self.context.inode);
            return operation(self, &mut KnownNames::closed());
        }
        let mut known = mem::take(self.blocks.known_names());
        known.turn_to(self.context.inode, self.blocks.block_count());
        let result = operation(self, &mut known);
        *self.blocks.known_names() = known;
        result
    }

    /// Writes a leaf to which an entry was added, or from which one was removed.
    pub(super) fn write_changed_leaf(
        &mut self,
        block: u32,
        bytes: &mut [u8],
        added: Option<&[u8]>,
    ) -> Result<(), Error> {
        self.write_leaf(block, bytes)?;
        if self.context.uses_index() {
            return Ok(());
        }
        self.knowing(|directory, known| {
            known.note(directory.layout, block, directory.entries_of(bytes), added);
            Ok(())
        })
    }

    /// Adds an entry where the first room is, or in a new block. Linux `fs/ext4/namei.c`, `ext4_add_entry`.
    pub(super) fn linear_insert(
        &mut self,
        name: &[u8],
        target: Target,
    ) -> Result<IndexFlag, Error> {
        let mut bytes = vec![0; self.layout.block_bytes];
        let blocks = self.blocks.block_count();
        if blocks == 0 {
            return Err(self.damage(0, Broken::new(0, "the directory has no block")));
        }
        let room =
            self.knowing(|directory, known| directory.first_room(known, name, &mut bytes))?;
        let flag = if self.context.indexed {
            // Only without `dir_index` does an indexed directory come here, and then its index is lost, as `ext4_update_dx_flag` says.
            IndexFlag::Cleared
        } else {
            IndexFlag::Unchanged
        };
        let (block, slot) = match room {
            Some((block, slot)) => {
                self.read_leaf(block, &mut bytes)?;
                (block, slot)
            }
            None => {
                let made = if blocks == 1 && self.context.dir_index {
                    self.read_leaf(0, &mut bytes)?;
                    self.blocks.known_names().forget();
                    self.make_index(bytes.clone(), name, target)?
                } else {
                    MadeIndex::No
                };
                let block = match made {
                    MadeIndex::Yes => return Ok(IndexFlag::Set),
                    MadeIndex::No => self.blocks.append()?,
                    MadeIndex::NoButBlock(block) => block,
                };
                (block, self.clear_leaf(&mut bytes))
            }
        };
        let layout = self.layout;
        entry::place(layout, self.entries_of_mut(&mut bytes), slot, name, target);
        self.write_changed_leaf(block, &mut bytes, Some(name))?;
        Ok(flag)
    }

    /// Returns where the first room is for a name that must not be there yet.
    fn first_room(
        &mut self,
        known: &mut KnownNames,
        name: &[u8],
        bytes: &mut [u8],
    ) -> Result<Option<(u32, Slot)>, Error> {
        let needed = entry::entry_bytes(name.len());
        for block in known.blocks_with(name) {
            self.read_leaf(block, bytes)?;
            let found = entry::find(self.layout, self.entries_of(bytes), name)
                .map_err(|broken| self.damage(block, broken))?;
            if found.is_some() {
                return Err(Error::Exists);
            }
        }
        let mut room = None;
        let mut next = 0;
        while let Some(block) = known.block_with_room(next, needed) {
            self.read_leaf(block, bytes)?;
            room = entry::find_room(self.layout, self.entries_of(bytes), needed)
                .map_err(|broken| self.damage(block, broken))?
                .map(|slot| (block, slot));
            if room.is_some() {
                break;
            }
            known.note_lack(block, needed);
            next = block + 1;
        }
        for block in known.blocks()..self.blocks.block_count() {
            self.read_leaf(block, bytes)?;
            let found = find_name_and_room(self.layout, self.entries_of(bytes), name, needed)
                .map_err(|broken| self.damage(block, broken))?;
            match found {
                NameOrRoom::Name => return Err(Error::Exists),
                NameOrRoom::Room(slot) if room.is_none() => room = Some((block, slot)),
                NameOrRoom::Room(_) | NameOrRoom::Neither => {}
            }
            known.learn(self.layout, block, self.entries_of(bytes));
        }
        Ok(room)
    }

    /// Makes of a block a leaf without entries, and returns its one slot.
    pub(super) fn clear_leaf(&self, bytes: &mut [u8]) -> Slot {
        entry::clear(self.layout, self.entries_of_mut(bytes))
    }

    /// Returns the part of a leaf that entries fill.
    pub(super) fn entries_of<'r>(&self, bytes: &'r [u8]) -> &'r [u8] {
        &bytes[..self.entries_end()]
    }

    /// Returns the part of a leaf that entries fill.
    pub(super) fn entries_of_mut<'r>(&self, bytes: &'r mut [u8]) -> &'r mut [u8] {
        &mut bytes[..self.entries_end()]
    }

    /// Returns where the entries of a leaf end.
    pub(super) fn entries_end(&self) -> usize {
        self.context.entries_end(self.layout.block_bytes)
    }

    /// Reads a leaf and checks its checksum.
    pub(super) fn read_leaf(&mut self, block: u32, bytes: &mut [u8]) -> Result<(), Error> {
        self.blocks.read(block, bytes)?;
        self.check_leaf(block, bytes)
    }

    /// Checks the checksum of a leaf.
    pub(super) fn check_leaf(&self, block: u32, bytes: &[u8]) -> Result<(), Error> {
        match self.context.checksum_seed {
            Some(seed) => checksum::check_leaf(seed, bytes)
                .map_err(|rule| self.damage(block, Broken::new(self.entries_end(), rule))),
            None => Ok(()),
        }
    }

    /// Writes a leaf with its checksum.
    pub(super) fn write_leaf(&mut self, block: u32, bytes: &mut [u8]) -> Result<(), Error> {
        self.context.seal_leaf(bytes);
        self.blocks.write(block, bytes)
    }
}

enum NameOrRoom {
    Name,
    Room(Slot),
    Neither,
}

/// Looks for a name, and on the way for room, so that a block is walked once.
fn find_name_and_room(
    layout: entry::Layout,
    region: &[u8],
    name: &[u8],
    needed: usize,
) -> Result<NameOrRoom, Broken> {
    let mut room = NameOrRoom::Neither;
    for slot in entry::slots(layout, region) {
        let slot = slot?;
        if slot.inode() != 0 && slot.name(region) == name {
            return Ok(NameOrRoom::Name);
        }
        if matches!(room, NameOrRoom::Neither) && slot.room_bytes() >= needed {
            room = NameOrRoom::Room(slot);
        }
    }
    Ok(room)
}
