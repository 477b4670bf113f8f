//! The files that an image consists of, for whoever asks what it is.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Format, Image};
use crate::error::Result;
use crate::qcow2::{self, Bitmap, Header, Snapshot};
use crate::storage::Storage;

/// What a file is to the one that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerRole {
    /// The image itself, which the caller names.
    Image,
    /// The file that the guest's data is in, beside the tables of a qcow2 image.
    DataFile,
    /// The file that holds what the one above it does not.
    BackingFile,
}

/// A file that an image consists of.
#[derive(Debug, Clone)]
pub struct Layer {
    /// What it is to the file that names it.
    pub role: LayerRole,
    /// The number, in the list of all, of the file that names it; none for the image itself.
    pub named_by: Option<usize>,
    /// The name as the file above stores it, any bytes; the path of the image as the caller gave it.
    pub name: Vec<u8>,
    /// The format as the file above, or the caller, states it.
    pub stated_format: Option<String>,
    /// What is known of it. None if it was not opened, for want of permission or because it is refused.
    pub opened: Option<OpenedLayer>,
}

/// What is known of a file that was opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenedLayer {
    /// The path with all links resolved, or the URI.
    pub path: PathBuf,
    /// The format, as stated or as found. That of a data file is raw: it has no tables.
    pub format: Format,
    /// Whether a change to it was cut short, and is shown as if it were complete.
    pub is_recovery_pending: bool,
    /// The length of the file in bytes.
    pub file_bytes: u64,
    /// The header of a qcow2 image.
    pub header: Option<Header>,
    pub(super) storage: Arc<dyn Storage>,
}

impl OpenedLayer {
    /// Reads the first `most` of the internal snapshots, as [`qcow2::snapshots`] does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn snapshots(&self, most: usize) -> Result<Vec<Snapshot>> {
        match &self.header {
            Some(header) => qcow2::snapshots(header, &*self.storage, most),
            None => Ok(Vec::new()),
        }
    }

    /// Reads the first `most` of the bitmaps, as [`qcow2::bitmaps`] does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn bitmaps(&self, most: usize) -> Result<Vec<Bitmap>> {
        match &self.header {
            Some(header) => qcow2::bitmaps(header, &*self.storage, most),
            None => Ok(Vec::new()),
        }
    }
}

/// What is found when an image is opened.
#[derive(Debug)]
pub struct Inspection {
    /// The files: the image first, and each behind the one that names it. There is always one, and the first is opened.
    pub layers: Vec<Layer>,
    /// The open image; or why one of the files was not opened, so that its disk cannot be seen.
    pub image: Result<Image>,
}
