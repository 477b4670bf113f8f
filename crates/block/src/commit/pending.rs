//! A file as it will be when the change that was cut short has been completed.

use std::io;
use std::sync::Arc;

use crate::host::{HostFile, Identity, read_exact, read_padded};
use crate::overlay::ExtentMap;
use crate::redo::{FileEntry, Redo, RedoFault};

/// A host file with the content of a redo file over it, for reading.
#[derive(Debug)]
pub(crate) struct PendingFile {
    base: Arc<dyn HostFile>,
    redo: Arc<dyn HostFile>,
    extents: ExtentMap,
    length: u64,
    /// What the base holds from here on goes when the change is completed.
    base_limit: u64,
}

impl PendingFile {
    pub(crate) fn new(
        redo: &Redo,
        entry: &FileEntry,
        base: Arc<dyn HostFile>,
    ) -> Result<Self, RedoFault> {
        let mut extents = ExtentMap::default();
        let mut ranges = redo.ranges(entry)?;
        while let Some(range) = ranges.next()? {
            extents.insert(range.offset, range.length, range.data_offset);
        }
        Ok(Self {
            base,
            redo: Arc::clone(&redo.file),
            extents,
            length: entry.new_length,
            base_limit: entry.old_length.min(entry.new_length),
        })
    }
}

impl HostFile for PendingFile {
    fn identity(&self) -> Identity {
        self.base.identity()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.length)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let there = self.length.saturating_sub(offset).min(buffer.len() as u64) as usize;
        for piece in self.extents.pieces(offset, there as u64) {
            let from = (piece.start - offset) as usize;
            let target = &mut buffer[from..from + piece.length as usize];
            if let Some(place) = piece.place {
                read_exact(&*self.redo, target, place)?;
            } else {
                let old = self.base_limit.saturating_sub(piece.start);
                let (old, added) = target.split_at_mut(old.min(piece.length) as usize);
                read_padded(&*self.base, old, piece.start)?;
                added.fill(0);
            }
        }
        Ok(there)
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
        let (length, base) = (self.length, self.base.next_data(offset)?);
        let redo = self.extents.from(offset);
        let redo = redo.map(|piece| (piece.start, piece.start + piece.length));
        let first = match (base, redo) {
            (Some(base), Some(redo)) if base.0 <= redo.0 => Some(base),
            (_, Some(redo)) => Some(redo),
            (base, None) => base,
        };
        Ok(first
            .map(|(start, end)| (start, end.min(length)))
            .filter(|(start, end)| start < end))
    }

    fn reserve(&self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn available(&self) -> io::Result<Option<u64>> {
        self.base.available()
    }
}
