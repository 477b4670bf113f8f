//! Quotas of users, groups and projects; e2fsck counts anew and compares. And the multiple mount protection.

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use christen_block::MemoryDevice;
use christen_ext4::{Error, Ext4};
use christen_testkit::ext::Recipe;
use christen_testkit::tools;
use christen_vfs::model::Random;
use christen_vfs::{self as vfs, FileSystem, NewFile, NewKind};

use support::{Image, debugfs, mkdir, new, noise, writing};

fn require() -> bool {
    ["mke2fs", "e2fsck", "debugfs"]
        .iter()
        .all(|tool| tools::require(tool).is_some())
}

fn owned(uid: u32, gid: u32) -> NewFile<'static> {
    NewFile {
        kind: NewKind::File,
        permissions: 0o644,
        uid,
        gid,
    }
}

/// Returns bytes and inodes that a quota file counts, as debugfs reads it.
fn usage(image: &Path, kind: &str, id: u32) -> Option<(u64, u64)> {
    let said = debugfs(image, &format!("get_quota {kind} {id}"));
    let line = said
        .lines()
        .find(|line| line.split_whitespace().next() == Some(&id.to_string()))?;
    let numbers: Vec<u64> = line
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    Some((numbers[1], numbers[4]))
}

fn change_by_debugfs(image: &Path, request: &str) {
    let debugfs = tools::find("debugfs").unwrap();
    tools::run(Command::new(debugfs).args(["-w", "-R", request]).arg(image));
}

/// Numbers whose ways through the tree part at every level.
fn id(number: u32) -> u32 {
    match number % 5 {
        0 => number,
        1 => number << 8,
        2 => number << 16,
        3 => number << 24,
        _ => u32::MAX - 1 - number,
    }
}

#[test]
fn many_owners_are_counted() {
    if !require() {
        return;
    }
    for (name, block_bytes) in [
        ("ext4-quota", 1024),
        ("ext4-project", 4096),
        ("ext4-project", 2048),
    ] {
        let image = Image::make(Recipe::named(name), block_bytes, 24, &[]);
        let mut fs = image.open();
        let root = fs.root();
        let top = mkdir(&mut fs, root, "top");
        for number in 0..120 {
            let file = fs
                .create(
                    top,
                    format!("{number}").as_bytes(),
                    &owned(id(number), id(number + 1)),
                )
                .unwrap();
            fs.write_at(file, &noise(number as usize * 100, 1), 0)
                .unwrap();
            if number % 7 == 0 {
                fs.set_owner(file, 4_000_000_000, id(number)).unwrap();
            }
        }
        fs.finish().unwrap();
        let path = image.check("with many owners");
        assert_eq!(
            usage(&path, "user", 4_000_000_000).map(|(_, inodes)| inodes),
            Some(18)
        );
        let (bytes, inodes) = usage(&path, "user", id(116)).unwrap();
        assert_eq!(bytes, 11_600_u64.next_multiple_of(block_bytes.into()));
        assert_eq!(inodes, 1);

        // What was opened anew finds the entries that there are, and the room.
        let mut fs = image.open();
        for number in (0..120).step_by(2) {
            fs.remove(top, format!("{number}").as_bytes()).unwrap();
        }
        for number in 200..260 {
            fs.create(
                top,
                format!("{number}").as_bytes(),
                &owned(id(number), id(number)),
            )
            .unwrap();
        }
        fs.finish().unwrap();
        let path = image.check("with other owners");
        assert_eq!(
            usage(&path, "user", id(116)),
            Some((0, 0)),
            "{}",
            image.name
        );
    }
}

#[test]
fn what_is_taken_back_is_not_counted() {
    if !require() {
        return;
    }
    let image = Image::make(Recipe::named("ext4-project"), 1024, 8, &[]);
    let mut fs = image.open();
    let root = fs.root();
    let mut full = false;
    for number in 0..200 {
        let made = fs
            .create(
                root,
                format!("{number}").as_bytes(),
                &owned(id(number), id(number)),
            )
            .and_then(|file| fs.write_at(file, &noise(100_000, number), 0));
        match made {
            Ok(()) => {}
            Err(vfs::Error::NoSpace) => full = true,
            Err(error) => panic!("{number}: {error:?}"),
        }
        assert!(fs.create(root, b"0", &owned(77, 77)).is_err());
    }
    assert!(full);
    fs.finish().unwrap();
    image.check("when it is full");
    for entry in fs.entries(root).unwrap() {
        if entry.name != b"lost+found" {
            fs.remove(root, &entry.name).unwrap();
        }
    }
    fs.finish().unwrap();
    image.check("when it is empty");
}

#[test]
fn a_directory_gives_its_project() {
    if !require() {
        return;
    }
    let image = Image::make(Recipe::named("ext4-project"), 4096, 24, &[]);
    let mut fs = image.open();
    let root = fs.root();
    let top = mkdir(&mut fs, root, "top");
    let other = mkdir(&mut fs, root, "other");
    fs.finish().unwrap();
    drop(fs);
    let path = image.save();
    for (directory, project) in [("/top", 42), ("/other", 43)] {
        // 0x20000000: the project is inherited; the content is a tree of extents.
        change_by_debugfs(&path, &format!("sif {directory} flags 0x20080000"));
        change_by_debugfs(&path, &format!("sif {directory} projid {project}"));
    }
    // It counts what debugfs did not.
    let status = Command::new(tools::find("e2fsck").unwrap())
        .args(["-f", "-y"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(matches!(status.status.code(), Some(0 | 1)), "{status:?}");
    let image = image.load();
    image.check("after debugfs and e2fsck");

    let mut fs = image.open();
    let below = mkdir(&mut fs, top, "below");
    let file = fs.create(below, b"file", &owned(1, 1)).unwrap();
    fs.write_at(file, &noise(9000, 3), 0).unwrap();
    fs.create(top, b"link", &new(NewKind::SymbolicLink(b"below"), 0))
        .unwrap();
    let outside = fs.create(root, b"outside", &owned(1, 1)).unwrap();
    // Into a directory that wants another project nothing goes; out of one it does.
    for refused in [
        fs.link(file, other, b"file"),
        fs.rename(below, b"file", other, b"file"),
        fs.rename(top, b"below", other, b"below"),
        fs.link(outside, top, b"outside"),
    ] {
        assert!(
            matches!(refused, Err(vfs::Error::NotPossible(_))),
            "{refused:?}"
        );
    }
    fs.rename(below, b"file", top, b"file").unwrap();
    fs.link(file, root, b"also").unwrap();
    fs.finish().unwrap();
    let path = image.check("with projects");
    // The two directories, the file and the link.
    assert_eq!(usage(&path, "project", 42), Some((4096 * 2 + 12_288, 4)));
    assert!(debugfs(&path, "stat /also").contains("Project:    42"));
    assert!(debugfs(&path, "stat /outside").contains("Project:     0"));
}

#[test]
fn orphans_are_counted_until_they_are_deleted() {
    if !require() {
        return;
    }
    let image = Image::make(Recipe::named("ext4-quota"), 1024, 16, &[]);
    let mut fs = image.open();
    let root = fs.root();
    let file = fs.create(root, b"file", &owned(5, 6)).unwrap();
    fs.write_at(file, &noise(50_000, 3), 0).unwrap();
    fs.finish().unwrap();
    drop(fs);
    let path = image.save();
    assert_eq!(usage(&path, "user", 5), Some((50_176, 1)));
    change_by_debugfs(&path, "unlink /file");
    change_by_debugfs(&path, &format!("sif <{}> links_count 0", file.number()));
    change_by_debugfs(&path, &format!("ssv last_orphan {}", file.number()));
    let image = image.load();
    image.open().finish().unwrap();
    let path = image.check("after the orphan was deleted");
    assert_eq!(usage(&path, "user", 5), Some((0, 0)));
}

#[test]
fn damaged_quota_files_are_refused() {
    if !require() {
        return;
    }
    let image = Image::make(Recipe::named("ext4-quota"), 1024, 16, &[]);
    let path = image.save();
    let first = debugfs(&path, "blocks <3>");
    let blocks: Vec<usize> = first
        .split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect();
    let whole = image.device.snapshot();
    let word = |block: usize, offset: usize, value: u32| {
        let mut bytes = whole.clone();
        bytes[blocks[block] * 1024 + offset..][..4].copy_from_slice(&value.to_le_bytes());
        Ext4::open(Arc::new(MemoryDevice::new(bytes)), &writing())
    };
    assert!(matches!(word(0, 0, 1), Err(Error::Corrupt(_))));
    assert!(matches!(word(0, 4, 0), Err(Error::Unsupported(_))));
    assert!(matches!(word(0, 20, 4000), Err(Error::Corrupt(_))));
    assert!(matches!(word(0, 20, 1), Err(Error::Corrupt(_))));
    // What is only found on the way: the root of the tree leads elsewhere or in a circle, and so does a list.
    for (block, offset, value) in [
        (1, 0, 4000),
        (1, 0, 1),
        (0, 28, 4000),
        (0, 24, 4000),
        (0, 28, 1),
        (0, 24, 1),
        (1, 4, 1),
    ] {
        let mut fs = word(block, offset, value).unwrap();
        let root = fs.root();
        let made = fs
            .create(root, b"a", &owned(0, 0))
            .and_then(|_| fs.create(root, b"b", &owned(1 << 24, 1 << 24)))
            .and_then(|_| fs.create(root, b"c", &owned(9, 9)));
        assert!(
            matches!(made, Err(vfs::Error::Corrupt(_))),
            "{block} {offset} {value}: {made:?}"
        );
        assert!(matches!(fs.finish(), Err(vfs::Error::Abandoned)));
    }
}

#[test]
fn quota_files_with_other_bytes_harm_nobody() {
    if !require() {
        return;
    }
    let image = Image::make(Recipe::named("ext4-project"), 1024, 8, &[]);
    let mut fs = image.open();
    let root = fs.root();
    for number in 0..40 {
        let name = format!("{number}");
        fs.create(root, name.as_bytes(), &owned(id(number), id(number)))
            .unwrap();
    }
    fs.finish().unwrap();
    let path = image.save();
    let mut blocks: Vec<usize> = Vec::new();
    for number in [3, 4] {
        let said = debugfs(&path, &format!("blocks <{number}>"));
        blocks.extend(
            said.split_whitespace()
                .map(|number| number.parse::<usize>().unwrap()),
        );
    }
    let whole = image.device.snapshot();
    let mut random = Random::new(5);
    let mut below = |bound: usize| random.index(bound);
    let (mut refused, mut done) = (0, 0);
    for _ in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..=below(6) {
            let block = blocks[below(blocks.len())] * 1024;
            // Numbers of blocks stand at the beginning, and most of what is changed elsewhere is numbers of owners and usage.
            let bound = if below(2) == 0 { 8 } else { 256 };
            let value = [0, 1, 2, below(64) as u32, u32::MAX][below(5)];
            bytes[block + below(bound) * 4..][..4].copy_from_slice(&value.to_le_bytes());
        }
        let Ok(mut fs) = Ext4::open(Arc::new(MemoryDevice::new(bytes)), &writing()) else {
            refused += 1;
            continue;
        };
        let root = fs.root();
        for number in 0..80 {
            let name = format!("{number}");
            let _ = fs.remove(root, name.as_bytes());
            let new = owned(id(number + 3), id(number));
            let _ = fs.create(root, name.as_bytes(), &new);
        }
        match fs.finish() {
            Ok(()) => done += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 5 && done > 5, "{refused} {done}");
}

#[test]
fn who_uses_a_filesystem_has_it() {
    if !require() {
        return;
    }
    let image = Image::make(Recipe::named("ext4-mmp"), 1024, 16, &[]);
    let path = image.save();
    let block: usize = debugfs(&path, "stats")
        .lines()
        .find_map(|line| line.strip_prefix("MMP block number:"))
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let whole = image.device.snapshot();
    let open = |change: &dyn Fn(&mut [u8]), with_checksum: bool| {
        let mut bytes = whole.clone();
        let mmp = &mut bytes[block * 1024..][..1024];
        change(mmp);
        if with_checksum {
            // The checksum of all begins with that of the UUID.
            let uuid = crc32c::crc32c(&whole[1024 + 0x68..][..16]);
            let sum = !crc32c::crc32c_append(uuid, &mmp[..1020]);
            mmp[1020..].copy_from_slice(&sum.to_le_bytes());
        }
        let device = Arc::new(MemoryDevice::new(bytes.clone()));
        let outcome = Ext4::open(Arc::clone(&device) as _, &writing());
        assert!(device.snapshot() == bytes);
        outcome
    };
    assert!(open(&|_| (), true).is_ok());
    for sequence in [0xe24d_4d50_u32, 1, 0xff4d_4d51] {
        let set = |mmp: &mut [u8]| mmp[4..8].copy_from_slice(&sequence.to_le_bytes());
        assert!(matches!(open(&set, true), Err(Error::InUse)));
        assert!(matches!(open(&set, false), Err(Error::Corrupt(_))));
    }
    assert!(matches!(
        open(&|mmp| mmp[0] = 0, true),
        Err(Error::Corrupt(_))
    ));
}
