//! What stands at a mount point whose filesystem is not at hand.

use std::io;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::filesystem::{
    Attributes, Entry, FileId, FileSystem, Limits, NewFile, Statistics, Times, Timestamp,
};

/// Names the filesystem that is not at hand.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
struct Missing(String);

/// A directory of which nothing is known but that it is there.
///
/// What the guest would find below it stands on a filesystem that is not at hand, so nothing can be said of it: neither that a name is
/// there nor that it is not. What stands in the directory that the mount covers, the guest does not see.
#[derive(Debug)]
pub(super) struct Absent {
    missing: Missing,
    attributes: Attributes,
    limits: Limits,
    statistics: Statistics,
}

const ROOT: FileId = FileId::new(1);

impl Absent {
    /// Takes the attributes of the directory that is covered, and what `over` can hold.
    pub(super) fn new(
        missing: String,
        attributes: Attributes,
        over: &mut dyn FileSystem,
    ) -> Result<Self> {
        Ok(Self {
            missing: Missing(missing),
            attributes,
            limits: over.limits(),
            statistics: over.statistics()?,
        })
    }

    fn refuse<T>(&self) -> Result<T> {
        Err(Error::NotMounted(Box::new(self.missing.clone())))
    }
}

impl FileSystem for Absent {
    fn root(&self) -> FileId {
        ROOT
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn statistics(&mut self) -> Result<Statistics> {
        Ok(self.statistics)
    }

    fn set_now(&mut self, _now: Timestamp) {}

    fn lookup(&mut self, _directory: FileId, name: &[u8]) -> Result<Option<FileId>> {
        match name {
            b"" | b"." | b".." => Ok(None),
            _ => self.refuse(),
        }
    }

    fn list(
        &mut self,
        _directory: FileId,
        _visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<()> {
        self.refuse()
    }

    fn attributes(&mut self, _file: FileId) -> Result<Attributes> {
        Ok(self.attributes)
    }

    fn read_link(&mut self, _file: FileId) -> Result<Vec<u8>> {
        Err(Error::NotLink)
    }

    fn read_at(&mut self, _file: FileId, _buffer: &mut [u8], _offset: u64) -> Result<usize> {
        Err(Error::NotFile)
    }

    fn write_at(&mut self, _file: FileId, _data: &[u8], _offset: u64) -> Result<()> {
        Err(Error::NotFile)
    }

    fn set_size(&mut self, _file: FileId, _size: u64) -> Result<()> {
        Err(Error::NotFile)
    }

    fn replace(&mut self, _file: FileId, _content: &mut dyn io::Read) -> Result<u64> {
        Err(Error::NotFile)
    }

    fn create(&mut self, _directory: FileId, _name: &[u8], _new: &NewFile<'_>) -> Result<FileId> {
        self.refuse()
    }

    fn link(&mut self, _file: FileId, _directory: FileId, _name: &[u8]) -> Result<()> {
        self.refuse()
    }

    fn rename(&mut self, _from: FileId, _name: &[u8], _to: FileId, _new_name: &[u8]) -> Result<()> {
        self.refuse()
    }

    fn remove(&mut self, _directory: FileId, _name: &[u8]) -> Result<()> {
        self.refuse()
    }

    fn set_permissions(&mut self, _file: FileId, _permissions: u16) -> Result<()> {
        self.refuse()
    }

    fn set_owner(&mut self, _file: FileId, _uid: u32, _gid: u32) -> Result<()> {
        self.refuse()
    }

    fn set_times(&mut self, _file: FileId, _times: Times) -> Result<()> {
        self.refuse()
    }

    fn attribute_names(&mut self, _file: FileId) -> Result<Vec<Vec<u8>>> {
        self.refuse()
    }

    fn attribute(&mut self, _file: FileId, _name: &[u8]) -> Result<Option<Vec<u8>>> {
        self.refuse()
    }

    fn set_attribute(&mut self, _file: FileId, _name: &[u8], _value: &[u8]) -> Result<()> {
        self.refuse()
    }

    fn remove_attribute(&mut self, _file: FileId, _name: &[u8]) -> Result<()> {
        self.refuse()
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
