//! The superblock: what the filesystem is, and its counters.

use std::mem::{offset_of, size_of};

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::Seed;
use crate::error::{Error, Result};
use crate::feature::{Feature, Features};
use crate::number::{BlockNumber, GroupNumber, InodeNumber};

/// Where the superblock stands, in bytes, whatever the block size is.
pub(crate) const SUPERBLOCK_OFFSET: u64 = 1024;

/// `s_state`: cleanly unmounted.
const STATE_VALID: u16 = 1;
/// `s_state`: errors were found.
const STATE_ERROR: u16 = 2;

/// The superblock as stored. Little-endian.
///
/// Linux `Documentation/filesystems/ext4/super.rst`; `fs/ext4/ext4.h`, `struct ext4_super_block` (v6.12).
///
/// | offset | size | field                       | note                                                       |
/// |-------:|-----:|-----------------------------|------------------------------------------------------------|
/// |   0x00 |    4 | `s_inodes_count`            | groups × `s_inodes_per_group`                              |
/// |   0x04 |    4 | `s_blocks_count_lo`         | upper half at 0x150 with `64bit`                           |
/// |   0x08 |    4 | `s_r_blocks_count_lo`       | reserved for root; upper half at 0x154                     |
/// |   0x0c |    4 | `s_free_blocks_count_lo`    | upper half at 0x158; in clusters                           |
/// |   0x10 |    4 | `s_free_inodes_count`       |                                                            |
/// |   0x14 |    4 | `s_first_data_block`        | 1 with blocks of 1 KiB, otherwise 0                        |
/// |   0x18 |    4 | `s_log_block_size`          | block size is 1024 << this; at most 6                      |
/// |   0x1c |    4 | `s_log_cluster_size`        | as above with `bigalloc`                                   |
/// |   0x20 |    4 | `s_blocks_per_group`        | at most 8 × block size, divisible by 8                     |
/// |   0x24 |    4 | `s_clusters_per_group`      |                                                            |
/// |   0x28 |    4 | `s_inodes_per_group`        | at most 8 × block size                                     |
/// |   0x2c |    4 | `s_mtime`                   |                                                            |
/// |   0x30 |    4 | `s_wtime`                   | upper byte at 0x274                                        |
/// |   0x38 |    2 | `s_magic`                   | 0xef53                                                     |
/// |   0x3a |    2 | `s_state`                   | 1 valid, 2 errors, 4 orphans being recovered               |
/// |   0x4c |    4 | `s_rev_level`               | 0 has inodes of 128 bytes, 11 as first inode, no features  |
/// |   0x54 |    4 | `s_first_ino`               | first inode that is not reserved                           |
/// |   0x58 |    2 | `s_inode_size`              | a power of two from 128 to the block size                  |
/// |   0x5c |    4 | `s_feature_compat`          | with the next two: [`Features`]                            |
/// |   0x68 |   16 | `s_uuid`                    |                                                            |
/// |   0xce |    2 | `s_reserved_gdt_blocks`     | blocks behind the descriptors, of the resize inode         |
/// |   0xe0 |    4 | `s_journal_inum`            |                                                            |
/// |   0xe8 |    4 | `s_last_orphan`             | head of the orphan list                                    |
/// |   0xec |   16 | `s_hash_seed`               | four words                                                 |
/// |   0xfc |    1 | `s_def_hash_version`        |                                                            |
/// |   0xfe |    2 | `s_desc_size`               | of a group descriptor, with `64bit`; otherwise 32          |
/// |  0x104 |    4 | `s_first_meta_bg`           | first descriptor block that `meta_bg` places               |
/// |  0x15c |    2 | `s_min_extra_isize`         |                                                            |
/// |  0x15e |    2 | `s_want_extra_isize`        |                                                            |
/// |  0x160 |    4 | `s_flags`                   | 1 signed, 2 unsigned directory hash                        |
/// |  0x174 |    1 | `s_log_groups_per_flex`     |                                                            |
/// |  0x175 |    1 | `s_checksum_type`           | 1: CRC32c                                                  |
/// |  0x168 |    8 | `s_mmp_block`               | with `mmp`                                                 |
/// |  0x240 |    8 | `s_usr_quota_inum`, `s_grp_quota_inum` | with `quota`                                    |
/// |  0x24c |    8 | `s_backup_bgs`              | the two groups with backups, with `sparse_super2`          |
/// |  0x26c |    4 | `s_prj_quota_inum`          | with `quota` and `project`                                 |
/// |  0x270 |    4 | `s_checksum_seed`           | with `metadata_csum_seed`                                  |
/// |  0x280 |    4 | `s_orphan_file_inum`        |                                                            |
/// |  0x3fc |    4 | `s_checksum`                | CRC32c without seed of all before                          |
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
pub(crate) struct RawSuperblock {
    pub(crate) s_inodes_count: U32,
    pub(crate) s_blocks_count_lo: U32,
    pub(crate) s_r_blocks_count_lo: U32,
    pub(crate) s_free_blocks_count_lo: U32,
    pub(crate) s_free_inodes_count: U32,
    pub(crate) s_first_data_block: U32,
    pub(crate) s_log_block_size: U32,
    pub(crate) s_log_cluster_size: U32,
    pub(crate) s_blocks_per_group: U32,
    pub(crate) s_clusters_per_group: U32,
    pub(crate) s_inodes_per_group: U32,
    pub(crate) s_mtime: U32,
    pub(crate) s_wtime: U32,
    pub(crate) s_mnt_count: U16,
    pub(crate) s_max_mnt_count: U16,
    pub(crate) s_magic: U16,
    pub(crate) s_state: U16,
    pub(crate) s_errors: U16,
    pub(crate) s_minor_rev_level: U16,
    pub(crate) s_lastcheck: U32,
    pub(crate) s_checkinterval: U32,
    pub(crate) s_creator_os: U32,
    pub(crate) s_rev_level: U32,
    pub(crate) s_def_resuid: U16,
    pub(crate) s_def_resgid: U16,
    pub(crate) s_first_ino: U32,
    pub(crate) s_inode_size: U16,
    pub(crate) s_block_group_nr: U16,
    pub(crate) s_feature_compat: U32,
    pub(crate) s_feature_incompat: U32,
    pub(crate) s_feature_ro_compat: U32,
    pub(crate) s_uuid: [u8; 16],
    pub(crate) s_volume_name: [u8; 16],
    pub(crate) s_last_mounted: [u8; 64],
    pub(crate) s_algorithm_usage_bitmap: U32,
    pub(crate) s_prealloc_blocks: u8,
    pub(crate) s_prealloc_dir_blocks: u8,
    pub(crate) s_reserved_gdt_blocks: U16,
    pub(crate) s_journal_uuid: [u8; 16],
    pub(crate) s_journal_inum: U32,
    pub(crate) s_journal_dev: U32,
    pub(crate) s_last_orphan: U32,
    pub(crate) s_hash_seed: [U32; 4],
    pub(crate) s_def_hash_version: u8,
    pub(crate) s_jnl_backup_type: u8,
    pub(crate) s_desc_size: U16,
    pub(crate) s_default_mount_opts: U32,
    pub(crate) s_first_meta_bg: U32,
    pub(crate) s_mkfs_time: U32,
    pub(crate) s_jnl_blocks: [U32; 17],
    pub(crate) s_blocks_count_hi: U32,
    pub(crate) s_r_blocks_count_hi: U32,
    pub(crate) s_free_blocks_count_hi: U32,
    pub(crate) s_min_extra_isize: U16,
    pub(crate) s_want_extra_isize: U16,
    pub(crate) s_flags: U32,
    pub(crate) s_raid_stride: U16,
    pub(crate) s_mmp_update_interval: U16,
    pub(crate) s_mmp_block: U64,
    pub(crate) s_raid_stripe_width: U32,
    pub(crate) s_log_groups_per_flex: u8,
    pub(crate) s_checksum_type: u8,
    pub(crate) s_encryption_level: u8,
    pub(crate) s_reserved_pad: u8,
    pub(crate) s_kbytes_written: U64,
    pub(crate) s_snapshot_inum: U32,
    pub(crate) s_snapshot_id: U32,
    pub(crate) s_snapshot_r_blocks_count: U64,
    pub(crate) s_snapshot_list: U32,
    pub(crate) s_error_fields: [u8; 0xac],
    pub(crate) s_usr_quota_inum: U32,
    pub(crate) s_grp_quota_inum: U32,
    pub(crate) s_overhead_clusters: U32,
    pub(crate) s_backup_bgs: [U32; 2],
    pub(crate) s_encrypt_algos: [u8; 4],
    pub(crate) s_encrypt_pw_salt: [u8; 16],
    pub(crate) s_lpf_ino: U32,
    pub(crate) s_prj_quota_inum: U32,
    pub(crate) s_checksum_seed: U32,
    pub(crate) s_wtime_hi: u8,
    pub(crate) s_mtime_hi: u8,
    pub(crate) s_mkfs_time_hi: u8,
    pub(crate) s_lastcheck_hi: u8,
    pub(crate) s_first_error_time_hi: u8,
    pub(crate) s_last_error_time_hi: u8,
    pub(crate) s_first_error_errcode: u8,
    pub(crate) s_last_error_errcode: u8,
    pub(crate) s_encoding: U16,
    pub(crate) s_encoding_flags: U16,
    pub(crate) s_orphan_file_inum: U32,
    pub(crate) s_reserved: [U32; 94],
    pub(crate) s_checksum: U32,
}

const _: () = assert!(size_of::<RawSuperblock>() == 1024);
const _: () = assert!(offset_of!(RawSuperblock, s_magic) == 0x38);
const _: () = assert!(offset_of!(RawSuperblock, s_uuid) == 0x68);
const _: () = assert!(offset_of!(RawSuperblock, s_last_orphan) == 0xe8);
const _: () = assert!(offset_of!(RawSuperblock, s_first_meta_bg) == 0x104);
const _: () = assert!(offset_of!(RawSuperblock, s_blocks_count_hi) == 0x150);
const _: () = assert!(offset_of!(RawSuperblock, s_flags) == 0x160);
const _: () = assert!(offset_of!(RawSuperblock, s_log_groups_per_flex) == 0x174);
const _: () = assert!(offset_of!(RawSuperblock, s_kbytes_written) == 0x178);
const _: () = assert!(offset_of!(RawSuperblock, s_usr_quota_inum) == 0x240);
const _: () = assert!(offset_of!(RawSuperblock, s_backup_bgs) == 0x24c);
const _: () = assert!(offset_of!(RawSuperblock, s_checksum_seed) == 0x270);
const _: () = assert!(offset_of!(RawSuperblock, s_orphan_file_inum) == 0x280);
const _: () = assert!(offset_of!(RawSuperblock, s_checksum) == 0x3fc);

/// The superblock, checked: what does not change while the filesystem is open, and the counters.
#[derive(Debug, Clone)]
pub(crate) struct Superblock {
    /// As stored, with every change that is to be written.
    pub(crate) raw: RawSuperblock,
    features: Features,
    block_bytes: u32,
    groups: u32,
    descriptor_bytes: u32,
    inode_bytes: u32,
    seed: Seed,
}

fn corrupt(rule: impl Into<String>) -> Error {
    Error::corrupt("superblock at byte", SUPERBLOCK_OFFSET, rule)
}

fn require(holds: bool, rule: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(corrupt(rule())) }
}

fn join(high: U32, low: U32) -> u64 {
    u64::from(high.get()) << 32 | u64::from(low.get())
}

impl Superblock {
    /// Takes the 1024 bytes of a superblock of a device of `device_bytes` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] names the rule it breaks, [`Error::Unsupported`] the feature that cannot be read.
    pub(crate) fn parse(raw: &RawSuperblock, device_bytes: u64) -> Result<Self> {
        let raw = *raw;
        require(raw.s_magic.get() == 0xef53, || {
            "the magic number is not 0xef53".into()
        })?;
        let revision = raw.s_rev_level.get();
        if revision > 1 {
            return Err(Error::unsupported(format!(
                "revision {revision} of the format"
            )));
        }
        let features = if revision == 0 {
            Features::new(0, 0, 0)
        } else {
            Features::new(
                raw.s_feature_compat.get(),
                raw.s_feature_incompat.get(),
                raw.s_feature_ro_compat.get(),
            )
        };
        if let Some(what) = features.forbids_reading() {
            return Err(Error::unsupported(what));
        }
        if features.has(Feature::MetadataCsum) {
            if raw.s_checksum_type != 1 {
                return Err(Error::unsupported(format!(
                    "checksum type {}",
                    raw.s_checksum_type
                )));
            }
            require(raw.s_checksum.get() == checksum(&raw), || {
                "the checksum is wrong".into()
            })?;
        }
        require(raw.s_log_block_size.get() <= 6, || {
            format!(
                "`s_log_block_size` is {} and at most 6",
                raw.s_log_block_size
            )
        })?;
        let block_bytes = 1024_u32 << raw.s_log_block_size.get();
        let inode_bytes = if revision == 0 {
            128
        } else {
            u32::from(raw.s_inode_size.get())
        };
        require(
            inode_bytes.is_power_of_two() && (128..=block_bytes).contains(&inode_bytes),
            || format!("`s_inode_size` is {inode_bytes}"),
        )?;
        let descriptor_bytes = if features.has(Feature::SixtyFourBit) {
            u32::from(raw.s_desc_size.get())
        } else {
            32
        };
        require(
            descriptor_bytes.is_power_of_two()
                && descriptor_bytes <= block_bytes
                && (descriptor_bytes >= 64 || !features.has(Feature::SixtyFourBit)),
            || format!("`s_desc_size` is {descriptor_bytes}"),
        )?;
        if raw.s_log_cluster_size != raw.s_log_block_size && features.has(Feature::Bigalloc) {
            require(
                raw.s_log_cluster_size.get() >= raw.s_log_block_size.get()
                    && raw.s_log_cluster_size.get() <= 20,
                || format!("`s_log_cluster_size` is {}", raw.s_log_cluster_size),
            )?;
        }
        let blocks_per_group = raw.s_blocks_per_group.get();
        let inodes_per_group = raw.s_inodes_per_group.get();
        let bits = block_bytes * 8;
        require(
            blocks_per_group >= 8
                && blocks_per_group.is_multiple_of(8)
                && (blocks_per_group <= bits || features.has(Feature::Bigalloc)),
            || format!("`s_blocks_per_group` is {blocks_per_group}"),
        )?;
        require(
            inodes_per_group >= block_bytes / inode_bytes
                && inodes_per_group <= bits
                && inodes_per_group.is_multiple_of(8),
            || format!("`s_inodes_per_group` is {inodes_per_group}"),
        )?;
        let blocks = if features.has(Feature::SixtyFourBit) {
            join(raw.s_blocks_count_hi, raw.s_blocks_count_lo)
        } else {
            u64::from(raw.s_blocks_count_lo.get())
        };
        let first = u64::from(raw.s_first_data_block.get());
        require(
            first <= 1
                && (first == 1 || block_bytes > 1024 || features.has(Feature::Bigalloc))
                && (first == 0 || block_bytes == 1024),
            || format!("`s_first_data_block` is {first}"),
        )?;
        require(
            blocks > first
                && blocks
                    .checked_mul(u64::from(block_bytes))
                    .is_some_and(|bytes| bytes <= device_bytes),
            || {
                format!(
                    "{blocks} blocks of {block_bytes} bytes are more than a device of {device_bytes} bytes"
                )
            },
        )?;
        let groups = (blocks - first).div_ceil(u64::from(blocks_per_group));
        let groups =
            u32::try_from(groups).map_err(|_| corrupt(format!("{groups} block groups")))?;
        require(
            u64::from(raw.s_inodes_count.get()) == u64::from(groups) * u64::from(inodes_per_group),
            || {
                format!(
                    "{} inodes are not {groups} groups of {inodes_per_group}",
                    raw.s_inodes_count
                )
            },
        )?;
        let first_inode = if revision == 0 {
            11
        } else {
            raw.s_first_ino.get()
        };
        require(
            (11..=raw.s_inodes_count.get()).contains(&first_inode),
            || format!("`s_first_ino` is {first_inode}"),
        )?;
        if features.has(Feature::MetaBg) {
            let descriptor_blocks = groups.div_ceil(block_bytes / descriptor_bytes);
            require(raw.s_first_meta_bg.get() <= descriptor_blocks, || {
                format!("`s_first_meta_bg` is {}", raw.s_first_meta_bg)
            })?;
        }
        require(raw.s_log_groups_per_flex <= 31, || {
            format!("`s_log_groups_per_flex` is {}", raw.s_log_groups_per_flex)
        })?;
        let seed = if features.has(Feature::MetadataCsumSeed) {
            Seed::new(raw.s_checksum_seed.get())
        } else {
            Seed::START.with(&raw.s_uuid)
        };
        let superblock = Self {
            raw,
            features,
            block_bytes,
            groups,
            descriptor_bytes,
            inode_bytes,
            seed,
        };
        require(superblock.free_blocks() <= blocks, || {
            format!("{} free blocks of {blocks}", superblock.free_blocks())
        })?;
        require(
            raw.s_free_inodes_count.get() <= raw.s_inodes_count.get(),
            || {
                format!(
                    "{} free inodes of {}",
                    raw.s_free_inodes_count, raw.s_inodes_count
                )
            },
        )?;
        Ok(superblock)
    }

    /// Returns the bytes to write, with their checksum.
    pub(crate) fn encode(&mut self) -> [u8; 1024] {
        if self.has(Feature::MetadataCsum) {
            self.raw.s_checksum = U32::new(checksum(&self.raw));
        }
        let mut bytes = [0; 1024];
        bytes.copy_from_slice(self.raw.as_bytes());
        bytes
    }

    pub(crate) fn features(&self) -> Features {
        self.features
    }

    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.features.has(feature)
    }

    /// Adds `large_file`, as Linux does with the first file that needs it (`fs/ext4/inode.c`, `ext4_do_update_inode`).
    pub(crate) fn add_large_file(&mut self) {
        self.make_dynamic();
        self.raw.s_feature_ro_compat = U32::new(self.raw.s_feature_ro_compat.get() | 0x2);
        self.take_features();
    }

    /// Takes away the word that the orphan file holds orphans.
    pub(crate) fn remove_orphan_present(&mut self) {
        let bits = self.raw.s_feature_ro_compat.get() & !0x1_0000;
        self.raw.s_feature_ro_compat = U32::new(bits);
        self.features = Features::new(
            self.raw.s_feature_compat.get(),
            self.raw.s_feature_incompat.get(),
            bits,
        );
    }

    /// Adds `ext_attr`, as Linux does with the first extended attribute (`fs/ext4/xattr.c`, `ext4_xattr_update_super_block`).
    pub(crate) fn add_ext_attr(&mut self) {
        if !self.has(Feature::ExtAttr) {
            self.make_dynamic();
            self.raw.s_feature_compat = U32::new(self.raw.s_feature_compat.get() | 0x8);
            self.take_features();
        }
    }

    /// Makes the oldest revision, which has no features, the one that has (`fs/ext4/super.c`, `ext4_update_dynamic_rev`). `e2fsck` takes a feature of
    /// the oldest for none.
    fn make_dynamic(&mut self) {
        if self.raw.s_rev_level.get() == 0 {
            self.raw.s_rev_level = U32::new(1);
            self.raw.s_first_ino = U32::new(11);
            self.raw.s_inode_size = U16::new(128);
            self.raw.s_feature_compat = U32::new(0);
            self.raw.s_feature_incompat = U32::new(0);
            self.raw.s_feature_ro_compat = U32::new(0);
        }
    }

    fn take_features(&mut self) {
        self.features = Features::new(
            self.raw.s_feature_compat.get(),
            self.raw.s_feature_incompat.get(),
            self.raw.s_feature_ro_compat.get(),
        );
    }

    /// Returns the block size in bytes: a power of two from 1024 to 65536.
    pub(crate) fn block_bytes(&self) -> u32 {
        self.block_bytes
    }

    pub(crate) fn inode_bytes(&self) -> u32 {
        self.inode_bytes
    }

    pub(crate) fn descriptor_bytes(&self) -> u32 {
        self.descriptor_bytes
    }

    /// Returns what all checksums of the filesystem begin with.
    pub(crate) fn seed(&self) -> Seed {
        self.seed
    }

    pub(crate) fn groups(&self) -> u32 {
        self.groups
    }

    pub(crate) fn blocks(&self) -> u64 {
        if self.has(Feature::SixtyFourBit) {
            join(self.raw.s_blocks_count_hi, self.raw.s_blocks_count_lo)
        } else {
            u64::from(self.raw.s_blocks_count_lo.get())
        }
    }

    pub(crate) fn reserved_blocks(&self) -> u64 {
        if self.has(Feature::SixtyFourBit) {
            join(self.raw.s_r_blocks_count_hi, self.raw.s_r_blocks_count_lo)
        } else {
            u64::from(self.raw.s_r_blocks_count_lo.get())
        }
    }

    pub(crate) fn free_blocks(&self) -> u64 {
        if self.has(Feature::SixtyFourBit) {
            join(
                self.raw.s_free_blocks_count_hi,
                self.raw.s_free_blocks_count_lo,
            )
        } else {
            u64::from(self.raw.s_free_blocks_count_lo.get())
        }
    }

    pub(crate) fn set_free_blocks(&mut self, count: u64) {
        self.raw.s_free_blocks_count_lo = U32::new(count as u32);
        if self.has(Feature::SixtyFourBit) {
            self.raw.s_free_blocks_count_hi = U32::new((count >> 32) as u32);
        }
    }

    pub(crate) fn free_inodes(&self) -> u32 {
        self.raw.s_free_inodes_count.get()
    }

    pub(crate) fn set_free_inodes(&mut self, count: u32) {
        self.raw.s_free_inodes_count = U32::new(count);
    }

    pub(crate) fn inodes(&self) -> u32 {
        self.raw.s_inodes_count.get()
    }

    pub(crate) fn inodes_per_group(&self) -> u32 {
        self.raw.s_inodes_per_group.get()
    }

    pub(crate) fn blocks_per_group(&self) -> u32 {
        self.raw.s_blocks_per_group.get()
    }

    /// Returns the first block that belongs to a group.
    pub(crate) fn first_block(&self) -> BlockNumber {
        BlockNumber(u64::from(self.raw.s_first_data_block.get()))
    }

    /// Returns the first inode that is not reserved.
    pub(crate) fn first_inode(&self) -> InodeNumber {
        InodeNumber(if self.raw.s_rev_level.get() == 0 {
            11
        } else {
            self.raw.s_first_ino.get()
        })
    }

    /// Returns the first block of a group.
    pub(crate) fn group_start(&self, group: GroupNumber) -> BlockNumber {
        BlockNumber(self.first_block().0 + u64::from(group.0) * u64::from(self.blocks_per_group()))
    }

    /// Returns how many blocks a group has: the last may have fewer.
    pub(crate) fn group_blocks(&self, group: GroupNumber) -> u32 {
        let left = self.blocks() - self.group_start(group).0;
        u32::try_from(left).map_or(self.blocks_per_group(), |left| {
            left.min(self.blocks_per_group())
        })
    }

    /// Returns the group of a block and its number in there; the block must not lie before the first group nor past the end.
    pub(crate) fn group_of_block(&self, block: BlockNumber) -> Option<(GroupNumber, u32)> {
        if block.0 >= self.blocks() {
            return None;
        }
        let behind = block.0.checked_sub(self.first_block().0)?;
        let size = u64::from(self.blocks_per_group());
        Some((GroupNumber((behind / size) as u32), (behind % size) as u32))
    }

    /// Returns the group of an inode and its number in there, unless there is no such inode.
    pub(crate) fn group_of_inode(&self, inode: InodeNumber) -> Option<(GroupNumber, u32)> {
        let index = inode.0.checked_sub(1)?;
        (inode.0 <= self.inodes()).then(|| {
            let size = self.inodes_per_group();
            (GroupNumber(index / size), index % size)
        })
    }

    /// Tells whether a group has a copy of the superblock (`fs/ext4/balloc.c`, `ext4_bg_has_super`).
    pub(crate) fn has_superblock(&self, group: GroupNumber) -> bool {
        let group = group.0;
        if group == 0 {
            return true;
        }
        if self.has(Feature::SparseSuper2) {
            return self
                .raw
                .s_backup_bgs
                .iter()
                .any(|backup| backup.get() == group);
        }
        if group <= 1 || !self.has(Feature::SparseSuper) {
            return true;
        }
        [3_u32, 5, 7]
            .into_iter()
            .any(|base| is_power_of(group, base))
    }

    /// Returns how many group descriptors stand in a block.
    pub(crate) fn descriptors_per_block(&self) -> u32 {
        self.block_bytes / self.descriptor_bytes
    }

    /// Returns the block with the descriptor of a group and the descriptor's offset in it
    /// (`fs/ext4/super.c`, `descriptor_loc`).
    pub(crate) fn descriptor_place(&self, group: GroupNumber) -> (BlockNumber, usize) {
        let per_block = self.descriptors_per_block();
        let index = group.0 / per_block;
        let offset = (group.0 % per_block * self.descriptor_bytes) as usize;
        if !self.has(Feature::MetaBg) || index < self.raw.s_first_meta_bg.get() {
            return (
                BlockNumber(self.first_block().0 + 1 + u64::from(index)),
                offset,
            );
        }
        let first = GroupNumber(index * per_block);
        let mut before = u64::from(self.has_superblock(first));
        if self.block_bytes == 1024 && index == 0 && self.first_block().0 == 0 {
            before += 1;
        }
        (BlockNumber(self.group_start(first).0 + before), offset)
    }

    /// Returns how many blocks at the beginning of a group hold superblock, descriptors and what is reserved for descriptors
    /// (`fs/ext4/balloc.c`, `ext4_num_base_meta_clusters`).
    pub(crate) fn base_blocks(&self, group: GroupNumber) -> u32 {
        let has_superblock = self.has_superblock(group);
        let per_block = self.descriptors_per_block();
        let meta_bg = self.has(Feature::MetaBg);
        let first_meta = self.raw.s_first_meta_bg.get();
        if !meta_bg || group.0 / per_block < first_meta {
            if !has_superblock {
                return 0;
            }
            let tables = if meta_bg {
                first_meta
            } else {
                self.groups.div_ceil(per_block)
            };
            return 1 + tables + u32::from(self.raw.s_reserved_gdt_blocks.get());
        }
        let within = group.0 % per_block;
        let descriptors = within == 0 || within == 1 || within == per_block - 1;
        u32::from(has_superblock) + u32::from(descriptors)
    }

    /// Tells whether the filesystem was unmounted.
    pub(crate) fn is_unmounted(&self) -> bool {
        self.raw.s_state.get() & STATE_VALID != 0
    }

    /// Tells whether errors were found in it.
    pub(crate) fn has_errors(&self) -> bool {
        self.raw.s_state.get() & STATE_ERROR != 0
    }
}

fn checksum(raw: &RawSuperblock) -> u32 {
    Seed::START
        .with(&raw.as_bytes()[..offset_of!(RawSuperblock, s_checksum)])
        .value()
}

fn is_power_of(mut number: u32, base: u32) -> bool {
    while number.is_multiple_of(base) && number > 0 {
        number /= base;
    }
    number == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_with_backups() {
        let with = |base| (1..800).filter(move |number| is_power_of(*number, base));
        assert_eq!(with(3).collect::<Vec<_>>(), [1, 3, 9, 27, 81, 243, 729]);
        assert_eq!(with(5).collect::<Vec<_>>(), [1, 5, 25, 125, 625]);
        assert_eq!(with(7).collect::<Vec<_>>(), [1, 7, 49, 343]);
        assert!(!is_power_of(0, 3));
    }

    #[test]
    fn zeros_are_no_superblock() {
        let raw = RawSuperblock::read_from_bytes(&[0; 1024]).unwrap();
        let error = Superblock::parse(&raw, 1 << 30).unwrap_err();
        assert!(error.to_string().contains("magic"), "{error}");
    }
}
