//! What the guest's init starts.

use christen_vfs::walk::LastLink;

use super::guest_files::{first_present, path};
use crate::{Result, Stage};

/// Where systemd looks for units and the links between them; what is under `/etc` wins over the vendor's (systemd.unit(5), "Unit
/// File Load Path").
const UNIT_DIRECTORIES: [&str; 3] = [
    "/etc/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The targets that the units of networks are wanted by in any distribution.
const WANTED_BY: [&str; 5] = [
    "multi-user.target",
    "network-online.target",
    "network.target",
    "sockets.target",
    "sysinit.target",
];

/// Where presets are, the first file of a name counts (systemd.preset(5)).
const PRESET_DIRECTORIES: [&str; 3] = [
    "/etc/systemd/system-preset",
    "/usr/lib/systemd/system-preset",
    "/lib/systemd/system-preset",
];

/// A service, by the names that the init systems have for it.
pub(super) struct Service {
    /// systemd's units, with their suffix.
    pub(super) units: &'static [&'static str],
    /// The name of OpenRC and of System V init scripts.
    pub(super) script: &'static str,
}

/// Says which file makes the guest's init start the service; `None` if nothing does.
pub(super) fn started_by(stage: &mut Stage<'_>, service: &Service) -> Result<Option<String>> {
    for unit in service.units {
        if let Some(link) = wanted(stage, unit)? {
            return Ok(Some(link));
        }
    }
    for level in ["boot", "default", "sysinit"] {
        let link = format!("/etc/runlevels/{level}/{}", service.script);
        if first_present(stage, &[&link])?.is_some() {
            return Ok(Some(link));
        }
    }
    if let Some(link) = system_v(stage, service.script)? {
        return Ok(Some(link));
    }
    for unit in service.units {
        if let Some(line) = preset(stage, unit)? {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

fn wanted(stage: &mut Stage<'_>, unit: &str) -> Result<Option<String>> {
    if is_masked(stage, unit)? {
        return Ok(None);
    }
    for directory in UNIT_DIRECTORIES {
        for target in WANTED_BY {
            for relation in ["wants", "requires"] {
                let link = format!("{directory}/{target}.{relation}/{unit}");
                if first_present(stage, &[&link])?.is_some() {
                    return Ok(Some(link));
                }
            }
        }
    }
    Ok(None)
}

/// Whether `/etc` turns the unit off: a link to `/dev/null`, or a file without content (systemd.unit(5)).
fn is_masked(stage: &mut Stage<'_>, unit: &str) -> Result<bool> {
    let at = path(&format!("/etc/systemd/system/{unit}"));
    let Some(found) = stage.look(&at, LastLink::Kept)? else {
        return Ok(false);
    };
    match found.kind {
        christen_vfs::Kind::File => Ok(found.size == 0),
        christen_vfs::Kind::SymbolicLink => {
            let place = christen_vfs::walk::resolve(stage.fs(), &at, LastLink::Kept);
            let target = place.and_then(|file| stage.fs().read_link(file));
            let target = target.map_err(|source| crate::Error::File {
                action: "read",
                path: at,
                source,
            })?;
            Ok(target == b"/dev/null")
        }
        _ => Ok(false),
    }
}

/// A start link of System V init: Debian has run levels in `/etc/rcN.d`, Red Hat in `/etc/rc.d/rcN.d` too.
fn system_v(stage: &mut Stage<'_>, script: &str) -> Result<Option<String>> {
    for level in ["S", "2", "3", "5"] {
        for parent in ["/etc", "/etc/rc.d"] {
            let directory = format!("{parent}/rc{level}.d");
            if !stage.is_directory(&path(&directory))? {
                continue;
            }
            for name in stage.names(&path(&directory))? {
                let is_start = match &name[..] {
                    [b'S', a, b, rest @ ..] => {
                        a.is_ascii_digit() && b.is_ascii_digit() && rest == script.as_bytes()
                    }
                    _ => false,
                };
                if is_start {
                    return Ok(Some(format!(
                        "{directory}/{}",
                        String::from_utf8_lossy(&name)
                    )));
                }
            }
        }
    }
    Ok(None)
}

/// The preset that will turn the unit on, if this guest's first boot is still to come: systemd applies presets then, and takes a
/// missing machine ID, or one that says `uninitialized`, for that (machine-id(5), "First Boot Semantics").
fn preset(stage: &mut Stage<'_>, unit: &str) -> Result<Option<String>> {
    let has_unit = UNIT_DIRECTORIES.map(|directory| format!("{directory}/{unit}"));
    let has_unit: Vec<_> = has_unit.iter().map(String::as_str).collect();
    if first_present(stage, &has_unit)?.is_none() || is_masked(stage, unit)? {
        return Ok(None);
    }
    let is_first_boot = match stage.read(&path("/etc/machine-id"))? {
        None => true,
        Some(content) => content.trim_ascii_end() == b"uninitialized",
    };
    if !is_first_boot {
        return Ok(None);
    }
    let mut files: Vec<(Vec<u8>, &str)> = Vec::new();
    for directory in PRESET_DIRECTORIES {
        if !stage.is_directory(&path(directory))? {
            continue;
        }
        for name in stage.names(&path(directory))? {
            let is_known = files.iter().any(|(known, _)| *known == name);
            if name.ends_with(b".preset") && !is_known {
                files.push((name, directory));
            }
        }
    }
    files.sort();
    for (name, directory) in files {
        let file = path(directory).join(&name);
        let content = stage.read(&file)?.unwrap_or_default();
        for line in content.split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            let mut words = line.split_ascii_whitespace();
            let (Some(verb), Some(pattern)) = (words.next(), words.next()) else {
                continue;
            };
            if matches_pattern(pattern, unit) {
                let is_enabled = verb == "enable";
                return Ok(is_enabled.then(|| format!("`enable {pattern}` in {file}")));
            }
        }
    }
    Ok(None)
}

/// Matches a preset's pattern: `*` stands for any text. A longer pattern language is not used in presets of distributions.
fn matches_pattern(pattern: &str, unit: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == unit,
        Some((head, tail)) => {
            let Some(rest) = unit.strip_prefix(head) else {
                return false;
            };
            !tail.contains('*') && rest.ends_with(tail)
        }
    }
}
