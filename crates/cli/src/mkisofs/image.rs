//! From what was asked for and found on disk to the image.

use std::cell::RefCell;

use christen_configdrive::iso9660::{
    self, Boot, BootImage, CATALOG_BYTES, DEFAULT_PADDING_SECTORS, Joliet, Length, NameRules,
    Options, Report,
};
use christen_configdrive::{Attributes, Content, EntryId, Error, Sink, Timestamp, Tree};

use super::request::{PlainLength, Request, RockRidge};
use super::source::{self, Kind};
use crate::destination::Image;

/// An ISO 9660 image.
#[derive(Debug)]
pub(crate) struct Iso {
    pub(crate) tree: Tree,
    pub(crate) options: Options,
    /// What the writer said about it.
    pub(crate) report: RefCell<Option<Report>>,
}

impl Iso {
    pub(crate) fn new(tree: Tree, options: Options) -> Self {
        Self {
            tree,
            options,
            report: RefCell::new(None),
        }
    }
}

impl Image for Iso {
    fn write(&self, sink: &mut dyn Sink) -> Result<(), Error> {
        let report = iso9660::write(&self.tree, &self.options, sink)?;
        self.report.replace(Some(report));
        Ok(())
    }
}

/// The options of the writer.
pub(super) fn options(request: &Request, time: i64) -> Options {
    let length = match request.plain_length {
        PlainLength::Short => Length::EightDotThree,
        PlainLength::Full => Length::Total(31),
        PlainLength::Longest => Length::Total(37),
    };
    let mut options = Options::new(request.volume_id.clone(), Timestamp::from_seconds(time));
    options.system_id.clone_from(&request.system_id);
    options.volume_set_id.clone_from(&request.volume_set_id);
    options.publisher_id.clone_from(&request.publisher);
    options.preparer_id.clone_from(&request.preparer);
    if let Some(id) = &request.application_id {
        options.application_id.clone_from(id);
    }
    options
        .copyright_file_id
        .clone_from(&request.copyright_file);
    options.abstract_file_id.clone_from(&request.abstract_file);
    options
        .bibliographic_file_id
        .clone_from(&request.bibliographic_file);
    options.names = NameRules {
        length,
        ..request.names
    };
    options.joliet = match (request.joliet, request.joliet_long) {
        (false, _) => None,
        (true, false) => Some(Joliet::Standard),
        (true, true) => Some(Joliet::Long),
    };
    options.rock_ridge = match request.rock_ridge {
        RockRidge::Absent => None,
        // The attributes were rationalized when the trees were read, and the options that
        // set owner and mode come after that.
        RockRidge::AsOnDisk | RockRidge::Rationalized => Some(iso9660::RockRidge::Faithful),
    };
    options.deep_directories = request.deep_directories;
    options.padding_sectors = if request.pad {
        DEFAULT_PADDING_SECTORS
    } else {
        0
    };
    options
}

/// What the image is booted from; `catalog` is absent if there is nothing.
pub(super) fn boot(
    request: &Request,
    tree: &Tree,
    catalog: Option<EntryId>,
) -> Result<Option<Boot>, source::Error> {
    let Some(catalog) = catalog else {
        return Ok(None);
    };
    let mut images = Vec::new();
    // The parser has seen to it that every image has a file.
    for (image, file) in request.boot.iter().map(|image| (image, &image.file)) {
        let Some((platform, place)) = file else {
            continue;
        };
        images.push(BootImage {
            entry: tree
                .find(place)
                .ok_or_else(|| source::Error::NoBootImage(place.clone()))?,
            platform: *platform,
            bootable: image.bootable,
            load_segment: image.load_segment,
            load_sectors: image.load_sectors,
            info_table: image.info_table,
        });
    }
    Ok(Some(Boot { catalog, images }))
}

/// Turns what was found into what goes on the drive, and tells the boot catalog in it.
/// Nothing there is newer than `newest`.
pub(crate) fn tree(
    found: source::Tree,
    newest: Option<i64>,
) -> Result<(Tree, Option<EntryId>), Error> {
    let mut tree = Tree::new();
    let mut catalog = None;
    let attributes = |entry: &source::Entry| Attributes {
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        modified: entry
            .modified
            .map(|seconds| newest.map_or(seconds, |newest| seconds.min(newest)))
            .map(Timestamp::from_seconds),
    };
    tree.set_attributes(EntryId::ROOT, attributes(&found.root));
    for (place, entry) in found.entries {
        let attributes = attributes(&entry);
        let is_catalog = entry.kind == Kind::BootCatalog;
        let added = match entry.kind {
            Kind::Directory => tree.add_directory(&place),
            Kind::File { path, length } => tree.add_file(&place, Content::File { path, length }),
            Kind::Symlink { target } => tree.add_symlink(&place, &target),
            Kind::BootCatalog => tree.add_file(&place, vec![0; CATALOG_BYTES as usize]),
        }?;
        tree.set_attributes(added, attributes);
        if is_catalog {
            catalog = Some(added);
        }
    }
    Ok((tree, catalog))
}
