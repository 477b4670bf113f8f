//! Values of extended attributes that are the content of an inode (feature `ea_inode`).

use zerocopy::byteorder::little_endian::U32;

use crate::error::{Error, Result};
use crate::feature::Feature;
use crate::inode::{FLAG_EA_INODE, Inode, MODE_FILE, Time};
use crate::number::InodeNumber;
use crate::volume::Volume;

/// Whose attribute a new inode holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) inode: InodeNumber,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Volume {
    /// Reads the value that an inode holds, and verifies it.
    ///
    /// Fields of such an inode mean something else (`fs/ext4/xattr.c`, `ext4_xattr_inode_get_hash`, `ext4_xattr_inode_get_ref`): it has no
    /// name, and is in use as long as there are references.
    ///
    /// | field                          | note                                                         |
    /// |--------------------------------|--------------------------------------------------------------|
    /// | `i_atime`                      | CRC-32C over the filesystem's seed and the value             |
    /// | `i_ctime`, `osd1` (`i_version`) | upper and lower half of the number of references            |
    /// | `i_links_count`                | 1                                                            |
    /// | `i_flags`                      | `EXT4_EA_INODE_FL`                                           |
    pub(super) fn read_attribute_value(
        &mut self,
        number: InodeNumber,
        size_bytes: u32,
    ) -> Result<Vec<u8>> {
        let inode = self.value_inode(number)?;
        if inode.size() != u64::from(size_bytes) {
            return Err(corrupt(
                number,
                format!(
                    "it has {} bytes, and the attribute that it is the value of {size_bytes}",
                    inode.size()
                ),
            ));
        }
        // An entry says at most 16 MiB.
        let mut value = vec![0; size_bytes as usize];
        let read = self.read_content(&inode, &mut value, 0)?;
        let hash = self.superblock.seed().with(&value).value();
        if read != value.len() || hash != inode.raw().i_atime.get() {
            return Err(corrupt(number, "the hash of its content is wrong"));
        }
        Ok(value)
    }

    /// Makes an inode that holds a value, with one reference, and returns its number and the hash of the value; `None` if the filesystem has no
    /// such inodes.
    pub(super) fn create_value_inode(
        &mut self,
        owner: Owner,
        value: &[u8],
    ) -> Result<Option<(InodeNumber, u32)>> {
        if !self.superblock.has(Feature::EaInode) {
            return Ok(None);
        }
        let hash = self.superblock.seed().with(value).value();
        let mut inode = self.allocate_inode(owner.inode, false)?;
        inode.set_mode(MODE_FILE | 0o600);
        inode.set_owner(owner.uid, owner.gid);
        inode.set_links(1);
        inode.set_flag(FLAG_EA_INODE, true);
        self.begin_content(&mut inode);
        self.write_content(&mut inode, value, 0)?;
        for time in [Time::Modified, Time::Created] {
            inode.set_time(time, self.now);
        }
        let is_long = inode.extra_bytes() > 0;
        let raw = inode.raw_mut();
        raw.i_atime = U32::new(hash);
        if is_long {
            // The hash is stored as a time after 1970, of which this is the part above 32 bits with a sign.
            raw.i_atime_extra = U32::new(hash >> 31);
        }
        set_references(&mut inode, 1);
        self.write_inode(&mut inode)?;
        Ok(Some((inode.number, hash)))
    }

    /// Counts one reference more.
    pub(super) fn retain_value_inode(&mut self, number: InodeNumber) -> Result<()> {
        let mut inode = self.value_inode(number)?;
        let references = references(&inode)
            .checked_add(1)
            .ok_or_else(|| corrupt(number, "it has too many references"))?;
        set_references(&mut inode, references);
        self.write_inode(&mut inode)
    }

    /// Counts one reference less, and frees the inode with the last.
    pub(super) fn release_value_inode(&mut self, number: InodeNumber) -> Result<()> {
        let mut inode = self.value_inode(number)?;
        let references = references(&inode)
            .checked_sub(1)
            .ok_or_else(|| corrupt(number, "it has no references"))?;
        set_references(&mut inode, references);
        if references == 0 {
            self.free_content(&mut inode)?;
            return self.free_inode(&mut inode);
        }
        self.write_inode(&mut inode)
    }

    fn value_inode(&mut self, number: InodeNumber) -> Result<Inode> {
        let inode = self.read_inode(number)?;
        if number < self.superblock.first_inode()
            || !inode.is_file()
            || !inode.has_flag(FLAG_EA_INODE)
            || inode.links() == 0
            || !self.is_inode_used(number)?
        {
            return Err(corrupt(
                number,
                "it is named as the value of an attribute, and holds none",
            ));
        }
        Ok(inode)
    }
}

fn corrupt(number: InodeNumber, rule: impl Into<String>) -> Error {
    Error::corrupt("inode", u64::from(number.0), rule)
}

fn references(inode: &Inode) -> u64 {
    let raw = inode.raw();
    u64::from(raw.i_ctime.get()) << 32 | u64::from(raw.i_version.get())
}

fn set_references(inode: &mut Inode, references: u64) {
    let raw = inode.raw_mut();
    raw.i_ctime = U32::new((references >> 32) as u32);
    raw.i_version = U32::new(references as u32);
}
