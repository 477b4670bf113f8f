//! A device of ours as the driver wants it: in blocks.

use std::sync::Arc;

use christen_block::{BlockDevice, Error};
use hadris_io::ErrorType;
use hadris_storage::{BlockIndex, BlockSize};

const BLOCK_BYTES: u32 = 512;

#[derive(Debug)]
pub(crate) struct Blocks {
    device: Arc<dyn BlockDevice>,
    block: BlockSize,
    writable: bool,
}

impl Blocks {
    /// Returns nothing only if 512 were no size of a block.
    pub(crate) fn new(device: Arc<dyn BlockDevice>, writable: bool) -> Option<Self> {
        Some(Self {
            device,
            block: BlockSize::new(BLOCK_BYTES)?,
            writable,
        })
    }
}

impl ErrorType for Blocks {
    type Error = Error;
}

fn offset(first: BlockIndex) -> u64 {
    // A block that has no offset in 64 bits is refused by the device like any other that it does not have.
    first.get().saturating_mul(u64::from(BLOCK_BYTES))
}

impl hadris_storage::sync::BlockDevice for Blocks {
    fn block_size(&self) -> BlockSize {
        self.block
    }

    fn block_count(&self) -> u64 {
        self.device.length() / u64::from(BLOCK_BYTES)
    }

    fn writable(&self) -> bool {
        self.writable
    }

    fn read_blocks(
        &mut self,
        first: BlockIndex,
        buffer: &mut [u8],
    ) -> Result<(), hadris_io::Error<Error>> {
        self.device
            .read_at(buffer, offset(first))
            .map_err(|error| hadris_io::Error::device(error, "reading failed"))
    }

    fn write_blocks(
        &mut self,
        first: BlockIndex,
        data: &[u8],
    ) -> Result<(), hadris_io::Error<Error>> {
        self.device
            .write_at(data, offset(first))
            .map_err(|error| hadris_io::Error::device(error, "writing failed"))
    }

    fn flush(&mut self) -> Result<(), hadris_io::Error<Error>> {
        self.device
            .flush()
            .map_err(|error| hadris_io::Error::device(error, "flushing failed"))
    }
}
