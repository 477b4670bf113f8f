//! Multiple mount protection: a block that says whether somebody uses the filesystem (feature `mmp`).

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::error::{Error, Result};
use crate::feature::Feature;
use crate::number::BlockNumber;
use crate::volume::Volume;

/// The block as stored. Little-endian.
///
/// `fs/ext4/ext4.h`, `struct mmp_struct` (v6.12).
///
/// | offset | size | field          | note                                                       |
/// |-------:|-----:|----------------|------------------------------------------------------------|
/// |      0 |    4 | `mmp_magic`    | `MMP`                                                      |
/// |      4 |    4 | `mmp_seq`      | 0xff4d4d50 when nobody uses it, 0xe24d4d50 during `e2fsck` |
/// |      8 |    8 | `mmp_time`     |                                                            |
/// |     16 |   64 | `mmp_nodename` | who was the last                                           |
/// |   1020 |    4 | `mmp_checksum` | CRC32c over the filesystem's seed and all before           |
#[repr(C)]
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
struct RawMmp {
    magic: U32,
    sequence: U32,
    time: U64,
    node: [u8; 64],
    device: [u8; 32],
    check_interval: U16,
    pad: [u8; 906],
    checksum: U32,
}

const _: () = assert!(size_of::<RawMmp>() == 1024);

const MAGIC: u32 = 0x004d_4d50;
/// Nobody uses it (`EXT4_MMP_SEQ_CLEAN`).
const CLEAN: u32 = 0xff4d_4d50;

impl Volume {
    /// Refuses a filesystem that somebody uses or checks. Linux would wait and see whether the block changes (`fs/ext4/mmp.c`,
    /// `ext4_multi_mount_protect`); an image does not change while we look at it, so only what was left in order will do. The block is not written:
    /// what we change appears all at once, and who comes then sees it.
    pub(crate) fn check_unused(&mut self) -> Result<()> {
        if !self.superblock.has(Feature::Mmp) {
            return Ok(());
        }
        let number = BlockNumber(self.superblock.raw.s_mmp_block.get());
        let corrupt = |rule: &str| Error::corrupt("multiple mount protection", number.0, rule);
        let block = self.read_block(number)?;
        let (mmp, _) = RawMmp::ref_from_prefix(&block)
            .map_err(|_| corrupt("the block is shorter than its fields"))?;
        if mmp.magic.get() != MAGIC {
            return Err(corrupt("the magic number is wrong"));
        }
        if self.superblock.has(Feature::MetadataCsum)
            && self.superblock.seed().with(&block[..1020]).value() != mmp.checksum.get()
        {
            return Err(corrupt("the checksum is wrong"));
        }
        if mmp.sequence.get() != CLEAN {
            return Err(Error::InUse);
        }
        Ok(())
    }
}
