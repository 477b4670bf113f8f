//! The content of files and of long symbolic links.

use std::io::{self, Read};

use christen_vfs as vfs;

use crate::error::{Error, Result};
use crate::feature::Feature;
use crate::inode::{FLAG_EA_INODE, FLAG_EXTENTS, FLAG_INLINE_DATA, FLAG_VERITY, Inode};
use crate::mapping::RunKind;
use crate::number::BlockNumber;
use crate::volume::Volume;
use crate::xattr::{AttributeName, region};

/// How much of a source of content is in memory at once.
const CHUNK_BYTES: usize = 1 << 20;

/// The bytes of content that the inode itself has room for.
const INODE_BLOCK_BYTES: usize = 60;

/// The longest file without the feature `large_file` (`fs/ext4/inode.c`, `ext4_do_update_inode`).
const SMALL_FILE_BYTES: u64 = 0x7fff_ffff;

/// Blocks of a file that are to be written to.
struct Piece {
    /// Where they begin in the file, in bytes.
    start: u64,
    block: BlockNumber,
    length_bytes: u64,
    /// What they hold is nothing, and must not show.
    fresh: bool,
}

fn min_usize(length: usize, bound: u64) -> usize {
    usize::try_from(bound).map_or(length, |bound| bound.min(length))
}

impl Volume {
    /// Makes an inode one without content, whose content will be in blocks.
    pub(crate) fn begin_content(&self, inode: &mut Inode) {
        inode.raw_mut().i_block.fill(0);
        inode.set_flag(FLAG_INLINE_DATA, false);
        if self.superblock.has(Feature::Extent) {
            Self::begin_extents(inode);
        } else {
            inode.set_flag(FLAG_EXTENTS, false);
        }
    }

    /// Reads content and returns how many bytes that were: fewer than `buffer` has only at the end.
    pub(crate) fn read_content(
        &mut self,
        inode: &Inode,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<usize> {
        let Some(left) = inode.size().checked_sub(offset) else {
            return Ok(0);
        };
        let length = min_usize(buffer.len(), left);
        let buffer = &mut buffer[..length];
        if inode.has_flag(FLAG_INLINE_DATA) {
            let content = self.inline_content(inode)?;
            // `offset` is at most the size, which is the length of the content.
            buffer.copy_from_slice(&content[offset as usize..][..length]);
            return Ok(length);
        }
        let block_bytes = self.block_bytes() as u64;
        let mut done = 0;
        while done < length {
            let at = offset + done as u64;
            let within = at % block_bytes;
            let block = file_block(at / block_bytes)?;
            let run = self.lookup_run(inode, block)?;
            let count = min_usize(length - done, run.length * block_bytes - within);
            let part = &mut buffer[done..done + count];
            if run.kind == RunKind::Written {
                self.read_data(run.block, within as usize, part)?;
            } else {
                part.fill(0);
            }
            done += count;
        }
        Ok(length)
    }

    /// Returns the content that stands in the inode: in `i_block`, and in the attribute `system.data`.
    fn inline_content(&mut self, inode: &Inode) -> Result<Vec<u8>> {
        let mut content = inode.raw().i_block.to_vec();
        content.extend(self.inline_value(inode)?);
        let size = inode.size();
        if size > content.len() as u64 {
            return Err(Error::corrupt(
                "inode",
                u64::from(inode.number.0),
                format!(
                    "its size is {size} and {} bytes of content stand in it",
                    content.len()
                ),
            ));
        }
        content.truncate(size as usize);
        Ok(content)
    }

    /// Returns the value of `system.data`.
    pub(crate) fn inline_value(&mut self, inode: &Inode) -> Result<Vec<u8>> {
        let place = u64::from(inode.number.0);
        region::value(inode.attribute_area(), place, &AttributeName::inline_data())
            .map_err(|error| vfs::Error::Corrupt(Box::new(error)))?
            .ok_or_else(|| {
                Error::corrupt(
                    "inode",
                    place,
                    "its content stands in it, and `system.data` is missing",
                )
            })
    }

    /// Sets or removes `system.data`; `false` if it does not fit.
    pub(crate) fn set_inline_value(
        &mut self,
        inode: &mut Inode,
        value: Option<&[u8]>,
    ) -> Result<bool> {
        let place = u64::from(inode.number.0);
        let name = AttributeName::inline_data();
        let area = region::with_value(inode.attribute_area(), place, &name, value)
            .map_err(|error| vfs::Error::Corrupt(Box::new(error)))?;
        let Some(area) = area else {
            return Ok(false);
        };
        inode.attribute_area_mut().copy_from_slice(&area);
        Ok(true)
    }

    /// Puts content into the inode itself; `false` if it does not fit, with nothing changed.
    fn put_inline(&mut self, inode: &mut Inode, content: &[u8]) -> Result<bool> {
        if inode.attribute_area().is_empty()
            || content.len() > INODE_BLOCK_BYTES + inode.attribute_area().len()
        {
            return Ok(false);
        }
        let (first, rest) = content.split_at(content.len().min(INODE_BLOCK_BYTES));
        if !self.set_inline_value(inode, Some(rest))? {
            return Ok(false);
        }
        inode.set_flag(FLAG_EXTENTS, false);
        inode.set_flag(FLAG_INLINE_DATA, true);
        let block = &mut inode.raw_mut().i_block;
        block.fill(0);
        block[..first.len()].copy_from_slice(first);
        inode.set_size(content.len() as u64);
        Ok(true)
    }

    /// Moves content from the inode into blocks.
    fn leave_inline(&mut self, inode: &mut Inode) -> Result<()> {
        let content = self.inline_content(inode)?;
        self.set_inline_value(inode, None)?;
        self.begin_content(inode);
        inode.set_size(0);
        if !content.is_empty() {
            self.write_blocks(inode, &content, 0)?;
            inode.set_size(content.len() as u64);
        }
        Ok(())
    }

    /// Tells whether a file has no content, no blocks, and may have its content in the inode.
    fn may_begin_inline(&self, inode: &Inode) -> bool {
        let block = &inode.raw().i_block;
        let is_empty = if inode.has_flag(FLAG_EXTENTS) {
            // The number of entries of the root.
            block[2..4] == [0, 0]
        } else {
            block.iter().all(|byte| *byte == 0)
        };
        self.superblock.has(Feature::InlineData)
            && inode.is_file()
            && !inode.has_flag(FLAG_EA_INODE)
            && inode.size() == 0
            && is_empty
    }

    /// Refuses what must not be written to.
    fn check_writable(inode: &Inode) -> Result<()> {
        if inode.has_flag(FLAG_VERITY) {
            return Err(vfs::Error::NotPossible("changing a file that fs-verity protects").into());
        }
        Ok(())
    }

    /// Writes content, which grows as needed. The inode is not written.
    pub(crate) fn write_content(
        &mut self,
        inode: &mut Inode,
        data: &[u8],
        offset: u64,
    ) -> Result<()> {
        Self::check_writable(inode)?;
        let end = offset
            .checked_add(data.len() as u64)
            .ok_or(vfs::Error::FileTooLarge)?;
        self.allow_size(inode, end)?;
        if data.is_empty() {
            return Ok(());
        }
        if inode.has_flag(FLAG_INLINE_DATA) || self.may_begin_inline(inode) {
            if end <= self.superblock.inode_bytes().into() {
                let mut content = if inode.has_flag(FLAG_INLINE_DATA) {
                    self.inline_content(inode)?
                } else {
                    Vec::new()
                };
                // Below the size of an inode, both of them.
                content.resize(content.len().max(end as usize), 0);
                content[offset as usize..end as usize].copy_from_slice(data);
                if self.put_inline(inode, &content)? {
                    return Ok(());
                }
            }
            if inode.has_flag(FLAG_INLINE_DATA) {
                self.leave_inline(inode)?;
            }
        }
        self.write_blocks(inode, data, offset)?;
        if end > inode.size() {
            inode.set_size(end);
        }
        Ok(())
    }

    /// Refuses a size that the file cannot have, and sees to the feature that long files need.
    fn allow_size(&mut self, inode: &Inode, size: u64) -> Result<()> {
        let extents = inode.has_flag(FLAG_EXTENTS)
            || (inode.has_flag(FLAG_INLINE_DATA) && self.superblock.has(Feature::Extent));
        if size > self.most_bytes(extents) {
            return Err(vfs::Error::FileTooLarge.into());
        }
        if size > SMALL_FILE_BYTES && !self.superblock.has(Feature::LargeFile) {
            self.superblock.add_large_file();
        }
        Ok(())
    }

    /// Writes into blocks, of which there are more afterwards where there were none. All of them are allocated before any content is
    /// written, so that nothing is lost if there are not enough.
    fn write_blocks(&mut self, inode: &mut Inode, data: &[u8], offset: u64) -> Result<()> {
        let block_bytes = self.block_bytes() as u64;
        let end = offset + data.len() as u64;
        let last = (end - 1) / block_bytes;
        let mut at = offset / block_bytes;
        let mut pieces = Vec::new();
        while at <= last {
            let block = file_block(at)?;
            let mut run = self.lookup_run(inode, block)?;
            run.length = run.length.min(last - at + 1);
            let fresh = run.kind != RunKind::Written;
            match run.kind {
                RunKind::Hole => run = self.fill_hole(inode, block, run.length)?,
                RunKind::Unwritten => {
                    self.check_content(run.block, run.length as u32)?;
                    self.mark_written(inode, block, run, run.length)?;
                }
                // Runs are of one extent or of one block of numbers, both shorter than 2^32.
                RunKind::Written => self.check_content(run.block, run.length as u32)?,
            }
            pieces.push(Piece {
                start: at * block_bytes,
                block: run.block,
                length_bytes: run.length * block_bytes,
                fresh,
            });
            at += run.length;
        }
        if offset > inode.size() {
            self.clear_behind_end(inode, offset)?;
        }
        for piece in pieces {
            let from = offset.max(piece.start);
            let to = end.min(piece.start + piece.length_bytes);
            let within = (from - piece.start) as usize;
            let part = &data[(from - offset) as usize..(to - offset) as usize];
            if piece.fresh && within > 0 {
                self.write_data(piece.block, 0, &vec![0; within])?;
            }
            self.write_data(piece.block, within, part)?;
            let rest = (piece.start + piece.length_bytes - to) as usize;
            if piece.fresh && rest > 0 {
                self.write_data(piece.block, within + part.len(), &vec![0; rest])?;
            }
        }
        Ok(())
    }

    /// Writes zeros from the end of the content to the end of its last block, or to `to`: what stands there would show once the file is longer.
    fn clear_behind_end(&mut self, inode: &Inode, to: u64) -> Result<()> {
        let block_bytes = self.block_bytes() as u64;
        let size = inode.size();
        let within = size % block_bytes;
        if within == 0 || to <= size {
            return Ok(());
        }
        let run = self.lookup_run(inode, file_block(size / block_bytes)?)?;
        if run.kind == RunKind::Written {
            self.check_content(run.block, 1)?;
            let count = (block_bytes - within).min(to - size);
            self.write_data(run.block, within as usize, &vec![0; count as usize])?;
        }
        Ok(())
    }

    /// Cuts content, or extends it by a hole. The inode is not written.
    pub(crate) fn set_content_size(&mut self, inode: &mut Inode, size: u64) -> Result<()> {
        Self::check_writable(inode)?;
        self.allow_size(inode, size)?;
        if inode.has_flag(FLAG_INLINE_DATA) {
            if size <= self.superblock.inode_bytes().into() {
                let mut content = self.inline_content(inode)?;
                content.resize(size as usize, 0);
                if self.put_inline(inode, &content)? {
                    return Ok(());
                }
            }
            self.leave_inline(inode)?;
        }
        let block_bytes = self.block_bytes() as u64;
        if size > inode.size() {
            self.clear_behind_end(inode, size)?;
        } else {
            // Also where the size stays: what was allocated behind the end goes, as Linux does it.
            self.free_from(inode, size.div_ceil(block_bytes))?;
        }
        inode.set_size(size);
        self.clear_behind_end(inode, size.next_multiple_of(block_bytes))
    }

    /// Frees all content. The inode is not written.
    pub(crate) fn free_content(&mut self, inode: &mut Inode) -> Result<()> {
        let has_blocks = inode.is_file()
            || inode.is_directory()
            || (inode.is_link() && !self.is_fast_link(inode));
        if has_blocks && !inode.has_flag(FLAG_INLINE_DATA) {
            self.free_from(inode, 0)?;
        }
        Ok(())
    }

    /// Puts other content in place of a file's own. The old blocks are freed last, so that they are not written over before all is well.
    pub(crate) fn replace_content(
        &mut self,
        inode: &mut Inode,
        content: &mut dyn Read,
    ) -> Result<u64> {
        Self::check_writable(inode)?;
        let mut fresh = inode.clone();
        if fresh.has_flag(FLAG_INLINE_DATA) {
            self.set_inline_value(&mut fresh, None)?;
        }
        self.begin_content(&mut fresh);
        fresh.set_size(0);
        fresh.set_sectors(&self.superblock, 0);
        let mut size = 0;
        let mut chunk = Vec::new();
        loop {
            chunk.clear();
            fill(content, &mut chunk)?;
            if !chunk.is_empty() {
                self.write_content(&mut fresh, &chunk, size)?;
                size += chunk.len() as u64;
            }
            if chunk.len() < CHUNK_BYTES {
                break;
            }
        }
        self.free_content(inode)?;
        // What is left is of extended attributes, which stay.
        let sectors = fresh.sectors(&self.superblock) + inode.sectors(&self.superblock);
        if !fresh.set_sectors(&self.superblock, sectors) {
            return Err(vfs::Error::FileTooLarge.into());
        }
        *inode = fresh;
        Ok(size)
    }

    /// Tells whether the target of a symbolic link stands in `i_block` (`fs/ext4/inode.c`, `ext4_inode_is_fast_symlink`).
    pub(crate) fn is_fast_link(&self, inode: &Inode) -> bool {
        if inode.has_flag(FLAG_INLINE_DATA) {
            return false;
        }
        if self.superblock.has(Feature::EaInode) {
            return inode.size() < INODE_BLOCK_BYTES as u64;
        }
        let attributes = if inode.attribute_block(&self.superblock).is_some() {
            u64::from(self.superblock.block_bytes() / 512)
        } else {
            0
        };
        inode.sectors(&self.superblock) == attributes
    }

    /// Returns the target of a symbolic link.
    pub(crate) fn link_target(&mut self, inode: &Inode) -> Result<Vec<u8>> {
        let wrong = |rule: &str| Error::corrupt("inode", u64::from(inode.number.0), rule);
        let size = inode.size();
        if size == 0 || size > 4095 {
            return Err(wrong(
                "it is a symbolic link, and its target has no length that there can be",
            ));
        }
        let mut target = vec![0; size as usize];
        if self.is_fast_link(inode) {
            let block = inode.raw().i_block;
            let stored = block
                .get(..size as usize)
                .ok_or_else(|| wrong("its target is longer than the inode"))?;
            target.copy_from_slice(stored);
        } else {
            self.read_content(inode, &mut target, 0)?;
        }
        if target.contains(&0) {
            return Err(wrong("the target of the symbolic link holds a NUL"));
        }
        Ok(target)
    }
}

/// Reads a chunk, shorter only at the end.
fn fill(content: &mut dyn Read, chunk: &mut Vec<u8>) -> Result<()> {
    content
        .take(CHUNK_BYTES as u64)
        .read_to_end(chunk)
        .map(|_| ())
        .map_err(|error: io::Error| vfs::Error::Content(error).into())
}

fn file_block(number: u64) -> Result<u32> {
    u32::try_from(number).map_err(|_| vfs::Error::FileTooLarge.into())
}
