//! `devices` in `meta_data.json`: tagged devices, as far as a version knows them.
//!
//! Nova 34.0.0, `nova/api/metadata/base.py`, `_get_device_metadata`.

use super::Version;
use crate::json::ObjectWriter;
use crate::model::{Device, DeviceKind};
use crate::{Value, json};

/// Makes the list of a version, encoded.
pub(super) fn devices(devices: &[Device], version: Version) -> String {
    let shown: Vec<String> = devices
        .iter()
        .filter_map(|device| shown(device, version))
        .collect();
    format!("[{}]", shown.join(", "))
}

/// One device, if the version shows it.
fn shown(device: &Device, version: Version) -> Option<String> {
    let bus = match device.bus.as_deref() {
        None => "none",
        Some(bus @ ("pci" | "usb" | "scsi" | "ide" | "xen")) => bus,
        Some(_) => return None,
    };
    // The address belongs to the bus; without one there is none.
    let address = device.bus.as_ref().and(device.address.as_deref());

    let mut out = ObjectWriter::new();
    match &device.kind {
        DeviceKind::Nic { mac, vlan, trusted } => {
            let vlan = vlan.filter(|_| version >= Version::Ocata);
            let shows_trust = version >= Version::Rocky;
            if device.tags.is_none() && vlan.is_none() && !shows_trust {
                return None;
            }
            if let Some(vlan) = vlan {
                out.integer("vlan", vlan);
            }
            if shows_trust {
                let trusted = Value::Bool(trusted.unwrap_or(false));
                out.value("vf_trusted", &trusted);
            }
            out.text("type", "nic");
            out.text("mac", mac);
        }
        DeviceKind::Disk { serial, path } => {
            out.text("type", "disk");
            if let Some(serial) = serial {
                out.optional_text("serial", serial.as_deref());
            }
            if let Some(path) = path {
                out.optional_text("path", path.as_deref());
            }
        }
        DeviceKind::Share { share_id, tag } if version >= Version::Epoxy => {
            out.text("type", "share");
            out.text("share_id", share_id);
            out.optional_text("tag", tag.as_deref());
        }
        DeviceKind::Share { .. } | DeviceKind::Other => return None,
    }
    out.text("bus", bus);
    out.text("address", address.unwrap_or("none"));
    if let Some(tags) = &device.tags {
        let tags = tags.iter().map(|tag| tag.as_str().into()).collect();
        out.raw("tags", &json::encode(&Value::Array(tags)));
    }
    Some(out.finish())
}
