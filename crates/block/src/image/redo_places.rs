//! Where the redo file of an image may be.

use std::path::Path;
use std::sync::Arc;

use crate::commit::RedoPlace;
use crate::error::{Error, Result};
use crate::host::{HostFile, Kind, OpenDirectory};
use crate::redo;

use super::place::Place;

/// Where the redo file of an image may be.
#[derive(Debug)]
pub(super) struct RedoPlaces {
    beside: Option<RedoPlace>,
    elsewhere: Option<RedoPlace>,
}

impl RedoPlaces {
    pub(super) fn new(
        image: &Place,
        file: &dyn HostFile,
        redo_directory: Option<&Path>,
    ) -> Result<Self> {
        let identity = file.identity();
        let beside = match image {
            Place::File(located) if identity.kind == Kind::Regular => {
                let name = redo::beside(&located.name);
                let parent = located.path.parent().unwrap_or(Path::new("/"));
                Some(RedoPlace {
                    directory: Arc::<OpenDirectory>::clone(&located.directory),
                    path: parent.join(&name),
                    name,
                })
            }
            _ => None,
        };
        let elsewhere = redo_directory
            .map(|directory| {
                let name = redo::in_directory(&identity);
                let opened = OpenDirectory::open(directory)
                    .map_err(Error::io(format!("open `{}`", directory.display())))?;
                Ok::<_, Error>(RedoPlace {
                    directory: Arc::new(opened),
                    path: directory.join(&name),
                    name,
                })
            })
            .transpose()?;
        Ok(Self { beside, elsewhere })
    }

    /// Returns where one may be found.
    pub(super) fn all(&self) -> impl Iterator<Item = &RedoPlace> {
        self.elsewhere.iter().chain(&self.beside)
    }

    /// Returns where one is made.
    pub(super) fn for_writing(self, image: &Path) -> Result<RedoPlace> {
        self.elsewhere
            .or(self.beside)
            .ok_or_else(|| Error::NoRedoDirectory { path: image.into() })
    }
}
