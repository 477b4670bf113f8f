//! What a disk is divided into, and what is on each part.

use std::fmt;
use std::sync::Arc;

use christen_block::lvm;
use christen_block::partition::{self, Role, Table, TableKind};
use christen_block::probe::{self, VolumeKind};
use christen_block::{BlockDevice, Error, Result};

use super::filesystems::{is_foreign, is_usable};
use super::reserved::Reserved;
use super::volumes::{Place, Volume};

/// A part of a disk.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// Where it is and what is on it.
    pub(crate) volume: Volume,
    /// Its bytes.
    pub(crate) device: Arc<dyn BlockDevice>,
    /// Every format whose signature stands in it.
    pub(crate) signatures: Vec<probe::Volume>,
    /// LVM2 gives it for reading only.
    pub(crate) is_read_only: bool,
}

/// A disk and its parts.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The partition table.
    pub(crate) table: Table,
    /// The volumes in the order of the table, logical volumes behind them.
    pub(crate) parts: Vec<Part>,
    /// What cannot be used of the volume groups.
    pub(crate) refused: Vec<Refused>,
}

/// A logical volume that cannot be used, or all of them.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Which one; none if the groups cannot be read at all.
    pub(crate) place: Option<Place>,
    /// Why.
    pub(crate) why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(formatter, "{place}: {}", self.why),
            None => write!(formatter, "volume groups: {}", self.why),
        }
    }
}

impl Layout {
    /// The volumes, to choose from.
    pub(crate) fn volumes(&self) -> Vec<Volume> {
        self.parts.iter().map(|part| part.volume.clone()).collect()
    }
}

/// Reads the table of a disk and the first bytes of each part.
///
/// # Errors
///
/// What reading the disk fails with, and a partition table of which no copy is whole.
pub(crate) fn read(disk: &Arc<dyn BlockDevice>) -> Result<Layout> {
    let table = partition::read(disk)?;
    let mut parts = Vec::new();
    if table.kind == TableKind::None {
        parts.push(part(Place::Whole, Arc::clone(disk))?);
    }
    for partition in &table.partitions {
        // Neither an extended partition nor one outside the disk is a volume; the table's findings tell of the latter.
        let section = partition.section(Arc::clone(disk));
        if let (Role::Primary | Role::Logical, Ok(section)) = (partition.role, section) {
            let mut found = part(Place::Partition(partition.number), Arc::new(section))?;
            found.volume.reserved = Reserved::of(partition);
            parts.push(found);
        }
    }
    let mut layout = Layout {
        table,
        parts,
        refused: Vec::new(),
    };
    layout.add_logical_volumes()?;
    Ok(layout)
}

impl Layout {
    /// Puts the physical volumes that are there together, and looks at the logical volumes on them.
    fn add_logical_volumes(&mut self) -> Result<()> {
        let is_member = |part: &&Part| {
            part.signatures
                .iter()
                .any(|it| it.kind == VolumeKind::Lvm2Member)
        };
        let members = self.parts.iter().filter(is_member);
        let devices: Vec<_> = members.map(|part| Arc::clone(&part.device)).collect();
        if devices.is_empty() {
            return Ok(());
        }
        let groups = match lvm::open(&devices) {
            Ok(groups) => groups,
            Err(error @ Error::Io { .. }) => return Err(error),
            // What else is on the disk can be used all the same.
            Err(error) => {
                self.refused.push(Refused {
                    place: None,
                    why: error.to_string(),
                });
                return Ok(());
            }
        };
        for group in &groups {
            for volume in &group.volumes {
                let place = Place::Logical {
                    group: group.name.clone(),
                    volume: volume.name.clone(),
                };
                match volume.device() {
                    Ok(device) => {
                        let mut found = part(place, Arc::new(device))?;
                        found.is_read_only = volume.read_only;
                        self.parts.push(found);
                    }
                    Err(error) => self.refused.push(Refused {
                        place: Some(place),
                        why: error.to_string(),
                    }),
                }
            }
        }
        Ok(())
    }
}

/// Looks at the first bytes of a part.
fn part(place: Place, device: Arc<dyn BlockDevice>) -> Result<Part> {
    let signatures = probe::volumes(&device)?;
    let first = signatures.first();
    let names: Vec<_> = signatures.iter().map(|it| it.kind.name()).collect();
    let volume = Volume {
        place,
        size_bytes: device.length(),
        content: (!names.is_empty()).then(|| names.join(" and ")),
        label: first.and_then(|it| it.label.as_ref().map(|label| label.as_bytes().to_vec())),
        uuid: first.and_then(|it| it.uuid.clone()),
        reserved: None,
        foreign: signatures.iter().any(|it| is_foreign(it.kind)),
        usable: signatures.iter().any(|it| is_usable(it.kind)),
    };
    Ok(Part {
        volume,
        device,
        signatures,
        is_read_only: false,
    })
}
