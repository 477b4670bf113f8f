//! The tree of blocks in a quota file.
//!
//! `fs/quota/quota_tree.c`, `fs/quota/quotaio_v2.h` (v6.12). A quota file has blocks of 1 KiB, whatever those of the filesystem are. The first
//! holds the header, the second is the root of a tree of four levels, each of which takes eight bits of the number that is looked for,
//! the uppermost first. What the fourth leads to is a block of entries, where the one that is meant is found by its number.
//!
//! | offset | size | field of the header  | note                                              |
//! |-------:|-----:|----------------------|---------------------------------------------------|
//! |      0 |    4 | `dqh_magic`          | one for each kind                                 |
//! |      4 |    4 | `dqh_version`        | 1                                                 |
//! |     20 |    4 | `dqi_blocks`         | how many blocks there are                         |
//! |     24 |    4 | `dqi_free_blk`       | the first of the blocks that are of no use; or 0  |
//! |     28 |    4 | `dqi_free_entry`     | the first block with room for entries; or 0       |
//!
//! | offset | size | field of a block of entries | note                               |
//! |-------:|-----:|-----------------------------|------------------------------------|
//! |      0 |    4 | `dqdh_next_free`            | of the list that the block is in   |
//! |      4 |    4 | `dqdh_prev_free`            |                                    |
//! |      8 |    2 | `dqdh_entries`              | how many are in use                |
//! |     16 |      | entries                     | 14 of 72 bytes                     |

use super::{EntryPlace, Kind, entry};
use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::mapping::{Run, RunKind};
use crate::number::{BlockNumber, InodeNumber};
use crate::volume::Volume;

/// The length of a block of a quota file (`QT_BLKSIZE`).
const BLOCK_BYTES: usize = 1024;

/// The block that the tree begins with (`QT_TREEOFF`).
const ROOT: u32 = 1;

/// The levels of the tree (`qtree_depth`).
const DEPTH: u32 = 4;

/// Where entries begin in their block.
const ENTRIES_OFFSET: usize = 16;

/// How many entries a block has room for.
const ENTRIES: usize = (BLOCK_BYTES - ENTRIES_OFFSET) / entry::BYTES;

/// The largest quota file in blocks: as many as all 2^32 numbers need is beyond what Linux handles.
const MOST_BLOCKS: u32 = 1 << 21;

type Block = [u8; BLOCK_BYTES];

fn word(block: &Block, offset: usize) -> u32 {
    u32::from_le_bytes([
        block[offset],
        block[offset + 1],
        block[offset + 2],
        block[offset + 3],
    ])
}

fn set_word(block: &mut Block, offset: usize, value: u32) {
    block[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
}

fn entries_in_use(block: &Block) -> usize {
    usize::from(u16::from_le_bytes([block[8], block[9]]))
}

fn entry_range(index: usize) -> std::ops::Range<usize> {
    let start = ENTRIES_OFFSET + index * entry::BYTES;
    start..start + entry::BYTES
}

/// Returns where a level of the tree has the reference that leads to a number.
fn reference_offset(id: u32, level: u32) -> usize {
    // Eight bits, of four bytes each.
    ((id >> ((DEPTH - 1 - level) * 8)) & 0xff) as usize * 4
}

/// A quota file while an entry is looked for.
struct File {
    inode: Inode,
    header: Block,
    blocks: u32,
    free_block: u32,
    free_entry: u32,
}

impl File {
    fn corrupt(&self, rule: impl Into<String>) -> Error {
        corrupt(self.inode.number, rule)
    }

    /// Refuses a block that the file does not have, and the two that it begins with.
    fn check(&self, block: u32) -> Result<u32> {
        if block <= ROOT || block >= self.blocks {
            return Err(self.corrupt(format!(
                "the quota file has {} blocks and leads to block {block}",
                self.blocks
            )));
        }
        Ok(block)
    }
}

fn corrupt(number: InodeNumber, rule: impl Into<String>) -> Error {
    Error::corrupt("inode", u64::from(number.0), rule)
}

impl Volume {
    /// Verifies the header of a quota file.
    pub(super) fn read_quota_header(&mut self, kind: Kind, inode: &Inode) -> Result<()> {
        self.quota_file(kind, inode.clone()).map(|_| ())
    }

    /// Finds the entry of a number, which there is afterwards if there was none.
    pub(super) fn quota_entry(
        &mut self,
        kind: Kind,
        number: InodeNumber,
        id: u32,
    ) -> Result<EntryPlace> {
        let inode = self.read_inode(number)?;
        let mut file = self.quota_file(kind, inode)?;
        let mut at = ROOT;
        for level in 0..DEPTH {
            let tree = self.quota_block(&file, at)?;
            let next = word(&tree, reference_offset(id, level));
            if next == 0 {
                return self.insert_entry(&mut file, id, at, level);
            }
            at = file.check(next)?;
        }
        let block = self.quota_block(&file, at)?;
        let index = (0..ENTRIES)
            .find(|index| entry::is_of(&block[entry_range(*index)], id))
            .ok_or_else(|| {
                file.corrupt(format!(
                    "block {at} of the quota file has no entry of {id}, which leads to it"
                ))
            })?;
        self.entry_place(&file, at, index)
    }

    fn entry_place(&mut self, file: &File, block: u32, index: usize) -> Result<EntryPlace> {
        let (number, offset) = self.quota_place(file, block)?;
        Ok((number, offset + entry_range(index).start))
    }

    /// Makes an entry of a number, whose way through the tree ends with a block of some level (`do_insert_tree`).
    fn insert_entry(
        &mut self,
        file: &mut File,
        id: u32,
        mut tree: u32,
        level: u32,
    ) -> Result<EntryPlace> {
        for level in level..DEPTH - 1 {
            let next = self.take_quota_block(file)?;
            self.set_reference(file, tree, reference_offset(id, level), next)?;
            tree = next;
        }
        let (number, index) = self.take_entry(file)?;
        self.set_reference(file, tree, reference_offset(id, DEPTH - 1), number)?;
        let size = (u64::from(file.blocks) * BLOCK_BYTES as u64).max(file.inode.size());
        file.inode.set_size(size);
        self.write_inode(&mut file.inode)?;
        let mut header = file.header;
        for (offset, value) in [
            (20, file.blocks),
            (24, file.free_block),
            (28, file.free_entry),
        ] {
            set_word(&mut header, offset, value);
        }
        self.set_quota_block(file, 0, &header)?;
        // Entries are found by their number, which the caller is about to fill in.
        self.entry_place(file, number, index)
    }

    fn set_reference(&mut self, file: &File, tree: u32, offset: usize, to: u32) -> Result<()> {
        let mut block = self.quota_block(file, tree)?;
        set_word(&mut block, offset, to);
        self.set_quota_block(file, tree, &block)
    }

    /// Takes a free entry, from the first block that has one or from a new one (`find_free_dqentry`).
    fn take_entry(&mut self, file: &mut File) -> Result<(u32, usize)> {
        let number = match file.free_entry {
            0 => {
                let number = self.take_quota_block(file)?;
                file.free_entry = number;
                number
            }
            number => file.check(number)?,
        };
        let mut block = self.quota_block(file, number)?;
        let in_use = entries_in_use(&block);
        let index = (0..ENTRIES)
            .find(|index| entry::is_free(&block[entry_range(*index)]))
            .filter(|_| in_use < ENTRIES)
            .ok_or_else(|| {
                file.corrupt(format!(
                    "block {number} of the quota file is said to have room, and is full"
                ))
            })?;
        if in_use + 1 == ENTRIES {
            // It is the first of the list, which begins with the next one from now on.
            let next = word(&block, 0);
            if next != 0 {
                let next = file.check(next)?;
                if next == number {
                    return Err(file.corrupt("its list of blocks with room is a circle"));
                }
                let mut second = self.quota_block(file, next)?;
                set_word(&mut second, 4, 0);
                self.set_quota_block(file, next, &second)?;
            }
            file.free_entry = next;
            set_word(&mut block, 0, 0);
            set_word(&mut block, 4, 0);
        }
        // At most 14.
        block[8..10].copy_from_slice(&(in_use as u16 + 1).to_le_bytes());
        self.set_quota_block(file, number, &block)?;
        Ok((number, index))
    }

    /// Takes a block of zeros: one that is of no use, or a new one at the end (`get_free_dqblk`).
    fn take_quota_block(&mut self, file: &mut File) -> Result<u32> {
        let number = if file.free_block == 0 {
            let number = file.blocks;
            if number >= MOST_BLOCKS {
                return Err(christen_vfs::Error::NoSpace.into());
            }
            file.blocks += 1;
            let (at, _) = self.position(number);
            let run = self.lookup_run(&file.inode, at)?;
            match run.kind {
                RunKind::Hole => {
                    let Run { block, .. } = self.fill_hole(&mut file.inode, at, 1)?;
                    self.create_block(block)?;
                }
                RunKind::Unwritten => {
                    self.check_content(run.block, 1)?;
                    self.mark_written(&mut file.inode, at, run, 1)?;
                    self.create_block(run.block)?;
                }
                RunKind::Written => {}
            }
            number
        } else {
            let number = file.check(file.free_block)?;
            file.free_block = word(&self.quota_block(file, number)?, 0);
            number
        };
        self.set_quota_block(file, number, &[0; BLOCK_BYTES])?;
        Ok(number)
    }

    /// Reads the header of a quota file.
    fn quota_file(&mut self, kind: Kind, inode: Inode) -> Result<File> {
        let mut file = File {
            header: [0; BLOCK_BYTES],
            // Of these two there must be some to begin with.
            blocks: ROOT + 1,
            free_block: 0,
            free_entry: 0,
            inode,
        };
        let header = self.quota_block(&file, 0)?;
        if word(&header, 0) != kind.magic() {
            return Err(file.corrupt("the quota file does not begin with its magic number"));
        }
        let version = word(&header, 4);
        if version != 1 {
            return Err(Error::unsupported(format!(
                "a quota file of version {version} is"
            )));
        }
        let has = file.inode.size() / BLOCK_BYTES as u64;
        let blocks = word(&header, 20);
        if u64::from(blocks) > has || blocks <= ROOT || blocks > MOST_BLOCKS {
            return Err(file.corrupt(format!(
                "the quota file says that it has {blocks} blocks and has {has}"
            )));
        }
        file.header = header;
        file.blocks = blocks;
        file.free_block = word(&header, 24);
        file.free_entry = word(&header, 28);
        Ok(file)
    }

    /// Returns in which block of a file a block of quotas is, and where.
    fn position(&self, block: u32) -> (u32, usize) {
        let per_block = (self.block_bytes() / BLOCK_BYTES) as u32;
        (
            block / per_block,
            (block % per_block) as usize * BLOCK_BYTES,
        )
    }

    fn quota_place(&mut self, file: &File, block: u32) -> Result<(BlockNumber, usize)> {
        let (at, offset) = self.position(block);
        let run = self.lookup_run(&file.inode, at)?;
        if run.kind != RunKind::Written {
            return Err(file.corrupt(format!("the quota file has no block {block}")));
        }
        self.check_content(run.block, 1)?;
        Ok((run.block, offset))
    }

    fn quota_block(&mut self, file: &File, block: u32) -> Result<Block> {
        let (number, offset) = self.quota_place(file, block)?;
        let mut bytes = [0; BLOCK_BYTES];
        bytes.copy_from_slice(&self.read_block(number)?[offset..offset + BLOCK_BYTES]);
        Ok(bytes)
    }

    fn set_quota_block(&mut self, file: &File, block: u32, bytes: &Block) -> Result<()> {
        let (number, offset) = self.quota_place(file, block)?;
        self.change_block(number)?[offset..offset + BLOCK_BYTES].copy_from_slice(bytes);
        Ok(())
    }
}
