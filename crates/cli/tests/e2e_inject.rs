//! The layouts that disks of guests have: each becomes somebody by `christen inject` and tells so when it has booted.
//!
//! Ignored in ordinary runs since it boots machines: `cargo xtask e2e` runs it.

mod inject_guest_support;

use std::fs;
use std::process::Command;

use christen_testkit::guest::plain::ROOT_BYTES;
use christen_testkit::lvm::{EXTENT_BYTES, Group};
use christen_testkit::{guest, tools};
use inject_guest_support::{Bench, assert_became, place};

const FSTAB: &str = "LABEL=christen-root / ext4 defaults 0 1\n";

#[test]
#[ignore = "boots a guest; `cargo xtask e2e` runs it"]
fn qcow2_on_qcow2_on_raw() {
    if !guest::require() {
        return;
    }
    let bench = Bench::new();
    let base = bench.gpt("base.raw", &[&bench.root("ext4", FSTAB)]);
    let (middle, top) = (bench.path("middle.qcow2"), bench.path("top.qcow2"));
    for (backing, format, image) in [(&base, "raw", &middle), (&middle, "qcow2", &top)] {
        tools::run(
            Command::new("qemu-img")
                .args(["create", "-q", "-f", "qcow2", "-F", format, "-b"])
                .arg(backing)
                .arg(image),
        );
    }
    let directory = bench.directory.path().to_str().unwrap();
    let arguments = ["--allow-backing", directory];
    assert_became(&bench.become_somebody(&top, "qcow2", "/dev/vda1", &arguments));
}

#[test]
#[ignore = "boots a guest; `cargo xtask e2e` runs it"]
fn a_filesystem_without_partitions() {
    if !guest::require() {
        return;
    }
    let bench = Bench::new();
    let disk = bench.root("ext4", FSTAB);
    assert_became(&bench.become_somebody(&disk, "raw", "/dev/vda", &[]));
}

#[test]
#[ignore = "boots a guest; `cargo xtask e2e` runs it"]
fn an_old_ext3() {
    if !guest::require() {
        return;
    }
    let bench = Bench::new();
    let root = bench.root("ext3", "LABEL=christen-root / ext3 defaults 0 1\n");
    let disk = bench.gpt("disk", &[&root]);
    assert_became(&bench.become_somebody(&disk, "raw", "/dev/vda1", &[]));
}

#[test]
#[ignore = "boots a guest; `cargo xtask e2e` runs it"]
fn a_logical_volume_with_boot_of_its_own() {
    if !guest::require() {
        return;
    }
    let bench = Bench::new();
    let mebibytes = ROOT_BYTES / EXTENT_BYTES + 64;
    let Some(lab) = Group::new("system", &[mebibytes], &[]) else {
        return;
    };
    lab.create("root", ROOT_BYTES / EXTENT_BYTES, &[]);
    // The device mapper joins both names with `-`, and doubles those that are in them.
    let device = format!("/dev/mapper/{}-root", lab.name().replace('-', "--"));
    let piece = lab.map().pop_first().unwrap();
    let volume = lab.read(0);
    drop(lab);
    let (physical, boot) = (bench.path("physical"), bench.path("boot"));
    fs::write(&physical, &volume[..EXTENT_BYTES as usize]).unwrap();
    fs::File::options()
        .write(true)
        .open(&physical)
        .unwrap()
        .set_len(volume.len() as u64)
        .unwrap();
    fs::File::create(&boot).unwrap().set_len(128 << 20).unwrap();
    let uuid = "8f0c6f3e-5a43-4c55-9d0a-1f2e3d4c5b6a";
    tools::run(
        Command::new("mke2fs")
            .args(["-q", "-F", "-t", "ext2", "-U", uuid, "-d"])
            .arg(bench.guest.boot_files())
            .arg(&boot),
    );
    let root = bench.root(
        "ext4",
        &format!("{device} / ext4 defaults 0 1\nUUID={uuid} /boot ext2 defaults 0 2\n"),
    );
    place(&root, &physical, piece.physical_start_bytes);
    let disk = bench.gpt("disk", &[&boot, &physical]);
    let told = bench.become_somebody(&disk, "raw", &device, &[]);
    assert!(
        told["mounts"].contains("/boot /dev/vda1 ext2"),
        "{}",
        told["mounts"]
    );
    assert_became(&told);
}
