//! Which sectors of a staged file differ from what the host file holds.

use super::page::PAGE;
use super::reading;
use super::staged::{Beyond, CHUNK, StagedFile};
use crate::error::Result;
use crate::host::{HostFile, read_padded};
use crate::redo::SECTOR;

/// A run of sectors that differ.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(crate) offset: u64,
    pub(crate) old: &'a [u8],
    pub(crate) new: &'a [u8],
    /// Where the new content is in the redo file in the making, if it is there already.
    pub(crate) spooled: Option<u64>,
}

/// Reads old content, and does not read holes.
struct OldReader<'a> {
    file: &'a dyn HostFile,
    /// Nothing but zeros lies between `from` and `data.0`, and `data.1` is where that ends.
    from: u64,
    data: (u64, u64),
}

impl<'a> OldReader<'a> {
    fn new(file: &'a dyn HostFile) -> Self {
        Self {
            file,
            from: 0,
            data: (0, 0),
        }
    }

    fn read(&mut self, buffer: &mut [u8], offset: u64) -> Result<()> {
        if offset < self.from || offset >= self.data.1 {
            self.from = offset;
            self.data = self
                .file
                .next_data(offset)
                .map_err(reading)?
                .unwrap_or((u64::MAX, u64::MAX));
        }
        if offset + buffer.len() as u64 <= self.data.0 {
            buffer.fill(0);
            return Ok(());
        }
        read_padded(self.file, buffer, offset).map_err(reading)
    }
}

impl StagedFile {
    pub(crate) fn base_length(&self) -> u64 {
        self.base_length
    }

    pub(crate) fn base(&self) -> &std::sync::Arc<dyn HostFile> {
        &self.base
    }

    pub(crate) fn seal(&self) {
        self.lock().sealed = true;
    }

    /// Returns how many bytes of changes are in memory, in whole pages.
    pub(crate) fn in_memory(&self) -> u64 {
        self.lock().dirty as u64 * PAGE as u64
    }

    /// Shows `visit` every run of sectors that differ from the host file, ascending, each a mebibyte at most. With `first` the
    /// first sector counts as different whatever it holds.
    pub(crate) fn changed(
        &self,
        first: bool,
        visit: &mut dyn FnMut(&Change<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if first {
            self.touch_first(state)?;
        }
        let page_bytes = PAGE as u64;
        // Memory goes before the spool: pages that lie over an extent are completed and cut out of it.
        let numbers = self.complete_dirty(state, |_, _| true)?;
        for number in &numbers {
            let start = number * page_bytes;
            state.extents.remove(start, start + page_bytes);
        }
        let end = state.length.next_multiple_of(SECTOR);
        let mut old_reader = OldReader::new(&*self.base);
        let (mut old, mut new) = (Vec::new(), Vec::new());
        let mut pages = numbers.into_iter().peekable();
        let mut at = 0;
        loop {
            let page = pages.peek().map(|number| number * page_bytes);
            let extent = state.extents.from(at).filter(|extent| extent.start < end);
            new.clear();
            let (start, spooled) = match (page, extent) {
                (None, None) => break,
                (Some(page), extent) if extent.is_none_or(|extent| page < extent.start) => {
                    let mut next = page;
                    while pages.next_if_eq(&(next / page_bytes)).is_some() {
                        if let Some(held) = state.pages.get(&(next / page_bytes)) {
                            new.extend_from_slice(&held.bytes[..]);
                        }
                        next += page_bytes;
                        if next - page >= CHUNK {
                            break;
                        }
                    }
                    (page, None)
                }
                (_, Some(extent)) => {
                    new.resize(extent.length.min(CHUNK) as usize, 0);
                    let place = extent.place.unwrap_or_default();
                    self.read_beyond(&mut new, place)?;
                    (extent.start, Some(place))
                }
                // The guard above takes every page that has no extent before it.
                (Some(_), None) => break,
            };
            at = start + new.len() as u64;
            if start >= end {
                continue;
            }
            new.truncate((end - start).min(new.len() as u64) as usize);
            if let Some(cut) = state.length.checked_sub(start)
                && cut < new.len() as u64
            {
                new[cut as usize..].fill(0);
            }
            old.resize(new.len(), 0);
            old_reader.read(&mut old, start)?;
            let force = first && start == 0;
            let spooled = spooled.filter(|_| matches!(self.beyond, Beyond::Spool(_)));
            runs(&old, &new, force, &mut |from, to| {
                visit(&Change {
                    offset: start + from as u64,
                    old: &old[from..to],
                    new: &new[from..to],
                    spooled: spooled.map(|place| place + from as u64),
                })
            })?;
        }
        Ok(())
    }

    /// Puts the first sector among the written ones, as it is.
    fn touch_first(&self, state: &mut super::staged::State) -> Result<()> {
        let mut sector = [0; SECTOR as usize];
        self.read_large(state, &mut sector, 0)?;
        self.write_pages(state, &sector, 0)
    }
}

/// Finds the runs of sectors in which two equally long pieces differ.
fn runs(
    old: &[u8],
    new: &[u8],
    force_first: bool,
    visit: &mut dyn FnMut(usize, usize) -> Result<()>,
) -> Result<()> {
    let sector = SECTOR as usize;
    let mut run_start = None;
    for (index, (old, new)) in old.chunks(sector).zip(new.chunks(sector)).enumerate() {
        let differs = (force_first && index == 0) || old != new;
        match (differs, run_start) {
            (true, None) => run_start = Some(index * sector),
            (false, Some(start)) => {
                visit(start, index * sector)?;
                run_start = None;
            }
            _ => {}
        }
    }
    run_start.map_or(Ok(()), |start| visit(start, new.len()))
}
