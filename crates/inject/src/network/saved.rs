//! Configuration that gives way to ours, and is kept.

use christen_vfs::GuestPath;
use christen_vfs::walk::LastLink;

use super::guest_files::path;
use crate::{Existing, Ownership, Result, Secrecy, Stage};

/// Where it is kept, each file under its own path: on the same filesystem, as `/etc` is one with the root wherever a system boots,
/// and where no renderer looks.
const DIRECTORY: &str = "/etc/christen/saved";

/// Moves a file away that says another thing of the same interfaces.
pub(super) fn set_aside(stage: &mut Stage<'_>, file: &GuestPath, reason: &str) -> Result<()> {
    let kept = place(file);
    stage.parents(&kept)?;
    stage.rename(file, &kept)?;
    stage.notice(format!("`{file}` {reason}, and was moved to `{kept}`"));
    Ok(())
}

/// Keeps a copy of a file before parts of it are taken out; one that is there already stays, as it is the older.
pub(super) fn keep_copy(stage: &mut Stage<'_>, file: &GuestPath, content: &[u8]) -> Result<()> {
    let kept = place(file);
    if stage.exists(&kept)? {
        return Ok(());
    }
    let ownership = match stage.look(file, LastLink::Followed)? {
        Some(found) => Ownership {
            permissions: found.permissions,
            uid: found.uid,
            gid: found.gid,
        },
        None => Ownership::root(0o600),
    };
    stage.parents(&kept)?;
    stage.write(&kept, content, ownership, Existing::Set, Secrecy::Public)
}

fn place(file: &GuestPath) -> GuestPath {
    file.components()
        .fold(path(DIRECTORY), |kept, name| kept.join(name))
}
