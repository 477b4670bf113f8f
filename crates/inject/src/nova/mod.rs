//! What Nova does to an image: its `inject_data`, byte for byte.
//!
//! ```text
//! Instance, Settings ──decision──► Items, Partition ──mount──► volumes in order ──inject──► Stage
//!                        │                             │                             │
//!                        └─ nothing, and why           └─ no guest: raised or not    └─ Outcome or Raised
//! ```
//!
//! This is for those who need what Nova 34.0.0 gives (`nova/virt/disk/api.py`, `nova/virt/disk/vfs/guestfs.py`,
//! `nova/virt/libvirt/driver.py`), its faults among it: an error in an item that is not mandatory is a warning, what was written
//! until then stays, and each injection appends its key again. Everything else in this crate does better.

pub mod decision;
mod guest;
mod injectors;
mod items;
pub mod mount;
mod password;
mod raised;
mod tables;

pub use items::{ItemName, Items, Outcome, inject};
pub use raised::{Exception, Raised};
