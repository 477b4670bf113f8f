//! Directories (`directory.rst`, `inlinedata.rst` "Inline Directories").

use super::bytes::Structure;
use super::inode::Inode;
use super::map::Map;
use super::volume::Volume;
use crate::error::{Error, Result};

/// Where entries begin in the 60 bytes of an inline directory: behind the number of the one above.
const INLINE_ENTRIES: usize = 4;
/// More than the largest index can hold; only a damaged directory says that it has more.
const DIRECTORY_BYTES: u64 = 1 << 32;

impl Volume {
    /// Finds an entry and returns the number of its inode.
    pub(super) fn entry(&self, directory: &Inode, name: &[u8]) -> Result<Option<u32>> {
        if directory.is_inline() {
            let content = self.inline(directory)?;
            let (area, more) = content.split_at(directory.area.len());
            let first = self.search(directory, &area[INLINE_ENTRIES..], name)?;
            return match first {
                Some(found) => Ok(Some(found)),
                None => self.search(directory, more, name),
            };
        }
        if directory.size > DIRECTORY_BYTES {
            return Err(Error::Corrupt {
                structure: "directory",
                number: directory.number.into(),
                rule: "it has at most 4 GiB",
            });
        }
        let mut map = Map::default();
        for file_block in 0..directory.size.div_ceil(self.block_bytes as u64) {
            let Some(block) = self.find_block(directory, file_block, &mut map)? else {
                continue;
            };
            let found = self.search(directory, &self.block(block)?, name)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Looks through the entries of one block.
    fn search(&self, directory: &Inode, bytes: &[u8], name: &[u8]) -> Result<Option<u32>> {
        let it = Structure {
            bytes,
            name: "directory",
            number: directory.number.into(),
        };
        let mut at = 0;
        while at + 8 <= bytes.len() {
            let inode = it.u32(at)?;
            let length = match it.u16(at + 4)? {
                // In blocks of 64 KiB a length of the whole block does not fit.
                0 | 0xffff => bytes.len() - at,
                length => usize::from(length),
            };
            let name_length = if self.has_file_types {
                usize::from(it.u8(at + 6)?)
            } else {
                usize::from(it.u16(at + 6)?)
            };
            if length < 8 || at + length > bytes.len() {
                return Err(it.corrupt("an entry lies in its block"));
            }
            if inode != 0 && it.range(at + 8, name_length)? == name {
                return Ok(Some(inode));
            }
            at += length;
        }
        Ok(None)
    }
}
