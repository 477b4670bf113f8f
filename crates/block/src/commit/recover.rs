//! Completing a change that was cut short.

use std::path::Path;
use std::sync::Arc;

use super::apply::{State, Target, apply, verify};
use super::{Progress, RedoPlace, Syncs, interrupted, remove};
use crate::error::{Error, Result};
use crate::host::HostFile;
use crate::redo::{self, Redo, RedoFault};

/// What a recovery has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// There was no redo file: nothing to do.
    Nothing,
    /// The change was completed; so many bytes of it were written.
    Completed {
        /// How many, in whole sectors.
        bytes: u64,
    },
    /// The change was there already; only the redo file was left over, and was removed.
    Discarded,
}

/// Opens the other files of a change, those that are not the image itself.
pub type OpenOther<'a> = &'a mut dyn FnMut(&Path) -> Result<Arc<dyn HostFile>>;

/// Completes a change, if there is one to complete, and removes its redo file.
///
/// `image` is open for writing and locked. Everything is compared before anything is written.
///
/// # Errors
///
/// [`Error::Redo`] if the redo file is not used: nothing was written. [`Error::Interrupted`] if the recovery was cut short itself: do it again.
pub fn recover(
    place: &RedoPlace,
    image: &Arc<dyn HostFile>,
    open_other: OpenOther<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Recovered> {
    let Some(change) = find(place, image, open_other)? else {
        return Ok(Recovered::Nothing);
    };
    let mut syncs = Syncs::default();
    let targets = change.targets();
    let complete = change.state == State::New;
    let finish = |syncs: &mut Syncs, progress: &mut dyn FnMut(Progress)| {
        if complete {
            // All is there to be read; whether it is there to stay is not known.
            for target in &targets {
                syncs.file(target.file, "the image")?;
            }
        } else {
            // The redo file may have been found before its name was durable.
            syncs.directory(place)?;
            apply(&change.redo, &targets, syncs, progress)?;
        }
        remove(place, syncs)
    };
    finish(&mut syncs, progress).map_err(|error| interrupted(place, error))?;
    Ok(if complete {
        Recovered::Discarded
    } else {
        Recovered::Completed {
            bytes: change.redo.data_bytes,
        }
    })
}

/// A change that was found beside an image and compared with it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) redo: Redo,
    /// The files, in the order of the redo file.
    pub(crate) files: Vec<Arc<dyn HostFile>>,
    pub(crate) state: State,
}

impl Found {
    fn targets(&self) -> Vec<Target<'_>> {
        let files = self.redo.files.iter().zip(&self.files);
        files
            .map(|(entry, file)| Target {
                entry,
                file: &**file,
            })
            .collect()
    }
}

/// Finds the redo file of an image, and compares it with the image.
pub(crate) fn find(
    place: &RedoPlace,
    image: &Arc<dyn HostFile>,
    open_other: OpenOther<'_>,
) -> Result<Option<Found>> {
    let fault = |source| Error::Redo {
        path: place.path.clone(),
        source,
    };
    let owner = image.identity().owner;
    let opened = redo::open(&*place.directory, &place.name, owner).map_err(fault)?;
    let Some(file) = opened else {
        return Ok(None);
    };
    let redo = Redo::open(file).map_err(fault)?;
    let mut files = Vec::new();
    for (index, entry) in redo.files.iter().enumerate() {
        if index == 0 {
            files.push(Arc::clone(image));
            // Whatever else the redo file names is not opened for the sake of one that is not ours.
            if !redo.names(entry, &image.identity()) {
                return Err(fault(RedoFault::Foreign));
            }
        } else {
            files.push(open_other(&entry.path).map_err(|error| match error {
                Error::NotAllowed { path } => fault(RedoFault::NotAllowed(path)),
                other => other,
            })?);
        }
    }
    let mut state = State::New;
    for (entry, file) in redo.files.iter().zip(&files) {
        let target = Target {
            entry,
            file: &**file,
        };
        if verify(&redo, target).map_err(fault)? == State::Partial {
            state = State::Partial;
        }
    }
    Ok(Some(Found { redo, files, state }))
}
