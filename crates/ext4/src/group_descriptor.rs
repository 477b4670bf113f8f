//! Group descriptors: where a group's bitmaps and inodes are, and its counters.

use std::mem::{offset_of, size_of};

use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::{Seed, crc16};
use crate::feature::Feature;
use crate::number::{BlockNumber, GroupNumber};
use crate::superblock::Superblock;

/// `bg_flags`: no inode of the group was ever used, and its bitmap was never written.
const INODE_UNINIT: u16 = 1;
/// `bg_flags`: the block bitmap was never written.
const BLOCK_UNINIT: u16 = 2;
/// `bg_flags`: the inode table was written with zeros.
const INODE_ZEROED: u16 = 4;

/// A group descriptor as stored. Little-endian. Without `64bit` it ends after 32 bytes.
///
/// Linux `Documentation/filesystems/ext4/group_descr.rst`; `fs/ext4/ext4.h`, `struct ext4_group_desc` (v6.12).
///
/// | offset | size | field                    | note                                                       |
/// |-------:|-----:|--------------------------|------------------------------------------------------------|
/// |   0x00 |    4 | `bg_block_bitmap_lo`     | upper half at 0x20                                         |
/// |   0x04 |    4 | `bg_inode_bitmap_lo`     | upper half at 0x24                                         |
/// |   0x08 |    4 | `bg_inode_table_lo`      | upper half at 0x28                                         |
/// |   0x0c |    2 | `bg_free_blocks_lo`      | upper half at 0x2c                                         |
/// |   0x0e |    2 | `bg_free_inodes_lo`      | upper half at 0x2e                                         |
/// |   0x10 |    2 | `bg_used_dirs_lo`        | upper half at 0x30                                         |
/// |   0x12 |    2 | `bg_flags`               | 1 inodes, 2 blocks not initialised, 4 inode table zeroed   |
/// |   0x14 |    4 | `bg_exclude_bitmap_lo`   | unused                                                     |
/// |   0x18 |    2 | `bg_block_bitmap_csum_lo`| upper half at 0x38                                         |
/// |   0x1a |    2 | `bg_inode_bitmap_csum_lo`| upper half at 0x3a                                         |
/// |   0x1c |    2 | `bg_itable_unused_lo`    | inodes at the end of the table never used; upper at 0x32   |
/// |   0x1e |    2 | `bg_checksum`            | lower half of CRC32c, or CRC16: [`checksum`]               |
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
struct RawGroupDescriptor {
    bg_block_bitmap_lo: U32,
    bg_inode_bitmap_lo: U32,
    bg_inode_table_lo: U32,
    bg_free_blocks_lo: U16,
    bg_free_inodes_lo: U16,
    bg_used_dirs_lo: U16,
    bg_flags: U16,
    bg_exclude_bitmap_lo: U32,
    bg_block_bitmap_csum_lo: U16,
    bg_inode_bitmap_csum_lo: U16,
    bg_itable_unused_lo: U16,
    bg_checksum: U16,
    bg_block_bitmap_hi: U32,
    bg_inode_bitmap_hi: U32,
    bg_inode_table_hi: U32,
    bg_free_blocks_hi: U16,
    bg_free_inodes_hi: U16,
    bg_used_dirs_hi: U16,
    bg_itable_unused_hi: U16,
    bg_exclude_bitmap_hi: U32,
    bg_block_bitmap_csum_hi: U16,
    bg_inode_bitmap_csum_hi: U16,
    bg_reserved: U32,
}

const _: () = assert!(size_of::<RawGroupDescriptor>() == 64);
const _: () = assert!(offset_of!(RawGroupDescriptor, bg_checksum) == 0x1e);
const _: () = assert!(offset_of!(RawGroupDescriptor, bg_block_bitmap_hi) == 0x20);
const _: () = assert!(offset_of!(RawGroupDescriptor, bg_block_bitmap_csum_hi) == 0x38);

/// The upper half of a bitmap's checksum has its place only in a descriptor of 64 bytes.
const LONG_BYTES: usize = 64;

/// A group descriptor. Its numbers are those of the image: who uses them as places checks them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupDescriptor {
    /// The block of the block bitmap.
    pub(crate) block_bitmap: BlockNumber,
    /// The block of the inode bitmap.
    pub(crate) inode_bitmap: BlockNumber,
    /// The first block of the inode table.
    pub(crate) inode_table: BlockNumber,
    /// Free blocks of the group (clusters with `bigalloc`).
    pub(crate) free_blocks: u32,
    /// Free inodes of the group.
    pub(crate) free_inodes: u32,
    /// Inodes of the group that are directories.
    pub(crate) used_directories: u32,
    /// Inodes at the end of the table that were never used.
    pub(crate) unused_inodes: u32,
    /// The inode bitmap was never written: no inode is used.
    pub(crate) inodes_uninitialised: bool,
    /// The block bitmap was never written: only the group's own metadata is used.
    pub(crate) blocks_uninitialised: bool,
    /// The inode table holds zeros where no inode was used.
    pub(crate) inodes_zeroed: bool,
    /// The checksum of the block bitmap; only the lower half counts in a short descriptor.
    pub(crate) block_bitmap_checksum: u32,
    /// The checksum of the inode bitmap; only the lower half counts in a short descriptor.
    pub(crate) inode_bitmap_checksum: u32,
}

fn pair(high: U16, low: U16) -> u32 {
    u32::from(high.get()) << 16 | u32::from(low.get())
}

fn place(high: U32, low: U32) -> BlockNumber {
    BlockNumber(u64::from(high.get()) << 32 | u64::from(low.get()))
}

fn low(number: u32) -> U16 {
    U16::new(number as u16)
}

fn high(number: u32) -> U16 {
    U16::new((number >> 16) as u16)
}

impl GroupDescriptor {
    /// Takes the bytes of a descriptor, of which there are as many as the superblock says, if its checksum is right.
    pub(crate) fn parse(superblock: &Superblock, group: GroupNumber, bytes: &[u8]) -> Option<Self> {
        let raw = raw_of(bytes);
        if let Some(expected) = checksum(superblock, group, bytes)
            && expected != raw.bg_checksum.get()
        {
            return None;
        }
        // Without checksums the flags have no meaning (`fs/ext4/balloc.c`, `ext4_read_block_bitmap_nowait`).
        let flags = if superblock.features().has_group_checksums() {
            raw.bg_flags.get()
        } else {
            INODE_ZEROED
        };
        Some(Self {
            block_bitmap: place(raw.bg_block_bitmap_hi, raw.bg_block_bitmap_lo),
            inode_bitmap: place(raw.bg_inode_bitmap_hi, raw.bg_inode_bitmap_lo),
            inode_table: place(raw.bg_inode_table_hi, raw.bg_inode_table_lo),
            free_blocks: pair(raw.bg_free_blocks_hi, raw.bg_free_blocks_lo),
            free_inodes: pair(raw.bg_free_inodes_hi, raw.bg_free_inodes_lo),
            used_directories: pair(raw.bg_used_dirs_hi, raw.bg_used_dirs_lo),
            unused_inodes: pair(raw.bg_itable_unused_hi, raw.bg_itable_unused_lo),
            inodes_uninitialised: flags & INODE_UNINIT != 0,
            blocks_uninitialised: flags & BLOCK_UNINIT != 0,
            inodes_zeroed: flags & INODE_ZEROED != 0,
            block_bitmap_checksum: pair(raw.bg_block_bitmap_csum_hi, raw.bg_block_bitmap_csum_lo),
            inode_bitmap_checksum: pair(raw.bg_inode_bitmap_csum_hi, raw.bg_inode_bitmap_csum_lo),
        })
    }

    /// Puts what may change into the bytes of the descriptor, with the checksum; places and unknown flags stay.
    pub(crate) fn update(&self, superblock: &Superblock, group: GroupNumber, bytes: &mut [u8]) {
        let mut raw = raw_of(bytes);
        raw.bg_free_blocks_lo = low(self.free_blocks);
        raw.bg_free_blocks_hi = high(self.free_blocks);
        raw.bg_free_inodes_lo = low(self.free_inodes);
        raw.bg_free_inodes_hi = high(self.free_inodes);
        raw.bg_used_dirs_lo = low(self.used_directories);
        raw.bg_used_dirs_hi = high(self.used_directories);
        if superblock.features().has_group_checksums() {
            raw.bg_itable_unused_lo = low(self.unused_inodes);
            raw.bg_itable_unused_hi = high(self.unused_inodes);
            let mut flags = raw.bg_flags.get() & !(INODE_UNINIT | BLOCK_UNINIT | INODE_ZEROED);
            for (set, flag) in [
                (self.inodes_uninitialised, INODE_UNINIT),
                (self.blocks_uninitialised, BLOCK_UNINIT),
                (self.inodes_zeroed, INODE_ZEROED),
            ] {
                if set {
                    flags |= flag;
                }
            }
            raw.bg_flags = U16::new(flags);
        }
        if superblock.has(Feature::MetadataCsum) {
            raw.bg_block_bitmap_csum_lo = low(self.block_bitmap_checksum);
            raw.bg_block_bitmap_csum_hi = high(self.block_bitmap_checksum);
            raw.bg_inode_bitmap_csum_lo = low(self.inode_bitmap_checksum);
            raw.bg_inode_bitmap_csum_hi = high(self.inode_bitmap_checksum);
        }
        let length = bytes.len().min(LONG_BYTES);
        bytes[..length].copy_from_slice(&raw.as_bytes()[..length]);
        if let Some(sum) = checksum(superblock, group, bytes) {
            let at = offset_of!(RawGroupDescriptor, bg_checksum);
            bytes[at..at + 2].copy_from_slice(U16::new(sum).as_bytes());
        }
    }

    /// Tells whether a bitmap's checksum is the one that is stored, as far as it is stored.
    pub(crate) fn same_checksum(superblock: &Superblock, stored: u32, computed: u32) -> bool {
        if superblock.descriptor_bytes() as usize >= LONG_BYTES {
            stored == computed
        } else {
            stored & 0xffff == computed & 0xffff
        }
    }
}

/// Returns the structure; what a short descriptor lacks is zero. The bytes are at least 32: [`Superblock::parse`].
fn raw_of(bytes: &[u8]) -> RawGroupDescriptor {
    let mut raw = RawGroupDescriptor::new_zeroed();
    let length = bytes.len().min(LONG_BYTES);
    raw.as_mut_bytes()[..length].copy_from_slice(&bytes[..length]);
    raw
}

/// Returns the checksum of a descriptor, if the filesystem has such (`fs/ext4/super.c`, `ext4_group_desc_csum`).
///
/// It covers the group's number and the whole descriptor. With `metadata_csum` its own two bytes count as zeros, with `uninit_bg` they are left out, and
/// there the upper half counts only with `64bit`.
fn checksum(superblock: &Superblock, group: GroupNumber, bytes: &[u8]) -> Option<u16> {
    let at = offset_of!(RawGroupDescriptor, bg_checksum);
    if superblock.has(Feature::MetadataCsum) {
        let sum = superblock
            .seed()
            .with_u32(group.0)
            .with(&bytes[..at])
            .with(&[0, 0])
            .with(&bytes[at + 2..]);
        return Some(sum.low());
    }
    if superblock.has(Feature::GdtCsum) {
        let mut crc = crc16(!0, &superblock.raw.s_uuid);
        crc = crc16(crc, U32::new(group.0).as_bytes());
        crc = crc16(crc, &bytes[..at]);
        return Some(crc16(crc, &bytes[at + 2..]));
    }
    None
}

/// Returns the checksum of a bitmap, of which the first `bits` bits count (`fs/ext4/bitmap.c`).
pub(crate) fn bitmap_checksum(seed: Seed, bitmap: &[u8], bits: u32) -> u32 {
    let length = bitmap.len().min(bits as usize / 8);
    seed.with(&bitmap[..length]).value()
}
