//! The volume descriptors (ECMA-119 §8).

use std::mem::{offset_of, size_of};

use zerocopy::byteorder::{BE, LE, U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::directory_record::RawDirectoryRecord;

/// Bytes of a logical sector (ECMA-119 §6.1.2); descriptors stand one in each.
pub(super) const SECTOR_BYTES: u64 = 2048;

/// The first sector of the volume descriptors (ECMA-119 §6.2.1).
pub(super) const FIRST_DESCRIPTOR: u32 = 16;

/// A 16-bit number in both byte orders (ECMA-119 §7.2.3).
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
pub(super) struct Both16 {
    pub(super) little: U16<LE>,
    pub(super) big: U16<BE>,
}

/// A 32-bit number in both byte orders (ECMA-119 §7.3.3).
///
/// Linux reads the first half only (`fs/isofs/isofs.h`, `isonum_733`), and so do we; that
/// the halves agree is for `verify`.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
pub(super) struct Both32 {
    pub(super) little: U32<LE>,
    pub(super) big: U32<BE>,
}

/// The primary and the supplementary volume descriptor as stored.
///
/// ECMA-119 §8.4 and §8.5, which differ in the fields at 7 and 88 alone.
///
/// | offset | size | field                           | note                               |
/// |-------:|-----:|---------------------------------|------------------------------------|
/// |      0 |    1 | `kind`                          | 0 boot, 1 primary, 2 supplementary, 255 terminator |
/// |      1 |    5 | `identifier`                    | `CD001`                            |
/// |      6 |    1 | `version`                       | 1; 2 is ISO 9660:1999, which Linux ignores |
/// |      7 |    1 | `flags`                         | supplementary only                 |
/// |      8 |   32 | `system_identifier`             |                                    |
/// |     40 |   32 | `volume_identifier`             | the label                          |
/// |     80 |    8 | `volume_space_size`             | logical blocks                     |
/// |     88 |   32 | `escape_sequences`              | supplementary only: Joliet         |
/// |    128 |    4 | `logical_block_size`            |                                    |
/// |    132 |    8 | `path_table_size`               | bytes                              |
/// |    140 |    4 | `type_l_path_table`             | little-endian                      |
/// |    148 |    4 | `type_m_path_table`             | big-endian                         |
/// |    156 |   34 | `root_directory_record`         | the last byte is its identifier, 0 |
/// |    318 |  128 | `publisher_identifier`          |                                    |
/// |    813 |   17 | `volume_creation`               | the first of four times            |
/// |    881 |    1 | `file_structure_version`        | 1                                  |
#[repr(C)]
#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
pub(super) struct RawVolumeDescriptor {
    pub(super) kind: u8,
    pub(super) identifier: [u8; 5],
    pub(super) version: u8,
    pub(super) flags: u8,
    pub(super) system_identifier: [u8; 32],
    pub(super) volume_identifier: [u8; 32],
    unused_73: [u8; 8],
    pub(super) volume_space_size: Both32,
    pub(super) escape_sequences: [u8; 32],
    pub(super) volume_set_size: Both16,
    pub(super) volume_sequence_number: Both16,
    pub(super) logical_block_size: Both16,
    pub(super) path_table_size: Both32,
    pub(super) type_l_path_table: U32<LE>,
    optional_type_l_path_table: U32<LE>,
    pub(super) type_m_path_table: U32<BE>,
    optional_type_m_path_table: U32<BE>,
    pub(super) root_directory_record: RawDirectoryRecord,
    root_identifier: u8,
    pub(super) volume_set_identifier: [u8; 128],
    pub(super) publisher_identifier: [u8; 128],
    pub(super) data_preparer_identifier: [u8; 128],
    pub(super) application_identifier: [u8; 128],
    copyright_file_identifier: [u8; 37],
    abstract_file_identifier: [u8; 37],
    bibliographic_file_identifier: [u8; 37],
    pub(super) volume_creation: [u8; 17],
    pub(super) volume_modification: [u8; 17],
    pub(super) volume_expiration: [u8; 17],
    pub(super) volume_effective: [u8; 17],
    pub(super) file_structure_version: u8,
    reserved_883: u8,
    application_use: [u8; 512],
    reserved_1396: [u8; 653],
}

const _: () = assert!(size_of::<RawVolumeDescriptor>() == 2048);
const _: () = assert!(offset_of!(RawVolumeDescriptor, volume_space_size) == 80);
const _: () = assert!(offset_of!(RawVolumeDescriptor, logical_block_size) == 128);
const _: () = assert!(offset_of!(RawVolumeDescriptor, type_m_path_table) == 148);
const _: () = assert!(offset_of!(RawVolumeDescriptor, root_directory_record) == 156);
const _: () = assert!(offset_of!(RawVolumeDescriptor, publisher_identifier) == 318);
const _: () = assert!(offset_of!(RawVolumeDescriptor, volume_creation) == 813);
const _: () = assert!(offset_of!(RawVolumeDescriptor, file_structure_version) == 881);

/// What a tree needs from its descriptor.
#[derive(Debug, Clone)]
pub(super) struct Descriptor {
    pub(super) block_size: u32,
    pub(super) space_blocks: u32,
    pub(super) path_table_bytes: u32,
    pub(super) type_l_block: u32,
    pub(super) type_m_block: u32,
    pub(super) root_block: u32,
    pub(super) root_bytes: u32,
}

/// Text without the spaces or NULs that fill its field.
pub(super) fn unpadded(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(field);
    text.trim_end_matches([' ', '\0']).to_owned()
}
