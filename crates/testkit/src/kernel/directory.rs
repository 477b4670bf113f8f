//! A directory of the host behind the filesystem trait: what the kernel does, in the terms in which our backends say it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::{fs, mem};

use christen_vfs::{
    Attributes, Entry, Error, FileId, FileSystem, Kind, Limits, NewFile, NewKind, Result,
    Statistics, Times, Timestamp,
};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, StatxFlags, Timespec, Timestamps,
    UTIME_OMIT, XattrFlags,
};
use rustix::io::Errno;

const CAPABILITY: &str = "security.capability";

/// A directory of the host, which must be root's own world: no limits of quotas, no second process that changes it.
///
/// Each file that was looked at is held open by a descriptor without rights (`O_PATH`), so that its identity stays true when it
/// moves. Times are the kernel's: [`FileSystem::set_now`] does nothing.
#[derive(Debug)]
pub struct HostDirectory {
    root: FileId,
    limits: Limits,
    open: RefCell<HashMap<FileId, OwnedFd>>,
}

impl HostDirectory {
    /// Opens a directory of a filesystem that holds at most this. The process has no umask from here on.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be opened.
    pub fn open(path: &Path, limits: Limits) -> io::Result<Self> {
        rustix::process::umask(Mode::empty());
        let descriptor = rustix::fs::open(
            path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let stat = rustix::fs::fstat(&descriptor)?;
        let root = FileId::new(stat.st_ino);
        Ok(Self {
            root,
            limits,
            open: RefCell::new(HashMap::from([(root, descriptor)])),
        })
    }

    /// Returns a path of the host that leads to the file itself, a symbolic link too.
    fn path(&self, file: FileId) -> Result<PathBuf> {
        let open = self.open.borrow();
        let descriptor = open.get(&file).ok_or(Error::NotFound)?;
        Ok(format!("/proc/self/fd/{}", descriptor.as_raw_fd()).into())
    }

    /// Opens the file for a use that needs rights.
    fn descriptor(&self, file: FileId, flags: OFlags) -> Result<OwnedFd> {
        rustix::fs::open(self.path(file)?, flags | OFlags::CLOEXEC, Mode::empty()).map_err(other)
    }

    /// Returns the descriptor of a directory.
    fn directory<T>(
        &self,
        file: FileId,
        act: impl FnOnce(&OwnedFd) -> rustix::io::Result<T>,
    ) -> Result<rustix::io::Result<T>> {
        if !self.is(file, FileType::Directory)? {
            return Err(Error::NotDirectory);
        }
        let open = self.open.borrow();
        Ok(act(open.get(&file).ok_or(Error::NotFound)?))
    }

    fn is(&self, file: FileId, kind: FileType) -> Result<bool> {
        let open = self.open.borrow();
        let descriptor = open.get(&file).ok_or(Error::NotFound)?;
        let stat = rustix::fs::fstat(descriptor).map_err(other)?;
        Ok(FileType::from_raw_mode(stat.st_mode) == kind)
    }

    fn file(&self, file: FileId, flags: OFlags) -> Result<fs::File> {
        if !self.is(file, FileType::RegularFile)? {
            return Err(Error::NotFile);
        }
        Ok(self.descriptor(file, flags)?.into())
    }

    /// Forgets a file whose last name is gone, so that the kernel can give it up.
    fn forget_if_gone(&self, file: Option<FileId>) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        let mut open = self.open.borrow_mut();
        if let Some(descriptor) = open.get(&file) {
            let stat = rustix::fs::fstat(descriptor).map_err(other)?;
            if stat.st_nlink == 0 {
                open.remove(&file);
            }
        }
        Ok(())
    }

    /// Does what the kernel answers by taking capabilities away, and puts them back, since the trait says that they stay.
    fn keep_capability(&self, file: FileId, act: impl FnOnce() -> io::Result<()>) -> Result<()> {
        let path = self.path(file)?;
        let mut value = [0; 64];
        let length = rustix::fs::getxattr(&path, CAPABILITY, &mut value[..]).unwrap_or(0);
        act().map_err(from_io)?;
        if length > 0 {
            let flags = XattrFlags::empty();
            rustix::fs::setxattr(&path, CAPABILITY, &value[..length], flags).map_err(other)?;
        }
        Ok(())
    }

    fn check_name(&self, name: &[u8]) -> Result<()> {
        if matches!(name, b"" | b"." | b"..") || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
            return Err(Error::InvalidName);
        }
        if name.len() > self.limits.name_bytes {
            return Err(Error::NameTooLong);
        }
        Ok(())
    }
}

/// Whether a name can be there at all; the kernel would take some of them for paths.
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, 0 | b'/'))
}

/// Translates an error that means the same wherever it comes from.
fn other(errno: Errno) -> Error {
    match errno {
        Errno::NOENT => Error::NotFound,
        Errno::EXIST => Error::Exists,
        Errno::NOTDIR => Error::NotDirectory,
        Errno::ISDIR => Error::IsDirectory,
        Errno::NOTEMPTY => Error::NotEmpty,
        Errno::NOSPC | Errno::DQUOT => Error::NoSpace,
        Errno::FBIG => Error::FileTooLarge,
        Errno::NAMETOOLONG => Error::NameTooLong,
        Errno::MLINK => Error::TooManyLinks,
        Errno::LOOP => Error::LinkLoop,
        Errno::ROFS => Error::ReadOnly,
        errno => Error::Io(Box::new(io::Error::from(errno))),
    }
}

fn from_io(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(number) => other(Errno::from_raw_os_error(number)),
        None => Error::Io(Box::new(error)),
    }
}

fn mode(permissions: u16) -> Mode {
    Mode::from_raw_mode(u32::from(permissions & 0o7777))
}

impl FileSystem for HostDirectory {
    fn root(&self) -> FileId {
        self.root
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn statistics(&mut self) -> Result<Statistics> {
        let open = self.open.borrow();
        let root = open.get(&self.root).ok_or(Error::NotFound)?;
        let stat = rustix::fs::fstatvfs(root).map_err(other)?;
        Ok(Statistics {
            block_bytes: stat.f_frsize as u32,
            blocks: stat.f_blocks,
            free_blocks: stat.f_bfree,
            available_blocks: stat.f_bavail,
            files: stat.f_files,
            free_files: stat.f_ffree,
        })
    }

    fn set_now(&mut self, _: Timestamp) {}

    fn lookup(&mut self, directory: FileId, name: &[u8]) -> Result<Option<FileId>> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = self.directory(directory, |at| {
            if !is_name(name) {
                return Err(Errno::NOENT);
            }
            rustix::fs::openat(at, name, flags, Mode::empty())
        })?;
        let descriptor = match found {
            Ok(descriptor) => descriptor,
            Err(Errno::NOENT | Errno::NAMETOOLONG) => return Ok(None),
            Err(errno) => return Err(other(errno)),
        };
        let file = FileId::new(rustix::fs::fstat(&descriptor).map_err(other)?.st_ino);
        self.open.borrow_mut().entry(file).or_insert(descriptor);
        Ok(Some(file))
    }

    fn list(
        &mut self,
        directory: FileId,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<()> {
        if !self.is(directory, FileType::Directory)? {
            return Err(Error::NotDirectory);
        }
        let opened = self.descriptor(directory, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::new(opened).map_err(other)? {
            let entry = entry.map_err(other)?;
            let name = entry.file_name().to_bytes();
            if is_name(name) {
                names.push(name.to_vec());
            }
        }
        for name in names {
            let file = self.lookup(directory, &name)?.ok_or(Error::NotFound)?;
            if visit(Entry { name, file }).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn attributes(&mut self, file: FileId) -> Result<Attributes> {
        let open = self.open.borrow();
        let descriptor = open.get(&file).ok_or(Error::NotFound)?;
        let flags = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
        let stat = rustix::fs::statx(descriptor, "", AtFlags::EMPTY_PATH, flags).map_err(other)?;
        let (major, minor) = (stat.stx_rdev_major, stat.stx_rdev_minor);
        let time = |time: rustix::fs::StatxTimestamp| Timestamp {
            seconds: time.tv_sec,
            nanoseconds: time.tv_nsec,
        };
        Ok(Attributes {
            kind: match FileType::from_raw_mode(u32::from(stat.stx_mode)) {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Directory,
                FileType::Symlink => Kind::SymbolicLink,
                FileType::CharacterDevice => Kind::CharacterDevice { major, minor },
                FileType::BlockDevice => Kind::BlockDevice { major, minor },
                FileType::Fifo => Kind::Fifo,
                FileType::Socket => Kind::Socket,
                FileType::Unknown => {
                    return Err(Error::Io(Box::new(io::Error::other("an unknown kind"))));
                }
            },
            permissions: stat.stx_mode & 0o7777,
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            links: stat.stx_nlink,
            size: stat.stx_size,
            allocated: stat.stx_blocks * 512,
            accessed: time(stat.stx_atime),
            modified: time(stat.stx_mtime),
            changed: time(stat.stx_ctime),
            created: (stat.stx_mask & StatxFlags::BTIME.bits() != 0).then(|| time(stat.stx_btime)),
        })
    }

    fn read_link(&mut self, file: FileId) -> Result<Vec<u8>> {
        if !self.is(file, FileType::Symlink)? {
            return Err(Error::NotLink);
        }
        let open = self.open.borrow();
        let descriptor = open.get(&file).ok_or(Error::NotFound)?;
        let target = rustix::fs::readlinkat(descriptor, "", Vec::new()).map_err(other)?;
        Ok(target.into_bytes())
    }

    fn read_at(&mut self, file: FileId, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let opened = self.file(file, OFlags::RDONLY | OFlags::NOATIME)?;
        if offset >= opened.metadata().map_err(from_io)?.len() {
            return Ok(0);
        }
        let mut done = 0;
        while done < buffer.len() {
            match opened.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(length) => done += length,
                Err(error) => return Err(from_io(error)),
            }
        }
        Ok(done)
    }

    fn write_at(&mut self, file: FileId, data: &[u8], offset: u64) -> Result<()> {
        let opened = self.file(file, OFlags::WRONLY)?;
        let end = offset.checked_add(data.len() as u64);
        if !data.is_empty() && end.is_none_or(|end| end > self.limits.file_bytes) {
            return Err(Error::FileTooLarge);
        }
        self.keep_capability(file, || opened.write_all_at(data, offset))
    }

    fn set_size(&mut self, file: FileId, size: u64) -> Result<()> {
        let opened = self.file(file, OFlags::WRONLY)?;
        if size > self.limits.file_bytes {
            return Err(Error::FileTooLarge);
        }
        self.keep_capability(file, || opened.set_len(size))
    }

    fn replace(&mut self, file: FileId, content: &mut dyn Read) -> Result<u64> {
        let opened = self.file(file, OFlags::WRONLY)?;
        let mut all = Vec::new();
        content.read_to_end(&mut all).map_err(Error::Content)?;
        self.keep_capability(file, || {
            opened.set_len(0)?;
            opened.write_all_at(&all, 0)
        })?;
        Ok(all.len() as u64)
    }

    /// The kernel makes files for root, so that the group is set in a second step, and with it the bits that it took.
    fn create(&mut self, directory: FileId, name: &[u8], new: &NewFile<'_>) -> Result<FileId> {
        if !self.is(directory, FileType::Directory)? {
            return Err(Error::NotDirectory);
        }
        self.check_name(name)?;
        if self.lookup(directory, name)?.is_some() {
            return Err(Error::Exists);
        }
        let parent = self.attributes(directory)?;
        let made = match new.kind {
            NewKind::SymbolicLink(target)
                if target.is_empty() || target.len() > self.limits.target_bytes =>
            {
                return Err(Error::InvalidTarget);
            }
            NewKind::Special(Kind::File | Kind::Directory | Kind::SymbolicLink) => {
                return Err(Error::NotPossible("a special file of an ordinary kind"));
            }
            NewKind::Directory => self.directory(directory, |at| {
                rustix::fs::mkdirat(at, name, mode(new.permissions))
            })?,
            NewKind::SymbolicLink(target) => {
                self.directory(directory, |at| rustix::fs::symlinkat(target, at, name))?
            }
            NewKind::File => self.directory(directory, |at| {
                let mode = mode(new.permissions);
                rustix::fs::mknodat(at, name, FileType::RegularFile, mode, 0)
            })?,
            NewKind::Special(kind) => self.directory(directory, |at| {
                let (kind, device) = match kind {
                    Kind::CharacterDevice { major, minor } => {
                        (FileType::CharacterDevice, rustix::fs::makedev(major, minor))
                    }
                    Kind::BlockDevice { major, minor } => {
                        (FileType::BlockDevice, rustix::fs::makedev(major, minor))
                    }
                    Kind::Fifo => (FileType::Fifo, 0),
                    _ => (FileType::Socket, 0),
                };
                rustix::fs::mknodat(at, name, kind, mode(new.permissions), device)
            })?,
        };
        made.map_err(other)?;
        let file = self.lookup(directory, name)?.ok_or(Error::NotFound)?;
        let found = self.attributes(file)?;
        let gid = match parent.permissions & 0o2000 {
            0 => new.gid,
            _ => parent.gid,
        };
        let mut wanted = found.permissions;
        // `mkdir` itself takes no set-user-ID and no set-group-ID bit (`fs/namei.c`, `vfs_mkdir`).
        if matches!(new.kind, NewKind::Directory) {
            wanted |= new.permissions & 0o6000;
        }
        if (found.uid, found.gid) != (new.uid, gid) {
            self.set_owner(file, new.uid, gid)?;
        }
        if self.attributes(file)?.permissions != wanted {
            self.set_permissions(file, wanted)?;
        }
        Ok(file)
    }

    fn link(&mut self, file: FileId, directory: FileId, name: &[u8]) -> Result<()> {
        let path = self.path(file)?;
        let is_directory = self.is(file, FileType::Directory)?;
        if !self.is(directory, FileType::Directory)? {
            return Err(Error::NotDirectory);
        }
        self.check_name(name)?;
        let linked = self.directory(directory, |at| {
            rustix::fs::linkat(rustix::fs::CWD, &path, at, name, AtFlags::SYMLINK_FOLLOW)
        })?;
        linked.map_err(|errno| match errno {
            Errno::PERM if is_directory => Error::IsDirectory,
            errno => other(errno),
        })
    }

    fn rename(&mut self, from: FileId, name: &[u8], to: FileId, new_name: &[u8]) -> Result<()> {
        if !self.is(from, FileType::Directory)? || !self.is(to, FileType::Directory)? {
            return Err(Error::NotDirectory);
        }
        self.check_name(new_name)?;
        if self.lookup(from, name)?.is_none() {
            return Err(Error::NotFound);
        }
        let replaced = self.lookup(to, new_name)?;
        {
            let open = self.open.borrow();
            let from = open.get(&from).ok_or(Error::NotFound)?;
            let to = open.get(&to).ok_or(Error::NotFound)?;
            rustix::fs::renameat_with(from, name, to, new_name, RenameFlags::empty()).map_err(
                |errno| match errno {
                    Errno::INVAL => Error::IntoItself,
                    errno => other(errno),
                },
            )?;
        }
        self.forget_if_gone(replaced)
    }

    fn remove(&mut self, directory: FileId, name: &[u8]) -> Result<()> {
        let file = self.lookup(directory, name)?.ok_or(Error::NotFound)?;
        let flags = match self.is(file, FileType::Directory)? {
            true => AtFlags::REMOVEDIR,
            false => AtFlags::empty(),
        };
        self.directory(directory, |at| rustix::fs::unlinkat(at, name, flags))?
            .map_err(other)?;
        self.forget_if_gone(Some(file))
    }

    fn set_permissions(&mut self, file: FileId, permissions: u16) -> Result<()> {
        rustix::fs::chmod(self.path(file)?, mode(permissions)).map_err(|errno| match errno {
            Errno::OPNOTSUPP => Error::NotPossible("a change of a link's permissions"),
            errno => other(errno),
        })
    }

    fn set_owner(&mut self, file: FileId, uid: u32, gid: u32) -> Result<()> {
        let path = self.path(file)?;
        std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(from_io)
    }

    fn set_times(&mut self, file: FileId, times: Times) -> Result<()> {
        let spec = |time: Option<Timestamp>| match time {
            Some(time) => Timespec {
                tv_sec: time.seconds,
                tv_nsec: time.nanoseconds.into(),
            },
            None => Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
        };
        let stamps = Timestamps {
            last_access: spec(times.accessed),
            last_modification: spec(times.modified),
        };
        let path = self.path(file)?;
        rustix::fs::utimensat(rustix::fs::CWD, path, &stamps, AtFlags::empty()).map_err(other)
    }

    fn attribute_names(&mut self, file: FileId) -> Result<Vec<Vec<u8>>> {
        let path = self.path(file)?;
        let mut buffer = vec![0_u8; 65_536];
        let length = rustix::fs::listxattr(path, &mut buffer[..]).map_err(other)?;
        let mut names: Vec<_> = buffer[..length]
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn attribute(&mut self, file: FileId, name: &[u8]) -> Result<Option<Vec<u8>>> {
        let path = self.path(file)?;
        let mut buffer = vec![0_u8; 65_536];
        match rustix::fs::getxattr(path, name, &mut buffer[..]) {
            Ok(length) => Ok(Some(buffer[..length].to_vec())),
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE | Errno::INVAL) => Ok(None),
            Err(errno) => Err(other(errno)),
        }
    }

    fn set_attribute(&mut self, file: FileId, name: &[u8], value: &[u8]) -> Result<()> {
        let path = self.path(file)?;
        let is_list = name.starts_with(b"system.posix_acl_");
        rustix::fs::setxattr(path, name, value, XattrFlags::empty()).map_err(|errno| match errno {
            Errno::NOSPC | Errno::TOOBIG => Error::NoAttributeSpace,
            Errno::OPNOTSUPP
                if is_list && value.len() >= 4 && !value.starts_with(&[2, 0, 0, 0]) =>
            {
                Error::InvalidAttribute
            }
            Errno::OPNOTSUPP | Errno::PERM => Error::NotPossible("such an attribute"),
            Errno::ACCESS => Error::InvalidAttribute,
            Errno::INVAL if is_list => Error::InvalidAttribute,
            Errno::INVAL => Error::InvalidName,
            Errno::RANGE if name.is_empty() => Error::NotPossible("such an attribute"),
            Errno::RANGE => Error::NameTooLong,
            errno => other(errno),
        })
    }

    fn remove_attribute(&mut self, file: FileId, name: &[u8]) -> Result<()> {
        // The kernel says nothing of a list that is not there.
        if self.attribute(file, name)?.is_none() {
            return Err(Error::NotFound);
        }
        let path = self.path(file)?;
        rustix::fs::removexattr(path, name).map_err(other)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Drop for HostDirectory {
    fn drop(&mut self) {
        // All descriptors go before whoever mounted the directory unmounts it.
        mem::take(&mut *self.open.borrow_mut());
    }
}
