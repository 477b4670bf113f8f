//! `network-config`, version 2: the network as netplan describes it.
//!
//! cloud-init 26.2, `doc/rtd/reference/network-config-format-v2.rst` and
//! `cloudinit/net/network_state.py`.

use super::bond;
use crate::cidr::{Cidr, address_text};
use crate::model::{Addressing, Nic, Subnet};
use crate::network_template::parse_cidr;
use crate::{Error, Instance, Value};

/// An interface's keys, in order.
pub(super) type Interface = Vec<(String, Value)>;

/// Makes the document; `None` when no NIC stands in a network. cloud-init then asks DHCP on
/// the first NIC, as it does without any configuration.
///
/// A NIC is found by its MAC address and keeps the name that the kernel gave it: `ethN`, N
/// counting all NICs, is only a label here. Every address of a NIC is described, not only
/// the first of each family as in `network_data.json`.
pub(super) fn network_config(instance: &Instance) -> Result<Option<Value>, Error> {
    let mut ethernets: Vec<(String, Value)> = Vec::new();
    let mut bonds: Vec<(String, Value)> = Vec::new();
    let nics = instance.network.as_deref().unwrap_or_default();
    // Ports of groups come after the NICs, as the kernel has no say in these labels.
    let mut next_member = nics.len();
    for (number, nic) in nics.iter().enumerate() {
        if nic.network.is_none() || nic.subnets.is_empty() {
            continue;
        }
        let addressing = addressing(number, nic)?;
        let bare_metal = instance.bare_metal.as_ref();
        match bare_metal.and_then(|bare_metal| bond::group(bare_metal, nic)) {
            Some(group) => {
                let name = format!("bond{}", bonds.len());
                let mut members = Vec::new();
                for port in group.ports {
                    let name = format!("eth{next_member}");
                    next_member += 1;
                    let mut member = matched(&port.mac);
                    // A bond names its members, and only netplan would look a label up.
                    member.push(("set-name".to_owned(), name.as_str().into()));
                    ethernets.push((name.clone(), Value::Object(member)));
                    members.push(Value::from(name));
                }
                let mut interface = bond::interface(group.group, members, &nic.mac);
                interface.extend(addressing);
                bonds.push((name, Value::Object(interface)));
            }
            None => {
                let port = bare_metal.and_then(|bare_metal| bond::port(bare_metal, nic));
                let mut interface = matched(port.map_or(&nic.mac, |port| &port.mac));
                interface.extend(addressing);
                ethernets.push((format!("eth{number}"), Value::Object(interface)));
            }
        }
    }
    if ethernets.is_empty() && bonds.is_empty() {
        return Ok(None);
    }
    let mut document = vec![("version".to_owned(), Value::from(2))];
    if !ethernets.is_empty() {
        document.push(("ethernets".to_owned(), Value::Object(ethernets)));
    }
    if !bonds.is_empty() {
        document.push(("bonds".to_owned(), Value::Object(bonds)));
    }
    Ok(Some(Value::Object(document)))
}

/// The key that finds a NIC; cloud-init compares in lower case only.
fn matched(mac: &str) -> Interface {
    let mac = ("macaddress".to_owned(), mac.to_ascii_lowercase().into());
    vec![("match".to_owned(), Value::Object(vec![mac]))]
}

/// Addresses, routes and name servers of a NIC: all keys but those that find it.
fn addressing(number: usize, nic: &Nic) -> Result<Interface, Error> {
    let mut dhcp4 = false;
    let mut dhcp6 = false;
    let mut accept_ra = None;
    let mut addresses = Vec::new();
    let mut routes = Vec::new();
    let mut dns: Vec<Value> = Vec::new();
    for subnet in &nic.subnets {
        let cidr = parse_cidr(number, &subnet.cidr)?;
        match (subnet.addressing(), cidr.is_ipv4()) {
            (Addressing::Dhcp | Addressing::DhcpV6 | Addressing::Slaac, true) => dhcp4 = true,
            (Addressing::Slaac, false) => accept_ra = Some(true),
            (Addressing::Dhcp | Addressing::DhcpV6, false) => {
                dhcp6 = true;
                accept_ra = Some(true);
            }
            (Addressing::Static, is_ipv4) => {
                for ip in &subnet.ips {
                    addresses.push(Value::from(format!("{}/{}", ip.address, cidr.prefix())));
                }
                if !is_ipv4 && !subnet.ips.is_empty() {
                    // A router's word counts only where something asks for it.
                    accept_ra = accept_ra.or(Some(false));
                }
            }
        }
        if subnet.addressing() != Addressing::Dhcp {
            routes.extend(subnet_routes(number, subnet, cidr)?);
        }
        for server in &subnet.dns {
            let server = Value::from(server.as_str());
            if !dns.contains(&server) {
                dns.push(server);
            }
        }
    }

    let mut interface: Interface = Vec::new();
    let mut add = |name: &str, value: Value| interface.push((name.to_owned(), value));
    if dhcp4 {
        add("dhcp4", true.into());
    }
    if dhcp6 {
        add("dhcp6", true.into());
    }
    if let Some(accept_ra) = accept_ra {
        add("accept-ra", accept_ra.into());
    }
    if !addresses.is_empty() {
        add("addresses", Value::Array(addresses));
    }
    if !routes.is_empty() {
        add("routes", Value::Array(routes));
    }
    if !dns.is_empty() {
        let addresses = ("addresses".to_owned(), Value::Array(dns));
        add("nameservers", Value::Object(vec![addresses]));
    }
    if let Some(mtu) = mtu(nic) {
        add("mtu", i64::from(mtu).into());
    }
    Ok(interface)
}

/// The default route, by `routes`, as `gateway4` is deprecated, then the host routes.
fn subnet_routes(number: usize, subnet: &Subnet, cidr: Cidr) -> Result<Vec<Value>, Error> {
    let mut routes = Vec::new();
    if let Some(gateway) = subnet.gateway.as_deref().filter(|it| !it.is_empty()) {
        // Not `default`: cloud-init 22.4 does not know the family of that.
        let any = if cidr.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
        routes.push(route(any, gateway));
    }
    for host_route in &subnet.routes {
        let range = parse_cidr(number, &host_route.to)?;
        let to = format!("{}/{}", address_text(range.network()), range.prefix());
        routes.push(route(&to, &host_route.via));
    }
    Ok(routes)
}

fn route(to: &str, via: &str) -> Value {
    Value::Object(vec![
        ("to".to_owned(), to.into()),
        ("via".to_owned(), via.into()),
    ])
}

/// The network's MTU, unless a DHCP server will tell the guest.
fn mtu(nic: &Nic) -> Option<u32> {
    let served = nic.subnets.iter().any(|subnet| {
        let server = subnet.dhcp_server.as_deref();
        server.is_some_and(|server| !server.is_empty())
    });
    let network = nic.network.as_ref().filter(|_| !served);
    network.and_then(|network| network.mtu)
}
