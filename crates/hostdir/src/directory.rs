//! The directory as a filesystem whose changes stay in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use christen_vfs::memory::Memory;
use christen_vfs::{
    Attributes, Entry, Error as FsError, FileId, FileSystem, Kind, Limits, NewFile, NewKind,
    Statistics, Times, Timestamp,
};
use rustix::fs::Dir;
use rustix::io::Errno;

use crate::error::{Error, Result, for_filesystem, guest_path, host};
use crate::id_map::IdMap;
use crate::inode::Inode;
use crate::journal::Journal;
use crate::root::Root;
use crate::seen::Seen;
use crate::undo;

/// The most entries of one directory that are kept in memory.
const MOST_ENTRIES: usize = 1 << 20;

/// The most content of one file that is taken into memory because a part of it changes.
const MOST_CONTENT_BYTES: u64 = 256 << 20;

const COPY_BYTES: usize = 64 << 10;

/// A root tree in a directory of the host.
///
/// It reads what it is asked for and keeps what is changed in memory; the directory stays as it is before
/// [`commit`](Self::commit). While it is open, nobody else opens it this way.
#[derive(Debug)]
pub struct HostDirectory {
    pub(crate) root: Root,
    /// `None` if this is only to be read.
    pub(crate) journal: Option<Journal>,
    pub(crate) map: IdMap,
    pub(crate) memory: Memory,
    pub(crate) origins: BTreeMap<FileId, Origin>,
    known: BTreeMap<(u64, u64), FileId>,
    reading: Option<(FileId, File)>,
    made: Vec<FileId>,
    statistics: Option<Statistics>,
    was_recovered: bool,
}

/// What is known of a file that was there before.
#[derive(Debug)]
pub(crate) struct Origin {
    /// One of its names.
    pub(crate) path: Vec<Vec<u8>>,
    pub(crate) seen: Seen,
    /// The entries of a directory, once they were needed.
    pub(crate) entries: Option<BTreeMap<Vec<u8>, FileId>>,
    /// The extended attributes, once they were needed.
    pub(crate) attributes: Option<BTreeMap<Vec<u8>, Vec<u8>>>,
    pub(crate) content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// It was not taken into memory.
    Below,
    /// It was, and it is the same.
    Loaded,
    Changed,
}

impl HostDirectory {
    /// Opens a directory. A commit to it that was cut is undone first.
    ///
    /// # Errors
    ///
    /// [`Error::Open`], [`Error::NoPlaceForJournal`] for `/` and for a mount point, [`Error::Busy`], and what undoing fails with.
    pub fn open(path: &Path, map: IdMap) -> Result<Self> {
        let root = Root::open(path)?;
        let journal = Journal::beside(path, &root)?;
        let was_recovered = undo::recover_at(&root, &journal)? != undo::Recovered::Nothing;
        let mut directory = Self::over(root, Some(journal), map)?;
        directory.was_recovered = was_recovered;
        Ok(directory)
    }

    /// Whether a commit that was cut was undone, or cleaned up after, when this was opened.
    pub fn was_recovered(&self) -> bool {
        self.was_recovered
    }

    /// Reads as [`open`](Self::open) does, whatever state the journal is in.
    pub(crate) fn over(root: Root, journal: Option<Journal>, map: IdMap) -> Result<Self> {
        let mut directory = Self {
            memory: Memory::new(),
            origins: BTreeMap::new(),
            known: BTreeMap::new(),
            reading: None,
            made: Vec::new(),
            statistics: None,
            was_recovered: false,
            root,
            journal,
            map,
        };
        // What the root has may have changed in the recovery.
        let seen = Seen::at(directory.root.directory(), b"").map_err(host("look at", &[]))?;
        directory.root.seen = seen;
        let top = directory.memory.root();
        directory.memory.adopt_root(&directory.to_guest(&seen));
        directory.note(top, Vec::new(), seen);
        Ok(directory)
    }

    fn note(&mut self, file: FileId, path: Vec<Vec<u8>>, seen: Seen) {
        self.known.insert((seen.device, seen.inode), file);
        let origin = Origin {
            path,
            seen,
            entries: None,
            attributes: None,
            content: Content::Below,
        };
        self.origins.insert(file, origin);
    }

    pub(crate) fn to_guest(&self, seen: &Seen) -> Attributes {
        Attributes {
            uid: self.map.guest(seen.attributes.uid),
            gid: self.map.guest(seen.attributes.gid),
            ..seen.attributes
        }
    }

    /// Opens a file that was there before, and refuses another one in its place.
    pub(crate) fn inode(&self, origin: &Origin) -> Result<Inode> {
        let inode = self
            .root
            .find(&origin.path)
            .map_err(host("open", &origin.path))?;
        let seen = inode.seen().map_err(host("look at", &origin.path))?;
        if !seen.is_same(&origin.seen) {
            return Err(Error::Changed {
                path: guest_path(&origin.path),
            });
        }
        Ok(inode)
    }

    fn host_statistics(&self) -> Result<Statistics> {
        let found = rustix::fs::fstatvfs(self.root.directory()).map_err(host("look at", &[]))?;
        Ok(Statistics {
            block_bytes: u32::try_from(found.f_frsize).unwrap_or(u32::MAX),
            blocks: found.f_blocks,
            free_blocks: found.f_bfree.min(found.f_blocks),
            available_blocks: found.f_bavail.min(found.f_bfree),
            files: found.f_files,
            free_files: found.f_ffree,
        })
    }

    /// Takes the entries of a directory into memory, if it is one that was there before.
    fn load_entries(&mut self, file: FileId) -> Result<(), FsError> {
        let Some(origin) = self.origins.get(&file) else {
            return Ok(());
        };
        if origin.seen.attributes.kind != Kind::Directory || origin.entries.is_some() {
            return Ok(());
        }
        let path = origin.path.clone();
        let inode = origin.seen.inode;
        self.read_entries(file, &path, inode)
            .map_err(for_filesystem)
    }

    fn read_entries(&mut self, file: FileId, path: &[Vec<u8>], inode: u64) -> Result<()> {
        let failed = || host("read", path);
        let directory = self.root.directory_at(path, Some(inode))?;
        let mut entries = BTreeMap::new();
        for entry in Dir::read_from(&directory).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            if entries.len() == MOST_ENTRIES {
                return Err(failed()(Errno::OVERFLOW));
            }
            let mut below = path.to_vec();
            below.push(name.to_vec());
            let child = self.read_entry(&directory, name, below)?;
            entries.insert(name.to_vec(), child);
        }
        for (name, child) in &entries {
            self.memory.adopt_entry(file, name, *child)?;
        }
        if let Some(origin) = self.origins.get_mut(&file) {
            origin.entries = Some(entries);
        }
        Ok(())
    }

    fn read_entry(
        &mut self,
        directory: &OwnedFd,
        name: &[u8],
        path: Vec<Vec<u8>>,
    ) -> Result<FileId> {
        let failed = || host("look at", &path);
        let seen = Seen::at(directory, name).map_err(failed())?;
        let is_directory = seen.attributes.kind == Kind::Directory;
        if let Some(known) = self.known.get(&(seen.device, seen.inode))
            && !is_directory
            && self.memory.attributes(*known).is_ok()
        {
            return Ok(*known);
        }
        let target = match seen.attributes.kind {
            Kind::SymbolicLink => rustix::fs::readlinkat(directory, name, Vec::new())
                .map_err(failed())?
                .into_bytes(),
            _ => Vec::new(),
        };
        let file = self.memory.adopt(&self.to_guest(&seen), &target);
        self.note(file, path, seen);
        Ok(file)
    }

    /// Takes the extended attributes of a file into memory, if it is one that was there before.
    pub(crate) fn load_attributes(&mut self, file: FileId) -> Result<(), FsError> {
        let Some(origin) = self.origins.get(&file) else {
            return Ok(());
        };
        if origin.attributes.is_some() {
            return Ok(());
        }
        let attributes = self.read_attributes(origin).map_err(for_filesystem)?;
        for (name, value) in &attributes {
            self.memory.adopt_attribute(file, name, value)?;
        }
        if let Some(origin) = self.origins.get_mut(&file) {
            origin.attributes = Some(attributes);
        }
        Ok(())
    }

    fn read_attributes(&self, origin: &Origin) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let failed = || host("read the attributes of", &origin.path);
        let inode = self.inode(origin)?;
        let mut attributes = BTreeMap::new();
        for name in inode.attribute_names().map_err(failed())? {
            if let Some(value) = inode.attribute(&name).map_err(failed())? {
                attributes.insert(name, value);
            }
        }
        Ok(attributes)
    }

    /// Takes the content of a file into memory, if it is one that was there before.
    fn load_content(&mut self, file: FileId) -> Result<(), FsError> {
        let Some(origin) = self.origins.get(&file) else {
            return Ok(());
        };
        if origin.content != Content::Below || origin.seen.attributes.kind != Kind::File {
            return Ok(());
        }
        let size = origin.seen.attributes.size;
        if size > MOST_CONTENT_BYTES {
            return Err(FsError::FileTooLarge);
        }
        let mut buffer = vec![0; COPY_BYTES];
        let mut offset = 0;
        while offset < size {
            let length = self.read_below(file, &mut buffer, offset)?;
            if length == 0 {
                break;
            }
            let data = buffer.get(..length).unwrap_or_default();
            if data.iter().any(|byte| *byte != 0) {
                self.memory.adopt_content(file, data, offset, 0)?;
            }
            offset += length as u64;
        }
        self.memory.adopt_content(file, &[], 0, size)?;
        if let Some(origin) = self.origins.get_mut(&file) {
            origin.content = Content::Loaded;
        }
        Ok(())
    }

    fn read_below(
        &mut self,
        file: FileId,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<usize, FsError> {
        let origin = self.origins.get(&file).ok_or(FsError::NotFound)?;
        let size = origin.seen.attributes.size;
        let open = match self.reading.take() {
            Some((known, open)) if known == file => open,
            _ => {
                let inode = self.inode(origin).map_err(for_filesystem)?;
                let failed = host("open", &origin.path);
                inode.read().map_err(failed).map_err(for_filesystem)?
            }
        };
        let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..wanted).filter(|it| !it.is_empty()) {
            match open.read_at(rest, offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(length) => done += length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(FsError::Io(Box::new(error))),
            }
        }
        self.reading = Some((file, open));
        Ok(done)
    }

    fn mark_changed(&mut self, file: FileId) {
        if let Some(origin) = self.origins.get_mut(&file) {
            origin.content = Content::Changed;
        }
    }

    /// Loads what an operation on a name may look at: the directory, and what the name has if that is a directory.
    fn load_name(&mut self, directory: FileId, name: &[u8]) -> Result<(), FsError> {
        self.load_entries(directory)?;
        // What is no directory says so itself.
        if let Ok(Some(file)) = self.memory.lookup(directory, name) {
            self.load_entries(file)?;
        }
        Ok(())
    }

    /// The numbers in a list, and in capabilities of a namespace, are the host's.
    fn refuse_mapped(&self, name: &[u8]) -> Result<(), FsError> {
        let has_numbers = name.starts_with(b"system.posix_acl_") || name == b"security.capability";
        if has_numbers && !self.map.is_empty() {
            return Err(FsError::NotPossible(
                "a list of users or capabilities behind an id map",
            ));
        }
        Ok(())
    }
}

impl FileSystem for HostDirectory {
    fn root(&self) -> FileId {
        self.memory.root()
    }

    fn limits(&self) -> Limits {
        self.memory.limits()
    }

    /// What there was when this was first asked, less what was staged since it was opened: others write beside us, too.
    fn statistics(&mut self) -> Result<Statistics, FsError> {
        let mut statistics = match self.statistics {
            Some(statistics) => statistics,
            None => self.host_statistics().map_err(for_filesystem)?,
        };
        self.statistics = Some(statistics);
        let staged = self.memory.statistics()?;
        let pages = staged.blocks.saturating_sub(staged.free_blocks);
        let bytes = pages.saturating_mul(staged.block_bytes.into());
        let blocks = bytes.div_ceil(u64::from(statistics.block_bytes).max(1));
        statistics.free_blocks = statistics.free_blocks.saturating_sub(blocks);
        statistics.available_blocks = statistics.available_blocks.saturating_sub(blocks);
        self.made
            .retain(|file| self.memory.attributes(*file).is_ok());
        let made = self.made.len() as u64;
        statistics.free_files = statistics.free_files.saturating_sub(made);
        Ok(statistics)
    }

    fn set_now(&mut self, now: Timestamp) {
        self.memory.set_now(now);
    }

    fn lookup(&mut self, directory: FileId, name: &[u8]) -> Result<Option<FileId>, FsError> {
        self.load_entries(directory)?;
        self.memory.lookup(directory, name)
    }

    fn list(
        &mut self,
        directory: FileId,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), FsError> {
        self.load_entries(directory)?;
        self.memory.list(directory, visit)
    }

    fn attributes(&mut self, file: FileId) -> Result<Attributes, FsError> {
        let mut attributes = self.memory.attributes(file)?;
        if let Some(origin) = self.origins.get(&file)
            && origin.content == Content::Below
            && attributes.kind == Kind::File
        {
            attributes.size = origin.seen.attributes.size;
            attributes.allocated = origin.seen.attributes.allocated;
        }
        Ok(attributes)
    }

    fn read_link(&mut self, file: FileId) -> Result<Vec<u8>, FsError> {
        self.memory.read_link(file)
    }

    fn read_at(&mut self, file: FileId, buffer: &mut [u8], offset: u64) -> Result<usize, FsError> {
        if self.memory.attributes(file)?.kind != Kind::File {
            return Err(FsError::NotFile);
        }
        match self.origins.get(&file) {
            Some(origin) if origin.content == Content::Below => {
                self.read_below(file, buffer, offset)
            }
            _ => self.memory.read_at(file, buffer, offset),
        }
    }

    fn write_at(&mut self, file: FileId, data: &[u8], offset: u64) -> Result<(), FsError> {
        if !data.is_empty() {
            self.load_content(file)?;
        }
        self.memory.write_at(file, data, offset)?;
        if !data.is_empty() {
            self.mark_changed(file);
        }
        Ok(())
    }

    fn set_size(&mut self, file: FileId, size: u64) -> Result<(), FsError> {
        if size > 0 {
            self.load_content(file)?;
        }
        self.memory.set_size(file, size)?;
        self.mark_changed(file);
        Ok(())
    }

    fn replace(&mut self, file: FileId, content: &mut dyn Read) -> Result<u64, FsError> {
        let size = self.memory.replace(file, content)?;
        self.mark_changed(file);
        Ok(size)
    }

    fn create(
        &mut self,
        directory: FileId,
        name: &[u8],
        new: &NewFile<'_>,
    ) -> Result<FileId, FsError> {
        self.load_entries(directory)?;
        if !matches!(new.kind, NewKind::SymbolicLink(_)) {
            self.load_attributes(directory)?;
        }
        let file = self.memory.create(directory, name, new)?;
        self.made.push(file);
        Ok(file)
    }

    fn link(&mut self, file: FileId, directory: FileId, name: &[u8]) -> Result<(), FsError> {
        self.load_entries(directory)?;
        self.memory.link(file, directory, name)
    }

    fn rename(
        &mut self,
        from: FileId,
        name: &[u8],
        to: FileId,
        new_name: &[u8],
    ) -> Result<(), FsError> {
        self.load_entries(from)?;
        self.load_name(to, new_name)?;
        self.memory.rename(from, name, to, new_name)
    }

    fn remove(&mut self, directory: FileId, name: &[u8]) -> Result<(), FsError> {
        self.load_name(directory, name)?;
        self.memory.remove(directory, name)
    }

    fn set_permissions(&mut self, file: FileId, permissions: u16) -> Result<(), FsError> {
        self.load_attributes(file)?;
        self.memory.set_permissions(file, permissions)
    }

    fn set_owner(&mut self, file: FileId, uid: u32, gid: u32) -> Result<(), FsError> {
        self.load_attributes(file)?;
        self.memory.set_owner(file, uid, gid)
    }

    fn set_times(&mut self, file: FileId, times: Times) -> Result<(), FsError> {
        self.memory.set_times(file, times)
    }

    fn attribute_names(&mut self, file: FileId) -> Result<Vec<Vec<u8>>, FsError> {
        self.load_attributes(file)?;
        self.memory.attribute_names(file)
    }

    fn attribute(&mut self, file: FileId, name: &[u8]) -> Result<Option<Vec<u8>>, FsError> {
        self.load_attributes(file)?;
        self.memory.attribute(file, name)
    }

    fn set_attribute(&mut self, file: FileId, name: &[u8], value: &[u8]) -> Result<(), FsError> {
        self.load_attributes(file)?;
        self.refuse_mapped(name)?;
        self.memory.set_attribute(file, name, value)
    }

    fn remove_attribute(&mut self, file: FileId, name: &[u8]) -> Result<(), FsError> {
        self.load_attributes(file)?;
        self.memory.remove_attribute(file, name)
    }

    /// Nothing is held back: the directory is changed by [`HostDirectory::commit`] alone.
    fn finish(&mut self) -> Result<(), FsError> {
        Ok(())
    }
}
