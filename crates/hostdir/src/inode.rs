//! One file of the host, held open whatever its kind.
//!
//! The descriptor is one of `O_PATH`, which stands for the file without opening it. What such a descriptor cannot do itself is done
//! through its own entry of `/proc/self/fd`, which leads to exactly that file and through no name of the tree (`proc_pid_fd(5)`).

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

use christen_vfs::{Kind, Times, Timestamp};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::faults::Faults;
use crate::seen::Seen;

/// Linux `include/uapi/linux/limits.h`, `XATTR_SIZE_MAX` and `XATTR_LIST_MAX`: no value and no list of names is longer.
const ATTRIBUTE_BYTES: usize = 65_536;

/// Linux `include/uapi/linux/stat.h`, `UTIME_OMIT`: a time that stays.
const OMIT: i64 = 0x3fff_fffe;

#[derive(Debug)]
pub(crate) struct Inode {
    file: OwnedFd,
}

impl Inode {
    pub(crate) fn new(file: OwnedFd) -> Self {
        Self { file }
    }

    /// Opens a name in a directory, without following it.
    pub(crate) fn at(directory: &OwnedFd, name: &[u8]) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(directory, name, flags, Mode::empty()).map(Self::new)
    }

    pub(crate) fn seen(&self) -> Result<Seen, Errno> {
        Seen::at(&self.file, b"")
    }

    fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }

    /// Opens a regular file for reading; nothing else is opened.
    pub(crate) fn read(&self) -> Result<File, Errno> {
        if self.seen()?.attributes.kind != Kind::File {
            return Err(Errno::INVAL);
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = |flags| rustix::fs::open(self.path(), flags, Mode::empty());
        open(flags | OFlags::NOATIME)
            .or_else(|error| match error {
                // Only the owner may leave the time of reading as it is (`open(2)`, `O_NOATIME`).
                Errno::PERM => open(flags),
                error => Err(error),
            })
            .map(File::from)
    }

    pub(crate) fn attribute_names(&self) -> Result<Vec<Vec<u8>>, Errno> {
        let mut list = vec![0; ATTRIBUTE_BYTES];
        let length = match rustix::fs::listxattr(self.path(), &mut list[..]) {
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            other => other?,
        };
        list.truncate(length);
        let names = list.split(|byte| *byte == 0).filter(|it| !it.is_empty());
        let mut names: Vec<_> = names.map(<[u8]>::to_vec).collect();
        names.sort_unstable();
        Ok(names)
    }

    pub(crate) fn attribute(&self, name: &[u8]) -> Result<Option<Vec<u8>>, Errno> {
        let mut value = vec![0; ATTRIBUTE_BYTES];
        match rustix::fs::getxattr(self.path(), name, &mut value[..]) {
            Ok(length) => {
                value.truncate(length);
                Ok(Some(value))
            }
            Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn set_attribute(
        &self,
        name: &[u8],
        value: &[u8],
        faults: &Faults,
    ) -> Result<(), Errno> {
        faults.step()?;
        rustix::fs::setxattr(self.path(), name, value, XattrFlags::empty())
    }

    pub(crate) fn remove_attribute(&self, name: &[u8], faults: &Faults) -> Result<(), Errno> {
        faults.step()?;
        match rustix::fs::removexattr(self.path(), name) {
            Err(Errno::NODATA) => Ok(()),
            other => other,
        }
    }

    pub(crate) fn set_owner(&self, uid: u32, gid: u32, faults: &Faults) -> Result<(), Errno> {
        // The last number means "as it is", which is not what is meant here.
        if uid == u32::MAX || gid == u32::MAX {
            return Err(Errno::INVAL);
        }
        faults.step()?;
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        rustix::fs::chownat(&self.file, "", uid, gid, AtFlags::EMPTY_PATH)
    }

    pub(crate) fn set_permissions(&self, permissions: u16, faults: &Faults) -> Result<(), Errno> {
        faults.step()?;
        rustix::fs::chmod(self.path(), Mode::from_raw_mode(permissions.into()))
    }

    pub(crate) fn set_times(&self, times: Times, faults: &Faults) -> Result<(), Errno> {
        faults.step()?;
        let timespec = |time: Option<Timestamp>| match time {
            Some(time) => Timespec {
                tv_sec: time.seconds,
                tv_nsec: time.nanoseconds.into(),
            },
            None => Timespec {
                tv_sec: 0,
                tv_nsec: OMIT,
            },
        };
        let times = Timestamps {
            last_access: timespec(times.accessed),
            last_modification: timespec(times.modified),
        };
        rustix::fs::utimensat(&self.file, "", &times, AtFlags::EMPTY_PATH)
    }

    /// Has a file or a directory on the disk; of other kinds the directory's own will do.
    pub(crate) fn sync(&self, faults: &Faults) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        if !matches!(self.seen()?.attributes.kind, Kind::File | Kind::Directory) {
            return Ok(());
        }
        match rustix::fs::open(self.path(), flags, Mode::empty()) {
            // What the caller may not read goes to the disk with its directory.
            Err(Errno::ACCESS) => Ok(()),
            Err(error) => Err(error),
            Ok(file) => {
                faults.step()?;
                rustix::fs::fsync(file)
            }
        }
    }
}
