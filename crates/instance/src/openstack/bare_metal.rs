//! What Ironic makes of the links: bonds and the physical ports' addresses.
//!
//! Nova 34.0.0, `nova/virt/ironic/driver.py`, `_get_network_metadata`.

use super::network_data::{Link, members};
use crate::Value;
use crate::model::BareMetal;

/// Rewrites the links that stand on port groups and ports, and appends the members of
/// groups as links of their own.
pub(super) fn rewrite_links(links: &mut Vec<Link>, bare_metal: &BareMetal) {
    let mut member_links = Vec::new();
    for link in links.iter_mut() {
        let vif = link
            .iter()
            .find_map(|(name, value)| (name == "vif_id").then(|| value.as_str()).flatten())
            .map(str::to_owned);
        // Every link has a VIF, so an object without one matches none. Of several claims to one VIF the last counts, groups before ports.
        let groups = bare_metal.port_groups.iter().rev();
        let mut groups = groups.filter(|group| group.vif == vif);
        let ports = bare_metal.ports.iter().rev();
        let mut ports = ports.filter(|port| port.vif == vif);

        if let Some(group) = groups.next() {
            set(link, "type", "bond".into());
            set(link, "bond_mode", group.mode.as_deref().into());
            set(link, "bond_links", Value::Array(Vec::new()));
            if let Some(mac) = group.mac.as_deref().filter(|mac| !mac.is_empty()) {
                set(link, "ethernet_mac_address", mac.into());
            }
            for (name, value) in &group.properties {
                // cloud-init takes every member whose name starts with `bond` as an option.
                if name.starts_with("bond") {
                    set(link, name, value.clone());
                } else {
                    set(link, &format!("bond_{name}"), value.clone());
                }
            }
            for port in &bare_metal.ports {
                if port.port_group.as_deref() != Some(&group.id) {
                    continue;
                }
                member_links.push(members([
                    ("id", port.id.as_str().into()),
                    ("type", "phy".into()),
                    ("ethernet_mac_address", port.mac.as_str().into()),
                ]));
                let bond_links = link.iter_mut().find(|(name, _)| name == "bond_links");
                if let Some((_, Value::Array(bond_links))) = bond_links {
                    bond_links.push(port.id.as_str().into());
                }
            }
        } else if let Some(port) = ports.next() {
            set(link, "ethernet_mac_address", port.mac.as_str().into());
            set(link, "type", "phy".into());
        }
    }
    links.append(&mut member_links);
}

/// Sets a member as Python's dictionaries do: in place, or at the end.
fn set(link: &mut Link, name: &str, value: Value) {
    match link.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => link.push((name.to_owned(), value)),
    }
}
