//! Disk images: what a guest sees as a disk, and the commit that changes it whole or not at all.

mod access;
mod crc32;
mod device;
mod error;
pub mod lvm;
pub mod nbd;
pub mod partition;
pub mod probe;
pub mod qcow2;
mod storage;

pub use access::Access;
pub use device::{BlockDevice, MemoryDevice, Section};
pub use error::{Corrupt, Error, Result, Unsupported};
pub use storage::{MemoryStorage, Storage};
