//! A real guest with cloud-init becomes what the description says, by VFAT, by NoCloud, and
//! by the drive that genisoimage makes of our documents.
//!
//! Ignored in ordinary runs since it boots machines: `cargo xtask e2e` runs it.

mod guest_support;

use std::path::PathBuf;
use std::process::Command;

use christen_testkit::guest::{self, cloud};
use christen_testkit::{TempDir, tools};
use guest_support::{DESCRIPTION, MACS, assert_became, drive};

#[test]
#[ignore = "boots a guest; `cargo xtask e2e` runs it"]
fn by_vfat() {
    ours(&["--format", "vfat"], "ConfigDrive");
}

#[test]
#[ignore = "boots a guest; `cargo xtask e2e` runs it"]
fn by_nocloud_iso() {
    ours(&["--dialect", "nocloud", "--format", "iso9660"], "NoCloud");
}

#[test]
#[ignore = "boots a guest; `cargo xtask e2e` runs it"]
fn by_nocloud_vfat() {
    ours(&["--dialect", "nocloud", "--format", "vfat"], "NoCloud");
}

#[test]
#[ignore = "boots a guest; `cargo xtask e2e` runs it"]
fn by_a_drive_of_genisoimage() {
    let (true, Some(genisoimage)) = (guest::require(), tools::require("genisoimage")) else {
        return;
    };
    let directory = TempDir::new();
    let (tree, iso) = (directory.join("tree"), directory.join("drive.iso"));
    tools::run(
        Command::new(env!("CARGO_BIN_EXE_christen"))
            .args(["render", DESCRIPTION, "--tree"])
            .arg(&tree),
    );
    tools::run(
        Command::new(genisoimage)
            .args(["-quiet", "-J", "-r", "-V", "config-2", "-o"])
            .arg(&iso)
            .arg(&tree),
    );
    boot(iso, false, "ConfigDrive");
}

fn ours(arguments: &[&str], datasource: &str) {
    if !guest::require() {
        return;
    }
    let directory = TempDir::new();
    let path = drive(&directory, arguments);
    boot(path, arguments.contains(&"vfat"), datasource);
}

fn boot(path: PathBuf, disk: bool, datasource: &str) {
    let drive = if disk {
        cloud::CloudDrive::VirtioDisk(path)
    } else {
        cloud::CloudDrive::IdeCdrom(path)
    };
    let report = cloud::boot(&drive, &MACS).unwrap();
    assert_became(&report, datasource);
}
