//! Finding out what the log holds, and writing it where it belongs.

use std::collections::HashMap;
use std::fmt;

use christen_block::BlockDevice;

use super::record::{COMMIT, Commit, DESCRIPTOR, REVOKE, Tag, crc32_be};
use super::superblock::{
    Checksums, MAGIC, SUPERBLOCK_BYTES, Superblock, begins_fast_commit, header,
};
use crate::error::{Error, Result};

/// The most different blocks whose revocation is kept in mind; a journal of 1 GiB that the kernel wrote has far fewer.
const REVOKED_BLOCKS: usize = 1 << 21;

/// The most blocks that mke2fs gives a journal (`misc/util.c`, `figure_journal_size`).
const MOST_BLOCKS: u32 = 10_240_000;

/// The filesystem that a journal belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// The size of a block in bytes.
    pub block_bytes: u32,
    /// How many blocks the filesystem has; no transaction reaches further.
    pub blocks: u64,
    /// How many blocks the journal's inode has.
    pub journal_blocks: u32,
}

/// A journal inside of its filesystem.
pub struct Journal<'a> {
    device: &'a dyn BlockDevice,
    geometry: Geometry,
    locate: &'a mut dyn FnMut(u32) -> Result<u64>,
    superblock: Superblock,
}

impl fmt::Debug for Journal<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Journal")
            .field("geometry", &self.geometry)
            .field("superblock", &self.superblock)
            .finish_non_exhaustive()
    }
}

/// What a journal holds, found out without writing anything.
#[derive(Debug, Clone)]
pub struct Pending {
    /// The first transaction.
    first: u32,
    /// The transaction after the last whole one.
    end: u32,
    /// The last transaction that revokes a block.
    revoked: HashMap<u64, u32>,
    /// How many blocks will be written.
    blocks: u64,
}

impl Pending {
    /// Returns how many whole transactions there are.
    pub fn transactions(&self) -> u32 {
        self.end.wrapping_sub(self.first)
    }

    /// Returns how many blocks will be written, those counted again that are written again.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Whether a transaction's block was revoked by itself or by a later one (`fs/jbd2/revoke.c`, `jbd2_journal_test_revoke`).
    fn is_revoked(&self, block: u64, sequence: u32) -> bool {
        self.revoked
            .get(&block)
            .is_some_and(|last| !is_after(sequence, *last))
    }
}

/// Whether a transaction comes after another, in numbers that wrap around (`tid_gt`).
fn is_after(one: u32, other: u32) -> bool {
    let distance = one.wrapping_sub(other);
    distance != 0 && distance < 1 << 31
}

/// A record of a whole transaction.
struct Record {
    kind: u32,
    sequence: u32,
    bytes: Vec<u8>,
    /// Where in the log it stands, and where what follows it does.
    place: u32,
    next: u32,
}

impl<'a> Journal<'a> {
    /// Reads the journal's superblock. `locate` tells which block of the filesystem a block of the journal is.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], [`Error::Unsupported`] and [`Error::Io`].
    pub fn open(
        device: &'a dyn BlockDevice,
        geometry: Geometry,
        locate: &'a mut dyn FnMut(u32) -> Result<u64>,
    ) -> Result<Self> {
        // What takes no more steps than there are blocks takes time by the size of the image, whatever the journal says.
        if !matches!(geometry.block_bytes, 1024..=65_536)
            || geometry.journal_blocks == 0
            || u64::from(geometry.journal_blocks) > geometry.blocks
        {
            return Err(Error::corrupt(
                "journal block",
                0,
                format!(
                    "it has {} blocks, and the filesystem {}",
                    geometry.journal_blocks, geometry.blocks
                ),
            ));
        }
        if geometry.journal_blocks > MOST_BLOCKS {
            return Err(Error::unsupported(format!(
                "a journal of more than {MOST_BLOCKS} blocks is"
            )));
        }
        let place = locate(0)?;
        check_place(place, &geometry, 0)?;
        let place = place * u64::from(geometry.block_bytes);
        let mut raw = [0; SUPERBLOCK_BYTES];
        device.read_at(&mut raw, place)?;
        let superblock = Superblock::parse(&raw, geometry.block_bytes, geometry.journal_blocks)?;
        Ok(Self {
            device,
            geometry,
            locate,
            superblock,
        })
    }

    /// Returns the journal's superblock.
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Whether the log says that it is empty.
    pub fn is_empty(&self) -> bool {
        self.superblock.start() == 0
    }

    /// Finds out what the log holds, and checks all of it that has a checksum. Nothing is written.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] for what mounting would refuse or recover only in part, and for blocks outside the filesystem;
    /// [`Error::Unsupported`] for fast commits that wait to be replayed.
    pub fn examine(&mut self) -> Result<Pending> {
        let first = self.superblock.sequence();
        let mut pending = Pending {
            first,
            end: first,
            revoked: HashMap::new(),
            blocks: 0,
        };
        let error = self.superblock.error_number();
        if error != 0 {
            return Err(self.corrupt(
                0,
                format!("it says that error {error} was met while the filesystem was in use"),
            ));
        }
        if self.is_empty() {
            return Ok(pending);
        }
        pending.end = self.find_end()?;
        self.refuse_fast_commits(pending.end)?;
        self.collect_revoked(&mut pending)?;
        pending.blocks = self.for_each_block(&pending, true, &mut |_, _| Ok(()))?;
        Ok(pending)
    }

    /// Writes what [`examine`](Self::examine) found where it belongs, and marks the log as empty.
    ///
    /// The filesystem's superblock may be among what is written; its own flag `needs_recovery` is left to
    /// [`mark_recovered`](super::mark_recovered).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and, if the journal changed meanwhile, [`Error::Corrupt`]. Some blocks may have been written.
    pub fn replay(&mut self, pending: &Pending) -> Result<()> {
        let block_bytes = u64::from(self.geometry.block_bytes);
        let device = self.device;
        self.for_each_block(pending, false, &mut |block, data| {
            Ok(device.write_at(data, block * block_bytes)?)
        })?;
        if !self.is_empty() {
            // `jbd2_journal_recover` steps one further, so that no commit block that is left in the log can match.
            self.superblock.mark_empty(pending.end.wrapping_add(1));
            let place = (self.locate)(0)?;
            check_place(place, &self.geometry, 0)?;
            device.write_at(self.superblock.bytes(), place * block_bytes)?;
        }
        Ok(())
    }

    fn corrupt(&self, block: u32, rule: impl Into<String>) -> Error {
        Error::corrupt("journal block", u64::from(block), rule)
    }

    fn read(&mut self, block: u32, buffer: &mut [u8]) -> Result<()> {
        let place = (self.locate)(block)?;
        check_place(place, &self.geometry, block)?;
        let offset = place * u64::from(self.geometry.block_bytes);
        Ok(self.device.read_at(buffer, offset)?)
    }

    /// The block of the log that lies so many further.
    fn step(&self, from: u32, by: u32) -> u32 {
        let (first, last) = (self.superblock.first, self.superblock.last);
        // A descriptor has no more tags than the log has blocks, or the walk has ended before.
        let to_end = last - from;
        if by < to_end {
            from + by
        } else {
            first + (by - to_end)
        }
    }

    fn new_buffer(&self) -> Vec<u8> {
        vec![0; self.geometry.block_bytes as usize]
    }

    /// How many blocks the log has: no walk takes more.
    fn log_blocks(&self) -> u32 {
        self.superblock.last - self.superblock.first
    }

    /// Goes through the log to the first transaction that is not whole, and returns its number
    /// (`fs/jbd2/recovery.c`, `do_one_pass` with `PASS_SCAN`).
    fn find_end(&mut self) -> Result<u32> {
        let (tags, seed) = (self.superblock.tags(), self.superblock.seed());
        let checksums = self.superblock.checksums();
        let mut sequence = self.superblock.sequence();
        let mut at = self.superblock.start();
        let mut left = self.log_blocks();
        let mut buffer = self.new_buffer();
        let mut data = self.new_buffer();
        let mut crc = !0;
        let mut last_commit = 0;
        // A record whose checksum is wrong: either the log is damaged, or it is a leftover of older use, which the time of the commit tells.
        let mut doubtful: Option<u32> = None;
        // A transaction whose commit was written early, and whose rest was not.
        let mut interrupted: Option<u32> = None;
        while left > 0 {
            let place = at;
            self.read(place, &mut buffer)?;
            let Some((kind, own_sequence)) = header(&buffer) else {
                break;
            };
            if own_sequence != sequence {
                break;
            }
            at = self.step(at, 1);
            left -= 1;
            match kind {
                DESCRIPTOR => {
                    if !tags.tail_is_right(&buffer, seed) {
                        doubtful = doubtful.or(Some(place));
                    }
                    let blocks = tags.read(&buffer).len() as u32;
                    if blocks > left {
                        // It cannot have been committed, since its own blocks lie over its beginning.
                        break;
                    }
                    left -= blocks;
                    if checksums == Checksums::Transaction && interrupted.is_none() {
                        crc = crc32_be(crc, &buffer);
                        for number in 0..blocks {
                            let block = self.step(at, number);
                            self.read(block, &mut data)?;
                            crc = crc32_be(crc, &data);
                        }
                    }
                    at = self.step(at, blocks);
                }
                REVOKE => {
                    if !tags.tail_is_right(&buffer, seed) {
                        doubtful = doubtful.or(Some(place));
                    }
                }
                COMMIT => {
                    let commit = Commit(&buffer);
                    let seconds = commit.seconds();
                    let is_right = commit.is_right(checksums, crc, seed);
                    if (doubtful.is_some() || !is_right) && seconds < last_commit {
                        break;
                    }
                    if let Some(record) = doubtful {
                        return Err(self.corrupt(
                            record,
                            format!("a record of transaction {sequence} has a wrong checksum"),
                        ));
                    }
                    if let Some(transaction) = interrupted {
                        return Err(self.corrupt(
                            place,
                            format!(
                                "transaction {transaction} has a wrong checksum, and others follow"
                            ),
                        ));
                    }
                    if !is_right {
                        if !self.superblock.commits_early() {
                            return Err(self.corrupt(
                                place,
                                format!(
                                    "the commit of transaction {sequence} has a wrong checksum"
                                ),
                            ));
                        }
                        interrupted = Some(sequence);
                    }
                    crc = !0;
                    last_commit = seconds;
                    sequence = sequence.wrapping_add(1);
                }
                _ => break,
            }
        }
        Ok(interrupted.unwrap_or(sequence))
    }

    /// Refuses fast commits of the transaction that was running (`fs/ext4/fast_commit.c`, `ext4_fc_replay_scan`).
    fn refuse_fast_commits(&mut self, running: u32) -> Result<()> {
        let Some(first) = self.superblock.fast_commits() else {
            return Ok(());
        };
        let mut buffer = self.new_buffer();
        self.read(first, &mut buffer)?;
        if begins_fast_commit(&buffer, running) {
            return Err(Error::unsupported(
                "fast commits that were never written back (feature `fast_commit`) are",
            ));
        }
        Ok(())
    }

    /// Visits the records of the whole transactions.
    fn for_each_record(
        &mut self,
        end: u32,
        visit: &mut dyn FnMut(&mut Self, &Record) -> Result<()>,
    ) -> Result<()> {
        let tags = self.superblock.tags();
        let mut at = self.superblock.start();
        let mut left = self.log_blocks();
        let mut record = Record {
            kind: 0,
            sequence: self.superblock.sequence(),
            bytes: self.new_buffer(),
            place: at,
            next: at,
        };
        while record.sequence != end {
            self.read(at, &mut record.bytes)?;
            let blocks = match header(&record.bytes) {
                Some((kind, sequence)) if sequence == record.sequence && left > 0 => {
                    record.kind = kind;
                    if kind == DESCRIPTOR {
                        tags.read(&record.bytes).len() as u32
                    } else {
                        0
                    }
                }
                _ => return Err(self.corrupt(at, "the log changed while it was read")),
            };
            if blocks >= left {
                return Err(self.corrupt(at, "the log changed while it was read"));
            }
            left -= 1 + blocks;
            record.place = at;
            record.next = self.step(at, 1);
            visit(self, &record)?;
            at = self.step(record.next, blocks);
            if record.kind == COMMIT {
                record.sequence = record.sequence.wrapping_add(1);
            }
        }
        Ok(())
    }

    fn collect_revoked(&mut self, pending: &mut Pending) -> Result<()> {
        let tags = self.superblock.tags();
        let revoked = &mut pending.revoked;
        self.for_each_record(pending.end, &mut |journal, record| {
            if record.kind != REVOKE {
                return Ok(());
            }
            let blocks = tags.read_revoked(&record.bytes).ok_or_else(|| {
                journal.corrupt(record.place, "a revoke record is longer than its block")
            })?;
            for block in blocks {
                // Transactions are read in order, so that the last one stays.
                revoked.insert(block, record.sequence);
            }
            if revoked.len() > REVOKED_BLOCKS {
                return Err(Error::unsupported(format!(
                    "a journal that revokes more than {REVOKED_BLOCKS} blocks is"
                )));
            }
            Ok(())
        })
    }

    /// Visits the blocks to be written, with their content, and returns how many they are. If they are only to be checked, what has no
    /// checksum is not read.
    fn for_each_block(
        &mut self,
        pending: &Pending,
        only_check: bool,
        visit: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<u64> {
        let (tags, seed) = (self.superblock.tags(), self.superblock.seed());
        let has_checksums = tags.version2 || tags.version3;
        let limit = self.geometry.blocks;
        let mut data = self.new_buffer();
        let mut written = 0;
        if self.is_empty() {
            return Ok(0);
        }
        self.for_each_record(pending.end, &mut |journal, record| {
            if record.kind != DESCRIPTOR {
                return Ok(());
            }
            for (number, tag) in (0..).zip(tags.read(&record.bytes)) {
                if pending.is_revoked(tag.block, record.sequence) {
                    continue;
                }
                let Tag { block, escaped, .. } = tag;
                if block >= limit {
                    return Err(journal.corrupt(
                        record.place,
                        format!("block {block} is to be written, and the filesystem has {limit}"),
                    ));
                }
                written += 1;
                if only_check && !has_checksums {
                    continue;
                }
                let place = journal.step(record.next, number);
                journal.read(place, &mut data)?;
                if !tag.data_is_right(&data, record.sequence, seed) {
                    return Err(journal.corrupt(
                        place,
                        format!(
                            "the data of transaction {} for block {block} has a wrong checksum",
                            record.sequence
                        ),
                    ));
                }
                if escaped {
                    data[..4].copy_from_slice(&MAGIC.to_be_bytes());
                }
                visit(block, &data)?;
            }
            Ok(())
        })?;
        Ok(written)
    }
}

fn check_place(place: u64, geometry: &Geometry, block: u32) -> Result<()> {
    if (1..geometry.blocks).contains(&place) {
        return Ok(());
    }
    Err(Error::corrupt(
        "journal block",
        u64::from(block),
        format!(
            "it stands in block {place}, and the filesystem has {}",
            geometry.blocks
        ),
    ))
}
