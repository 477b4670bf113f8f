//! Where data goes that is too much for memory.

use std::sync::{Arc, Mutex, PoisonError};

use crate::commit::RedoPlace;
use crate::error::{Error, Result};
use crate::host::{HostFile, NewFile};
use crate::redo::DATA_START;

/// The redo file in the making. It has no name yet, so it is gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Spool {
    place: RedoPlace,
    owner: Option<u32>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: Option<Arc<dyn NewFile>>,
    end: u64,
    reserved: u64,
}

/// Space is reserved this far ahead, so that running out of it is noticed before the data are written.
const AHEAD: u64 = 8 << 20;

impl Spool {
    pub(crate) fn new(place: RedoPlace, owner: Option<u32>) -> Self {
        let state = State {
            file: None,
            end: DATA_START,
            reserved: 0,
        };
        Self {
            place,
            owner,
            state: Mutex::new(state),
        }
    }

    pub(crate) fn place(&self) -> &RedoPlace {
        &self.place
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file_of(&self, state: &mut State) -> Result<Arc<dyn NewFile>> {
        if let Some(file) = &state.file {
            return Ok(Arc::clone(file));
        }
        let file = self
            .place
            .directory
            .create(self.owner)
            .map_err(Error::io(format!(
                "make a redo file in `{}`",
                self.place.directory_name()
            )))?;
        state.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// The directory in the words of a message.
    fn directory(&self) -> String {
        format!("`{}`", self.place.directory_name())
    }

    /// Returns the file, made if it is not there yet, and the offset at which nothing is written yet.
    pub(crate) fn file(&self) -> Result<(Arc<dyn NewFile>, u64)> {
        let mut state = self.lock();
        Ok((self.file_of(&mut state)?, state.end))
    }

    /// Sees to it that there is room for so many more bytes.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<()> {
        let mut state = self.lock();
        let file = self.file_of(&mut state)?;
        let end = state.end.saturating_add(bytes);
        if end > state.reserved {
            reserve(&*file, state.end, bytes, &self.directory())?;
            state.reserved = end;
        }
        Ok(())
    }

    /// Appends data and returns where they are.
    pub(crate) fn append(&self, data: &[u8]) -> Result<u64> {
        let mut state = self.lock();
        let file = self.file_of(&mut state)?;
        let offset = state.end;
        let end = offset + data.len() as u64;
        if end > state.reserved {
            let bytes = (data.len() as u64).max(AHEAD);
            let place = self.directory();
            // Close to a full disk there may be room for the data and not for what lies ahead.
            if reserve(&*file, offset, bytes, &place).is_ok() {
                state.reserved = offset + bytes;
            } else {
                reserve(&*file, offset, data.len() as u64, &place)?;
                state.reserved = end;
            }
        }
        if let Err(error) = file.write_at(data, offset) {
            return Err(write_failed(&*file, data.len(), "the redo file")(error));
        }
        state.end = end;
        Ok(offset)
    }

    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let (file, _) = self.file()?;
        crate::host::read_exact(&*file, buffer, offset).map_err(Error::io("read the redo file"))
    }
}

/// Reserves space in a file, with an error that says what was missing. `place` is in the words of a message, a name in backticks.
pub(crate) fn reserve(
    file: &(impl HostFile + ?Sized),
    offset: u64,
    bytes: u64,
    place: &str,
) -> Result<()> {
    let available = file
        .available()
        .map_err(Error::io(format!("ask for the free space of {place}")))?;
    let full = || Error::NoSpace {
        place: place.to_owned(),
        needed: bytes,
        available,
    };
    if available.is_some_and(|available| available < bytes) {
        return Err(full());
    }
    file.reserve(offset, bytes).map_err(|error| {
        if is_full(&error) {
            full()
        } else {
            Error::io(format!("reserve {bytes} bytes in {place}"))(error)
        }
    })
}

/// Turns the host's error of a write into ours; `bytes` were to be written.
pub(crate) fn write_failed(
    file: &(impl HostFile + ?Sized),
    bytes: usize,
    place: &str,
) -> impl FnOnce(std::io::Error) -> Error {
    let available = file.available().ok().flatten();
    let (needed, place) = (bytes as u64, place.to_owned());
    move |error| {
        if is_full(&error) {
            Error::NoSpace {
                place,
                needed,
                available,
            }
        } else {
            Error::io(format!("write to {place}"))(error)
        }
    }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}
