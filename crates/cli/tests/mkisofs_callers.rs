//! The argument lists of `docs/drop-in.md`, each run with the program that it was written
//! for and with ours, on one tree, and compared by what the judges read.

mod mkisofs_support;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Stdio};

use christen_testkit::{TempDir, tools};
use mkisofs_support::boot::{boot_sectors, read_boot};
use mkisofs_support::{
    config_drive_tree, contents, contents_of_tree, judges, mkisofs, put, read, seed_files, succeed,
};

/// Which trees must agree.
#[derive(Clone, Copy, PartialEq)]
enum Original {
    /// All of them, name by name.
    Genisoimage,
    /// All but the plain one, for which xorriso has rules of its own, and but for Joliet
    /// names, which it cuts at other places.
    Xorrisofs,
}

/// Runs the arguments with both programs in the directory that holds the sources.
///
/// `OUTPUT` in the arguments is the image. The expected files are those of the tree `tree`
/// unless they are given.
fn check(directory: &Path, original: Original, arguments: &[&str]) {
    let theirs = directory.join("theirs.iso");
    let ours = directory.join("ours.iso");
    let program = match original {
        Original::Genisoimage => "genisoimage",
        Original::Xorrisofs => "xorrisofs",
    };
    let with = |image: &Path| -> Vec<String> {
        let image = image.to_str().expect("UTF-8");
        arguments
            .iter()
            .map(|argument| argument.replace("OUTPUT", image))
            .collect()
    };
    tools::run(
        Command::new(program)
            .args(with(&theirs))
            .env("LC_ALL", "C.UTF-8")
            .current_dir(directory),
    );
    // Started by the original's name, as after `ln -s`.
    let link = directory.join(program);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_christen-mkisofs"), &link).expect("writable");
    succeed(
        Command::new(&link)
            .args(with(&ours))
            .env_remove("SOURCE_DATE_EPOCH")
            .current_dir(directory),
    );
    let (mut their_reading, mut our_reading) = (read(&theirs), read(&ours));
    if original == Original::Xorrisofs {
        for reading in [&mut their_reading, &mut our_reading] {
            reading.plain.clear();
            // Without `-r` a directory that is only in the image has another mode.
            reading.rock_ridge.retain(|line| !line.ends_with(" ."));
            reading.xorriso.retain(|line| !line.ends_with(" /'"));
        }
        // What it reached twice, by links that it followed, it stores once.
        if their_reading
            .bsdtar
            .iter()
            .any(|line| line.contains(" link to "))
        {
            their_reading.bsdtar.clear();
            our_reading.bsdtar.clear();
        }
    }
    assert_eq!(our_reading, their_reading, "{arguments:?}");
    assert_eq!(contents(&ours), contents(&theirs), "{arguments:?}");
}

/// A tree in a directory, and the judges; `None` when one of them is missing.
fn tree(programs: &[&str]) -> Option<TempDir> {
    judges()?;
    for program in programs {
        tools::require(program)?;
    }
    let directory = TempDir::new();
    config_drive_tree(&directory.join("tree"));
    Some(directory)
}

#[test]
fn nova() {
    let Some(directory) = tree(&["genisoimage"]) else {
        return;
    };
    check(
        &directory,
        Original::Genisoimage,
        &[
            "-o",
            "OUTPUT",
            "-ldots",
            "-allow-lowercase",
            "-allow-multidot",
            "-l",
            "-publisher",
            "OpenStack Nova 34.0.0",
            "-quiet",
            "-J",
            "-r",
            "-V",
            "config-2",
            "tree",
        ],
    );
    assert_eq!(
        contents(&directory.join("ours.iso")),
        contents_of_tree(&directory.join("tree"))
    );
}

#[test]
fn ironic() {
    let Some(directory) = tree(&["genisoimage"]) else {
        return;
    };
    check(
        &directory,
        Original::Genisoimage,
        &[
            "-o",
            "OUTPUT",
            "-ldots",
            "-allow-lowercase",
            "-allow-multidot",
            "-l",
            "-publisher",
            "Ironic",
            "-quiet",
            "-J",
            "-r",
            "-V",
            "config-2",
            "tree",
        ],
    );
}

/// The image must come through the descriptor that was open before we started.
#[test]
fn openstacksdk() {
    let Some(directory) = tree(&["genisoimage"]) else {
        return;
    };
    let image = directory.join("temporary");
    let mut open = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&image)
        .expect("writable");
    for content in ["", "a longer content than before"] {
        put(&directory, "tree/openstack/changed", content);
        succeed(
            mkisofs()
                .arg("-o")
                .arg(&image)
                .args([
                    "-ldots",
                    "-allow-lowercase",
                    "-allow-multidot",
                    "-l",
                    "-publisher",
                    "metalsmith",
                    "-quiet",
                    "-J",
                    "-r",
                    "-V",
                    "config-2",
                    "tree",
                ])
                .current_dir(&directory),
        );
        let mut bytes = Vec::new();
        open.seek(SeekFrom::Start(0)).expect("a file");
        open.read_to_end(&mut bytes).expect("readable");
        let copy = directory.join("copy.iso");
        fs::write(&copy, bytes).expect("writable");
        assert_eq!(contents(&copy), contents_of_tree(&directory.join("tree")));
        assert_eq!(read(&copy).publisher, "metalsmith");
    }
}

/// What Ironic boots a machine from; of `-eltorito-alt-boot` it knows nothing, but others do.
#[test]
fn ironic_boot_images() {
    let Some(_) = tree(&["genisoimage"]) else {
        return;
    };
    check_boot(
        "-r -V VMEDIA_BOOT_ISO -J -l -publisher None -no-emul-boot -boot-load-size 4 \
         -boot-info-table -b isolinux/isolinux.bin -o OUTPUT tree",
        Some("isolinux/isolinux.bin"),
    );
    check_boot(
        "-r -V VMEDIA_BOOT_ISO -l -publisher 7a7f0a1b-6d3c-4a55-8d3e-0123456789ab \
         -e boot/grub/efiboot.img -no-emul-boot -o OUTPUT tree",
        None,
    );
    check_boot(
        "-r -V config-2 -l -e boot/grub/efiboot.img -no-emul-boot -o OUTPUT tree",
        None,
    );
    check_boot(
        "-R -J -c boot.catalog -b isolinux/isolinux.bin -no-emul-boot -boot-info-table \
         -eltorito-alt-boot -e boot/grub/efiboot.img -no-emul-boot -eltorito-alt-boot \
         -b vmlinuz -no-emul-boot -no-boot -boot-load-seg 0x7c0 -o OUTPUT tree",
        Some("isolinux/isolinux.bin"),
    );
}

/// Runs the arguments with genisoimage and with ours, each on a tree of its own, since
/// genisoimage puts the boot information table into the file on disk too. `patched` is the
/// file that gets one.
fn check_boot(arguments: &str, patched: Option<&str>) {
    let image = |program: &str| {
        let directory = TempDir::new();
        let root = directory.join("tree");
        config_drive_tree(&root);
        for (name, length) in [
            ("isolinux/isolinux.bin", 24_577_u32),
            ("boot/grub/efiboot.img", 300_001),
            ("vmlinuz", 1_000_000),
        ] {
            let content: Vec<u8> = (0..length).map(|at| (at * 7 % 253) as u8).collect();
            put(&root, name, content);
        }
        let before = contents_of_tree(&root);
        let arguments = arguments.replace("OUTPUT", "image.iso");
        tools::run(
            Command::new(program)
                .args(arguments.split_whitespace())
                .env("LC_ALL", "C.UTF-8")
                .env_remove("SOURCE_DATE_EPOCH")
                .current_dir(&directory),
        );
        (directory, before)
    };
    let (theirs, _) = image("genisoimage");
    let (ours, before) = image(env!("CARGO_BIN_EXE_christen-mkisofs"));
    assert!(
        contents_of_tree(&ours.join("tree")) == before,
        "the tree on disk is as it was"
    );
    let (theirs, ours) = (theirs.join("image.iso"), ours.join("image.iso"));
    assert_eq!(read_boot(&ours), read_boot(&theirs), "{arguments}");
    let (mut their_reading, mut our_reading) = (read(&theirs), read(&ours));
    for reading in [&mut their_reading, &mut our_reading] {
        // Its time is the one of its making.
        reading
            .bsdtar
            .retain(|line| !line.ends_with(" boot.catalog"));
    }
    assert_eq!(our_reading, their_reading, "{arguments}");

    // But for the sectors that they name, all files are the same.
    let (mut their_files, mut our_files) = (contents(&theirs), contents(&ours));
    for (image, files) in [(&theirs, &mut their_files), (&ours, &mut our_files)] {
        let bytes = fs::read(image).expect("readable");
        files.remove("boot.catalog").expect("it is in every tree");
        let sectors = boot_sectors(&bytes);
        assert!(!sectors.is_empty());
        if let Some(patched) = patched {
            let file = files.get_mut(patched).expect("it is there");
            assert_eq!(file[12..16], sectors[0].to_le_bytes());
            file[12..16].fill(0);
            let place = sectors[0] as usize * 2048;
            assert_eq!(bytes[place + 16..place + file.len()], file[16..]);
        }
    }
    assert!(our_files == their_files, "{arguments}");
}

#[test]
fn cloud_localds() {
    let Some(directory) = tree(&["genisoimage"]) else {
        return;
    };
    seed_files(&directory);
    check(
        &directory,
        Original::Genisoimage,
        &[
            "-output",
            "OUTPUT",
            "-volid",
            "cidata",
            "-joliet",
            "-rock",
            "user-data",
            "meta-data",
            "network-config",
        ],
    );
}

#[test]
fn incus() {
    let Some(directory) = tree(&["genisoimage"]) else {
        return;
    };
    check(
        &directory,
        Original::Genisoimage,
        &[
            "-joliet",
            "-rock",
            "-input-charset",
            "utf8",
            "-output-charset",
            "utf8",
            "-volid",
            "cidata",
            "-o",
            "OUTPUT",
            "tree",
        ],
    );
}

#[test]
fn incus_agent() {
    let Some(directory) = tree(&["genisoimage"]) else {
        return;
    };
    use std::os::unix::fs::PermissionsExt;
    put(&directory, "tree/incus-agent", [0; 300_000]);
    for (name, mode) in [("tree/incus-agent", 0o500), ("tree", 0o100)] {
        fs::set_permissions(directory.join(name), fs::Permissions::from_mode(mode))
            .expect("the owner sets modes");
    }
    if fs::read_dir(directory.join("tree")).is_err() {
        // Incus runs as root, for which the mode of the directory is no hindrance.
        fs::set_permissions(directory.join("tree"), fs::Permissions::from_mode(0o700))
            .expect("the owner sets modes");
    }
    check(
        &directory,
        Original::Genisoimage,
        &[
            "-joliet",
            "-rock",
            "-input-charset",
            "utf8",
            "-output-charset",
            "utf8",
            "-volid",
            "incus-agent",
            "-o",
            "OUTPUT",
            "tree",
        ],
    );
}

#[test]
fn lxd() {
    let Some(directory) = tree(&["genisoimage"]) else {
        return;
    };
    check(
        &directory,
        Original::Genisoimage,
        &["-J", "-R", "-V", "cidata", "-o", "OUTPUT", "tree"],
    );
}

/// Standard output is a pipe.
#[test]
fn proxmox() {
    let Some(directory) = tree(&["genisoimage"]) else {
        return;
    };
    let arguments = [
        "-quiet",
        "-iso-level",
        "3",
        "-J",
        "-R",
        "-V",
        "cidata",
        "tree",
    ];
    for (mut program, image) in [
        (Command::new("genisoimage"), "theirs.iso"),
        (mkisofs(), "ours.iso"),
    ] {
        let mut child = program
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .current_dir(&directory)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut bytes = Vec::new();
        let mut pipe = child.stdout.take().expect("it is a pipe");
        pipe.read_to_end(&mut bytes).expect("readable");
        assert!(child.wait().expect("it ends").success());
        fs::write(directory.join(image), bytes).expect("writable");
    }
    let (theirs, ours) = (directory.join("theirs.iso"), directory.join("ours.iso"));
    assert_eq!(read(&ours), read(&theirs));
    assert_eq!(contents(&ours), contents(&theirs));
}

#[test]
fn kubevirt() {
    let Some(directory) = tree(&["xorrisofs"]) else {
        return;
    };
    check(
        &directory,
        Original::Xorrisofs,
        &[
            "-output",
            "OUTPUT",
            "-volid",
            "config-2",
            "-joliet",
            "-rock",
            "-partition_cyl_align",
            "on",
            "tree",
        ],
    );
}

/// A mounted config map is a directory of links, and the links are followed.
#[test]
fn kubevirt_config() {
    let Some(directory) = tree(&["xorrisofs"]) else {
        return;
    };
    put(&directory, "map/..2026/key.txt", "value\n");
    put(&directory, "map/..2026/other", "another value\n");
    for (target, link) in [
        ("..2026", "map/..data"),
        ("..data/key.txt", "map/key.txt"),
        ("..data/other", "map/other"),
    ] {
        std::os::unix::fs::symlink(target, directory.join(link)).expect("writable");
    }
    check(
        &directory,
        Original::Xorrisofs,
        &[
            "-output",
            "OUTPUT",
            "-follow-links",
            "-volid",
            "cfgdata",
            "-joliet",
            "-rock",
            "-graft-points",
            "-partition_cyl_align",
            "on",
            "key.txt=map/key.txt",
            "other=map/other",
            "..data=map/..data",
        ],
    );
    let contents = contents(&directory.join("ours.iso"));
    assert_eq!(contents["key.txt"], b"value\n");
    assert_eq!(contents["..data/other"], b"another value\n");
}

#[test]
fn kubevirt_2018() {
    let Some(directory) = tree(&["genisoimage"]) else {
        return;
    };
    seed_files(&directory);
    check(
        &directory,
        Original::Genisoimage,
        &[
            "-output",
            "OUTPUT",
            "-volid",
            "cfgdata",
            "-joliet",
            "-rock",
            "-graft-points",
            "key=user-data",
            "deep/er/key=meta-data",
            "directory=tree/openstack/latest",
        ],
    );
}

#[test]
fn virt_install() {
    let Some(directory) = tree(&["genisoimage"]) else {
        return;
    };
    for volume_id in [&["-V", "cidata"][..], &[]] {
        let mut arguments = vec![
            "-o",
            "OUTPUT",
            "-J",
            "-input-charset",
            "utf8",
            "-rational-rock",
        ];
        arguments.extend(volume_id);
        arguments.push("tree");
        let _ = fs::remove_file(directory.join("genisoimage"));
        check(&directory, Original::Genisoimage, &arguments);
    }
}

#[test]
fn virt_install_with_xorrisofs() {
    let Some(directory) = tree(&["xorrisofs"]) else {
        return;
    };
    check(
        &directory,
        Original::Xorrisofs,
        &[
            "-o",
            "OUTPUT",
            "-J",
            "-input-charset",
            "utf8",
            "-rational-rock",
            "-V",
            "cidata",
            "tree",
        ],
    );
}

/// No Rock Ridge: the image has only what was asked for.
#[test]
fn packer() {
    let Some(directory) = tree(&["genisoimage"]) else {
        return;
    };
    check(
        &directory,
        Original::Genisoimage,
        &["-joliet", "-volid", "packer", "-o", "OUTPUT", "tree"],
    );
    assert!(read(&directory.join("ours.iso")).rock_ridge.is_empty());
}

#[test]
fn packer_xorriso() {
    let Some(directory) = tree(&["xorriso", "genisoimage"]) else {
        return;
    };
    succeed(
        mkisofs()
            .args([
                "-as",
                "genisoimage",
                "-rock",
                "-joliet",
                "-volid",
                "packer",
                "-output",
                "ours.iso",
                "tree",
            ])
            .current_dir(&directory),
    );
    tools::run(
        Command::new("xorriso")
            .args([
                "-as",
                "genisoimage",
                "-rock",
                "-joliet",
                "-volid",
                "packer",
                "-output",
                "theirs.iso",
                "tree",
            ])
            .current_dir(&directory),
    );
    let (theirs, ours) = (directory.join("theirs.iso"), directory.join("ours.iso"));
    let (their_reading, our_reading) = (read(&theirs), read(&ours));
    assert_eq!(our_reading.rock_ridge, their_reading.rock_ridge);
    assert_eq!(our_reading.joliet, their_reading.joliet);
    assert_eq!(contents(&ours), contents(&theirs));
}
