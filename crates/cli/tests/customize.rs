//! Options with virt-customize's names, done to an image by the real binary, judged by e2fsck and debugfs.

mod image_support;
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use christen_instance::Value;
use christen_testkit::phony;
use christen_testkit::{TempDir, tools};
use image_support::{Tools, hash};
use support::{Ended, christen, fail_somehow, items, member, put, succeed};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8eE0PG2fKYQ2pcrUFMN9zqB5XqVX0VHm3dqkHxyzab mika@example";

/// A directory with `a.img`, whose account `web` has a home.
fn guest(tools: &Tools) -> TempDir {
    let directory = TempDir::new();
    let mut tree = phony::debian_12()
        .file(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nweb:x:1000:1000::/home/web:/bin/bash\n",
        )
        .file(
            "/etc/shadow",
            "root:*:19000:0:99999:7:::\nweb:$1$aa$bb:19000:0:99999:7:::\n",
        )
        .file("/home/web/.profile", "")
        .file("/etc/motd", "hello\n")
        .file("/var/log/a.log", "a")
        .file("/var/log/b.log", "b")
        .file("/var/log/.c.log", "c")
        .file("/var/log/apt/term.txt", "t")
        .file("/srv/old/x", "x")
        .file("/opt/dos", "a\r\nb");
    tools.tree(&directory.join("a.img"), 24, &["-t", "ext4"], tree.fs());
    directory
}

fn command(directory: &Path, first: &[&str], arguments: &[&str]) -> Command {
    let mut command = christen();
    command
        .current_dir(directory)
        .env("HOME", directory)
        .args(first)
        .args(arguments);
    command
}

/// `christen customize` on `a.img`.
fn customize(directory: &Path, arguments: &[&str]) -> Command {
    command(
        directory,
        &["customize", "-a", "a.img", "--format", "raw"],
        arguments,
    )
}

/// `christen inject` on `a.img`, without a description.
fn inject(directory: &Path, arguments: &[&str]) -> Command {
    command(
        directory,
        &["inject", "a.img", "--format", "raw"],
        arguments,
    )
}

/// Mode, owner, group of a file, by debugfs.
fn own(tools: &Tools, image: &Path, path: &str) -> (String, u32, u32) {
    let text = tools.stat(image, path);
    let word = |name: &str| {
        let (_, rest) = text
            .split_once(name)
            .unwrap_or_else(|| panic!("{path}: {text}"));
        rest.split_whitespace()
            .next()
            .expect("it has a value")
            .to_owned()
    };
    let number = |name: &str| word(name).parse().expect("it is a number");
    (word("Mode:"), number("User:"), number("Group:"))
}

/// The content of a file, without the command that debugfs repeats.
fn cat(tools: &Tools, image: &Path, path: &str) -> String {
    let printed = tools.debugfs(image, &format!("cat {path}\n"));
    let content = printed.split_once('\n').map(|(_, content)| content);
    content.unwrap_or_default().to_owned()
}

#[track_caller]
fn told(ended: &Ended, text: &str) {
    assert!(ended.stderr.contains(text), "{text}: {}", ended.stderr);
}

#[test]
fn files_are_changed_in_the_order_of_the_options() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = guest(&tools);
    let image = directory.join("a.img");
    let file = put(&directory, "up", "uploaded\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4750)).expect("it is ours");
    fs::create_dir_all(directory.join("tree/inner")).expect("it is ours");
    fs::set_permissions(directory.join("tree"), fs::Permissions::from_mode(0o700))
        .expect("it is ours");
    put(&directory, "tree/inner/f", "f");
    symlink("inner/f", directory.join("tree/l")).expect("it is ours");
    let options = [
        "--write",
        "/etc/motd:one: two\nthree",
        "--append-line",
        "/etc/motd:four",
        "--append-line",
        "/opt/dos:c",
        "--mkdir",
        "/srv/a/b",
        "--move",
        "/etc/motd:/srv/a",
        "--write",
        "/etc/motd:again",
        "--chmod",
        "0640:/srv/a/motd",
        "--chown",
        "33.34:/srv/a/motd",
        "--delete",
        "/var/log/{*.log,none*}",
        "--delete",
        "/srv/old",
        "--delete",
        "/not/there",
        "--link",
        "/srv/a/motd:/srv/l1:/srv/a/b",
        "--touch",
        "/srv/t",
        "--truncate",
        "/opt/dos",
        "--upload",
        "up:/var/log",
        "--upload",
        "up:/srv/named",
        "--copy-in",
        "tree:/srv",
    ];
    let ended = succeed(customize(&directory, &["-q", "--no-network", "-m", "512"]).args(options));
    told(&ended, "`a.img` is as the options say: ");
    tools.check(&image);
    assert_eq!(
        cat(&tools, &image, "/srv/a/motd"),
        "one: two\nthree\nfour\n"
    );
    assert_eq!(own(&tools, &image, "/srv/a/motd"), ("0640".into(), 33, 34));
    assert_eq!(cat(&tools, &image, "/etc/motd"), "again");
    assert_eq!(own(&tools, &image, "/srv/a/b"), ("0755".into(), 0, 0));
    let log = tools.debugfs(&image, "ls -p /var/log\nls -p /srv\n");
    assert!(!log.contains("a.log") && !log.contains("b.log/"), "{log}");
    assert!(log.contains(".c.log") && log.contains("apt"), "{log}");
    assert!(!log.contains("/old/"), "{log}");
    for link in ["/srv/l1", "/srv/a/b/motd"] {
        let stat = tools.stat(&image, link);
        assert!(stat.contains("Fast link dest: \"/srv/a/motd\""), "{stat}");
    }
    assert!(tools.stat(&image, "/srv/t").contains("Size: 0"));
    assert!(tools.stat(&image, "/opt/dos").contains("Size: 0"));
    // The owner of a file of ours is whoever runs the test.
    let owner = own_of(&file);
    for path in ["/var/log/up", "/srv/named"] {
        assert_eq!(cat(&tools, &image, path), "uploaded\n");
        assert_eq!(
            own(&tools, &image, path),
            ("04750".into(), owner.0, owner.1)
        );
    }
    assert_eq!(
        own(&tools, &image, "/srv/tree"),
        ("0700".into(), owner.0, owner.1)
    );
    assert_eq!(cat(&tools, &image, "/srv/tree/inner/f"), "f");
    assert!(
        tools
            .stat(&image, "/srv/tree/l")
            .contains("Fast link dest: \"inner/f\"")
    );
}

fn own_of(path: &Path) -> (u32, u32) {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).expect("it is ours");
    (metadata.uid(), metadata.gid())
}

#[test]
fn accounts_names_and_first_boots_are_those_of_the_options() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = guest(&tools);
    let image = directory.join("a.img");
    put(&directory, "pw", "Unspeakable1\nsecond line\n");
    fs::create_dir(directory.join(".ssh")).expect("it is ours");
    put(&directory, ".ssh/id_ed25519.pub", format!("{KEY}\n"));
    put(&directory, "hello.py", "#!/usr/bin/python3\nprint(1)\n");
    let options = [
        "--root-password",
        "file:pw",
        "--password",
        "web:locked:file:pw",
        "--ssh-inject",
        "web",
        "--hostname",
        "first.example.org",
        "--hostname",
        "web-02.example.org",
        "--timezone",
        "Europe/Berlin",
        "--firstboot-command",
        "echo one",
        "--firstboot",
        "hello.py",
        "--firstboot-command",
        "echo two",
    ];
    let ended = succeed(inject(&directory, &[]).args(options));
    assert!(!ended.text().contains("Unspeakable1") && !ended.stderr.contains("Unspeakable1"));
    told(&ended, "id_ed25519.pub");
    tools.check(&image);
    let shadow = cat(&tools, &image, "/etc/shadow");
    assert!(
        shadow.contains("root:$") && shadow.contains("\nweb:!$"),
        "{shadow}"
    );
    let keys = cat(&tools, &image, "/home/web/.ssh/authorized_keys");
    assert!(keys.ends_with(&format!("{KEY}\n")), "{keys}");
    assert_eq!(
        own(&tools, &image, "/home/web/.ssh/authorized_keys"),
        ("0600".into(), 1000, 1000)
    );
    assert_eq!(cat(&tools, &image, "/etc/hostname"), "web-02.example.org\n");
    assert!(
        tools
            .stat(&image, "/etc/localtime")
            .contains("Europe/Berlin")
    );
    let commands = cat(&tools, &image, "/var/lib/christen/first-boot/commands");
    assert_eq!(
        commands,
        "#!/bin/sh\necho one\n/var/lib/christen/first-boot/script-1\necho two\n"
    );
    let script = "/var/lib/christen/first-boot/script-1";
    assert_eq!(
        cat(&tools, &image, script),
        "#!/usr/bin/python3\nprint(1)\n"
    );
    assert_eq!(own(&tools, &image, script).0, "0700");
    // The hash is that of the first line.
    if let Some(perl) = tools::require("perl") {
        let root = shadow.lines().find_map(|it| it.strip_prefix("root:"));
        let stored = root
            .and_then(|it| it.split(':').next())
            .expect("it is there");
        let crypt = tools::run(Command::new(perl).args([
            "-e",
            "print crypt($ARGV[0], $ARGV[1])",
            "Unspeakable1",
            stored,
        ]));
        assert_eq!(String::from_utf8_lossy(&crypt), stored);
    }

    // Nothing is left to do, but for what two host names in a row want.
    let before = hash(&image);
    let again = options.iter().filter(|it| !it.starts_with("first."));
    let again: Vec<_> = again.copied().collect();
    let again: Vec<_> = [&again[..6], &again[7..]].concat();
    let ended = succeed(inject(&directory, &[]).args(again));
    told(&ended, "already");
    assert_eq!(hash(&image), before);
}

#[test]
fn what_is_drawn_is_told_once() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = guest(&tools);
    let image = directory.join("a.img");
    let options = [
        "--root-password",
        "random",
        "--password",
        "web:disabled",
        "--ssh-host-keys",
        "--hostname",
        "web-01",
        "--machine-id",
        "0123456789abcdef0123456789ABCDEF",
    ];
    let ended = succeed(customize(&directory, &options).arg("--json"));
    let json = ended.json();
    let Value::Array(passwords) = member(&json, "passwords") else {
        panic!("it is an array");
    };
    assert_eq!(passwords.len(), 1);
    let Value::String(password) = member(&passwords[0], "password") else {
        panic!("it is a text");
    };
    assert_eq!(password.len(), 20);
    assert!(!ended.stderr.contains(password.as_str()));
    let [Value::String(line)] = items(member(&json, "known_hosts")) else {
        panic!("it is one line");
    };
    let public = cat(&tools, &image, "/etc/ssh/ssh_host_ed25519_key.pub");
    let key = line.strip_prefix("web-01 ").expect("it is the host's");
    assert!(public.starts_with(key), "{public}");
    assert_eq!(
        cat(&tools, &image, "/etc/machine-id"),
        "0123456789abcdef0123456789abcdef\n"
    );
    let shadow = cat(&tools, &image, "/etc/shadow");
    assert!(shadow.contains("\nweb:*:"), "{shadow}");
    tools.check(&image);

    let ended = succeed(&mut inject(&directory, &["--root-password", "random"]));
    let lines: Vec<_> = ended.text().lines().collect();
    let last = lines.last().expect("something was told");
    let password = last
        .strip_prefix("password of `root`: ")
        .expect("it is the password");
    assert!(!ended.stderr.contains(password));
    // A dry run forgets what it has drawn, and does not tell it.
    let before = hash(&image);
    let dry = succeed(&mut inject(
        &directory,
        &["--root-password", "random", "--dry-run"],
    ));
    assert!(
        !dry.text().contains("password of `root`: "),
        "{}",
        dry.text()
    );
    assert_eq!(hash(&image), before);
}

#[test]
fn a_description_goes_before_the_options() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = guest(&tools);
    let image = directory.join("a.img");
    put(
        &directory,
        "instance.yaml",
        "name: web-01\nguest:\n  first_boot_commands: [echo zero]\n  operations: [{write: {path: /srv/f, text: a}}]\n",
    );
    let options = [
        "instance.yaml",
        "--append-line",
        "/srv/f:b",
        "--firstboot-command",
        "echo one",
    ];
    succeed(&mut inject(&directory, &options));
    assert_eq!(cat(&tools, &image, "/srv/f"), "a\nb\n");
    let commands = cat(&tools, &image, "/var/lib/christen/first-boot/commands");
    assert_eq!(commands, "#!/bin/sh\necho zero\necho one\n");
    assert_eq!(cat(&tools, &image, "/etc/hostname"), "web-01\n");
    let certificate = put(&directory, "ca", "no certificate");
    let before = hash(&image);
    for (options, message) in [
        (
            vec![
                "--ca-certificate",
                certificate.to_str().expect("it is text"),
            ],
            "certificate in PEM",
        ),
        (
            vec!["instance.yaml", "--like", "nova", "--touch", "/x"],
            "do not go together",
        ),
        (vec![], "neither a description nor an option"),
    ] {
        let ended = fail_somehow(&mut inject(&directory, &options), 2);
        told(&ended, message);
    }
    assert_eq!(hash(&image), before);
}

#[test]
fn what_is_not_done_is_refused_by_name_and_nothing_is_changed() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = guest(&tools);
    let image = directory.join("a.img");
    let before = hash(&image);
    for (options, status, message) in [
        (
            &["--touch", "/x", "--install", "vim"][..],
            2,
            "`--install` is not done",
        ),
        (&["--run-command", "id"], 2, "hint: `--firstboot`"),
        (&["--update"], 2, "`--update` is not done"),
        (&["--edit", "/etc/motd:s/a/b/"], 2, "it runs Perl"),
        (&["-d", "dom"], 2, "virsh domblklist"),
        (&["--write", "/x"], 2, "FILE:CONTENT"),
        (&["--root-password", "Unspeakable1"], 2, "the selector is"),
        (&["--root-password", "file:none"], 2, "cannot read `none`"),
        (
            &["--touch", "/x", "--truncate", "/none"],
            1,
            "cannot truncate `/none`",
        ),
        (
            &["--password", "nobody-here:random"],
            1,
            "no account `nobody-here`",
        ),
        (&["--copy-in", "a.img:/none"], 1, "no directory `/none`"),
        (&["--upload", "none:/x"], 1, "cannot read `none`"),
        (&["--upload", ".:/x"], 1, "is a directory"),
        (&["--chmod", "0644:/none"], 1, "no such file"),
    ] {
        let ended = fail_somehow(&mut customize(&directory, options), status);
        told(&ended, message);
        assert!(!ended.stderr.contains("Unspeakable1"), "{}", ended.stderr);
        assert_eq!(hash(&image), before, "{options:?}");
    }
    let no_format = ["customize", "-a", "a.img", "--touch", "/x"];
    let ended = fail_somehow(&mut command(&directory, &no_format, &[]), 2);
    told(&ended, "never guessed for writing");
    let domain = ["customize", "-d", "dom", "--touch", "/x"];
    let ended = fail_somehow(&mut command(&directory, &domain, &[]), 2);
    told(&ended, "does not ask libvirt");
    // A password in the arguments is taken, with a warning that does not repeat it.
    let ended = succeed(&mut customize(
        &directory,
        &["--root-password", "password:Unspeakable1", "-n"],
    ));
    told(&ended, "`file:FILENAME`");
    assert!(!ended.stderr.contains("Unspeakable1") && !ended.text().contains("Unspeakable1"));
    assert_eq!(hash(&image), before);
}
