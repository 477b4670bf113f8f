//! The journal (JBD2): told clean from unclean, and replayed.
//!
//! [`Journal::examine`] finds out what the log holds and refuses what is damaged, without writing; [`Journal::replay`] writes it. The
//! transactions go through the device, so that over a staged overlay the image stays as it is.
//!
//! | file | what it is |
//! |---|---|
//! | `superblock` | the journal's superblock |
//! | `record` | descriptors and their tags, revoke records, commits |
//! | `replay` | the walks through the log |
//! | `recovered` | the filesystem's own flag and counters |
//! | `volume` | what opening a filesystem does with all that |
//! | `orphans` | files that wait for being deleted or cut |
//! | `orphan_file` | where they are kept, beside the list in the superblock |

mod orphan_file;
mod orphans;
mod record;
mod recovered;
mod replay;
mod superblock;
#[cfg(test)]
mod tests;
mod volume;

pub use recovered::{FreeCounts, mark_recovered};
pub use replay::{Geometry, Journal, Pending};
pub use superblock::{Checksums, SUPERBLOCK_BYTES, Superblock};
pub(crate) use volume::recover;
