//! What is remembered of the directory without an index that was used last, so that not every look-up reads all of it.
//!
//! Nothing of this is believed: it says in which blocks a name may stand and where room may be, and those blocks are read as ever. It
//! must only leave out none. That is why names are never taken out, which also keeps it right when an entry is removed.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};
use std::mem;

use super::entry::{self, Layout};

/// The most pairs of a name and a block: with their tree some 4 MiB.
const MOST_NAMES: usize = 1 << 17;
/// From so many on no further blocks are learnt, which leaves room for what is added to those that are.
const MOST_LEARNT_NAMES: usize = MOST_NAMES / 2;
/// The most blocks: 1 MiB.
const MOST_BLOCKS: usize = 1 << 18;

/// A directory of so few blocks is read each time: that costs less than to learn its names, which a walk over paths would forget at the
/// next directory.
pub(super) const FEW_BLOCKS: u32 = 8;

/// Names and room in the first blocks of one directory; the blocks behind them are looked through.
#[derive(Debug, Default)]
pub(crate) struct KnownNames {
    /// The directory's inode.
    directory: u32,
    /// For each known block at least the most bytes that a new entry can have there.
    room: Vec<usize>,
    /// A hash of each name in the known blocks, and the block. Names that have the same hash cost time alone.
    names: BTreeSet<(u64, u32)>,
    /// Nothing is learnt.
    is_closed: bool,
}

impl KnownNames {
    /// Returns one that never knows anything.
    pub(super) fn closed() -> Self {
        Self {
            is_closed: true,
            ..Self::default()
        }
    }

    /// Forgets everything of one directory.
    pub(super) fn forget_directory(&mut self, directory: u32) {
        if self.directory == directory {
            self.forget();
        }
    }

    /// Forgets everything: whenever a directory's blocks change in another way than by its entries.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Turns to a directory that has so many blocks.
    pub(super) fn turn_to(&mut self, directory: u32, blocks: u32) {
        if self.directory != directory || self.blocks() > blocks {
            self.forget();
            self.directory = directory;
        }
    }

    /// Returns how many blocks are known, from the first on.
    pub(super) fn blocks(&self) -> u32 {
        // There are at most `MOST_BLOCKS`.
        self.room.len() as u32
    }

    /// Returns the known blocks in which a name may stand, in their order.
    pub(super) fn blocks_with(&self, name: &[u8]) -> impl Iterator<Item = u32> {
        let hash = hash(name);
        self.names
            .range((hash, 0)..=(hash, u32::MAX))
            .map(|(_, block)| *block)
    }

    /// Returns the first known block from a given one on in which there may be room.
    pub(super) fn block_with_room(&self, from: u32, needed_bytes: usize) -> Option<u32> {
        (from..)
            .zip(self.room.get(from as usize..)?)
            .find(|(_, room)| **room >= needed_bytes)
            .map(|(block, _)| block)
    }

    /// Learns the entries of a block if it is the next one.
    pub(super) fn learn(&mut self, layout: Layout, block: u32, region: &[u8]) {
        if self.is_closed
            || block != self.blocks()
            || self.room.len() >= MOST_BLOCKS
            || self.names.len() >= MOST_LEARNT_NAMES
        {
            return;
        }
        let mut most = 0;
        for slot in entry::slots(layout, region) {
            // What is damaged is not known, so that everybody who reads it finds that out.
            let Ok(slot) = slot else { return };
            most = most.max(slot.room_bytes());
            if slot.inode() != 0 {
                self.names.insert((hash(slot.name(region)), block));
            }
        }
        self.room.push(most);
    }

    /// Sees that an entry was added to a block or, without a name, removed.
    pub(super) fn note(&mut self, layout: Layout, block: u32, region: &[u8], name: Option<&[u8]>) {
        if block == self.blocks() {
            return self.learn(layout, block, region);
        }
        let Some(room) = self.room.get_mut(block as usize) else {
            return;
        };
        *room = entry::slots(layout, region)
            .map(|slot| slot.map_or(usize::MAX, |slot| slot.room_bytes()))
            .max()
            .unwrap_or(usize::MAX);
        if let Some(name) = name {
            self.names.insert((hash(name), block));
            if self.names.len() > MOST_NAMES {
                let directory = mem::take(self).directory;
                self.directory = directory;
            }
        }
    }

    /// Says that a block has no room for an entry of so many bytes.
    pub(super) fn note_lack(&mut self, block: u32, needed_bytes: usize) {
        if let Some(room) = self.room.get_mut(block as usize) {
            *room = (*room).min(needed_bytes.saturating_sub(1));
        }
    }
}

/// Returns a hash with fixed keys: where names have been chosen to share it, blocks are read as if nothing were known.
fn hash(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::memory::{MemoryBlocks, Random, context, open};
    use super::super::{DirectoryContext, FileType};
    use super::FEW_BLOCKS;

    fn name(number: u64) -> Vec<u8> {
        format!("{number} {}", "n".repeat(number as usize * 7 % 60)).into_bytes()
    }

    fn filled(context: &DirectoryContext, count: u64) -> MemoryBlocks {
        let mut blocks = MemoryBlocks::new(context, 1024);
        for number in 0..count {
            let flag = open(context, &mut blocks).insert(&name(number), 12, FileType::File);
            assert!(flag.is_ok());
        }
        blocks
    }

    #[test]
    fn what_is_known_changes_no_byte() {
        let context = DirectoryContext {
            dir_index: false,
            ..context()
        };
        let mut knowing = filled(&context, 300);
        let mut random = Random::new(5);
        for step in 0..6000 {
            let name = name(random.below(500));
            let choice = random.below(8);
            // The clone knows nothing.
            let mut scanning = knowing.clone();
            let outcomes = [&mut knowing, &mut scanning].map(|blocks| {
                let mut directory = open(&context, blocks);
                match choice {
                    0..3 => format!("{:?}", directory.insert(&name, 13, FileType::File)),
                    3..6 => format!("{:?}", directory.remove(&name)),
                    6 => format!("{:?}", directory.set_target(&name, 14, FileType::Fifo)),
                    _ => format!("{:?}", directory.lookup(&name)),
                }
            });
            assert_eq!(outcomes[0], outcomes[1], "step {step}");
            assert!(knowing.blocks == scanning.blocks, "step {step}");
        }
    }

    #[test]
    fn an_operation_reads_few_blocks() {
        let context = DirectoryContext {
            dir_index: false,
            ..context()
        };
        let mut blocks = filled(&context, 3000);
        assert!(blocks.blocks.len() > 100);
        blocks.reads = 0;
        for number in 3000..3500 {
            let mut directory = open(&context, &mut blocks);
            assert!(directory.lookup(&name(number)).unwrap().is_none());
            let _ = directory.insert(&name(number), 12, FileType::File).unwrap();
            directory.remove(&name(number - 2000)).unwrap();
        }
        assert!(blocks.reads < 3 * 500 * 2, "{} blocks", blocks.reads);
    }

    #[test]
    fn few_blocks_are_read_and_not_learnt() {
        let context = DirectoryContext {
            dir_index: false,
            ..context()
        };
        let mut blocks = filled(&context, 20);
        for number in 0..20 {
            let _ = open(&context, &mut blocks).lookup(&name(number)).unwrap();
        }
        assert!(blocks.blocks.len() <= FEW_BLOCKS as usize);
        assert_eq!(blocks.known.blocks(), 0);
        // What was known of a larger directory with the same inode is gone, too.
        let mut larger = filled(&context, 300);
        assert!(larger.known.blocks() > 0);
        larger.blocks.truncate(2);
        let _ = open(&context, &mut larger).lookup(b"nobody").unwrap();
        assert_eq!(larger.known.blocks(), 0);
    }

    #[test]
    fn a_name_in_two_blocks_is_found_in_the_first() {
        let context = DirectoryContext {
            dir_index: false,
            ..context()
        };
        let mut blocks = filled(&context, 300);
        // Nothing of ours writes such a directory; e2fsck renames one of the two.
        let last = blocks.blocks.len() - 1;
        assert!(last > FEW_BLOCKS as usize);
        blocks.blocks[last] = blocks.blocks[1].clone();
        blocks.known.forget();
        let mut twice = blocks.clone();
        for blocks in [&mut blocks, &mut twice] {
            for number in 0..300 {
                let _ = open(&context, blocks).lookup(&name(number)).unwrap();
            }
        }
        let found: Vec<_> = (0..300)
            .filter(|number| {
                let mut directory = open(&context, &mut blocks);
                directory.remove(&name(*number)).is_ok()
                    && directory.lookup(&name(*number)).unwrap().is_some()
            })
            .collect();
        assert!(!found.is_empty());
        assert!(blocks.blocks[1] != twice.blocks[1]);
        assert!(blocks.blocks[last] == twice.blocks[last]);
    }
}
