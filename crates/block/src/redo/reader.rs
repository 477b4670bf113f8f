//! Reading a redo file, which is hostile until it has been shown to be ours, and after that may still be damaged.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;
use zerocopy::FromBytes;

use super::layout::{MAGIC, RawFile, RawHeader, RawRange, VERSION};
use super::{DATA_START, MAX_FILES, MAX_PATH, MAX_RANGE, RedoFault, SECTOR, hash};
use crate::commit::Mark;
use crate::host::{HostFile, Identity, Kind, read_exact};

/// Tables are read in pieces of this size.
const BUFFER: usize = 64 << 10;

type Result<T, E = RedoFault> = std::result::Result<T, E>;

/// A redo file whose header, table and data have been checked.
#[derive(Debug)]
pub(crate) struct Redo {
    pub(crate) file: Arc<dyn HostFile>,
    pub(crate) files: Vec<FileEntry>,
    pub(crate) data_bytes: u64,
    pub(crate) range_count: u64,
    /// The device that the redo file was on when it was made.
    device: u64,
}

/// A file that a redo file changes.
#[derive(Debug, Clone)]
pub(crate) struct FileEntry {
    pub(crate) kind: Kind,
    pub(crate) mark: Mark,
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) old_length: u64,
    pub(crate) new_length: u64,
    /// Empty for the first file.
    pub(crate) path: PathBuf,
    /// Where its first range record is.
    ranges: u64,
}

/// A range of new content.
#[derive(Debug)]
pub(crate) struct RangeEntry {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) data_offset: u64,
    data_checksum: u64,
    pub(crate) old: OldContent,
}

/// What a range held before the change.
#[derive(Debug)]
pub(crate) enum OldContent {
    /// Nothing but zeros.
    Zero,
    /// Sectors with these hashes.
    Hashed(Vec<u64>),
}

impl OldContent {
    /// Tells whether the sector of that index was this one.
    pub(crate) fn is(&self, index: usize, sector: &[u8]) -> bool {
        match self {
            Self::Zero => super::is_zero(sector),
            Self::Hashed(hashes) => hashes.get(index) == Some(&hash(sector)),
        }
    }
}

impl Redo {
    /// Checks all of a redo file: header, table, every record, and the checksum of every piece of data. Memory is bounded by
    /// a mebibyte and a few paths, whatever the file says.
    pub(crate) fn open(file: Arc<dyn HostFile>) -> Result<Self> {
        let there = file.length().map_err(RedoFault::Io)?;
        let mut bytes = [0; size_of::<RawHeader>()];
        let got = file.read_at(&mut bytes, 0).map_err(RedoFault::Io)?;
        // The array has the size of the header and nothing needs alignment.
        let header = RawHeader::read_from_bytes(&bytes).map_err(|_| RedoFault::NotRedo)?;
        if header.magic != MAGIC {
            return Err(RedoFault::NotRedo);
        }
        if got < bytes.len() {
            let said = bytes.len() as u64;
            return Err(RedoFault::Truncated { there, said });
        }
        if header.version.get() != VERSION {
            return Err(RedoFault::Version(header.version.get()));
        }
        if hash(&bytes[..bytes.len() - 8]) != header.checksum.get() {
            return Err(RedoFault::Checksum("header"));
        }
        let said = header.length.get();
        if there < said {
            return Err(RedoFault::Truncated { there, said });
        }
        let malformed = |rule| RedoFault::Malformed { place: 0, rule };
        let (table, table_length) = (header.table_offset.get(), header.table_length.get());
        if said != there {
            return Err(malformed("the file is longer than it states"));
        }
        if table < DATA_START || table % 8 != 0 || table.checked_add(table_length) != Some(said) {
            return Err(malformed("the table does not end the file"));
        }
        if header.file_count.get() == 0 || header.file_count.get() > MAX_FILES {
            return Err(malformed("it changes no file, or more than 8"));
        }
        check_table(&*file, table, table_length, header.table_checksum.get())?;
        let mut redo = Self {
            file,
            files: Vec::new(),
            data_bytes: header.data_bytes.get(),
            range_count: 0,
            device: header.device.get(),
        };
        redo.read_files(header.file_count.get(), table, said)?;
        Ok(redo)
    }

    fn read_files(&mut self, count: u32, table: u64, end: u64) -> Result<()> {
        let mut cursor = Cursor::new(Arc::clone(&self.file), table, end);
        let mut data = Vec::new();
        let mut data_bytes = 0_u64;
        for index in 0..count {
            let place = cursor.place;
            let raw: RawFile = cursor.record()?;
            let mut entry = FileEntry::parse(&raw, place)?;
            let path_length = raw.path_length.get();
            if path_length > MAX_PATH || (path_length == 0) != (index == 0) {
                let rule = "the first file has no path, every other has one of at most 4096 bytes";
                return Err(RedoFault::Malformed { place, rule });
            }
            let mut path = vec![0; path_length.next_multiple_of(8) as usize];
            cursor.read(&mut path)?;
            entry.path = OsStr::from_bytes(&path[..path_length as usize]).into();
            entry.ranges = cursor.place;
            let mut ranges = Ranges::new(cursor, &entry, table);
            let mut header_missing = entry.mark != Mark::None;
            while let Some(range) = ranges.next()? {
                header_missing &= range.offset != 0;
                self.read_data(&range, &mut data)?;
                data_bytes = data_bytes.saturating_add(range.length);
                self.range_count += 1;
            }
            if header_missing {
                let rule = "a file that is marked has its first sector among its ranges";
                return Err(RedoFault::Malformed { place, rule });
            }
            cursor = ranges.cursor;
            self.files.push(entry);
        }
        let rule = match (cursor.place == end, data_bytes == self.data_bytes) {
            (true, true) => return Ok(()),
            (false, _) => "bytes follow the last file",
            (true, false) => "the lengths of the ranges do not add up",
        };
        let place = cursor.place;
        Err(RedoFault::Malformed { place, rule })
    }

    /// Returns the ranges of a file, in ascending order.
    pub(crate) fn ranges(&self, file: &FileEntry) -> Result<Ranges> {
        let end = self.file.length().map_err(RedoFault::Io)?;
        let cursor = Cursor::new(Arc::clone(&self.file), file.ranges, end);
        // Data has been checked against the table when the file was opened.
        Ok(Ranges::new(cursor, file, end))
    }

    /// Reads the new content of a range.
    pub(crate) fn read_data(&self, range: &RangeEntry, data: &mut Vec<u8>) -> Result<()> {
        data.resize(range.length as usize, 0);
        read_exact(&*self.file, data, range.data_offset).map_err(RedoFault::Io)?;
        if hash(data) == range.data_checksum {
            Ok(())
        } else {
            Err(RedoFault::Checksum("data"))
        }
    }

    /// Tells whether an open file is the one that an entry names.
    pub(crate) fn names(&self, entry: &FileEntry, identity: &Identity) -> bool {
        let same_device = if entry.kind == Kind::Regular && entry.device == self.device {
            // The numbers of devices may have changed with a reboot, but not that these two are the same.
            identity.device == self.file.identity().device
        } else {
            identity.device == entry.device
        };
        identity.kind == entry.kind && identity.inode == entry.inode && same_device
    }
}

impl FileEntry {
    fn parse(raw: &RawFile, place: u64) -> Result<Self> {
        let malformed = |rule| RedoFault::Malformed { place, rule };
        let kind = match raw.kind.get() {
            1 => Kind::Regular,
            2 => Kind::BlockDevice,
            _ => return Err(malformed("the kind of a file is 1 or 2")),
        };
        let (old_length, new_length) = (raw.old_length.get(), raw.new_length.get());
        if kind == Kind::BlockDevice && old_length != new_length {
            return Err(malformed("a block device does not change its length"));
        }
        // The kernel's offsets are signed.
        if old_length.max(new_length) > i64::MAX as u64 {
            return Err(malformed("a file is longer than files can be"));
        }
        Ok(Self {
            kind,
            mark: Mark::parse(raw.format.get())
                .ok_or(malformed("the format of a file is 0, 2 or 3"))?,
            device: raw.device.get(),
            inode: raw.inode.get(),
            old_length,
            new_length,
            path: PathBuf::new(),
            ranges: 0,
        })
    }
}

/// The ranges of one file.
#[derive(Debug)]
pub(crate) struct Ranges {
    cursor: Cursor,
    /// Ranges ascend: the next one begins here or later.
    from: u64,
    new_length: u64,
    data_end: u64,
    done: bool,
}

impl Ranges {
    fn new(cursor: Cursor, file: &FileEntry, data_end: u64) -> Self {
        Self {
            cursor,
            from: 0,
            new_length: file.new_length,
            data_end,
            done: false,
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<RangeEntry>> {
        if self.done {
            return Ok(None);
        }
        let place = self.cursor.place;
        let raw: RawRange = self.cursor.record()?;
        let malformed = |rule| RedoFault::Malformed { place, rule };
        if raw.kind.get() == 0 {
            self.done = true;
            return Ok(None);
        }
        let (offset, length) = (raw.offset.get(), u64::from(raw.length.get()));
        if length == 0 || length % SECTOR != 0 || length > MAX_RANGE || offset % SECTOR != 0 {
            return Err(malformed(
                "a range is whole sectors, one at least and 2048 at most",
            ));
        }
        let end = offset.checked_add(length);
        let limit = self.new_length.next_multiple_of(SECTOR);
        let Some(end) = end.filter(|end| offset >= self.from && *end <= limit) else {
            return Err(malformed("ranges ascend and end with the file"));
        };
        let data_offset = raw.data_offset.get();
        let data_end = data_offset.checked_add(length);
        if data_offset < DATA_START || data_end.is_none_or(|end| end > self.data_end) {
            return Err(malformed("the data of a range lies before the table"));
        }
        let old = match raw.kind.get() {
            1 => {
                let mut bytes = vec![0; (length / SECTOR * 8) as usize];
                self.cursor.read(&mut bytes)?;
                let (hashes, _) = bytes.as_chunks();
                OldContent::Hashed(
                    hashes
                        .iter()
                        .map(|hash| u64::from_le_bytes(*hash))
                        .collect(),
                )
            }
            2 => OldContent::Zero,
            _ => return Err(malformed("the kind of a range is 0, 1 or 2")),
        };
        self.from = end;
        Ok(Some(RangeEntry {
            offset,
            length,
            data_offset,
            data_checksum: raw.data_checksum.get(),
            old,
        }))
    }
}

/// A place in the table.
#[derive(Debug)]
struct Cursor {
    file: Arc<dyn HostFile>,
    place: u64,
    end: u64,
    buffer: Vec<u8>,
    used: usize,
}

impl Cursor {
    fn new(file: Arc<dyn HostFile>, place: u64, end: u64) -> Self {
        Self {
            file,
            place,
            end,
            buffer: Vec::new(),
            used: 0,
        }
    }

    fn read(&mut self, target: &mut [u8]) -> Result<()> {
        let place = self.place;
        if self.end - place < target.len() as u64 {
            let rule = "a record does not fit in the table";
            return Err(RedoFault::Malformed { place, rule });
        }
        let mut filled = 0;
        while filled < target.len() {
            if self.used == self.buffer.len() {
                let left = self.end - self.place;
                self.buffer.resize(left.min(BUFFER as u64) as usize, 0);
                self.used = 0;
                read_exact(&*self.file, &mut self.buffer, self.place).map_err(RedoFault::Io)?;
            }
            let count = (target.len() - filled).min(self.buffer.len() - self.used);
            target[filled..filled + count]
                .copy_from_slice(&self.buffer[self.used..self.used + count]);
            filled += count;
            self.used += count;
            self.place += count as u64;
        }
        Ok(())
    }

    fn record<T: FromBytes + zerocopy::IntoBytes>(&mut self) -> Result<T> {
        let mut record = T::new_zeroed();
        self.read(record.as_mut_bytes())?;
        Ok(record)
    }
}

fn check_table(file: &dyn HostFile, offset: u64, length: u64, checksum: u64) -> Result<()> {
    let mut state = Xxh3::new();
    let mut buffer = vec![0; length.min(BUFFER as u64) as usize];
    let mut done = 0;
    while done < length {
        let piece = &mut buffer[..(length - done).min(BUFFER as u64) as usize];
        read_exact(file, piece, offset + done).map_err(RedoFault::Io)?;
        state.update(piece);
        done += piece.len() as u64;
    }
    if state.digest() == checksum {
        Ok(())
    } else {
        Err(RedoFault::Checksum("table"))
    }
}

/// What a redo file says, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedoSummary {
    /// How many files it changes.
    pub files: usize,
    /// How many ranges of them.
    pub ranges: u64,
    /// How many bytes those have together.
    pub bytes: u64,
}

/// Parses and checks the bytes of a redo file, without any image.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<RedoSummary> {
    let redo = Redo::open(Arc::new(Bytes(bytes.to_vec())))?;
    Ok(RedoSummary {
        files: redo.files.len(),
        ranges: redo.range_count,
        bytes: redo.data_bytes,
    })
}

/// Bytes in the place of a file.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl HostFile for Bytes {
    fn identity(&self) -> Identity {
        Identity {
            kind: Kind::Regular,
            device: 0,
            inode: 0,
            owner: 0,
            mode: 0o600,
            links: 1,
        }
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).map_or(self.0.len(), |start| start.min(self.0.len()));
        let count = buffer.len().min(self.0.len() - start);
        buffer[..count].copy_from_slice(&self.0[start..start + count]);
        Ok(count)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn set_length(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<(u64, u64)>> {
        let length = self.0.len() as u64;
        Ok((offset < length).then_some((offset, length)))
    }

    fn reserve(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn available(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn kernel_file(&self) -> Option<&File> {
        None
    }
}
