//! The superblock and the group descriptors.
//!
//! Linux `Documentation/filesystems/ext4/super.rst` and `group_descr.rst`; which groups have backups, and where descriptors are under
//! `meta_bg`, is said by libext2fs `closefs.c`, `ext2fs_super_and_bgd_loc2`, and `openfs.c`, `ext2fs_descriptor_block_loc2`.

use christen_block::{BlockDevice, Unsupported};
use christen_vfs::Error;

use super::bytes::{crc16, crc32c, join, u16_at, u32_at, u64_at};
use super::{Report, read};

const COMPATIBLE_KNOWN: u32 = 0x1e3f;
const INCOMPATIBLE_KNOWN: u32 = 0x3e7d6;
const READ_ONLY_KNOWN: u32 = 0x1b77f;

/// What the audit needs of the superblock, checked so that no calculation with it overflows.
#[derive(Debug, Clone)]
pub(super) struct Geometry {
    pub(super) block_bytes: usize,
    pub(super) blocks: u64,
    pub(super) first_data_block: u64,
    /// Blocks in a cluster.
    pub(super) ratio: u64,
    pub(super) blocks_per_group: u64,
    pub(super) inodes: u32,
    pub(super) inodes_per_group: u32,
    pub(super) inode_bytes: usize,
    pub(super) first_inode: u32,
    pub(super) free_blocks: u64,
    pub(super) free_inodes: u32,
    pub(super) compatible: u32,
    pub(super) incompatible: u32,
    pub(super) read_only: u32,
    pub(super) uuid: [u8; 16],
    pub(super) descriptor_bytes: usize,
    pub(super) reserved_descriptor_blocks: u64,
    pub(super) first_meta_group: u64,
    pub(super) backup_groups: [u32; 2],
    pub(super) hash_seed: [u32; 4],
    pub(super) hash_unsigned: bool,
    pub(super) journal_inode: u32,
    pub(super) quota_inodes: [u32; 3],
    pub(super) orphan_file: u32,
    pub(super) last_orphan: u32,
    pub(super) mmp_block: u64,
    pub(super) low_deletion_times: bool,
    pub(super) spare_directory_blocks: u64,
    /// The checksum seed of `metadata_csum`.
    pub(super) seed: Option<u32>,
}

impl Geometry {
    /// Reads the superblock. `None` if it is too damaged to go on.
    pub(super) fn read(
        device: &dyn BlockDevice,
        report: &mut Report,
    ) -> Result<Option<Self>, Error> {
        let mut bytes = vec![0; 1024];
        if device.length() < 2048 {
            return Err(unsupported("devices without an ext filesystem are"));
        }
        read(device, &mut bytes, 1024)?;
        if u16_at(&bytes, 56) != 0xef53 {
            return Err(unsupported("devices without an ext filesystem are"));
        }
        let (compatible, incompatible, read_only) = if u32_at(&bytes, 76) == 0 {
            (0, 0, 0)
        } else {
            (u32_at(&bytes, 92), u32_at(&bytes, 96), u32_at(&bytes, 100))
        };
        let unknown = [
            ("incompatible", incompatible & !INCOMPATIBLE_KNOWN),
            ("read-only compatible", read_only & !READ_ONLY_KNOWN),
        ];
        for (kind, bits) in unknown {
            if bits != 0 {
                return Err(unsupported(&format!("{kind} features {bits:#x} are")));
            }
        }
        if compatible & !COMPATIBLE_KNOWN != 0 {
            let bits = compatible & !COMPATIBLE_KNOWN;
            return Err(unsupported(&format!("compatible features {bits:#x} are")));
        }
        if read_only & 0x400 != 0 {
            if bytes[373] != 1 {
                report.find("superblock", 0, "`s_checksum_type` is not CRC-32C");
                return Ok(None);
            }
            if u32_at(&bytes, 1020) != crc32c(!0, &bytes[..1020]) {
                report.find("superblock", 0, "its checksum is wrong");
            }
        }
        report.needs_recovery = incompatible & 4 != 0;
        report.error_noted = u16_at(&bytes, 58) & 2 != 0;
        let geometry = Self::parse(&bytes, compatible, incompatible, read_only);
        match geometry.and_then(|geometry| geometry.validate(device, &bytes).map(|()| geometry)) {
            Ok(geometry) => Ok(Some(geometry)),
            Err(rule) => {
                report.find("superblock", 0, rule);
                Ok(None)
            }
        }
    }

    fn parse(
        bytes: &[u8],
        compatible: u32,
        incompatible: u32,
        read_only: u32,
    ) -> Result<Self, &'static str> {
        let log = u32_at(bytes, 24);
        let cluster_log = if read_only & 0x200 != 0 {
            u32_at(bytes, 28)
        } else {
            log
        };
        if log > 6 {
            return Err("`s_log_block_size` is above 6");
        }
        if cluster_log < log || cluster_log > log + 20 {
            return Err("`s_log_cluster_size` is too small or too large");
        }
        let dynamic = u32_at(bytes, 76) != 0;
        let wide = incompatible & 0x80 != 0;
        let high = |offset| if wide { u32_at(bytes, offset) } else { 0 };
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&bytes[104..120]);
        let seed = (read_only & 0x400 != 0).then(|| {
            if incompatible & 0x2000 != 0 {
                u32_at(bytes, 624)
            } else {
                crc32c(!0, &uuid)
            }
        });
        let inodes = u32_at(bytes, 0);
        let times = [48, 44, 264].map(|offset| u32_at(bytes, offset));
        Ok(Self {
            block_bytes: 1024 << log,
            blocks: join(u32_at(bytes, 4), high(336)),
            first_data_block: u64::from(u32_at(bytes, 20)),
            ratio: 1 << (cluster_log - log),
            blocks_per_group: u64::from(u32_at(bytes, 32)),
            inodes,
            inodes_per_group: u32_at(bytes, 40),
            inode_bytes: if dynamic {
                usize::from(u16_at(bytes, 88))
            } else {
                128
            },
            first_inode: if dynamic { u32_at(bytes, 84) } else { 11 },
            free_blocks: join(u32_at(bytes, 12), high(344)),
            free_inodes: u32_at(bytes, 16),
            compatible,
            incompatible,
            read_only,
            uuid,
            descriptor_bytes: if wide {
                usize::from(u16_at(bytes, 254))
            } else {
                32
            },
            reserved_descriptor_blocks: u64::from(u16_at(bytes, 206)),
            first_meta_group: if incompatible & 0x10 != 0 {
                u64::from(u32_at(bytes, 260))
            } else {
                u64::MAX
            },
            backup_groups: [u32_at(bytes, 588), u32_at(bytes, 592)],
            hash_seed: [236, 240, 244, 248].map(|offset| u32_at(bytes, offset)),
            hash_unsigned: u32_at(bytes, 352) & 2 != 0,
            journal_inode: u32_at(bytes, 224),
            quota_inodes: [576, 580, 620].map(|offset| u32_at(bytes, offset)),
            orphan_file: u32_at(bytes, 640),
            last_orphan: u32_at(bytes, 232),
            mmp_block: u64_at(bytes, 360),
            low_deletion_times: !times.iter().any(|time| *time != 0 && *time < inodes),
            spare_directory_blocks: u64::from(bytes[205]),
            seed,
        })
    }

    /// Checks what all calculations rely on. libext2fs `openfs.c`, `ext2fs_open2`, and e2fsck `super.c`, `check_super_block`.
    fn validate(&self, device: &dyn BlockDevice, bytes: &[u8]) -> Result<(), &'static str> {
        let bits = self.block_bytes as u64 * 8;
        let rules = [
            (
                self.blocks == 0 || self.inodes == 0,
                "it has no blocks or no inodes",
            ),
            (
                self.blocks > 1 << 48,
                "it has more blocks than the format allows",
            ),
            (
                self.blocks.saturating_mul(self.block_bytes as u64) > device.length(),
                "it has more blocks than the device",
            ),
            (
                self.first_data_block != u64::from(self.block_bytes == 1024 && self.ratio == 1),
                "`s_first_data_block` does not fit the size of blocks",
            ),
            (self.blocks <= self.first_data_block, "it has no blocks"),
            (
                self.blocks_per_group < 8 || self.blocks_per_group / self.ratio > bits,
                "`s_blocks_per_group` is too small or too large",
            ),
            (
                !self.blocks_per_group.is_multiple_of(8 * self.ratio),
                "`s_blocks_per_group` is not a multiple of 8",
            ),
            (
                self.ratio > 1
                    && u64::from(u32_at(bytes, 36)) * self.ratio != self.blocks_per_group,
                "`s_clusters_per_group` does not fit `s_blocks_per_group`",
            ),
            (
                self.inode_bytes < 128
                    || self.inode_bytes > self.block_bytes
                    || !self.inode_bytes.is_power_of_two(),
                "`s_inode_size` is no power of two from 128 to the size of a block",
            ),
            (
                self.inodes_per_group < 8
                    || u64::from(self.inodes_per_group) > bits
                    || !self.inodes_per_group.is_multiple_of(8),
                "`s_inodes_per_group` is too small, too large or no multiple of 8",
            ),
            (
                self.first_inode < 11 || self.first_inode > self.inodes,
                "`s_first_ino` is below 11 or beyond the last inode",
            ),
            (
                self.descriptor_bytes < 32
                    || (self.is_wide() && self.descriptor_bytes < 64)
                    || self.descriptor_bytes > self.block_bytes
                    || !self.descriptor_bytes.is_power_of_two(),
                "`s_desc_size` is no power of two from 64 to the size of a block",
            ),
            (
                self.reserved_descriptor_blocks > self.block_bytes as u64 / 4,
                "`s_reserved_gdt_blocks` is too large",
            ),
        ];
        if let Some((_, rule)) = rules.into_iter().find(|(broken, _)| *broken) {
            return Err(rule);
        }
        // Only now can groups be counted.
        if self.first_meta_group != u64::MAX && self.first_meta_group > self.descriptor_blocks() {
            return Err("`s_first_meta_bg` is too large");
        }
        if self.groups() > u64::from(u32::MAX)
            || self.groups() * u64::from(self.inodes_per_group) != u64::from(self.inodes)
        {
            return Err("`s_inodes_count` is not that of all groups");
        }
        if self.free_blocks > self.blocks || self.free_inodes > self.inodes {
            return Err("more is free than there is");
        }
        if u64::from(u32_at(bytes, 8)) > self.blocks {
            return Err("more blocks are reserved than there are");
        }
        Ok(())
    }

    /// The `64bit` feature.
    pub(super) fn is_wide(&self) -> bool {
        self.incompatible & 0x80 != 0
    }

    /// Whether groups have checksums, and with them parts that were never made: `uninit_bg` or `metadata_csum`.
    pub(super) fn has_group_checksums(&self) -> bool {
        self.read_only & 0x410 != 0
    }

    /// Returns the number of groups.
    pub(super) fn groups(&self) -> u64 {
        (self.blocks - self.first_data_block).div_ceil(self.blocks_per_group)
    }

    /// Returns the first block of a group.
    pub(super) fn group_start(&self, group: u64) -> u64 {
        self.first_data_block + group * self.blocks_per_group
    }

    /// Returns the length of an inode table in blocks.
    pub(super) fn table_blocks(&self) -> u64 {
        (u64::from(self.inodes_per_group) * self.inode_bytes as u64)
            .div_ceil(self.block_bytes as u64)
    }

    /// Tells whether a file can have this block.
    pub(super) fn holds(&self, block: u64, length: u64) -> bool {
        block > 0
            && block >= self.first_data_block
            && block
                .checked_add(length)
                .is_some_and(|end| end <= self.blocks)
    }

    fn descriptors_per_block(&self) -> u64 {
        (self.block_bytes / self.descriptor_bytes) as u64
    }

    /// Returns how many blocks all descriptors fill.
    pub(super) fn descriptor_blocks(&self) -> u64 {
        self.groups().div_ceil(self.descriptors_per_block())
    }

    /// Tells whether a group has a copy of the superblock.
    pub(super) fn has_superblock(&self, group: u64) -> bool {
        let power_of = |base: u64| {
            let mut power = base;
            while power < group {
                power *= base;
            }
            power == group
        };
        if group == 0 {
            true
        } else if self.compatible & 0x200 != 0 {
            self.backup_groups
                .iter()
                .any(|backup| u64::from(*backup) == group)
        } else if group == 1 || self.read_only & 1 == 0 {
            true
        } else {
            power_of(3) || power_of(5) || power_of(7)
        }
    }

    /// Returns how many blocks at the beginning of a group are superblock, descriptors and room for descriptors.
    pub(super) fn head_blocks(&self, group: u64) -> u64 {
        let has_superblock = self.has_superblock(group);
        let superblock = u64::from(has_superblock);
        let meta_group = group / self.descriptors_per_block();
        if meta_group < self.first_meta_group {
            if !has_superblock {
                return 0;
            }
            let descriptors = if self.first_meta_group == u64::MAX {
                self.descriptor_blocks() + self.reserved_descriptor_blocks
            } else {
                self.first_meta_group
            };
            return superblock + descriptors;
        }
        let place = group % self.descriptors_per_block();
        let here = place <= 1 || place == self.descriptors_per_block() - 1;
        superblock + u64::from(here)
    }

    /// Returns the block of the superblock. In blocks of 1 KiB that is 1 even where clusters make the first data block 0.
    pub(super) fn superblock_block(&self) -> u64 {
        self.first_data_block
            .max(u64::from(self.block_bytes == 1024))
    }

    /// Returns where a block of descriptors is.
    fn descriptor_place(&self, index: u64) -> u64 {
        if index < self.first_meta_group {
            // A superblock at 1024 in blocks of 1 KiB is in block 1 even where clusters make the first data block 0.
            let superblock = self
                .first_data_block
                .max(u64::from(self.block_bytes == 1024));
            return superblock + 1 + index;
        }
        let group = index * self.descriptors_per_block();
        self.group_start(group) + u64::from(self.has_superblock(group))
    }
}

/// A group descriptor.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) block_bitmap: u64,
    pub(super) inode_bitmap: u64,
    pub(super) inode_table: u64,
    pub(super) free_blocks: u32,
    pub(super) free_inodes: u32,
    pub(super) directories: u32,
    pub(super) unused_inodes: u32,
    pub(super) flags: u16,
    pub(super) block_bitmap_checksum: u32,
    pub(super) inode_bitmap_checksum: u32,
}

impl Group {
    /// `EXT4_BG_INODE_UNINIT`.
    pub(super) fn has_no_inodes(&self) -> bool {
        self.flags & 1 != 0
    }

    /// `EXT4_BG_BLOCK_UNINIT`.
    pub(super) fn has_no_block_bitmap(&self) -> bool {
        self.flags & 2 != 0
    }
}

/// Reads all group descriptors. `None` if one is too damaged to go on.
pub(super) fn read_groups(
    device: &dyn BlockDevice,
    geometry: &Geometry,
    report: &mut Report,
) -> Result<Option<Vec<Group>>, Error> {
    let mut groups = Vec::new();
    let mut sound = true;
    let mut block = vec![0; geometry.block_bytes];
    for index in 0..geometry.descriptor_blocks() {
        let place = geometry.descriptor_place(index);
        if !geometry.holds(place, 1) {
            report.find("superblock", 0, "the group descriptors reach over the end");
            return Ok(None);
        }
        read(device, &mut block, place * geometry.block_bytes as u64)?;
        for bytes in block.chunks_exact(geometry.descriptor_bytes) {
            let number = groups.len() as u64;
            if number == geometry.groups() {
                break;
            }
            let group = parse_group(geometry, bytes);
            check_checksum(geometry, number, bytes, report);
            sound &= check_places(geometry, number, &group, report);
            groups.push(group);
        }
    }
    Ok((sound && tables_are_apart(geometry, &groups, report)).then_some(groups))
}

/// Finds inode tables that lie over one another. Nothing is read then: a small image could have more inodes than there is time and memory for.
fn tables_are_apart(geometry: &Geometry, groups: &[Group], report: &mut Report) -> bool {
    let mut starts: Vec<_> = (0_u64..)
        .zip(groups)
        .map(|(number, group)| (group.inode_table, number))
        .collect();
    starts.sort_unstable();
    let overlapping = starts
        .windows(2)
        .find(|pair| pair[1].0 - pair[0].0 < geometry.table_blocks());
    if let Some(pair) = overlapping {
        let rule = format!("its inode table lies over that of group {}", pair[0].1);
        report.find("group", pair[1].1, rule);
    }
    overlapping.is_none()
}

fn parse_group(geometry: &Geometry, bytes: &[u8]) -> Group {
    let wide = geometry.is_wide();
    let place = |low, high| {
        join(
            u32_at(bytes, low),
            if wide { u32_at(bytes, high) } else { 0 },
        )
    };
    let count = |low, high| {
        u32::from(u16_at(bytes, low))
            | if wide {
                u32::from(u16_at(bytes, high)) << 16
            } else {
                0
            }
    };
    Group {
        block_bitmap: place(0, 32),
        inode_bitmap: place(4, 36),
        inode_table: place(8, 40),
        free_blocks: count(12, 44),
        free_inodes: count(14, 46),
        directories: count(16, 48),
        unused_inodes: if geometry.has_group_checksums() {
            count(28, 50)
        } else {
            0
        },
        flags: if geometry.has_group_checksums() {
            u16_at(bytes, 18)
        } else {
            0
        },
        block_bitmap_checksum: count(24, 56),
        inode_bitmap_checksum: count(26, 58),
    }
}

/// Linux `fs/ext4/super.c`, `ext4_group_desc_csum`.
fn check_checksum(geometry: &Geometry, number: u64, bytes: &[u8], report: &mut Report) {
    let group = (number as u32).to_le_bytes();
    let expected = if let Some(seed) = geometry.seed {
        let state = crc32c(crc32c(seed, &group), &bytes[..30]);
        let state = crc32c(state, &[0; 2]);
        crc32c(state, &bytes[32..]) as u16
    } else if geometry.read_only & 0x10 != 0 {
        let state = crc16(crc16(!0, &geometry.uuid), &group);
        let state = crc16(state, &bytes[..30]);
        crc16(state, &bytes[32..])
    } else {
        return;
    };
    if u16_at(bytes, 30) != expected {
        report.find("group", number, "the checksum of its descriptor is wrong");
    }
}

/// libext2fs `check_desc.c`, `ext2fs_check_desc`.
fn check_places(geometry: &Geometry, number: u64, group: &Group, report: &mut Report) -> bool {
    let mut sound = true;
    let places = [
        ("block bitmap", group.block_bitmap, 1),
        ("inode bitmap", group.inode_bitmap, 1),
        ("inode table", group.inode_table, geometry.table_blocks()),
    ];
    let start = geometry.group_start(number);
    let end = (start + geometry.blocks_per_group).min(geometry.blocks);
    for (what, place, length) in places {
        let inside = geometry.holds(place, length)
            && (geometry.incompatible & 0x200 != 0 || place >= start && place + length <= end);
        if !inside {
            report.find("group", number, format!("its {what} lies outside"));
            sound = false;
        }
    }
    if group.unused_inodes > geometry.inodes_per_group {
        report.find("group", number, "more inodes are unused than there are");
        sound = false;
    }
    sound
}

fn unsupported(what: &str) -> Error {
    Error::Unsupported(Box::new(Unsupported::new(what)))
}
