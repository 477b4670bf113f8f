//! Volume groups that LVM2 makes on loop devices, its own account of them beside ours.

use std::collections::BTreeSet;
use std::sync::Arc;

use christen_block::lvm::{self, VolumeGroup};
use christen_block::{BlockDevice, MemoryDevice};
use christen_testkit::lvm::{Group, Piece};

fn open(lab: &Group) -> (Vec<Arc<dyn BlockDevice>>, VolumeGroup) {
    let devices: Vec<Arc<dyn BlockDevice>> = (0..lab.images.len())
        .map(|it| Arc::new(MemoryDevice::new(lab.read(it))) as Arc<dyn BlockDevice>)
        .collect();
    let mut groups = lvm::open(&devices).unwrap();
    assert_eq!(groups.len(), 1);
    (devices, groups.remove(0))
}

fn our_map(group: &VolumeGroup) -> BTreeSet<Piece> {
    group
        .volumes
        .iter()
        .flat_map(|volume| {
            volume.segments.iter().map(|segment| Piece {
                volume: volume.name.clone(),
                uuid: volume.uuid.clone(),
                start_bytes: segment.start_bytes,
                length_bytes: segment.length_bytes,
                physical_volume: segment.physical_volume,
                physical_start_bytes: segment.physical_start_bytes,
            })
        })
        .collect()
}

#[test]
fn linear_volumes_lie_where_lvm_says() {
    let Some(lab) = Group::new("map", &[32, 32, 40], &[]) else {
        return;
    };
    lab.create("root", 10, &[]);
    lab.create("data", 40, &[]);
    lab.run(&["lvextend", "-q", "-l", "+5", &format!("{}/root", lab.name)]);
    lab.create("wide", 6, &["-i", "2"]);
    lab.create("fixed", 2, &["-pr"]);
    let (devices, group) = open(&lab);
    assert_eq!(group.name, lab.name);
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
    for piece in lab.map() {
        if piece.volume != "root" {
            continue;
        }
        let (start, length) = (piece.start_bytes, piece.length_bytes);
        let (place, place_start) = (piece.physical_volume, piece.physical_start_bytes);
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
    let Some(lab) = Group::new("states", &[16, 16], &["--metadatasize", "12k"]) else {
        return;
    };
    lab.create("root", 4, &[]);
    lab.create("data", 17, &[]);
    for _ in 0..12 {
        lab.run(&["lvextend", "-q", "-l", "+1", &format!("{}/root", lab.name)]);
        lab.run(&[
            "lvreduce",
            "-q",
            "-f",
            "-l",
            "-1",
            &format!("{}/root", lab.name),
        ]);
        let (_, group) = open(&lab);
        assert_eq!(our_map(&group), lab.map());
    }
    lab.run(&["pvchange", "-q", "--metadataignore", "y", lab.device(0)]);
    lab.run(&["lvextend", "-q", "-l", "+2", &format!("{}/root", lab.name)]);
    let (devices, group) = open(&lab);
    assert_eq!(our_map(&group), lab.map());

    let alone = lvm::open(&devices[1..]).unwrap();
    let error = alone[0].volumes[0].device().unwrap_err().to_string();
    assert!(error.contains("without its physical volume"), "{error}");

    lab.run(&["vgexport", "-q", &lab.name]);
    let (_, group) = open(&lab);
    let error = group.volumes[0].device().unwrap_err().to_string();
    assert!(error.starts_with("the exported volume group"), "{error}");
}
