//! A small reader of our own: what it needs, read from the kernel's documentation (`Documentation/filesystems/ext4/`) for a second time, in the
//! simplest way that can be checked by eye. Directories are read from end to end, an index is not used: its blocks look like empty ones
//! (`directory.rst`, "Hash Tree Directories"). Checksums are not looked at: whoever wrote a wrong one is found by `e2fsck`.

mod attribute;
mod bytes;
mod directory;
mod inode;
mod map;
mod volume;

use std::sync::Arc;

use sha2::{Digest, Sha256};

use self::inode::Inode;
use self::volume::Volume;
use crate::error::Result;
use crate::{Kind, Reader, Seen, Source};

/// The inode of the top directory (`special_inodes.rst`).
const ROOT: u32 = 2;

#[derive(Debug)]
pub(crate) struct Plain(Volume);

impl Plain {
    pub(crate) fn open(source: Arc<dyn Source>) -> Result<Self> {
        Ok(Self(Volume::open(source)?))
    }

    pub(crate) fn look(&self, names: &[&[u8]], size: Option<u64>) -> Result<Option<Seen>> {
        let Some(inode) = self.find(names)? else {
            return Ok(None);
        };
        let kind = inode.kind();
        let mut hash = None;
        if kind == Kind::File && size == Some(inode.size) {
            let mut sha256 = Sha256::new();
            self.0.read(&inode, &mut |bytes| sha256.update(bytes))?;
            hash = Some(sha256.finalize().into());
        }
        let target = match kind {
            Kind::SymbolicLink => Some(self.0.target(&inode)?),
            _ => None,
        };
        Ok(Some(Seen {
            reader: Reader::Plain,
            kind,
            permissions: inode.mode & 0o7777,
            uid: inode.uid,
            gid: inode.gid,
            size: if kind == Kind::File { inode.size } else { 0 },
            hash,
            target,
        }))
    }

    pub(crate) fn attribute(&self, names: &[&[u8]], name: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.find(names)? {
            Some(inode) => self.0.attribute(&inode, name),
            None => Ok(None),
        }
    }

    fn find(&self, names: &[&[u8]]) -> Result<Option<Inode>> {
        let mut inode = self.0.inode(ROOT)?;
        for name in names {
            if inode.kind() != Kind::Directory {
                return Ok(None);
            }
            let Some(number) = self.0.entry(&inode, name)? else {
                return Ok(None);
            };
            inode = self.0.inode(number)?;
        }
        Ok(Some(inode))
    }
}
