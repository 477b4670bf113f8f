//! What an image format is written on: the bytes of one host file, as staged.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;

/// The bytes of one host file as an image format sees them: as they are, with the staged changes over them.
///
/// Unlike a [`BlockDevice`](crate::BlockDevice) it grows: a qcow2 image gets new clusters behind its end. Nothing
/// reaches the host file before the commit. Reading past the end gives zeros, so that the last cluster of a file may be short;
/// whoever must not believe an offset from inside the image compares it with [`length`](Self::length) first.
pub trait Storage: Debug + Send + Sync {
    /// Returns the staged length in bytes.
    fn length(&self) -> u64;

    /// Fills `buffer` with the bytes at `offset`; what lies past the end is zero.
    ///
    /// # Errors
    ///
    /// Whatever stops the reading.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()>;

    /// Stages `data` at `offset`; the length grows as needed.
    ///
    /// # Errors
    ///
    /// [`Error::ReadOnly`](crate::Error::ReadOnly), and whatever stops the staging.
    fn write_at(&self, data: &[u8], offset: u64) -> Result<()>;

    /// Stages a new length. What a longer one adds is zero.
    ///
    /// # Errors
    ///
    /// As [`write_at`](Self::write_at).
    fn set_length(&self, length: u64) -> Result<()>;
}

impl<S: Storage + ?Sized> Storage for Arc<S> {
    fn length(&self) -> u64 {
        (**self).length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        (**self).read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        (**self).write_at(data, offset)
    }

    fn set_length(&self, length: u64) -> Result<()> {
        (**self).set_length(length)
    }
}

/// A storage in memory.
#[derive(Debug, Default)]
pub struct MemoryStorage {
    bytes: Mutex<Vec<u8>>,
}

impl MemoryStorage {
    /// Makes a storage of these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Mutex::new(bytes),
        }
    }

    /// Returns a copy of all bytes as they are now.
    pub fn snapshot(&self) -> Vec<u8> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for MemoryStorage {
    fn length(&self) -> u64 {
        self.lock().len() as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let bytes = self.lock();
        let start = usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
        let there = buffer.len().min(bytes.len() - start);
        buffer[..there].copy_from_slice(&bytes[start..start + there]);
        buffer[there..].fill(0);
        Ok(())
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        let mut bytes = self.lock();
        let start = offset as usize;
        let end = start + data.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(data);
        Ok(())
    }

    fn set_length(&self, length: u64) -> Result<()> {
        self.lock().resize(length as usize, 0);
        Ok(())
    }
}
