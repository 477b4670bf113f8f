//! Directories of the host's kernel.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::fchown;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod, fstatat};
use nix::unistd::{UnlinkatFlags, geteuid, linkat, unlinkat};

use super::file::Birth;
use super::{HostDirectory, HostFile, NewFile, OpenFile, Opening};

/// Two names drawn at random are never equal in practice; this bounds the loop if somebody foresees them.
const MAX_NAME_ATTEMPTS: u32 = 16;

/// A directory that is open in the kernel: renaming it, or a link on the way to it, changes nothing for us.
#[derive(Debug)]
pub struct OpenDirectory {
    directory: File,
}

impl OpenDirectory {
    /// Opens a directory.
    ///
    /// # Errors
    ///
    /// The host's.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = openat(AT_FDCWD, path, flags, Mode::empty())?;
        Ok(Self {
            directory: directory.into(),
        })
    }

    /// Opens a directory in this one, which is no link. It may be searched and not listed, and cannot be synced.
    pub(super) fn open_inner(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let directory = openat(self, name, flags, Mode::empty())?;
        Ok(Self {
            directory: directory.into(),
        })
    }

    fn create_named(&self) -> io::Result<(File, OsString)> {
        for attempt in 0..MAX_NAME_ATTEMPTS {
            let random = RandomState::new().hash_one(attempt);
            let name = OsString::from(format!(".christen-unfinished-{random:016x}"));
            let flags = OFlag::O_RDWR
                | OFlag::O_CREAT
                | OFlag::O_EXCL
                | OFlag::O_NOFOLLOW
                | OFlag::O_CLOEXEC;
            match openat(self, name.as_os_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR) {
                Ok(file) => return Ok((file.into(), name)),
                Err(Errno::EEXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl AsFd for OpenDirectory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

impl HostDirectory for OpenDirectory {
    fn create(&self, owner: Option<u32>) -> io::Result<Arc<dyn NewFile>> {
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let flags = OFlag::O_RDWR | OFlag::O_TMPFILE | OFlag::O_CLOEXEC;
        let (file, temporary) = match openat(self, ".", flags, mode) {
            Ok(file) => (File::from(file), None),
            // EISDIR: a kernel that does not know the flag. The others: a filesystem that does not.
            Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL | Errno::ENOENT) => {
                let (file, name) = self.create_named()?;
                (file, Some(name))
            }
            Err(error) => return Err(error.into()),
        };
        let birth = Birth {
            directory: Self {
                directory: self.directory.try_clone()?,
            },
            temporary: Mutex::new(temporary),
        };
        fchmod(&file, mode)?;
        if let Some(owner) = owner
            && owner != geteuid().as_raw()
        {
            // Only root may give a file away. Whoever else changes another's image leaves a file of his own beside it.
            match fchown(&file, Some(owner), None) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                result => result?,
            }
        }
        Ok(Arc::new(OpenFile::new(file, Some(birth))?))
    }

    fn open(&self, name: &OsStr) -> io::Result<Arc<dyn HostFile>> {
        Ok(Arc::new(OpenFile::open_at(self, name, Opening::ReadOnly)?))
    }

    fn unlink(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(self, name, UnlinkatFlags::NoRemoveDir)?)
    }

    fn sync(&self) -> io::Result<()> {
        self.directory.sync_all()
    }
}

impl Birth {
    pub(super) fn link(&self, file: &File, name: &OsStr) -> io::Result<()> {
        let mut temporary = self
            .temporary
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(old) = temporary.as_deref() else {
            // `open(2)`, "O_TMPFILE": how an unprivileged process gives such a file its name.
            let source = format!("/proc/self/fd/{}", file.as_raw_fd());
            let flags = AtFlags::AT_SYMLINK_FOLLOW;
            return match linkat(AT_FDCWD, source.as_str(), &self.directory, name, flags) {
                // Without `/proc`: the kernel lets whoever opened the file do this since 6.10, and root always.
                Err(Errno::ENOENT) => {
                    let flags = AtFlags::AT_EMPTY_PATH;
                    Ok(linkat(file, "", &self.directory, name, flags)?)
                }
                result => Ok(result?),
            };
        };
        match linkat(
            &self.directory,
            old,
            &self.directory,
            name,
            AtFlags::empty(),
        ) {
            Ok(()) => unlinkat(&self.directory, old, UnlinkatFlags::NoRemoveDir)?,
            // A filesystem without hard links, and without a rename that replaces nothing: whoever links holds the lock of the
            // image, so no other commit makes this name at the same time.
            Err(Errno::EPERM | Errno::EOPNOTSUPP) => {
                match fstatat(&self.directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                    Err(Errno::ENOENT) => renameat(&self.directory, old, &self.directory, name)?,
                    Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        }
        *temporary = None;
        Ok(())
    }
}

impl Drop for Birth {
    fn drop(&mut self) {
        let temporary = self
            .temporary
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = temporary.take() {
            // Nobody can be told; the name says what the file is.
            let _ = unlinkat(
                &self.directory,
                name.as_os_str(),
                UnlinkatFlags::NoRemoveDir,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use christen_testkit::TempDir;

    use super::*;

    /// A file as it is made where the filesystem has none without a name.
    fn named(directory: &Path) -> (File, Birth) {
        let directory = OpenDirectory::open(directory).unwrap();
        let (file, name) = directory.create_named().unwrap();
        let temporary = Mutex::new(Some(name));
        let birth = Birth {
            directory,
            temporary,
        };
        (file, birth)
    }

    fn names(directory: &Path) -> Vec<OsString> {
        let entries = directory.read_dir().unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_file_with_a_name_that_stands_in_gets_its_own() {
        let directory = TempDir::new();
        let (file, birth) = named(&directory);
        assert_eq!(names(&directory).len(), 1);
        birth.link(&file, "own".as_ref()).unwrap();
        drop(birth);
        assert_eq!(names(&directory), ["own"]);

        let (file, birth) = named(&directory);
        let error = birth.link(&file, "own".as_ref()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        drop(birth);
        assert_eq!(names(&directory), ["own"]);
    }

    #[test]
    fn no_link_is_followed_below_a_directory() {
        let directory = TempDir::new();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join("a/b/file"), "content").unwrap();
        std::os::unix::fs::symlink("a", root.join("link")).unwrap();
        let locate = |path: &str| crate::host::locate_beneath(&root, &root.join(path));
        let located = locate("a/b/file").unwrap();
        let file = located.directory.open(&located.name).unwrap();
        assert_eq!(file.length().unwrap(), 7);
        assert!(locate("link/b/file").is_err());
        assert!(locate("a/../a/b/file").is_err());
        assert!(locate("").is_err());
        assert!(crate::host::locate_beneath(&root.join("a"), &root.join("link")).is_err());
    }

    #[test]
    fn a_file_without_a_name_is_seen_when_it_is_linked() {
        let directory = TempDir::new();
        let opened = OpenDirectory::open(&directory).unwrap();
        let file = opened.create(None).unwrap();
        file.write_at(b"content", 0).unwrap();
        assert!(names(&directory).is_empty());
        file.link("own".as_ref()).unwrap();
        assert_eq!(names(&directory), ["own"]);
        let found = opened.open("own".as_ref()).unwrap();
        assert_eq!(found.identity().mode, 0o600);
        assert_eq!(found.length().unwrap(), 7);
        opened.unlink("own".as_ref()).unwrap();
        drop(opened.create(None).unwrap());
        assert!(names(&directory).is_empty());
    }
}
