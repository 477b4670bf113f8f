//! A real guest with cloud-init becomes what the description says, by our ISO.
//!
//! Ignored in ordinary runs since it boots a machine: `cargo xtask guest-check` runs it.

mod guest_support;

use christen_testkit::TempDir;
use christen_testkit::guest::{self, cloud};
use guest_support::{MACS, assert_became, drive};

#[test]
#[ignore = "boots a guest; `cargo xtask guest-check` runs it"]
fn by_iso() {
    if !guest::require() {
        return;
    }
    let directory = TempDir::new();
    let drive = cloud::CloudDrive::IdeCdrom(drive(&directory, &[]));
    let report = cloud::boot(&drive, &MACS).unwrap();
    assert_became(&report, "ConfigDrive");
}
