//! Guests on ext4 whose files stand against an injection: the message names the file, and of the image no byte changes.

mod image_support;
mod support;

use std::fs;

use christen_testkit::phony;
use image_support::{Tools, hash};

const DESCRIPTION: &str = "\
name: web-01
guest:
  root_password: {locked: true}
  users: [{name: deploy}]
  files: [{path: /etc/motd, text: hello}, {path: /srv/new, text: hello}]
";

/// What is done to the guest, which path the message names, and what it says of it.
const SPOILT: &[(&str, &str, &str)] = &[
    (
        "sif /etc/shadow flags 0x80010\n",
        "/etc/shadow",
        "immutable (`chattr +i`)",
    ),
    (
        "sif /etc/passwd flags 0x80020\n",
        "/etc/passwd",
        "appended to (`chattr +a`)",
    ),
    (
        "sif /srv flags 0x80010\n",
        "/srv/new",
        "directory is immutable (`chattr +i`)",
    ),
    (
        "rm /etc/shadow\nmkdir /etc/shadow\n",
        "/etc/shadow",
        "not a regular file",
    ),
    (
        "rm /etc/group\ncd /etc\nmknod group p\n",
        "/etc/group",
        "not a regular file",
    ),
    (
        "rm /etc/passwd\nsymlink /etc/passwd passwd\n",
        "/etc/passwd",
        "too many symbolic links",
    ),
    (
        "rm /etc/passwd\nsymlink /etc/passwd ../../dev/null\n",
        "/etc/passwd",
        "",
    ),
    (
        "sif /etc/shadow size 100000000\n",
        "/etc/shadow",
        "100000000 bytes",
    ),
    ("symlink /srv/new /etc\n", "/srv/new", "directory"),
];

#[test]
fn what_stands_against_it_is_named_and_the_image_is_as_it_was() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = support::with_description(DESCRIPTION);
    let (whole, image) = (directory.join("whole"), directory.join("a.img"));
    let mut tree = phony::debian_12()
        .file("/etc/fstab", "LABEL=root / ext4 defaults 0 1\n")
        .directories(&["/srv"]);
    tools.tree(&whole, 24, &["-t", "ext4", "-L", "root"], tree.fs());
    for (script, path, rule) in SPOILT {
        fs::copy(&whole, &image).expect("the directory is ours");
        tools.debugfs(&image, script);
        let before = hash(&image);
        let ended = support::fail_somehow(
            &mut support::christen_in(&directory, "inject a.img instance.yaml --format raw"),
            1,
        );
        let told = &ended.stderr;
        assert!(
            told.contains(path) && told.contains(rule),
            "{script}: {told}"
        );
        assert!(hash(&image) == before, "{script}: the image was changed");
        assert!(
            !support::names(&directory)
                .iter()
                .any(|it| it.contains("redo")),
            "{script}"
        );
    }
}
