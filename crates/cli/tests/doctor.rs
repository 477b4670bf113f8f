//! What is told of the guest of an image before its first boot.

mod image_support;
mod support;

use christen_instance::Value;
use christen_testkit::phony;
use christen_testkit::{TempDir, tools};
use image_support::{Tools, disk, hash};
use support::{christen_in, fail_somehow, items, member, put, run, succeed};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8eE0PG2fKYQ2pcrUFMN9zqB5XqVX0VHm3dqkHxyzab mika@example";
const FSTAB: &str = "LABEL=root / ext4 defaults 0 1\n";

/// A directory with a description, a sound guest in `good.img`, and one in `bad.img` that was a machine before.
fn guests(tools: &Tools) -> TempDir {
    let directory = support::with_description(&format!("name: web\nssh_authorized_keys: {KEY}\n"));
    let good = phony::debian_12().file("/etc/fstab", FSTAB);
    let bad = good
        .clone()
        .file("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        .file_of("/etc/ssh/ssh_host_ed25519_key", "a key\n", 0o600, 0, 0);
    for (name, mut tree) in [("good.img", good), ("bad.img", bad)] {
        let image = directory.join(name);
        tools.tree(&image, 24, &["-t", "ext4", "-L", "root"], tree.fs());
    }
    directory
}

fn rules(json: &Value) -> Vec<(String, String)> {
    items(member(json, "findings"))
        .iter()
        .map(|it| {
            let text = |name: &str| member(it, name).as_str().expect("a text").to_owned();
            assert!(!text("reason").is_empty() && !text("remedy").is_empty());
            (text("severity"), text("rule"))
        })
        .collect()
}

#[test]
fn a_guest_that_was_a_machine_before_is_found_out() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = guests(&tools);
    let json = |image: &str| {
        let before = hash(&directory.join(image));
        let arguments = format!("doctor {image} instance.yaml --json");
        let ended = run(&mut christen_in(&directory, &arguments));
        assert_eq!(hash(&directory.join(image)), before);
        let found = rules(&ended.json());
        let has_error = found.iter().any(|(severity, _)| severity == "error");
        assert_eq!(ended.status, i32::from(has_error), "{found:?}");
        found
    };
    let (good, bad) = (json("good.img"), json("bad.img"));
    let new: Vec<_> = bad
        .iter()
        .filter(|it| !good.contains(it))
        .map(|(_, rule)| rule.as_str())
        .collect();
    assert!(new.contains(&"machine-id-baked-in"), "{good:?} {bad:?}");
    assert!(new.contains(&"host-keys-left"), "{good:?} {bad:?}");
    let text = run(&mut christen_in(&directory, "doctor bad.img instance.yaml"));
    let machine_id = text
        .text()
        .lines()
        .any(|line| line.contains(": machine-id-baked-in: "));
    assert!(machine_id, "{}", text.text());
    assert!(text.stderr.contains("note: `bad.img`: "), "{}", text.stderr);
}

/// A journal that needs recovery is told, and nothing is written for it.
#[test]
fn a_filesystem_that_was_not_left_in_order_is_told() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = guests(&tools);
    let image = directory.join("good.img");
    tools.debugfs(&image, "feature needs_recovery\nssv state 0\n");
    let before = hash(&image);
    let ended = run(&mut christen_in(&directory, "doctor good.img --json"));
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    let found = rules(&ended.json());
    assert!(
        found
            .iter()
            .any(|(severity, rule)| severity == "error" && rule == "filesystem-unclean"),
        "{found:?}"
    );
    assert_eq!(hash(&image), before);
}

#[test]
fn trouble_is_no_answer() {
    let directory = TempDir::new();
    put(&directory, "a.img", vec![0; 1 << 20]);
    fail_somehow(&mut christen_in(&directory, "doctor a.img"), 2);
    fail_somehow(&mut christen_in(&directory, "doctor none.img"), 2);
}

#[test]
fn inspect_tells_every_guest_of_an_image() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let Some(sfdisk) = tools::require("sfdisk") else {
        return;
    };
    let directory = guests(&tools);
    let alone = succeed(&mut christen_in(&directory, "inspect good.img"));
    let text = alone.text();
    assert!(text.contains("\nguest on whole disk\n"), "{text}");
    for line in [
        "  id                 debian 12",
        "  mount              / (LABEL=root)",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    let mut fedora = phony::fedora_41();
    let second = directory.join("fedora.img");
    tools.tree(&second, 24, &["-t", "ext4"], fedora.fs());
    let parts = [directory.join("good.img"), second];
    let parts: Vec<_> = parts.iter().map(|it| &**it).collect();
    disk(&directory.join("both.img"), &sfdisk, &parts, "gpt");
    let json = succeed(&mut christen_in(&directory, "inspect both.img --json")).json();
    let roots: Vec<_> = items(member(&json, "guests"))
        .iter()
        .map(|it| {
            let ids = items(member(it, "facts"))
                .iter()
                .find(|fact| member(fact, "name").as_str() == Some("id"))
                .map(|fact| member(fact, "value").as_str().expect("a text").to_owned());
            let option = member(it, "option").as_str().expect("a text").to_owned();
            (option, ids.expect("it is known"))
        })
        .collect();
    assert_eq!(
        roots,
        [
            ("--partition 1".to_owned(), "debian 12".to_owned()),
            ("--partition 2".to_owned(), "fedora 41".to_owned()),
        ]
    );
}
