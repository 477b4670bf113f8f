//! Files that an image names: found, allowed, opened.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result, Unsupported};
use crate::host::{self, HostFile, Located, Locking, Opening};

/// Where files that an image names may be opened.
#[derive(Debug)]
pub(super) struct Permission<'a> {
    pub(super) directories: &'a [PathBuf],
    /// Whether files that are only read are locked.
    pub(super) reading: Locking,
}

impl Permission<'_> {
    /// Opens a file by a path from inside an image, if it lies where that is allowed once every link is resolved.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllowed`], also for what does not exist: whether it does is not told to whoever has made the image.
    pub(super) fn open(&self, path: &Path, writing: bool) -> Result<(Located, Arc<dyn HostFile>)> {
        let refused = || Error::NotAllowed { path: path.into() };
        if self.directories.is_empty() {
            return Err(refused());
        }
        let resolved = path.canonicalize().map_err(|_| refused())?;
        let mut allowed = self.directories.iter();
        let root = allowed
            .find_map(|directory| {
                let directory = directory.canonicalize().ok()?;
                resolved.starts_with(&directory).then_some(directory)
            })
            .ok_or_else(refused)?;
        // From the allowed directory on no link is followed any more: one that was put there in the meantime leads nowhere.
        let located = host::locate_beneath(&root, &resolved).map_err(|_| refused())?;
        let (opening, locking) = if writing {
            (Opening::ReadWrite, Locking::Write)
        } else {
            (Opening::ReadOnly, self.reading)
        };
        let file: Arc<dyn HostFile> = host::open(&located, opening, locking)?;
        Ok((located, file))
    }
}

/// Turns a name from inside an image into a path, as QEMU does (`block.c`, `path_combine`): relative to where the image was said to be,
/// links not resolved.
///
/// # Errors
///
/// [`Unsupported`] for what is no path: `nbd://…`, `json:{…}`.
pub(super) fn path_from(name: &[u8], image: &Path) -> Result<PathBuf> {
    // QEMU `block.c`, `path_has_protocol`: a colon before the first slash.
    let until_slash = name.split(|byte| *byte == b'/').next().unwrap_or_default();
    let name = match until_slash.iter().position(|byte| *byte == b':') {
        Some(_) if name.starts_with(b"file:") => &name[b"file:".len()..],
        Some(colon) => {
            let protocol = String::from_utf8_lossy(&name[..colon]).into_owned();
            return Err(Unsupported::new(format!(
                "backing and data files by `{}` are",
                protocol.escape_default()
            ))
            .into());
        }
        None => name,
    };
    let directory = image.parent().unwrap_or(Path::new(""));
    Ok(directory.join(OsStr::from_bytes(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_to_the_image() {
        let check = |name: &[u8], expected: &str| {
            let path = path_from(name, "/images/top.qcow2".as_ref()).unwrap();
            assert_eq!(path.to_str(), Some(expected));
        };
        check(b"base.img", "/images/base.img");
        check(b"../other/base.img", "/images/../other/base.img");
        check(b"/abs/base.img", "/abs/base.img");
        check(b"./a:b", "/images/./a:b");
        check(b"file:base.img", "/images/base.img");
        for name in [
            &b"nbd://host/disk"[..],
            b"json:{}",
            b"http://x/y",
            b"fat:/dir",
        ] {
            assert!(path_from(name, "/images/top.qcow2".as_ref()).is_err());
        }
    }
}
