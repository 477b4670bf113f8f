//! The directory beside the root that holds what a change needs and what undoes it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use christen_vfs::Kind;
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::faults::Faults;
use crate::manifest::{MOST_BYTES, Manifest, Slot};
use crate::root::Root;
use crate::seen::Seen;

const MANIFEST: &str = "manifest";
const UNFINISHED: &str = "manifest.new";
const OLD: &str = "old";
const NEW: &str = "new";

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Where the journal of a root is, or would be.
#[derive(Debug)]
pub(crate) struct Journal {
    parent: OwnedFd,
    name: Vec<u8>,
    pub(crate) path: PathBuf,
}

/// A journal that is there.
#[derive(Debug)]
pub(crate) struct OpenJournal<'a> {
    at: &'a Journal,
    directory: OwnedFd,
    old: OwnedFd,
    new: OwnedFd,
}

impl Journal {
    /// Finds the place beside a root, and takes the root for this process: two changes at once would undo each other.
    pub(crate) fn beside(path: &Path, root: &Root) -> Result<Self> {
        let no_place = |rule| Error::NoPlaceForJournal {
            path: path.to_owned(),
            rule,
        };
        let failed = |source: Errno| Error::Open {
            path: path.to_owned(),
            source: source.into(),
        };
        let real = path.canonicalize().map_err(|source| Error::Open {
            path: path.to_owned(),
            source,
        })?;
        let (Some(above), Some(own_name)) = (real.parent(), real.file_name()) else {
            return Err(no_place("is the top of this host"));
        };
        let parent = rustix::fs::open(above, DIRECTORY, Mode::empty()).map_err(failed)?;
        let seen = Seen::at(&parent, own_name.as_bytes()).map_err(failed)?;
        if !seen.is_same(&root.seen) {
            return Err(no_place("was moved while it was opened"));
        }
        let above_seen = Seen::at(&parent, b"").map_err(failed)?;
        if above_seen.device != seen.device {
            return Err(no_place("is a filesystem, or a subvolume, of its own"));
        }
        match rustix::fs::flock(root.directory(), FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Err(Error::Busy),
            other => other.map_err(failed)?,
        }
        let name = [b".", own_name.as_bytes(), b".christen-undo"].concat();
        let path = above.join(std::ffi::OsStr::from_bytes(&name));
        Ok(Self { parent, name, path })
    }

    pub(crate) fn failed(&self, action: &'static str) -> impl FnOnce(Errno) -> Error + use<> {
        let journal = self.path.clone();
        move |source| Error::Journal {
            action,
            journal,
            source: source.into(),
        }
    }

    /// Opens a journal that a change has left. One without a manifest may lack the rest, too.
    pub(crate) fn find(&self) -> Result<Option<OwnedFd>> {
        let directory = match rustix::fs::openat(&self.parent, &self.name, DIRECTORY, Mode::empty())
        {
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(self.foreign("it is no directory")),
            other => other.map_err(self.failed("open"))?,
        };
        let seen = Seen::at(&directory, b"").map_err(self.failed("open"))?;
        // Whoever may write there could have others' files moved and owned.
        if seen.attributes.uid != rustix::process::geteuid().as_raw() {
            return Err(self.foreign("it belongs to another"));
        }
        if seen.attributes.permissions & 0o077 != 0 {
            return Err(self.foreign("others may use it"));
        }
        Ok(Some(directory))
    }

    fn foreign(&self, rule: &'static str) -> Error {
        Error::ForeignJournal {
            journal: self.path.clone(),
            rule,
        }
    }

    pub(crate) fn make(&self, faults: &Faults) -> Result<OpenJournal<'_>> {
        self.make_directories(faults).map_err(self.failed("make"))?;
        let directory = self.find()?.ok_or(Errno::NOENT);
        self.open(directory.map_err(self.failed("open"))?)
    }

    fn make_directories(&self, faults: &Faults) -> Result<(), Errno> {
        faults.step()?;
        rustix::fs::mkdirat(&self.parent, &self.name, Mode::RWXU)?;
        let directory = rustix::fs::openat(&self.parent, &self.name, DIRECTORY, Mode::empty())?;
        // Neither the umask nor a default access list of the directory above has a say.
        faults.step()?;
        for list in ["system.posix_acl_default", "system.posix_acl_access"] {
            match rustix::fs::fremovexattr(&directory, list) {
                Err(Errno::NODATA | Errno::NOTSUP) => {}
                other => other?,
            }
        }
        faults.step()?;
        rustix::fs::fchmod(&directory, Mode::RWXU)?;
        for name in [OLD, NEW] {
            faults.step()?;
            rustix::fs::mkdirat(&directory, name, Mode::RWXU)?;
        }
        Ok(())
    }

    pub(crate) fn open(&self, directory: OwnedFd) -> Result<OpenJournal<'_>> {
        let open = |name| {
            rustix::fs::openat(&directory, name, DIRECTORY, Mode::empty())
                .map_err(self.failed("open"))
        };
        let (old, new) = (open(OLD)?, open(NEW)?);
        Ok(OpenJournal {
            at: self,
            directory,
            old,
            new,
        })
    }

    /// Reads the manifest; `None` if the change had not begun, or had ended.
    pub(crate) fn manifest(&self, directory: &OwnedFd) -> Result<Option<Manifest>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(directory, MANIFEST, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            other => File::from(other.map_err(self.failed("read"))?),
        };
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| Error::Journal {
                action: "read",
                journal: self.path.clone(),
                source,
            })?;
        let damaged = |rule| Error::Manifest {
            journal: self.path.clone(),
            rule,
        };
        if bytes.len() as u64 > MOST_BYTES {
            return Err(damaged("it is longer than any"));
        }
        Manifest::decode(&bytes).map(Some).map_err(damaged)
    }

    /// Whether a change has begun and has not ended.
    pub(crate) fn has_manifest(&self) -> Result<bool> {
        let Some(directory) = self.find()? else {
            return Ok(false);
        };
        match Seen::at(&directory, MANIFEST.as_bytes()) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.failed("read")(error)),
        }
    }

    /// Removes a journal that nobody needs.
    pub(crate) fn remove(&self, directory: &OwnedFd, faults: &Faults) -> Result<()> {
        self.clear(directory, faults).map_err(self.failed("remove"))
    }

    fn clear(&self, directory: &OwnedFd, faults: &Faults) -> Result<(), Errno> {
        // What the change needs no more must not go before the manifest has.
        faults.step()?;
        rustix::fs::fsync(directory)?;
        for name in [OLD, NEW] {
            match rustix::fs::openat(directory, name, DIRECTORY, Mode::empty()) {
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error),
                Ok(inside) => empty(&inside, faults)?,
            }
            faults.step()?;
            rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR)?;
        }
        match Seen::at(directory, UNFINISHED.as_bytes()) {
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
            Ok(_) => {
                faults.step()?;
                rustix::fs::unlinkat(directory, UNFINISHED, AtFlags::empty())?;
            }
        }
        faults.step()?;
        rustix::fs::unlinkat(&self.parent, &self.name, AtFlags::REMOVEDIR)?;
        faults.step()?;
        rustix::fs::fsync(&self.parent)
    }
}

/// Empties a directory of the journal. What is in directories is brought up beside them first, so that no tree is too deep.
fn empty(directory: &OwnedFd, faults: &Faults) -> Result<(), Errno> {
    let mut brought = 0_u64;
    let mut left = names(directory)?;
    while let Some(name) = left.pop() {
        if Seen::at(directory, &name)?.attributes.kind != Kind::Directory {
            faults.step()?;
            rustix::fs::unlinkat(directory, &name, AtFlags::empty())?;
            continue;
        }
        let inside = rustix::fs::openat(directory, &name, DIRECTORY, Mode::empty())?;
        for child in names(&inside)? {
            faults.step()?;
            if Seen::at(&inside, &child)?.attributes.kind != Kind::Directory {
                rustix::fs::unlinkat(&inside, &child, AtFlags::empty())?;
                continue;
            }
            loop {
                let free = format!("up-{brought}").into_bytes();
                brought += 1;
                let flags = RenameFlags::NOREPLACE;
                match rustix::fs::renameat_with(&inside, &child, directory, &free, flags) {
                    // From an emptying that was cut.
                    Err(Errno::EXIST) => {}
                    other => {
                        other?;
                        left.push(free);
                        break;
                    }
                }
            }
        }
        faults.step()?;
        rustix::fs::unlinkat(directory, &name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}

fn names(directory: &OwnedFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if !matches!(&name[..], b"." | b"..") {
            names.push(name);
        }
    }
    Ok(names)
}

impl OpenJournal<'_> {
    /// Returns the directory and the name of a slot.
    pub(crate) fn slot(&self, slot: Slot) -> (&OwnedFd, Vec<u8>) {
        match slot {
            Slot::Old(number) => (&self.old, number.to_string().into_bytes()),
            Slot::New(number) => (&self.new, number.to_string().into_bytes()),
        }
    }

    pub(crate) fn is_filled(&self, slot: Slot) -> Result<bool, Errno> {
        let (directory, name) = self.slot(slot);
        match Seen::at(directory, &name) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn failed(&self, action: &'static str) -> impl FnOnce(Errno) -> Error + use<> {
        self.at.failed(action)
    }

    /// Puts the manifest there, after which a cut is undone.
    pub(crate) fn begin(&self, manifest: &Manifest, faults: &Faults) -> Result<()> {
        let bytes = manifest.encode();
        if bytes.len() as u64 > MOST_BYTES {
            return Err(self.failed("write")(Errno::FBIG));
        }
        self.write_manifest(&bytes, faults)
            .map_err(self.failed("write"))
    }

    fn write_manifest(&self, bytes: &[u8], faults: &Faults) -> Result<(), Errno> {
        let sync = |directory: &OwnedFd| {
            faults.step()?;
            rustix::fs::fsync(directory)
        };
        sync(&self.old)?;
        sync(&self.new)?;
        faults.step()?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(&self.directory, UNFINISHED, flags, mode)?;
        let mut file = File::from(file);
        faults.step()?;
        file.write_all(bytes)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        faults.step()?;
        rustix::fs::fsync(&file)?;
        sync(&self.at.parent)?;
        faults.step()?;
        rustix::fs::renameat(&self.directory, UNFINISHED, &self.directory, MANIFEST)?;
        sync(&self.directory)
    }

    /// Removes the manifest: the change is done, or undone.
    pub(crate) fn end(&self, faults: &Faults) -> Result<()> {
        let remove = || {
            faults.step()?;
            rustix::fs::unlinkat(&self.directory, MANIFEST, AtFlags::empty())
        };
        remove().map_err(self.failed("end"))
    }

    pub(crate) fn remove(&self, faults: &Faults) -> Result<()> {
        self.at.remove(&self.directory, faults)
    }
}
