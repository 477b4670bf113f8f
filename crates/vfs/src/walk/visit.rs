//! A walk over a whole tree, from above to below, in the order of names.

use std::collections::HashSet;

use super::BrokenTree;
use crate::error::Result;
use crate::filesystem::{Attributes, FileId, FileSystem, Kind};
use crate::path::GuestPath;

/// Deeper than this no path of Linux reaches: each directory takes two of its 4095 bytes.
pub const DEPTH: usize = 2048;

/// A file that a walk has come to.
#[derive(Debug)]
pub struct Found<'a> {
    /// Its path from the top of the walk, which is `/`.
    pub path: &'a GuestPath,
    /// How many directories stand above it within the walk.
    pub depth: usize,
    /// The file.
    pub file: FileId,
    /// What is known of it.
    pub attributes: Attributes,
}

/// Where a walk goes from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Into it, if it is a directory, and on.
    Into,
    /// On, but not into it.
    Over,
    /// Nowhere: the walk ends.
    Stop,
}

/// Visits a file and, if it is a directory, all that is below it: a directory before its entries, the entries by name.
/// Symbolic links are visited, not followed.
///
/// # Errors
///
/// What `see` fails with; [`Corrupt`](crate::Error::Corrupt) for a directory that is met twice, and for more than [`DEPTH`] directories
/// one in another: so the walk ends, whatever the filesystem says.
pub fn visit(
    fs: &mut dyn FileSystem,
    top: FileId,
    see: &mut dyn FnMut(&mut dyn FileSystem, &Found<'_>) -> Result<Next>,
) -> Result<()> {
    let mut seen = HashSet::new();
    let mut rest = vec![(GuestPath::root(), 0, top)];
    while let Some((path, depth, file)) = rest.pop() {
        let attributes = fs.attributes(file)?;
        let is_directory = attributes.kind == Kind::Directory;
        if is_directory && !seen.insert(file) {
            return Err(BrokenTree::MetTwice(file.number()).into());
        }
        let found = Found {
            path: &path,
            depth,
            file,
            attributes,
        };
        match see(fs, &found)? {
            Next::Stop => return Ok(()),
            Next::Over => continue,
            Next::Into if !is_directory => continue,
            Next::Into => {}
        }
        if depth == DEPTH {
            return Err(BrokenTree::TooDeep.into());
        }
        let mut entries = fs.entries(file)?;
        entries.sort_unstable_by(|a, b| b.name.cmp(&a.name));
        rest.extend(
            entries
                .into_iter()
                .map(|entry| (path.join(&entry.name), depth + 1, entry.file)),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::memory::Memory;
    use crate::walk::{DirectoryOwner, create_directories, remove_tree};

    fn guest() -> Memory {
        let mut fs = Memory::new();
        for path in ["/b/x/y", "/a", "/b/c", "/c/d"] {
            let path = GuestPath::new(path).unwrap();
            create_directories(&mut fs, &path, &DirectoryOwner::ROOT).unwrap();
        }
        fs
    }

    fn visited(fs: &mut Memory, next: impl Fn(&GuestPath) -> Next) -> Vec<String> {
        let mut seen = Vec::new();
        let root = fs.root();
        visit(fs, root, &mut |_, found| {
            assert_eq!(found.depth, found.path.components().count());
            seen.push(found.path.to_string());
            Ok(next(found.path))
        })
        .unwrap();
        seen
    }

    #[test]
    fn a_tree_is_seen_from_above_by_name() {
        let mut fs = guest();
        let all = ["/", "/a", "/b", "/b/c", "/b/x", "/b/x/y", "/c", "/c/d"];
        assert_eq!(visited(&mut fs, |_| Next::Into), all);
        let over = visited(&mut fs, |path| match path.name() {
            Some(b"b") => Next::Over,
            _ => Next::Into,
        });
        assert_eq!(over, ["/", "/a", "/b", "/c", "/c/d"]);
        let stopped = visited(&mut fs, |path| match path.name() {
            Some(b"c") => Next::Stop,
            _ => Next::Into,
        });
        assert_eq!(stopped, ["/", "/a", "/b", "/b/c"]);
    }

    #[test]
    fn a_tree_is_removed_with_all_below() {
        let mut fs = guest();
        let root = fs.root();
        assert_eq!(remove_tree(&mut fs, root, b"b").unwrap(), 4);
        assert_eq!(visited(&mut fs, |_| Next::Into), ["/", "/a", "/c", "/c/d"]);
        assert!(matches!(
            remove_tree(&mut fs, root, b"b"),
            Err(Error::NotFound)
        ));
    }

    #[test]
    fn a_tree_too_deep_ends() {
        let mut fs = Memory::new();
        let mut at = fs.root();
        let new = crate::NewFile {
            kind: crate::NewKind::Directory,
            permissions: 0o755,
            uid: 0,
            gid: 0,
        };
        for _ in 0..=DEPTH {
            at = fs.create(at, b"d", &new).unwrap();
        }
        let root = fs.root();
        let seen = visit(&mut fs, root, &mut |_, _| Ok(Next::Into));
        assert!(matches!(seen, Err(Error::Corrupt(_))));
        let removed = remove_tree(&mut fs, root, b"d");
        assert!(matches!(removed, Err(Error::Corrupt(_))));
    }
}
