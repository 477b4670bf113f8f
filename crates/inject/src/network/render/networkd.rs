//! systemd-networkd's `.network` and `.netdev` files.
//!
//! systemd.network(5) and systemd.netdev(5), systemd 252. Section `[DHCP]` is the older name of `[DHCPv4]` and `[DHCPv6]`, which
//! every version reads (`src/network/networkd-network-gperf.gperf`).

use std::fmt::Write;

use super::{File, HEADER};
use crate::network::plan::{Bond, BondOption, Device, Interface, Plan, text};

pub(in crate::network) const DIRECTORY: &str = "/etc/systemd/network";

/// The files are sorted by name, and the first that matches an interface is its own: before cloud-init's `10-cloud-init-*` and
/// netplan's `10-netplan-*`.
pub(in crate::network) const PREFIX: &str = "10-christen-";

pub(in crate::network) fn render(plan: &Plan) -> Vec<File> {
    let mut files = Vec::new();
    for interface in &plan.interfaces {
        let number = interface.number;
        let mut add = |name: String, content: String| {
            files.push(File {
                path: format!("{DIRECTORY}/{PREFIX}{name}"),
                content: format!("{HEADER}{content}"),
                permissions: 0o644,
            });
        };
        match &interface.device {
            Device::Ethernet(mac) => {
                // A bridge or a VLAN above the device may have its address too; of them none has the type `ether` but no kind.
                let found = format!("MACAddress={mac}\nType=ether\n");
                add(format!("{number}.network"), network(&found, interface));
            }
            Device::Bond(bond) => {
                add(format!("{number}.netdev"), netdev(bond));
                let found = format!("Name={}\n", bond.name());
                add(format!("{number}.network"), network(&found, interface));
                for (index, mac) in bond.members.iter().enumerate() {
                    // A member takes the bond's address, so only the one it was made with finds it again.
                    let content = format!(
                        "[Match]\nPermanentMACAddress={mac}\nType=ether\n\n[Network]\nBond={}\n",
                        bond.name()
                    );
                    add(format!("{number}-port{index}.network"), content);
                }
            }
        }
    }
    files
}

fn network(found: &str, interface: &Interface) -> String {
    let mut out = format!("[Match]\n{found}\n");
    if let Some(mtu) = interface.mtu {
        // Nothing is lost by what `write!` returns: a `String` takes all there is.
        let _ = write!(out, "[Link]\nMTUBytes={mtu}\n\n");
    }
    out.push_str("[Network]\n");
    let dhcp = match (interface.dhcp4, interface.dhcp6) {
        (true, true) => Some("yes"),
        (true, false) => Some("ipv4"),
        (false, true) => Some("ipv6"),
        (false, false) => None,
    };
    if let Some(dhcp) = dhcp {
        let _ = writeln!(out, "DHCP={dhcp}");
    }
    if let Some(accept_ra) = interface.accept_ra {
        let _ = writeln!(out, "IPv6AcceptRA={}", yes_or_no(accept_ra));
    }
    for address in &interface.addresses {
        let _ = writeln!(out, "Address={}", text(*address));
    }
    for server in &interface.dns {
        let _ = writeln!(out, "DNS={server}");
    }
    for route in &interface.routes {
        let _ = writeln!(
            out,
            "\n[Route]\nDestination={}\nGateway={}",
            text(route.to),
            route.via
        );
        if route.on_link {
            out.push_str("GatewayOnLink=yes\n");
        }
        if let Some(metric) = route.metric {
            let _ = writeln!(out, "Metric={metric}");
        }
    }
    if dhcp.is_some() && interface.mtu.is_none() {
        // The documents leave the MTU to the DHCP server; networkd does not listen to it of its own accord.
        out.push_str("\n[DHCP]\nUseMTU=yes\n");
    }
    out
}

fn netdev(bond: &Bond) -> String {
    let mut out = format!(
        "[NetDev]\nName={}\nKind=bond\nMACAddress={}\n",
        bond.name(),
        bond.mac
    );
    if !bond.options.is_empty() {
        out.push_str("\n[Bond]\n");
    }
    for (option, value) in &bond.options {
        let is_time = matches!(
            option,
            BondOption::ArpInterval
                | BondOption::DownDelay
                | BondOption::MiiMonitor
                | BondOption::UpDelay
        );
        // The kernel counts milliseconds, and systemd seconds unless told.
        let is_bare = value.bytes().all(|byte| byte.is_ascii_digit());
        let unit = if is_time && is_bare { "ms" } else { "" };
        let _ = writeln!(out, "{}={value}{unit}", option.networkd_name());
    }
    out
}

fn yes_or_no(it: bool) -> &'static str {
    if it { "yes" } else { "no" }
}
