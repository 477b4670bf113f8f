//! What makes an image bootable: the boot record and the boot catalog.
//!
//! "El Torito" Bootable CD-ROM Format Specification 1.0. Where genisoimage differs from it we do as genisoimage, whose
//! images BIOSes and UEFI firmware are tested with: alternative images have a section each, and a validation entry
//! holds the publisher. Only images without emulation are written; the emulation of floppy and hard disks died with
//! the systems that needed it.

use super::{Options, SECTOR_BYTES, pad};
use crate::{Content, EntryId, Error, Kind, Tree};

/// The length that the file of a boot catalog has: one sector, as genisoimage's.
pub const CATALOG_BYTES: u64 = SECTOR_BYTES;
/// The most images that a boot catalog names: it has room for 64 entries, of which the validation takes one, the first
/// image one, and each further image two.
pub const MAX_IMAGES: usize = 32;
/// The longest image that gets a boot information table. Its checksum stands before what it is made of, so it is in
/// memory as a whole; boot loaders of this kind have some 30 KiB.
pub const MAX_INFO_TABLE_IMAGE_BYTES: u64 = 16 << 20;

/// Length of an entry of the catalog (El Torito, Figures 2 to 5).
const ENTRY_BYTES: usize = 32;
const _: () = assert!(2 * MAX_IMAGES * ENTRY_BYTES == CATALOG_BYTES as usize);
/// What a sector count counts: "virtual/emulated sectors" (El Torito, Figure 3).
const LOAD_SECTOR_BYTES: u64 = 512;
const LOAD_SECTORS_IN_SECTOR: u64 = SECTOR_BYTES / LOAD_SECTOR_BYTES;
/// The part of an image that a boot information table takes up, with the jump before it.
const INFO_TABLE_END: usize = 64;

/// What an image is booted from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The file that is the boot catalog. It has [`CATALOG_BYTES`] bytes in the tree, which are replaced.
    pub catalog: EntryId,
    /// The boot images: the first is the default, the others alternatives. At least one, at most [`MAX_IMAGES`].
    pub images: Vec<BootImage>,
}

/// One boot image, which the firmware starts without emulating a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootImage {
    /// The file, which is not empty.
    pub entry: EntryId,
    /// The firmware that it is for.
    pub platform: Platform,
    /// Whether it is marked as one to be started.
    pub bootable: bool,
    /// The real-mode segment where a BIOS puts it; 0 stands for 0x7c0.
    pub load_segment: u16,
    /// How many 512-byte sectors of it a BIOS loads; all of it when absent.
    pub load_sectors: Option<u16>,
    /// Whether bytes 8 to 63 of it are replaced by a boot information table, from which ISOLINUX and others learn
    /// where they stand. It has at least 64 and at most [`MAX_INFO_TABLE_IMAGE_BYTES`] bytes then.
    pub info_table: bool,
}

/// The firmware that a boot image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// A PC's BIOS, for which the image is code.
    Bios,
    /// UEFI, for which the image is a FAT filesystem.
    Efi,
}

impl Platform {
    /// The platform ID: 0 for 80x86 (El Torito, Figure 2), EFh for UEFI (UEFI 2.10 §13.3.2.1).
    fn id(self) -> u8 {
        match self {
            Self::Bios => 0,
            Self::Efi => 0xef,
        }
    }
}

impl Boot {
    /// Returns whether a file gets a boot information table.
    pub(super) fn patches(&self, entry: EntryId) -> bool {
        self.images
            .iter()
            .any(|image| image.entry == entry && image.info_table)
    }
}

/// Checks that the tree has what is to be booted from.
pub(super) fn check(tree: &Tree, boot: &Boot) -> Result<(), Error> {
    let cannot = |entry, role, rule| Error::Boot {
        path: tree.path(entry),
        role,
        rule,
    };
    let no_catalog = |rule| cannot(boot.catalog, "boot catalog", rule);
    if length(tree, boot.catalog) != Some(CATALOG_BYTES) {
        return Err(no_catalog("it is not a file of 2048 bytes"));
    }
    match boot.images.len() {
        0 => return Err(no_catalog("there is no boot image")),
        1..=MAX_IMAGES => {}
        _ => return Err(no_catalog("there are more than 32 boot images")),
    }
    for image in &boot.images {
        let no_image = |rule| cannot(image.entry, "boot image", rule);
        if image.entry == boot.catalog {
            return Err(no_image("it is the boot catalog"));
        }
        let bytes = match length(tree, image.entry) {
            None => return Err(no_image("it is not a regular file")),
            Some(0) => return Err(no_image("it is empty")),
            Some(bytes) => bytes,
        };
        if image.info_table && bytes < INFO_TABLE_END as u64 {
            return Err(no_image(
                "it has less than the 64 bytes that a boot information table takes",
            ));
        }
        if image.info_table && bytes > MAX_INFO_TABLE_IMAGE_BYTES {
            return Err(no_image(
                "a boot information table is for images of up to 16 MiB",
            ));
        }
        if load_sectors(image, bytes).is_none() {
            return Err(no_image(
                "it has more than the 65535 sectors of 512 bytes that a BIOS can be told to load",
            ));
        }
    }
    Ok(())
}

/// Returns the length of a file.
fn length(tree: &Tree, entry: EntryId) -> Option<u64> {
    match tree.kind(entry) {
        Kind::File(content) => Some(Content::len(content)),
        Kind::Directory | Kind::Symlink(_) => None,
    }
}

/// Returns the sector count of an image's entry: what was asked for, else whole sectors of 2048 bytes, as genisoimage
/// counts them.
///
/// Where 16 bits do not hold it, UEFI is told 0, by which it takes all up to the end of the disc (UEFI 2.10 §13.3.2.1);
/// genisoimage cuts the number off, so that firmware sees a part of the filesystem.
fn load_sectors(image: &BootImage, bytes: u64) -> Option<u16> {
    if image.load_sectors.is_some() {
        return image.load_sectors;
    }
    let sectors = bytes.div_ceil(SECTOR_BYTES) * LOAD_SECTORS_IN_SECTOR;
    match (u16::try_from(sectors), image.platform) {
        (Ok(sectors), _) => Some(sectors),
        (Err(_), Platform::Efi) => Some(0),
        (Err(_), Platform::Bios) => None,
    }
}

/// Appends the boot record: one sector, right behind the primary descriptor (El Torito, Figure 7).
///
/// | offset | size | field                                       |
/// |-------:|-----:|---------------------------------------------|
/// |      0 |    7 | type 0, `CD001`, version 1                  |
/// |      7 |   32 | `EL TORITO SPECIFICATION`, filled with zeros |
/// |     39 |   32 | unused, zeros                               |
/// |     71 |    4 | first sector of the catalog, little-endian  |
pub(super) fn record(out: &mut Vec<u8>, catalog_sector: u32) {
    let start = out.len();
    out.extend_from_slice(b"\0CD001\x01EL TORITO SPECIFICATION");
    out.resize(start + 71, 0);
    out.extend_from_slice(&catalog_sector.to_le_bytes());
    pad(out);
}

/// Returns the boot catalog. `sectors` gives the first sector of each file, by entry.
pub(super) fn catalog(tree: &Tree, options: &Options, boot: &Boot, sectors: &[u32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(CATALOG_BYTES as usize);
    for (index, image) in boot.images.iter().enumerate() {
        if index == 0 {
            out.extend_from_slice(&validation_entry(image.platform, &options.publisher_id));
        } else {
            section_header(&mut out, image.platform, index + 1 == boot.images.len());
        }
        // Both were there when the tree was checked.
        let bytes = length(tree, image.entry).unwrap_or_default();
        let load_sectors = load_sectors(image, bytes).unwrap_or_default();
        entry(&mut out, image, load_sectors, sectors[image.entry.index()]);
    }
    out.resize(CATALOG_BYTES as usize, 0);
    out
}

/// Returns the validation entry (El Torito, Figure 2).
///
/// | offset | size | field                                                        |
/// |-------:|-----:|--------------------------------------------------------------|
/// |      0 |    1 | header ID, 1                                                 |
/// |      1 |    1 | platform ID                                                  |
/// |      4 |   24 | who made it: the publisher and a zero, as genisoimage writes |
/// |     28 |    2 | checksum: all 16-bit words of the entry add up to 0          |
/// |     30 |    2 | `55 aa`                                                      |
fn validation_entry(platform: Platform, publisher: &str) -> [u8; ENTRY_BYTES] {
    let mut entry = [0; ENTRY_BYTES];
    entry[0] = 1;
    entry[1] = platform.id();
    for (to, from) in entry[4..27].iter_mut().zip(publisher.bytes()) {
        *to = from;
    }
    entry[30..].copy_from_slice(&[0x55, 0xaa]);
    let sum = entry.chunks_exact(2).fold(0_u16, |sum, word| {
        sum.wrapping_add(u16::from_le_bytes([word[0], word[1]]))
    });
    entry[28..30].copy_from_slice(&sum.wrapping_neg().to_le_bytes());
    entry
}

/// Appends the header of a section with one entry: 91h for the last section, else 90h (El Torito, Figure 4).
fn section_header(out: &mut Vec<u8>, platform: Platform, last: bool) {
    let start = out.len();
    out.extend_from_slice(&[if last { 0x91 } else { 0x90 }, platform.id(), 1, 0]);
    out.resize(start + ENTRY_BYTES, 0);
}

/// Appends the entry of an image, the default one or that of a section (El Torito, Figures 3 and 5).
///
/// | offset | size | field                                         |
/// |-------:|-----:|-----------------------------------------------|
/// |      0 |    1 | 88h bootable, 0 not                           |
/// |      1 |    1 | medium: 0, no emulation                       |
/// |      2 |    2 | load segment                                  |
/// |      4 |    1 | system type, 0 without emulation              |
/// |      6 |    2 | sectors of 512 bytes to load                  |
/// |      8 |    4 | first sector of the image                     |
fn entry(out: &mut Vec<u8>, image: &BootImage, load_sectors: u16, sector: u32) {
    let start = out.len();
    out.extend_from_slice(&[if image.bootable { 0x88 } else { 0 }, 0]);
    out.extend_from_slice(&image.load_segment.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&load_sectors.to_le_bytes());
    out.extend_from_slice(&sector.to_le_bytes());
    out.resize(start + ENTRY_BYTES, 0);
}

/// Puts the boot information table into an image of at least 64 bytes (genisoimage(1), "EL TORITO BOOT INFORMATION
/// TABLE").
///
/// | offset | size | field, little-endian                                          |
/// |-------:|-----:|---------------------------------------------------------------|
/// |      8 |    4 | sector of the primary descriptor                              |
/// |     12 |    4 | first sector of the image                                     |
/// |     16 |    4 | its length in bytes                                           |
/// |     20 |    4 | sum of its 32-bit words from byte 64 on, the last filled with zeros |
/// |     24 |   40 | reserved, zeros                                               |
pub(super) fn patch(image: &mut [u8], sector: u32) {
    let length = image.len() as u32;
    let (head, body) = image.split_at_mut(INFO_TABLE_END);
    let sum = body.chunks(4).fold(0_u32, |sum, part| {
        let mut word = [0; 4];
        word[..part.len()].copy_from_slice(part);
        sum.wrapping_add(u32::from_le_bytes(word))
    });
    head[8..].fill(0);
    for (place, value) in [
        (8, super::SYSTEM_AREA_SECTORS),
        (12, sector),
        (16, length),
        (20, sum),
    ] {
        head[place..place + 4].copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .map(|byte| char::from(byte).to_digit(16).unwrap() as u8)
            .collect();
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    }

    /// Recorded from genisoimage 1.1.11.
    #[test]
    fn validation_entries_are_those_of_genisoimage() {
        fn check(platform: Platform, publisher: &str, expected: &str) {
            assert_eq!(
                validation_entry(platform, publisher).to_vec(),
                hex(expected),
                "{publisher}"
            );
        }
        check(
            Platform::Bios,
            "",
            "01000000000000000000000000000000000000000000000000000000aa5555aa",
        );
        check(
            Platform::Efi,
            "",
            "01ef0000000000000000000000000000000000000000000000000000aa6655aa",
        );
        check(
            Platform::Bios,
            "P",
            "010000005000000000000000000000000000000000000000000000005a5555aa",
        );
        check(
            Platform::Bios,
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "010000006162636465666768696a6b6c6d6e6f7071727374757677009aac55aa",
        );
    }

    /// Recorded from genisoimage 1.1.11: `-e` of 5000 bytes, `-b` of 5 bytes, `-e` with load size 8.
    #[test]
    fn a_section_is_written_for_each_alternative() {
        let mut tree = Tree::new();
        let mut images = Vec::new();
        for (name, length, platform, load_sectors) in [
            ("a", 5000, Platform::Efi, None),
            ("b", 5, Platform::Bios, None),
            ("c", 9, Platform::Efi, Some(8)),
        ] {
            images.push(BootImage {
                entry: tree.add_file(name, vec![1; length]).unwrap(),
                platform,
                bootable: true,
                load_segment: 0,
                load_sectors,
                info_table: false,
            });
        }
        images[1].bootable = false;
        images[1].load_segment = 0x7c0;
        let catalog_entry = tree.add_file("catalog", vec![0; 2048]).unwrap();
        let boot = Boot {
            catalog: catalog_entry,
            images,
        };
        let options = Options::new("x", crate::Timestamp::from_seconds(0));
        let got = catalog(&tree, &options, &boot, &[0, 0x4c6a, 0x4c6d, 0x1e, 0]);
        let mut expected = hex(
            "01ef0000000000000000000000000000000000000000000000000000aa6655aa
             8800000000000c006a4c00000000000000000000000000000000000000000000
             9000010000000000000000000000000000000000000000000000000000000000
             0000c007000004006d4c00000000000000000000000000000000000000000000
             91ef010000000000000000000000000000000000000000000000000000000000
             88000000000008001e0000000000000000000000000000000000000000000000",
        );
        expected.resize(2048, 0);
        assert_eq!(got, expected);
    }

    /// xorriso 1.5.4 writes the same 0 for `-e` of 40,000,000 bytes.
    #[test]
    fn all_of_an_image_is_loaded_unless_said() {
        fn check(platform: Platform, said: Option<u16>, bytes: u64, expected: Option<u16>) {
            let image = BootImage {
                entry: EntryId::ROOT,
                platform,
                bootable: true,
                load_segment: 0,
                load_sectors: said,
                info_table: false,
            };
            assert_eq!(load_sectors(&image, bytes), expected, "{bytes}");
        }
        check(Platform::Bios, None, 1, Some(4));
        check(Platform::Bios, None, 2048, Some(4));
        check(Platform::Bios, None, 2049, Some(8));
        check(Platform::Bios, Some(1), 40_000_000, Some(1));
        check(Platform::Bios, None, 65_532 * 512, Some(65_532));
        check(Platform::Bios, None, 65_532 * 512 + 1, None);
        check(Platform::Efi, None, 65_532 * 512, Some(65_532));
        check(Platform::Efi, None, 40_000_000, Some(0));
        check(Platform::Efi, Some(0), 2048, Some(0));
    }

    #[test]
    fn the_table_replaces_what_is_there_and_counts_what_follows() {
        let mut image = vec![0xff; 64];
        image.extend([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 7]);
        patch(&mut image, 0x0102_0304);
        let mut expected = vec![0xff; 8];
        expected.extend(hex("10000000 04030201 49000000 07000000"));
        expected.resize(64, 0);
        expected.extend([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 7]);
        assert_eq!(image, expected);
    }

    #[test]
    fn what_cannot_be_booted_from_is_refused_before_anything_is_written() {
        const EFI: BootImage = BootImage {
            entry: EntryId::ROOT,
            platform: Platform::Efi,
            bootable: true,
            load_segment: 0,
            load_sectors: None,
            info_table: false,
        };
        const BIOS: BootImage = BootImage {
            platform: Platform::Bios,
            ..EFI
        };
        const TABLE: BootImage = BootImage {
            info_table: true,
            ..EFI
        };
        fn check(catalog: &str, images: &[(&str, BootImage)], expected: Option<&str>) {
            let mut tree = Tree::new();
            for (name, length) in [
                ("catalog", CATALOG_BYTES),
                ("empty", 0),
                ("63", 63),
                ("64", 64),
                ("16M", MAX_INFO_TABLE_IMAGE_BYTES),
                ("16M+1", MAX_INFO_TABLE_IMAGE_BYTES + 1),
                ("65532", 65_532 * LOAD_SECTOR_BYTES),
                ("65533", 65_532 * LOAD_SECTOR_BYTES + 1),
            ] {
                let open = || panic!("nothing is read");
                let content = Content::Stream {
                    length,
                    open: Box::new(open),
                };
                tree.add_file(name, content).unwrap();
            }
            tree.add_symlink("link", "64").unwrap();
            let images = images.iter().map(|(name, image)| BootImage {
                entry: tree.find(name).unwrap(),
                ..image.clone()
            });
            let mut options = Options::new("x", crate::Timestamp::from_seconds(0));
            options.boot = Some(Boot {
                catalog: tree.find(catalog).unwrap(),
                images: images.collect(),
            });
            let size = super::super::size(&tree, &options);
            let message = size.as_ref().err().map(ToString::to_string);
            assert_eq!(message.as_deref(), expected);
        }
        check("catalog", &[("64", EFI)], None);
        check("catalog", &vec![("64", EFI); MAX_IMAGES], None);
        check("catalog", &[("64", TABLE), ("16M", TABLE)], None);
        check("catalog", &[("65532", BIOS), ("65533", EFI)], None);
        check(
            "catalog",
            &vec![("64", EFI); MAX_IMAGES + 1],
            Some("`catalog` cannot be the boot catalog: there are more than 32 boot images"),
        );
        check(
            "catalog",
            &[],
            Some("`catalog` cannot be the boot catalog: there is no boot image"),
        );
        for catalog in ["64", "link", ""] {
            check(
                catalog,
                &[("64", EFI)],
                Some(&format!(
                    "`{catalog}` cannot be the boot catalog: it is not a file of 2048 bytes"
                )),
            );
        }
        for (name, image, rule) in [
            ("catalog", EFI, "it is the boot catalog"),
            ("link", EFI, "it is not a regular file"),
            ("", EFI, "it is not a regular file"),
            ("empty", EFI, "it is empty"),
            (
                "63",
                TABLE,
                "it has less than the 64 bytes that a boot information table takes",
            ),
            (
                "16M+1",
                TABLE,
                "a boot information table is for images of up to 16 MiB",
            ),
            (
                "65533",
                BIOS,
                "it has more than the 65535 sectors of 512 bytes that a BIOS can be told to load",
            ),
        ] {
            check(
                "catalog",
                &[(name, image)],
                Some(&format!("`{name}` cannot be the boot image: {rule}")),
            );
        }
    }
}
