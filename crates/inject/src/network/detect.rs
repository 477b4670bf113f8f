//! Which program configures the guest's network.

mod cloud_config;

use std::fmt;

use christen_vfs::walk::LastLink;

use super::guest_files::{first_present, path};
use super::units::{Service, started_by};
use crate::{Error, Item, ItemKind, Result, Stage};

/// A program that configures a guest's network from files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Renderer {
    /// ifupdown in any of its forms, from `/etc/network/interfaces`: Debian, Alpine.
    Ifupdown,
    /// The scripts of Red Hat's initscripts, from `/etc/sysconfig/network-scripts`.
    Ifcfg,
    /// SUSE's wicked, from `/etc/sysconfig/network`.
    Wicked,
    /// netplan, from `/etc/netplan`, for networkd or NetworkManager.
    Netplan,
    /// NetworkManager, from keyfiles.
    NetworkManager,
    /// systemd-networkd, from `/etc/systemd/network`.
    Networkd,
}

impl Renderer {
    /// All of them in the order in which one is preferred where a guest uses several: cloud-init's, so that an image that is used to
    /// it is not surprised (cloud-init 26.2, `cloudinit/net/renderers.py`, `DEFAULT_PRIORITY`). cloud-init does not know wicked
    /// apart from Red Hat's scripts, and calls both `sysconfig`.
    pub const ALL: [Self; 6] = [
        Self::Ifupdown,
        Self::Ifcfg,
        Self::Wicked,
        Self::Netplan,
        Self::NetworkManager,
        Self::Networkd,
    ];

    /// The name, as messages, documents and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ifupdown => "ifupdown",
            Self::Ifcfg => "ifcfg",
            Self::Wicked => "wicked",
            Self::Netplan => "netplan",
            Self::NetworkManager => "NetworkManager",
            Self::Networkd => "systemd-networkd",
        }
    }
}

impl fmt::Display for Renderer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How far a guest uses a renderer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// It is installed, and nothing starts it.
    Installed,
    /// The guest starts it at boot.
    Started,
    /// The guest starts it at boot, and has given it something to configure.
    Configured,
}

/// A renderer that a guest has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub renderer: Renderer,
    /// How far it is used.
    pub strength: Strength,
    /// The files that say so; a phrase.
    pub because: String,
}

/// The renderer that a guest uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// Which.
    pub renderer: Renderer,
    /// What decided; a phrase.
    pub because: String,
}

/// Finds what configures the guest's network.
///
/// What the guest starts at boot goes before what is only installed, and what has something to configure before what has not. Among
/// equals the order is that of the image's own cloud-init (`system_info.network.renderers`), else [`Renderer::ALL`]. Nothing is
/// changed, and nothing is noted as looked after.
///
/// # Errors
///
/// [`Error::Impossible`] names what was looked for if there is nothing, and [`Error::File`] tells what could not be read.
pub fn detect(stage: &mut Stage<'_>) -> Result<Detected> {
    let found = candidates(stage)?;
    let order = cloud_config::renderers(stage)?;
    let chosen = order.as_ref().and_then(|order| {
        // The image's maker said what is to be used: of what starts, the first in the list.
        let first = |least: Strength| {
            order.names.iter().find_map(|name| {
                found
                    .iter()
                    .find(|it| cloud_config::names(name, it.renderer) && it.strength >= least)
            })
        };
        let chosen = first(Strength::Started)?;
        let others = found.iter().filter(|it| it.strength >= Strength::Started);
        let because = if others.count() > 1 {
            format!(
                "{}, and it comes first in the list of {}",
                chosen.because, order.origin
            )
        } else {
            chosen.because.clone()
        };
        Some(Detected {
            renderer: chosen.renderer,
            because,
        })
    });
    if let Some(chosen) = chosen {
        return Ok(chosen);
    }
    let strongest = found.iter().map(|it| it.strength).max();
    let best = found
        .into_iter()
        .find(|it| Some(it.strength) == strongest)
        .ok_or_else(|| Error::Impossible {
            item: Item::new(ItemKind::Network),
            reason: NOTHING.to_owned(),
        })?;
    Ok(Detected {
        renderer: best.renderer,
        because: best.because,
    })
}

const NOTHING: &str = "the guest has nothing that configures a network: looked for `ifup` with \
     `/etc/network/interfaces` or `/etc/sysconfig/network-scripts/network-functions`, `wicked`, \
     `netplan` with a program to render for, `NetworkManager`, and `systemd-networkd`";

/// Lists the renderers that the guest has, in the order of [`Renderer::ALL`].
///
/// # Errors
///
/// [`Error::File`].
pub fn candidates(stage: &mut Stage<'_>) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    for renderer in Renderer::ALL {
        let candidate = match renderer {
            Renderer::Ifupdown => ifupdown(stage)?,
            Renderer::Ifcfg => ifcfg(stage)?,
            Renderer::Wicked => wicked(stage)?,
            Renderer::Netplan => netplan(stage)?,
            Renderer::NetworkManager => network_manager(stage)?,
            Renderer::Networkd => networkd(stage)?,
        };
        found.extend(candidate);
    }
    Ok(found)
}

/// Programs stand in any of these; where they are one directory the first name is found.
fn program(stage: &mut Stage<'_>, name: &str) -> Result<Option<String>> {
    for directory in ["/usr/sbin", "/sbin", "/usr/bin", "/bin"] {
        let file = format!("{directory}/{name}");
        // A link that leads nowhere is no program.
        let found = stage.look(&path(&file), LastLink::Followed)?;
        if found.is_some_and(|it| it.kind == christen_vfs::Kind::File) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Joins what was found to a candidate.
fn candidate(
    renderer: Renderer,
    installed: &str,
    started: Option<String>,
    configured: Option<String>,
) -> Candidate {
    let (strength, because) = match (started, configured) {
        (None, _) => (
            Strength::Installed,
            format!("{installed} is there, though nothing starts it"),
        ),
        (Some(started), None) => (
            Strength::Started,
            format!("{installed} is there and {started} starts it"),
        ),
        (Some(started), Some(configured)) => (
            Strength::Configured,
            format!("{installed} is there, {started} starts it, and {configured} configures it"),
        ),
    };
    Candidate {
        renderer,
        strength,
        because,
    }
}

fn ifupdown(stage: &mut Stage<'_>) -> Result<Option<Candidate>> {
    const SERVICE: Service = Service {
        units: &["networking.service"],
        script: "networking",
    };
    const INTERFACES: &str = "/etc/network/interfaces";
    let Some(program) = program(stage, "ifup")? else {
        return Ok(None);
    };
    let started = started_by(stage, &SERVICE)?;
    let interfaces = stage.look(&path(INTERFACES), LastLink::Followed)?;
    // Red Hat's initscripts have a program of that name too, and no such file.
    let is_ours = interfaces.is_some_and(|it| it.kind == christen_vfs::Kind::File);
    if !is_ours && started.is_none() {
        return Ok(None);
    }
    let mut configured = None;
    if is_ours {
        let content = stage.read(&path(INTERFACES))?.unwrap_or_default();
        if configures_more_than_loopback(&content) {
            configured = Some(INTERFACES.to_owned());
        }
    }
    let directory = "/etc/network/interfaces.d";
    if configured.is_none() && stage.is_directory(&path(directory))? {
        for name in stage.names(&path(directory))? {
            let file = path(directory).join(&name);
            let found = stage.look(&file, LastLink::Followed)?;
            if found.is_none_or(|it| it.kind != christen_vfs::Kind::File) {
                continue;
            }
            let content = stage.read(&file)?.unwrap_or_default();
            if configures_more_than_loopback(&content) {
                configured = Some(file.to_string());
                break;
            }
        }
    }
    Ok(Some(candidate(
        Renderer::Ifupdown,
        &program,
        started,
        configured,
    )))
}

/// Whether a stanza `iface` names anything but the loopback interface (interfaces(5)).
fn configures_more_than_loopback(content: &[u8]) -> bool {
    content.split(|byte| *byte == b'\n').any(|line| {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        words.next() == Some(b"iface") && words.next().is_some_and(|name| name != b"lo")
    })
}

fn ifcfg(stage: &mut Stage<'_>) -> Result<Option<Candidate>> {
    const SERVICE: Service = Service {
        units: &["network.service"],
        script: "network",
    };
    const DIRECTORY: &str = "/etc/sysconfig/network-scripts";
    let functions = "/etc/sysconfig/network-scripts/network-functions";
    if first_present(stage, &[functions])?.is_none() || program(stage, "ifup")?.is_none() {
        return Ok(None);
    }
    let started = started_by(stage, &SERVICE)?;
    let configured = has_ifcfg(stage, DIRECTORY)?;
    Ok(Some(candidate(
        Renderer::Ifcfg,
        functions,
        started,
        configured,
    )))
}

fn wicked(stage: &mut Stage<'_>) -> Result<Option<Candidate>> {
    const SERVICE: Service = Service {
        units: &["wicked.service"],
        script: "network",
    };
    let Some(program) = program(stage, "wicked")? else {
        return Ok(None);
    };
    let started = started_by(stage, &SERVICE)?;
    let configured = has_ifcfg(stage, "/etc/sysconfig/network")?;
    Ok(Some(candidate(
        Renderer::Wicked,
        &program,
        started,
        configured,
    )))
}

fn has_ifcfg(stage: &mut Stage<'_>, directory: &str) -> Result<Option<String>> {
    first_name(stage, directory, |name| {
        name.starts_with(b"ifcfg-") && name != b"ifcfg-lo"
    })
}

fn netplan(stage: &mut Stage<'_>) -> Result<Option<Candidate>> {
    let Some(program) = program(stage, "netplan")? else {
        return Ok(None);
    };
    // netplan has no service: its generator runs at every boot, and starts what it renders for.
    let backends = [
        "/usr/lib/systemd/systemd-networkd",
        "/lib/systemd/systemd-networkd",
        "/usr/sbin/NetworkManager",
        "/usr/bin/NetworkManager",
    ];
    let backend = first_present(stage, &backends)?;
    let started = backend.map(|backend| format!("its generator (for {backend})"));
    let configured = first_name(stage, "/etc/netplan", |name| name.ends_with(b".yaml"))?;
    Ok(Some(candidate(
        Renderer::Netplan,
        &program,
        started,
        configured,
    )))
}

fn network_manager(stage: &mut Stage<'_>) -> Result<Option<Candidate>> {
    const SERVICE: Service = Service {
        units: &["NetworkManager.service"],
        script: "networkmanager",
    };
    let Some(program) = program(stage, "NetworkManager")? else {
        return Ok(None);
    };
    let started = started_by(stage, &SERVICE)?;
    let configured = first_name(stage, "/etc/NetworkManager/system-connections", |_| true)?;
    Ok(Some(candidate(
        Renderer::NetworkManager,
        &program,
        started,
        configured,
    )))
}

fn networkd(stage: &mut Stage<'_>) -> Result<Option<Candidate>> {
    const SERVICE: Service = Service {
        units: &["systemd-networkd.service", "systemd-networkd.socket"],
        script: "systemd-networkd",
    };
    let programs = [
        "/usr/lib/systemd/systemd-networkd",
        "/lib/systemd/systemd-networkd",
    ];
    let Some(program) = first_present(stage, &programs)? else {
        return Ok(None);
    };
    let started = started_by(stage, &SERVICE)?;
    let configured = first_name(stage, "/etc/systemd/network", |name| {
        name.ends_with(b".network")
    })?;
    Ok(Some(candidate(
        Renderer::Networkd,
        program,
        started,
        configured,
    )))
}

/// The first name in a directory that is meant, as a path.
fn first_name(
    stage: &mut Stage<'_>,
    directory: &str,
    is_meant: impl Fn(&[u8]) -> bool,
) -> Result<Option<String>> {
    let directory = path(directory);
    if !stage.is_directory(&directory)? {
        return Ok(None);
    }
    let names = stage.names(&directory)?;
    let found = names.iter().find(|name| is_meant(name));
    Ok(found.map(|name| directory.join(name).to_string()))
}

#[cfg(test)]
mod tests;
