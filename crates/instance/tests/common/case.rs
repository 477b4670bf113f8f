//! A case of the vectors (or a row made by our driver of Nova) as instance and settings.
//!
//! This reads the canonical form only and trusts it; what a person may write is for
//! `description`.

use christen_instance::model::*;
use christen_instance::settings::NetworkTemplate;
use christen_instance::{Instance, Secret, Settings, Value, json};

use base64::Engine as _;

/// The member, unless it is missing or null.
fn get<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|found| **found != Value::Null)
}

fn text(value: &Value, name: &str) -> Option<String> {
    get(value, name).map(|found| found.as_str().expect("a text").to_owned())
}

/// Text or null, if it is there at all.
fn nullable_text(value: &Value, name: &str) -> Option<Option<String>> {
    value.get(name).map(|_| text(value, name))
}

fn number<T: std::str::FromStr>(value: &Value, name: &str) -> Option<T> {
    let Value::Integer(digits) = get(value, name)? else {
        panic!("`{name}` is no integer");
    };
    digits.parse().ok()
}

fn boolean(value: &Value, name: &str) -> Option<bool> {
    match get(value, name)? {
        Value::Bool(truth) => Some(*truth),
        other => panic!("`{name}` is no boolean: {other:?}"),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    match get(value, name) {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    let items = list(value, name).iter();
    items
        .map(|item| item.as_str().expect("a text").to_owned())
        .collect()
}

fn members<'a>(value: &'a Value, name: &str) -> &'a [(String, Value)] {
    match get(value, name) {
        Some(Value::Object(members)) => members,
        _ => &[],
    }
}

fn pairs(value: &Value, name: &str) -> Vec<(String, String)> {
    let members = members(value, name).iter();
    members
        .map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()))
        .collect()
}

/// Bytes given as `text` or `base64`.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    match (text(value, "text"), text(value, "base64")) {
        (Some(text), _) => text.into_bytes(),
        (None, Some(encoded)) => base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .expect("base64"),
        (None, None) => panic!("neither text nor base64"),
    }
}

/// The instance of a case.
pub(crate) fn instance(input: &Value) -> Instance {
    let image = get(input, "image").map(|image| Image {
        id: text(image, "id"),
        kernel_id: text(image, "kernel_id"),
        ramdisk_id: text(image, "ramdisk_id"),
        img_config_drive: text(image, "img_config_drive"),
    });
    let ec2 = get(input, "ec2").map_or_else(Ec2Numbers::default, |ec2| Ec2Numbers {
        instance: number(ec2, "instance"),
        image: number(ec2, "image"),
        kernel: number(ec2, "kernel"),
        ramdisk: number(ec2, "ramdisk"),
    });
    let key = get(input, "key").map(|key| KeyPair {
        name: text(key, "name").expect("a name"),
        kind: text(key, "type").unwrap_or_else(|| "ssh".to_owned()),
        public_key: text(key, "public_key"),
        deleted: boolean(key, "deleted").unwrap_or(false),
    });
    let files = list(input, "files").iter().map(|file| InjectedFile {
        path: text(file, "path").expect("a path"),
        content: Secret::new(bytes(file)),
    });
    let network = input.get("network").map(|_| {
        let nics = list(input, "network").iter();
        nics.map(nic).collect()
    });
    Instance {
        uuid: text(input, "uuid"),
        name: text(input, "name").unwrap_or_default(),
        hostname: text(input, "hostname"),
        project_id: text(input, "project_id"),
        user_id: text(input, "user_id"),
        reservation_id: text(input, "reservation_id"),
        launch_index: number(input, "launch_index").unwrap_or(0),
        availability_zone: text(input, "availability_zone"),
        config_drive: text(input, "config_drive").unwrap_or_default(),
        launched: boolean(input, "launched").unwrap_or(false),
        flavor_name: get(input, "flavor").and_then(|flavor| text(flavor, "name")),
        image,
        ec2,
        key,
        ssh_authorized_keys: Vec::new(),
        user_data: get(input, "user_data").map(|data| Secret::new(bytes(data))),
        metadata: pairs(input, "metadata"),
        system_metadata: pairs(input, "system_metadata"),
        admin_password: text(input, "admin_password").map(Secret::new),
        security_groups: texts(input, "security_groups"),
        files: files.collect(),
        root_device: text(input, "root_device"),
        default_ephemeral_device: text(input, "default_ephemeral_device"),
        default_swap_device: text(input, "default_swap_device"),
        block_devices: list(input, "block_devices")
            .iter()
            .map(block_device)
            .collect(),
        network,
        bare_metal: get(input, "bare_metal").map(bare_metal),
        devices: input
            .get("devices")
            .map(|_| list(input, "devices").iter().map(device).collect()),
        numa: list(input, "numa").iter().map(numa_cell).collect(),
        guest: Guest::default(),
    }
}

fn block_device(value: &Value) -> BlockDevice {
    BlockDevice {
        source: text(value, "source"),
        destination: text(value, "destination"),
        device: text(value, "device"),
        format: text(value, "format"),
        boot_index: number(value, "boot_index"),
    }
}

fn nic(value: &Value) -> Nic {
    let network = get(value, "network").map(|network| Network {
        id: text(network, "id"),
        bridge: text(network, "bridge"),
        label: text(network, "label"),
        mtu: number(network, "mtu"),
        injected: boolean(network, "injected"),
    });
    Nic {
        id: text(value, "id").expect("an id"),
        mac: text(value, "mac").expect("a mac"),
        kind: text(value, "type"),
        vnic_type: text(value, "vnic_type"),
        device: text(value, "device"),
        vlan: number(value, "vlan"),
        trusted: boolean(value, "trusted"),
        network,
        subnets: list(value, "subnets").iter().map(subnet).collect(),
    }
}

fn subnet(value: &Value) -> Subnet {
    let routes = list(value, "routes").iter().map(|route| Route {
        to: text(route, "to").expect("a range"),
        via: text(route, "via").expect("an address"),
    });
    let ips = list(value, "ips").iter().map(|ip| FixedIp {
        address: text(ip, "address").expect("an address"),
        floating: texts(ip, "floating"),
    });
    Subnet {
        cidr: text(value, "cidr").expect("a range"),
        gateway: text(value, "gateway"),
        dns: texts(value, "dns"),
        routes: routes.collect(),
        enable_dhcp: boolean(value, "enable_dhcp"),
        dhcp_server: text(value, "dhcp_server"),
        ipv6_address_mode: text(value, "ipv6_address_mode"),
        ips: ips.collect(),
    }
}

fn bare_metal(value: &Value) -> BareMetal {
    let ports = list(value, "ports").iter().map(|port| BareMetalPort {
        id: text(port, "id").expect("an id"),
        mac: text(port, "mac").expect("a mac"),
        port_group: text(port, "port_group"),
        vif: text(port, "vif"),
    });
    let groups = list(value, "port_groups")
        .iter()
        .map(|group| BareMetalPortGroup {
            id: text(group, "id").expect("an id"),
            mac: text(group, "mac"),
            mode: text(group, "mode"),
            vif: text(group, "vif"),
            properties: members(group, "properties").to_vec(),
        });
    BareMetal {
        ports: ports.collect(),
        port_groups: groups.collect(),
    }
}

fn device(value: &Value) -> Device {
    let kind = match text(value, "kind").as_deref() {
        Some("nic") => DeviceKind::Nic {
            mac: text(value, "mac").expect("a mac"),
            vlan: number(value, "vlan"),
            trusted: boolean(value, "trusted"),
        },
        Some("disk") => DeviceKind::Disk {
            serial: nullable_text(value, "serial"),
            path: nullable_text(value, "path"),
        },
        Some("share") => DeviceKind::Share {
            share_id: text(value, "share_id").expect("an id"),
            tag: text(value, "tag"),
        },
        _ => DeviceKind::Other,
    };
    Device {
        kind,
        bus: text(value, "bus"),
        address: text(value, "address"),
        tags: value.get("tags").map(|_| texts(value, "tags")),
    }
}

fn numa_cell(value: &Value) -> NumaCell {
    let cpus = |name| {
        let cpus = list(value, name).iter().map(|cpu| match cpu {
            Value::Integer(digits) => digits.parse().expect("a CPU number"),
            other => panic!("no CPU number: {other:?}"),
        });
        cpus.collect()
    };
    NumaCell {
        dedicated: cpus("dedicated"),
        shared: cpus("shared"),
    }
}

/// The settings of a case.
pub(crate) fn settings(input: &Value) -> Settings {
    let mut settings = Settings::default();
    if let Some(vendordata) = input.get("vendordata_static") {
        settings.vendordata_json = Some(json::encode(vendordata));
    }
    if let Some(raw) = text(input, "vendordata_static_text") {
        settings.vendordata_json = Some(raw);
    }
    let Some(config) = input.get("config") else {
        return settings;
    };
    for (name, value) in members(input, "config") {
        match name.as_str() {
            "api.dhcp_domain" => {
                settings.dhcp_domain = text(config, name).unwrap_or_default();
            }
            "api.config_drive_skip_versions" => {
                settings.config_drive_skip_versions = text(config, name).unwrap_or_default();
            }
            "api.vendordata_providers" => {
                settings.vendordata_providers = texts(config, name);
            }
            "api.vendordata_dynamic_targets" => {
                settings.vendordata_dynamic_targets = texts(config, name);
            }
            "api.vendordata_dynamic_failure_fatal" => {
                settings.vendordata_dynamic_failure_fatal = *value == Value::Bool(true);
            }
            "flat_injected" => settings.flat_injected = *value == Value::Bool(true),
            "force_config_drive" => settings.force_config_drive = *value == Value::Bool(true),
            "injected_network_template" => {
                let template = text(config, name).unwrap_or_default();
                settings.injected_network_template = match template.as_str() {
                    "" => NetworkTemplate::None,
                    _ => NetworkTemplate::Text(template),
                };
            }
            // About the service, which has no part in the documents of a drive.
            _ => {}
        }
    }
    settings
}
