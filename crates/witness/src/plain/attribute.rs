//! Extended attributes (`attributes.rst`).

use super::bytes::Structure;
use super::inode::Inode;
use super::volume::Volume;
use crate::error::{Error, Result};

/// `h_magic`
const MAGIC: u32 = 0xea02_0000;
/// Where the entries begin in a block of attributes.
const BLOCK_HEADER_BYTES: usize = 32;
/// Linux takes no longer value (`XATTR_SIZE_MAX`).
const VALUE_BYTES: u32 = 65536;

/// "Attribute name indices": the prefix that a number stands for.
fn prefix(index: u8) -> Option<&'static [u8]> {
    Some(match index {
        0 => b"",
        1 => b"user.",
        2 => b"system.posix_acl_access",
        3 => b"system.posix_acl_default",
        4 => b"trusted.",
        6 => b"security.",
        7 => b"system.",
        8 => b"system.richacl",
        _ => return None,
    })
}

impl Volume {
    /// Returns the value of an attribute: from the inode, or else from its block.
    pub(super) fn attribute(&self, inode: &Inode, name: &[u8]) -> Result<Option<Vec<u8>>> {
        if let Some(bytes) = &inode.attributes {
            let it = Structure {
                bytes,
                name: "attributes of inode",
                number: inode.number.into(),
            };
            if bytes.len() >= 4 && it.u32(0)? == MAGIC {
                // Values count from the first entry.
                let entries = Structure {
                    bytes: &bytes[4..],
                    ..it
                };
                if let Some(value) = self.search_attributes(entries, 0, name)? {
                    return Ok(Some(value));
                }
            }
        }
        if inode.attribute_block == 0 {
            return Ok(None);
        }
        let block = self.block(inode.attribute_block)?;
        let it = Structure {
            bytes: &block,
            name: "block of attributes of inode",
            number: inode.number.into(),
        };
        if it.u32(0)? != MAGIC {
            return Err(it.corrupt("it begins with its magic number"));
        }
        // Here they count from the beginning of the block.
        self.search_attributes(it, BLOCK_HEADER_BYTES, name)
    }

    fn search_attributes(
        &self,
        it: Structure<'_>,
        mut at: usize,
        name: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        // Four zero bytes, or the end, close the list.
        while at + 4 <= it.bytes.len() && it.u32(at)? != 0 {
            let name_length = usize::from(it.u8(at)?);
            let own = it.range(at + 16, name_length)?;
            let is_it = prefix(it.u8(at + 1)?)
                .and_then(|prefix| name.strip_prefix(prefix))
                .is_some_and(|rest| rest == own);
            if is_it {
                let (offset, inode) = (usize::from(it.u16(at + 2)?), it.u32(at + 4)?);
                let size = it.u32(at + 8)?;
                if size > VALUE_BYTES {
                    return Err(it.corrupt("a value has at most 65,536 bytes"));
                }
                if inode != 0 {
                    return self.value_in_inode(inode, size).map(Some);
                }
                return Ok(Some(it.range(offset, size as usize)?.to_vec()));
            }
            at += 16 + name_length.next_multiple_of(4);
        }
        Ok(None)
    }

    /// With `ea_inode` a large value is the content of an inode of its own.
    fn value_in_inode(&self, number: u32, size: u32) -> Result<Vec<u8>> {
        let inode = self.inode(number)?;
        if inode.size != u64::from(size) || inode.is_inline() {
            return Err(Error::Corrupt {
                structure: "inode",
                number: number.into(),
                rule: "the value of an attribute has the size that the attribute says",
            });
        }
        let mut value = Vec::new();
        self.read(&inode, &mut |bytes| value.extend_from_slice(bytes))?;
        Ok(value)
    }
}
