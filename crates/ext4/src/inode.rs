//! Inodes: what is known of a file, and where its content begins.

use std::mem::{offset_of, size_of};

use christen_vfs::Timestamp;
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::Seed;
use crate::feature::Feature;
use crate::number::{BlockNumber, InodeNumber};
use crate::superblock::Superblock;

/// The size of inodes before there were extra fields.
pub(crate) const GOOD_OLD_BYTES: usize = 128;

/// `i_mode`: the bits that say what the file is.
pub(crate) const MODE_KIND: u16 = 0o170_000;
/// A directory.
pub(crate) const MODE_DIRECTORY: u16 = 0o040_000;
/// A regular file.
pub(crate) const MODE_FILE: u16 = 0o100_000;
/// A symbolic link.
pub(crate) const MODE_LINK: u16 = 0o120_000;
/// A character device.
pub(crate) const MODE_CHARACTER: u16 = 0o020_000;
/// A block device.
pub(crate) const MODE_BLOCK: u16 = 0o060_000;
/// A named pipe.
pub(crate) const MODE_FIFO: u16 = 0o010_000;
/// A socket.
pub(crate) const MODE_SOCKET: u16 = 0o140_000;

/// `i_flags`: nothing of the file may change.
pub(crate) const FLAG_IMMUTABLE: u32 = 0x10;
/// `i_flags`: the file may only grow at its end.
pub(crate) const FLAG_APPEND: u32 = 0x20;
/// `i_flags`: the directory has a hashed index.
pub(crate) const FLAG_INDEX: u32 = 0x1000;
/// `i_flags`: `i_blocks` counts blocks of the filesystem, not of 512 bytes.
pub(crate) const FLAG_HUGE_FILE: u32 = 0x4_0000;
/// `i_flags`: `i_block` holds a tree of extents.
pub(crate) const FLAG_EXTENTS: u32 = 0x8_0000;
/// `i_flags`: the file is protected by fs-verity.
pub(crate) const FLAG_VERITY: u32 = 0x10_0000;
/// `i_flags`: the inode holds the value of an extended attribute.
pub(crate) const FLAG_EA_INODE: u32 = 0x20_0000;
/// `i_flags`: what is made in the directory is of its project.
pub(crate) const FLAG_PROJECT_INHERIT: u32 = 0x2000_0000;
/// `i_flags`: the content stands in the inode.
pub(crate) const FLAG_INLINE_DATA: u32 = 0x1000_0000;

/// The earliest time: 1901-12-13.
pub(crate) const EARLIEST_SECONDS: i64 = i32::MIN as i64;
/// The latest time of an inode with extra fields: 2446-05-10 (`fs/ext4/ext4.h`, `EXT4_EXTRA_TIMESTAMP_MAX`).
pub(crate) const LATEST_SECONDS: i64 = i32::MAX as i64 + 3 * (1 << 32);

/// The first 160 bytes of an inode as stored. Little-endian; from 0x80 on only where `i_extra_isize` reaches.
///
/// Linux `Documentation/filesystems/ext4/inodes.rst`; `fs/ext4/ext4.h`, `struct ext4_inode` (v6.12).
///
/// | offset | size | field             | note                                                                |
/// |-------:|-----:|-------------------|---------------------------------------------------------------------|
/// |   0x00 |    2 | `i_mode`          | kind and permissions                                                |
/// |   0x02 |    2 | `i_uid`           | upper half at 0x78                                                  |
/// |   0x04 |    4 | `i_size_lo`       | upper half at 0x6c                                                  |
/// |   0x08 |    4 | `i_atime`         | with two more bits of seconds and the nanoseconds at 0x8c           |
/// |   0x0c |    4 | `i_ctime`         | the same, at 0x84                                                   |
/// |   0x10 |    4 | `i_mtime`         | the same, at 0x88                                                   |
/// |   0x14 |    4 | `i_dtime`         | when it was deleted, or the next of the orphan list                 |
/// |   0x18 |    2 | `i_gid`           | upper half at 0x7a                                                  |
/// |   0x1a |    2 | `i_links_count`   | 1 for a directory with more than can be counted                     |
/// |   0x1c |    4 | `i_blocks_lo`     | of 512 bytes unless the flag says otherwise; upper half at 0x74     |
/// |   0x20 |    4 | `i_flags`         |                                                                     |
/// |   0x28 |   60 | `i_block`         | block map, root of the extent tree, link target, or content         |
/// |   0x64 |    4 | `i_generation`    |                                                                     |
/// |   0x68 |    4 | `i_file_acl_lo`   | block of extended attributes; upper half at 0x76                    |
/// |   0x7c |    2 | `i_checksum_lo`   | upper half at 0x82                                                  |
/// |   0x80 |    2 | `i_extra_isize`   | how many bytes from 0x80 on are fields                              |
/// |   0x90 |    4 | `i_crtime`        | with its extra part at 0x94                                         |
/// |   0x9c |    4 | `i_projid`        |                                                                     |
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
pub(crate) struct RawInode {
    pub(crate) i_mode: U16,
    pub(crate) i_uid: U16,
    pub(crate) i_size_lo: U32,
    pub(crate) i_atime: U32,
    pub(crate) i_ctime: U32,
    pub(crate) i_mtime: U32,
    pub(crate) i_dtime: U32,
    pub(crate) i_gid: U16,
    pub(crate) i_links_count: U16,
    pub(crate) i_blocks_lo: U32,
    pub(crate) i_flags: U32,
    pub(crate) i_version: U32,
    pub(crate) i_block: [u8; 60],
    pub(crate) i_generation: U32,
    pub(crate) i_file_acl_lo: U32,
    pub(crate) i_size_high: U32,
    pub(crate) i_obso_faddr: U32,
    pub(crate) i_blocks_high: U16,
    pub(crate) i_file_acl_high: U16,
    pub(crate) i_uid_high: U16,
    pub(crate) i_gid_high: U16,
    pub(crate) i_checksum_lo: U16,
    pub(crate) i_reserved: U16,
    pub(crate) i_extra_isize: U16,
    pub(crate) i_checksum_hi: U16,
    pub(crate) i_ctime_extra: U32,
    pub(crate) i_mtime_extra: U32,
    pub(crate) i_atime_extra: U32,
    pub(crate) i_crtime: U32,
    pub(crate) i_crtime_extra: U32,
    pub(crate) i_version_hi: U32,
    pub(crate) i_projid: U32,
}

const _: () = assert!(size_of::<RawInode>() == RAW_BYTES);
const _: () = assert!(offset_of!(RawInode, i_block) == 0x28);
const _: () = assert!(offset_of!(RawInode, i_generation) == 0x64);
const _: () = assert!(offset_of!(RawInode, i_checksum_lo) == 0x7c);
const _: () = assert!(offset_of!(RawInode, i_extra_isize) == GOOD_OLD_BYTES);
const _: () = assert!(offset_of!(RawInode, i_projid) == 0x9c);

/// The length of [`RawInode`].
const RAW_BYTES: usize = 160;

/// One of the four times of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// When it was last read.
    Accessed,
    /// When its attributes last changed.
    Changed,
    /// When its content last changed.
    Modified,
    /// When it was made; only with extra fields.
    Created,
}

/// An inode in memory. Changes are in the filesystem once `Volume::write_inode` has taken them.
#[derive(Debug, Clone)]
pub(crate) struct Inode {
    /// Its number.
    pub(crate) number: InodeNumber,
    /// As stored, with zeros up to 160 bytes where inodes are shorter.
    bytes: Vec<u8>,
    /// The length of an inode in this filesystem.
    stored_bytes: usize,
    /// What the checksums of its blocks begin with.
    pub(crate) seed: Seed,
}

/// Why the bytes of an inode are refused.
pub(crate) type Rule = &'static str;

impl Inode {
    /// Takes the bytes of an inode and verifies its checksum.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub(crate) fn parse(
        superblock: &Superblock,
        number: InodeNumber,
        stored: &[u8],
    ) -> Result<Self, Rule> {
        let mut inode = Self::of_bytes(superblock, number, stored);
        if inode.stored_bytes > GOOD_OLD_BYTES {
            let extra = inode.extra_bytes();
            if GOOD_OLD_BYTES + extra > inode.stored_bytes || !extra.is_multiple_of(4) {
                return Err("`i_extra_isize` does not fit");
            }
        }
        if superblock.has(Feature::MetadataCsum) {
            let (low, high) = inode.checksum(superblock);
            let raw = inode.raw();
            let right = raw.i_checksum_lo.get() == low
                && (!inode.has_extra(offset_of!(RawInode, i_checksum_hi), 2)
                    || raw.i_checksum_hi.get() == high);
            // Inodes that were never used may be all zeros (`fs/ext4/inode.c` checks used ones only; libext2fs takes zeros).
            if !right && inode.bytes.iter().any(|byte| *byte != 0) {
                return Err("the checksum is wrong");
            }
        }
        inode.seed = superblock
            .seed()
            .of_inode(number, inode.raw().i_generation.get());
        Ok(inode)
    }

    /// Takes the bytes of an inode as they are.
    pub(crate) fn of_bytes(superblock: &Superblock, number: InodeNumber, stored: &[u8]) -> Self {
        let mut bytes = stored.to_vec();
        if bytes.len() < RAW_BYTES {
            bytes.resize(RAW_BYTES, 0);
        }
        Self {
            number,
            bytes,
            stored_bytes: superblock.inode_bytes() as usize,
            seed: superblock.seed(),
        }
    }

    /// Makes an inode that has nothing but its number and generation, and room for the extra fields that the filesystem wants.
    pub(crate) fn new(superblock: &Superblock, number: InodeNumber, generation: u32) -> Self {
        let stored = vec![0; superblock.inode_bytes() as usize];
        let mut inode = Self::of_bytes(superblock, number, &stored);
        inode.raw_mut().i_generation = U32::new(generation);
        if inode.stored_bytes > GOOD_OLD_BYTES {
            // `fs/ext4/super.c`, `ext4_fill_super`: 32 bytes unless the superblock wants more, and it fits.
            let wanted = if superblock.has(Feature::ExtraIsize) {
                superblock
                    .raw
                    .s_want_extra_isize
                    .get()
                    .max(superblock.raw.s_min_extra_isize.get())
            } else {
                0
            };
            let usual = (RAW_BYTES - GOOD_OLD_BYTES) as u16;
            let fits = usize::from(wanted) + GOOD_OLD_BYTES <= inode.stored_bytes;
            let extra = if fits && wanted.is_multiple_of(4) {
                wanted.max(usual)
            } else {
                usual
            };
            inode.raw_mut().i_extra_isize = U16::new(extra);
        }
        inode.seed = superblock.seed().of_inode(number, generation);
        inode
    }

    /// Returns the bytes to store, with their checksum.
    pub(crate) fn encode(&mut self, superblock: &Superblock) -> &[u8] {
        if superblock.has(Feature::MetadataCsum) {
            let (low, high) = self.checksum(superblock);
            self.raw_mut().i_checksum_lo = U16::new(low);
            if self.has_extra(offset_of!(RawInode, i_checksum_hi), 2) {
                self.raw_mut().i_checksum_hi = U16::new(high);
            }
        }
        &self.bytes[..self.stored_bytes]
    }

    /// Returns the lower and upper half of the checksum, its own bytes counting as zeros (`fs/ext4/inode.c`, `ext4_inode_csum`).
    fn checksum(&self, superblock: &Superblock) -> (u16, u16) {
        let low = offset_of!(RawInode, i_checksum_lo);
        let high = offset_of!(RawInode, i_checksum_hi);
        let mut sum = superblock
            .seed()
            .of_inode(self.number, self.raw().i_generation.get())
            .with(&self.bytes[..low])
            .with(&[0, 0])
            .with(&self.bytes[low + 2..GOOD_OLD_BYTES]);
        if self.stored_bytes > GOOD_OLD_BYTES {
            sum = sum.with(&self.bytes[GOOD_OLD_BYTES..high]);
            let rest = if self.has_extra(high, 2) {
                sum = sum.with(&[0, 0]);
                high + 2
            } else {
                high
            };
            sum = sum.with(&self.bytes[rest..self.stored_bytes]);
        }
        (sum.low(), sum.high())
    }

    /// Returns the fields.
    pub(crate) fn raw(&self) -> &RawInode {
        // `bytes` is never shorter than the structure, which has no alignment.
        RawInode::ref_from_prefix(&self.bytes)
            .expect("an inode in memory has at least 160 bytes")
            .0
    }

    /// Returns the fields to change.
    pub(crate) fn raw_mut(&mut self) -> &mut RawInode {
        RawInode::mut_from_prefix(&mut self.bytes)
            .expect("an inode in memory has at least 160 bytes")
            .0
    }

    /// Returns how many bytes from 128 on are fields; 0 in an inode of 128 bytes.
    pub(crate) fn extra_bytes(&self) -> usize {
        if self.stored_bytes > GOOD_OLD_BYTES {
            usize::from(self.raw().i_extra_isize.get())
        } else {
            0
        }
    }

    /// Tells whether the inode is long enough to have the field at an offset (`fs/ext4/ext4.h`, `EXT4_FITS_IN_INODE`).
    fn has_extra(&self, offset: usize, length: usize) -> bool {
        self.stored_bytes > GOOD_OLD_BYTES && offset + length <= GOOD_OLD_BYTES + self.extra_bytes()
    }

    /// Returns the bytes behind the fields, which hold extended attributes; none without fields.
    pub(crate) fn attribute_area(&self) -> &[u8] {
        if self.extra_bytes() == 0 {
            return &[];
        }
        let start = (GOOD_OLD_BYTES + self.extra_bytes()).min(self.stored_bytes);
        &self.bytes[start..self.stored_bytes]
    }

    /// Returns the bytes behind the fields to change.
    pub(crate) fn attribute_area_mut(&mut self) -> &mut [u8] {
        if self.extra_bytes() == 0 {
            return &mut [];
        }
        let start = (GOOD_OLD_BYTES + self.extra_bytes()).min(self.stored_bytes);
        &mut self.bytes[start..self.stored_bytes]
    }

    pub(crate) fn mode(&self) -> u16 {
        self.raw().i_mode.get()
    }

    pub(crate) fn set_mode(&mut self, mode: u16) {
        self.raw_mut().i_mode = U16::new(mode);
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.mode() & MODE_KIND == MODE_DIRECTORY
    }

    pub(crate) fn is_file(&self) -> bool {
        self.mode() & MODE_KIND == MODE_FILE
    }

    pub(crate) fn is_link(&self) -> bool {
        self.mode() & MODE_KIND == MODE_LINK
    }

    pub(crate) fn has_flag(&self, flag: u32) -> bool {
        self.raw().i_flags.get() & flag != 0
    }

    pub(crate) fn set_flag(&mut self, flag: u32, set: bool) {
        let flags = self.raw().i_flags.get();
        self.raw_mut().i_flags = U32::new(if set { flags | flag } else { flags & !flag });
    }

    pub(crate) fn uid(&self) -> u32 {
        u32::from(self.raw().i_uid_high.get()) << 16 | u32::from(self.raw().i_uid.get())
    }

    pub(crate) fn gid(&self) -> u32 {
        u32::from(self.raw().i_gid_high.get()) << 16 | u32::from(self.raw().i_gid.get())
    }

    pub(crate) fn set_owner(&mut self, uid: u32, gid: u32) {
        let raw = self.raw_mut();
        raw.i_uid = U16::new(uid as u16);
        raw.i_uid_high = U16::new((uid >> 16) as u16);
        raw.i_gid = U16::new(gid as u16);
        raw.i_gid_high = U16::new((gid >> 16) as u16);
    }

    /// Returns the project, 0 where an inode is too short to have one.
    pub(crate) fn project(&self) -> u32 {
        if self.has_extra(offset_of!(RawInode, i_projid), 4) {
            self.raw().i_projid.get()
        } else {
            0
        }
    }

    /// Sets the project, if the inode is long enough.
    pub(crate) fn set_project(&mut self, project: u32) {
        if self.has_extra(offset_of!(RawInode, i_projid), 4) {
            self.raw_mut().i_projid = U32::new(project);
        }
    }

    pub(crate) fn links(&self) -> u16 {
        self.raw().i_links_count.get()
    }

    pub(crate) fn set_links(&mut self, links: u16) {
        self.raw_mut().i_links_count = U16::new(links);
    }

    /// Returns the length of the content in bytes. The upper half counts for files and directories
    /// (`fs/ext4/ext4.h`, `ext4_isize`), and is nothing else in what we write.
    pub(crate) fn size(&self) -> u64 {
        let low = u64::from(self.raw().i_size_lo.get());
        if self.is_file() || self.is_directory() {
            low | u64::from(self.raw().i_size_high.get()) << 32
        } else {
            low
        }
    }

    pub(crate) fn set_size(&mut self, size: u64) {
        self.raw_mut().i_size_lo = U32::new(size as u32);
        self.raw_mut().i_size_high = U32::new((size >> 32) as u32);
    }

    /// Returns how many units of 512 bytes are allocated.
    pub(crate) fn sectors(&self, superblock: &Superblock) -> u64 {
        let low = u64::from(self.raw().i_blocks_lo.get());
        if !superblock.has(Feature::HugeFile) {
            return low;
        }
        let count = low | u64::from(self.raw().i_blocks_high.get()) << 32;
        if self.has_flag(FLAG_HUGE_FILE) {
            count * u64::from(superblock.block_bytes() / 512)
        } else {
            count
        }
    }

    /// Sets how many units of 512 bytes are allocated (`fs/ext4/inode.c`, `ext4_inode_blocks_set`). Gives `false` where that cannot be stored.
    pub(crate) fn set_sectors(&mut self, superblock: &Superblock, sectors: u64) -> bool {
        let huge = superblock.has(Feature::HugeFile);
        let limit = if huge {
            (1 << 48) - 1
        } else {
            u64::from(u32::MAX)
        };
        let (count, in_blocks) = if sectors <= limit {
            (sectors, false)
        } else if huge {
            (sectors / u64::from(superblock.block_bytes() / 512), true)
        } else {
            return false;
        };
        self.raw_mut().i_blocks_lo = U32::new(count as u32);
        self.raw_mut().i_blocks_high = U16::new((count >> 32) as u16);
        self.set_flag(FLAG_HUGE_FILE, in_blocks);
        true
    }

    /// Returns the block with extended attributes.
    pub(crate) fn attribute_block(&self, superblock: &Superblock) -> Option<BlockNumber> {
        let mut number = u64::from(self.raw().i_file_acl_lo.get());
        if superblock.has(Feature::SixtyFourBit) {
            number |= u64::from(self.raw().i_file_acl_high.get()) << 32;
        }
        (number != 0).then_some(BlockNumber(number))
    }

    pub(crate) fn set_attribute_block(&mut self, block: Option<BlockNumber>) {
        let number = block.map_or(0, |block| block.0);
        self.raw_mut().i_file_acl_lo = U32::new(number as u32);
        self.raw_mut().i_file_acl_high = U16::new((number >> 32) as u16);
    }

    /// Returns one of the times; `None` if the inode is too short to hold it.
    pub(crate) fn time(&self, time: Time) -> Option<Timestamp> {
        let raw = self.raw();
        let (seconds, extra, offset) = match time {
            Time::Accessed => (
                raw.i_atime,
                raw.i_atime_extra,
                offset_of!(RawInode, i_atime_extra),
            ),
            Time::Changed => (
                raw.i_ctime,
                raw.i_ctime_extra,
                offset_of!(RawInode, i_ctime_extra),
            ),
            Time::Modified => (
                raw.i_mtime,
                raw.i_mtime_extra,
                offset_of!(RawInode, i_mtime_extra),
            ),
            Time::Created => {
                if !self.has_extra(offset_of!(RawInode, i_crtime), 4) {
                    return None;
                }
                (
                    raw.i_crtime,
                    raw.i_crtime_extra,
                    offset_of!(RawInode, i_crtime_extra),
                )
            }
        };
        // The lower 32 bits are signed; the two more count epochs of 2^32 seconds (`fs/ext4/ext4.h`, `ext4_decode_extra_time`).
        let low = i64::from(seconds.get() as i32);
        if !self.has_extra(offset, 4) {
            return Some(Timestamp {
                seconds: low,
                nanoseconds: 0,
            });
        }
        Some(Timestamp {
            seconds: low + (i64::from(extra.get() & 3) << 32),
            nanoseconds: (extra.get() >> 2).min(999_999_999),
        })
    }

    /// Sets one of the times, taken to the nearer end of what can be stored; nothing if there is no room for it.
    pub(crate) fn set_time(&mut self, time: Time, to: Timestamp) {
        let offset = match time {
            Time::Accessed => offset_of!(RawInode, i_atime_extra),
            Time::Changed => offset_of!(RawInode, i_ctime_extra),
            Time::Modified => offset_of!(RawInode, i_mtime_extra),
            Time::Created => offset_of!(RawInode, i_crtime_extra),
        };
        let long = self.has_extra(offset, 4);
        if time == Time::Created && !self.has_extra(offset_of!(RawInode, i_crtime), 4) {
            return;
        }
        // The ends are those of the filesystem, which has long times if its inodes are longer than 128 bytes (`fs/ext4/super.c`, `ext4_fill_super`);
        // one inode may still be too short.
        let latest = if self.stored_bytes > GOOD_OLD_BYTES {
            LATEST_SECONDS
        } else {
            i64::from(i32::MAX)
        };
        let mut to = clamp(to, latest);
        if !long {
            to.seconds = to.seconds.min(i64::from(i32::MAX));
        }
        let low = to.seconds as i32;
        let epoch = ((to.seconds - i64::from(low)) >> 32) as u32 & 3;
        let seconds = U32::new(low as u32);
        let extra = U32::new(to.nanoseconds << 2 | epoch);
        let raw = self.raw_mut();
        let (field, extra_field) = match time {
            Time::Accessed => (&mut raw.i_atime, &mut raw.i_atime_extra),
            Time::Changed => (&mut raw.i_ctime, &mut raw.i_ctime_extra),
            Time::Modified => (&mut raw.i_mtime, &mut raw.i_mtime_extra),
            Time::Created => (&mut raw.i_crtime, &mut raw.i_crtime_extra),
        };
        *field = seconds;
        if long {
            *extra_field = extra;
        }
    }
}

/// Takes a time to the nearer end of what can be stored, where it has no nanoseconds (`fs/inode.c`, `timestamp_truncate`).
fn clamp(time: Timestamp, latest: i64) -> Timestamp {
    if time.seconds <= EARLIEST_SECONDS || time.seconds >= latest {
        return Timestamp {
            seconds: time.seconds.clamp(EARLIEST_SECONDS, latest),
            nanoseconds: 0,
        };
    }
    Timestamp {
        seconds: time.seconds,
        nanoseconds: time.nanoseconds.min(999_999_999),
    }
}
