//! Extended attributes: in the inode, in a block that inodes may share, with values that may be inodes.
//!
//! Linux `Documentation/filesystems/ext4/attributes.rst`; what is a fault is said by e2fsck `pass1.c`, `check_ea_in_inode` and
//! `check_ext_attr`. An entry, little-endian, with its name behind it up to a multiple of 4:
//!
//! | offset | size | field            | note                                        |
//! |-------:|-----:|------------------|---------------------------------------------|
//! |      0 |    1 | `e_name_len`     |                                             |
//! |      1 |    1 | `e_name_index`   | 7 is `system.`                              |
//! |      2 |    2 | `e_value_offs`   | from the block, or from the first entry     |
//! |      4 |    4 | `e_value_inum`   | 0, or the inode that holds the value        |
//! |      8 |    4 | `e_value_size`   |                                             |
//! |     12 |    4 | `e_hash`         | over name and value                         |

use christen_vfs::Error;

use super::Audit;
use super::bytes::{crc32c, u16_at, u32_at};
use super::inodes::Inode;

const MAGIC: u32 = 0xea02_0000;
const ENTRY_BYTES: usize = 16;

/// What the attributes of an inode add to it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What they add to `i_blocks`, in blocks of the filesystem.
    pub(super) blocks: u64,
    /// With `system.data` in the inode, the length of the inline data.
    pub(super) inline_bytes: Option<u64>,
    /// Whether there is what says how the inode is encrypted.
    has_encryption: bool,
}

/// What stands in one place.
#[derive(Debug, Default)]
struct Entries {
    value_inodes: Vec<u32>,
    value_bytes: u64,
    inline_value: Option<u64>,
    has_encryption: bool,
}

impl Audit<'_> {
    /// Checks the attributes of an inode and claims their block.
    pub(super) fn check_attributes(&mut self, inode: &Inode) -> Result<Outcome, Error> {
        let geometry = self.reader.geometry;
        let cluster = geometry.block_bytes as u64 * geometry.ratio;
        let mut outcome = Outcome::default();
        let start = 128 + inode.extra_bytes();
        if inode.bytes.len() > 128 && start.is_multiple_of(4) && start + 4 <= inode.bytes.len() {
            let region = &inode.bytes[start..];
            if u32_at(region, 0) == MAGIC {
                match entries(&region[4..], 0, true) {
                    Ok(entries) => {
                        outcome.inline_bytes = entries.inline_value.map(|bytes| bytes + 60);
                        outcome.blocks += entries.value_bytes.div_ceil(cluster) * geometry.ratio;
                        outcome.has_encryption = entries.has_encryption;
                        self.note_values(&entries);
                    }
                    Err(rule) => self.find_inode(inode.number, rule),
                }
            }
        }
        if inode.is_inline() && outcome.inline_bytes.is_none() {
            self.find_inode(inode.number, "it has inline data and no `system.data`");
        }
        let block = inode.attribute_block();
        // What stands in a block is not looked at for this: it belongs to one inode alone and is rare.
        if inode.is_encrypted()
            && (geometry.incompatible & 0x1_0000 == 0 || (!outcome.has_encryption && block == 0))
        {
            self.find_inode(
                inode.number,
                "it is said to be encrypted, and nothing says how",
            );
        }
        if block != 0 {
            outcome.blocks += geometry.ratio + self.check_block_of_attributes(inode, block)?;
        }
        Ok(outcome)
    }

    /// Returns the blocks that the values add.
    fn check_block_of_attributes(&mut self, inode: &Inode, block: u64) -> Result<u64, Error> {
        let geometry = self.reader.geometry;
        if !geometry.holds(block, 1) || geometry.compatible & 8 == 0 {
            self.find_inode(
                inode.number,
                "the block of its attributes lies outside, or there are none",
            );
            return Ok(0);
        }
        if let Some((_, named, blocks)) = self.attribute_blocks.get_mut(&block) {
            *named += 1;
            return Ok(*blocks);
        }
        if self.used.set(block / geometry.ratio) {
            self.find_inode(
                inode.number,
                format!("block {block} has another owner, too"),
            );
            return Ok(0);
        }
        let bytes = self.reader.block(block)?;
        let find = |audit: &mut Self, rule: &str| {
            audit
                .report
                .find("block", block, format!("extended attributes: {rule}"));
        };
        if let Some(seed) = geometry.seed {
            let state = crc32c(seed, &block.to_le_bytes());
            let state = crc32c(state, &bytes[..16]);
            let state = crc32c(crc32c(state, &[0; 4]), &bytes[20..]);
            if u32_at(&bytes, 16) != state {
                find(self, "the checksum is wrong");
            }
        }
        let mut added = 0;
        if u32_at(&bytes, 0) != MAGIC || u32_at(&bytes, 8) != 1 {
            find(self, "the header is damaged");
        } else {
            match entries(&bytes, 32, false) {
                Ok(entries) => {
                    let cluster = geometry.block_bytes as u64 * geometry.ratio;
                    added = entries.value_bytes.div_ceil(cluster) * geometry.ratio;
                    self.note_values(&entries);
                }
                Err(rule) => find(self, rule),
            }
        }
        let stated = u64::from(u32_at(&bytes, 4));
        self.attribute_blocks.insert(block, (stated, 1, added));
        Ok(added)
    }

    fn note_values(&mut self, entries: &Entries) {
        for inode in &entries.value_inodes {
            *self.value_inodes.entry(*inode).or_default() += 1;
        }
    }

    /// Compares how often blocks and inodes are named with what they state.
    pub(super) fn check_attribute_counts(&mut self) {
        for (block, (stated, named, _)) in &self.attribute_blocks {
            if stated != named {
                let rule = format!(
                    "extended attributes: it states {stated} references, and there are {named}"
                );
                self.report.find("block", *block, rule);
            }
        }
        for (inode, named) in &self.value_inodes {
            let stated = self.inodes.get(inode).and_then(|seen| seen.value_count);
            let rule = match stated {
                None => "an attribute's value is said to be in it, and it holds none".to_owned(),
                Some(stated) if stated != *named => {
                    format!("it states {stated} references, and there are {named}")
                }
                Some(_) => continue,
            };
            self.report.find("inode", u64::from(*inode), rule);
        }
    }
}

/// Checks entries from `first` on. Values are counted from the beginning of `bytes`.
fn entries(bytes: &[u8], first: usize, in_inode: bool) -> Result<Entries, &'static str> {
    let mut found = Entries::default();
    let mut at = first;
    // Ranges of values, to see that none overlap.
    let mut values = Vec::new();
    while at + 4 <= bytes.len() && u32_at(bytes, at) != 0 {
        if at + ENTRY_BYTES > bytes.len() {
            return Err("an attribute reaches over the end");
        }
        let name_bytes = usize::from(bytes[at]);
        let index = bytes[at + 1];
        let offset = usize::from(u16_at(bytes, at + 2));
        let value_inode = u32_at(bytes, at + 4);
        let size = u32_at(bytes, at + 8) as usize;
        let hash = u32_at(bytes, at + 12);
        let Some(name) = bytes.get(at + ENTRY_BYTES..at + ENTRY_BYTES + name_bytes) else {
            return Err("the name of an attribute reaches over the end");
        };
        // Access control lists have an index of their own, and no name behind it.
        if index == 0 {
            return Err("an attribute has no name");
        }
        found.has_encryption |= index == 9 && name == b"c";
        if value_inode == 0 {
            let value = offset
                .checked_add(size)
                .and_then(|end| bytes.get(offset..end));
            let Some(value) = value else {
                return Err("the value of an attribute lies outside");
            };
            if size > 0 {
                values.push((offset, offset + size.next_multiple_of(4)));
            }
            let expected = [false, true].map(|signed| hash_of(name, value, signed));
            let unhashed = in_inode && hash == 0;
            if !unhashed && !expected.contains(&hash) {
                return Err("the hash of an attribute is wrong");
            }
            if in_inode && index == 7 && name == b"data" {
                found.inline_value = Some(size as u64);
            }
        } else {
            found.value_inodes.push(value_inode);
            found.value_bytes += size as u64;
        }
        at += (ENTRY_BYTES + name_bytes).next_multiple_of(4);
    }
    let end = at + 4;
    values.sort_unstable();
    let mut last = end;
    for (start, stop) in values {
        if start < last {
            return Err("attributes overlap");
        }
        last = stop;
    }
    Ok(found)
}

/// Linux `fs/ext4/xattr.c`, `ext4_xattr_hash_entry`: bytes of names count as signed where the filesystem was written by old kernels.
fn hash_of(name: &[u8], value: &[u8], signed: bool) -> u32 {
    let mut hash = 0_u32;
    for byte in name {
        let byte = if signed {
            i32::from(byte.cast_signed()).cast_unsigned()
        } else {
            u32::from(*byte)
        };
        hash = hash.rotate_left(5) ^ byte;
    }
    for word in value.chunks(4) {
        let mut padded = [0; 4];
        padded[..word.len()].copy_from_slice(word);
        hash = hash.rotate_left(16) ^ u32::from_le_bytes(padded);
    }
    hash
}
