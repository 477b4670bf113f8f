//! FAT volumes of a disk image: EFI system partitions, and `CIDATA` drives that are partitions.
//!
//! Everything of the format is in the crate `hadris-fat`; here its driver gets a device of ours below and the seam of guests' files
//! above. `docs/decisions/0004-fat.md` says why, and `docs/formats/fat.md` what can be done. FAT keeps no owners, permission bits,
//! links and extended attributes, and names differ in more than their case.

mod clock;
mod device;
mod error;
mod files;
mod volume;

pub use volume::{Access, Volume};
