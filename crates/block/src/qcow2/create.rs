//! New images: a version 3 overlay, the same bytes for the same arguments.

use zerocopy::IntoBytes;
use zerocopy::byteorder::big_endian::{U32, U64};

use super::extension::{BACKING_FORMAT, RawExtension};
use super::gate::{MAX_L1_BYTES, MAX_REFCOUNT_TABLE_BYTES};
use super::geometry::Geometry;
use super::header::{MAGIC, MAX_BACKING_NAME_BYTES, RawFeatures, RawHeader};
use super::header::{MAX_CLUSTER_BITS, MIN_CLUSTER_BITS};
use super::refcount;
use crate::error::{Result, Unsupported};
use crate::storage::Storage;

/// Counts of 16 bits, as QEMU makes them.
const REFCOUNT_ORDER: u32 = 4;

/// What a new image is to be.
#[derive(Debug, Clone, Copy)]
pub struct CreateOptions<'names> {
    /// The length of its disk in bytes.
    pub virtual_bytes: u64,
    /// The base-2 logarithm of its cluster size in bytes, 9 to 21. QEMU takes 16.
    pub cluster_bits: u32,
    /// The name of its backing file, and the format that it has: `raw`, `qcow2`. Both are stored as they are.
    pub backing: Option<(&'names [u8], &'names str)>,
}

/// Writes an image with nothing allocated to an empty storage: version 3, counts of 16 bits.
///
/// The file begins with the header, then come the refcount table, its blocks and the L1 table.
///
/// # Errors
///
/// [`Unsupported`] if the storage is not empty, for clusters that QEMU does not open, for a disk that needs a longer
/// table than it opens, and for names that do not fit into the first cluster; nothing is written then. Otherwise
/// whatever stops the writing.
pub fn create(storage: &dyn Storage, options: &CreateOptions<'_>) -> Result<()> {
    let CreateOptions {
        virtual_bytes,
        cluster_bits,
        backing,
    } = *options;
    if storage.length() != 0 {
        return Err(Unsupported::new("creating a qcow2 image over other bytes is").into());
    }
    if !(MIN_CLUSTER_BITS..=MAX_CLUSTER_BITS).contains(&cluster_bits) {
        return Err(
            Unsupported::new(format!("qcow2 clusters of 2^{cluster_bits} bytes are")).into(),
        );
    }
    let geometry = Geometry {
        cluster_bits,
        refcount_order: REFCOUNT_ORDER,
        has_subclusters: false,
        virtual_bytes,
    };
    let cluster_bytes = geometry.cluster_bytes();
    let l1_entries = virtual_bytes
        .div_ceil(cluster_bytes * geometry.l2_entries())
        .max(1);
    if l1_entries > MAX_L1_BYTES / 8 {
        let what =
            format!("a disk of {virtual_bytes} bytes in clusters of {cluster_bytes} bytes is");
        return Err(Unsupported::new(what).into());
    }
    let layout = Layout::new(geometry, l1_entries);

    let mut first_cluster = RawHeader {
        magic: MAGIC,
        version: U32::new(3),
        backing_file_offset: U64::ZERO,
        backing_file_size: U32::ZERO,
        cluster_bits: U32::new(cluster_bits),
        size: U64::new(virtual_bytes),
        crypt_method: U32::ZERO,
        // At most 4 Mi, as checked above.
        l1_size: U32::new(l1_entries as u32),
        l1_table_offset: U64::new(layout.l1_table() << cluster_bits),
        refcount_table_offset: U64::new(1 << cluster_bits),
        refcount_table_clusters: U32::new(layout.table as u32),
        nb_snapshots: U32::ZERO,
        snapshots_offset: U64::ZERO,
    };
    let features = RawFeatures {
        incompatible_features: U64::ZERO,
        compatible_features: U64::ZERO,
        autoclear_features: U64::ZERO,
        refcount_order: U32::new(REFCOUNT_ORDER),
        header_length: U32::new((size_of::<RawHeader>() + size_of::<RawFeatures>()) as u32),
    };
    let mut after_header = Vec::new();
    if let Some((name, format)) = backing {
        append_extension(&mut after_header, BACKING_FORMAT, format.as_bytes());
        append_extension(&mut after_header, 0, &[]);
        let offset = size_of::<RawHeader>() + size_of::<RawFeatures>() + after_header.len();
        let fits = (offset + name.len()) as u64 <= cluster_bytes;
        if name.len() > MAX_BACKING_NAME_BYTES as usize || !fits {
            let what = format!(
                "a backing file name of {} bytes in a cluster of {cluster_bytes} bytes is",
                name.len()
            );
            return Err(Unsupported::new(what).into());
        }
        first_cluster.backing_file_offset = U64::new(offset as u64);
        first_cluster.backing_file_size = U32::new(name.len() as u32);
        after_header.extend_from_slice(name);
    }

    storage.set_length(layout.total() << cluster_bits)?;
    let bytes = [first_cluster.as_bytes(), features.as_bytes(), &after_header].concat();
    storage.write_at(&bytes, 0)?;
    layout.write_refcounts(storage)
}

fn append_extension(area: &mut Vec<u8>, kind: u32, data: &[u8]) {
    let raw = RawExtension {
        kind: U32::new(kind),
        length: U32::new(data.len() as u32),
    };
    area.extend_from_slice(raw.as_bytes());
    area.extend_from_slice(data);
    area.resize(area.len().next_multiple_of(8), 0);
}

/// How many clusters each structure of a new file takes; the header takes one.
#[derive(Debug)]
struct Layout {
    geometry: Geometry,
    table: u64,
    blocks: u64,
    l1_table: u64,
}

impl Layout {
    fn new(geometry: Geometry, l1_entries: u64) -> Self {
        let cluster_bytes = geometry.cluster_bytes();
        let mut layout = Self {
            geometry,
            table: 1,
            blocks: 1,
            l1_table: (l1_entries * 8).div_ceil(cluster_bytes),
        };
        // Each turn only adds, and adds less than the turn before: a block counts many clusters.
        loop {
            let blocks = layout.total().div_ceil(geometry.refcounts_per_block());
            let table = (blocks * 8).div_ceil(cluster_bytes);
            if (blocks, table) == (layout.blocks, layout.table) {
                debug_assert!(table * cluster_bytes <= MAX_REFCOUNT_TABLE_BYTES);
                return layout;
            }
            (layout.blocks, layout.table) = (blocks, table);
        }
    }

    fn total(&self) -> u64 {
        1 + self.table + self.blocks + self.l1_table
    }

    fn l1_table(&self) -> u64 {
        1 + self.table + self.blocks
    }

    fn write_refcounts(&self, storage: &dyn Storage) -> Result<()> {
        let bits = self.geometry.cluster_bits;
        let per_block = self.geometry.refcounts_per_block();
        let mut table = Vec::new();
        for index in 0..self.blocks {
            let offset = (1 + self.table + index) << bits;
            table.extend_from_slice(&offset.to_be_bytes());
            let counted = (self.total() - index * per_block).min(per_block);
            storage.write_at(&refcount::ones(REFCOUNT_ORDER, counted), offset)?;
        }
        storage.write_at(&table, 1 << bits)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::access::Access;
    use crate::device::{BlockDevice, MemoryDevice};
    use crate::qcow2::{Header, Qcow2};
    use crate::storage::MemoryStorage;

    fn overlay(virtual_bytes: u64, cluster_bits: u32) -> Arc<MemoryStorage> {
        let storage = Arc::new(MemoryStorage::default());
        let options = CreateOptions {
            virtual_bytes,
            cluster_bits,
            backing: Some((b"base.raw", "raw")),
        };
        create(&*storage, &options).unwrap();
        storage
    }

    #[test]
    fn an_overlay_reads_as_what_is_below_it() {
        let below = Arc::new(MemoryDevice::new((0..250_000).map(|n| n as u8).collect()));
        for cluster_bits in MIN_CLUSTER_BITS..=MAX_CLUSTER_BITS {
            let storage = overlay(300_000, cluster_bits);
            let header = Header::read(&*storage).unwrap();
            assert_eq!(header.backing_file.as_deref(), Some(&b"base.raw"[..]));
            assert_eq!(header.backing_format.as_deref(), Some("raw"));
            let disk =
                Qcow2::open(storage, Some(Arc::clone(&below) as _), None, Access::Write).unwrap();
            disk.write_at(b"above", 249_998).unwrap();
            let mut bytes = vec![0; 300_000];
            disk.read_at(&mut bytes, 0).unwrap();
            assert_eq!(bytes[..249_998], below.snapshot()[..249_998]);
            assert_eq!(&bytes[249_998..250_003], b"above");
            assert!(bytes[250_003..].iter().all(|byte| *byte == 0));
            assert_eq!(below.snapshot()[249_998], 249_998_u32 as u8);
            let ranges: Vec<_> = disk.allocated().map(Result::unwrap).collect();
            assert_eq!(ranges.len(), 1);
            assert!(ranges[0].offset <= 249_998 && ranges[0].offset + ranges[0].length >= 250_003);
        }
    }

    #[test]
    fn the_same_arguments_give_the_same_bytes() {
        assert_eq!(
            overlay(1 << 30, 9).snapshot(),
            overlay(1 << 30, 9).snapshot()
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_with_nothing_written() {
        let storage = MemoryStorage::default();
        let long = [b'x'; 1024];
        for (virtual_bytes, cluster_bits, name) in [
            (1 << 20, 8, &b"x"[..]),
            (1 << 20, 22, b"x"),
            (1 << 40, 9, b"x"),
            (1 << 20, 16, &long),
            (1 << 20, 9, &long[..400]),
        ] {
            let options = CreateOptions {
                virtual_bytes,
                cluster_bits,
                backing: Some((name, "raw")),
            };
            assert!(create(&storage, &options).is_err());
            assert_eq!(storage.length(), 0);
        }
    }
}
