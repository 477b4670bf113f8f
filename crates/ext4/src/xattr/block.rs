//! Extended attributes in a block of their own, which several inodes may share.

use super::entry::{Attribute, END_BYTES, Frame, le32};
use super::region::MAGIC;
use crate::error::Corrupt;

const HEADER_BYTES: usize = 32;

fn frame(place: u64) -> Frame {
    Frame {
        structure: "extended attribute block",
        place,
        first: HEADER_BYTES,
        base: 0,
        hashed: true,
    }
}

/// What a block of extended attributes holds.
///
/// Its header, little-endian (Linux `fs/ext4/xattr.h`, `struct ext4_xattr_header`):
///
/// | offset | size | field        | note                                                          |
/// |-------:|-----:|--------------|---------------------------------------------------------------|
/// |      0 |    4 | `h_magic`    | `0xEA020000`                                                  |
/// |      4 |    4 | `h_refcount` | how many inodes share it, at least 1                          |
/// |      8 |    4 | `h_blocks`   | 1                                                             |
/// |     12 |    4 | `h_hash`     | over the hashes of the entries; 0 if one of them is 0         |
/// |     16 |    4 | `h_checksum` | with `metadata_csum`: CRC-32C over the filesystem's seed, the block's number in 8 bytes, and the block with 0 here |
/// |     20 |   12 |              | 0                                                             |
/// |     32 |      | entries      | sorted by index, length of the name, name                     |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeBlock {
    /// How many inodes share the block.
    pub references: u32,
    /// The attributes.
    pub attributes: Vec<Attribute>,
}

impl AttributeBlock {
    /// The most inodes that the kernel lets share a block (`EXT4_XATTR_REFCOUNT_MAX`).
    pub const MOST_REFERENCES: u32 = 1024;

    /// Reads a block.
    ///
    /// `seed` is the filesystem's checksum seed, if it has `metadata_csum`.
    ///
    /// # Errors
    ///
    /// [`Corrupt`] tells which rule is broken.
    pub fn parse(bytes: &[u8], number: u64, seed: Option<u32>) -> Result<Self, Corrupt> {
        let corrupt = |rule: String| Corrupt::new("extended attribute block", number, rule);
        if bytes.len() < HEADER_BYTES + END_BYTES {
            return Err(corrupt(format!("{} bytes are no block", bytes.len())));
        }
        let magic = le32(bytes, 0);
        if magic != MAGIC {
            return Err(corrupt(format!("the magic is {magic:#010x}")));
        }
        let references = le32(bytes, 4);
        if references == 0 {
            return Err(corrupt("no inode refers to it".into()));
        }
        let blocks = le32(bytes, 8);
        if blocks != 1 {
            return Err(corrupt(format!("it has {blocks} blocks, and not 1")));
        }
        if let Some(seed) = seed {
            let (stored, computed) = (le32(bytes, 16), checksum(bytes, number, seed));
            if stored != computed {
                return Err(corrupt(format!(
                    "the checksum is {stored:#010x}, and {computed:#010x} was computed"
                )));
            }
        }
        Ok(Self {
            references,
            attributes: frame(number).parse(bytes)?,
        })
    }

    /// Writes a block, sorted; `None` if the attributes do not fit.
    pub fn encode(&self, number: u64, block_bytes: usize, seed: Option<u32>) -> Option<Vec<u8>> {
        let mut sorted = self.attributes.clone();
        sorted.sort_by(|a, b| a.name.order().cmp(&b.name.order()));
        let mut bytes = vec![0; block_bytes];
        if !frame(0).encode(&sorted, &mut bytes) {
            return None;
        }
        let hash = hash_of_entries(&bytes, &sorted);
        bytes[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.references.to_le_bytes());
        bytes[8..12].copy_from_slice(&1_u32.to_le_bytes());
        bytes[12..16].copy_from_slice(&hash.to_le_bytes());
        if let Some(seed) = seed {
            let checksum = checksum(&bytes, number, seed);
            bytes[16..20].copy_from_slice(&checksum.to_le_bytes());
        }
        Some(bytes)
    }
}

/// Gives a block another number of references and leaves all else as it is, so that a shared block keeps the exact bytes that the
/// kernel compares when it looks for one to share.
pub(super) fn set_references(bytes: &mut [u8], references: u32, number: u64, seed: Option<u32>) {
    bytes[4..8].copy_from_slice(&references.to_le_bytes());
    if let Some(seed) = seed {
        let checksum = checksum(bytes, number, seed);
        bytes[16..20].copy_from_slice(&checksum.to_le_bytes());
    }
}

fn checksum(bytes: &[u8], number: u64, seed: u32) -> u32 {
    // `crc32c_append` takes and gives the complement of what Linux's `crc32c` does.
    let crc = crc32c::crc32c_append(!seed, &number.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &bytes[..16]);
    let crc = crc32c::crc32c_append(crc, &[0; 4]);
    !crc32c::crc32c_append(crc, &bytes[20..])
}

/// `fs/ext4/xattr.c`, `ext4_xattr_rehash`.
fn hash_of_entries(bytes: &[u8], sorted: &[Attribute]) -> u32 {
    let mut at = HEADER_BYTES;
    let mut all = 0_u32;
    for attribute in sorted {
        let hash = le32(bytes, at + 12);
        if hash == 0 {
            return 0;
        }
        all = all.rotate_left(16) ^ hash;
        at += super::entry::entry_bytes(attribute.name.rest().len());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::name::AttributeName;
    use super::*;

    fn block() -> AttributeBlock {
        AttributeBlock {
            references: 2,
            attributes: vec![
                Attribute::new(AttributeName::from_disk(1, b"longer"), b"1"),
                Attribute::new(AttributeName::from_disk(6, b"selinux"), b"etc_t\0"),
                Attribute::new(AttributeName::from_disk(1, b"zz"), b""),
            ],
        }
    }

    #[test]
    fn a_block_comes_back_sorted() {
        let bytes = block().encode(77, 1024, Some(5)).unwrap();
        let read = AttributeBlock::parse(&bytes, 77, Some(5)).unwrap();
        assert_eq!(read.references, 2);
        let names: Vec<_> = read.attributes.iter().map(|one| one.name.rest()).collect();
        assert_eq!(names, [&b"zz"[..], b"longer", b"selinux"]);
    }

    #[test]
    fn each_rule_is_held_to() {
        let bytes = block().encode(77, 1024, Some(5)).unwrap();
        let rule = |at: usize, byte: u8, seed| {
            let mut changed = bytes.clone();
            changed[at] = byte;
            AttributeBlock::parse(&changed, 77, seed)
                .unwrap_err()
                .to_string()
        };
        assert!(rule(0, 1, None).contains("magic"));
        assert!(rule(4, 0, None).contains("refers"));
        assert!(rule(8, 2, None).contains("2 blocks"));
        assert!(rule(1000, 1, Some(5)).contains("checksum"));
        assert!(AttributeBlock::parse(&bytes, 78, Some(5)).is_err());
        assert!(AttributeBlock::parse(&bytes[..20], 77, None).is_err());
    }

    #[test]
    fn references_change_alone() {
        let mut bytes = block().encode(77, 1024, Some(5)).unwrap();
        set_references(&mut bytes, 3, 77, Some(5));
        let read = AttributeBlock::parse(&bytes, 77, Some(5)).unwrap();
        assert_eq!(read.references, 3);
    }
}
