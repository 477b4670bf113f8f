//! A file's content as a stream, and whether two are the same.

use super::{Drive, Entry, Extent};
use crate::Error;

/// Bytes compared at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Reads a file from its beginning to its end.
struct Content<'c, 's> {
    drive: &'c Drive<'s>,
    extents: &'c [Extent],
    /// Bytes of the first extent that were read.
    done: u64,
}

impl<'c, 's> Content<'c, 's> {
    fn open(drive: &'c Drive<'s>, entry: &'c Entry) -> Result<Self, Error> {
        Ok(Self {
            drive,
            extents: drive.extents(entry)?,
            done: 0,
        })
    }

    /// Reads the next bytes, fewer than a chunk only at the end.
    fn next(&mut self) -> Result<Vec<u8>, Error> {
        let mut chunk = Vec::new();
        while let Some((extent, rest)) = self.extents.split_first() {
            let left = extent.length.saturating_sub(self.done);
            let room = CHUNK_BYTES.saturating_sub(chunk.len());
            if left == 0 {
                self.extents = rest;
                self.done = 0;
            } else if room == 0 {
                break;
            } else {
                let count = left.min(u64::try_from(room).unwrap_or(left));
                let offset = extent.offset.saturating_add(self.done);
                chunk.extend(
                    self.drive
                        .source
                        .bytes(offset, count, "the content of a file")?,
                );
                self.done = self.done.saturating_add(count);
            }
        }
        Ok(chunk)
    }
}

/// Compares two files byte by byte; of different lengths, nothing is read.
pub(crate) fn same(left: (&Drive<'_>, &Entry), right: (&Drive<'_>, &Entry)) -> Result<bool, Error> {
    let ((left_drive, left), (right_drive, right)) = (left, right);
    if left.length != right.length {
        return Ok(false);
    }
    let mut left = Content::open(left_drive, left)?;
    let mut right = Content::open(right_drive, right)?;
    loop {
        let (one, other) = (left.next()?, right.next()?);
        if one != other {
            return Ok(false);
        }
        if one.is_empty() {
            return Ok(true);
        }
    }
}
