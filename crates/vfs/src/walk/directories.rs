//! Directories made along a path, as `mkdir -p` does.

use super::resolve::Walk;
use crate::error::{Error, Result};
use crate::filesystem::{FileId, FileSystem, Kind, NewFile, NewKind};
use crate::path::GuestPath;

/// Whose the directories that are made shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryOwner {
    /// The permission bits, at most `0o7777`.
    pub permissions: u16,
    /// The owner.
    pub uid: u32,
    /// The group, unless a directory above passes on its own.
    pub gid: u32,
}

impl DirectoryOwner {
    /// Root's own, open to all for reading, as most directories of a system are.
    pub const ROOT: Self = Self {
        permissions: 0o755,
        uid: 0,
        gid: 0,
    };
}

/// What [`create_directories`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeDirectories {
    /// The directory that the path names.
    pub directory: FileId,
    /// The directories that were made, from above to below.
    pub made: Vec<FileId>,
}

/// Makes a directory and all that lack above it, and returns which were made. Links to directories are followed; those that are
/// there keep their owner and permissions.
///
/// # Errors
///
/// [`Error::NotDirectory`] where something else has a name of the path, [`Error::NotFound`] for a link that leads nowhere,
/// else as [`FileSystem::create`]; the directories made until then stay.
pub fn create_directories(
    fs: &mut dyn FileSystem,
    path: &GuestPath,
    owner: &DirectoryOwner,
) -> Result<MadeDirectories> {
    let mut walk = Walk::new(fs);
    walk.push(path.components());
    let mut made = Vec::new();
    while let Some((name, _)) = walk.next() {
        if matches!(&name[..], b"." | b"..") {
            walk.enter(&name)?;
            continue;
        }
        // Names in the target of a link are not made: what a link leads to is there, or the link is a mistake.
        let is_asked = walk.is_in_path();
        let file = match walk.fs.lookup(walk.at, &name)? {
            Some(file) => file,
            None if is_asked => {
                let new = NewFile {
                    kind: NewKind::Directory,
                    permissions: owner.permissions,
                    uid: owner.uid,
                    gid: owner.gid,
                };
                let file = walk.fs.create(walk.at, &name, &new)?;
                made.push(file);
                file
            }
            None => return Err(Error::NotFound),
        };
        walk.enter_file(&name, file)?;
    }
    let directory = walk.at;
    if walk.fs.attributes(directory)?.kind != Kind::Directory {
        return Err(Error::NotDirectory);
    }
    Ok(MadeDirectories { directory, made })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::walk::{LastLink, resolve, resolve_place};

    fn path(text: &str) -> GuestPath {
        GuestPath::new(text).unwrap()
    }

    #[test]
    fn only_what_lacks_is_made() {
        let mut fs = Memory::new();
        let owner = DirectoryOwner {
            permissions: 0o700,
            uid: 5,
            gid: 6,
        };
        let first =
            create_directories(&mut fs, &path("/root/.ssh"), &DirectoryOwner::ROOT).unwrap();
        assert_eq!(first.made.len(), 2);
        let second = create_directories(&mut fs, &path("/root/.ssh/a/../b"), &owner).unwrap();
        assert_eq!(second.made.len(), 2);
        assert_eq!(second.made[1], second.directory);
        let ssh = fs.attributes(first.directory).unwrap();
        assert_eq!((ssh.permissions, ssh.uid), (0o755, 0));
        let b = fs.attributes(second.directory).unwrap();
        assert_eq!((b.permissions, b.uid, b.gid), (0o700, 5, 6));
        let again = create_directories(&mut fs, &path("/root/.ssh/b"), &owner).unwrap();
        assert_eq!((again.made.len(), again.directory), (0, second.directory));
    }

    #[test]
    fn links_are_followed_and_their_targets_not_made() {
        let mut fs = Memory::new();
        create_directories(&mut fs, &path("/run"), &DirectoryOwner::ROOT).unwrap();
        for (at, target) in [("/var", "run"), ("/gone", "not/there")] {
            let place = resolve_place(&mut fs, &path(at), LastLink::Kept).unwrap();
            let new = NewFile {
                kind: NewKind::SymbolicLink(target.as_bytes()),
                permissions: 0,
                uid: 0,
                gid: 0,
            };
            fs.create(place.directory, place.name().unwrap(), &new)
                .unwrap();
        }
        let made = create_directories(&mut fs, &path("/var/lock"), &DirectoryOwner::ROOT).unwrap();
        let found = resolve(&mut fs, &path("/run/lock"), LastLink::Kept).unwrap();
        assert_eq!(found, made.directory);
        assert!(matches!(
            create_directories(&mut fs, &path("/gone/x"), &DirectoryOwner::ROOT),
            Err(Error::NotFound)
        ));
    }

    #[test]
    fn a_file_in_the_way_is_said() {
        let mut fs = Memory::new();
        let new = NewFile {
            kind: NewKind::File,
            permissions: 0o644,
            uid: 0,
            gid: 0,
        };
        let root = fs.root();
        fs.create(root, b"file", &new).unwrap();
        for text in ["/file", "/file/x"] {
            assert!(matches!(
                create_directories(&mut fs, &path(text), &DirectoryOwner::ROOT),
                Err(Error::NotDirectory)
            ));
        }
    }
}
