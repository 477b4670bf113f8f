//! Volume groups that LVM2 makes on loop devices. There is no device mapper here, so nothing is activated: metadata is all
//! that LVM2 writes, and where its volumes lie is what it says of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{TempDir, tools};

const CONFIGURATION: &str = "devices { filter=[\"a|^/dev/loop[0-9]+$|\",\"r|.*|\"] use_devicesfile=0 obtain_device_list_from_udev=0 } \
     global { activation=0 use_lvmpolld=0 use_lvmlockd=0 event_activation=0 } \
     activation { udev_sync=0 udev_rules=0 monitoring=0 } backup { backup=0 archive=0 }";

/// The size of an extent in bytes.
pub const EXTENT_BYTES: u64 = 1 << 20;

/// A loop device, detached when dropped.
#[derive(Debug)]
struct Loop(String);

impl Loop {
    fn attach(losetup: &Path, image: &Path) -> Option<Self> {
        let output = Command::new(losetup)
            .args(["--find", "--show"])
            .arg(image)
            .output()
            .unwrap();
        let name = String::from_utf8(output.stdout).unwrap();
        output
            .status
            .success()
            .then(|| Self(name.trim().to_owned()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("/sbin/losetup").args(["-d", &self.0]).status();
    }
}

/// A linear piece of a logical volume, as LVM2 reports it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Piece {
    /// The name of the logical volume.
    pub volume: String,
    /// The identity of the logical volume.
    pub uuid: String,
    /// Where the piece begins in the volume, in bytes.
    pub start_bytes: u64,
    /// How long it is, in bytes.
    pub length_bytes: u64,
    /// The number of the physical volume that it lies on, in the order they were made.
    pub physical_volume: usize,
    /// Where it begins on the physical volume, in bytes.
    pub physical_start_bytes: u64,
}

/// A volume group on files, one for each physical volume.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The files.
    pub images: Vec<PathBuf>,
    lvm: PathBuf,
    loops: Vec<Loop>,
    _directory: TempDir,
}

impl Group {
    /// Makes physical volumes of these lengths in MiB and a group of them with extents of 1 MiB; `options` are those of `pvcreate`.
    ///
    /// Skips the test where LVM2 is not installed or no loop device can be had.
    ///
    /// # Panics
    ///
    /// Panics if LVM2 fails.
    #[track_caller]
    pub fn new(name: &str, mebibytes: &[u64], options: &[&str]) -> Option<Self> {
        let (lvm, losetup) = (tools::require("lvm")?, tools::require("losetup")?);
        let directory = TempDir::new();
        let mut images = Vec::new();
        let mut loops = Vec::new();
        for (index, size) in mebibytes.iter().enumerate() {
            let image = directory.join(index.to_string());
            fs::File::create(&image)
                .and_then(|file| file.set_len(size << 20))
                .unwrap();
            let Some(attached) = Loop::attach(&losetup, &image) else {
                tools::skip("no loop device can be had");
                return None;
            };
            images.push(image);
            loops.push(attached);
        }
        let group = Self {
            // The devices of the machine may hold groups already, and other tests make some.
            name: format!("christen-{}-{name}", std::process::id()),
            images,
            lvm,
            loops,
            _directory: directory,
        };
        let devices: Vec<&str> = group.loops.iter().map(|device| device.0.as_str()).collect();
        group.run(&[&["pvcreate", "-q"], options, &devices[..]].concat());
        group.run(&[&["vgcreate", "-q", "-s", "1M", &group.name], &devices[..]].concat());
        Some(group)
    }

    /// Its name, which no other group of this machine has.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device of a physical volume, for [`run`](Self::run).
    pub fn device(&self, physical_volume: usize) -> &str {
        &self.loops[physical_volume].0
    }

    /// Runs a command of LVM2 and returns what it prints.
    ///
    /// # Panics
    ///
    /// Panics if it fails.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = tools::run(
            Command::new(&self.lvm)
                .args(arguments)
                .args(["--driverloaded", "n", "--config", CONFIGURATION])
                .env("LVM_SUPPRESS_FD_WARNINGS", "1"),
        );
        String::from_utf8(output).unwrap()
    }

    /// Makes a logical volume; `options` are those of `lvcreate`.
    ///
    /// # Panics
    ///
    /// Panics if LVM2 fails.
    #[track_caller]
    pub fn create(&self, name: &str, extents: u64, options: &[&str]) {
        let extents = extents.to_string();
        let fixed = [
            "lvcreate", "-q", "-y", "-an", "-Zn", "-Wn", "-l", &extents, "-n", name,
        ];
        self.run(&[&fixed, options, &[&self.name]].concat());
    }

    /// Reads a physical volume.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be read.
    pub fn read(&self, physical_volume: usize) -> Vec<u8> {
        let image = &self.images[physical_volume];
        // What LVM2 wrote through the loop device is in the file once it has been flushed.
        tools::output("sync", [image]);
        fs::read(image).unwrap()
    }

    /// Where LVM2 says that its linear volumes lie.
    ///
    /// # Panics
    ///
    /// Panics if LVM2 fails or says what is not understood.
    pub fn map(&self) -> BTreeSet<Piece> {
        let report = ["--noheadings", "--nosuffix", "--units", "b", "-o"];
        let mut starts = Vec::new();
        for device in &self.loops {
            let start = self.run(&[&["pvs"], &report[..], &["pe_start", &device.0]].concat());
            starts.push(start.trim().parse::<u64>().unwrap());
        }
        let columns = "lv_name,lv_uuid,seg_start,seg_size,seg_pe_ranges";
        let selection = [columns, "-S", "segtype=linear", &self.name];
        let report = self.run(&[&["lvs", "--segments"], &report[..], &selection].concat());
        report
            .lines()
            .map(|line| {
                let cells: Vec<&str> = line.split_whitespace().collect();
                let [name, uuid, start, length, range] = cells[..] else {
                    panic!("{line}");
                };
                let (device, extents) = range.split_once(':').unwrap();
                let (first, _) = extents.split_once('-').unwrap();
                let index = self
                    .loops
                    .iter()
                    .position(|known| known.0 == device)
                    .unwrap();
                let first: u64 = first.parse().unwrap();
                Piece {
                    volume: name.to_owned(),
                    uuid: uuid.to_owned(),
                    start_bytes: start.parse().unwrap(),
                    length_bytes: length.parse().unwrap(),
                    physical_volume: index,
                    physical_start_bytes: starts[index] + first * EXTENT_BYTES,
                }
            })
            .collect()
    }
}
