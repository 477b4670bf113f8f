//! Opening an image, and committing what was changed in it.

mod options;
mod output;
mod raw;
mod redo_places;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use options::{Format, OpenOptions, Purpose, StatedFormat};

use crate::commit::recover::{self, Recovered};
use crate::commit::{Committed, Mark, PendingFile, Progress};
use crate::device::BlockDevice;
use crate::error::{Error, Result, Unsupported};
use crate::host::{self, HostFile, Locking, Opening};
use crate::overlay::{Changes, Overlay, OverlayFile};
use output::Output;
use raw::RawDisk;
use redo_places::RedoPlaces;

/// An open image: the disk in it, and the changes staged over it.
///
/// Dropping it forgets the changes; nothing is left behind.
///
/// ```no_run
/// use christen_block::image::{Format, Image, OpenOptions, Purpose, StatedFormat};
/// use christen_block::BlockDevice;
///
/// # fn main() -> christen_block::Result<()> {
/// let image = Image::open(
///     "web-01.img".as_ref(),
///     &OpenOptions {
///         format: StatedFormat::Stated(Format::Raw),
///         purpose: Purpose::Change,
///         allow_backing: Vec::new(),
///         redo_directory: None,
///     },
/// )?;
/// image.disk().write_at(b"hello", 1 << 20)?;
/// let committed = image.commit(&mut |_| {})?;
/// assert_eq!(committed.ranges, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    format: Format,
    recovered: Recovered,
    pending: bool,
    disk: Arc<dyn BlockDevice>,
    overlay: Overlay,
    output: Option<Output>,
}

impl Image {
    /// Opens an image, locks it as QEMU does, and completes a change to it that was cut short: on the disk if it is opened to be
    /// changed, in memory otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::FormatNotStated`], [`Error::InUse`], [`Error::NotAFile`], [`Error::NotAllowed`], [`Error::NoRedoDirectory`],
    /// [`Error::Redo`], [`Error::Corrupt`], [`Error::Unsupported`], [`Error::Io`]: nothing was written.
    /// [`Error::Interrupted`] if a change was to be completed and could not.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self> {
        let changes_in_place = options.purpose == Purpose::Change;
        let (opening, locking) = match options.purpose {
            Purpose::Change => (Opening::ReadWrite, Locking::Write),
            Purpose::Read { even_in_use: true } => (Opening::ReadOnly, Locking::Ignore),
            Purpose::Read { .. } | Purpose::Output { .. } => (Opening::ReadOnly, Locking::Read),
        };
        let located = host::locate(path)?;
        let format = match options.format {
            StatedFormat::Stated(format) => Some(format),
            StatedFormat::Probed => None,
        };
        if format.is_none() && !matches!(options.purpose, Purpose::Read { .. }) {
            // Read what it looks like only to say so.
            let file = host::open(&located, Opening::ReadOnly, Locking::Ignore)?;
            return Err(Error::FormatNotStated {
                path: path.into(),
                looks_like: probe(&*file)?.name(),
            });
        }
        let file: Arc<dyn HostFile> = host::open(&located, opening, locking)?;
        let places = RedoPlaces::new(&located, &*file, options.redo_directory.as_deref())?;
        let mut opened = Opened {
            file,
            recovered: Recovered::Nothing,
            pending: false,
        };
        for place in places.all() {
            opened.complete(place, changes_in_place, &options.allow_backing)?;
        }
        let Opened {
            file,
            recovered,
            pending,
        } = opened;
        let format = match format {
            Some(format) => format,
            None => probe(&*file)?,
        };
        if format == Format::Qcow2 {
            return Err(Unsupported::new("qcow2 images are").into());
        }
        let member = OverlayFile {
            file: Arc::clone(&file),
            mark: Mark::None,
            path: None,
        };
        let (overlay, output) = match &options.purpose {
            Purpose::Read { .. } => (Overlay::read_only(vec![member])?, None),
            Purpose::Change => {
                let place = places.for_writing(&located)?;
                (Overlay::staged(vec![member], place)?, None)
            }
            Purpose::Output { path, format } => {
                let output = Output::create(path)?;
                if *format == Format::Qcow2 {
                    return Err(Unsupported::new("a qcow2 overlay as output is").into());
                }
                (Overlay::copy(file, output.file())?, Some(output))
            }
        };
        // The overlay has this one file.
        let storage = overlay.storage(0).ok_or(Error::ReadOnly)?;
        Ok(Self {
            path: located.path,
            format,
            recovered,
            pending,
            disk: Arc::new(RawDisk::new(storage)),
            overlay,
            output,
        })
    }

    /// Returns the path of the image, with all links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the format, as stated or as found.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns what opening has done about a change that was cut short.
    pub fn recovered(&self) -> Recovered {
        self.recovered
    }

    /// Tells whether a change that was cut short is shown as if it were complete, and is still to be completed on the disk.
    pub fn is_recovery_pending(&self) -> bool {
        self.pending
    }

    /// Returns the disk as a guest sees it, with what is staged. Writing to it stages.
    pub fn disk(&self) -> Arc<dyn BlockDevice> {
        Arc::clone(&self.disk)
    }

    /// Sees to it that large writes of so many bytes in all find room.
    ///
    /// # Errors
    ///
    /// [`Error::NoSpace`]; nothing was written.
    pub fn reserve(&self, bytes: u64) -> Result<()> {
        match &self.output {
            Some(output) => output.reserve(bytes),
            None => self.overlay.reserve(bytes),
        }
    }

    /// Returns what a commit would change in the host's files.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; nothing is written.
    pub fn changes(&self) -> Result<Changes> {
        self.disk.flush()?;
        self.overlay.changes()
    }

    /// Makes the changes, all of them or none, and returns when they are durable. The disk refuses writes from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] if the image may hold a part of the change, which a recovery then completes. After every other error the
    /// image is as it was, and the new file of [`Purpose::Output`] is not there.
    pub fn commit(self, progress: &mut dyn FnMut(Progress)) -> Result<Committed> {
        self.disk.flush()?;
        match self.output {
            Some(output) => output.finish(self.overlay, progress),
            None => self.overlay.commit(progress),
        }
    }
}

/// Completes a change to an image that was cut short, if there is one.
///
/// # Errors
///
/// As [`Image::open`]; the format need not be known, for the redo file knows it.
pub fn recover(
    path: &Path,
    redo_directory: Option<&Path>,
    allow_backing: &[PathBuf],
    progress: &mut dyn FnMut(Progress),
) -> Result<Recovered> {
    let located = host::locate(path)?;
    let file: Arc<dyn HostFile> = host::open(&located, Opening::ReadWrite, Locking::Write)?;
    let places = RedoPlaces::new(&located, &*file, redo_directory)?;
    for place in places.all() {
        let mut other = |path: &Path| open_other(path, allow_backing, true);
        match recover::recover(place, &file, &mut other, progress)? {
            Recovered::Nothing => {}
            done => return Ok(done),
        }
    }
    Ok(Recovered::Nothing)
}

/// The image's own file, and what was found beside it.
#[derive(Debug)]
struct Opened {
    file: Arc<dyn HostFile>,
    recovered: Recovered,
    pending: bool,
}

impl Opened {
    fn complete(
        &mut self,
        place: &crate::commit::RedoPlace,
        on_disk: bool,
        allow_backing: &[PathBuf],
    ) -> Result<()> {
        let mut other = |path: &Path| open_other(path, allow_backing, on_disk);
        if on_disk {
            match recover::recover(place, &self.file, &mut other, &mut |_| {})? {
                Recovered::Nothing => {}
                done => self.recovered = done,
            }
        } else if let Some(found) = recover::find(place, &self.file, &mut other)? {
            let fault = |source| Error::Redo {
                path: place.path.clone(),
                source,
            };
            // A redo file always has a first file, which is the image.
            if let Some(entry) = found.redo.files.first() {
                let base = Arc::clone(&self.file);
                let completed = PendingFile::new(&found.redo, entry, base).map_err(fault)?;
                self.file = Arc::new(completed);
                self.pending = true;
            }
        }
        Ok(())
    }
}

/// Opens a file that something on the disk names, if it lies where that is allowed.
fn open_other(path: &Path, allowed: &[PathBuf], writing: bool) -> Result<Arc<dyn HostFile>> {
    let refused = || Error::NotAllowed { path: path.into() };
    let inside = |path: &Path| {
        allowed
            .iter()
            .filter_map(|directory| directory.canonicalize().ok())
            .any(|directory| path.starts_with(directory))
    };
    // Whether a file exists that may not be opened is nobody's business, so that is asked first.
    if allowed.is_empty() {
        return Err(refused());
    }
    let located = host::locate(path).map_err(|_| refused())?;
    if !inside(&located.path) {
        return Err(refused());
    }
    let (opening, locking) = if writing {
        (Opening::ReadWrite, Locking::Write)
    } else {
        (Opening::ReadOnly, Locking::Read)
    };
    Ok(host::open(&located, opening, locking)?)
}

/// Says what an image looks like.
fn probe(file: &dyn HostFile) -> Result<Format> {
    let mut start = [0; 4];
    host::read_padded(file, &mut start, 0).map_err(Error::io("read the image"))?;
    Ok(if start == *b"QFI\xfb" {
        Format::Qcow2
    } else {
        Format::Raw
    })
}
