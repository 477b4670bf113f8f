//! What a redo file is called, and which files of that name are one.

use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::Arc;

use nix::unistd::geteuid;

use super::RedoFault;
use crate::host::{HostDirectory, HostFile, Identity, Kind};

/// Names the redo file beside an image.
pub(crate) fn beside(image: &OsStr) -> OsString {
    let mut name = OsString::from(".");
    name.push(image);
    name.push(".christen-redo");
    name
}

/// Names the redo file in a directory that holds those of many images.
pub(crate) fn in_directory(identity: &Identity) -> OsString {
    let Identity { device, inode, .. } = identity;
    match identity.kind {
        Kind::Regular => format!("file-{device:x}-{inode:x}.christen-redo").into(),
        Kind::BlockDevice => format!("device-{device:x}.christen-redo").into(),
    }
}

/// Opens a redo file if there is one, and judges whether it can have been made for an image of this owner.
pub(crate) fn open(
    directory: &dyn HostDirectory,
    name: &OsStr,
    image_owner: u32,
) -> Result<Option<Arc<dyn HostFile>>, RedoFault> {
    let file = match directory.open(name) {
        Ok(file) => file,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound => Ok(None),
                io::ErrorKind::InvalidInput => Err(RedoFault::NotRegular),
                _ if error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32) => {
                    Err(RedoFault::Link)
                }
                _ => Err(RedoFault::Io(error)),
            };
        }
    };
    let identity = file.identity();
    if identity.kind != Kind::Regular {
        return Err(RedoFault::NotRegular);
    }
    if identity.links != 1 {
        return Err(RedoFault::Link);
    }
    if identity.owner != geteuid().as_raw() && identity.owner != image_owner {
        return Err(RedoFault::Owner(identity.owner));
    }
    if identity.mode != 0o600 {
        return Err(RedoFault::Mode(identity.mode));
    }
    Ok(Some(file))
}
