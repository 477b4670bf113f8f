//! The whole tree of a guest: its root, and what it mounts there of the same image.

mod sources;
mod table;

use std::sync::Arc;

use christen_vfs::{Error as FsError, FileSystem, GuestPath, Mounted, Opener, Timestamp};

use self::sources::{Named, Sources};
use self::table::Line;
use super::filesystems::{self, Engine, OpenError, Use};
use super::layout::{Layout, Part};
use super::scratch::Scratch;
use super::text::shown;
use crate::args::image::BackendArguments;
use crate::failure::Failure;
use crate::output;

/// Kinds that hold no files of the guest, or that Linux fills itself: what is below them is not looked after by anybody.
const WITHOUT_FILES: [&[u8]; 21] = [
    b"swap",
    b"none",
    b"ignore",
    b"proc",
    b"sysfs",
    b"devpts",
    b"devtmpfs",
    b"cgroup",
    b"cgroup2",
    b"securityfs",
    b"debugfs",
    b"tracefs",
    b"configfs",
    b"efivarfs",
    b"bpf",
    b"mqueue",
    b"hugetlbfs",
    b"pstore",
    b"fusectl",
    b"binfmt_misc",
    b"usbfs",
];

/// How the volumes of a guest are opened.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    /// For what.
    pub(crate) how: Use,
    /// Changes stay in memory and are forgotten.
    pub(crate) in_memory: bool,
    /// What changes are stamped with.
    pub(crate) now: Timestamp,
    /// What opens those besides the root.
    pub(crate) backend: BackendArguments,
}

/// The whole tree of a guest.
#[derive(Debug)]
pub(crate) struct Guest {
    /// The tree.
    pub(crate) tree: Mounted,
    /// What it is made of, the root first.
    pub(crate) volumes: Vec<Joined>,
    /// What the guest mounts and the image does not have, and other things that are good to know.
    pub(crate) notices: Vec<String>,
}

/// A volume that is part of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Joined {
    /// Where the guest mounts it.
    pub(crate) at: GuestPath,
    /// The volume.
    pub(crate) part: Part,
}

/// Why the tree cannot be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuestError {
    /// The root cannot be opened.
    #[error(transparent)]
    Root(#[from] OpenError),
    /// What it mounts cannot be read.
    #[error("cannot read `/etc/fstab`")]
    Table(#[source] FsError),
    /// The way to a mount point cannot be read.
    #[error("cannot reach `{at}`, where the guest mounts a volume")]
    Mount { at: GuestPath, source: FsError },
}

/// Adds to a failure why the tree cannot be put together, and what the user can do.
pub(crate) fn refused(failure: Failure, root: &Part, error: &GuestError) -> Failure {
    match error {
        GuestError::Root(error) => filesystems::refused(failure.detail(root.volume.short()), error),
        error => filesystems::with_hint_of_cause(failure.because(error), error),
    }
}

/// Opens the root of a guest, and mounts what its `/etc/fstab` says: the volumes of the image that are there, each opened when it is
/// needed. What is not there keeps its mount point free, so that nothing is written that the guest would not see.
pub(crate) fn open(
    layout: &Layout,
    root: &Part,
    engine: &Engine,
    opening: &Opening,
) -> Result<Guest, GuestError> {
    let fs = filesystems::open(&staged(root, opening), engine, opening.how, opening.now)?;
    let mut guest = Guest {
        tree: Mounted::new(fs),
        volumes: vec![Joined {
            at: GuestPath::root(),
            part: root.clone(),
        }],
        notices: Vec::new(),
    };
    guest.tree.set_now(opening.now);
    let lines = table::read(&mut guest.tree).map_err(GuestError::Table)?;
    let is_root = |it: &&Line| it.target == GuestPath::root();
    let own = lines.iter().find(is_root).map(|it| it.source.clone());
    let sources = Sources::new(layout, own.as_deref());
    guest.look_at_root(root, own.as_deref(), &sources);
    for line in in_order(&lines) {
        guest.add(line, &sources, opening)?;
    }
    Ok(guest)
}

/// The lines that a guest mounts when it starts, what is above before what is below it, as systemd orders them.
fn in_order(lines: &[Line]) -> Vec<&Line> {
    let mut lines: Vec<_> = lines
        .iter()
        .filter(|line| {
            let has_files = !WITHOUT_FILES.contains(&&*line.kind) || is_bound(line);
            has_files && !line.has("noauto") && line.target != GuestPath::root()
        })
        .collect();
    lines.sort_by_key(|line| line.target.components().count());
    lines
}

/// A directory that is mounted a second time.
fn is_bound(line: &Line) -> bool {
    line.has("bind") || line.has("rbind")
}

fn is_in_memory(line: &Line) -> bool {
    line.kind == b"tmpfs" || line.kind == b"ramfs"
}

/// The same part, with changes kept in memory if that is wanted.
fn staged(part: &Part, opening: &Opening) -> Part {
    let mut part = part.clone();
    if opening.in_memory {
        part.device = Arc::new(Scratch::new(Arc::clone(&part.device)));
    }
    part
}

impl Guest {
    /// Tells if the guest says that its root is another volume than the one that was taken for it.
    fn look_at_root(&mut self, root: &Part, own: Option<&[u8]>, sources: &Sources<'_>) {
        let Some(own) = own else {
            return;
        };
        if let Named::Part(part) = sources.find(own)
            && part.volume.place != root.volume.place
        {
            self.notices.push(format!(
                "`/etc/fstab` of {} says that the root is {}",
                root.volume.short(),
                part.volume.short()
            ));
        }
    }

    /// Mounts what a line says.
    fn add(
        &mut self,
        line: &Line,
        sources: &Sources<'_>,
        opening: &Opening,
    ) -> Result<(), GuestError> {
        let source = shown(&line.source);
        let at = &line.target;
        let found = match sources.find(&line.source) {
            _ if is_bound(line) => Err(format!("the directory `{source}` once more")),
            _ if is_in_memory(line) => Err("a filesystem in memory".to_owned()),
            Named::None => Err(format!("`{source}`, which the image does not have")),
            Named::Several => Err(format!("`{source}`, as several volumes are called")),
            Named::Part(part) => match self.holder(part) {
                // Two writers at one volume would destroy it.
                Some(other) => Err(format!("{}, which is at `{other}`", part.volume.short())),
                None => Ok(part),
            },
        };
        let outcome = match found {
            Ok(part) => {
                let open = opener(part, line, opening);
                let mounted = self.tree.mount_when_needed(at, part.volume.short(), open);
                if mounted.is_ok() {
                    self.volumes.push(Joined {
                        at: at.clone(),
                        part: part.clone(),
                    });
                }
                match mounted {
                    Err(FsError::NotFound) => self.keep_free(
                        line,
                        format!(
                            "{}, for which the guest makes a directory when it starts",
                            part.volume.short()
                        ),
                    ),
                    other => other.map(drop),
                }
            }
            Err(absent) => self.keep_free(line, absent),
        };
        match outcome {
            // Below what is not at hand, or cannot be opened, nothing can be put in any case.
            Ok(()) | Err(FsError::NotMounted(_)) => Ok(()),
            Err(source @ (FsError::Io(_) | FsError::Corrupt(_))) => Err(GuestError::Mount {
                at: at.clone(),
                source,
            }),
            // The guest will not be able to mount it either.
            Err(error) => {
                self.notices.push(format!(
                    "`/etc/fstab` mounts `{source}` at `{at}`, where nothing can be mounted: {error}"
                ));
                Ok(())
            }
        }
    }

    fn keep_free(&mut self, line: &Line, absent: String) -> Result<(), FsError> {
        let at = &line.target;
        self.tree.mount_absent(at, absent.clone())?;
        // What is empty when the guest starts is no surprise.
        if !is_in_memory(line) {
            self.notices
                .push(format!("`{at}` is for {absent}: nothing can be put there"));
        }
        Ok(())
    }

    /// Where a volume is already.
    fn holder(&self, part: &Part) -> Option<&GuestPath> {
        let is_it = |it: &&Joined| it.part.volume.place == part.volume.place;
        Some(&self.volumes.iter().find(is_it)?.at)
    }
}

/// Opens a volume besides the root.
fn opener(part: &Part, line: &Line, opening: &Opening) -> Opener {
    let (part, opening) = (part.clone(), opening.clone());
    let subvolume = line.value("subvol").map(shown);
    Box::new(move || {
        if opening.how.changes() {
            part.is_changeable()?;
        }
        let arguments = BackendArguments {
            subvolume,
            ..opening.backend.clone()
        };
        let (engine, why) = filesystems::engine(&part, opening.how, &arguments);
        if let Some(why) = why {
            output::note(&format!(
                "{} is opened with libguestfs: {why}",
                part.volume.short()
            ));
        }
        let staged = staged(&part, &opening);
        Ok(filesystems::open(
            &staged,
            &engine,
            opening.how,
            opening.now,
        )?)
    })
}
