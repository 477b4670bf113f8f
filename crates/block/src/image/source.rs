//! The host files of one image, opened and brought to where the last change left them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::named::Permission;
use super::place::Place;
use super::redo_places::RedoPlaces;
use crate::commit::recover::{self, Recovered};
use crate::commit::{Mark, PendingFile};
use crate::error::{Error, Result};
use crate::host::{self, HostFile, Identity, Opening};
use crate::redo::RedoFault;

/// The file of an image, with what a change that was cut short makes of it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) place: Place,
    /// Where the caller, or the image above, said that it is.
    pub(super) spelled: PathBuf,
    pub(super) file: Arc<dyn HostFile>,
    pub(super) places: RedoPlaces,
    pub(super) recovered: Recovered,
    /// Other files of a change that is pending, as they will be.
    pending: Vec<(Identity, Arc<dyn HostFile>)>,
    pub(super) is_pending: bool,
}

impl Source {
    /// Looks for a change that was cut short, and completes it: on the disk or in memory.
    pub(super) fn new(
        place: Place,
        spelled: &Path,
        file: Arc<dyn HostFile>,
        on_disk: bool,
        redo_directory: Option<&Path>,
        permission: &Permission<'_>,
    ) -> Result<Self> {
        let places = RedoPlaces::new(&place, &*file, redo_directory)?;
        let mut source = Self {
            place,
            spelled: spelled.into(),
            file,
            places,
            recovered: Recovered::Nothing,
            pending: Vec::new(),
            is_pending: false,
        };
        if on_disk {
            source.recover(permission)?;
        } else {
            source.look_ahead(permission)?;
        }
        source.check_mark()?;
        Ok(source)
    }

    fn recover(&mut self, permission: &Permission<'_>) -> Result<()> {
        let mut other = |path: &Path| Ok(permission.open(path, true)?.1);
        for place in self.places.all() {
            match recover::recover(place, &self.file, &mut other, &mut |_| {})? {
                Recovered::Nothing => {}
                done => self.recovered = done,
            }
        }
        Ok(())
    }

    fn look_ahead(&mut self, permission: &Permission<'_>) -> Result<()> {
        let mut other = |path: &Path| Ok(permission.open(path, false)?.1);
        for place in self.places.all() {
            let Some(found) = recover::find(place, &self.file, &mut other)? else {
                continue;
            };
            let mut completed = Vec::new();
            for (entry, file) in found.redo.files.iter().zip(&found.files) {
                let pending = PendingFile::new(&found.redo, entry, Arc::clone(file));
                let pending = pending.map_err(|source| Error::Redo {
                    path: place.path.clone(),
                    source,
                })?;
                let pending: Arc<dyn HostFile> = Arc::new(pending);
                completed.push((file.identity(), pending));
            }
            // The first file of a change is the image.
            if !completed.is_empty() {
                self.file = completed.remove(0).1;
            }
            self.pending = completed;
            self.is_pending = true;
            return Ok(());
        }
        Ok(())
    }

    /// Says that a redo file is missed, where the image itself says that it was being changed and no other program does that.
    fn check_mark(&self) -> Result<()> {
        let mut sector = [0; 512];
        host::read_padded(&*self.file, &mut sector, 0).map_err(Error::io("read the image"))?;
        let is_qcow2 = crate::qcow2::probe(&sector);
        if let Some(place) = self.places.all().next()
            && is_qcow2
            && Mark::Qcow2V2.cleared(&sector).is_some()
        {
            return Err(Error::Redo {
                path: place.path.clone(),
                source: RedoFault::Missing,
            });
        }
        Ok(())
    }

    /// Opens another file of the same image.
    pub(super) fn open_data_file(
        &self,
        path: &Path,
        opening: Opening,
        permission: &Permission<'_>,
    ) -> Result<(PathBuf, Arc<dyn HostFile>)> {
        let (located, file) = permission.open(path, opening == Opening::ReadWrite)?;
        let identity = file.identity();
        let same = |other: &Identity| {
            (other.kind, other.device, other.inode)
                == (identity.kind, identity.device, identity.inode)
        };
        let pending = self.pending.iter().find(|(other, _)| same(other));
        let file = pending.map_or(file, |(_, file)| Arc::clone(file));
        Ok((located.path, file))
    }
}
