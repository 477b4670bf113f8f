//! The commit: from what is staged to what is there, whole or not at all.
//!
//! `docs/commit.md` has the order of writes and syncs with the reasons. In short: the redo file is written, synced and linked; the
//! image is marked; the change is applied and synced; the mark goes; the redo file goes. A cut before the link leaves
//! the old image, and after it [`recover`](recover::recover) completes the new one.

mod apply;
mod mark;
mod pending;
pub mod recover;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use apply::Target;
pub use mark::Mark;
pub(crate) use pending::PendingFile;

use crate::error::{Error, Result};
use crate::host::{HostDirectory, HostFile};
use crate::overlay::{Change, Overlay, reserve};
use crate::redo::{FileHead, Redo, TableWriter};
use crate::storage::Storage;

/// Where the redo file of an image stands.
#[derive(Debug, Clone)]
pub struct RedoPlace {
    /// The directory, open.
    pub directory: Arc<dyn HostDirectory>,
    /// The name of the redo file in it.
    pub name: OsString,
    /// The whole path, for messages.
    pub path: PathBuf,
}

impl RedoPlace {
    pub(crate) fn directory_name(&self) -> String {
        let parent = self.path.parent();
        parent.map_or_else(String::new, |parent| parent.display().to_string())
    }
}

/// What a commit has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// How many bytes of the image were written, in whole sectors.
    pub bytes: u64,
    /// In how many ranges.
    pub ranges: u64,
    /// How many bytes the redo file had, or the new file got.
    pub redo_bytes: u64,
    /// How many times the host was asked to make something durable.
    pub syncs: u64,
}

/// How far a commit or a recovery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes applied.
    pub done: u64,
    /// Bytes to apply in all.
    pub total: u64,
}

/// Counts and does syncs.
#[derive(Debug, Default)]
pub(crate) struct Syncs(pub(crate) u64);

impl Syncs {
    pub(crate) fn file(&mut self, file: &(impl HostFile + ?Sized), what: &str) -> Result<()> {
        self.0 += 1;
        file.sync().map_err(Error::io(format!("sync {what}")))
    }

    pub(crate) fn directory(&mut self, place: &RedoPlace) -> Result<()> {
        self.0 += 1;
        place
            .directory
            .sync()
            .map_err(Error::io(format!("sync `{}`", place.directory_name())))
    }
}

impl Overlay {
    /// Writes what is staged to the host files, all of it or nothing, and returns when it is durable.
    ///
    /// Nothing is written and nothing synced if nothing differs. Every storage and device over this overlay refuses writes from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] if the image may hold a part of the change; after every other error it is as it was, and no redo file is
    /// left. [`Error::ReadOnly`] if the overlay is.
    pub fn commit(self, progress: &mut dyn FnMut(Progress)) -> Result<Committed> {
        self.seal();
        let spool = self.spool.as_ref().ok_or(Error::ReadOnly)?;
        let in_memory: u64 = self.files.iter().map(|file| file.staged.in_memory()).sum();
        // What is in memory, its table, and a page for each file's first sector and the header.
        spool.reserve(in_memory + in_memory / 16 + 16384)?;
        let Some((redo, mut committed)) = self.write_redo()? else {
            return Ok(Committed::default());
        };
        let place = spool.place();
        let mut syncs = Syncs::default();
        syncs.file(&*redo.file, "the redo file")?;

        let (new, _) = spool.file()?;
        new.link(&place.name).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Error::Exists {
                path: place.path.clone(),
            },
            _ => Error::io(format!("link `{}`", place.path.display()))(error),
        })?;
        let targets: Vec<_> = redo
            .files
            .iter()
            .zip(&self.files)
            .map(|(entry, member)| Target {
                entry,
                file: &**member.staged.base(),
            })
            .collect();
        let ready = syncs
            .directory(place)
            .and_then(|()| reserve_targets(&redo, &targets));
        if let Err(error) = ready {
            // Nothing has reached the image. If the name goes for good, nothing will.
            let gone = place.directory.unlink(&place.name);
            return match gone.and_then(|()| place.directory.sync()) {
                Ok(()) => Err(error),
                Err(_) => Err(interrupted(place, error)),
            };
        }
        apply::apply(&redo, &targets, &mut syncs, progress)
            .and_then(|()| remove(place, &mut syncs))
            .map_err(|error| interrupted(place, error))?;
        committed.syncs = syncs.0;
        Ok(committed)
    }

    /// Writes the redo file, and reads it back. `None` if nothing differs.
    fn write_redo(&self) -> Result<Option<(Redo, Committed)>> {
        let spool = self.spool.as_ref().ok_or(Error::ReadOnly)?;
        let writing = || Error::io("write the redo file");
        let (new, spooled_to) = spool.file()?;
        let mut data_end = spooled_to;
        let in_memory: u64 = self.files.iter().map(|file| file.staged.in_memory()).sum();
        // A page more for each file whose first sector goes along.
        let room = in_memory + 4096 * self.files.len() as u64;
        let mut table = TableWriter::new(&*new, spooled_to + room);
        let mut differs = false;
        for member in &self.files {
            let staged = &member.staged;
            differs |= staged.base_length() != staged.length();
            table
                .begin_file(&FileHead {
                    identity: staged.base().identity(),
                    format: member.mark.number(),
                    old_length: staged.base_length(),
                    new_length: staged.length(),
                    path: member.path.as_deref().map(std::path::Path::as_os_str),
                })
                .map_err(writing())?;
            let first = member.mark != Mark::None;
            staged.changed(first, &mut |change: &Change<'_>| {
                differs = differs || change.old != change.new;
                let place = match change.spooled {
                    Some(place) => place,
                    None => {
                        let place = data_end;
                        new.write_at(change.new, place).map_err(writing())?;
                        data_end += change.new.len() as u64;
                        place
                    }
                };
                table
                    .range(change.offset, change.old, change.new, place)
                    .map_err(writing())
            })?;
            table.end_file();
        }
        if !differs {
            return Ok(None);
        }
        let (bytes, ranges) = table.totals();
        let redo_bytes = table.finish().map_err(writing())?;
        let path = &spool.place().path;
        let redo = Redo::open(Arc::clone(&new).as_file()).map_err(|source| Error::Redo {
            path: path.clone(),
            source,
        })?;
        let committed = Committed {
            bytes,
            ranges,
            redo_bytes,
            syncs: 0,
        };
        Ok(Some((redo, committed)))
    }
}

fn interrupted(place: &RedoPlace, error: Error) -> Error {
    Error::Interrupted {
        redo: place.path.clone(),
        source: Box::new(error),
    }
}

/// Removes the redo file for good.
fn remove(place: &RedoPlace, syncs: &mut Syncs) -> Result<()> {
    place
        .directory
        .unlink(&place.name)
        .map_err(Error::io(format!("remove `{}`", place.path.display())))?;
    syncs.directory(place)
}

/// Holes smaller than this are filled from what the filesystem keeps in hand, and a call for each would cost more than it saves.
const RESERVED_ALONE: u64 = 64 << 10;

/// Ranges for which space was taken: the target's index, offset and length.
type Taken = Vec<(usize, u64, u64)>;

/// Sees to it that the change finds room in the files that it fills holes of or makes longer. If it does not, what was taken already is
/// given back, or a change that is refused would leave the host fuller than it was.
fn reserve_targets(redo: &Redo, targets: &[Target<'_>]) -> Result<()> {
    let mut taken = Taken::new();
    take_space(redo, targets, &mut taken).inspect_err(|_| {
        for (index, offset, length) in taken {
            // The image is sound if that fails, and why there is no room is what has to be said.
            let _ = targets[index].file.release(offset, length);
        }
    })
}

fn take_space(redo: &Redo, targets: &[Target<'_>], taken: &mut Taken) -> Result<()> {
    let asking = || Error::io("ask for the allocated space of the image");
    for (index, target) in targets.iter().enumerate() {
        let mut small = 0;
        let mut ranges = redo.ranges(target.entry).map_err(reading_redo)?;
        while let Some(range) = ranges.next().map_err(reading_redo)? {
            if !matches!(range.old, crate::redo::OldContent::Zero) {
                continue;
            }
            if range.length >= RESERVED_ALONE {
                let before = target.file.allocated().map_err(asking())?;
                let reserved = reserve(target.file, range.offset, range.length, "the image");
                // After a failure too: a part may have been found. What was there before is not ours to give back.
                if target.file.allocated().map_err(asking())? > before {
                    match taken.last_mut() {
                        Some((last, offset, length))
                            if *last == index && *offset + *length == range.offset =>
                        {
                            *length += range.length;
                        }
                        _ => taken.push((index, range.offset, range.length)),
                    }
                }
                reserved?;
            } else {
                small += range.length;
            }
        }
        if small > 0 {
            let available = target
                .file
                .available()
                .map_err(Error::io("ask for the free space of the image"))?;
            if available.is_some_and(|available| available < small) {
                return Err(Error::NoSpace {
                    place: "the image".into(),
                    needed: small,
                    available,
                });
            }
        }
    }
    Ok(())
}

/// Turns a fault of a redo file that was sound a moment ago into an error of reading.
fn reading_redo(fault: crate::redo::RedoFault) -> Error {
    Error::io("read the redo file")(std::io::Error::other(fault))
}
