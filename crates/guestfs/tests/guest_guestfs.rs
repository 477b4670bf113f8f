//! Filesystems that christen does not write itself, changed through libguestfs and judged by their own tools and the kernel.
//!
//! An appliance takes ten seconds under emulation, so each test starts one and does all with it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use christen_block::MemoryDevice;
use christen_guestfs::{GuestFs, OpenOptions};
use christen_testkit::{TempDir, tools};
use christen_vfs::{Error, FileSystem, Kind, NewFile, NewKind, Times, Timestamp};

const NOW: Timestamp = Timestamp {
    seconds: 1_700_000_000,
    nanoseconds: 0,
};

fn options() -> OpenOptions {
    OpenOptions {
        write: true,
        subvolume: None,
        emulate: true,
        now: NOW,
    }
}

fn new(kind: NewKind<'_>, permissions: u16) -> NewFile<'_> {
    NewFile {
        kind,
        permissions,
        uid: 1000,
        gid: 70_000,
    }
}

/// Makes a volume, changes it, and lets `judge` look at the file.
fn change(make: &[&str], bytes: usize, judge: &[&str]) {
    let (Some(mkfs), Some(judge_path), Some(_)) = (
        tools::require(make[0]),
        tools::require(judge[0]),
        tools::require("guestfish"),
    ) else {
        return;
    };
    let scratch = TempDir::new();
    let image = scratch.path().join("volume");
    fs::write(&image, vec![0; bytes]).unwrap();
    tools::run(Command::new(mkfs).args(&make[1..]).arg(&image));
    let device = Arc::new(MemoryDevice::new(fs::read(&image).unwrap()));
    let before = device.snapshot();

    let mut guest = GuestFs::open(device.clone(), options()).unwrap();
    operate(&mut guest);
    guest.finish().unwrap();
    assert_ne!(device.snapshot(), before);
    fs::write(&image, device.snapshot()).unwrap();
    tools::run(Command::new(judge_path).args(&judge[1..]).arg(&image));
    // What was finished can be read and changed on.
    let file = find(&mut guest, b"etc/it's \"a\"\n$name");
    let mut content = [0; 8];
    assert_eq!(guest.read_at(file, &mut content, 4000).unwrap(), 8);
    assert_eq!(&content, b"tail\0\xff\n.");
    drop(guest);
    seen_by_the_kernel(&image, &scratch);
}

fn find(guest: &mut GuestFs, path: &[u8]) -> christen_vfs::FileId {
    path.split(|byte| *byte == b'/')
        .fold(guest.root(), |directory, name| {
            guest.lookup(directory, name).unwrap().unwrap()
        })
}

fn operate(guest: &mut GuestFs) {
    let root = guest.root();
    let etc = guest
        .create(root, b"etc", &new(NewKind::Directory, 0o750))
        .unwrap();
    let name = b"it's \"a\"\n$name";
    let file = guest
        .create(etc, name, &new(NewKind::File, 0o4640))
        .unwrap();
    guest.replace(file, &mut &b"\0\x01first\xff"[..]).unwrap();
    guest.write_at(file, b"tail\0\xff\n.", 4000).unwrap();
    for (name, value) in [
        (
            &b"security.selinux"[..],
            &b"system_u:object_r:etc_t:s0\0"[..],
        ),
        (b"user.empty", b""),
        (b"user.binary", b"\0\x01\0"),
    ] {
        guest.set_attribute(file, name, value).unwrap();
        assert_eq!(guest.attribute(file, name).unwrap().unwrap(), value);
    }
    guest.remove_attribute(file, b"user.empty").unwrap();
    assert_eq!(
        guest.attribute_names(file).unwrap(),
        [&b"security.selinux"[..], b"user.binary"]
    );
    guest
        .set_times(
            file,
            Times {
                accessed: None,
                modified: Some(Timestamp {
                    seconds: 1_000_000_000,
                    nanoseconds: 123_456_789,
                }),
            },
        )
        .unwrap();
    guest.link(file, root, b"second").unwrap();
    let link = guest
        .create(root, b"link", &new(NewKind::SymbolicLink(b"/etc/a b"), 0))
        .unwrap();
    assert_eq!(guest.read_link(link).unwrap(), b"/etc/a b");
    guest
        .create(
            etc,
            b"device",
            &new(
                NewKind::Special(Kind::CharacterDevice {
                    major: 300,
                    minor: 70_000,
                }),
                0o600,
            ),
        )
        .unwrap();
    let attributes = guest.attributes(file).unwrap();
    assert_eq!(attributes.permissions, 0o4640);
    assert_eq!((attributes.uid, attributes.gid), (1000, 70_000));
    assert_eq!((attributes.links, attributes.size), (2, 4008));
    assert!(matches!(
        guest.create(root, b"etc", &new(NewKind::File, 0o644)),
        Err(Error::Exists)
    ));
    assert!(matches!(guest.remove(root, b"etc"), Err(Error::NotEmpty)));
    let away = guest
        .create(root, b"away", &new(NewKind::Directory, 0o700))
        .unwrap();
    guest.rename(root, b"away", etc, b"moved").unwrap();
    assert_eq!(guest.attributes(away).unwrap().kind, Kind::Directory);
    let mut names: Vec<_> = guest
        .entries(etc)
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    names.sort();
    assert_eq!(names, [&b"device"[..], name, b"moved"]);
}

/// The host's kernel mounts what the appliance wrote. Only root can, and only where loop devices are to be had.
fn seen_by_the_kernel(image: &Path, scratch: &TempDir) {
    let mount = scratch.path().join("mount");
    fs::create_dir(&mount).unwrap();
    let mounted = Command::new("mount")
        .args(["-o", "loop,ro"])
        .args([image, &mount])
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        return tools::skip("this kernel mounts no such image, or this is not root");
    }
    let script = r#"cd "$1" && stat -c '%A %u %g %h %s %.9Y' second && stat -c '%A %t %T' etc/device && readlink link &&
        getfattr --absolute-names -h -d -m - -e hex second | sort && ls etc | wc -l"#;
    let seen = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(&mount)
        .env("TZ", "UTC")
        .output();
    tools::run(Command::new("umount").arg(&mount));
    let seen = String::from_utf8(seen.unwrap().stdout).unwrap();
    assert_eq!(
        seen,
        "-rwSr----- 1000 70000 2 4008 1000000000.123456789\n\
         crw------- 12c 11170\n\
         /etc/a b\n\n\
         # file: second\n\
         security.selinux=0x73797374656d5f753a6f626a6563745f723a6574635f743a733000\n\
         user.binary=0x000100\n4\n"
    );
}

#[test]
#[ignore = "starts an appliance; `cargo xtask guest-check` runs it"]
fn xfs_is_changed() {
    change(&["mkfs.xfs", "-q"], 320 << 20, &["xfs_repair", "-n"]);
}

#[test]
#[ignore = "starts an appliance; `cargo xtask guest-check` runs it"]
fn btrfs_is_changed() {
    change(
        &["mkfs.btrfs", "-q"],
        160 << 20,
        &["btrfs", "check", "--readonly"],
    );
}
