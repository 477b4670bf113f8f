//! FAT12, FAT16 and FAT32 with long names; read as Linux reads it (`fs/fat`).

mod boot_sector;
mod directory;
mod fat;

use self::boot_sector::Geometry;
use self::directory::{Item, ItemKind};
use self::fat::{Claims, Fat, chain};
use crate::Error;
use crate::read::collect::Collector;
use crate::read::{
    Corrupt, Entry, EntryKind, Extent, FatDetails, Place, Rule, Source, Storage, View, limits,
};

/// The structures of a volume that were found when it was opened.
#[derive(Debug)]
pub(crate) struct FatDrive {
    details: FatDetails,
    geometry: Geometry,
    fat: Fat,
    problems: Vec<Corrupt>,
}

/// A directory that waits to be walked.
#[derive(Debug)]
struct Waiting {
    path: Vec<u8>,
    extents: Vec<Extent>,
    depth: usize,
}

/// What a walk found; the claims are for the audit of the table.
struct Walked {
    collector: Collector,
    claims: Claims,
    labels: Vec<String>,
}

impl FatDrive {
    /// Reads boot sector, table and root label; `None` when there is no boot sector.
    pub(crate) fn open(source: &Source<'_>) -> Result<Option<Self>, Error> {
        let mut problems = Vec::new();
        let Some(geometry) = boot_sector::parse(source, &mut problems)? else {
            return Ok(None);
        };
        let fat = Fat::read(source, &geometry, geometry.live_fat)?;
        let details = FatDetails {
            fat_bits: geometry.bits,
            oem_name: geometry.oem_name.clone(),
            volume_serial: geometry.serial,
            boot_sector_label: geometry.label.clone(),
            root_label: None,
            bytes_per_sector: geometry.sector_bytes,
            sectors_per_cluster: geometry.sectors_per_cluster,
            reserved_sectors: geometry.reserved_sectors,
            fats: geometry.fats,
            sectors_per_fat: geometry.sectors_per_fat,
            root_entries: geometry.root_entries,
            total_sectors: geometry.total_sectors,
            clusters: geometry.clusters,
            media: geometry.media,
        };
        let mut drive = Self {
            details,
            geometry,
            fat,
            problems,
        };
        drive.details.root_label = drive.root_label(source)?;
        Ok(Some(drive))
    }

    fn root_label(&self, source: &Source<'_>) -> Result<Option<String>, Error> {
        let mut claims = Claims::new(&self.geometry);
        let (extents, _) = self.root(&mut claims);
        let mut label = None;
        let mut budget = Collector::default();
        if let Some(bytes) =
            self.directory_bytes(source, &extents, &mut budget, &Place::at("root", 0))?
        {
            directory::parse(&bytes, self.is_fat32(), |_, result| {
                match result {
                    Ok(item) if item.kind == ItemKind::Label => {
                        label = Some(String::from_utf8_lossy(&item.name).into_owned());
                    }
                    _ => {}
                }
                label.is_none()
            });
        }
        Ok(label)
    }

    fn is_fat32(&self) -> bool {
        self.geometry.bits == 32
    }

    /// Where the root directory stands.
    fn root(&self, claims: &mut Claims) -> (Vec<Extent>, Vec<Rule>) {
        match self.geometry.root_cluster {
            Some(first) => {
                let chain = chain(&self.geometry, &self.fat, claims, first, None);
                (chain.extents, chain.faults)
            }
            None => {
                let extent = Extent {
                    offset: self.geometry.root_offset(),
                    length: self.geometry.root_bytes(),
                };
                (vec![extent], Vec::new())
            }
        }
    }

    /// Reads a directory's extents; `None` when it is too much or off the drive.
    fn directory_bytes(
        &self,
        source: &Source<'_>,
        extents: &[Extent],
        collector: &mut Collector,
        place: &Place,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut bytes = Vec::new();
        for extent in extents {
            if !collector.afford(extent.length, place) {
                return Ok(None);
            }
            if !source.contains(extent.offset, extent.length) {
                let rule = Rule::DirectoryPastEnd {
                    length: extent.length,
                    drive: source.length(),
                };
                collector.fault(place.clone(), rule);
                return Ok(None);
            }
            bytes.extend(source.bytes(extent.offset, extent.length, "directory")?);
        }
        Ok(Some(bytes))
    }

    pub(crate) fn details(&self) -> &FatDetails {
        &self.details
    }

    pub(crate) fn walk(&self, source: &Source<'_>) -> Result<(Vec<Entry>, Vec<Corrupt>), Error> {
        Ok(self.walk_all(source)?.collector.finish())
    }

    /// Walks the tree and audits the table.
    pub(crate) fn check(&self, source: &Source<'_>) -> Result<(Vec<Entry>, Vec<Corrupt>), Error> {
        let mut walked = self.walk_all(source)?;
        if walked.labels.len() > 1 {
            let place = Place::at("root directory", self.geometry.root_offset());
            walked.collector.fault(place, Rule::TwoLabels);
        }
        for (place, rule) in fat::audit(source, &self.geometry, &self.fat, &walked.claims)? {
            walked.collector.fault(place, rule);
        }
        let (entries, problems) = walked.collector.finish();
        Ok((entries, [self.problems.clone(), problems].concat()))
    }

    fn walk_all(&self, source: &Source<'_>) -> Result<Walked, Error> {
        let mut walked = Walked {
            collector: Collector::default(),
            claims: Claims::new(&self.geometry),
            labels: Vec::new(),
        };
        let (extents, faults) = self.root(&mut walked.claims);
        for rule in faults {
            let place = Place::of("directory", self.geometry.root_offset(), b"");
            walked.collector.fault(place, rule);
        }
        let mut waiting = vec![Waiting {
            path: Vec::new(),
            extents,
            depth: 0,
        }];
        while let Some(directory) = waiting.pop() {
            if !self.walk_directory(source, &directory, &mut walked, &mut waiting)? {
                break;
            }
        }
        Ok(walked)
    }

    /// Reads one directory; `false` ends the walk.
    fn walk_directory(
        &self,
        source: &Source<'_>,
        directory: &Waiting,
        walked: &mut Walked,
        waiting: &mut Vec<Waiting>,
    ) -> Result<bool, Error> {
        let start = directory.extents.first().map_or(0, |extent| extent.offset);
        let place = Place::of("directory", start, &directory.path);
        let Some(bytes) =
            self.directory_bytes(source, &directory.extents, &mut walked.collector, &place)?
        else {
            return Ok(true);
        };
        let mut goes_on = true;
        directory::parse(&bytes, self.is_fat32(), |position, result| {
            let offset = absolute(&directory.extents, position);
            let place = Place::of("directory entry", offset, &directory.path);
            match result {
                Err(rule) => walked.collector.fault(place, rule),
                Ok(item) => {
                    goes_on = self.item(source, directory, &item, &place, walked, waiting);
                }
            }
            goes_on
        });
        Ok(goes_on)
    }

    /// Takes one entry into the tree; `false` ends the walk.
    fn item(
        &self,
        source: &Source<'_>,
        directory: &Waiting,
        item: &Item,
        place: &Place,
        walked: &mut Walked,
        waiting: &mut Vec<Waiting>,
    ) -> bool {
        match item.kind {
            ItemKind::Label => {
                if directory.depth == 0 {
                    walked
                        .labels
                        .push(String::from_utf8_lossy(&item.name).into_owned());
                }
                return true;
            }
            ItemKind::Dot => return true,
            ItemKind::File | ItemKind::Directory => {}
        }
        let Some(path) = walked
            .collector
            .child_path(&directory.path, &item.name, place)
        else {
            return true;
        };
        let place = Place {
            path: Some(path.clone()),
            ..place.clone()
        };
        let is_directory = item.kind == ItemKind::Directory;
        let mut extents = self.content(source, item, &place, walked);
        let content = if is_directory {
            Vec::new()
        } else {
            std::mem::take(&mut extents)
        };
        let entry = Entry {
            path: path.clone(),
            identifier: item.short.to_vec(),
            kind: if is_directory {
                EntryKind::Directory
            } else {
                EntryKind::File
            },
            mode: None,
            uid: None,
            gid: None,
            mtime: item.mtime,
            length: if is_directory {
                0
            } else {
                u64::from(item.size)
            },
            view: View::Vfat,
            storage: Storage::Extents(content),
        };
        if !walked.collector.add(entry, &place) {
            return false;
        }
        if is_directory {
            let depth = directory.depth.saturating_add(1);
            if depth > limits::MAX_DEPTH {
                walked.collector.fault(place, Rule::TooDeep);
            } else {
                waiting.push(Waiting {
                    path,
                    extents,
                    depth,
                });
            }
        }
        true
    }

    /// Follows an entry's chain.
    fn content(
        &self,
        source: &Source<'_>,
        item: &Item,
        place: &Place,
        walked: &mut Walked,
    ) -> Vec<Extent> {
        let is_directory = item.kind == ItemKind::Directory;
        if is_directory && item.size != 0 {
            walked
                .collector
                .fault(place.clone(), Rule::DirectorySize(item.size));
        }
        if !is_directory && item.size == 0 {
            if item.cluster != 0 {
                walked
                    .collector
                    .fault(place.clone(), Rule::ChainOfEmptyFile);
                chain(
                    &self.geometry,
                    &self.fat,
                    &mut walked.claims,
                    item.cluster,
                    Some(0),
                );
            }
            return Vec::new();
        }
        let length = (!is_directory).then_some(u64::from(item.size));
        let chain = chain(
            &self.geometry,
            &self.fat,
            &mut walked.claims,
            item.cluster,
            length,
        );
        for rule in chain.faults {
            walked.collector.fault(place.clone(), rule);
        }
        if !is_directory {
            for extent in &chain.extents {
                if !source.contains(extent.offset, extent.length) {
                    let rule = Rule::PastEnd {
                        length: extent.length,
                        drive: source.length(),
                    };
                    walked.collector.fault(place.clone(), rule);
                }
            }
        }
        chain.extents
    }
}

/// Where a byte of a directory stands on the drive.
fn absolute(extents: &[Extent], mut position: u64) -> u64 {
    for extent in extents {
        if position < extent.length {
            return extent.offset.saturating_add(position);
        }
        position = position.saturating_sub(extent.length);
    }
    position
}

/// Text of code page 437 as far as ASCII goes, without the spaces that fill its field.
fn unpadded(field: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(field).into_owned();
    text.trim_end_matches([' ', '\0']).to_owned()
}
