//! Comparing and extracting drives made by others.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use christen_configdrive::{Drive, Error, diff, extract};
use christen_testkit::temp::TempDir;
use support::host_tree;

fn other_tree(root: &Path) {
    support::nova_tree(root);
    let path = root.join("openstack/latest/meta_data.json");
    let text = support::META_DATA
        .replace("web.novalocal", "db.novalocal")
        .replace("s3cret-word", "0ther-word")
        .replace("\"launch_index\": 0, ", "\"launch_index\":0,  ");
    fs::write(path, text).unwrap();
    fs::write(
        root.join("openstack/latest/user_data"),
        "#!/bin/sh\nfalse\n",
    )
    .unwrap();
    fs::remove_file(root.join("openstack/content/0001")).unwrap();
    fs::write(root.join("openstack/content/0002"), "new").unwrap();
}

fn lines(before: &[u8], after: &[u8]) -> Vec<String> {
    let (before, after) = (Drive::open(before).unwrap(), Drive::open(after).unwrap());
    let changes = diff(&before, &after).unwrap();
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn documents_are_compared_by_meaning_and_secrets_kept() {
    let Some(before) = support::genisoimage(support::nova_tree, &[]) else {
        return;
    };
    let Some(after) = support::genisoimage(other_tree, &[]) else {
        return;
    };
    assert_eq!(lines(&before.bytes(), &before.bytes()), [""; 0]);
    assert_eq!(
        lines(&before.bytes(), &after.bytes()),
        [
            "openstack/content/0001: removed",
            "openstack/content/0002: added",
            "openstack/latest/meta_data.json: admin_pass: differs",
            "openstack/latest/meta_data.json: hostname: \"web.novalocal\" -> \"db.novalocal\"",
            "openstack/latest/user_data: differs",
        ]
    );
}

#[test]
fn drives_of_two_formats_differ_in_that_alone() {
    let Some(iso) = support::genisoimage(support::nova_tree, &[]) else {
        return;
    };
    let Some(fat) = support::mkfs_vfat(support::nova_tree, 16, 64 << 20) else {
        return;
    };
    assert_eq!(
        lines(&iso.bytes(), &fat.bytes()),
        ["format ISO 9660 -> VFAT", "label `config-2` -> `CONFIG-2`"]
    );
}

#[test]
fn modes_are_compared() {
    let Some(before) = support::genisoimage(support::nova_tree, &[]) else {
        return;
    };
    let Some(after) = support::genisoimage(support::nova_tree, &["-file-mode", "0600"]) else {
        return;
    };
    let found = lines(&before.bytes(), &after.bytes());
    assert!(
        found.contains(&"openstack/content/0000: mode 0444 -> 0600".to_owned()),
        "{found:?}"
    );
}

#[test]
fn a_tree_is_extracted_whole_and_private() {
    let Some(made) = support::genisoimage(support::tree, &["-R"]) else {
        return;
    };
    let bytes = made.bytes();
    let drive = Drive::open(bytes.as_slice()).unwrap();
    let host = TempDir::new();
    let destination = host.path().join("out");
    let done = extract(&drive, &destination).unwrap();
    assert_eq!(done.left_out, ["link"]);
    let mut found = host_tree(&destination);
    found.retain(|(name, _)| !name.starts_with("rr_moved"));
    assert!(found == host_tree(&made.tree));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&destination), 0o700);
    assert_eq!(mode(&destination.join("openstack/content/0000")), 0o600);
    assert!(!destination.join("link").is_symlink());
    assert_eq!(fs::read_dir(host.path()).unwrap().count(), 1);
}

#[test]
fn the_destination_must_be_empty_and_no_link() {
    let Some(made) = support::genisoimage(support::nova_tree, &[]) else {
        return;
    };
    let bytes = made.bytes();
    let drive = Drive::open(bytes.as_slice()).unwrap();
    let host = TempDir::new();
    let full = host.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("kept"), "kept").unwrap();
    let empty = host.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let link = host.path().join("link");
    symlink(&empty, &link).unwrap();
    for path in [&full, &link, &full.join("kept")] {
        assert!(matches!(
            extract(&drive, path),
            Err(Error::DestinationExists { .. })
        ));
    }
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1);
    extract(&drive, &empty).unwrap();
    assert!(empty.join("openstack").is_dir());
}

#[test]
fn a_name_that_leads_out_is_refused_and_leaves_nothing() {
    let Some(made) = support::genisoimage(support::nova_tree, &[]) else {
        return;
    };
    let mut bytes = made.bytes();
    // The Rock Ridge name of `0000` becomes `../x`.
    let field = b"NM\x09\x01\x000000";
    let at = bytes
        .windows(field.len())
        .position(|window| window == field)
        .unwrap();
    bytes[at + 5..at + 9].copy_from_slice(b"../x");
    let drive = Drive::open(bytes.as_slice()).unwrap();
    let host = TempDir::new();
    let error = extract(&drive, &host.path().join("out")).unwrap_err();
    assert!(
        matches!(&error, Error::Corrupt(fault) if fault.code() == "bad-name"),
        "{error:?}"
    );
    assert_eq!(fs::read_dir(host.path()).unwrap().count(), 0);
}

#[test]
fn a_truncated_drive_leaves_nothing() {
    let Some(made) = support::genisoimage(support::nova_tree, &["-no-pad"]) else {
        return;
    };
    let mut bytes = made.bytes();
    bytes.truncate(bytes.len() - 4096);
    let drive = Drive::open(bytes.as_slice()).unwrap();
    let host = TempDir::new();
    let error = extract(&drive, &host.path().join("out")).unwrap_err();
    assert!(
        matches!(&error, Error::Corrupt(fault) if fault.code() == "past-end"),
        "{error:?}"
    );
    assert_eq!(fs::read_dir(host.path()).unwrap().count(), 0);
}
