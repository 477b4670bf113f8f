//! Images on the host's own filesystem: opened, changed, committed, copied.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use christen_block::{
    BlockDevice, Error, Format, Image, OpenOptions, OutputKind, Purpose, StatedFormat,
};
use christen_testkit::temp::TempDir;

const LENGTH: u64 = 8 << 20;

fn options(purpose: Purpose) -> OpenOptions {
    OpenOptions {
        format: StatedFormat::Stated(Format::Raw),
        purpose,
        allow_backing: Vec::new(),
        redo_directory: None,
    }
}

fn open(path: &Path, purpose: Purpose) -> christen_block::Result<Image> {
    Image::open(path, &options(purpose))
}

const READ: Purpose = Purpose::Read { even_in_use: false };

/// A file with data at its ends and a hole between.
fn image(directory: &Path) -> PathBuf {
    let path = directory.join("disk.img");
    let file = fs::File::create(&path).unwrap();
    file.set_len(LENGTH).unwrap();
    file.write_all_at(&[1; 10_000], 0).unwrap();
    file.write_all_at(&[2; 10_000], LENGTH - 10_000).unwrap();
    path
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_commit_changes_what_differs_and_leaves_nothing_behind() {
    let directory = TempDir::new();
    let path = image(&directory);
    let mut expected = fs::read(&path).unwrap();
    let opened = open(&path, Purpose::Change).unwrap();
    let disk = opened.disk();
    for (offset, data) in [
        (700, vec![9; 100]),
        (5000, vec![1; 512]),
        (1 << 20, vec![7; 600_000]),
        (LENGTH - 300, vec![8; 300]),
    ] {
        disk.write_at(&data, offset).unwrap();
        expected[offset as usize..offset as usize + data.len()].copy_from_slice(&data);
    }
    let mut back = vec![0; LENGTH as usize];
    disk.read_at(&mut back, 0).unwrap();
    assert_eq!(back, expected);
    let changes = opened.changes().unwrap();
    // The write at 5000 wrote what was there.
    assert_eq!(changes.ranges(), 3);
    assert_eq!(changes.files[0].ranges[0], (512, 512));
    assert_ne!(fs::read(&path).unwrap(), expected);
    let committed = opened.commit(&mut |_| {}).unwrap();
    assert_eq!(committed.bytes, 512 + 600_064 + 512);
    assert_eq!(committed.syncs, 4);
    assert!(disk.write_at(&[1], 0).is_err());
    assert_eq!(fs::read(&path).unwrap(), expected);
    assert_eq!(names(&directory), ["disk.img"]);
}

#[test]
fn dropping_an_image_changes_nothing() {
    let directory = TempDir::new();
    let path = image(&directory);
    let before = fs::read(&path).unwrap();
    let opened = open(&path, Purpose::Change).unwrap();
    opened.disk().write_at(&vec![7; 3 << 20], 4096).unwrap();
    drop(opened);
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(names(&directory), ["disk.img"]);
}

#[test]
fn a_reader_cannot_write() {
    let directory = TempDir::new();
    let path = image(&directory);
    let opened = open(&path, READ).unwrap();
    assert!(matches!(
        opened.disk().write_at(&[1], 0),
        Err(Error::ReadOnly)
    ));
}

#[test]
fn an_image_is_changed_by_one_and_read_by_none_meanwhile() {
    let directory = TempDir::new();
    let path = image(&directory);
    let writer = open(&path, Purpose::Change).unwrap();
    for purpose in [Purpose::Change, READ] {
        assert!(matches!(open(&path, purpose), Err(Error::InUse { .. })));
    }
    open(&path, Purpose::Read { even_in_use: true }).unwrap();
    drop(writer);
    let reader = open(&path, READ).unwrap();
    open(&path, READ).unwrap();
    assert!(matches!(
        open(&path, Purpose::Change),
        Err(Error::InUse { .. })
    ));
    drop(reader);
    open(&path, Purpose::Change).unwrap();
}

#[test]
fn the_format_is_probed_for_reading_only() {
    let directory = TempDir::new();
    let path = image(&directory);
    let mut probed = options(READ);
    probed.format = StatedFormat::Probed;
    assert_eq!(Image::open(&path, &probed).unwrap().format(), Format::Raw);
    probed.purpose = Purpose::Change;
    assert!(matches!(
        Image::open(&path, &probed),
        Err(Error::FormatNotStated { .. })
    ));
}

#[test]
fn what_is_no_file_is_refused() {
    let directory = TempDir::new();
    assert!(matches!(
        open(&directory, READ),
        Err(Error::NotAFile { .. })
    ));
    let pipe = directory.join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(matches!(open(&pipe, READ), Err(Error::NotAFile { .. })));
    assert!(matches!(
        open("/dev/null".as_ref(), READ),
        Err(Error::NotAFile { .. })
    ));
}

#[test]
fn the_redo_file_stands_beside_the_file_and_not_beside_a_link() {
    let directory = TempDir::new();
    let path = image(&directory);
    let link = directory.join("link.img");
    symlink(&path, &link).unwrap();
    fs::write(directory.join(".disk.img.christen-redo"), "no redo file").unwrap();
    assert!(matches!(
        open(&link, Purpose::Change),
        Err(Error::Redo { .. })
    ));
}

#[test]
fn a_copy_holds_the_changes_and_the_image_does_not() {
    let directory = TempDir::new();
    let path = image(&directory);
    let before = fs::read(&path).unwrap();
    let mut expected = before.clone();
    let new = directory.join("new.img");
    let output = Purpose::Output {
        path: new.clone(),
        kind: OutputKind::Copy,
    };
    let opened = open(&path, output.clone()).unwrap();
    let disk = opened.disk();
    for (offset, data) in [(700, vec![9; 100]), (3 << 20, vec![7; 700_001])] {
        disk.write_at(&data, offset).unwrap();
        expected[offset as usize..offset as usize + data.len()].copy_from_slice(&data);
    }
    let mut back = vec![0; LENGTH as usize];
    disk.read_at(&mut back, 0).unwrap();
    assert_eq!(back, expected);
    assert_eq!(names(&directory), ["disk.img"]);
    opened.commit(&mut |_| {}).unwrap();
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read(&new).unwrap(), expected);
    let metadata = new.metadata().unwrap();
    assert!(metadata.blocks() * 512 < 2 << 20, "holes were filled");
    assert_eq!(metadata.mode() & 0o7777, 0o600);
    assert!(matches!(open(&path, output), Err(Error::Exists { .. })));
}

#[test]
fn memory_is_bounded_and_small_writes_are_not_lost() {
    let directory = TempDir::new();
    let path = directory.join("disk.img");
    let length = 20_u64 << 20;
    fs::File::create(&path).unwrap().set_len(length).unwrap();
    let opened = open(&path, Purpose::Change).unwrap();
    let disk = opened.disk();
    let mut expected = vec![0; length as usize];
    // Half of every page, which is more than is kept in memory, and backwards.
    for index in (0..length / 4096).rev() {
        let offset = index * 4096;
        let data = [index as u8 | 1; 2048];
        disk.write_at(&data, offset).unwrap();
        expected[offset as usize..offset as usize + 2048].copy_from_slice(&data);
    }
    let mut back = vec![0; length as usize];
    disk.read_at(&mut back, 0).unwrap();
    assert!(back == expected);
    opened.commit(&mut |_| {}).unwrap();
    assert!(fs::read(&path).unwrap() == expected);
}
