//! A real guest with cloud-init becomes what the description says, by VFAT and by NoCloud.
//!
//! Ignored in ordinary runs since it boots machines: `cargo xtask e2e` runs it.

mod guest_support;

use christen_testkit::TempDir;
use christen_testkit::guest::{self, cloud};
use guest_support::{MACS, assert_became, drive};

#[test]
#[ignore = "boots a guest; `cargo xtask e2e` runs it"]
fn by_vfat() {
    if !guest::require() {
        return;
    }
    let directory = TempDir::new();
    let drive = cloud::CloudDrive::VirtioDisk(drive(&directory, &["--format", "vfat"]));
    let report = cloud::boot(&drive, &MACS).unwrap();
    assert_became(&report, "ConfigDrive");
    let injected = &report.value["files"]["/etc/christen-injected"];
    assert_eq!(injected["size"], "injected\n".len());
}

#[test]
#[ignore = "boots a guest; `cargo xtask e2e` runs it"]
fn by_nocloud_iso() {
    nocloud("iso9660");
}

#[test]
#[ignore = "boots a guest; `cargo xtask e2e` runs it"]
fn by_nocloud_vfat() {
    nocloud("vfat");
}

fn nocloud(format: &str) {
    if !guest::require() {
        return;
    }
    let directory = TempDir::new();
    let path = drive(&directory, &["--dialect", "nocloud", "--format", format]);
    let drive = match format {
        "vfat" => cloud::CloudDrive::VirtioDisk(path),
        _ => cloud::CloudDrive::IdeCdrom(path),
    };
    let report = cloud::boot(&drive, &MACS).unwrap();
    assert_became(&report, "NoCloud");
}
