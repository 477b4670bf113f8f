//! Looking into disk images that other tools made.

mod image_support;
mod support;

use std::process::Command;

use christen_testkit::{TempDir, tools};
use image_support::Tools;
use support::{christen_in, fail, fail_somehow, items, member, succeed};

#[test]
fn inspect_tells_what_is_there() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.guest(
        &image,
        &[
            "-t",
            "ext4",
            "-L",
            "root",
            "-U",
            "6f3c9a1e-0000-4000-8000-000000000001",
        ],
    );
    let shown = succeed(&mut christen_in(&directory, "inspect a.img"));
    for line in [
        "format               raw, told by its first bytes",
        "partition table      none",
        "whole disk",
        "  content            ext4",
        "  label              root",
        "  uuid               6f3c9a1e-0000-4000-8000-000000000001",
        "  state              clean",
    ] {
        assert!(
            shown.text().lines().any(|it| it == line),
            "{line}\n{}",
            shown.text()
        );
    }
    let json = succeed(&mut christen_in(&directory, "inspect a.img --json")).json();
    let volume = &items(member(&json, "volumes"))[0];
    let filesystem = member(volume, "filesystem");
    assert_eq!(member(filesystem, "state").as_str(), Some("clean"));
    // What dumpe2fs counts.
    if let Some(dumpe2fs) = tools::require("dumpe2fs") {
        let printed = tools::output(&dumpe2fs, ["-h", image.to_str().expect("UTF-8")]);
        let printed = String::from_utf8(printed).expect("UTF-8");
        let features = items(member(filesystem, "features"));
        for feature in features {
            let name = feature.as_str().expect("a text");
            assert!(printed.contains(name), "{name}");
        }
    }
}

#[test]
fn what_is_no_filesystem_is_told() {
    let directory = TempDir::new();
    support::put(&directory, "empty", "");
    support::put(&directory, "zeros", vec![0; 1 << 20]);
    for image in ["empty", "zeros"] {
        fail(
            &mut christen_in(&directory, &format!("ls {image}")),
            1,
            &format!(
                "error: `{image}` has no volume with a filesystem that is known\n  \
                 whole disk: nothing that is known, {}\n",
                if image == "empty" {
                    "0 bytes"
                } else {
                    "1.0 MiB"
                }
            ),
        );
        succeed(&mut christen_in(&directory, &format!("inspect {image}")));
    }
    fail_somehow(&mut christen_in(&directory, "inspect ."), 2);
    let Some(mkfifo) = tools::find("mkfifo") else {
        return;
    };
    tools::run(Command::new(mkfifo).arg(directory.join("pipe")));
    fail_somehow(&mut christen_in(&directory, "inspect pipe"), 2);
}
