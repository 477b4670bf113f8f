//! Which volume of an image a guest means, by the names that `/etc/fstab` has for it.

use christen_inject::guest::fstab::Spec;

use crate::image::layout::{Layout, Part};
use crate::image::volumes::Place;

/// What the names of an image's volumes depend on.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    layout: &'a Layout,
    /// What the guest calls the disk, as `/dev/vda`; it follows from the guest's own line for its root.
    disk: Option<Vec<u8>>,
}

/// A volume that is named.
#[derive(Debug)]
pub(super) enum Named<'a> {
    /// This one.
    Part(&'a Part),
    /// More than one has the name.
    Several,
    /// None has it.
    None,
}

impl<'a> Sources<'a> {
    /// `root` is what the guest says that its root is, if it says so.
    pub(super) fn new(layout: &'a Layout, root: Option<&Spec>) -> Self {
        let disk = match root {
            Some(Spec::Device(path)) => split_device(&path.to_bytes()).map(|(disk, _)| disk),
            _ => None,
        };
        Self { layout, disk }
    }

    /// Finds the volume with a name.
    ///
    /// The names of devices are those of Linux, and of the links that udev makes for logical volumes (LVM2's `11-dm-lvm.rules`).
    pub(super) fn find(&self, spec: &Spec) -> Named<'a> {
        match spec {
            Spec::Uuid(value) => self.by_uuid(value),
            Spec::Label(value) => self.by_label(value),
            Spec::PartUuid(value) => self.by_partition(value, |it| it.uuid.as_deref(), true),
            Spec::PartLabel(value) => self.by_partition(value, |it| it.name.as_deref(), false),
            Spec::Device(path) => self.by_device(&path.to_bytes()),
            Spec::Other(_) => Named::None,
        }
    }

    fn by_device(&self, name: &[u8]) -> Named<'a> {
        if let Some(name) = name.strip_prefix(b"/dev/mapper/") {
            return self.by_place(|place| match place {
                Place::Logical { group, volume } => mapped(group, volume).as_bytes() == name,
                _ => false,
            });
        }
        let Some((disk, number)) = split_device(name) else {
            let Ok(name) = str::from_utf8(name) else {
                return Named::None;
            };
            return self.by_place(|place| place.is_logical(name));
        };
        // Without the guest's own word for its disk, it is the first one.
        let is_this = match &self.disk {
            Some(own) => *own == disk,
            None => is_first(&disk),
        };
        if !is_this {
            return Named::None;
        }
        self.by_place(|place| match place {
            Place::Partition(own) => Some(*own) == number,
            Place::Whole => number.is_none(),
            Place::Logical { .. } => false,
        })
    }

    fn by_uuid(&self, value: &[u8]) -> Named<'a> {
        self.one(|part| {
            let uuid = part.volume.uuid.as_ref();
            uuid.is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(value))
        })
    }

    fn by_label(&self, value: &[u8]) -> Named<'a> {
        self.one(|part| part.volume.label.as_deref() == Some(value) && !value.is_empty())
    }

    fn by_partition(
        &self,
        value: &[u8],
        name: fn(&christen_block::partition::Partition) -> Option<&str>,
        any_case: bool,
    ) -> Named<'a> {
        let is_it = |found: &str| match any_case {
            true => found.as_bytes().eq_ignore_ascii_case(value),
            false => found.as_bytes() == value,
        };
        self.one(|part| match part.volume.place {
            Place::Partition(number) => {
                let partition = self.layout.table.partition(number);
                partition.and_then(name).is_some_and(is_it)
            }
            _ => false,
        })
    }

    fn by_place(&self, is_it: impl Fn(&Place) -> bool) -> Named<'a> {
        self.one(|part| is_it(&part.volume.place))
    }

    fn one(&self, is_it: impl Fn(&Part) -> bool) -> Named<'a> {
        let mut found = self.layout.parts.iter().filter(|part| is_it(part));
        match (found.next(), found.next()) {
            (Some(part), None) => Named::Part(part),
            (Some(_), Some(_)) => Named::Several,
            (None, _) => Named::None,
        }
    }
}

/// The name that the device mapper has for a logical volume: hyphens in the names are doubled (`libdm/libdm-string.c`,
/// `dm_build_dm_name`).
fn mapped(group: &str, volume: &str) -> String {
    format!("{}-{}", group.replace('-', "--"), volume.replace('-', "--"))
}

/// Splits the name of a disk or a partition: `/dev/vda3` is `/dev/vda` and 3, `/dev/nvme0n1p2` is `/dev/nvme0n1` and 2.
fn split_device(name: &[u8]) -> Option<(Vec<u8>, Option<u32>)> {
    let short = name.strip_prefix(b"/dev/")?;
    let digits = short.iter().rev().take_while(|it| it.is_ascii_digit());
    let (stem, digits) = short.split_at(short.len() - digits.count());
    let number = || str::from_utf8(digits).ok()?.parse().ok();
    let disk = |disk: &[u8]| [b"/dev/", disk].concat();
    let is_lettered = [&b"vd"[..], b"sd", b"hd", b"xvd"].iter().any(|prefix| {
        let letters = stem.strip_prefix(*prefix).unwrap_or_default();
        !letters.is_empty() && letters.iter().all(u8::is_ascii_lowercase)
    });
    if is_lettered {
        return match digits.is_empty() {
            true => Some((disk(stem), None)),
            false => Some((disk(stem), Some(number()?))),
        };
    }
    if !short.starts_with(b"nvme") && !short.starts_with(b"mmcblk") {
        return None;
    }
    match stem.split_last() {
        // A disk whose name ends with a digit has a `p` before the number of a partition (Linux `block/genhd.c`, `disk_name`).
        Some((b'p', whole)) if whole.last().is_some_and(u8::is_ascii_digit) => {
            Some((disk(whole), Some(number()?)))
        }
        _ => Some((disk(short), None)),
    }
}

/// Whether a name is that of the first disk of its kind.
fn is_first(disk: &[u8]) -> bool {
    matches!(disk, b"/dev/nvme0n1" | b"/dev/mmcblk0") || disk.last() == Some(&b'a')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use christen_block::MemoryDevice;
    use christen_block::partition::{Partition, PartitionType, Role, Table, TableKind};
    use christen_inject::guest::Fstab;

    use super::*;
    use crate::image::volumes::Volume;

    fn part(place: Place, label: &str, uuid: &str) -> Part {
        Part {
            volume: Volume {
                place,
                size_bytes: 1 << 20,
                content: None,
                label: Some(label.into()),
                uuid: Some(uuid.to_owned()),
                reserved: None,
                usable: true,
                foreign: false,
            },
            device: Arc::new(MemoryDevice::new(vec![0; 512])),
            signatures: Vec::new(),
            is_read_only: false,
        }
    }

    fn layout() -> Layout {
        let logical = Place::Logical {
            group: "my-vg".into(),
            volume: "root".into(),
        };
        let partition = |number, name: &str, uuid: &str| Partition {
            number,
            start_bytes: 0,
            length_bytes: 512,
            partition_type: PartitionType::Byte(0x83),
            role: Role::Primary,
            name: Some(name.to_owned()),
            uuid: Some(uuid.to_owned()),
            flags: 0,
        };
        Layout {
            table: Table {
                kind: TableKind::Gpt,
                sector_bytes: 512,
                uuid: None,
                partitions: vec![partition(1, "esp", "AB-1"), partition(2, "boot", "AB-2")],
                findings: Vec::new(),
            },
            parts: vec![
                part(Place::Partition(1), "EFI", "1234-ABCD"),
                part(Place::Partition(2), "my boot", "aa-2"),
                part(logical, "twice", "aa-3"),
                part(Place::Partition(12), "twice", "aa-12"),
            ],
            refused: Vec::new(),
        }
    }

    fn spec(source: &str) -> Spec {
        let line = format!("{source} /mnt auto");
        let mut entries = Fstab::parse(line.as_bytes()).entries;
        entries.pop().expect("it is an entry").spec
    }

    fn found(root: Option<&str>, source: &str) -> String {
        let layout = layout();
        let root = root.map(spec);
        let sources = Sources::new(&layout, root.as_ref());
        match sources.find(&spec(source)) {
            Named::Part(part) => part.volume.place.to_string(),
            Named::Several => "several".to_owned(),
            Named::None => "none".to_owned(),
        }
    }

    #[test]
    fn each_name_finds_its_volume() {
        for (source, place) in [
            ("UUID=1234-abcd", "partition 1"),
            ("UUID=\"aa-2\"", "partition 2"),
            ("LABEL=EFI", "partition 1"),
            ("LABEL=efi", "none"),
            ("LABEL=", "none"),
            ("LABEL=twice", "several"),
            ("PARTUUID=ab-2", "partition 2"),
            ("PARTLABEL=esp", "partition 1"),
            ("ID=x", "none"),
            ("/dev/disk/by-uuid/aa-2", "partition 2"),
            ("/dev/disk/by-label/my\\x20boot", "partition 2"),
            ("/dev/disk/by-partlabel/boot", "partition 2"),
            ("/dev/mapper/my--vg-root", "logical volume my-vg/root"),
            ("/dev/mapper/my-vg-root", "none"),
            ("/dev/my-vg/root", "logical volume my-vg/root"),
            ("/dev/vda2", "partition 2"),
            ("/dev/sda12", "partition 12"),
            ("/dev/nvme0n1p1", "partition 1"),
            ("/dev/mmcblk0p1", "partition 1"),
            ("/dev/sdb1", "none"),
            ("/dev/nvme1n1p1", "none"),
            ("/dev/sda", "none"),
            ("/dev/sda99999999999", "none"),
            ("/dev/", "none"),
            ("/srv/home", "none"),
            ("nas:/home", "none"),
        ] {
            assert_eq!(found(None, source), place, "{source}");
        }
    }

    /// A guest may call its only disk the second, if it had another when it was made.
    #[test]
    fn the_disk_is_the_one_that_the_root_is_on() {
        assert_eq!(found(Some("/dev/sdb2"), "/dev/sdb1"), "partition 1");
        assert_eq!(found(Some("/dev/sdb2"), "/dev/sda1"), "none");
        assert_eq!(found(Some("UUID=x"), "/dev/sda1"), "partition 1");
    }
}
