//! The filesystem's own word on its journal.

use christen_block::{BlockDevice, Result};

use super::record::checksum;

/// Where the filesystem's superblock stands.
const PLACE: u64 = 1024;
const INCOMPATIBLE: usize = 0x60;
const READ_ONLY: usize = 0x64;
const CHECKSUM: usize = 0x3FC;

const NEEDS_RECOVERY: u32 = 0x4;
const METADATA_CHECKSUM: u32 = 0x400;

/// Takes `needs_recovery` from the superblock of a filesystem whose journal was replayed. What is known of the superblock must be read anew
/// before: the journal may have held another one.
///
/// # Errors
///
/// Whatever stops the reading and the writing.
pub fn mark_recovered(device: &dyn BlockDevice) -> Result<()> {
    let mut raw = [0; 1024];
    device.read_at(&mut raw, PLACE)?;
    let field = |raw: &[u8; 1024], at: usize| {
        u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]])
    };
    let features = field(&raw, INCOMPATIBLE) & !NEEDS_RECOVERY;
    raw[INCOMPATIBLE..INCOMPATIBLE + 4].copy_from_slice(&features.to_le_bytes());
    if field(&raw, READ_ONLY) & METADATA_CHECKSUM != 0 {
        let checksum = checksum(!0, &raw[..CHECKSUM]);
        raw[CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
    }
    device.write_at(&raw, PLACE)
}
