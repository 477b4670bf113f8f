//! Identities put into guests through libguestfs: where a volume is of another kind, and where all goes through it.
//!
//! Ignored in ordinary runs since each appliance takes ten seconds and more: `cargo xtask guest-check` runs it.

mod image_support;
mod support;

use std::fs::{self, File};
use std::process::Command;
use std::time::Duration;

use christen_testkit::{phony, tools};
use image_support::{Tools, cut_out, disk};
use support::{put, succeed};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8eE0PG2fKYQ2pcrUFMN9zqB5XqVX0VHm3dqkHxyzab mika@example";

fn description() -> String {
    format!(
        "name: web-01\nguest:\n  root_password: Unspeakable1\n  users:\n  - name: deploy\n    \
         ssh_authorized_keys: {KEY}\n"
    )
}

/// `christen` with time for appliances.
fn christen(directory: &std::path::Path, arguments: &str) -> String {
    let mut command = Command::new("timeout");
    command
        .arg(Duration::from_secs(600).as_secs().to_string())
        .arg(env!("CARGO_BIN_EXE_christen"))
        .current_dir(directory)
        .args(arguments.split_whitespace());
    let output = command.output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments}: {told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The root is written by christen itself, `/home` through libguestfs, and both are committed together.
#[test]
#[ignore = "starts appliances; `cargo xtask guest-check` runs it"]
fn a_home_on_xfs_gets_what_belongs_there() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let (Some(sfdisk), Some(mkfs), Some(repair), Some(guestfish)) = (
        tools::require("sfdisk"),
        tools::require("mkfs.xfs"),
        tools::require("xfs_repair"),
        tools::require("guestfish"),
    ) else {
        return;
    };
    let directory = support::with_description(&description());
    let (root, home) = (directory.join("root"), directory.join("home"));
    let fstab = "LABEL=root / ext4 defaults 0 1\nLABEL=home /home xfs defaults 0 2\n";
    let mut tree = phony::debian_12().file("/etc/fstab", fstab);
    tools.tree(&root, 24, &["-t", "ext4", "-L", "root"], tree.fs());
    let file = File::create(&home).expect("the directory is ours");
    file.set_len(320 << 20).expect("it is ours");
    tools::run(Command::new(mkfs).args(["-q", "-L", "home"]).arg(&home));
    let image = directory.join("a.img");
    disk(&image, &sfdisk, &[&root, &home], "gpt");
    let told = christen(
        &directory,
        "inject a.img instance.yaml --format raw --partition 1 --backend auto --emulate",
    );
    let line = |path: &str| {
        let found = told
            .lines()
            .find(|it| it.split_whitespace().any(|word| word == path));
        found.unwrap_or_else(|| panic!("{path}: {told}")).to_owned()
    };
    assert!(
        line("/etc/shadow").ends_with("  verified by ext4-view"),
        "{told}"
    );
    // Nobody else reads XFS here, and nobody says so.
    assert!(
        line("/home/deploy/.ssh/authorized_keys").contains("  not verified: "),
        "{told}"
    );
    cut_out(&image, 1 << 20, 24 << 20, &root);
    tools.check(&root);
    cut_out(&image, 25 << 20, 320 << 20, &home);
    tools::run(Command::new(repair).args(["-n", "-f"]).arg(&home));
    let seen = tools::run(
        Command::new(guestfish)
            .env("LIBGUESTFS_BACKEND", "direct")
            .env("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg")
            .args(["--ro", "--format=raw", "-a"])
            .arg(&home)
            .args(["-m", "/dev/sda", "cat", "/deploy/.ssh/authorized_keys", ":"])
            .args(["stat", "/deploy/.ssh/authorized_keys"]),
    );
    let seen = String::from_utf8_lossy(&seen).into_owned();
    assert!(seen.starts_with(KEY), "{seen}");
    for line in ["mode: 33152", "uid: 1000", "gid: 1000"] {
        assert!(seen.lines().any(|it| it == line), "{line}\n{seen}");
    }
}

/// The same identity with the same chance gives the same tree, whoever writes it.
#[test]
#[ignore = "starts appliances; `cargo xtask guest-check` runs it"]
fn libguestfs_gives_the_same_tree() {
    let Some(tools) = Tools::require() else {
        return;
    };
    if tools::require("guestfish").is_none() {
        return;
    }
    let directory = support::with_description(&description());
    put(&directory, "chance", vec![7; 4096]);
    let image = directory.join("a.img");
    let mut tree = phony::debian_12().file("/etc/fstab", "LABEL=root / ext4 defaults 0 1\n");
    tools.tree(&image, 24, &["-t", "ext4", "-L", "root"], tree.fs());
    fs::copy(&image, directory.join("b.img")).expect("the directory is ours");
    let inject = "instance.yaml --format raw --random-source chance --time 2026-01-15T12:00:00Z";
    christen(&directory, &format!("inject a.img {inject}"));
    let told = christen(
        &directory,
        &format!("inject b.img {inject} --backend guestfs --emulate"),
    );
    // It is ext4 all the same, so there is a second reader.
    assert!(!told.contains("not verified"), "{told}");
    for name in ["a.img", "b.img"] {
        tools.check(&directory.join(name));
    }
    succeed(&mut support::christen_in(&directory, "diff a.img b.img"));
}
