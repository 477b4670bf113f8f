//! The trees on disk that go into the image, merged as genisoimage merges them.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::request::{Request, RockRidge};

/// A file of paths longer than this is no list of paths.
const LONGEST_PATH_LIST: u64 = 64 * 1024 * 1024;

/// The mode of a directory that is only in the image (genisoimage(1), `-new-dir-mode`).
const NEW_DIRECTORY_MODE: u16 = 0o555;

/// genisoimage's name and mode for a boot catalog.
const BOOT_CATALOG: &str = "boot.catalog";
const BOOT_CATALOG_MODE: u16 = 0o444;

/// What stands at one place of the image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    /// A file, to be read from `path` and to be `length` bytes long.
    File {
        path: PathBuf,
        length: u64,
    },
    Symlink {
        target: String,
    },
    /// The boot catalog, which the writer of the image makes.
    BootCatalog,
}

/// One entry of the image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds since the epoch; absent for what is only in the image.
    pub(crate) modified: Option<i64>,
    /// Where it came from, for messages; empty for what is only in the image.
    source: PathBuf,
}

/// What was found on disk.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The root directory.
    pub(crate) root: Entry,
    /// Everything below it, by place: components joined by `/`. A directory stands before
    /// what it holds.
    pub(crate) entries: BTreeMap<String, Entry>,
    /// What was left out although it was named or found, as genisoimage does.
    pub(crate) warnings: Vec<Warning>,
}

/// Something that genisoimage leaves out and goes on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Warning {
    /// Without Rock Ridge a symbolic link has no form.
    #[error("symbolic link `{}` is left out: it needs Rock Ridge, or `-follow-links`", .0.display())]
    Symlink(PathBuf),
    /// A link that is to be followed leads nowhere.
    #[error("symbolic link `{}` is left out: it leads nowhere", .0.display())]
    Dangling(PathBuf),
    /// The boot catalog of the image from which the tree was taken, most likely.
    #[error("`{}` is left out: the new boot catalog takes its place", .0.display())]
    BootCatalog(PathBuf),
}

/// Why the trees cannot go into an image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Something on disk cannot be read.
    #[error("cannot read `{}`", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// A name or a link's target that is no UTF-8.
    #[error("the name or the target of `{}` is not valid UTF-8", .0.display())]
    Name(PathBuf),
    /// Neither file, directory nor link.
    #[error("`{}` is neither a file, a directory nor a symbolic link", .0.display())]
    Special(PathBuf),
    /// A followed link leads back to a directory around it.
    #[error("`{}` leads back to a directory that holds it", .0.display())]
    Loop(PathBuf),
    /// Two things for one place.
    #[error("`{}` and `{}` have the same place in the image", .first.display(), .second.display())]
    Collision {
        /// What is there already.
        first: PathBuf,
        /// What was to be put there.
        second: PathBuf,
    },
    /// A graft point that leaves the image.
    #[error("graft point `{0}` is outside of the image")]
    Outside(String),
    /// A graft point without a path.
    #[error("`{0}` names no path")]
    NoPath(String),
    /// Nothing stands where the boot image should.
    #[error("boot image `{0}` is not in the image")]
    NoBootImage(String),
    /// The boot catalog has no directory to stand in, or stands where one is.
    #[error(
        "boot catalog `{0}` has no place in the image: its directory is not there, or it is one"
    )]
    NoBootCatalog(String),
    /// A list of paths without an end.
    #[error("`{}` is too long for a list of paths", .0.display())]
    PathList(PathBuf),
}

/// Reads all that the request names.
pub(crate) fn read(request: &Request) -> Result<Tree, Error> {
    let mut reader = Reader {
        request,
        tree: Tree {
            root: made_directory(request),
            entries: BTreeMap::new(),
            warnings: Vec::new(),
        },
    };
    for argument in &request.paths {
        reader.add(argument)?;
    }
    for list in &request.path_lists {
        for line in read_path_list(list)?.split(|byte| *byte == b'\n') {
            if !line.is_empty() {
                reader.add(OsStr::from_bytes(line))?;
            }
        }
    }
    if !request.boot.is_empty() {
        reader.add_boot_catalog()?;
    }
    Ok(reader.tree)
}

fn read_path_list(list: &OsStr) -> Result<Vec<u8>, Error> {
    let failed = |error| Error::Read(list.into(), error);
    let mut lines = Vec::new();
    if list == "-" {
        let input = io::stdin().lock();
        input.take(LONGEST_PATH_LIST).read_to_end(&mut lines)
    } else {
        let input = fs::File::open(list).map_err(failed)?;
        input.take(LONGEST_PATH_LIST).read_to_end(&mut lines)
    }
    .map_err(failed)?;
    if lines.len() as u64 == LONGEST_PATH_LIST {
        return Err(Error::PathList(list.into()));
    }
    Ok(lines)
}

struct Reader<'a> {
    request: &'a Request,
    tree: Tree,
}

/// A directory that is still to be read.
struct Pending {
    path: PathBuf,
    place: String,
    /// Its index among those seen.
    seen: usize,
}

/// A directory on the way from the path that was named, to notice a loop of links.
struct Seen {
    device: u64,
    inode: u64,
    parent: Option<usize>,
}

impl Reader<'_> {
    /// Adds what one argument names.
    fn add(&mut self, argument: &OsStr) -> Result<(), Error> {
        let (place, path) = self.place_and_path(argument)?;
        let Some(metadata) = self.metadata(&path)? else {
            return Ok(());
        };
        if metadata.is_dir() {
            let place = place.unwrap_or_default();
            self.make_directories(&place)?;
            self.add_directory(&place, &path, &metadata)?;
            return self.add_content(path, place, &metadata);
        }
        let place = match place {
            // `PLACE/=PATH`: into that directory, under its own name.
            Some(mut directory) if names_directory(argument) => {
                self.make_directories(&directory)?;
                push(&mut directory, base_name(&path)?);
                directory
            }
            Some(place) => {
                if let Some((directory, _)) = place.rsplit_once('/') {
                    self.make_directories(directory)?;
                }
                place
            }
            None => base_name(&path)?.to_owned(),
        };
        self.add_leaf(place, path, &metadata)
    }

    /// Splits `PLACE=PATH`; the place is `None` when the argument is a path only.
    fn place_and_path(&self, argument: &OsStr) -> Result<(Option<String>, PathBuf), Error> {
        let shown = || argument.to_string_lossy().into_owned();
        let (place, path) = if self.request.graft_points {
            split_graft(argument.as_bytes())
        } else {
            (None, argument.as_bytes().to_vec())
        };
        if path.is_empty() {
            return Err(Error::NoPath(shown()));
        }
        let place = place
            .map(|place| {
                let place = str::from_utf8(&place).map_err(|_| Error::Name(argument.into()))?;
                normalize(place).ok_or_else(|| Error::Outside(shown()))
            })
            .transpose()?;
        Ok((place, OsString::from_vec(path).into()))
    }

    /// What stands at a path: through links if they are to be followed, `None` if it is to
    /// be left out.
    fn metadata(&mut self, path: &Path) -> Result<Option<Metadata>, Error> {
        let failed = |error| Error::Read(path.to_owned(), error);
        let metadata = fs::symlink_metadata(path).map_err(failed)?;
        if !metadata.is_symlink() {
            return Ok(Some(metadata));
        }
        if self.request.follow_links {
            return match fs::metadata(path) {
                Ok(metadata) => Ok(Some(metadata)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.tree.warnings.push(Warning::Dangling(path.to_owned()));
                    Ok(None)
                }
                Err(error) => Err(failed(error)),
            };
        }
        if self.request.rock_ridge == RockRidge::Absent {
            self.tree.warnings.push(Warning::Symlink(path.to_owned()));
            return Ok(None);
        }
        Ok(Some(metadata))
    }

    /// Adds all that is in a directory, and in its directories. Not recursive: how deep a
    /// tree on disk is, is not for the caller of this program to bound.
    fn add_content(
        &mut self,
        path: PathBuf,
        place: String,
        metadata: &Metadata,
    ) -> Result<(), Error> {
        let mut seen = vec![Seen {
            device: metadata.dev(),
            inode: metadata.ino(),
            parent: None,
        }];
        let mut pending = vec![Pending {
            path,
            place,
            seen: 0,
        }];
        while let Some(directory) = pending.pop() {
            let failed = |error| Error::Read(directory.path.clone(), error);
            for entry in fs::read_dir(&directory.path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let path = entry.path();
                let Some(metadata) = self.metadata(&path)? else {
                    continue;
                };
                let mut place = directory.place.clone();
                let name = entry.file_name();
                push(&mut place, utf8(&name, &path)?);
                if !metadata.is_dir() {
                    self.add_leaf(place, path, &metadata)?;
                    continue;
                }
                if self.request.follow_links && is_around(&seen, directory.seen, &metadata) {
                    return Err(Error::Loop(path));
                }
                self.add_directory(&place, &path, &metadata)?;
                seen.push(Seen {
                    device: metadata.dev(),
                    inode: metadata.ino(),
                    parent: Some(directory.seen),
                });
                pending.push(Pending {
                    path,
                    place,
                    seen: seen.len().saturating_sub(1),
                });
            }
        }
        Ok(())
    }

    /// Adds a directory, or joins it with the one that is there.
    fn add_directory(
        &mut self,
        place: &str,
        path: &Path,
        metadata: &Metadata,
    ) -> Result<(), Error> {
        let mode = permissions(metadata);
        let entry = self.entry(Kind::Directory, path, metadata, self.directory_mode(mode));
        if place.is_empty() {
            // The first directory that is merged into the root gives it its attributes.
            if self.tree.root.source.as_os_str().is_empty() {
                self.tree.root = entry;
            }
            return Ok(());
        }
        match self.tree.entries.entry(place.to_owned()) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(entry);
            }
            btree_map::Entry::Occupied(mut there) => {
                if there.get().kind != Kind::Directory {
                    return Err(collision(there.get(), path));
                }
                if there.get().source.as_os_str().is_empty() {
                    there.insert(entry);
                }
            }
        }
        Ok(())
    }

    /// Adds a file or a link.
    fn add_leaf(&mut self, place: String, path: PathBuf, metadata: &Metadata) -> Result<(), Error> {
        let (kind, mode) = if metadata.is_symlink() {
            let target = fs::read_link(&path).map_err(|error| Error::Read(path.clone(), error))?;
            let kind = Kind::Symlink {
                target: utf8(target.as_os_str(), &path)?.to_owned(),
            };
            (kind, self.rationalize(permissions(metadata)))
        } else if metadata.is_file() {
            let kind = Kind::File {
                path: path.clone(),
                length: metadata.len(),
            };
            let mode = self.rationalize(permissions(metadata));
            (kind, self.request.file_mode.unwrap_or(mode))
        } else {
            return Err(Error::Special(path));
        };
        let entry = self.entry(kind, &path, metadata, mode);
        match self.tree.entries.entry(place) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(entry);
                Ok(())
            }
            btree_map::Entry::Occupied(there) => Err(collision(there.get(), &path)),
        }
    }

    /// Adds the boot catalog, in the place of a file that is there.
    fn add_boot_catalog(&mut self) -> Result<(), Error> {
        let request = self.request;
        let place = request.boot_catalog.as_deref().unwrap_or(BOOT_CATALOG);
        let is_directory = |place: &str| {
            let there = self.tree.entries.get(place);
            there.is_some_and(|entry| entry.kind == Kind::Directory)
        };
        let homeless = match place.rsplit_once('/') {
            Some((directory, _)) => !is_directory(directory),
            None => false,
        };
        if homeless || is_directory(place) {
            return Err(Error::NoBootCatalog(place.to_owned()));
        }
        let catalog = Entry {
            kind: Kind::BootCatalog,
            mode: request.file_mode.unwrap_or(BOOT_CATALOG_MODE),
            uid: request.uid.unwrap_or(0),
            gid: request.gid.unwrap_or(0),
            modified: None,
            source: PathBuf::new(),
        };
        if let Some(old) = self.tree.entries.insert(place.to_owned(), catalog) {
            self.tree.warnings.push(Warning::BootCatalog(old.source));
        }
        Ok(())
    }

    /// Makes the directories down to a place that exist only in the image.
    fn make_directories(&mut self, place: &str) -> Result<(), Error> {
        let ends = place.match_indices('/').map(|(slash, _)| slash);
        for end in ends.chain([place.len()]).filter(|end| *end > 0) {
            let request = self.request;
            let there = self
                .tree
                .entries
                .entry(place[..end].to_owned())
                .or_insert_with(|| made_directory(request));
            if there.kind != Kind::Directory {
                return Err(collision(there, Path::new(place)));
            }
        }
        Ok(())
    }

    fn entry(&self, kind: Kind, path: &Path, metadata: &Metadata, mode: u16) -> Entry {
        let (uid, gid) = match self.request.rock_ridge {
            RockRidge::Rationalized => (0, 0),
            RockRidge::AsOnDisk | RockRidge::Absent => (metadata.uid(), metadata.gid()),
        };
        Entry {
            kind,
            mode,
            uid: self.request.uid.unwrap_or(uid),
            gid: self.request.gid.unwrap_or(gid),
            modified: Some(metadata.mtime()),
            source: path.to_owned(),
        }
    }

    fn directory_mode(&self, mode: u16) -> u16 {
        self.request
            .directory_mode
            .unwrap_or_else(|| self.rationalize(mode))
    }

    /// genisoimage(1), `-rational-rock`: all may read, who may execute all may, none may
    /// write, and the set-id and sticky bits are gone.
    fn rationalize(&self, mode: u16) -> u16 {
        match self.request.rock_ridge {
            RockRidge::Rationalized if mode & 0o111 != 0 => 0o555,
            RockRidge::Rationalized => 0o444,
            RockRidge::AsOnDisk | RockRidge::Absent => mode,
        }
    }
}

/// A directory of which nothing is on disk.
fn made_directory(request: &Request) -> Entry {
    Entry {
        kind: Kind::Directory,
        mode: request.new_directory_mode.unwrap_or(NEW_DIRECTORY_MODE),
        uid: request.uid.unwrap_or(0),
        gid: request.gid.unwrap_or(0),
        modified: None,
        source: PathBuf::new(),
    }
}

fn collision(there: &Entry, path: &Path) -> Error {
    Error::Collision {
        first: there.source.clone(),
        second: path.to_owned(),
    }
}

/// Whether a directory is one of those that hold the directory `inside`.
fn is_around(seen: &[Seen], inside: usize, metadata: &Metadata) -> bool {
    let mut next = Some(inside);
    while let Some(directory) = next.and_then(|index| seen.get(index)) {
        if (directory.device, directory.inode) == (metadata.dev(), metadata.ino()) {
            return true;
        }
        next = directory.parent;
    }
    false
}

fn permissions(metadata: &Metadata) -> u16 {
    // The mask leaves 12 bits, which fit.
    u16::try_from(metadata.mode() & 0o7777).unwrap_or_default()
}

fn push(place: &mut String, name: &str) {
    if !place.is_empty() {
        place.push('/');
    }
    place.push_str(name);
}

fn base_name(path: &Path) -> Result<&str, Error> {
    let name = path
        .file_name()
        .ok_or_else(|| Error::NoPath(path.display().to_string()))?;
    utf8(name, path)
}

/// Names on a drive are Unicode: Joliet has no other form, and guests take Rock Ridge's
/// for UTF-8.
fn utf8<'a>(text: &'a OsStr, path: &Path) -> Result<&'a str, Error> {
    text.to_str().ok_or_else(|| Error::Name(path.to_owned()))
}

/// Whether the place of a graft point ends with a slash.
fn names_directory(argument: &OsStr) -> bool {
    let (place, _) = split_graft(argument.as_bytes());
    place.is_some_and(|place| place.ends_with(b"/"))
}

/// Splits at the first `=` that no backslash hides, and takes the backslashes away that
/// hide a `=` or a backslash (genisoimage(1), `-graft-points`). Without a place before it
/// the `=` belongs to the path, as there.
fn split_graft(argument: &[u8]) -> (Option<Vec<u8>>, Vec<u8>) {
    let mut parts = [Vec::new(), Vec::new()];
    let mut part = 0;
    let mut bytes = argument.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if matches!(bytes.peek(), Some(b'\\' | b'=')) => parts[part].extend(bytes.next()),
            b'=' if part == 0 && !parts[0].is_empty() => part = 1,
            _ => parts[part].push(byte),
        }
    }
    let [first, second] = parts;
    if part == 0 {
        (None, first)
    } else {
        (Some(first), second)
    }
}

/// The place that a graft point means: components joined by `/`, without `.` and `..`;
/// `None` when it is outside of the image.
pub(super) fn normalize(place: &str) -> Option<String> {
    let mut components: Vec<&str> = Vec::new();
    for component in place.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                components.pop()?;
            }
            name => components.push(name),
        }
    }
    Some(components.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graft_points_are_split_as_genisoimage_splits_them() {
        fn check(argument: &str, place: Option<&str>, path: &str) {
            assert_eq!(
                split_graft(argument.as_bytes()),
                (
                    place.map(|place| place.as_bytes().to_vec()),
                    path.as_bytes().to_vec()
                ),
                "{argument}"
            );
        }
        check("a", None, "a");
        check("a=b", Some("a"), "b");
        check("a=b=c", Some("a"), "b=c");
        check(r"a\=b", None, "a=b");
        check(r"a\=b=c\=d", Some("a=b"), "c=d");
        check(r"a\\=b", Some(r"a\"), "b");
        check(r"a\b", None, r"a\b");
        check("=a", None, "=a");
        check("a=", Some("a"), "");
    }

    #[test]
    fn places_are_normalized() {
        fn check(place: &str, expected: Option<&str>) {
            assert_eq!(normalize(place).as_deref(), expected, "{place}");
        }
        check("a/b", Some("a/b"));
        check("/a//b/", Some("a/b"));
        check("./a/./b", Some("a/b"));
        check("a/../b", Some("b"));
        check("/", Some(""));
        check("../a", None);
        check("a/../../b", None);
    }
}
