//! A device that takes writes and forgets them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use christen_block::{BlockDevice, Error, Result};

const PAGE: usize = 4096;

/// The most that is written to it: a journal is 1 GiB at most, and its replay writes less.
const MAX_PAGES: usize = (1 << 30) / PAGE;

/// What is written stays in memory: so a filesystem can be read as its journal would leave it.
#[derive(Debug)]
pub(crate) struct Scratch {
    below: Arc<dyn BlockDevice>,
    pages: Mutex<BTreeMap<u64, Box<[u8; PAGE]>>>,
}

impl Scratch {
    pub(crate) fn new(below: Arc<dyn BlockDevice>) -> Self {
        Self {
            below,
            pages: Mutex::default(),
        }
    }

    fn pages(&self) -> MutexGuard<'_, BTreeMap<u64, Box<[u8; PAGE]>>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, offset: u64, length: usize) -> Result<()> {
        let device_bytes = self.length();
        match offset.checked_add(length as u64) {
            Some(end) if end <= device_bytes => Ok(()),
            _ => Err(Error::OutOfRange {
                offset,
                length: length as u64,
                device_bytes,
            }),
        }
    }
}

/// The parts of a range that lie in one page each: the page, the offset in it, and how many bytes.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = offset + done as u64;
        let start = (at % PAGE as u64) as usize;
        let count = (PAGE - start).min(length - done);
        done += count;
        Some((at / PAGE as u64, start, count))
    })
}

impl BlockDevice for Scratch {
    fn length(&self) -> u64 {
        self.below.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.below.read_at(buffer, offset)?;
        let pages = self.pages();
        if pages.is_empty() {
            return Ok(());
        }
        let mut done = 0;
        for (page, start, count) in parts(offset, buffer.len()) {
            if let Some(bytes) = pages.get(&page) {
                buffer[done..done + count].copy_from_slice(&bytes[start..start + count]);
            }
            done += count;
        }
        Ok(())
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        self.check(offset, data.len())?;
        let mut pages = self.pages();
        let mut done = 0;
        for (page, start, count) in parts(offset, data.len()) {
            if !pages.contains_key(&page) {
                if pages.len() == MAX_PAGES {
                    return Err(Error::io("keep more than 1 GiB of changes in memory")(
                        std::io::ErrorKind::OutOfMemory.into(),
                    ));
                }
                let mut bytes = Box::new([0; PAGE]);
                let place = page * PAGE as u64;
                let there = (self.length() - place).min(PAGE as u64) as usize;
                self.below.read_at(&mut bytes[..there], place)?;
                pages.insert(page, bytes);
            }
            if let Some(bytes) = pages.get_mut(&page) {
                bytes[start..start + count].copy_from_slice(&data[done..done + count]);
            }
            done += count;
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use christen_block::MemoryDevice;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_does_not_go_below() {
        let below = Arc::new(MemoryDevice::new(vec![1; 10_000]));
        let scratch = Scratch::new(Arc::<MemoryDevice>::clone(&below));
        scratch.write_at(&[2; 5000], 4000).expect("it is taken");
        scratch.write_at(&[3], 9999).expect("it is taken");
        let mut bytes = vec![0; 10_000];
        scratch.read_at(&mut bytes, 0).expect("it is read");
        let expected = [vec![1; 4000], vec![2; 5000], vec![1; 999], vec![3]].concat();
        assert!(bytes == expected);
        assert!(below.snapshot() == vec![1; 10_000]);
        assert!(scratch.write_at(&[0; 2], 9999).is_err());
    }
}
