//! LVM2: the logical volumes of a disk's volume groups, where they are linear.
//!
//! The metadata is read, never written: a volume is a map onto its physical volumes, and writing goes through. Whatever is not
//! linear, or is a part of something else (the origin of a snapshot, the data of a pool), is listed and refused by name when its
//! device is asked for.

mod label;
mod map;
mod metadata;
mod text;

use std::collections::HashMap;
use std::sync::Arc;

use crate::device::BlockDevice;
use crate::error::{Corrupt, Error, Result, Unsupported};

pub use map::LinearDevice;

/// A volume group and its logical volumes.
#[derive(Debug)]
pub struct VolumeGroup {
    /// Its name.
    pub name: String,
    /// Its identity as LVM2 shows it.
    pub uuid: String,
    /// Those of its logical volumes that LVM2 shows.
    pub volumes: Vec<LogicalVolume>,
}

/// A logical volume.
#[derive(Debug)]
pub struct LogicalVolume {
    /// Its name in the group.
    pub name: String,
    /// Its identity as LVM2 shows it.
    pub uuid: String,
    /// Its length in bytes.
    pub length_bytes: u64,
    /// Whether LVM2 gives it for reading only.
    pub read_only: bool,
    /// Where its bytes are, in order; empty if the volume is refused.
    pub segments: Vec<Segment>,
    device: Result<LinearDevice, Unsupported>,
}

/// A run of a logical volume's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins in the logical volume, in bytes.
    pub start_bytes: u64,
    /// Its length in bytes.
    pub length_bytes: u64,
    /// Which of the devices given to [`open`] holds it.
    pub physical_volume: usize,
    /// Where it begins on that device, in bytes.
    pub physical_start_bytes: u64,
}

impl VolumeGroup {
    /// Returns the logical volume of a name.
    pub fn volume(&self, name: &str) -> Option<&LogicalVolume> {
        self.volumes.iter().find(|volume| volume.name == name)
    }
}

impl LogicalVolume {
    /// Returns the volume as a device.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if it is not linear, is a part of another volume, or its group is exported, shared or has not
    /// all of its physical volumes.
    pub fn device(&self) -> Result<LinearDevice> {
        self.device.clone().map_err(Error::Unsupported)
    }
}

/// Opens the volume groups on these devices: all physical volumes of an image, in any order. Devices without the label of LVM2 are passed over.
///
/// # Errors
///
/// [`Error::Corrupt`] if a label is damaged, two devices have the same identity, no copy of the metadata of a group is whole, or
/// it breaks a rule; [`Error::Unsupported`] for metadata of more than 4 MiB; whatever a device reports.
pub fn open(devices: &[Arc<dyn BlockDevice>]) -> Result<Vec<VolumeGroup>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut texts = Vec::new();
    let mut damage = None;
    for (index, device) in devices.iter().enumerate() {
        let Some(volume) = label::read(device)? else {
            continue;
        };
        for text in volume.texts(device)? {
            match text {
                Ok(text) => texts.push(text),
                Err(corrupt) => damage = damage.or(Some(corrupt)),
            }
        }
        if places.insert(volume.uuid.clone(), index).is_some() {
            return Err(Error::Corrupt(Corrupt::new(
                "LVM2 label",
                0,
                format!("identity `{}` must be of one device", volume.uuid),
            )));
        }
    }
    // Copies on several devices are usually the same.
    texts.sort_unstable();
    texts.dedup();
    let mut groups: Vec<metadata::Group> = Vec::new();
    for text in &texts {
        let group = metadata::parse(text)?;
        match groups.iter_mut().find(|known| known.id == group.id) {
            None => groups.push(group),
            Some(known) if known.sequence < group.sequence => *known = group,
            Some(known) if known.sequence > group.sequence || *known == group => {}
            Some(known) => {
                let rule = format!(
                    "copies of group `{}` with number {} must be the same",
                    known.name, known.sequence
                );
                return Err(text::corrupt(0, rule).into());
            }
        }
    }
    // A damaged copy is of no account where another one tells of a group.
    if let (Some(corrupt), true) = (damage, groups.is_empty()) {
        return Err(corrupt.into());
    }
    groups.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    let found = |physical: &metadata::Physical| {
        let plain: String = physical
            .id
            .chars()
            .filter(|letter| *letter != '-')
            .collect();
        places.get(&plain).copied()
    };
    groups
        .iter()
        .map(|group| {
            let places: Vec<Option<usize>> = group.physical.iter().map(found).collect();
            assemble(group, &places, devices)
        })
        .collect()
}

/// Checks the metadata of a group by itself, as [`open`] does when it has found some: for fuzzing.
///
/// # Errors
///
/// As [`open`].
pub fn check_metadata(text: &[u8]) -> Result<()> {
    metadata::parse(text).map(drop)
}

fn assemble(
    group: &metadata::Group,
    places: &[Option<usize>],
    devices: &[Arc<dyn BlockDevice>],
) -> Result<VolumeGroup> {
    let mut refusal = group.refusal.clone();
    for (physical, place) in group.physical.iter().zip(places) {
        let Some(place) = *place else {
            refusal.get_or_insert(format!(
                "the volume group `{}` without its physical volume `{}` is",
                group.name, physical.id
            ));
            continue;
        };
        // Parsing has made sure that this fits in 64 bits.
        let end = physical.start_bytes + physical.extents * group.extent_bytes;
        let length = devices[place].length();
        if end > length {
            return Err(text::corrupt(
                0,
                format!(
                    "physical volume `{}` must lie in its device of {length} bytes, and ends at {end}",
                    physical.id
                ),
            )
            .into());
        }
    }
    let volumes = group
        .logical
        .iter()
        .map(|logical| volume(group, logical, refusal.as_ref(), places, devices))
        .collect();
    Ok(VolumeGroup {
        name: group.name.clone(),
        uuid: group.id.clone(),
        volumes,
    })
}

fn volume(
    group: &metadata::Group,
    logical: &metadata::Logical,
    refusal: Option<&String>,
    places: &[Option<usize>],
    devices: &[Arc<dyn BlockDevice>],
) -> LogicalVolume {
    let refusal = refusal.or(logical.refusal.as_ref());
    let length_bytes = logical.extents * group.extent_bytes;
    let mut segments = Vec::new();
    if refusal.is_none() {
        for linear in &logical.segments {
            let physical = &group.physical[linear.physical];
            // A group of which a device is missing has been refused.
            let Some(place) = places[linear.physical] else {
                continue;
            };
            segments.push(Segment {
                start_bytes: linear.start * group.extent_bytes,
                length_bytes: linear.count * group.extent_bytes,
                physical_volume: place,
                physical_start_bytes: physical.start_bytes
                    + linear.physical_start * group.extent_bytes,
            });
        }
    }
    let device = match refusal {
        Some(what) => Err(Unsupported::new(what)),
        None => {
            let runs = segments.iter().map(|segment| map::Run {
                start: segment.start_bytes,
                length: segment.length_bytes,
                device: Arc::clone(&devices[segment.physical_volume]),
                device_start: segment.physical_start_bytes,
            });
            Ok(LinearDevice::new(
                runs.collect(),
                length_bytes,
                logical.writable,
            ))
        }
    };
    LogicalVolume {
        name: logical.name.clone(),
        uuid: logical.id.clone(),
        length_bytes,
        read_only: !logical.writable,
        segments,
        device,
    }
}

#[cfg(test)]
mod tests;
