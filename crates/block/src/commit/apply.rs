//! Comparing a redo file with the image, and writing what it says.

use super::mark::{Mark, Sector};
use super::{Progress, Syncs, reading_redo};
use crate::error::{Error, Result};
use crate::host::{HostFile, Kind, read_padded};
use crate::overlay::reading;
use crate::redo::{FileEntry, Redo, RedoFault, SECTOR};

/// A file that a redo file changes, and the open file that it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) entry: &'a FileEntry,
    pub(crate) file: &'a dyn HostFile,
}

/// What a comparison has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// All of the change is there.
    New,
    /// Some of it is missing.
    Partial,
}

/// Checks that every sector is what it was or what it should become.
///
/// # Errors
///
/// [`RedoFault::Foreign`], [`RedoFault::Length`], [`RedoFault::Conflict`]; nothing is written.
pub(crate) fn verify(redo: &Redo, target: Target<'_>) -> Result<State, RedoFault> {
    let Target { entry, file } = target;
    if !redo.names(entry, &file.identity()) {
        return Err(RedoFault::Foreign);
    }
    let there = file.length().map_err(RedoFault::Io)?;
    let (old, new) = (entry.old_length, entry.new_length);
    if there < old.min(new) || there > old.max(new) {
        return Err(RedoFault::Length { there, old, new });
    }
    let mut state = if there == new {
        State::New
    } else {
        State::Partial
    };
    let (mut wanted, mut current) = (Vec::new(), Vec::new());
    let mut ranges = redo.ranges(entry)?;
    while let Some(range) = ranges.next()? {
        redo.read_data(&range, &mut wanted)?;
        current.resize(wanted.len(), 0);
        read_padded(file, &mut current, range.offset).map_err(RedoFault::Io)?;
        let sectors = current.chunks(SECTOR as usize);
        for (index, (sector, wanted)) in sectors.zip(wanted.chunks(SECTOR as usize)).enumerate() {
            let offset = range.offset + index as u64 * SECTOR;
            // Bytes behind the new end are not written; the length takes them away.
            let count = (new - offset).min(SECTOR) as usize;
            if sector[..count] == wanted[..count] {
                continue;
            }
            state = State::Partial;
            if !range.old.is(index, sector) && !is_marked_old(entry.mark, &range, offset, sector) {
                let file = entry.path.clone();
                return Err(RedoFault::Conflict { file, offset });
            }
        }
    }
    Ok(state)
}

fn is_marked_old(mark: Mark, range: &crate::redo::RangeEntry, offset: u64, sector: &[u8]) -> bool {
    let Ok(sector) = <&Sector>::try_from(sector) else {
        return false;
    };
    offset == 0
        && mark
            .cleared(sector)
            .is_some_and(|cleared| range.old.is(0, &cleared))
}

/// Writes a change in the order that a cut at any moment leaves something to complete.
pub(crate) fn apply(
    redo: &Redo,
    targets: &[Target<'_>],
    syncs: &mut Syncs,
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let writing = || Error::io("write the image");
    for target in targets {
        if target.entry.mark != Mark::None {
            let mut sector: Sector = [0; SECTOR as usize];
            read_padded(target.file, &mut sector, 0).map_err(reading)?;
            target.entry.mark.set(&mut sector);
            target.file.write_at(&sector, 0).map_err(writing())?;
            syncs.file(target.file, "the image")?;
        }
    }
    let mut done = 0;
    let total = redo.data_bytes;
    let mut last = vec![None; targets.len()];
    for (target, last) in targets.iter().zip(&mut last) {
        let Target { entry, file } = *target;
        let resize = |wanted: bool| {
            if wanted && entry.kind == Kind::Regular {
                file.set_length(entry.new_length).map_err(writing())
            } else {
                Ok(())
            }
        };
        let there = file.length().map_err(reading)?;
        // A longer length goes first, so that it is the old or the new one at every moment.
        resize(there < entry.new_length)?;
        let mut data = Vec::new();
        let mut ranges = redo.ranges(entry).map_err(reading_redo)?;
        while let Some(range) = ranges.next().map_err(reading_redo)? {
            redo.read_data(&range, &mut data).map_err(reading_redo)?;
            let within = (entry.new_length - range.offset).min(range.length) as usize;
            let mut now = &data[..within];
            let mut offset = range.offset;
            if entry.mark != Mark::None && offset == 0 {
                let (first, rest) = now.split_at(now.len().min(SECTOR as usize));
                *last = Some(first.to_vec());
                now = rest;
                offset += first.len() as u64;
            }
            if !now.is_empty() {
                file.write_at(now, offset).map_err(writing())?;
            }
            done += range.length;
            progress(Progress { done, total });
        }
        if there > entry.new_length {
            // Were the shorter length durable before the data, the sector that it cuts would be neither old nor new.
            syncs.file(file, "the image")?;
            resize(true)?;
        }
        syncs.file(file, "the image")?;
    }
    for (target, last) in targets.iter().zip(&last) {
        if let Some(first) = last {
            target.file.write_at(first, 0).map_err(writing())?;
            syncs.file(target.file, "the image")?;
        }
    }
    Ok(())
}
