//! The cloud guest, shown to work on a drive that genisoimage made.
//!
//! Ignored in ordinary runs since it boots a machine: `cargo xtask e2e` runs it.

use std::fs;
use std::path::Path;

use christen_testkit::guest::{self, cloud};
use christen_testkit::{TempDir, tools};

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a path under root")).expect("creates");
    fs::write(path, text).expect("writes");
}

#[test]
#[ignore = "boots a guest; `cargo xtask e2e` runs it"]
fn a_drive_of_genisoimage_is_read() {
    let (true, Some(genisoimage)) = (guest::require(), tools::require("genisoimage")) else {
        return;
    };
    let directory = TempDir::new();
    let root = directory.join("tree");
    write(
        &root,
        "openstack/latest/meta_data.json",
        r#"{"uuid": "8c8e2b3e-0000-4000-8000-000000000001", "hostname": "peer-01",
           "name": "peer-01", "public_keys": {"k": "ssh-ed25519 AAAAC3Nz peer"},
           "files": [{"path": "/etc/injected", "content_path": "/content/0000"}]}"#,
    );
    write(&root, "openstack/content/0000", "injected\n");
    write(
        &root,
        "openstack/latest/network_data.json",
        r#"{"links": [{"id": "l0", "type": "phy", "ethernet_mac_address": "52:54:00:00:00:01",
           "mtu": 1400, "vif_id": "v"}], "services": [], "networks": [{"id": "n0", "link": "l0",
           "type": "ipv4", "ip_address": "192.0.2.5", "netmask": "255.255.255.0",
           "network_id": "n", "routes": []}]}"#,
    );
    write(
        &root,
        "openstack/latest/user_data",
        "#!/bin/sh\nmkdir -p /var/lib/christen\necho ran > /var/lib/christen/user-data\n",
    );
    let iso = directory.join("drive.iso");
    tools::output(
        genisoimage,
        [
            "-quiet",
            "-J",
            "-r",
            "-V",
            "config-2",
            "-o",
            &iso.display().to_string(),
            &root.display().to_string(),
        ],
    );
    let report = cloud::boot(&cloud::CloudDrive::IdeCdrom(iso), &["52:54:00:00:00:01"])
        .expect("the guest reports");
    assert_eq!(
        report.value["cloud_id"],
        "configdrive",
        "{}",
        report.status()
    );
    assert_eq!(report.value["hostname"], "peer-01");
    assert!(
        report.status().contains("status: done"),
        "{}",
        report.status()
    );
    assert_eq!(
        report.file("/var/lib/christen/user-data").as_deref(),
        Some(&b"ran\n"[..])
    );
    assert_eq!(report.value["files"]["/etc/injected"]["size"], 9);
    assert_eq!(
        report.file("/home/debian/.ssh/authorized_keys").as_deref(),
        Some(&b"ssh-ed25519 AAAAC3Nz peer\n"[..])
    );
    assert!(
        report.value["addresses"].to_string().contains("192.0.2.5"),
        "{}",
        report.value["addresses"]
    );
}
