//! Bootable images of `christen-mkisofs`: a BIOS starts them, and what cannot be booted
//! from is told.

mod mkisofs_support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use christen_configdrive::verify::{Severity, VerifyOptions, verify};
use christen_configdrive::{Drive, View};
use christen_testkit::{TempDir, tools};
use mkisofs_support::boot::boot_sectors;
use mkisofs_support::{config_drive_tree, contents, fail, judges, mkisofs, put, read, succeed};

/// What the boot sector tells QEMU's debug exit, which makes an exit status of it.
const DONE: u8 = 0x10;

/// A second under emulation; a busy machine stretches that several times.
const BOOT_LIMIT: Duration = Duration::from_secs(120);

/// The part of the boot image that is loaded: four sectors of 512 bytes.
const LOADED_BYTES: usize = 2048;

/// A boot image that writes what was loaded of it to QEMU's debug console and ends the
/// machine. It is longer than what is loaded, and every byte tells where it stands.
fn boot_image() -> Vec<u8> {
    let mut image: Vec<u8> = (0..5001_u32).map(|at| (at * 11 % 251) as u8).collect();
    // jmp over the boot information table
    image[..2].copy_from_slice(&[0xeb, 62]);
    #[rustfmt::skip]
    let code = [
        0x31, 0xc0,             // xor ax, ax
        0x8e, 0xd8,             // mov ds, ax
        0xbe, 0x00, 0x7c,       // mov si, 0x7c00
        0xb9, 0x00, 0x08,       // mov cx, 2048
        0xba, 0xe9, 0x00,       // mov dx, 0xe9
        0xfc,                   // cld
        0xf3, 0x6e,             // rep outsb
        0xba, 0x01, 0x05,       // mov dx, 0x501
        0xb0, DONE,             // mov al, DONE
        0xee,                   // out dx, al
        0xf4,                   // hlt
        0xeb, 0xfd,             // jmp to the hlt
    ];
    image[64..64 + code.len()].copy_from_slice(&code);
    image
}

/// Boots a CD-ROM with QEMU's BIOS and returns what stands on its debug console.
fn boot(qemu: &Path, directory: &Path) -> Vec<u8> {
    let mut child = Command::new(qemu)
        .args(["-accel", "tcg", "-machine", "pc", "-m", "32M"])
        .args(["-nodefaults", "-no-user-config", "-no-reboot"])
        .args(["-display", "none", "-monitor", "none"])
        .args(["-debugcon", "file:console"])
        .args(["-device", "isa-debug-exit,iobase=0x501"])
        .args(["-cdrom", "boot.iso", "-boot", "d"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .spawn()
        .expect("QEMU starts");
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        if start.elapsed() > BOOT_LIMIT {
            child.kill().expect("it is our child");
            let _ = child.wait();
            panic!("the boot image did not end the machine");
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(i32::from(DONE) << 1 | 1));
    fs::read(directory.join("console")).expect("readable")
}

/// Ironic's list for BIOSes: what SeaBIOS loads by the catalog is the boot image with the
/// boot information table.
#[test]
fn a_bios_starts_the_boot_image() {
    let Some(qemu) = tools::require("qemu-system-x86_64") else {
        return;
    };
    let directory = TempDir::new();
    let image = boot_image();
    put(&directory, "tree/isolinux/isolinux.bin", &image);
    put(&directory, "tree/before", [1; 10_000]);
    succeed(
        mkisofs()
            .args(["-r", "-V", "BOOT", "-J", "-l", "-publisher", "None"])
            .args(["-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"])
            .args(["-b", "isolinux/isolinux.bin", "-o", "boot.iso", "tree"])
            .current_dir(&directory),
    );
    let [sector] = boot_sectors(&fs::read(directory.join("boot.iso")).expect("readable"))[..]
    else {
        panic!("one boot image");
    };
    let words = image[64..].chunks(4).map(|part| {
        let mut word = [0; 4];
        word[..part.len()].copy_from_slice(part);
        u32::from_le_bytes(word)
    });
    let sum = words.fold(0, u32::wrapping_add);
    let mut expected = image;
    expected[8..64].fill(0);
    for (at, value) in [(8, 16), (12, sector), (16, 5001), (20, sum)] {
        expected[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    let console = boot(&qemu, &directory);
    assert!(
        console.ends_with(&expected[..LOADED_BYTES]),
        "{:x?}",
        &console[console.len().saturating_sub(LOADED_BYTES)..]
    );
}

/// A bootable config drive is a config drive: our own reader finds nothing to object to,
/// and the catalog stands in every tree.
#[test]
fn the_reader_accepts_a_bootable_image() {
    let directory = TempDir::new();
    config_drive_tree(&directory.join("tree"));
    put(&directory, "tree/isolinux/isolinux.bin", boot_image());
    put(&directory, "tree/boot/efi.img", [3; 70_000]);
    succeed(
        mkisofs()
            .args([
                "-r",
                "-V",
                "config-2",
                "-J",
                "-l",
                "-c",
                "isolinux/boot.cat",
            ])
            .args(["-b", "isolinux/isolinux.bin", "-no-emul-boot"])
            .args(["-boot-info-table", "-eltorito-alt-boot"])
            .args(["-e", "boot/efi.img", "-no-emul-boot"])
            .args(["-o", "boot.iso", "tree"])
            .current_dir(&directory),
    );
    let image = fs::read(directory.join("boot.iso")).expect("readable");
    let drive = Drive::open(&image[..]).expect("it is a drive");
    for view in [View::RockRidge, View::Joliet, View::Plain] {
        let entries = drive.entries(view).expect("a tree");
        let catalog = entries.iter().find(|entry| {
            let path = entry.path_text();
            path.eq_ignore_ascii_case("isolinux/boot.cat")
        });
        let catalog = catalog.expect("the catalog is in every tree");
        let content = drive.read_file(catalog, 2048).expect("readable");
        assert_eq!(content[30..32], [0x55, 0xaa], "{view}");
        assert_eq!(content[64..66], [0x91, 0xef], "{view}");
    }
    let options = VerifyOptions {
        dialect: None,
        image_mode: None,
    };
    let report = verify(&drive, &options).expect("it can be audited");
    // The tree is one for names: its documents are not what documents must be.
    let structure: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .filter(|finding| !finding.place.contains("openstack/") && !finding.place.contains("ec2/"))
        .map(ToString::to_string)
        .collect();
    assert_eq!(structure, [""; 0]);
}

#[test]
fn a_boot_catalog_takes_the_place_of_an_old_one() {
    if judges().is_none() {
        return;
    }
    let directory = TempDir::new();
    put(&directory, "tree/isolinux/isolinux.bin", boot_image());
    put(&directory, "tree/isolinux/boot.cat", "an old catalog");
    let output = succeed(
        mkisofs()
            .args(["-R", "-c", "isolinux/boot.cat", "-no-emul-boot"])
            .args(["-b", "isolinux/isolinux.bin", "-o", "boot.iso", "tree"])
            .current_dir(&directory),
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "warning: `tree/isolinux/boot.cat` is left out: the new boot catalog takes its place\n"
    );
    let image = directory.join("boot.iso");
    assert_eq!(contents(&image)["isolinux/boot.cat"].len(), 2048);
    let listing = read(&image).rock_ridge;
    let line = "/isolinux/ -r--r--r-- 0 0 2048 boot.cat".to_owned();
    assert!(listing.contains(&line), "{listing:?}");
}

#[test]
fn what_cannot_be_booted_from_is_an_error_and_nothing_is_written() {
    fn check(arguments: &str, expected: &str) {
        let directory = TempDir::new();
        put(&directory, "tree/boot/image", [0; 63]);
        put(&directory, "tree/empty", "");
        std::os::unix::fs::symlink("boot/image", directory.join("tree/link")).expect("writable");
        let (status, message) = fail(
            mkisofs()
                .args(["-R", "-no-emul-boot", "-o", "boot.iso"])
                .args(arguments.split_whitespace())
                .arg("tree")
                .current_dir(&directory),
        );
        assert_eq!(status, 1, "{message}");
        assert!(message.contains(expected), "{message}");
        assert!(!directory.join("boot.iso").exists());
    }
    check("-b image", "boot image `image` is not in the image");
    check(
        "-b boot",
        "`boot` cannot be the boot image: it is not a regular file",
    );
    check(
        "-b link",
        "`link` cannot be the boot image: it is not a regular file",
    );
    check("-e empty", "`empty` cannot be the boot image: it is empty");
    check(
        "-b boot/image -boot-info-table",
        "`boot/image` cannot be the boot image: it has less than the 64 bytes",
    );
    check(
        "-b boot/image -c boot/image",
        "`boot/image` cannot be the boot image: it is the boot catalog",
    );
    for place in ["boot", "nowhere/boot.cat", "empty/boot.cat"] {
        check(
            &format!("-b boot/image -c {place}"),
            &format!("boot catalog `{place}` has no place in the image"),
        );
    }
}
