//! Guests under QEMU: other people's kernels and other people's cloud-init read our drives.
//!
//! Always by software emulation (`-accel tcg`): a `/dev/kvm` that opens is no promise that
//! guests run on it, and the kernel of the machine that runs the tests may know neither
//! ISO 9660 nor VFAT. What a guest is made of comes from Debian by `mmdebstrap`, is kept in
//! the cache, and is never written to by a guest.

pub mod cloud;
mod cpio;
mod ext;
mod inspect;
mod lvm;
pub mod plain;
mod qemu;
pub(crate) mod recipe;
mod root;

pub use ext::{ExtDrive, WRITTEN_FILES, as_the_guest_tells, mount_ext_drives};
pub use inspect::{DriveFile, Entry, GuestDrive, GuestView, Medium, View, inspect_drives};
pub use lvm::run_with_lvm;

use crate::tools;

/// What the guests need on this machine.
const TOOLS: [&str; 6] = [
    "qemu-system-x86_64",
    "mmdebstrap",
    "tar",
    "mke2fs",
    "fakeroot",
    "gpgv",
];

/// Whether guests can be built and run here; says `skipped: ...` when not.
///
/// # Panics
///
/// Panics when a tool is missing and `CHRISTEN_REQUIRE_TOOLS` is `1`.
#[track_caller]
pub fn require() -> bool {
    TOOLS.iter().all(|tool| tools::require(tool).is_some())
}
