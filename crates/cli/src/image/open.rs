//! Opening a disk image, and one volume of it.

use christen_vfs::{Error, FileSystem, GuestPath};

use crate::args::image::ReadVolumeArguments;
use crate::failure::Failure;

/// An open filesystem of an image.
#[derive(Debug)]
pub(crate) struct OpenVolume {
    pub(crate) fs: Box<dyn FileSystem>,
    /// The image and the volume in few words.
    pub(crate) name: String,
}

impl OpenVolume {
    /// A failure to read something at a path.
    pub(crate) fn cannot_read(&self, path: &GuestPath, error: &Error) -> Failure {
        Failure::unchanged(format!("cannot read `{path}` in {}", self.name)).because(error)
    }
}

/// Opens the volume that is meant for reading.
pub(crate) fn volume(_arguments: &ReadVolumeArguments) -> Result<OpenVolume, Failure> {
    Err(Failure::unchanged("not yet"))
}
