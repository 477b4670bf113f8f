//! What the flags of `chattr +i` and `+a` forbid.
//!
//! They hold for root too, until they are taken away. Linux v6.12: `fs/namei.c` (`inode_permission`, `may_delete`, `may_create`,
//! `vfs_link`), `fs/attr.c` (`may_setattr`), `fs/xattr.c` (`xattr_permission`), `fs/open.c` (`vfs_truncate`). The bits are
//! `EXT4_IMMUTABLE_FL` and `EXT4_APPEND_FL` of `fs/ext4/ext4.h`.

use christen_vfs as vfs;

use crate::error::Result;
use crate::inode::{FLAG_APPEND, FLAG_IMMUTABLE, Inode};

const FILE_IMMUTABLE: &str = "the file is immutable (`chattr +i`)";
const FILE_APPEND: &str = "the file can only be appended to (`chattr +a`)";
const DIRECTORY_IMMUTABLE: &str = "the directory is immutable (`chattr +i`)";
const DIRECTORY_APPEND: &str = "nothing can be taken from the directory (`chattr +a`)";

impl Inode {
    /// Refuses to change anything of a file: attributes, size, what is there of content; and to remove, move or link it.
    pub(crate) fn check_change(&self) -> Result<()> {
        self.check(FLAG_IMMUTABLE, FILE_IMMUTABLE)?;
        self.check(FLAG_APPEND, FILE_APPEND)
    }

    /// Refuses to write content at an offset.
    pub(crate) fn check_write(&self, offset: u64) -> Result<()> {
        self.check(FLAG_IMMUTABLE, FILE_IMMUTABLE)?;
        if offset == self.size() {
            return Ok(());
        }
        self.check(FLAG_APPEND, FILE_APPEND)
    }

    /// Refuses a new entry in a directory.
    pub(crate) fn check_insert(&self) -> Result<()> {
        self.check(FLAG_IMMUTABLE, DIRECTORY_IMMUTABLE)
    }

    /// Refuses to take an entry from a directory.
    pub(crate) fn check_take(&self) -> Result<()> {
        self.check(FLAG_IMMUTABLE, DIRECTORY_IMMUTABLE)?;
        self.check(FLAG_APPEND, DIRECTORY_APPEND)
    }

    fn check(&self, flag: u32, rule: &'static str) -> Result<()> {
        if self.has_flag(flag) {
            return Err(vfs::Error::Protected(rule).into());
        }
        Ok(())
    }
}
