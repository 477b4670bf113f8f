//! A plain Debian becomes somebody without any drive: what was put into its disk is what it is when it has booted.
//!
//! Ignored in ordinary runs since it boots a machine: `cargo xtask guest-check` runs it.

mod inject_guest_support;

use christen_testkit::guest;
use inject_guest_support::{Bench, assert_became};

#[test]
#[ignore = "boots a guest; `cargo xtask guest-check` runs it"]
fn a_partition_of_a_raw_disk() {
    if !guest::require() {
        return;
    }
    let bench = Bench::new();
    let root = bench.root("ext4", "LABEL=christen-root / ext4 defaults 0 1\n");
    let disk = bench.gpt("disk", &[&root]);
    assert_became(&bench.become_somebody(&disk, "raw", "/dev/vda1", &[]));
}
