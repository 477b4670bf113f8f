//! cloud-init's ConfigDrive and NoCloud datasources.

use std::collections::HashMap;

use super::{Drive, Reading, keys, text, user_data};
use crate::{Dialect, Value};

const VERSION: &str = "22.4.2 to 26.2";

/// The versions that cloud-init knows, newest first (`helpers/openstack.py`, `OS_VERSIONS`).
const VERSIONS: [&str; 8] = [
    "2018-08-27",
    "2017-02-22",
    "2016-10-06",
    "2016-06-30",
    "2015-10-15",
    "2013-10-17",
    "2013-04-04",
    "2012-08-10",
];

const RENDERERS: &str = "written by the first renderer that the guest has, in its \
     distribution's order: Ubuntu netplan, eni, sysconfig; Debian netplan, eni, networkd; RHEL \
     eni, netplan, NetworkManager, sysconfig, networkd; Alpine eni";

/// Explains the ConfigDrive datasource.
pub(super) fn config_drive(drive: &Drive<'_>) -> Reading {
    let mut reading = Reading {
        reader: "cloud-init ConfigDrive",
        version: VERSION,
        ..Reading::default()
    };
    if drive.dialect != Dialect::OpenStack {
        reading.how = "looks for a volume labelled `config-2` or `CONFIG-2`".to_owned();
        return reading;
    }
    let has_version = |version: &&str| {
        let prefix = format!("openstack/{version}/");
        drive
            .documents
            .iter()
            .any(|it| it.path.starts_with(&prefix))
    };
    let version = VERSIONS.into_iter().find(has_version).unwrap_or("latest");
    let path = |file: &str| format!("openstack/{version}/{file}");
    let Some(meta_data) = drive.json(&path("meta_data.json")) else {
        reading.how = format!("`{}` is missing or not JSON", path("meta_data.json"));
        return reading;
    };
    reading.instance_id = text(&meta_data, "uuid");
    if reading.instance_id.is_none() {
        reading.how = format!("`{}` has no `uuid`", path("meta_data.json"));
        return reading;
    }
    reading.found = true;
    reading.how = format!(
        "iso9660 or vfat labelled `config-2` or `CONFIG-2`; reads `openstack/{version}`, the \
         newest version it knows"
    );
    reading.documents.push(("metadata", path("meta_data.json")));
    set_hostname(&mut reading, text(&meta_data, "hostname"));
    reading.keys = keys(meta_data.get("public_keys"));

    let user = drive.bytes(&path("user_data"));
    if let Some(bytes) = user {
        reading.documents.push(("user data", path("user_data")));
        reading.user_data = Some(user_data::kind(bytes));
    }
    let mut vendor_parts = Vec::new();
    for (role, file) in [
        ("vendor data", "vendor_data.json"),
        ("vendor data 2, before vendor data", "vendor_data2.json"),
    ] {
        let parts = vendor_data(drive, &mut reading, role, &path(file));
        vendor_parts.extend(parts);
    }
    note_replaced(&mut reading, user.unwrap_or_default(), &vendor_parts);
    network(drive, &mut reading, &path("network_data.json"), &meta_data);
    files(&mut reading, &meta_data);
    ignored(drive, &mut reading, &meta_data, version);
    reading
}

/// Explains the NoCloud datasource.
pub(super) fn nocloud(drive: &Drive<'_>) -> Reading {
    let mut reading = Reading {
        reader: "cloud-init NoCloud",
        version: VERSION,
        ..Reading::default()
    };
    if drive.dialect != Dialect::NoCloud {
        reading.how = "looks for a volume labelled `cidata` or `CIDATA`".to_owned();
        return reading;
    }
    for needed in ["meta-data", "user-data"] {
        if !drive.has(needed) {
            reading.how = format!("`{needed}` is missing: the volume is not taken for a seed");
            return reading;
        }
    }
    let Some(meta_data) = drive.yaml("meta-data") else {
        reading.how = "`meta-data` is not valid YAML".to_owned();
        return reading;
    };
    reading.found = true;
    reading.how = "iso9660 or vfat labelled `cidata` or `CIDATA`".to_owned();
    reading.documents.push(("metadata", "meta-data".to_owned()));
    reading
        .documents
        .push(("user data", "user-data".to_owned()));
    reading.instance_id = Some(text(&meta_data, "instance-id").unwrap_or_else(|| "nocloud".into()));
    set_hostname(&mut reading, text(&meta_data, "local-hostname"));
    reading.keys = keys(meta_data.get("public-keys"));
    let user = drive.bytes("user-data").unwrap_or_default();
    reading.user_data = Some(user_data::kind(user));
    if let Some(vendor) = drive.bytes("vendor-data") {
        reading
            .documents
            .push(("vendor data", "vendor-data".to_owned()));
        note_replaced(&mut reading, user, &user_data::parts(vendor));
    }
    match drive.yaml("network-config") {
        Some(config) => {
            reading
                .documents
                .push(("network", "network-config".to_owned()));
            let config = config.get("network").unwrap_or(&config);
            interfaces_v2(&mut reading, config);
            reading.network.push(RENDERERS.to_owned());
        }
        None => reading.network.push(FALLBACK.to_owned()),
    }
    reading
}

const FALLBACK: &str = "no configuration: cloud-init asks DHCP on the first NIC";

/// `DataSource.get_hostname`: split at the first dot; an IPv4 address becomes `ip-A-B-C-D`.
fn set_hostname(reading: &mut Reading, name: Option<String>) {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return;
    };
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        reading.hostname = Some(format!("ip-{}", name.replace('.', "-")));
        return;
    }
    reading.hostname = name.split('.').next().map(str::to_owned);
    reading.fqdn = Some(name).filter(|name| name.contains('.'));
}

/// Only the member `cloud-init` counts (`convert_vendordata`).
fn vendor_data(
    drive: &Drive<'_>,
    reading: &mut Reading,
    role: &'static str,
    path: &str,
) -> Vec<String> {
    let Some(document) = drive.json(path) else {
        return Vec::new();
    };
    let part = match &document {
        Value::Object(members) => {
            let others: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
            let others: Vec<&str> = others
                .into_iter()
                .filter(|it| *it != "cloud-init")
                .collect();
            if !others.is_empty() {
                reading.notes.push(format!(
                    "`{path}`: {} ignored, only the member `cloud-init` is read",
                    quoted(&others)
                ));
            }
            document.get("cloud-init")
        }
        other => Some(other),
    };
    let parts: Vec<&String> = match part {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(text_of).collect(),
        Some(Value::Object(_)) => {
            reading.notes.push(format!(
                "`{path}`: the member `cloud-init` is a mapping, which cloud-init refuses; it \
                 has to be text or a list of texts"
            ));
            Vec::new()
        }
        _ => Vec::new(),
    };
    if parts.iter().all(|part| part.is_empty()) {
        return Vec::new();
    }
    reading.documents.push((role, path.to_owned()));
    parts.into_iter().cloned().collect()
}

fn text_of(value: &Value) -> Option<&String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn note_replaced(reading: &mut Reading, user: &[u8], vendor_parts: &[String]) {
    let replaced = user_data::replaced(user, vendor_parts);
    if !replaced.is_empty() {
        let names: Vec<&str> = replaced.iter().map(String::as_str).collect();
        reading.notes.push(format!(
            "user data replaces {} of vendor data: lists are not joined, and `merge_how` has \
             no say between the two",
            quoted(&names)
        ));
    }
}

fn network(drive: &Drive<'_>, reading: &mut Reading, path: &str, meta_data: &Value) {
    let has_template = meta_data.get("network_config").is_some();
    let Some(data) = drive.json(path) else {
        if has_template {
            reading
                .network
                .push("the injected network template (deprecated since 24.3)".to_owned());
        } else {
            reading.network.push(FALLBACK.to_owned());
        }
        return;
    };
    reading.documents.push(("network", path.to_owned()));
    if has_template {
        reading.notes.push(format!(
            "the injected network template (`network_config`) is ignored: `{path}` is there"
        ));
    }
    let list = |name: &str| match data.get(name) {
        Some(Value::Array(items)) => items.as_slice(),
        _ => &[],
    };
    let links = list("links");
    if links.is_empty() {
        let empty = "an empty configuration: no interface is set up, not even by DHCP";
        reading.network.push(empty.to_owned());
        return;
    }
    // One walk over each list: a hostile drive may have many of both.
    let mut ways: HashMap<&str, Vec<String>> = HashMap::new();
    for network in list("networks") {
        let kind = text(network, "type").unwrap_or_default();
        let way = match (kind.as_str(), text(network, "ip_address")) {
            ("ipv4" | "ipv6", Some(address)) => format!("static {address}"),
            _ => kind,
        };
        if let Some(link) = network.get("link").and_then(Value::as_str) {
            ways.entry(link).or_default().push(way);
        }
    }
    for link in links {
        let Some(id) = link.get("id").and_then(Value::as_str) else {
            continue;
        };
        let mac = text(link, "ethernet_mac_address").unwrap_or_default();
        // Taken out, so that links of one name do not multiply what is said.
        let ways = match ways.remove(id) {
            Some(ways) => ways.join(", "),
            None => "no address".to_owned(),
        };
        let line = format!("{}: {ways}", mac.to_ascii_lowercase());
        reading.network.push(line);
    }
    reading.network.push(format!(
        "interfaces are found by MAC address and keep the kernel's names; {RENDERERS}"
    ));
}

fn interfaces_v2(reading: &mut Reading, config: &Value) {
    let mut default_v6 = false;
    for section in ["ethernets", "bonds"] {
        let Some(Value::Object(interfaces)) = config.get(section) else {
            continue;
        };
        for (name, interface) in interfaces {
            let found = interface
                .get("match")
                .and_then(|found| text(found, "macaddress"));
            let name = found.unwrap_or_else(|| name.clone());
            let mut ways: Vec<String> = Vec::new();
            for (key, way) in [("dhcp4", "ipv4_dhcp"), ("dhcp6", "ipv6_dhcp")] {
                if interface.get(key) == Some(&Value::Bool(true)) {
                    ways.push(way.to_owned());
                }
            }
            if let Some(Value::Array(addresses)) = interface.get("addresses") {
                let addresses = addresses.iter().filter_map(Value::as_str);
                ways.extend(addresses.map(|address| format!("static {address}")));
            }
            if let Some(Value::Array(routes)) = interface.get("routes") {
                default_v6 |= routes
                    .iter()
                    .any(|it| text(it, "to").as_deref() == Some("::/0"));
            }
            let ways = if ways.is_empty() {
                "no address".to_owned()
            } else {
                ways.join(", ")
            };
            reading.network.push(format!("{name}: {ways}"));
        }
    }
    if default_v6 {
        reading.notes.push(
            "cloud-init before 23.1 writes the IPv6 default route as `::/64` unless netplan is \
             its renderer"
                .to_owned(),
        );
    }
}

/// `DataSourceConfigDrive.write_injected_files`.
fn files(reading: &mut Reading, meta_data: &Value) {
    if let Some(Value::Array(files)) = meta_data.get("files") {
        let paths = files.iter().filter_map(|file| text(file, "path"));
        reading.files = paths
            .map(|path| format!("{path}, mode 0660, owner root:root"))
            .collect();
    }
}

fn ignored(drive: &Drive<'_>, reading: &mut Reading, meta_data: &Value, version: &str) {
    if meta_data.get("admin_pass").is_some() {
        reading
            .notes
            .push("`admin_pass` is ignored: cloud-init does not read it".to_owned());
    }
    let newer = drive.documents.iter().any(|document| {
        let mut parts = document.path.split('/');
        parts.next() == Some("openstack")
            && parts
                .next()
                .is_some_and(|name| name.starts_with("20") && name > version && version != "latest")
    });
    if newer {
        reading.notes.push(
            "versions after 2018-08-27 and with them `dedicated_cpus` and shares are ignored: \
             cloud-init does not know them"
                .to_owned(),
        );
    }
    if drive.has("ec2/latest/meta-data.json") {
        reading.notes.push(
            "of `ec2/` only `latest/meta-data.json` is read, and of that only the block device \
             mapping"
                .to_owned(),
        );
    }
    if let Some(mode) = meta_data.get("meta").and_then(|meta| text(meta, "dsmode")) {
        reading
            .notes
            .push(format!("the metadata item `dsmode` is obeyed: `{mode}`"));
    }
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_that_replaces_a_list_is_named() {
        let mut reading = Reading::default();
        note_replaced(
            &mut reading,
            b"#cloud-config\nwrite_files: []\nchpasswd: {expire: true}\n",
            &["#cloud-config\nwrite_files: []\nchpasswd: {}\nusers: []\n".to_owned()],
        );
        assert_eq!(reading.notes.len(), 1);
        assert!(reading.notes[0].starts_with("user data replaces `write_files` of vendor data"));
    }

    #[test]
    fn host_names_are_split_as_cloud_init_does() {
        let check = |name: &str, hostname: &str, fqdn: Option<&str>| {
            let mut reading = Reading::default();
            set_hostname(&mut reading, Some(name.to_owned()));
            assert_eq!(reading.hostname.as_deref(), Some(hostname));
            assert_eq!(reading.fqdn.as_deref(), fqdn);
        };
        check("a", "a", None);
        check("a.b.c", "a", Some("a.b.c"));
        check("192.0.2.1", "ip-192-0-2-1", None);
    }
}
