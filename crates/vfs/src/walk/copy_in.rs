//! A tree from elsewhere, copied into a guest.
//!
//! Where it comes from (a directory of the host, an archive, a list in a test) is a [`Source`]'s affair, so this knows nothing
//! of the host.

use std::collections::HashMap;
use std::io::{self, Read};

use crate::error::{Error, Result};
use crate::filesystem::{FileId, FileSystem, Kind, NewFile, NewKind, Times};
use crate::path::GuestPath;

/// Files to be copied, one after the other: a directory before what is in it.
pub trait Source {
    /// Returns the next file; its content is read before the one after it is asked for.
    ///
    /// # Errors
    ///
    /// What kept it from being read.
    fn next_file(&mut self) -> io::Result<Option<SourceFile<'_>>>;
}

/// A file to be copied.
#[derive(Debug)]
pub struct SourceFile<'a> {
    /// Where it goes, seen from the directory that is copied into; the root is that directory itself.
    pub path: GuestPath,
    /// What it is.
    pub kind: SourceKind<'a>,
    /// Its permission bits, at most `0o7777`.
    pub permissions: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Its extended attributes.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Its times, as far as they are to be kept.
    pub times: Times,
}

/// What a file to be copied is.
pub enum SourceKind<'a> {
    /// A regular file with this content.
    File(Box<dyn Read + 'a>),
    /// A directory.
    Directory,
    /// A symbolic link with this target.
    SymbolicLink(Vec<u8>),
    /// A device, a pipe or a socket.
    Special(Kind),
    /// One more name of a file that came before, by its path.
    Link(GuestPath),
}

impl std::fmt::Debug for SourceKind<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(_) => formatter.write_str("File"),
            Self::Directory => formatter.write_str("Directory"),
            Self::SymbolicLink(target) => {
                write!(formatter, "SymbolicLink({})", target.escape_ascii())
            }
            Self::Special(kind) => write!(formatter, "Special({kind:?})"),
            Self::Link(path) => write!(formatter, "Link({path:?})"),
        }
    }
}

/// How much was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copied {
    /// Files of all kinds.
    pub files: u64,
    /// Bytes of content.
    pub bytes: u64,
}

/// A tree could not be copied; what came before the file stays.
#[derive(Debug, thiserror::Error)]
#[error("cannot copy to `{path}`")]
pub struct CopyError {
    /// The file, seen from the directory that is copied into.
    pub path: GuestPath,
    /// What went wrong.
    #[source]
    pub error: Error,
}

/// Copies files into a directory. What is there stays, but for files of the same name: their content is replaced, and owner,
/// permissions, attributes and times become the source's. A directory that is there already keeps its own.
///
/// Names are taken as they stand below `directory`: no symbolic link in the guest is followed, so a tree never lands elsewhere.
///
/// # Errors
///
/// [`Error::Exists`] where something of another kind has the name, [`Error::NotDirectory`] for a path through what is no directory,
/// [`Error::Content`] for a source that fails, [`Error::InvalidName`] for `..`, else as the operations of [`FileSystem`].
pub fn copy_in(
    fs: &mut dyn FileSystem,
    directory: FileId,
    source: &mut dyn Source,
) -> Result<Copied, CopyError> {
    let mut copy = Copy {
        fs,
        known: HashMap::from([(GuestPath::root(), directory)]),
        directories: Vec::new(),
        copied: Copied::default(),
    };
    loop {
        let file = match source.next_file() {
            Ok(Some(file)) => file,
            Ok(None) => break,
            Err(error) => {
                return Err(CopyError {
                    path: GuestPath::root(),
                    error: Error::Content(error),
                });
            }
        };
        let path = file.path.clone();
        copy.file(file).map_err(|error| CopyError { path, error })?;
    }
    // Filling a directory changes its times, so they are set when all is there.
    for (path, file, times) in copy.directories {
        copy.fs
            .set_times(file, times)
            .map_err(|error| CopyError { path, error })?;
    }
    Ok(copy.copied)
}

struct Copy<'a> {
    fs: &'a mut dyn FileSystem,
    known: HashMap<GuestPath, FileId>,
    directories: Vec<(GuestPath, FileId, Times)>,
    copied: Copied,
}

impl Copy<'_> {
    fn file(&mut self, source: SourceFile<'_>) -> Result<()> {
        let SourceFile {
            path,
            kind,
            permissions,
            uid,
            gid,
            attributes,
            times,
        } = source;
        let Some(parent) = path.parent() else {
            // The directory that is copied into is there, and keeps its own.
            return Ok(());
        };
        let name = path.name().ok_or(Error::InvalidName)?;
        let above = self.find(&parent)?;
        self.copied.files += 1;
        let there = self.fs.lookup(above, name)?;
        if let SourceKind::Link(target) = &kind {
            let file = self.find(target)?;
            if let Some(there) = there {
                if there == file {
                    return Ok(());
                }
                self.remove_file(above, name, there)?;
            }
            return self.fs.link(file, above, name);
        }
        let new_kind = match &kind {
            SourceKind::File(_) => NewKind::File,
            SourceKind::Directory => NewKind::Directory,
            SourceKind::SymbolicLink(target) => NewKind::SymbolicLink(target),
            SourceKind::Special(special) => NewKind::Special(*special),
            SourceKind::Link(_) => return Err(Error::NotPossible("a second name")),
        };
        let new = NewFile {
            kind: new_kind,
            permissions,
            uid,
            gid,
        };
        let file = match there {
            None => self.fs.create(above, name, &new)?,
            Some(there) => match (self.fs.attributes(there)?.kind, &kind) {
                (Kind::Directory, SourceKind::Directory) => {
                    self.known.insert(path, there);
                    return Ok(());
                }
                (Kind::File, SourceKind::File(_)) => there,
                (Kind::SymbolicLink, SourceKind::SymbolicLink(_)) => {
                    self.fs.remove(above, name)?;
                    self.fs.create(above, name, &new)?
                }
                _ => return Err(Error::Exists),
            },
        };
        if let SourceKind::File(mut content) = kind {
            self.copied.bytes += self.fs.replace(file, &mut *content)?;
            self.finish_file(file, permissions, uid, gid, &attributes)?;
            self.fs.set_times(file, times)?;
        } else if matches!(new.kind, NewKind::Directory) {
            self.finish_file(file, permissions, uid, gid, &attributes)?;
            self.directories.push((path.clone(), file, times));
        } else {
            self.finish_file(file, permissions, uid, gid, &attributes)?;
            self.fs.set_times(file, times)?;
        }
        self.known.insert(path, file);
        Ok(())
    }

    /// Makes owner and permissions the source's, whatever the directory above passes on: the owner first, since a change of it takes
    /// bits and capabilities away.
    fn finish_file(
        &mut self,
        file: FileId,
        permissions: u16,
        uid: u32,
        gid: u32,
        attributes: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<()> {
        let now = self.fs.attributes(file)?;
        if self.fs.limits().owners {
            if (now.uid, now.gid) != (uid, gid) {
                self.fs.set_owner(file, uid, gid)?;
            }
            let now = self.fs.attributes(file)?;
            if now.kind != Kind::SymbolicLink && now.permissions != permissions {
                self.fs.set_permissions(file, permissions)?;
            }
        }
        for (name, value) in attributes {
            self.fs.set_attribute(file, name, value)?;
        }
        Ok(())
    }

    /// Finds a file by its path below the directory that is copied into, through directories alone.
    fn find(&mut self, path: &GuestPath) -> Result<FileId> {
        if let Some(file) = self.known.get(path) {
            return Ok(*file);
        }
        let mut at = match self.known.get(&GuestPath::root()) {
            Some(root) => *root,
            None => return Err(Error::NotFound),
        };
        for name in path.components() {
            if name == b".." {
                return Err(Error::InvalidName);
            }
            at = self.fs.lookup(at, name)?.ok_or(Error::NotFound)?;
        }
        self.known.insert(path.clone(), at);
        Ok(at)
    }

    fn remove_file(&mut self, above: FileId, name: &[u8], file: FileId) -> Result<()> {
        if self.fs.attributes(file)?.kind == Kind::Directory {
            return Err(Error::Exists);
        }
        self.fs.remove(above, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::tree::{Tree, TreeOptions};

    /// A list of files.
    struct List<'a>(std::slice::Iter<'a, (&'static str, Made)>);

    #[derive(Clone, Copy)]
    enum Made {
        File(&'static str),
        Directory,
        Link(&'static str),
        Again(&'static str),
        Failing,
    }

    fn path(text: &str) -> GuestPath {
        GuestPath::new(text).unwrap()
    }

    impl Source for List<'_> {
        fn next_file(&mut self) -> io::Result<Option<SourceFile<'_>>> {
            Ok(self.0.next().map(|&(at, made)| SourceFile {
                path: path(at),
                kind: match made {
                    Made::File(content) => SourceKind::File(Box::new(content.as_bytes())),
                    Made::Directory => SourceKind::Directory,
                    Made::Link(target) => SourceKind::SymbolicLink(target.into()),
                    Made::Again(first) => SourceKind::Link(path(first)),
                    Made::Failing => SourceKind::File(Box::new(io::empty().chain(FailingReader))),
                },
                permissions: 0o4750,
                uid: 7,
                gid: 8,
                attributes: Vec::new(),
                times: Times {
                    accessed: None,
                    modified: Some(crate::Timestamp {
                        seconds: 5,
                        nanoseconds: 0,
                    }),
                },
            }))
        }
    }

    struct FailingReader;
    impl Read for FailingReader {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }

    fn copy(fs: &mut Memory, files: &[(&'static str, Made)]) -> Result<Copied, CopyError> {
        let root = fs.root();
        copy_in(fs, root, &mut List(files.iter()))
    }

    #[test]
    fn a_tree_arrives_whole() {
        let mut fs = Memory::new();
        let copied = copy(
            &mut fs,
            &[
                ("/", Made::Directory),
                ("/d", Made::Directory),
                ("/d/f", Made::File("content")),
                ("/d/l", Made::Link("f")),
                ("/g", Made::Again("/d/f")),
            ],
        )
        .unwrap();
        assert_eq!((copied.files, copied.bytes), (4, 7));
        let root = fs.root();
        let options = TreeOptions { content_bytes: 100 };
        let tree = Tree::read(&mut fs, root, &options).unwrap();
        for at in ["/d", "/d/f", "/d/l", "/g"] {
            let file = &tree.files[&path(at)];
            assert_eq!(
                (file.uid, file.gid, file.modified.seconds),
                (7, 8, 5),
                "{at}"
            );
            let expected = if at == "/d/l" { 0o777 } else { 0o4750 };
            assert_eq!(file.permissions, expected, "{at}");
        }
        assert_eq!(tree.files[&path("/g")].same_as, Some(path("/d/f")));

        copy(
            &mut fs,
            &[("/d", Made::Directory), ("/d/f", Made::File("new"))],
        )
        .unwrap();
        let tree = Tree::read(&mut fs, root, &options).unwrap();
        assert_eq!(tree.files[&path("/g")].size, 3, "a second name stays one");
    }

    #[test]
    fn a_tree_never_lands_elsewhere() {
        let mut fs = Memory::new();
        copy(
            &mut fs,
            &[
                ("/etc", Made::Directory),
                ("/etc/passwd", Made::File("root")),
                ("/link", Made::Link("etc")),
                ("/file", Made::Link("etc/passwd")),
            ],
        )
        .unwrap();
        let refused = |fs: &mut Memory, at, made| copy(fs, &[(at, made)]).unwrap_err().error;
        let through = refused(&mut fs, "/link/x", Made::File("x"));
        assert!(matches!(through, Error::NotDirectory));
        let over = refused(&mut fs, "/file", Made::File("x"));
        assert!(matches!(over, Error::Exists));
        let over = refused(&mut fs, "/link", Made::Directory);
        assert!(matches!(over, Error::Exists));
        let above = refused(&mut fs, "/../x", Made::Directory);
        assert!(matches!(above, Error::InvalidName));
        let failing = refused(&mut fs, "/etc/passwd", Made::Failing);
        assert!(matches!(failing, Error::Content(_)));
    }
}
