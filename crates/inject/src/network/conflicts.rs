//! Configuration in the guest that says another thing of the same interfaces.

use christen_instance::tree::{self, Syntax};
use christen_vfs::GuestPath;

use super::detect::Renderer;
use super::guest_files::{files_in, is_regular, path};
use super::interfaces;
use super::plan::Plan;
use super::render::{self, ifcfg, keyfile, netplan, networkd, wicked};
use super::saved::{keep_copy, set_aside};
use crate::{Result, Stage};

/// What ifupdown reads.
pub(super) const INTERFACES: &str = "/etc/network/interfaces";

/// Makes what a renderer reads give way, so that no interface is configured twice. Of the one that is to configure them,
/// `/etc/network/interfaces` stays for the writer of our stanzas.
pub(super) fn clear(
    stage: &mut Stage<'_>,
    renderer: Renderer,
    is_chosen: bool,
    plan: &Plan,
) -> Result<()> {
    match renderer {
        Renderer::Netplan => clear_netplan(stage),
        Renderer::NetworkManager => clear_network_manager(stage),
        Renderer::Networkd => clear_networkd(stage, plan),
        Renderer::Ifupdown => clear_ifupdown(stage, is_chosen),
        Renderer::Ifcfg => clear_ifcfg(stage, ifcfg::DIRECTORY),
        Renderer::Wicked => clear_ifcfg(stage, wicked::DIRECTORY),
    }
}

/// All YAML files of netplan's are one configuration: one that defines Ethernet devices or what is made of them gives way.
fn clear_netplan(stage: &mut Stage<'_>) -> Result<()> {
    let files = files_in(stage, "/etc/netplan", |name| name.ends_with(b".yaml"))?;
    for file in files {
        if file == path(netplan::FILE) {
            continue;
        }
        let content = stage.read(&file)?.unwrap_or_default();
        if defines_devices(&content) {
            set_aside(stage, &file, "defines network devices for netplan")?;
        }
    }
    Ok(())
}

fn defines_devices(content: &[u8]) -> bool {
    const KINDS: [&str; 4] = ["ethernets", "bonds", "bridges", "vlans"];
    let text = String::from_utf8_lossy(content);
    match tree::parse(&text, Syntax::Yaml) {
        Ok(node) => {
            let network = node.get("network");
            KINDS.iter().any(|kind| {
                network
                    .and_then(|it| it.get(kind))
                    .is_some_and(|it| !it.is_null())
            })
        }
        // What our reader refuses, netplan's may take.
        Err(_) => KINDS.iter().any(|kind| text.contains(kind)),
    }
}

fn clear_network_manager(stage: &mut Stage<'_>) -> Result<()> {
    let files = files_in(stage, keyfile::DIRECTORY, |name| {
        !name.starts_with(keyfile::PREFIX.as_bytes()) && !name.starts_with(b".")
    })?;
    for file in files {
        let content = stage.read(&file)?.unwrap_or_default();
        let kind = ini_value(&content, "connection", "type");
        // `802-3-ethernet` is the older name of `ethernet`.
        let is_ours = matches!(
            kind.as_deref(),
            Some("ethernet" | "802-3-ethernet" | "bond")
        );
        if is_ours {
            set_aside(
                stage,
                &file,
                "is a connection of NetworkManager for Ethernet devices",
            )?;
        }
    }
    // Its plugin ifcfg-rh reads Red Hat's files.
    clear_ifcfg(stage, ifcfg::DIRECTORY)
}

/// networkd takes the first file that matches an interface: only those before ours can be in its way.
fn clear_networkd(stage: &mut Stage<'_>, plan: &Plan) -> Result<()> {
    let files = files_in(stage, networkd::DIRECTORY, |name| {
        name.ends_with(b".network") && name < networkd::PREFIX.as_bytes()
    })?;
    for file in files {
        let content = stage.read(&file)?.unwrap_or_default();
        if matches_ethernet(&content, plan) {
            set_aside(
                stage,
                &file,
                "comes before ours and matches Ethernet devices",
            )?;
        }
    }
    Ok(())
}

/// Whether a `.network` file may match one of our devices.
fn matches_ethernet(content: &[u8], plan: &Plan) -> bool {
    let macs = ini_value(content, "Match", "MACAddress")
        .or_else(|| ini_value(content, "Match", "PermanentMACAddress"));
    if let Some(macs) = macs {
        let macs = macs.to_ascii_lowercase().replace('-', ":");
        return plan
            .macs()
            .iter()
            .any(|mac| macs.contains(&mac.to_string()));
    }
    if let Some(names) = ini_value(content, "Match", "Name") {
        let others = [
            "lo", "wl", "ww", "br", "docker", "veth", "virbr", "vb-", "ve-", "wg", "tun", "tap",
            "bond", "host",
        ];
        return names
            .split_ascii_whitespace()
            .any(|name| !others.iter().any(|other| name.starts_with(other)));
    }
    match ini_value(content, "Match", "Type") {
        Some(kind) => kind.split_ascii_whitespace().any(|kind| kind == "ether"),
        None => true,
    }
}

/// Values that only files of other than Ethernet devices and bonds have (sysconfig.txt of initscripts; ifcfg-bridge(5), ifcfg-vlan(5),
/// ifcfg-tunnel(5) of wicked).
const OTHER_KINDS: [&str; 6] = [
    "BRIDGE_PORTS",
    "DEVICETYPE",
    "ESSID",
    "ETHERDEVICE",
    "TUNNEL",
    "WIRELESS_ESSID",
];

fn clear_ifcfg(stage: &mut Stage<'_>, directory: &str) -> Result<()> {
    let files = files_in(stage, directory, |name| {
        name.starts_with(b"ifcfg-")
            && !matches!(name, b"ifcfg-lo" | b"ifcfg-template")
            && !name.starts_with(ifcfg::PREFIXES[0].as_bytes())
    })?;
    for file in files {
        let content = stage.read(&file)?.unwrap_or_default();
        let is_ethernet = match shell_value(&content, "TYPE") {
            Some(kind) if !kind.is_empty() => {
                let kind = kind.to_ascii_lowercase();
                kind == "ethernet" || kind == "bond"
            }
            // SUSE's have no type, and of Red Hat's those of VLANs often none: what such a device needs tells it.
            _ => {
                let is = |name: &&str| shell_value(&content, name).is_some();
                // With another value Red Hat's say of which bridge the device is a port.
                let is_yes =
                    |name: &&str| shell_value(&content, name).is_some_and(|it| it == "yes");
                !OTHER_KINDS.iter().any(is) && !["BRIDGE", "VLAN"].iter().any(is_yes)
            }
        };
        if is_ethernet && !render::is_ours(&content) {
            set_aside(stage, &file, "configures an Ethernet device")?;
        }
    }
    Ok(())
}

/// Takes the stanzas of Ethernet devices, and ours, out of `/etc/network/interfaces` and what stands beside it.
fn clear_ifupdown(stage: &mut Stage<'_>, is_chosen: bool) -> Result<()> {
    if !is_chosen {
        take_out(stage, &path(INTERFACES), true)?;
    }
    for file in files_in(stage, "/etc/network/interfaces.d", |_| true)? {
        take_out(stage, &file, true)?;
    }
    // Debian's images for clouds: makes a stanza for each device that has none by its name (`cloud-ifupdown-helper`).
    let rules = path("/etc/udev/rules.d/75-cloud-ifupdown.rules");
    if stage.exists(&rules)? {
        set_aside(
            stage,
            &rules,
            "makes ifupdown configure every device it sees",
        )?;
    }
    Ok(())
}

/// Takes our stanzas out of a file of ifupdown's, and with `others` those of Ethernet devices.
pub(super) fn take_out(stage: &mut Stage<'_>, file: &GuestPath, others: bool) -> Result<()> {
    if !is_regular(stage, file)? {
        return Ok(());
    }
    let content = stage.read(file)?.unwrap_or_default();
    let edited = interfaces::without(&content, others);
    keep_taken(stage, file, &content, &edited)?;
    if edited.content == content {
        return Ok(());
    }
    stage.configure(file, &edited.content)
}

/// Keeps and tells what is taken out of a file.
pub(super) fn keep_taken(
    stage: &mut Stage<'_>,
    file: &GuestPath,
    content: &[u8],
    edited: &interfaces::Edited,
) -> Result<()> {
    if edited.taken.is_empty() {
        return Ok(());
    }
    keep_copy(stage, file, content)?;
    let names: Vec<_> = edited
        .taken
        .iter()
        .map(|name| format!("`{}`", name.escape_debug()))
        .collect();
    stage.notice(format!(
        "the configuration of {} was taken out of `{file}`, of which a copy is kept",
        names.join(", ")
    ));
    Ok(())
}

/// The first value of a key in a section of an INI file, as NetworkManager's and systemd's are.
fn ini_value(content: &[u8], section: &str, key: &str) -> Option<String> {
    let text = String::from_utf8_lossy(content);
    let mut is_inside = false;
    for line in text.lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            is_inside = name == section;
        } else if is_inside
            && let Some((name, value)) = line.split_once('=')
            && name.trim() == key
        {
            return Some(value.trim().to_owned());
        }
    }
    None
}

/// The last value that a file of shell assignments gives a name, without quotes.
fn shell_value(content: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(content);
    let mut values = text.lines().filter_map(|line| {
        let (found, value) = line.trim().split_once('=')?;
        (found == name).then(|| value.trim_matches(['"', '\'']).to_owned())
    });
    values.next_back()
}
