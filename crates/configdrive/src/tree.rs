//! What goes on a drive: directories, files and symbolic links.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use crate::{Error, Timestamp};

/// The longest name of one entry, in bytes: `NAME_MAX` of Linux, so that a drive can be copied into a filesystem.
pub const MAX_NAME_BYTES: usize = 255;
/// The longest target of a symbolic link, in bytes: Linux reads no more than a page less its final zero
/// (`fs/isofs/rock.c`, `rock_ridge_symlink_read_folio`).
pub const MAX_TARGET_BYTES: usize = 4095;
/// The most entries in a tree: ten times what the cost is promised for, and safely within 32 bits.
pub const MAX_ENTRIES: usize = 1 << 24;
/// Directories with more children than this are indexed; below it a look along the list is faster.
const INDEX_ABOVE: usize = 12;

/// Opens a stream anew, from its beginning.
pub type Opener = Box<dyn Fn() -> io::Result<Box<dyn Read>> + Send + Sync>;

/// The content of a file.
pub enum Content {
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// Bytes in memory that somebody else has too.
    Shared(Arc<[u8]>),
    /// A file of the host, opened when its turn comes and copied by the kernel where it can.
    File {
        /// Where it is.
        path: PathBuf,
        /// Its length in bytes. A file that has another length when it is read is an error.
        length: u64,
    },
    /// A stream, opened when its turn comes.
    Stream {
        /// Its length in bytes. A stream that turns out to be of another length is an error.
        length: u64,
        /// Opens it.
        open: Opener,
    },
}

impl Content {
    /// Returns the length in bytes.
    #[allow(
        clippy::len_without_is_empty,
        reason = "an announced length, not a collection"
    )]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Shared(bytes) => bytes.len() as u64,
            Self::File { length, .. } | Self::Stream { length, .. } => *length,
        }
    }
}

impl fmt::Debug for Content {
    /// Shows the length only: content may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Content({} bytes)", self.len())
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Arc<[u8]>> for Content {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self::Shared(bytes)
    }
}

/// Mode, owner and time of an entry, for formats that keep them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits with set-id and sticky bits: the low twelve bits of `st_mode`.
    pub mode: u16,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Time of last change; the image's own time when absent.
    pub modified: Option<Timestamp>,
}

/// What Nova's drive has for directories: mode 0555, owner and group 0.
const DIRECTORY_ATTRIBUTES: Attributes = Attributes {
    mode: 0o555,
    uid: 0,
    gid: 0,
    modified: None,
};
const FILE_ATTRIBUTES: Attributes = Attributes {
    mode: 0o444,
    ..DIRECTORY_ATTRIBUTES
};

/// Names one entry of one tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u32);

impl EntryId {
    /// The root of every tree.
    pub const ROOT: Self = Self(0);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What an entry is.
#[derive(Debug)]
#[non_exhaustive]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File(Content),
    /// A symbolic link, with its target as it will be stored.
    Symlink(Box<str>),
}

#[derive(Debug)]
struct Node {
    parent: EntryId,
    /// Number of parts in the path; 0 for the root.
    depth: u32,
    name: Arc<str>,
    attributes: Attributes,
    kind: Kind,
    /// In the order of their adding; empty unless this is a directory.
    children: Vec<EntryId>,
}

/// What goes on a drive: directories, files and symbolic links, in the order in which they were added.
///
/// Names are UTF-8 of at most [`MAX_NAME_BYTES`] bytes without zeros and slashes; paths have neither a leading slash
/// nor `.` or `..` in them. Adding and finding an entry take time in proportion to its path alone.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    /// For each large directory, its children by name.
    indexes: HashMap<EntryId, HashMap<Arc<str>, EntryId>>,
    deepest_directory: u32,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// Returns a tree with nothing in it but its root.
    pub fn new() -> Self {
        let root = Node {
            parent: EntryId::ROOT,
            depth: 0,
            name: Arc::from(""),
            attributes: DIRECTORY_ATTRIBUTES,
            kind: Kind::Directory,
            children: Vec::new(),
        };
        Self {
            nodes: vec![root],
            indexes: HashMap::new(),
            deepest_directory: 0,
        }
    }

    /// Adds a file, and the directories above it that are not there yet.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidPath`]; [`Error::Occupied`] when there is an entry of this path, or a file where a directory is
    /// needed.
    pub fn add_file(&mut self, path: &str, content: impl Into<Content>) -> Result<EntryId, Error> {
        self.add(path, FILE_ATTRIBUTES, Kind::File(content.into()))
    }

    /// Adds a directory, and those above it that are not there yet; one that is there already is fine.
    ///
    /// # Errors
    ///
    /// As [`Tree::add_file`].
    pub fn add_directory(&mut self, path: &str) -> Result<EntryId, Error> {
        check_path(path)?;
        self.directories(path, path)
    }

    /// Adds a symbolic link, and the directories above it that are not there yet. The target is stored as it is.
    ///
    /// # Errors
    ///
    /// As [`Tree::add_file`]; also [`Error::InvalidPath`] when the target is empty, has a zero in it or is longer than
    /// [`MAX_TARGET_BYTES`].
    pub fn add_symlink(&mut self, path: &str, target: &str) -> Result<EntryId, Error> {
        let rule = if target.is_empty() {
            Some("a link needs a target")
        } else if target.contains('\0') {
            Some("its target has a zero byte in it")
        } else if target.len() > MAX_TARGET_BYTES {
            Some("its target is longer than 4095 bytes")
        } else {
            None
        };
        if let Some(rule) = rule {
            return Err(Error::InvalidPath {
                path: path.to_owned(),
                rule,
            });
        }
        let attributes = Attributes {
            mode: 0o777,
            ..FILE_ATTRIBUTES
        };
        self.add(path, attributes, Kind::Symlink(target.into()))
    }

    /// Returns the entry of a path; the root for an empty one.
    pub fn find(&self, path: &str) -> Option<EntryId> {
        if path.is_empty() {
            return Some(EntryId::ROOT);
        }
        path.split('/')
            .try_fold(EntryId::ROOT, |parent, name| self.child(parent, name))
    }

    /// Returns the number of entries without the root.
    pub fn len(&self) -> usize {
        self.nodes.len() - 1
    }

    /// Returns whether there is nothing but the root.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns every entry but the root in the order of adding; a directory comes before what is in it.
    pub fn entries(&self) -> impl Iterator<Item = EntryId> + '_ {
        (1..self.nodes.len() as u32).map(EntryId)
    }

    /// Returns an entry's name, without the directories above it.
    pub fn name(&self, entry: EntryId) -> &str {
        &self.node(entry).name
    }

    /// Returns an entry's path from the root; empty for the root.
    pub fn path(&self, entry: EntryId) -> String {
        let mut parts = Vec::new();
        let mut at = entry;
        while at != EntryId::ROOT {
            parts.push(self.name(at));
            at = self.parent(at);
        }
        parts.reverse();
        parts.join("/")
    }

    /// Returns the directory that an entry is in; the root is in itself.
    pub fn parent(&self, entry: EntryId) -> EntryId {
        self.node(entry).parent
    }

    /// Returns what is in a directory, in the order of adding.
    pub fn children(&self, entry: EntryId) -> &[EntryId] {
        &self.node(entry).children
    }

    /// Returns what an entry is.
    pub fn kind(&self, entry: EntryId) -> &Kind {
        &self.node(entry).kind
    }

    /// Returns whether an entry is a directory.
    pub fn is_directory(&self, entry: EntryId) -> bool {
        matches!(self.kind(entry), Kind::Directory)
    }

    /// Returns an entry's mode, owner and time.
    pub fn attributes(&self, entry: EntryId) -> Attributes {
        self.node(entry).attributes
    }

    /// Sets an entry's mode, owner and time; without it directories have 0555, files 0444, links 0777, owner and
    /// group 0 and the image's time.
    pub fn set_attributes(&mut self, entry: EntryId, attributes: Attributes) {
        self.nodes[entry.index()].attributes = attributes;
    }

    /// Returns the number of parts in the path of the deepest directory.
    pub(crate) fn deepest_directory(&self) -> u32 {
        self.deepest_directory
    }

    /// Returns the number of parts in an entry's path.
    pub(crate) fn depth(&self, entry: EntryId) -> u32 {
        self.node(entry).depth
    }

    /// Returns the entry in a directory that has a name.
    pub(crate) fn child(&self, parent: EntryId, name: &str) -> Option<EntryId> {
        let children = &self.node(parent).children;
        if children.len() > INDEX_ABOVE {
            return self.indexes.get(&parent)?.get(name).copied();
        }
        children
            .iter()
            .copied()
            .find(|child| self.name(*child) == name)
    }

    fn node(&self, entry: EntryId) -> &Node {
        &self.nodes[entry.index()]
    }

    fn add(&mut self, path: &str, attributes: Attributes, kind: Kind) -> Result<EntryId, Error> {
        check_path(path)?;
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.directories(above, path)?;
        if self.child(parent, name).is_some() {
            return Err(Error::Occupied {
                path: path.to_owned(),
            });
        }
        self.push(parent, name, attributes, kind, path)
    }

    /// Finds or makes a chain of directories. `whole` is the path to speak of.
    fn directories(&mut self, path: &str, whole: &str) -> Result<EntryId, Error> {
        let mut at = EntryId::ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at = match self.child(at, name) {
                Some(entry) if self.is_directory(entry) => entry,
                Some(entry) => {
                    return Err(Error::Occupied {
                        path: self.path(entry),
                    });
                }
                None => self.push(at, name, DIRECTORY_ATTRIBUTES, Kind::Directory, whole)?,
            };
        }
        Ok(at)
    }

    fn push(
        &mut self,
        parent: EntryId,
        name: &str,
        attributes: Attributes,
        kind: Kind,
        whole: &str,
    ) -> Result<EntryId, Error> {
        if self.nodes.len() > MAX_ENTRIES {
            return Err(Error::InvalidPath {
                path: whole.to_owned(),
                rule: "the tree is full",
            });
        }
        let entry = EntryId(self.nodes.len() as u32);
        let name: Arc<str> = Arc::from(name);
        let depth = self.depth(parent) + 1;
        if matches!(kind, Kind::Directory) {
            self.deepest_directory = self.deepest_directory.max(depth);
        }
        self.nodes.push(Node {
            parent,
            depth,
            name: name.clone(),
            attributes,
            kind,
            children: Vec::new(),
        });
        let children = &mut self.nodes[parent.index()].children;
        children.push(entry);
        if children.len() == INDEX_ABOVE + 1 {
            let index = self.nodes[parent.index()]
                .children
                .iter()
                .map(|child| (self.nodes[child.index()].name.clone(), *child))
                .collect();
            self.indexes.insert(parent, index);
        } else if let Some(index) = self.indexes.get_mut(&parent) {
            index.insert(name, entry);
        }
        Ok(entry)
    }
}

fn check_path(path: &str) -> Result<(), Error> {
    let rule = path.split('/').find_map(|name| match name {
        "" => Some("a part of it is empty"),
        "." | ".." => Some("a part of it is `.` or `..`"),
        _ if name.len() > MAX_NAME_BYTES => Some("a part of it is longer than 255 bytes"),
        _ if name.contains('\0') => Some("it has a zero byte in it"),
        _ => None,
    });
    match rule {
        None => Ok(()),
        Some(rule) => Err(Error::InvalidPath {
            path: path.to_owned(),
            rule,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(paths: &[&str], expected: Option<&str>) {
        let mut tree = Tree::new();
        let mut last = Ok(EntryId::ROOT);
        for path in paths {
            last = match path.strip_suffix('/') {
                Some(directory) => tree.add_directory(directory),
                None => tree.add_file(path, Vec::new()),
            };
        }
        assert_eq!(
            last.as_ref().err().map(ToString::to_string).as_deref(),
            expected,
            "{paths:?}"
        );
        if let Ok(entry) = last {
            let path = paths[paths.len() - 1].trim_end_matches('/');
            assert_eq!(tree.path(entry), path);
            assert_eq!(tree.find(path), Some(entry));
        }
    }

    #[test]
    fn paths_are_checked() {
        check(&["a/b/c"], None);
        check(&["a/", "a/b", "a/"], None);
        check(&["a", "a"], Some("`a` is in the tree already"));
        check(&["a", "a/b/c"], Some("`a` is in the tree already"));
        check(&["a/b", "a"], Some("`a` is in the tree already"));
        for (path, rule) in [
            ("", "a part of it is empty"),
            ("/a", "a part of it is empty"),
            ("a//b", "a part of it is empty"),
            ("a/../b", "a part of it is `.` or `..`"),
            ("a\0b", "it has a zero byte in it"),
            (&"x".repeat(256), "a part of it is longer than 255 bytes"),
        ] {
            check(
                &[path],
                Some(&format!("`{path}` cannot be a path on a drive: {rule}")),
            );
        }
    }

    #[test]
    fn large_directories_find_every_child() {
        let mut tree = Tree::new();
        for number in 0..50 {
            tree.add_file(&format!("d/{number}"), Vec::new()).unwrap();
            for earlier in 0..=number {
                let path = format!("d/{earlier}");
                assert_eq!(
                    tree.find(&path).map(|entry| tree.path(entry)),
                    Some(path),
                    "after {number}"
                );
            }
            assert_eq!(tree.find("d/50"), None);
        }
    }

    #[test]
    fn content_is_not_shown() {
        let content = Content::from(b"secret".to_vec());
        assert_eq!(format!("{content:?}"), "Content(6 bytes)");
    }
}
