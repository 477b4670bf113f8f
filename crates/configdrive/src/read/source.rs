//! Bytes at offsets, with every range checked against the length first.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use super::error::{Corrupt, Place, Rule};
use crate::Error;

/// Something whose bytes can be read at any offset.
pub trait ReadAt: Send + Sync {
    /// Reads into `buffer` from byte `offset` on; returns how many bytes were read, fewer
    /// than asked for only at the end.
    ///
    /// # Errors
    ///
    /// Whatever the operating system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Returns the length in bytes.
    ///
    /// # Errors
    ///
    /// Whatever the operating system says.
    fn length(&self) -> io::Result<u64>;
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..))
            .unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    fn length(&self) -> io::Result<u64> {
        u64::try_from(self.len()).map_err(io::Error::other)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.as_slice().read_at(buffer, offset)
    }

    fn length(&self) -> io::Result<u64> {
        self.as_slice().length()
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (**self).read_at(buffer, offset)
    }

    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }
}

/// A regular file or a block device.
impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    /// Seeks to the end, because a block device's metadata says 0.
    fn length(&self) -> io::Result<u64> {
        let mut file = self;
        file.seek(SeekFrom::End(0))
    }
}

/// A drive's bytes and their number.
pub(crate) struct Source<'a> {
    inner: Box<dyn ReadAt + 'a>,
    length: u64,
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Source({} bytes)", self.length)
    }
}

impl<'a> Source<'a> {
    pub(crate) fn new(inner: impl ReadAt + 'a) -> Result<Self, Error> {
        let length = inner.length().map_err(|source| Error::Read {
            what: "the length",
            offset: 0,
            source,
        })?;
        Ok(Self {
            inner: Box::new(inner),
            length,
        })
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Says whether a range lies on the drive.
    pub(crate) fn contains(&self, offset: u64, length: u64) -> bool {
        offset
            .checked_add(length)
            .is_some_and(|end| end <= self.length)
    }

    /// Fails when a range does not lie on the drive.
    pub(crate) fn check(
        &self,
        offset: u64,
        length: u64,
        what: &'static str,
    ) -> Result<(), Corrupt> {
        if self.contains(offset, length) {
            Ok(())
        } else {
            Err(Corrupt::new(
                Place::at(what, offset),
                Rule::PastEnd {
                    length,
                    drive: self.length,
                },
            ))
        }
    }

    /// Fills `buffer` from `offset`.
    pub(crate) fn fill(
        &self,
        buffer: &mut [u8],
        offset: u64,
        what: &'static str,
    ) -> Result<(), Error> {
        let length = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        self.check(offset, length, what)?;
        let mut done = 0_usize;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
            let result = match self.inner.read_at(rest, at) {
                Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
                other => other,
            };
            let count = result.map_err(|source| Error::Read {
                what,
                offset: at,
                source,
            })?;
            done = done.saturating_add(count);
        }
        Ok(())
    }

    /// Reads a range, which is known to lie on the drive before memory is taken for it.
    pub(crate) fn bytes(
        &self,
        offset: u64,
        length: u64,
        what: &'static str,
    ) -> Result<Vec<u8>, Error> {
        self.check(offset, length, what)?;
        let size = usize::try_from(length).map_err(|_| {
            Corrupt::new(
                Place::at(what, offset),
                Rule::PastEnd {
                    length,
                    drive: self.length,
                },
            )
        })?;
        let mut buffer = vec![0; size];
        self.fill(&mut buffer, offset, what)?;
        Ok(buffer)
    }
}
