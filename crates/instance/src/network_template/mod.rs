//! The injected network template: a text file that describes the static interfaces.
//!
//! Nova 34.0.0, `nova/virt/netutils.py`, `get_injected_network_template`. The file stands
//! on the drive as content item 0 and `meta_data.json` calls it `network_config`; injection
//! writes it into the image.

mod operator;
mod shipped;

pub use operator::{MAX_FUEL, MAX_OUTPUT_BYTES, MAX_TEMPLATE_BYTES, TemplateError};

use std::net::IpAddr;

use crate::Error;
use crate::cidr::{Cidr, address_text};
use crate::model::{FixedIp, Nic, Subnet};
use crate::settings::NetworkTemplate;

/// What a template is rendered for.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// `[DEFAULT] injected_network_template`.
    pub template: &'a NetworkTemplate,
    /// `[DEFAULT] flat_injected`, for networks that do not say whether they are injected.
    pub flat_injected: bool,
    /// `[libvirt] virt_type` when the text goes into an image; on a drive and in the
    /// service Nova passes none.
    pub virt_type: Option<&'a str>,
    /// Keep the word `None` that Nova writes as the broadcast address of a /31 or /32.
    pub like_nova: bool,
}

/// Renders the template for an instance's NICs.
///
/// Returns nothing when there is no NIC, the option is empty, or no NIC qualifies.
///
/// # Errors
///
/// Fails when a range cannot be read ([`Error::Cidr`]), and when the operator's template is
/// broken or goes over a limit ([`Error::NetworkTemplate`]).
pub fn render(nics: &[Nic], options: Options<'_>) -> Result<Option<String>, Error> {
    if matches!(options.template, NetworkTemplate::None) {
        return Ok(None);
    }
    let network = InjectedNetwork::from_nics(nics, options)?;
    if network.interfaces.is_empty() {
        return Ok(None);
    }
    match options.template {
        NetworkTemplate::None => Ok(None),
        NetworkTemplate::Shipped => Ok(Some(shipped::render(&network, options.virt_type))),
        NetworkTemplate::Text(text) => {
            let rendered = operator::render(text, &network, options.virt_type)?;
            Ok(Some(rendered))
        }
    }
}

/// The variables of a template.
struct InjectedNetwork {
    interfaces: Vec<Interface>,
    /// Whether any interface has an IPv6 address.
    use_ipv6: bool,
}

/// One interface as a template sees it; fields in Nova's order.
struct Interface {
    name: String,
    hwaddress: String,
    address: Option<String>,
    netmask: Option<Netmask>,
    gateway: String,
    broadcast: Option<String>,
    dns: Option<String>,
    routes: Vec<TemplateRoute>,
    address_v6: Option<String>,
    gateway_v6: String,
    netmask_v6: Option<Netmask>,
    dns_v6: Option<String>,
}

/// A host route as a template sees it. Unlike in `network_data.json`, host bits stay.
struct TemplateRoute {
    gateway: String,
    cidr: String,
    network: String,
    netmask: String,
}

/// A mask by the family of the address it belongs to (`nova/network/model.py`,
/// `get_netmask`): dotted for IPv4, the prefix length for IPv6.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Netmask {
    /// A mask as text.
    Address(String),
    /// A prefix length.
    Prefix(u8),
}

impl Netmask {
    /// The mask for an address in a range.
    pub(crate) fn for_address(ip: &FixedIp, cidr: Cidr) -> Self {
        if ip.address.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()) {
            Self::Address(address_text(cidr.netmask()))
        } else {
            Self::Prefix(cidr.prefix())
        }
    }
}

impl InjectedNetwork {
    fn from_nics(nics: &[Nic], options: Options<'_>) -> Result<Self, Error> {
        let mut interfaces = Vec::new();
        let mut use_ipv6 = false;
        let mut with_subnets = 0;
        for (number, nic) in nics.iter().enumerate() {
            let Some(network) = nic.network.as_ref().filter(|_| !nic.subnets.is_empty()) else {
                continue;
            };
            let name = format!("eth{with_subnets}");
            // An interface that does not qualify still takes its name.
            with_subnets += 1;
            if !network.injected.unwrap_or(options.flat_injected) {
                continue;
            }
            let families = Families::of(number, nic)?;
            let mut interface = Interface {
                name,
                hwaddress: nic.mac.clone(),
                address: None,
                netmask: None,
                gateway: String::new(),
                broadcast: None,
                dns: None,
                routes: Vec::new(),
                address_v6: None,
                gateway_v6: String::new(),
                netmask_v6: None,
                dns_v6: None,
            };
            if let Some((subnet, cidr)) = families.ipv4 {
                if subnet.dhcp_server.is_some() {
                    continue;
                }
                if let Some(ip) = subnet.ips.first() {
                    interface.address = Some(ip.address.clone());
                    interface.netmask = Some(Netmask::for_address(ip, cidr));
                    interface.gateway = subnet.gateway.clone().unwrap_or_default();
                    interface.broadcast = Some(broadcast(cidr, options.like_nova));
                    interface.dns = Some(subnet.dns.join(" "));
                    interface.routes = routes(number, subnet)?;
                }
            }
            if let Some((subnet, cidr)) = families.ipv6 {
                if subnet.dhcp_server.is_some() {
                    continue;
                }
                if let Some(ip) = subnet.ips.first() {
                    use_ipv6 = true;
                    interface.address_v6 = Some(ip.address.clone());
                    interface.netmask_v6 = Some(Netmask::for_address(ip, cidr));
                    interface.gateway_v6 = subnet.gateway.clone().unwrap_or_default();
                    interface.dns_v6 = Some(subnet.dns.join(" "));
                }
            }
            interfaces.push(interface);
        }
        Ok(Self {
            interfaces,
            use_ipv6,
        })
    }
}

/// The broadcast address; netaddr has none for a /31 or /32, and Nova then writes the text
/// of Python's `None`, which ifupdown cannot use.
fn broadcast(cidr: Cidr, like_nova: bool) -> String {
    if like_nova && cidr.prefix() >= 31 {
        "None".to_owned()
    } else {
        address_text(cidr.last())
    }
}

fn routes(nic: usize, subnet: &Subnet) -> Result<Vec<TemplateRoute>, Error> {
    let routes = subnet.routes.iter().map(|route| {
        let range = parse_cidr(nic, &route.to)?;
        Ok(TemplateRoute {
            gateway: route.via.clone(),
            cidr: route.to.clone(),
            network: address_text(range.address()),
            netmask: address_text(range.netmask()),
        })
    });
    routes.collect()
}

/// The subnets that Nova looks at: the first of each family.
pub(crate) struct Families<'a> {
    pub(crate) ipv4: Option<(&'a Subnet, Cidr)>,
    pub(crate) ipv6: Option<(&'a Subnet, Cidr)>,
}

impl<'a> Families<'a> {
    /// Finds them among the subnets of NIC `number`.
    pub(crate) fn of(number: usize, nic: &'a Nic) -> Result<Self, Error> {
        let mut families = Self {
            ipv4: None,
            ipv6: None,
        };
        for subnet in &nic.subnets {
            let cidr = parse_cidr(number, &subnet.cidr)?;
            let family = if cidr.is_ipv4() {
                &mut families.ipv4
            } else {
                &mut families.ipv6
            };
            family.get_or_insert((subnet, cidr));
        }
        Ok(families)
    }
}

/// Parses a range that belongs to NIC `nic`.
pub(crate) fn parse_cidr(nic: usize, cidr: &str) -> Result<Cidr, Error> {
    Cidr::parse(cidr).map_err(|source| Error::Cidr {
        nic,
        cidr: cidr.to_owned(),
        source,
    })
}
