//! A range of bytes that can be read, written and made durable.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};

/// What a guest sees as a disk, or a part of one.
///
/// Synchronous and narrow. Methods take `&self`, so that the volumes of one image can be open at
/// the same time over one staged overlay; an implementation does its own locking. Offsets and
/// lengths are in bytes and need no alignment.
pub trait BlockDevice: Debug + Send + Sync {
    /// Returns the length in bytes, which does not change while the device is open.
    fn length(&self) -> u64;

    /// Fills `buffer` with the bytes at `offset`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if the range does not lie in the device; whatever stops the reading
    /// otherwise. The content of `buffer` is then unspecified.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()>;

    /// Writes `data` at `offset`. It may stay in memory until [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] and [`Error::ReadOnly`], with nothing written; whatever stops the
    /// writing otherwise, after which any part of the range may have been written.
    fn write_at(&self, data: &[u8], offset: u64) -> Result<()>;

    /// Makes all that was written durable, as far as this device promises it. Over a staged overlay it
    /// does nothing: there the commit is what makes changes durable.
    ///
    /// # Errors
    ///
    /// Whatever stops it; what was written since the last flush may be lost.
    fn flush(&self) -> Result<()>;
}

impl<D: BlockDevice + ?Sized> BlockDevice for Arc<D> {
    fn length(&self) -> u64 {
        (**self).length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        (**self).read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        (**self).write_at(data, offset)
    }

    fn flush(&self) -> Result<()> {
        (**self).flush()
    }
}

/// Checks that a range lies in a device of `device_bytes` bytes.
///
/// # Errors
///
/// [`Error::OutOfRange`] if it does not.
pub(crate) fn check_range(offset: u64, length: usize, device_bytes: u64) -> Result<()> {
    let length = length as u64;
    match offset.checked_add(length) {
        Some(end) if end <= device_bytes => Ok(()),
        _ => Err(Error::OutOfRange {
            offset,
            length,
            device_bytes,
        }),
    }
}

/// A device in memory: for tests, and for whoever has the bytes already.
#[derive(Debug)]
pub struct MemoryDevice {
    bytes: Mutex<Vec<u8>>,
    length: u64,
}

impl MemoryDevice {
    /// Makes a device of these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self {
            length: bytes.len() as u64,
            bytes: Mutex::new(bytes),
        }
    }

    /// Returns a copy of all bytes as they are now.
    pub fn snapshot(&self) -> Vec<u8> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        // Copying bytes cannot leave them half changed in a way that matters more than the panic did.
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockDevice for MemoryDevice {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        check_range(offset, buffer.len(), self.length)?;
        let start = offset as usize;
        buffer.copy_from_slice(&self.lock()[start..start + buffer.len()]);
        Ok(())
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        check_range(offset, data.len(), self.length)?;
        let start = offset as usize;
        self.lock()[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

/// A range of another device: a partition, a volume.
#[derive(Debug, Clone)]
pub struct Section<D> {
    device: D,
    start: u64,
    length: u64,
}

impl<D: BlockDevice> Section<D> {
    /// Makes a device of `length` bytes from `start` on.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if that does not lie in `device`.
    pub fn new(device: D, start: u64, length: u64) -> Result<Self> {
        let device_bytes = device.length();
        match start.checked_add(length) {
            Some(end) if end <= device_bytes => Ok(Self {
                device,
                start,
                length,
            }),
            _ => Err(Error::OutOfRange {
                offset: start,
                length,
                device_bytes,
            }),
        }
    }

    /// Returns where it begins in the other device, in bytes.
    pub fn start(&self) -> u64 {
        self.start
    }
}

impl<D: BlockDevice> BlockDevice for Section<D> {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        check_range(offset, buffer.len(), self.length)?;
        self.device.read_at(buffer, self.start + offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        check_range(offset, data.len(), self.length)?;
        self.device.write_at(data, self.start + offset)
    }

    fn flush(&self) -> Result<()> {
        self.device.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_a_window() {
        let whole = Arc::new(MemoryDevice::new(vec![0; 100]));
        let section = Section::new(Arc::clone(&whole), 10, 20).unwrap();
        section.write_at(&[7; 20], 0).unwrap();
        let bytes = whole.snapshot();
        assert!(bytes[10..30].iter().all(|byte| *byte == 7));
        assert!(
            bytes[..10]
                .iter()
                .chain(&bytes[30..])
                .all(|byte| *byte == 0)
        );
    }

    #[test]
    fn nothing_reaches_past_an_end() {
        let whole = Arc::new(MemoryDevice::new(vec![0; 100]));
        assert!(Section::new(Arc::clone(&whole), 90, 11).is_err());
        assert!(Section::new(Arc::clone(&whole), u64::MAX, 2).is_err());
        let section = Section::new(whole, 10, 20).unwrap();
        assert!(section.write_at(&[1], 20).is_err());
        assert!(section.read_at(&mut [0; 2], 19).is_err());
        assert!(section.read_at(&mut [0; 1], u64::MAX).is_err());
    }
}
