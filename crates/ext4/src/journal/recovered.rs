//! The filesystem's own word on its journal.

use christen_block::BlockDevice;

use super::record::checksum;
use crate::error::Result;

/// Where the filesystem's superblock stands.
const PLACE: u64 = 1024;
const FREE_BLOCKS: usize = 0x0C;
const FREE_INODES: usize = 0x10;
const INCOMPATIBLE: usize = 0x60;
const READ_ONLY: usize = 0x64;
const FREE_BLOCKS_HIGH: usize = 0x158;
const CHECKSUM: usize = 0x3FC;

const NEEDS_RECOVERY: u32 = 0x4;
const SIXTY_FOUR_BIT: u32 = 0x80;
const METADATA_CHECKSUM: u32 = 0x400;

/// What is free in all groups together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FreeCounts {
    /// The blocks; with `bigalloc` the clusters.
    pub blocks: u64,
    /// The inodes.
    pub inodes: u32,
}

/// Takes `needs_recovery` from the superblock of a filesystem whose journal was replayed, and sets its counters. What is known of the
/// superblock must be read anew before: the journal may have held another one.
///
/// # Errors
///
/// Whatever stops the reading and the writing.
pub fn mark_recovered(device: &dyn BlockDevice, free: Option<FreeCounts>) -> Result<()> {
    let mut raw = [0; 1024];
    device.read_at(&mut raw, PLACE)?;
    let field = |raw: &[u8; 1024], at: usize| {
        u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]])
    };
    let set = |raw: &mut [u8; 1024], at: usize, value: u32| {
        raw[at..at + 4].copy_from_slice(&value.to_le_bytes());
    };
    let features = field(&raw, INCOMPATIBLE) & !NEEDS_RECOVERY;
    set(&mut raw, INCOMPATIBLE, features);
    if let Some(free) = free {
        // The lower half, and the upper one where there is room for it.
        set(&mut raw, FREE_BLOCKS, free.blocks as u32);
        set(&mut raw, FREE_INODES, free.inodes);
        if features & SIXTY_FOUR_BIT != 0 {
            set(&mut raw, FREE_BLOCKS_HIGH, (free.blocks >> 32) as u32);
        }
    }
    if field(&raw, READ_ONLY) & METADATA_CHECKSUM != 0 {
        let sum = checksum(!0, &raw[..CHECKSUM]);
        set(&mut raw, CHECKSUM, sum);
    }
    Ok(device.write_at(&raw, PLACE)?)
}
