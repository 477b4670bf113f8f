//! The sizes that follow from a header.

use super::header::Header;

/// The sizes of an image's structures. All are powers of two.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    /// The base-2 logarithm of the cluster size in bytes; 9 to 21.
    pub(super) cluster_bits: u32,
    /// The base-2 logarithm of the width of a refcount in bits; 0 to 6.
    pub(super) refcount_order: u32,
    /// Whether clusters have 32 subclusters.
    pub(super) has_subclusters: bool,
    /// The length of the virtual disk in bytes; the gate has seen that the L1 table can map it.
    pub(super) virtual_bytes: u64,
}

impl Geometry {
    /// Takes the sizes of a header that the gate has admitted.
    pub(super) fn new(header: &Header) -> Self {
        Self {
            cluster_bits: header.cluster_bits,
            refcount_order: header.refcount_order,
            has_subclusters: header.has_extended_l2(),
            virtual_bytes: header.virtual_bytes,
        }
    }

    pub(super) fn cluster_bytes(self) -> u64 {
        1 << self.cluster_bits
    }

    /// How many units, which are allocated apart, a cluster has: 32 subclusters or itself.
    pub(super) fn units(self) -> u32 {
        if self.has_subclusters { 32 } else { 1 }
    }

    /// The size of a unit in bytes.
    pub(super) fn unit_bytes(self) -> usize {
        (self.cluster_bytes() / u64::from(self.units())) as usize
    }

    pub(super) fn l2_entry_bytes(self) -> u64 {
        if self.has_subclusters { 16 } else { 8 }
    }

    /// How many guest clusters an L2 table maps.
    pub(super) fn l2_entries(self) -> u64 {
        self.cluster_bytes() / self.l2_entry_bytes()
    }

    /// How many clusters of the file a refcount block counts.
    pub(super) fn refcounts_per_block(self) -> u64 {
        1 << (self.cluster_bits + 3 - self.refcount_order)
    }

    /// The largest refcount.
    pub(super) fn max_refcount(self) -> u64 {
        u64::MAX >> (64 - (1 << self.refcount_order))
    }

    /// How many bytes of guest cluster `cluster` are on the disk: fewer than all in the last one.
    pub(super) fn bytes_on_disk(self, cluster: u64) -> usize {
        let start = cluster << self.cluster_bits;
        self.virtual_bytes
            .saturating_sub(start)
            .min(self.cluster_bytes()) as usize
    }
}
