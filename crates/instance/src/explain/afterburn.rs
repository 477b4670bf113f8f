//! Afterburn, of Fedora CoreOS and Flatcar.

use super::{Drive, Reading, keys, text};
use crate::Dialect;

/// Explains the provider `openstack`, config drive first.
pub(super) fn read(drive: &Drive<'_>) -> Reading {
    let mut reading = Reading {
        reader: "afterburn",
        version: "5.9.0",
        ..Reading::default()
    };
    if drive.dialect != Dialect::OpenStack {
        reading.how = "the provider `openstack` looks for a volume labelled `config-2`; only \
                       `proxmoxve` reads `cidata`"
            .to_owned();
        return reading;
    }
    let path = "openstack/latest/meta_data.json";
    let Some(meta_data) = drive.json(path) else {
        reading.how = format!("`{path}` is missing or not JSON");
        return reading;
    };
    reading.found = true;
    reading.how = "with `ignition.platform.id=openstack`, iso9660 labelled `config-2`; a VFAT \
                   drive is not mounted"
        .to_owned();
    reading.documents.push(("metadata", path.to_owned()));
    reading.instance_id = text(&meta_data, "uuid");
    reading.hostname = text(&meta_data, "hostname");
    reading.keys = keys(meta_data.get("public_keys"));
    if drive.has("ec2/latest/meta-data.json") {
        let path = "ec2/latest/meta-data.json".to_owned();
        reading.documents.push(("attributes", path));
    }
    reading
        .network
        .push("not configured: the network data is ignored".to_owned());
    if drive.has("openstack/latest/user_data") {
        reading
            .notes
            .push("user data is left to Ignition, which reads it itself".to_owned());
    }
    reading
        .notes
        .push("vendor data, `files` and `admin_pass` are ignored".to_owned());
    reading
}
