//! Puts an instance's identity into the files of a guest.
//!
//! ```text
//! Instance ──items──► Stage ──────────────► vfs::FileSystem (staged, not committed)
//!                       │
//!                       └─► Changes: what was there, what is to be there, for which item
//!                             ├─ plan: shown as a diff
//!                             └─ verify: held against what another reader finds
//! ```
//!
//! Everything happens on a filesystem whose changes are staged: whoever calls commits all of them or none. An item says what
//! is to be there, and [`Stage`] writes only what is not there already; so a second injection of the same identity changes
//! nothing, and an injection that changes nothing proves that the identity is there.

mod accounts;
mod assignment;
mod authorized_keys;
mod certificates;
mod change;
pub mod doctor;
mod error;
mod files;
mod first_boot;
pub mod guest;
mod host_key_pair;
mod host_keys;
mod hostname;
mod item;
mod locale;
mod machine_id;
mod metadata;
pub mod network;
pub mod nova;
mod operations;
pub mod reidentify;
mod request;
mod seed;
pub mod selinux;
mod stage;
mod timezone;
pub mod verify;

pub use change::{Change, Content, State};
pub use error::{Error, Result};
pub use host_key_pair::HostKeyPair;
pub use item::{Item, ItemKind};
pub use request::{Request, inject};
pub use stage::{Existing, HostKey, MAX_READ_BYTES, Notice, Ownership, Secrecy, Stage};

/// A path that is written here, in the code.
fn guest_path(path: &'static str) -> christen_vfs::GuestPath {
    // Every one of them begins with a `/` and is short.
    christen_vfs::GuestPath::new(path).expect("the path is right")
}

/// A path of the description.
fn path_of(stage: &Stage<'_>, path: &str) -> Result<christen_vfs::GuestPath> {
    christen_vfs::GuestPath::new(path)
        .map_err(|error| stage.impossible(format!("`{}`: {error}", path.escape_debug())))
}

#[cfg(test)]
mod testing;
