//! Accounts, made or changed.

use christen_instance::model::GuestUser;

use super::database::{Database, GECOS, HOME, SHELL};
use super::login_defs::LoginDefs;
use crate::{Result, Stage};

/// The least and the highest user ID that is nobody's: -1 means "none" to chown(2), and 65535 is its 16 bit form.
const RESERVED: [u32; 2] = [65_535, u32::MAX];

/// An account is there as the description has it; says whether it was made.
pub(super) fn user(
    stage: &mut Stage<'_>,
    database: &mut Database,
    defs: &LoginDefs,
    user: &GuestUser,
) -> Result<bool> {
    let fields = [
        ("the name", Some(&user.name)),
        ("the full name", user.gecos.as_ref()),
        ("the home", user.home.as_ref()),
        ("the shell", user.shell.as_ref()),
    ];
    for (what, text) in fields {
        let Some(text) = text else { continue };
        if text.contains(':') || text.chars().any(char::is_control) {
            return Err(stage.impossible(format!(
                "{what} holds a `:` or a control character, which passwd(5) cannot hold"
            )));
        }
    }
    let made = match database.account(&user.name)? {
        Some(found) => {
            if user.uid.is_some_and(|uid| uid != found.uid) {
                return Err(stage.impossible(format!(
                    "the guest has this account with user ID {}, which is not changed because its files would stay behind",
                    found.uid
                )));
            }
            change(stage, database, user)?;
            false
        }
        None => {
            make(stage, database, defs, user)?;
            true
        }
    };
    for group in &user.groups {
        database.join_group(stage, &user.name, group)?;
    }
    if let Some(shell) = &user.shell {
        let is_there = stage.exists(&crate::path_of(stage, shell)?)?;
        if !is_there {
            stage.notice(format!(
                "the guest has no `{shell}`, so that nobody can log in to this account"
            ));
        }
    }
    Ok(made)
}

fn change(stage: &Stage<'_>, database: &mut Database, user: &GuestUser) -> Result<()> {
    let fields = [
        (GECOS, user.gecos.as_ref()),
        (HOME, user.home.as_ref()),
        (SHELL, user.shell.as_ref()),
    ];
    for (field, value) in fields {
        if let Some(value) = value {
            let name = user.name.as_bytes();
            database
                .passwd
                .set(stage.item(), name, field, value.as_bytes())?;
        }
    }
    Ok(())
}

fn make(
    stage: &mut Stage<'_>,
    database: &mut Database,
    defs: &LoginDefs,
    user: &GuestUser,
) -> Result<()> {
    let uid = match user.uid {
        Some(uid) => {
            if let Some(owner) = database.owner_of(uid) {
                let owner = String::from_utf8_lossy(owner).escape_debug().to_string();
                return Err(stage.impossible(format!("user ID {uid} is that of `{owner}`")));
            }
            uid
        }
        None => free(
            stage,
            database.uids().collect(),
            defs.range("UID", user.system),
            user.system,
        )?,
    };
    let gid = match database.gid(&user.name)? {
        Some(gid) => {
            stage.notice(format!(
                "the guest has a group `{}` already, which becomes the account's own",
                user.name
            ));
            gid
        }
        None => {
            // As useradd(8): the group has the number of the account if that is free.
            let taken: Vec<u32> = database.gids().collect();
            let gid = if taken.contains(&uid) {
                free(stage, taken, defs.range("GID", user.system), user.system)?
            } else {
                uid
            };
            database.add_group(stage, &user.name, gid)?;
            gid
        }
    };
    let home = match &user.home {
        Some(home) => home.clone(),
        None => format!("/home/{}", user.name),
    };
    let shell = match &user.shell {
        Some(shell) => shell.clone(),
        None => default_shell(stage, user.system)?,
    };
    let gecos = user.gecos.clone().unwrap_or_default();
    let item = stage.item().clone();
    database.passwd.add(
        &item,
        &[
            user.name.as_bytes(),
            b"x",
            uid.to_string().as_bytes(),
            gid.to_string().as_bytes(),
            gecos.as_bytes(),
            home.as_bytes(),
            shell.as_bytes(),
        ],
    );
    Ok(())
}

/// A number that nobody has: behind the highest of the range, as useradd(8) chooses it, else the first gap; for the system's own
/// accounts the highest gap.
fn free(
    stage: &Stage<'_>,
    mut taken: Vec<u32>,
    (first, last): (u32, u32),
    system: bool,
) -> Result<u32> {
    taken.sort_unstable();
    let is_free = |id: &u32| taken.binary_search(id).is_err() && !RESERVED.contains(id);
    let highest = taken
        .iter()
        .rev()
        .find(|id| (first..=last).contains(*id))
        .copied();
    let found = if system {
        // There is a gap among any `taken + 3` numbers.
        (first..=last).rev().take(taken.len() + 3).find(is_free)
    } else {
        let behind = highest.map_or(Some(first), |id| id.checked_add(1));
        behind
            .filter(|id| (first..=last).contains(id))
            .filter(is_free)
            .or_else(|| (first..=last).take(taken.len() + 3).find(is_free))
    };
    found.ok_or_else(|| {
        stage.impossible(format!(
            "no ID is left between {first} and {last} of `login.defs`"
        ))
    })
}

/// The shell of `/etc/default/useradd`, else bash, else what every guest has.
fn default_shell(stage: &mut Stage<'_>, system: bool) -> Result<String> {
    let mut shells = vec!["/bin/bash".to_owned()];
    if system {
        shells = vec!["/usr/sbin/nologin".to_owned(), "/sbin/nologin".to_owned()];
    } else if let Some(text) = stage.read(&crate::guest_path("/etc/default/useradd"))? {
        let set = text.split(|byte| *byte == b'\n').find_map(|line| {
            let value = line.trim_ascii().strip_prefix(b"SHELL=")?;
            std::str::from_utf8(value).ok()
        });
        let set = set.map(|it| it.trim_matches('"'));
        let is_field = |it: &&str| it.starts_with('/') && !it.contains([':', '\0']);
        shells.splice(0..0, set.filter(is_field).map(str::to_owned));
    }
    for shell in shells {
        if stage.exists(&crate::path_of(stage, &shell)?)? {
            return Ok(shell);
        }
    }
    Ok(if system { "/bin/false" } else { "/bin/sh" }.to_owned())
}
