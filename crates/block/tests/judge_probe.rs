//! Volumes that other programs make, told by `blkid` and by us.

use std::fs;
use std::path::Path;
use std::process::Command;

use christen_block::MemoryDevice;
use christen_block::probe::{ImageFormat, image_format, volumes};
use christen_testkit::TempDir;
use christen_testkit::tools;

/// A program, its arguments before the image, and the length of the image in MiB.
type Recipe<'a> = (&'a str, &'a [&'a str], u64);

fn blkid_view(blkid: &Path, image: &Path) -> (String, Option<String>, Option<String>) {
    let output = tools::run(
        Command::new(blkid)
            .args(["--probe", "--output", "udev"])
            .arg(image),
    );
    let text = String::from_utf8(output).unwrap();
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.replace("\\x20", " "))
    };
    (
        value("ID_FS_TYPE").unwrap_or_default(),
        value("ID_FS_LABEL_ENC"),
        value("ID_FS_UUID"),
    )
}

#[test]
fn volumes_are_told_as_blkid_tells_them() {
    let Some(blkid) = tools::require("blkid") else {
        return;
    };
    let recipes: [Recipe<'_>; 20] = [
        ("mke2fs", &["-q", "-F", "-t", "ext2", "-L", "two"], 8),
        ("mke2fs", &["-q", "-F", "-t", "ext3", "-L", "three"], 8),
        (
            "mke2fs",
            &["-q", "-F", "-t", "ext4", "-L", "sixteen-bytes-lg"],
            8,
        ),
        (
            "mke2fs",
            &["-q", "-F", "-t", "ext4", "-O", "^has_journal"],
            8,
        ),
        (
            "mke2fs",
            &["-q", "-F", "-O", "journal_dev", "-b", "4096", "-L", "log"],
            16,
        ),
        ("mkfs.xfs", &["-q", "-L", "tall"], 300),
        ("mkfs.btrfs", &["-q", "-L", "a label with blanks"], 128),
        ("mkfs.vfat", &["-F", "12", "-n", "SMALL"], 1),
        ("mkfs.vfat", &["-F", "16", "-n", "CIDATA"], 16),
        ("mkfs.vfat", &["-F", "32", "-n", "config-2"], 64),
        ("mkfs.vfat", &["-F", "32"], 64),
        ("mkfs.ntfs", &["-q", "-F", "-f", "-L", "Größe"], 8),
        ("mkfs.ntfs", &["-q", "-F", "-f"], 8),
        ("mkfs.f2fs", &["-q", "-f", "-l", "flash"], 64),
        ("mkfs.exfat", &[], 8),
        ("mkswap", &["-q", "-L", "swap one"], 1),
        ("mkswap", &["-q", "-p", "65536"], 1),
        (
            "cryptsetup",
            &[
                "luksFormat",
                "-q",
                "--type",
                "luks1",
                "--pbkdf-force-iterations",
                "1000",
                "--key-file",
                "/dev/zero",
                "--keyfile-size",
                "32",
            ],
            16,
        ),
        (
            "mke2fs",
            &[
                "-q",
                "-F",
                "-t",
                "ext4",
                "-b",
                "1024",
                "-O",
                "64bit,inline_data",
            ],
            8,
        ),
        ("mkfs.vfat", &["-S", "4096"], 64),
    ];
    let directory = TempDir::new();
    for (index, (program, arguments, mebibytes)) in recipes.into_iter().enumerate() {
        let Some(program) = tools::require(program) else {
            continue;
        };
        let image = directory.join(format!("image-{index}"));
        fs::File::create(&image)
            .and_then(|file| file.set_len(mebibytes << 20))
            .unwrap();
        tools::run(Command::new(&program).args(arguments).arg(&image));
        check(&blkid, &image);
    }
}

#[test]
fn read_only_images_are_told_as_blkid_tells_them() {
    let (Some(blkid), Some(genisoimage)) = (tools::require("blkid"), tools::require("genisoimage"))
    else {
        return;
    };
    let directory = TempDir::new();
    let tree = directory.join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("file"), "content").unwrap();
    let image = directory.join("iso");
    tools::run(
        Command::new(genisoimage)
            .args(["-quiet", "-R", "-V", "config-2", "-o"])
            .args([&image, &tree]),
    );
    check(&blkid, &image);
    if let Some(mksquashfs) = tools::require("mksquashfs") {
        let image = directory.join("squashfs");
        tools::run(Command::new(mksquashfs).args([&tree, &image]).arg("-quiet"));
        check(&blkid, &image);
    }
}

#[track_caller]
fn check(blkid: &Path, image: &Path) {
    let found = volumes(&MemoryDevice::new(fs::read(image).unwrap())).unwrap();
    let [volume] = &found[..] else {
        panic!(
            "{image:?}: {found:?}, blkid: {:?}",
            blkid_view(blkid, image)
        );
    };
    let ours = (
        volume.kind.name().to_owned(),
        volume.label.clone(),
        volume.uuid.clone(),
    );
    assert_eq!(ours, blkid_view(blkid, image), "{image:?}");
}

#[test]
fn image_formats_are_told_as_qemu_img_tells_them() {
    let Some(qemu_img) = tools::require("qemu-img") else {
        return;
    };
    let directory = TempDir::new();
    for (format, expected) in [
        ("raw", ImageFormat::Raw),
        ("qcow2", ImageFormat::Qcow2),
        ("qcow", ImageFormat::Qcow),
        ("qed", ImageFormat::Qed),
        ("vmdk", ImageFormat::Vmdk),
        ("vhdx", ImageFormat::Vhdx),
        ("vpc", ImageFormat::Vpc),
        ("vdi", ImageFormat::Vdi),
        ("parallels", ImageFormat::Parallels),
    ] {
        let image = directory.join(format);
        tools::run(
            Command::new(&qemu_img)
                .args(["create", "-q", "-f", format])
                .arg(&image)
                .arg("8M"),
        );
        let bytes = fs::read(&image).unwrap();
        let start = &bytes[..bytes.len().min(512)];
        assert_eq!(image_format(start), expected);
        assert_eq!(image_format(start).name(), format);
    }
}
