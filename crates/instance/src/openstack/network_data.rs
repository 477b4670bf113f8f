//! `network_data.json`: links, networks and services.
//!
//! Nova 34.0.0, `nova/virt/netutils.py`, `get_network_metadata`.

use super::bare_metal;
use crate::cidr::{Cidr, address_text};
use crate::model::{Nic, Subnet};
use crate::network_template::{Families, Netmask, parse_cidr};
use crate::{Error, Instance, Value};

/// The VIF types that a link shows as its own (`nova/network/model.py`,
/// `LEGACY_EXPOSED_VIF_TYPES`); every other one is `phy`.
const EXPOSED_VIF_TYPES: [&str; 8] = [
    "bridge",
    "dvs",
    "hw_veb",
    "hyperv",
    "ovs",
    "tap",
    "vhostuser",
    "vif",
];

/// Makes the document. Without any NIC it is an empty object.
///
/// Nova describes a subnet only when the NIC has an address in it. Unless `like_nova`, so is
/// one in which the guest has to ask for its address (`dhcp: true` in a description).
pub(super) fn network_data(instance: &Instance, like_nova: bool) -> Result<Value, Error> {
    let nics = instance.network.as_deref().unwrap_or_default();
    if nics.is_empty() {
        return Ok(Value::Object(Vec::new()));
    }
    let mut links = Vec::new();
    let mut networks = Vec::new();
    let mut services: Vec<Value> = Vec::new();
    for (number, nic) in nics.iter().enumerate() {
        if nic.network.is_none() || nic.subnets.is_empty() {
            continue;
        }
        let families = Families::of(number, nic)?;
        let id = match nic.device.as_deref() {
            Some(device) if !device.is_empty() => device.to_owned(),
            _ => format!("interface{}", links.len()),
        };
        links.push(link(nic, &id));
        for (family, found) in [("ipv4", families.ipv4), ("ipv6", families.ipv6)] {
            let described =
                |subnet: &Subnet| !subnet.ips.is_empty() || (!like_nova && is_asked_for(subnet));
            let Some((subnet, cidr)) = found.filter(|(subnet, _)| described(subnet)) else {
                continue;
            };
            networks.push(network(Entry {
                number: networks.len(),
                nic_number: number,
                family,
                link: &id,
                nic,
                subnet,
                cidr,
            })?);
            // Without those of earlier subnets; a server that one subnet names twice stays
            // twice, as Nova looks only at what was there before the subnet.
            let new: Vec<Value> = dns_services(subnet)
                .filter(|service| !services.contains(service))
                .collect();
            services.extend(new);
        }
    }
    if let Some(bare_metal) = &instance.bare_metal {
        bare_metal::rewrite_links(&mut links, bare_metal);
    }
    let links = links.into_iter().map(Value::Object).collect();
    Ok(object([
        ("links", Value::Array(links)),
        ("networks", Value::Array(networks)),
        ("services", Value::Array(services)),
    ]))
}

/// A link, still open to be rewritten.
pub(super) type Link = Vec<(String, Value)>;

fn link(nic: &Nic, id: &str) -> Link {
    let kind = nic.kind.as_deref().unwrap_or("phy");
    let kind = if EXPOSED_VIF_TYPES.contains(&kind) {
        kind
    } else {
        "phy"
    };
    members([
        ("id", id.into()),
        ("vif_id", nic.id.as_str().into()),
        ("type", kind.into()),
        ("mtu", mtu(nic)),
        ("ethernet_mac_address", nic.mac.as_str().into()),
    ])
}

/// The network's MTU, or null when a DHCP server will tell the guest.
fn mtu(nic: &Nic) -> Value {
    let served = |subnet: &Subnet| {
        let server = subnet.dhcp_server.as_deref();
        server.is_some_and(|server| !server.is_empty())
    };
    let mtu = nic.network.as_ref().and_then(|network| network.mtu);
    match mtu {
        Some(mtu) if !nic.subnets.iter().any(served) => i64::from(mtu).into(),
        _ => Value::Null,
    }
}

/// Whether the guest learns its address on the subnet itself.
fn is_asked_for(subnet: &Subnet) -> bool {
    subnet.dhcp_server.is_some()
        || subnet.enable_dhcp == Some(true)
        || subnet.ipv6_address_mode.is_some()
}

/// What an entry of `networks` is made of.
struct Entry<'a> {
    /// Number of the entry, from 0.
    number: usize,
    /// Number of the NIC, for messages.
    nic_number: usize,
    /// `ipv4` or `ipv6`.
    family: &'a str,
    /// ID of the link it stands on.
    link: &'a str,
    nic: &'a Nic,
    subnet: &'a Subnet,
    cidr: Cidr,
}

fn network(entry: Entry<'_>) -> Result<Value, Error> {
    let Entry {
        family,
        link,
        nic,
        subnet,
        cidr,
        ..
    } = entry;
    let id = format!("network{}", entry.number);
    let network = nic.network.as_ref();
    let network_id = Value::from(network.and_then(|network| network.id.as_deref()));

    let (kind, short) = match subnet.ipv6_address_mode.as_deref() {
        Some(mode) => (format!("{family}_{mode}"), subnet.ips.is_empty()),
        None if is_asked_for(subnet) => (format!("{family}_dhcp"), true),
        None => (family.to_owned(), false),
    };
    if short {
        return Ok(object([
            ("id", id.into()),
            ("type", kind.into()),
            ("link", link.into()),
            ("network_id", network_id),
        ]));
    }

    // The caller has seen that there is one, where it is not asked for.
    let ip = subnet.ips.first();
    let address = ip.map(|ip| ip.address.as_str());
    let netmask = match ip.map(|ip| Netmask::for_address(ip, cidr)) {
        Some(Netmask::Prefix(length)) if cidr.is_ipv4() => i64::from(length).into(),
        _ => address_text(cidr.netmask()).into(),
    };
    let mut routes = Vec::new();
    if let Some(gateway) = subnet.gateway.as_deref().filter(|it| !it.is_empty()) {
        let any = if cidr.is_ipv4() { "0.0.0.0" } else { "::" };
        routes.push(route(any.into(), any.into(), gateway));
    }
    for host_route in &subnet.routes {
        let range = parse_cidr(entry.nic_number, &host_route.to)?;
        routes.push(route(
            address_text(range.network()).into(),
            address_text(range.netmask()).into(),
            &host_route.via,
        ));
    }
    Ok(object([
        ("id", id.into()),
        ("type", kind.into()),
        ("link", link.into()),
        ("ip_address", address.into()),
        ("netmask", netmask),
        ("routes", Value::Array(routes)),
        ("network_id", network_id),
        ("services", dns_services(subnet).collect::<Vec<_>>().into()),
    ]))
}

fn route(network: Value, netmask: Value, gateway: &str) -> Value {
    object([
        ("network", network),
        ("netmask", netmask),
        ("gateway", gateway.into()),
    ])
}

fn dns_services(subnet: &Subnet) -> impl Iterator<Item = Value> {
    subnet
        .dns
        .iter()
        .map(|address| object([("type", "dns".into()), ("address", address.as_str().into())]))
}

/// Names and values as members of an object.
pub(super) fn members<const N: usize>(pairs: [(&str, Value); N]) -> Link {
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

fn object<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Object(members(pairs))
}
