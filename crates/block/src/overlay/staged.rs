//! One host file with the changes staged over it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::extent::ExtentMap;
use super::page::{PAGE, Page, PageMap, covered, touched};
use super::spool::{Spool, write_failed};
use crate::error::{Error, Result, Unsupported};
use crate::host::{HostFile, Kind, NewFile, read_padded};
use crate::storage::Storage;

/// Written pages beyond this many go to the spool: 16 MiB.
const MAX_DIRTY: usize = 4096;
/// Pages that were only read are forgotten beyond this many: 8 MiB.
const MAX_CLEAN: usize = 2048;
/// A write of this many bytes goes to the spool at once.
const LARGE: usize = 256 << 10;
/// A read of this many bytes is no page's business.
const LARGE_READ: usize = 64 << 10;
/// What is moved in one piece.
pub(super) const CHUNK: u64 = 1 << 20;

/// Where written data go that are not kept in memory.
#[derive(Debug, Clone)]
pub(crate) enum Beyond {
    /// Nowhere: the file is open for reading.
    ReadOnly,
    /// To the redo file in the making.
    Spool(Arc<Spool>),
    /// To the place in a new file where they belong.
    InPlace(Arc<dyn NewFile>),
}

/// One host file with the changes staged over it.
#[derive(Debug)]
pub(crate) struct StagedFile {
    pub(super) base: Arc<dyn HostFile>,
    pub(super) base_length: u64,
    pub(super) beyond: Beyond,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) length: u64,
    /// What the base holds from here on has been cut off, and is zero if the file grows again.
    base_limit: u64,
    pub(super) pages: PageMap,
    pub(super) dirty: usize,
    pub(super) extents: ExtentMap,
    /// The commit has begun, and a late write would be lost.
    pub(super) sealed: bool,
}

impl StagedFile {
    pub(crate) fn new(base: Arc<dyn HostFile>, beyond: Beyond) -> Result<Self> {
        let base_length = base.length().map_err(Error::io("ask for the length"))?;
        let state = State {
            length: base_length,
            base_limit: base_length,
            pages: PageMap::default(),
            dirty: 0,
            extents: ExtentMap::default(),
            sealed: false,
        };
        Ok(Self {
            base,
            base_length,
            beyond,
            state: Mutex::new(state),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills `buffer` from what lies below the pages in memory.
    pub(super) fn read_below(&self, state: &State, buffer: &mut [u8], offset: u64) -> Result<()> {
        if state.extents.is_empty() {
            return self.read_base(state.base_limit, buffer, offset);
        }
        for piece in state.extents.pieces(offset, buffer.len() as u64) {
            let from = (piece.start - offset) as usize;
            let target = &mut buffer[from..from + piece.length as usize];
            match piece.place {
                None => self.read_base(state.base_limit, target, piece.start)?,
                Some(place) => self.read_beyond(target, place)?,
            }
        }
        Ok(())
    }

    fn read_base(&self, limit: u64, buffer: &mut [u8], offset: u64) -> Result<()> {
        let there = limit.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let (there, beyond) = buffer.split_at_mut(there);
        beyond.fill(0);
        if there.is_empty() {
            return Ok(());
        }
        let length = there.len();
        read_padded(&*self.base, there, offset)
            .map_err(|error| Error::io(format!("read {length} bytes at {offset}"))(error))
    }

    pub(super) fn read_beyond(&self, buffer: &mut [u8], place: u64) -> Result<()> {
        match &self.beyond {
            Beyond::ReadOnly => Err(Error::ReadOnly),
            Beyond::Spool(spool) => spool.read(buffer, place),
            Beyond::InPlace(file) => {
                read_padded(&**file, buffer, place).map_err(Error::io("read the new file"))
            }
        }
    }

    fn write_beyond(&self, state: &mut State, data: &[u8], offset: u64) -> Result<()> {
        let place = match &self.beyond {
            Beyond::ReadOnly => return Err(Error::ReadOnly),
            Beyond::Spool(spool) => spool.append(data)?,
            Beyond::InPlace(file) => {
                if let Err(error) = file.write_at(data, offset) {
                    return Err(write_failed(&**file, data.len(), "the new file")(error));
                }
                offset
            }
        };
        state.extents.insert(offset, data.len() as u64, place);
        Ok(())
    }

    /// Returns a page with at least the sectors of `needed` valid.
    fn page<'a>(&self, state: &'a mut State, number: u64, needed: u8) -> Result<&'a mut Page> {
        let missing = match state.pages.get(&number) {
            Some(page) => page.valid & needed != needed,
            None => {
                if state.pages.len() - state.dirty >= MAX_CLEAN {
                    state.pages.retain(|_, page| page.dirty != 0);
                }
                needed != 0
            }
        };
        if missing {
            let mut content = [0; PAGE];
            self.read_below(state, &mut content, number * PAGE as u64)?;
            let page = state.pages.entry(number).or_insert_with(Page::empty);
            page.complete(&content);
            return Ok(page);
        }
        Ok(state.pages.entry(number).or_insert_with(Page::empty))
    }

    /// Writes to the pages of a range.
    pub(super) fn write_pages(
        &self,
        state: &mut State,
        mut data: &[u8],
        mut offset: u64,
    ) -> Result<()> {
        while !data.is_empty() {
            let number = offset / PAGE as u64;
            let start = (offset % PAGE as u64) as usize;
            let end = PAGE.min(start + data.len());
            let (now, rest) = data.split_at(end - start);
            let changed = touched(start, end);
            let page = self.page(state, number, changed & !covered(start, end))?;
            page.bytes[start..end].copy_from_slice(now);
            page.valid |= changed;
            let was_clean = page.dirty == 0;
            page.dirty |= changed;
            if was_clean {
                state.dirty += 1;
                if state.dirty > MAX_DIRTY {
                    self.spill(state)?;
                }
            }
            data = rest;
            offset += now.len() as u64;
        }
        Ok(())
    }

    /// Moves all written pages out of memory.
    fn spill(&self, state: &mut State) -> Result<()> {
        let numbers = self.complete_dirty(state, |_, _| true)?;
        let mut run = Vec::with_capacity(CHUNK as usize);
        let mut begin = 0;
        while begin < numbers.len() {
            let first = numbers[begin];
            run.clear();
            let mut next = begin;
            while next < numbers.len()
                && numbers[next] == first + (next - begin) as u64
                && run.len() < CHUNK as usize
            {
                if let Some(page) = state.pages.get(&numbers[next]) {
                    run.extend_from_slice(&page.bytes[..]);
                }
                next += 1;
            }
            self.write_beyond(state, &run, first * PAGE as u64)?;
            for number in &numbers[begin..next] {
                state.pages.remove(number);
                state.dirty -= 1;
            }
            begin = next;
        }
        Ok(())
    }

    /// Makes the chosen written pages valid throughout, and returns their numbers in ascending order.
    pub(super) fn complete_dirty(
        &self,
        state: &mut State,
        choose: impl Fn(&State, u64) -> bool,
    ) -> Result<Vec<u64>> {
        let dirty = state.pages.iter().filter(|(_, page)| page.dirty != 0);
        let mut numbers: Vec<u64> = dirty.map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        for number in &numbers {
            if choose(state, *number) {
                self.page(state, *number, u8::MAX)?;
            }
        }
        Ok(numbers)
    }

    /// Moves all that is staged to the new file, for the last time.
    pub(crate) fn write_out(&self) -> Result<()> {
        self.spill(&mut self.lock())
    }

    /// Returns the parts of a range of the base that show through, as start and length.
    pub(crate) fn untouched(&self, start: u64, length: u64) -> Vec<(u64, u64)> {
        let state = self.lock();
        let pieces = state.extents.pieces(start, length);
        pieces
            .filter(|piece| piece.place.is_none())
            .map(|piece| (piece.start, piece.length))
            .collect()
    }

    /// Returns how far the base shows through at all.
    pub(crate) fn base_limit(&self) -> u64 {
        self.lock().base_limit
    }

    /// Returns how many bytes were moved out of memory, and to how many ranges.
    pub(crate) fn written(&self) -> (u64, u64) {
        self.lock().extents.totals()
    }

    /// Tells whether the length of what is written to is what it is. A new file that is made of a block device is not a device itself.
    fn is_fixed(&self) -> bool {
        self.base.identity().kind == Kind::BlockDevice && !matches!(self.beyond, Beyond::InPlace(_))
    }

    fn check_writable(&self, state: &State, end: u64) -> Result<()> {
        if matches!(self.beyond, Beyond::ReadOnly) || state.sealed {
            return Err(Error::ReadOnly);
        }
        if self.is_fixed() && end > self.base_length {
            let what = "making an image longer that is on a block device is";
            return Err(Unsupported::new(what).into());
        }
        // The kernel's offsets are signed.
        if end > i64::MAX as u64 {
            return Err(Error::OutOfRange {
                offset: end,
                length: 0,
                device_bytes: state.length,
            });
        }
        Ok(())
    }

    fn grow(&self, state: &mut State, length: u64) -> Result<()> {
        let from = state.length;
        state.length = length;
        // What was cut off is still in the base, and must not come back.
        let mut at = from.max(state.base_limit);
        let end = length.min(self.base_length);
        while at < end {
            let count = (end - at).min(PAGE as u64);
            self.write_pages(state, &[0; PAGE][..count as usize], at)?;
            at += count;
        }
        Ok(())
    }

    fn shrink(&self, state: &mut State, length: u64) -> Result<()> {
        let within = (length % PAGE as u64) as usize;
        if within != 0 {
            let rest = &[0; PAGE][within..];
            self.write_pages(state, rest, length)?;
        }
        let end = length.next_multiple_of(PAGE as u64);
        state.pages.retain(|number, _| number * (PAGE as u64) < end);
        state.dirty = state.pages.values().filter(|page| page.dirty != 0).count();
        state.extents.remove(end, u64::MAX);
        state.base_limit = state.base_limit.min(length);
        state.length = length;
        Ok(())
    }
}

impl Storage for StagedFile {
    fn length(&self) -> u64 {
        self.lock().length
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let there = state.length.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let (buffer, past) = buffer.split_at_mut(there);
        past.fill(0);
        if buffer.len() >= LARGE_READ {
            return self.read_large(state, buffer, offset);
        }
        let (mut buffer, mut offset) = (buffer, offset);
        while !buffer.is_empty() {
            let start = (offset % PAGE as u64) as usize;
            let end = PAGE.min(start + buffer.len());
            let page = self.page(state, offset / PAGE as u64, touched(start, end))?;
            let (now, rest) = buffer.split_at_mut(end - start);
            now.copy_from_slice(&page.bytes[start..end]);
            offset += now.len() as u64;
            buffer = rest;
        }
        Ok(())
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let end = offset.saturating_add(data.len() as u64);
        self.check_writable(state, end)?;
        if end > state.length {
            self.grow(state, end)?;
        }
        if data.len() < LARGE {
            return self.write_pages(state, data, offset);
        }
        let page = PAGE as u64;
        let head = (offset.next_multiple_of(page) - offset) as usize;
        let whole = (data.len() - head) / PAGE * PAGE;
        let (head, rest) = data.split_at(head);
        let (middle, tail) = rest.split_at(whole);
        let middle_start = offset + head.len() as u64;
        self.write_pages(state, head, offset)?;
        for (index, chunk) in middle.chunks(CHUNK as usize).enumerate() {
            self.write_beyond(state, chunk, middle_start + index as u64 * CHUNK)?;
        }
        let numbers = middle_start / page..(middle_start + whole as u64) / page;
        let mut cleaned = 0;
        let forget = |was: &Page| usize::from(was.dirty != 0);
        if numbers.end - numbers.start < state.pages.len() as u64 {
            for number in numbers {
                cleaned += state.pages.remove(&number).as_ref().map_or(0, forget);
            }
        } else {
            state.pages.retain(|number, page| {
                let keep = !numbers.contains(number);
                cleaned += if keep { 0 } else { forget(page) };
                keep
            });
        }
        state.dirty -= cleaned;
        self.write_pages(state, tail, middle_start + whole as u64)
    }

    fn set_length(&self, length: u64) -> Result<()> {
        let mut state = self.lock();
        self.check_writable(&state, length)?;
        match length.cmp(&state.length) {
            std::cmp::Ordering::Equal => Ok(()),
            _ if self.is_fixed() => Err(Error::OutOfRange {
                offset: length,
                length: 0,
                device_bytes: state.length,
            }),
            std::cmp::Ordering::Less => self.shrink(&mut state, length),
            std::cmp::Ordering::Greater => self.grow(&mut state, length),
        }
    }
}

impl StagedFile {
    pub(super) fn read_large(&self, state: &State, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.read_below(state, buffer, offset)?;
        let end = offset + buffer.len() as u64;
        let page_bytes = PAGE as u64;
        let mut lay = |number: u64, page: &Page| {
            for sector in 0..8 {
                if page.dirty & (1 << sector) != 0 {
                    let start = number * page_bytes + sector * 512;
                    let from = start.max(offset);
                    let to = (start + 512).min(end);
                    if from < to {
                        let source = (from % page_bytes) as usize;
                        let count = (to - from) as usize;
                        buffer[(from - offset) as usize..][..count]
                            .copy_from_slice(&page.bytes[source..source + count]);
                    }
                }
            }
        };
        let numbers = offset / page_bytes..end.div_ceil(page_bytes);
        if state.dirty == 0 {
            return Ok(());
        }
        if numbers.end - numbers.start < state.pages.len() as u64 {
            for number in numbers {
                if let Some(page) = state.pages.get(&number) {
                    lay(number, page);
                }
            }
        } else {
            for (number, page) in &state.pages {
                if numbers.contains(number) {
                    lay(*number, page);
                }
            }
        }
        Ok(())
    }
}
