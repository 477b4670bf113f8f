//! Little-endian numbers at an offset of a structure.

use crate::error::{Error, Result};

/// A structure and what it is called in errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Structure<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) name: &'static str,
    pub(super) number: u64,
}

impl<'a> Structure<'a> {
    pub(super) fn corrupt(&self, rule: &'static str) -> Error {
        Error::Corrupt {
            structure: self.name,
            number: self.number,
            rule,
        }
    }

    pub(super) fn range(&self, offset: usize, length: usize) -> Result<&'a [u8]> {
        offset
            .checked_add(length)
            .and_then(|end| self.bytes.get(offset..end))
            .ok_or_else(|| self.corrupt("it ends before what it holds"))
    }

    pub(super) fn u8(&self, offset: usize) -> Result<u8> {
        Ok(self.range(offset, 1)?[0])
    }

    pub(super) fn u16(&self, offset: usize) -> Result<u16> {
        let bytes = self.range(offset, 2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn u32(&self, offset: usize) -> Result<u32> {
        let bytes = self.range(offset, 4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}
