//! The network that is meant, before any program's way to write it.
//!
//! It follows the documents that the other channels carry (`crates/instance/src/nocloud/network_config.rs`,
//! `crates/instance/src/openstack/network_data.rs`), so that a guest has the same network whichever way it is told; a test holds the
//! two together.

mod bond;
mod mac;

use std::net::IpAddr;

use christen_instance::Instance;
use christen_instance::cidr::Cidr;
use christen_instance::model::{Addressing, Nic, Subnet};

pub use bond::{Bond, BondOption};
pub use mac::Mac;

use crate::{Error, Item, ItemKind, Result};

/// The network of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The interfaces in the order of the NICs; a NIC that stands in no network, or has no subnets, is none.
    pub interfaces: Vec<Interface>,
    /// What the model says and no guest can do; sentences without a full stop.
    pub notices: Vec<String>,
}

/// An interface and how it gets its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Which NIC it is, from 0; names of files and configurations are made of it.
    pub number: usize,
    /// How it is found.
    pub device: Device,
    /// Ask for an IPv4 address by DHCP.
    pub dhcp4: bool,
    /// Ask for an IPv6 address by DHCP.
    pub dhcp6: bool,
    /// Take what IPv6 routers advertise, or do not; `None` leaves it to the guest.
    pub accept_ra: Option<bool>,
    /// Fixed addresses with the prefix of their subnet.
    pub addresses: Vec<Cidr>,
    /// Routes, the default ones among them.
    pub routes: Vec<Route>,
    /// DNS servers, each once.
    pub dns: Vec<IpAddr>,
    /// The MTU in bytes, unless a DHCP server will tell it.
    pub mtu: Option<u32>,
}

/// How an interface is found, or of what it is made. Names are not known before the guest boots: the MAC address is what a NIC and the
/// description have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// The Ethernet device with this address.
    Ethernet(Mac),
    /// A bond of devices.
    Bond(Bond),
}

/// A route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Where it leads, host bits cleared; a prefix of length 0 is the default route.
    pub to: Cidr,
    /// The next hop.
    pub via: IpAddr,
    /// The next hop is in none of the interface's subnets, and still on the link.
    pub on_link: bool,
    /// Says that the route comes after others to the same place: the first NIC's is the one that counts, and the kernel takes a
    /// second with the same metric for the first again, or refuses it.
    pub metric: Option<u32>,
}

impl Route {
    /// Whether it is a default route.
    pub fn is_default(&self) -> bool {
        self.to.prefix() == 0
    }
}

impl Interface {
    /// The fixed addresses of a family.
    pub fn addresses_of(&self, ipv4: bool) -> impl Iterator<Item = Cidr> {
        self.addresses
            .iter()
            .copied()
            .filter(move |it| it.is_ipv4() == ipv4)
    }

    /// The routes of a family.
    pub fn routes_of(&self, ipv4: bool) -> impl Iterator<Item = Route> {
        self.routes
            .iter()
            .copied()
            .filter(move |it| it.to.is_ipv4() == ipv4)
    }

    /// The DNS servers of a family.
    pub fn dns_of(&self, ipv4: bool) -> impl Iterator<Item = IpAddr> {
        self.dns
            .iter()
            .copied()
            .filter(move |it| it.is_ipv4() == ipv4)
    }

    /// The name in files and messages.
    pub fn label(&self) -> String {
        format!("christen-{}", self.number)
    }
}

impl Plan {
    /// Every device that is found by a MAC address, members of bonds among them.
    pub fn macs(&self) -> Vec<Mac> {
        let devices = self.interfaces.iter().map(|it| &it.device);
        devices
            .flat_map(|device| match device {
                Device::Ethernet(mac) => vec![*mac],
                Device::Bond(bond) => bond.members.clone(),
            })
            .collect()
    }

    /// The DNS servers of all interfaces, each once.
    pub fn dns(&self) -> Vec<IpAddr> {
        let mut servers = Vec::new();
        for server in self.interfaces.iter().flat_map(|it| &it.dns) {
            if !servers.contains(server) {
                servers.push(*server);
            }
        }
        servers
    }
}

/// Makes the plan of an instance; `None` when nothing is known of its network, and the guest's own configuration is to stay.
///
/// # Errors
///
/// [`Error::Impossible`] for what cannot be read as an address, and for two NICs that no guest can tell apart.
pub fn plan(instance: &Instance) -> Result<Option<Plan>> {
    let Some(nics) = &instance.network else {
        return Ok(None);
    };
    let mut plan = Plan::default();
    for (number, nic) in nics.iter().enumerate() {
        if nic.network.is_none() || nic.subnets.is_empty() {
            continue;
        }
        let device = match &instance.bare_metal {
            Some(bare_metal) => {
                let is_bond = |it: &&Interface| matches!(it.device, Device::Bond(_));
                let bonds = plan.interfaces.iter().filter(is_bond).count();
                bond::device(number, nic, bare_metal, bonds)?
            }
            None => Device::Ethernet(Mac::parse(number, &nic.mac)?),
        };
        let mut interface = addressing(number, nic, device)?;
        drop_unreachable(&mut interface, &mut plan.notices);
        rank(&mut interface, &plan.interfaces);
        plan.interfaces.push(interface);
    }
    let mut macs = plan.macs();
    macs.sort();
    if let Some(twins) = macs.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(impossible(format!(
            "two NICs have the MAC address `{}`, and a guest tells its NICs apart by that",
            twins[0]
        )));
    }
    Ok(Some(plan))
}

fn addressing(number: usize, nic: &Nic, device: Device) -> Result<Interface> {
    let mut interface = Interface {
        number,
        device,
        dhcp4: false,
        dhcp6: false,
        accept_ra: None,
        addresses: Vec::new(),
        routes: Vec::new(),
        dns: Vec::new(),
        mtu: mtu(nic),
    };
    for subnet in &nic.subnets {
        let cidr = range(number, &subnet.cidr)?;
        let kind = subnet.addressing();
        match (&kind, cidr.is_ipv4()) {
            (Addressing::Dhcp | Addressing::DhcpV6 | Addressing::Slaac, true) => {
                interface.dhcp4 = true
            }
            (Addressing::Slaac, false) => interface.accept_ra = Some(true),
            (Addressing::Dhcp | Addressing::DhcpV6, false) => {
                interface.dhcp6 = true;
                interface.accept_ra = Some(true);
            }
            (Addressing::Static, is_ipv4) => {
                for ip in &subnet.ips {
                    let address = address(number, &ip.address)?;
                    if address.is_ipv4() != is_ipv4 {
                        return Err(impossible(format!(
                            "NIC {number}: `{address}` is not of the family of `{}`",
                            subnet.cidr
                        )));
                    }
                    interface
                        .addresses
                        .push(range(number, &format!("{address}/{}", cidr.prefix()))?);
                }
                if !is_ipv4 && !subnet.ips.is_empty() {
                    // A router's word counts only where something asks for it.
                    interface.accept_ra = interface.accept_ra.or(Some(false));
                }
            }
        }
        if kind != Addressing::Dhcp {
            routes(number, subnet, cidr, &mut interface.routes)?;
        }
        for server in &subnet.dns {
            let server = address(number, server)?;
            if !interface.dns.contains(&server) {
                interface.dns.push(server);
            }
        }
    }
    mark_on_link(&mut interface, nic);
    Ok(interface)
}

/// The default route, then the host routes.
fn routes(number: usize, subnet: &Subnet, cidr: Cidr, routes: &mut Vec<Route>) -> Result<()> {
    let mut add = |to: Cidr, via: &str| {
        let via = address(number, via)?;
        if via.is_ipv4() != to.is_ipv4() {
            return Err(impossible(format!(
                "NIC {number}: the next hop `{via}` is not of the family of where it leads"
            )));
        }
        let route = Route {
            to,
            via,
            on_link: false,
            metric: None,
        };
        if !routes.contains(&route) {
            routes.push(route);
        }
        Ok(())
    };
    if let Some(gateway) = subnet.gateway.as_deref().filter(|it| !it.is_empty()) {
        let any = if cidr.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
        add(range(number, any)?, gateway)?;
    }
    for host_route in &subnet.routes {
        let to = range(number, &host_route.to)?;
        let network = range(number, &format!("{}/{}", to.network(), to.prefix()))?;
        add(network, &host_route.via)?;
    }
    Ok(())
}

/// Marks the next hops that the kernel would otherwise refuse as unreachable: those in no range of the interface's. Where DHCP or a
/// router gives the address the ranges are not known, and the model's own decide.
fn mark_on_link(interface: &mut Interface, nic: &Nic) {
    let ranges: Vec<Cidr> = nic
        .subnets
        .iter()
        .filter_map(|it| Cidr::parse(&it.cidr).ok())
        .collect();
    for route in &mut interface.routes {
        // Every IPv6 interface has a link-local range, and no IPv4 one has.
        let is_link_local = matches!(route.via, IpAddr::V6(via) if via.is_unicast_link_local());
        let is_inside = ranges.iter().any(|range| contains(*range, route.via));
        route.on_link = !is_inside && !is_link_local;
    }
}

fn contains(range: Cidr, address: IpAddr) -> bool {
    range.is_ipv4() == address.is_ipv4()
        && Cidr::parse(&format!("{address}/{}", range.prefix()))
            .is_ok_and(|it| it.network() == range.network())
}

/// Gives metrics to the routes that lead where one before them leads already. Who asks for an address is told a default route too.
fn rank(interface: &mut Interface, earlier: &[Interface]) {
    let mut known: Vec<Cidr> = Vec::new();
    for other in earlier {
        known.extend(other.routes.iter().map(|it| it.to));
        let asks = [
            (other.dhcp4, "0.0.0.0/0"),
            (other.accept_ra == Some(true), "::/0"),
        ];
        for (_, any) in asks.iter().filter(|(asks, _)| *asks) {
            known.extend(Cidr::parse(any));
        }
    }
    for route in &mut interface.routes {
        let before = known.iter().filter(|it| **it == route.to).count();
        if before > 0 {
            // Cannot overflow in effect: a description has far fewer NICs and routes.
            let steps = u32::try_from(before)
                .unwrap_or(u32::MAX)
                .saturating_mul(100);
            route.metric = Some(FIRST_METRIC.saturating_add(steps));
        }
        known.push(route.to);
    }
}

/// The metric of an IPv6 route that says none (Linux, `include/net/ip6_route.h`, `IP6_RT_PRIO_USER`); an IPv4 one has 0.
const FIRST_METRIC: u32 = 1024;

/// Takes away the routes of a family in which the interface gets no address: no kernel has a way to their next hop.
fn drop_unreachable(interface: &mut Interface, notices: &mut Vec<String>) {
    let has_ipv4 = interface.dhcp4 || interface.addresses_of(true).next().is_some();
    let has_ipv6 = interface.dhcp6
        || interface.accept_ra == Some(true)
        || interface.addresses_of(false).next().is_some();
    let number = interface.number;
    interface.routes.retain(|route| {
        let is_reachable = if route.to.is_ipv4() {
            has_ipv4
        } else {
            has_ipv6
        };
        if !is_reachable {
            notices.push(format!(
                "NIC {number} has no address of the family of the route to `{}` by way of `{}`, which is left out",
                text(route.to),
                route.via
            ));
        }
        is_reachable
    });
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

/// Writes an address with its prefix.
pub(super) fn text(cidr: Cidr) -> String {
    format!("{}/{}", cidr.address(), cidr.prefix())
}

fn range(number: usize, text: &str) -> Result<Cidr> {
    Cidr::parse(text).map_err(|_| {
        impossible(format!(
            "NIC {number}: `{}` is not an address range",
            text.escape_debug()
        ))
    })
}

fn address(number: usize, text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| {
        impossible(format!(
            "NIC {number}: `{}` is not an address",
            text.escape_debug()
        ))
    })
}

pub(super) fn impossible(reason: String) -> Error {
    Error::Impossible {
        item: Item::new(ItemKind::Network),
        reason,
    }
}

#[cfg(test)]
mod tests;
