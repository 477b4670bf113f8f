//! A whole identity into an image of every phony guest: accepted by e2fsck, verified by the second reader, and the same again.

mod image_support;
mod support;

use christen_instance::Value;
use christen_testkit::phony;
use image_support::{Tools, hash};
use support::{christen_in, items, member, put, succeed};

const DESCRIPTION: &str = "\
uuid: b65cee2f-8c69-4aeb-be2f-f79742548fc2
hostname: web-01.example.org
ssh_authorized_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID73oR3L+j2H7E6ZfOiJrC+jBl5HH2/ld6K6fjDjtC62 desk
admin_password: Unspeakable1
metadata: {role: web}
files: [{path: /etc/motd, text: hello}]
network:
- {mac: \"52:54:00:00:53:01\", address: 192.0.2.17/24, gateway: 192.0.2.1, dns: 192.0.2.53}
guest:
  users:
  - name: anna
    sudo: ALL=(ALL) NOPASSWD:ALL
    password: {locked: true}
    ssh_authorized_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID73oR3L+j2H7E6ZfOiJrC+jBl5HH2/ld6K6fjDjtC62 anna
  timezone: Europe/Berlin
  first_boot_commands: [echo ready]
  files: [{path: /home/anna/.profile, text: x, owner: 'anna:anna', mode: '0600'}]
  operations: [{append_line: {path: /etc/hosts, line: 192.0.2.10 db}}, {mkdir: /srv/www}]
  machine_id: reset
";

#[test]
fn every_guest_takes_a_whole_identity_once() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = support::with_description(DESCRIPTION);
    let image = directory.join("a.img");
    for (name, tree) in phony::all() {
        // Alpine without udev has no way to give a NIC a name by its address, which is told.
        let has_network = !name.starts_with("alpine");
        let description = match has_network {
            true => DESCRIPTION.to_owned(),
            false => {
                let lines = DESCRIPTION.lines();
                let lines =
                    lines.filter(|it| !it.starts_with("network:") && !it.starts_with("- {mac"));
                lines.map(|it| format!("{it}\n")).collect()
            }
        };
        put(&directory, "instance.yaml", description);
        let mut tree = tree.file("/etc/fstab", "LABEL=root / ext4 defaults 0 1\n");
        if has_network {
            // Not every phony guest has what every real one with systemd has.
            tree = tree.directories(&["/usr/lib/udev/rules.d"]);
        }
        tools.tree(&image, 32, &["-t", "ext4", "-L", "root"], tree.fs());
        let plan = support::run(&mut christen_in(&directory, "plan a.img instance.yaml"));
        assert_eq!(plan.status, 0, "{name}: {}", plan.stderr);
        assert!(!plan.text().contains("Unspeakable1"), "{name}");
        let inject = "inject a.img instance.yaml --format raw --json";
        let first = succeed(&mut christen_in(&directory, inject)).json();
        tools.check(&image);
        assert_eq!(*member(&first, "changed"), Value::from(true), "{name}");
        assert_eq!(*member(&first, "verified"), Value::from(true), "{name}");
        let kinds: Vec<_> = items(member(&first, "items"))
            .iter()
            .filter_map(|it| member(it, "item").as_str())
            .collect();
        for kind in [
            "key", "network", "password", "account", "hostname", "timezone",
        ] {
            let is_there = kinds.contains(&kind) || kind == "network" && !has_network;
            assert!(is_there, "{name}: {kind} is not in {kinds:?}");
        }
        let hostname = tools.debugfs(&image, "cat /etc/hostname\n");
        assert!(hostname.contains("web-01"), "{name}: {hostname}");
        let passwd = tools.debugfs(&image, "cat /etc/passwd\n");
        assert!(passwd.contains("\nanna:x:"), "{name}: {passwd}");

        let before = hash(&image);
        let second = succeed(&mut christen_in(&directory, inject)).json();
        assert_eq!(*member(&second, "changed"), Value::from(false), "{name}");
        assert_eq!(hash(&image), before, "{name}");
        let nothing = succeed(&mut christen_in(&directory, "plan a.img instance.yaml"));
        assert_eq!(nothing.text(), "", "{name}");
        succeed(&mut christen_in(&directory, "verify a.img instance.yaml"));
        assert_eq!(hash(&image), before, "{name}");
    }
}

/// A journal that was not written back is replayed as a part of the change, or stops it.
#[test]
fn a_journal_that_needs_recovery_is_replayed_only_when_that_is_said() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = support::with_description("name: web\nguest: {root_password: Unspeakable1}\n");
    let image = directory.join("a.img");
    let mut tree = phony::debian_12().file("/etc/fstab", "LABEL=root / ext4 defaults 0 1\n");
    tools.tree(&image, 24, &["-t", "ext4", "-L", "root"], tree.fs());
    tools.debugfs(&image, "feature needs_recovery\n");
    let before = hash(&image);
    for command in [
        "inject a.img instance.yaml --format raw",
        "plan a.img instance.yaml",
    ] {
        let ended = support::fail_somehow(&mut christen_in(&directory, command), 1);
        assert!(
            ended.stderr.contains("`--replay-journal`"),
            "{}",
            ended.stderr
        );
        assert_eq!(hash(&image), before);
    }
    let plan = "plan a.img instance.yaml --replay-journal";
    succeed(&mut christen_in(&directory, plan));
    assert_eq!(hash(&image), before);
    let inject = "inject a.img instance.yaml --format raw --replay-journal";
    let ended = succeed(&mut christen_in(&directory, inject));
    assert!(
        ended.stderr.contains(" verified by ext4-view"),
        "{}",
        ended.stderr
    );
    tools.check(&image);
}

/// Of what is on a volume that no reader of ours knows, nobody says that it was verified.
#[test]
fn what_has_no_second_reader_is_told_so() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let (Some(sfdisk), Some(mkfs)) = (
        christen_testkit::tools::require("sfdisk"),
        christen_testkit::tools::require("mkfs.vfat"),
    ) else {
        return;
    };
    let directory = support::with_description("name: web\n");
    put(
        &directory,
        "instance.yaml",
        "name: web\nfiles: [{path: /boot/note.txt, text: hello}, {path: /etc/motd, text: hello}]\n",
    );
    let (root, boot) = (directory.join("root"), directory.join("boot"));
    let mut tree = phony::debian_12()
        .without("/boot")
        .directories(&["/boot"])
        .file(
            "/etc/fstab",
            "LABEL=root / ext4 defaults 0 1\n/dev/vda2 /boot vfat umask=0077 0 1\n",
        );
    tools.tree(&root, 24, &["-t", "ext4", "-L", "root"], tree.fs());
    put(&directory, "boot", vec![0; 16 << 20]);
    christen_testkit::tools::output(&mkfs, [boot.as_os_str()]);
    image_support::disk(&directory.join("a.img"), &sfdisk, &[&root, &boot], "gpt");
    let ended = support::run(&mut christen_in(
        &directory,
        "inject a.img instance.yaml --format raw --json",
    ));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let json = ended.json();
    assert_eq!(*member(&json, "verified"), Value::from(false));
    let verdicts: Vec<_> = items(member(&json, "verdicts"))
        .iter()
        .map(|it| {
            let text = |name: &str| member(it, name).as_str().expect("a text");
            (text("path"), text("verdict"))
        })
        .collect();
    assert!(
        verdicts.contains(&("/boot/note.txt", "not-verified")),
        "{verdicts:?}"
    );
    assert!(
        verdicts.contains(&("/etc/motd", "verified")),
        "{verdicts:?}"
    );
}
