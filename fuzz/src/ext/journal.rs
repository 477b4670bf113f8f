//! The journal's checksums and numbers.
//!
//! Linux `Documentation/filesystems/ext4/journal.rst`; `fs/jbd2/commit.c`.

use super::repair::{Layout, blocks};
use super::{be32_at, checksum, put, u32_at};

const MAGIC: u32 = 0xc03b_3998;

/// The log is looked at up to this: an input should not take its time here.
const MOST_BYTES: usize = 4 << 20;

/// Makes a journal look as if it needed recovery: the flag, signatures, the sequence of transactions, and what has a CRC-32C.
pub fn repair(image: &mut [u8]) {
    let incompatible = u32_at(image, 1024 + 0x60) | 4;
    put(image, 1024 + 0x60, &incompatible.to_le_bytes());
    let Some(layout) = Layout::of(image) else {
        return;
    };
    let number = u32_at(image, 1024 + 0xe0);
    let Some(inode) = layout.inode(image, number) else {
        return;
    };
    let mut left = MOST_BYTES / layout.block;
    let mut log = Vec::new();
    for (logical, block) in blocks(image, &layout, inode, None, &mut left) {
        let at = block.saturating_mul(layout.block);
        if logical == log.len() && at.saturating_add(layout.block) <= image.len() {
            log.push(at);
        }
    }
    let Some(&start) = log.first() else {
        return;
    };
    put(image, start, &MAGIC.to_be_bytes());
    walk(image, &layout, &log, start);
    if has_checksums(image, start) {
        put(image, start + 80, &[4]);
        put(image, start + 252, &[0; 4]);
        let sum = checksum(!0, &image[start..start + 1024]);
        put(image, start + 252, &sum.to_be_bytes());
    }
}

fn has_checksums(image: &[u8], superblock: usize) -> bool {
    be32_at(image, superblock + 4) == 4 && be32_at(image, superblock + 40) & 0x18 != 0
}

fn walk(image: &mut [u8], layout: &Layout, log: &[usize], superblock: usize) {
    let features = be32_at(image, superblock + 40);
    let (version3, version2) = (features & 0x10 != 0, features & 8 != 0);
    let summed = has_checksums(image, superblock);
    let seed = checksum(!0, &image[superblock + 48..superblock + 64]);
    let first = be32_at(image, superblock + 20) as usize;
    let mut sequence = be32_at(image, superblock + 24);
    let mut at = be32_at(image, superblock + 28) as usize;
    let size = layout.block;
    let next = |at: usize| if at + 1 < log.len() { at + 1 } else { first };
    for _ in 0..log.len() {
        let Some(&record) = log.get(at) else {
            return;
        };
        if be32_at(image, record) != MAGIC {
            return;
        }
        put(image, record + 8, &sequence.to_be_bytes());
        let kind = be32_at(image, record + 4);
        at = next(at);
        let (tag_bytes, end) = match (version3, version2, features & 2 != 0) {
            (true, ..) => (16, size - 4),
            (_, true, wide) => (if wide { 14 } else { 10 }, size - 4),
            (_, _, wide) => (if wide { 12 } else { 8 }, size),
        };
        if kind == 1 {
            let mut tag = 12;
            while tag + tag_bytes <= end {
                let flags = be32_at(image, record + tag + 4) & 0xffff;
                if let Some(&data) = log.get(at)
                    && summed
                {
                    let sum = checksum(seed, &sequence.to_be_bytes());
                    let sum = checksum(sum, &image[data..data + size]).to_be_bytes();
                    if version3 {
                        put(image, record + tag + 12, &sum);
                    } else {
                        put(image, record + tag + 4, &sum[2..]);
                    }
                }
                at = next(at);
                tag += tag_bytes;
                if flags & 2 == 0 {
                    tag += 16;
                }
                if flags & 8 != 0 {
                    break;
                }
            }
        }
        // A tail, or the place in a commit: both count as zeros.
        let sum_at = match kind {
            1 | 5 => record + size - 4,
            2 => record + 16,
            _ => return,
        };
        if summed {
            put(image, sum_at, &[0; 4]);
            let sum = checksum(seed, &image[record..record + size]);
            put(image, sum_at, &sum.to_be_bytes());
        }
        if kind == 2 {
            sequence = sequence.wrapping_add(1);
        }
    }
}
