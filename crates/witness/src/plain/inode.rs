//! Inodes (`inodes.rst`).

use super::bytes::Structure;
use super::volume::Volume;
use crate::Kind;
use crate::error::Result;

/// `i_flags`: the content is mapped by extents.
const EXTENTS: u32 = 0x0008_0000;
/// `i_flags`: the content stands in the inode.
const INLINE_DATA: u32 = 0x1000_0000;

/// Where the 60 bytes are that hold the map, a short target, or content.
const BLOCK_AREA: (usize, usize) = (0x28, 60);

/// The fields of an inode that are needed.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) number: u32,
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    flags: u32,
    /// The block of extended attributes, 0 for none.
    pub(super) attribute_block: u64,
    /// `i_block`
    pub(super) area: [u8; BLOCK_AREA.1],
    /// What follows the fields: `None` if the inode has no room behind them.
    pub(super) attributes: Option<Vec<u8>>,
}

impl Inode {
    pub(super) fn kind(&self) -> Kind {
        // `i_mode`, the upper four bits.
        match self.mode >> 12 {
            0x8 => Kind::File,
            0x4 => Kind::Directory,
            0xa => Kind::SymbolicLink,
            _ => Kind::Special,
        }
    }

    pub(super) fn has_extents(&self) -> bool {
        self.flags & EXTENTS != 0
    }

    pub(super) fn is_inline(&self) -> bool {
        self.flags & INLINE_DATA != 0
    }
}

impl Volume {
    pub(super) fn inode(&self, number: u32) -> Result<Inode> {
        let bytes = self.inode_bytes(number)?;
        let it = Structure {
            bytes: &bytes,
            name: "inode",
            number: number.into(),
        };
        let wide = |low: u16, high: u16| u32::from(high) << 16 | u32::from(low);
        let mut area = [0; BLOCK_AREA.1];
        area.copy_from_slice(it.range(BLOCK_AREA.0, BLOCK_AREA.1)?);
        let attributes = if bytes.len() > 0x82 {
            // `i_extra_isize` counts from byte 128 on.
            bytes
                .get(128 + usize::from(it.u16(0x80)?)..)
                .map(<[u8]>::to_vec)
        } else {
            None
        };
        Ok(Inode {
            number,
            mode: it.u16(0x00)?,
            uid: wide(it.u16(0x02)?, it.u16(0x78)?),
            gid: wide(it.u16(0x18)?, it.u16(0x7a)?),
            size: u64::from(it.u32(0x6c)?) << 32 | u64::from(it.u32(0x04)?),
            flags: it.u32(0x20)?,
            attribute_block: u64::from(it.u16(0x76)?) << 32 | u64::from(it.u32(0x68)?),
            area,
            attributes,
        })
    }
}
