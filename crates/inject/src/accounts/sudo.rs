//! Rules for sudo(8).

use christen_instance::model::GuestUser;

use crate::{Existing, Item, ItemKind, Ownership, Result, Secrecy, Stage};

/// Behind what packages bring; no name with a dot or a `~` at its end is read (sudoers(5), "Including other files").
const FILE: &str = "/etc/sudoers.d/90-christen-users";
const DIRECTORY: &str = "/etc/sudoers.d";

/// The accounts have their rules, in a file of their own; rules there of other accounts stay.
pub(super) fn rules(stage: &mut Stage<'_>, users: &[GuestUser]) -> Result<()> {
    let with_rule = users
        .iter()
        .filter_map(|user| Some((user, user.sudo.as_deref()?)));
    let path = crate::guest_path(FILE);
    let mut is_first = true;
    for (user, rule) in with_rule {
        stage.begin(Item::of(ItemKind::Account, &user.name));
        if is_first {
            check(stage)?;
            stage.directory(
                &crate::guest_path(DIRECTORY),
                Ownership::root(0o750),
                Existing::Keep,
            )?;
            is_first = false;
        }
        if rule.ends_with('\\') || rule.chars().any(char::is_control) {
            return Err(stage.impossible("the rule for sudo goes on beyond its line"));
        }
        let name = subject(&user.name);
        let mut text = Vec::new();
        for line in stage
            .read(&path)?
            .unwrap_or_default()
            .split_inclusive(|byte| *byte == b'\n')
        {
            let subject = line.split(|byte| matches!(byte, b' ' | b'\t')).next();
            if subject != Some(name.as_bytes()) {
                text.extend_from_slice(line);
            }
        }
        if text.last().is_some_and(|byte| *byte != b'\n') {
            text.push(b'\n');
        }
        text.extend_from_slice(format!("{name} {rule}\n").as_bytes());
        let own = Ownership::root(0o440);
        stage.write(&path, &text, own, Existing::Set, Secrecy::Public)?;
    }
    Ok(())
}

/// A name of capitals alone would be an alias, unless it is in quotes (sudoers(5), "Aliases").
fn subject(name: &str) -> String {
    let is_alias = name.starts_with(|it: char| it.is_ascii_uppercase())
        && name
            .chars()
            .all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_');
    if is_alias {
        format!("\"{name}\"")
    } else {
        name.to_owned()
    }
}

fn check(stage: &mut Stage<'_>) -> Result<()> {
    let mut text = None;
    for place in ["/etc/sudoers", "/usr/etc/sudoers"] {
        if text.is_none() {
            text = stage.read(&crate::guest_path(place))?;
        }
    }
    let Some(text) = text else {
        stage.notice("the guest has no `/etc/sudoers`: without sudo its rules are of no use");
        return Ok(());
    };
    let is_included = text.split(|byte| *byte == b'\n').any(|line| {
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_ascii_whitespace();
        let directive = words.next();
        matches!(directive, Some("@includedir" | "#includedir"))
            && words
                .next()
                .map(|it| it.trim_matches('"').trim_end_matches('/'))
                == Some(DIRECTORY)
    });
    if !is_included {
        stage.notice(format!(
            "`/etc/sudoers` does not include `{DIRECTORY}`, so that sudo reads no rule there"
        ));
    }
    Ok(())
}
