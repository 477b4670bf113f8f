//! Questions to the guest's files that several renderers ask.

use christen_vfs::walk::LastLink;
use christen_vfs::{GuestPath, Kind};

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

/// The regular files in a directory whose names are meant, sorted by name.
pub(super) fn files_in(
    stage: &mut Stage<'_>,
    directory: &str,
    is_meant: impl Fn(&[u8]) -> bool,
) -> Result<Vec<GuestPath>> {
    let directory = path(directory);
    if !stage.is_directory(&directory)? {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for name in stage.names(&directory)? {
        let file = directory.join(&name);
        if is_meant(&name) && is_regular(stage, &file)? {
            files.push(file);
        }
    }
    Ok(files)
}

/// Whether a regular file is there, links followed.
pub(super) fn is_regular(stage: &mut Stage<'_>, file: &GuestPath) -> Result<bool> {
    let found = stage.look(file, LastLink::Followed)?;
    Ok(found.is_some_and(|it| it.kind == Kind::File))
}
