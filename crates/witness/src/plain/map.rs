//! From an inode to its content (`ifork.rst`, `inlinedata.rst`).

use super::bytes::Structure;
use super::inode::Inode;
use super::volume::Volume;
use crate::error::{Error, Result};

/// `eh_magic`
const EXTENT_MAGIC: u16 = 0xf30a;
/// An extent tree has no more levels ("Extent Tree").
const EXTENT_DEPTH: u16 = 5;
/// Lengths above this are of extents that were never written.
const WRITTEN_BLOCKS: u16 = 32768;
/// A block map has twelve direct blocks and three levels of indirect ones.
const DIRECT_BLOCKS: u64 = 12;
/// A target of less than this many bytes stands in the inode.
const FAST_TARGET_BYTES: u64 = 60;
/// Linux takes no longer target (`PATH_MAX`).
const TARGET_BYTES: u64 = 4096;

impl Volume {
    /// Gives the content of an inode, in portions.
    pub(super) fn read(&self, inode: &Inode, take: &mut dyn FnMut(&[u8])) -> Result<()> {
        if inode.is_inline() {
            let content = self.inline(inode)?;
            let length = usize::try_from(inode.size).unwrap_or(usize::MAX);
            take(
                content
                    .get(..length)
                    .ok_or_else(|| corrupt(inode, "its content is longer than what it holds"))?,
            );
            return Ok(());
        }
        let block_bytes = self.block_bytes as u64;
        let zeros = vec![0; self.block_bytes];
        let mut map = Map::default();
        for file_block in 0..inode.size.div_ceil(block_bytes) {
            let length = (inode.size - file_block * block_bytes).min(block_bytes) as usize;
            match self.find_block(inode, file_block, &mut map)? {
                Some(block) => take(&self.block(block)?[..length]),
                None => take(&zeros[..length]),
            }
        }
        Ok(())
    }

    /// Returns the target of a symbolic link.
    pub(super) fn target(&self, inode: &Inode) -> Result<Vec<u8>> {
        if inode.size > TARGET_BYTES {
            return Err(corrupt(inode, "a target is shorter"));
        }
        if inode.size < FAST_TARGET_BYTES && !inode.has_extents() && !inode.is_inline() {
            return Ok(inode.area[..inode.size as usize].to_vec());
        }
        let mut target = Vec::new();
        self.read(inode, &mut |bytes| target.extend_from_slice(bytes))?;
        Ok(target)
    }

    /// Returns what stands in the inode: in the area, and then in the attribute `system.data`.
    pub(super) fn inline(&self, inode: &Inode) -> Result<Vec<u8>> {
        let mut content = inode.area.to_vec();
        if let Some(more) = self.attribute(inode, b"system.data")? {
            content.extend_from_slice(&more);
        }
        Ok(content)
    }

    /// Finds a block of a file; `None` is a hole.
    pub(super) fn find_block(
        &self,
        inode: &Inode,
        file_block: u64,
        map: &mut Map,
    ) -> Result<Option<u64>> {
        if inode.has_extents() {
            return match map.extent {
                Some(extent) if extent.holds(file_block) => Ok(extent.block(file_block)),
                _ => {
                    map.extent = self.find_extent(inode, file_block)?;
                    Ok(map.extent.and_then(|it| it.block(file_block)))
                }
            };
        }
        self.find_mapped(inode, file_block, map)
    }

    fn find_extent(&self, inode: &Inode, file_block: u64) -> Result<Option<Extent>> {
        let mut node = inode.area.to_vec();
        for _ in 0..=EXTENT_DEPTH {
            let it = Structure {
                bytes: &node,
                name: "extents of inode",
                number: inode.number.into(),
            };
            if it.u16(0)? != EXTENT_MAGIC {
                return Err(it.corrupt("a node begins with its magic number"));
            }
            let is_leaf = it.u16(6)? == 0;
            let mut next = None;
            for index in 0..usize::from(it.u16(2)?) {
                let at = 12 + 12 * index;
                // Entries are sorted; the last that does not begin behind the block holds it.
                if u64::from(it.u32(at)?) > file_block {
                    break;
                }
                next = Some(at);
            }
            let Some(at) = next else {
                return Ok(None);
            };
            if is_leaf {
                let length = it.u16(at + 4)?;
                let extent = Extent {
                    first: it.u32(at)?.into(),
                    length: if length > WRITTEN_BLOCKS {
                        (length - WRITTEN_BLOCKS).into()
                    } else {
                        length.into()
                    },
                    start: u64::from(it.u16(at + 6)?) << 32 | u64::from(it.u32(at + 8)?),
                    is_written: length <= WRITTEN_BLOCKS,
                };
                return Ok(extent.holds(file_block).then_some(extent));
            }
            let below = u64::from(it.u16(at + 8)?) << 32 | u64::from(it.u32(at + 4)?);
            node = self.block(below)?;
        }
        Err(corrupt(inode, "its extent tree is too deep"))
    }

    fn find_mapped(&self, inode: &Inode, file_block: u64, map: &mut Map) -> Result<Option<u64>> {
        let entry = |bytes: &[u8], index: u64| -> Result<u64> {
            let it = Structure {
                bytes,
                name: "block map of inode",
                number: inode.number.into(),
            };
            Ok(it.u32(4 * index as usize)?.into())
        };
        let is_there = |block: u64| (block != 0).then_some(block);
        if file_block < DIRECT_BLOCKS {
            return Ok(is_there(entry(&inode.area, file_block)?));
        }
        let per_block = self.block_bytes as u64 / 4;
        let (mut rest, mut span, mut level) = (file_block - DIRECT_BLOCKS, per_block, 1);
        while rest >= span {
            rest -= span;
            level += 1;
            if level > 3 {
                return Err(corrupt(inode, "it is larger than its block map can be"));
            }
            span *= per_block;
        }
        let mut block = entry(&inode.area, DIRECT_BLOCKS + level - 1)?;
        for depth in (0..level).rev() {
            if block == 0 {
                return Ok(None);
            }
            let index = rest / per_block.pow(depth as u32) % per_block;
            block = entry(map.indirect(self, block, depth as usize)?, index)?;
        }
        Ok(is_there(block))
    }
}

/// What was read of a map, for the next block.
#[derive(Debug, Default)]
pub(super) struct Map {
    extent: Option<Extent>,
    /// One indirect block for each level, with its number.
    indirect: [Option<(u64, Vec<u8>)>; 3],
}

impl Map {
    fn indirect(&mut self, volume: &Volume, block: u64, level: usize) -> Result<&[u8]> {
        let slot = &mut self.indirect[level];
        if slot.as_ref().is_none_or(|it| it.0 != block) {
            *slot = Some((block, volume.block(block)?));
        }
        Ok(slot.as_ref().map_or(&[], |it| &it.1))
    }
}

#[derive(Debug, Clone, Copy)]
struct Extent {
    first: u64,
    length: u64,
    start: u64,
    is_written: bool,
}

impl Extent {
    fn holds(&self, file_block: u64) -> bool {
        (self.first..self.first + self.length).contains(&file_block)
    }

    fn block(&self, file_block: u64) -> Option<u64> {
        self.is_written
            .then(|| self.start + (file_block - self.first))
    }
}

fn corrupt(inode: &Inode, rule: &'static str) -> Error {
    Error::Corrupt {
        structure: "inode",
        number: inode.number.into(),
        rule,
    }
}
