//! Files that lost their last name, or were being cut, when the filesystem stopped: deleted and cut now.

use zerocopy::byteorder::little_endian::U32;

use super::orphan_file;
use crate::error::{Error, Result};
use crate::feature::Feature;
use crate::inode::Inode;
use crate::mapping::RunKind;
use crate::number::{BlockNumber, InodeNumber};
use crate::volume::Volume;

/// The longest orphan file that is read; recent Linux takes 8 MiB (`fs/ext4/orphan.c`, `ext4_init_orphan_info`).
const FILE_BYTES: u64 = 64 << 20;

impl Volume {
    /// Deletes the orphans that have no name and cuts those that have one to their length: those of the list, which begins in the
    /// superblock and goes on in `i_dtime`, and those of the orphan file (`fs/ext4/orphan.c`, `ext4_orphan_cleanup`). Returns how many they were.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] for an orphan that is none; Linux would forget all others with it.
    pub(crate) fn process_orphans(&mut self) -> Result<u32> {
        let first = self.superblock.raw.s_last_orphan.get();
        if first == 0 && !self.superblock.has(Feature::OrphanPresent) {
            return Ok(0);
        }
        self.change(|volume| {
            let listed = volume.process_orphan_list()?;
            Ok(listed + volume.process_orphan_file()?)
        })
    }

    fn process_orphan_list(&mut self) -> Result<u32> {
        let mut done = 0;
        loop {
            let number = self.superblock.raw.s_last_orphan.get();
            if number == 0 {
                return Ok(done);
            }
            // Each is deleted, or leaves the list: none can be met twice.
            let mut inode = self.orphan(InodeNumber(number))?;
            let next = inode.raw().i_dtime.get();
            self.process_orphan(&mut inode)?;
            self.superblock.raw.s_last_orphan = U32::new(next);
            done += 1;
        }
    }

    fn process_orphan_file(&mut self) -> Result<u32> {
        if !self.superblock.has(Feature::OrphanPresent) {
            return Ok(0);
        }
        let number = InodeNumber(self.superblock.raw.s_orphan_file_inum.get());
        let file = self.read_inode(number)?;
        if file.size() > FILE_BYTES {
            return Err(Error::unsupported(format!(
                "an orphan file of {} bytes is",
                file.size()
            )));
        }
        let blocks = file.size() / u64::from(self.superblock.block_bytes());
        let blocks = u32::try_from(blocks)
            .ok()
            .filter(|blocks| u64::from(*blocks) <= self.superblock.blocks() && file.is_file())
            .ok_or_else(|| {
                Error::corrupt("inode", u64::from(number.0), "it is not the orphan file")
            })?;
        let seed = self
            .superblock
            .has(Feature::MetadataCsum)
            .then_some(file.seed);
        let mut done = 0;
        for at in 0..blocks {
            let run = self.lookup_run(&file, at)?;
            if run.kind != RunKind::Written {
                return Err(Error::corrupt(
                    "inode",
                    u64::from(number.0),
                    "the orphan file has a hole",
                ));
            }
            let BlockNumber(block) = run.block;
            let orphans = orphan_file::parse(&self.read_block(run.block)?, block, seed)?;
            if orphans.is_empty() {
                continue;
            }
            for orphan in orphans {
                let mut inode = self.orphan(InodeNumber(orphan))?;
                self.process_orphan(&mut inode)?;
                done += 1;
            }
            orphan_file::clear(self.change_block(run.block)?, block, seed);
        }
        self.superblock.remove_orphan_present();
        Ok(done)
    }

    /// Reads an inode that is said to be an orphan.
    fn orphan(&mut self, number: InodeNumber) -> Result<Inode> {
        if number < self.superblock.first_inode() || !self.is_inode_used(number)? {
            return Err(Error::corrupt(
                "inode",
                u64::from(number.0),
                "it is an orphan, and not in use",
            ));
        }
        self.read_inode(number)
    }

    fn process_orphan(&mut self, inode: &mut Inode) -> Result<()> {
        if inode.links() == 0 {
            self.free_content(inode)?;
            self.release_attributes(inode)?;
            return self.free_inode(inode);
        }
        if inode.is_file() {
            let size = inode.size();
            self.set_content_size(inode, size)?;
        }
        inode.raw_mut().i_dtime = U32::new(0);
        self.write_inode(inode)
    }
}
