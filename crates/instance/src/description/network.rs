//! NICs: Neutron's full form, and the short one that is expanded to it.

use std::net::IpAddr;

use super::build::Builder;
use super::fields::SHORT_FORM;
use super::text::parse_range;
use super::walk::enter;
use crate::cidr::Cidr;
use crate::model::{FixedIp, Network, Nic, Route, Subnet};
use crate::tree::{Kind, Node};

/// Ranges of subnets of which only the family is known, because DHCP or a router says the rest.
const ANY_IPV4: &str = "0.0.0.0/0";
const ANY_IPV6: &str = "::/0";

impl Builder<'_, '_> {
    /// The NICs; `None` for `dhcp` and for nothing at all.
    pub(crate) fn network(&mut self, root: &Node) -> Option<Vec<Nic>> {
        let node = self.get(root, "network")?;
        let Kind::List(items) = &node.kind else {
            return None;
        };
        let mut nics: Vec<Nic> = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = &mut format!("network[{index}]");
            let nic = self.nic(item, index, path);
            let twin = nics
                .iter()
                .position(|other| other.mac.eq_ignore_ascii_case(&nic.mac));
            if let (Some(twin), Some(mac)) = (twin, item.get("mac"))
                && !nic.mac.is_empty()
            {
                enter(path, "mac");
                let message = format!("NIC {twin} has the same MAC address");
                self.walk
                    .warning(mac.span, path, message)
                    .hint("a guest finds its NICs by their MAC addresses");
            }
            nics.push(nic);
        }
        Some(nics)
    }

    fn nic(&mut self, node: &Node, index: usize, path: &mut String) -> Nic {
        let mac = self.text(node, "mac").unwrap_or_default();
        let short = SHORT_FORM
            .iter()
            .find_map(|name| Some((name, self.get(node, name)?)));
        let full = self.get(node, "subnets");
        if let (Some((name, value)), Some(_)) = (short, full) {
            let message = format!("`{name}` belongs to the short form, and `subnets` is given too");
            let length = enter(path, name);
            self.walk
                .error(value.span, path, message, None)
                .hint("give the addresses in one of the two forms");
            path.truncate(length);
        }
        let subnets = match full {
            Some(_) => self.each(node, "subnets", path, Self::subnet),
            None => self.short_form(node, path),
        };
        Nic {
            id: self
                .text(node, "id")
                .unwrap_or_else(|| made_id(index, "8000", &mac)),
            kind: self.text(node, "type"),
            vnic_type: self.text(node, "vnic_type"),
            device: self.text(node, "device"),
            vlan: self.number(node, "vlan"),
            trusted: self.flag(node, "trusted"),
            network: self.nic_network(node, index, &mac, short.is_some(), path),
            subnets,
            mac,
        }
    }

    /// The network, made up for a NIC in the short form: the documents leave out a NIC
    /// without one.
    fn nic_network(
        &mut self,
        node: &Node,
        index: usize,
        mac: &str,
        short: bool,
        path: &mut String,
    ) -> Option<Network> {
        let mtu = self.number(node, "mtu");
        let Some(network) = self.get(node, "network") else {
            return (short || mtu.is_some()).then(|| Network {
                id: Some(made_id(index, "9000", mac)),
                mtu,
                ..Network::default()
            });
        };
        let inner = self.number(network, "mtu");
        if let (Some(outer), Some(inner), Some(value)) = (mtu, inner, node.get("mtu"))
            && outer != inner
        {
            let message = format!("the network says an MTU of {inner}");
            let length = enter(path, "mtu");
            self.walk.error(value.span, path, message, None);
            path.truncate(length);
        }
        Some(Network {
            id: match network.get("id") {
                Some(_) => self.text(network, "id"),
                None => Some(made_id(index, "9000", mac)),
            },
            bridge: self.text(network, "bridge"),
            label: self.text(network, "label"),
            mtu: inner.or(mtu),
            injected: self.flag(network, "injected"),
        })
    }

    fn subnet(&mut self, node: &Node, path: &mut String) -> Option<Subnet> {
        let cidr = self.text(node, "cidr")?;
        let range = parse_range(&cidr).and_then(|_| Cidr::parse(&cidr).ok());
        let ips = self.each(node, "ips", path, |builder, item, path| {
            let address = builder.text(item, "address")?;
            if let (Some(range), Ok(parsed), Some(value)) =
                (range, address.parse(), item.get("address"))
            {
                let length = enter(path, "address");
                builder.must_be_inside(value, range, parsed, &cidr, path);
                path.truncate(length);
            }
            Some(FixedIp {
                address,
                floating: builder.texts(item, "floating"),
            })
        });
        if let Some(range) = range {
            for name in ["gateway", "dhcp_server"] {
                let length = enter(path, name);
                self.must_be_family(node, name, range, &cidr, path);
                path.truncate(length);
            }
        }
        Some(Subnet {
            gateway: self.text(node, "gateway"),
            dns: self.texts(node, "dns"),
            routes: self.each(node, "routes", path, Self::route),
            enable_dhcp: self.flag(node, "enable_dhcp"),
            dhcp_server: self.text(node, "dhcp_server"),
            ipv6_address_mode: self.text(node, "ipv6_address_mode"),
            ips,
            cidr,
        })
    }

    fn route(&mut self, node: &Node, path: &mut String) -> Option<Route> {
        let (to, via) = (self.text(node, "to")?, self.text(node, "via")?);
        if let (Some((range, _)), Ok(hop)) = (parse_range(&to), via.parse::<IpAddr>())
            && range.is_ipv4() != hop.is_ipv4()
        {
            let span = node.get("via").map_or(node.span, |value| value.span);
            let message = format!("`{via}` is not of the same family as `{to}`");
            let length = enter(path, "via");
            self.walk.error(span, path, message, Some(via.clone()));
            path.truncate(length);
        }
        Some(Route { to, via })
    }

    fn must_be_inside(
        &mut self,
        node: &Node,
        range: Cidr,
        address: IpAddr,
        cidr: &str,
        path: &str,
    ) {
        if contains(range, address) {
            return;
        }
        let shown = address.to_string();
        let message = format!("`{shown}` is not in the subnet `{cidr}`");
        self.walk.error(node.span, path, message, Some(shown));
    }

    /// A gateway may be outside the subnet (and is warned of), but not of the other family.
    fn must_be_family(&mut self, node: &Node, name: &str, range: Cidr, cidr: &str, path: &str) {
        let Some(value) = node.get(name) else { return };
        let Some(Ok(address)) = value.as_text().map(str::parse::<IpAddr>) else {
            return;
        };
        let message = if range.is_ipv4() != address.is_ipv4() {
            format!("`{address}` is not of the same family as the subnet `{cidr}`")
        } else if name == "gateway" && !contains(range, address) && !is_link_local(address) {
            let message = format!("the gateway `{address}` is outside the subnet `{cidr}`");
            self.walk.warning(value.span, path, message);
            return;
        } else {
            return;
        };
        self.walk
            .error(value.span, path, message, Some(address.to_string()));
    }

    /// Subnets of a NIC in the short form, in the order: static addresses as given, then
    /// DHCP, then IPv6 by router.
    fn short_form(&mut self, node: &Node, path: &mut String) -> Vec<Subnet> {
        let mut subnets: Vec<Subnet> = Vec::new();
        for value in one_or_more(node.get("address")) {
            let Some(text) = value.as_text() else {
                continue;
            };
            let (Some((_, prefix)), Ok(range)) = (parse_range(text), Cidr::parse(text)) else {
                continue;
            };
            let cidr = format!("{}/{prefix}", range.network());
            // As it was written, less the prefix length: nothing is normalised.
            let bare = text.split('/').next().unwrap_or(text);
            let ip = FixedIp {
                address: bare.to_owned(),
                floating: Vec::new(),
            };
            match subnets.iter_mut().find(|subnet| subnet.cidr == cidr) {
                Some(subnet) => subnet.ips.push(ip),
                None => subnets.push(Subnet {
                    cidr,
                    enable_dhcp: Some(false),
                    ips: vec![ip],
                    ..Subnet::default()
                }),
            }
        }
        let has = |subnets: &[Subnet], ipv4: bool| {
            subnets
                .iter()
                .any(|subnet| subnet.cidr.contains(':') != ipv4)
        };
        if self.flag(node, "dhcp") == Some(true) {
            if has(&subnets, true) {
                self.clash(node, "dhcp", "an IPv4 address is given too", path);
            }
            subnets.push(Subnet {
                cidr: ANY_IPV4.to_owned(),
                enable_dhcp: Some(true),
                ..Subnet::default()
            });
        }
        if let Some(mode) = self.text(node, "ipv6") {
            if has(&subnets, false) {
                self.clash(node, "ipv6", "an IPv6 address is given too", path);
            }
            subnets.push(Subnet {
                cidr: ANY_IPV6.to_owned(),
                enable_dhcp: Some(mode != "slaac"),
                ipv6_address_mode: Some(mode),
                ..Subnet::default()
            });
        }
        self.gateways(node, &mut subnets, path);
        self.name_servers(node, &mut subnets, path);
        self.short_routes(node, &mut subnets, path);
        subnets
    }

    fn clash(&mut self, node: &Node, name: &str, message: &str, path: &mut String) {
        let span = node.get(name).map_or(node.span, |value| value.span);
        let length = enter(path, name);
        self.walk.error(span, path, message.to_owned(), None);
        path.truncate(length);
    }

    fn gateways(&mut self, node: &Node, subnets: &mut [Subnet], path: &mut String) {
        let length = enter(path, "gateway");
        for value in one_or_more(node.get("gateway")) {
            let Some(text) = value.as_text() else {
                continue;
            };
            let Ok(address) = text.parse::<IpAddr>() else {
                continue;
            };
            let inside = subnets
                .iter()
                .position(|subnet| Cidr::parse(&subnet.cidr).is_ok_and(|it| contains(it, address)));
            let place = inside.or_else(|| {
                subnets
                    .iter()
                    .position(|subnet| subnet.cidr.contains(':') == address.is_ipv6())
            });
            let Some(subnet) = place.and_then(|place| subnets.get_mut(place)) else {
                let message = format!("no address of the family of the gateway `{text}` is given");
                self.walk
                    .error(value.span, path, message, Some(text.to_owned()));
                continue;
            };
            if subnet.gateway.is_some() {
                let message = "a second gateway of the same subnet".to_owned();
                self.walk
                    .error(value.span, path, message, Some(text.to_owned()));
                continue;
            }
            if inside.is_none() && !is_link_local(address) {
                let message = format!(
                    "the gateway `{text}` is outside the subnet `{}`",
                    subnet.cidr
                );
                self.walk.warning(value.span, path, message);
            }
            subnet.gateway = Some(text.to_owned());
        }
        path.truncate(length);
    }

    /// Each server goes to the first subnet of its family, or else to the first subnet.
    fn name_servers(&mut self, node: &Node, subnets: &mut [Subnet], path: &mut String) {
        for value in one_or_more(node.get("dns")) {
            let Some(text) = value.as_text() else {
                continue;
            };
            let place = subnets
                .iter()
                .position(|subnet| subnet.cidr.contains(':') == text.contains(':'))
                .unwrap_or(0);
            match subnets.get_mut(place) {
                Some(subnet) => subnet.dns.push(text.to_owned()),
                None => return self.clash(node, "dns", NO_ADDRESS, path),
            }
        }
    }

    fn short_routes(&mut self, node: &Node, subnets: &mut [Subnet], path: &mut String) {
        for route in self.each(node, "routes", path, Self::route) {
            let ipv6 = route.to.contains(':');
            let Some(subnet) = subnets
                .iter_mut()
                .find(|subnet| subnet.cidr.contains(':') == ipv6)
            else {
                return self.clash(node, "routes", NO_ADDRESS, path);
            };
            subnet.routes.push(route);
        }
    }
}

const NO_ADDRESS: &str = "the NIC has no `address`, `dhcp` or `ipv6` of that family";

fn one_or_more(node: Option<&Node>) -> &[Node] {
    match node.map(|node| (node, &node.kind)) {
        Some((_, Kind::List(items))) => items,
        Some((node, Kind::Text { .. })) => std::slice::from_ref(node),
        _ => &[],
    }
}

fn contains(range: Cidr, address: IpAddr) -> bool {
    range.is_ipv4() == address.is_ipv4()
        && Cidr::parse(&format!("{address}/{}", range.prefix()))
            .is_ok_and(|other| other.network() == range.network())
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// An ID in the form of a UUID that depends on nothing but the description: the place in the
/// list, a group that tells ports (`8000`) from networks (`9000`), and the MAC address.
fn made_id(index: usize, group: &str, mac: &str) -> String {
    let digits: String = mac
        .chars()
        .filter(char::is_ascii_hexdigit)
        .map(|digit| digit.to_ascii_lowercase())
        .collect();
    format!("{index:08x}-0000-4000-{group}-{digits:0>12}")
}
