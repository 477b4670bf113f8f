//! `christen-mkisofs` as Nova's `mkisofs_cmd`: Nova's own code builds the drive.

mod mkisofs_support;

use std::path::Path;
use std::process::Command;

use christen_testkit::{TempDir, python, tools};
use mkisofs_support::{config_drive_tree, contents, contents_of_tree, judges, read};

fn build(python: &Path, mkisofs: &str, image: &Path, tree: &Path) {
    tools::run(
        Command::new(python)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/nova/build_drive.py"
            ))
            .arg(mkisofs)
            .arg(image)
            .arg(tree)
            .env("LC_ALL", "C.UTF-8")
            .env_remove("SOURCE_DATE_EPOCH"),
    );
}

#[test]
fn nova_builds_the_same_drive_with_both() {
    let Some(python) = python::require(&["nova"]) else {
        return;
    };
    if judges().is_none() || tools::require("genisoimage").is_none() {
        return;
    }
    let directory = TempDir::new();
    let tree = directory.join("tree");
    config_drive_tree(&tree);
    // Nova makes directories for files only.
    std::fs::remove_dir(tree.join("empty")).expect("it is empty");
    let (theirs, ours) = (directory.join("theirs.iso"), directory.join("ours.iso"));
    build(&python, "genisoimage", &theirs, &tree);
    build(
        &python,
        env!("CARGO_BIN_EXE_christen-mkisofs"),
        &ours,
        &tree,
    );

    let (mut their_reading, mut our_reading) = (read(&theirs), read(&ours));
    assert_eq!(our_reading.label, "config-2");
    assert!(our_reading.publisher.starts_with("OpenStack Nova "));
    for reading in [&mut their_reading, &mut our_reading] {
        // Nova writes the files anew for each drive, so their times may differ.
        reading.bsdtar.clear();
        assert!(!reading.joliet.is_empty() && !reading.rock_ridge.is_empty());
    }
    assert_eq!(our_reading, their_reading);
    assert_eq!(contents(&ours), contents_of_tree(&tree));
}

/// Nova must see that it failed: the build of the instance fails with it.
#[test]
fn nova_sees_a_failure() {
    let Some(python) = python::require(&["nova"]) else {
        return;
    };
    let directory = TempDir::new();
    let tree = directory.join("tree");
    config_drive_tree(&tree);
    let output = Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/nova/build_drive.py"
        ))
        .arg(env!("CARGO_BIN_EXE_christen-mkisofs"))
        .arg(directory.join("no-such-directory/disk.config"))
        .arg(&tree)
        .output()
        .expect("python starts");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(message.contains("ProcessExecutionError"), "{message}");
    assert!(message.contains("cannot create"), "{message}");
}

/// openstacksdk, and Ironic through it, reads the image through the descriptor of a
/// temporary file that it opened before.
#[test]
fn openstacksdk_packs_the_same_drive_with_both() {
    let Some(python) = python::require(&["openstack"]) else {
        return;
    };
    if judges().is_none() || tools::require("genisoimage").is_none() {
        return;
    }
    let directory = TempDir::new();
    let tree = directory.join("tree");
    config_drive_tree(&tree);
    let programs = directory.join("bin");
    std::fs::create_dir(&programs).expect("writable");
    let pack = |image: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = [programs.clone()]
            .into_iter()
            .chain(std::env::split_paths(&path));
        let image = directory.join(image);
        tools::run(
            Command::new(&python)
                .arg(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/tests/nova/pack_drive.py"
                ))
                .arg(&image)
                .arg(&tree)
                .env("PATH", std::env::join_paths(path).expect("no colon in it"))
                .env("LC_ALL", "C.UTF-8")
                .env_remove("SOURCE_DATE_EPOCH"),
        );
        image
    };
    let theirs = pack("theirs.iso");
    std::os::unix::fs::symlink(
        env!("CARGO_BIN_EXE_christen-mkisofs"),
        programs.join("genisoimage"),
    )
    .expect("writable");
    let ours = pack("ours.iso");
    let reading = read(&ours);
    assert_eq!(reading.publisher, "metalsmith");
    assert_eq!(reading, read(&theirs));
    assert_eq!(contents(&ours), contents_of_tree(&tree));
    // The two were not made by one program.
    let banner = |image: &Path| std::fs::read(image).expect("readable")[0x823e..0x8248].to_vec();
    assert_ne!(banner(&theirs), banner(&ours));
}
