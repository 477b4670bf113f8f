//! Checksums of an ext4 filesystem, made right wherever what says where they are can be followed.
//!
//! Linux `Documentation/filesystems/ext4/checksums.rst`. Written from there and not from the crate under test.

use super::{checksum, put, u16_at, u32_at};

const SUPERBLOCK: usize = 1024;

/// No more groups than this are looked at.
const MOST_GROUPS: usize = 64;

/// No more inodes than this are looked at.
const MOST_INODES: usize = 4096;

/// Blocks of files are repaired up to this: an input should not take its time here.
const MOST_BYTES: usize = 4 << 20;

/// What is needed of the superblock.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) block: usize,
    first: usize,
    descriptor_bytes: usize,
    blocks_per_group: usize,
    clusters_per_group: usize,
    inodes_per_group: usize,
    inode_bytes: usize,
    groups: usize,
    has_metadata_csum: bool,
    has_group_csum: bool,
    meta_bg: bool,
    seed: u32,
}

impl Layout {
    /// Reads it; `None` if it makes no sense.
    pub(super) fn of(image: &[u8]) -> Option<Self> {
        let field = |at: usize| u32_at(image, SUPERBLOCK + at);
        let (incompatible, read_only) = (field(0x60), field(0x64));
        let block = 1024_usize
            .checked_shl(field(0x18))
            .filter(|_| field(0x18) <= 6)?;
        let inode_bytes = u16_at(image, SUPERBLOCK + 0x58);
        let blocks_per_group = field(0x20) as usize;
        // Without `bigalloc` the field is `s_frags_per_group`.
        let clusters_per_group = match read_only & 0x200 {
            0 => blocks_per_group,
            _ => field(0x24) as usize,
        };
        let inodes_per_group = field(0x28) as usize;
        let sensible = (128..=block).contains(&inode_bytes)
            && (8..=block * 8).contains(&clusters_per_group)
            && (8..=1 << 20).contains(&blocks_per_group)
            && (8..=block * 8).contains(&inodes_per_group);
        let descriptor_bytes = match incompatible & 0x80 {
            0 => 32,
            _ => u16_at(image, SUPERBLOCK + 0xfe).clamp(64, block),
        };
        let uuid = image.get(SUPERBLOCK + 0x68..SUPERBLOCK + 0x78)?;
        sensible.then(|| Self {
            block,
            first: field(0x14) as usize,
            descriptor_bytes,
            blocks_per_group,
            clusters_per_group,
            inodes_per_group,
            inode_bytes,
            groups: image
                .len()
                .div_ceil(block * blocks_per_group)
                .min(MOST_GROUPS),
            has_metadata_csum: read_only & 0x400 != 0,
            has_group_csum: read_only & 0x10 != 0,
            meta_bg: incompatible & 0x10 != 0,
            seed: match incompatible & 0x2000 {
                0 => checksum(!0, uuid),
                _ => field(0x270),
            },
        })
    }

    fn descriptor(&self, group: usize) -> usize {
        // The superblock is at byte 1024, in whatever block that is.
        let superblock = SUPERBLOCK / self.block;
        let (mut start, mut index) = ((superblock + 1) * self.block, group);
        if self.meta_bg {
            // The descriptors of the first groups stand in the first of them, behind its superblock.
            let per_block = self.block / self.descriptor_bytes;
            let first = group / per_block * per_block;
            if first > 0 {
                start = (self.first + first * self.blocks_per_group) * self.block;
                index = group - first;
            }
        }
        start.saturating_add(index * self.descriptor_bytes)
    }

    /// Returns where an inode stands.
    pub(super) fn inode(&self, image: &[u8], number: u32) -> Option<usize> {
        let index = number.checked_sub(1)? as usize;
        let descriptor = self.descriptor(index / self.inodes_per_group);
        let table = u32_at(image, descriptor + 8) as usize;
        let within = index % self.inodes_per_group * self.inode_bytes;
        let at = table.checked_mul(self.block)?.checked_add(within)?;
        (at + self.inode_bytes <= image.len()).then_some(at)
    }

    fn inode_seed(&self, image: &[u8], number: u32, at: usize) -> u32 {
        let seed = checksum(self.seed, &number.to_le_bytes());
        checksum(seed, &u32_at(image, at + 0x64).to_le_bytes())
    }
}

/// Repairs superblock, group descriptors, bitmaps, inodes, and the blocks of extents, directories and extended attributes.
pub fn repair(image: &mut [u8]) {
    put(image, SUPERBLOCK + 0x38, &[0x53, 0xef]);
    if let Some(layout) = Layout::of(image) {
        let mut left = MOST_BYTES / layout.block;
        let mut inodes_left = MOST_INODES;
        for group in 0..layout.groups {
            let descriptor = layout.descriptor(group);
            if layout.has_metadata_csum {
                let inodes = layout.inodes_per_group.min(inodes_left);
                inodes_left -= inodes;
                for index in 0..inodes {
                    let number = (group * layout.inodes_per_group + index + 1) as u32;
                    match layout.inode(image, number) {
                        Some(at) => repair_inode(image, &layout, number, at, &mut left),
                        None => break,
                    }
                }
                let flags = u16_at(image, descriptor + 0x12);
                for (place, sum, bits, unmade) in [
                    (0, 0x18, layout.clusters_per_group, 2),
                    (4, 0x1a, layout.inodes_per_group, 1),
                ] {
                    if flags & unmade != 0 {
                        continue;
                    }
                    repair_bitmap(image, &layout, descriptor, (place, sum), bits);
                }
            }
            repair_descriptor(image, &layout, group, descriptor);
        }
        if layout.has_metadata_csum {
            put(image, SUPERBLOCK + 0x175, &[1]);
        }
    }
    if let Some(superblock) = image.get(SUPERBLOCK..SUPERBLOCK + 0x3fc) {
        let sum = checksum(!0, superblock);
        if u32_at(image, SUPERBLOCK + 0x64) & 0x400 != 0 {
            put(image, SUPERBLOCK + 0x3fc, &sum.to_le_bytes());
        }
    }
}

fn repair_bitmap(
    image: &mut [u8],
    layout: &Layout,
    descriptor: usize,
    (place, sum_at): (usize, usize),
    bits: usize,
) {
    let start = (u32_at(image, descriptor + place) as usize).saturating_mul(layout.block);
    let Some(bitmap) = image.get(start..start.saturating_add(bits / 8)) else {
        return;
    };
    let sum = checksum(layout.seed, bitmap).to_le_bytes();
    put(image, descriptor + sum_at, &sum[..2]);
    if layout.descriptor_bytes >= 64 {
        put(image, descriptor + sum_at + 0x20, &sum[2..]);
    }
}

fn repair_descriptor(image: &mut [u8], layout: &Layout, group: usize, at: usize) {
    let end = at.saturating_add(layout.descriptor_bytes);
    let Some(descriptor) = image.get(at..end).map(<[u8]>::to_vec) else {
        return;
    };
    let group = (group as u32).to_le_bytes();
    let sum = if layout.has_metadata_csum {
        let seed = checksum(layout.seed, &group);
        let seed = checksum(checksum(seed, &descriptor[..0x1e]), &[0, 0]);
        checksum(seed, &descriptor[0x20..]) as u16
    } else if layout.has_group_csum {
        let mut bytes = image[SUPERBLOCK + 0x68..SUPERBLOCK + 0x78].to_vec();
        bytes.extend_from_slice(&group);
        bytes.extend_from_slice(&descriptor[..0x1e]);
        bytes.extend_from_slice(&descriptor[0x20..]);
        crc16(&bytes)
    } else {
        return;
    };
    put(image, at + 0x1e, &sum.to_le_bytes());
}

/// Linux `lib/crc16.c`, begun with all ones.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xa001 * (crc & 1))
        })
    })
}

fn repair_inode(image: &mut [u8], layout: &Layout, number: u32, at: usize, left: &mut usize) {
    if image[at..at + layout.inode_bytes]
        .iter()
        .all(|byte| *byte == 0)
    {
        return;
    }
    let has_high = layout.inode_bytes > 128 && u16_at(image, at + 0x80) >= 4;
    put(image, at + 0x7c, &[0, 0]);
    if has_high {
        put(image, at + 0x82, &[0, 0]);
    }
    let seed = layout.inode_seed(image, number, at);
    let sum = checksum(seed, &image[at..at + layout.inode_bytes]).to_le_bytes();
    put(image, at + 0x7c, &sum[..2]);
    if has_high {
        put(image, at + 0x82, &sum[2..]);
    }

    let attributes = u32_at(image, at + 0x68) as usize;
    repair_attributes(image, layout, attributes);
    let (mode, flags) = (u16_at(image, at), u32_at(image, at + 0x20));
    let has_extents = flags & 0x8_0000 != 0;
    let is_directory = mode & 0xf000 == 0x4000;
    let is_orphan_file = number == u32_at(image, SUPERBLOCK + 0x280);
    // `inline_data`, and what is no file.
    if flags & 0x1000_0000 != 0 || !matches!(mode & 0xf000, 0x4000 | 0x8000) {
        return;
    }
    if !has_extents && !is_directory {
        return;
    }
    for (logical, block) in blocks(image, layout, at, Some(seed), left) {
        if is_orphan_file {
            repair_orphans(image, layout, block, seed);
        } else if is_directory {
            let may_be_root = logical == 0 && flags & 0x1000 != 0;
            repair_directory(image, layout, block, seed, may_be_root);
        }
    }
}

/// Returns which blocks an inode has, by extents or indirect blocks. With a seed the blocks of extents are repaired.
pub(super) fn blocks(
    image: &mut [u8],
    layout: &Layout,
    inode: usize,
    seed: Option<u32>,
    left: &mut usize,
) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    if u32_at(image, inode + 0x20) & 0x8_0000 != 0 {
        extents(image, layout, inode + 0x28, 60, 4, seed, &mut found, left);
        return found;
    }
    let mut logical = 0;
    for index in 0..15 {
        let block = u32_at(image, inode + 0x28 + index * 4) as usize;
        indirect(
            image,
            layout,
            block,
            index.saturating_sub(11),
            &mut logical,
            &mut found,
            left,
        );
    }
    found
}

/// Takes a block of the fixed scheme: of content, or with numbers of others so many levels deep.
fn indirect(
    image: &[u8],
    layout: &Layout,
    block: usize,
    level: usize,
    logical: &mut usize,
    found: &mut Vec<(usize, usize)>,
    left: &mut usize,
) {
    let numbers = layout.block / 4;
    if block == 0 || *left == 0 {
        *logical += numbers.pow(level as u32);
        return;
    }
    *left -= 1;
    if level == 0 {
        found.push((*logical, block));
        *logical += 1;
        return;
    }
    for index in 0..numbers {
        let next = u32_at(image, block.saturating_mul(layout.block) + index * 4) as usize;
        indirect(image, layout, next, level - 1, logical, found, left);
    }
}

/// Takes a node of the extent tree, of which `room` bytes are there.
#[expect(clippy::too_many_arguments, reason = "a walk and its state")]
fn extents(
    image: &mut [u8],
    layout: &Layout,
    at: usize,
    room: usize,
    depth: usize,
    seed: Option<u32>,
    found: &mut Vec<(usize, usize)>,
    left: &mut usize,
) {
    if u16_at(image, at) != 0xf30a {
        return;
    }
    let entries = u16_at(image, at + 2).min(room / 12 - 1);
    let is_leaf = u16_at(image, at + 6) == 0;
    for entry in (1..=entries).map(|index| at + index * 12) {
        let logical = u32_at(image, entry) as usize;
        if is_leaf {
            let start = u32_at(image, entry + 8) as usize;
            let length = match u16_at(image, entry + 4) {
                length @ 0..=0x8000 => length,
                unwritten => unwritten - 0x8000,
            };
            let taken = length.min(*left);
            *left -= taken;
            found.extend((0..taken).map(|index| (logical + index, start + index)));
        } else if depth > 0 && *left > 0 {
            *left -= 1;
            let child = (u32_at(image, entry + 4) as usize).saturating_mul(layout.block);
            if child.saturating_add(layout.block) > image.len() {
                continue;
            }
            extents(
                image,
                layout,
                child,
                layout.block,
                depth - 1,
                seed,
                found,
                left,
            );
            let tail = 12 + 12 * u16_at(image, child + 4);
            if let Some(seed) = seed
                && tail + 4 <= layout.block
            {
                let sum = checksum(seed, &image[child..child + tail]);
                put(image, child + tail, &sum.to_le_bytes());
            }
        }
    }
}

/// `fs/ext4/xattr.c`, `ext4_xattr_block_csum`.
fn repair_attributes(image: &mut [u8], layout: &Layout, number: usize) {
    let at = number.saturating_mul(layout.block);
    if number == 0 || u32_at(image, at) != 0xea02_0000 {
        return;
    }
    let Some(block) = image.get_mut(at..at.saturating_add(layout.block)) else {
        return;
    };
    block[0x10..0x14].fill(0);
    let sum = checksum(layout.seed, &(number as u64).to_le_bytes());
    let sum = checksum(sum, block);
    block[0x10..0x14].copy_from_slice(&sum.to_le_bytes());
}

/// `fs/ext4/namei.c`, `ext4_dirblock_csum` and `ext4_dx_csum`.
fn repair_directory(
    image: &mut [u8],
    layout: &Layout,
    number: usize,
    seed: u32,
    may_be_root: bool,
) {
    let size = layout.block;
    let at = number.saturating_mul(size);
    let Some(block) = image.get_mut(at..at.saturating_add(size)) else {
        return;
    };
    let is_node = u32_at(block, 0) == 0 && u16_at(block, 4) == size & 0xffff;
    let count_at = if may_be_root {
        0x18 + usize::from(block[0x1d])
    } else {
        8
    };
    let (limit, count) = (u16_at(block, count_at), u16_at(block, count_at + 2));
    let tail = count_at + limit * 8;
    let is_tail = u32_at(block, size - 12) == 0 && u32_at(block, size - 8) == 0xde00_000c;
    if is_tail {
        let sum = checksum(seed, &block[..size - 12]);
        put(block, size - 4, &sum.to_le_bytes());
    } else if (may_be_root || is_node) && tail + 8 == size && count <= limit {
        let sum = checksum(seed, &block[..count_at + count * 8]);
        let sum = checksum(checksum(sum, &block[tail..tail + 4]), &[0; 4]);
        put(block, tail + 4, &sum.to_le_bytes());
    }
}

/// `fs/ext4/orphan.c`, `ext4_orphan_file_block_csum_set`.
fn repair_orphans(image: &mut [u8], layout: &Layout, number: usize, seed: u32) {
    let at = number.saturating_mul(layout.block);
    let Some(block) = image.get_mut(at..at.saturating_add(layout.block)) else {
        return;
    };
    let end = block.len() - 8;
    let sum = checksum(seed, &(number as u64).to_le_bytes());
    let sum = checksum(sum, &block[..end]);
    put(block, end, &0x0b10_ca04_u32.to_le_bytes());
    put(block, end + 4, &sum.to_le_bytes());
}
