//! ISO 9660: ECMA-119, SUSP and RRIP, Joliet; read as Linux reads it (`fs/isofs`).

mod directory_record;
mod joliet;
mod path_table;
mod rock_ridge;
mod tree;
mod volume_descriptor;

pub(in crate::read) use joliet::utf8_from_utf16;
pub(crate) use tree::Tree;

use zerocopy::FromBytes;

use self::directory_record::Record;
use self::rock_ridge::RockRidge;
use self::volume_descriptor::{
    Descriptor, FIRST_DESCRIPTOR, RawVolumeDescriptor, SECTOR_BYTES, unpadded,
};
use crate::Error;
use crate::read::time::descriptor_time;
use crate::read::{Corrupt, Entry, IsoDetails, Place, Rule, Source, View, limits};

/// The structures of a volume that were found when it was opened.
#[derive(Debug)]
pub(crate) struct IsoDrive {
    details: IsoDetails,
    primary: Descriptor,
    joliet: Option<Descriptor>,
    /// Whether the root's first record has `ER`, and how many bytes `SP` says to skip.
    rock_ridge: Option<u8>,
    problems: Vec<Corrupt>,
}

impl IsoDrive {
    /// Reads the volume descriptors; `None` when there are none.
    pub(crate) fn open(source: &Source<'_>) -> Result<Option<Self>, Error> {
        let mut primary = None;
        let mut joliet = None;
        let mut boot_record = false;
        let mut udf_bridge = false;
        let mut terminated = false;
        let mut problems = Vec::new();
        for index in 0..limits::MAX_VOLUME_DESCRIPTORS {
            let sector = FIRST_DESCRIPTOR.saturating_add(index);
            let offset = u64::from(sector).saturating_mul(SECTOR_BYTES);
            if !source.contains(offset, SECTOR_BYTES) {
                break;
            }
            let bytes = source.bytes(offset, SECTOR_BYTES, "volume descriptor")?;
            let Ok(raw) = RawVolumeDescriptor::ref_from_bytes(&bytes) else {
                break;
            };
            if &raw.identifier != b"CD001" {
                udf_bridge |=
                    terminated && matches!(&raw.identifier, b"BEA01" | b"NSR02" | b"NSR03");
                if terminated
                    && matches!(&raw.identifier, b"BEA01" | b"NSR02" | b"NSR03" | b"TEA01")
                {
                    continue;
                }
                break;
            }
            if terminated {
                break;
            }
            match raw.kind {
                0 => boot_record = true,
                1 if primary.is_none() => primary = Some((offset, bytes)),
                2 if raw.version == 1 && joliet.is_none() => {
                    if let Some(level) = joliet::level(&raw.escape_sequences) {
                        joliet = Some((offset, level, bytes));
                    }
                }
                255 => terminated = true,
                _ => {}
            }
        }
        let Some((offset, bytes)) = primary else {
            // `CD001` without a primary descriptor is a damaged ISO; without it, no ISO.
            return if joliet.is_some() || boot_record || terminated {
                let start = u64::from(FIRST_DESCRIPTOR).saturating_mul(SECTOR_BYTES);
                Err(Corrupt::new(Place::at("volume", start), Rule::NoPrimary).into())
            } else {
                Ok(None)
            };
        };
        if !terminated {
            problems.push(Corrupt::new(
                Place::at("volume descriptor set", offset),
                Rule::NoTerminator,
            ));
        }
        let (primary, raw) = descriptor(
            source,
            offset,
            &bytes,
            "primary volume descriptor",
            &mut problems,
        )?;
        let mut details = details(raw, &primary);
        details.boot_record = boot_record;
        details.udf_bridge = udf_bridge;
        let joliet = match &joliet {
            Some((offset, level, bytes)) => {
                let name = "supplementary volume descriptor";
                let (found, raw) = descriptor(source, *offset, bytes, name, &mut problems)?;
                let (label, _) = joliet::decode(&raw.volume_identifier);
                details.joliet = Some((*level, unpadded(&label)));
                Some(found)
            }
            None => None,
        };
        let mut drive = Self {
            details,
            primary,
            joliet,
            rock_ridge: None,
            problems,
        };
        drive.probe_rock_ridge(source)?;
        Ok(Some(drive))
    }

    /// Looks for `SP` and `ER` in the first record of the root. Linux turns Rock Ridge on
    /// by `ER` (`fs/isofs/rock.c`, `parse_rock_ridge_inode_internal`).
    fn probe_rock_ridge(&mut self, source: &Source<'_>) -> Result<(), Error> {
        let block = u64::from(self.primary.block_size);
        let offset = u64::from(self.primary.root_block).saturating_mul(block);
        if !source.contains(offset, block) {
            return Ok(());
        }
        let bytes = source.bytes(offset, block, "root directory")?;
        if let Ok(Some(record)) = Record::parse(&bytes) {
            let fields = RockRidge::read(source, record.system_use, self.primary.block_size)?;
            let place = Place::at("first record of the root", offset);
            self.problems.extend(fields.corrupt(&place));
            if let Some(extension) = fields.extension {
                self.rock_ridge = Some(fields.skip.unwrap_or(0));
                self.details.rock_ridge = Some(extension);
            }
        }
        Ok(())
    }

    pub(crate) fn details(&self) -> &IsoDetails {
        &self.details
    }

    /// The trees, in Linux's order of preference.
    pub(crate) fn views(&self) -> Vec<View> {
        let mut views = Vec::new();
        if self.rock_ridge.is_some() {
            views.push(View::RockRidge);
        }
        if self.joliet.is_some() {
            views.push(View::Joliet);
        }
        views.push(View::Plain);
        views
    }

    pub(crate) fn walk(
        &self,
        source: &Source<'_>,
        view: View,
    ) -> Result<(Vec<Entry>, Vec<Corrupt>), Error> {
        let tree = self.tree(source, view)?;
        Ok((tree.entries, tree.problems))
    }

    /// Walks a tree and keeps its directories.
    pub(crate) fn tree(&self, source: &Source<'_>, view: View) -> Result<Tree, Error> {
        let skip = self.rock_ridge.unwrap_or(0);
        tree::walk(source, self.descriptor(view), view, skip)
    }

    fn descriptor(&self, view: View) -> &Descriptor {
        match (&self.joliet, view) {
            (Some(joliet), View::Joliet) => joliet,
            _ => &self.primary,
        }
    }

    /// Bytes of a logical block.
    pub(crate) fn block_size(&self) -> u32 {
        self.primary.block_size
    }

    /// What was wrong with the volume descriptors.
    pub(crate) fn problems(&self) -> &[Corrupt] {
        &self.problems
    }

    /// Compares the path tables with a walked tree, plain or Joliet.
    pub(crate) fn check_path_tables(
        &self,
        source: &Source<'_>,
        view: View,
        tree: &Tree,
    ) -> Result<Vec<Corrupt>, Error> {
        path_table::check(source, self.descriptor(view), &tree.directories)
    }
}

/// Checks a descriptor and takes from it what the walk needs.
fn descriptor<'b>(
    source: &Source<'_>,
    offset: u64,
    bytes: &'b [u8],
    name: &'static str,
    problems: &mut Vec<Corrupt>,
) -> Result<(Descriptor, &'b RawVolumeDescriptor), Error> {
    let place = Place::at(name, offset);
    let raw = RawVolumeDescriptor::ref_from_bytes(bytes)
        .map_err(|_| Corrupt::new(place.clone(), Rule::NoPrimary))?;
    let block_size = raw.logical_block_size.little.get();
    if !matches!(block_size, 512 | 1024 | 2048) {
        return Err(Corrupt::new(place, Rule::BlockSize(block_size)).into());
    }
    let mut fault = |rule| problems.push(Corrupt::new(place.clone(), rule));
    let root = &raw.root_directory_record;
    for (field, both) in [
        ("volume space size", raw.volume_space_size),
        ("path table size", raw.path_table_size),
        ("location of the root", root.extent),
        ("data length of the root", root.data_length),
    ] {
        let (little, big) = (both.little.get(), both.big.get());
        if little != big {
            fault(Rule::BothEndian { field, little, big });
        }
    }
    for (field, both) in [
        ("logical block size", raw.logical_block_size),
        ("volume set size", raw.volume_set_size),
        ("volume sequence number", raw.volume_sequence_number),
    ] {
        let (little, big) = (u32::from(both.little.get()), u32::from(both.big.get()));
        if little != big {
            fault(Rule::BothEndian { field, little, big });
        }
    }
    for (field, value) in [
        ("volume set size", raw.volume_set_size.little.get()),
        (
            "volume sequence number",
            raw.volume_sequence_number.little.get(),
        ),
        (
            "file structure version",
            u16::from(raw.file_structure_version),
        ),
        ("descriptor version", u16::from(raw.version)),
    ] {
        if value != 1 {
            fault(Rule::DescriptorField {
                field,
                value: u32::from(value),
                expected: 1,
            });
        }
    }
    let space_blocks = raw.volume_space_size.little.get();
    let volume = u64::from(space_blocks).saturating_mul(u64::from(block_size));
    if volume > source.length() {
        fault(Rule::VolumeTruncated {
            volume,
            drive: source.length(),
        });
    }
    for time in [
        &raw.volume_creation,
        &raw.volume_modification,
        &raw.volume_expiration,
        &raw.volume_effective,
    ] {
        let none = time.iter().all(|byte| matches!(byte, 0 | b'0' | b' '));
        if !none && descriptor_time(time).is_none() {
            fault(Rule::BadTime);
        }
    }
    let descriptor = Descriptor {
        block_size: u32::from(block_size),
        space_blocks,
        path_table_bytes: raw.path_table_size.little.get(),
        type_l_block: raw.type_l_path_table.get(),
        type_m_block: raw.type_m_path_table.get(),
        root_block: root.extent.little.get(),
        root_bytes: root.data_length.little.get(),
    };
    Ok((descriptor, raw))
}

fn details(raw: &RawVolumeDescriptor, primary: &Descriptor) -> IsoDetails {
    IsoDetails {
        system_identifier: unpadded(&raw.system_identifier),
        volume_identifier: unpadded(&raw.volume_identifier),
        volume_set_identifier: unpadded(&raw.volume_set_identifier),
        publisher_identifier: unpadded(&raw.publisher_identifier),
        data_preparer_identifier: unpadded(&raw.data_preparer_identifier),
        application_identifier: unpadded(&raw.application_identifier),
        logical_block_size: primary.block_size,
        volume_space_size: primary.space_blocks,
        volume_creation: descriptor_time(&raw.volume_creation),
        volume_modification: descriptor_time(&raw.volume_modification),
        volume_expiration: descriptor_time(&raw.volume_expiration),
        volume_effective: descriptor_time(&raw.volume_effective),
        joliet: None,
        rock_ridge: None,
        boot_record: false,
        udf_bridge: false,
    }
}
