//! What verify finds on good drives, and on the same drives with a few bytes changed.

mod support;

use christen_configdrive::Drive;
use christen_configdrive::verify::{Report, Severity, VerifyOptions, verify};
use support::Made;

const OPTIONS: VerifyOptions = VerifyOptions {
    dialect: None,
    image_mode: Some(0o600),
};

fn report(image: &[u8]) -> Report {
    verify(&Drive::open(image).unwrap(), &OPTIONS).unwrap()
}

/// Findings worse than a note, one line each.
fn findings(image: &[u8]) -> Vec<String> {
    report(image)
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Note)
        .map(ToString::to_string)
        .collect()
}

#[track_caller]
fn check_clean(made: &Made) {
    let found = findings(&made.bytes());
    assert_eq!(found, [""; 0]);
}

#[test]
fn good_drives_have_no_findings() {
    let Some(made) = support::genisoimage(support::nova_tree, &[]) else {
        return;
    };
    check_clean(&made);
    let Some(made) = support::xorriso(support::nova_tree, &["-J", "-r"]) else {
        return;
    };
    check_clean(&made);
    for (bits, bytes) in [(12, 2 << 20), (16, 64 << 20), (32, 64 << 20)] {
        let Some(made) = support::mkfs_vfat(support::nova_tree, bits, bytes) else {
            return;
        };
        check_clean(&made);
    }
    for format in ["iso9660", "vfat"] {
        let Some(made) = support::cloud_localds(format) else {
            return;
        };
        check_clean(&made);
    }
}

#[test]
fn a_large_tree_is_clean_too() {
    let Some(made) = support::genisoimage(support::tree, &["-R"]) else {
        return;
    };
    check_clean(&made);
    let Some(made) = support::mkfs_vfat(support::tree, 16, 64 << 20) else {
        return;
    };
    check_clean(&made);
}

#[test]
fn what_was_checked_is_told() {
    let Some(made) = support::genisoimage(support::nova_tree, &[]) else {
        return;
    };
    let checked = report(&made.bytes()).checked.join("\n");
    for part in [
        "path tables of the Joliet tree",
        "label is `config-2`",
        "5 OpenStack versions",
    ] {
        assert!(checked.contains(part), "{part} in {checked}");
    }
}
