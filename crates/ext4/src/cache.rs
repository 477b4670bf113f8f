//! The blocks of metadata that are in memory, and what takes an operation back.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use christen_block::BlockDevice;

use crate::error::Result;
use crate::number::BlockNumber;

/// How many bytes of blocks are kept between operations. What is changed beyond that goes to the device, which for a staged overlay is
/// memory too, but memory that is needed in any case.
const KEPT_BYTES: usize = 8 << 20;

/// The most bytes of neighbouring blocks that are written at once.
const WRITE_BYTES: usize = 256 << 10;

#[derive(Debug)]
struct Cached {
    bytes: Arc<[u8]>,
    dirty: bool,
}

/// Blocks of metadata by number. Every change is made here, and goes to the device when there are many and at the end.
///
/// Between [`begin`](Self::begin) and [`commit`](Self::commit) the former content of whatever changes is kept, so that
/// [`roll_back`](Self::roll_back) leaves all as it was: an operation that finds the disk full half way needs no undoing of its own.
#[derive(Debug)]
pub(crate) struct BlockCache {
    device: Arc<dyn BlockDevice>,
    block_bytes: usize,
    blocks: HashMap<BlockNumber, Cached>,
    /// The content before the operation; `None` for a block that had none that matters.
    former: Option<HashMap<BlockNumber, Option<Arc<[u8]>>>>,
}

impl BlockCache {
    pub(crate) fn new(device: Arc<dyn BlockDevice>, block_bytes: usize) -> Self {
        Self {
            device,
            block_bytes,
            blocks: HashMap::new(),
            former: None,
        }
    }

    /// Returns the content of a block, which the caller knows to lie in the filesystem.
    pub(crate) fn read(&mut self, number: BlockNumber) -> Result<Arc<[u8]>> {
        if let Some(cached) = self.blocks.get(&number) {
            return Ok(Arc::clone(&cached.bytes));
        }
        if self.blocks.len() * self.block_bytes > KEPT_BYTES {
            self.blocks.retain(|_, cached| cached.dirty);
        }
        let mut bytes = vec![0; self.block_bytes];
        self.device
            .read_at(&mut bytes, number.0 * self.block_bytes as u64)?;
        let bytes: Arc<[u8]> = bytes.into();
        self.blocks.insert(
            number,
            Cached {
                bytes: Arc::clone(&bytes),
                dirty: false,
            },
        );
        Ok(bytes)
    }

    /// Returns a block to be changed.
    pub(crate) fn change(&mut self, number: BlockNumber) -> Result<&mut [u8]> {
        let bytes = self.read(number)?;
        if let Some(former) = &mut self.former {
            former.entry(number).or_insert(Some(bytes));
        }
        let cached = match self.blocks.entry(number) {
            Entry::Occupied(entry) => entry.into_mut(),
            // `read` has just put it there; an empty block would be a wrong answer, so it is built in full.
            Entry::Vacant(entry) => entry.insert(Cached {
                bytes: vec![0; self.block_bytes].into(),
                dirty: true,
            }),
        };
        cached.dirty = true;
        Ok(Arc::make_mut(&mut cached.bytes))
    }

    /// Returns a block of zeros in place of whatever the device has there.
    pub(crate) fn create(&mut self, number: BlockNumber) -> &mut [u8] {
        let old = self.blocks.remove(&number).map(|cached| cached.bytes);
        if let Some(former) = &mut self.former {
            former.entry(number).or_insert(old);
        }
        let cached = self.blocks.entry(number).or_insert(Cached {
            bytes: vec![0; self.block_bytes].into(),
            dirty: true,
        });
        Arc::make_mut(&mut cached.bytes)
    }

    /// Forgets a block that is metadata no more, so that it is not written over what takes its place.
    pub(crate) fn forget(&mut self, number: BlockNumber) {
        if let Some(cached) = self.blocks.remove(&number)
            && let Some(former) = &mut self.former
        {
            former.entry(number).or_insert(Some(cached.bytes));
        }
    }

    /// Forgets blocks that follow one another.
    pub(crate) fn forget_range(&mut self, start: BlockNumber, count: u32) {
        let end = BlockNumber(start.0 + u64::from(count));
        if (count as usize) < self.blocks.len() {
            for number in start.0..end.0 {
                self.forget(BlockNumber(number));
            }
            return;
        }
        let held: Vec<BlockNumber> = self
            .blocks
            .keys()
            .copied()
            .filter(|number| (start..end).contains(number))
            .collect();
        for number in held {
            self.forget(number);
        }
    }

    /// Begins an operation.
    pub(crate) fn begin(&mut self) {
        self.former = Some(HashMap::new());
    }

    /// Ends an operation whose changes stay.
    pub(crate) fn commit(&mut self) -> Result<()> {
        self.former = None;
        if self.blocks.len() * self.block_bytes > KEPT_BYTES {
            self.flush()?;
            self.blocks.clear();
        }
        Ok(())
    }

    /// Ends an operation and takes its changes back.
    pub(crate) fn roll_back(&mut self) {
        for (number, former) in self.former.take().unwrap_or_default() {
            match former {
                // Dirty even if it was not: the device may hold something else by now.
                Some(bytes) => {
                    self.blocks.insert(number, Cached { bytes, dirty: true });
                }
                None => {
                    self.blocks.remove(&number);
                }
            }
        }
    }

    /// Writes what has changed to the device, in the order of the blocks and neighbours together.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let mut dirty: Vec<BlockNumber> = self
            .blocks
            .iter()
            .filter(|(_, cached)| cached.dirty)
            .map(|(number, _)| *number)
            .collect();
        dirty.sort_unstable();
        let mut run: Vec<u8> = Vec::new();
        let mut start = BlockNumber(0);
        for number in dirty {
            let next = start.0 + (run.len() / self.block_bytes) as u64;
            if !run.is_empty() && (next != number.0 || run.len() >= WRITE_BYTES) {
                self.device
                    .write_at(&run, start.0 * self.block_bytes as u64)?;
                run.clear();
            }
            if run.is_empty() {
                start = number;
            }
            if let Some(cached) = self.blocks.get(&number) {
                run.extend_from_slice(&cached.bytes);
            }
        }
        if !run.is_empty() {
            self.device
                .write_at(&run, start.0 * self.block_bytes as u64)?;
        }
        for cached in self.blocks.values_mut() {
            cached.dirty = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use christen_block::MemoryDevice;

    use super::*;

    fn cache() -> (Arc<MemoryDevice>, BlockCache) {
        let device = Arc::new(MemoryDevice::new(vec![1; 8 * 1024]));
        let cache = BlockCache::new(Arc::clone(&device) as _, 1024);
        (device, cache)
    }

    #[test]
    fn an_operation_can_be_taken_back() {
        let (device, mut cache) = cache();
        cache.begin();
        cache.change(BlockNumber(1)).unwrap()[0] = 7;
        cache.commit().unwrap();
        cache.begin();
        cache.change(BlockNumber(1)).unwrap()[0] = 8;
        cache.create(BlockNumber(2));
        cache.change(BlockNumber(3)).unwrap()[5] = 9;
        cache.forget(BlockNumber(3));
        cache.roll_back();
        cache.flush().unwrap();
        let bytes = device.snapshot();
        assert_eq!(bytes[1024], 7);
        assert!(bytes.iter().filter(|byte| **byte != 1).count() == 1);
    }

    #[test]
    fn what_is_forgotten_is_not_written() {
        let (device, mut cache) = cache();
        cache.change(BlockNumber(4)).unwrap().fill(3);
        cache.change(BlockNumber(5)).unwrap().fill(4);
        cache.forget(BlockNumber(4));
        cache.flush().unwrap();
        assert_eq!(device.snapshot()[4 * 1024], 1);
        assert_eq!(device.snapshot()[5 * 1024], 4);
    }
}
