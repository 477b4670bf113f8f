//! What a command line asks for, before any file is looked at.

use std::ffi::OsString;

use christen_configdrive::iso9660::{NameRules, Platform};

use crate::destination::Destination;

/// The program whose name we were started under.
///
/// They take the same options but differ in what holds without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Personality {
    /// genisoimage, mkisofs, and our own name.
    Genisoimage,
    /// xorrisofs: Rock Ridge unless told otherwise, and a volume ID of its own
    /// (xorrisofs(1), "-R" and "-V").
    Xorrisofs,
}

/// Which Rock Ridge attributes the image carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RockRidge {
    /// No Rock Ridge at all.
    Absent,
    /// `-R`: owner and mode as on disk.
    AsOnDisk,
    /// `-r`: owner 0, no write bits, readable by all.
    Rationalized,
}

/// How long names of the plain tree may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PlainLength {
    /// Level 1: 8 and 3 characters.
    Short,
    /// `-l`, and levels 2 and 3: 31 characters.
    Full,
    /// `-max-iso9660-filenames`: 37 characters.
    Longest,
}

/// An image to boot from, as far as its options have told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BootImage {
    /// Its file and the firmware it is for; absent until `-b` or `-e`.
    pub(crate) file: Option<(Platform, String)>,
    /// `-no-emul-boot`: without it the firmware would emulate a disk.
    pub(crate) no_emulation: bool,
    /// `-no-boot`: it is listed and not started.
    pub(crate) bootable: bool,
    pub(crate) load_segment: u16,
    /// `-boot-load-size`: sectors of 512 bytes.
    pub(crate) load_sectors: Option<u16>,
    /// `-boot-info-table`.
    pub(crate) info_table: bool,
}

/// Everything asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) destination: Destination,
    pub(crate) system_id: String,
    pub(crate) volume_id: String,
    pub(crate) volume_set_id: String,
    pub(crate) publisher: String,
    pub(crate) preparer: String,
    pub(crate) application_id: Option<String>,
    pub(crate) copyright_file: String,
    pub(crate) abstract_file: String,
    pub(crate) bibliographic_file: String,
    pub(crate) plain_length: PlainLength,
    /// How else names of the plain tree leave ECMA-119; its length is not looked at.
    pub(crate) names: NameRules,
    pub(crate) joliet: bool,
    /// `-joliet-long`: 103 characters to a name instead of 64.
    pub(crate) joliet_long: bool,
    pub(crate) rock_ridge: RockRidge,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) file_mode: Option<u16>,
    pub(crate) directory_mode: Option<u16>,
    /// The mode of directories that exist only in the image.
    pub(crate) new_directory_mode: Option<u16>,
    /// `-D`: directories below the eighth level stay where they are.
    pub(crate) deep_directories: bool,
    pub(crate) pad: bool,
    /// In the order of the boot catalog.
    pub(crate) boot: Vec<BootImage>,
    /// `-eltorito-alt-boot`: the next boot option is of another image.
    pub(crate) boot_image_ended: bool,
    /// The place of the boot catalog.
    pub(crate) boot_catalog: Option<String>,
    pub(crate) follow_links: bool,
    pub(crate) graft_points: bool,
    pub(crate) print_size: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    /// Files with one path a line; `-` is standard input.
    pub(crate) path_lists: Vec<OsString>,
    pub(crate) paths: Vec<OsString>,
}

impl Request {
    /// What holds when no option is given.
    pub(crate) fn new(personality: Personality) -> Self {
        let (volume_id, rock_ridge) = match personality {
            Personality::Genisoimage => ("CDROM", RockRidge::Absent),
            Personality::Xorrisofs => ("ISOIMAGE", RockRidge::AsOnDisk),
        };
        Self {
            destination: Destination::Stdout,
            system_id: "LINUX".to_owned(),
            volume_id: volume_id.to_owned(),
            volume_set_id: String::new(),
            publisher: String::new(),
            preparer: String::new(),
            application_id: None,
            copyright_file: String::new(),
            abstract_file: String::new(),
            bibliographic_file: String::new(),
            plain_length: PlainLength::Short,
            names: NameRules::LEVEL_1,
            joliet: false,
            joliet_long: false,
            rock_ridge,
            uid: None,
            gid: None,
            file_mode: None,
            directory_mode: None,
            new_directory_mode: None,
            deep_directories: false,
            pad: true,
            boot: Vec::new(),
            boot_image_ended: false,
            boot_catalog: None,
            follow_links: false,
            graft_points: false,
            print_size: false,
            quiet: false,
            verbose: false,
            path_lists: Vec::new(),
            paths: Vec::new(),
        }
    }

    /// The boot image that the next option is of. As in genisoimage the first one begins
    /// with any of its options, so that `-no-emul-boot` may come before `-b`.
    pub(crate) fn boot_image(&mut self) -> &mut BootImage {
        if self.boot.is_empty() || self.boot_image_ended {
            self.boot_image_ended = false;
            self.boot.push(BootImage {
                file: None,
                no_emulation: false,
                bootable: true,
                load_segment: 0,
                load_sectors: None,
                info_table: false,
            });
        }
        let last = self.boot.len() - 1;
        &mut self.boot[last]
    }
}
