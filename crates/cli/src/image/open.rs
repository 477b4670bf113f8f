//! Opening a disk image, and one volume of it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use christen_block::commit::recover::Recovered;
use christen_block::probe::{self, IMAGE_PROBE_BYTES};
use christen_block::{
    BlockDevice, Changes, Committed, Format, Image, OpenOptions, OutputKind, Purpose, StatedFormat,
};
use christen_vfs::{Error, FileSystem, GuestPath, Timestamp};

use super::files::ImageFile;
use super::filesystems::{self, Engine, Use};
use super::guest::{self, Guest, Mounts, Opening};
use super::layout::{self, Layout, Part, Refused};
use super::volumes::{self, Place, Volume};
use super::{failures, files};
use crate::args::image::{
    BackendArguments, ImageFormat, OutputKindArgument, PartArguments, ReadArguments,
    ReadVolumeArguments, VolumeArguments, WriteArguments,
};
use crate::failure::Failure;
use crate::output;
use crate::progress::Busy;

impl ImageFormat {
    fn format(self) -> Format {
        match self {
            Self::Raw => Format::Raw,
            Self::Qcow2 => Format::Qcow2,
        }
    }
}

/// What the first bytes of a file look like; for messages only.
fn looks_like(path: &Path) -> Option<probe::ImageFormat> {
    // A pipe would be waited for.
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut start = Vec::with_capacity(IMAGE_PROBE_BYTES);
    File::open(path)
        .ok()?
        .take(IMAGE_PROBE_BYTES as u64)
        .read_to_end(&mut start)
        .ok()?;
    Some(probe::image_format(&start))
}

/// Looks that the format was said: before anything else, so that nothing is tried.
pub(crate) fn stated_format(arguments: &WriteArguments) -> Result<Format, Failure> {
    if let Some(format) = arguments.format {
        return Ok(format.format());
    }
    let image = arguments.image.display();
    let failure = Failure::usage(format!(
        "the format of `{image}` must be said, because it is never guessed for writing"
    ));
    Err(match looks_like(&arguments.image) {
        Some(format @ (probe::ImageFormat::Raw | probe::ImageFormat::Qcow2)) => failure
            .detail(format!("its first bytes look like {format}"))
            .hint(format!("if you know that it is, pass `--format {format}`")),
        Some(format) => failure
            .detail(format!("its first bytes look like {format}"))
            .hint(format!(
                "only raw and qcow2 are changed; `qemu-img convert` makes one of {format}"
            )),
        None => failure.hint("pass `--format raw` or `--format qcow2`"),
    })
}

/// The most logical volumes that a message names as those that cannot be used; `inspect` names them all.
const MOST_REFUSED: usize = 16;

/// A disk that is open for reading.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
    image: Image,
    /// What the guest sees.
    pub(crate) device: Arc<dyn BlockDevice>,
}

/// Opens an image for reading.
pub(crate) fn disk(arguments: &ReadArguments) -> Result<Disk, Failure> {
    let path = &arguments.image;
    Image::open(path, &reading(arguments))
        .map(|image| Disk::new(path, image))
        .map_err(|error| failures::cannot_open(path, &error))
}

/// What is found when an image is opened to be told of.
#[derive(Debug)]
pub(crate) struct Inspected {
    /// The files that it consists of.
    pub(crate) files: Vec<ImageFile>,
    /// The disk; or why one of the files was not opened, which the disk cannot be seen without.
    pub(crate) disk: Result<Disk, String>,
}

/// Opens an image to be told of.
pub(crate) fn inspect(arguments: &ReadArguments) -> Result<Inspected, Failure> {
    let path = &arguments.image;
    let found = Image::inspect(path, &reading(arguments))
        .map_err(|error| failures::cannot_open(path, &error))?;
    let disk = match found.image {
        Ok(image) => Ok(Disk::new(path, image)),
        Err(error) => {
            let why = failures::chain(&error).join(": ");
            output::warning(&format!(
                "what is on the disk in `{}` is not shown: {why}",
                path.display()
            ));
            if let Some(hint) = failures::hint(&error) {
                output::note(&hint);
            }
            Err(why)
        }
    };
    Ok(Inspected {
        files: files::read(found.layers, disk.as_ref().err().cloned()),
        disk,
    })
}

fn reading(arguments: &ReadArguments) -> OpenOptions {
    OpenOptions {
        format: arguments
            .format
            .map_or(StatedFormat::Probed, |it| StatedFormat::Stated(it.format())),
        purpose: Purpose::Read { even_in_use: false },
        allow_backing: arguments.allow_backing.clone(),
        redo_directory: arguments.redo_dir.clone(),
    }
}

impl Disk {
    fn new(path: &Path, image: Image) -> Self {
        if image.is_recovery_pending() {
            output::warning(&format!(
                "a commit to `{}` was cut; it is shown as if it were complete, and `christen recover` completes it",
                path.display()
            ));
        }
        Self {
            path: path.into(),
            device: image.disk(),
            image,
        }
    }

    /// A failure to read the disk.
    pub(crate) fn cannot_read(&self, error: &christen_block::Error) -> Failure {
        Failure::unchanged(format!("cannot read `{}`", self.path.display())).because(error)
    }
}

/// An open filesystem of an image.
#[derive(Debug)]
pub(crate) struct OpenVolume {
    pub(crate) fs: Box<dyn FileSystem>,
    /// The volume and the image in few words.
    pub(crate) name: String,
    /// Keeps the lock on the image.
    _disk: Disk,
}

impl OpenVolume {
    /// A failure to read something at a path.
    pub(crate) fn cannot_read(&self, path: &GuestPath, error: &Error) -> Failure {
        Failure::unchanged(format!("cannot read `{path}` in {}", self.name)).because(error)
    }
}

/// Finds the volume that is meant, without opening what is on it. The disk keeps the lock on the image.
pub(crate) fn part(arguments: &PartArguments) -> Result<(Part, String, Disk), Failure> {
    let disk = disk(&arguments.image)?;
    let Chosen { part, why, .. } = choose(
        &disk.path,
        &disk.device,
        &arguments.volume,
        disk.image.format(),
    )?;
    tell_why(&disk.path, &part, why);
    let name = format!("{} of `{}`", part.volume.short(), disk.path.display());
    Ok((part, name, disk))
}

/// Opens the volume that is meant for reading.
pub(crate) fn volume(arguments: &ReadVolumeArguments) -> Result<OpenVolume, Failure> {
    let (part, name, disk) = part(&arguments.part)?;
    let how = if arguments.part.replay_journal {
        Use::ReadReplayed
    } else {
        Use::Read
    };
    let engine = engine(&disk.path, &part, how, &arguments.backend);
    let fs = filesystems::open(&part, &engine, how, Timestamp::default()).map_err(|error| {
        filesystems::refused(Failure::unchanged(format!("cannot read {name}")), &error)
    })?;
    if engine == Engine::Native && how == Use::Read && filesystems::needs_recovery(&part) {
        output::warning(&format!(
            "{name} has a journal that was not written back, and what it holds is not shown; `--replay-journal` shows it"
        ));
    }
    Ok(OpenVolume {
        fs,
        name,
        _disk: disk,
    })
}

/// The guest of an image that is not changed.
#[derive(Debug)]
pub(crate) struct GuestImage {
    /// The image; keeps the lock on it.
    pub(crate) disk: Disk,
    layout: Layout,
    root: Part,
    engine: Engine,
    backend: BackendArguments,
    replay_journal: bool,
}

/// Finds the guest of an image, to read it. The volume need not be the one of the arguments.
pub(crate) fn guest(
    arguments: &ReadVolumeArguments,
    disk: Disk,
    volume: &VolumeArguments,
) -> Result<GuestImage, Failure> {
    let Chosen { layout, part, why } =
        choose(&disk.path, &disk.device, volume, disk.image.format())?;
    tell_why(&disk.path, &part, why);
    let engine = engine(&disk.path, &part, Use::Read, &arguments.backend);
    Ok(GuestImage {
        disk,
        layout,
        root: part,
        engine,
        backend: arguments.backend.clone(),
        replay_journal: arguments.part.replay_journal,
    })
}

impl GuestImage {
    /// Opens the whole tree of the guest with changes that stay in memory.
    pub(crate) fn in_memory(&self, mounts: Mounts, now: Timestamp) -> Result<Guest, Failure> {
        self.open(&Opening {
            mounts,
            how: changes(self.replay_journal),
            in_memory: true,
            now,
            backend: self.backend.clone(),
        })
    }

    /// Opens the whole tree of the guest to tell what is wrong with it.
    pub(crate) fn to_examine(&self) -> Result<Guest, Failure> {
        self.open(&Opening {
            mounts: Mounts::All,
            how: Use::Examine,
            in_memory: false,
            now: Timestamp::default(),
            backend: self.backend.clone(),
        })
    }

    fn open(&self, opening: &Opening) -> Result<Guest, Failure> {
        guest::open(&self.layout, &self.root, &self.engine, opening).map_err(|error| {
            let message = format!("cannot read `{}`", self.disk.path.display());
            guest::refused(Failure::unchanged(message), &self.root, &error)
        })
    }
}

/// Opens, for reading, an image that was changed, or the one that was made of it.
pub(crate) fn after(arguments: &WriteArguments) -> Result<Disk, Failure> {
    let is_overlay = arguments.output_kind == OutputKindArgument::Overlay;
    let format = match &arguments.output {
        Some(_) if is_overlay => Some(ImageFormat::Qcow2),
        _ => arguments.format,
    };
    let mut allow_backing = arguments.allow_backing.clone();
    if let (Some(_), Some(directory)) = (&arguments.output, arguments.image.parent()) {
        // The image that the new one was made over was named by the user.
        let is_here = directory.as_os_str().is_empty();
        allow_backing.push(if is_here {
            ".".into()
        } else {
            directory.to_owned()
        });
    }
    disk(&ReadArguments {
        image: arguments
            .output
            .as_ref()
            .unwrap_or(&arguments.image)
            .clone(),
        format,
        allow_backing,
        redo_dir: arguments.redo_dir.clone(),
    })
}

/// Opens, for reading, the volume at the place that a change would be made to.
pub(crate) fn before(
    arguments: &WriteArguments,
    place: &Place,
    engine: &Engine,
) -> Result<OpenVolume, Failure> {
    volume(&ReadVolumeArguments {
        part: PartArguments {
            image: ReadArguments {
                image: arguments.image.clone(),
                format: arguments.format,
                allow_backing: arguments.allow_backing.clone(),
                redo_dir: arguments.redo_dir.clone(),
            },
            volume: place.arguments(),
            replay_journal: arguments.replay_journal,
        },
        backend: engine.arguments(),
    })
}

/// Decides what opens a volume, and tells if `auto` takes libguestfs.
fn engine(path: &Path, part: &Part, how: Use, arguments: &BackendArguments) -> Engine {
    let (engine, why) = filesystems::engine(part, how, arguments);
    if let Some(why) = why {
        output::note(&format!(
            "{} of `{}` is opened with libguestfs: {why}",
            part.volume.short(),
            path.display()
        ));
    }
    engine
}

/// Tells which volume is meant where that was not said.
fn tell_why(path: &Path, part: &Part, why: Option<String>) {
    if let Some(why) = why {
        output::note(&format!(
            "{} of `{}` is meant: {why}",
            part.volume.short(),
            path.display()
        ));
    }
}

/// The volume that is meant.
struct Chosen {
    /// All volumes of the image.
    layout: Layout,
    part: Part,
    /// Why it is this one, if the image has others and none was said.
    why: Option<String>,
}

/// Finds the volume that is meant, and why it is that one.
fn choose(
    path: &Path,
    device: &Arc<dyn BlockDevice>,
    arguments: &VolumeArguments,
    format: Format,
) -> Result<Chosen, Failure> {
    let layout = layout::read(device).map_err(|error| {
        Failure::unchanged(format!("cannot read `{}`", path.display())).because(&error)
    })?;
    let volumes = layout.volumes();
    let part = |volume: &Volume| {
        let is_it = |part: &&Part| part.volume.place == volume.place;
        layout.parts.iter().find(is_it)
    };
    let named = |it: &&Refused| {
        arguments
            .lv
            .as_ref()
            .zip(it.place.as_ref())
            .is_some_and(|(name, place)| place.is_logical(name))
    };
    if let Some(refused) = layout.refused.iter().find(named) {
        let place = refused
            .place
            .as_ref()
            .map_or_else(String::new, ToString::to_string);
        let message = format!("{place} of `{}` cannot be used", path.display());
        return Err(Failure::unchanged(message).detail(refused.why.clone()));
    }
    let mut look = |volume: &Volume| filesystems::root_mark(part(volume)?);
    let chosen = volumes::choose(path, &volumes, arguments, &mut look).map_err(|failure| {
        let refused = layout.refused.iter().take(MOST_REFUSED);
        let failure = refused.fold(failure, |failure, it| {
            failure.detail(output::visible(&it.to_string()))
        });
        match looks_like(path) {
            Some(it) if it.name() != format.name() && it != probe::ImageFormat::Raw => failure
                .detail(format!(
                    "it was read as {}, and its first bytes look like {it}",
                    format.name()
                )),
            _ => failure,
        }
    })?;
    // The volumes were made of the parts.
    let found = part(chosen.volume).ok_or_else(|| Failure::unchanged("the volume is not there"))?;
    let (part, why) = (found.clone(), chosen.why);
    Ok(Chosen { layout, part, why })
}

/// A volume with changes staged over it.
#[derive(Debug)]
pub(crate) struct Staged {
    path: PathBuf,
    image: Image,
    layout: Layout,
    part: Part,
    engine: Engine,
    backend: BackendArguments,
    now: Timestamp,
    replay_journal: bool,
}

/// Opens the volume that is meant for changing.
pub(crate) fn staged(arguments: &WriteArguments, now: Timestamp) -> Result<Staged, Failure> {
    changeable(arguments)?.staged(arguments, &arguments.volume, now)
}

/// An image that is open for changing.
#[derive(Debug)]
pub(crate) struct Changeable {
    image: Image,
    format: Format,
}

/// Opens an image for changing.
pub(crate) fn changeable(arguments: &WriteArguments) -> Result<Changeable, Failure> {
    let format = stated_format(arguments)?;
    let path = arguments.image.clone();
    let purpose = match &arguments.output {
        None => Purpose::Change,
        Some(new) => Purpose::Output {
            path: new.clone(),
            kind: match arguments.output_kind {
                OutputKindArgument::Copy => OutputKind::Copy,
                OutputKindArgument::Overlay => OutputKind::Overlay,
            },
        },
    };
    let options = OpenOptions {
        format: StatedFormat::Stated(format),
        purpose,
        allow_backing: arguments.allow_backing.clone(),
        redo_directory: arguments.redo_dir.clone(),
    };
    let image =
        Image::open(&path, &options).map_err(|error| failures::cannot_open(&path, &error))?;
    match image.recovered() {
        Recovered::Nothing => {}
        Recovered::Completed { .. } => output::note(&format!(
            "a commit to `{}` that was cut has been completed first",
            path.display()
        )),
        Recovered::Discarded => output::note(&format!(
            "a redo file beside `{}` was left over and has been removed",
            path.display()
        )),
    }
    Ok(Changeable { image, format })
}

impl Changeable {
    /// Finds the volume that is meant.
    pub(crate) fn staged(
        self,
        arguments: &WriteArguments,
        volume: &VolumeArguments,
        now: Timestamp,
    ) -> Result<Staged, Failure> {
        let Self { image, format } = self;
        let path = arguments.image.clone();
        let Chosen { layout, part, why } = choose(&path, &image.disk(), volume, format)?;
        tell_why(&path, &part, why);
        part.is_changeable().map_err(|error| {
            let failure = cannot_change(&path).detail(part.volume.short());
            filesystems::refused(failure, &error)
        })?;
        let how = changes(arguments.replay_journal);
        let engine = engine(&path, &part, how, &arguments.backend);
        Ok(Staged {
            path,
            image,
            layout,
            part,
            engine,
            backend: arguments.backend.clone(),
            now,
            replay_journal: arguments.replay_journal,
        })
    }
}

/// A failure that leaves an image as it was.
fn cannot_change(path: &Path) -> Failure {
    Failure::unchanged(format!(
        "cannot change `{}`: the image was not changed",
        path.display()
    ))
}

fn changes(replay_journal: bool) -> Use {
    if replay_journal {
        Use::ChangeReplayed
    } else {
        Use::Change
    }
}

impl Staged {
    /// Opens the filesystem for changing.
    pub(crate) fn filesystem(&self) -> Result<Box<dyn FileSystem>, Failure> {
        self.open(changes(self.replay_journal))
    }

    /// Opens the filesystem anew, as it is staged, for reading.
    pub(crate) fn again(&self) -> Result<Box<dyn FileSystem>, Failure> {
        self.open(Use::Read)
    }

    fn open(&self, how: Use) -> Result<Box<dyn FileSystem>, Failure> {
        filesystems::open(&self.part, &self.engine, how, self.now).map_err(|error| {
            let place = self.part.volume.short();
            filesystems::refused(self.cannot_change().detail(place), &error)
        })
    }

    /// A failure that leaves the image as it was.
    pub(crate) fn cannot_change(&self) -> Failure {
        cannot_change(&self.path)
    }

    /// Opens the whole tree of the guest whose root the volume is, for changing.
    pub(crate) fn guest(&self, mounts: Mounts) -> Result<Guest, Failure> {
        self.open_guest(changes(self.replay_journal), mounts)
    }

    /// Opens the whole tree of the guest anew, as it is staged, for reading.
    pub(crate) fn guest_again(&self, mounts: Mounts) -> Result<Guest, Failure> {
        self.open_guest(Use::Read, mounts)
    }

    fn open_guest(&self, how: Use, mounts: Mounts) -> Result<Guest, Failure> {
        let opening = Opening {
            mounts,
            how,
            in_memory: false,
            now: self.now,
            backend: self.backend.clone(),
        };
        guest::open(&self.layout, &self.part, &self.engine, &opening)
            .map_err(|error| guest::refused(self.cannot_change(), &self.part, &error))
    }

    /// The volume.
    pub(crate) fn volume(&self) -> &Volume {
        &self.part.volume
    }

    /// What opens the filesystem.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Sees to it that so many bytes of content find room.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<(), Failure> {
        self.image
            .reserve(bytes)
            .map_err(|error| failures::cannot_commit(&self.path, &error))
    }

    /// What a commit would change in the host's files.
    pub(crate) fn changes(&self) -> Result<Changes, Failure> {
        self.image
            .changes()
            .map_err(|error| failures::cannot_commit(&self.path, &error))
    }

    /// Makes the changes, all of them or none.
    pub(crate) fn commit(self, busy: &Busy) -> Result<Committed, Failure> {
        self.image
            .commit(&mut |it| busy.at(it.done, it.total))
            .map_err(|error| failures::cannot_commit(&self.path, &error))
    }
}
