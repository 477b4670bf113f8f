//! Disk images: what a guest sees as a disk, and the commit that changes it whole or not at all.

mod access;
pub mod commit;
mod crc32;
mod device;
mod error;
pub mod host;
pub mod image;
pub mod lvm;
pub mod nbd;
pub mod overlay;
pub mod partition;
pub mod probe;
pub mod qcow2;
pub mod redo;
mod storage;

pub use access::Access;
pub use commit::{Committed, Progress};
pub use device::{BlockDevice, MemoryDevice, Section};
pub use error::{Corrupt, Error, Result, Unsupported};
pub use host::Locking;
pub use image::{
    Format, Image, Inspection, Layer, LayerRole, OpenOptions, OpenedLayer, OutputKind, Purpose,
    StatedFormat,
};
pub use overlay::{Changes, FileChanges};
pub use storage::{MemoryStorage, Storage};
