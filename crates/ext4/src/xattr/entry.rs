//! Entries and values, as they stand in an inode and in a block.

use std::ops::Range;

use super::name::AttributeName;
use crate::error::Corrupt;

/// Entries, and values, begin at multiples of this (`EXT4_XATTR_PAD`).
const PAD: usize = 4;
/// An entry without its name.
const ENTRY_BYTES: usize = 16;
/// The zero that ends the entries.
pub(super) const END_BYTES: usize = 4;
/// The largest value, wherever it stands (`fs/ext4/xattr.h`, `EXT4_XATTR_SIZE_MAX`).
const VALUE_BYTES: u32 = 1 << 24;

/// An extended attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: AttributeName,
    /// Its value, or where that is.
    pub value: Value,
}

/// The value of an extended attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// It stands beside the entry.
    Here(Vec<u8>),
    /// It is the content of an inode (feature `ea_inode`).
    Inode {
        /// The number of the inode.
        inode: u32,
        /// How many bytes it has.
        size_bytes: u32,
        /// The hash in the entry, which is over the name and the hash of the content.
        hash: u32,
    },
}

impl Attribute {
    /// Makes an attribute whose value stands beside its entry.
    pub fn new(name: AttributeName, value: &[u8]) -> Self {
        Self {
            name,
            value: Value::Here(value.to_vec()),
        }
    }

    /// How many bytes its entry and its value take.
    pub(super) fn stored_bytes(&self) -> usize {
        let value = match &self.value {
            Value::Here(value) => value.len(),
            Value::Inode { .. } => 0,
        };
        entry_bytes(self.name.rest().len()) + value.next_multiple_of(PAD)
    }
}

/// How many bytes an entry takes whose name has so many.
pub(super) fn entry_bytes(name_bytes: usize) -> usize {
    (ENTRY_BYTES + name_bytes).next_multiple_of(PAD)
}

/// Where entries stand, and what their values' offsets count from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// The name of the structure in errors.
    pub(super) structure: &'static str,
    /// The number of the inode or the block, for errors.
    pub(super) place: u64,
    /// Where in the bytes the first entry stands.
    pub(super) first: usize,
    /// Where in the bytes the value with offset 0 would stand.
    pub(super) base: usize,
    /// Whether entries hold a hash of their name and value. In an inode the kernel writes 0.
    pub(super) hashed: bool,
}

impl Frame {
    fn corrupt(&self, rule: impl Into<String>) -> Corrupt {
        Corrupt::new(self.structure, self.place, rule)
    }

    /// Reads the entries and their values, in the order in which they stand.
    ///
    /// One entry, little-endian (Linux `fs/ext4/xattr.h`, `struct ext4_xattr_entry`); the checks are those of `check_xattrs` in
    /// `fs/ext4/xattr.c`, and that values do not overlap, as e2fsck has it.
    ///
    /// | offset | size | field           | note                                                    |
    /// |-------:|-----:|-----------------|---------------------------------------------------------|
    /// |      0 |    1 | `e_name_len`    | with the next three bytes 0, the entries end            |
    /// |      1 |    1 | `e_name_index`  | see [`AttributeName`]                                   |
    /// |      2 |    2 | `e_value_offs`  | from the first entry (inode) or the start of the block  |
    /// |      4 |    4 | `e_value_inum`  | 0: the value stands here                                |
    /// |      8 |    4 | `e_value_size`  | at most 16 MiB                                          |
    /// |     12 |    4 | `e_hash`        | see [`hash_entry`]; 0 in an inode                       |
    /// |     16 |      | `e_name`        | without NUL, padded to 4                                |
    pub(super) fn parse(&self, bytes: &[u8]) -> Result<Vec<Attribute>, Corrupt> {
        let mut found = Vec::new();
        let mut at = self.first;
        loop {
            let entry = bytes
                .get(at..)
                .filter(|rest| rest.len() >= END_BYTES)
                .ok_or_else(|| self.corrupt("the entries have no end"))?;
            if entry[..END_BYTES] == [0; END_BYTES] {
                break;
            }
            let name_bytes = usize::from(entry[0]);
            let length = entry_bytes(name_bytes);
            // Behind every entry there is at least the end.
            if entry.len() < length + END_BYTES {
                return Err(self.corrupt(format!("the entry at {at} reaches past the end")));
            }
            let name = &entry[ENTRY_BYTES..ENTRY_BYTES + name_bytes];
            if name.contains(&0) {
                return Err(self.corrupt(format!("the name at {at} holds a NUL")));
            }
            found.push((at, AttributeName::from_disk(entry[1], name)));
            at += length;
        }
        let values_from = at + END_BYTES;

        let mut attributes = Vec::with_capacity(found.len());
        let mut taken: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for (at, name) in found {
            let entry = &bytes[at..];
            let offset = u16::from_le_bytes([entry[2], entry[3]]);
            let inode = le32(entry, 4);
            let size_bytes = le32(entry, 8);
            if size_bytes > VALUE_BYTES {
                return Err(self.corrupt(format!(
                    "the value of the entry at {at} has {size_bytes} bytes"
                )));
            }
            let value = if inode != 0 {
                Value::Inode {
                    inode,
                    size_bytes,
                    hash: le32(entry, 12),
                }
            } else if size_bytes == 0 {
                Value::Here(Vec::new())
            } else {
                let start = self.base + usize::from(offset);
                let length = size_bytes as usize;
                let end = start + length.next_multiple_of(PAD);
                if start < values_from || end > bytes.len() {
                    return Err(self.corrupt(format!(
                        "the value of the entry at {at} is at {start} with {size_bytes} bytes"
                    )));
                }
                taken.push(start..end);
                Value::Here(bytes[start..start + length].to_vec())
            };
            attributes.push(Attribute { name, value });
        }
        taken.sort_unstable_by_key(|range| range.start);
        if let Some(pair) = taken.windows(2).find(|pair| pair[0].end > pair[1].start) {
            return Err(self.corrupt(format!("two values overlap at {}", pair[1].start)));
        }
        Ok(attributes)
    }

    /// Writes entries from the first on, and values from the end down, into bytes that are zero there. Returns false, with nothing
    /// written, if they do not fit.
    pub(super) fn encode(&self, attributes: &[Attribute], bytes: &mut [u8]) -> bool {
        let needed: usize = attributes.iter().map(Attribute::stored_bytes).sum();
        if self.first + needed + END_BYTES > bytes.len() {
            return false;
        }
        let mut at = self.first;
        let mut values_from = bytes.len();
        for attribute in attributes {
            let name = attribute.name.rest();
            let mut offset = 0;
            let (inode, size_bytes, hash) = match &attribute.value {
                Value::Here(value) => {
                    if !value.is_empty() {
                        values_from -= value.len().next_multiple_of(PAD);
                        bytes[values_from..values_from + value.len()].copy_from_slice(value);
                        offset = values_from - self.base;
                    }
                    let hash = if self.hashed {
                        hash_entry(name, value)
                    } else {
                        0
                    };
                    (0, value.len() as u32, hash)
                }
                Value::Inode {
                    inode,
                    size_bytes,
                    hash,
                } => (*inode, *size_bytes, *hash),
            };
            let length = entry_bytes(name.len());
            let entry = &mut bytes[at..at + length];
            // Names come from disk or from Linux, and have at most 255 bytes; a block has at most 65,536.
            entry[0] = name.len() as u8;
            entry[1] = attribute.name.index();
            entry[2..4].copy_from_slice(&(offset as u16).to_le_bytes());
            entry[4..8].copy_from_slice(&inode.to_le_bytes());
            entry[8..12].copy_from_slice(&size_bytes.to_le_bytes());
            entry[12..16].copy_from_slice(&hash.to_le_bytes());
            entry[16..16 + name.len()].copy_from_slice(name);
            at += length;
        }
        true
    }
}

/// Returns the hash of a name and a value in a block (`fs/ext4/xattr.c`, `ext4_xattr_hash_entry`).
///
/// The bytes of the name are taken as unsigned, as Linux does since 6.2 on every machine; before, it was what `char` is. Both are
/// accepted by the kernel and by e2fsck.
pub(super) fn hash_entry(name: &[u8], value: &[u8]) -> u32 {
    let words = value.chunks(PAD).map(|word| {
        let mut padded = [0; PAD];
        padded[..word.len()].copy_from_slice(word);
        u32::from_le_bytes(padded)
    });
    words.fold(hash_name(name), |hash, word| hash.rotate_left(16) ^ word)
}

fn hash_name(name: &[u8]) -> u32 {
    name.iter()
        .fold(0, |hash: u32, byte| hash.rotate_left(5) ^ u32::from(*byte))
}

/// Returns the hash of an entry whose value stands in an inode: over the name and the hash of the content.
pub(super) fn hash_inode_entry(name: &[u8], content_hash: u32) -> u32 {
    hash_name(name).rotate_left(16) ^ content_hash
}

/// Reads four bytes that are there.
pub(super) fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame {
        structure: "extended attributes",
        place: 0,
        first: 4,
        base: 4,
        hashed: false,
    };

    fn attribute(rest: &[u8], value: &[u8]) -> Attribute {
        Attribute::new(AttributeName::from_disk(1, rest), value)
    }

    fn region() -> (Vec<Attribute>, Vec<u8>) {
        let attributes = vec![
            attribute(b"abc", b"value"),
            attribute(b"empty", b""),
            attribute(b"x", &[7; 8]),
        ];
        let mut bytes = vec![0; 92];
        assert!(FRAME.encode(&attributes, &mut bytes));
        (attributes, bytes)
    }

    #[test]
    fn entries_go_there_and_back() {
        let (attributes, bytes) = region();
        assert_eq!(FRAME.parse(&bytes).unwrap(), attributes);
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        let (attributes, _) = region();
        // 20 + 24 + 20 for entries, 4 for the end, 16 for values, 4 before.
        let mut bytes = vec![0; 88];
        assert!(FRAME.encode(&attributes, &mut bytes));
        let mut bytes = vec![0; 84];
        assert!(!FRAME.encode(&attributes, &mut bytes));
        assert_eq!(bytes, [0; 84]);
    }

    #[test]
    fn each_rule_is_held_to() {
        let (_, bytes) = region();
        let rule = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut changed = bytes.clone();
            change(&mut changed);
            FRAME.parse(&changed).unwrap_err().to_string()
        };
        assert!(rule(&|bytes| bytes[4] = 255).contains("past the end"));
        assert!(rule(&|bytes| bytes[21] = 0).contains("NUL"));
        assert!(rule(&|bytes| bytes[12 + 3] = 2).contains("bytes"));
        assert!(rule(&|bytes| bytes[6] = 0).contains("is at 4"));
        assert!(rule(&|bytes| bytes[6] = 86).contains("is at 90"));
        assert!(rule(&|bytes| bytes[6] = 76).contains("overlap"));
        assert!(rule(&|bytes| bytes.truncate(66)).contains("past the end"));
        assert!(rule(&|bytes| bytes.truncate(7)).contains("no end"));
    }

    #[test]
    fn no_byte_makes_it_panic() {
        let (_, bytes) = region();
        for at in 0..bytes.len() {
            for byte in [0, 1, 4, 127, 128, 255] {
                let mut changed = bytes.clone();
                changed[at] = byte;
                let _ = FRAME.parse(&changed);
                let _ = FRAME.parse(&changed[..at]);
            }
        }
    }
}
