//! What the host says of a file.

use std::os::fd::AsFd;

use christen_vfs::{Attributes, Kind, Timestamp};
use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp};
use rustix::io::Errno;

/// What the host says of a file, with its own users and groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) attributes: Attributes,
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl Seen {
    /// Looks at one name in a directory without following it, or at the file itself if the name is empty.
    pub(crate) fn at(directory: impl AsFd, name: &[u8]) -> Result<Self, Errno> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::EMPTY_PATH;
        let mask = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
        Self::of(&rustix::fs::statx(directory, name, flags, mask)?)
    }

    fn of(found: &Statx) -> Result<Self, Errno> {
        let (major, minor) = (found.stx_rdev_major, found.stx_rdev_minor);
        let kind = match FileType::from_raw_mode(found.stx_mode.into()) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::SymbolicLink,
            FileType::CharacterDevice => Kind::CharacterDevice { major, minor },
            FileType::BlockDevice => Kind::BlockDevice { major, minor },
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::Unknown => return Err(Errno::NOTSUP),
        };
        let has_birth = found.stx_mask & StatxFlags::BTIME.bits() != 0;
        Ok(Self {
            attributes: Attributes {
                kind,
                permissions: found.stx_mode & 0o7777,
                uid: found.stx_uid,
                gid: found.stx_gid,
                links: found.stx_nlink,
                size: found.stx_size,
                allocated: found.stx_blocks.saturating_mul(512),
                accessed: timestamp(&found.stx_atime),
                modified: timestamp(&found.stx_mtime),
                changed: timestamp(&found.stx_ctime),
                created: has_birth.then(|| timestamp(&found.stx_btime)),
            },
            device: u64::from(found.stx_dev_major) << 32 | u64::from(found.stx_dev_minor),
            inode: found.stx_ino,
        })
    }

    /// Whether this is the same file.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
            && self.attributes.kind == other.attributes.kind
    }

    /// Whether this is the same file and nobody has changed it; reading it is no change.
    pub(crate) fn is_unchanged(&self, other: &Self) -> bool {
        let without_reading = |it: &Self| Attributes {
            accessed: Timestamp::default(),
            allocated: 0,
            ..it.attributes
        };
        self.is_same(other) && without_reading(self) == without_reading(other)
    }
}

fn timestamp(time: &StatxTimestamp) -> Timestamp {
    Timestamp {
        seconds: time.tv_sec,
        nanoseconds: time.tv_nsec,
    }
}
