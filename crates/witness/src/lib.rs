//! A second reader of ext2, ext3 and ext4, which shares nothing with `christen-ext4`: what that one wrote is proven by what this one
//! finds.
//!
//! Two readers stand behind it: the crate `ext4-view`, which is another author's, for content, permissions and owners; and
//! [`plain`](self), a small one of our own, for extended attributes, which `ext4-view` does not read, and for filesystems that it
//! refuses. Each answer names who gave it.
//!
//! It knows no other crate of ours on purpose. Nothing here writes, and no path goes through a link.

mod error;
mod plain;
mod source;
mod view;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use error::{Error, Result};
pub use source::Source;

use plain::Plain;
use view::View;

/// Who read something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reader {
    /// The crate `ext4-view`.
    Ext4View,
    /// The reader in this crate.
    Plain,
    /// The kernel of this host, for what is no image.
    Kernel,
}

impl Reader {
    /// Returns the name, as messages and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ext4View => "ext4-view",
            Self::Plain => "christen-witness",
            Self::Kernel => "the kernel",
        }
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    SymbolicLink,
    /// A device, a pipe or a socket.
    Special,
}

/// What was found at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Who read it.
    pub reader: Reader,
    /// What it is.
    pub kind: Kind,
    /// The permission bits, at most `0o7777`.
    pub permissions: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The length in bytes of the content of a regular file; 0 of all else.
    pub size: u64,
    /// The SHA-256 of the content of a regular file, if it was asked for.
    pub hash: Option<[u8; 32]>,
    /// The target of a symbolic link.
    pub target: Option<Vec<u8>>,
}

/// A filesystem in the eyes of a reader that did not write it.
#[derive(Debug)]
pub struct Witness {
    view: Option<View>,
    plain: Plain,
}

impl Witness {
    /// Opens a filesystem, whose first byte is the source's.
    ///
    /// # Errors
    ///
    /// [`Error::NoFilesystem`], [`Error::Unsupported`] for what neither reader knows, [`Error::Io`] and [`Error::Corrupt`].
    pub fn open(source: Arc<dyn Source>) -> Result<Self> {
        let plain = Plain::open(Arc::clone(&source))?;
        Ok(Self {
            view: View::open(source)?,
            plain,
        })
    }

    /// Returns who is asked first.
    pub fn first_reader(&self) -> Reader {
        match self.view {
            Some(_) => Reader::Ext4View,
            None => Reader::Plain,
        }
    }

    /// Returns what stands at the end of the names, none of which may be a link; `None` if nothing does. The content of a
    /// regular file is hashed if it has as many bytes as `size`: of another length it is other content, however long it may claim to be.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Corrupt`].
    pub fn look(&mut self, names: &[&[u8]], size: Option<u64>) -> Result<Option<Seen>> {
        if let Some(view) = &self.view {
            // `None`: it has no judgement, which is not that there is no file.
            if let Some(seen) = view.look(names, size)? {
                return Ok(seen);
            }
        }
        self.plain.look(names, size)
    }

    /// Returns the value of an extended attribute as it stands in the filesystem, which is what Linux gives to a program for all but access
    /// control lists.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Corrupt`].
    pub fn attribute(&mut self, names: &[&[u8]], name: &[u8]) -> Result<Option<Vec<u8>>> {
        self.plain.attribute(names, name)
    }
}
