//! The whole tree of a guest: its root, and what it mounts there of the same image.

mod sources;

use std::error::Error as _;
use std::sync::Arc;

use christen_inject::guest::Fstab;
use christen_inject::guest::fstab::{Mount, Spec};
use christen_inject::{Error as InjectError, Stage};
use christen_vfs::walk::{LastLink, resolve_place};
use christen_vfs::{Error as FsError, FileSystem, GuestPath, Mounted, Opener, Timestamp, shown};

use self::sources::{Named, Sources};
use super::filesystems::{self, Engine, OpenError, Use};
use super::layout::{Layout, Part};
use super::scratch::Scratch;
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

/// What is mounted besides the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mounts {
    /// What the guest mounts; what is not at hand keeps its mount point free.
    All,
    /// What can be mounted of what the guest mounts, as Nova does it: without the rest, files land below its mount points.
    LikeNova,
    /// Nothing.
    RootOnly,
}

/// How the volumes of a guest are opened.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    /// What is mounted besides the root.
    pub(crate) mounts: Mounts,
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
    /// Where the guest mounts it, as it says.
    pub(crate) at: GuestPath,
    /// The same with the links on the way resolved.
    pub(crate) names: Vec<Vec<u8>>,
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
    #[error(transparent)]
    Table(InjectError),
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
            names: Vec::new(),
            part: root.clone(),
        }],
        notices: Vec::new(),
    };
    guest.tree.set_now(opening.now);
    if filesystems::mark(&mut guest.tree).is_none() {
        guest.note(format!(
            "{} has no `/etc/os-release` and no `/etc/fstab`: it may not be the root of a guest",
            root.volume.short()
        ));
    }
    if opening.mounts == Mounts::RootOnly {
        return Ok(guest);
    }
    let entries = match read_table(&mut guest.tree) {
        Ok(entries) => entries,
        Err(error) if is_damage(&error) => return Err(GuestError::Table(error)),
        Err(error) => {
            guest.note(format!(
                "what the guest mounts is not known: {error}{}",
                error.source().map_or(String::new(), |it| format!(": {it}"))
            ));
            Vec::new()
        }
    };
    let is_root = |it: &&Mount| it.mount_point == Some(GuestPath::root());
    let own = entries.iter().rev().find(is_root).map(|it| &it.spec);
    let sources = Sources::new(layout, own);
    guest.look_at_root(root, own, &sources);
    for (at, entry) in in_order(&entries) {
        guest.add(at, entry, &sources, opening)?;
    }
    Ok(guest)
}

fn read_table(tree: &mut Mounted) -> Result<Vec<Mount>, InjectError> {
    let Ok(path) = GuestPath::new("/etc/fstab") else {
        return Ok(Vec::new());
    };
    let text = Stage::new(tree).read(&path)?.unwrap_or_default();
    Ok(Fstab::parse(&text).entries)
}

/// Whether nothing more can be done with a filesystem.
fn is_damage(error: &InjectError) -> bool {
    let source = match error {
        InjectError::File { source, .. } => source,
        _ => return false,
    };
    matches!(source, FsError::Io(_) | FsError::Corrupt(_))
}

/// What a guest mounts when it starts, what is above before what is below it, as systemd orders it.
fn in_order(entries: &[Mount]) -> Vec<(&GuestPath, &Mount)> {
    let mut entries: Vec<_> = entries
        .iter()
        .filter_map(|entry| {
            let at = entry.mount_point.as_ref()?;
            let has_files = !WITHOUT_FILES.contains(&&*entry.kind) || is_bound(entry);
            let is_mounted = has_files && entry.is_automatic() && *at != GuestPath::root();
            is_mounted.then_some((at, entry))
        })
        .collect();
    entries.sort_by_key(|(at, _)| at.components().count());
    entries
}

/// A directory that is mounted a second time.
fn is_bound(entry: &Mount) -> bool {
    entry.has_option("bind") || entry.has_option("rbind")
}

fn is_in_memory(entry: &Mount) -> bool {
    entry.kind == b"tmpfs" || entry.kind == b"ramfs"
}

/// The same part, with changes kept in memory if that is wanted.
fn staged(part: &Part, opening: &Opening) -> Part {
    let mut part = part.clone();
    if opening.in_memory {
        part.device = Arc::new(Scratch::new(Arc::clone(&part.device)));
    }
    part
}

/// The most that is told of one guest; a hostile one would fill the terminal.
const MOST_NOTICES: usize = 20;

impl Guest {
    fn note(&mut self, text: String) {
        match self.notices.len() {
            MOST_NOTICES => self
                .notices
                .push("more is to be said of what the guest mounts".to_owned()),
            number if number > MOST_NOTICES => {}
            _ => self.notices.push(text),
        }
    }

    /// Tells if the guest says that its root is another volume than the one that was taken for it.
    fn look_at_root(&mut self, root: &Part, own: Option<&Spec>, sources: &Sources<'_>) {
        let Some(own) = own else {
            return;
        };
        if let Named::Part(part) = sources.find(own)
            && part.volume.place != root.volume.place
        {
            self.note(format!(
                "`/etc/fstab` of {} says that the root is {}",
                root.volume.short(),
                part.volume.short()
            ));
        }
    }

    /// Mounts what an entry says.
    fn add(
        &mut self,
        at: &GuestPath,
        entry: &Mount,
        sources: &Sources<'_>,
        opening: &Opening,
    ) -> Result<(), GuestError> {
        let spec = &entry.spec;
        let found = match sources.find(spec) {
            _ if is_bound(entry) => Err(format!("the directory `{spec}` once more")),
            _ if is_in_memory(entry) => Err("a filesystem in memory".to_owned()),
            Named::None => Err(format!("`{spec}`, which the image does not have")),
            Named::Several => Err(format!("`{spec}`, as several volumes are called")),
            Named::Part(part) => match self.holder(part) {
                // Two writers at one volume would destroy it.
                Some(other) => Err(format!("{}, which is at `{other}`", part.volume.short())),
                None => Ok(part),
            },
        };
        let outcome = match found {
            Ok(part) if opening.mounts == Mounts::LikeNova => {
                self.join_now(at, part, entry, opening)
            }
            Err(_) if opening.mounts == Mounts::LikeNova => Ok(()),
            Ok(part) => self.join(at, part, entry, opening),
            Err(absent) => self.keep_free(at, entry, absent),
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
                self.note(format!(
                    "`/etc/fstab` mounts `{spec}` at `{at}`, where nothing can be mounted: {error}"
                ));
                Ok(())
            }
        }
    }

    fn join(
        &mut self,
        at: &GuestPath,
        part: &Part,
        entry: &Mount,
        opening: &Opening,
    ) -> Result<(), FsError> {
        let place = resolve_place(&mut self.tree, at, LastLink::Followed);
        let open = opener(part, entry, opening);
        match self.tree.mount_when_needed(at, part.volume.short(), open) {
            Ok(_) => self.volumes.push(Joined {
                at: at.clone(),
                names: place?.names,
                part: part.clone(),
            }),
            Err(FsError::NotFound) => {
                let volume = part.volume.short();
                let absent =
                    format!("{volume}, for which the guest makes a directory when it starts");
                return self.keep_free(at, entry, absent);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Mounts a volume if that can be done.
    fn join_now(
        &mut self,
        at: &GuestPath,
        part: &Part,
        entry: &Mount,
        opening: &Opening,
    ) -> Result<(), FsError> {
        let volume = part.volume.short();
        match opener(part, entry, opening)() {
            Ok(fs) => {
                let names = resolve_place(&mut self.tree, at, LastLink::Followed)?.names;
                self.tree.mount(at, fs)?;
                self.volumes.push(Joined {
                    at: at.clone(),
                    names,
                    part: part.clone(),
                });
            }
            Err(error) => self.note(format!("{volume} is not mounted at `{at}`: {error}")),
        }
        Ok(())
    }

    fn keep_free(&mut self, at: &GuestPath, entry: &Mount, absent: String) -> Result<(), FsError> {
        self.tree.mount_absent(at, absent.clone())?;
        // What is empty when the guest starts is no surprise.
        if !is_in_memory(entry) {
            self.note(format!("`{at}` is for {absent}: nothing can be put there"));
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
fn opener(part: &Part, entry: &Mount, opening: &Opening) -> Opener {
    let (part, opening) = (part.clone(), opening.clone());
    let subvolume = entry.option("subvol").map(shown);
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
