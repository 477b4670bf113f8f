//! A clone made another machine by the real binary, judged by e2fsck, debugfs and ssh-keygen.

mod image_support;
mod support;

use std::process::Command;

use christen_instance::Value;
use christen_testkit::phony;
use christen_testkit::{TempDir, tools};
use image_support::{Tools, hash};
use support::{christen_in, fail_somehow, items, member, put, succeed};

const OLD: &str = "0123456789abcdef0123456789abcdef";

/// A directory with `a.img`, a machine that has run.
fn original(tools: &Tools) -> TempDir {
    let directory = TempDir::new();
    let tree = phony::debian_12()
        .file("/etc/machine-id", format!("{OLD}\n"))
        .file("/etc/hostname", "original\n")
        .file("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 original\n")
        .file("/etc/ssh/ssh_host_rsa_key", "old")
        .file("/etc/ssh/ssh_host_rsa_key.pub", "old")
        .file("/var/lib/dhcp/dhclient.eth0.leases", "lease")
        .file("/var/lib/systemd/random-seed", "seed");
    let mut tree = tree;
    tools.tree(&directory.join("a.img"), 24, &["-t", "ext4"], tree.fs());
    directory
}

#[test]
fn a_clone_becomes_another_machine() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = original(&tools);
    let image = directory.join("a.img");
    let before = hash(&image);
    let dry = "reidentify a.img --format raw --hostname clone-1 --dry-run";
    let plan = succeed(&mut christen_in(&directory, dry));
    assert!(plan.text().contains("machine-id"), "{}", plan.text());
    assert!(
        !plan.text().contains("clone-1 ssh-ed25519"),
        "{}",
        plan.text()
    );
    assert_eq!(hash(&image), before);

    let told = succeed(&mut christen_in(
        &directory,
        "reidentify a.img --format raw --hostname clone-1",
    ));
    for mark in ["machine-id", "ssh-host-keys", "leases", "random-seed"] {
        let line = format!("reidentify of `{mark}`");
        assert!(told.text().contains(&line), "{mark}: {}", told.text());
    }
    assert!(
        told.stderr.contains("is another machine: "),
        "{}",
        told.stderr
    );
    tools.check(&image);
    let id = tools.debugfs(&image, "cat /etc/machine-id\n");
    assert!(!id.contains(OLD), "{id}");
    let names = tools.debugfs(&image, "cat /etc/hostname\ncat /etc/hosts\n");
    assert!(
        names.contains("clone-1\n") && !names.contains("original"),
        "{names}"
    );
    let gone = tools.debugfs(&image, "ls -p /etc/ssh\nls -p /var/lib/dhcp\n");
    assert!(!gone.contains("rsa") && !gone.contains("leases"), "{gone}");

    // What is told is the key that is there, and ssh finds the host by it.
    let lines: Vec<_> = told.text().lines().collect();
    let known = lines.last().expect("something was told");
    let public = tools.debugfs(&image, "cat /etc/ssh/ssh_host_ed25519_key.pub\n");
    let key = known.strip_prefix("clone-1 ").expect("it is the host's");
    assert!(
        public.contains(&format!("{key} root@clone-1\n")),
        "{public}"
    );
    if let Some(keygen) = tools::require("ssh-keygen") {
        let file = put(&directory, "known_hosts", format!("{known}\n"));
        let found = tools::run(
            Command::new(&keygen)
                .args(["-F", "clone-1", "-f"])
                .arg(&file),
        );
        assert!(String::from_utf8_lossy(&found).contains(key));
        // The private half is the one of that public half.
        tools.debugfs(
            &image,
            &format!(
                "dump /etc/ssh/ssh_host_ed25519_key {}\n",
                directory.join("key").display()
            ),
        );
        tools::run(Command::new("chmod").arg("600").arg(directory.join("key")));
        let derived = tools::run(Command::new(keygen).arg("-yf").arg(directory.join("key")));
        assert!(String::from_utf8_lossy(&derived).starts_with(key));
    }
}

#[test]
fn what_is_kept_stays_and_json_tells_all() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = original(&tools);
    let image = directory.join("a.img");
    let told = succeed(&mut christen_in(
        &directory,
        "reidentify a.img --format raw --keep machine-id --keep ssh-host-keys --json",
    ));
    let json = told.json();
    assert_eq!(member(&json, "changed"), &Value::Bool(true));
    assert_eq!(member(&json, "verified"), &Value::Bool(true));
    assert!(items(member(&json, "known_hosts")).is_empty());
    let kept = tools.debugfs(
        &image,
        "cat /etc/machine-id\ncat /etc/ssh/ssh_host_rsa_key\n",
    );
    assert!(kept.contains(OLD) && kept.ends_with("old"), "{kept}");
    assert!(
        told.stderr.contains("the host name stays `original`"),
        "{}",
        told.stderr
    );
    tools.check(&image);

    let before = hash(&image);
    let refused = fail_somehow(&mut christen_in(&directory, "reidentify a.img"), 2);
    assert!(refused.stderr.contains("--format"), "{}", refused.stderr);
    let refused = fail_somehow(
        &mut christen_in(&directory, "reidentify a.img --format raw --hostname a_b/c"),
        1,
    );
    assert!(
        refused.stderr.contains("no host name"),
        "{}",
        refused.stderr
    );
    let refused = fail_somehow(
        &mut christen_in(&directory, "reidentify a.img --format raw --keep fingers"),
        2,
    );
    assert!(
        refused.stderr.contains("udev-net-rules"),
        "{}",
        refused.stderr
    );
    assert_eq!(hash(&image), before);
}
