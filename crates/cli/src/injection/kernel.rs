//! The kernel as the reader of a root tree in a directory: its own calls, by the standard library, and nothing of what wrote.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use christen_hostdir::IdMap;
use christen_inject::Change;
use christen_inject::verify::{NotVerified, Outcome, Verdict, hold};
use christen_vfs::GuestPath;
use christen_witness::{Kind, Reader, Seen};
use sha2::{Digest, Sha256};

use super::verdict::Verdicts;

/// How much content is read at a time.
const READ_BYTES: usize = 256 << 10;

/// Looks at every place of an injection.
pub(crate) fn verify(changes: &[Change], root: &Path, map: &IdMap) -> Verdicts {
    let verdict = |change: &Change| Verdict {
        path: change.path.clone(),
        items: change.items.clone(),
        outcome: outcome(change, root, map),
    };
    Verdicts::of(changes.iter().map(verdict).collect())
}

fn outcome(change: &Change, root: &Path, map: &IdMap) -> Outcome {
    let meant = change.after.as_ref();
    let size = meant.and_then(|it| Some(it.content.as_ref()?.size));
    let seen = match look(&change.path, size, root, map) {
        Ok(seen) => seen,
        Err(error) => return Outcome::NotVerified(NotVerified::Kernel(error)),
    };
    match hold(meant, seen.as_ref(), Reader::Kernel) {
        // The standard library reads no extended attributes.
        Outcome::Verified(_) if meant.is_some_and(|it| !it.attributes.is_empty()) => {
            Outcome::NotVerified(NotVerified::Attributes)
        }
        outcome => outcome,
    }
}

/// Looks at one place, through directories only: what is a link on the way would lead out of the tree.
fn look(path: &GuestPath, size: Option<u64>, root: &Path, map: &IdMap) -> io::Result<Option<Seen>> {
    let mut at = PathBuf::from(root);
    // The user names the root, perhaps by a link.
    let mut found = fs::metadata(root)?;
    for name in path.components() {
        if !found.is_dir() {
            return Ok(None);
        }
        at.push(OsStr::from_bytes(name));
        found = match fs::symlink_metadata(&at) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
    }
    see(&at, &found, size, map).map(Some)
}

fn see(at: &Path, found: &Metadata, size: Option<u64>, map: &IdMap) -> io::Result<Seen> {
    let sort = found.file_type();
    let kind = match () {
        () if sort.is_file() => Kind::File,
        () if sort.is_dir() => Kind::Directory,
        () if sort.is_symlink() => Kind::SymbolicLink,
        () => Kind::Special,
    };
    let is_file = kind == Kind::File;
    Ok(Seen {
        reader: Reader::Kernel,
        kind,
        // Permission bits are the lowest twelve.
        permissions: (found.mode() & 0o7777) as u16,
        uid: map.guest(found.uid()),
        gid: map.guest(found.gid()),
        size: if is_file { found.len() } else { 0 },
        // Of another size it is another already.
        hash: (is_file && size == Some(found.len()))
            .then(|| hash(at))
            .transpose()?,
        target: match kind {
            Kind::SymbolicLink => Some(fs::read_link(at)?.into_os_string().into_vec()),
            _ => None,
        },
    })
}

fn hash(at: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(at)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            length => hash.update(&buffer[..length]),
        }
    }
}
