//! `block-device-mapping`: which device is the root, swap, an ephemeral disk or a volume.
//!
//! Nova 34.0.0, `nova/block_device.py`, `instance_block_mapping`.

use crate::model::BlockDevice;
use crate::{Instance, Value};

/// Makes the mapping of an instance.
pub(super) fn block_device_mapping(instance: &Instance) -> Value {
    let Some(root) = &instance.root_device else {
        // `_DEFAULT_MAPPINGS`
        return Value::Object(
            [
                ("ami", "sda1"),
                ("ephemeral0", "sda2"),
                ("root", "/dev/sda1"),
                ("swap", "sda3"),
            ]
            .map(|(name, device)| (name.to_owned(), device.into()))
            .into(),
        );
    };
    let mut mapping = Mapping::default();
    mapping.set("ami", Some(root.strip_prefix("/dev/").unwrap_or(root)));
    mapping.set("root", Some(root));
    let defaults = [
        ("ephemeral0", &instance.default_ephemeral_device),
        ("swap", &instance.default_swap_device),
    ];
    for (name, device) in defaults {
        if let Some(device) = device.as_deref().filter(|device| !device.is_empty()) {
            mapping.set(name, Some(device));
        }
    }

    let is_volume = |device: &&BlockDevice| device.destination.as_deref() == Some("volume");
    let (volumes, others): (Vec<_>, Vec<_>) = instance.block_devices.iter().partition(is_volume);

    // Nova sorts by name, unnamed ones first; so does `Option`.
    let mut volumes: Vec<Option<&str>> = volumes.iter().map(|it| it.device.as_deref()).collect();
    volumes.sort_unstable();
    for (number, volume) in volumes.into_iter().enumerate() {
        mapping.set(&format!("ebs{number}"), volume);
    }

    let blanks = others
        .into_iter()
        .filter(|device| device.source.as_deref() == Some("blank"));
    let (swaps, ephemerals): (Vec<_>, Vec<_>) =
        blanks.partition(|device| device.format.as_deref() == Some("swap"));
    if let Some(swap) = swaps.last() {
        mapping.set("swap", swap.device.as_deref());
    }
    for (number, ephemeral) in ephemerals.into_iter().enumerate() {
        mapping.set(&format!("ephemeral{number}"), ephemeral.device.as_deref());
    }
    Value::Object(mapping.members)
}

/// A mapping in which a repeated name keeps its place, as in Python's dictionaries.
#[derive(Default)]
struct Mapping {
    members: Vec<(String, Value)>,
}

impl Mapping {
    fn set(&mut self, name: &str, device: Option<&str>) {
        // Only the handful of names before the volumes can come again.
        match self.members.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = device.into(),
            None => self.members.push((name.to_owned(), device.into())),
        }
    }
}
