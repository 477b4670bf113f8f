//! What an injection changes: the state before, and the state that was meant.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

use christen_vfs::tree::ContentHash;
use christen_vfs::{GuestPath, Kind};
use sha2::{Digest, Sha256};

use crate::{Item, Secrecy};

/// A place that an injection has looked after: it was changed, or found to be right already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The place, links resolved.
    pub path: GuestPath,
    /// What it was looked after for, in order, each once.
    pub items: Vec<Item>,
    /// Whether its content may be shown.
    pub secrecy: Secrecy,
    /// What was there; `None` for nothing.
    pub before: Option<State>,
    /// What is meant to be there; `None` for nothing.
    pub after: Option<State>,
}

impl Change {
    /// Whether something is to be changed at all.
    pub fn is_change(&self) -> bool {
        self.before != self.after
    }
}

/// What is, or is meant to be, at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// What it is.
    pub kind: Kind,
    /// The permission bits, at most `0o7777`.
    pub permissions: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The content of a regular file; `None` where it was neither read nor written.
    pub content: Option<Content>,
    /// The target of a symbolic link.
    pub target: Option<Vec<u8>>,
    /// The extended attributes that were set; `None` as a value says that there is to be none.
    pub attributes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

/// The content of a file: its hash, and the bytes themselves if they are few.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// The length in bytes.
    pub size: u64,
    /// The hash of all bytes.
    pub hash: ContentHash,
    /// The bytes, of a file that is small enough to be shown as a diff.
    pub bytes: Option<Vec<u8>>,
}

impl Content {
    /// Files of more bytes are kept as a hash only.
    const KEPT_BYTES: usize = 256 << 10;

    /// Takes content that is at hand.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            size: bytes.len() as u64,
            hash: ContentHash::of(bytes),
            bytes: (bytes.len() <= Self::KEPT_BYTES).then(|| bytes.to_vec()),
        }
    }
}

impl fmt::Debug for Content {
    /// The bytes may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Content")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// A reader that keeps the length and the hash of what goes through it.
pub(crate) struct Hashed<R> {
    inner: R,
    size: u64,
    hash: Sha256,
}

impl<R: Read> Hashed<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            size: 0,
            hash: Sha256::new(),
        }
    }

    pub(crate) fn finish(self) -> Content {
        Content {
            size: self.size,
            hash: ContentHash::from_bytes(self.hash.finalize().into()),
            bytes: None,
        }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }
}
