//! Paths below an open directory, and never anywhere else.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::error::{Error, Result, guest_path, host};
use crate::faults::Faults;
use crate::inode::Inode;
use crate::seen::Seen;

/// How often a path is tried again while others rename what it leads through (`openat2(2)`, `EAGAIN`).
const TRIES: usize = 16;

/// Links are followed by nobody here: the guest's own by the walk over guest paths.
const INSIDE: ResolveFlags = ResolveFlags::IN_ROOT
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

const READ: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW);

/// A root tree.
#[derive(Debug)]
pub(crate) struct Root {
    directory: OwnedFd,
    pub(crate) seen: Seen,
    pub(crate) faults: Faults,
}

impl Root {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |source: Errno| Error::Open {
            path: path.to_owned(),
            source: source.into(),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?;
        let seen = Seen::at(&directory, b"").map_err(failed)?;
        Ok(Self {
            directory,
            seen,
            faults: Faults::default(),
        })
    }

    /// Opens the same root once more.
    pub(crate) fn again(&self) -> Result<Self> {
        let directory = self.directory_at(&[], Some(self.seen.inode))?;
        Ok(Self {
            directory,
            seen: self.seen,
            faults: Faults::default(),
        })
    }

    /// The root itself.
    pub(crate) fn directory(&self) -> &OwnedFd {
        &self.directory
    }

    /// Opens what is there, whatever it is, without opening it for reading: a device or a pipe is not woken.
    pub(crate) fn find(&self, names: &[Vec<u8>]) -> Result<Inode, Errno> {
        self.open_at(names, OFlags::PATH | OFlags::NOFOLLOW)
            .map(Inode::new)
    }

    /// Opens a directory that was seen before, and refuses another one.
    pub(crate) fn directory_at(
        &self,
        names: &[Vec<u8>],
        inode: Option<u64>,
    ) -> Result<OwnedFd, Error> {
        let failed = || host("open", names);
        let directory = self
            .open_at(names, READ | OFlags::NOATIME)
            .or_else(|error| match error {
                // Only the owner may leave the time of reading as it is (`open(2)`, `O_NOATIME`).
                Errno::PERM => self.open_at(names, READ),
                error => Err(error),
            })
            .map_err(failed())?;
        let seen = Seen::at(&directory, b"").map_err(failed())?;
        if seen.device != self.seen.device {
            return Err(Error::OtherFileSystem {
                path: guest_path(names),
            });
        }
        if inode.is_some_and(|inode| inode != seen.inode) {
            return Err(Error::Changed {
                path: guest_path(names),
            });
        }
        Ok(directory)
    }

    fn open_at(&self, names: &[Vec<u8>], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if names.is_empty() {
            b".".to_vec()
        } else {
            names.join(&b'/')
        };
        let flags = flags | OFlags::CLOEXEC;
        for _ in 0..TRIES {
            match rustix::fs::openat2(&self.directory, &path, flags, Mode::empty(), INSIDE) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return other,
            }
        }
        Err(Errno::AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use christen_testkit::TempDir;

    use super::*;

    #[test]
    fn no_link_is_followed_and_nothing_is_left() {
        let scratch = TempDir::in_memory();
        let top = scratch.path().join("root");
        fs::create_dir_all(top.join("in")).unwrap();
        fs::write(scratch.path().join("outside"), "host").unwrap();
        fs::write(top.join("in/file"), "guest").unwrap();
        for (name, target) in [
            ("absolute", scratch.path().to_str().unwrap()),
            ("up", ".."),
            ("within", "in"),
            ("magic", "/proc/self/root"),
        ] {
            symlink(target, top.join(name)).unwrap();
        }
        let root = Root::open(&top).unwrap();
        let find = |path: &str| {
            let names: Vec<_> = path.split('/').map(|it| it.as_bytes().to_vec()).collect();
            root.find(&names).map(drop)
        };
        find("in/file").unwrap();
        for path in ["absolute/outside", "up/outside", "within/file", "magic/etc"] {
            assert_eq!(find(path), Err(Errno::LOOP), "{path}");
        }
        assert_eq!(find("../outside"), Err(Errno::NOENT));
        assert_eq!(find("in/../../outside"), Err(Errno::NOENT));
        // A link itself can be found, and is no directory.
        find("up").unwrap();
        assert!(root.directory_at(&[b"up".to_vec()], None).is_err());
        let device = Root::open(Path::new("/")).unwrap();
        let proc = [b"proc".to_vec(), b"self".to_vec()];
        assert!(matches!(device.find(&proc), Err(Errno::XDEV)));
    }
}
