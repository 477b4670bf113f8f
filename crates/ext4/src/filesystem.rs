//! The filesystem as the rest of christen sees it.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use christen_block::BlockDevice;
use christen_vfs::{
    self as vfs, Attributes, Entry, FileId, FileSystem, Kind, Limits, NewFile, Statistics, Times,
    Timestamp,
};

use crate::entries::{MOST_LINKS, decode_device};
use crate::error::{Error, Result};
use crate::feature::{Feature, Features};
use crate::inode::{
    EARLIEST_SECONDS, GOOD_OLD_BYTES, Inode, LATEST_SECONDS, MODE_BLOCK, MODE_CHARACTER,
    MODE_DIRECTORY, MODE_FIFO, MODE_FILE, MODE_KIND, MODE_LINK, MODE_SOCKET, Time,
};
use crate::journal;
use crate::number::{GroupNumber, InodeNumber};
use crate::options::{Access, Journal, OpenOptions};
use crate::volume::Volume;

/// The attribute that goes with the rights of a program, and goes away when the program changes hands.
const CAPABILITY: &[u8] = b"security.capability";

/// An ext2, ext3 or ext4 filesystem.
///
/// Changes are made in the metadata itself, without the journal: whoever opens it for writing gives a device whose changes
/// are committed all together or not at all. They are on that device after [`FileSystem::finish`].
#[derive(Debug)]
pub struct Ext4 {
    volume: Volume,
}

impl Ext4 {
    /// Opens a filesystem that begins at the beginning of a device. Reads the superblock, and of the rest what an unclean journal makes necessary.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`]; [`Error::Unsupported`] names the feature that cannot be read, or for [`Access::Write`] written; for writing also
    /// [`Error::UncleanJournal`], [`Error::HasErrors`], [`Error::InUse`] and [`Error::NotUnmounted`].
    pub fn open(device: Arc<dyn BlockDevice>, options: &OpenOptions) -> Result<Self> {
        let mut volume = Volume::open(Arc::clone(&device), options)?;
        if options.access == Access::Write {
            check_writing(&volume)?;
            volume.check_unused()?;
            if volume.superblock.has(Feature::NeedsRecovery) {
                match options.journal {
                    Journal::Refuse => return Err(Error::UncleanJournal),
                    Journal::Replay => journal::recover(&device, options)?,
                }
                volume = Volume::open(device, options)?;
                check_writing(&volume)?;
            }
            if !volume.superblock.is_unmounted() {
                return Err(Error::NotUnmounted);
            }
            volume.open_quotas()?;
            volume.process_orphans()?;
        }
        let root = volume.read_inode(InodeNumber::ROOT)?;
        if !root.is_directory() {
            return Err(Error::corrupt("inode", 2, "the root is not a directory"));
        }
        Ok(Self { volume })
    }

    /// Returns the features.
    pub fn features(&self) -> Features {
        self.volume.superblock.features()
    }
}

/// Refuses what writing would make worse, apart from an unclean journal.
fn check_writing(volume: &Volume) -> Result<()> {
    let superblock = &volume.superblock;
    if let Some(what) = superblock.features().forbids_writing() {
        return Err(Error::unsupported(format!(
            "writing to filesystems with {what}"
        )));
    }
    if superblock.has(Feature::HasJournal) && superblock.raw.s_journal_inum.get() == 0 {
        return Err(Error::unsupported(
            "writing to filesystems with an external journal",
        ));
    }
    if superblock.has_errors() {
        return Err(Error::HasErrors);
    }
    Ok(())
}

fn inode_number(file: FileId) -> Result<InodeNumber> {
    u32::try_from(file.number())
        .map(InodeNumber)
        .map_err(|_| vfs::Error::NotFound.into())
}

fn file_id(inode: InodeNumber) -> FileId {
    FileId::new(u64::from(inode.0))
}

/// Returns what a file is.
fn kind_of(inode: &Inode) -> Result<Kind> {
    let device = || decode_device(&inode.raw().i_block);
    Ok(match inode.mode() & MODE_KIND {
        MODE_FILE => Kind::File,
        MODE_DIRECTORY => Kind::Directory,
        MODE_LINK => Kind::SymbolicLink,
        MODE_CHARACTER => {
            let (major, minor) = device();
            Kind::CharacterDevice { major, minor }
        }
        MODE_BLOCK => {
            let (major, minor) = device();
            Kind::BlockDevice { major, minor }
        }
        MODE_FIFO => Kind::Fifo,
        MODE_SOCKET => Kind::Socket,
        _ => {
            return Err(Error::corrupt(
                "inode",
                u64::from(inode.number.0),
                format!("its mode is {:#o}", inode.mode()),
            ));
        }
    })
}

impl Ext4 {
    fn inode(&mut self, file: FileId) -> Result<Inode> {
        let number = inode_number(file)?;
        self.volume.named_inode(number)
    }

    fn regular(volume: &mut Volume, file: FileId) -> Result<Inode> {
        let inode = volume.named_inode(inode_number(file)?)?;
        if inode.is_file() {
            Ok(inode)
        } else {
            Err(vfs::Error::NotFile.into())
        }
    }

    /// Changes one inode, which is written afterwards.
    fn change_inode<T>(
        &mut self,
        file: FileId,
        operation: impl FnOnce(&mut Volume, &mut Inode) -> Result<T>,
    ) -> vfs::Result<T> {
        let number = inode_number(file)?;
        let result = self.volume.change(|volume| {
            let mut inode = volume.named_inode(number)?;
            inode.check_change()?;
            let result = operation(volume, &mut inode)?;
            volume.write_inode(&mut inode)?;
            Ok(result)
        })?;
        Ok(result)
    }

    /// Changes the content of one file, which has new times afterwards.
    fn change_content<T>(
        &mut self,
        file: FileId,
        operation: impl FnOnce(&mut Volume, &mut Inode) -> Result<T>,
    ) -> vfs::Result<T> {
        let result = self.volume.change(|volume| {
            let mut inode = Self::regular(volume, file)?;
            let result = operation(volume, &mut inode)?;
            volume.stamp_content(&mut inode);
            volume.write_inode(&mut inode)?;
            Ok(result)
        })?;
        Ok(result)
    }
}

impl FileSystem for Ext4 {
    fn root(&self) -> FileId {
        file_id(InodeNumber::ROOT)
    }

    fn limits(&self) -> Limits {
        let superblock = &self.volume.superblock;
        let long_times = superblock.inode_bytes() as usize > GOOD_OLD_BYTES;
        Limits {
            name_bytes: crate::directory::NAME_BYTES,
            target_bytes: self.volume.most_target_bytes(),
            file_bytes: self.volume.most_bytes(superblock.has(Feature::Extent)),
            links: u32::from(MOST_LINKS),
            // `XATTR_SIZE_MAX`, or what a block has left beside its header, an entry with a name of one byte, and the end of the entries.
            attribute_bytes: if superblock.has(Feature::EaInode) {
                65_536
            } else {
                self.volume.block_bytes() - 32 - 20 - 4
            },
            owners: true,
            time_step: if long_times { 1 } else { 1_000_000_000 },
            time_range: (
                EARLIEST_SECONDS,
                if long_times {
                    LATEST_SECONDS
                } else {
                    i64::from(i32::MAX)
                },
            ),
        }
    }

    fn statistics(&mut self) -> vfs::Result<Statistics> {
        let superblock = &self.volume.superblock;
        let overhead = match superblock.raw.s_overhead_clusters.get() {
            0 => overhead(&self.volume),
            stored => u64::from(stored),
        };
        Ok(Statistics {
            block_bytes: superblock.block_bytes(),
            blocks: superblock.blocks().saturating_sub(overhead),
            free_blocks: superblock.free_blocks(),
            available_blocks: superblock
                .free_blocks()
                .saturating_sub(superblock.reserved_blocks()),
            files: u64::from(superblock.inodes()),
            free_files: u64::from(superblock.free_inodes()),
        })
    }

    fn set_now(&mut self, now: Timestamp) {
        self.volume.now = now;
    }

    fn lookup(&mut self, directory: FileId, name: &[u8]) -> vfs::Result<Option<FileId>> {
        let inode = self.volume.directory_inode(inode_number(directory)?)?;
        Ok(self.volume.find(&inode, name)?.map(file_id))
    }

    fn list(
        &mut self,
        directory: FileId,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> vfs::Result<()> {
        let inode = self.volume.directory_inode(inode_number(directory)?)?;
        self.volume.directory_list(&inode, &mut |name, target| {
            visit(Entry {
                name: name.to_vec(),
                file: file_id(InodeNumber(target.inode)),
            })
        })?;
        Ok(())
    }

    fn attributes(&mut self, file: FileId) -> vfs::Result<Attributes> {
        let inode = self.inode(file)?;
        let time = |time| inode.time(time);
        Ok(Attributes {
            kind: kind_of(&inode)?,
            permissions: inode.mode() & 0o7777,
            uid: inode.uid(),
            gid: inode.gid(),
            links: u32::from(inode.links()),
            size: inode.size(),
            allocated: inode.sectors(&self.volume.superblock).saturating_mul(512),
            accessed: time(Time::Accessed).unwrap_or_default(),
            modified: time(Time::Modified).unwrap_or_default(),
            changed: time(Time::Changed).unwrap_or_default(),
            created: time(Time::Created),
        })
    }

    fn read_link(&mut self, file: FileId) -> vfs::Result<Vec<u8>> {
        let inode = self.inode(file)?;
        if !inode.is_link() {
            return Err(vfs::Error::NotLink);
        }
        Ok(self.volume.link_target(&inode)?)
    }

    fn read_at(&mut self, file: FileId, buffer: &mut [u8], offset: u64) -> vfs::Result<usize> {
        let inode = Self::regular(&mut self.volume, file)?;
        Ok(self.volume.read_content(&inode, buffer, offset)?)
    }

    fn write_at(&mut self, file: FileId, data: &[u8], offset: u64) -> vfs::Result<()> {
        if data.is_empty() {
            Self::regular(&mut self.volume, file)?;
            return Ok(());
        }
        self.change_content(file, |volume, inode| {
            inode.check_write(offset)?;
            volume.write_content(inode, data, offset)
        })
    }

    fn set_size(&mut self, file: FileId, size: u64) -> vfs::Result<()> {
        self.change_content(file, |volume, inode| {
            inode.check_change()?;
            volume.set_content_size(inode, size)
        })
    }

    fn replace(&mut self, file: FileId, content: &mut dyn io::Read) -> vfs::Result<u64> {
        self.change_content(file, |volume, inode| {
            inode.check_change()?;
            volume.replace_content(inode, content)
        })
    }

    fn create(&mut self, directory: FileId, name: &[u8], new: &NewFile<'_>) -> vfs::Result<FileId> {
        let directory = inode_number(directory)?;
        let number = self
            .volume
            .change(|volume| volume.create(directory, name, new))?;
        Ok(file_id(number))
    }

    fn link(&mut self, file: FileId, directory: FileId, name: &[u8]) -> vfs::Result<()> {
        let (file, directory) = (inode_number(file)?, inode_number(directory)?);
        Ok(self
            .volume
            .change(|volume| volume.link(file, directory, name))?)
    }

    fn rename(
        &mut self,
        from: FileId,
        name: &[u8],
        to: FileId,
        new_name: &[u8],
    ) -> vfs::Result<()> {
        let (from, to) = (inode_number(from)?, inode_number(to)?);
        Ok(self
            .volume
            .change(|volume| volume.rename(from, name, to, new_name))?)
    }

    fn remove(&mut self, directory: FileId, name: &[u8]) -> vfs::Result<()> {
        let directory = inode_number(directory)?;
        Ok(self
            .volume
            .change(|volume| volume.remove(directory, name))?)
    }

    fn set_permissions(&mut self, file: FileId, permissions: u16) -> vfs::Result<()> {
        self.change_inode(file, |volume, inode| {
            if inode.is_link() {
                return Err(
                    vfs::Error::NotPossible("setting the permissions of a symbolic link").into(),
                );
            }
            volume.set_permissions(inode, permissions)?;
            volume.stamp_change(inode);
            Ok(())
        })
    }

    fn set_owner(&mut self, file: FileId, uid: u32, gid: u32) -> vfs::Result<()> {
        self.change_inode(file, |volume, inode| {
            inode.set_owner(uid, gid);
            if !inode.is_directory() {
                let mut mode = inode.mode() & !0o4000;
                if mode & 0o010 != 0 {
                    mode &= !0o2000;
                }
                inode.set_mode(mode);
                match volume.remove_attribute(inode, CAPABILITY) {
                    Ok(()) | Err(Error::Impossible(vfs::Error::NotFound)) => {}
                    Err(error) => return Err(error),
                }
            }
            volume.stamp_change(inode);
            Ok(())
        })
    }

    fn set_times(&mut self, file: FileId, times: Times) -> vfs::Result<()> {
        if times == Times::default() {
            self.inode(file)?;
            return Ok(());
        }
        self.change_inode(file, |volume, inode| {
            if let Some(time) = times.accessed {
                inode.set_time(Time::Accessed, time);
            }
            if let Some(time) = times.modified {
                inode.set_time(Time::Modified, time);
            }
            volume.stamp_change(inode);
            Ok(())
        })
    }

    fn attribute_names(&mut self, file: FileId) -> vfs::Result<Vec<Vec<u8>>> {
        let inode = self.inode(file)?;
        Ok(self.volume.attribute_names(&inode)?)
    }

    fn attribute(&mut self, file: FileId, name: &[u8]) -> vfs::Result<Option<Vec<u8>>> {
        let inode = self.inode(file)?;
        Ok(self.volume.attribute(&inode, name)?)
    }

    fn set_attribute(&mut self, file: FileId, name: &[u8], value: &[u8]) -> vfs::Result<()> {
        self.change_inode(file, |volume, inode| {
            volume.set_attribute(inode, name, value)
        })
    }

    fn remove_attribute(&mut self, file: FileId, name: &[u8]) -> vfs::Result<()> {
        self.change_inode(file, |volume, inode| volume.remove_attribute(inode, name))
    }

    fn finish(&mut self) -> vfs::Result<()> {
        Ok(self.volume.flush()?)
    }
}

/// Returns how many blocks are metadata of fixed place (`fs/ext4/super.c`, `ext4_calculate_overhead`, without the journal).
fn overhead(volume: &Volume) -> u64 {
    let superblock = &volume.superblock;
    let groups = superblock.groups();
    let base: u64 = (0..groups)
        .map(|group| u64::from(superblock.base_blocks(GroupNumber(group))))
        .sum();
    superblock.first_block().0 + base + u64::from(groups) * (2 + volume.table_blocks())
}
