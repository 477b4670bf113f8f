//! Raw images: the disk is the file.

use std::sync::Arc;

use crate::device::{BlockDevice, check_range};
use crate::error::Result;
use crate::storage::Storage;

/// The disk in a raw image.
#[derive(Debug)]
pub(super) struct RawDisk {
    storage: Arc<dyn Storage>,
    length: u64,
}

impl RawDisk {
    pub(super) fn new(storage: Arc<dyn Storage>) -> Self {
        let length = storage.length();
        Self { storage, length }
    }
}

impl BlockDevice for RawDisk {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        check_range(offset, buffer.len(), self.length)?;
        self.storage.read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        check_range(offset, data.len(), self.length)?;
        self.storage.write_at(data, offset)
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}
