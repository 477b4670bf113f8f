//! The journal's superblock.

use super::record::{be16, be32, checksum};
use crate::error::{Error, Result};

/// What every block of the journal that is no data begins with.
pub(super) const MAGIC: u32 = 0xC03B_3998;

/// How many bytes the superblock has; the rest of its block is unused.
pub const SUPERBLOCK_BYTES: usize = 1024;

/// How many blocks fast commits take if `s_num_fc_blks` is 0 (`JBD2_DEFAULT_FAST_COMMIT_BLOCKS`).
const FAST_COMMIT_BLOCKS: u32 = 256;
/// The fewest blocks that a log has (`JBD2_MIN_JOURNAL_BLOCKS`).
const LOG_BLOCKS: u32 = 1024;

const COMPAT_CHECKSUM: u32 = 0x1;
const REVOKE: u32 = 0x1;
const SIXTY_FOUR_BIT: u32 = 0x2;
const ASYNC_COMMIT: u32 = 0x4;
const CHECKSUM_V2: u32 = 0x8;
const CHECKSUM_V3: u32 = 0x10;
const FAST_COMMIT: u32 = 0x20;

/// How the journal protects what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksums {
    /// Not at all.
    None,
    /// The commit block has a CRC-32 of the transaction (`COMPAT_CHECKSUM`).
    Transaction,
    /// Every block has a CRC-32C, of which tags hold the lower half (`CSUM_V2`).
    Version2,
    /// Every block has a CRC-32C (`CSUM_V3`).
    Version3,
}

/// The journal's superblock, checked. Big-endian, in the journal's first block.
///
/// Linux `Documentation/filesystems/ext4/journal.rst`, "Super Block".
///
/// | offset | size | field                 | note                                                              |
/// |-------:|-----:|-----------------------|-------------------------------------------------------------------|
/// |      0 |    4 | `h_magic`             | `C0 3B 39 98`                                                     |
/// |      4 |    4 | `h_blocktype`         | 3: the fields from 36 on are not there; 4                         |
/// |     12 |    4 | `s_blocksize`         | that of the filesystem                                            |
/// |     16 |    4 | `s_maxlen`            | the length in blocks                                              |
/// |     20 |    4 | `s_first`             | the first block of the log                                        |
/// |     24 |    4 | `s_sequence`          | the first transaction that the log is expected to hold            |
/// |     28 |    4 | `s_start`             | where in the log that is; 0: the log is empty                     |
/// |     32 |    4 | `s_errno`             | an error that was met in use                                      |
/// |     36 |    4 | `s_feature_compat`    | 1 checksum                                                        |
/// |     40 |    4 | `s_feature_incompat`  | 1 revoke, 2 64bit, 4 async commit, 8 csum v2, 16 csum v3, 32 fast commit |
/// |     44 |    4 | `s_feature_ro_compat` | 0                                                                 |
/// |     48 |   16 | `s_uuid`              | what checksums begin with                                         |
/// |     80 |    1 | `s_checksum_type`     | 4 with csum v2 and v3: CRC-32C                                    |
/// |     84 |    4 | `s_num_fc_blks`       | the blocks of fast commits, at the end; 0 means 256               |
/// |    252 |    4 | `s_checksum`          | with csum v2 and v3: CRC-32C over 1024 bytes with 0 here          |
#[derive(Debug, Clone)]
pub struct Superblock {
    raw: Vec<u8>,
    has_features: bool,
    /// The first block of the log.
    pub(super) first: u32,
    /// The end of the log, where it goes on at `first`.
    pub(super) last: u32,
    /// The length of the journal.
    pub(super) length: u32,
}

impl Superblock {
    /// Takes the first 1024 bytes of a journal that has so many blocks.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Unsupported`].
    pub(super) fn parse(
        raw: &[u8; SUPERBLOCK_BYTES],
        block_bytes: u32,
        blocks: u32,
    ) -> Result<Self> {
        let corrupt = |rule: String| Error::corrupt("journal block", 0, rule);
        let magic = be32(raw, 0);
        if magic != MAGIC {
            return Err(corrupt(format!("the magic is {magic:#010x}")));
        }
        let has_features = match be32(raw, 4) {
            3 => false,
            4 => true,
            kind => return Err(corrupt(format!("the block type is {kind}, and not 3 or 4"))),
        };
        let own_block_bytes = be32(raw, 12);
        if own_block_bytes != block_bytes {
            return Err(corrupt(format!(
                "its blocks have {own_block_bytes} bytes, and those of the filesystem {block_bytes}"
            )));
        }
        let length = be32(raw, 16);
        if length > blocks {
            return Err(corrupt(format!(
                "it has {length} blocks, and its inode {blocks}"
            )));
        }
        let mut superblock = Self {
            raw: raw.to_vec(),
            has_features,
            first: be32(raw, 20),
            last: length,
            length,
        };
        superblock.check_features(&corrupt)?;
        if superblock.has(FAST_COMMIT) {
            let fast = match be32(raw, 84) {
                0 => FAST_COMMIT_BLOCKS,
                fast => fast,
            };
            // As `journal_load_superblock`: what would leave no log has no fast commits.
            if let Some(last) = length.checked_sub(fast)
                && last >= LOG_BLOCKS
            {
                superblock.last = last;
            }
        }
        let (first, last, start) = (superblock.first, superblock.last, superblock.start());
        if first == 0 || first >= last {
            return Err(corrupt(format!(
                "the log begins at block {first}, and ends at {last}"
            )));
        }
        if start != 0 && !(first..last).contains(&start) {
            return Err(corrupt(format!(
                "the first transaction is at block {start}, and the log is from {first} to {last}"
            )));
        }
        Ok(superblock)
    }

    /// Judges features and, once it is known how, the checksum.
    fn check_features(&self, corrupt: &dyn Fn(String) -> Error) -> Result<()> {
        if !self.has_features {
            return Ok(());
        }
        let unsupported = |what: String| Err(Error::unsupported(what));
        let known =
            REVOKE | SIXTY_FOUR_BIT | ASYNC_COMMIT | CHECKSUM_V2 | CHECKSUM_V3 | FAST_COMMIT;
        let unknown = be32(&self.raw, 40) & !known;
        if unknown != 0 {
            return unsupported(format!("incompatible journal features {unknown:#x} are"));
        }
        let unknown = be32(&self.raw, 44);
        if unknown != 0 {
            return unsupported(format!("read-only journal features {unknown:#x} are"));
        }
        let (v2, v3) = (self.has(CHECKSUM_V2), self.has(CHECKSUM_V3));
        if (v2 && v3) || ((v2 || v3) && be32(&self.raw, 36) & COMPAT_CHECKSUM != 0) {
            return Err(corrupt("it has more than one kind of checksums".into()));
        }
        if v2 || v3 {
            let kind = self.raw[80];
            if kind != 4 {
                return unsupported(format!("journal checksums of type {kind} are"));
            }
            let (stored, computed) = (be32(&self.raw, 252), self.checksum());
            if stored != computed {
                return Err(corrupt(format!(
                    "the checksum is {stored:#010x}, and {computed:#010x} was computed"
                )));
            }
        }
        Ok(())
    }

    /// `fs/jbd2/journal.c`, `jbd2_superblock_csum`.
    fn checksum(&self) -> u32 {
        let crc = checksum(!0, &self.raw[..252]);
        let crc = checksum(crc, &[0; 4]);
        checksum(crc, &self.raw[256..])
    }

    fn has(&self, feature: u32) -> bool {
        self.has_features && be32(&self.raw, 40) & feature != 0
    }

    /// Whether tags and revoke records have numbers of 8 bytes.
    pub(super) fn is_64_bit(&self) -> bool {
        self.has(SIXTY_FOUR_BIT)
    }

    /// Whether commit blocks may have been written before the rest of their transaction.
    pub(super) fn commits_early(&self) -> bool {
        self.has(ASYNC_COMMIT)
    }

    /// Returns how the journal protects what it holds.
    pub fn checksums(&self) -> Checksums {
        if self.has(CHECKSUM_V3) {
            Checksums::Version3
        } else if self.has(CHECKSUM_V2) {
            Checksums::Version2
        } else if self.has_features && be32(&self.raw, 36) & COMPAT_CHECKSUM != 0 {
            Checksums::Transaction
        } else {
            Checksums::None
        }
    }

    /// Returns the CRC-32C state that checksums of version 2 and 3 begin with: over the UUID.
    pub(super) fn seed(&self) -> u32 {
        checksum(!0, &self.raw[48..64])
    }

    /// Returns the number of the transaction that the log begins with.
    pub fn sequence(&self) -> u32 {
        be32(&self.raw, 24)
    }

    /// Returns where in the log that transaction begins, or 0 if the log is empty.
    pub fn start(&self) -> u32 {
        be32(&self.raw, 28)
    }

    /// Returns the error that was met while the filesystem was in use, or 0.
    pub fn error_number(&self) -> u32 {
        be32(&self.raw, 32)
    }

    /// Returns the first block of fast commits, if there may be some.
    pub(super) fn fast_commits(&self) -> Option<u32> {
        // `jbd2_journal_init_fc`: the block at the end of the log stays unused.
        (self.last < self.length)
            .then_some(self.last + 1)
            .filter(|first| *first < self.length)
    }

    /// Marks the log as empty, and its next transaction as this one.
    pub(super) fn mark_empty(&mut self, sequence: u32) {
        self.raw[24..28].copy_from_slice(&sequence.to_be_bytes());
        self.raw[28..32].fill(0);
        if matches!(self.checksums(), Checksums::Version2 | Checksums::Version3) {
            let checksum = self.checksum();
            self.raw[252..256].copy_from_slice(&checksum.to_be_bytes());
        }
    }

    /// Returns the bytes as they are stored.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.raw
    }

    /// Returns the form of tags.
    pub(super) fn tags(&self) -> super::record::Tags {
        super::record::Tags {
            version3: self.has(CHECKSUM_V3),
            version2: self.has(CHECKSUM_V2),
            is_64_bit: self.is_64_bit(),
        }
    }
}

/// Whether a block begins as a record does.
pub(super) fn header(block: &[u8]) -> Option<(u32, u32)> {
    (be32(block, 0) == MAGIC).then(|| (be32(block, 4), be32(block, 8)))
}

/// Whether a block begins a fast commit of this transaction (`fs/ext4/fast_commit.h`, `struct ext4_fc_tl`, `ext4_fc_head`; little-endian):
/// tag 9, length 8, features, transaction.
pub(super) fn begins_fast_commit(block: &[u8], sequence: u32) -> bool {
    be16(block, 0).swap_bytes() == 9 && be32(block, 8).swap_bytes() == sequence
}
