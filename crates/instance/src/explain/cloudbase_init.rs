//! cloudbase-init, for Windows.

use super::{Drive, Reading, keys, text};
use crate::{Dialect, Value};

/// Longest NetBIOS name; `netbios_host_name_compatibility` is on by default.
const NETBIOS_LIMIT: usize = 15;

/// Explains `ConfigDriveService`; `NoCloudConfigDriveService` is off by default.
pub(super) fn read(drive: &Drive<'_>) -> Reading {
    let mut reading = Reading {
        reader: "cloudbase-init",
        version: "1.1.8",
        ..Reading::default()
    };
    match drive.dialect {
        Dialect::OpenStack => config_drive(drive, &mut reading),
        Dialect::NoCloud => nocloud(drive, &mut reading),
    }
    if let Some(name) = reading.hostname.take() {
        reading.hostname = Some(short(&name));
        if reading.hostname.as_deref() != Some(&name) {
            reading.notes.push(format!(
                "the host name is cut at the first dot and to {NETBIOS_LIMIT} characters"
            ));
        }
    }
    reading
}

fn config_drive(drive: &Drive<'_>, reading: &mut Reading) {
    let path = "openstack/latest/meta_data.json";
    let Some(meta_data) = drive.json(path) else {
        reading.how = format!("`{path}` is missing or not JSON");
        return;
    };
    reading.found = true;
    reading.how = "a CD-ROM or disk labelled `config-2`; reads `openstack/latest`".to_owned();
    reading.documents.push(("metadata", path.to_owned()));
    reading.instance_id = text(&meta_data, "uuid");
    reading.hostname = text(&meta_data, "hostname");
    reading.keys = keys(meta_data.get("public_keys"));
    if drive.has("openstack/latest/user_data") {
        let document = ("user data", "openstack/latest/user_data".to_owned());
        reading.documents.push(document);
    }
    if let Some(data) = drive.json("openstack/latest/network_data.json") {
        let document = ("network", "openstack/latest/network_data.json".to_owned());
        reading.documents.push(document);
        if let Some(Value::Array(networks)) = data.get("networks") {
            for network in networks {
                let kind = text(network, "type");
                if let (Some("ipv4" | "ipv6"), Some(address)) =
                    (kind.as_deref(), text(network, "ip_address"))
                {
                    reading.network.push(format!("static {address}"));
                }
            }
        }
        reading
            .network
            .push("networks of every other type are left to Windows".to_owned());
    }
    if meta_data.get("admin_pass").is_some() {
        reading
            .notes
            .push("`admin_pass` becomes the password of the account it makes".to_owned());
    }
    if meta_data.get("files").is_some() {
        reading
            .notes
            .push("`files` are ignored: no plugin writes them".to_owned());
    }
    let vendor = ["vendor_data.json", "vendor_data2.json"];
    let has_vendor = vendor
        .iter()
        .any(|file| drive.has(&format!("openstack/latest/{file}")));
    if has_vendor {
        reading
            .notes
            .push("vendor data is ignored, and with it the guest section".to_owned());
    }
}

fn nocloud(drive: &Drive<'_>, reading: &mut Reading) {
    let Some(meta_data) = drive.yaml("meta-data") else {
        reading.how = "`meta-data` is missing or not valid YAML".to_owned();
        return;
    };
    reading.found = true;
    reading.how = "labelled `cidata`, if `NoCloudConfigDriveService` is added to \
                   `metadata_services`, where it is not by default"
        .to_owned();
    reading.documents.push(("metadata", "meta-data".to_owned()));
    reading.instance_id = text(&meta_data, "instance-id");
    reading.hostname = text(&meta_data, "local-hostname");
    reading.keys = keys(meta_data.get("public-keys"));
    for (role, path) in [("user data", "user-data"), ("network", "network-config")] {
        if drive.has(path) {
            reading.documents.push((role, path.to_owned()));
        }
    }
    if drive.has("vendor-data") {
        reading
            .notes
            .push("vendor data is ignored, and with it the guest section".to_owned());
    }
}

/// `cloudbaseinit/utils/hostname.py`, `set_hostname`.
fn short(name: &str) -> String {
    let label = name.split('.').next().unwrap_or_default();
    let mut label: String = label.chars().take(NETBIOS_LIMIT).collect();
    if label.ends_with('-') {
        label.pop();
        label.push('0');
    }
    label
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn host_names_are_cut_as_windows_wants() {
        assert_eq!(short("web-01.novalocal"), "web-01");
        assert_eq!(short("abcdefghijklmn-opq"), "abcdefghijklmn0");
    }
}
