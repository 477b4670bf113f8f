//! Which ranges of the disk an image holds itself, apart from its backing file.

use super::cache::Kind;
use super::image::Qcow2;
use super::l2_table::{L2Entry, Unit};
use crate::error::{Corrupt, Result};

/// What an image says that a range has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Bytes, to be read.
    Data,
    /// Zeros, whatever the backing file has.
    Zero,
}

/// A range of the disk that an image holds itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocated {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Its length in bytes; it ends on the disk.
    pub length: u64,
    /// What is there.
    pub content: Content,
}

/// The ranges that an image holds itself, in the order of the disk; neighbours are joined up to 64 MiB.
///
/// After an error it ends.
#[derive(Debug)]
pub struct AllocatedRanges<'image> {
    image: &'image Qcow2,
    /// The next guest cluster, and the next unit in it.
    cluster: u64,
    unit: u32,
    /// How many L2 tables have been walked.
    tables: u64,
}

/// Ranges are not joined beyond this, so that whoever copies them can do so piece by piece.
const MAX_RANGE_BYTES: u64 = 64 << 20;

impl Qcow2 {
    /// Walks over the ranges that this image holds itself, apart from its backing file.
    pub fn allocated(&self) -> AllocatedRanges<'_> {
        AllocatedRanges {
            image: self,
            cluster: 0,
            unit: 0,
            tables: 0,
        }
    }
}

impl AllocatedRanges<'_> {
    fn advance(&mut self) -> Result<Option<Allocated>> {
        let layers = &self.image.layers;
        let geometry = layers.geometry;
        let clusters = geometry.virtual_bytes.div_ceil(geometry.cluster_bytes());
        let unit_bytes = geometry.unit_bytes() as u64;
        let mut state = self.image.lock();
        let mut range: Option<Allocated> = None;
        while self.cluster < clusters {
            let table = state.l1_entry(layers, self.cluster)?;
            if self.unit == 0
                && self.cluster.is_multiple_of(geometry.l2_entries())
                && table.is_some()
            {
                self.tables += 1;
                // Tables that several L1 entries share would make this walk longer than the file.
                if self.tables > layers.storage.length().div_ceil(geometry.cluster_bytes()) {
                    let rule = "more L2 tables are referred to than the file has clusters";
                    return Err(Corrupt::new(
                        "qcow2 L1 table",
                        layers.header.l1_table_offset,
                        rule,
                    )
                    .into());
                }
            }
            let Some(table) = table else {
                if range.is_some() {
                    return Ok(range);
                }
                self.cluster = (self.cluster / geometry.l2_entries() + 1) * geometry.l2_entries();
                continue;
            };
            // Most of a sparse disk is not allocated, and is stepped over here.
            let index = self.cluster % geometry.l2_entries();
            let place = table.table + index * geometry.l2_entry_bytes();
            let free = state.cache.zeros_at(Kind::L2, place)? / geometry.l2_entry_bytes();
            if free > 0 {
                if range.is_some() {
                    return Ok(range);
                }
                (self.cluster, self.unit) = (self.cluster + free, 0);
                continue;
            }
            let entry = state.l2_entry_in(layers, table.table, self.cluster)?;
            while self.unit < geometry.units() {
                let content = match &entry {
                    L2Entry::Compressed(_) => Some(Content::Data),
                    L2Entry::Standard(standard) => match standard.unit(self.unit) {
                        Unit::Data => Some(Content::Data),
                        Unit::Zero => Some(Content::Zero),
                        Unit::Unallocated => None,
                    },
                };
                let offset =
                    (self.cluster << geometry.cluster_bits) + u64::from(self.unit) * unit_bytes;
                let length = geometry
                    .virtual_bytes
                    .saturating_sub(offset)
                    .min(unit_bytes);
                match (&mut range, content) {
                    (None, Some(content)) if length != 0 => {
                        range = Some(Allocated {
                            offset,
                            length,
                            content,
                        });
                    }
                    (Some(range), Some(content))
                        if range.content == content && range.length < MAX_RANGE_BYTES =>
                    {
                        range.length += length;
                    }
                    (Some(_), _) => return Ok(range),
                    (None, _) => {}
                }
                self.unit += 1;
            }
            (self.cluster, self.unit) = (self.cluster + 1, 0);
        }
        Ok(range)
    }
}

impl Iterator for AllocatedRanges<'_> {
    type Item = Result<Allocated>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.advance() {
            Ok(range) => range.map(Ok),
            Err(error) => {
                self.cluster = u64::MAX;
                Some(Err(error))
            }
        }
    }
}
