//! Looks, before a commit, whether what was staged is what is read back.

use std::io;

use christen_inject::{Change, State};
use christen_vfs::tree::ContentHash;
use christen_vfs::walk::{LastLink, try_resolve};
use christen_vfs::{Attributes, Error, FileId, FileSystem, GuestPath, Kind};
use sha2::{Digest, Sha256};

/// How much content is read at a time.
const READ_BYTES: usize = 256 << 10;

/// Why a place is not as it was meant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadBackError {
    /// It is another.
    #[error("`{path}`: {aspect}")]
    Differs {
        path: GuestPath,
        aspect: &'static str,
    },
    /// It cannot be read.
    #[error("`{path}` cannot be read")]
    Unreadable { path: GuestPath, source: Error },
}

/// Holds every place against what a filesystem that was opened anew has.
pub(crate) fn check(changes: &[Change], fs: &mut dyn FileSystem) -> Result<(), ReadBackError> {
    for change in changes {
        let path = &change.path;
        let unreadable = |source| ReadBackError::Unreadable {
            path: path.clone(),
            source,
        };
        if let Some(aspect) = difference(change, fs).map_err(unreadable)? {
            return Err(ReadBackError::Differs {
                path: path.clone(),
                aspect,
            });
        }
    }
    Ok(())
}

fn difference(change: &Change, fs: &mut dyn FileSystem) -> Result<Option<&'static str>, Error> {
    let found = match try_resolve(fs, &change.path, LastLink::Kept) {
        // What was above it is gone too.
        Err(Error::NotDirectory) => None,
        other => other?,
    };
    let (file, meant) = match (found, &change.after) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Ok(Some("it is not there")),
        (Some(_), None) => return Ok(Some("it is still there")),
        (Some(file), Some(meant)) => (file, meant),
    };
    let attributes = fs.attributes(file)?;
    if let Some(aspect) = difference_of_attributes(meant, &attributes) {
        return Ok(Some(aspect));
    }
    if let Some(content) = &meant.content {
        if attributes.size != content.size {
            return Ok(Some("its size is another"));
        }
        if hash(fs, file)? != content.hash {
            return Ok(Some("its content is another"));
        }
    }
    if let (Kind::SymbolicLink, Some(target)) = (meant.kind, &meant.target)
        && fs.read_link(file)? != *target
    {
        return Ok(Some("its target is another"));
    }
    for (name, value) in &meant.attributes {
        if fs.attribute(file, name)? != *value {
            return Ok(Some("an extended attribute is another"));
        }
    }
    Ok(None)
}

fn difference_of_attributes(meant: &State, found: &Attributes) -> Option<&'static str> {
    if meant.kind != found.kind {
        return Some("its kind is another");
    }
    if meant.permissions != found.permissions {
        return Some("its permission bits are others");
    }
    ((meant.uid, meant.gid) != (found.uid, found.gid)).then_some("its owner is another")
}

fn hash(fs: &mut dyn FileSystem, file: FileId) -> Result<ContentHash, Error> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut at = 0_u64;
    loop {
        let count = fs.read_at(file, &mut buffer, at)?;
        if count == 0 {
            return Ok(ContentHash::from_bytes(hash.finalize().into()));
        }
        let read = buffer.get(..count).ok_or_else(|| {
            Error::Io(Box::new(io::Error::other(
                "more was read than there is room",
            )))
        })?;
        hash.update(read);
        at += count as u64;
    }
}
