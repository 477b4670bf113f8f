//! Inodes that the filesystem itself uses: orphans, the journal, and the inode that keeps room for descriptors.

use christen_vfs::Error;

use super::Audit;
use super::bytes::{big_u32_at, crc32c, u32_at};
use super::inodes::{FILE, Inode};
use super::mapping::{self, Run, Visitor};

/// The magic number at the end of a block of the orphan file. Linux `fs/ext4/ext4.h`, `EXT4_ORPHAN_BLOCK_MAGIC`.
const ORPHAN_MAGIC: u32 = 0x0b10_ca04;
/// The magic number of all blocks of a journal, in network order. Linux `Documentation/filesystems/ext4/journal.rst`.
const JOURNAL_MAGIC: u32 = 0xc03b_3998;

impl Audit<'_> {
    /// Reads which inodes are to be deleted or cut at the next mount: the list that begins in the superblock and goes on in `i_dtime`,
    /// and the orphan file.
    pub(super) fn read_orphans(&mut self) -> Result<(), Error> {
        let geometry = self.reader.geometry;
        let mut next = geometry.last_orphan;
        while next != 0 {
            if next > geometry.inodes || next < geometry.first_inode || !self.orphans.insert(next) {
                self.report
                    .find("superblock", 0, "the list of orphans is damaged");
                break;
            }
            let inode = Inode::read(self.reader, self.groups, next)?;
            next = inode.deleted();
        }
        if geometry.compatible & 0x1000 != 0 {
            self.read_orphan_file()?;
        }
        self.report.orphans = self.orphans.len() as u64;
        Ok(())
    }

    /// A block of the orphan file, little-endian: inode numbers, 0 where there is none, and at the end the magic number and a CRC-32C
    /// over the inode's seed, the block's number (64 bits) and the numbers. Linux `fs/ext4/orphan.c`.
    fn read_orphan_file(&mut self) -> Result<(), Error> {
        let geometry = self.reader.geometry;
        let number = geometry.orphan_file;
        if number == 0 || number > geometry.inodes {
            self.report.find("superblock", 0, "there is no orphan file");
            return Ok(());
        }
        let inode = Inode::read(self.reader, self.groups, number)?;
        if inode.sort() != FILE || inode.links() == 0 {
            self.find_inode(number, "the orphan file is no file");
            return Ok(());
        }
        // No more than the kernel makes: 512 blocks.
        for block in self.first_blocks(&inode, 512)? {
            let bytes = self.reader.block(block)?;
            let end = bytes.len() - 8;
            let sound = u32_at(&bytes, end) == ORPHAN_MAGIC
                && inode.seed.is_none_or(|seed| {
                    let state = crc32c(seed, &block.to_le_bytes());
                    u32_at(&bytes, end + 4) == crc32c(state, &bytes[..end])
                });
            if !sound {
                self.find_inode(
                    number,
                    format!("block {block} of the orphan file is damaged"),
                );
                continue;
            }
            for orphan in bytes[..end].chunks_exact(4).map(|word| u32_at(word, 0)) {
                if orphan == 0 {
                    continue;
                }
                if orphan > geometry.inodes || orphan < geometry.first_inode {
                    self.find_inode(number, format!("inode {orphan} in the orphan file is none"));
                } else {
                    self.orphans.insert(orphan);
                }
            }
        }
        Ok(())
    }

    /// Checks the journal and the resize inode.
    pub(super) fn check_special(&mut self) -> Result<(), Error> {
        let geometry = self.reader.geometry;
        for number in geometry.quota_inodes {
            if number != 0 && geometry.read_only & 0x100 != 0 {
                self.check_is_file(number, "a quota file");
            }
        }
        if geometry.compatible & 4 != 0 && geometry.journal_inode != 0 {
            self.check_journal(geometry.journal_inode)?;
        }
        if geometry.compatible & 0x10 != 0 {
            self.check_resize_inode()?;
        } else if geometry.inodes >= 7 {
            let inode = Inode::read(self.reader, self.groups, 7)?;
            if inode.block().iter().any(|byte| *byte != 0) {
                self.find_inode(7, "there is a resize inode without `resize_inode`");
            }
        }
        Ok(())
    }

    fn check_is_file(&mut self, number: u32, what: &str) -> bool {
        let sound = self
            .inodes
            .get(&number)
            .is_some_and(|seen| seen.sort == FILE && seen.links > 0);
        if !sound {
            self.find_inode(number, format!("it is to be {what} and is no file"));
        }
        sound
    }

    /// The journal's superblock: e2fsck `journal.c`, `e2fsck_journal_load`.
    fn check_journal(&mut self, number: u32) -> Result<(), Error> {
        if !self.check_is_file(number, "the journal") {
            return Ok(());
        }
        let inode = Inode::read(self.reader, self.groups, number)?;
        let blocks = inode.size() / self.reader.geometry.block_bytes as u64;
        let Some(first) = self.first_blocks(&inode, 1)?.first().copied() else {
            self.find_inode(number, "the journal has no first block");
            return Ok(());
        };
        let bytes = self.reader.block(first)?;
        let block_type = big_u32_at(&bytes, 4);
        let length = u64::from(big_u32_at(&bytes, 16));
        let rules = [
            (
                big_u32_at(&bytes, 0) != JOURNAL_MAGIC || !matches!(block_type, 3 | 4),
                "its first block is no journal superblock",
            ),
            (
                big_u32_at(&bytes, 12) as usize != bytes.len(),
                "its blocks are not as large as those of the filesystem",
            ),
            (
                length > blocks || length < 1024,
                "its length does not fit the journal",
            ),
            (
                u64::from(big_u32_at(&bytes, 20)) == 0
                    || u64::from(big_u32_at(&bytes, 20)) >= length,
                "its first block of the log lies outside",
            ),
            (
                u64::from(big_u32_at(&bytes, 28)) >= length,
                "its start of the log lies outside",
            ),
        ];
        for (_, rule) in rules.into_iter().filter(|(broken, _)| *broken) {
            self.find_inode(number, format!("journal: {rule}"));
        }
        // Checksums of version 2 and 3 cover the superblock, with 0 in their own place.
        if block_type == 4 && big_u32_at(&bytes, 40) & 0x18 != 0 {
            let state = crc32c(crc32c(!0, &bytes[..252]), &[0; 4]);
            if big_u32_at(&bytes, 252) != crc32c(state, &bytes[256..1024]) {
                self.find_inode(number, "journal: the checksum of its superblock is wrong");
            }
        }
        Ok(())
    }

    /// The resize inode keeps the blocks behind the descriptors: its double-indirect block names those of group 0, each of which names
    /// the same block of every group with a backup. e2fsck `super.c`, `check_resize_inode`.
    fn check_resize_inode(&mut self) -> Result<(), Error> {
        let geometry = self.reader.geometry;
        let inode = Inode::read(self.reader, self.groups, 7)?;
        let double = u64::from(u32_at(inode.block(), 13 * 4));
        let others = (0..15)
            .filter(|slot| *slot != 13)
            .any(|slot| u32_at(inode.block(), slot * 4) != 0);
        if geometry.reserved_descriptor_blocks == 0 && double == 0 {
            return Ok(());
        }
        if others || !geometry.holds(double, 1) || inode.sort() != FILE || inode.links() == 0 {
            self.find_inode(7, "the resize inode is damaged");
            return Ok(());
        }
        if self.used.set(double / geometry.ratio) {
            self.find_inode(7, format!("block {double} has another owner, too"));
            return Ok(());
        }
        let per_block = geometry.block_bytes as u64 / 4;
        let backups: Vec<u64> = (1..geometry.groups())
            .filter(|group| geometry.has_superblock(*group))
            .collect();
        let pointers = self.reader.block(double)?;
        let superblock = geometry.superblock_block();
        let first = superblock + 1 + geometry.descriptor_blocks();
        let mut sound = true;
        let mut count = 1;
        for step in 0..geometry.reserved_descriptor_blocks {
            let block = first + step;
            let slot = ((geometry.descriptor_blocks() + step) % per_block) as usize;
            let named = u64::from(u32_at(&pointers, slot * 4));
            if named != block || !geometry.holds(block, 1) {
                sound = false;
                break;
            }
            count += 1 + backups.len() as u64;
            let copies = self.reader.block(block)?;
            for (place, pointer) in copies.chunks_exact(4).enumerate() {
                let expected = backups
                    .get(place)
                    .map_or(0, |group| block + group * geometry.blocks_per_group);
                sound &= u64::from(u32_at(pointer, 0)) == expected;
            }
        }
        let used = pointers
            .chunks_exact(4)
            .filter(|word| u32_at(word, 0) != 0)
            .count() as u64;
        if !sound || used != geometry.reserved_descriptor_blocks {
            self.find_inode(7, "the resize inode does not name the blocks that are kept");
        }
        let stored = u64::from(u32_at(&inode.bytes, 28));
        if stored != count * geometry.ratio * (geometry.block_bytes as u64 / 512) {
            self.find_inode(7, "`i_blocks` of the resize inode is wrong");
        }
        Ok(())
    }

    /// Returns the places of the first blocks of a file.
    fn first_blocks(&self, inode: &Inode, most: u64) -> Result<Vec<u64>, Error> {
        let mut first = First {
            most,
            blocks: Vec::new(),
            nodes: 64,
        };
        mapping::walk(self.reader, inode, &mut first)?;
        Ok(first.blocks)
    }
}

struct First {
    most: u64,
    blocks: Vec<u64>,
    /// How many blocks of the mapping may still be read: these files are walked over before or without being claimed, and in a
    /// damaged one the same block may be named again and again.
    nodes: u32,
}

impl Visitor for First {
    fn data(&mut self, run: Run) {
        let left = self.most - self.blocks.len() as u64;
        let length = run.length.min(left);
        self.blocks.extend(run.physical..run.physical + length);
    }

    fn node(&mut self, _: u64) -> bool {
        let goes_on = (self.blocks.len() as u64) < self.most && self.nodes > 0;
        self.nodes = self.nodes.saturating_sub(1);
        goes_on
    }

    fn broken(&mut self, _: &'static str) {}
}
