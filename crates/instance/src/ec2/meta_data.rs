//! `meta-data.json` of the EC2 tree.

use std::net::IpAddr;

use super::Version;
use super::block_device_mapping::block_device_mapping;
use crate::json::ObjectWriter;
use crate::keys::{further_keys, key_pair};
use crate::model::FixedIp;
use crate::{Instance, Value};

/// What a renderer has found out about an instance.
pub(crate) struct Identity<'a> {
    /// The instance's uuid; only looked at when the instance has no EC2 number.
    pub(crate) uuid: Option<&'a str>,
    /// Host name with its domain.
    pub(crate) hostname: &'a str,
    /// Leave out the keys that Nova does not know.
    pub(crate) like_nova: bool,
}

/// Makes the document of a version.
pub(crate) fn meta_data(instance: &Instance, identity: &Identity<'_>, version: Version) -> String {
    let mut out = ObjectWriter::new();
    let ami = instance.image.as_ref().and_then(|image| {
        let id = image.id.as_deref().filter(|id| !id.is_empty())?;
        instance.ec2.image.or_else(|| number_from_uuid(id))
    });
    let number = instance
        .ec2
        .instance
        .or_else(|| number_from_uuid(identity.uuid?));

    out.optional_text("ami-id", ec2_id("ami", ami).as_deref());
    out.integer("ami-launch-index", instance.launch_index);
    out.text("ami-manifest-path", "FIXME");
    out.optional_text("instance-id", ec2_id("i", number).as_deref());
    out.text("hostname", identity.hostname);
    out.optional_text("local-ipv4", local_ipv4(instance));
    out.optional_text("reservation-id", instance.reservation_id.as_deref());
    let groups = instance.security_groups.iter();
    let groups = groups.map(|group| Value::from(group.as_str())).collect();
    out.value("security-groups", &Value::Array(groups));

    let mut keys: Vec<_> = key_pair(instance).into_iter().collect();
    if !identity.like_nova {
        keys.append(&mut further_keys(instance));
    }
    if !keys.is_empty() {
        let mut by_number = ObjectWriter::new();
        for (number, key) in keys.iter().enumerate() {
            let mut entry = ObjectWriter::new();
            // Meant for the service's listing; it stays here because the code that should
            // drop it looks one level too high, and guests have seen it ever since.
            entry.text("_name", &format!("{number}={}", key.name));
            entry.optional_text("openssh-key", key.data);
            by_number.raw(&number.to_string(), &entry.finish());
        }
        out.raw("public-keys", &by_number.finish());
    }
    if version >= Version::V20070119 {
        out.text("local-hostname", identity.hostname);
        out.text("public-hostname", identity.hostname);
        out.text("public-ipv4", public_address(instance));
    }
    if version >= Version::V20070829 {
        out.optional_text("instance-type", instance.flavor_name.as_deref());
    }
    if version >= Version::V20071215 {
        out.value("block-device-mapping", &block_device_mapping(instance));
        let image = instance.image.as_ref();
        let kernel = image.and_then(|image| image.kernel_id.as_deref());
        let ramdisk = image.and_then(|image| image.ramdisk_id.as_deref());
        for (name, kind, id, number) in [
            ("kernel-id", "aki", kernel, instance.ec2.kernel),
            ("ramdisk-id", "ari", ramdisk, instance.ec2.ramdisk),
        ] {
            let number = number.or_else(|| number_from_uuid(id?));
            if let Some(id) = ec2_id(kind, number.filter(|_| id.is_some())) {
                out.text(name, &id);
            }
        }
    }
    if version >= Version::V20080201 {
        let zone = Value::from(instance.availability_zone.as_deref());
        let placement = vec![("availability-zone".to_owned(), zone)];
        out.value("placement", &Value::Object(placement));
    }
    if version >= Version::V20080901 {
        out.text("instance-action", "none");
    }
    out.finish()
}

/// Spells a number as an EC2 identifier (`nova/objects/ec2.py`, `id_to_ec2_id`).
fn ec2_id(kind: &str, number: Option<u64>) -> Option<String> {
    number.map(|number| format!("{kind}-{number:08x}"))
}

/// Makes up the number that Nova would take from its mapping tables: the first 32 bits of
/// the uuid, so that it is stable and needs no table.
fn number_from_uuid(uuid: &str) -> Option<u64> {
    let digits = uuid.get(..8)?;
    digits
        .bytes()
        .all(|digit| digit.is_ascii_hexdigit())
        .then(|| u64::from_str_radix(digits, 16).ok())?
}

/// All fixed addresses, by interface, subnet and place.
fn fixed_ips(instance: &Instance) -> impl Iterator<Item = &FixedIp> {
    let nics = instance.network.iter().flatten();
    nics.filter(|nic| nic.network.is_some())
        .flat_map(|nic| &nic.subnets)
        .flat_map(|subnet| &subnet.ips)
}

/// The first fixed IPv4 address. On a drive there is no request whose sender could stand in.
fn local_ipv4(instance: &Instance) -> Option<&str> {
    fixed_ips(instance)
        .map(|ip| ip.address.as_str())
        .find(|address| address.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()))
}

/// The first floating address, or an empty text.
fn public_address(instance: &Instance) -> &str {
    fixed_ips(instance)
        .flat_map(|ip| &ip.floating)
        .map(String::as_str)
        .next()
        .unwrap_or_default()
}
