//! NetworkManager's keyfiles.
//!
//! NetworkManager 1.42, nm-settings-keyfile(5). They are read by every version, whatever `plugins=` says (NetworkManager.conf(5)).

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{File, HEADER};
use crate::network::plan::{Device, Interface, Mac, Plan, text};

pub(in crate::network) const DIRECTORY: &str = "/etc/NetworkManager/system-connections";

/// How the names of our files begin.
pub(in crate::network) const PREFIX: &str = "christen-";

pub(in crate::network) fn render(plan: &Plan) -> Vec<File> {
    let mut files = Vec::new();
    for interface in &plan.interfaces {
        let label = interface.label();
        let mut add = |name: &str, content: String| {
            files.push(File {
                path: format!("{DIRECTORY}/{name}.nmconnection"),
                content: format!("{HEADER}{content}"),
                // A keyfile that others may read is ignored ("insecure permissions", `nm_keyfile_utils.c`).
                permissions: 0o600,
            });
        };
        let mut out;
        match &interface.device {
            Device::Ethernet(mac) => {
                out = connection(&label, "ethernet", *mac, "");
                let _ = write!(out, "\n[ethernet]\nmac-address={mac}\n");
            }
            Device::Bond(bond) => {
                let named = format!("interface-name={}\n", bond.name());
                out = connection(&label, "bond", bond.mac, &named);
                let _ = write!(out, "\n[ethernet]\ncloned-mac-address={}\n", bond.mac);
            }
        }
        if let Some(mtu) = interface.mtu {
            let _ = writeln!(out, "mtu={mtu}");
        }
        if let Device::Bond(bond) = &interface.device {
            out.push_str("\n[bond]\n");
            for (option, value) in &bond.options {
                let _ = writeln!(out, "{}={value}", option.kernel_name());
            }
        }
        out.push_str(&ipv4(interface));
        out.push_str(&ipv6(interface));
        add(&label, out);
        if let Device::Bond(bond) = &interface.device {
            let master = uuid(&label, bond.mac);
            for (index, mac) in bond.members.iter().enumerate() {
                let label = format!("{label}-port{index}");
                let port = format!("master={master}\nslave-type=bond\n");
                let mut out = connection(&label, "ethernet", *mac, &port);
                let _ = write!(out, "\n[ethernet]\nmac-address={mac}\n");
                add(&label, out);
            }
        }
    }
    files
}

fn connection(label: &str, kind: &str, mac: Mac, more: &str) -> String {
    format!(
        "\n[connection]\nid={label}\nuuid={}\ntype={kind}\n{more}",
        uuid(label, mac)
    )
}

/// The connection's UUID: the same for the same NIC, so that an injection can be repeated. Version 8 of RFC 9562 §5.8 is for makings
/// of one's own.
fn uuid(label: &str, mac: Mac) -> String {
    let digest = Sha256::digest(format!("christen {label} {mac}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut out = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let _ = write!(out, "{byte:02x}");
    }
    out
}

fn ipv4(interface: &Interface) -> String {
    let method = if interface.dhcp4 {
        "auto"
    } else if interface.addresses_of(true).next().is_some() {
        "manual"
    } else {
        "disabled"
    };
    family(interface, true, method)
}

fn ipv6(interface: &Interface) -> String {
    // `auto` listens to routers, and asks by DHCP when they say so. `ignore` leaves the kernel's own way, as the other renderers do
    // with an interface of which nothing is said.
    let method = if interface.dhcp6 || interface.accept_ra == Some(true) {
        "auto"
    } else if interface.addresses_of(false).next().is_some() {
        "manual"
    } else {
        "ignore"
    };
    family(interface, false, method)
}

fn family(interface: &Interface, is_ipv4: bool, method: &str) -> String {
    let section = if is_ipv4 { "ipv4" } else { "ipv6" };
    let mut out = format!("\n[{section}]\nmethod={method}\n");
    for (index, address) in (1..).zip(interface.addresses_of(is_ipv4)) {
        let _ = writeln!(out, "address{index}={}", text(address));
    }
    for (index, route) in (1..).zip(interface.routes_of(is_ipv4)) {
        let metric = route.metric.map(|it| format!(",{it}")).unwrap_or_default();
        let _ = writeln!(out, "route{index}={},{}{metric}", text(route.to), route.via);
        if route.on_link {
            let _ = writeln!(out, "route{index}_options=onlink=true");
        }
    }
    if method != "disabled" && method != "ignore" {
        let mut servers = interface.dns_of(is_ipv4).peekable();
        if servers.peek().is_some() {
            out.push_str("dns=");
            for server in servers {
                let _ = write!(out, "{server};");
            }
            out.push('\n');
        }
    }
    out
}

/// The DNS servers that no keyfile can hold: a server stands in the section of its family, and a family without addresses takes none
/// (`libnm-core-impl/nm-setting-ip4-config.c`, `verify`).
pub(in crate::network) fn lost_dns(interface: &Interface) -> Vec<std::net::IpAddr> {
    let has_ipv4 = interface.dhcp4 || interface.addresses_of(true).next().is_some();
    let has_ipv6 = interface.dhcp6
        || interface.accept_ra == Some(true)
        || interface.addresses_of(false).next().is_some();
    let servers = interface.dns.iter().copied();
    servers
        .filter(|server| {
            if server.is_ipv4() {
                !has_ipv4
            } else {
                !has_ipv6
            }
        })
        .collect()
}
