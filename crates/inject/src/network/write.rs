//! The network's item: the plan, for what the guest uses.

use christen_vfs::Kind;
use christen_vfs::walk::LastLink;

use super::conflicts::{INTERFACES, clear, keep_taken, take_out};
use super::detect::{self, Renderer, Strength};
use super::guest_files::{files_in, first_present, path};
use super::plan::{self, Plan, impossible};
use super::render::ifupdown::Flavor;
use super::render::{self, File, HEADER, ifcfg, ifupdown, keyfile, netplan, networkd, wicked};
use super::units::{Service, started_by};
use super::{interfaces, names, resolv_conf};
use crate::{Existing, Item, ItemKind, Ownership, Request, Result, Secrecy, Stage};

const UNMANAGED: &str = "/etc/NetworkManager/conf.d/90-christen.conf";
const CLOUD_INIT: &str = "/etc/cloud/cloud.cfg.d/99-christen-network.cfg";

/// Writes the network's configuration; nothing if nothing is known of the network.
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    stage.begin(Item::new(ItemKind::Network));
    let Some(plan) = plan::plan(request.instance)? else {
        return Ok(());
    };
    write(stage, &plan)
}

/// Writes a plan for what the guest uses. A plan without interfaces takes back what an earlier injection wrote, and leaves the rest.
fn write(stage: &mut Stage<'_>, plan: &Plan) -> Result<()> {
    for notice in &plan.notices {
        stage.notice(notice.clone());
    }
    if plan.interfaces.is_empty() {
        take_out(stage, &path(INTERFACES), false)?;
        names::force(stage, &[])?;
        return remove_stale(stage, &[]);
    }
    let renderer = detect::detect(stage)?.renderer;
    let others: Vec<_> = detect::candidates(stage)?
        .into_iter()
        .filter(|it| it.strength >= Strength::Started && it.renderer != renderer)
        .map(|it| it.renderer)
        .collect();
    clear(stage, renderer, true, plan)?;
    for other in &others {
        clear(stage, *other, false, plan)?;
    }
    let mut files = match renderer {
        Renderer::Netplan => netplan::render(plan),
        Renderer::NetworkManager => keyfile::render(plan),
        Renderer::Networkd => networkd::render(plan),
        Renderer::Ifcfg => ifcfg::render(plan).map_err(impossible)?,
        Renderer::Ifupdown => Vec::new(),
        Renderer::Wicked => wicked::render(plan),
    };
    if renderer == Renderer::NetworkManager {
        for interface in &plan.interfaces {
            for server in keyfile::lost_dns(interface) {
                stage.notice(format!(
                    "NIC {} has no address of the family of the DNS server `{server}`, and NetworkManager takes none then",
                    interface.number
                ));
            }
        }
    }
    if others.contains(&Renderer::NetworkManager) && renderer != Renderer::Netplan {
        files.push(unmanaged(plan));
    }
    if has_cloud_init(stage)? {
        files.push(File {
            path: CLOUD_INIT.to_owned(),
            content: format!("{HEADER}network: {{config: disabled}}\n"),
            permissions: 0o644,
        });
        stage.notice(format!(
            "cloud-init is told by `{CLOUD_INIT}` to leave the network alone"
        ));
    }
    if renderer == Renderer::Ifupdown {
        write_interfaces(stage, plan)?;
    } else {
        take_out(stage, &path(INTERFACES), false)?;
        let names = match renderer {
            Renderer::Wicked => wicked::forced_names(plan),
            _ => Vec::new(),
        };
        names::force(stage, &names)?;
    }
    remove_stale(stage, &files)?;
    for file in &files {
        write_file(stage, file)?;
    }
    if renderer == Renderer::Wicked {
        write_netconfig(stage, plan)?;
    }
    if needs_resolv_conf(stage, renderer)? {
        resolv_conf::write(stage, &plan.dns())?;
    }
    Ok(())
}

/// Writes a file of ours, with the directories that lack above it.
pub(super) fn write_file(stage: &mut Stage<'_>, file: &File) -> Result<()> {
    let at = path(&file.path);
    stage.parents(&at)?;
    // The name is ours: a link there would send our content into a file of somebody else.
    let found = stage.look(&at, LastLink::Kept)?;
    if found.is_some_and(|it| it.kind == Kind::SymbolicLink) {
        stage.remove(&at)?;
    }
    stage.write(
        &at,
        file.content.as_bytes(),
        Ownership::root(file.permissions),
        Existing::Set,
        Secrecy::Public,
    )
}

/// Removes what an earlier injection wrote and this one does not.
fn remove_stale(stage: &mut Stage<'_>, files: &[File]) -> Result<()> {
    let mut places = vec![
        (keyfile::DIRECTORY, keyfile::PREFIX),
        (networkd::DIRECTORY, networkd::PREFIX),
    ];
    places.extend(ifcfg::PREFIXES.map(|prefix| (ifcfg::DIRECTORY, prefix)));
    let mut old = vec![path(netplan::FILE), path(UNMANAGED), path(CLOUD_INIT)];
    for (directory, prefix) in places {
        let named = |name: &[u8]| name.starts_with(prefix.as_bytes());
        old.extend(files_in(stage, directory, named)?);
    }
    for prefix in wicked::PREFIXES {
        let named = |name: &[u8]| name.starts_with(prefix.as_bytes());
        for file in files_in(stage, wicked::DIRECTORY, named)? {
            let content = stage.read(&file)?.unwrap_or_default();
            if render::is_ours(&content) {
                old.push(file);
            }
        }
    }
    for file in old {
        let is_meant = files.iter().any(|it| path(&it.path) == file);
        if !is_meant && stage.exists(&file)? {
            stage.remove(&file)?;
        }
    }
    Ok(())
}

/// Writes the DNS servers where wicked's helper looks for them.
fn write_netconfig(stage: &mut Stage<'_>, plan: &Plan) -> Result<()> {
    let file = path("/etc/sysconfig/network/config");
    let config = stage.read(&file)?.unwrap_or_default();
    stage.parents(&file)?;
    stage.configure(&file, &wicked::with_dns(&config, &plan.dns()))
}

/// Tells a NetworkManager that starts too to leave our devices to the other (NetworkManager.conf(5), `unmanaged-devices`).
fn unmanaged(plan: &Plan) -> File {
    let devices = plan.macs().into_iter().map(|mac| format!("mac:{mac}"));
    let bonds = plan.interfaces.iter().filter_map(|it| match &it.device {
        plan::Device::Bond(bond) => Some(format!("interface-name:{}", bond.name())),
        plan::Device::Ethernet(_) => None,
    });
    let devices: Vec<_> = devices.chain(bonds).collect();
    File {
        path: UNMANAGED.to_owned(),
        content: format!(
            "{HEADER}[keyfile]\nunmanaged-devices={}\n",
            devices.join(";")
        ),
        permissions: 0o644,
    }
}

fn has_cloud_init(stage: &mut Stage<'_>) -> Result<bool> {
    let signs = ["/etc/cloud/cloud.cfg", "/usr/bin/cloud-init"];
    Ok(first_present(stage, &signs)?.is_some())
}

fn write_interfaces(stage: &mut Stage<'_>, plan: &Plan) -> Result<()> {
    let flavor = flavor(stage)?;
    if flavor == Flavor::Debian
        && render::has_bonds(plan)
        && first_present(stage, &["/etc/network/if-pre-up.d/ifenslave"])?.is_none()
    {
        return Err(impossible(
            "a NIC is a bond, and the guest lacks the package `ifenslave` that makes one"
                .to_owned(),
        ));
    }
    names::force(stage, &ifupdown::forced_names(plan, flavor))?;
    let with_resolvconf = has_resolvconf(stage)?;
    let stanzas = ifupdown::render(plan, flavor, with_resolvconf).map_err(impossible)?;
    let file = path(INTERFACES);
    let content = stage.read(&file)?.unwrap_or_default();
    let edited = interfaces::without(&content, true);
    keep_taken(stage, &file, &content, &edited)?;
    let mut has_loopback = edited.has_loopback;
    for other in files_in(stage, "/etc/network/interfaces.d", |_| true)? {
        let content = stage.read(&other)?.unwrap_or_default();
        has_loopback |= interfaces::without(&content, false).has_loopback;
    }
    stage.parents(&file)?;
    stage.configure(
        &file,
        &interfaces::with(edited.content, has_loopback, &stanzas),
    )
}

/// Tells whose the guest's ifupdown is.
fn flavor(stage: &mut Stage<'_>) -> Result<Flavor> {
    // Debian's own helpers; the two directories are one where `/lib` is a link.
    if first_present(
        stage,
        &[
            "/lib/ifupdown/settle-dad.sh",
            "/usr/lib/ifupdown/settle-dad.sh",
        ],
    )?
    .is_some()
    {
        return Ok(Flavor::Debian);
    }
    let ng = [
        "/usr/libexec/ifupdown-ng",
        "/usr/lib/ifupdown-ng",
        "/etc/network/ifupdown-ng.conf",
    ];
    if first_present(stage, &ng)?.is_some() {
        return Ok(Flavor::Ng);
    }
    if first_present(stage, &["/etc/debian_version", "/var/lib/dpkg/status"])?.is_some() {
        return Ok(Flavor::Debian);
    }
    // What remains knows the least.
    Ok(Flavor::Busybox)
}

fn has_resolvconf(stage: &mut Stage<'_>) -> Result<bool> {
    let programs = [
        "/usr/sbin/resolvconf",
        "/sbin/resolvconf",
        "/usr/bin/resolvconf",
    ];
    Ok(first_present(stage, &programs)?.is_some())
}

/// Whether nothing that starts would take DNS servers from the renderer to `/etc/resolv.conf`.
fn needs_resolv_conf(stage: &mut Stage<'_>, renderer: Renderer) -> Result<bool> {
    const RESOLVED: Service = Service {
        units: &["systemd-resolved.service"],
        script: "systemd-resolved",
    };
    match renderer {
        Renderer::Ifupdown => Ok(!has_resolvconf(stage)?),
        Renderer::Networkd => Ok(started_by(stage, &RESOLVED)?.is_none()),
        Renderer::Netplan => {
            let networkd = [
                "/usr/lib/systemd/systemd-networkd",
                "/lib/systemd/systemd-networkd",
            ];
            Ok(first_present(stage, &networkd)?.is_some()
                && started_by(stage, &RESOLVED)?.is_none())
        }
        // They write it themselves.
        Renderer::NetworkManager | Renderer::Ifcfg | Renderer::Wicked => Ok(false),
    }
}

#[cfg(test)]
mod tests;
