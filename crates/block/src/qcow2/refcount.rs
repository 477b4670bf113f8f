//! Reference counts, and where new clusters come from.
//!
//! QEMU `docs/interop/qcow2.rst`, "Host cluster management".
//!
//! New clusters are appended to the file. A cluster whose count is 0 may be free, or its count may be wrong; behind the end
//! nothing can be that the original refers to, whatever its counts say. It also means that a fresh cluster reads as zeros, so
//! that new tables need no writing. The price is that a file grows by what is newly allocated while
//! holes in it stay, until QEMU fills them: it looks for free clusters from the start of the file.

use super::cache::{Cache, Kind};
use super::gate::MAX_REFCOUNT_TABLE_BYTES;
use super::geometry::Geometry;
use super::header::{Header, REFCOUNT_TABLE_OFFSET};
use crate::error::{Corrupt, Result, Unsupported};
use crate::storage::Storage;

/// Bits 9 to 63 of an entry of the refcount table: where its block is.
const BLOCK_MASK: u64 = !0x1ff;

/// Tables can point no further (`docs/interop/qcow2.rst`, "Cluster mapping": 64 PiB).
const MAX_FILE_BYTES: u64 = 1 << 56;

/// So many bytes behind the end of the file may be counted and are stepped over, as when a writer was cut before the data
/// followed. More of them are a way to make a file grow without end.
const MAX_SKIPPED_BYTES: u64 = 256 << 20;

/// The counts of an image's clusters.
///
/// All methods take the cache that holds the tables and the storage that the tables are in.
#[derive(Debug)]
pub(super) struct Refcounts {
    geometry: Geometry,
    table_offset: u64,
    table_clusters: u64,
    /// The first cluster that has not been looked at for an allocation: at or behind the end of the original file.
    next: u64,
    skipped: u64,
}

impl Refcounts {
    pub(super) fn new(header: &Header, geometry: Geometry, file_bytes: u64) -> Self {
        Self {
            geometry,
            table_offset: header.refcount_table_offset,
            table_clusters: u64::from(header.refcount_table_clusters),
            next: file_bytes.div_ceil(geometry.cluster_bytes()),
            skipped: 0,
        }
    }

    /// Tells whether the cluster at `offset` belongs to the refcount table.
    pub(super) fn is_in_table(&self, offset: u64) -> bool {
        let length = self.table_clusters << self.geometry.cluster_bits;
        (self.table_offset..self.table_offset + length).contains(&offset)
    }

    /// Returns the count of the cluster at `offset`.
    pub(super) fn get(&self, cache: &mut Cache, storage: &dyn Storage, offset: u64) -> Result<u64> {
        self.count(cache, storage, offset >> self.geometry.cluster_bits)
    }

    /// Lets go of one reference to the cluster at `offset`.
    pub(super) fn decrement(
        &mut self,
        cache: &mut Cache,
        storage: &dyn Storage,
        offset: u64,
    ) -> Result<()> {
        let cluster = offset >> self.geometry.cluster_bits;
        match self.count(cache, storage, cluster)? {
            0 => Err(Corrupt::new(
                "qcow2 cluster",
                offset,
                "it is in use and its refcount is 0",
            )
            .into()),
            count => self.set_count(cache, storage, cluster, count - 1),
        }
    }

    /// Appends a cluster of zeros to the file, with a count of one, and returns its offset.
    pub(super) fn allocate(&mut self, cache: &mut Cache, storage: &dyn Storage) -> Result<u64> {
        let cluster = self.claim(cache, storage, 1)?;
        self.mark(cache, storage, cluster)?;
        Ok(cluster << self.geometry.cluster_bits)
    }

    /// Finds `number` neighbouring clusters behind the end and makes the file so long. Their counts are still 0.
    fn claim(&mut self, cache: &mut Cache, storage: &dyn Storage, number: u64) -> Result<u64> {
        let (mut first, mut free) = (self.next, 0);
        while free < number {
            free += 1;
            if self.count(cache, storage, first + free - 1)? != 0 {
                self.skipped += free;
                if self.skipped << self.geometry.cluster_bits > MAX_SKIPPED_BYTES {
                    let place = first << self.geometry.cluster_bits;
                    let rule = format!(
                        "more than {MAX_SKIPPED_BYTES} bytes are in use past the end of the file"
                    );
                    return Err(Corrupt::new("qcow2 refcounts", place, rule).into());
                }
                (first, free) = (first + free, 0);
            }
        }
        let end = (first + number)
            .checked_mul(self.geometry.cluster_bytes())
            .filter(|end| *end <= MAX_FILE_BYTES)
            .ok_or_else(|| Unsupported::new("qcow2 files of more than 64 PiB are"))?;
        self.next = first + number;
        if storage.length() < end {
            storage.set_length(end)?;
        }
        Ok(first)
    }

    /// Sets the count of a claimed cluster to one.
    fn mark(&mut self, cache: &mut Cache, storage: &dyn Storage, cluster: u64) -> Result<()> {
        let index = cluster / self.geometry.refcounts_per_block();
        if index >= self.table_entries() {
            self.grow_table(cache, storage, index)?;
        }
        if self.block(cache, storage, index)?.is_none() {
            let block = self.claim(cache, storage, 1)?;
            let offset = block << self.geometry.cluster_bits;
            cache.write_u64(Kind::RefcountTable, self.table_offset + index * 8, offset)?;
            // The block counts itself, or it lies in the next block's part and that one is made now, and counts both.
            self.mark(cache, storage, block)?;
        }
        self.set_count(cache, storage, cluster, 1)
    }

    /// Moves the refcount table to where it can be longer, so that it has entry `index` and what its own growth needs.
    fn grow_table(&mut self, cache: &mut Cache, storage: &dyn Storage, index: u64) -> Result<()> {
        let per_block = self.geometry.refcounts_per_block();
        let entries_per_cluster = self.geometry.cluster_bytes() / 8;
        let max_clusters = MAX_REFCOUNT_TABLE_BYTES >> self.geometry.cluster_bits;
        // At least twice as long, so that it does not move often.
        let mut clusters = (index + 1)
            .div_ceil(entries_per_cluster)
            .max(2 * self.table_clusters)
            .min(max_clusters);
        let first = loop {
            let first = self.claim(cache, storage, clusters)?;
            // The table itself, and a block for each part of it and for the blocks.
            let last = first + clusters + clusters.div_ceil(per_block) + 4;
            if last / per_block < clusters * entries_per_cluster {
                break first;
            }
            if clusters == max_clusters {
                let what = format!(
                    "more than {} clusters in a qcow2 file like this",
                    max_clusters * entries_per_cluster * per_block
                );
                return Err(Unsupported::new(what).into());
            }
            clusters = (2 * clusters).min(max_clusters);
        };

        let cluster_bytes = self.geometry.cluster_bytes();
        let (old_offset, old_clusters) = (self.table_offset, self.table_clusters);
        let new_offset = first << self.geometry.cluster_bits;
        for at in (0..old_clusters).map(|cluster| cluster * cluster_bytes) {
            cache.copy_cluster(Kind::RefcountTable, old_offset + at, new_offset + at)?;
        }
        (self.table_offset, self.table_clusters) = (new_offset, clusters);
        let mut fields = [0; 12];
        fields[..8].copy_from_slice(&new_offset.to_be_bytes());
        fields[8..].copy_from_slice(&(clusters as u32).to_be_bytes());
        storage.write_at(&fields, REFCOUNT_TABLE_OFFSET)?;
        for cluster in first..first + clusters {
            self.mark(cache, storage, cluster)?;
        }
        for at in (0..old_clusters).map(|cluster| cluster * cluster_bytes) {
            cache.forget(old_offset + at);
            self.decrement(cache, storage, old_offset + at)?;
        }
        Ok(())
    }

    fn table_entries(&self) -> u64 {
        self.table_clusters * (self.geometry.cluster_bytes() / 8)
    }

    /// Finds block `index`, if there is one.
    fn block(&self, cache: &mut Cache, storage: &dyn Storage, index: u64) -> Result<Option<u64>> {
        if index >= self.table_entries() {
            return Ok(None);
        }
        let place = self.table_offset + index * 8;
        let raw = cache.read_u64(Kind::RefcountTable, place)?;
        let corrupt = |rule: String| Corrupt::new("qcow2 refcount table entry", place, rule);
        let block = raw & BLOCK_MASK;
        if raw != block || !block.is_multiple_of(self.geometry.cluster_bytes()) {
            return Err(corrupt(format!("{raw:#018x} is not at a cluster boundary")).into());
        }
        if block >= storage.length() {
            return Err(
                corrupt(format!("the block at {block} is past the end of the file")).into(),
            );
        }
        Ok((block != 0).then_some(block))
    }

    fn count(&self, cache: &mut Cache, storage: &dyn Storage, cluster: u64) -> Result<u64> {
        let per_block = self.geometry.refcounts_per_block();
        let Some(block) = self.block(cache, storage, cluster / per_block)? else {
            return Ok(0);
        };
        let (place, shift) = self.place(cluster % per_block);
        let word = cache.read_u64(Kind::RefcountBlock, block + place)?;
        Ok(word >> shift & self.geometry.max_refcount())
    }

    fn set_count(
        &self,
        cache: &mut Cache,
        storage: &dyn Storage,
        cluster: u64,
        count: u64,
    ) -> Result<()> {
        let per_block = self.geometry.refcounts_per_block();
        let Some(block) = self.block(cache, storage, cluster / per_block)? else {
            let place = cluster << self.geometry.cluster_bits;
            return Err(Corrupt::new("qcow2 cluster", place, "it has no refcount block").into());
        };
        let (place, shift) = self.place(cluster % per_block);
        let mask = self.geometry.max_refcount() << shift;
        let word = cache.read_u64(Kind::RefcountBlock, block + place)?;
        cache.write_u64(
            Kind::RefcountBlock,
            block + place,
            word & !mask | count << shift,
        )
    }

    fn place(&self, index: u64) -> (u64, u32) {
        place(self.geometry.refcount_order, index)
    }
}

/// Where count `index` of a block is: in which big-endian word of eight bytes, and how far up in it.
///
/// Counts of a byte and more are big-endian one after the other; smaller ones fill each byte from its least
/// significant bit on.
pub(super) fn place(refcount_order: u32, index: u64) -> (u64, u32) {
    let width = 1_u64 << refcount_order;
    let bit = index * width;
    let (byte, bit_in_byte) = (bit / 8, bit % 8);
    let shift = if width < 8 {
        56 - byte % 8 * 8 + bit_in_byte
    } else {
        64 - width - byte % 8 * 8
    };
    (byte / 8 * 8, shift as u32)
}

/// Returns the beginning of a block whose first `number` counts are one.
pub(super) fn ones(refcount_order: u32, number: u64) -> Vec<u8> {
    let mut words = Vec::<u64>::new();
    for index in 0..number {
        let (at, shift) = place(refcount_order, index);
        words.resize((at / 8 + 1) as usize, 0);
        words[(at / 8) as usize] |= 1 << shift;
    }
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stand_where_the_specification_says() {
        // Order, index, then the byte and the bit in it (from the least significant) of the count's lowest bit.
        for (order, index, byte, bit) in [
            (0, 0, 0, 0),
            (0, 7, 0, 7),
            (0, 8, 1, 0),
            (1, 3, 0, 6),
            (2, 1, 0, 4),
            (2, 17, 8, 4),
            (3, 5, 5, 0),
            (4, 0, 1, 0),
            (4, 4, 9, 0),
            (5, 1, 7, 0),
            (6, 2, 23, 0),
        ] {
            let (place, shift) = place(order, index);
            let mut bytes = [0; 24];
            let at = place as usize;
            bytes[at..at + 8].copy_from_slice(&(1_u64 << shift).to_be_bytes());
            let mut expected = [0; 24];
            expected[byte] = 1 << bit;
            assert_eq!(bytes, expected, "order {order}, index {index}");
        }
    }
}
