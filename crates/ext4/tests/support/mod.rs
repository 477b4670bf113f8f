//! What the judges of this crate share.
#![allow(
    dead_code,
    reason = "each test file is a program of its own and uses a part of this"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use christen_block::MemoryDevice;
use christen_ext4::{Access, Ext4, Journal, OpenOptions};
use christen_testkit::ext::{self, Recipe};
use christen_testkit::temp::TempDir;
use christen_testkit::tools;
use christen_vfs::{FileId, FileSystem, NewFile, NewKind, Timestamp};

/// The moment of all changes.
pub(crate) const NOW: Timestamp = Timestamp {
    seconds: 1_700_000_000,
    nanoseconds: 123_456_789,
};

/// An image in memory.
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) device: Arc<MemoryDevice>,
    directory: TempDir,
}

pub(crate) fn writing() -> OpenOptions {
    OpenOptions {
        access: Access::Write,
        journal: Journal::Refuse,
        now: NOW,
        generation_seed: 7,
    }
}

impl Image {
    /// Makes an image by recipe.
    pub(crate) fn make(recipe: &Recipe, block_bytes: u32, mebibytes: u64, more: &[&str]) -> Self {
        let directory = TempDir::new();
        let path = directory.path().join("image");
        recipe.make_with(&path, block_bytes, mebibytes << 20, more);
        Self::read(format!("{} {block_bytes}", recipe.name), directory)
    }

    /// Takes the file `image` of a directory.
    pub(crate) fn read(name: String, directory: TempDir) -> Self {
        let bytes = fs::read(directory.path().join("image")).unwrap();
        Self {
            name,
            device: Arc::new(MemoryDevice::new(bytes)),
            directory,
        }
    }

    pub(crate) fn open(&self) -> Ext4 {
        match Ext4::open(Arc::clone(&self.device) as _, &writing()) {
            Ok(filesystem) => filesystem,
            Err(error) => panic!("{}: {error}", self.name),
        }
    }

    /// Writes the image as it is now to a file.
    pub(crate) fn save(&self) -> PathBuf {
        let path = self.directory.path().join("image");
        fs::write(&path, self.device.snapshot()).unwrap();
        path
    }

    /// Takes the file anew, after a tool has changed it.
    pub(crate) fn load(self) -> Self {
        Self::read(self.name, self.directory)
    }

    /// Lets e2fsck judge.
    #[track_caller]
    pub(crate) fn check(&self, what: &str) -> PathBuf {
        let path = self.save();
        ext::assert_clean(&path, &format!("{}, {what}", self.name));
        path
    }
}

/// Runs a request of debugfs.
pub(crate) fn debugfs(image: &Path, request: &str) -> String {
    let program = tools::find("debugfs").expect("debugfs comes with mke2fs");
    let output = Command::new(program)
        .args(["-R", request])
        .arg(image)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Holds what debugfs reads of a file against what was written. Of content that stands in the inode it shows all 60 bytes, however
/// long the file is (e2fsprogs `lib/ext2fs/fileio.c`, `ext2fs_file_read_inline_data`).
#[track_caller]
pub(crate) fn assert_content(image: &Path, path: &str, expected: &[u8]) {
    let program = tools::find("debugfs").expect("debugfs comes with mke2fs");
    let output = Command::new(program)
        .args(["-R", &format!("cat {path}")])
        .arg(image)
        .output()
        .unwrap();
    let mut read = output.stdout;
    if read.len() == 60 && read[expected.len().min(60)..].iter().all(|byte| *byte == 0) {
        read.truncate(expected.len());
    }
    assert!(
        read == expected,
        "{}: debugfs reads something else in {path}",
        image.display()
    );
}

pub(crate) fn new(kind: NewKind<'_>, permissions: u16) -> NewFile<'_> {
    NewFile {
        kind,
        permissions,
        uid: 1000,
        gid: 100_000,
    }
}

pub(crate) fn mkdir(filesystem: &mut Ext4, directory: FileId, name: &str) -> FileId {
    filesystem
        .create(directory, name.as_bytes(), &new(NewKind::Directory, 0o755))
        .unwrap_or_else(|error| panic!("mkdir {name}: {error:?}"))
}

pub(crate) fn put(filesystem: &mut Ext4, directory: FileId, name: &str, content: &[u8]) -> FileId {
    let file = filesystem
        .create(directory, name.as_bytes(), &new(NewKind::File, 0o640))
        .unwrap_or_else(|error| panic!("create {name}: {error:?}"));
    filesystem
        .write_at(file, content, 0)
        .unwrap_or_else(|error| panic!("write {name}: {error:?}"));
    file
}

/// Bytes that differ from place to place.
pub(crate) fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 24) as u8
        })
        .collect()
}

/// Returns all content of a file.
pub(crate) fn content(filesystem: &mut Ext4, file: FileId) -> Vec<u8> {
    let size = filesystem.attributes(file).unwrap().size;
    let mut bytes = vec![0; size as usize];
    let read = filesystem.read_at(file, &mut bytes, 0).unwrap();
    assert_eq!(read, bytes.len());
    bytes
}
