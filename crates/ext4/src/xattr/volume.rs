//! Extended attributes of inodes: what the filesystem calls.

use christen_vfs::{self as vfs, Kind};

use super::holder::{self, File, Holder, Inheritance};
use super::store::AttributeStore;
use super::value_inode::Owner;
use crate::error::{Error, Result};
use crate::feature::Feature;
use crate::inode::{Inode, MODE_DIRECTORY, MODE_FILE, MODE_KIND, MODE_LINK, Time};
use crate::number::{BlockNumber, InodeNumber};
use crate::volume::Volume;

/// The permission bits of `i_mode`, with set-user-ID, set-group-ID and sticky.
const PERMISSIONS: u16 = 0o7777;

impl Volume {
    /// Returns the names of an inode's extended attributes that Linux shows, sorted.
    pub(crate) fn attribute_names(&mut self, inode: &Inode) -> Result<Vec<Vec<u8>>> {
        let (mut store, holder) = open(self, inode);
        Ok(holder::names(&mut store, &holder)?)
    }

    /// Returns the value of an extended attribute as Linux gives it.
    pub(crate) fn attribute(&mut self, inode: &Inode, name: &[u8]) -> Result<Option<Vec<u8>>> {
        let (mut store, holder) = open(self, inode);
        Ok(holder::get(&mut store, &holder, name)?)
    }

    /// Sets an extended attribute, whose value is as Linux takes it, and with an access control list the permission bits. The inode has a new
    /// change time, unless nothing changed, and is not written yet; its holder writes it.
    ///
    /// # Errors
    ///
    /// As [`vfs::FileSystem::set_attribute`], and [`vfs::Error::NoSpace`].
    pub(crate) fn set_attribute(
        &mut self,
        inode: &mut Inode,
        name: &[u8],
        value: &[u8],
    ) -> Result<()> {
        let file = File {
            kind: kind(inode),
            permissions: inode.mode() & PERMISSIONS,
        };
        let before = self.attribute_blocks(inode)?;
        let (mut store, holder) = open(self, inode);
        let change = holder::set(&mut store, &holder, file, name, value)?;
        if change.is_none() {
            return Ok(());
        }
        if let Some(permissions) = change.permissions {
            inode.set_mode(inode.mode() & !PERMISSIONS | permissions);
        }
        if let Some(new) = change.holder {
            self.close(inode, before, &new)?;
            self.superblock.add_ext_attr();
        }
        inode.set_time(Time::Changed, self.now);
        Ok(())
    }

    /// Removes an extended attribute. The inode has a new change time and is not written yet.
    ///
    /// # Errors
    ///
    /// [`vfs::Error::NotFound`].
    pub(crate) fn remove_attribute(&mut self, inode: &mut Inode, name: &[u8]) -> Result<()> {
        let before = self.attribute_blocks(inode)?;
        let (mut store, holder) = open(self, inode);
        let new = holder::remove(&mut store, &holder, name)?;
        self.close(inode, before, &new)?;
        inode.set_time(Time::Changed, self.now);
        Ok(())
    }

    /// Sets the permission bits, and makes the access control list follow them. No time changes, and the inode is not written yet.
    pub(crate) fn set_permissions(&mut self, inode: &mut Inode, permissions: u16) -> Result<()> {
        let before = self.attribute_blocks(inode)?;
        let (mut store, holder) = open(self, inode);
        if let Some(new) = holder::set_permissions(&mut store, &holder, permissions)? {
            self.close(inode, before, &new)?;
        }
        inode.set_mode(inode.mode() & !PERMISSIONS | permissions & PERMISSIONS);
        Ok(())
    }

    /// Tells what a file that is to be made in a directory gets from the directory's default access control list: its permission bits in the
    /// end, and the attributes for [`begin_attributes`](Self::begin_attributes).
    pub(crate) fn inherited_attributes(
        &mut self,
        directory: &Inode,
        kind: Kind,
        permissions: u16,
    ) -> Result<Inheritance> {
        let (mut store, holder) = open(self, directory);
        Ok(holder::inherit(&mut store, &holder, kind, permissions)?)
    }

    /// Gives a new inode, which has its number and its flags, the attributes that it inherits. It is not written yet.
    ///
    /// # Errors
    ///
    /// [`vfs::Error::NoAttributeSpace`] and [`vfs::Error::NoSpace`].
    pub(crate) fn begin_attributes(
        &mut self,
        inode: &mut Inode,
        inherited: &Inheritance,
    ) -> Result<()> {
        if inherited.attributes.is_empty() {
            return Ok(());
        }
        let before = self.attribute_blocks(inode)?;
        let (mut store, holder) = open(self, inode);
        let new = holder::begin(&mut store, &holder, inherited)?;
        self.superblock.add_ext_attr();
        self.close(inode, before, &new)
    }

    /// Lets go of all that a file's attributes hold outside of its inode, before the inode is freed.
    pub(crate) fn release_attributes(&mut self, inode: &mut Inode) -> Result<()> {
        let before = self.attribute_blocks(inode)?;
        let (mut store, holder) = open(self, inode);
        holder::release(&mut store, &holder)?;
        let none = Holder {
            region: vec![0; holder.region.len()],
            block: 0,
            ..holder
        };
        self.close(inode, before, &none)
    }

    /// Returns how many blocks an inode counts for its attributes in `i_blocks`: one that is shared counts with each inode that has it, and
    /// with `ea_inode` the values in inodes count with the one whose they are (`e2fsck/pass1.c`, `check_blocks`).
    fn attribute_blocks(&mut self, inode: &Inode) -> Result<u64> {
        let has_value_inodes = self.superblock.has(Feature::EaInode);
        let (mut store, holder) = open(self, inode);
        let own = u64::from(holder.block != 0);
        if has_value_inodes {
            Ok(own + holder::blocks_outside(&mut store, &holder)?)
        } else {
            Ok(own)
        }
    }

    /// Puts the attributes' part back into an inode that counted so many blocks for it, and counts anew.
    fn close(&mut self, inode: &mut Inode, before: u64, new: &Holder) -> Result<()> {
        if inode.extra_bytes() != 0 {
            inode.attribute_area_mut().copy_from_slice(&new.region);
        }
        inode.set_attribute_block((new.block != 0).then_some(BlockNumber(new.block)));
        let after = self.attribute_blocks(inode)?;
        if before == after {
            return Ok(());
        }
        let block_sectors = u64::from(self.superblock.block_bytes() / 512);
        let sectors = (inode.sectors(&self.superblock) + after * block_sectors)
            .checked_sub(before * block_sectors)
            .ok_or_else(|| {
                Error::corrupt(
                    "inode",
                    u64::from(inode.number.0),
                    "its extended attributes have blocks that `i_blocks` does not count",
                )
            })?;
        if inode.set_sectors(&self.superblock, sectors) {
            Ok(())
        } else {
            Err(vfs::Error::FileTooLarge.into())
        }
    }
}

/// The volume, for the attributes of one inode.
struct InodeStore<'a> {
    volume: &'a mut Volume,
    owner: Owner,
}

/// Takes the attributes' part out of an inode.
fn open<'a>(volume: &'a mut Volume, inode: &Inode) -> (InodeStore<'a>, Holder) {
    // Without extra fields an inode has no attributes, however long it is (`fs/ext4/xattr.h`, `EXT4_INODE_HAS_XATTR_SPACE`).
    let region = match inode.extra_bytes() {
        0 => Vec::new(),
        _ => inode.attribute_area().to_vec(),
    };
    let holder = Holder {
        region,
        inode: inode.number.0,
        block: inode
            .attribute_block(&volume.superblock)
            .map_or(0, |block| block.0),
    };
    let owner = Owner {
        inode: inode.number,
        uid: inode.uid(),
        gid: inode.gid(),
    };
    let store = InodeStore { volume, owner };
    (store, holder)
}

/// What an inode is; of what is neither file, directory nor link, only that.
fn kind(inode: &Inode) -> Kind {
    match inode.mode() & MODE_KIND {
        MODE_FILE => Kind::File,
        MODE_DIRECTORY => Kind::Directory,
        MODE_LINK => Kind::SymbolicLink,
        _ => Kind::Fifo,
    }
}

impl AttributeStore for InodeStore<'_> {
    fn block_bytes(&self) -> usize {
        self.volume.block_bytes()
    }

    fn checksum_seed(&self) -> Option<u32> {
        let superblock = &self.volume.superblock;
        superblock
            .has(Feature::MetadataCsum)
            .then(|| superblock.seed().value())
    }

    fn read_block(&mut self, block: u64) -> vfs::Result<Vec<u8>> {
        Ok(self.volume.read_block(BlockNumber(block))?.to_vec())
    }

    fn write_block(&mut self, block: u64, bytes: &[u8]) -> vfs::Result<()> {
        Ok(self.volume.write_block(BlockNumber(block), bytes)?)
    }

    fn allocate_block(&mut self) -> vfs::Result<u64> {
        // `fs/ext4/balloc.c`, `ext4_inode_to_goal_block`: in the group of the inode.
        let superblock = &self.volume.superblock;
        let goal = superblock
            .group_of_inode(self.owner.inode)
            .map_or(BlockNumber(0), |(group, _)| superblock.group_start(group));
        let (block, _) = self.volume.allocate_blocks(goal, 1)?;
        Ok(block.0)
    }

    fn free_block(&mut self, block: u64) -> vfs::Result<()> {
        Ok(self.volume.free_blocks(BlockNumber(block), 1)?)
    }

    fn read_value(&mut self, inode: u32, size_bytes: u32) -> vfs::Result<Vec<u8>> {
        let number = InodeNumber(inode);
        Ok(self.volume.read_attribute_value(number, size_bytes)?)
    }

    fn retain_value(&mut self, inode: u32) -> vfs::Result<()> {
        Ok(self.volume.retain_value_inode(InodeNumber(inode))?)
    }

    fn release_value(&mut self, inode: u32) -> vfs::Result<()> {
        Ok(self.volume.release_value_inode(InodeNumber(inode))?)
    }

    fn store_value(&mut self, value: &[u8]) -> vfs::Result<Option<(u32, u32)>> {
        let made = self.volume.create_value_inode(self.owner, value)?;
        Ok(made.map(|(inode, hash)| (inode.0, hash)))
    }
}
