//! cloud-init's own readers and schemas, on trees written by hand.

use std::fs;

use christen_testkit::TempDir;
use christen_testkit::cloud_init::{self, DataSource};

#[test]
fn a_config_drive_is_read_and_an_empty_tree_refused() {
    let tree = TempDir::new();
    let latest = tree.join("openstack/latest");
    fs::create_dir_all(&latest).expect("creates");
    for (name, text) in [
        ("meta_data.json", r#"{"uuid": "u-1", "hostname": "web-01"}"#),
        ("user_data", "#!/bin/sh\n"),
        (
            "network_data.json",
            r#"{"links": [{"id": "l0", "type": "phy", "ethernet_mac_address": "FA:16:3e:00:00:01",
               "mtu": 1500}], "services": [], "networks": [{"id": "n0", "link": "l0",
               "type": "ipv4", "ip_address": "192.0.2.5", "netmask": "255.255.255.0",
               "routes": []}]}"#,
        ),
    ] {
        fs::write(latest.join(name), text).expect("writes");
    }
    for version in cloud_init::require() {
        let name = version.version().expect("it has one");
        let seen = version.read(DataSource::ConfigDrive, &tree).expect(&name);
        assert_eq!(seen["metadata"]["hostname"], "web-01", "{name}");
        assert_eq!(seen["userdata"], "#!/bin/sh\n", "{name}");
        assert_eq!(seen["network"]["config"][0]["name"], "eth0", "{name}");
        let empty = TempDir::new();
        assert!(version.read(DataSource::ConfigDrive, &empty).is_err());
        assert!(version.read(DataSource::NoCloud, &empty).is_err());
    }
}

#[test]
fn a_nocloud_seed_is_read() {
    let tree = TempDir::new();
    for (name, text) in [
        ("meta-data", "instance-id: i-1\nlocal-hostname: web-01\n"),
        ("user-data", "#cloud-config\n{}\n"),
        (
            "network-config",
            "version: 2\nethernets: {eth0: {dhcp4: true}}\n",
        ),
    ] {
        fs::write(tree.join(name), text).expect("writes");
    }
    for version in cloud_init::require() {
        let seen = version.read(DataSource::NoCloud, &tree).expect("reads");
        assert_eq!(seen["metadata"]["instance-id"], "i-1");
        assert_eq!(seen["network"]["ethernets"]["eth0"]["dhcp4"], true);
    }
}

#[test]
fn schemas_tell_right_from_wrong() {
    let cloud_config = |text, valid: bool| {
        if let Some(problems) = cloud_init::validate_cloud_config(text) {
            assert_eq!(problems.is_empty(), valid, "{text}: {problems:?}");
        }
    };
    cloud_config("#cloud-config\nhostname: web-01\n", true);
    cloud_config("#cloud-config\nhostname: [web-01]\n", false);
    cloud_config("hostname: web-01\n", false);
    let network_config = |text, valid: bool| {
        if let Some(problems) = cloud_init::validate_network_config(text) {
            assert_eq!(problems.is_empty(), valid, "{text}: {problems:?}");
        }
    };
    network_config("version: 2\nethernets: {eth0: {dhcp4: true}}\n", true);
    network_config("version: 2\nethernets: {eth0: {dhcp4: 7}}\n", false);
}
