//! What a whole tree is, in a form that can be compared.

mod difference;

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

pub use difference::{Aspect, Aspects, Difference, differences};

use crate::error::Result;
use crate::filesystem::{FileId, FileSystem, Kind, Timestamp};
use crate::walk::{Next, visit};
use crate::{Attributes, GuestPath};

/// How much content is read at a time.
const READ_BYTES: usize = 256 << 10;

/// A whole tree: every path from its top, which is `/`, and what is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// The files by path, in the order of the paths' components.
    pub files: BTreeMap<GuestPath, TreeFile>,
}

/// What is known of one file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFile {
    /// What it is.
    pub kind: Kind,
    /// The permission bits, at most `0o7777`.
    pub permissions: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// How many names it has.
    pub links: u32,
    /// The first path of the tree that names the same file, if this is not the first.
    pub same_as: Option<GuestPath>,
    /// The length of the content of a regular file in bytes; 0 of all else, where it is the backend's affair.
    pub size: u64,
    /// The hash of the content of a regular file; `None` if the content was not to be read.
    pub content: Option<ContentHash>,
    /// The target of a symbolic link.
    pub target: Option<Vec<u8>>,
    /// The extended attributes.
    pub attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    /// When it was last read.
    pub accessed: Timestamp,
    /// When its content last changed.
    pub modified: Timestamp,
    /// When its attributes last changed.
    pub changed: Timestamp,
    /// When it was made, if that is kept.
    pub created: Option<Timestamp>,
}

/// The SHA-256 of a file's content: two files of hostile images cannot be made to look the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Returns the hash of some bytes.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// Takes a SHA-256 that was made elsewhere.
    pub const fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// Takes the 64 hexadecimal digits that [`Display`](std::fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        if text.len() != 2 * hash.len() {
            return None;
        }
        for (index, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(hash))
    }

    /// Returns the bytes of the hash.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for ContentHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for byte in self.0 {
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for ContentHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ContentHash({self})")
    }
}

/// How much of a tree is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeOptions {
    /// Files larger than this many bytes have no hash. A hole of many terabytes takes but a few bytes of an image, and hours to read.
    pub content_bytes: u64,
}

impl Tree {
    /// Reads a file and all that is below it.
    ///
    /// # Errors
    ///
    /// As [`visit`].
    pub fn read(fs: &mut dyn FileSystem, top: FileId, options: &TreeOptions) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut first_names = HashMap::new();
        let mut buffer = vec![0; READ_BYTES];
        visit(fs, top, &mut |fs, found| {
            let mut file = TreeFile::read(fs, found.file, &found.attributes)?;
            let has_names = file.kind != Kind::Directory && file.links != 1;
            if let Some((path, content)) = first_names.get(&found.file)
                && has_names
            {
                file.same_as = Some(GuestPath::clone(path));
                file.content = *content;
                files.insert(found.path.clone(), file);
                return Ok(Next::Into);
            }
            if file.kind == Kind::File && file.size <= options.content_bytes {
                file.content = Some(hash(fs, found.file, &mut buffer)?);
            }
            if has_names {
                first_names.insert(found.file, (found.path.clone(), file.content));
            }
            files.insert(found.path.clone(), file);
            Ok(Next::Into)
        })?;
        Ok(Self { files })
    }
}

impl TreeFile {
    /// Reads all that is known of one file but the hash of its content.
    ///
    /// # Errors
    ///
    /// As [`FileSystem::attribute`].
    pub fn read(fs: &mut dyn FileSystem, file: FileId, attributes: &Attributes) -> Result<Self> {
        let target = match attributes.kind {
            Kind::SymbolicLink => Some(fs.read_link(file)?),
            _ => None,
        };
        let mut extended = BTreeMap::new();
        for name in fs.attribute_names(file)? {
            if let Some(value) = fs.attribute(file, &name)? {
                extended.insert(name, value);
            }
        }
        Ok(Self {
            kind: attributes.kind,
            permissions: attributes.permissions,
            uid: attributes.uid,
            gid: attributes.gid,
            links: attributes.links,
            same_as: None,
            size: match attributes.kind {
                Kind::File => attributes.size,
                _ => 0,
            },
            content: None,
            target,
            attributes: extended,
            accessed: attributes.accessed,
            modified: attributes.modified,
            changed: attributes.changed,
            created: attributes.created,
        })
    }
}

fn hash(fs: &mut dyn FileSystem, file: FileId, buffer: &mut [u8]) -> Result<ContentHash> {
    let mut hasher = Sha256::new();
    let mut offset = 0;
    loop {
        let length = fs.read_at(file, buffer, offset)?;
        if length == 0 {
            return Ok(ContentHash(hasher.finalize().into()));
        }
        hasher.update(&buffer[..length]);
        offset += length as u64;
    }
}
