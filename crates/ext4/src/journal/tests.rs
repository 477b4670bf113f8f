//! Logs made by hand, for what the tools do not make.

use christen_block::{BlockDevice, MemoryDevice};

use super::record::{checksum, crc32_be};
use super::*;
use crate::error::{Error, Result};

const BLOCK_BYTES: usize = 1024;
/// The journal stands in the blocks from here on.
const PLACE: u64 = 100;
const LENGTH: u32 = 20;
const BLOCKS: u64 = 200;

/// A journal without checksums unless it is said, whose log is from 1 to 19, and what is written into it.
struct Log {
    image: Vec<u8>,
    at: u32,
    compat: u32,
    crc: u32,
    seconds: u64,
}

impl Log {
    fn new(start: u32, sequence: u32) -> Self {
        let mut log = Self {
            image: vec![0; BLOCK_BYTES * BLOCKS as usize],
            at: start,
            compat: 0,
            crc: !0,
            seconds: 10,
        };
        let mut superblock = vec![0; BLOCK_BYTES];
        for (at, value) in [
            (0, superblock::MAGIC),
            (4, 4),
            (12, BLOCK_BYTES as u32),
            (16, LENGTH),
            (20, 1),
            (24, sequence),
            (28, start),
            (40, 1),
        ] {
            superblock[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        log.block_mut(0).copy_from_slice(&superblock);
        log
    }

    fn block_mut(&mut self, block: u32) -> &mut [u8] {
        let start = (PLACE as usize + block as usize) * BLOCK_BYTES;
        &mut self.image[start..start + BLOCK_BYTES]
    }

    fn set(&mut self, block: u32, at: usize, value: u32) {
        self.block_mut(block)[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        let at = self.at;
        self.block_mut(at).copy_from_slice(bytes);
        self.at = if at + 1 == LENGTH { 1 } else { at + 1 };
    }

    fn record(kind: u32, sequence: u32) -> Vec<u8> {
        let mut bytes = vec![0; BLOCK_BYTES];
        bytes[0..4].copy_from_slice(&superblock::MAGIC.to_be_bytes());
        bytes[4..8].copy_from_slice(&kind.to_be_bytes());
        bytes[8..12].copy_from_slice(&sequence.to_be_bytes());
        bytes
    }

    /// Blocks that are filled with a byte, or begin with the magic if that is 0.
    fn descriptor(&mut self, sequence: u32, blocks: &[(u32, u8)]) {
        let mut bytes = Self::record(record::DESCRIPTOR, sequence);
        let mut at = 12;
        for (number, (block, fill)) in blocks.iter().enumerate() {
            let mut flags = if *fill == 0 { 1_u16 } else { 0 };
            if number > 0 {
                flags |= 2;
            }
            if number + 1 == blocks.len() {
                flags |= 8;
            }
            bytes[at..at + 4].copy_from_slice(&block.to_be_bytes());
            bytes[at + 6..at + 8].copy_from_slice(&flags.to_be_bytes());
            at += if number > 0 { 8 } else { 24 };
        }
        self.crc = crc32_be(self.crc, &bytes);
        self.put(&bytes);
        for (_, fill) in blocks {
            let data = vec![*fill; BLOCK_BYTES];
            self.crc = crc32_be(self.crc, &data);
            self.put(&data);
        }
    }

    fn revoke(&mut self, sequence: u32, blocks: &[u32]) {
        let mut bytes = Self::record(record::REVOKE, sequence);
        bytes[12..16].copy_from_slice(&(16 + 4 * blocks.len() as u32).to_be_bytes());
        for (number, block) in blocks.iter().enumerate() {
            bytes[16 + 4 * number..20 + 4 * number].copy_from_slice(&block.to_be_bytes());
        }
        self.put(&bytes);
    }

    fn commit(&mut self, sequence: u32) {
        let mut bytes = Self::record(record::COMMIT, sequence);
        bytes[48..56].copy_from_slice(&self.seconds.to_be_bytes());
        if self.compat & 1 != 0 {
            bytes[12..14].copy_from_slice(&[1, 4]);
            bytes[16..20].copy_from_slice(&self.crc.to_be_bytes());
        }
        self.crc = !0;
        self.put(&bytes);
    }

    /// Replays, and gives the number of transactions and the image.
    fn replay(mut self) -> Result<(u32, Vec<u8>)> {
        let compat = self.compat;
        self.set(0, 36, compat);
        let device = MemoryDevice::new(self.image.clone());
        let mut locate = |block: u32| Ok(PLACE + u64::from(block));
        let mut journal = Journal::open(&device, geometry(), &mut locate)?;
        let pending = journal.examine();
        assert_eq!(device.snapshot(), self.image, "examining writes nothing");
        let pending = pending?;
        journal.replay(&pending)?;
        let mut locate = |block: u32| Ok(PLACE + u64::from(block));
        assert!(Journal::open(&device, geometry(), &mut locate)?.is_empty());
        Ok((pending.transactions(), device.snapshot()))
    }

    fn error(self) -> String {
        self.replay().unwrap_err().to_string()
    }
}

fn geometry() -> Geometry {
    Geometry {
        block_bytes: BLOCK_BYTES as u32,
        blocks: BLOCKS,
        journal_blocks: LENGTH,
    }
}

fn block(image: &[u8], number: usize) -> &[u8] {
    &image[number * BLOCK_BYTES..(number + 1) * BLOCK_BYTES]
}

#[test]
fn whole_transactions_are_written_and_others_are_not() {
    let mut log = Log::new(1, 7);
    log.descriptor(7, &[(10, 1), (11, 0)]);
    log.commit(7);
    log.descriptor(8, &[(10, 2)]);
    log.commit(8);
    log.descriptor(9, &[(10, 3)]);
    let (transactions, image) = log.replay().unwrap();
    assert_eq!(transactions, 2);
    assert_eq!(block(&image, 10), [2; BLOCK_BYTES]);
    assert_eq!(block(&image, 11)[..5], [0xC0, 0x3B, 0x39, 0x98, 0]);
    let superblock = block(&image, PLACE as usize);
    assert_eq!(superblock[24..32], [0, 0, 0, 10, 0, 0, 0, 0]);
}

#[test]
fn the_log_and_its_numbers_wrap_around() {
    let mut log = Log::new(17, u32::MAX);
    log.descriptor(u32::MAX, &[(10, 1), (11, 1), (12, 1)]);
    log.commit(u32::MAX);
    log.revoke(0, &[11]);
    log.descriptor(0, &[(12, 4)]);
    log.commit(0);
    let (transactions, image) = log.replay().unwrap();
    assert_eq!(transactions, 2);
    assert_eq!(block(&image, 10)[0], 1);
    assert_eq!(block(&image, 11)[0], 0, "a later transaction revoked it");
    assert_eq!(block(&image, 12)[0], 4);
}

#[test]
fn what_is_written_after_it_was_revoked_stays() {
    let mut log = Log::new(1, 7);
    log.descriptor(7, &[(10, 1), (11, 1)]);
    log.commit(7);
    log.revoke(8, &[10, 11]);
    log.commit(8);
    log.descriptor(9, &[(10, 3)]);
    log.commit(9);
    let (_, image) = log.replay().unwrap();
    assert_eq!((block(&image, 10)[0], block(&image, 11)[0]), (3, 0));
}

#[test]
fn a_transaction_with_a_wrong_checksum_is_told_from_a_leftover() {
    let log = |early, follow: bool, seconds| {
        let mut log = Log::new(1, 7);
        log.compat = 1;
        log.set(0, 40, if early { 5 } else { 1 });
        log.descriptor(7, &[(10, 1)]);
        log.commit(7);
        log.descriptor(8, &[(11, 2)]);
        log.crc = 1;
        log.seconds = seconds;
        log.commit(8);
        if follow {
            log.descriptor(9, &[(12, 2)]);
            log.commit(9);
        }
        log
    };
    assert!(
        log(false, false, 11)
            .error()
            .contains("commit of transaction 8")
    );
    assert_eq!(log(false, false, 9).replay().unwrap().0, 1);
    assert_eq!(log(true, false, 11).replay().unwrap().0, 1);
    assert!(log(true, true, 11).error().contains("others follow"));
}

#[test]
fn damage_is_refused_by_name() {
    let log = || {
        let mut log = Log::new(1, 7);
        log.descriptor(7, &[(10, 1)]);
        log.revoke(7, &[5]);
        log.commit(7);
        log
    };
    assert!(log().replay().is_ok());
    let with = |block, at, value| {
        let mut log = log();
        log.set(block, at, value);
        log
    };
    assert!(with(0, 0, 1).error().contains("magic"));
    assert!(with(0, 4, 1).error().contains("block type"));
    assert!(with(0, 12, 4096).error().contains("4096 bytes"));
    assert!(with(0, 16, 21).error().contains("21 blocks"));
    assert!(with(0, 20, 0).error().contains("begins at block 0"));
    assert!(with(0, 28, 20).error().contains("at block 20"));
    assert!(with(0, 32, 5).error().contains("error 5"));
    assert!(with(0, 40, 0x41).error().contains("0x40"));
    assert!(with(0, 40, 0x18).error().contains("more than one kind"));
    assert!(with(1, 12, 200).error().contains("block 200"));
    assert!(with(3, 12, 1025).error().contains("longer than its block"));
    let mut wrong = with(0, 40, 0x10);
    wrong.block_mut(0)[80] = 4;
    assert!(wrong.error().contains("checksum"));
}

#[test]
fn descriptors_without_an_end_are_no_transaction() {
    let mut log = Log::new(1, 7);
    let empty = Log::record(record::DESCRIPTOR, 7);
    for block in 1..LENGTH {
        log.block_mut(block).copy_from_slice(&empty);
    }
    assert_eq!(log.replay().unwrap().0, 0);
}

#[test]
fn a_journal_is_no_longer_than_its_filesystem_or_any_that_is_made() {
    let device = MemoryDevice::new(vec![0; BLOCK_BYTES]);
    let open = |journal_blocks, blocks| {
        let geometry = Geometry {
            block_bytes: BLOCK_BYTES as u32,
            blocks,
            journal_blocks,
        };
        Journal::open(&device, geometry, &mut |_| Ok(PLACE)).map(|_| ())
    };
    assert!(matches!(open(0, 10), Err(Error::Corrupt(_))));
    assert!(matches!(open(11, 10), Err(Error::Corrupt(_))));
    let large = open(10_240_001, 1 << 32);
    assert!(matches!(large, Err(Error::Unsupported(_))));
}

#[test]
fn fast_commits_are_refused() {
    let log = |sequence: u32| {
        let blocks = 1400_u32;
        let mut image = vec![0; BLOCK_BYTES * 2000];
        let mut superblock = Log::new(1, 7).block_mut(0).to_vec();
        superblock[16..20].copy_from_slice(&blocks.to_be_bytes());
        superblock[40..44].copy_from_slice(&0x21_u32.to_be_bytes());
        image[PLACE as usize * BLOCK_BYTES..][..BLOCK_BYTES].copy_from_slice(&superblock);
        // 256 blocks at the end, of which the first is unused.
        let fast = (PLACE as usize + 1400 - 256 + 1) * BLOCK_BYTES;
        image[fast..fast + 4].copy_from_slice(&[9, 0, 8, 0]);
        image[fast + 8..fast + 12].copy_from_slice(&sequence.to_le_bytes());
        let device = MemoryDevice::new(image);
        let mut locate = |block: u32| Ok(PLACE + u64::from(block));
        let geometry = Geometry {
            journal_blocks: blocks,
            blocks: 2000,
            ..geometry()
        };
        Journal::open(&device, geometry, &mut locate)?.examine()
    };
    assert!(matches!(log(7), Err(Error::Unsupported(_))));
    assert!(log(6).is_ok());
}

#[test]
fn no_byte_makes_it_panic() {
    let mut log = Log::new(1, 7);
    log.descriptor(7, &[(10, 1)]);
    log.revoke(7, &[5]);
    log.commit(7);
    for block in [0, 1, 3, 4] {
        for at in 0..64 {
            for byte in [0, 1, 127, 255] {
                let mut changed = Log::new(1, 7);
                changed.image.clone_from(&log.image);
                changed.block_mut(block)[at] = byte;
                let _ = changed.replay();
            }
        }
    }
}

#[test]
fn the_filesystem_is_told() {
    let mut image = vec![0; 4096];
    image[1024 + 0x60] = 0xC6;
    image[1024 + 0x65] = 4;
    let device = MemoryDevice::new(image);
    let free = FreeCounts {
        blocks: 0x1_0000_0002,
        inodes: 3,
    };
    mark_recovered(&device, Some(free)).unwrap();
    let mut superblock = [0; 1024];
    device.read_at(&mut superblock, 1024).unwrap();
    assert_eq!(superblock[0x60], 0xC2);
    assert_eq!((superblock[0x0C], superblock[0x10]), (2, 3));
    assert_eq!(superblock[0x158], 1);
    let expected = checksum(!0, &superblock[..0x3FC]);
    assert_eq!(superblock[0x3FC..], expected.to_le_bytes());
}
