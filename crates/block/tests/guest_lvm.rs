//! Volume groups that a guest's LVM2 makes and fills, read by us; then changed by us, and activated by the guest.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use christen_block::lvm::{self, VolumeGroup};
use christen_block::{BlockDevice, MemoryDevice};
use christen_testkit::{TempDir, guest, tools};

/// Makes volumes of every kind in one group over four disks. Each extent of some begins with a text of its own.
const MAKE: &str = r#"
lvm pvcreate -q /dev/sda /dev/sdb /dev/sdc /dev/sdd
lvm vgcreate -q -s 1M guest /dev/sda /dev/sdb /dev/sdc /dev/sdd
lvm lvcreate -q -y -Wn -l 10 -n root guest
lvm lvcreate -q -y -Wn -l 80 -n data guest
lvm lvextend -q -l +5 guest/root
lvm lvcreate -q -y -Wn -l 4 -n origin guest
lvm lvcreate -q -y -Wn -l 4 -i 2 -n striped guest
lvm lvcreate -q -y -Wn -l 3 -n fixed guest
fill() {
    for extent in $(seq 0 "$2"); do
        echo "$1 $extent" | dd bs=1M seek="$extent" of="/dev/mapper/guest-$1" 2> /dev/null
    done
}
fill root 14
fill data 79
fill fixed 2
lvm lvcreate -q -y -s -l 2 -n before guest/origin
lvm lvcreate -q -y -Wn -l 2 -m 1 --type mirror --mirrorlog core -n mirror guest
lvm lvcreate -q -y -Wn -l 2 -m 1 --type raid1 -n raid guest
lvm lvcreate -q -y -l 4 --type thin-pool -n pool guest
lvm lvcreate -q -y -V 20M --thinpool pool -n thin guest
lvm lvcreate -q -y -Wn -l 4 -n cached guest
lvm lvcreate -q -y -l 12 --type cache --cachemode writethrough -n fast guest/cached
lvm lvchange -q -pr guest/fixed
sync
lvm vgchange -q -an guest
lvm lvs -a --noheadings -o lv_name,segtype guest
"#;

/// Activates the group and tells what is in it.
const CHECK: &str = r"
lvm vgchange -q -ay guest > /dev/null
lvm vgck guest
for volume in root data fixed; do sha256sum < /dev/mapper/guest-$volume; done
lvm vgchange -q -an guest > /dev/null
";

fn disks(directory: &TempDir) -> Vec<PathBuf> {
    [32, 48, 32, 64]
        .iter()
        .enumerate()
        .map(|(index, mebibytes)| {
            let disk = directory.join(format!("disk{index}"));
            let file = fs::File::create(&disk).unwrap();
            file.set_len(mebibytes << 20).unwrap();
            disk
        })
        .collect()
}

/// What the guest's `fill` leaves in a new volume.
fn filled(name: &str, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; length as usize];
    for (extent, bytes) in bytes.chunks_mut(1 << 20).enumerate() {
        let text = format!("{name} {extent}\n");
        bytes[..text.len()].copy_from_slice(text.as_bytes());
    }
    bytes
}

fn content(group: &VolumeGroup, name: &str) -> Vec<u8> {
    let device = group.volume(name).unwrap().device().unwrap();
    let mut bytes = vec![0; device.length() as usize];
    device.read_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
#[ignore = "boots a guest; `cargo xtask guest-check` runs it"]
fn a_guest_sees_what_is_written_to_its_volumes() {
    if !guest::require() {
        return;
    }
    let directory = TempDir::new();
    let disks = disks(&directory);
    let kinds = guest::run_with_lvm(&disks, MAKE).unwrap();
    for kind in [
        "linear",
        "striped",
        "mirror",
        "raid1",
        "thin-pool",
        "thin",
        "cache",
    ] {
        assert!(kinds.split_whitespace().any(|word| word == kind), "{kinds}");
    }

    let devices: Vec<Arc<MemoryDevice>> = disks
        .iter()
        .map(|disk| Arc::new(MemoryDevice::new(fs::read(disk).unwrap())))
        .collect();
    let opened: Vec<Arc<dyn BlockDevice>> = devices
        .iter()
        .map(|device| Arc::clone(device) as _)
        .collect();
    let group = lvm::open(&opened).unwrap().remove(0);
    for name in ["root", "data", "fixed"] {
        let volume = group.volume(name).unwrap();
        assert_eq!(volume.read_only, name == "fixed");
        assert!(
            content(&group, name) == filled(name, volume.length_bytes),
            "{name}"
        );
    }
    let usable = ["data", "fixed", "root"];
    for volume in &group.volumes {
        let refused = volume.device().err().map(|error| error.to_string());
        assert_eq!(
            refused.is_none(),
            usable.contains(&volume.name.as_str()),
            "{}: {refused:?}",
            volume.name
        );
    }
    let refusal = |name: &str| {
        group
            .volume(name)
            .unwrap()
            .device()
            .unwrap_err()
            .to_string()
    };
    assert!(
        refusal("origin").contains("which is `origin` of"),
        "{}",
        refusal("origin")
    );
    assert!(
        refusal("striped").starts_with("the striped"),
        "{}",
        refusal("striped")
    );
    assert!(
        refusal("thin").starts_with("the thin "),
        "{}",
        refusal("thin")
    );
    assert!(
        refusal("raid").starts_with("the raid1 "),
        "{}",
        refusal("raid")
    );
    assert!(
        refusal("cached").starts_with("the cache "),
        "{}",
        refusal("cached")
    );

    // Across every border of segments, and at the ends.
    for name in ["root", "data"] {
        let volume = group.volume(name).unwrap();
        let device = volume.device().unwrap();
        for segment in &volume.segments {
            let end = segment.start_bytes + segment.length_bytes;
            let mark = format!("{name} ends a segment at {end}");
            let place = (end - 10).min(volume.length_bytes - mark.len() as u64);
            device.write_at(mark.as_bytes(), place).unwrap();
        }
        device.write_at(name.as_bytes(), 0).unwrap();
    }
    let mut expected = Vec::new();
    for name in ["root", "data", "fixed"] {
        let file = directory.join(name);
        fs::write(&file, content(&group, name)).unwrap();
        let line = String::from_utf8(tools::output("sha256sum", [&file])).unwrap();
        expected.push(line.split_whitespace().next().unwrap().to_owned());
    }
    for (disk, device) in disks.iter().zip(&devices) {
        fs::write(disk, device.snapshot()).unwrap();
    }
    let said = guest::run_with_lvm(&disks, CHECK).unwrap();
    let seen: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_suffix("  -"))
        .collect();
    assert_eq!(seen, expected, "{said}");
}
