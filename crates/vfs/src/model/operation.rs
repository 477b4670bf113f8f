//! One operation on one filesystem, by paths, so that it means something wherever it stands in a sequence.

use crate::error::{Error, Result};
use crate::filesystem::{FileId, FileSystem, Kind, NewFile, NewKind, Times};
use crate::model::Random;
use crate::path::GuestPath;

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are the arguments of the operations"
)]
#[non_exhaustive]
pub enum Operation {
    /// [`FileSystem::create`].
    Create {
        path: GuestPath,
        made: Made,
        permissions: u16,
        uid: u32,
        gid: u32,
    },
    /// [`FileSystem::write_at`], with bytes from a seed.
    Write {
        path: GuestPath,
        offset: u64,
        length: usize,
        seed: u64,
    },
    /// [`FileSystem::set_size`].
    SetSize { path: GuestPath, size: u64 },
    /// [`FileSystem::replace`], with bytes from a seed.
    Replace {
        path: GuestPath,
        length: usize,
        seed: u64,
    },
    /// [`FileSystem::link`].
    Link { path: GuestPath, new: GuestPath },
    /// [`FileSystem::rename`].
    Rename { path: GuestPath, new: GuestPath },
    /// [`FileSystem::remove`].
    Remove { path: GuestPath },
    /// [`FileSystem::set_permissions`].
    SetPermissions { path: GuestPath, permissions: u16 },
    /// [`FileSystem::set_owner`].
    SetOwner { path: GuestPath, uid: u32, gid: u32 },
    /// [`FileSystem::set_times`].
    SetTimes { path: GuestPath, times: Times },
    /// [`FileSystem::set_attribute`].
    SetAttribute {
        path: GuestPath,
        name: Vec<u8>,
        value: Vec<u8>,
    },
    /// [`FileSystem::remove_attribute`].
    RemoveAttribute { path: GuestPath, name: Vec<u8> },
    /// [`FileSystem::finish`].
    Finish,
}

/// What an operation makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link with this target.
    SymbolicLink(Vec<u8>),
    /// Another kind.
    Special(Kind),
}

impl Operation {
    /// Does it.
    ///
    /// # Errors
    ///
    /// As the operation, and [`Error::NotFound`] and [`Error::NotDirectory`] for its path.
    pub fn apply(&self, fs: &mut dyn FileSystem) -> Result<()> {
        match self {
            Self::Create {
                path,
                made,
                permissions,
                uid,
                gid,
            } => {
                let (directory, name) = place(fs, path)?;
                let new = NewFile {
                    kind: match made {
                        Made::File => NewKind::File,
                        Made::Directory => NewKind::Directory,
                        Made::SymbolicLink(target) => NewKind::SymbolicLink(target),
                        Made::Special(kind) => NewKind::Special(*kind),
                    },
                    permissions: *permissions,
                    uid: *uid,
                    gid: *gid,
                };
                fs.create(directory, name, &new).map(|_| ())
            }
            Self::Write {
                path,
                offset,
                length,
                seed,
            } => {
                let file = find(fs, path)?;
                fs.write_at(file, &Random::new(*seed).bytes(*length), *offset)
            }
            Self::SetSize { path, size } => {
                let file = find(fs, path)?;
                fs.set_size(file, *size)
            }
            Self::Replace { path, length, seed } => {
                let file = find(fs, path)?;
                let content = Random::new(*seed).bytes(*length);
                fs.replace(file, &mut &content[..]).map(|_| ())
            }
            Self::Link { path, new } => {
                let file = find(fs, path)?;
                let (directory, name) = place(fs, new)?;
                fs.link(file, directory, name)
            }
            Self::Rename { path, new } => {
                let (from, name) = place(fs, path)?;
                let (to, new_name) = place(fs, new)?;
                fs.rename(from, name, to, new_name)
            }
            Self::Remove { path } => {
                let (directory, name) = place(fs, path)?;
                fs.remove(directory, name)
            }
            Self::SetPermissions { path, permissions } => {
                let file = find(fs, path)?;
                fs.set_permissions(file, *permissions)
            }
            Self::SetOwner { path, uid, gid } => {
                let file = find(fs, path)?;
                fs.set_owner(file, *uid, *gid)
            }
            Self::SetTimes { path, times } => {
                let file = find(fs, path)?;
                fs.set_times(file, *times)
            }
            Self::SetAttribute { path, name, value } => {
                let file = find(fs, path)?;
                fs.set_attribute(file, name, value)
            }
            Self::RemoveAttribute { path, name } => {
                let file = find(fs, path)?;
                fs.remove_attribute(file, name)
            }
            Self::Finish => fs.finish(),
        }
    }

    /// Returns the paths that it is about.
    pub fn paths(&self) -> Vec<&GuestPath> {
        match self {
            Self::Create { path, .. }
            | Self::Write { path, .. }
            | Self::SetSize { path, .. }
            | Self::Replace { path, .. }
            | Self::Remove { path }
            | Self::SetPermissions { path, .. }
            | Self::SetOwner { path, .. }
            | Self::SetTimes { path, .. }
            | Self::SetAttribute { path, .. }
            | Self::RemoveAttribute { path, .. } => vec![path],
            Self::Link { path, new } | Self::Rename { path, new } => vec![path, new],
            Self::Finish => Vec::new(),
        }
    }
}

/// Finds a file by its path, without following any link.
pub(super) fn find(fs: &mut dyn FileSystem, path: &GuestPath) -> Result<FileId> {
    let mut at = fs.root();
    for name in path.components() {
        at = fs.lookup(at, name)?.ok_or(Error::NotFound)?;
    }
    Ok(at)
}

/// Finds the directory of a path, and the name in it.
fn place<'a>(fs: &mut dyn FileSystem, path: &'a GuestPath) -> Result<(FileId, &'a [u8])> {
    let mut components = path.components();
    let name = components.next_back().ok_or(Error::InvalidName)?;
    let mut at = fs.root();
    for name in components {
        at = fs.lookup(at, name)?.ok_or(Error::NotFound)?;
    }
    Ok((at, name))
}
