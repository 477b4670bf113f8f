//! Entries of L1 and L2 tables: what a guest cluster is, and where.
//!
//! QEMU `docs/interop/qcow2.rst`, "Cluster mapping" and "Extended L2 Entries".

use super::geometry::Geometry;
use crate::error::Corrupt;

/// Bits 9 to 55: the offset of a cluster in the file.
const OFFSET_MASK: u64 = 0x00ff_ffff_ffff_fe00;
/// Bit 63: the refcount of the cluster is exactly one.
const COPIED: u64 = 1 << 63;
/// Bit 62: the cluster is compressed.
const COMPRESSED: u64 = 1 << 62;
/// Bit 0 of a standard cluster: it reads as zeros.
const ZERO: u64 = 1;

/// An entry of the L1 table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct L1Entry {
    /// Where the L2 table is, in bytes.
    pub(super) table: u64,
    /// Whether it may be changed where it is.
    pub(super) is_copied: bool,
}

impl L1Entry {
    /// Parses the entry stored at `place`; `None` means that nothing is mapped.
    pub(super) fn parse(raw: u64, geometry: Geometry, place: u64) -> Result<Option<Self>, Corrupt> {
        let corrupt = |rule: String| Corrupt::new("qcow2 L1 entry", place, rule);
        if raw & !(OFFSET_MASK | COPIED) != 0 {
            return Err(corrupt(format!("reserved bits are set in {raw:#018x}")));
        }
        let table = raw & OFFSET_MASK;
        if table == 0 {
            return Ok(None);
        }
        if !table.is_multiple_of(geometry.cluster_bytes()) {
            return Err(corrupt(format!(
                "the L2 table at {table} is not at a cluster boundary"
            )));
        }
        Ok(Some(Self {
            table,
            is_copied: raw & COPIED != 0,
        }))
    }

    pub(super) fn encode(self) -> u64 {
        self.table | if self.is_copied { COPIED } else { 0 }
    }
}

/// What one unit of a cluster (a subcluster, or the whole where there are none) reads as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// What the backing file has there, or zeros.
    Unallocated,
    /// Zeros.
    Zero,
    /// What the host cluster has there.
    Data,
}

/// Where the data of a standard cluster is, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Host {
    /// Where the cluster begins in the file that holds the data, in bytes.
    pub(super) offset: u64,
    /// Whether it may be written where it is.
    pub(super) is_copied: bool,
}

/// A cluster that is not compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standard {
    /// The host cluster, if there is one; it can be there though everything reads as zeros.
    pub(super) host: Option<Host>,
    /// Bit n: unit n is data.
    data: u32,
    /// Bit n: unit n is zero.
    zero: u32,
}

impl Standard {
    /// A cluster without a host cluster, all of which reads through to the backing file.
    pub(super) const UNALLOCATED: Self = Self {
        host: None,
        data: 0,
        zero: 0,
    };

    pub(super) fn unit(&self, index: u32) -> Unit {
        if self.data >> index & 1 != 0 {
            Unit::Data
        } else if self.zero >> index & 1 != 0 {
            Unit::Zero
        } else {
            Unit::Unallocated
        }
    }

    pub(super) fn set_unit(&mut self, index: u32, unit: Unit) {
        let bit = 1 << index;
        self.data &= !bit;
        self.zero &= !bit;
        match unit {
            Unit::Unallocated => {}
            Unit::Zero => self.zero |= bit,
            Unit::Data => self.data |= bit,
        }
    }
}

/// Where the bytes of a compressed cluster are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Compressed {
    /// Where they begin in the file, in bytes.
    pub(super) offset: u64,
    /// How many there are at most, up to the end of the last sector.
    pub(super) length: u64,
}

/// An entry of an L2 table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum L2Entry {
    Standard(Standard),
    Compressed(Compressed),
}

/// What an entry's meaning depends on besides its bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    pub(super) geometry: Geometry,
    pub(super) version: u32,
    pub(super) has_data_file: bool,
}

impl L2Entry {
    /// Parses the entry stored at `place` for guest cluster `cluster`: its descriptor, and its bitmap where there are subclusters.
    pub(super) fn parse(
        descriptor: u64,
        bitmap: u64,
        context: Context,
        cluster: u64,
        place: u64,
    ) -> Result<Self, Corrupt> {
        let corrupt = |rule: String| Corrupt::new("qcow2 L2 entry", place, rule);
        let geometry = context.geometry;
        if descriptor & COMPRESSED != 0 {
            if context.has_data_file {
                return Err(corrupt(
                    "a compressed cluster in an image with a data file".to_owned(),
                ));
            }
            let entry = Self::parse_compressed(descriptor, geometry.cluster_bits);
            return entry.map(Self::Compressed).ok_or_else(|| {
                corrupt(format!(
                    "{descriptor:#018x} is no compressed cluster: reserved bits are set"
                ))
            });
        }

        let has_zero_bit = context.version >= 3 && !geometry.has_subclusters;
        let known = OFFSET_MASK | COPIED | if has_zero_bit { ZERO } else { 0 };
        if descriptor & !known != 0 {
            return Err(corrupt(format!(
                "reserved bits are set in {descriptor:#018x}"
            )));
        }
        let offset = descriptor & OFFSET_MASK;
        let is_copied = descriptor & COPIED != 0;
        if !offset.is_multiple_of(geometry.cluster_bytes()) {
            return Err(corrupt(format!(
                "the cluster at {offset} is not at a cluster boundary"
            )));
        }
        // Offset 0 is a place in a data file only (block/qcow2.h, qcow2_get_cluster_type).
        let host = (offset != 0 || context.has_data_file && is_copied)
            .then_some(Host { offset, is_copied });
        if let Some(host) = host
            && context.has_data_file
            && host.offset != cluster << geometry.cluster_bits
        {
            return Err(corrupt(format!(
                "cluster {cluster} is at {offset} of the data file and not in its own place"
            )));
        }
        let (data, zero) = if geometry.has_subclusters {
            (bitmap as u32, (bitmap >> 32) as u32)
        } else if descriptor & ZERO != 0 {
            (0, 1)
        } else {
            (u32::from(host.is_some()), 0)
        };
        if data & zero != 0 || data != 0 && host.is_none() {
            return Err(corrupt(format!(
                "{bitmap:#018x} is an impossible bitmap of subclusters"
            )));
        }
        Ok(Self::Standard(Standard { host, data, zero }))
    }

    fn parse_compressed(descriptor: u64, cluster_bits: u32) -> Option<Compressed> {
        // Bits below x are the offset, bits x to 61 count the sectors after the first.
        let x = 62 - (cluster_bits - 8);
        let offset = descriptor & ((1 << x) - 1);
        let more_sectors = (descriptor & (COMPRESSED - 1)) >> x;
        let is_valid = descriptor & COPIED == 0 && offset >> 56 == 0;
        is_valid.then_some(Compressed {
            offset,
            length: (more_sectors + 1) * 512 - offset % 512,
        })
    }

    /// Returns the descriptor and the bitmap of a standard cluster.
    pub(super) fn encode(standard: &Standard, geometry: Geometry) -> (u64, u64) {
        let mut descriptor = match standard.host {
            Some(host) => host.offset | if host.is_copied { COPIED } else { 0 },
            None => 0,
        };
        if geometry.has_subclusters {
            let bitmap = u64::from(standard.zero) << 32 | u64::from(standard.data);
            return (descriptor, bitmap);
        }
        if standard.zero & 1 != 0 {
            descriptor |= ZERO;
        }
        (descriptor, 0)
    }
}
