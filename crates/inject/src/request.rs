//! What is to be put into a guest, and in which order.

use std::fmt;

use christen_instance::inputs::RandomSource;
use christen_instance::{Instance, Settings};
use christen_vfs::Timestamp;

use crate::{Result, Stage, selinux};

/// An identity for a guest, and what chance and the clock add to it.
pub struct Request<'a> {
    /// The machine and its identity.
    pub instance: &'a Instance,
    /// The operator's settings, for documents that the guest is to read.
    pub settings: &'a Settings,
    /// The moment of the injection: passwords are of that day.
    pub now: Timestamp,
    /// Salts, keys and identifiers come from here.
    pub random: &'a mut dyn RandomSource,
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Request").finish_non_exhaustive()
    }
}

/// Puts an identity into a guest, each item as this guest wants it.
///
/// # Errors
///
/// The first item that cannot be done; the staged changes must then not be committed.
pub fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    crate::accounts::inject(stage, request)?;
    crate::authorized_keys::inject(stage, request)?;
    crate::network::inject(stage, request)?;
    crate::hostname::inject(stage, request)?;
    crate::timezone::inject(stage, request)?;
    crate::locale::inject(stage, request)?;
    crate::certificates::inject(stage, request)?;
    crate::host_keys::inject(stage, request)?;
    crate::metadata::inject(stage, request)?;
    crate::files::inject(stage, request)?;
    crate::operations::inject(stage, request)?;
    crate::machine_id::inject(stage, request)?;
    crate::seed::inject(stage, request)?;
    crate::first_boot::inject(stage, request)?;
    // Last: what was staged is what gets a label.
    selinux::label(stage)
}
