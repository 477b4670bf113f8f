//! cloud-init's network configuration, version 1 and 2 (cloud-init
//! `doc/rtd/reference/network-config-format-v1.rst` and `-v2.rst`).

use christen_instance::Value;

use super::Report;
use super::schema::{Need, Place, Type, expect, items, members};

/// The kinds of device of version 2, each a mapping by name.
const DEVICES: &[&str] = &["ethernets", "bonds", "bridges", "vlans", "wifis"];

/// The types of version 1's list.
const TYPES: &[&str] = &[
    "physical",
    "bond",
    "bridge",
    "vlan",
    "loopback",
    "infiniband",
    "nameserver",
    "route",
];

pub(super) fn check(value: &Value, place: &Place, report: &mut Report) {
    if matches!(value, Value::Null) {
        return;
    }
    // The top level may be wrapped in `network:`.
    let (value, place) = match value.get("network") {
        Some(inner) => (inner, place.member("network")),
        None => (value, place.clone()),
    };
    if !expect(value, Type::Object, &place, report) {
        return;
    }
    match value.get("version") {
        Some(Value::Integer(version)) if version == "1" => version_1(value, &place, report),
        Some(Value::Integer(version)) if version == "2" => version_2(value, &place, report),
        // `config: disabled` needs no version.
        None if value.get("config").and_then(Value::as_str) == Some("disabled") => {}
        _ => report.error(
            "schema",
            place.as_str(),
            "`version` is neither 1 nor 2, so cloud-init ignores it",
        ),
    }
}

fn version_1(value: &Value, place: &Place, report: &mut Report) {
    members(
        value,
        &[("config", Type::List, Need::Required)],
        place,
        report,
    );
    for (index, item) in items(value.get("config")).iter().enumerate() {
        let place = place.member("config").item(index);
        if !expect(item, Type::Object, &place, report) {
            continue;
        }
        members(
            item,
            &[("type", Type::Text, Need::Required)],
            &place,
            report,
        );
        let Some(kind) = item.get("type").and_then(Value::as_str) else {
            continue;
        };
        if !TYPES.contains(&kind) {
            report.error(
                "schema",
                place.member("type").as_str(),
                format!("`{kind}` is no type of version 1"),
            );
        }
        if matches!(kind, "physical" | "bond" | "bridge" | "vlan" | "infiniband") {
            members(
                item,
                &[("name", Type::Text, Need::Required)],
                &place,
                report,
            );
        }
    }
}

fn version_2(value: &Value, place: &Place, report: &mut Report) {
    for kind in DEVICES {
        let Some(devices) = value.get(kind) else {
            continue;
        };
        let place = place.member(kind);
        if let Value::Object(devices) = devices {
            for (name, device) in devices {
                expect(device, Type::Object, &place.member(name), report);
            }
        } else {
            expect(devices, Type::Object, &place, report);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use christen_instance::json;

    #[test]
    fn versions() {
        let check = |text: &str, expected: &[&str]| {
            let mut report = Report::default();
            super::check(
                &json::parse(text).unwrap(),
                &Place::document("n"),
                &mut report,
            );
            let places: Vec<&str> = report
                .findings
                .iter()
                .map(|finding| finding.place.as_str())
                .collect();
            assert_eq!(places, expected, "{text}");
        };
        check(r#"{"version": 2, "ethernets": {"a": {}}}"#, &[]);
        check(r#"{"network": {"version": 2}}"#, &[]);
        check(r#"{"config": "disabled"}"#, &[]);
        check(r#"{"version": 3}"#, &["n"]);
        check(r#"{"version": 2, "ethernets": []}"#, &["n: ethernets"]);
        check(
            r#"{"version": 2, "ethernets": {"a": 1}}"#,
            &["n: ethernets.a"],
        );
        check(r#"{"version": 1}"#, &["n"]);
        check(
            r#"{"version": 1, "config": [{"type": "x"}, {"type": "bond"}, {"type": "nameserver"}]}"#,
            &["n: config[0].type", "n: config[1]"],
        );
    }
}
