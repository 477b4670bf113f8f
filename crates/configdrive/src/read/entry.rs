//! What a tree of a drive holds.

use std::borrow::Cow;

use super::drive::View;

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link (Rock Ridge `SL`), with its target as stored.
    Symlink {
        /// The target's bytes.
        target: Vec<u8>,
    },
    /// A device, a pipe or a socket, with the type bits of its POSIX mode. Never on a
    /// config drive, and never extracted.
    Special {
        /// `S_IFMT` bits of the mode.
        type_bits: u32,
    },
}

/// One file or directory as one tree of the drive shows it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Entry {
    /// Path from the root, parts separated by `/`, without a leading slash. The root
    /// itself is not listed. Bytes as stored in Rock Ridge; in the other trees UTF-8, an
    /// unpaired surrogate in its generalised form, so that no two names become one.
    pub path: Vec<u8>,
    /// The last part of the path as it stands on the drive: a plain identifier with its
    /// version, the UCS-2 of Joliet, the eleven characters of a short FAT name.
    pub identifier: Vec<u8>,
    /// What the entry is.
    pub kind: EntryKind,
    /// Permission bits with set-id and sticky bits; `None` where the tree has no modes.
    pub mode: Option<u32>,
    /// Owner; `None` where the tree has no owners.
    pub uid: Option<u32>,
    /// Group; `None` where the tree has no owners.
    pub gid: Option<u32>,
    /// Time of modification in seconds since 1970. FAT stores local time without a zone,
    /// which is taken as UTC.
    pub mtime: Option<i64>,
    /// Length of a file's content in bytes; 0 for what is not a file.
    pub length: u64,
    /// The tree in which this entry was found.
    pub view: View,
    pub(crate) storage: Storage,
}

impl Entry {
    /// Returns the path as text, for messages.
    pub fn path_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.path)
    }

    /// Says whether this is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == EntryKind::File
    }

    /// Says whether this is a directory.
    pub fn is_directory(&self) -> bool {
        self.kind == EntryKind::Directory
    }

    /// Returns the last part of the path.
    pub fn name(&self) -> &[u8] {
        self.path.rsplit(|byte| *byte == b'/').next().unwrap_or(&[])
    }
}

/// A range of the drive in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Extent {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl Extent {
    pub(crate) fn end(self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// How a file's content stands on the drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Whole, in these ranges one after another.
    Extents(Vec<Extent>),
    /// Compressed (`ZF`); listed, not read.
    Zisofs,
    /// Sparse (`SF`); listed, not read.
    Sparse,
    /// Interleaved with another file; listed, not read.
    Interleaved,
}

/// Orders paths so that a directory stands before what is in it, and that before the
/// directory's next neighbour.
pub(crate) fn tree_order(left: &[u8], right: &[u8]) -> std::cmp::Ordering {
    // The end of a name comes before whatever a longer one goes on with.
    let weight = |byte: &u8| (*byte != b'/').then_some(*byte);
    left.iter().map(weight).cmp(right.iter().map(weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_stands_before_its_content_and_that_before_its_neighbour() {
        let mut paths: Vec<&[u8]> = vec![b"a-b", b"b", b"a\0", b"a/z", b"a"];
        paths.sort_by(|left, right| tree_order(left, right));
        assert_eq!(paths, [&b"a"[..], b"a/z", b"a\0", b"a-b", b"b"]);
    }
}
