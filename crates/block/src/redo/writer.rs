//! Writing the table of a redo file.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use xxhash_rust::xxh3::Xxh3;
use zerocopy::IntoBytes;

use super::layout::{MAGIC, RawFile, RawHeader, RawRange, VERSION};
use super::{SECTOR, hash, is_zero};
use crate::host::{HostFile, Identity, Kind};

/// The table goes out in pieces of this size: it may be long, and is never held whole.
const BUFFER: usize = 256 << 10;

/// What is said of a file before its ranges.
#[derive(Debug)]
pub(crate) struct FileHead<'a> {
    pub(crate) identity: Identity,
    /// [`Mark::number`](crate::commit::Mark::number).
    pub(crate) format: u32,
    pub(crate) old_length: u64,
    pub(crate) new_length: u64,
    /// The path of every file but the first.
    pub(crate) path: Option<&'a OsStr>,
}

/// Appends records to the table, and at last writes the header.
pub(crate) struct TableWriter<'a> {
    file: &'a dyn HostFile,
    table_offset: u64,
    written: u64,
    buffer: Vec<u8>,
    checksum: Box<Xxh3>,
    file_count: u32,
    data_bytes: u64,
    ranges: u64,
}

impl<'a> TableWriter<'a> {
    pub(crate) fn new(file: &'a dyn HostFile, table_offset: u64) -> Self {
        Self {
            file,
            table_offset,
            written: 0,
            buffer: Vec::with_capacity(4096),
            checksum: Box::default(),
            file_count: 0,
            data_bytes: 0,
            ranges: 0,
        }
    }

    pub(crate) fn begin_file(&mut self, head: &FileHead<'_>) -> io::Result<()> {
        let path = head.path.map_or(&[][..], OsStrExt::as_bytes);
        let raw = RawFile {
            kind: match head.identity.kind {
                Kind::Regular => 1,
                Kind::BlockDevice => 2,
            }
            .into(),
            format: head.format.into(),
            device: head.identity.device.into(),
            inode: head.identity.inode.into(),
            old_length: head.old_length.into(),
            new_length: head.new_length.into(),
            path_length: u32::try_from(path.len())
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidFilename))?
                .into(),
            reserved: 0.into(),
        };
        self.file_count += 1;
        self.buffer.extend_from_slice(raw.as_bytes());
        self.buffer.extend_from_slice(path);
        self.buffer.resize(self.buffer.len().next_multiple_of(8), 0);
        Ok(())
    }

    /// Appends a range; `old` and `new` are whole sectors and equally long.
    pub(crate) fn range(
        &mut self,
        offset: u64,
        old: &[u8],
        new: &[u8],
        data_offset: u64,
    ) -> io::Result<()> {
        let zero = is_zero(old);
        let raw = RawRange {
            kind: if zero { 2 } else { 1 }.into(),
            // At most `MAX_RANGE`, which fits.
            length: (new.len() as u32).into(),
            offset: offset.into(),
            data_offset: data_offset.into(),
            data_checksum: hash(new).into(),
        };
        self.buffer.extend_from_slice(raw.as_bytes());
        if !zero {
            for sector in old.chunks(SECTOR as usize) {
                self.buffer.extend_from_slice(&hash(sector).to_le_bytes());
            }
        }
        self.data_bytes += new.len() as u64;
        self.ranges += 1;
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(())
    }

    pub(crate) fn end_file(&mut self) {
        self.buffer
            .resize(self.buffer.len() + size_of::<RawRange>(), 0);
    }

    fn flush(&mut self) -> io::Result<()> {
        self.checksum.update(&self.buffer);
        self.file
            .write_at(&self.buffer, self.table_offset + self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Returns how many bytes all ranges have, and how many ranges there are.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.data_bytes, self.ranges)
    }

    /// Writes what is left of the table, and the header. Nothing is synced.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.flush()?;
        let length = self.table_offset + self.written;
        let mut raw = RawHeader {
            magic: MAGIC,
            version: VERSION.into(),
            file_count: self.file_count.into(),
            length: length.into(),
            table_offset: self.table_offset.into(),
            table_length: self.written.into(),
            table_checksum: self.checksum.digest().into(),
            device: self.file.identity().device.into(),
            data_bytes: self.data_bytes.into(),
            checksum: 0.into(),
        };
        let covered = size_of::<RawHeader>() - 8;
        raw.checksum = hash(&raw.as_bytes()[..covered]).into();
        self.file.write_at(raw.as_bytes(), 0)?;
        Ok(length)
    }
}
