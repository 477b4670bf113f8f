//! Volumes of `mkfs.vfat`, changed through the seam, judged by `fsck.vfat` and read by mtools.

mod common;

use std::io::Read;
use std::process::Command;
use std::sync::Arc;

use christen_block::BlockDevice;
use christen_fat::{Access, Volume};
use christen_testkit::tools;
use christen_vfs::conformance::{self, Capabilities};
use christen_vfs::memory::Memory;
use christen_vfs::model::{self, Mismatch, Operation, Profile, ReplayOptions};
use christen_vfs::tree::Aspects;
use christen_vfs::{Error, FileId, FileSystem, GuestPath, NewFile, NewKind};
use common::{Maker, SHAPES, device, open};

const CAPABILITIES: Capabilities = Capabilities {
    special_files: false,
    access_lists: false,
    byte_names: false,
    holes: false,
    stamps: false,
};

fn new(kind: NewKind<'_>) -> NewFile<'_> {
    NewFile {
        kind,
        permissions: 0o644,
        uid: 0,
        gid: 0,
    }
}

#[test]
fn every_shape_conforms_and_is_sound_behind_it() {
    let Some(maker) = Maker::new() else { return };
    for (name, arguments, mebibytes) in SHAPES {
        let image = maker.image(name, arguments, mebibytes);
        let device = device(&image);
        let mut volume = open(&device);
        let report = conformance::run_in(&mut volume, &CAPABILITIES);
        assert!(report.is_clean(), "{name}: {report}");
        volume.finish().unwrap();
        maker.check(&device);
    }
}

#[test]
fn random_operations_do_what_the_model_does() {
    let Some(maker) = Maker::new() else { return };
    let seeds = std::env::var("CHRISTEN_FAT_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(1);
    let profile = Profile {
        content_bytes: 20_000,
        attribute_bytes: 0,
        owners: false,
        links: false,
        ..Profile::DEFAULT
    };
    let options = ReplayOptions {
        compare_every: 100,
        aspects: Aspects {
            owners: false,
            links: false,
            directory_links: false,
            attributes: false,
            modified: false,
            accessed: false,
            changed: false,
            created: false,
        },
        ..ReplayOptions::ALL
    };
    for (name, arguments, mebibytes) in SHAPES {
        let image = maker.image(name, arguments, mebibytes.min(64));
        for seed in 0..seeds {
            let mut state = Memory::copy_of(&mut open(&device(&image)), 1 << 20).unwrap();
            let mut operations = model::generate(&mut state, seed, 600, &profile);
            // Some of the names are no text, and the root has no times.
            operations.retain(|operation| {
                let paths = operation.paths();
                let texts = |path: &&GuestPath| path.components().all(|name| name.is_ascii());
                let root = matches!(operation, Operation::SetTimes { path, .. } if *path == GuestPath::root());
                paths.iter().all(texts) && !root
            });
            let mut last = device(&image);
            let mut attempt = |operations: &[Operation]| {
                last = device(&image);
                let mut volume = open(&last);
                let mut model = Memory::copy_of(&mut volume, 1 << 20).unwrap();
                model::replay(operations, &mut volume, &mut model, &options)?;
                volume.finish().unwrap();
                Ok::<_, Mismatch>(())
            };
            if let Err(how) = attempt(&operations) {
                let shortest = model::shrink(&operations, 200, &mut |some| attempt(some).is_err());
                panic!("{name}, seed {seed}: {how}\n{shortest:#?}");
            }
            maker.check(&last);
        }
    }
}

fn put(volume: &mut Volume, directory: FileId, name: &str, content: &[u8]) -> FileId {
    let file = volume
        .create(directory, name.as_bytes(), &new(NewKind::File))
        .unwrap();
    volume.replace(file, &mut &content[..]).unwrap();
    file
}

#[test]
fn mtools_reads_what_was_put_beside_its_own() {
    let Some(maker) = Maker::new() else { return };
    let (Some(mcopy), Some(mmd), Some(mtype)) = (
        tools::require("mcopy"),
        tools::require("mmd"),
        tools::require("mtype"),
    ) else {
        return;
    };
    for (name, arguments, mebibytes) in SHAPES {
        let image = maker.image(name, arguments, mebibytes);
        let source = maker.directory.join("source");
        std::fs::write(&source, "from mtools").unwrap();
        let run = |command: &mut Command| tools::run(command.env("LC_ALL", "C.UTF-8"));
        run(Command::new(&mmd)
            .arg("-i")
            .arg(&image)
            .args(["::EFI", "::EFI/Long directory name"]));
        for target in [
            "::EFI/BOOT.CFG",
            "::EFI/Long directory name/größe von ihm.txt",
        ] {
            run(Command::new(&mcopy)
                .arg("-i")
                .arg(&image)
                .arg(&source)
                .arg(target));
        }
        let device = device(&image);
        let mut volume = open(&device);
        let efi = volume.lookup(volume.root(), b"efi").unwrap().unwrap();
        let config = volume.lookup(efi, b"boot.cfg").unwrap().unwrap();
        assert_eq!(volume.lookup(efi, b"BOOT.CFG").unwrap(), Some(config));
        let mut content = [0; 64];
        let length = volume.read_at(config, &mut content, 0).unwrap();
        assert_eq!(&content[..length], b"from mtools");
        volume
            .write_at(config, b" and christen", length as u64)
            .unwrap();
        let long = volume.lookup(efi, b"Long directory name").unwrap().unwrap();
        let names: Vec<_> = volume.entries(long).unwrap();
        assert_eq!(String::from_utf8_lossy(&names[0].name), "größe von ihm.txt");
        let large: Vec<u8> = (0..300_000_u32)
            .map(|number| (number % 251) as u8)
            .collect();
        put(&mut volume, long, "other größe.bin", &large);
        volume.rename(efi, b"BOOT.CFG", long, b"moved.cfg").unwrap();
        volume.remove(long, "GRÖßE VON IHM.TXT".as_bytes()).unwrap();
        volume.finish().unwrap();
        let image = maker.check(&device);
        let read = |path: &str| run(Command::new(&mtype).arg("-i").arg(&image).arg(path));
        assert_eq!(
            read("::EFI/Long directory name/moved.cfg"),
            b"from mtools and christen"
        );
        assert_eq!(read("::EFI/Long directory name/other größe.bin"), large);
    }
}

/// A source that fails after so many bytes.
struct Failing(usize);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.0 == 0 {
            return Err(std::io::Error::other("the source failed"));
        }
        let length = buffer.len().min(self.0);
        buffer[..length].fill(b'f');
        self.0 -= length;
        Ok(length)
    }
}

/// Long content goes through a file of its own: it must leave the same file, and nothing behind when it fails.
#[test]
fn long_content_is_replaced_whole_or_not_at_all() {
    let Some(maker) = Maker::new() else { return };
    let image = maker.image("long", &["-F", "32", "-s", "1"], 40);
    let device = device(&image);
    let mut volume = open(&device);
    let root = volume.root();
    let file = put(&mut volume, root, "Some File", b"old");
    let long: Vec<u8> = (0..9_000_000_u32)
        .map(|number| (number % 241) as u8)
        .collect();
    assert_eq!(volume.replace(file, &mut &long[..]).unwrap(), 9_000_000);
    assert_eq!(volume.lookup(root, b"some file").unwrap(), Some(file));
    for bytes in [10, 6 << 20] {
        let error = volume.replace(file, &mut Failing(bytes)).unwrap_err();
        assert!(matches!(error, Error::Content(_)), "{error}");
    }
    // It does not fit beside the old one.
    let error = volume.replace(file, &mut Failing(38 << 20)).unwrap_err();
    assert!(matches!(error, Error::NoSpace), "{error}");
    let held = vec![1; 3 << 20];
    let other = put(&mut volume, root, "filler", &held);
    for _ in 0..7 {
        let size = volume.attributes(other).unwrap().size;
        volume.write_at(other, &held, size).unwrap();
    }
    let error = loop {
        let size = volume.attributes(other).unwrap().size;
        if let Err(error) = volume.write_at(other, &held[..100_000], size) {
            break error;
        }
    };
    assert!(matches!(error, Error::NoSpace), "{error}");

    let names: Vec<_> = volume.entries(root).unwrap();
    let names: Vec<_> = names.iter().map(|entry| entry.name.as_slice()).collect();
    assert_eq!(names, [&b"Some File"[..], b"filler"]);
    let mut content = vec![0; long.len() + 1];
    assert_eq!(volume.read_at(file, &mut content, 0).unwrap(), long.len());
    assert_eq!(content[..long.len()], long);
    volume.finish().unwrap();
    maker.check(&device);
}

#[test]
fn what_cannot_be_done_is_told() {
    let Some(maker) = Maker::new() else { return };
    let image = maker.image("limits", &["-F", "12"], 4);
    let unchanged = device(&image);
    let before = unchanged.snapshot();
    let mut volume = Volume::open(Arc::clone(&unchanged) as _, Access::ReadOnly).unwrap();
    let root = volume.root();
    assert!(matches!(
        volume.create(root, b"a", &new(NewKind::File)),
        Err(Error::ReadOnly)
    ));
    volume.finish().unwrap();
    assert_eq!(unchanged.snapshot(), before);

    let mut volume = open(&device(&image));
    let file = put(&mut volume, root, "file", b"x");
    let link = new(NewKind::SymbolicLink(b"target"));
    assert!(matches!(
        volume.create(root, b"l", &link),
        Err(Error::NotPossible(_))
    ));
    assert!(matches!(
        volume.link(file, root, b"l"),
        Err(Error::NotPossible(_))
    ));
    assert!(matches!(
        volume.set_owner(file, 1, 1),
        Err(Error::NotPossible(_))
    ));
    assert!(matches!(
        volume.set_attribute(file, b"user.a", b"1"),
        Err(Error::NotPossible(_))
    ));
    for name in [&b"a:b"[..], b"trailing.", b"trailing ", b"\xff"] {
        let outcome = volume.create(root, name, &new(NewKind::File));
        assert!(matches!(outcome, Err(Error::InvalidName)), "{name:?}");
    }
    assert!(matches!(
        volume.create(root, b"FILE", &new(NewKind::File)),
        Err(Error::Exists)
    ));

    // The marks of Linux and of Windows that a volume was not unmounted.
    for (arguments, mebibytes, place, mask) in [
        (&["-F", "12"][..], 4, 37, 1),
        (&["-F", "16"], 24, 37, 1),
        (&["-F", "32", "-s", "1"], 40, 65, 1),
        (&["-F", "32", "-s", "1"], 40, 32 * 512 + 7, 8),
    ] {
        let marked = device(&maker.image("marked", arguments, mebibytes));
        let mut byte = [0];
        marked.read_at(&mut byte, place).unwrap();
        marked.write_at(&[byte[0] ^ mask], place).unwrap();
        let open = |access| Volume::open(Arc::clone(&marked) as _, access);
        assert!(open(Access::ReadOnly).is_ok());
        assert!(
            matches!(open(Access::ReadWrite), Err(Error::Unsupported(_))),
            "{arguments:?} {place}"
        );
    }
}
