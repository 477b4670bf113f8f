//! What opening a filesystem does with its journal.

use std::sync::Arc;

use christen_block::BlockDevice;

use super::recovered::{FreeCounts, mark_recovered};
use super::replay::{Geometry, Journal};
use crate::error::{Error, Result};
use crate::feature::Feature;
use crate::inode::Inode;
use crate::mapping::{Run, RunKind};
use crate::number::{GroupNumber, InodeNumber};
use crate::options::OpenOptions;
use crate::volume::Volume;

/// Replays the journal of a filesystem through its device. What was read of the filesystem before must be read anew.
///
/// Afterwards the filesystem needs no recovery, and its counters of free blocks and inodes are those of its groups: Linux keeps them
/// elsewhere while it is in use, and counts anew at every mount (`fs/ext4/super.c`, `__ext4_fill_super`).
///
/// # Errors
///
/// [`Error::Corrupt`] and [`Error::Unsupported`]; nothing was written, unless what the journal held has made the filesystem unreadable.
pub(crate) fn recover(device: &Arc<dyn BlockDevice>, options: &OpenOptions) -> Result<()> {
    let mut volume = Volume::open(Arc::clone(device), options)?;
    replay(&**device, &mut volume)?;
    let mut volume = Volume::open(Arc::clone(device), options)?;
    let free = volume.count_free()?;
    mark_recovered(&**device, Some(free))
}

fn replay(device: &dyn BlockDevice, volume: &mut Volume) -> Result<()> {
    let number = InodeNumber(volume.superblock.raw.s_journal_inum.get());
    if volume.superblock.has(Feature::JournalDev) || number.0 == 0 {
        return Err(Error::unsupported("external journals are"));
    }
    let inode = volume.read_inode(number)?;
    let block_bytes = volume.superblock.block_bytes();
    let length = inode.size() / u64::from(block_bytes);
    let journal_blocks = u32::try_from(length)
        .ok()
        .filter(|_| inode.is_file() && inode.links() > 0)
        .ok_or_else(|| Error::corrupt("inode", u64::from(number.0), "it is not a journal"))?;
    let geometry = Geometry {
        block_bytes,
        blocks: volume.superblock.blocks(),
        journal_blocks,
    };
    let mut map = Map::default();
    let mut locate = |block| map.locate(volume, &inode, block);
    let mut journal = Journal::open(device, geometry, &mut locate)?;
    let pending = journal.examine()?;
    journal.replay(&pending)
}

/// Where the journal stands: the run that was looked up last.
#[derive(Default)]
struct Map {
    last: Option<(u32, Run)>,
}

impl Map {
    fn locate(&mut self, volume: &mut Volume, inode: &Inode, block: u32) -> Result<u64> {
        if let Some((start, run)) = self.last
            && let Some(within) = block.checked_sub(start)
            && u64::from(within) < run.length
        {
            return Ok(run.block.0 + u64::from(within));
        }
        let run = volume.lookup_run(inode, block)?;
        if run.kind != RunKind::Written {
            return Err(Error::corrupt(
                "journal block",
                u64::from(block),
                "it is not allocated",
            ));
        }
        self.last = Some((block, run));
        Ok(run.block.0)
    }
}

impl Volume {
    /// Adds up what is free in all groups.
    fn count_free(&mut self) -> Result<FreeCounts> {
        let mut free = FreeCounts::default();
        for group in 0..self.superblock.groups() {
            let descriptor = self.group(GroupNumber(group))?;
            free.blocks += u64::from(descriptor.free_blocks);
            // All inodes have numbers of 32 bits.
            free.inodes = free.inodes.saturating_add(descriptor.free_inodes);
        }
        Ok(free)
    }
}
