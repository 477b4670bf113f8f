//! Public keys that may log in: sshd(8), "AUTHORIZED_KEYS FILE FORMAT".

mod default_user;
mod line;
mod sshd_config;
#[cfg(test)]
mod tests;

use christen_instance::Instance;
use christen_vfs::walk::LastLink;
use christen_vfs::{GuestPath, Kind};

use self::line::KeyLine;
use self::sshd_config::KeysFile;
use crate::accounts::{self, Entry};
use crate::{Existing, Item, ItemKind, Ownership, Request, Result, Secrecy, Stage};

/// Gives the keys of the instance to the image's default user, and those of each account to it.
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    let instance = request.instance;
    let of_users = instance.guest.users.iter();
    let of_users = of_users.filter(|user| !user.ssh_authorized_keys.is_empty());
    let own = keys_of(instance);
    if own.is_empty() && of_users.clone().next().is_none() {
        return Ok(());
    }
    if !own.is_empty() {
        stage.begin(Item::new(ItemKind::Key));
        let name = default_user::find(stage)?;
        give(stage, &name, &own)?;
    }
    for user in of_users {
        let keys: Vec<_> = user
            .ssh_authorized_keys
            .iter()
            .map(String::as_str)
            .collect();
        give(stage, &user.name, &keys)?;
    }
    Ok(())
}

/// The key pair's, and the further ones.
fn keys_of(instance: &Instance) -> Vec<&str> {
    let pair = instance.key.iter().filter(|key| key.kind == "ssh");
    let mut keys: Vec<&str> = Vec::new();
    let all = pair
        .filter_map(|key| key.public_key.as_deref())
        .chain(instance.ssh_authorized_keys.iter().map(String::as_str));
    for key in all {
        let key = key.trim();
        if !key.is_empty() && !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// An account has these keys, each once, in the file that the guest's sshd reads.
fn give(stage: &mut Stage<'_>, name: &str, keys: &[&str]) -> Result<()> {
    stage.begin(Item::of(ItemKind::Key, name));
    let Some(account) = accounts::find(stage, name)? else {
        return Err(stage.impossible("the guest has no such account"));
    };
    let home = account.home(stage)?;
    match sshd_config::keys_file(stage, name, account.uid)? {
        KeysFile::InHome(rest) => {
            let path = home.join(&rest);
            directories(stage, &account, &home, &path)?;
            let own = Ownership {
                permissions: 0o600,
                uid: account.uid,
                gid: account.gid,
            };
            // What a link leads to may be anybody's: it keeps its owner.
            let existing = if is_link(stage, &path)? {
                Existing::Keep
            } else {
                Existing::Set
            };
            write(stage, &path, keys, own, existing)
        }
        KeysFile::Elsewhere(path) => {
            // Keys are kept outside of homes so that their owners do not change them; sshd reads the file as the account.
            stage.parents(&path)?;
            write(stage, &path, keys, Ownership::root(0o644), Existing::Keep)
        }
    }
}

/// The directories between a home and the file are there, the account's alone: sshd with `StrictModes` wants them so.
fn directories(
    stage: &mut Stage<'_>,
    account: &Entry,
    home: &GuestPath,
    file: &GuestPath,
) -> Result<()> {
    let own = Ownership {
        permissions: 0o700,
        uid: account.uid,
        gid: account.gid,
    };
    let mut above = Vec::new();
    let mut path = file.parent();
    while let Some(directory) = path.filter(|it| it != home && it.parent().is_some()) {
        path = directory.parent();
        above.push(directory);
    }
    match stage.look(home, LastLink::Followed)? {
        None => stage.directory(home, own, Existing::Keep)?,
        // OpenSSH `misc.c`, `safe_path`.
        Some(found) if found.permissions & 0o022 != 0 => stage.notice(format!(
            "`{home}` can be written by others, so that sshd with `StrictModes` refuses the keys"
        )),
        Some(_) => {}
    }
    for directory in above.iter().rev() {
        let existing = if is_link(stage, directory)? {
            Existing::Keep
        } else {
            Existing::Set
        };
        stage.directory(directory, own, existing)?;
    }
    Ok(())
}

fn is_link(stage: &mut Stage<'_>, path: &GuestPath) -> Result<bool> {
    let found = stage.look(path, LastLink::Kept)?;
    Ok(found.is_some_and(|it| it.kind == Kind::SymbolicLink))
}

fn write(
    stage: &mut Stage<'_>,
    path: &GuestPath,
    keys: &[&str],
    own: Ownership,
    existing: Existing,
) -> Result<()> {
    let mut content = stage.read(path)?.unwrap_or_default();
    for key in keys {
        let key = key.trim();
        if key.is_empty() || key.bytes().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
            return Err(stage.impossible("a public key is one line"));
        }
        let wanted = KeyLine::of(key.as_bytes());
        let mut is_there = false;
        for line in content.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            if line == key.as_bytes() {
                is_there = true;
                break;
            }
            let (Some(found), Some(wanted)) = (KeyLine::of(line), &wanted) else {
                continue;
            };
            if found.key != wanted.key {
                continue;
            }
            if found.options == wanted.options {
                // The comment alone is another.
                is_there = true;
                break;
            }
            stage.notice(format!(
                "`{path}` has one of the keys with other options already, and sshd takes the first line that fits"
            ));
        }
        if !is_there {
            if content.last().is_some_and(|byte| *byte != b'\n') {
                content.push(b'\n');
            }
            content.extend_from_slice(key.as_bytes());
            content.push(b'\n');
        }
    }
    stage.write(path, &content, own, existing, Secrecy::Public)
}
