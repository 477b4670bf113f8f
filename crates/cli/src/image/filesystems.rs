//! The filesystems that christen reads and writes, chosen by what stands in a volume.

use std::error::Error;
use std::iter;
use std::sync::Arc;

use christen_block::BlockDevice;
use christen_block::probe::VolumeKind;
use christen_ext4::check::Report;
use christen_ext4::{self as ext4, Ext4, Journal};
use christen_fat as fat;
use christen_guestfs::{self as guestfs, GuestFs};
use christen_vfs::walk::{LastLink, try_resolve};
use christen_vfs::{FileSystem, GuestPath, Timestamp};

use super::layout::Part;
use super::scratch::Scratch;
use crate::args::image::{Backend, BackendArguments};
use crate::failure::Failure;
use crate::progress::Busy;

/// What a filesystem is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Reading it as it is.
    Read,
    /// Reading it as its journal would leave it.
    ReadReplayed,
    /// The same, or as it is where the journal cannot be replayed: to tell what is wrong with a guest, it must be looked at.
    Examine,
    /// Changing it.
    Change,
    /// Changing it, its journal replayed first.
    ChangeReplayed,
}

impl Use {
    pub(crate) fn changes(self) -> bool {
        matches!(self, Self::Change | Self::ChangeReplayed)
    }
}

/// The formats that have a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Ext4,
    Fat,
}

impl Reader {
    fn of(kind: VolumeKind) -> Option<Self> {
        match kind {
            VolumeKind::Ext2 | VolumeKind::Ext3 | VolumeKind::Ext4 => Some(Self::Ext4),
            VolumeKind::Vfat => Some(Self::Fat),
            _ => None,
        }
    }
}

/// Whether christen has a reader for a format.
pub(crate) fn is_usable(kind: VolumeKind) -> bool {
    Reader::of(kind).is_some()
}

/// Whether a format is a filesystem that has no reader, and that libguestfs reads.
pub(crate) fn is_foreign(kind: VolumeKind) -> bool {
    matches!(
        kind,
        VolumeKind::Xfs
            | VolumeKind::Btrfs
            | VolumeKind::Ntfs
            | VolumeKind::Exfat
            | VolumeKind::F2fs
    )
}

/// The reader for a volume: what its first signature with one says.
fn reader(part: &Part) -> Option<Reader> {
    part.signatures.iter().find_map(|it| Reader::of(it.kind))
}

/// Why a filesystem cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// An ext2, ext3 or ext4 filesystem.
    #[error(transparent)]
    Ext4(#[from] ext4::Error),
    /// A FAT volume.
    #[error(transparent)]
    Fat(#[from] christen_vfs::Error),
    /// There is no reader for what stands in the volume.
    #[error("christen has no reader for what is on it")]
    NoReader,
    /// The filesystem is one that only libguestfs reads.
    #[error("christen itself does not read {0}")]
    Foreign(String),
    /// libguestfs cannot open it.
    #[error("libguestfs cannot open it")]
    Guestfs(#[source] Box<dyn Error + Send + Sync>),
    /// LVM2 gives the volume for reading only.
    #[error("it is for reading only, as LVM2 says")]
    ReadOnly,
    /// It cannot be known what the volume is.
    #[error("it carries the signatures of more than one format")]
    Ambiguous,
    /// There is no audit for what stands in the volume.
    #[error("only ext2, ext3 and ext4 are checked")]
    NoCheck,
}

impl OpenError {
    /// The filesystem is valid, and christen does not handle all of it.
    fn is_beyond_us(&self) -> bool {
        matches!(
            self,
            Self::NoReader
                | Self::Foreign(_)
                | Self::Ext4(ext4::Error::Unsupported(_))
                | Self::Fat(christen_vfs::Error::Unsupported(_))
        )
    }
}

/// What opens a filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Engine {
    /// A reader of our own.
    Native,
    /// An installed libguestfs.
    Guestfs {
        subvolume: Option<String>,
        emulate: bool,
    },
}

impl Engine {
    /// The arguments that choose it.
    pub(crate) fn arguments(&self) -> BackendArguments {
        match self {
            Self::Native => BackendArguments::default(),
            Self::Guestfs { subvolume, emulate } => BackendArguments {
                backend: Backend::Guestfs,
                subvolume: subvolume.clone(),
                emulate: *emulate,
            },
        }
    }
}

impl Part {
    /// Looks that the volume may be changed.
    pub(crate) fn is_changeable(&self) -> Result<(), OpenError> {
        if self.signatures.len() > 1 {
            return Err(OpenError::Ambiguous);
        }
        if self.is_read_only {
            return Err(OpenError::ReadOnly);
        }
        Ok(())
    }
}

/// Decides what opens the filesystem of a volume, and returns the reason if it is not what was said.
pub(crate) fn engine(
    part: &Part,
    how: Use,
    arguments: &BackendArguments,
) -> (Engine, Option<String>) {
    let guestfs = || Engine::Guestfs {
        subvolume: arguments.subvolume.clone(),
        emulate: arguments.emulate,
    };
    match arguments.backend {
        Backend::Native => (Engine::Native, None),
        Backend::Guestfs => (guestfs(), None),
        Backend::Auto => match open_native(part, how, Timestamp::default()) {
            Err(error) if error.is_beyond_us() => (guestfs(), Some(error.to_string())),
            // What is wrong with it is told when it is opened: Linux may be less strict, so it is not asked.
            _ => (Engine::Native, None),
        },
    }
}

/// Opens the filesystem of a volume. What changes is stamped with `now`.
pub(crate) fn open(
    part: &Part,
    engine: &Engine,
    how: Use,
    now: Timestamp,
) -> Result<Box<dyn FileSystem>, OpenError> {
    match engine {
        Engine::Native => open_native(part, how, now),
        Engine::Guestfs { subvolume, emulate } => {
            // Linux replays a journal whenever it mounts; the rule is the same as with our own reader.
            if how == Use::Change && needs_recovery(part) {
                return Err(ext4::Error::UncleanJournal.into());
            }
            let _busy = Busy::new("starting the appliance of libguestfs");
            let options = guestfs::OpenOptions {
                write: how.changes(),
                subvolume: subvolume.clone(),
                emulate: *emulate,
                now,
            };
            let opened = GuestFs::open(Arc::clone(&part.device), options);
            Ok(Box::new(opened.map_err(|error| match error {
                // That a device failed says nothing to who has none.
                christen_vfs::Error::Io(cause) => OpenError::Guestfs(cause),
                other => OpenError::Guestfs(other.into()),
            })?))
        }
    }
}

fn open_native(part: &Part, how: Use, now: Timestamp) -> Result<Box<dyn FileSystem>, OpenError> {
    let device = Arc::clone(&part.device);
    Ok(match reader(part).ok_or_else(|| no_reader(part))? {
        Reader::Ext4 if how == Use::Examine => {
            let replayed = open_ext4(Arc::clone(&device), Use::ReadReplayed, now);
            Box::new(match replayed {
                Ok(replayed) => replayed,
                Err(error) => open_ext4(device, Use::Read, now).map_err(|_| error)?,
            })
        }
        Reader::Ext4 => Box::new(open_ext4(device, how, now)?),
        Reader::Fat => {
            let access = if how.changes() {
                fat::Access::ReadWrite
            } else {
                fat::Access::ReadOnly
            };
            let mut volume = fat::Volume::open(device, access)?;
            volume.set_now(now);
            Box::new(volume)
        }
    })
}

fn open_ext4(device: Arc<dyn BlockDevice>, how: Use, now: Timestamp) -> Result<Ext4, ext4::Error> {
    let replayed = matches!(how, Use::ReadReplayed | Use::ChangeReplayed);
    let needs_replay = replayed && ext4::Summary::read(&device)?.needs_recovery;
    // A replay writes: into memory if the filesystem is only read.
    let device = match how {
        Use::ReadReplayed if needs_replay => Arc::new(Scratch::new(device)),
        _ => device,
    };
    let options = ext4::OpenOptions {
        access: if how.changes() || needs_replay {
            ext4::Access::Write
        } else {
            ext4::Access::Read
        },
        journal: if replayed {
            Journal::Replay
        } else {
            Journal::Refuse
        },
        now,
        generation_seed: generation_seed(now),
    };
    Ext4::open(device, &options)
}

/// The same moment gives the same generation numbers, and so the same bytes.
fn generation_seed(now: Timestamp) -> u64 {
    now.seconds
        .unsigned_abs()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(now.nanoseconds.into())
}

/// Whether the filesystem of a volume has a journal that was not written back.
pub(crate) fn needs_recovery(part: &Part) -> bool {
    reader(part) == Some(Reader::Ext4)
        && ext4::Summary::read(&part.device).is_ok_and(|it| it.needs_recovery)
}

fn no_reader(part: &Part) -> OpenError {
    part.signatures
        .iter()
        .find(|it| is_foreign(it.kind))
        .map_or(OpenError::NoReader, |it| {
            OpenError::Foreign(it.kind.name().to_owned())
        })
}

/// Looks whether a volume holds the root of a guest, and returns what tells so.
///
/// What cannot be read tells nothing.
pub(crate) fn root_mark(part: &Part) -> Option<&'static str> {
    let mut fs = open_native(part, Use::Examine, Timestamp::default()).ok()?;
    mark(&mut *fs)
}

/// Looks whether a filesystem is the root of a guest, and returns what tells so.
pub(crate) fn mark(fs: &mut dyn FileSystem) -> Option<&'static str> {
    // A link that leads to another volume is a mark too.
    const MARKS: [&str; 3] = ["/etc/os-release", "/usr/lib/os-release", "/etc/fstab"];
    MARKS.into_iter().find(|mark| {
        GuestPath::new(mark.as_bytes())
            .is_ok_and(|path| matches!(try_resolve(fs, &path, LastLink::Kept), Ok(Some(_))))
    })
}

/// Audits the filesystem of a volume, as it is or as its journal would leave it.
pub(crate) fn check(part: &Part, replayed: bool) -> Result<Report, OpenError> {
    if reader(part) != Some(Reader::Ext4) {
        return Err(OpenError::NoCheck);
    }
    let mut device = Arc::clone(&part.device);
    if replayed && needs_recovery(part) {
        device = Arc::new(Scratch::new(device));
        open_ext4(
            Arc::clone(&device),
            Use::ChangeReplayed,
            Timestamp::default(),
        )?
        .finish()?;
    }
    Ok(ext4::check::check(&device)?)
}

/// Adds to a failure why a filesystem cannot be opened, and what the user can do.
pub(crate) fn refused(failure: Failure, error: &OpenError) -> Failure {
    with_hint(failure.because(error), error)
}

/// Adds to a failure what the user can do where a filesystem could not be opened, somewhere among the causes.
pub(crate) fn with_hint_of_cause(failure: Failure, error: &(dyn Error + 'static)) -> Failure {
    let mut causes = iter::successors(Some(error), |&error| error.source());
    match causes.find_map(|it| it.downcast_ref::<OpenError>()) {
        Some(error) => with_hint(failure, error),
        None => failure,
    }
}

fn with_hint(failure: Failure, error: &OpenError) -> Failure {
    match error {
        OpenError::Ext4(ext4::Error::UncleanJournal) => {
            failure.hint("boot the guest and shut it down cleanly, or pass `--replay-journal`")
        }
        OpenError::Ext4(ext4::Error::HasErrors | ext4::Error::NotUnmounted) => {
            failure.hint("run `e2fsck` in the guest or on a loop device first")
        }
        OpenError::Foreign(_) => failure.hint(
            "`--backend guestfs` reads and writes it with libguestfs, where that is installed",
        ),
        OpenError::Guestfs(error) => with_guestfs_hint(failure, &**error),
        OpenError::Ambiguous => failure
            .hint("`wipefs` in the guest or on a loop device removes the one that is not used"),
        OpenError::ReadOnly => failure.hint("`lvchange --permission rw` in the guest allows it"),
        OpenError::NoReader => failure.hint("`christen inspect` tells what is on each volume"),
        _ => failure,
    }
}

fn with_guestfs_hint(failure: Failure, error: &(dyn Error + 'static)) -> Failure {
    let mut causes = iter::successors(Some(error), |&error| error.source());
    match causes.find_map(|it| it.downcast_ref::<guestfs::Error>()) {
        Some(guestfs::Error::Start(_)) => failure.hint(
            "install `guestfish`, which is in the package `guestfish`, `libguestfs-tools` or `guestfs-tools`",
        ),
        Some(guestfs::Error::Silent { .. }) => failure
            .hint("pass `--emulate`: a `/dev/kvm` that opens and does not work makes it hang"),
        Some(_) => failure.hint("`libguestfs-test-tool` tells whether libguestfs itself works"),
        None => failure,
    }
}

/// What a filesystem says of itself; the words say why it cannot be read.
pub(crate) fn summary(part: &Part) -> Result<super::summary::Summary, String> {
    use super::summary::Summary;
    match reader(part) {
        Some(Reader::Ext4) => ext4::Summary::read(&part.device)
            .map(Summary::Ext4)
            .map_err(|error| error.to_string()),
        Some(Reader::Fat) => fat::Volume::open(Arc::clone(&part.device), fat::Access::ReadOnly)
            .and_then(|mut volume| volume.statistics())
            .map(Summary::Other)
            .map_err(|error| error.to_string()),
        None => Err(OpenError::NoReader.to_string()),
    }
}
