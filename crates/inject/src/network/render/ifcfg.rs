//! Red Hat's `ifcfg` files.
//!
//! initscripts 9.49 and 10, `sysconfig.txt`, "Files in /etc/sysconfig/network-scripts". A file without `DEVICE` is for the device that
//! has the address in `HWADDR` (`network-functions`, `source_config`).

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use super::{File, HEADER, metric};
use crate::network::plan::{Device, Interface, Plan, text};

pub(in crate::network) const DIRECTORY: &str = "/etc/sysconfig/network-scripts";

/// How the names of our files begin.
pub(in crate::network) const PREFIXES: [&str; 3] =
    ["ifcfg-christen-", "route-christen-", "route6-christen-"];

pub(in crate::network) fn render(plan: &Plan) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    let mut add = |name: String, content: String| {
        files.push(File {
            path: format!("{DIRECTORY}/{name}"),
            content: format!("{HEADER}{content}"),
            permissions: 0o644,
        });
    };
    for interface in &plan.interfaces {
        let label = interface.label();
        let mut out = match &interface.device {
            Device::Ethernet(mac) => format!("TYPE=Ethernet\nHWADDR={mac}\n"),
            Device::Bond(bond) => {
                let options = bond.options.iter();
                let options =
                    options.map(|(option, value)| format!("{}={value}", option.kernel_name()));
                let options: Vec<_> = options.collect();
                format!(
                    "TYPE=Bond\nDEVICE={}\nMACADDR={}\nBONDING_MASTER=yes\nBONDING_OPTS=\"{}\"\n",
                    bond.name(),
                    bond.mac,
                    options.join(" ")
                )
            }
        };
        out.push_str("ONBOOT=yes\nUSERCTL=no\n");
        out.push_str(&addressing(interface));
        add(format!("ifcfg-{label}"), out);
        let routes4 = routes_ipv4(interface)?;
        let routes6 = routes_ipv6(interface)?;
        for (routes, name) in [(routes4, "route"), (routes6, "route6")] {
            if !routes.is_empty() {
                add(format!("{name}-{label}"), routes);
            }
        }
        if let Device::Bond(bond) = &interface.device {
            for (index, mac) in bond.members.iter().enumerate() {
                let content = format!(
                    "TYPE=Ethernet\nHWADDR={mac}\nONBOOT=yes\nUSERCTL=no\nBOOTPROTO=none\nMASTER={}\nSLAVE=yes\n",
                    bond.name()
                );
                add(format!("ifcfg-{label}-port{index}"), content);
            }
        }
    }
    Ok(files)
}

fn addressing(interface: &Interface) -> String {
    let mut out = String::new();
    let protocol = if interface.dhcp4 { "dhcp" } else { "none" };
    let _ = writeln!(out, "BOOTPROTO={protocol}");
    for (index, address) in interface.addresses_of(true).enumerate() {
        // The first has no number with DHCP either: the scripts add numbered ones to what a server gives.
        let number = match (index, interface.dhcp4) {
            (0, false) => String::new(),
            (index, false) => index.to_string(),
            (index, true) => (index + 1).to_string(),
        };
        let _ = writeln!(
            out,
            "IPADDR{number}={}\nPREFIX{number}={}",
            address.address(),
            address.prefix()
        );
    }
    let mut addresses = interface.addresses_of(false).map(text);
    let has_ipv6 = interface.dhcp6
        || interface.accept_ra == Some(true)
        || interface.addresses_of(false).next().is_some();
    if has_ipv6 {
        out.push_str("IPV6INIT=yes\n");
    }
    if let Some(first) = addresses.next() {
        let _ = writeln!(out, "IPV6ADDR={first}");
        let others: Vec<_> = addresses.collect();
        if !others.is_empty() {
            let _ = writeln!(out, "IPV6ADDR_SECONDARIES=\"{}\"", others.join(" "));
        }
    }
    if let Some(accept_ra) = interface.accept_ra {
        let word = if accept_ra { "yes" } else { "no" };
        let _ = writeln!(out, "IPV6_AUTOCONF={word}");
    }
    if interface.dhcp6 {
        out.push_str("DHCPV6C=yes\n");
    }
    for (index, server) in (1..).zip(&interface.dns) {
        let _ = writeln!(out, "DNS{index}={server}");
    }
    if let Some(mtu) = interface.mtu {
        let _ = writeln!(out, "MTU={mtu}");
    }
    out
}

/// IPv4 routes, each what follows `ip route add`; default routes stand here too, as `GATEWAY` can say but one. Where a next hop is in
/// no subnet the routes are numbered instead, as only these get the name of the device, which is not known here (`ifup-routes`,
/// `handle_ip_file`, `handle_file`): the hop then gets a route of its own first.
fn routes_ipv4(interface: &Interface) -> Result<String, String> {
    let mut out = String::new();
    if !interface.routes_of(true).any(|it| it.on_link) {
        for route in interface.routes_of(true) {
            let metric = metric(&route);
            let _ = writeln!(out, "{} via {}{metric}", text(route.to), route.via);
        }
        return Ok(out);
    }
    let mut number = 0;
    let mut add = |to: IpAddr, mask: IpAddr, via: Option<IpAddr>| {
        let _ = writeln!(out, "ADDRESS{number}={to}\nNETMASK{number}={mask}");
        if let Some(via) = via {
            let _ = writeln!(out, "GATEWAY{number}={via}");
        }
        number += 1;
    };
    let mut hops = Vec::new();
    for route in interface.routes_of(true) {
        if route.metric.is_some() {
            return Err(format!(
                "NIC {}: the scripts of this guest cannot have a second route to `{}`",
                interface.number,
                text(route.to)
            ));
        }
        if route.on_link && !hops.contains(&route.via) {
            add(route.via, Ipv4Addr::BROADCAST.into(), None);
            hops.push(route.via);
        }
        add(route.to.address(), route.to.netmask(), Some(route.via));
    }
    Ok(out)
}

/// IPv6 routes as what follows `ip -6 route add`; the kernel finds the device by the next hop, which so has to be in a subnet.
fn routes_ipv6(interface: &Interface) -> Result<String, String> {
    let mut out = String::new();
    for route in interface.routes_of(false) {
        let is_link_local = matches!(route.via, IpAddr::V6(via) if via.is_unicast_link_local());
        if route.on_link || is_link_local {
            return Err(format!(
                "NIC {}: the scripts of this guest cannot reach `{}`, which is in none of the subnets",
                interface.number, route.via
            ));
        }
        let metric = metric(&route);
        let _ = writeln!(out, "{} via {}{metric}", text(route.to), route.via);
    }
    Ok(out)
}
