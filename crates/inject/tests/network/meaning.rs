//! What a configuration means, whatever program it is written for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use christen_inject::network::{Device, Interface, Plan};
use christen_instance::cidr::Cidr;

use super::guests::Files;

/// Sayings by device: its MAC address, or the name of a bond.
pub(crate) type Meaning = BTreeMap<String, BTreeSet<String>>;

/// What the plan means.
pub(crate) fn planned(plan: &Plan) -> Meaning {
    let mut meaning = Meaning::new();
    for interface in &plan.interfaces {
        match &interface.device {
            Device::Ethernet(mac) => {
                meaning.insert(mac.to_string(), addressing(interface));
            }
            Device::Bond(bond) => {
                let mut said = addressing(interface);
                said.insert(format!("mac {}", bond.mac));
                for (option, value) in &bond.options {
                    said.insert(format!("bond {} {value}", option.kernel_name()));
                }
                meaning.insert(bond.name(), said);
                for mac in &bond.members {
                    let said = BTreeSet::from([format!("member of {}", bond.name())]);
                    meaning.insert(mac.to_string(), said);
                }
            }
        }
    }
    meaning
}

fn addressing(interface: &Interface) -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    for address in &interface.addresses {
        said.insert(format!(
            "address {}/{}",
            address.address(),
            address.prefix()
        ));
    }
    for route in &interface.routes {
        let to = format!("{}/{}", route.to.address(), route.to.prefix());
        said.insert(format!("route {to} {}", route.via));
    }
    said.extend(interface.dns.iter().map(|it| format!("dns {it}")));
    if interface.dhcp4 {
        said.insert("dhcp4".to_owned());
    }
    if interface.dhcp6 {
        said.insert("dhcp6".to_owned());
    }
    said.extend(interface.accept_ra.map(|it| format!("ra {it}")));
    said.extend(interface.mtu.map(|it| format!("mtu {it}")));
    said
}

/// Only what begins with one of these words.
pub(crate) fn only(meaning: &Meaning, words: &[&str]) -> Meaning {
    let keep = |said: &String| {
        words
            .iter()
            .any(|word| said.split(' ').next() == Some(word))
    };
    let parts = meaning.iter();
    parts
        .map(|(device, said)| {
            (
                device.clone(),
                said.iter().filter(|it| keep(it)).cloned().collect(),
            )
        })
        .collect()
}

type Section = (String, Vec<(String, String)>);

/// The sections of an INI file in order, as systemd's and GLib's are.
fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            sections.push((name.to_owned(), Vec::new()));
        } else if let Some((name, value)) = line.split_once('=')
            && !line.starts_with('#')
            && let Some((_, keys)) = sections.last_mut()
        {
            keys.push((name.to_owned(), value.to_owned()));
        }
    }
    sections
}

fn value<'s>(sections: &'s [Section], section: &str, key: &str) -> Option<&'s str> {
    let found = sections.iter().filter(|(name, _)| name == section);
    let mut keys = found.flat_map(|(_, keys)| keys);
    keys.find(|(name, _)| name == key)
        .map(|(_, value)| value.as_str())
}

/// Reads `.network` and `.netdev` files: ours, netplan's, cloud-init's.
pub(crate) fn of_networkd(files: &Files) -> Meaning {
    let mut meaning = Meaning::new();
    for (path, text) in files {
        let sections = sections(text);
        let get = |section, key| value(&sections, section, key);
        if path.ends_with(".netdev") {
            let said = meaning
                .entry(get("NetDev", "Name").unwrap().to_owned())
                .or_default();
            said.insert(format!("mac {}", get("NetDev", "MACAddress").unwrap()));
            for (key, value) in sections
                .iter()
                .filter(|(name, _)| name == "Bond")
                .flat_map(|(_, keys)| keys)
            {
                let option = match key.as_str() {
                    "Mode" => "mode",
                    "MIIMonitorSec" => "miimon",
                    "TransmitHashPolicy" => "xmit_hash_policy",
                    other => panic!("{other}"),
                };
                said.insert(format!("bond {option} {}", value.trim_end_matches("ms")));
            }
        }
        if !path.ends_with(".network") {
            continue;
        }
        let device = get("Match", "PermanentMACAddress")
            .or(get("Match", "MACAddress"))
            .or(get("Match", "Name"))
            .expect("it matches something");
        let said = meaning.entry(device.to_ascii_lowercase()).or_default();
        for (section, keys) in &sections {
            let key = |name: &str| {
                keys.iter()
                    .find(|(key, _)| key == name)
                    .map(|(_, value)| value.as_str())
            };
            match section.as_str() {
                "Route" => {
                    let route = (key("Destination"), key("Gateway"));
                    said.insert(format!("route {} {}", route.0.unwrap(), route.1.unwrap()));
                }
                "Network" | "Address" | "Link" => {
                    for (name, value) in keys {
                        match name.as_str() {
                            "Address" => {
                                said.insert(format!("address {value}"));
                            }
                            "DNS" => said.extend(value.split(' ').map(|it| format!("dns {it}"))),
                            "DHCP" => {
                                for (words, what) in
                                    [(["yes", "ipv4"], "dhcp4"), (["yes", "ipv6"], "dhcp6")]
                                {
                                    if words.contains(&value.as_str()) {
                                        said.insert(what.to_owned());
                                    }
                                }
                            }
                            "IPv6AcceptRA" => {
                                let is_yes =
                                    matches!(value.to_ascii_lowercase().as_str(), "yes" | "true");
                                said.insert(format!("ra {is_yes}"));
                            }
                            "MTUBytes" => {
                                said.insert(format!("mtu {value}"));
                            }
                            "Bond" => {
                                said.insert(format!("member of {value}"));
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
    }
    meaning
}

/// Reads keyfiles. NetworkManager has no word of its own for a router's word or DHCP of IPv6: `ra true` stands for `auto`.
pub(crate) fn of_keyfiles(files: &Files) -> Meaning {
    let parsed: Vec<_> = files.values().map(|text| sections(text)).collect();
    let mut meaning = Meaning::new();
    for sections in &parsed {
        let get = |section, key| value(sections, section, key);
        let device = get("connection", "interface-name").or(get("ethernet", "mac-address"));
        let said = meaning
            .entry(device.expect("it is for a device").to_ascii_lowercase())
            .or_default();
        if let Some(master) = get("connection", "master") {
            let master = parsed
                .iter()
                .find(|it| value(it, "connection", "uuid") == Some(master));
            let master = value(master.expect("it is there"), "connection", "interface-name");
            said.insert(format!("member of {}", master.unwrap()));
            continue;
        }
        said.extend(
            get("ethernet", "cloned-mac-address")
                .map(|it| format!("mac {}", it.to_ascii_lowercase())),
        );
        said.extend(get("ethernet", "mtu").map(|it| format!("mtu {it}")));
        let bond = sections.iter().filter(|(name, _)| name == "bond");
        said.extend(
            bond.flat_map(|(_, keys)| keys)
                .map(|(key, value)| format!("bond {key} {value}")),
        );
        for section in ["ipv4", "ipv6"] {
            for (key, value) in sections
                .iter()
                .filter(|(name, _)| name == section)
                .flat_map(|(_, keys)| keys)
            {
                if key.starts_with("address") && key != "addr-gen-mode" {
                    said.insert(format!("address {value}"));
                } else if key.starts_with("route") && !key.ends_with("_options") {
                    let (to, via) = value.split_once(',').unwrap();
                    let via = via.split(',').next().unwrap();
                    said.insert(format!("route {to} {via}"));
                } else if key == "gateway" {
                    let any = if section == "ipv4" {
                        "0.0.0.0/0"
                    } else {
                        "::/0"
                    };
                    said.insert(format!("route {any} {value}"));
                } else if key == "dns" {
                    said.extend(value.split_terminator(';').map(|it| format!("dns {it}")));
                } else if key == "method" {
                    match (section, value.as_str()) {
                        ("ipv4", "auto") => said.insert("dhcp4".to_owned()),
                        ("ipv6", "auto") => said.insert("ra true".to_owned()),
                        ("ipv6", "manual") => said.insert("ra false".to_owned()),
                        _ => false,
                    };
                }
            }
        }
    }
    meaning
}

/// Reads `/etc/network/interfaces`; devices by the name of their stanzas.
pub(crate) fn of_interfaces(text: &str) -> Meaning {
    let mut meaning = Meaning::new();
    let mut current = String::new();
    let mut is_ipv6 = false;
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            ["iface", name, family, method] => {
                current = name.to_owned();
                is_ipv6 = family == "inet6";
                let said = meaning.entry(current.clone()).or_default();
                match (family, method) {
                    ("inet", "dhcp") => said.insert("dhcp4".to_owned()),
                    ("inet6", "dhcp") => said.insert("dhcp6".to_owned()),
                    _ => false,
                };
                continue;
            }
            ["auto", ..] => {
                current.clear();
                continue;
            }
            _ => {}
        }
        let Some(said) = meaning.get_mut(&current) else {
            continue;
        };
        match words[..] {
            ["address", address] => {
                said.insert(format!("address {address}"));
            }
            ["gateway", via] => {
                let any = if is_ipv6 { "::/0" } else { "0.0.0.0/0" };
                said.insert(format!("route {any} {via}"));
            }
            ["mtu", mtu] | ["pre-up", "ip", "link", "set", "dev", "$IFACE", "mtu", mtu] => {
                said.insert(format!("mtu {mtu}"));
            }
            ["accept_ra", word] => {
                said.insert(format!("ra {}", word != "0"));
            }
            ["dns-nameservers", ref servers @ ..] => {
                said.extend(servers.iter().map(|it| format!("dns {it}")));
            }
            ["bond-master", name] => {
                said.insert(format!("member of {name}"));
            }
            ["up" | "post-up", ref command @ ..] if command.contains(&"route") => {
                let via = command.iter().position(|it| matches!(*it, "via" | "gw"));
                let via = via.and_then(|at| command.get(at + 1)).unwrap();
                let is_ipv6 = via.contains(':');
                let to = command.iter().find(|it| it.contains('/'));
                let to = to
                    .copied()
                    .unwrap_or(if is_ipv6 { "::/0" } else { "0.0.0.0/0" });
                said.insert(format!("route {to} {via}"));
            }
            _ => {}
        }
    }
    meaning
}

/// Reads `ifcfg`, `route` and `route6` files.
pub(crate) fn of_ifcfg(files: &Files) -> Meaning {
    let mut meaning = Meaning::new();
    let mut devices = BTreeMap::new();
    for (path, text) in files {
        let name = path.rsplit('/').next().unwrap();
        let Some(label) = name.strip_prefix("ifcfg-") else {
            continue;
        };
        let values = assignments(text);
        let get = |name: &str| values.get(name).map(String::as_str);
        let Some(device) = get("HWADDR").or(get("DEVICE")).filter(|it| *it != "lo") else {
            continue;
        };
        devices.insert(label.to_owned(), device.to_owned());
        let said = meaning.entry(device.to_owned()).or_default();
        said.extend(get("MASTER").map(|it| format!("member of {it}")));
        said.extend(get("MACADDR").map(|it| format!("mac {it}")));
        said.extend(get("MTU").map(|it| format!("mtu {it}")));
        if get("BOOTPROTO") == Some("dhcp") {
            said.insert("dhcp4".to_owned());
        }
        if get("DHCPV6C") == Some("yes") {
            said.insert("dhcp6".to_owned());
        }
        said.extend(get("IPV6_AUTOCONF").map(|it| format!("ra {}", it == "yes")));
        let options = get("BONDING_OPTS")
            .unwrap_or_default()
            .split_ascii_whitespace();
        said.extend(options.map(|it| format!("bond {}", it.replace('=', " "))));
        for (name, value) in &values {
            if let Some(number) = name.strip_prefix("IPADDR") {
                let prefix = values.get(&format!("PREFIX{number}"));
                let mask = values.get(&format!("NETMASK{number}"));
                let range = format!("{value}/{}", prefix.or(mask).unwrap());
                said.insert(format!(
                    "address {value}/{}",
                    Cidr::parse(&range).unwrap().prefix()
                ));
            } else if name.starts_with("DNS") {
                said.insert(format!("dns {value}"));
            } else if name == "GATEWAY" {
                said.insert(format!("route 0.0.0.0/0 {value}"));
            } else if name == "IPV6_DEFAULTGW" {
                said.insert(format!("route ::/0 {value}"));
            } else if name == "IPV6ADDR" || name == "IPV6ADDR_SECONDARIES" {
                said.extend(value.split(' ').map(|it| format!("address {it}")));
            }
        }
    }
    for (path, text) in files {
        let name = path.rsplit('/').next().unwrap();
        let label = name.strip_prefix("route6-").or(name.strip_prefix("route-"));
        let Some(device) = label.and_then(|label| devices.get(label)) else {
            continue;
        };
        let said = meaning.entry(device.clone()).or_default();
        let values = assignments(text);
        for number in 0.. {
            let get = |name: &str| values.get(&format!("{name}{number}"));
            let (Some(to), Some(mask)) = (get("ADDRESS"), get("NETMASK")) else {
                break;
            };
            if let Some(via) = get("GATEWAY") {
                let range = Cidr::parse(&format!("{to}/{mask}")).unwrap();
                said.insert(format!("route {to}/{} {via}", range.prefix()));
            }
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let [to, "via", via, ..] = line.split(' ').collect::<Vec<_>>()[..] {
                said.insert(format!("route {to} {via}"));
            }
        }
    }
    meaning
}

/// Reads wicked's `ifcfg` and `ifroute` files; devices by their names.
pub(crate) fn of_wicked(files: &Files) -> Meaning {
    let mut meaning = Meaning::new();
    for (path, text) in files {
        let name = path.rsplit('/').next().unwrap();
        if let Some(device) = name.strip_prefix("ifroute-") {
            let said = meaning.entry(device.to_owned()).or_default();
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                if let [to, via, ..] = line.split(' ').collect::<Vec<_>>()[..]
                    && via != "-"
                {
                    let to = match to {
                        "default" if via.contains(':') => "::/0",
                        "default" => "0.0.0.0/0",
                        to => to,
                    };
                    said.insert(format!("route {to} {via}"));
                }
            }
        }
        let Some(device) = name.strip_prefix("ifcfg-") else {
            continue;
        };
        let said = meaning.entry(device.to_owned()).or_default();
        let values = assignments(text);
        match values.get("BOOTPROTO").map(String::as_str) {
            Some("dhcp4") => said.extend(["dhcp4".to_owned()]),
            Some("dhcp6") => said.extend(["dhcp6".to_owned()]),
            Some("dhcp") => said.extend(["dhcp4".to_owned(), "dhcp6".to_owned()]),
            _ => {}
        }
        said.extend(values.get("MTU").map(|it| format!("mtu {it}")));
        for (name, value) in &values {
            if let Some(suffix) = name.strip_prefix("IPADDR") {
                let range = match values.get(&format!("NETMASK{suffix}")) {
                    Some(mask) => format!("{value}/{mask}"),
                    None => value.clone(),
                };
                let address = Cidr::parse(&range).unwrap();
                said.insert(format!(
                    "address {}/{}",
                    address.address(),
                    address.prefix()
                ));
            }
        }
    }
    meaning
}

fn assignments(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
        .collect()
}

/// Reads what `ip -json address` and both `ip -json route` say, of devices with a MAC address in the meaning that is expected.
pub(crate) fn of_kernel(answers: [&str; 3], expected: &Meaning) -> Meaning {
    let parse = |text: &str| match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Array(items)) => items,
        other => panic!("{other:?}\n{text}"),
    };
    let mut meaning = Meaning::new();
    let mut names = BTreeMap::new();
    for device in parse(answers[0]) {
        let mac = device["address"].as_str().unwrap_or_default().to_owned();
        if !expected.contains_key(&mac) {
            continue;
        }
        names.insert(device["ifname"].as_str().unwrap().to_owned(), mac.clone());
        let said = meaning.entry(mac).or_default();
        said.insert(format!("mtu {}", device["mtu"]));
        for address in device["addr_info"].as_array().unwrap() {
            if address["scope"] == "global" {
                let local = address["local"].as_str().unwrap();
                said.insert(format!("address {local}/{}", address["prefixlen"]));
            }
        }
    }
    for route in answers[1..].iter().flat_map(|text| parse(text)) {
        let Some(mac) = route["dev"].as_str().and_then(|name| names.get(name)) else {
            continue;
        };
        let Some(via) = route["gateway"].as_str() else {
            continue;
        };
        let address: IpAddr = via.parse().unwrap();
        let to = match route["dst"].as_str().unwrap() {
            "default" if address.is_ipv4() => "0.0.0.0/0".to_owned(),
            "default" => "::/0".to_owned(),
            to if to.contains('/') => to.to_owned(),
            to => format!("{to}/{}", if address.is_ipv4() { 32 } else { 128 }),
        };
        meaning
            .get_mut(mac)
            .unwrap()
            .insert(format!("route {to} {via}"));
    }
    meaning
}
