//! What stands at a mount point before its filesystem is needed, and where it is not at hand.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::filesystem::{
    Attributes, Entry, FileId, FileSystem, Limits, NewFile, Statistics, Times, Timestamp,
};

/// Opens a filesystem when it is needed.
pub type Opener =
    Box<dyn FnOnce() -> std::result::Result<Box<dyn FileSystem>, Box<dyn StdError + Send + Sync>>>;

/// Why a filesystem is not at hand.
#[derive(Debug, Clone)]
struct Missing {
    /// What it is.
    name: String,
    /// Why it could not be opened; `None` if there is nothing to open.
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(_) => write!(formatter, "{} cannot be opened", self.name),
            None => formatter.write_str(&self.name),
        }
    }
}

impl StdError for Missing {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|it| it as _)
    }
}

enum State {
    Unopened(Opener),
    Open(Box<dyn FileSystem>),
    Missing(Missing),
}

/// A filesystem that is opened when something of it is asked for first.
///
/// Where it cannot be opened, nothing can be said of what the guest finds below: neither that a name is there nor that it is not. What
/// stands in the directory that the mount covers, the guest does not see.
pub(super) struct Later {
    name: String,
    state: State,
    now: Option<Timestamp>,
    /// Of the directory that is covered.
    covered: Attributes,
    /// Of the filesystem above, until it is known better.
    limits: Limits,
}

impl fmt::Debug for Later {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Later")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The root, before it is known: a number that no file of a filesystem has, as [`super::Mounted`] takes it.
const ROOT: FileId = FileId::new((1 << super::INNER_BITS) - 1);

impl Later {
    /// Takes what opens the filesystem, the attributes of the directory that is covered, and the limits of what it is in.
    pub(super) fn new(name: String, open: Opener, covered: Attributes, limits: Limits) -> Self {
        Self {
            name,
            state: State::Unopened(open),
            now: None,
            covered,
            limits,
        }
    }

    /// Takes the name of what is not at hand.
    pub(super) fn missing(name: String, covered: Attributes, limits: Limits) -> Self {
        let missing = Missing {
            name: name.clone(),
            cause: None,
        };
        Self {
            name,
            state: State::Missing(missing),
            now: None,
            covered,
            limits,
        }
    }

    fn opened(&mut self) -> Result<&mut dyn FileSystem> {
        if matches!(self.state, State::Unopened(_)) {
            let missing = |cause| {
                State::Missing(Missing {
                    name: self.name.clone(),
                    cause,
                })
            };
            let opener = std::mem::replace(&mut self.state, missing(None));
            if let State::Unopened(open) = opener {
                self.state = match open() {
                    Ok(mut fs) => {
                        if let Some(now) = self.now {
                            fs.set_now(now);
                        }
                        State::Open(fs)
                    }
                    Err(cause) => missing(Some(cause.into())),
                };
            }
        }
        match &mut self.state {
            State::Open(fs) => Ok(&mut **fs),
            State::Missing(missing) => Err(not_mounted(missing)),
            State::Unopened(_) => unreachable!("it was opened, or is missing"),
        }
    }

    /// The filesystem and a file of it.
    fn of(&mut self, file: FileId) -> Result<(&mut dyn FileSystem, FileId)> {
        let fs = self.opened()?;
        let file = if file == ROOT { fs.root() } else { file };
        Ok((fs, file))
    }
}

fn not_mounted(missing: &Missing) -> Error {
    Error::NotMounted(Box::new(missing.clone()))
}

/// Says that what would be made at a mount point that is not there itself would be covered.
pub(super) fn reserved(name: &str) -> Error {
    not_mounted(&Missing {
        name: name.to_owned(),
        cause: None,
    })
}

impl FileSystem for Later {
    fn root(&self) -> FileId {
        ROOT
    }

    fn limits(&self) -> Limits {
        match &self.state {
            State::Open(fs) => fs.limits(),
            _ => self.limits,
        }
    }

    fn statistics(&mut self) -> Result<Statistics> {
        self.opened()?.statistics()
    }

    fn set_now(&mut self, now: Timestamp) {
        self.now = Some(now);
        if let State::Open(fs) = &mut self.state {
            fs.set_now(now);
        }
    }

    fn lookup(&mut self, directory: FileId, name: &[u8]) -> Result<Option<FileId>> {
        if matches!(name, b"" | b"." | b"..") && directory == ROOT {
            // A walk asks so whether it stands in a directory; nothing need be opened for that.
            return Ok(None);
        }
        let (fs, directory) = self.of(directory)?;
        fs.lookup(directory, name)
    }

    fn list(
        &mut self,
        directory: FileId,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<()> {
        let (fs, directory) = self.of(directory)?;
        fs.list(directory, visit)
    }

    fn attributes(&mut self, file: FileId) -> Result<Attributes> {
        match self.of(file) {
            Ok((fs, file)) => fs.attributes(file),
            // That a directory is there is known.
            Err(Error::NotMounted(_)) if file == ROOT => Ok(self.covered),
            Err(error) => Err(error),
        }
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
        let (fs, directory) = self.of(directory)?;
        fs.create(directory, name, new)
    }

    fn link(&mut self, file: FileId, directory: FileId, name: &[u8]) -> Result<()> {
        let (_, file) = self.of(file)?;
        let (fs, directory) = self.of(directory)?;
        fs.link(file, directory, name)
    }

    fn rename(&mut self, from: FileId, name: &[u8], to: FileId, new_name: &[u8]) -> Result<()> {
        let (_, from) = self.of(from)?;
        let (fs, to) = self.of(to)?;
        fs.rename(from, name, to, new_name)
    }

    fn remove(&mut self, directory: FileId, name: &[u8]) -> Result<()> {
        let (fs, directory) = self.of(directory)?;
        fs.remove(directory, name)
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

    fn finish(&mut self) -> Result<()> {
        match &mut self.state {
            State::Open(fs) => fs.finish(),
            _ => Ok(()),
        }
    }
}
