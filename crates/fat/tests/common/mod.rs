//! Volumes that `mkfs.vfat` makes.
#![allow(dead_code, reason = "each test uses a part of this")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use christen_block::MemoryDevice;
use christen_fat::{Access, Volume};
use christen_testkit::{TempDir, tools};

/// What volumes are tried: the arguments of `mkfs.vfat`, and MiB.
pub(crate) const SHAPES: [(&str, &[&str], u64); 6] = [
    ("fat12", &["-F", "12", "-n", "SMALL"], 4),
    ("fat12-one-table", &["-F", "12", "-f", "1", "-s", "4"], 7),
    ("fat16", &["-F", "16", "-n", "CIDATA"], 24),
    ("fat16-wide-sectors", &["-F", "16", "-S", "2048"], 64),
    ("fat32", &["-F", "32", "-s", "1"], 40),
    ("fat32-clusters", &["-F", "32", "-s", "2", "-n", "ESP"], 72),
];

pub(crate) struct Maker {
    pub(crate) directory: TempDir,
    mkfs: PathBuf,
    fsck: PathBuf,
}

impl Maker {
    pub(crate) fn new() -> Option<Self> {
        Some(Self {
            directory: TempDir::new(),
            mkfs: tools::require("mkfs.vfat")?,
            fsck: tools::require("fsck.vfat")?,
        })
    }

    pub(crate) fn image(&self, name: &str, arguments: &[&str], mebibytes: u64) -> PathBuf {
        let image = self.directory.join(name);
        fs::File::create(&image)
            .and_then(|file| file.set_len(mebibytes << 20))
            .unwrap();
        tools::run(
            Command::new(&self.mkfs)
                .args(["-i", "c0ffee11"])
                .args(arguments)
                .arg(&image),
        );
        image
    }

    /// Writes the bytes of a device to a file and has it checked.
    #[track_caller]
    pub(crate) fn check(&self, device: &MemoryDevice) -> PathBuf {
        let image = self.directory.join("checked");
        fs::write(&image, device.snapshot()).unwrap();
        let output = Command::new(&self.fsck)
            .args(["-n", "-v"])
            .arg(&image)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        // Some complaints leave the status as it is.
        let complaint = [
            "Dirty",
            "differ",
            "incorrect",
            "inconsistent",
            "Reclaimed",
            "Free cluster summary",
            "has bad",
            "Orphan",
            "Wrong",
            "Bad",
            "Start does point",
            "Expected",
        ]
        .into_iter()
        .find(|complaint| text.contains(complaint));
        assert!(
            output.status.success() && complaint.is_none(),
            "{complaint:?} {text}"
        );
        image
    }
}

pub(crate) fn device(image: &Path) -> Arc<MemoryDevice> {
    Arc::new(MemoryDevice::new(fs::read(image).unwrap()))
}

pub(crate) fn open(device: &Arc<MemoryDevice>) -> Volume {
    Volume::open(Arc::clone(device) as _, Access::ReadWrite).unwrap()
}
