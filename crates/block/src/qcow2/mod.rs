//! qcow2 images, by QEMU `docs/interop/qcow2.rst`.
//!
//! [`Header::read`] says what an image is before anything else of it is read, [`admit`] whether it may be opened, and
//! [`Qcow2`] is then the disk in it. Nothing named inside an image is opened here: whoever has the
//! permission opens the backing file and the data file, and hands them over.
//!
//! `docs/formats/qcow2.md` is the table of what is read, written and refused; `docs/decisions/0003-own-qcow2.md` says
//! why this code is ours.

mod allocated;
mod bitmap;
mod cache;
mod cluster;
mod compressed;
mod create;
mod extension;
mod features;
mod gate;
mod geometry;
mod header;
mod image;
mod l2_table;
mod read;
mod refcount;
mod snapshot;

pub use allocated::{Allocated, AllocatedRanges, Content};
pub use bitmap::{Bitmap, bitmaps};
pub use create::{CreateOptions, create};
pub use features::{FeatureName, FeatureSet};
pub use gate::admit;
pub use header::{Bitmaps, Compression, Header, MAGIC, probe};
pub use header::{MAX_CLUSTER_BITS, MIN_CLUSTER_BITS};
pub use image::Qcow2;
pub use snapshot::{Snapshot, snapshots};

#[cfg(test)]
mod tests {
    /// The first cluster of a good image: version 3, 64 KiB clusters, 1 MiB.
    pub(super) fn header() -> Vec<u8> {
        let mut bytes = vec![0; 1 << 16];
        bytes[..4].copy_from_slice(&super::MAGIC);
        bytes[7] = 3;
        bytes[23] = 16;
        bytes[24..32].copy_from_slice(&(1_u64 << 20).to_be_bytes());
        bytes[39] = 1;
        bytes[45] = 3;
        bytes[53] = 1;
        bytes[59] = 1;
        bytes[99] = 4;
        bytes[103] = 112;
        bytes
    }
}
