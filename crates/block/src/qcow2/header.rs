//! The header and its extensions: all that can be known of an image before anything else of it is read.

use std::str;

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::extension::{self, Extensions};
use super::features::{self, FeatureName};
use crate::error::{Corrupt, Result, Unsupported};
use crate::storage::Storage;

/// What every qcow2 file begins with.
pub const MAGIC: [u8; 4] = *b"QFI\xfb";

/// The smallest cluster that the format knows: 512 bytes.
pub const MIN_CLUSTER_BITS: u32 = 9;

/// The largest cluster that QEMU opens: 2 MiB (`block/qcow2.h`, `MAX_CLUSTER_BITS`).
pub const MAX_CLUSTER_BITS: u32 = 21;

/// A backing file's name is not longer (`docs/interop/qcow2.rst`, `backing_file_size`).
pub(super) const MAX_BACKING_NAME_BYTES: u32 = 1023;

/// The first 72 bytes, which are the whole header of version 2. Big-endian.
///
/// QEMU `docs/interop/qcow2.rst`, "Header".
///
/// | offset | size | field                     | note                                             |
/// |-------:|-----:|---------------------------|--------------------------------------------------|
/// |      0 |    4 | `magic`                   | `51 46 49 fb`                                    |
/// |      4 |    4 | `version`                 | 2 or 3                                           |
/// |      8 |    8 | `backing_file_offset`     | 0 means none; in the first cluster               |
/// |     16 |    4 | `backing_file_size`       | at most 1023                                     |
/// |     20 |    4 | `cluster_bits`            | 9 to 21                                          |
/// |     24 |    8 | `size`                    | of the virtual disk, in bytes                    |
/// |     32 |    4 | `crypt_method`            | 0 none, 1 AES, 2 LUKS                            |
/// |     36 |    4 | `l1_size`                 | entries of the active L1 table                   |
/// |     40 |    8 | `l1_table_offset`         | at a cluster boundary                            |
/// |     48 |    8 | `refcount_table_offset`   | at a cluster boundary                            |
/// |     56 |    4 | `refcount_table_clusters` |                                                  |
/// |     60 |    4 | `nb_snapshots`            |                                                  |
/// |     64 |    8 | `snapshots_offset`        | at a cluster boundary                            |
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
pub(super) struct RawHeader {
    pub(super) magic: [u8; 4],
    pub(super) version: U32,
    pub(super) backing_file_offset: U64,
    pub(super) backing_file_size: U32,
    pub(super) cluster_bits: U32,
    pub(super) size: U64,
    pub(super) crypt_method: U32,
    pub(super) l1_size: U32,
    pub(super) l1_table_offset: U64,
    pub(super) refcount_table_offset: U64,
    pub(super) refcount_table_clusters: U32,
    pub(super) nb_snapshots: U32,
    pub(super) snapshots_offset: U64,
}

const _: () = assert!(size_of::<RawHeader>() == 72);
const _: () = assert!(std::mem::offset_of!(RawHeader, l1_table_offset) == 40);

/// What version 3 has after [`RawHeader`]. Big-endian.
///
/// QEMU `docs/interop/qcow2.rst`, "Header" and "Additional fields".
///
/// | offset | size | field                   | note                                       |
/// |-------:|-----:|-------------------------|--------------------------------------------|
/// |     72 |    8 | `incompatible_features` | an unknown bit refuses the image           |
/// |     80 |    8 | `compatible_features`   | unknown bits are left alone                |
/// |     88 |    8 | `autoclear_features`    | unknown bits are cleared before a write    |
/// |     96 |    4 | `refcount_order`        | at most 6: 64 bits                         |
/// |    100 |    4 | `header_length`         | at least 104                               |
///
/// The byte at 104, if the header reaches that far, is the compression type: 0 deflate, 1 zstd.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
pub(super) struct RawFeatures {
    pub(super) incompatible_features: U64,
    pub(super) compatible_features: U64,
    pub(super) autoclear_features: U64,
    pub(super) refcount_order: U32,
    pub(super) header_length: U32,
}

const _: () = assert!(size_of::<RawFeatures>() == 32);

/// Where `autoclear_features` stands in the file, in bytes.
pub(super) const AUTOCLEAR_OFFSET: u64 = 88;

/// Where `refcount_table_offset` stands in the file, in bytes; `refcount_table_clusters` follows it.
pub(super) const REFCOUNT_TABLE_OFFSET: u64 = 48;

/// The length of a version 2 header in bytes.
const HEADER_BYTES_2: u32 = 72;

/// The least length of a version 3 header in bytes, and where its compression type stands.
const HEADER_BYTES_3: u32 = 104;

/// How the compressed clusters of an image are packed; one way for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Raw deflate, which QEMU calls zlib.
    Deflate,
    /// Zstandard.
    Zstd,
}

/// Where the directory of an image's bitmaps is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bitmaps {
    /// How many there are.
    pub count: u32,
    /// The length of their directory in bytes.
    pub directory_bytes: u64,
    /// Where the directory begins, in bytes.
    pub directory_offset: u64,
}

/// The header of a qcow2 image with its extensions, taken apart but not yet admitted:
/// [`admit`](super::admit) says whether the image may be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// 2 or 3.
    pub version: u32,
    /// The length of the virtual disk in bytes.
    pub virtual_bytes: u64,
    /// The base-2 logarithm of the cluster size in bytes; 9 to 21.
    pub cluster_bits: u32,
    /// The base-2 logarithm of the width of a refcount in bits; not checked yet.
    pub refcount_order: u32,
    /// 0 for none, 1 for AES, 2 for LUKS.
    pub crypt_method: u32,
    /// How many entries the active L1 table has.
    pub l1_entries: u32,
    /// Where the active L1 table begins, in bytes.
    pub l1_table_offset: u64,
    /// Where the refcount table begins, in bytes.
    pub refcount_table_offset: u64,
    /// How many clusters the refcount table has.
    pub refcount_table_clusters: u32,
    /// How many internal snapshots there are.
    pub snapshots: u32,
    /// Where the table of snapshots begins, in bytes.
    pub snapshots_offset: u64,
    /// Feature bits without which an image must not be opened.
    pub incompatible: u64,
    /// Feature bits that can be ignored.
    pub compatible: u64,
    /// Feature bits that whoever writes must clear if they are unknown to him.
    pub autoclear: u64,
    /// The type of compression as stored; [`compression`](Self::compression) says what it means.
    pub compression_type: u8,
    /// The name of the backing file as stored. It is not followed.
    pub backing_file: Option<Vec<u8>>,
    /// The format of the backing file: `raw`, `qcow2`.
    pub backing_format: Option<String>,
    /// The name of the external data file as stored. It is not followed.
    pub data_file: Option<Vec<u8>>,
    /// Where the bitmaps are.
    pub bitmaps: Option<Bitmaps>,
    /// What the image itself calls its feature bits.
    pub feature_names: Vec<FeatureName>,
}

/// Tells whether a file that begins with these bytes says that it is a qcow2 image.
pub fn probe(start: &[u8]) -> bool {
    start.starts_with(&MAGIC)
}

impl Header {
    /// Parses the header from the first bytes of a file: as many as its first cluster has, or all there are.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] if it is no qcow2 header, or if an extension or a name does not lie in the first cluster;
    /// [`Unsupported`] for another version and for a cluster size that QEMU does not open either.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let (raw, rest) = RawHeader::read_from_prefix(bytes)
            .map_err(|_| corrupt(0, "the file is shorter than 72 bytes"))?;
        if raw.magic != MAGIC {
            return Err(corrupt(0, "the magic number is missing").into());
        }
        let version = raw.version.get();
        let cluster_bits = raw.cluster_bits.get();
        if !(MIN_CLUSTER_BITS..=MAX_CLUSTER_BITS).contains(&cluster_bits) {
            return Err(Unsupported::new(format!(
                "qcow2 clusters of 2^{cluster_bits} bytes (9 to 21 bits are known) are"
            ))
            .into());
        }
        let cluster_bytes = 1_u32 << cluster_bits;
        let (features, header_bytes) = match version {
            2 => (None, HEADER_BYTES_2),
            3 => {
                let (features, _) = RawFeatures::read_from_prefix(rest)
                    .map_err(|_| corrupt(0, "the file ends within the header"))?;
                (Some(features), features.header_length.get())
            }
            _ => return Err(Unsupported::new(format!("qcow2 version {version} is")).into()),
        };
        if version == 3 && header_bytes < HEADER_BYTES_3
            || header_bytes % 8 != 0
            || header_bytes > cluster_bytes
        {
            return Err(corrupt(
                100,
                format!("a header of {header_bytes} bytes is impossible"),
            )
            .into());
        }

        let first_cluster = &bytes[..bytes.len().min(cluster_bytes as usize)];
        let name_offset = raw.backing_file_offset.get();
        let backing_file = if name_offset == 0 {
            None
        } else {
            Some(backing_name(
                first_cluster,
                name_offset,
                raw.backing_file_size.get(),
            )?)
        };
        // The extensions end where the name begins, as in QEMU (block/qcow2.c, qcow2_do_open).
        let extensions_end = match backing_file {
            Some(_) => name_offset.max(u64::from(header_bytes)) as usize,
            None => first_cluster.len(),
        };
        let area = first_cluster
            .get(header_bytes as usize..extensions_end.min(first_cluster.len()))
            .unwrap_or_default();
        let Extensions {
            backing_format,
            data_file,
            bitmaps,
            feature_names,
        } = extension::parse(area, u64::from(header_bytes))?;

        let compression_type = match header_bytes {
            ..=HEADER_BYTES_3 => 0,
            _ => first_cluster
                .get(HEADER_BYTES_3 as usize)
                .copied()
                .unwrap_or(0),
        };
        Ok(Self {
            version,
            virtual_bytes: raw.size.get(),
            cluster_bits,
            refcount_order: features.map_or(4, |features| features.refcount_order.get()),
            crypt_method: raw.crypt_method.get(),
            l1_entries: raw.l1_size.get(),
            l1_table_offset: raw.l1_table_offset.get(),
            refcount_table_offset: raw.refcount_table_offset.get(),
            refcount_table_clusters: raw.refcount_table_clusters.get(),
            snapshots: raw.nb_snapshots.get(),
            snapshots_offset: raw.snapshots_offset.get(),
            incompatible: features.map_or(0, |features| features.incompatible_features.get()),
            compatible: features.map_or(0, |features| features.compatible_features.get()),
            autoclear: features.map_or(0, |features| features.autoclear_features.get()),
            compression_type,
            backing_file,
            backing_format,
            data_file,
            bitmaps,
            feature_names,
        })
    }

    /// Reads the first cluster of a file and parses it. Nothing else is read.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and whatever stops the reading.
    pub fn read(storage: &dyn Storage) -> Result<Self> {
        let mut start = [0; size_of::<RawHeader>()];
        let there = storage.length().min(start.len() as u64) as usize;
        storage.read_at(&mut start[..there], 0)?;
        let cluster_bits = match RawHeader::ref_from_bytes(&start) {
            Ok(raw) if probe(&start) => raw.cluster_bits.get().min(MAX_CLUSTER_BITS),
            _ => return Self::parse(&start[..there]),
        };
        let length = storage.length().min(1 << cluster_bits) as usize;
        let mut cluster = vec![0; length.max(there)];
        storage.read_at(&mut cluster, 0)?;
        Self::parse(&cluster)
    }

    /// Returns the size of a cluster in bytes.
    pub fn cluster_bytes(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Tells whether the guest's data is in another file.
    pub fn has_data_file(&self) -> bool {
        self.incompatible & features::DATA_FILE != 0
    }

    /// Tells whether the external data file alone is a raw image of the disk.
    pub fn is_data_file_raw(&self) -> bool {
        self.has_data_file() && self.autoclear & features::RAW_DATA_FILE != 0
    }

    /// Tells whether clusters have 32 subclusters.
    pub fn has_extended_l2(&self) -> bool {
        self.incompatible & features::EXTENDED_L2 != 0
    }

    /// Tells whether the bitmaps are said to match the disk.
    pub fn has_consistent_bitmaps(&self) -> bool {
        self.bitmaps.is_some() && self.autoclear & features::BITMAPS != 0
    }

    /// Returns how compressed clusters are packed; `None` if the header names no way that is known or contradicts itself.
    pub fn compression(&self) -> Option<Compression> {
        match (
            self.incompatible & features::COMPRESSION,
            self.compression_type,
        ) {
            (0, 0) => Some(Compression::Deflate),
            (features::COMPRESSION, 1) => Some(Compression::Zstd),
            _ => None,
        }
    }

    /// Names every feature whose bit is set, for whoever asks what an image is.
    pub fn features(&self) -> Vec<String> {
        features::names(self)
    }
}

fn backing_name(first_cluster: &[u8], offset: u64, length: u32) -> Result<Vec<u8>> {
    let name = usize::try_from(offset)
        .ok()
        .filter(|_| length <= MAX_BACKING_NAME_BYTES)
        .and_then(|offset| first_cluster.get(offset..)?.get(..length as usize))
        .ok_or_else(|| {
            corrupt(
                8,
                format!(
                    "a backing file name of {length} bytes at {offset} is not in the first cluster"
                ),
            )
        })?;
    Ok(name.to_vec())
}

pub(super) fn corrupt(place: u64, rule: impl Into<String>) -> Corrupt {
    Corrupt::new("qcow2 header", place, rule)
}

/// Reads a name that the specification says nothing about, and that is ASCII wherever it was seen.
pub(super) fn text(bytes: &[u8], place: u64, what: &str) -> Result<String, Corrupt> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(corrupt(place, format!("the {what} is not UTF-8"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::header;
    use super::*;

    #[test]
    fn says_what_an_image_is() {
        let mut bytes = header();
        let mut area = Vec::new();
        for (kind, data) in [
            (extension::BACKING_FORMAT, &b"raw"[..]),
            (0x1234_5678, b"unknown"),
            (0x4441_5441, b"disk.data"),
            (
                0x2385_2875,
                &[
                    0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 5, 0, 0,
                ],
            ),
        ] {
            area.extend_from_slice(&u32::to_be_bytes(kind));
            area.extend_from_slice(&(data.len() as u32).to_be_bytes());
            area.extend_from_slice(data);
            area.resize(area.len().next_multiple_of(8), 0xff);
        }
        bytes[112..112 + area.len()].copy_from_slice(&area);
        bytes[1024..1032].copy_from_slice(b"base.img");
        bytes[14..16].copy_from_slice(&1024_u16.to_be_bytes());
        bytes[19] = 8;
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(header.version, 3);
        assert_eq!(header.virtual_bytes, 1 << 20);
        assert_eq!(header.backing_file.as_deref(), Some(&b"base.img"[..]));
        assert_eq!(header.backing_format.as_deref(), Some("raw"));
        assert_eq!(header.data_file.as_deref(), Some(&b"disk.data"[..]));
        let bitmaps = Bitmaps {
            count: 2,
            directory_bytes: 64,
            directory_offset: 0x50000,
        };
        assert_eq!(header.bitmaps, Some(bitmaps));
    }

    #[test]
    fn a_name_or_an_extension_past_the_cluster_is_refused() {
        let mut bytes = header();
        bytes[8..16].copy_from_slice(&65530_u64.to_be_bytes());
        bytes[19] = 8;
        assert!(Header::parse(&bytes).is_err());
        let mut bytes = header();
        bytes[112..120].copy_from_slice(&[1, 2, 3, 4, 0, 1, 0, 0]);
        assert!(Header::parse(&bytes).is_err());
    }

    #[test]
    fn no_prefix_and_no_flipped_byte_panics() {
        let bytes = header();
        for length in 0..200 {
            let _ = Header::parse(&bytes[..length]);
        }
        for at in 0..130 {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                if let Ok(header) = Header::parse(&changed) {
                    let _ = crate::qcow2::admit(&header, 1 << 20, crate::Access::Write);
                    let _ = header.features();
                }
            }
        }
    }
}
