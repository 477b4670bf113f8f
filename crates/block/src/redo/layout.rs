//! The records of a redo file as they are stored.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What a redo file begins with.
pub(crate) const MAGIC: [u8; 8] = *b"XSTNREDO";
/// The version of this layout.
pub(crate) const VERSION: u32 = 1;

/// The first bytes of a redo file.
///
/// | offset | size | field            | note                                                                    |
/// |-------:|-----:|------------------|-------------------------------------------------------------------------|
/// |      0 |    8 | `magic`          | `XSTNREDO`                                                              |
/// |      8 |    4 | `version`        | 1                                                                       |
/// |     12 |    4 | `file_count`     | 1 to 8                                                                  |
/// |     16 |    8 | `length`         | of the whole redo file in bytes                                         |
/// |     24 |    8 | `table_offset`   | a multiple of 8                                                         |
/// |     32 |    8 | `table_length`   | `table_offset + table_length = length`                                  |
/// |     40 |    8 | `table_checksum` | over the table                                                          |
/// |     48 |    8 | `device`         | `st_dev` of the redo file when it was made, see below                   |
/// |     56 |    8 | `data_bytes`     | the length of all ranges together, for progress                         |
/// |     64 |    8 | `checksum`       | over the 64 bytes before it                                             |
///
/// The kernel may number devices anew when it boots. A file that was on the redo file's own device must be there still; for
/// any other, the number must be the same.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawHeader {
    pub(crate) magic: [u8; 8],
    pub(crate) version: U32,
    pub(crate) file_count: U32,
    pub(crate) length: U64,
    pub(crate) table_offset: U64,
    pub(crate) table_length: U64,
    pub(crate) table_checksum: U64,
    pub(crate) device: U64,
    pub(crate) data_bytes: U64,
    pub(crate) checksum: U64,
}

const _: () = assert!(size_of::<RawHeader>() == 72);
const _: () = assert!(std::mem::offset_of!(RawHeader, checksum) == 64);

/// One file that is changed.
///
/// | offset | size | field         | note                                                                         |
/// |-------:|-----:|---------------|------------------------------------------------------------------------------|
/// |      0 |    4 | `kind`        | 1 regular file, 2 block device                                               |
/// |      4 |    4 | `format`      | 0 data only (raw, data file), 2 qcow2 version 2, 3 qcow2 version 3: [`Mark`](crate::commit::Mark) |
/// |      8 |    8 | `device`      | `st_dev`, or `st_rdev` of a block device                                     |
/// |     16 |    8 | `inode`       | `st_ino`; 0 for a block device                                               |
/// |     24 |    8 | `old_length`  | in bytes, before the change                                                  |
/// |     32 |    8 | `new_length`  | in bytes, after it                                                           |
/// |     40 |    4 | `path_length` | at most 4096; 0 for the first file                                           |
/// |     44 |    4 | `reserved`    | 0                                                                            |
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawFile {
    pub(crate) kind: U32,
    pub(crate) format: U32,
    pub(crate) device: U64,
    pub(crate) inode: U64,
    pub(crate) old_length: U64,
    pub(crate) new_length: U64,
    pub(crate) path_length: U32,
    pub(crate) reserved: U32,
}

const _: () = assert!(size_of::<RawFile>() == 48);

/// One range of new content.
///
/// | offset | size | field           | note                                                                       |
/// |-------:|-----:|-----------------|----------------------------------------------------------------------------|
/// |      0 |    4 | `kind`          | 0 end of the file's ranges, 1 old content hashed, 2 old content zero       |
/// |      4 |    4 | `length`        | in bytes, a multiple of 512, at most 1 MiB                                 |
/// |      8 |    8 | `offset`        | in the file, a multiple of 512; what lies past `new_length` is not written |
/// |     16 |    8 | `data_offset`   | of the new content in the redo file                                        |
/// |     24 |    8 | `data_checksum` | over the new content                                                       |
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawRange {
    pub(crate) kind: U32,
    pub(crate) length: U32,
    pub(crate) offset: U64,
    pub(crate) data_offset: U64,
    pub(crate) data_checksum: U64,
}

const _: () = assert!(size_of::<RawRange>() == 32);
