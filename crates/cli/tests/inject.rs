//! An identity put into the guests of disk images by the real binary, judged by e2fsck and debugfs.

mod image_support;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use christen_instance::Value;
use christen_testkit::lvm::Group;
use christen_testkit::phony::{self, PhonyTree};
use christen_testkit::{TempDir, tools};
use image_support::{Tools, cut_out, disk, hash};
use support::{christen_in, fail, fail_somehow, items, member, names, put, run, succeed};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8eE0PG2fKYQ2pcrUFMN9zqB5XqVX0VHm3dqkHxyzab mika@example";

/// An account with a home, so that what is mounted at `/home` matters.
fn description() -> String {
    format!(
        "name: web-01\nguest:\n  root_password: Unspeakable1\n  users:\n  - name: deploy\n    \
         ssh_authorized_keys: {KEY}\n"
    )
}

fn guest(fstab: &str) -> PhonyTree {
    phony::debian_12().file("/etc/fstab", fstab)
}

const ALONE: &str = "LABEL=root / ext4 defaults 0 1\n";

/// A directory with a description and `a.img`, a disk with `/boot`, `/` and `/home` on their own.
fn divided(tools: &Tools, kind: &str) -> Option<TempDir> {
    let sfdisk = tools::require("sfdisk")?;
    let directory = support::with_description(&description());
    let parts: Vec<_> = ["boot", "root", "home"]
        .iter()
        .map(|name| directory.join(name))
        .collect();
    let fstab = "LABEL=root / ext4 defaults 0 1\n/dev/vda1 /boot ext2 defaults 0 2\n\
         # the users\nUUID=0b1f6a3c-9b9a-4a7e-8d0f-0d5f1f0f2a11\t/home\text4\tdefaults,nofail 0 2\n\
         /dev/sr0 /media/cdrom udf,iso9660 user,noauto 0 0\ntmpfs /tmp tmpfs defaults 0 0\n";
    tools.filesystem(&parts[0], 8, &["-t", "ext2"]);
    tools.tree(
        &parts[1],
        24,
        &["-t", "ext4", "-L", "root"],
        guest(fstab).fs(),
    );
    let uuid = "0b1f6a3c-9b9a-4a7e-8d0f-0d5f1f0f2a11";
    tools.filesystem(&parts[2], 16, &["-t", "ext4", "-U", uuid]);
    let paths: Vec<&Path> = parts.iter().map(PathBuf::as_path).collect();
    disk(&directory.join("a.img"), &sfdisk, &paths, kind);
    for part in parts {
        fs::remove_file(part).expect("it is ours");
    }
    Some(directory)
}

/// The partitions of such a disk, each checked.
fn partitions(tools: &Tools, directory: &TempDir, image: &str) -> Vec<PathBuf> {
    [("boot", 1, 8), ("root", 9, 24), ("home", 33, 16)]
        .into_iter()
        .map(|(name, start, length): (_, u64, u64)| {
            let part = directory.join(format!("judged-{name}"));
            cut_out(&directory.join(image), start << 20, length << 20, &part);
            tools.check(&part);
            part
        })
        .collect()
}

#[test]
fn an_identity_is_put_into_a_guest_and_a_second_run_changes_nothing() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = support::with_description(&description());
    let image = directory.join("a.img");
    tools.tree(&image, 24, &["-t", "ext4", "-L", "root"], guest(ALONE).fs());
    let inject = "inject a.img instance.yaml --format raw";
    let first = succeed(&mut christen_in(&directory, inject));
    let lines: Vec<_> = first.text().lines().collect();
    for line in [
        "account of `deploy`",
        "key of `deploy`",
        "password of `root`",
    ] {
        assert!(lines.iter().any(|it| it.starts_with(line)), "{lines:?}");
    }
    assert!(
        first.text().contains("+ /home/deploy/.ssh/authorized_keys"),
        "{lines:?}"
    );
    assert!(!first.text().contains("Unspeakable1"), "{lines:?}");
    assert!(!first.stderr.contains("Unspeakable1"), "{}", first.stderr);
    assert!(
        first.stderr.contains("note: `a.img` has the identity: "),
        "{}",
        first.stderr
    );
    tools.check(&image);
    assert_eq!(names(&directory), ["a.img", "instance.yaml"]);
    let keys = tools.debugfs(&image, "cat /home/deploy/.ssh/authorized_keys\n");
    assert!(keys.ends_with(&format!("{KEY}\n")), "{keys}");
    let passwd = tools.debugfs(&image, "cat /etc/passwd\n");
    assert!(passwd.contains("\ndeploy:x:1000:1000:"), "{passwd}");
    let shadow = tools.debugfs(&image, "cat /etc/shadow\n");
    assert!(shadow.contains("root:$"), "{shadow}");
    let file = tools.stat(&image, "/home/deploy/.ssh/authorized_keys");
    assert!(file.contains("Mode:  0600"), "{file}");
    assert!(file.contains("User:  1000   Group:  1000"), "{file}");

    let before = hash(&image);
    let second = succeed(&mut christen_in(&directory, inject));
    assert!(
        second.text().lines().all(|line| line.contains(" = /")),
        "{}",
        second.text()
    );
    assert!(
        second.stderr.starts_with(
            "note: `a.img` has the identity already, and nothing was changed: 5 places verified by ext4-view"
        ),
        "{}",
        second.stderr
    );
    assert_eq!(hash(&image), before);

    // A new image is made all the same, as it was asked for, also one over the old.
    let overlay = format!("{inject} --output c.qcow2 --output-kind overlay");
    let overlay = succeed(&mut christen_in(&directory, &overlay));
    assert!(
        overlay.stderr.contains("5 places verified by ext4-view"),
        "{}",
        overlay.stderr
    );
    let output = format!("{inject} --output b.img");
    succeed(&mut christen_in(&directory, &output));
    assert_eq!(hash(&directory.join("b.img")), before);

    let json = succeed(&mut christen_in(&directory, &format!("{inject} --json")));
    let json = json.json();
    assert_eq!(*member(&json, "changed"), Value::from(false));
    assert_eq!(*member(&json, "ranges"), Value::from(0));
    let shadow = items(member(&json, "items"))
        .iter()
        .flat_map(|item| items(member(item, "places")))
        .find(|place| member(place, "path").as_str() == Some("/etc/shadow"))
        .expect("it was looked after");
    assert_eq!(*member(shadow, "secret"), Value::from(true));
    assert_eq!(member(shadow, "after").get("sha256"), None);
}

#[test]
fn what_the_guest_mounts_gets_what_belongs_there() {
    let Some(tools) = Tools::require() else {
        return;
    };
    for kind in ["gpt", "dos"] {
        let Some(directory) = divided(&tools, kind) else {
            return;
        };
        let original = fs::read(directory.join("a.img")).expect("it is there");
        let arguments = "inject a.img instance.yaml --format raw --json";
        let ended = succeed(&mut christen_in(&directory, arguments));
        let json = ended.json();
        let mounted: Vec<_> = items(member(&json, "volumes"))
            .iter()
            .map(|it| {
                let text = |name: &str| member(it, name).as_str().expect("a text").to_owned();
                (text("mount_point"), text("volume"))
            })
            .collect();
        let expected = [
            ("/", "partition 2 (ext4)"),
            ("/boot", "partition 1 (ext2)"),
            ("/home", "partition 3 (ext4)"),
        ];
        assert_eq!(
            mounted,
            expected.map(|(at, volume)| (at.to_owned(), volume.to_owned()))
        );
        assert_eq!(*member(&json, "notices"), Value::Array(Vec::new()));
        let parts = partitions(&tools, &directory, "a.img");
        // What nothing was done to is as it was in every byte.
        assert!(fs::read(&parts[0]).expect("it is there") == original[1 << 20..9 << 20]);
        let passwd = tools.debugfs(&parts[1], "cat /etc/passwd\n");
        assert!(passwd.contains("deploy:x:1000"), "{passwd}");
        let keys = tools.debugfs(&parts[2], "cat /deploy/.ssh/authorized_keys\n");
        assert!(keys.ends_with(&format!("{KEY}\n")), "{keys}");
        // And nothing of it stands below the mount point, where the guest would not see it.
        let below = tools.debugfs(&parts[1], "ls -p /home\n");
        assert!(!below.contains("deploy"), "{below}");

        let before = hash(&directory.join("a.img"));
        succeed(&mut christen_in(&directory, arguments));
        assert_eq!(hash(&directory.join("a.img")), before);
    }
}

#[test]
fn a_guest_in_qcow2_is_changed_and_its_clusters_stay_sound() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let Some(qemu_img) = tools::require("qemu-img") else {
        return;
    };
    let Some(directory) = divided(&tools, "gpt") else {
        return;
    };
    let qemu = |arguments: &[&str]| {
        tools::run(
            Command::new(&qemu_img)
                .current_dir(&*directory)
                .args(arguments),
        )
    };
    qemu(&["convert", "-f", "raw", "-O", "qcow2", "a.img", "a.qcow2"]);
    let arguments = "inject a.qcow2 instance.yaml --format qcow2";
    succeed(&mut christen_in(&directory, arguments));
    qemu(&["check", "-f", "qcow2", "a.qcow2"]);
    let before = hash(&directory.join("a.qcow2"));
    succeed(&mut christen_in(&directory, arguments));
    assert_eq!(hash(&directory.join("a.qcow2")), before);
    qemu(&["convert", "-f", "qcow2", "-O", "raw", "a.qcow2", "b.img"]);
    let parts = partitions(&tools, &directory, "b.img");
    let keys = tools.debugfs(&parts[2], "cat /deploy/.ssh/authorized_keys\n");
    assert!(keys.ends_with(&format!("{KEY}\n")), "{keys}");
}

/// Root and `/home` are logical volumes, which the guest names as the device mapper and as LVM2 does.
#[test]
fn logical_volumes_are_joined_by_their_names() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let Some(group) = Group::new("inject", &[64], &[]) else {
        return;
    };
    group.create("root", 24, &[]);
    group.create("my-home", 16, &[]);
    let directory = support::with_description(&description());
    let mapped = group.name.replace('-', "--");
    let fstab = format!(
        "/dev/{}/root / ext4 defaults 0 1\n/dev/mapper/{mapped}-my--home /home ext4 defaults 0 2\n",
        group.name
    );
    let root = directory.join("root");
    tools.tree(&root, 24, &["-t", "ext4"], guest(&fstab).fs());
    let home = directory.join("home");
    tools.filesystem(&home, 16, &["-t", "ext4"]);
    let range = |start: u64, length: u64| {
        let at = |it: u64| usize::try_from(it).expect("the disk is small");
        at(start)..at(start + length)
    };
    let mut physical = group.read(0);
    for piece in group.map() {
        let volume = if piece.volume == "root" { &root } else { &home };
        let bytes = fs::read(volume).expect("it is there");
        physical[range(piece.physical_start_bytes, piece.length_bytes)]
            .copy_from_slice(&bytes[range(piece.start_bytes, piece.length_bytes)]);
    }
    let image = put(&directory, "a.img", physical);
    let arguments = "inject a.img instance.yaml --format raw --json";
    let ended = succeed(&mut christen_in(&directory, arguments));
    let json = ended.json();
    assert_eq!(*member(&json, "verified"), Value::from(true));
    assert_eq!(items(member(&json, "volumes")).len(), 2);
    let changed = fs::read(&image).expect("it is there");
    for piece in group.map() {
        let path = directory.join(&piece.volume);
        let mut volume = vec![0; fs::metadata(&path).map_or(16 << 20, |it| it.len()) as usize];
        volume[range(piece.start_bytes, piece.length_bytes)]
            .copy_from_slice(&changed[range(piece.physical_start_bytes, piece.length_bytes)]);
        fs::write(&path, volume).expect("the directory is ours");
        tools.check(&path);
    }
    let keys = tools.debugfs(
        &directory.join("my-home"),
        "cat /deploy/.ssh/authorized_keys\n",
    );
    assert!(keys.ends_with(&format!("{KEY}\n")), "{keys}");
    let before = hash(&image);
    succeed(&mut christen_in(&directory, arguments));
    assert_eq!(hash(&image), before);
}

/// What a guest says of its mounts may be anything; nothing of it takes long, goes outside, or is taken for what it is not.
#[test]
fn a_hostile_table_of_mounts_harms_nobody() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = support::with_description(&description());
    let image = directory.join("a.img");
    let inject = "inject a.img instance.yaml --format raw";
    let many = (0..20_000)
        .map(|it| format!("LABEL=d{it} /srv/{it} ext4\n"))
        .collect::<String>();
    let table = |text: &str| guest(text);
    for (what, status, mut tree) in [
        (
            "a directory",
            0,
            table("").without("/etc/fstab").directories(&["/etc/fstab"]),
        ),
        (
            "a link to itself",
            0,
            table("").without("/etc/fstab").link("/etc/fstab", "fstab"),
        ),
        (
            "no UTF-8",
            0,
            table("").file(
                "/etc/fstab",
                b"\xff\0 /\xff ext4\n/dev/vda1\n\r\n".as_slice(),
            ),
        ),
        ("20,000 lines", 0, table(&many)),
        (
            "its own root again",
            1,
            table("LABEL=root / ext4\nLABEL=root /home ext4\n"),
        ),
        (
            "mount points through links",
            1,
            table("LABEL=x /mnt/../mnt/link/home ext4\n").link("/mnt/link", "../../../.."),
        ),
        (
            "mount points that are files, or loops",
            0,
            table("LABEL=x /etc/passwd ext4\nLABEL=y /loop/x ext4\n").link("/loop", "loop"),
        ),
        ("the directory of accounts", 1, table("tmpfs /etc tmpfs\n")),
    ] {
        tools.tree(&image, 24, &["-t", "ext4", "-L", "root"], tree.fs());
        let before = hash(&image);
        let ended = run(&mut christen_in(&directory, inject));
        assert_eq!(ended.status, status, "{what}: {}", ended.stderr);
        assert!(
            ended.stderr.lines().count() < 40,
            "{what}: {}",
            ended.stderr
        );
        match status {
            0 => tools.check(&image),
            _ => assert_eq!(hash(&image), before, "{what}"),
        }
    }
}

/// A key in a home that the guest covers when it starts would be lost, and nobody would know why it cannot log in.
#[test]
fn nothing_is_put_where_the_guest_would_not_see_it() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = support::with_description(&description());
    let image = directory.join("a.img");
    let fstab = format!("{ALONE}LABEL=users /home ext4 defaults 0 2\n");
    tools.tree(
        &image,
        24,
        &["-t", "ext4", "-L", "root"],
        guest(&fstab).fs(),
    );
    let before = hash(&image);
    for (command, beginning) in [
        (
            "inject a.img instance.yaml --format raw",
            "error: cannot inject into `a.img`: the image was not changed\n",
        ),
        (
            "plan a.img instance.yaml",
            "error: an injection into `a.img` would fail\n",
        ),
    ] {
        let ended = fail_somehow(&mut christen_in(&directory, command), 1);
        assert!(ended.stderr.contains(beginning), "{}", ended.stderr);
        assert!(
            ended
                .stderr
                .contains("  `LABEL=users`, which the image does not have\nhint: "),
            "{}",
            ended.stderr
        );
        assert_eq!(hash(&image), before);
    }
    assert_eq!(names(&directory), ["a.img", "instance.yaml"]);
    // What goes elsewhere is put there all the same, and the user hears of the rest.
    put(
        &directory,
        "root.yaml",
        "name: web\nguest: {root_password: Unspeakable1}\n",
    );
    let ended = succeed(&mut christen_in(
        &directory,
        "inject a.img root.yaml --format raw",
    ));
    assert!(
        ended.stderr.starts_with(
            "note: `/home` is for `LABEL=users`, which the image does not have: nothing can be put there\n"
        ),
        "{}",
        ended.stderr
    );
    tools.check(&image);
}

#[test]
fn an_item_that_fails_leaves_the_image_byte_for_byte() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = support::with_description(&description());
    let image = directory.join("a.img");
    let whole = || guest(ALONE);
    for (what, mut tree) in [
        (
            "a directory",
            whole().without("/etc/passwd").directories(&["/etc/passwd"]),
        ),
        (
            "a link to itself",
            whole().without("/etc/passwd").link("/etc/passwd", "passwd"),
        ),
        (
            "a home that is a file",
            whole().file("/home/deploy", "in the way\n"),
        ),
    ] {
        tools.tree(&image, 24, &["-t", "ext4", "-L", "root"], tree.fs());
        let before = hash(&image);
        let arguments = "inject a.img instance.yaml --format raw";
        let ended = fail_somehow(&mut christen_in(&directory, arguments), 1);
        assert!(
            ended
                .stderr
                .contains("cannot inject into `a.img`: the image was not changed\n"),
            "{what}: {}",
            ended.stderr
        );
        assert_eq!(hash(&image), before, "{what}");
        assert_eq!(names(&directory), ["a.img", "instance.yaml"], "{what}");
    }
}

#[test]
fn of_several_systems_one_must_be_said() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let Some(sfdisk) = tools::require("sfdisk") else {
        return;
    };
    let directory = support::with_description(&description());
    let parts: Vec<_> = ["first", "second"]
        .iter()
        .map(|name| {
            let part = directory.join(name);
            tools.tree(&part, 24, &["-t", "ext4", "-L", name], guest("").fs());
            part
        })
        .collect();
    let paths: Vec<&Path> = parts.iter().map(PathBuf::as_path).collect();
    disk(&directory.join("a.img"), &sfdisk, &paths, "gpt");
    let before = hash(&directory.join("a.img"));
    let arguments = "inject a.img instance.yaml --format raw";
    let ended = fail_somehow(&mut christen_in(&directory, arguments), 2);
    assert!(
        ended
            .stderr
            .ends_with("hint: say `--partition 1` or `--partition 2`\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(hash(&directory.join("a.img")), before);
    succeed(&mut christen_in(
        &directory,
        &format!("{arguments} --volume second"),
    ));
    for (start, length, has_account) in [(1, 24, false), (25, 24, true)] {
        let part = directory.join("judged");
        cut_out(&directory.join("a.img"), start << 20, length << 20, &part);
        tools.check(&part);
        let passwd = tools.debugfs(&part, "cat /etc/passwd\n");
        assert_eq!(passwd.contains("deploy"), has_account, "{passwd}");
    }
}

/// Whoever names `/boot` as the root is told.
#[test]
fn a_volume_that_is_no_root_is_told() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let Some(directory) = divided(&tools, "gpt") else {
        return;
    };
    put(
        &directory,
        "motd.yaml",
        "name: web\nguest: {operations: [{mkdir: /srv}]}\n",
    );
    let ended = run(&mut christen_in(
        &directory,
        "plan a.img motd.yaml --partition 1",
    ));
    assert!(
        ended.stderr.contains(
            "note: partition 1 (ext2) has no `/etc/os-release` and no `/etc/fstab`: it may not be the root of a guest\n"
        ),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_plan_shows_the_change_and_makes_none() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = support::with_description(&description());
    let image = directory.join("a.img");
    tools.tree(&image, 24, &["-t", "ext4", "-L", "root"], guest(ALONE).fs());
    let before = hash(&image);
    for command in [
        "plan a.img instance.yaml",
        "inject a.img instance.yaml --format raw --dry-run",
    ] {
        let ended = succeed(&mut christen_in(&directory, command));
        let text = ended.text();
        for line in [
            "--- a/etc/passwd",
            "+++ b/etc/passwd",
            "+ /home/deploy directory 0700 1000:1000 (account of `deploy`)",
            "  (secret)",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(text.contains("\n+deploy:x:1000:1000:"), "{text}");
        assert!(text.contains(&format!("\n+{KEY}\n")), "{text}");
        assert!(!text.contains('$'), "{text}");
        assert!(
            ended.stderr.ends_with("; nothing was written\n"),
            "{}",
            ended.stderr
        );
        let json = succeed(&mut christen_in(&directory, &format!("{command} --json")));
        let json = json.json();
        assert_eq!(*member(&json, "would_change"), Value::from(true));
        let shadow = items(member(&json, "diffs"))
            .iter()
            .find(|it| member(it, "path").as_str() == Some("/etc/shadow"))
            .expect("it changes");
        assert_eq!(*member(shadow, "diff"), Value::Null);
        assert_eq!(hash(&image), before);
        assert_eq!(names(&directory), ["a.img", "instance.yaml"]);
    }
    succeed(&mut christen_in(
        &directory,
        "inject a.img instance.yaml --format raw",
    ));
    let after = succeed(&mut christen_in(&directory, "plan a.img instance.yaml"));
    assert_eq!(after.text(), "");
    assert_eq!(after.stderr, "note: `a.img` has the identity already\n");
}

/// What another program has changed since is found, and so is what was never there.
#[test]
fn an_identity_is_proven_by_a_second_reader() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let Some(directory) = divided(&tools, "gpt") else {
        return;
    };
    let image = directory.join("a.img");
    let verify = "verify a.img instance.yaml";
    let ended = run(&mut christen_in(&directory, verify));
    assert_eq!(ended.status, 1);
    assert!(
        ended
            .text()
            .contains("differs: it is not there (ext4-view)"),
        "{}",
        ended.text()
    );
    assert!(
        ended
            .stderr
            .contains("error: `a.img` does not have the identity\n"),
        "{}",
        ended.stderr
    );
    let inject = succeed(&mut christen_in(
        &directory,
        "inject a.img instance.yaml --format raw",
    ));
    let is_verified = |line: &str| line.contains("verified by ext4-view");
    assert!(inject.text().lines().all(is_verified), "{}", inject.text());
    let before = hash(&image);
    let ended = succeed(&mut christen_in(&directory, verify));
    assert!(ended.text().lines().all(is_verified), "{}", ended.text());
    let json = succeed(&mut christen_in(&directory, &format!("{verify} --json"))).json();
    assert_eq!(*member(&json, "verified"), Value::from(true));
    assert_eq!(hash(&image), before);

    // The home is on the third partition.
    let whole = fs::read(&image).expect("it is there");
    let home = put(&directory, "home", &whole[33 << 20..49 << 20]);
    tools.debugfs(&home, "sif /deploy/.ssh/authorized_keys mode 0100666\n");
    let mut changed = whole;
    changed[33 << 20..49 << 20].copy_from_slice(&fs::read(home).expect("it is there"));
    fs::write(&image, changed).expect("it is ours");
    let ended = run(&mut christen_in(&directory, verify));
    assert_eq!(ended.status, 1);
    assert!(
        ended.stderr.contains(
            "  `/home/deploy/.ssh/authorized_keys`: differs: its permission bits are others (ext4-view)\n"
        ),
        "{}",
        ended.stderr
    );
}

/// Nova's items land where Nova's options say, its way; and where it would only warn, so do we.
#[test]
fn like_nova_means_nova_s_rules() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let Some(directory) = divided(&tools, "gpt") else {
        return;
    };
    let image = directory.join("a.img");
    put(
        &directory,
        "nova.yaml",
        format!("name: web\nkey: {{name: mine, public_key: \"{KEY}\"}}\nmetadata: {{role: web}}\n"),
    );
    let before = hash(&image);
    let like_nova = |options: &str| {
        let arguments = format!("inject a.img nova.yaml --format raw --like nova {options}");
        run(&mut christen_in(&directory, &arguments))
    };
    // It is off unless it is asked for.
    let ended = like_nova("");
    assert_eq!(ended.status, 0);
    assert_eq!(
        ended.stderr,
        "note: nothing is injected: `libvirt.inject_partition` is -2\n"
    );
    // There is no partition 7, and no item that is mandatory.
    let ended = like_nova("--set libvirt.inject_partition=7");
    assert_eq!(ended.status, 0);
    assert!(
        ended
            .stderr
            .starts_with("warning: nothing was injected, and Nova goes on without; "),
        "{}",
        ended.stderr
    );
    assert_eq!(hash(&image), before);
    let ended = like_nova("--set libvirt.inject_partition=2 --set libvirt.inject_key=true");
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let parts = partitions(&tools, &directory, "a.img");
    let keys = tools.debugfs(&parts[1], "cat /root/.ssh/authorized_keys\n");
    assert!(
        keys.ends_with(&format!(
            "\n# The following ssh key was injected by Nova\n{KEY}\n"
        )),
        "{keys}"
    );
    let metadata = tools.debugfs(&parts[1], "cat /meta.js\n");
    assert!(metadata.contains("{\"role\": \"web\"}"), "{metadata}");
}

#[test]
fn what_is_wrong_with_the_arguments_is_told_before_anything_is_opened() {
    let directory = support::with_description(&description());
    put(&directory, "a.img", vec![0; 1 << 20]);
    fail(
        &mut christen_in(&directory, "inject a.img instance.yaml"),
        2,
        "error: the format of `a.img` must be said, because it is never guessed for writing\n  \
         its first bytes look like raw\n\
         hint: if you know that it is, pass `--format raw`\n",
    );
    fail_somehow(
        &mut christen_in(&directory, "inject a.img none.yaml --format raw"),
        2,
    );
    fail_somehow(
        &mut christen_in(&directory, "inject a.img instance.yaml --format raw"),
        1,
    );
}
