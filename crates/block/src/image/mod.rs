//! Opening an image, and committing what was changed in it.

mod chain;
mod layer;
mod named;
mod options;
mod output;
mod place;
mod raw;
mod redo_places;
mod source;

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use layer::{Inspection, Layer, LayerRole, OpenedLayer};
pub use options::{Format, OpenOptions, OutputKind, Purpose, StatedFormat};

use crate::access::Access;
use crate::commit::recover::{self, Recovered};
use crate::commit::{Committed, Mark, Progress};
use crate::device::BlockDevice;
use crate::error::{Error, Result, Unsupported};
use crate::host::{Locking, Opening};
use crate::overlay::{Changes, Overlay, OverlayFile};
use crate::qcow2::{self, CreateOptions};
use chain::Chain;
use named::Permission;
use output::Output;
use place::Place;
use redo_places::RedoPlaces;
use source::Source;

/// Clusters of 64 KiB, as QEMU makes them.
const CLUSTER_BITS: u32 = 16;

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
    /// Opens an image by its path, or an export by its URI (`nbd://…`, `nbd+unix://…`), locks a file as QEMU does, and completes a change to it that was cut short: on the disk if it is opened to be
    /// changed, in memory otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::FormatNotStated`], [`Error::InUse`], [`Error::NotAFile`], [`Error::NotAllowed`], [`Error::NoRedoDirectory`],
    /// [`Error::Redo`], [`Error::Corrupt`], [`Error::Unsupported`], [`Error::Io`]: nothing was written.
    /// [`Error::Interrupted`] if a change was to be completed and could not.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self> {
        Self::open_noting(path, options, &mut Vec::new())
    }

    /// Opens an image as [`open`](Self::open) does, and tells which files it consists of, also where one that it names may not or cannot be
    /// opened. The files stay open, and locked, with what is returned.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), unless all that fails is opening a file that is named inside the image or in a file below it.
    pub fn inspect(path: &Path, options: &OpenOptions) -> Result<Inspection> {
        let mut layers = Vec::new();
        let image = Self::open_noting(path, options, &mut layers);
        let is_named_missing = match &layers[..] {
            [first, named @ ..] => {
                first.opened.is_some() && named.iter().any(|it| it.opened.is_none())
            }
            [] => false,
        };
        match image {
            Err(error) if !is_named_missing => Err(error),
            image => Ok(Inspection { layers, image }),
        }
    }

    fn open_noting(path: &Path, options: &OpenOptions, layers: &mut Vec<Layer>) -> Result<Self> {
        let (opening, locking) = match options.purpose {
            Purpose::Change => (Opening::ReadWrite, Locking::Write),
            Purpose::Read { even_in_use: true } => (Opening::ReadOnly, Locking::Ignore),
            Purpose::Read { .. } | Purpose::Output { .. } => (Opening::ReadOnly, Locking::Read),
        };
        let place = Place::find(path)?;
        let stated = match options.format {
            StatedFormat::Stated(format) => Some(format),
            StatedFormat::Probed => None,
        };
        if stated.is_none() && !matches!(options.purpose, Purpose::Read { .. }) {
            // What it looks like is only told.
            let file = place.open(Opening::ReadOnly, Locking::Ignore)?;
            return Err(Error::FormatNotStated {
                path: path.into(),
                looks_like: chain::probe(&*file)?.name(),
            });
        }
        let output = match &options.purpose {
            Purpose::Output { path, kind } => Some((Output::create(path)?, *kind)),
            _ => None,
        };
        let file = place.open(opening, locking)?;
        let permission = Permission {
            directories: &options.allow_backing,
            reading: match locking {
                Locking::Ignore => Locking::Ignore,
                _ => Locking::Read,
            },
        };
        let redo_directory = options.redo_directory.as_deref();
        let on_disk = options.purpose == Purpose::Change;
        let source = Source::new(place, path, file, on_disk, redo_directory, &permission)?;
        let format = match stated {
            Some(format) => format,
            None => chain::probe(&*source.file)?,
        };
        let image = Layer {
            role: LayerRole::Image,
            named_by: None,
            name: path.as_os_str().as_bytes().to_vec(),
            stated_format: stated.map(|format| format.name().to_owned()),
            opened: None,
        };
        let mut chain = Chain::new(permission, redo_directory, image, layers);
        match output {
            None => Self::open_in_place(source, format, on_disk, &mut chain),
            Some((output, OutputKind::Copy)) => Self::open_copy(source, format, output, &mut chain),
            Some((output, OutputKind::Overlay)) => {
                Self::open_overlay(source, format, output, &mut chain)
            }
        }
    }

    fn open_in_place(
        source: Source,
        format: Format,
        is_changed: bool,
        chain: &mut Chain<'_>,
    ) -> Result<Self> {
        let access = if is_changed {
            Access::Write
        } else {
            Access::Read
        };
        let needed = chain.needed(&source, format, access)?;
        let image = OverlayFile {
            file: source.file,
            mark: needed.mark.unwrap_or(Mark::None),
            path: None,
        };
        let files = [image].into_iter().chain(needed.data_file).collect();
        let overlay = if is_changed {
            Overlay::staged(files, source.places.for_writing(source.place.path())?)?
        } else {
            Overlay::read_only(files)?
        };
        Ok(Self {
            path: source.place.path().into(),
            format,
            recovered: source.recovered,
            pending: source.is_pending,
            disk: chain::disk(&overlay, format, needed.backing, access)?,
            overlay,
            output: None,
        })
    }

    fn open_copy(
        source: Source,
        format: Format,
        output: Output,
        chain: &mut Chain<'_>,
    ) -> Result<Self> {
        let needed = chain.needed(&source, format, Access::Write)?;
        if needed.data_file.is_some() {
            return Err(Unsupported::new("a copy of a qcow2 image with a data file is").into());
        }
        if let Some(name) = needed.backing_name
            && !name.starts_with(b"/")
            && !output.is_beside(&source.spelled)
        {
            let what =
                "a copy in another directory of an image with a relative backing file name is";
            return Err(Unsupported::new(what).into());
        }
        let overlay = Overlay::copy(source.file, output.file())?;
        Ok(Self {
            path: source.place.path().into(),
            format,
            recovered: source.recovered,
            pending: source.is_pending,
            disk: chain::disk(&overlay, format, needed.backing, Access::Write)?,
            overlay,
            output: Some(output),
        })
    }

    fn open_overlay(
        source: Source,
        format: Format,
        output: Output,
        chain: &mut Chain<'_>,
    ) -> Result<Self> {
        if source.is_pending {
            // The new image would be right only as long as nobody completes the change to this one.
            return Err(Error::RecoveryPending {
                path: source.place.path().into(),
            });
        }
        let needed = chain.needed(&source, format, Access::Read)?;
        let image = OverlayFile {
            file: source.file,
            mark: Mark::None,
            path: None,
        };
        let files = [image].into_iter().chain(needed.data_file).collect();
        let backing = chain::disk(
            &Overlay::read_only(files)?,
            format,
            needed.backing,
            Access::Read,
        )?;
        let overlay = Overlay::copy(output.file().as_file(), output.file())?;
        // The overlay has this one file.
        let storage = overlay.storage(0).ok_or(Error::ReadOnly)?;
        let path = source.place.path().to_path_buf();
        let name = path.as_os_str().as_bytes();
        let create = CreateOptions {
            // As `qemu-img create` does with an odd length.
            virtual_bytes: backing.length().next_multiple_of(512),
            cluster_bits: CLUSTER_BITS,
            backing: Some((name, format.name())),
        };
        qcow2::create(&*storage, &create)?;
        Ok(Self {
            format,
            recovered: source.recovered,
            pending: false,
            disk: chain::disk(&overlay, Format::Qcow2, Some(backing), Access::Write)?,
            path,
            overlay,
            output: Some(output),
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
    let place = Place::find(path)?;
    let file = place.open(Opening::ReadWrite, Locking::Write)?;
    let permission = Permission {
        directories: allow_backing,
        reading: Locking::Read,
    };
    let places = RedoPlaces::new(&place, &*file, redo_directory)?;
    let mut recovered = Recovered::Nothing;
    for place in places.all() {
        let mut other = |path: &Path| Ok(permission.open(path, true)?.1);
        match recover::recover(place, &file, &mut other, progress)? {
            Recovered::Nothing => {}
            done => recovered = done,
        }
    }
    Ok(recovered)
}
