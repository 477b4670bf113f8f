//! Ironic's port groups as bonds.

use super::network_config::Interface;
use crate::Value;
use crate::model::{BareMetal, BareMetalPort, BareMetalPortGroup, Nic};

/// A port group with its ports.
pub(super) struct Group<'a> {
    pub(super) group: &'a BareMetalPortGroup,
    pub(super) ports: Vec<&'a BareMetalPort>,
}

/// The port group that a NIC stands on. Of several claims the last counts, as in
/// `network_data.json`.
pub(super) fn group<'a>(bare_metal: &'a BareMetal, nic: &Nic) -> Option<Group<'a>> {
    let mut groups = bare_metal.port_groups.iter().rev();
    let group = groups.find(|group| group.vif.as_deref() == Some(&nic.id))?;
    let ports = bare_metal.ports.iter();
    let ports = ports.filter(|port| port.port_group.as_deref() == Some(&group.id));
    Some(Group {
        group,
        ports: ports.collect(),
    })
}

/// The physical port that a NIC stands on.
pub(super) fn port<'a>(bare_metal: &'a BareMetal, nic: &Nic) -> Option<&'a BareMetalPort> {
    let mut ports = bare_metal.ports.iter().rev();
    ports.find(|port| port.vif.as_deref() == Some(&nic.id))
}

/// The type that cloud-init's schema wants of a bond parameter.
#[derive(Clone, Copy)]
enum Type {
    Text,
    Integer,
}

/// The kernel's bonding options and netplan's names for them (cloud-init,
/// `cloudinit/net/network_state.py`, `NET_CONFIG_TO_V2`). cloud-init fails on any other.
const PARAMETERS: [(&str, &str, Type); 11] = [
    ("ad_select", "ad-select", Type::Text),
    ("arp_interval", "arp-interval", Type::Integer),
    ("arp_validate", "arp-validate", Type::Text),
    ("downdelay", "down-delay", Type::Integer),
    ("fail_over_mac", "fail-over-mac-policy", Type::Text),
    ("lacp_rate", "lacp-rate", Type::Text),
    ("miimon", "mii-monitor-interval", Type::Text),
    ("min_links", "min-links", Type::Integer),
    ("num_grat_arp", "gratuitous-arp", Type::Integer),
    ("updelay", "up-delay", Type::Integer),
    ("xmit_hash_policy", "transmit-hash-policy", Type::Text),
];

/// The keys of a bond but for its addresses; a property without a name in netplan is left
/// out.
pub(super) fn interface(group: &BareMetalPortGroup, members: Vec<Value>, mac: &str) -> Interface {
    let mac = group
        .mac
        .as_deref()
        .filter(|mac| !mac.is_empty())
        .unwrap_or(mac);
    let mut parameters = Vec::new();
    if let Some(mode) = &group.mode {
        parameters.push(("mode".to_owned(), mode.as_str().into()));
    }
    for (name, value) in &group.properties {
        let name = name.replace('-', "_");
        let name = name.strip_prefix("bond_").unwrap_or(&name);
        let known = PARAMETERS.iter().find(|(kernel, _, _)| *kernel == name);
        if let Some((_, netplan, kind)) = known
            && let Some(value) = typed(value, *kind)
        {
            parameters.push(((*netplan).to_owned(), value));
        }
    }
    let mut interface = vec![
        ("interfaces".to_owned(), Value::Array(members)),
        ("macaddress".to_owned(), mac.to_ascii_lowercase().into()),
    ];
    if !parameters.is_empty() {
        interface.push(("parameters".to_owned(), Value::Object(parameters)));
    }
    interface
}

/// Ironic gives numbers as text as often as not.
fn typed(value: &Value, kind: Type) -> Option<Value> {
    let text = match value {
        Value::String(text) | Value::Integer(text) => text,
        _ => return None,
    };
    match kind {
        Type::Text => Some(text.as_str().into()),
        Type::Integer => text.parse::<i64>().ok().map(Value::from),
    }
}
