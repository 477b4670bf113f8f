//! Undoing a change from wherever it was cut.
//!
//! Each step says by what lies in the journal whether it was done, and undoing it leaves what it would have been had it not been
//! done, so that undoing can be cut and begun again as often as one likes.

use std::path::Path;

use rustix::fs::RenameFlags;
use rustix::io::Errno;

use crate::apply::above;
use crate::error::{Error, Result, guest_path, host};
use crate::journal::{Journal, OpenJournal};
use crate::manifest::{Manifest, Placed, Restored, Slot, Spot};
use crate::prepare::set_failed;
use crate::root::Root;
use crate::seen::Seen;

/// What was found of an earlier change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// Nothing.
    Nothing,
    /// A change was cut while it was done; the tree is as it was before it.
    Undone,
    /// A change was cut before it touched the tree, or after it was done; what it had left beside the tree was removed.
    Cleaned,
}

/// Undoes a change to a directory that was cut.
///
/// # Errors
///
/// [`Error::Open`], [`Error::Busy`], [`Error::ForeignJournal`], [`Error::Manifest`], and [`Error::Changed`] where the tree has been
/// changed since by others in a way that cannot be undone. The journal then stays.
pub fn recover(path: &Path) -> Result<Recovered> {
    let root = Root::open(path)?;
    let journal = Journal::beside(path, &root)?;
    recover_at(&root, &journal)
}

pub(crate) fn recover_at(root: &Root, journal: &Journal) -> Result<Recovered> {
    let Some(directory) = journal.find()? else {
        return Ok(Recovered::Nothing);
    };
    let Some(manifest) = journal.manifest(&directory)? else {
        journal.remove(&directory, &root.faults)?;
        return Ok(Recovered::Cleaned);
    };
    if manifest.root != root.seen.inode {
        return Err(Error::Manifest {
            journal: journal.path.clone(),
            rule: "it is of another directory",
        });
    }
    let open = journal.open(directory)?;
    undo(root, &manifest, &open)?;
    open.end(&root.faults)?;
    open.remove(&root.faults)?;
    Ok(Recovered::Undone)
}

pub(crate) fn undo(root: &Root, manifest: &Manifest, journal: &OpenJournal<'_>) -> Result<()> {
    for placed in manifest.placed.iter().rev() {
        take_back(root, placed, journal)?;
    }
    for taken in manifest.taken.iter().rev() {
        put_back(
            root,
            &taken.spot,
            taken.old,
            RenameFlags::NOREPLACE,
            journal,
        )?;
    }
    for replaced in manifest.replaced.iter().rev() {
        // Where it was not replaced, both are names of one file, and nothing happens (`rename(2)`).
        put_back(
            root,
            &replaced.spot,
            replaced.old,
            RenameFlags::empty(),
            journal,
        )?;
    }
    for restored in &manifest.restored {
        restore(root, restored)?;
    }
    Ok(())
}

/// Takes what was placed back into the journal.
fn take_back(root: &Root, placed: &Placed, journal: &OpenJournal<'_>) -> Result<()> {
    let spot = &placed.spot;
    let path = spot.path();
    if journal
        .is_filled(placed.slot)
        .map_err(journal.failed("read"))?
    {
        return Ok(());
    }
    let above = match above(root, spot) {
        // It was not even taken from where it was.
        Err(_) if matches!(placed.slot, Slot::Old(_)) => return Ok(()),
        other => other?,
    };
    match Seen::at(&above, &spot.name) {
        Ok(seen) if seen.inode == placed.inode => {}
        Ok(_) | Err(Errno::NOENT) if matches!(placed.slot, Slot::Old(_)) => return Ok(()),
        Ok(_) | Err(Errno::NOENT) => {
            return Err(Error::Changed {
                path: guest_path(&path),
            });
        }
        Err(error) => return Err(host("look at", &path)(error)),
    }
    let (to, name) = journal.slot(placed.slot);
    let rename = || {
        root.faults.step()?;
        let flags = RenameFlags::NOREPLACE;
        rustix::fs::renameat_with(&above, &spot.name, to, &name, flags)
    };
    rename().map_err(host("take back", &path))
}

/// Puts what lies in the journal back where it was.
fn put_back(
    root: &Root,
    spot: &Spot,
    old: u64,
    flags: RenameFlags,
    journal: &OpenJournal<'_>,
) -> Result<()> {
    let slot = Slot::Old(old);
    if !journal.is_filled(slot).map_err(journal.failed("read"))? {
        return Ok(());
    }
    let above = above(root, spot)?;
    let (from, name) = journal.slot(slot);
    let rename = || {
        root.faults.step()?;
        rustix::fs::renameat_with(from, &name, &above, &spot.name, flags)
    };
    rename().map_err(host("put back", &spot.path()))
}

fn restore(root: &Root, it: &Restored) -> Result<()> {
    let path = &it.path;
    let inode = root.find(path).map_err(host("open", path))?;
    let seen = inode.seen().map_err(host("look at", path))?;
    if seen.inode != it.inode {
        return Err(Error::Changed {
            path: guest_path(path),
        });
    }
    let faults = &root.faults;
    if (seen.attributes.uid, seen.attributes.gid) != (it.uid, it.gid) {
        inode
            .set_owner(it.uid, it.gid, faults)
            .map_err(host("restore the owner of", path))?;
    }
    if !it.is_link {
        inode
            .set_permissions(it.permissions, faults)
            .map_err(host("restore the permissions of", path))?;
    }
    if let Some(attributes) = &it.attributes {
        let failed = || host("read the attributes of", path);
        for name in inode.attribute_names().map_err(failed())? {
            if !attributes.contains_key(&name) {
                set_failed(&name, path, inode.remove_attribute(&name, faults))?;
            }
        }
        for (name, value) in attributes {
            if inode.attribute(name).map_err(failed())?.as_ref() != Some(value) {
                set_failed(name, path, inode.set_attribute(name, value, faults))?;
            }
        }
    }
    let times = christen_vfs::Times {
        accessed: Some(it.accessed),
        modified: Some(it.modified),
    };
    inode
        .set_times(times, faults)
        .map_err(host("restore the times of", path))?;
    inode.sync(faults).map_err(host("write", path))
}
