//! Names for interfaces, where what configures them knows no MAC addresses.
//!
//! The names are `netN`: a name that the kernel gives (`ethN`) may at that moment be another device's (systemd.link(5), `Name=`).

use std::fmt::Write;

use super::guest_files::{first_present, path};
use super::plan::{Mac, impossible};
use super::render::{File, HEADER};
use crate::{Result, Stage};

const RULES: &str = "/etc/udev/rules.d/70-christen-net.rules";
const MACTAB: &str = "/etc/mactab";

/// Sees to it that devices have these names at boot; without names it takes back what an earlier injection said.
pub(super) fn force(stage: &mut Stage<'_>, names: &[(Mac, String)]) -> Result<()> {
    let udev = [
        "/usr/lib/udev/rules.d",
        "/lib/udev/rules.d",
        "/sbin/udevd",
        "/usr/lib/systemd/systemd-udevd",
        // No system that boots by it goes without.
        "/usr/lib/systemd/systemd",
    ];
    let has_udev = first_present(stage, &udev)?.is_some();
    let has_mdev = mdev_names(stage)?;
    if !names.is_empty() && !has_udev && !has_mdev {
        return Err(impossible(
            "interfaces cannot be given names: the guest has neither udev nor an mdev that calls `nameif`"
                .to_owned(),
        ));
    }
    if names.is_empty() || !has_udev {
        stage.remove(&path(RULES))?;
    } else {
        let mut content = HEADER.to_owned();
        for (mac, name) in names {
            // udev(7). `type` 1 is Ethernet: a VLAN or a bridge above has the address too, and no driver's device below it.
            let _ = writeln!(
                content,
                "SUBSYSTEM==\"net\", ACTION==\"add\", DRIVERS==\"?*\", ATTR{{type}}==\"1\", ATTR{{address}}==\"{mac}\", NAME=\"{name}\""
            );
        }
        let rules = File {
            path: RULES.to_owned(),
            content,
            permissions: 0o644,
        };
        super::write_file(stage, &rules)?;
    }
    mactab(stage, if has_mdev { names } else { &[] })
}

/// Whether the guest's mdev asks `nameif`, which reads `/etc/mactab` (Alpine's `/etc/mdev.conf`).
fn mdev_names(stage: &mut Stage<'_>) -> Result<bool> {
    let configuration = path("/etc/mdev.conf");
    if !super::guest_files::is_regular(stage, &configuration)? {
        return Ok(false);
    }
    let content = stage.read(&configuration)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    Ok(text
        .lines()
        .any(|line| !line.trim_start().starts_with('#') && line.contains("nameif")))
}

/// Writes our lines of `/etc/mactab`, each a name and an address (busybox `networking/nameif.c`), and leaves those of others that
/// are about other devices.
fn mactab(stage: &mut Stage<'_>, names: &[(Mac, String)]) -> Result<()> {
    const MARK: &str = "# christen";
    let file = path(MACTAB);
    let old = stage.read(&file)?;
    if old.is_none() && names.is_empty() {
        return Ok(());
    }
    let old = old.unwrap_or_default();
    let mut content = Vec::new();
    for line in old.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line).to_ascii_lowercase();
        let is_ours = text.trim_end().ends_with(MARK);
        let is_about_ours = names.iter().any(|(mac, _)| text.contains(&mac.to_string()));
        if !is_ours && !is_about_ours {
            content.extend_from_slice(line);
        }
    }
    if content.last().is_some_and(|last| *last != b'\n') {
        content.push(b'\n');
    }
    for (mac, name) in names {
        content.extend_from_slice(format!("{name} {mac} {MARK}\n").as_bytes());
    }
    if content == old {
        return Ok(());
    }
    if content.is_empty() {
        return stage.remove(&file);
    }
    stage.configure(&file, &content)
}
