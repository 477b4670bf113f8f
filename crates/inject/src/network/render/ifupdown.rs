//! Stanzas of `/etc/network/interfaces`.
//!
//! Debian's ifupdown 0.8.41, interfaces(5); ifupdown-ng 0.12, `doc/interfaces.scd`; busybox 1.36, `networking/ifupdown.c`. The three
//! share a grammar and differ in what they know: only Debian's finds an interface by its MAC address.

use std::fmt::Write;
use std::net::IpAddr;

use christen_instance::cidr::Cidr;

use super::{forced_name, metric};
use crate::network::plan::{Bond, Device, Interface, Mac, Plan};

/// Which program reads the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::network) enum Flavor {
    /// Debian's: takes `mac/ADDRESS` where a name is expected ("Pattern matching interfaces").
    Debian,
    /// ifupdown-ng.
    Ng,
    /// busybox.
    Busybox,
}

/// Why a plan cannot be written for a flavor.
pub(in crate::network) type Unable = String;

/// How the only NIC is called where names are the kernel's.
const ONLY_NAME: &str = "eth0";

/// Writes the stanzas of all interfaces, without the loopback's.
///
/// `with_resolvconf`: something in the guest takes `dns-nameservers` to `/etc/resolv.conf`.
pub(in crate::network) fn render(
    plan: &Plan,
    flavor: Flavor,
    with_resolvconf: bool,
) -> Result<String, Unable> {
    let mut out = String::new();
    for interface in &plan.interfaces {
        let (name, auto, link) = match (&interface.device, flavor) {
            (Device::Ethernet(mac), Flavor::Debian) => {
                let label = logical(interface);
                (label.clone(), pattern(*mac, &label), String::new())
            }
            (Device::Ethernet(_), _) => {
                let name = name_without_mac(plan, interface);
                (name.clone(), name, String::new())
            }
            (Device::Bond(bond), Flavor::Debian) => {
                members(&mut out, interface, bond);
                (bond.name(), bond.name(), bond_options(bond))
            }
            (Device::Bond(_), _) => {
                return Err(format!(
                    "NIC {} is a bond, which this guest's ifupdown has no sure way to make",
                    interface.number
                ));
            }
        };
        let _ = write!(out, "\nauto {auto}\n");
        let mut stanzas = stanzas(interface, flavor)?;
        // What belongs to the interface, and not to one of its addresses, stands in the first of its stanzas.
        let mut first = link;
        if let Some(accept_ra) = interface.accept_ra {
            // Before the link is up: the first router speaks up at once, and Debian's `accept_ra` may stand in a later stanza.
            let _ = writeln!(
                first,
                "    pre-up echo {} > /proc/sys/net/ipv6/conf/$IFACE/accept_ra || true",
                u8::from(accept_ra)
            );
        }
        if let Some(mtu) = interface.mtu {
            let is_fixed = stanzas.first().is_some_and(|it| it.method == "static");
            let _ = if is_fixed {
                writeln!(first, "    mtu {mtu}")
            } else {
                // No other method has a word for it in all flavors.
                writeln!(first, "    pre-up ip link set dev $IFACE mtu {mtu}")
            };
        }
        if with_resolvconf && !interface.dns.is_empty() {
            let servers: Vec<_> = interface.dns.iter().map(ToString::to_string).collect();
            let _ = writeln!(first, "    dns-nameservers {}", servers.join(" "));
        }
        if let Some(stanza) = stanzas.first_mut() {
            stanza.options.insert_str(0, &first);
        }
        for stanza in stanzas {
            let _ = write!(
                out,
                "iface {name} {} {}\n{}",
                stanza.family, stanza.method, stanza.options
            );
        }
    }
    Ok(out)
}

/// The names that interfaces have to be given where the program cannot find them by their MAC address.
pub(in crate::network) fn forced_names(plan: &Plan, flavor: Flavor) -> Vec<(Mac, String)> {
    if flavor == Flavor::Debian || is_only(plan) {
        return Vec::new();
    }
    let interfaces = plan.interfaces.iter();
    interfaces
        .filter_map(|interface| match interface.device {
            Device::Ethernet(mac) => Some((mac, forced_name(interface))),
            Device::Bond(_) => None,
        })
        .collect()
}

fn is_only(plan: &Plan) -> bool {
    matches!(&plan.interfaces[..], [only] if only.number == 0)
}

fn name_without_mac(plan: &Plan, interface: &Interface) -> String {
    if is_only(plan) {
        ONLY_NAME.to_owned()
    } else {
        forced_name(interface)
    }
}

/// The name of a configuration in the file, which is no interface's.
fn logical(interface: &Interface) -> String {
    format!("christen{}", interface.number)
}

fn pattern(mac: Mac, logical: &str) -> String {
    format!("mac/{mac}={logical}")
}

struct Stanza {
    family: &'static str,
    method: &'static str,
    options: String,
}

fn stanzas(interface: &Interface, flavor: Flavor) -> Result<Vec<Stanza>, Unable> {
    let mut stanzas = Vec::new();
    let mut add = |family, method, options| {
        stanzas.push(Stanza {
            family,
            method,
            options,
        });
    };
    let mut routes4 = routes(interface, true);
    if interface.dhcp4 {
        add("inet", "dhcp", std::mem::take(&mut routes4));
    }
    for address in interface.addresses_of(true) {
        let options = fixed(address, flavor) + &std::mem::take(&mut routes4);
        add("inet", "static", options);
    }
    let mut routes6 = routes(interface, false);
    let mut accept_ra = match (interface.accept_ra, flavor) {
        (Some(accept_ra), Flavor::Debian) => format!("    accept_ra {}\n", u8::from(accept_ra)),
        // The others have no word for it.
        (Some(_), _) => String::new(),
        (None, _) => String::new(),
    };
    let mut more6 = || std::mem::take(&mut accept_ra) + &std::mem::take(&mut routes6);
    if interface.dhcp6 {
        if flavor == Flavor::Busybox {
            return Err(format!(
                "NIC {} asks for its IPv6 address by DHCP, which busybox has no way to configure",
                interface.number
            ));
        }
        add("inet6", "dhcp", more6());
    } else if interface.accept_ra == Some(true) {
        // busybox has no `auto`, and the kernel needs nobody to listen to routers.
        let method = if flavor == Flavor::Debian {
            "auto"
        } else {
            "manual"
        };
        add("inet6", method, more6());
    }
    for address in interface.addresses_of(false) {
        let options = fixed(address, flavor) + &more6();
        add("inet6", "static", options);
    }
    if stanzas.is_empty() {
        stanzas.push(Stanza {
            family: "inet",
            method: "manual",
            options: String::new(),
        });
    }
    Ok(stanzas)
}

fn fixed(address: Cidr, flavor: Flavor) -> String {
    match flavor {
        Flavor::Debian | Flavor::Ng => {
            format!("    address {}/{}\n", address.address(), address.prefix())
        }
        // It takes no prefix with the address; the netmask of IPv6 is one.
        Flavor::Busybox => {
            let netmask = match address.netmask() {
                IpAddr::V4(netmask) => netmask.to_string(),
                IpAddr::V6(_) => address.prefix().to_string(),
            };
            format!("    address {}\n    netmask {netmask}\n", address.address())
        }
    }
}

/// Routes as commands: `gateway` can be said once only, has no way to say that the next hop is on the link in all flavors, and there
/// is no word for other routes in any. `replace`, as a router or a DHCP server may have told the same route already, and a command
/// that fails leaves the interface half configured.
fn routes(interface: &Interface, is_ipv4: bool) -> String {
    let mut out = String::new();
    let family = if is_ipv4 { "" } else { "-6 " };
    for route in interface.routes_of(is_ipv4) {
        let on_link = if route.on_link { " onlink" } else { "" };
        let metric = metric(&route);
        let _ = writeln!(
            out,
            "    up ip {family}route replace {}/{} via {} dev $IFACE{on_link}{metric}",
            route.to.address(),
            route.to.prefix(),
            route.via
        );
    }
    out
}

/// The members of a bond, which find their master (ifenslave, `README.Debian`).
fn members(out: &mut String, interface: &Interface, bond: &Bond) {
    for (index, mac) in bond.members.iter().enumerate() {
        let label = format!("{}port{index}", logical(interface));
        let _ = write!(
            out,
            "\nauto {}\niface {label} inet manual\n    bond-master {}\n",
            pattern(*mac, &label),
            bond.name()
        );
    }
}

fn bond_options(bond: &Bond) -> String {
    let mut out = format!("    hwaddress {}\n    bond-slaves none\n", bond.mac);
    for (option, value) in &bond.options {
        let _ = writeln!(out, "    bond-{} {value}", option.kernel_name());
    }
    out
}
