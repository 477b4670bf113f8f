//! The machine ID (machine-id(5)) and what is named after it.

use christen_instance::inputs::RandomSource;

use super::{draw, is_file};
use crate::{Existing, Ownership, Result, Secrecy, Stage};

const FILE: &str = "/etc/machine-id";
/// D-Bus has a copy where it is older than systemd; elsewhere this is a link.
const DBUS: &str = "/var/lib/dbus/machine-id";
/// Boot entries whose names begin with the token (kernel-install(8)).
const ENTRIES: &str = "/boot/loader/entries";
const TOKEN: &str = "/etc/kernel/entry-token";

/// Draws another ID. An image that has none, or the word `uninitialized`, gets one at its first boot anyway.
pub(super) fn renew(stage: &mut Stage<'_>, random: &mut dyn RandomSource) -> Result<()> {
    let path = crate::guest_path(FILE);
    let Some(content) = stage.read(&path)? else {
        return Ok(());
    };
    let old = content.trim_ascii();
    if old.is_empty() || old == b"uninitialized" {
        return Ok(());
    }
    let mut bytes = [0; 16];
    draw(random, &mut bytes, "a machine ID")?;
    // A random UUID, as systemd makes it (RFC 9562, section 5.4).
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let new: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = format!("{new}\n");
    let write = |stage: &mut Stage<'_>, path, permissions, content: &[u8]| {
        let own = Ownership::root(permissions);
        stage.write(path, content, own, Existing::Keep, Secrecy::Public)
    };
    write(stage, &path, 0o444, line.as_bytes())?;
    let dbus = crate::guest_path(DBUS);
    if is_file(stage, &dbus)? {
        write(stage, &dbus, 0o644, line.as_bytes())?;
    }
    keep_entry_token(stage, old)
}

/// Boot entries that are named after the old ID keep their names.
pub(crate) fn keep_entry_token(stage: &mut Stage<'_>, old: &[u8]) -> Result<()> {
    let token = crate::guest_path(TOKEN);
    let entries = crate::guest_path(ENTRIES);
    let prefix = [old, b"-"].concat();
    let is_directory = stage.is_directory(&entries)?;
    let names_it = is_directory
        && stage
            .names(&entries)?
            .iter()
            .any(|name| name.starts_with(&prefix));
    if names_it && !stage.exists(&token)? {
        // The next kernel would go beside the present ones instead of in their place.
        stage.parents(&token)?;
        let own = Ownership::root(0o644);
        let content = [old, b"\n"].concat();
        stage.write(&token, &content, own, Existing::Keep, Secrecy::Public)?;
        stage.notice(format!(
            "boot entries are named after the old machine ID, which `{TOKEN}` keeps for them"
        ));
    }
    Ok(())
}
