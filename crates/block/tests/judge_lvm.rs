//! Volume groups that LVM2 makes on loop devices, its own account of them beside ours. There is no device mapper here, so
//! nothing is activated: metadata is all that LVM2 writes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use christen_block::lvm::{self, VolumeGroup};
use christen_block::{BlockDevice, MemoryDevice};
use christen_testkit::{TempDir, tools};

const CONFIGURATION: &str = "devices { filter=[\"a|^/dev/loop[0-9]+$|\",\"r|.*|\"] use_devicesfile=0 obtain_device_list_from_udev=0 } \
     global { activation=0 use_lvmpolld=0 use_lvmlockd=0 event_activation=0 } \
     activation { udev_sync=0 udev_rules=0 monitoring=0 } backup { backup=0 archive=0 }";

/// A loop device, detached when dropped.
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

struct Lab {
    directory: TempDir,
    lvm: PathBuf,
    images: Vec<PathBuf>,
    loops: Vec<Loop>,
    group: String,
}

impl Lab {
    /// Makes physical volumes of these lengths in MiB and a group of them with extents of 1 MiB.
    fn new(name: &str, mebibytes: &[u64], options: &[&str]) -> Option<Self> {
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
        let lab = Self {
            directory,
            lvm,
            images,
            loops,
            // The devices of the machine may hold groups already, and other tests make some.
            group: format!("christen-{}-{name}", std::process::id()),
        };
        let devices: Vec<&str> = lab.loops.iter().map(|device| device.0.as_str()).collect();
        lab.run(&[&["pvcreate", "-q"], options, &devices[..]].concat());
        lab.run(&[&["vgcreate", "-q", "-s", "1M", &lab.group], &devices[..]].concat());
        Some(lab)
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = tools::run(
            Command::new(&self.lvm)
                .args(arguments)
                .args(["--driverloaded", "n", "--config", CONFIGURATION])
                .env("LVM_SUPPRESS_FD_WARNINGS", "1"),
        );
        String::from_utf8(output).unwrap()
    }

    fn create(&self, name: &str, extents: u64, options: &[&str]) {
        let extents = extents.to_string();
        let fixed = [
            "lvcreate", "-q", "-y", "-an", "-Zn", "-Wn", "-l", &extents, "-n", name,
        ];
        self.run(&[&fixed, options, &[&self.group]].concat());
    }

    fn open(&self) -> (Vec<Arc<dyn BlockDevice>>, VolumeGroup) {
        let devices: Vec<Arc<dyn BlockDevice>> = self
            .images
            .iter()
            .map(|image| {
                // What LVM2 wrote through the loop device is in the file once it has been flushed.
                tools::output("sync", [image]);
                Arc::new(MemoryDevice::new(fs::read(image).unwrap())) as Arc<dyn BlockDevice>
            })
            .collect();
        let mut groups = lvm::open(&devices).unwrap();
        assert_eq!(groups.len(), 1);
        (devices, groups.remove(0))
    }

    /// LVM2's own map: volume, identity, start, length, device, start on the device.
    fn map(&self) -> BTreeSet<(String, String, u64, u64, usize, u64)> {
        let mut starts = Vec::new();
        for device in &self.loops {
            let start = self.run(&[
                "pvs",
                "--noheadings",
                "--nosuffix",
                "--units",
                "b",
                "-o",
                "pe_start",
                &device.0,
            ]);
            starts.push(start.trim().parse::<u64>().unwrap());
        }
        let report = self.run(&[
            "lvs",
            "--segments",
            "--noheadings",
            "--nosuffix",
            "--units",
            "b",
            "-o",
            "lv_name,lv_uuid,seg_start,seg_size,seg_pe_ranges",
            "-S",
            "segtype=linear",
            &self.group,
        ]);
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
                (
                    name.to_owned(),
                    uuid.to_owned(),
                    start.parse().unwrap(),
                    length.parse().unwrap(),
                    index,
                    starts[index] + (first << 20),
                )
            })
            .collect()
    }
}

fn our_map(group: &VolumeGroup) -> BTreeSet<(String, String, u64, u64, usize, u64)> {
    group
        .volumes
        .iter()
        .flat_map(|volume| {
            volume.segments.iter().map(|segment| {
                (
                    volume.name.clone(),
                    volume.uuid.clone(),
                    segment.start_bytes,
                    segment.length_bytes,
                    segment.physical_volume,
                    segment.physical_start_bytes,
                )
            })
        })
        .collect()
}

#[test]
fn linear_volumes_lie_where_lvm_says() {
    let Some(lab) = Lab::new("map", &[32, 32, 40], &[]) else {
        return;
    };
    lab.create("root", 10, &[]);
    lab.create("data", 40, &[]);
    lab.run(&["lvextend", "-q", "-l", "+5", &format!("{}/root", lab.group)]);
    lab.create("wide", 6, &["-i", "2"]);
    lab.create("fixed", 2, &["-pr"]);
    let (devices, group) = lab.open();
    assert_eq!(group.name, lab.group);
    let map = our_map(&group);
    assert_eq!(map, lab.map());
    assert!(map.len() >= 5, "{map:?}");

    let error = group
        .volume("wide")
        .unwrap()
        .device()
        .unwrap_err()
        .to_string();
    assert_eq!(error, "the striped logical volume `wide` is not supported");
    let fixed = group.volume("fixed").unwrap();
    assert!(fixed.read_only);
    assert!(fixed.device().unwrap().write_at(&[1], 0).is_err());

    // What is written through the map is where LVM2 says that it is.
    let root = group.volume("root").unwrap().device().unwrap();
    for (name, _, start, length, place, place_start) in lab.map() {
        if name != "root" {
            continue;
        }
        let mark = format!("{start} on {place}");
        root.write_at(mark.as_bytes(), start).unwrap();
        root.write_at(b"!", start + length - 1).unwrap();
        let mut seen = vec![0; mark.len()];
        devices[place].read_at(&mut seen, place_start).unwrap();
        assert_eq!(seen, mark.as_bytes());
        let mut last = [0];
        devices[place]
            .read_at(&mut last, place_start + length - 1)
            .unwrap();
        assert_eq!(&last, b"!");
    }
}

/// Enough changes that the ring of metadata wraps, some devices without metadata, and a group that lost a device or was exported.
#[test]
fn groups_in_other_states() {
    let Some(lab) = Lab::new("states", &[16, 16], &["--metadatasize", "12k"]) else {
        return;
    };
    lab.create("root", 4, &[]);
    lab.create("data", 17, &[]);
    for _ in 0..12 {
        lab.run(&["lvextend", "-q", "-l", "+1", &format!("{}/root", lab.group)]);
        lab.run(&[
            "lvreduce",
            "-q",
            "-f",
            "-l",
            "-1",
            &format!("{}/root", lab.group),
        ]);
        let (_, group) = lab.open();
        assert_eq!(our_map(&group), lab.map());
    }
    lab.run(&["pvchange", "-q", "--metadataignore", "y", &lab.loops[0].0]);
    lab.run(&["lvextend", "-q", "-l", "+2", &format!("{}/root", lab.group)]);
    let (devices, group) = lab.open();
    assert_eq!(our_map(&group), lab.map());

    let alone = lvm::open(&devices[1..]).unwrap();
    let error = alone[0].volumes[0].device().unwrap_err().to_string();
    assert!(error.contains("without its physical volume"), "{error}");

    lab.run(&["vgexport", "-q", &lab.group]);
    let (_, group) = lab.open();
    let error = group.volumes[0].device().unwrap_err().to_string();
    assert!(error.starts_with("the exported volume group"), "{error}");
    assert!(lab.directory.exists());
}
