//! One tree of several filesystems, as a guest mounts them.

mod later;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;

use self::later::Later;
pub use self::later::Opener;
use crate::error::{Error, Result};
use crate::filesystem::{
    Attributes, Entry, FileId, FileSystem, Kind, Limits, NewFile, Statistics, Times, Timestamp,
};
use crate::path::GuestPath;
use crate::walk::{LastLink, resolve, resolve_place};

/// The bits of an identity that are the filesystem's own; those above say which filesystem it is of. No filesystem numbers its
/// files so high: ext4 has 32 bits, XFS at its largest 2^63 bytes in blocks of 512, btrfs counts from 256.
const INNER_BITS: u32 = 56;

/// The most filesystems in one tree.
pub const MOST_MOUNTED: usize = 1 << (u64::BITS - INNER_BITS);

/// A filesystem numbers its files in a way that leaves no room to tell it from the others.
#[derive(Debug, thiserror::Error)]
#[error("file number {0} of a filesystem has more than {INNER_BITS} bits")]
struct NumberTooLarge(u64);

/// One more filesystem than can be told apart.
#[derive(Debug, thiserror::Error)]
#[error("a tree has at most {MOST_MOUNTED} filesystems")]
struct TooMany;

/// A file as its own filesystem knows it.
type Inner = (usize, FileId);

/// One tree of several filesystems, as a guest mounts them: what is above works with it as with one filesystem.
///
/// The directory of a mount point is covered by the root of what is mounted there, and what stands in it cannot be reached. `..`
/// needs nothing here, because the walks remember where they came from. What goes from one filesystem to another fails with
/// [`Error::OtherFileSystem`], and a mount point can neither be removed nor moved ([`Error::MountPoint`]): both as in Linux.
///
/// A mount point whose filesystem is not at hand can be held open with [`mount_absent`](Self::mount_absent): everything below it
/// fails with [`Error::NotMounted`], because a file that is written there would be covered when the guest mounts.
///
/// [`limits`](FileSystem::limits) and [`statistics`](FileSystem::statistics) are those of the root: most files stand there, and
/// the smallest of all would say that a guest keeps no owners because its firmware's FAT does not. Each filesystem holds its own
/// limits all the same, and [`part`](Self::part) tells them.
#[derive(Debug)]
pub struct Mounted {
    parts: Vec<Box<dyn FileSystem>>,
    /// What covers a directory, in the order of mounting.
    mounts: Vec<Mount>,
    reserved: Vec<Reserved>,
    now: Option<Timestamp>,
}

#[derive(Debug)]
struct Mount {
    covered: Inner,
    part: usize,
}

/// A name in which nothing is made.
#[derive(Debug)]
struct Reserved {
    directory: Inner,
    name: Vec<u8>,
    missing: String,
}

impl Mounted {
    /// Begins with the root's filesystem, which gets index 0.
    pub fn new(root: Box<dyn FileSystem>) -> Self {
        Self {
            parts: vec![root],
            mounts: Vec::new(),
            reserved: Vec::new(),
            now: None,
        }
    }

    /// Mounts a filesystem at a directory of the tree as it is so far, links followed, and returns its index.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] and [`Error::NotDirectory`] for the mount point; [`Error::Unsupported`] for more than [`MOST_MOUNTED`].
    pub fn mount(&mut self, at: &GuestPath, mut fs: Box<dyn FileSystem>) -> Result<usize> {
        let (covered, _) = self.mount_point(at)?;
        if let Some(now) = self.now {
            fs.set_now(now);
        }
        self.cover(covered, fs)
    }

    /// As [`mount`](Self::mount), with a filesystem that is opened when something of it is asked for first. Where that fails, all that
    /// is asked of it fails with [`Error::NotMounted`], whose cause has `name` and what `open` failed with.
    ///
    /// # Errors
    ///
    /// As [`mount`](Self::mount).
    pub fn mount_when_needed(
        &mut self,
        at: &GuestPath,
        name: impl Into<String>,
        open: Opener,
    ) -> Result<usize> {
        let (covered, attributes) = self.mount_point(at)?;
        let limits = self.parts[covered.0].limits();
        let mut later = Later::new(name.into(), open, attributes, limits);
        if let Some(now) = self.now {
            later.set_now(now);
        }
        self.cover(covered, Box::new(later))
    }

    /// Keeps a mount point free whose filesystem is not at hand; `missing` names that, for the cause of [`Error::NotMounted`]. A mount
    /// point that is not there can be kept free too: the guest makes it when it starts, so nothing else is made in its name.
    ///
    /// # Errors
    ///
    /// As [`mount`](Self::mount), but for a mount point that is not there.
    pub fn mount_absent(&mut self, at: &GuestPath, missing: impl Into<String>) -> Result<()> {
        let missing = missing.into();
        match self.mount_point(at) {
            Ok((covered, attributes)) => {
                let limits = self.parts[covered.0].limits();
                let later = Later::missing(missing, attributes, limits);
                self.cover(covered, Box::new(later))?;
            }
            Err(Error::NotFound) => {
                let (directory, name) = self.first_missing(at)?;
                self.reserved.push(Reserved {
                    directory: self.inner(directory)?,
                    name,
                    missing,
                });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The directory and the name in it that lacks first on the way along a path.
    fn first_missing(&mut self, at: &GuestPath) -> Result<(FileId, Vec<u8>)> {
        let mut reached = GuestPath::root();
        for component in at.components() {
            reached = reached.join(component);
            let place = resolve_place(self, &reached, LastLink::Followed)?;
            if let (None, Some(name)) = (place.file, place.name()) {
                return Ok((place.directory, name.to_vec()));
            }
        }
        Err(Error::NotFound)
    }

    fn mount_point(&mut self, at: &GuestPath) -> Result<(Inner, Attributes)> {
        let file = resolve(self, at, LastLink::Followed)?;
        let attributes = self.attributes(file)?;
        if attributes.kind != Kind::Directory {
            return Err(Error::NotDirectory);
        }
        Ok((self.inner(file)?, attributes))
    }

    fn cover(&mut self, covered: Inner, fs: Box<dyn FileSystem>) -> Result<usize> {
        let part = self.parts.len();
        if part == MOST_MOUNTED {
            return Err(Error::Unsupported(Box::new(TooMany)));
        }
        self.parts.push(fs);
        self.mounts.push(Mount { covered, part });
        Ok(part)
    }

    /// Returns one of the filesystems by its index.
    pub fn part(&mut self, index: usize) -> Option<&mut dyn FileSystem> {
        Some(&mut **self.parts.get_mut(index)?)
    }

    /// Returns the index of a file's filesystem, and its identity there.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for an identity that is of none of them.
    pub fn locate(&self, file: FileId) -> Result<(usize, FileId)> {
        self.inner(file)
    }

    /// Returns the index of the filesystem that a path leads into, and the path there, links resolved. The last name may be missing.
    ///
    /// # Errors
    ///
    /// As [`resolve_place`].
    pub fn place(&mut self, path: &GuestPath, last: LastLink) -> Result<(usize, GuestPath)> {
        let place = resolve_place(self, path, last)?;
        let mut directory = self.root();
        let mut part = self.inner(directory)?.0;
        let mut inside = GuestPath::root();
        for name in &place.names {
            inside = inside.join(name);
            let Some(file) = self.lookup(directory, name)? else {
                // Only the last may be missing.
                break;
            };
            let index = self.inner(file)?.0;
            if index != part {
                part = index;
                inside = GuestPath::root();
            }
            directory = file;
        }
        Ok((part, inside))
    }

    fn inner(&self, file: FileId) -> Result<Inner> {
        let part = (file.number() >> INNER_BITS) as usize;
        if part >= self.parts.len() {
            return Err(Error::NotFound);
        }
        let number = file.number() & ((1 << INNER_BITS) - 1);
        Ok((part, FileId::new(number)))
    }

    /// What is mounted at a directory last.
    fn mount_at(&self, inner: Inner) -> Option<usize> {
        let mut mounts = self.mounts.iter().rev();
        Some(mounts.find(|it| it.covered == inner)?.part)
    }

    /// Goes from a directory to what covers it. What is mounted later can only cover what was there, so this ends.
    fn uncovered(&self, mut inner: Inner) -> Inner {
        while let Some(part) = self.mount_at(inner) {
            inner = (part, self.parts[part].root());
        }
        inner
    }

    fn outer(&self, inner: Inner) -> Result<FileId> {
        identity(self.uncovered(inner))
    }

    fn of(&mut self, file: FileId) -> Result<(&mut dyn FileSystem, FileId)> {
        let (part, inner) = self.inner(file)?;
        Ok((&mut *self.parts[part], inner))
    }

    /// Looks that something may be made in this name.
    fn may_make(&self, directory: Inner, name: &[u8]) -> Result<()> {
        let is_it = |it: &&Reserved| it.directory == directory && it.name == name;
        match self.reserved.iter().find(is_it) {
            Some(reserved) => Err(later::reserved(&reserved.missing)),
            None => Ok(()),
        }
    }

    /// Looks that an entry is no mount point.
    fn is_free(&mut self, directory: Inner, name: &[u8]) -> Result<()> {
        if self.mounts.is_empty() {
            return Ok(());
        }
        let found = self.parts[directory.0].lookup(directory.1, name)?;
        match found {
            Some(file) if self.mount_at((directory.0, file)).is_some() => Err(Error::MountPoint),
            _ => Ok(()),
        }
    }
}

/// The identity that is told to who uses the tree.
fn identity((part, file): Inner) -> Result<FileId> {
    if file.number() >> INNER_BITS != 0 {
        return Err(Error::Unsupported(Box::new(NumberTooLarge(file.number()))));
    }
    Ok(FileId::new((part as u64) << INNER_BITS | file.number()))
}

impl FileSystem for Mounted {
    fn root(&self) -> FileId {
        let (part, file) = self.uncovered((0, self.parts[0].root()));
        // A root that is numbered too high names no file, as every operation on it says.
        FileId::new((part as u64) << INNER_BITS | file.number())
    }

    fn limits(&self) -> Limits {
        let (part, _) = self.uncovered((0, self.parts[0].root()));
        self.parts[part].limits()
    }

    fn statistics(&mut self) -> Result<Statistics> {
        let (part, _) = self.uncovered((0, self.parts[0].root()));
        self.parts[part].statistics()
    }

    fn set_now(&mut self, now: Timestamp) {
        self.now = Some(now);
        for part in &mut self.parts {
            part.set_now(now);
        }
    }

    fn lookup(&mut self, directory: FileId, name: &[u8]) -> Result<Option<FileId>> {
        let (part, inner) = self.inner(directory)?;
        match self.parts[part].lookup(inner, name)? {
            Some(file) => self.outer((part, file)).map(Some),
            None => Ok(None),
        }
    }

    fn list(
        &mut self,
        directory: FileId,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<()> {
        let (part, inner) = self.inner(directory)?;
        // The filesystem is taken by the listing, so what covers its directories is known before.
        let mut covers = BTreeMap::new();
        for mount in self.mounts.iter().filter(|it| it.covered.0 == part) {
            covers.insert(mount.covered.1, self.outer(mount.covered)?);
        }
        let mut failure = None;
        self.parts[part].list(inner, &mut |entry| {
            let file = match covers.get(&entry.file) {
                Some(cover) => Ok(*cover),
                None => identity((part, entry.file)),
            };
            match file {
                Ok(file) => visit(Entry { file, ..entry }),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failure.map_or(Ok(()), Err)
    }

    fn attributes(&mut self, file: FileId) -> Result<Attributes> {
        let (fs, file) = self.of(file)?;
        fs.attributes(file)
    }

    fn read_link(&mut self, file: FileId) -> Result<Vec<u8>> {
        let (fs, file) = self.of(file)?;
        fs.read_link(file)
    }

    fn read_at(&mut self, file: FileId, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let (fs, file) = self.of(file)?;
        fs.read_at(file, buffer, offset)
    }

    fn write_at(&mut self, file: FileId, data: &[u8], offset: u64) -> Result<()> {
        let (fs, file) = self.of(file)?;
        fs.write_at(file, data, offset)
    }

    fn set_size(&mut self, file: FileId, size: u64) -> Result<()> {
        let (fs, file) = self.of(file)?;
        fs.set_size(file, size)
    }

    fn replace(&mut self, file: FileId, content: &mut dyn io::Read) -> Result<u64> {
        let (fs, file) = self.of(file)?;
        fs.replace(file, content)
    }

    fn create(&mut self, directory: FileId, name: &[u8], new: &NewFile<'_>) -> Result<FileId> {
        let (part, directory) = self.inner(directory)?;
        self.may_make((part, directory), name)?;
        let file = self.parts[part].create(directory, name, new)?;
        self.outer((part, file))
    }

    fn link(&mut self, file: FileId, directory: FileId, name: &[u8]) -> Result<()> {
        let (part, file) = self.inner(file)?;
        let (to, directory) = self.inner(directory)?;
        self.may_make((to, directory), name)?;
        if part == to {
            return self.parts[part].link(file, directory, name);
        }
        match self.parts[to].lookup(directory, name)? {
            Some(_) => Err(Error::Exists),
            None => Err(Error::OtherFileSystem),
        }
    }

    fn rename(&mut self, from: FileId, name: &[u8], to: FileId, new_name: &[u8]) -> Result<()> {
        let (from, to) = (self.inner(from)?, self.inner(to)?);
        if from.0 != to.0 {
            self.parts[to.0].lookup(to.1, new_name)?;
            let found = self.parts[from.0].lookup(from.1, name)?;
            return Err(found.map_or(Error::NotFound, |_| Error::OtherFileSystem));
        }
        self.is_free(from, name)?;
        self.is_free(to, new_name)?;
        self.may_make(to, new_name)?;
        self.parts[from.0].rename(from.1, name, to.1, new_name)
    }

    fn remove(&mut self, directory: FileId, name: &[u8]) -> Result<()> {
        let directory = self.inner(directory)?;
        self.is_free(directory, name)?;
        self.parts[directory.0].remove(directory.1, name)
    }

    fn set_permissions(&mut self, file: FileId, permissions: u16) -> Result<()> {
        let (fs, file) = self.of(file)?;
        fs.set_permissions(file, permissions)
    }

    fn set_owner(&mut self, file: FileId, uid: u32, gid: u32) -> Result<()> {
        let (fs, file) = self.of(file)?;
        fs.set_owner(file, uid, gid)
    }

    fn set_times(&mut self, file: FileId, times: Times) -> Result<()> {
        let (fs, file) = self.of(file)?;
        fs.set_times(file, times)
    }

    fn attribute_names(&mut self, file: FileId) -> Result<Vec<Vec<u8>>> {
        let (fs, file) = self.of(file)?;
        fs.attribute_names(file)
    }

    fn attribute(&mut self, file: FileId, name: &[u8]) -> Result<Option<Vec<u8>>> {
        let (fs, file) = self.of(file)?;
        fs.attribute(file, name)
    }

    fn set_attribute(&mut self, file: FileId, name: &[u8], value: &[u8]) -> Result<()> {
        let (fs, file) = self.of(file)?;
        fs.set_attribute(file, name, value)
    }

    fn remove_attribute(&mut self, file: FileId, name: &[u8]) -> Result<()> {
        let (fs, file) = self.of(file)?;
        fs.remove_attribute(file, name)
    }

    /// Finishes all of them. After a failure none of them is to be committed, even those that finished.
    fn finish(&mut self) -> Result<()> {
        self.parts.iter_mut().try_for_each(|part| part.finish())
    }
}
