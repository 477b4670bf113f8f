//! Changing disk images, judged by e2fsck and debugfs.

mod image_support;
mod support;

use std::fs;
use std::process::Command;

use christen_instance::Value;
use christen_testkit::{TempDir, tools};
use image_support::{Tools, cut_out, disk, hash};
use support::{christen, christen_in, fail, fail_somehow, items, member, names, put, run, succeed};

const TIME: &str = "2026-01-15T12:00:00Z";

#[test]
fn each_command_does_what_it_says() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    put(&directory, "content", "hello\n");
    for kind in ["ext2", "ext3", "ext4"] {
        tools.guest(&image, &["-t", kind]);
        for arguments in [
            "put a.img content /srv/file",
            "put a.img content /srv/second --mode 4750 --owner web:adm",
            "mkdir a.img /srv/a/b /srv/c --parents --mode 0700 --owner 5:6",
            "chmod a.img 0600 /srv/file",
            "chown a.img :adm /srv/file",
            "ln a.img /srv/file /srv/hard",
            "ln a.img -s file /srv/soft",
            "mv a.img /srv/c /srv/moved",
            "xattr set a.img /srv/file user.note hi",
            "xattr set a.img /srv/file user.bytes 00ff --hex",
            "xattr set a.img /srv/file user.gone x",
            "xattr remove a.img /srv/file user.gone",
            "put a.img content /srv/a/gone",
            "rm a.img /srv/a --recursive",
            "rm a.img /srv/none --force",
        ] {
            let arguments = format!("{arguments} --format raw --time {TIME}");
            let ended = succeed(&mut christen_in(&directory, &arguments));
            assert_eq!(ended.text(), "", "{arguments}");
            assert!(
                ended.stderr.starts_with("note: "),
                "{arguments}: {}",
                ended.stderr
            );
            tools.check(&image);
            // Neither the redo file nor anything else stays.
            assert_eq!(names(&directory), ["a.img", "content"], "{arguments}");
        }
        assert_eq!(
            tools.debugfs(&image, "cat /srv/file\n").lines().last(),
            Some("hello")
        );
        let second = tools.stat(&image, "/srv/second");
        assert!(second.contains("Mode:  04750"), "{second}");
        assert!(second.contains("User:    33   Group:     4"), "{second}");
        let file = tools.stat(&image, "/srv/file");
        assert!(file.contains("Mode:  0600"), "{file}");
        assert!(file.contains("Group:     4"), "{file}");
        assert!(file.contains("Links: 2"), "{file}");
        let moved = tools.stat(&image, "/srv/moved");
        assert!(moved.contains("Type: directory    Mode:  0700"), "{moved}");
        let get = |name: &str| {
            let arguments = format!("xattr get a.img /srv/file {name}");
            succeed(&mut christen_in(&directory, &arguments)).stdout
        };
        assert_eq!(get("user.note"), b"hi");
        assert_eq!(get("user.bytes"), [0, 255]);
        fail_somehow(
            &mut christen_in(&directory, "xattr get a.img /srv/file user.gone"),
            1,
        );
        let list = succeed(&mut christen_in(&directory, "ls a.img /srv"));
        assert_eq!(list.text(), "file\nhard\nmoved\nsecond\nsoft\n");
    }
}

#[test]
fn a_script_is_done_whole() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.guest(&image, &["-t", "ext4"]);
    put(&directory, "site.conf", "listen 80;\n");
    put(
        &directory,
        "script",
        "mkdir -p -m 0750 -o web:adm /srv/www\n\
         put -m 0640 site.conf /srv/www/site.conf\n\
         append /etc/group <<END\n\
         web:x:44:\n\
         END\n\
         write /etc/motd \"hello\\n\"\n\
         chown :web /etc/motd\n\
         truncate /srv/hole 1M\n"
            .replace("truncate", "touch /srv/hole\ntruncate")
            .as_str(),
    );
    let before = hash(&image);
    let dry = succeed(&mut christen_in(
        &directory,
        &format!("edit a.img script --format raw --time {TIME} --dry-run"),
    ));
    assert_eq!(hash(&image), before);
    assert_eq!(names(&directory), ["a.img", "script", "site.conf"]);
    let (files, ranges): (Vec<_>, Vec<_>) =
        dry.text().lines().partition(|line| !line.starts_with("@ "));
    assert!(files[2].starts_with("~ /srv modified "), "{files:?}");
    assert_eq!(
        [&files[1..2], &files[3..]].concat(),
        [
            "+ /etc/motd file 0644 0:44 6 bytes",
            "+ /srv/hole file 0644 0:0 1048576 bytes",
            "+ /srv/www directory 0750 33:4",
            "+ /srv/www/site.conf file 0640 0:0 11 bytes",
        ]
    );
    assert!(
        files[0].starts_with("~ /etc/group size 19 → 29, content"),
        "{files:?}"
    );
    assert!(!ranges.is_empty());

    let json = succeed(&mut christen_in(
        &directory,
        &format!("edit a.img script --format raw --time {TIME} --json"),
    ));
    assert_eq!(json.stderr, "");
    let json = json.json();
    assert_eq!(*member(&json, "operations"), Value::from(7));
    // The ranges that were shown are those that were written.
    assert_eq!(*member(&json, "ranges"), Value::from(ranges.len() as i64));
    tools.check(&image);
    let printed = tools.debugfs(&image, "cat /etc/group\n");
    assert!(
        printed.ends_with("root:x:0:\nadm:x:4:\nweb:x:44:\n"),
        "{printed}"
    );
}

#[test]
fn what_is_refused_leaves_the_image_byte_for_byte() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.guest(&image, &["-t", "ext4"]);
    let before = hash(&image);
    put(&directory, "content", "x");
    let refused = |arguments: &str, status, message: &str| {
        fail(&mut christen_in(&directory, arguments), status, message);
        assert_eq!(hash(&image), before, "{arguments}");
        assert!(names(&directory).len() <= 3, "{arguments}");
    };
    refused(
        "put a.img content /x",
        2,
        "error: the format of `a.img` must be said, because it is never guessed for writing\n  \
         its first bytes look like raw\n\
         hint: if you know that it is, pass `--format raw`\n",
    );
    refused(
        "mkdir a.img /a/b --format raw",
        1,
        "error: cannot change `a.img`: the image was not changed\n  \
         whole disk (ext4): `mkdir /a/b`\n  \
         no such file or directory\n\
         hint: `mkdir -p` makes what is missing above it too\n",
    );
    put(&directory, "script", "mkdir /fine\nwrite /etc 'hunter2'\n");
    refused(
        "edit a.img script --format raw",
        1,
        "error: cannot change `a.img`: the image was not changed\n  \
         whole disk (ext4): line 2: `write /etc`\n  \
         is a directory\n\
         hint: give the name of the file in the directory too\n",
    );
    put(
        &directory,
        "script",
        "mkdri /x\nput none /x\nput . /y\nwrite /x 'a\n",
    );
    refused(
        "edit a.img script --format raw",
        2,
        "error: `mkdri` is not an operation\n --> script:1:1\nhint: did you mean `mkdir`?\n\n\
         error: cannot put `none`: No such file or directory (os error 2)\n --> script:2:1\n\n\
         error: cannot put `.`: it is not a regular file\n --> script:3:1\n\n\
         error: the closing quote is missing\n --> script:4:10\n\
         hint: quotes end on the line on which they begin; `\\n` in `\"…\"` is a new line\n\n\
         error: `script` has 4 mistakes\n",
    );
    refused(
        "put a.img none /x --format raw",
        2,
        "error: cannot put `none`\n  No such file or directory (os error 2)\n",
    );
    refused(
        "put a.img content /x --format raw --owner nobody",
        1,
        "error: cannot change `a.img`: the image was not changed\n  \
         whole disk (ext4): `put /x`\n  \
         the guest's `/etc/passwd` has no `nobody`\n\
         hint: give the number instead of the name\n",
    );
    for arguments in [
        "rm a.img / -r --format raw",
        "chmod a.img 0999 /etc --format raw",
        "xattr set a.img /etc note x --format raw",
        "put a.img content /x --format raw --partition 1",
        "put a.img content /x --format qcow2",
    ] {
        let ended = run(&mut christen_in(&directory, arguments));
        assert!(
            matches!(ended.status, 1 | 2),
            "{arguments}: {}",
            ended.stderr
        );
        assert_eq!(hash(&image), before, "{arguments}");
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_is_written() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.guest(&image, &["-t", "ext4"]);
    put(&directory, "large", vec![7; 20 << 20]);
    let before = hash(&image);
    let ended = fail_somehow(
        &mut christen_in(&directory, "put a.img large /large --format raw"),
        1,
    );
    assert!(
        ended.stderr.contains("no space is left in the filesystem"),
        "{}",
        ended.stderr
    );
    assert_eq!(hash(&image), before);
    assert_eq!(names(&directory), ["a.img", "large"]);
}

#[test]
fn partitions_and_qcow2_are_changed_too() {
    let (Some(tools), Some(sfdisk), Some(qemu_img)) = (
        Tools::require(),
        tools::require("sfdisk"),
        tools::require("qemu-img"),
    ) else {
        return;
    };
    let directory = TempDir::new();
    let (boot, root) = (directory.join("boot"), directory.join("root"));
    tools.filesystem(&boot, 8, &["-t", "ext2"]);
    tools.guest(&root, &["-t", "ext4"]);
    let raw = directory.join("disk.raw");
    disk(&raw, &sfdisk, &[&boot, &root], "gpt");
    put(&directory, "content", "x".repeat(100_000));
    tools::run(
        Command::new(&qemu_img)
            .args(["convert", "-f", "raw", "-O", "qcow2"])
            .args([&raw, &directory.join("disk.qcow2")]),
    );
    for format in ["raw", "qcow2"] {
        let arguments = format!(
            "put disk.{format} content /srv/x --format {format} --partition 2 --time {TIME}"
        );
        succeed(&mut christen_in(&directory, &arguments));
        let back = succeed(&mut christen_in(
            &directory,
            &format!("cat disk.{format} /srv/x --partition 2"),
        ));
        assert_eq!(back.stdout.len(), 100_000);
    }
    tools::run(
        Command::new(&qemu_img)
            .args(["check", "-f", "qcow2"])
            .arg(directory.join("disk.qcow2")),
    );
    tools::run(
        Command::new(&qemu_img)
            .args(["compare", "-f", "raw", "-F", "qcow2"])
            .args([&raw, &directory.join("disk.qcow2")]),
    );
    let part = directory.join("part");
    cut_out(&raw, 9 << 20, 16 << 20, &part);
    tools.check(&part);
    let differ = run(&mut christen_in(
        &directory,
        "diff disk.raw disk.qcow2 --partition 2 --times",
    ));
    assert_eq!((differ.status, differ.text()), (0, ""));
}

#[test]
fn the_result_can_be_a_new_image() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.guest(&image, &["-t", "ext4"]);
    let before = hash(&image);
    succeed(&mut christen_in(
        &directory,
        "mkdir a.img /new --format raw --output b.img",
    ));
    assert_eq!(hash(&image), before);
    tools.check(&directory.join("b.img"));
    let differ = run(&mut christen_in(&directory, "diff a.img b.img"));
    assert_eq!(
        (differ.status, differ.text()),
        (1, "+ /new directory 0755 0:0\n")
    );
    // Nothing is replaced.
    fail_somehow(
        &mut christen_in(&directory, "mkdir a.img /new --format raw --output b.img"),
        1,
    );
}

#[test]
fn an_image_in_use_is_refused() {
    let (Some(tools), Some(qemu_io)) = (Tools::require(), tools::require("qemu-io")) else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.guest(&image, &["-t", "ext4"]);
    let before = hash(&image);
    // Waits for a command, with the image open for writing.
    let mut child = Command::new(qemu_io)
        .args(["-f", "raw"])
        .arg(&image)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("qemu-io starts");
    // It prompts when the image is open.
    let mut prompt = [0; 8];
    let stdout = child.stdout.as_mut().expect("it is a pipe");
    std::io::Read::read_exact(stdout, &mut prompt).expect("it prompts");
    let ended = fail_somehow(
        &mut christen_in(&directory, "mkdir a.img /new --format raw"),
        1,
    );
    // Nor is it read, while it may change.
    fail_somehow(&mut christen_in(&directory, "ls a.img"), 1);
    drop(child.stdin.take());
    child.wait().expect("it is ours");
    assert!(
        ended
            .stderr
            .ends_with("hint: shut the guest down, or whatever has the image open\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(hash(&image), before);
    succeed(&mut christen_in(
        &directory,
        "mkdir a.img /new --format raw",
    ));
}

#[test]
fn a_journal_that_was_not_written_back_is_refused_or_replayed() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.guest(&image, &["-t", "ext4"]);
    // debugfs writes a transaction that frees nothing and changes nothing, and leaves the flag.
    tools.debugfs(&image, "jo -c\njw -b 1000 /dev/zero\njc\n");
    let before = hash(&image);
    let inspected = succeed(&mut christen_in(&directory, "inspect a.img --json")).json();
    let filesystem = member(&items(member(&inspected, "volumes"))[0], "filesystem");
    if member(filesystem, "state").as_str() != Some("needs-recovery") {
        tools::skip("this debugfs writes no journal");
        return;
    }
    let ended = fail_somehow(
        &mut christen_in(&directory, "mkdir a.img /new --format raw"),
        1,
    );
    assert!(
        ended.stderr.ends_with(
            "hint: boot the guest and shut it down cleanly, or pass `--replay-journal`\n"
        ),
        "{}",
        ended.stderr
    );
    let listed = succeed(&mut christen_in(&directory, "ls a.img"));
    assert!(listed.stderr.starts_with("warning: "), "{}", listed.stderr);
    let replayed = succeed(&mut christen_in(&directory, "ls a.img --replay-journal"));
    assert_eq!(replayed.stderr, "");
    assert_eq!(hash(&image), before);
    succeed(&mut christen_in(
        &directory,
        "mkdir a.img /new --format raw --replay-journal",
    ));
    tools.check(&image);
}

#[test]
fn the_same_change_gives_the_same_bytes() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.guest(&image, &["-t", "ext4"]);
    fs::copy(&image, directory.join("b.img")).expect("the directory is ours");
    for name in ["a.img", "b.img"] {
        let arguments = format!("mkdir {name} /a /b/c --parents --format raw");
        succeed(christen_in(&directory, &arguments).env("SOURCE_DATE_EPOCH", "1768478400"));
    }
    assert_eq!(hash(&image), hash(&directory.join("b.img")));
}

#[test]
fn standard_input_is_a_script_or_a_content() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.guest(&image, &["-t", "ext4"]);
    let script = put(&directory, "script", "write /one 1\n");
    for arguments in ["edit a.img - --format raw", "put a.img - /two --format raw"] {
        let mut command = christen();
        command
            .current_dir(&*directory)
            .args(arguments.split(' '))
            .stdin(fs::File::open(&script).expect("it is there"));
        succeed(&mut command);
    }
    let one = succeed(&mut christen_in(&directory, "cat a.img /one"));
    let two = succeed(&mut christen_in(&directory, "cat a.img /two"));
    assert_eq!((one.text(), two.text()), ("1", "write /one 1\n"));
    tools.check(&image);
}

#[test]
fn recover_without_a_cut_commit_says_so() {
    let directory = TempDir::new();
    put(&directory, "a.img", vec![0; 1 << 20]);
    let ended = succeed(&mut christen_in(&directory, "recover a.img"));
    assert_eq!(
        (ended.text(), &*ended.stderr),
        (
            "",
            "note: no commit to `a.img` was cut; there is nothing to do\n"
        )
    );
    let json = succeed(&mut christen_in(&directory, "recover a.img --json")).json();
    assert_eq!(member(&json, "recovered").as_str(), Some("nothing"));
    fail_somehow(&mut christen_in(&directory, "recover none.img"), 2);
}

#[test]
fn a_fat_volume_is_changed_too() {
    let (Some(mkfs), Some(fsck)) = (tools::require("mkfs.vfat"), tools::require("fsck.vfat"))
    else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    put(&directory, "a.img", vec![0; 4 << 20]);
    tools::run(Command::new(mkfs).args(["-n", "CIDATA"]).arg(&image));
    put(
        &directory,
        "script",
        "write /meta-data \"instance-id: i-1\\n\"\nmkdir /EFI\nwrite /EFI/a.efi x\nmv /EFI/a.efi /EFI/b.efi\n",
    );
    succeed(&mut christen_in(
        &directory,
        "edit a.img script --format raw",
    ));
    tools::run(Command::new(fsck).arg("-n").arg(&image));
    let tree = succeed(&mut christen_in(&directory, "tree a.img --volume CIDATA"));
    assert_eq!(tree.text(), "/\n  EFI/\n    b.efi\n  meta-data\n");
    succeed(&mut christen_in(&directory, "inspect a.img"));
    let before = hash(&image);
    for arguments in [
        "chown a.img 5 /meta-data --format raw",
        "ln a.img -s x /link --format raw",
        "xattr set a.img /meta-data user.x y --format raw",
    ] {
        let ended = fail_somehow(&mut christen_in(&directory, arguments), 1);
        assert!(
            ended.stderr.contains("cannot be done in this filesystem"),
            "{arguments}: {}",
            ended.stderr
        );
        assert_eq!(hash(&image), before, "{arguments}");
    }
}

#[test]
fn a_backing_file_is_opened_with_permission_only() {
    let (Some(tools), Some(qemu_img)) = (Tools::require(), tools::require("qemu-img")) else {
        return;
    };
    let directory = TempDir::new();
    let base = directory.join("base.img");
    tools.guest(&base, &["-t", "ext4"]);
    let before = hash(&base);
    tools::run(Command::new(&qemu_img).current_dir(&*directory).args([
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        "base.img",
        "-F",
        "raw",
        "top.qcow2",
    ]));
    let ended = fail_somehow(&mut christen_in(&directory, "ls top.qcow2"), 1);
    assert!(ended.stderr.contains("--allow-backing"), "{}", ended.stderr);
    let change = "mkdir top.qcow2 /new --format qcow2 --allow-backing .";
    succeed(&mut christen_in(&directory, change));
    let listed = succeed(&mut christen_in(
        &directory,
        "ls top.qcow2 --allow-backing .",
    ));
    assert_eq!(listed.text(), "etc\nlost+found\nnew\nsrv\n");
    assert_eq!(hash(&base), before);
    let inspect = "inspect top.qcow2 --allow-backing .";
    let shown = succeed(&mut christen_in(&directory, inspect));
    for line in [
        "format               qcow2, told by its first bytes",
        "qcow2 version        3",
        "backing file         base.img (raw)",
    ] {
        assert!(
            shown.text().lines().any(|it| it == line),
            "{line}\n{}",
            shown.text()
        );
    }
    let json = succeed(&mut christen_in(&directory, &format!("{inspect} --json"))).json();
    let file = &items(member(&json, "files"))[0];
    let name = member(member(file, "qcow2"), "backing_file");
    assert_eq!(name.as_str(), Some("base.img"));
    tools::run(Command::new(&qemu_img).current_dir(&*directory).args([
        "convert",
        "-O",
        "raw",
        "top.qcow2",
        "whole.img",
    ]));
    tools.check(&directory.join("whole.img"));
    // An overlay of ours is one of QEMU's too.
    succeed(&mut christen_in(
        &directory,
        "mkdir base.img /other --format raw --output over.qcow2 --output-kind overlay",
    ));
    assert_eq!(hash(&base), before);
    tools::run(
        Command::new(&qemu_img)
            .current_dir(&*directory)
            .args(["check", "over.qcow2"]),
    );
}

#[test]
fn damage_is_told_by_check() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.guest(&image, &["-t", "ext4"]);
    let clean = run(&mut christen_in(&directory, "check a.img"));
    assert_eq!((clean.status, clean.text()), (0, ""), "{}", clean.stderr);
    assert!(
        clean
            .stderr
            .starts_with("note: whole disk (ext4) of `a.img`: nothing is wrong with "),
        "{}",
        clean.stderr
    );
    tools.debugfs(&image, "set_inode_field etc/group links_count 7\n");
    let damaged = run(&mut christen_in(&directory, "check a.img"));
    assert_eq!(damaged.status, 1, "{}", damaged.stderr);
    assert!(damaged.text().contains("link"), "{}", damaged.text());
    let json = run(&mut christen_in(&directory, "check a.img --json"));
    assert_eq!(*member(&json.json(), "clean"), false.into());
    assert_eq!(json.status, 1);
    fail_somehow(&mut christen_in(&directory, "check none.img"), 2);
}

#[test]
fn an_nbd_export_is_changed_with_a_directory_for_the_redo_file() {
    let (Some(tools), Some(qemu_nbd)) = (Tools::require(), tools::require("qemu-nbd")) else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.guest(&image, &["-t", "ext4"]);
    let socket = directory.join("socket");
    let mut server = Command::new(qemu_nbd)
        .args(["-f", "raw", "-t", "-k"])
        .args([&socket, &image])
        .spawn()
        .expect("qemu-nbd starts");
    for _ in 0..500 {
        if socket.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let uri = format!("nbd+unix:///?socket={}", socket.display());
    let mkdir = format!("mkdir {uri} /new --format raw");
    let without = run(&mut christen_in(&directory, &mkdir));
    let with = run(&mut christen_in(
        &directory,
        &format!("{mkdir} --redo-dir ."),
    ));
    let listed = run(&mut christen_in(&directory, &format!("ls {uri}")));
    server.kill().expect("it is ours");
    server.wait().expect("it is ours");
    assert_eq!(without.status, 1, "{}", without.stderr);
    assert!(
        without.stderr.contains("hint: pass `--redo-dir DIR`"),
        "{}",
        without.stderr
    );
    assert_eq!(with.status, 0, "{}", with.stderr);
    assert_eq!(
        listed.text(),
        "etc\nlost+found\nnew\nsrv\n",
        "{}",
        listed.stderr
    );
    tools.check(&image);
}
