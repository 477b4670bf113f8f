//! Owners as they are written: `user`, `user:group`, `:group`.

use super::database::{entry_of, gid};
use super::table::Table;
use crate::{Result, Secrecy, Stage};

/// Finds the IDs that an owner means in this guest; what is not named stays open, and a number is taken where nothing has it as a name.
pub(crate) fn owner(stage: &mut Stage<'_>, text: &str) -> Result<(Option<u32>, Option<u32>)> {
    let (user, group) = text.split_once([':']).unwrap_or((text, ""));
    let mut ids = (None, None);
    if !user.is_empty() {
        let known = match Table::load(stage, "/etc/passwd", 7, Secrecy::Public)? {
            Some(table) => entry_of(&table, user)?.map(|it| it.uid),
            None => None,
        };
        ids.0 = Some(known_or_number(stage, known, "account", user)?);
    }
    if !group.is_empty() {
        let known = match Table::load(stage, "/etc/group", 4, Secrecy::Public)? {
            Some(table) => gid(&table, group)?,
            None => None,
        };
        ids.1 = Some(known_or_number(stage, known, "group", group)?);
    }
    Ok(ids)
}

/// Finds a group of the guest.
pub(crate) fn group_id(stage: &mut Stage<'_>, name: &str) -> Result<Option<u32>> {
    match Table::load(stage, "/etc/group", 4, Secrecy::Public)? {
        Some(table) => gid(&table, name),
        None => Ok(None),
    }
}

fn known_or_number(stage: &Stage<'_>, known: Option<u32>, what: &str, name: &str) -> Result<u32> {
    // -1 leaves the owner as it is (chown(2)), so it is nobody's.
    let number = || name.parse().ok().filter(|number| *number != u32::MAX);
    known.or_else(number).ok_or_else(|| {
        stage.impossible(format!("the guest has no {what} `{}`", name.escape_debug()))
    })
}
