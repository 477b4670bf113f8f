//! What the targets of ext2, ext3 and ext4 share.
//!
//! An image of a filesystem is mostly zeros, and an input has to be small. It therefore holds only what is not zero:
//!
//! | bytes | what |
//! |---|---|
//! | 2 | the length of the image in KiB, little-endian; 0 means 64 MiB |
//! | 4, 2, n | a run: where it belongs, its length n, and its bytes; a length of 0 ends the runs |
//! | the rest | operations, four bytes each: see [`operations`] |
//! | 1, the last | bit 0 clear: checksums are repaired; the other bits are the target's |

pub mod journal;
pub mod operations;
pub mod repair;
pub mod seeds;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use christen_block::{BlockDevice, MemoryDevice, Result};
use christen_ext4::{Access, Journal, OpenOptions};
use christen_vfs::Timestamp;

/// As many zeros between two pieces end a run: the header of another is shorter.
const GAP_BYTES: usize = 8;

/// An image and what is to be done with it.
#[derive(Debug)]
pub struct Input {
    /// The image, whole.
    pub image: Vec<u8>,
    /// See [`operations`].
    pub operations: Vec<u8>,
    /// The last byte.
    pub choice: u8,
}

impl Input {
    /// Takes an input apart; `None` if there is not even an image.
    pub fn decode(input: &[u8]) -> Option<Self> {
        let (&choice, rest) = input.split_last()?;
        let (kibibytes, mut rest) = rest.split_first_chunk()?;
        let kibibytes = match u16::from_le_bytes(*kibibytes) {
            0 => 1 << 16,
            some => usize::from(some),
        };
        let mut image = vec![0; kibibytes << 10];
        while let Some((header, behind)) = rest.split_first_chunk::<6>() {
            rest = behind;
            let [a, b, c, d, low, high] = *header;
            let start = u32::from_le_bytes([a, b, c, d]) as usize;
            let length = usize::from(u16::from_le_bytes([low, high]));
            if length == 0 {
                break;
            }
            let (run, behind) = rest.split_at(length.min(rest.len()));
            rest = behind;
            if let Some(place) = image.get_mut(start..start.saturating_add(run.len())) {
                place.copy_from_slice(run);
            }
        }
        Some(Self {
            image,
            operations: rest.to_vec(),
            choice,
        })
    }

    /// Makes an input; the image has at most 64 MiB, in whole KiB.
    pub fn encode(&self) -> Vec<u8> {
        let mut input = ((self.image.len() >> 10) as u16).to_le_bytes().to_vec();
        let mut at = 0;
        let image = &self.image;
        while let Some(found) = image[at..].iter().position(|byte| *byte != 0) {
            let start = at + found;
            let mut end = start + 1;
            let mut next = end;
            while next < image.len() && next - end < GAP_BYTES && next - start < 0xffff {
                if image[next] != 0 {
                    end = next + 1;
                }
                next += 1;
            }
            input.extend_from_slice(&(start as u32).to_le_bytes());
            input.extend_from_slice(&((end - start) as u16).to_le_bytes());
            input.extend_from_slice(&image[start..end]);
            at = end;
        }
        input.extend_from_slice(&[0; 6]);
        input.extend_from_slice(&self.operations);
        input.push(self.choice);
        input
    }

    /// Whether checksums are to be repaired.
    pub fn is_repaired(&self) -> bool {
        self.choice & 1 == 0
    }
}

/// A device in memory that knows whether it was written to.
#[derive(Debug)]
pub struct Watched {
    memory: MemoryDevice,
    written: AtomicBool,
}

impl Watched {
    /// Makes a device of an image.
    pub fn new(image: Vec<u8>) -> Arc<Self> {
        Arc::new(Self {
            memory: MemoryDevice::new(image),
            written: AtomicBool::new(false),
        })
    }

    /// Whether it was written to.
    pub fn was_written(&self) -> bool {
        self.written.load(Ordering::Relaxed)
    }
}

impl BlockDevice for Watched {
    fn length(&self) -> u64 {
        self.memory.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.memory.read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        self.written.store(true, Ordering::Relaxed);
        self.memory.write_at(data, offset)
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

/// How the targets open a filesystem: the same input gives the same bytes.
pub fn options(access: Access, journal: Journal) -> OpenOptions {
    OpenOptions {
        access,
        journal,
        now: Timestamp {
            seconds: 1_700_000_000,
            nanoseconds: 5,
        },
        generation_seed: 1,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    let found = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    found.map_or(0, |bytes| usize::from(u16::from_le_bytes(*bytes)))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    found.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn be32_at(bytes: &[u8], at: usize) -> u32 {
    u32_at(bytes, at).swap_bytes()
}

/// Puts bytes in place, if there is such a place.
fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    let place = bytes.get_mut(at..at.saturating_add(value.len()));
    if let Some(place) = place {
        place.copy_from_slice(value);
    }
}

/// CRC-32C as Linux takes it, without inverting before and after (`fs/ext4/ext4.h`, `ext4_chksum`).
fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}
