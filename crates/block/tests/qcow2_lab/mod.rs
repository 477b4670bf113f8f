//! Images that QEMU makes, and what QEMU says of them afterwards.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use christen_block::qcow2::{Header, Qcow2};
use christen_block::{Access, BlockDevice, MemoryDevice, MemoryStorage};
use christen_testkit::temp::TempDir;
use christen_testkit::tools;

/// Set to `1`, the whole matrix runs instead of a sample.
pub(crate) const FULL: &str = "CHRISTEN_JUDGE_FULL";

pub(crate) fn is_full() -> bool {
    std::env::var_os(FULL).is_some_and(|value| value == "1")
}

/// Numbers that look random and are the same every time (xorshift64*).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            piece.copy_from_slice(&self.next().to_le_bytes()[..piece.len()]);
        }
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// A directory with images, and QEMU's programs.
#[derive(Debug)]
pub(crate) struct Lab {
    directory: TempDir,
    qemu_img: PathBuf,
    qemu_io: PathBuf,
}

impl Lab {
    pub(crate) fn new() -> Option<Self> {
        Some(Self {
            qemu_img: tools::require("qemu-img")?,
            qemu_io: tools::require("qemu-io")?,
            directory: TempDir::new(),
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    #[track_caller]
    pub(crate) fn qemu_img(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.qemu_img);
        command.current_dir(&self.directory).args(arguments);
        String::from_utf8_lossy(&tools::run(&mut command)).into_owned()
    }

    /// Runs commands of qemu-io on a qcow2 image.
    #[track_caller]
    pub(crate) fn qemu_io(&self, image: &str, commands: &[String]) {
        let mut command = Command::new(&self.qemu_io);
        command
            .current_dir(&self.directory)
            .args(["-t", "unsafe", "-f", "qcow2"]);
        for argument in commands {
            command.args(["-c", argument]);
        }
        tools::run(command.arg(image));
    }

    /// Writes a raw file of data with holes, and returns its bytes.
    pub(crate) fn raw(&self, name: &str, length: usize, seed: u64) -> Vec<u8> {
        let mut random = Random::new(seed);
        let mut bytes = vec![0; length];
        let mut at = 0;
        while at < length {
            let run = (random.below(200_000) as usize + 1).min(length - at);
            match random.below(3) {
                0 => {}
                // What compresses, and what does not.
                1 => bytes[at..at + run].fill(random.next() as u8),
                _ => random.fill(&mut bytes[at..at + run]),
            }
            at += run;
        }
        fs::write(self.path(name), &bytes).unwrap();
        bytes
    }

    /// Returns what QEMU reads from a qcow2 image.
    #[track_caller]
    pub(crate) fn content(&self, image: &str) -> Vec<u8> {
        self.qemu_img(&["convert", "-f", "qcow2", "-O", "raw", image, "content.raw"]);
        fs::read(self.path("content.raw")).unwrap()
    }

    /// Lets QEMU audit an image; leaks count.
    #[track_caller]
    pub(crate) fn check(&self, image: &str) {
        self.qemu_img(&["check", "-f", "qcow2", image]);
    }

    /// Returns the name and the flags of every bitmap, as QEMU says them.
    pub(crate) fn bitmaps(&self, image: &str) -> Vec<(String, String)> {
        let report = self.qemu_img(&["info", "--output=json", image]);
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let bitmaps = &report["format-specific"]["data"]["bitmaps"];
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let flags = |bitmap: &serde_json::Value| -> Vec<String> {
            bitmap["flags"]
                .as_array()
                .unwrap()
                .iter()
                .map(text)
                .collect()
        };
        bitmaps
            .as_array()
            .unwrap()
            .iter()
            .map(|bitmap| (text(&bitmap["name"]), flags(bitmap).join(",")))
            .collect()
    }

    /// Opens an image in memory with all that it refers to.
    #[track_caller]
    pub(crate) fn open(&self, image: &str, access: Access) -> Opened {
        let storage = self.load(&self.path(image));
        let header = Header::read(&*storage).unwrap();
        let data_file = header
            .data_file
            .as_deref()
            .map(|name| self.load(&self.path_of(name)));
        let disk = Qcow2::open(
            Arc::clone(&storage) as _,
            self.backing(&header),
            data_file.clone().map(|storage| storage as _),
            access,
        );
        Opened {
            image: image.to_owned(),
            data_name: header.data_file,
            disk: disk.unwrap_or_else(|error| panic!("{image}: {error}")),
            storage,
            data_file,
        }
    }

    fn backing(&self, header: &Header) -> Option<Arc<dyn BlockDevice>> {
        let path = self.path_of(header.backing_file.as_deref()?);
        if header.backing_format.as_deref() == Some("raw") {
            return Some(Arc::new(MemoryDevice::new(fs::read(path).unwrap())));
        }
        let storage = self.load(&path);
        let header = Header::read(&*storage).unwrap();
        let backing = self.backing(&header);
        Some(Arc::new(
            Qcow2::open(storage, backing, None, Access::Read).unwrap(),
        ))
    }

    fn path_of(&self, name: &[u8]) -> PathBuf {
        self.directory.join(std::ffi::OsStr::from_bytes(name))
    }

    fn load(&self, path: &Path) -> Arc<MemoryStorage> {
        Arc::new(MemoryStorage::new(fs::read(path).unwrap()))
    }

    /// Writes what was staged over the files it came from.
    pub(crate) fn store(&self, opened: &Opened) {
        opened.disk.flush().unwrap();
        fs::write(self.path(&opened.image), opened.storage.snapshot()).unwrap();
        if let (Some(name), Some(data)) = (&opened.data_name, &opened.data_file) {
            fs::write(self.path_of(name), data.snapshot()).unwrap();
        }
    }
}

/// An image, opened in memory.
#[derive(Debug)]
pub(crate) struct Opened {
    image: String,
    data_name: Option<Vec<u8>>,
    pub(crate) disk: Qcow2,
    pub(crate) storage: Arc<MemoryStorage>,
    pub(crate) data_file: Option<Arc<MemoryStorage>>,
}

impl Opened {
    /// Reads the whole disk, in pieces that do not end where clusters do.
    #[track_caller]
    pub(crate) fn content(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.disk.length() as usize];
        for (index, piece) in bytes.chunks_mut(300_007).enumerate() {
            self.disk
                .read_at(piece, index as u64 * 300_007)
                .unwrap_or_else(|error| panic!("{}: {error}", self.image));
        }
        bytes
    }
}

/// Says where two disks differ first, instead of printing both.
#[track_caller]
pub(crate) fn assert_same(what: &str, ours: &[u8], theirs: &[u8]) {
    assert_eq!(ours.len(), theirs.len(), "{what}: lengths differ");
    if ours == theirs {
        return;
    }
    if let Some(at) = ours.iter().zip(theirs).position(|(a, b)| a != b) {
        panic!(
            "{what}: differs first at {at}: {} instead of {}",
            ours[at], theirs[at]
        );
    }
}
