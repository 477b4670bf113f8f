//! Records of the log: descriptors and their tags, revoke records, commits.

use super::superblock::Checksums;

/// What a record is, as its header says.
pub(super) const DESCRIPTOR: u32 = 1;
/// See [`DESCRIPTOR`].
pub(super) const COMMIT: u32 = 2;
/// See [`DESCRIPTOR`].
pub(super) const REVOKE: u32 = 5;

/// `h_magic`, `h_blocktype`, `h_sequence`.
const HEADER_BYTES: usize = 12;
/// A checksum at the end of descriptors and revoke records, with checksums of version 2 and 3.
const TAIL_BYTES: usize = 4;
/// What follows a tag without the flag `SAME_UUID`.
const UUID_BYTES: usize = 16;
/// Where a commit block has its checksum: `h_chksum[0]`.
const COMMIT_CHECKSUM: usize = 16;

const ESCAPED: u16 = 0x1;
const SAME_UUID: u16 = 0x2;
const LAST_TAG: u16 = 0x8;

pub(super) fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// CRC-32C as Linux takes it, without inverting before and after.
pub(super) fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

/// The form of tags in descriptors (`fs/jbd2/journal.c`, `journal_tag_bytes`).
///
/// Version 3 has 16 bytes: `t_blocknr`, `t_flags`, `t_blocknr_high`, `t_checksum`, of 4 each. Otherwise:
///
/// | offset | size | field            | note                                                |
/// |-------:|-----:|------------------|-----------------------------------------------------|
/// |      0 |    4 | `t_blocknr`      |                                                     |
/// |      4 |    2 | `t_checksum`     | only version 2 uses it                              |
/// |      6 |    2 | `t_flags`        | 1 escaped, 2 same UUID, 4 deleted, 8 last           |
/// |      8 |    4 | `t_blocknr_high` | only with 64bit                                     |
/// |        |    2 |                  | only with version 2, whose tags are two bytes longer than what they hold |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tags {
    pub(super) version3: bool,
    pub(super) version2: bool,
    pub(super) is_64_bit: bool,
}

/// What a descriptor says of one block of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    /// The block of the filesystem that the data belongs in.
    pub(super) block: u64,
    /// Whether the data began with the journal's magic, which was written as 0.
    pub(super) escaped: bool,
    /// The checksum of the data, if tags have one.
    checksum: Option<TagChecksum>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TagChecksum {
    Half(u16),
    Whole(u32),
}

impl Tags {
    fn bytes(self) -> usize {
        if self.version3 {
            return 16;
        }
        let wide = if self.is_64_bit { 12 } else { 8 };
        wide + if self.version2 { 2 } else { 0 }
    }

    fn end(self, block: &[u8]) -> usize {
        block.len()
            - if self.version3 || self.version2 {
                TAIL_BYTES
            } else {
                0
            }
    }

    /// Returns the tags of a descriptor; there is at least one.
    pub(super) fn read(self, descriptor: &[u8]) -> Vec<Tag> {
        let (length, end) = (self.bytes(), self.end(descriptor));
        let mut tags = Vec::new();
        let mut at = HEADER_BYTES;
        while at + length <= end {
            let tag = &descriptor[at..at + length];
            // In version 3 the flags have four bytes, of which these are the lower two.
            let flags = be16(tag, 6);
            let mut block = u64::from(be32(tag, 0));
            if self.is_64_bit {
                block |= u64::from(be32(tag, 8)) << 32;
            }
            tags.push(Tag {
                block,
                escaped: flags & ESCAPED != 0,
                checksum: if self.version3 {
                    Some(TagChecksum::Whole(be32(tag, 12)))
                } else if self.version2 {
                    Some(TagChecksum::Half(be16(tag, 4)))
                } else {
                    None
                },
            });
            at += length;
            if flags & SAME_UUID == 0 {
                at += UUID_BYTES;
            }
            if flags & LAST_TAG != 0 {
                break;
            }
        }
        tags
    }

    /// Returns the revoked blocks of a revoke record, or `None` if it says that it is longer than its block
    /// (`fs/jbd2/recovery.c`, `scan_revoke_records`): after the header `r_count`, the bytes used with the header, then block numbers.
    pub(super) fn read_revoked(self, record: &[u8]) -> Option<impl Iterator<Item = u64>> {
        let used = be32(record, HEADER_BYTES) as usize;
        if used > self.end(record) {
            return None;
        }
        let width = if self.is_64_bit { 8 } else { 4 };
        let numbers = record.get(HEADER_BYTES + 4..used).unwrap_or(&[]);
        Some(numbers.chunks_exact(width).map(|number| {
            number
                .iter()
                .fold(0, |all, byte| all << 8 | u64::from(*byte))
        }))
    }

    /// Whether the checksum at the end of a descriptor or a revoke record is right, or there is none.
    pub(super) fn tail_is_right(self, record: &[u8], seed: u32) -> bool {
        let end = self.end(record);
        end == record.len()
            || be32(record, end) == checksum(checksum(seed, &record[..end]), &[0; 4])
    }
}

impl Tag {
    /// Whether the checksum of the data, as it stands in the log, is right or there is none
    /// (`fs/jbd2/recovery.c`, `jbd2_block_tag_csum_verify`).
    pub(super) fn data_is_right(&self, data: &[u8], sequence: u32, seed: u32) -> bool {
        let Some(stored) = self.checksum else {
            return true;
        };
        let computed = checksum(checksum(seed, &sequence.to_be_bytes()), data);
        match stored {
            TagChecksum::Whole(stored) => stored == computed,
            // The lower half is what is kept.
            TagChecksum::Half(stored) => stored == computed as u16,
        }
    }
}

/// A commit block.
///
/// | offset | size | field           | note                                                             |
/// |-------:|-----:|-----------------|------------------------------------------------------------------|
/// |     12 |    1 | `h_chksum_type` | 1 is CRC-32; with `COMPAT_CHECKSUM` only                         |
/// |     13 |    1 | `h_chksum_size` | 4                                                                |
/// |     16 |    4 | `h_chksum`      | of the transaction, or of this block with 0 here                 |
/// |     48 |    8 | `h_commit_sec`  | when                                                             |
pub(super) struct Commit<'a>(pub(super) &'a [u8]);

impl Commit<'_> {
    pub(super) fn seconds(&self) -> u64 {
        u64::from(be32(self.0, 48)) << 32 | u64::from(be32(self.0, 52))
    }

    /// Whether its checksum is right, or there is none. `transaction` is the CRC-32 of what came before.
    pub(super) fn is_right(&self, kind: Checksums, transaction: u32, seed: u32) -> bool {
        let stored = be32(self.0, COMMIT_CHECKSUM);
        match kind {
            Checksums::None => true,
            Checksums::Transaction => match (self.0[12], self.0[13]) {
                (1, 4) => stored == transaction,
                (0, 0) => stored == 0,
                _ => false,
            },
            Checksums::Version2 | Checksums::Version3 => {
                let crc = checksum(seed, &self.0[..COMMIT_CHECKSUM]);
                let crc = checksum(crc, &[0; 4]);
                stored == checksum(crc, &self.0[COMMIT_CHECKSUM + 4..])
            }
        }
    }
}

/// CRC-32 from the highest bit on, without inverting (Linux `lib/crc32.c`, `crc32_be`): polynomial `0x04C11DB7`.
pub(super) fn crc32_be(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |crc, byte| {
        crc << 8 ^ CRC32_BE[usize::from((crc >> 24) as u8 ^ byte)]
    })
}

const CRC32_BE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = (at as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000_0000 == 0 {
                crc << 1
            } else {
                crc << 1 ^ 0x04C1_1DB7
            };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_of_the_algorithms() {
        // CRC-32/MPEG-2, which is this one, and CRC-32C without its final inversion.
        assert_eq!(crc32_be(!0, b"123456789"), 0x0376_E6E7);
        assert_eq!(checksum(!0, b"123456789"), !0xE306_9283);
    }

    #[test]
    fn tags_have_the_lengths_of_linux() {
        let tags = |version3, version2, is_64_bit| {
            Tags {
                version3,
                version2,
                is_64_bit,
            }
            .bytes()
        };
        assert_eq!(tags(false, false, false), 8);
        assert_eq!(tags(false, false, true), 12);
        assert_eq!(tags(false, true, false), 10);
        assert_eq!(tags(false, true, true), 14);
        assert_eq!(tags(true, false, false), 16);
        assert_eq!(tags(true, false, true), 16);
    }

    #[test]
    fn a_descriptor_without_a_last_tag_ends_with_its_block() {
        let tags = Tags {
            version3: false,
            version2: false,
            is_64_bit: false,
        };
        let read = tags.read(&[0; 64]);
        // Each is followed by a UUID: 12 + 24, 36 + 24, and 60 + 8 is too far.
        assert_eq!(read.len(), 2);
        let mut record = [0; 64];
        record[15] = 65;
        assert!(tags.read_revoked(&record).is_none());
        record[15] = 27;
        assert_eq!(tags.read_revoked(&record).unwrap().count(), 2);
        record[15] = 3;
        assert_eq!(tags.read_revoked(&record).unwrap().count(), 0);
    }
}
