//! The `openstack/` tree (Nova `nova/api/metadata/base.py`; read by cloud-init's
//! `sources/helpers/openstack.py`).

use std::collections::BTreeSet;

use christen_instance::Value;

use super::documents::Files;
use super::schema::{Need, Place, Type, expect, items, members};
use super::{Report, network_data, user_data};
use crate::Error;
use crate::read::limits;

/// Members that Nova added later, and the first version with them.
const LATER_MEMBERS: &[(&str, Type, &str)] = &[
    ("random_seed", Type::Text, "2013-04-04"),
    ("project_id", Type::TextOrNull, "2015-10-15"),
    ("devices", Type::List, "2016-06-30"),
    ("dedicated_cpus", Type::List, "2020-10-14"),
];

/// Checks every version and the content items.
pub(super) fn check(files: &Files<'_, '_>, report: &mut Report) -> Result<(), Error> {
    let versions: Vec<String> = files
        .directories("openstack/")
        .into_iter()
        .filter(|name| name != "content")
        .take(limits::MAX_VERSIONS)
        .collect();
    if versions.is_empty() {
        report.error(
            "no-openstack",
            "openstack",
            "there is no version directory; cloud-init finds no metadata",
        );
        return Ok(());
    }
    let mut referred = BTreeSet::new();
    for version in &versions {
        if version != "latest" && !is_version(version) {
            report.note(
                "unknown-version",
                &format!("openstack/{version}"),
                "its name is neither a date nor `latest`",
            );
        }
        check_version(files, version, &mut referred, report)?;
    }
    report.checked(format!(
        "the documents of {} OpenStack versions",
        versions.len()
    ));
    for path in files.under("openstack/content/") {
        if !referred.contains(path) {
            report.note(
                "unreferenced-content",
                path,
                "no `content_path` refers to it",
            );
        }
    }
    check_latest(files, &versions, report)
}

/// Four digits, two, two.
fn is_version(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() == 10
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

fn check_version(
    files: &Files<'_, '_>,
    version: &str,
    referred: &mut BTreeSet<String>,
    report: &mut Report,
) -> Result<(), Error> {
    let base = format!("openstack/{version}");
    let path = format!("{base}/meta_data.json");
    if !files.has(&path) {
        report.error("missing-document", &path, "every version needs it");
    }
    if let Some(value) = files.json(&path, report)? {
        let place = Place::document(&path);
        if expect(&value, Type::Object, &place, report) {
            meta_data(files, &value, version, &place, referred, report);
        }
    }
    let path = format!("{base}/network_data.json");
    if let Some(value) = files.json(&path, report)? {
        network_data::check(&value, &Place::document(&path), report);
    }
    let path = format!("{base}/vendor_data.json");
    if let Some(value) = files.json(&path, report)?
        && !matches!(value, Value::Object(_) | Value::Array(_) | Value::String(_))
    {
        report.warning(
            "schema",
            &path,
            "cloud-init takes an object, a list or text, and ignores anything else",
        );
    }
    let path = format!("{base}/vendor_data2.json");
    if let Some(value) = files.json(&path, report)? {
        expect(&value, Type::Object, &Place::document(&path), report);
    }
    // Every version has the same; telling it once is enough.
    let path = format!("{base}/user_data");
    let told = version != "latest" && files.has("openstack/latest/user_data");
    if !told && let Some(bytes) = files.bytes(&path, report)? {
        user_data::check(&bytes, &path, report);
    }
    Ok(())
}

fn meta_data(
    files: &Files<'_, '_>,
    value: &Value,
    version: &str,
    place: &Place,
    referred: &mut BTreeSet<String>,
    report: &mut Report,
) {
    use Need::{Optional, Required, Usual};
    members(
        value,
        &[
            ("uuid", Type::Text, Required),
            ("hostname", Type::Text, Usual),
            ("name", Type::Text, Usual),
            ("launch_index", Type::Integer, Usual),
            ("availability_zone", Type::TextOrNull, Usual),
            ("meta", Type::Texts, Optional),
            ("files", Type::List, Optional),
            ("admin_pass", Type::Text, Optional),
            ("network_config", Type::Object, Optional),
            ("public_keys", Type::Texts, Optional),
            ("keys", Type::List, Optional),
        ],
        place,
        report,
    );
    for (name, kind, since) in LATER_MEMBERS {
        // `latest` sorts behind every date.
        let need = if version >= *since { Usual } else { Optional };
        members(value, &[(name, *kind, need)], place, report);
    }
    if let Some(uuid) = value.get("uuid").and_then(Value::as_str)
        && !is_uuid(uuid)
    {
        report.warning(
            "schema",
            place.member("uuid").as_str(),
            "it has not the form of a UUID",
        );
    }
    if let Some(seed) = value.get("random_seed").and_then(Value::as_str)
        && !is_base64(seed)
    {
        report.error(
            "schema",
            place.member("random_seed").as_str(),
            "it is not base64",
        );
    }
    for (index, cpu) in items(value.get("dedicated_cpus")).iter().enumerate() {
        let place = place.member("dedicated_cpus").item(index);
        expect(cpu, Type::Integer, &place, report);
    }
    for (index, key) in items(value.get("keys")).iter().enumerate() {
        let place = place.member("keys").item(index);
        if expect(key, Type::Object, &place, report) {
            let text = |name| (name, Type::Text, Required);
            members(
                key,
                &[text("name"), text("type"), text("data")],
                &place,
                report,
            );
        }
    }
    for (index, device) in items(value.get("devices")).iter().enumerate() {
        let place = place.member("devices").item(index);
        if expect(device, Type::Object, &place, report) {
            members(
                device,
                &[
                    ("type", Type::Text, Required),
                    ("tags", Type::List, Optional),
                    ("mac", Type::Text, Optional),
                    ("bus", Type::Text, Optional),
                    ("address", Type::Text, Optional),
                    ("serial", Type::TextOrNull, Optional),
                    ("vf_trusted", Type::Boolean, Optional),
                    ("vlan", Type::Any, Optional),
                ],
                &place,
                report,
            );
        }
    }
    for (index, file) in items(value.get("files")).iter().enumerate() {
        let place = place.member("files").item(index);
        if expect(file, Type::Object, &place, report) {
            members(file, &[("path", Type::Text, Required)], &place, report);
            content_path(files, file, &place, referred, report);
        }
    }
    if let Some(config @ Value::Object(_)) = value.get("network_config") {
        let place = place.member("network_config");
        content_path(files, config, &place, referred, report);
    }
}

/// Resolves a `content_path` such as `/content/0000`, which counts from `openstack/`.
fn content_path(
    files: &Files<'_, '_>,
    value: &Value,
    place: &Place,
    referred: &mut BTreeSet<String>,
    report: &mut Report,
) {
    members(
        value,
        &[("content_path", Type::Text, Need::Required)],
        place,
        report,
    );
    let Some(path) = value.get("content_path").and_then(Value::as_str) else {
        return;
    };
    let target = format!("openstack/{}", path.trim_start_matches('/'));
    if !files.has(&target) {
        report.error(
            "dangling-content-path",
            place.member("content_path").as_str(),
            format!("`{path}` is not on the drive; it would be `{target}`"),
        );
    }
    referred.insert(target);
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len().saturating_sub(digits.len()) <= 2
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// Compares `latest` with the newest date: Nova makes both from one version.
fn check_latest(
    files: &Files<'_, '_>,
    versions: &[String],
    report: &mut Report,
) -> Result<(), Error> {
    if !versions.iter().any(|name| name == "latest") {
        report.warning(
            "no-latest",
            "openstack",
            "there is no `latest`, the only version that some readers look for",
        );
        return Ok(());
    }
    let newest = versions.iter().filter(|name| is_version(name)).max();
    let Some(newest) = newest else {
        return Ok(());
    };
    report.checked(format!("that `latest` is the same as `{newest}`"));
    let (latest, dated) = ("openstack/latest/", format!("openstack/{newest}/"));
    let names: BTreeSet<&str> = files
        .under(latest)
        .filter_map(|path| path.strip_prefix(latest))
        .chain(
            files
                .under(&dated)
                .filter_map(|path| path.strip_prefix(dated.as_str())),
        )
        .collect();
    for name in names {
        let paths = [format!("{latest}{name}"), format!("{dated}{name}")];
        let [left, right] = &paths;
        if files.has(left) != files.has(right) {
            let missing = if files.has(left) { right } else { left };
            report.warning(
                "latest",
                missing,
                "only one of `latest` and the newest version has it",
            );
            continue;
        }
        let mut quiet = Report::default();
        let (left_bytes, right_bytes) = (
            files.bytes(left, &mut quiet)?,
            files.bytes(right, &mut quiet)?,
        );
        if left_bytes == right_bytes {
            continue;
        }
        // Nova draws a seed for each document (`_get_random_seed`).
        let differs = name != "meta_data.json"
            || without_seed(files.json(left, &mut quiet)?)
                != without_seed(files.json(right, &mut quiet)?);
        if differs {
            report.warning("latest", left, format!("it differs from `{right}`"));
        }
    }
    Ok(())
}

fn without_seed(value: Option<Value>) -> Option<Value> {
    match value {
        Some(Value::Object(members)) => Some(Value::Object(
            members
                .into_iter()
                .filter(|(name, _)| name != "random_seed")
                .collect(),
        )),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert!(is_version("2012-08-10") && !is_version("2012-8-10") && !is_version("latest1234"));
        assert!(is_uuid("b3c0f0a2-0d3e-4f7a-9d2f-0c1c1f1f2a10") && !is_uuid("b3c0"));
        let check = |text, expected| assert_eq!(is_base64(text), expected, "{text}");
        check("", true);
        check("c2VlZA==", true);
        check("c2VlZA=", false);
        check("c2Vl ZA=", false);
        check("c===", false);
    }
}
