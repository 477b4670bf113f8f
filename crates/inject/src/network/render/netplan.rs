//! netplan's YAML.
//!
//! netplan 0.106, `doc/netplan-yaml.md`. It says what `network-config` on a drive says: both are version 2 of the same grammar.

use christen_instance::{Value, yaml};

use super::{File, HEADER};
use crate::network::plan::{Device, Interface, Mac, Plan, text};

pub(in crate::network) const FILE: &str = "/etc/netplan/50-christen.yaml";

pub(in crate::network) fn render(plan: &Plan) -> Vec<File> {
    let document = object([("network", network(plan))]);
    vec![File {
        path: FILE.to_owned(),
        content: format!("{HEADER}{}", yaml::encode(&document)),
        // netplan 0.107 and later complain of a file that others may read.
        permissions: 0o600,
    }]
}

fn network(plan: &Plan) -> Value {
    let mut ethernets = Vec::new();
    let mut bonds = Vec::new();
    for interface in &plan.interfaces {
        // Not the kernel's names: a file of the guest may have definitions of those, and equal ones are merged.
        let id = format!("nic{}", interface.number);
        match &interface.device {
            Device::Ethernet(mac) => {
                let mut members = matched(*mac);
                members.extend(addressing(interface));
                ethernets.push((id, Value::Object(members)));
            }
            Device::Bond(bond) => {
                let mut ports = Vec::new();
                for (index, mac) in bond.members.iter().enumerate() {
                    let port = format!("{id}-port{index}");
                    ports.push(Value::from(port.as_str()));
                    ethernets.push((port, Value::Object(matched(*mac))));
                }
                let mut members = vec![
                    ("interfaces".to_owned(), Value::Array(ports)),
                    ("macaddress".to_owned(), bond.mac.to_string().into()),
                ];
                if !bond.options.is_empty() {
                    let parameters = bond.options.iter().map(|(option, value)| {
                        let value = match value.parse::<i64>() {
                            Ok(number) if option.is_number() => number.into(),
                            _ => value.as_str().into(),
                        };
                        (option.netplan_name().to_owned(), value)
                    });
                    let parameters = Value::Object(parameters.collect());
                    members.push(("parameters".to_owned(), parameters));
                }
                members.extend(addressing(interface));
                bonds.push((bond.name(), Value::Object(members)));
            }
        }
    }
    let mut document = vec![("version".to_owned(), Value::from(2))];
    for (kind, definitions) in [("ethernets", ethernets), ("bonds", bonds)] {
        if !definitions.is_empty() {
            document.push((kind.to_owned(), Value::Object(definitions)));
        }
    }
    Value::Object(document)
}

fn matched(mac: Mac) -> Vec<(String, Value)> {
    let mac = object([("macaddress", mac.to_string().into())]);
    vec![("match".to_owned(), mac)]
}

fn addressing(interface: &Interface) -> Vec<(String, Value)> {
    let mut members = Vec::new();
    let mut add = |name: &str, value: Value| members.push((name.to_owned(), value));
    if interface.dhcp4 {
        add("dhcp4", true.into());
    }
    if interface.dhcp6 {
        add("dhcp6", true.into());
    }
    if let Some(accept_ra) = interface.accept_ra {
        add("accept-ra", accept_ra.into());
    }
    let addresses = interface.addresses.iter().map(|it| text(*it).into());
    let addresses: Vec<Value> = addresses.collect();
    if !addresses.is_empty() {
        add("addresses", addresses.into());
    }
    let routes = interface.routes.iter().map(|route| {
        let mut members = vec![
            ("to".to_owned(), text(route.to).into()),
            ("via".to_owned(), route.via.to_string().into()),
        ];
        if route.on_link {
            members.push(("on-link".to_owned(), true.into()));
        }
        if let Some(metric) = route.metric {
            members.push(("metric".to_owned(), i64::from(metric).into()));
        }
        Value::Object(members)
    });
    let routes: Vec<Value> = routes.collect();
    if !routes.is_empty() {
        add("routes", routes.into());
    }
    let dns = interface.dns.iter().map(|it| it.to_string().into());
    let dns: Vec<Value> = dns.collect();
    if !dns.is_empty() {
        add("nameservers", object([("addresses", dns.into())]));
    }
    if let Some(mtu) = interface.mtu {
        add("mtu", i64::from(mtu).into());
    }
    members
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let members = members.map(|(name, value)| (name.to_owned(), value));
    Value::Object(members.into())
}
