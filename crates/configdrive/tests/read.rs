//! Drives made by others are read back as they were put in.

mod support;

use christen_configdrive::read::Details;
use christen_configdrive::{Drive, EntryKind, Format, View};
use support::{Made, host_tree};

/// Reads a view and compares it with the tree on the host.
#[track_caller]
fn check_exact(made: &Made, view: View) {
    let file = std::fs::File::open(&made.image).unwrap();
    let drive = Drive::open(file).unwrap();
    let mut found: Vec<(String, Option<Vec<u8>>)> = drive
        .entries(view)
        .unwrap()
        .iter()
        .filter(|entry| entry.is_file() || entry.is_directory())
        .filter(|entry| !entry.path.starts_with(b"rr_moved"))
        .map(|entry| {
            let content = entry
                .is_file()
                .then(|| drive.read_file(entry, u64::MAX).unwrap());
            (entry.path_text().into_owned(), content)
        })
        .collect();
    found.sort();
    let expected = host_tree(&made.tree);
    let names = |tree: &[(String, Option<Vec<u8>>)]| -> Vec<String> {
        tree.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&found), names(&expected), "{view}");
    assert!(found == expected, "{view}: contents differ");
}

#[test]
fn genisoimage_with_novas_arguments() {
    let Some(made) = support::genisoimage(support::tree, &[]) else {
        return;
    };
    let bytes = made.bytes();
    let drive = Drive::open(bytes.as_slice()).unwrap();
    assert_eq!(drive.format(), Format::Iso9660);
    assert_eq!(drive.label(), "config-2");
    assert_eq!(drive.views(), [View::RockRidge, View::Joliet, View::Plain]);
    let Details::Iso9660(details) = drive.details() else {
        panic!("not an ISO")
    };
    assert_eq!(details.publisher_identifier, "OpenStack Nova 34.0.0");
    assert_eq!(details.system_identifier, "LINUX");
    assert_eq!(details.joliet, Some((3, "config-2".to_owned())));
    assert_eq!(details.rock_ridge.as_deref(), Some("RRIP_1991A"));
    assert!(details.volume_creation.is_some());
    check_exact(&made, View::RockRidge);
    check_exact(&made, View::Joliet);
    for entry in drive.entries(View::RockRidge).unwrap() {
        let expected = if entry.is_directory() { 0o555 } else { 0o444 };
        assert_eq!(entry.mode, Some(expected), "{}", entry.path_text());
        assert_eq!((entry.uid, entry.gid), (Some(0), Some(0)));
    }
    let plain = drive.entries(View::Plain).unwrap();
    assert!(
        plain
            .iter()
            .any(|entry| entry.path == b"openstack/2012_08_10/meta_data.json")
    );
    assert!(
        plain
            .iter()
            .any(|entry| entry.identifier == b"user_data.;1")
    );
}

#[test]
fn genisoimage_keeps_symbolic_links_and_relocates() {
    let Some(made) = support::genisoimage(support::tree, &["-R"]) else {
        return;
    };
    check_exact(&made, View::RockRidge);
    let bytes = made.bytes();
    let drive = Drive::open(bytes.as_slice()).unwrap();
    let entries = drive.entries(View::RockRidge).unwrap();
    let link = entries.iter().find(|entry| entry.path == b"link").unwrap();
    assert_eq!(
        link.kind,
        EntryKind::Symlink {
            target: b"../openstack/latest".to_vec()
        }
    );
}

#[test]
fn an_iso_without_extensions_is_read_as_linux_shows_it() {
    let Some(made) = support::genisoimage_plain(support::nova_tree, &["-l"]) else {
        return;
    };
    let bytes = made.bytes();
    let drive = Drive::open(bytes.as_slice()).unwrap();
    assert_eq!(drive.views(), [View::Plain]);
    let entries = drive.entries(View::Plain).unwrap();
    let found = entries
        .iter()
        .find(|entry| entry.path == b"openstack/latest/meta_data.json")
        .unwrap();
    let content = drive.read_file(found, 4096).unwrap();
    assert_eq!(content, support::META_DATA.as_bytes());
    assert!(drive.read_file(found, 3).is_err());
}

#[test]
fn xorriso_in_several_ways() {
    for arguments in [
        &["-J", "-r"][..],
        &["-J", "-joliet-long", "-R"],
        &["-J", "-r", "--old-exclude", "x", "-hfsplus"],
        &["-r", "-partition_offset", "16"],
    ] {
        let Some(made) = support::xorriso(support::tree, arguments) else {
            return;
        };
        check_exact(&made, View::RockRidge);
        if arguments.contains(&"-J") {
            check_exact(&made, View::Joliet);
        }
    }
}

#[test]
fn mkfs_vfat_of_each_width() {
    for (bits, bytes) in [(12, 2 << 20), (16, 64 << 20), (32, 64 << 20)] {
        let Some(made) = support::mkfs_vfat(support::tree, bits, bytes) else {
            return;
        };
        check_exact(&made, View::Vfat);
        let file = std::fs::File::open(&made.image).unwrap();
        let drive = Drive::open(file).unwrap();
        assert_eq!(drive.format(), Format::Vfat);
        assert_eq!(drive.label(), "CONFIG-2");
        let Details::Vfat(details) = drive.details() else {
            panic!("not a FAT")
        };
        assert_eq!(details.fat_bits, bits);
        assert_eq!(details.oem_name, "mkfs.fat");
        assert_eq!(details.boot_sector_label.as_deref(), Some("CONFIG-2"));
        assert_eq!(details.root_label.as_deref(), Some("CONFIG-2"));
    }
}

#[test]
fn cloud_localds_in_both_formats() {
    for (format, view) in [("iso9660", View::RockRidge), ("vfat", View::Vfat)] {
        let Some(made) = support::cloud_localds(format) else {
            return;
        };
        check_exact(&made, view);
        let bytes = made.bytes();
        let drive = Drive::open(bytes.as_slice()).unwrap();
        assert!(
            drive.label().eq_ignore_ascii_case("cidata"),
            "{}",
            drive.label()
        );
    }
}

#[test]
fn zisofs_is_listed_and_refused_by_name() {
    let Some(tool) = christen_testkit::tools::require("xorriso") else {
        return;
    };
    let directory = christen_testkit::temp::TempDir::new();
    let tree = directory.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("zeros"), vec![0; 100_000]).unwrap();
    let image = directory.path().join("drive");
    christen_testkit::tools::output(
        tool,
        [
            "-outdev".as_ref(),
            image.as_os_str(),
            "-volid".as_ref(),
            "config-2".as_ref(),
            "-map".as_ref(),
            tree.as_os_str(),
            "/".as_ref(),
            "-set_filter_r".as_ref(),
            "--zisofs".as_ref(),
            "/".as_ref(),
            "--".as_ref(),
        ],
    );
    let bytes = std::fs::read(&image).unwrap();
    let drive = Drive::open(bytes.as_slice()).unwrap();
    let entries = drive.entries(View::RockRidge).unwrap();
    let error = drive.read_file(&entries[0], 1 << 20).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "`zeros` is stored compressed by zisofs (`ZF`)");
}
