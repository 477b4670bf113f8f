//! Looking into disk images that other tools made.

mod image_support;
mod support;

use std::fs;
use std::process::Command;

use christen_testkit::{TempDir, tools};
use image_support::{Tools, cut_out, disk, hash, typed_disk};
use support::{christen_in, fail, fail_somehow, items, member, run, succeed};

#[test]
fn a_guest_is_listed_printed_and_told() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.guest(&image, &["-t", "ext4", "-L", "root"]);
    let before = hash(&image);
    let text = |arguments: &str| {
        let ended = succeed(&mut christen_in(&directory, arguments));
        assert_eq!(ended.stderr, "", "{arguments}");
        ended.text().to_owned()
    };
    assert_eq!(text("ls a.img"), "etc\nlost+found\nsrv\n");
    assert_eq!(text("ls a.img /etc"), "group\nmtab\npasswd\n");
    assert_eq!(text("ls a.img /etc/group"), "group\n");
    assert_eq!(text("cat a.img /etc/group"), "root:x:0:\nadm:x:4:\n");
    assert_eq!(
        text("tree a.img /etc"),
        "/etc/\n  group\n  mtab -> ../proc/mounts\n  passwd\n"
    );
    assert_eq!(
        text("tree a.img --depth 1"),
        "/\n  etc/\n  lost+found/\n  srv/\n"
    );
    let long = text("ls -l a.img /etc");
    let links: Vec<_> = long.lines().filter(|line| line.starts_with('l')).collect();
    assert_eq!(links.len(), 1, "{long}");
    assert!(links[0].ends_with(" mtab -> ../proc/mounts"), "{long}");
    let stat = text("stat a.img /etc/group");
    assert!(stat.contains("size                  19 bytes\n"), "{stat}");
    for command in [
        "ls a.img /etc --json",
        "tree a.img --json",
        "stat a.img /etc/mtab --json",
        "inspect a.img --json",
        "xattr list a.img /etc --json",
    ] {
        let ended = succeed(&mut christen_in(&directory, command));
        ended.json();
        assert_eq!(ended.text().lines().count(), 1, "{command}");
    }
    fail(
        &mut christen_in(&directory, "cat a.img /etc/none"),
        1,
        "error: cannot read `/etc/none` in whole disk (ext4) of `a.img`\n  no such file or directory\n",
    );
    fail(
        &mut christen_in(&directory, "cat a.img /etc"),
        1,
        "error: cannot read `/etc` in whole disk (ext4) of `a.img`\n  is a directory\n",
    );
    fail_somehow(&mut christen_in(&directory, "cat a.img etc/group"), 2);
    fail_somehow(&mut christen_in(&directory, "ls none.img"), 2);
    assert_eq!(hash(&image), before);
}

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
fn of_several_volumes_one_must_be_said() {
    let (Some(tools), Some(sfdisk)) = (Tools::require(), tools::require("sfdisk")) else {
        return;
    };
    let directory = TempDir::new();
    let (boot, root) = (directory.join("boot"), directory.join("root"));
    tools.filesystem(&boot, 8, &["-t", "ext2", "-L", "boot"]);
    tools.guest(&root, &["-t", "ext4", "-L", "root"]);
    for label in ["dos", "gpt"] {
        disk(&directory.join("disk.img"), &sfdisk, &[&boot, &root], label);
        let ended = fail_somehow(&mut christen_in(&directory, "ls disk.img"), 2);
        let told = ended.stderr;
        assert!(
            told.starts_with("error: `disk.img` has more than one volume: say which\n  partition 1: ext2, 8.0 MiB, label `boot`, UUID "),
            "{told}"
        );
        assert!(
            told.ends_with("hint: say `--partition 1` or `--partition 2`\n"),
            "{told}"
        );
        for option in ["--partition 2", "--volume root"] {
            let ended = succeed(&mut christen_in(
                &directory,
                &format!("ls disk.img {option}"),
            ));
            assert_eq!(ended.text(), "etc\nlost+found\nsrv\n");
        }
        fail_somehow(&mut christen_in(&directory, "ls disk.img --partition 3"), 2);
        fail_somehow(&mut christen_in(&directory, "ls disk.img --volume none"), 2);
        fail_somehow(&mut christen_in(&directory, "ls disk.img --lv a/b"), 2);
        let json = succeed(&mut christen_in(&directory, "inspect disk.img --json")).json();
        assert_eq!(items(member(&json, "volumes")).len(), 2);
        let shown = succeed(&mut christen_in(&directory, "inspect disk.img"));
        assert!(shown.text().contains("\npartition 2\n"), "{}", shown.text());
    }
}

#[test]
fn of_a_cloud_image_the_root_is_meant() {
    let (Some(tools), Some(sfdisk), Some(mkfs)) = (
        Tools::require(),
        tools::require("sfdisk"),
        tools::require("mkfs.vfat"),
    ) else {
        return;
    };
    let directory = TempDir::new();
    let [efi, boot, root, data] = ["efi", "boot", "root", "data"].map(|it| directory.join(it));
    fs::write(&efi, vec![0; 4 << 20]).expect("the directory is ours");
    tools::run(Command::new(mkfs).arg(&efi));
    tools.filesystem(&boot, 8, &["-t", "ext4", "-L", "boot"]);
    tools.guest(&root, &["-t", "ext4", "-L", "root"]);
    let mark = support::put(&directory, "mark", "ID=x\n");
    tools.debugfs(
        &root,
        &format!(
            "mkdir usr\nmkdir usr/lib\nwrite {} usr/lib/os-release\n",
            mark.display()
        ),
    );
    tools.filesystem(&data, 8, &["-t", "ext4"]);
    let image = directory.join("disk.img");
    for (label, efi_type) in [("gpt", "U"), ("dos", "ef")] {
        // No doubt: what a machine starts from is left out.
        typed_disk(&image, &sfdisk, &[(&efi, efi_type), (&boot, "L")], label);
        let ended = succeed(&mut christen_in(&directory, "ls disk.img"));
        assert_eq!(
            (ended.text(), &*ended.stderr),
            (
                "lost+found\n",
                "note: partition 2 (ext4) of `disk.img` is meant: partition 1 is the EFI system partition\n"
            )
        );
        // It is there for who says so.
        let efi_option = "ls disk.img --partition 1";
        let ended = succeed(&mut christen_in(&directory, efi_option));
        assert_eq!((ended.text(), &*ended.stderr), ("", ""));
        typed_disk(&image, &sfdisk, &[(&efi, efi_type)], label);
        let ended = succeed(&mut christen_in(&directory, "ls disk.img"));
        assert_eq!((ended.text(), &*ended.stderr), ("", ""));

        // The root is known by its files.
        let parts = [(&*efi, efi_type), (&boot, "L"), (&root, "L"), (&data, "L")];
        typed_disk(&image, &sfdisk, &parts, label);
        let told = "note: partition 3 (ext4) of `disk.img` is meant: no other has `/etc/os-release` or the like, \
                    and it has `/usr/lib/os-release`\n";
        let ended = succeed(&mut christen_in(&directory, "ls disk.img"));
        assert_eq!(
            (ended.text(), &*ended.stderr),
            ("etc\nlost+found\nsrv\nusr\n", told)
        );
        let dry = "put --format raw disk.img mark /srv/mark --dry-run";
        let ended = succeed(&mut christen_in(&directory, dry));
        assert!(
            ended.text().contains("+ /srv/mark file"),
            "{}",
            ended.text()
        );
        assert_eq!(
            ended.stderr.matches("is meant").count(),
            1,
            "{}",
            ended.stderr
        );
        let put = "put --format raw disk.img mark /srv/mark";
        let ended = succeed(&mut christen_in(&directory, put));
        assert!(ended.stderr.starts_with(told), "{}", ended.stderr);
        let changed = directory.join("changed");
        cut_out(&image, (1 + 4 + 8) << 20, 16 << 20, &changed);
        tools.check(&changed);
        let printed = tools.debugfs(&changed, "cat /srv/mark\n");
        assert_eq!(printed.lines().last(), Some("ID=x"));

        // Two roots: nothing is guessed.
        typed_disk(
            &image,
            &sfdisk,
            &[(&efi, efi_type), (&root, "L"), (&root, "L")],
            label,
        );
        let before = hash(&image);
        let ended = fail_somehow(&mut christen_in(&directory, put), 2);
        assert!(
            ended
                .stderr
                .starts_with("error: `disk.img` has more than one volume: say which\n"),
            "{}",
            ended.stderr
        );
        assert!(
            ended
                .stderr
                .contains(": vfat, 4.0 MiB, EFI system partition, UUID "),
            "{}",
            ended.stderr
        );
        assert_eq!(hash(&image), before);
    }
}

#[test]
fn what_a_partition_is_reserved_for_is_said() {
    let (Some(tools), Some(sfdisk)) = (Tools::require(), tools::require("sfdisk")) else {
        return;
    };
    let directory = TempDir::new();
    let (small, root) = (directory.join("small"), directory.join("root"));
    tools.filesystem(&small, 1, &["-t", "ext2"]);
    tools.guest(&root, &["-t", "ext4"]);
    let image = directory.join("disk.img");
    // What sfdisk calls the types in its own list.
    let known = |label: &str| {
        let printed = tools::output(&sfdisk, ["-T", "--label", label]);
        String::from_utf8(printed).expect("UTF-8").to_lowercase()
    };
    let types = [
        (
            "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
            "efi system",
            "ef",
            "efi-system",
        ),
        (
            "21686148-6449-6E6F-744E-656564454649",
            "bios boot",
            "",
            "bios-boot",
        ),
        (
            "9E1A2D38-C612-4316-AA26-8B49521E5A8B",
            "powerpc prep boot",
            "41",
            "prep-boot",
        ),
        (
            "BC13C2FF-59E6-4262-A352-B275FD6F7172",
            "linux extended boot",
            "ea",
            "extended-boot",
        ),
        (
            "E3C9E316-0B5C-4DB8-817D-F92DF00215AE",
            "microsoft reserved",
            "",
            "microsoft-reserved",
        ),
        (
            "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC",
            "windows recovery environment",
            "27",
            "windows-recovery",
        ),
        (
            "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
            "linux swap",
            "82",
            "swap",
        ),
    ];
    let (gpt, dos) = (known("gpt"), known("dos"));
    for (guid, name, byte, key) in types {
        assert!(
            gpt.contains(&format!("{}  {name}", guid.to_lowercase())),
            "{name}"
        );
        assert!(
            byte.is_empty() || dos.contains(&format!("\n{byte}  ")),
            "{byte}"
        );
        for (label, partition_type) in [("gpt", guid), ("dos", byte)] {
            if partition_type.is_empty() {
                continue;
            }
            let parts = [(&*small, partition_type), (&*root, "L")];
            typed_disk(&image, &sfdisk, &parts, label);
            let json = succeed(&mut christen_in(&directory, "inspect disk.img --json")).json();
            let volumes = items(member(&json, "volumes"));
            assert_eq!(member(&volumes[0], "reserved").as_str(), Some(key));
            assert_eq!(member(&volumes[1], "reserved").as_str(), None);
            // It is left out where no volume is named.
            let ended = succeed(&mut christen_in(&directory, "ls disk.img"));
            assert_eq!(ended.text(), "etc\nlost+found\nsrv\n", "{name}");
            assert!(
                ended.stderr.starts_with(
                    "note: partition 2 (ext4) of `disk.img` is meant: partition 1 is the "
                ),
                "{}",
                ended.stderr
            );
        }
    }
    typed_disk(&image, &sfdisk, &[(&small, "U"), (&root, "L")], "gpt");
    let shown = succeed(&mut christen_in(&directory, "inspect disk.img"));
    let line = "\n  reserved           EFI system partition: the firmware starts the boot loader from it\n";
    assert!(shown.text().contains(line), "{}", shown.text());
    assert_eq!(shown.text().matches("  reserved  ").count(), 1);
}

#[test]
fn what_only_libguestfs_reads_is_said_with_the_way() {
    let (Some(mkfs), Some(_)) = (tools::require("mkfs.xfs"), Tools::require()) else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    let file = fs::File::create(&image).expect("the directory is ours");
    file.set_len(512 << 20).expect("it is ours");
    tools::run(Command::new(mkfs).arg("-q").arg(&image));
    for (command, what) in [
        ("ls a.img", "cannot read whole disk (xfs) of `a.img`\n"),
        (
            "rm --format raw a.img /f",
            "cannot change `a.img`: the image was not changed\n  whole disk (xfs)\n",
        ),
    ] {
        fail(
            &mut christen_in(&directory, command),
            1,
            &format!(
                "error: {what}  christen itself does not read xfs\n\
                 hint: `--backend guestfs` reads and writes it with libguestfs, where that is installed\n"
            ),
        );
    }
    fail_somehow(&mut christen_in(&directory, "ls a.img --subvolume a"), 2);
    // Where it is not installed, that is said too.
    let mut command = christen_in(&directory, "ls a.img --backend auto");
    fail(
        command.env("PATH", &*directory),
        1,
        "note: whole disk (xfs) of `a.img` is opened with libguestfs: christen itself does not read xfs\n\
         error: cannot read whole disk (xfs) of `a.img`\n  \
         libguestfs cannot open it\n  \
         cannot start `guestfish`\n  \
         No such file or directory (os error 2)\n\
         hint: install `guestfish`, which is in the package `guestfish`, `libguestfs-tools` or `guestfs-tools`\n",
    );
}

#[test]
fn names_cannot_play_with_a_terminal() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.filesystem(&image, 16, &["-t", "ext4"]);
    tools.debugfs(
        &image,
        "symlink link \u{1b}[2Jtarget\nmkdir \u{1b}[31mred\n",
    );
    for command in ["ls a.img", "ls -l a.img", "tree a.img", "stat a.img /link"] {
        let ended = succeed(&mut christen_in(&directory, command));
        assert!(!ended.text().contains('\u{1b}'), "{command}");
        assert!(ended.text().contains("\\u{1b}["), "{command}");
    }
    let json = succeed(&mut christen_in(&directory, "ls a.img --json")).json();
    let names: Vec<_> = items(&json)
        .iter()
        .map(|it| member(it, "name").as_str())
        .collect();
    assert!(names.contains(&Some("\u{1b}[31mred")), "{names:?}");
}

#[test]
fn two_images_are_compared() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let (a, b) = (directory.join("a.img"), directory.join("b.img"));
    tools.guest(&a, &["-t", "ext4"]);
    fs::copy(&a, &b).expect("the directory is ours");
    let same = run(&mut christen_in(&directory, "diff a.img b.img"));
    assert_eq!((same.status, same.text(), &*same.stderr), (0, "", ""));
    let other = support::put(&directory, "other", "root:x:0:\n");
    tools.debugfs(
        &b,
        &format!(
            "rm etc/group\nwrite {} etc/group\nrm etc/mtab\nmkdir new\nset_inode_field etc/passwd mode 0100600\n",
            other.display()
        ),
    );
    let differ = run(&mut christen_in(&directory, "diff a.img b.img"));
    assert_eq!(
        (differ.status, differ.text()),
        (
            1,
            "~ /etc/group size 19 → 10, content\n\
             - /etc/mtab link 0777 0:0 -> ../proc/mounts\n\
             ~ /etc/passwd permissions 0644 → 0600\n\
             + /new directory 0755 0:0\n"
        )
    );
    let json = run(&mut christen_in(&directory, "diff a.img b.img --json"));
    assert_eq!((json.status, items(&json.json()).len()), (1, 4));
    fail_somehow(&mut christen_in(&directory, "diff a.img none.img"), 2);
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
