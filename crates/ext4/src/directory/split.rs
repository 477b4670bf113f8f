//! A leaf in two halves by hash.

use super::entry::{self, Broken, Layout, Slot};
use super::hash::Hasher;

/// The halves of a leaf's entries.
#[derive(Debug)]
pub(super) struct Halves {
    /// The region of the entries with the lower hashes.
    pub(super) lower: Vec<u8>,
    /// The region of the entries with the higher hashes.
    pub(super) upper: Vec<u8>,
    /// The lowest hash of the upper half.
    pub(super) upper_hash: u32,
    /// Whether the lower half ends with that hash, too.
    continued: bool,
}

impl Halves {
    /// Splits the entries of a region as `do_split` in Linux `fs/ext4/namei.c` does: by size, or, if they fill less than half,
    /// by number. `None` if there are fewer than two.
    ///
    /// The halves always have room for one more entry of any length: of at least 1012 bytes the upper has at most half a block
    /// and half an entry, the lower what remains.
    pub(super) fn of(
        layout: Layout,
        region: &[u8],
        hasher: &Hasher,
    ) -> Result<Option<Self>, Broken> {
        let mut entries = Vec::with_capacity(region.len() / entry::SHORTEST_BYTES);
        for slot in entry::slots(layout, region) {
            let slot = slot?;
            if slot.inode() != 0 {
                entries.push((hasher.hash(slot.name(region)), slot));
            }
        }
        if entries.len() < 2 {
            return Ok(None);
        }
        // Stable, so that the same directory is always split in the same way.
        entries.sort_by_key(|(hash, _)| *hash);
        let split = split_at(layout, &entries);
        let (lower, upper) = entries.split_at(split);
        let upper_hash = entries[split].0;
        Ok(Some(Self {
            continued: entries[split - 1].0 == upper_hash,
            lower: packed(layout, region, lower),
            upper: packed(layout, region, upper),
            upper_hash,
        }))
    }

    /// Returns what the index says of the upper half.
    pub(super) fn boundary(&self) -> u32 {
        self.upper_hash + u32::from(self.continued)
    }
}

/// Returns how many of two or more entries stay in the lower half, at least one.
fn split_at(layout: Layout, entries: &[(u32, Slot)]) -> usize {
    let half = layout.block_bytes / 2;
    let mut moved_bytes = 0;
    for (position, (_, slot)) in entries.iter().enumerate().rev() {
        let bytes = slot.used_bytes();
        if moved_bytes + bytes / 2 > half {
            return position + 1;
        }
        moved_bytes += bytes;
    }
    entries.len() / 2
}

fn packed(layout: Layout, region: &[u8], entries: &[(u32, Slot)]) -> Vec<u8> {
    entry::pack_slots(layout, region, entries.iter().map(|(_, slot)| *slot))
}
