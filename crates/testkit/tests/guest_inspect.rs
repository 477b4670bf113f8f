//! The inspecting guest, shown to work on drives made by the usual tools.
//!
//! Ignored in ordinary runs since it boots a machine: `cargo xtask guest-check` runs it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use christen_testkit::guest::{self, DriveFile, View};
use christen_testkit::{TempDir, tools};

/// Files that tell the views apart: a long name, upper and lower case, a name beyond ASCII.
const FILES: [(&str, &[u8]); 4] = [
    ("openstack/latest/meta_data.json", b"{}"),
    ("openstack/content/0000", b""),
    ("Grüße 日本.txt", b"hello"),
    ("sector", &[7; 2049]),
];

fn tree(directory: &Path) -> PathBuf {
    let root = directory.join("tree");
    for (path, content) in FILES {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a path under root")).expect("creates");
        fs::write(path, content).expect("writes");
    }
    root
}

fn expected() -> BTreeMap<Vec<u8>, Vec<u8>> {
    FILES
        .iter()
        .map(|(path, content)| (path.as_bytes().to_vec(), content.to_vec()))
        .collect()
}

fn files(view: &guest::GuestView) -> BTreeMap<Vec<u8>, Vec<u8>> {
    view.files()
        .map(|(path, content)| (path.to_vec(), content.to_vec()))
        .collect()
}

#[test]
#[ignore = "boots a guest; `cargo xtask guest-check` runs it"]
fn the_guest_reads_drives_of_the_usual_tools() {
    let (true, Some(genisoimage), Some(mkfs), Some(mcopy)) = (
        guest::require(),
        tools::require("genisoimage"),
        tools::require("mkfs.vfat"),
        tools::require("mcopy"),
    ) else {
        return;
    };
    let directory = TempDir::new();
    let root = tree(&directory);
    let iso = directory.join("drive.iso");
    tools::output(
        genisoimage,
        [
            "-quiet",
            "-J",
            "-r",
            "-V",
            "config-2",
            "-input-charset",
            "utf-8",
            "-o",
            &iso.display().to_string(),
            &root.display().to_string(),
        ],
    );
    let fat = directory.join("drive.fat");
    fs::File::create(&fat)
        .and_then(|file| file.set_len(4 << 20))
        .expect("makes a sparse file");
    tools::output(mkfs, ["-n", "config-2", &fat.display().to_string()]);
    let mut arguments = vec!["-s".to_owned(), "-i".to_owned(), fat.display().to_string()];
    for entry in fs::read_dir(&root).expect("lists") {
        arguments.push(entry.expect("lists").path().display().to_string());
    }
    arguments.push("::/".to_owned());
    tools::output(mcopy, arguments);
    let broken = directory.join("broken");
    fs::write(&broken, vec![0; 1 << 20]).expect("writes");

    let drives = guest::inspect_drives(&[
        DriveFile::cdrom(&iso),
        DriveFile::disk(&fat),
        DriveFile::disk(&broken),
        DriveFile::disk(&iso),
    ])
    .expect("the guest reports");

    for drive in [&drives[0], &drives[3]] {
        assert_eq!(drive.label(), Some("config-2"));
        assert_eq!(drive.failed, []);
        let default = drive.view(View::Default).expect("mounted");
        assert_eq!(files(default), expected());
        let joliet = drive.view(View::Joliet).expect("mounted");
        assert_eq!(files(joliet), expected());
        let plain = drive.view(View::Plain).expect("mounted");
        assert_eq!(
            plain.files().map(|(path, _)| path).collect::<Vec<_>>(),
            [
                &b"GR____E_.TXT;1"[..],
                b"OPENSTAC/CONTENT/0000.;1",
                b"OPENSTAC/LATEST/META_DAT.JSO;1",
                b"SECTOR.;1",
            ]
        );
        let entry = &default.entries[&b"sector"[..]];
        assert_eq!((entry.permissions(), entry.uid, entry.gid), (0o444, 0, 0));
    }
    assert_eq!(drives[1].label(), Some("config-2"));
    let vfat = drives[1].view(View::Vfat).expect("mounted");
    assert_eq!(files(vfat), expected());
    assert_eq!(drives[2], guest::GuestDrive::default());
}
