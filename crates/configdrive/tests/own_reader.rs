//! What our writers make, our reader audits and returns: the two share no code, and each
//! is held to other people's programs elsewhere.

use std::collections::BTreeMap;

use christen_configdrive::verify::{Severity, VerifyOptions, verify};
use christen_configdrive::{Drive, EntryKind, Timestamp, Tree, View, iso9660, vfat};
use christen_testkit::trees::{Entry, Kind, Names, Shape, random};

const TIME: Timestamp = Timestamp::from_seconds(1_735_689_598);

fn written(entries: &[Entry]) -> Tree {
    let mut tree = Tree::new();
    for entry in entries {
        match &entry.kind {
            Kind::Directory => tree.add_directory(&entry.path),
            Kind::File(content) => tree.add_file(&entry.path, content.clone()),
            Kind::Symlink(target) => tree.add_symlink(&entry.path, target),
        }
        .unwrap();
    }
    tree
}

/// Audits an image; a random tree has no documents, which is all there is to find.
fn audit(image: &[u8], what: &str) {
    let options = VerifyOptions {
        dialect: None,
        image_mode: None,
    };
    let report = verify(&Drive::open(image).unwrap(), &options).unwrap();
    let found: Vec<String> = report
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Note && finding.code != "no-openstack")
        .map(ToString::to_string)
        .collect();
    assert_eq!(found, [""; 0], "{what}");
}

fn check(image: &[u8], view: View, entries: &[Entry], what: &str) {
    let drive = Drive::open(image).unwrap();
    let mut left: BTreeMap<&[u8], &Kind> = entries
        .iter()
        .map(|entry| (entry.path.as_bytes(), &entry.kind))
        .collect();
    for entry in drive.entries(view).unwrap() {
        let path = entry.path_text().into_owned();
        let kind = left.remove(entry.path.as_slice());
        let same = match (&entry.kind, kind) {
            (EntryKind::Directory, Some(Kind::Directory)) => true,
            (EntryKind::File, Some(Kind::File(content))) => {
                drive.read_file(&entry, 1 << 20).unwrap() == *content
            }
            (EntryKind::Symlink { target }, Some(Kind::Symlink(expected))) => {
                target == expected.as_bytes()
            }
            // Rock Ridge keeps the directories that it moves up here.
            (EntryKind::Directory, None) => path == "rr_moved",
            _ => false,
        };
        assert!(same, "{what}: {path}: {:?}", entry.kind);
        assert_eq!(entry.mtime, Some(TIME.seconds), "{what}: {path}");
    }
    assert!(left.is_empty(), "{what}: {:?}", left.keys());
}

#[test]
fn isos_are_read_back_by_rock_ridge_and_are_clean() {
    for (seed, depth) in [(1, 6), (2, 14), (3, 30), (4, 8)] {
        let what = format!("seed {seed}, depth {depth}");
        let shape = Shape {
            entries: 300,
            depth,
            names: Names::Posix,
            name_bytes: 253,
            path_bytes: 900,
            links: true,
        };
        let entries = random(seed, &shape);
        let mut image = Vec::new();
        let options = iso9660::Options::new("config-2", TIME);
        iso9660::write(&written(&entries), &options, &mut image).unwrap();
        check(&image, View::RockRidge, &entries, &what);
        audit(&image, &what);
    }
}

#[test]
fn vfat_images_are_read_back_and_are_clean() {
    for (seed, layout) in [
        (5, vfat::Layout::Exact),
        (6, vfat::Layout::Exact),
        (7, vfat::Layout::Nova64MiB),
    ] {
        let what = format!("seed {seed}");
        let shape = Shape {
            entries: 400,
            depth: 6,
            names: Names::Vfat,
            name_bytes: 200,
            path_bytes: 900,
            links: false,
        };
        let entries = random(seed, &shape);
        let options = vfat::Options {
            layout,
            ..vfat::Options::new("config-2", TIME)
        };
        let mut image = Vec::new();
        vfat::write(&written(&entries), &options, &mut image).unwrap();
        check(&image, View::Vfat, &entries, &what);
        audit(&image, &what);
    }
}

#[test]
fn a_tree_deeper_than_the_limit_is_refused() {
    let mut tree = Tree::new();
    let mut path = String::new();
    for _ in 0..300 {
        path.push_str("d/");
        tree.add_directory(path.trim_end_matches('/')).unwrap();
    }
    let options = iso9660::Options {
        rock_ridge: None,
        joliet: None,
        deep_directories: true,
        ..iso9660::Options::new("config-2", TIME)
    };
    let mut image = Vec::new();
    iso9660::write(&tree, &options, &mut image).unwrap();
    let drive = Drive::open(image.as_slice()).unwrap();
    match drive.entries(View::Plain) {
        Err(christen_configdrive::Error::Corrupt(fault)) => assert_eq!(fault.code(), "too-deep"),
        other => panic!("{other:?}"),
    }
}
