//! Questions to the guest's files that several renderers ask.

use christen_vfs::GuestPath;
use christen_vfs::walk::LastLink;

use crate::{Result, Stage};

/// A path of ours.
pub(super) fn path(text: &str) -> GuestPath {
    // Every caller's text is a literal, or a literal directory and a short name of our making, that begins with a slash.
    GuestPath::new(text).expect("the path is right")
}

/// The first of these paths that names something, a link that leads nowhere among them.
pub(super) fn first_present<'p>(
    stage: &mut Stage<'_>,
    paths: &[&'p str],
) -> Result<Option<&'p str>> {
    for candidate in paths {
        if stage.look(&path(candidate), LastLink::Kept)?.is_some() {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}
