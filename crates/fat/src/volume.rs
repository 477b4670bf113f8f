//! A volume as a guest's filesystem.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use christen_block::BlockDevice;
use christen_vfs::{
    Attributes, Entry, Error, FileId, FileSystem, Kind, Limits, NewFile, NewKind, Result,
    Statistics, Times, Timestamp,
};
use hadris_fat::CacheOptions;
use hadris_fat::sync::FatFs;
use hadris_fs::{DirCursor, DirEntry, Metadata, MountOptions, Name, NodeId, RenameMode, SetAttr};
use hadris_io::ErrorKind;

use crate::clock::{self, Moment, TIME_RANGE};
use crate::device::Blocks;
use crate::error::{Refused, convert};
use crate::files::{File, Files};

/// The largest file: its length is a number of 32 bits.
const FILE_BYTES: u64 = u32::MAX as u64;

/// Content up to this length is held in memory while it replaces another; more goes through a file of its own.
const HELD_BYTES: usize = 4 << 20;

/// The name of a file that exists only while content is replaced.
const SPOOL_NAMES: std::ops::Range<u32> = 0..1000;

/// Whether a volume is opened for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing is written, and changes are refused.
    ReadOnly,
    /// Changes are taken.
    ReadWrite,
}

/// An open FAT volume.
#[derive(Debug)]
pub struct Volume {
    driver: FatFs<Blocks>,
    files: Files,
    now: Timestamp,
    writable: bool,
    abandoned: bool,
}

impl Volume {
    /// Opens the FAT12, FAT16 or FAT32 volume that fills a device.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if it is no such volume, or is to be written and is marked as not cleanly unmounted;
    /// [`Error::Corrupt`] and [`Error::Io`].
    pub fn open(device: Arc<dyn BlockDevice>, access: Access) -> Result<Self> {
        let writable = access == Access::ReadWrite;
        let marked = marked_by_linux(&*device).map_err(|error| Error::Io(Box::new(error)))?;
        let blocks = Blocks::new(device, writable)
            .ok_or_else(|| Error::Unsupported(Box::new(Refused("blocks of 512 bytes"))))?;
        let options = MountOptions::new().with_clock(&Moment);
        let options = if writable {
            options
        } else {
            options.read_only()
        };
        let driver =
            FatFs::mount(blocks, options).map_err(|failure| convert(failure.into_error()))?;
        if writable && (marked || driver.was_dirty()) {
            return Err(Error::Unsupported(Box::new(Refused(
                "writing to a FAT volume that was not cleanly unmounted",
            ))));
        }
        let cache = CacheOptions::new()
            .with_directory_hint(true)
            .with_directory_entries(1024);
        let driver = driver.with_cache(cache);
        let files = Files::new(driver.root());
        Ok(Self {
            driver,
            files,
            now: Timestamp::default(),
            writable,
            abandoned: false,
        })
    }

    fn known(&self, file: FileId) -> Result<File> {
        self.files.get(file).ok_or(Error::NotFound)
    }

    fn directory(&self, file: FileId) -> Result<NodeId> {
        let known = self.known(file)?;
        if !known.directory {
            return Err(Error::NotDirectory);
        }
        Ok(known.node)
    }

    fn regular(&self, file: FileId) -> Result<NodeId> {
        let known = self.known(file)?;
        if known.directory {
            return Err(Error::NotFile);
        }
        Ok(known.node)
    }

    /// Stands before everything that changes the volume.
    fn begin(&self) -> Result<()> {
        if self.abandoned {
            return Err(Error::Abandoned);
        }
        if !self.writable {
            return Err(Error::ReadOnly);
        }
        Moment::set(clock::encode(self.now));
        Ok(())
    }

    /// Stands after everything that changes the volume: what may have been done in part must not be committed.
    fn done<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if matches!(outcome, Err(Error::Io(_) | Error::Corrupt(_))) {
            self.abandoned = true;
        }
        outcome
    }

    /// Takes a node that the driver has just pinned.
    fn take(&mut self, node: NodeId, parent: FileId) -> Result<FileId> {
        if let Some(file) = self.files.of_node(node) {
            self.driver.forget(node, 1);
            return Ok(file);
        }
        let directory = self
            .driver
            .stat(node)
            .map_err(convert)?
            .file_type()
            .is_dir();
        Ok(self.files.add(File {
            node,
            parent,
            directory,
        }))
    }

    fn find(&mut self, directory: FileId, name: &[u8]) -> Result<Option<FileId>> {
        let node = self.directory(directory)?;
        match self.driver.lookup(node, Name::new(name)) {
            Ok(found) => self.take(found, directory).map(Some),
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::InvalidInput | ErrorKind::NameTooLong => Ok(None),
                _ => Err(convert(error)),
            },
        }
    }

    /// Forgets a file whose last name is gone, or is about to be.
    fn forget(&mut self, file: FileId) {
        if let Some(known) = self.files.get(file) {
            self.driver.forget(known.node, u64::MAX);
            self.files.remove(file);
        }
    }

    /// Reads the next entry of a directory.
    fn next(&mut self, directory: NodeId, cursor: DirCursor) -> Result<Option<DirEntry>> {
        self.driver.readdir(directory, cursor).map_err(convert)
    }

    fn is_empty(&mut self, directory: NodeId) -> Result<bool> {
        Ok(self.next(directory, DirCursor::START)?.is_none())
    }

    /// Returns the name under which a file stands, which may differ in case from the one that it was found by.
    fn name_of(&mut self, file: File) -> Result<Vec<u8>> {
        let directory = self.directory(file.parent)?;
        let mut cursor = DirCursor::START;
        while let Some(entry) = self.next(directory, cursor)? {
            if entry.node() == file.node {
                return Ok(entry.name().as_bytes().to_vec());
            }
            cursor = entry.next_cursor();
        }
        Err(Error::NotFound)
    }

    fn write_all(&mut self, node: NodeId, mut data: &[u8], mut offset: u64) -> Result<()> {
        let end = offset.checked_add(data.len() as u64);
        if end.is_none_or(|end| end > FILE_BYTES) {
            return Err(Error::FileTooLarge);
        }
        while !data.is_empty() {
            let written = self.driver.write(node, offset, data).map_err(convert)?;
            if written == 0 {
                return Err(Error::FileTooLarge);
            }
            data = &data[written..];
            offset += written as u64;
        }
        Ok(())
    }

    /// Puts content that is in memory in place of a file's own. Room for it is had before the old one is touched.
    fn replace_held(&mut self, node: NodeId, content: &[u8]) -> Result<()> {
        let old = self.driver.stat(node).map_err(convert)?.len();
        let new = content.len() as u64;
        if new > old {
            self.driver.truncate(node, new).map_err(convert)?;
        }
        self.write_all(node, content, 0)?;
        if new < old {
            self.driver.truncate(node, new).map_err(convert)?;
        }
        Ok(())
    }

    /// Makes a file beside another, of a name that is not taken.
    fn spool(&mut self, parent: FileId) -> Result<(Vec<u8>, NodeId)> {
        let directory = self.directory(parent)?;
        for number in SPOOL_NAMES {
            let name = format!("CHR{number:05}.TMP").into_bytes();
            match self
                .driver
                .create(directory, Name::new(&name), &SetAttr::new())
            {
                Ok(node) => return Ok((name, node)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(convert(error)),
            }
        }
        Err(Error::Exists)
    }

    /// Puts long content in place of a file's own: it is written to a file of its own, which then takes the name.
    fn replace_spooled(
        &mut self,
        file: FileId,
        held: Vec<u8>,
        content: &mut dyn io::Read,
    ) -> Result<u64> {
        let known = self.known(file)?;
        let name = self.name_of(known)?;
        let before = self.driver.stat(known.node).map_err(convert)?;
        let (spool_name, spool) = self.spool(known.parent)?;
        let directory = self.directory(known.parent)?;

        let mut length = 0;
        let mut buffer = held;
        let filled = loop {
            if let Err(error) = self.write_all(spool, &buffer, length) {
                break Err(error);
            }
            length += buffer.len() as u64;
            buffer.clear();
            match content.take(HELD_BYTES as u64).read_to_end(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(Error::Content(error)),
            }
        };
        let moved = filled.and_then(|()| {
            let mut attributes = SetAttr::new().with_attributes(before.attributes());
            if let Some(created) = before.created() {
                attributes = attributes.with_created(created);
            }
            self.driver.setattr(spool, &attributes).map_err(convert)?;
            self.driver.forget(known.node, u64::MAX);
            let (from, to) = (Name::new(&spool_name), Name::new(&name));
            self.driver
                .rename(directory, from, directory, to, RenameMode::Replace)
                .map_err(convert)
        });
        match moved {
            Ok(()) => {
                self.files.change(file, spool, known.parent);
                Ok(length)
            }
            Err(error) => {
                self.driver.forget(spool, u64::MAX);
                self.driver
                    .unlink(directory, Name::new(&spool_name))
                    .map_err(convert)?;
                // The file may have lost its pin.
                if let Some(again) = self.repin(directory, &name)? {
                    self.files.change(file, again, known.parent);
                }
                Err(error)
            }
        }
    }

    fn repin(&mut self, directory: NodeId, name: &[u8]) -> Result<Option<NodeId>> {
        match self.driver.lookup(directory, Name::new(name)) {
            Ok(node) => {
                self.driver.forget(node, u64::MAX);
                self.driver
                    .lookup(directory, Name::new(name))
                    .map(Some)
                    .map_err(convert)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(convert(error)),
        }
    }

    fn stamp(&mut self, node: NodeId) -> Result<()> {
        let modified = SetAttr::new().with_modified(clock::encode(self.now));
        self.driver.setattr(node, &modified).map_err(convert)
    }
}

/// Returns whether Linux has marked the volume as in use: bit 0 of a reserved byte of the boot sector (`fs/fat/inode.c`,
/// `fat_set_state`), where Windows uses a bit in the table.
fn marked_by_linux(device: &dyn BlockDevice) -> christen_block::Result<bool> {
    let mut sector = [0; 512];
    if device.length() < sector.len() as u64 {
        return Ok(false);
    }
    device.read_at(&mut sector, 0)?;
    // FAT32 alone has no 16-bit length of a table.
    let place = if sector[22..24] == [0, 0] { 65 } else { 37 };
    Ok(sector[place] & 1 == 1)
}

/// The rules for names that come before what the driver says.
fn check_new_name(name: &[u8]) -> Result<()> {
    if name.is_empty() || name == b"." || name == b".." || name.contains(&0) {
        return Err(Error::InvalidName);
    }
    match std::str::from_utf8(name) {
        Ok(text) if text.encode_utf16().count() > 255 => Err(Error::NameTooLong),
        Ok(text) => {
            let forbidden = |letter: char| letter < ' ' || "\"*/:<>?\\|".contains(letter);
            if text.contains(forbidden) || text.ends_with(['.', ' ']) {
                return Err(Error::InvalidName);
            }
            Ok(())
        }
        Err(_) => Err(Error::InvalidName),
    }
}

fn attributes_of(metadata: &Metadata, cluster_bytes: u64) -> Attributes {
    let directory = metadata.file_type().is_dir();
    let modified = clock::decode(metadata.modified());
    Attributes {
        kind: if directory {
            Kind::Directory
        } else {
            Kind::File
        },
        // Twelve bits.
        permissions: metadata.permissions().bits() as u16,
        uid: 0,
        gid: 0,
        links: 1,
        size: metadata.len(),
        // The driver tells the length here; the chain is not walked for it.
        allocated: metadata.len().next_multiple_of(cluster_bytes),
        accessed: clock::decode(metadata.accessed()),
        modified,
        changed: modified,
        created: metadata.created().map(|time| clock::decode(Some(time))),
    }
}

impl FileSystem for Volume {
    fn root(&self) -> FileId {
        Files::ROOT
    }

    fn limits(&self) -> Limits {
        Limits {
            // Of ASCII: there are 255 units of UTF-16.
            name_bytes: 255,
            target_bytes: 0,
            file_bytes: FILE_BYTES,
            links: 1,
            attribute_bytes: 0,
            owners: false,
            time_step: 2_000_000_000,
            time_range: TIME_RANGE,
        }
    }

    fn statistics(&mut self) -> Result<Statistics> {
        let space = self.driver.statfs().map_err(convert)?;
        Ok(Statistics {
            block_bytes: space.block_size(),
            blocks: space.total_blocks(),
            free_blocks: space.free_blocks(),
            available_blocks: space.free_blocks(),
            files: 0,
            free_files: 0,
        })
    }

    fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    fn lookup(&mut self, directory: FileId, name: &[u8]) -> Result<Option<FileId>> {
        self.find(directory, name)
    }

    fn list(
        &mut self,
        directory: FileId,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<()> {
        let node = self.directory(directory)?;
        let mut cursor = DirCursor::START;
        while let Some(entry) = self.next(node, cursor)? {
            cursor = entry.next_cursor();
            let name = entry.name().as_bytes().to_vec();
            // Of two entries of one name, which only damage can make, the second cannot be reached.
            let Some(file) = self.find(directory, &name)? else {
                continue;
            };
            if visit(Entry { name, file }).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn attributes(&mut self, file: FileId) -> Result<Attributes> {
        let node = self.known(file)?.node;
        let metadata = self.driver.stat(node).map_err(convert)?;
        let cluster_bytes = u64::from(self.driver.info().cluster_size());
        Ok(attributes_of(&metadata, cluster_bytes))
    }

    fn read_link(&mut self, file: FileId) -> Result<Vec<u8>> {
        self.known(file)?;
        Err(Error::NotLink)
    }

    fn read_at(&mut self, file: FileId, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let node = self.regular(file)?;
        let mut done = 0;
        while done < buffer.len() {
            let Some(place) = offset.checked_add(done as u64) else {
                break;
            };
            let read = self
                .driver
                .read(node, place, &mut buffer[done..])
                .map_err(convert)?;
            if read == 0 {
                break;
            }
            done += read;
        }
        Ok(done)
    }

    fn write_at(&mut self, file: FileId, data: &[u8], offset: u64) -> Result<()> {
        self.begin()?;
        let node = self.regular(file)?;
        let outcome = self.write_all(node, data, offset);
        self.done(outcome)
    }

    fn set_size(&mut self, file: FileId, size: u64) -> Result<()> {
        self.begin()?;
        let node = self.regular(file)?;
        if size > FILE_BYTES {
            return Err(Error::FileTooLarge);
        }
        let outcome = self
            .driver
            .truncate(node, size)
            .map_err(convert)
            .and_then(|()| self.stamp(node));
        self.done(outcome)
    }

    fn replace(&mut self, file: FileId, content: &mut dyn io::Read) -> Result<u64> {
        self.begin()?;
        let node = self.regular(file)?;
        let mut held = Vec::new();
        content
            .take(HELD_BYTES as u64)
            .read_to_end(&mut held)
            .map_err(Error::Content)?;
        let outcome = if held.len() < HELD_BYTES {
            self.replace_held(node, &held).map(|()| held.len() as u64)
        } else {
            self.replace_spooled(file, held, content)
        };
        let outcome = outcome.and_then(|length| {
            let node = self.regular(file)?;
            self.stamp(node)?;
            Ok(length)
        });
        self.done(outcome)
    }

    fn create(&mut self, directory: FileId, name: &[u8], new: &NewFile<'_>) -> Result<FileId> {
        self.begin()?;
        let parent = self.directory(directory)?;
        check_new_name(name)?;
        let make_directory = match new.kind {
            NewKind::File => false,
            NewKind::Directory => true,
            NewKind::SymbolicLink(_) => return Err(Error::NotPossible("a symbolic link")),
            NewKind::Special(_) => return Err(Error::NotPossible("a special file")),
        };
        let attributes = SetAttr::new();
        let made = if make_directory {
            self.driver.mkdir(parent, Name::new(name), &attributes)
        } else {
            self.driver.create(parent, Name::new(name), &attributes)
        };
        let outcome = made
            .map_err(convert)
            .and_then(|node| self.take(node, directory));
        self.done(outcome)
    }

    fn link(&mut self, file: FileId, directory: FileId, name: &[u8]) -> Result<()> {
        self.begin()?;
        self.known(file)?;
        self.directory(directory)?;
        check_new_name(name)?;
        Err(Error::NotPossible("a second name of a file"))
    }

    fn rename(&mut self, from: FileId, name: &[u8], to: FileId, new_name: &[u8]) -> Result<()> {
        self.begin()?;
        let from_node = self.directory(from)?;
        let to_node = self.directory(to)?;
        check_new_name(new_name)?;
        let source = self.find(from, name)?.ok_or(Error::NotFound)?;
        let moved = self.known(source)?;
        let target = self.find(to, new_name)?.filter(|target| *target != source);
        if moved.directory && self.files.is_within(to, source) {
            return Err(Error::IntoItself);
        }
        if let Some(target) = target {
            let replaced = self.known(target)?;
            if self.files.is_within(from, target) {
                return Err(Error::NotEmpty);
            }
            match (moved.directory, replaced.directory) {
                (true, false) => return Err(Error::NotDirectory),
                (false, true) => return Err(Error::IsDirectory),
                (true, true) if !self.is_empty(replaced.node)? => return Err(Error::NotEmpty),
                _ => {}
            }
            // The driver replaces only what nobody knows.
            self.driver.forget(replaced.node, u64::MAX);
        }
        let renamed = self.driver.rename(
            from_node,
            Name::new(name),
            to_node,
            Name::new(new_name),
            RenameMode::Replace,
        );
        let outcome = match renamed {
            Ok(()) => {
                if let Some(target) = target {
                    self.files.remove(target);
                }
                self.files.change(source, moved.node, to);
                Ok(())
            }
            Err(error) => match target {
                None => Err(convert(error)),
                Some(target) => self.repin(to_node, new_name).and_then(|again| {
                    if let Some(again) = again {
                        self.files.change(target, again, to);
                    }
                    Err(convert(error))
                }),
            },
        };
        self.done(outcome)
    }

    fn remove(&mut self, directory: FileId, name: &[u8]) -> Result<()> {
        self.begin()?;
        let parent = self.directory(directory)?;
        let file = self.find(directory, name)?.ok_or(Error::NotFound)?;
        let known = self.known(file)?;
        let removed = if known.directory {
            if !self.is_empty(known.node)? {
                return Err(Error::NotEmpty);
            }
            self.driver.rmdir(parent, Name::new(name))
        } else {
            self.driver.unlink(parent, Name::new(name))
        };
        let outcome = removed.map_err(convert);
        if outcome.is_ok() {
            self.forget(file);
        }
        self.done(outcome)
    }

    fn set_permissions(&mut self, file: FileId, _permissions: u16) -> Result<()> {
        self.begin()?;
        self.known(file)?;
        Err(Error::NotPossible("setting permission bits"))
    }

    fn set_owner(&mut self, file: FileId, _uid: u32, _gid: u32) -> Result<()> {
        self.begin()?;
        self.known(file)?;
        Err(Error::NotPossible("setting an owner"))
    }

    fn set_times(&mut self, file: FileId, times: Times) -> Result<()> {
        self.begin()?;
        let node = self.known(file)?.node;
        if times == Times::default() {
            return Ok(());
        }
        if file == Files::ROOT {
            return Err(Error::NotPossible("setting the times of the root"));
        }
        let mut changes = SetAttr::new();
        if let Some(accessed) = times.accessed {
            changes = changes.with_accessed(clock::encode(accessed));
        }
        if let Some(modified) = times.modified {
            changes = changes.with_modified(clock::encode(modified));
        }
        let outcome = self.driver.setattr(node, &changes).map_err(convert);
        self.done(outcome)
    }

    fn attribute_names(&mut self, file: FileId) -> Result<Vec<Vec<u8>>> {
        self.known(file).map(|_| Vec::new())
    }

    fn attribute(&mut self, file: FileId, _name: &[u8]) -> Result<Option<Vec<u8>>> {
        self.known(file).map(|_| None)
    }

    fn set_attribute(&mut self, file: FileId, _name: &[u8], _value: &[u8]) -> Result<()> {
        self.begin()?;
        self.known(file)?;
        Err(Error::NotPossible("setting an extended attribute"))
    }

    fn remove_attribute(&mut self, file: FileId, _name: &[u8]) -> Result<()> {
        self.begin()?;
        self.known(file)?;
        Err(Error::NotFound)
    }

    fn finish(&mut self) -> Result<()> {
        if self.abandoned {
            return Err(Error::Abandoned);
        }
        if !self.writable {
            return Ok(());
        }
        let outcome = self.driver.sync().map_err(convert);
        self.done(outcome)
    }
}
