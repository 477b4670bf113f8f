//! Reading config drives of anyone's making: ISO 9660 with its extensions, and VFAT.
//!
//! The drive is hostile: every length is checked against what contains it before it is
//! used, every walk over links is bounded by the constants in [`limits`], and no input
//! panics. Nothing here is shared with the code that writes drives, so that reading back
//! what we wrote is evidence.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

mod collect;
pub(crate) mod content;
mod drive;
mod entry;
mod error;
mod iso9660;
pub mod limits;
mod source;
mod time;
mod vfat;

pub use drive::{Details, Drive, FatDetails, IsoDetails, View};
pub use entry::{Entry, EntryKind};
pub use error::{Corrupt, Unsupported};
pub use source::ReadAt;

pub(crate) use drive::Volume;
pub(crate) use entry::{Extent, Storage};
pub(crate) use error::{Place, Rule, Weight, printable};
pub(crate) use iso9660::IsoDrive;
pub(crate) use source::Source;
pub(crate) use vfat::FatDrive;
