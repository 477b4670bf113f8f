//! Directories as inodes have them: the module `directory` over blocks, or over the inode itself.

use std::ops::ControlFlow;

use christen_vfs as vfs;

use crate::directory::inline::{InlineDirectory, Insertion};
use crate::directory::{
    Directory, DirectoryBlocks, DirectoryContext, FileType, IndexFlag, KnownNames, Target,
    first_block,
};
use crate::error::{Error, Result};
use crate::feature::Feature;
use crate::inode::{
    FLAG_INDEX, FLAG_INLINE_DATA, Inode, MODE_BLOCK, MODE_CHARACTER, MODE_DIRECTORY, MODE_FIFO,
    MODE_FILE, MODE_KIND, MODE_LINK, MODE_SOCKET,
};
use crate::mapping::RunKind;
use crate::number::BlockNumber;
use crate::volume::Volume;

/// `i_flags`: names are encrypted.
const FLAG_ENCRYPT: u32 = 0x800;
/// `i_flags`: names are compared without regard to case.
const FLAG_CASEFOLD: u32 = 0x4000_0000;
/// `s_flags`: hashes of names take bytes as unsigned.
const UNSIGNED_HASH: u32 = 2;

/// The blocks of a directory.
#[derive(Debug)]
struct InodeBlocks<'a> {
    volume: &'a mut Volume,
    inode: &'a mut Inode,
}

impl InodeBlocks<'_> {
    fn place(&mut self, block: u32) -> Result<BlockNumber> {
        let run = self.volume.lookup_run(self.inode, block)?;
        if run.kind != RunKind::Written {
            return Err(Error::corrupt(
                "directory with inode",
                u64::from(self.inode.number.0),
                format!("its block {block} is a hole"),
            ));
        }
        Ok(run.block)
    }
}

impl DirectoryBlocks for InodeBlocks<'_> {
    fn block_bytes(&self) -> usize {
        self.volume.block_bytes()
    }

    fn block_count(&self) -> u32 {
        let blocks = self.inode.size() / self.volume.block_bytes() as u64;
        u32::try_from(blocks).unwrap_or(u32::MAX)
    }

    fn read(&mut self, block: u32, buffer: &mut [u8]) -> Result<(), vfs::Error> {
        let place = self.place(block)?;
        buffer.copy_from_slice(&self.volume.read_block(place)?);
        Ok(())
    }

    fn write(&mut self, block: u32, bytes: &[u8]) -> Result<(), vfs::Error> {
        let place = self.place(block)?;
        self.volume.check_content(place, 1)?;
        self.volume.change_block(place)?.copy_from_slice(bytes);
        Ok(())
    }

    fn append(&mut self) -> Result<u32, vfs::Error> {
        let block_bytes = self.volume.block_bytes() as u64;
        let block = self.block_count();
        let size = (u64::from(block) + 1) * block_bytes;
        if block == u32::MAX
            || (size > 0x7fff_ffff && !self.volume.superblock.has(Feature::LargeDir))
        {
            return Err(vfs::Error::NoSpace);
        }
        let run = self.volume.fill_hole(self.inode, block, 1)?;
        self.volume.create_block(run.block)?;
        self.inode.set_size(size);
        Ok(block)
    }

    fn known_names(&mut self) -> &mut KnownNames {
        &mut self.volume.known_names
    }
}

/// Returns what a directory entry says of a file.
pub(crate) fn file_type(mode: u16) -> FileType {
    match mode & MODE_KIND {
        MODE_FILE => FileType::File,
        MODE_DIRECTORY => FileType::Directory,
        MODE_CHARACTER => FileType::CharacterDevice,
        MODE_BLOCK => FileType::BlockDevice,
        MODE_FIFO => FileType::Fifo,
        MODE_SOCKET => FileType::Socket,
        MODE_LINK => FileType::SymbolicLink,
        _ => FileType::Unknown,
    }
}

impl Volume {
    fn directory_context(&self, inode: &Inode) -> DirectoryContext {
        let superblock = &self.superblock;
        DirectoryContext {
            inode: inode.number.0,
            inodes: superblock.inodes(),
            checksum_seed: superblock
                .has(Feature::MetadataCsum)
                .then(|| inode.seed.value()),
            file_types: superblock.has(Feature::Filetype),
            dir_index: superblock.has(Feature::DirIndex),
            large_dir: superblock.has(Feature::LargeDir),
            indexed: inode.has_flag(FLAG_INDEX),
            casefold: inode.has_flag(FLAG_CASEFOLD),
            encrypted: inode.has_flag(FLAG_ENCRYPT),
            hash_seed: superblock.raw.s_hash_seed.map(|word| word.get()),
            hash_version: superblock.raw.s_def_hash_version,
            hash_unsigned: superblock.raw.s_flags.get() & UNSIGNED_HASH != 0,
        }
    }

    fn in_blocks<T>(
        &mut self,
        inode: &mut Inode,
        operation: impl FnOnce(&mut Directory<'_, InodeBlocks<'_>>) -> Result<T, vfs::Error>,
    ) -> Result<T> {
        let context = self.directory_context(inode);
        let mut blocks = InodeBlocks {
            volume: self,
            inode,
        };
        Ok(operation(&mut Directory::new(context, &mut blocks))?)
    }

    fn inline_directory(&mut self, inode: &Inode) -> Result<InlineDirectory> {
        let value = self.inline_value(inode)?;
        let context = self.directory_context(inode);
        Ok(InlineDirectory::new(
            context,
            self.block_bytes(),
            inode.raw().i_block,
            value,
        ))
    }

    fn put_inline_directory(
        &mut self,
        inode: &mut Inode,
        directory: &InlineDirectory,
    ) -> Result<bool> {
        if !self.set_inline_value(inode, Some(directory.value()))? {
            return Ok(false);
        }
        inode.raw_mut().i_block = *directory.inode_block();
        inode.set_size((directory.inode_block().len() + directory.value().len()) as u64);
        Ok(true)
    }

    /// Changes a directory that stands in its inode in place, where its length stays.
    fn change_inline<T>(
        &mut self,
        inode: &mut Inode,
        operation: impl FnOnce(&mut InlineDirectory) -> Result<T, vfs::Error>,
    ) -> Result<T> {
        let mut directory = self.inline_directory(inode)?;
        let result = operation(&mut directory)?;
        self.put_inline_directory(inode, &directory)?;
        Ok(result)
    }

    /// Finds an entry.
    pub(crate) fn directory_lookup(
        &mut self,
        inode: &Inode,
        name: &[u8],
    ) -> Result<Option<Target>> {
        if inode.has_flag(FLAG_INLINE_DATA) {
            return Ok(self.inline_directory(inode)?.lookup(name)?);
        }
        let mut inode = inode.clone();
        self.in_blocks(&mut inode, |directory| directory.lookup(name))
    }

    /// Visits the entries without `.` and `..`.
    pub(crate) fn directory_list(
        &mut self,
        inode: &Inode,
        visit: &mut dyn FnMut(&[u8], Target) -> ControlFlow<()>,
    ) -> Result<()> {
        if inode.has_flag(FLAG_INLINE_DATA) {
            return Ok(self.inline_directory(inode)?.list(visit)?);
        }
        let mut inode = inode.clone();
        self.in_blocks(&mut inode, |directory| directory.list(visit))
    }

    /// Tells whether there is nothing but `.` and `..`.
    pub(crate) fn directory_is_empty(&mut self, inode: &Inode) -> Result<bool> {
        if inode.has_flag(FLAG_INLINE_DATA) {
            return Ok(self.inline_directory(inode)?.is_empty()?);
        }
        let mut inode = inode.clone();
        self.in_blocks(&mut inode, |directory| directory.is_empty())
    }

    /// Returns the inode number that `..` names.
    pub(crate) fn directory_parent(&mut self, inode: &Inode) -> Result<u32> {
        if inode.has_flag(FLAG_INLINE_DATA) {
            return Ok(self.inline_directory(inode)?.parent()?);
        }
        let mut inode = inode.clone();
        self.in_blocks(&mut inode, |directory| directory.parent())
    }

    /// Lets `..` name another directory. The inode is not written.
    pub(crate) fn directory_set_parent(&mut self, inode: &mut Inode, parent: u32) -> Result<()> {
        if inode.has_flag(FLAG_INLINE_DATA) {
            return self.change_inline(inode, |directory| {
                directory.set_parent(parent);
                Ok(())
            });
        }
        self.in_blocks(inode, |directory| directory.set_parent(parent))
    }

    /// Removes an entry. The inode is not written.
    pub(crate) fn directory_remove(&mut self, inode: &mut Inode, name: &[u8]) -> Result<Target> {
        if inode.has_flag(FLAG_INLINE_DATA) {
            return self.change_inline(inode, |directory| directory.remove(name));
        }
        self.in_blocks(inode, |directory| directory.remove(name))
    }

    /// Lets an entry name something else. The inode is not written.
    pub(crate) fn directory_set_target(
        &mut self,
        inode: &mut Inode,
        name: &[u8],
        number: u32,
        file_type: FileType,
    ) -> Result<Target> {
        if inode.has_flag(FLAG_INLINE_DATA) {
            return self.change_inline(inode, |directory| {
                directory.set_target(name, number, file_type)
            });
        }
        self.in_blocks(inode, |directory| {
            directory.set_target(name, number, file_type)
        })
    }

    /// Adds an entry; a directory that stands in its inode and has no room left moves to a block. The inode is not written.
    pub(crate) fn directory_insert(
        &mut self,
        inode: &mut Inode,
        name: &[u8],
        number: u32,
        file_type: FileType,
    ) -> Result<()> {
        if inode.has_flag(FLAG_INLINE_DATA) {
            let mut directory = self.inline_directory(inode)?;
            let mut insertion = directory.insert(name, number, file_type)?;
            if let Insertion::NoRoom { value_bytes } = insertion {
                let mut longer = directory.clone();
                longer.grow(value_bytes)?;
                insertion = longer.insert(name, number, file_type)?;
                if insertion == Insertion::Done && self.put_inline_directory(inode, &longer)? {
                    return Ok(());
                }
                self.move_to_block(inode, &directory)?;
            } else {
                self.put_inline_directory(inode, &directory)?;
                return Ok(());
            }
        }
        let flag = self.in_blocks(inode, |directory| directory.insert(name, number, file_type))?;
        match flag {
            IndexFlag::Unchanged => {}
            IndexFlag::Set => inode.set_flag(FLAG_INDEX, true),
            IndexFlag::Cleared => inode.set_flag(FLAG_INDEX, false),
        }
        Ok(())
    }

    fn move_to_block(&mut self, inode: &mut Inode, directory: &InlineDirectory) -> Result<()> {
        let block = directory.to_block()?;
        self.set_inline_value(inode, None)?;
        self.begin_content(inode);
        inode.set_size(0);
        self.append_block(inode, &block)
    }

    /// Gives a directory its first block.
    fn append_block(&mut self, inode: &mut Inode, bytes: &[u8]) -> Result<()> {
        // The inode may have been another directory before, and this one comes with entries.
        self.known_names.forget();
        let mut blocks = InodeBlocks {
            volume: self,
            inode,
        };
        let number = blocks.append()?;
        Ok(blocks.write(number, bytes)?)
    }

    /// Makes an inode an empty directory. The inode is not written.
    pub(crate) fn begin_directory(&mut self, inode: &mut Inode, parent: u32) -> Result<()> {
        let context = self.directory_context(inode);
        if self.superblock.has(Feature::InlineData) && !inode.attribute_area().is_empty() {
            let directory = InlineDirectory::empty(context, self.block_bytes(), parent);
            if self.put_inline_directory(inode, &directory)? {
                inode.set_flag(FLAG_INLINE_DATA, true);
                return Ok(());
            }
        }
        self.begin_content(inode);
        let block = first_block(&context, self.block_bytes(), parent);
        self.append_block(inode, &block)
    }
}
