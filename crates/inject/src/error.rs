//! Why an identity cannot be put into a guest.

use std::io;

use christen_vfs::GuestPath;

use crate::Item;

/// The result of an injection's step.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an identity cannot be put into a guest.
///
/// The staged filesystem may hold a part of the changes: it must not be committed, unless the caller's rules say that the other
/// items go on without this one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something could not be done to a file of the guest.
    #[error("cannot {action} `{path}`")]
    File {
        /// What was to be done: `read`, `write`, `make`.
        action: &'static str,
        /// Where.
        path: GuestPath,
        /// The filesystem's own error.
        source: christen_vfs::Error,
    },

    /// A file of the guest is larger than anything of its kind.
    #[error("`{path}` has {size} bytes, and at most {limit} are read")]
    TooLarge {
        /// Which file.
        path: GuestPath,
        /// Its size in bytes.
        size: u64,
        /// The most that is read, in bytes.
        limit: u64,
    },

    /// A file of the guest breaks a rule that its readers rely on.
    #[error("`{path}`{}: {rule}", line.map(|it| format!(", line {it}")).unwrap_or_default())]
    Broken {
        /// Which file.
        path: GuestPath,
        /// In which line, counted from 1.
        line: Option<usize>,
        /// Which rule.
        rule: &'static str,
    },

    /// What is asked for cannot be done in this guest.
    #[error("{item}: {reason}")]
    Impossible {
        /// For which item.
        item: Item,
        /// Why; holds no secret.
        reason: String,
    },

    /// The source of randomness failed, or came to its end.
    #[error("cannot draw random bytes for {purpose}")]
    Random {
        /// What the bytes were for.
        purpose: &'static str,
        /// The source's own error.
        source: io::Error,
    },

    /// A document for the guest could not be rendered.
    #[error("cannot render what the guest is to read")]
    Render(#[from] christen_instance::Error),
}
