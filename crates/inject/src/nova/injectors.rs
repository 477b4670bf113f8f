//! How Nova puts key, network, metadata and files into a guest.
//!
//! Nova 34.0.0, `nova/virt/disk/api.py`, `_inject_*_into_fs`. Each makes its calls in Nova's order, so that an error leaves what Nova
//! would leave.

use christen_instance::model::InjectedFile;
use christen_instance::{Value, json};

use super::guest::Guest;
use super::raised::Failure;
use crate::Secrecy;

/// Adds a key to those of root.
pub(super) fn key(guest: &mut Guest<'_, '_>, key: &str) -> Result<(), Failure> {
    const DIRECTORY: &str = "root/.ssh";
    const FILE: &str = "root/.ssh/authorized_keys";
    guest.make_path(DIRECTORY)?;
    guest.set_ownership_of_root(DIRECTORY)?;
    guest.set_permissions(DIRECTORY, 0o700)?;
    let key = key.trim_matches(is_python_space);
    let lines = format!("\n# The following ssh key was injected by Nova\n{key}\n");
    guest.append_file(FILE, &lines)?;
    guest.set_permissions(FILE, 0o600)?;
    label_keys(guest)
}

/// Lets a guest with SELinux label root's keys when it boots (`_setup_selinux_for_keys`).
fn label_keys(guest: &mut Guest<'_, '_>) -> Result<(), Failure> {
    const LINES: &str = "\n# Added by Nova to ensure injected ssh keys have the right context\n\
                         restorecon -RF root/.ssh 2>/dev/null || :\n";
    if !guest.has_file("etc/selinux")? {
        return Ok(());
    }
    let mut script = "etc/rc.local";
    if !guest.has_file(script)? && guest.has_file("etc/rc.d")? {
        script = "etc/rc.d/rc.local";
    }
    let first = if guest.has_file(script)? {
        ""
    } else {
        "#!/bin/sh"
    };
    guest.append_file(script, &format!("{first}{LINES}"))?;
    guest.set_permissions(script, 0o700)
}

/// Writes the network's configuration.
pub(super) fn net(guest: &mut Guest<'_, '_>, net: &str) -> Result<(), Failure> {
    const DIRECTORY: &str = "etc/network";
    guest.make_path(DIRECTORY)?;
    guest.set_ownership_of_root(DIRECTORY)?;
    guest.set_permissions(DIRECTORY, 0o744)?;
    guest.replace_file("etc/network/interfaces", net.as_bytes(), Secrecy::Public)
}

/// Writes the owner's key-value pairs.
pub(super) fn metadata(
    guest: &mut Guest<'_, '_>,
    metadata: &[(String, String)],
) -> Result<(), Failure> {
    let members = metadata.iter();
    let members = members.map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    let text = json::encode(&Value::Object(members.collect()));
    guest.replace_file("meta.js", text.as_bytes(), Secrecy::Public)
}

/// Writes files, and the directories of those that lack one.
pub(super) fn files(guest: &mut Guest<'_, '_>, files: &[InjectedFile]) -> Result<(), Failure> {
    for file in files {
        let directory = directory_name(&file.path);
        if !matches!(directory, "" | "/") && !guest.has_file(directory)? {
            guest.make_path(directory)?;
            guest.set_ownership_of_root(directory)?;
            guest.set_permissions(directory, 0o744)?;
        }
        guest.replace_file(&file.path, file.content.expose(), Secrecy::Secret)?;
    }
    Ok(())
}

/// Python's `os.path.dirname`: what stands before the last `/`, without slashes at its end unless it is nothing else.
fn directory_name(path: &str) -> &str {
    let head = path.rfind('/').map_or("", |at| &path[..=at]);
    match head.trim_end_matches('/') {
        "" => head,
        trimmed => trimmed,
    }
}

/// What Python's `str.strip` takes away: Unicode's white space, and four control characters.
fn is_python_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_what_python_takes_for_it() {
        for (path, expected) in [
            ("", ""),
            ("top", ""),
            ("/top", "/"),
            ("//top", "//"),
            ("/etc/motd", "/etc"),
            ("/etc//motd", "/etc"),
            ("//etc//twice", "//etc"),
            ("/etc/", "/etc"),
            ("/etc/..", "/etc"),
            ("etc/relative", "etc"),
        ] {
            assert_eq!(directory_name(path), expected, "{path}");
        }
    }

    #[test]
    fn white_space_is_what_python_takes_for_it() {
        assert!(
            " \t\n\r\u{b}\u{c}\u{1c}\u{1f}\u{85}\u{a0}\u{2003}\u{3000}"
                .chars()
                .all(is_python_space)
        );
        assert!(!"\u{200b}\u{feff}\u{0}\u{180e}".chars().any(is_python_space));
    }
}
