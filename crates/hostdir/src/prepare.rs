//! What is done before the tree is touched: everything that can fail should fail here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;

use christen_vfs::{FileId, FileSystem, Kind, Times};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::directory::{HostDirectory, Origin};
use crate::error::{Error, Result, guest_path, host};
use crate::faults::Faults;
use crate::inode::Inode;
use crate::journal::OpenJournal;
use crate::manifest::{Manifest, Placed, Replaced, Restored, Slot, Spot, Taken};
use crate::plan::{Filling, Plan, Site, extended};
use crate::seen::Seen;

const COPY_BYTES: usize = 64 << 10;

/// What a new file is to have.
#[derive(Debug)]
pub(crate) struct Meant {
    pub(crate) kind: Kind,
    pub(crate) permissions: u16,
    /// The owner in the host.
    pub(crate) uid: u32,
    /// The group in the host.
    pub(crate) gid: u32,
    pub(crate) times: Times,
    pub(crate) attributes: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Says what a file is to have; `path` is for errors.
pub(crate) fn meant(
    directory: &mut HostDirectory,
    file: FileId,
    path: &[Vec<u8>],
) -> Result<Meant> {
    let now = directory.memory.attributes(file)?;
    let attributes = extended(directory, file)?;
    let found = directory.origins.get(&file).map(|it| it.seen.attributes);
    let host_id = |sort, now: u32, before: Option<u32>| match before {
        // What is not changed stays, with a place in the map or without.
        Some(before) if directory.map.guest(before) == now => Ok(before),
        _ => directory.map.host(now).ok_or_else(|| Error::NotMapped {
            path: guest_path(path),
            sort,
            id: now,
        }),
    };
    Ok(Meant {
        kind: now.kind,
        permissions: now.permissions,
        uid: host_id("user", now.uid, found.map(|it| it.uid))?,
        gid: host_id("group", now.gid, found.map(|it| it.gid))?,
        times: Times {
            accessed: Some(now.accessed),
            modified: Some(now.modified),
        },
        attributes,
    })
}

/// Looks whether everything can be done as far as that can be seen, and whether everything is as it was read.
pub(crate) fn check(directory: &mut HostDirectory, plan: &Plan) -> Result<()> {
    let caller = Caller::new()?;
    let mut fresh = Vec::new();
    for place in &plan.places {
        fresh.push((place.file, join(&place.site)));
    }
    for replace in &plan.replaces {
        let filling = plan.fillings.get(replace.new as usize);
        if let Some(Filling::Made(file)) = filling {
            fresh.push((*file, join(&replace.site)));
        }
    }
    for settle in &plan.settles {
        fresh.push((settle.file, settle.path.clone()));
    }
    let made: BTreeSet<_> = plan
        .fillings
        .iter()
        .filter_map(|it| match it {
            Filling::Made(file) => Some(*file),
            _ => None,
        })
        .collect();
    for (file, path) in fresh {
        directory.load_attributes(file)?;
        let meant = meant(directory, file, &path)?;
        let before = directory.origins.get(&file).map(|it| it.seen.attributes);
        let is_kept = before.is_some_and(|it| (it.uid, it.gid) == (meant.uid, meant.gid));
        if (made.contains(&file) || !is_kept) && !caller.may_set(meant.uid, meant.gid) {
            return Err(Error::Owner {
                path: guest_path(&path),
                uid: meant.uid,
                gid: meant.gid,
            });
        }
    }
    let replaced = plan.replaces.iter().map(|it| it.file);
    let taken = plan.takes.iter().map(|it| it.file);
    let mut involved = plan.restored.clone();
    involved.extend(replaced.chain(taken));
    for filling in &plan.fillings {
        if let Filling::Below(file) = filling {
            involved.insert(*file);
        }
    }
    for file in involved {
        if let Some(origin) = directory.origins.get(&file) {
            unchanged(directory, origin)?;
        }
    }
    Ok(())
}

fn unchanged(directory: &HostDirectory, origin: &Origin) -> Result<()> {
    let inode = directory.inode(origin)?;
    let seen = inode.seen().map_err(host("look at", &origin.path))?;
    if seen.is_unchanged(&origin.seen) {
        return Ok(());
    }
    Err(Error::Changed {
        path: guest_path(&origin.path),
    })
}

fn join(site: &Site) -> Vec<Vec<u8>> {
    let mut path = site.path.clone();
    path.push(site.name.clone());
    path
}

/// Who is asking. Root is asked for nothing here: in a user namespace only the kernel knows.
struct Caller {
    uid: u32,
    groups: BTreeSet<u32>,
}

impl Caller {
    fn new() -> Result<Self> {
        let groups = rustix::process::getgroups().map_err(host("ask for the groups over", &[]))?;
        let mut groups: BTreeSet<_> = groups.into_iter().map(|it| it.as_raw()).collect();
        groups.insert(rustix::process::getegid().as_raw());
        Ok(Self {
            uid: rustix::process::geteuid().as_raw(),
            groups,
        })
    }

    fn may_set(&self, uid: u32, gid: u32) -> bool {
        self.uid == 0 || (uid == self.uid && self.groups.contains(&gid))
    }
}

/// Fills the journal, and returns what it is to say.
pub(crate) fn fill(
    directory: &mut HostDirectory,
    plan: &Plan,
    journal: &OpenJournal<'_>,
) -> Result<Manifest> {
    let mut inodes = BTreeMap::new();
    for (id, origin) in &directory.origins {
        inodes.insert(*id, origin.seen.inode);
    }
    for (slot, filling) in plan.fillings.iter().enumerate() {
        let slot = Slot::New(slot as u64);
        match filling {
            Filling::Made(file) => {
                let path = path_of(plan, *file);
                let inode = make(directory, *file, &path, journal, slot)?;
                inodes.insert(*file, inode);
            }
            Filling::Again(other) => {
                let (from, name) = journal.slot(Slot::New(*other));
                let (to, new_name) = journal.slot(slot);
                let link = || {
                    directory.root.faults.step()?;
                    rustix::fs::linkat(from, &name, to, &new_name, AtFlags::empty())
                };
                link().map_err(journal.failed("fill"))?;
            }
            Filling::Below(file) => {
                if let Some(origin) = directory.origins.get(file) {
                    keep(directory, origin, journal, slot)?;
                }
            }
        }
    }
    for replace in &plan.replaces {
        if let Some(origin) = directory.origins.get(&replace.file) {
            let path = join(&replace.site);
            link(
                directory,
                &path,
                &origin.seen,
                journal,
                Slot::Old(replace.old),
            )?;
        }
    }
    try_owners(directory, plan, journal)?;
    manifest(directory, plan, &inodes)
}

/// Returns a path for messages.
fn path_of(plan: &Plan, file: FileId) -> Vec<Vec<u8>> {
    let place = plan.places.iter().find(|it| it.file == file);
    let replace = plan.replaces.iter().find(|it| {
        let filling = plan.fillings.get(it.new as usize);
        filling == Some(&Filling::Made(file))
    });
    let site = place.map(|it| &it.site);
    let site = site.or(replace.map(|it| &it.site));
    site.map(join).unwrap_or_default()
}

fn keep(
    directory: &HostDirectory,
    origin: &Origin,
    journal: &OpenJournal<'_>,
    slot: Slot,
) -> Result<()> {
    link(directory, &origin.path, &origin.seen, journal, slot)
}

/// Gives a file of the tree a second name in the journal.
fn link(
    directory: &HostDirectory,
    path: &[Vec<u8>],
    seen: &Seen,
    journal: &OpenJournal<'_>,
    slot: Slot,
) -> Result<()> {
    let Some((name, above)) = path.split_last() else {
        return Err(host("keep", path)(Errno::ISDIR));
    };
    let from = directory.root.directory_at(above, None)?;
    let (to, new_name) = journal.slot(slot);
    let link = || {
        directory.root.faults.step()?;
        rustix::fs::linkat(&from, name, to, &new_name, AtFlags::empty())?;
        Seen::at(to, &new_name)
    };
    let linked = link().map_err(host("keep a second name of", path))?;
    if !linked.is_same(seen) {
        return Err(Error::Changed {
            path: guest_path(path),
        });
    }
    Ok(())
}

/// Makes a file, complete and on the disk.
fn make(
    directory: &mut HostDirectory,
    file: FileId,
    path: &[Vec<u8>],
    journal: &OpenJournal<'_>,
    slot: Slot,
) -> Result<u64> {
    let meant = meant(directory, file, path)?;
    let (to, name) = journal.slot(slot);
    let failed = || host("make", path);
    let faults = &directory.root.faults;
    faults.step().map_err(failed())?;
    match meant.kind {
        Kind::File => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let mode = Mode::RUSR | Mode::WUSR;
            let made = rustix::fs::openat(to, &name, flags, mode).map_err(failed())?;
            write(directory, file, path, &File::from(made))?;
        }
        Kind::Directory => {
            rustix::fs::mkdirat(to, &name, Mode::RWXU).map_err(failed())?;
        }
        Kind::SymbolicLink => {
            let target = directory.memory.read_link(file)?;
            rustix::fs::symlinkat(target, to, &name).map_err(failed())?;
        }
        kind => make_special(kind, to, &name).map_err(failed())?,
    }
    let inode = Inode::at(to, &name).map_err(failed())?;
    // A directory keeps these bits until all is in it.
    let permissions = match meant.kind {
        Kind::Directory => 0o700,
        _ => meant.permissions,
    };
    let faults = &directory.root.faults;
    set_owner(&inode, meant.uid, meant.gid, path, faults)?;
    if meant.kind != Kind::SymbolicLink {
        inode
            .set_permissions(permissions, faults)
            .map_err(host("set the permissions of", path))?;
    }
    set_attributes(&inode, &meant, path, directory)?;
    let faults = &directory.root.faults;
    inode
        .set_times(meant.times, faults)
        .map_err(host("set the times of", path))?;
    inode.sync(faults).map_err(host("write", path))?;
    let seen = inode.seen().map_err(failed())?;
    Ok(seen.inode)
}

fn set_owner(inode: &Inode, uid: u32, gid: u32, path: &[Vec<u8>], faults: &Faults) -> Result<()> {
    inode
        .set_owner(uid, gid, faults)
        .map_err(|error| match error {
            // `EINVAL` is a number that the caller's own namespace does not have (`chown(2)`).
            Errno::PERM | Errno::INVAL => Error::Owner {
                path: guest_path(path),
                uid,
                gid,
            },
            error => host("set the owner of", path)(error),
        })
}

fn make_special(kind: Kind, to: &std::os::fd::OwnedFd, name: &[u8]) -> Result<(), Errno> {
    use rustix::fs::{FileType, makedev};
    let (sort, device) = match kind {
        Kind::CharacterDevice { major, minor } => (FileType::CharacterDevice, (major, minor)),
        Kind::BlockDevice { major, minor } => (FileType::BlockDevice, (major, minor)),
        Kind::Fifo => (FileType::Fifo, (0, 0)),
        _ => (FileType::Socket, (0, 0)),
    };
    let device = makedev(device.0, device.1);
    rustix::fs::mknodat(to, name, sort, Mode::RUSR | Mode::WUSR, device)
}

/// Writes the content; what is only zeros becomes a hole.
fn write(directory: &mut HostDirectory, file: FileId, path: &[Vec<u8>], to: &File) -> Result<()> {
    let failed = |error: std::io::Error| {
        let error = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        host("write", path)(error)
    };
    let size = directory.memory.attributes(file)?.size;
    let mut buffer = vec![0; COPY_BYTES];
    let mut offset = 0;
    while offset < size {
        let length = directory.memory.read_at(file, &mut buffer, offset)?;
        let data = buffer.get(..length).unwrap_or_default();
        if data.is_empty() {
            break;
        }
        if data.iter().any(|byte| *byte != 0) {
            directory.root.faults.step().map_err(host("write", path))?;
            to.write_all_at(data, offset).map_err(failed)?;
        }
        offset += length as u64;
    }
    directory.root.faults.step().map_err(host("write", path))?;
    to.set_len(size).map_err(failed)?;
    (&mut &*to).flush().map_err(failed)
}

/// Gives a file the extended attributes that are meant. What the kernel adds of itself stays (labels), but for access lists, which
/// the bits and the meant lists say in full.
fn set_attributes(
    inode: &Inode,
    meant: &Meant,
    path: &[Vec<u8>],
    directory: &HostDirectory,
) -> Result<()> {
    let faults = &directory.root.faults;
    let found = inode
        .attribute_names()
        .map_err(host("read the attributes of", path))?;
    for name in found {
        if name.starts_with(b"system.posix_acl_") && !meant.attributes.contains_key(&name) {
            set_failed(&name, path, inode.remove_attribute(&name, faults))?;
        }
    }
    for (name, value) in &meant.attributes {
        set_failed(name, path, inode.set_attribute(name, value, faults))?;
    }
    Ok(())
}

pub(crate) fn set_failed(name: &[u8], path: &[Vec<u8>], outcome: Result<(), Errno>) -> Result<()> {
    outcome.map_err(|error| {
        let name = guest_path(&[name.to_vec()]).to_string();
        let name = name.strip_prefix('/').unwrap_or(&name);
        host(&format!("set the attribute `{name}` of"), path)(error)
    })
}

/// Tries the owners that files of the tree are to get on a file in the journal.
fn try_owners(directory: &mut HostDirectory, plan: &Plan, journal: &OpenJournal<'_>) -> Result<()> {
    let mut owners = BTreeMap::new();
    for settle in &plan.settles {
        let meant = meant(directory, settle.file, &settle.path)?;
        let Some(origin) = directory.origins.get(&settle.file) else {
            continue;
        };
        let before = origin.seen.attributes;
        if (before.uid, before.gid) != (meant.uid, meant.gid) {
            owners.insert((meant.uid, meant.gid), settle.path.clone());
        }
    }
    if owners.is_empty() {
        return Ok(());
    }
    let (to, name) = journal.slot(Slot::New(u64::MAX));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let make = || {
        directory.root.faults.step()?;
        rustix::fs::openat(to, &name, flags, Mode::RUSR | Mode::WUSR)?;
        Inode::at(to, &name)
    };
    let inode = make().map_err(journal.failed("fill"))?;
    for ((uid, gid), path) in owners {
        set_owner(&inode, uid, gid, &path, &directory.root.faults)?;
    }
    Ok(())
}

fn manifest(
    directory: &HostDirectory,
    plan: &Plan,
    inodes: &BTreeMap<FileId, u64>,
) -> Result<Manifest> {
    let inode = |file: FileId| inodes.get(&file).copied().unwrap_or_default();
    let spot = |site: &Site| Spot {
        directory: site.path.clone(),
        inode: inode(site.directory),
        name: site.name.clone(),
    };
    let replaced = plan.replaces.iter().map(|it| Replaced {
        spot: spot(&it.site),
        old: it.old,
    });
    let taken = plan.takes.iter().map(|it| Taken {
        spot: spot(&it.site),
        old: it.old,
    });
    let placed = plan.places.iter().map(|it| Placed {
        spot: spot(&it.site),
        slot: it.slot,
        inode: inode(it.file),
    });
    let restored = plan.restored.iter().filter_map(|file| {
        let origin = directory.origins.get(file)?;
        let before = origin.seen.attributes;
        Some(Restored {
            path: origin.path.clone(),
            inode: origin.seen.inode,
            uid: before.uid,
            gid: before.gid,
            permissions: before.permissions,
            is_link: before.kind == Kind::SymbolicLink,
            accessed: before.accessed,
            modified: before.modified,
            attributes: origin.attributes.clone(),
        })
    });
    Ok(Manifest {
        root: directory.root.seen.inode,
        replaced: replaced.collect(),
        taken: taken.collect(),
        placed: placed.collect(),
        restored: restored.collect(),
    })
}
