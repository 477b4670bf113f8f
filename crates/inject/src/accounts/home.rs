//! Home directories, with what `/etc/skel` has.

use christen_instance::model::GuestUser;
use christen_vfs::walk::LastLink;
use christen_vfs::{GuestPath, Kind};

use super::database::{Database, Entry};
use super::login_defs::LoginDefs;
use crate::{Existing, Ownership, Result, Secrecy, Stage};

/// How deep and how many files `/etc/skel` may have.
const MAX_DEPTH: usize = 16;
const MAX_FILES: usize = 1000;

/// The home of an ordinary account is there. One that is there already stays as it is.
pub(super) fn make(
    stage: &mut Stage<'_>,
    database: &Database,
    defs: &LoginDefs,
    user: &GuestUser,
) -> Result<()> {
    if user.system || user.name == "root" {
        return Ok(());
    }
    let Some(entry) = database.account(&user.name)? else {
        return Ok(());
    };
    let home = entry.home(stage)?;
    if stage.look(&home, LastLink::Followed)?.is_some() {
        return Ok(());
    }
    let own = Ownership {
        permissions: defs.home_mode(),
        uid: entry.uid,
        gid: entry.gid,
    };
    stage.directory(&home, own, Existing::Keep)?;
    let mut left = MAX_FILES;
    copy(
        stage,
        &crate::guest_path("/etc/skel"),
        &home,
        &entry,
        MAX_DEPTH,
        &mut left,
    )
}

/// Copies what is in a directory, for the account; devices and the like are left out.
fn copy(
    stage: &mut Stage<'_>,
    from: &GuestPath,
    to: &GuestPath,
    entry: &Entry,
    depth: usize,
    left: &mut usize,
) -> Result<()> {
    if !stage.is_directory(from)? {
        return Ok(());
    }
    for name in stage.names(from)? {
        let (source, target) = (from.join(&name), to.join(&name));
        let Some(found) = stage.look(&source, LastLink::Kept)? else {
            continue;
        };
        *left = left
            .checked_sub(1)
            .ok_or_else(|| stage.impossible("`/etc/skel` has more than 1000 files"))?;
        let own = Ownership {
            permissions: found.permissions,
            uid: entry.uid,
            gid: entry.gid,
        };
        match found.kind {
            Kind::File => {
                let content = stage.read(&source)?.unwrap_or_default();
                stage.write(&target, &content, own, Existing::Keep, Secrecy::Public)?;
            }
            Kind::Directory => {
                if depth == 0 {
                    return Err(stage.impossible("`/etc/skel` is more than 16 directories deep"));
                }
                stage.directory(&target, own, Existing::Keep)?;
                copy(stage, &source, &target, entry, depth - 1, left)?;
            }
            Kind::SymbolicLink => {
                let link = stage.link_target(&source)?;
                stage.symbolic_link(&target, &link)?;
            }
            _ => {}
        }
    }
    Ok(())
}
