//! A guest's filesystem through an installed libguestfs, for what christen refuses or does not write itself: XFS, btrfs, NTFS.
//!
//! libguestfs mounts the volume in an appliance, a small virtual machine of its own, so the kernel that reads a hostile
//! filesystem is not the host's. The appliance sees the *staged* volume: `export` serves it over NBD
//! on a private socket, so every write lands in the overlay and the one commit below is all or nothing here too. That is why there is
//! no overlay file, no second opinion about the image's format, and nothing to copy back.
//!
//! `guestfish` is run rather than the library linked: it is the part of libguestfs that every distribution ships as a program, and
//! a C library would bring `unsafe` and a build dependency into a tool that most users run without it.

mod error;
mod export;
mod files;
mod filesystem;
mod process;
mod quote;

pub use error::Error;
pub use filesystem::{GuestFs, OpenOptions};
