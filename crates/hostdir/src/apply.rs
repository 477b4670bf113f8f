//! Doing it, once the journal has all that undoes it.

use std::os::fd::OwnedFd;

use christen_vfs::Kind;
use rustix::fs::RenameFlags;
use rustix::io::Errno;

use crate::directory::HostDirectory;
use crate::error::{Error, Result, guest_path, host};
use crate::journal::OpenJournal;
use crate::manifest::{Manifest, Slot, Spot};
use crate::plan::{Plan, Settle};
use crate::prepare::{meant, set_failed};
use crate::root::Root;
use crate::seen::Seen;

pub(crate) fn apply(
    directory: &mut HostDirectory,
    plan: &Plan,
    manifest: &Manifest,
    journal: &OpenJournal<'_>,
) -> Result<()> {
    let root = &directory.root;
    for (replace, replaced) in plan.replaces.iter().zip(&manifest.replaced) {
        let above = above(root, &replaced.spot)?;
        is_still(directory, &above, &replaced.spot, replace.file)?;
        let (from, name) = journal.slot(Slot::New(replace.new));
        let rename = || {
            root.faults.step()?;
            rustix::fs::renameat(from, &name, &above, &replaced.spot.name)
        };
        rename().map_err(host("replace", &replaced.spot.path()))?;
    }
    for (take, taken) in plan.takes.iter().zip(&manifest.taken) {
        let above = above(root, &taken.spot)?;
        is_still(directory, &above, &taken.spot, take.file)?;
        let (to, name) = journal.slot(Slot::Old(taken.old));
        root.faults
            .step()
            .and_then(|()| {
                let flags = RenameFlags::NOREPLACE;
                rustix::fs::renameat_with(&above, &taken.spot.name, to, &name, flags)
            })
            .map_err(host("take away", &taken.spot.path()))?;
    }
    for placed in &manifest.placed {
        let above = above(root, &placed.spot)?;
        let (from, name) = journal.slot(placed.slot);
        root.faults
            .step()
            .and_then(|()| {
                let flags = RenameFlags::NOREPLACE;
                rustix::fs::renameat_with(from, &name, &above, &placed.spot.name, flags)
            })
            .map_err(host("place", &placed.spot.path()))?;
    }
    for it in &plan.settles {
        settle(directory, it)?;
    }
    Ok(())
}

pub(crate) fn above(root: &Root, spot: &Spot) -> Result<OwnedFd> {
    root.directory_at(&spot.directory, Some(spot.inode))
}

/// Looks whether a name is still of the file that was read.
fn is_still(
    directory: &HostDirectory,
    above: &OwnedFd,
    spot: &Spot,
    file: christen_vfs::FileId,
) -> Result<()> {
    let path = spot.path();
    let seen = match Seen::at(above, &spot.name) {
        Err(Errno::NOENT) => None,
        other => Some(other.map_err(host("look at", &path))?),
    };
    let origin = directory.origins.get(&file);
    match (seen, origin) {
        (Some(seen), Some(origin)) if seen.is_same(&origin.seen) => Ok(()),
        _ => Err(Error::Changed {
            path: guest_path(&path),
        }),
    }
}

/// Gives a file its attributes: the owner first, which takes bits and capabilities, and the times last.
fn settle(directory: &mut HostDirectory, it: &Settle) -> Result<()> {
    let path = &it.path;
    let meant = meant(directory, it.file, path)?;
    let inode = directory.root.find(path).map_err(host("open", path))?;
    let seen = inode.seen().map_err(host("look at", path))?;
    let origin = directory.origins.get(&it.file);
    if origin.is_some_and(|origin| !seen.is_same(&origin.seen)) {
        return Err(Error::Changed {
            path: guest_path(path),
        });
    }
    let faults = &directory.root.faults;
    let found = seen.attributes;
    if (found.uid, found.gid) != (meant.uid, meant.gid) {
        inode
            .set_owner(meant.uid, meant.gid, faults)
            .map_err(host("set the owner of", path))?;
    }
    if meant.kind != Kind::SymbolicLink {
        inode
            .set_permissions(meant.permissions, faults)
            .map_err(host("set the permissions of", path))?;
    }
    let before = origin.map(|it| it.attributes.clone());
    // What was never read was never changed.
    if let Some(Some(before)) = before {
        for name in before.keys() {
            if !meant.attributes.contains_key(name) {
                set_failed(name, path, inode.remove_attribute(name, faults))?;
            }
        }
        for (name, value) in &meant.attributes {
            let is_there = inode
                .attribute(name)
                .map_err(host("read the attributes of", path))?;
            if is_there.as_ref() != Some(value) {
                set_failed(name, path, inode.set_attribute(name, value, faults))?;
            }
        }
    }
    inode
        .set_times(meant.times, faults)
        .map_err(host("set the times of", path))?;
    inode.sync(faults).map_err(host("write", path))
}
