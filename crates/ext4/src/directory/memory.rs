//! A directory's blocks in memory, for tests.

use christen_vfs::Error;

use super::{Directory, DirectoryBlocks, DirectoryContext, KnownNames, first_block};

/// Blocks in memory, at most `limit` of them.
#[derive(Debug)]
pub(super) struct MemoryBlocks {
    pub(super) block_bytes: usize,
    pub(super) blocks: Vec<Vec<u8>>,
    pub(super) limit: usize,
    pub(super) reads: usize,
    pub(super) known: KnownNames,
}

impl MemoryBlocks {
    /// Makes the blocks of a new directory.
    pub(super) fn new(context: &DirectoryContext, block_bytes: usize) -> Self {
        Self {
            block_bytes,
            blocks: vec![first_block(context, block_bytes, 2)],
            limit: usize::MAX,
            reads: 0,
            known: KnownNames::default(),
        }
    }
}

impl Clone for MemoryBlocks {
    fn clone(&self) -> Self {
        Self {
            blocks: self.blocks.clone(),
            known: KnownNames::default(),
            ..*self
        }
    }
}

impl DirectoryBlocks for MemoryBlocks {
    fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    fn block_count(&self) -> u32 {
        self.blocks.len() as u32
    }

    fn read(&mut self, block: u32, buffer: &mut [u8]) -> Result<(), Error> {
        self.reads += 1;
        buffer.copy_from_slice(&self.blocks[block as usize]);
        Ok(())
    }

    fn write(&mut self, block: u32, bytes: &[u8]) -> Result<(), Error> {
        self.blocks[block as usize].copy_from_slice(bytes);
        Ok(())
    }

    fn append(&mut self) -> Result<u32, Error> {
        if self.blocks.len() >= self.limit {
            return Err(Error::NoSpace);
        }
        self.blocks.push(vec![0xcc; self.block_bytes]);
        Ok(self.blocks.len() as u32 - 1)
    }

    fn known_names(&mut self) -> &mut KnownNames {
        &mut self.known
    }
}

/// A context as mke2fs's defaults give it.
pub(super) fn context() -> DirectoryContext {
    DirectoryContext {
        inode: 11,
        inodes: 1_000_000,
        checksum_seed: Some(0x1234_5678),
        file_types: true,
        dir_index: true,
        large_dir: false,
        indexed: false,
        casefold: false,
        encrypted: false,
        hash_seed: [1, 2, 3, 4],
        hash_version: 1,
        hash_unsigned: false,
    }
}

/// Opens the directory with its flag kept in the context.
pub(super) fn open<'a>(
    context: &DirectoryContext,
    blocks: &'a mut MemoryBlocks,
) -> Directory<'a, MemoryBlocks> {
    Directory::new(*context, blocks)
}

/// Numbers that look random and are the same in every run.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Starts from a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `bound`. This is SplitMix64.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
