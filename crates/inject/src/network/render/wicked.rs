//! wicked's `ifcfg`, `ifroute` and `ifsysctl` files.
//!
//! wicked 0.6, ifcfg(5), ifroute(5), ifsysctl(5), ifcfg-bonding(5). A file is for the interface in its name; `LLADDR` sets an address
//! and finds none, so the devices are given names.

use std::fmt::Write;

use super::{File, HEADER, forced_name, metric};
use crate::network::plan::{Device, Interface, Mac, Plan, text};

pub(in crate::network) const DIRECTORY: &str = "/etc/sysconfig/network";

/// How the names of our files may begin; whose they are, their first line says.
pub(in crate::network) const PREFIXES: [&str; 3] = ["ifcfg-", "ifroute-", "ifsysctl-"];

pub(in crate::network) fn render(plan: &Plan) -> Vec<File> {
    let mut files = Vec::new();
    let mut add = |name: String, content: String| {
        files.push(File {
            path: format!("{DIRECTORY}/{name}"),
            content: format!("{HEADER}{content}"),
            permissions: 0o644,
        });
    };
    for interface in &plan.interfaces {
        let name = match &interface.device {
            Device::Ethernet(_) => forced_name(interface),
            Device::Bond(bond) => bond.name(),
        };
        let mut out = addressing(interface);
        if let Device::Bond(bond) = &interface.device {
            let _ = write!(out, "LLADDR='{}'\nBONDING_MASTER='yes'\n", bond.mac);
            for index in 0..bond.members.len() {
                let _ = writeln!(out, "BONDING_SLAVE_{index}='{}'", port(interface, index));
            }
            let options = bond.options.iter();
            let options =
                options.map(|(option, value)| format!("{}={value}", option.kernel_name()));
            let options: Vec<_> = options.collect();
            let _ = writeln!(out, "BONDING_MODULE_OPTS='{}'", options.join(" "));
        }
        add(format!("ifcfg-{name}"), out);
        let routes = routes(interface, &name);
        if !routes.is_empty() {
            add(format!("ifroute-{name}"), routes);
        }
        if let Some(accept_ra) = interface.accept_ra {
            let value = u8::from(accept_ra);
            let content = format!("net.ipv6.conf.{name}.accept_ra = {value}\n");
            add(format!("ifsysctl-{name}"), content);
        }
    }
    files
}

/// The names that the devices have to be given.
pub(in crate::network) fn forced_names(plan: &Plan) -> Vec<(Mac, String)> {
    let mut names = Vec::new();
    for interface in &plan.interfaces {
        match &interface.device {
            Device::Ethernet(mac) => names.push((*mac, forced_name(interface))),
            Device::Bond(bond) => {
                let members = bond.members.iter().enumerate();
                names.extend(members.map(|(index, mac)| (*mac, port(interface, index))));
            }
        }
    }
    names
}

fn port(interface: &Interface, index: usize) -> String {
    format!("{}p{index}", forced_name(interface))
}

fn addressing(interface: &Interface) -> String {
    let protocol = match (interface.dhcp4, interface.dhcp6) {
        (true, true) => "dhcp",
        (true, false) => "dhcp4",
        (false, true) => "dhcp6",
        (false, false) => "static",
    };
    let mut out = format!("STARTMODE='auto'\nBOOTPROTO='{protocol}'\n");
    for (index, address) in interface.addresses.iter().enumerate() {
        let _ = writeln!(out, "IPADDR_{index}='{}'", text(*address));
    }
    if let Some(mtu) = interface.mtu {
        let _ = writeln!(out, "MTU='{mtu}'");
    }
    out
}

/// Five columns: destination, gateway, netmask, interface, options. A next hop in no subnet gets a route to the device first.
fn routes(interface: &Interface, name: &str) -> String {
    let mut out = String::new();
    let mut hops = Vec::new();
    for route in &interface.routes {
        if route.on_link && !hops.contains(&route.via) {
            let bits = if route.via.is_ipv4() { 32 } else { 128 };
            let _ = writeln!(out, "{}/{bits} - - {name}", route.via);
            hops.push(route.via);
        }
        let to = if route.is_default() {
            "default".to_owned()
        } else {
            text(route.to)
        };
        let metric = metric(route);
        let _ = writeln!(out, "{to} {} - {name}{metric}", route.via);
    }
    out
}

/// Puts DNS servers into `/etc/sysconfig/network/config`, from which netconfig(8) makes `/etc/resolv.conf`; its other lines stay.
pub(in crate::network) fn with_dns(config: &[u8], servers: &[std::net::IpAddr]) -> Vec<u8> {
    const NAME: &[u8] = b"NETCONFIG_DNS_STATIC_SERVERS=";
    let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
    let line = [NAME, format!("\"{}\"\n", servers.join(" ")).as_bytes()].concat();
    let mut out = Vec::with_capacity(config.len() + line.len());
    let mut is_there = false;
    for old in config.split_inclusive(|byte| *byte == b'\n') {
        if !old.trim_ascii_start().starts_with(NAME) {
            out.extend_from_slice(old);
        } else if !is_there {
            out.extend_from_slice(&line);
            is_there = true;
        }
    }
    if !is_there {
        if out.last().is_some_and(|last| *last != b'\n') {
            out.push(b'\n');
        }
        out.extend_from_slice(&line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(config: &str, servers: &[&str], expected: &str) {
        let servers: Vec<_> = servers.iter().map(|it| it.parse().unwrap()).collect();
        let once = with_dns(config.as_bytes(), &servers);
        assert_eq!(String::from_utf8_lossy(&once), expected);
        assert_eq!(with_dns(&once, &servers), once);
    }

    #[test]
    fn dns_servers_take_the_place_of_others() {
        check(
            "A=1\nNETCONFIG_DNS_STATIC_SERVERS=\"1.1.1.1\"\nB=2\nNETCONFIG_DNS_STATIC_SERVERS=x\n",
            &["192.0.2.1", "2001:db8::1"],
            "A=1\nNETCONFIG_DNS_STATIC_SERVERS=\"192.0.2.1 2001:db8::1\"\nB=2\n",
        );
        check("A=1", &[], "A=1\nNETCONFIG_DNS_STATIC_SERVERS=\"\"\n");
    }
}
