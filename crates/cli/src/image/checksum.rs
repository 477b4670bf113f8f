//! Content told apart by a number.

use std::io;

use christen_vfs::{FileId, FileSystem, Result};

/// Bytes that are read at once.
const PORTION_BYTES: u64 = 256 << 10;

/// A range of a file and the CRC-32C of its bytes: enough to see that what was written is what is read, which nobody has
/// an interest in faking here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) crc: u32,
}

impl Checksum {
    /// Of nothing, at an offset.
    pub(crate) fn begin(offset: u64) -> Self {
        Self {
            offset,
            length: 0,
            crc: 0,
        }
    }

    /// Takes the bytes that follow.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.length += bytes.len() as u64;
    }

    /// The first byte behind the range.
    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// Reads the same range of a file; a file that ends before gives a shorter one.
    pub(crate) fn read_again(&self, fs: &mut dyn FileSystem, file: FileId) -> Result<Self> {
        read(fs, file, self.offset, self.length)
    }
}

/// Reads a range of a file.
pub(crate) fn read(
    fs: &mut dyn FileSystem,
    file: FileId,
    offset: u64,
    length: u64,
) -> Result<Checksum> {
    let mut checksum = Checksum::begin(offset);
    let mut buffer = vec![0; length.min(PORTION_BYTES) as usize];
    while checksum.length < length {
        let portion = (length - checksum.length).min(PORTION_BYTES) as usize;
        let count = fs.read_at(file, &mut buffer[..portion], checksum.end())?;
        if count == 0 {
            break;
        }
        checksum.add(&buffer[..count]);
    }
    Ok(checksum)
}

/// A reader that keeps the checksum of what goes through it.
#[derive(Debug)]
pub(crate) struct Summed<R> {
    inner: R,
    pub(crate) checksum: Checksum,
}

impl<R> Summed<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            checksum: Checksum::begin(0),
        }
    }
}

impl<R: io::Read> io::Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.checksum.add(&buffer[..count]);
        Ok(count)
    }
}
