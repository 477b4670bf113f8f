//! `network_data.json` against Nova's published schema
//! (`doc/api_schemas/network_data.json`), and the references within it.

use std::collections::BTreeSet;

use christen_instance::Value;

use super::Report;
use super::schema::{Need, Place, Type, expect, items, members};

const BOND_MODES: &[&str] = &[
    "802.3ad",
    "balance-rr",
    "active-backup",
    "balance-xor",
    "broadcast",
    "balance-tlb",
    "balance-alb",
];

/// The types of network that Nova writes and cloud-init reads
/// (`sources/helpers/openstack.py`, `convert_net_json`).
const NETWORK_TYPES: &[&str] = &[
    "ipv4",
    "ipv4_dhcp",
    "ipv6",
    "ipv6_dhcp",
    "ipv6_slaac",
    "ipv6_dhcpv6-stateful",
    "ipv6_dhcpv6-stateless",
];

pub(super) fn check(value: &Value, place: &Place, report: &mut Report) {
    use Need::{Optional, Required};
    if !expect(value, Type::Object, place, report) {
        return;
    }
    // Nova writes `{}` without any network information.
    if matches!(value, Value::Object(members) if members.is_empty()) {
        return;
    }
    members(
        value,
        &[
            ("links", Type::List, Required),
            ("networks", Type::List, Required),
            ("services", Type::List, Optional),
        ],
        place,
        report,
    );
    let links = items(value.get("links"));
    let ids: BTreeSet<&str> = links.iter().filter_map(|link| text(link, "id")).collect();
    let mut seen = BTreeSet::new();
    for (index, link) in links.iter().enumerate() {
        let place = place.member("links").item(index);
        if expect(link, Type::Object, &place, report) {
            check_link(link, &ids, &place, report);
            twice(link, &mut seen, &place, report);
        }
    }
    let mut seen = BTreeSet::new();
    for (index, network) in items(value.get("networks")).iter().enumerate() {
        let place = place.member("networks").item(index);
        if expect(network, Type::Object, &place, report) {
            check_network(network, &ids, &place, report);
            twice(network, &mut seen, &place, report);
        }
    }
    check_services(value, place, report);
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

fn twice<'v>(value: &'v Value, seen: &mut BTreeSet<&'v str>, place: &Place, report: &mut Report) {
    if let Some(id) = text(value, "id")
        && !seen.insert(id)
    {
        report.error(
            "duplicate-id",
            place.member("id").as_str(),
            format!("`{id}` is there twice"),
        );
    }
}

/// Tells when a reference leads nowhere.
fn refers(id: &str, ids: &BTreeSet<&str>, place: &Place, report: &mut Report) {
    if !ids.contains(id) {
        report.error(
            "dangling-link",
            place.as_str(),
            format!("there is no link `{id}`"),
        );
    }
}

fn check_link(link: &Value, ids: &BTreeSet<&str>, place: &Place, report: &mut Report) {
    use Need::{Optional, Required};
    members(
        link,
        &[
            ("id", Type::Text, Required),
            ("type", Type::Text, Required),
            ("vif_id", Type::TextOrNull, Optional),
        ],
        place,
        report,
    );
    match text(link, "type") {
        Some("vlan") => {
            members(
                link,
                &[
                    ("vlan_link", Type::Text, Required),
                    ("vlan_id", Type::Integer, Required),
                    ("vlan_mac_address", Type::Text, Required),
                ],
                place,
                report,
            );
            if let Some(parent) = text(link, "vlan_link") {
                refers(parent, ids, &place.member("vlan_link"), report);
            }
            range(link, "vlan_id", 0, 4095, place, report);
        }
        Some("bond") => {
            members(
                link,
                &[
                    ("ethernet_mac_address", Type::Text, Required),
                    ("bond_mode", Type::Text, Required),
                    ("bond_links", Type::List, Required),
                ],
                place,
                report,
            );
            for (index, member) in items(link.get("bond_links")).iter().enumerate() {
                let place = place.member("bond_links").item(index);
                if let Some(id) = member.as_str() {
                    refers(id, ids, &place, report);
                } else {
                    expect(member, Type::Text, &place, report);
                }
            }
            if let Some(mode) = text(link, "bond_mode")
                && !BOND_MODES.contains(&mode)
            {
                report.error(
                    "schema",
                    place.member("bond_mode").as_str(),
                    format!("`{mode}` is no mode of a bond"),
                );
            }
        }
        _ => members(
            link,
            &[("ethernet_mac_address", Type::Text, Required)],
            place,
            report,
        ),
    }
    for name in ["ethernet_mac_address", "vlan_mac_address"] {
        if let Some(mac) = text(link, name)
            && !is_mac(mac)
        {
            report.error(
                "schema",
                place.member(name).as_str(),
                format!("`{mac}` is no MAC address"),
            );
        }
    }
    if !matches!(link.get("mtu"), None | Some(Value::Null)) {
        range(link, "mtu", 1, 65_535, place, report);
    }
}

/// Tells when a member is not an integer within a range.
fn range(value: &Value, name: &str, least: u32, most: u32, place: &Place, report: &mut Report) {
    let Some(member) = value.get(name) else {
        return;
    };
    let fits = match member {
        Value::Integer(digits) => digits
            .parse::<u32>()
            .is_ok_and(|number| (least..=most).contains(&number)),
        _ => false,
    };
    if !fits {
        report.error(
            "schema",
            place.member(name).as_str(),
            format!("it is not an integer from {least} to {most}"),
        );
    }
}

fn check_network(network: &Value, ids: &BTreeSet<&str>, place: &Place, report: &mut Report) {
    use Need::{Optional, Required, Usual};
    let text_member = |name, need| (name, Type::Text, need);
    members(
        network,
        &[
            text_member("id", Required),
            text_member("link", Required),
            text_member("type", Required),
            text_member("network_id", Usual),
            text_member("ip_address", Optional),
            ("netmask", Type::Text, Optional),
            ("routes", Type::List, Optional),
            ("services", Type::List, Optional),
        ],
        place,
        report,
    );
    if let Some(link) = text(network, "link") {
        refers(link, ids, &place.member("link"), report);
    }
    if let Some(kind) = text(network, "type") {
        if !NETWORK_TYPES.contains(&kind) {
            report.warning(
                "schema",
                place.member("type").as_str(),
                format!("`{kind}` is not one that Nova writes"),
            );
        }
        if matches!(kind, "ipv4" | "ipv6") && network.get("ip_address").is_none() {
            report.error(
                "schema",
                place.as_str(),
                "`ip_address` is missing from a static network",
            );
        }
    }
    if let Some(address) = text(network, "ip_address") {
        is_address(address, &place.member("ip_address"), report);
    }
    for (index, route) in items(network.get("routes")).iter().enumerate() {
        let place = place.member("routes").item(index);
        if expect(route, Type::Object, &place, report) {
            let wanted = ["network", "netmask", "gateway"].map(|name| text_member(name, Required));
            members(route, &wanted, &place, report);
            for name in ["network", "gateway"] {
                if let Some(address) = text(route, name) {
                    is_address(address, &place.member(name), report);
                }
            }
        }
    }
    check_services(network, place, report);
}

/// An address, with or without the length of its prefix.
fn is_address(address: &str, place: &Place, report: &mut Report) {
    let bare = address.split('/').next().unwrap_or(address);
    if bare.parse::<std::net::IpAddr>().is_err() {
        report.error(
            "schema",
            place.as_str(),
            format!("`{address}` is no IP address"),
        );
    }
}

fn check_services(value: &Value, place: &Place, report: &mut Report) {
    for (index, service) in items(value.get("services")).iter().enumerate() {
        let place = place.member("services").item(index);
        if expect(service, Type::Object, &place, report) {
            let wanted = ["type", "address"].map(|name| (name, Type::Text, Need::Required));
            members(service, &wanted, &place, report);
        }
    }
}

/// Six pairs of hexadecimal digits; an InfiniBand port has twenty.
fn is_mac(text: &str) -> bool {
    let pairs: Vec<&str> = text.split([':', '-']).collect();
    matches!(pairs.len(), 6 | 20)
        && pairs
            .iter()
            .all(|pair| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use christen_instance::json;

    const GOOD: &str = r#"{"links": [{"id": "tap0", "type": "ovs", "mtu": 1500, "vif_id": "v", "ethernet_mac_address": "fa:16:3e:00:00:01"}, {"id": "b", "type": "bond", "bond_mode": "802.3ad", "bond_links": ["tap0"], "ethernet_mac_address": "fa:16:3e:00:00:01"}, {"id": "v", "type": "vlan", "vlan_link": "b", "vlan_id": 7, "vlan_mac_address": "fa:16:3e:00:00:01"}], "networks": [{"id": "network0", "type": "ipv4", "link": "tap0", "network_id": "n", "ip_address": "192.0.2.5", "netmask": "255.255.255.0", "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "192.0.2.1"}], "services": []}], "services": [{"type": "dns", "address": "192.0.2.1"}]}"#;

    fn findings(text: &str) -> Vec<String> {
        let mut report = Report::default();
        check(
            &json::parse(text).unwrap(),
            &Place::document("n"),
            &mut report,
        );
        report
            .findings
            .iter()
            .map(|finding| format!("{} {}", finding.code, finding.place))
            .collect()
    }

    #[test]
    fn one_change_gives_its_finding() {
        assert_eq!(findings(GOOD), [""; 0]);
        assert_eq!(findings("{}"), [""; 0]);
        let check = |from: &str, to: &str, expected: &str| {
            assert!(GOOD.contains(from), "{from}");
            assert_eq!(findings(&GOOD.replacen(from, to, 1)), [expected], "{to}");
        };
        check(r#""mtu": 1500"#, r#""mtu": 0"#, "schema n: links[0].mtu");
        check(r#""mtu": 1500"#, r#""mtu": "1""#, "schema n: links[0].mtu");
        check(
            "fa:16:3e:00:00:01",
            "fa:16:3e",
            "schema n: links[0].ethernet_mac_address",
        );
        check(r#""type": "ovs", "#, "", "schema n: links[0]");
        check("802.3ad", "round", "schema n: links[1].bond_mode");
        check(
            r#"["tap0"]"#,
            r#"["tap1"]"#,
            "dangling-link n: links[1].bond_links[0]",
        );
        check(
            r#""id": "v""#,
            r#""id": "b""#,
            "duplicate-id n: links[2].id",
        );
        check(
            r#""vlan_id": 7"#,
            r#""vlan_id": 4096"#,
            "schema n: links[2].vlan_id",
        );
        check(
            r#""vlan_link": "b""#,
            r#""vlan_link": "x""#,
            "dangling-link n: links[2].vlan_link",
        );
        check(
            r#""link": "tap0""#,
            r#""link": "x""#,
            "dangling-link n: networks[0].link",
        );
        check(
            r#""type": "ipv4""#,
            r#""type": "ipx""#,
            "schema n: networks[0].type",
        );
        check(
            r#""ip_address": "192.0.2.5", "#,
            "",
            "schema n: networks[0]",
        );
        check(
            "192.0.2.5",
            "192.0.2.256",
            "schema n: networks[0].ip_address",
        );
        check(
            r#""gateway": "192.0.2.1""#,
            r#""gateway": 1"#,
            "schema n: networks[0].routes[0].gateway",
        );
        check(r#"{"type": "dns", "#, "{", "schema n: services[0]");
        check(r#""networks": ["#, r#""netwrks": ["#, "schema n");
    }
}
