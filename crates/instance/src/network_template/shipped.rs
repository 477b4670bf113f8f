//! The Debian-style text of the template that Nova ships (`nova/virt/interfaces.template`).
//!
//! Nova renders a Jinja2 file; ours is written straight, since its text is always the same.

use std::fmt::Write as _;

use super::{InjectedNetwork, Interface, Netmask};

/// What stands before the interfaces.
const HEAD: &str = "\
# Injected by Nova on instance boot
#
# This file describes the network interfaces available on your system
# and how to activate them. For more information, see interfaces(5).

# The loopback network interface
auto lo
iface lo inet loopback
";

/// Writes the text of interfaces(5).
pub(super) fn render(network: &InjectedNetwork, virt_type: Option<&str>) -> String {
    let mut out = String::from(HEAD);
    for interface in &network.interfaces {
        let _ = write!(out, "\nauto {}\n", interface.name);
        ipv4(interface, &mut out);
        if virt_type == Some("lxc") {
            ipv6_in_container(interface, &mut out);
        } else {
            ipv6(interface, &mut out);
        }
    }
    out
}

fn ipv4(interface: &Interface, out: &mut String) {
    let Some(address) = present(interface.address.as_deref()) else {
        return;
    };
    // Writing to a `String` cannot fail, here and below.
    let _ = writeln!(out, "iface {} inet static", interface.name);
    option("hwaddress ether", &interface.hwaddress, out);
    option("address", address, out);
    option("netmask", &mask(interface.netmask.as_ref()), out);
    option(
        "broadcast",
        interface.broadcast.as_deref().unwrap_or("None"),
        out,
    );
    gateway_and_dns(&interface.gateway, interface.dns.as_deref(), out);
}

fn ipv6(interface: &Interface, out: &mut String) {
    let Some(address) = present(interface.address_v6.as_deref()) else {
        return;
    };
    let _ = writeln!(out, "iface {} inet6 static", interface.name);
    option("hwaddress ether", &interface.hwaddress, out);
    option("address", address, out);
    option("netmask", &mask(interface.netmask_v6.as_ref()), out);
    gateway_and_dns(&interface.gateway_v6, interface.dns_v6.as_deref(), out);
}

/// In a container, IPv6 is set up by commands that run after the IPv4 stanza.
fn ipv6_in_container(interface: &Interface, out: &mut String) {
    let Some(address) = present(interface.address_v6.as_deref()) else {
        return;
    };
    let netmask = mask(interface.netmask_v6.as_ref());
    let _ = writeln!(
        out,
        "    post-up ip -6 addr add {address}/{netmask} dev ${{IFACE}}"
    );
    if let Some(gateway) = present(Some(&interface.gateway_v6)) {
        let _ = writeln!(
            out,
            "    post-up ip -6 route add default via {gateway} dev ${{IFACE}}"
        );
    }
}

fn gateway_and_dns(gateway: &str, dns: Option<&str>, out: &mut String) {
    if let Some(gateway) = present(Some(gateway)) {
        option("gateway", gateway, out);
    }
    if let Some(dns) = present(dns) {
        option("dns-nameservers", dns, out);
    }
}

fn option(name: &str, value: &str, out: &mut String) {
    let _ = writeln!(out, "    {name} {value}");
}

/// Text that is there and not empty, as Jinja2's `if` sees it.
fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn mask(netmask: Option<&Netmask>) -> String {
    match netmask {
        Some(Netmask::Address(text)) => text.clone(),
        Some(Netmask::Prefix(length)) => length.to_string(),
        None => "None".to_owned(),
    }
}
