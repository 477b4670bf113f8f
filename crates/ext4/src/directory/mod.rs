//! Directories: entries in blocks, the hashed index, and directories that stand in their inode.
//!
//! [`Directory`] works on the blocks of one directory, which it reaches through [`DirectoryBlocks`]; it knows neither inodes nor
//! how blocks are allocated. Whoever calls it keeps the inode: the length after [`DirectoryBlocks::append`], the link counts, and
//! the index flag as [`IndexFlag`] says.
//!
//! | file | what it is |
//! |---|---|
//! | `entry` | entries in a region of bytes: parsed, found, placed, removed |
//! | `checksum` | the checksums of leaves and of index blocks |
//! | `linear` | directories without an index |
//! | `known` | what is remembered of the last of those |
//! | `hash` | the hashes of names |
//! | `index` | the blocks of an index |
//! | `inline` | directories that stand in their inode |
//! | `tree` | directories with an index |
//! | `split` | a leaf in two halves |

mod checksum;
mod damage;
mod entry;
pub(crate) mod hash;
mod index;
pub(crate) mod inline;
#[cfg(test)]
mod judge;
mod known;
mod linear;
#[cfg(test)]
mod memory;
mod split;
mod tree;

use std::ops::ControlFlow;

use christen_vfs::Error;

use damage::Damage;
use entry::Layout;
pub(crate) use known::KnownNames;

/// The most bytes that a name has: `EXT4_NAME_LEN`, Linux `fs/ext4/ext4.h`.
pub(crate) const NAME_BYTES: usize = 255;

/// What a new entry says its file is: `EXT4_FT_*`, Linux `Documentation/filesystems/ext4/directory.rst`, "File type".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FileType {
    /// Not told, as in filesystems without the `filetype` feature.
    Unknown = 0,
    /// A regular file.
    File = 1,
    /// A directory.
    Directory = 2,
    /// A character device.
    CharacterDevice = 3,
    /// A block device.
    BlockDevice = 4,
    /// A named pipe.
    Fifo = 5,
    /// A socket.
    Socket = 6,
    /// A symbolic link.
    SymbolicLink = 7,
}

/// The blocks of one directory, by their number in the directory.
pub(crate) trait DirectoryBlocks {
    /// Returns the size of a block in bytes.
    fn block_bytes(&self) -> usize;

    /// Returns how many blocks there are: the directory's length divided by the size of a block.
    fn block_count(&self) -> u32;

    /// Fills `buffer`, which has the size of a block. A hole is [`Error::Corrupt`].
    fn read(&mut self, block: u32, buffer: &mut [u8]) -> Result<(), Error>;

    /// Writes a whole block.
    fn write(&mut self, block: u32, bytes: &[u8]) -> Result<(), Error>;

    /// Makes the directory one block longer and returns the number of the new block, which is then written before anything else is
    /// done. On [`Error::NoSpace`] nothing has changed.
    fn append(&mut self) -> Result<u32, Error>;

    /// Returns what is remembered of the directory without an index that was used last. Whoever keeps it forgets it when changes are taken
    /// back, and when blocks with entries are written by any other way than a [`Directory`].
    fn known_names(&mut self) -> &mut KnownNames;
}

/// What is to be known of a directory and its filesystem besides its blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DirectoryContext {
    /// The directory's own inode number.
    pub(crate) inode: u32,
    /// The number of inodes of the filesystem: entries with higher numbers are damage.
    pub(crate) inodes: u32,
    /// With `metadata_csum`, the CRC-32C state (not inverted at the end) over the filesystem's seed, the inode's number and its generation.
    pub(crate) checksum_seed: Option<u32>,
    /// Whether entries tell file types: the `filetype` feature.
    pub(crate) file_types: bool,
    /// Whether directories may have an index: the `dir_index` feature.
    pub(crate) dir_index: bool,
    /// Whether an index may have three levels: the `large_dir` feature.
    pub(crate) large_dir: bool,
    /// Whether this directory has an index: `EXT4_INDEX_FL` in its inode.
    pub(crate) indexed: bool,
    /// Whether this directory ignores case: `EXT4_CASEFOLD_FL` in its inode. Names are then found by their exact bytes, and none is inserted.
    pub(crate) casefold: bool,
    /// Whether names of this directory are encrypted: `EXT4_ENCRYPT_FL` in its inode. None is inserted.
    pub(crate) encrypted: bool,
    /// `s_hash_seed`.
    pub(crate) hash_seed: [u32; 4],
    /// `s_def_hash_version`, for directories that get an index.
    pub(crate) hash_version: u8,
    /// Whether hashes take bytes as unsigned: `s_flags` has `EXT2_FLAGS_UNSIGNED_HASH`.
    pub(crate) hash_unsigned: bool,
}

impl DirectoryContext {
    /// Whether the index is to be used: as `is_dx` in Linux `fs/ext4/ext4.h`.
    fn uses_index(&self) -> bool {
        self.indexed && self.dir_index
    }

    /// Returns what an entry says of a file.
    fn target(&self, inode: u32, file_type: FileType) -> Target {
        Target {
            inode,
            file_type: if self.file_types { file_type as u8 } else { 0 },
        }
    }

    /// Refuses what no entry is added to, or no entry can be named.
    fn check_insertion(&self, name: &[u8]) -> Result<(), Error> {
        check_name(name)?;
        if self.casefold {
            return Err(unsupported("new names in directories that ignore case are"));
        }
        if self.encrypted {
            return Err(unsupported("new names in encrypted directories are"));
        }
        Ok(())
    }

    /// Returns where the entries of a leaf end.
    fn entries_end(&self, block_bytes: usize) -> usize {
        match self.checksum_seed {
            Some(_) => block_bytes - checksum::LEAF_TAIL_BYTES,
            None => block_bytes,
        }
    }

    /// Writes the checksum of a leaf, where there is one.
    fn seal_leaf(&self, bytes: &mut [u8]) {
        if let Some(seed) = self.checksum_seed {
            checksum::seal_leaf(seed, bytes);
        }
    }

    fn layout(&self, block_bytes: usize) -> Layout {
        Layout {
            block_bytes,
            inodes: self.inodes,
            file_types: self.file_types,
        }
    }
}

/// What an entry names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// The inode's number, from 1 to the number of inodes.
    pub(crate) inode: u32,
    /// What the entry says that it is, as stored; 0 where entries do not tell.
    pub(crate) file_type: u8,
}

/// What has become of `EXT4_INDEX_FL`; the caller sets the inode's flag to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum IndexFlag {
    /// It stays as it was.
    Unchanged,
    /// The directory has an index now.
    Set,
    /// The index is no more: the filesystem lacks `dir_index` and the directory was changed.
    Cleared,
}

/// A directory in blocks.
#[derive(Debug)]
pub(crate) struct Directory<'a, B> {
    context: DirectoryContext,
    layout: Layout,
    blocks: &'a mut B,
}

impl<'a, B: DirectoryBlocks> Directory<'a, B> {
    /// Looks at the blocks of a directory; nothing is read yet.
    pub(crate) fn new(context: DirectoryContext, blocks: &'a mut B) -> Self {
        let layout = context.layout(blocks.block_bytes());
        Self {
            context,
            layout,
            blocks,
        }
    }

    /// Finds an entry; `.` and `..` are found too.
    pub(crate) fn lookup(&mut self, name: &[u8]) -> Result<Option<Target>, Error> {
        Ok(self.find(name)?.map(|found| found.target()))
    }

    /// Adds an entry. [`Error::Exists`] if the name is there already: no lookup is needed before.
    ///
    /// On [`Error::NoSpace`] the directory has the same entries as before; the index may have become roomier.
    pub(crate) fn insert(
        &mut self,
        name: &[u8],
        inode: u32,
        file_type: FileType,
    ) -> Result<IndexFlag, Error> {
        self.context.check_insertion(name)?;
        let target = self.context.target(inode, file_type);
        if self.context.uses_index() {
            self.indexed_insert(name, target)?;
            Ok(IndexFlag::Unchanged)
        } else {
            self.linear_insert(name, target)
        }
    }

    /// Removes an entry and returns what it named; [`Error::NotFound`] without one.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Result<Target, Error> {
        check_name(name)?;
        let mut found = self.find(name)?.ok_or(Error::NotFound)?;
        let target = found.target();
        entry::remove(
            self.layout,
            &mut found.bytes,
            found.slot.offset(),
            found.previous,
        );
        self.write_changed_leaf(found.block, &mut found.bytes, None)?;
        Ok(target)
    }

    /// Lets an entry name something else and returns what it named; [`Error::NotFound`] without one.
    pub(crate) fn set_target(
        &mut self,
        name: &[u8],
        inode: u32,
        file_type: FileType,
    ) -> Result<Target, Error> {
        check_name(name)?;
        let mut found = self.find(name)?.ok_or(Error::NotFound)?;
        let new = self.context.target(inode, file_type);
        entry::set_target(&mut found.bytes, found.slot.offset(), new);
        let old = found.target();
        self.write_leaf(found.block, &mut found.bytes)?;
        Ok(old)
    }

    /// Returns the inode number that `..` names.
    pub(crate) fn parent(&mut self) -> Result<u32, Error> {
        let (_, slot) = self.parent_slot()?;
        Ok(slot.inode())
    }

    /// Lets `..` name another directory.
    pub(crate) fn set_parent(&mut self, inode: u32) -> Result<(), Error> {
        let target = self.context.target(inode, FileType::Directory);
        if self.context.uses_index() {
            let mut root = self.read_root()?;
            root.set_parent(target);
            return self.write_index(&mut root);
        }
        let (mut bytes, slot) = self.parent_slot()?;
        entry::set_target(&mut bytes, slot.offset(), target);
        self.write_leaf(0, &mut bytes)
    }

    /// Tells whether there is nothing but `.` and `..`.
    pub(crate) fn is_empty(&mut self) -> Result<bool, Error> {
        let mut empty = true;
        self.list(&mut |_, _| {
            empty = false;
            ControlFlow::Break(())
        })?;
        Ok(empty)
    }

    /// Visits the entries without `.` and `..`, block by block, until `visit` breaks.
    pub(crate) fn list(
        &mut self,
        visit: &mut dyn FnMut(&[u8], Target) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut bytes = vec![0; self.layout.block_bytes];
        for block in 0..self.blocks.block_count() {
            let end = self.read_any(block, &mut bytes)?;
            if visit_region(
                self.layout,
                &bytes[..end],
                |damage| self.damage(block, damage),
                visit,
            )?
            .is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// Finds an entry and the block in which it stands.
    fn find(&mut self, name: &[u8]) -> Result<Option<linear::Found>, Error> {
        let dots = matches!(name, b"." | b"..");
        if self.context.uses_index() && !self.context.casefold && !self.context.encrypted && !dots {
            self.indexed_find(name)
        } else {
            self.linear_find(name)
        }
    }

    /// Reads a block of whichever sort and returns where its entries end: to whoever does not know of the index, its blocks are
    /// leaves with `.` and `..` or with nothing.
    fn read_any(&mut self, block: u32, bytes: &mut Vec<u8>) -> Result<usize, Error> {
        if self.context.uses_index() {
            if block == 0 {
                *bytes = self.read_root()?.bytes;
                return Ok(bytes.len());
            }
            self.blocks.read(block, bytes)?;
            let checksums = self.context.checksum_seed.is_some();
            if entry::is_fake(self.layout, bytes) {
                // A leaf with a checksum never fills its block.
                if checksums || index::is_node(self.layout, bytes, checksums) {
                    *bytes = self.read_node(block)?.bytes;
                }
                return Ok(bytes.len());
            }
            self.check_leaf(block, bytes)?;
        } else {
            self.read_leaf(block, bytes)?;
        }
        Ok(self.entries_end())
    }

    fn parent_slot(&mut self) -> Result<(Vec<u8>, entry::Slot), Error> {
        let mut bytes = vec![0; self.layout.block_bytes];
        if self.blocks.block_count() == 0 {
            return Err(self.damage(0, entry::Broken::new(0, "the directory has no block")));
        }
        let end = self.read_any(0, &mut bytes)?;
        let slot =
            entry::dot_dot(self.layout, &bytes[..end]).map_err(|broken| self.damage(0, broken))?;
        Ok((bytes, slot))
    }

    fn damage(&self, block: u32, broken: entry::Broken) -> Error {
        Damage::in_block(self.context.inode, block, broken).into()
    }
}

/// Returns the first block of a new directory: `.` and `..`, nothing else. Linux `fs/ext4/namei.c`, `ext4_init_new_dir`.
pub(crate) fn first_block(context: &DirectoryContext, block_bytes: usize, parent: u32) -> Vec<u8> {
    let layout = context.layout(block_bytes);
    let target = |inode| context.target(inode, FileType::Directory);
    let mut bytes = vec![0; block_bytes];
    let dot_bytes = entry::entry_bytes(1);
    entry::put(
        layout,
        &mut bytes,
        0,
        dot_bytes,
        b".",
        target(context.inode),
    );
    let left = context.entries_end(block_bytes) - dot_bytes;
    entry::put(layout, &mut bytes, dot_bytes, left, b"..", target(parent));
    context.seal_leaf(&mut bytes);
    bytes
}

/// Visits the entries of a region without `.` and `..`.
fn visit_region(
    layout: Layout,
    region: &[u8],
    damage: impl Fn(entry::Broken) -> Error,
    visit: &mut dyn FnMut(&[u8], Target) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Error> {
    for slot in entry::slots(layout, region) {
        let slot = slot.map_err(&damage)?;
        let name = slot.name(region);
        if slot.inode() == 0 || name == b"." || name == b".." {
            continue;
        }
        if name.is_empty() || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
            return Err(damage(entry::Broken::new(
                slot.offset(),
                "the name is empty or has a `/` or a NUL",
            )));
        }
        if visit(name, slot.target()).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn check_name(name: &[u8]) -> Result<(), Error> {
    if name.len() > NAME_BYTES {
        return Err(Error::NameTooLong);
    }
    if matches!(name, b"" | b"." | b"..") || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
        return Err(Error::InvalidName);
    }
    Ok(())
}

fn unsupported(what: &str) -> Error {
    Error::Unsupported(Box::new(christen_block::Unsupported::new(what)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::memory::{MemoryBlocks, context, open};
    use super::*;

    fn list(context: &DirectoryContext, blocks: &mut MemoryBlocks) -> BTreeMap<Vec<u8>, Target> {
        let mut entries = BTreeMap::new();
        open(context, blocks)
            .list(&mut |name, target| {
                assert_eq!(entries.insert(name.to_vec(), target), None);
                ControlFlow::Continue(())
            })
            .unwrap();
        entries
    }

    #[test]
    fn a_linear_directory_holds_what_was_inserted() {
        for seed in [None, Some(7)] {
            let context = DirectoryContext {
                checksum_seed: seed,
                dir_index: false,
                ..context()
            };
            let mut blocks = MemoryBlocks::new(&context, 1024);
            assert!(open(&context, &mut blocks).is_empty().unwrap());
            let mut expected = BTreeMap::new();
            for number in 0..200_u32 {
                let name = format!("file{number}").into_bytes();
                let mut directory = open(&context, &mut blocks);
                let flag = directory
                    .insert(&name, 12 + number, FileType::File)
                    .unwrap();
                assert_eq!(flag, IndexFlag::Unchanged);
                assert!(matches!(
                    directory.insert(&name, 12, FileType::File),
                    Err(Error::Exists)
                ));
                let target = Target {
                    inode: 12 + number,
                    file_type: 1,
                };
                expected.insert(name, target);
            }
            for number in (0..200_u32).step_by(3) {
                let name = format!("file{number}").into_bytes();
                let removed = open(&context, &mut blocks).remove(&name).unwrap();
                assert_eq!(expected.remove(&name), Some(removed));
            }
            assert_eq!(list(&context, &mut blocks), expected);
            let before = blocks.blocks.len();
            for number in (0..200_u32).step_by(3) {
                let name = format!("FILE{number}").into_bytes();
                let mut directory = open(&context, &mut blocks);
                assert_eq!(directory.lookup(&name).unwrap(), None);
                let _ = directory.insert(&name, 500, FileType::Fifo).unwrap();
                assert_eq!(directory.lookup(&name).unwrap().unwrap().file_type, 5);
            }
            assert_eq!(blocks.blocks.len(), before, "the room was not used again");
            let mut directory = open(&context, &mut blocks);
            let old = directory
                .set_target(b"file1", 99, FileType::Directory)
                .unwrap();
            assert_eq!(old.inode, 13);
            assert_eq!(directory.lookup(b"file1").unwrap().unwrap().inode, 99);
            assert_eq!(directory.parent().unwrap(), 2);
            directory.set_parent(77).unwrap();
            assert_eq!(directory.lookup(b"..").unwrap().unwrap().inode, 77);
            assert!(!directory.is_empty().unwrap());
        }
    }

    #[test]
    fn names_that_are_none_are_refused() {
        let context = context();
        let mut blocks = MemoryBlocks::new(&context, 1024);
        let mut directory = open(&context, &mut blocks);
        for name in [&b""[..], b".", b"..", b"a/b", b"a\0"] {
            assert!(matches!(
                directory.insert(name, 12, FileType::File),
                Err(Error::InvalidName)
            ));
        }
        assert!(matches!(
            directory.insert(&[b'a'; 256], 12, FileType::File),
            Err(Error::NameTooLong)
        ));
        assert!(matches!(directory.remove(b"a"), Err(Error::NotFound)));
    }

    #[test]
    fn a_full_filesystem_leaves_the_directory_as_it_was() {
        let context = DirectoryContext {
            dir_index: false,
            ..context()
        };
        let mut blocks = MemoryBlocks::new(&context, 1024);
        blocks.limit = 1;
        let mut number = 0_u32;
        let before = loop {
            let before = blocks.blocks.clone();
            let name = format!("name{number}").into_bytes();
            match open(&context, &mut blocks).insert(&name, 12, FileType::File) {
                Ok(_) => number += 1,
                Err(error) => {
                    assert!(matches!(error, Error::NoSpace));
                    break before;
                }
            }
        };
        assert_eq!(blocks.blocks, before);
    }

    #[test]
    fn damage_is_told_with_its_place() {
        let context = context();
        let mut blocks = MemoryBlocks::new(&context, 1024);
        blocks.blocks[0][20] ^= 1;
        let error = open(&context, &mut blocks).lookup(b"a").unwrap_err();
        let Error::Corrupt(cause) = error else {
            panic!("{error:?}")
        };
        assert_eq!(
            cause.to_string(),
            "directory inode 11, block 0, offset 1012: the checksum of the block is wrong"
        );
    }
}
