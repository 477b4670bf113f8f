//! Why nothing can be said.

use std::error::Error as StdError;

/// The result of a look.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why nothing can be said. What was looked for is then not verified, whatever it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The volume cannot be read.
    #[error("the volume cannot be read")]
    Io(#[source] Box<dyn StdError + Send + Sync>),

    /// There is no ext2, ext3 or ext4 filesystem.
    #[error("there is no ext2, ext3 or ext4 filesystem")]
    NoFilesystem,

    /// The filesystem uses what neither reader knows.
    #[error("the filesystem uses {0}, which no second reader knows")]
    Unsupported(&'static str),

    /// A structure breaks a rule.
    #[error("{structure} {number}: {rule}")]
    Corrupt {
        /// Which structure.
        structure: &'static str,
        /// Its number: of an inode, a block, a group.
        number: u64,
        /// Which rule.
        rule: &'static str,
    },

    /// The other author's reader finds the filesystem damaged.
    #[error("the crate `ext4-view` cannot read it")]
    View(#[source] Box<dyn StdError + Send + Sync>),
}
