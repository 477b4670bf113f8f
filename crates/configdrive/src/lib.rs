//! Config drives: ISO 9660 and VFAT, written and read in process.
//!
//! A drive is written from a [`Tree`] into a [`Sink`] in one forward pass; [`output::create`] is the sink that makes
//! the drive appear whole or not at all. No helper program, no privilege and no temporary tree is involved.
//!
//! ```
//! use christen_configdrive::{Timestamp, Tree, iso9660};
//!
//! let mut tree = Tree::new();
//! tree.add_file("openstack/latest/meta_data.json", b"{}".to_vec())?;
//! let options = iso9660::Options::new("config-2", Timestamp::from_seconds(0));
//! let mut image = Vec::new();
//! iso9660::write(&tree, &options, &mut image)?;
//! assert_eq!(&image[0x8001..0x8006], b"CD001");
//! # Ok::<(), christen_configdrive::Error>(())
//! ```

mod content;
pub mod diff;
mod error;
pub mod extract;
pub mod iso9660;
pub mod output;
pub mod read;
mod sink;
mod time;
pub mod tree;
pub mod verify;
pub mod vfat;

pub use diff::diff;
pub use error::{Error, Format};
pub use extract::extract;
pub use read::{Drive, Entry, EntryKind, View};
pub use sink::{FileSink, Medium, Sink, WriterSink};
pub use time::Timestamp;
pub use tree::{Attributes, Content, EntryId, Kind, Tree};
