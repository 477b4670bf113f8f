//! Every inode: what it says of itself, and the blocks that it has.
//!
//! Linux `Documentation/filesystems/ext4/inodes.rst`; what is a fault is said by e2fsck `pass1.c`.

use christen_vfs::Error;

use super::bytes::{crc32c, join, u16_at, u32_at};
use super::mapping::{self, Run, Visitor};
use super::{Audit, Reader, Report, Seen, SparseBitmap};

pub(super) const FIFO: u8 = 0x1;
pub(super) const CHARACTER_DEVICE: u8 = 0x2;
pub(super) const DIRECTORY: u8 = 0x4;
pub(super) const BLOCK_DEVICE: u8 = 0x6;
pub(super) const FILE: u8 = 0x8;
pub(super) const LINK: u8 = 0xa;
pub(super) const SOCKET: u8 = 0xc;

const APPEND_OR_IMMUTABLE: u32 = 0x30;
const INDEX: u32 = 0x1000;
const HUGE_FILE: u32 = 0x4_0000;
const EXTENTS: u32 = 0x8_0000;
const VERITY: u32 = 0x10_0000;
const VALUE: u32 = 0x20_0000;
const INLINE_DATA: u32 = 0x1000_0000;
const CASEFOLD: u32 = 0x4000_0000;
const ENCRYPTED: u32 = 0x800;

/// An inode as stored, with what its checksums begin with.
#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) number: u32,
    pub(super) bytes: Vec<u8>,
    /// CRC-32C over the filesystem's seed, the inode's number and its generation.
    pub(super) seed: Option<u32>,
}

impl Inode {
    fn new(reader: Reader<'_>, number: u32, bytes: Vec<u8>) -> Self {
        let seed = reader.geometry.seed.map(|seed| {
            let state = crc32c(seed, &number.to_le_bytes());
            crc32c(state, &bytes[100..104])
        });
        Self {
            number,
            bytes,
            seed,
        }
    }

    /// Reads an inode of the filesystem.
    pub(super) fn read(
        reader: Reader<'_>,
        groups: &[super::Group],
        number: u32,
    ) -> Result<Self, Error> {
        let geometry = reader.geometry;
        let index = number - 1;
        let group = &groups[(index / geometry.inodes_per_group) as usize];
        let place = group.inode_table * geometry.block_bytes as u64
            + u64::from(index % geometry.inodes_per_group) * geometry.inode_bytes as u64;
        let mut bytes = vec![0; geometry.inode_bytes];
        reader.read(&mut bytes, place)?;
        Ok(Self::new(reader, number, bytes))
    }

    pub(super) fn sort(&self) -> u8 {
        (u16_at(&self.bytes, 0) >> 12) as u8
    }

    pub(super) fn is_directory(&self) -> bool {
        self.sort() == DIRECTORY
    }

    pub(super) fn links(&self) -> u16 {
        u16_at(&self.bytes, 26)
    }

    pub(super) fn flags(&self) -> u32 {
        u32_at(&self.bytes, 32)
    }

    pub(super) fn deleted(&self) -> u32 {
        u32_at(&self.bytes, 20)
    }

    /// Returns `i_block`, 60 bytes.
    pub(super) fn block(&self) -> &[u8] {
        &self.bytes[40..100]
    }

    pub(super) fn size(&self) -> u64 {
        join(u32_at(&self.bytes, 4), u32_at(&self.bytes, 108))
    }

    /// Returns `i_file_acl`.
    pub(super) fn attribute_block(&self) -> u64 {
        join(
            u32_at(&self.bytes, 104),
            u32::from(u16_at(&self.bytes, 118)),
        )
    }

    pub(super) fn has_extents(&self) -> bool {
        self.flags() & EXTENTS != 0
    }

    pub(super) fn is_inline(&self) -> bool {
        self.flags() & INLINE_DATA != 0
    }

    pub(super) fn is_indexed(&self) -> bool {
        self.flags() & INDEX != 0
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.flags() & ENCRYPTED != 0
    }

    pub(super) fn ignores_case(&self) -> bool {
        self.flags() & CASEFOLD != 0
    }

    /// Returns `i_extra_isize`, 0 where there is none.
    pub(super) fn extra_bytes(&self) -> usize {
        usize::from(u16_at(&self.bytes, 128))
    }

    /// Whether the target of a symbolic link stands in `i_block`.
    fn is_short_link(&self) -> bool {
        self.sort() == LINK && self.size() < 60 && !self.is_inline()
    }

    fn has_blocks(&self) -> bool {
        match self.sort() {
            _ if self.is_inline() => false,
            FILE | DIRECTORY => true,
            LINK => !self.is_short_link(),
            _ => false,
        }
    }

    /// Linux `fs/ext4/inode.c`, `ext4_inode_csum`. An inode of zeros was never used and has none.
    fn has_sound_checksum(&self) -> bool {
        let Some(seed) = self.seed else { return true };
        let bytes = &self.bytes;
        let mut state = crc32c(seed, &bytes[..124]);
        state = crc32c(state, &[0; 2]);
        state = crc32c(state, &bytes[126..128]);
        let mut stored = u32::from(u16_at(bytes, 124));
        let mut mask = 0xffff;
        if bytes.len() > 128 {
            state = crc32c(state, &bytes[128..130]);
            if self.extra_bytes() >= 4 {
                state = crc32c(state, &[0; 2]);
                stored |= u32::from(u16_at(bytes, 130)) << 16;
                mask = u32::MAX;
            } else {
                state = crc32c(state, &bytes[130..132]);
            }
            state = crc32c(state, &bytes[132..]);
        }
        stored == state & mask || bytes.iter().all(|byte| *byte == 0)
    }
}

/// Claims blocks for an inode.
struct Claims<'a> {
    reader: Reader<'a>,
    number: u32,
    used: &'a mut SparseBitmap,
    report: &'a mut Report,
    /// With clusters of several blocks: all runs of clusters, claimed together because extents of one file may share a cluster.
    clusters: Vec<(u64, u64)>,
    blocks: u64,
    /// The first logical block behind all, and behind all that are written.
    end: u64,
    written_end: u64,
    holes: bool,
    collides: bool,
}

impl Claims<'_> {
    fn claim(&mut self, block: u64, length: u64) -> bool {
        let ratio = self.reader.geometry.ratio;
        if ratio > 1 {
            let first = block / ratio;
            self.clusters
                .push((first, (block + length - 1) / ratio + 1 - first));
            return true;
        }
        self.blocks += length;
        self.take(block, length)
    }

    fn take(&mut self, cluster: u64, length: u64) -> bool {
        let Some(first) = self.used.set_range(cluster, length) else {
            return true;
        };
        self.collides = true;
        let rule = format!(
            "block {} has another owner, too",
            first * self.reader.geometry.ratio
        );
        self.report.find("inode", u64::from(self.number), rule);
        false
    }

    /// Claims what was held back.
    fn finish(&mut self) {
        let mut clusters = std::mem::take(&mut self.clusters);
        clusters.sort_unstable();
        let mut end = 0;
        for (start, length) in clusters {
            let stop = start + length;
            let start = start.max(end);
            if stop > start {
                self.take(start, stop - start);
                self.blocks += (stop - start) * self.reader.geometry.ratio;
                end = stop;
            }
        }
    }
}

impl Visitor for Claims<'_> {
    fn data(&mut self, run: Run) {
        self.holes |= run.logical != self.end;
        self.end = run.logical + run.length;
        if run.written {
            self.written_end = self.end;
        }
        self.claim(run.physical, run.length);
    }

    fn node(&mut self, block: u64) -> bool {
        if self.reader.geometry.ratio > 1 {
            // A block of the tree is not shared with data, so that it is claimed at once.
            let cluster = block / self.reader.geometry.ratio;
            self.blocks += self.reader.geometry.ratio;
            return self.take(cluster, 1);
        }
        self.claim(block, 1)
    }

    fn broken(&mut self, rule: &'static str) {
        self.collides = true;
        self.report.find("inode", u64::from(self.number), rule);
    }
}

impl Audit<'_> {
    /// Goes through all inode tables.
    pub(super) fn check_inodes(&mut self) -> Result<(), Error> {
        let geometry = self.reader.geometry;
        let per_read = (64 * 1024 / geometry.inode_bytes).max(1) as u32;
        for (index, group) in self.groups.iter().enumerate() {
            let present = if group.has_no_inodes() {
                0
            } else {
                geometry.inodes_per_group - group.unused_inodes
            };
            let first = index as u32 * geometry.inodes_per_group + 1;
            let mut at = 0;
            while at < present {
                let count = per_read.min(present - at);
                let mut bytes = vec![0; count as usize * geometry.inode_bytes];
                let place = group.inode_table * geometry.block_bytes as u64
                    + u64::from(at) * geometry.inode_bytes as u64;
                self.reader.read(&mut bytes, place)?;
                for (step, bytes) in bytes.chunks_exact(geometry.inode_bytes).enumerate() {
                    let number = first + at + step as u32;
                    if bytes.iter().all(|byte| *byte == 0) && number >= geometry.first_inode {
                        continue;
                    }
                    let inode = Inode::new(self.reader, number, bytes.to_vec());
                    self.check_inode(&inode)?;
                }
                at += count;
            }
        }
        Ok(())
    }

    pub(super) fn find_inode(&mut self, number: u32, rule: impl Into<String>) {
        self.report.find("inode", u64::from(number), rule);
    }

    fn check_inode(&mut self, inode: &Inode) -> Result<(), Error> {
        let geometry = self.reader.geometry;
        let number = inode.number;
        if !inode.has_sound_checksum() {
            self.find_inode(number, "its checksum is wrong");
        }
        let orphan = self.orphans.contains(&number);
        let hidden = self.is_hidden(number);
        if geometry.low_deletion_times
            && !orphan
            && inode.deleted() != 0
            && inode.deleted() < geometry.inodes
        {
            self.find_inode(number, "it was on a list of orphans and is no more");
        }
        let reserved = number < geometry.first_inode && number != 2;
        if inode.links() == 0 && !orphan && !reserved && number != 2 {
            if inode.deleted() == 0 && inode.sort() != 0 {
                self.find_inode(number, "it was deleted without a time");
            }
            return Ok(());
        }
        if reserved && !self.is_special(number) {
            if inode.sort() != 0 && !(number == 5 && inode.sort() != DIRECTORY) {
                self.find_inode(number, "it is reserved and has a mode");
            }
            let unused = inode.links() == 0 && inode.block().iter().all(|byte| *byte == 0);
            if matches!(number, 3 | 4 | 8) && !unused {
                self.find_inode(number, "it is reserved and not empty");
            }
        }
        let mut seen = Seen {
            links: inode.links(),
            sort: inode.sort(),
            hidden,
            indexed: inode.is_indexed(),
            ..Seen::default()
        };
        if inode.flags() & VALUE != 0 && geometry.incompatible & 0x400 != 0 {
            // `ext4_xattr_inode_get_ref` in Linux `fs/ext4/xattr.c`: the count is split over `i_ctime` and `l_i_version`.
            seen.value_count = Some(join(u32_at(&inode.bytes, 36), u32_at(&inode.bytes, 12)));
        }
        if !reserved && inode.links() > 0 {
            self.check_fields(inode);
        }
        if number == 7 {
            // The resize inode is looked at by itself.
            self.inodes.insert(number, seen);
            return Ok(());
        }
        let attributes = if reserved {
            Default::default()
        } else {
            self.check_attributes(inode)?
        };
        if number == 2 && inode.sort() != DIRECTORY {
            self.find_inode(number, "the root is no directory");
        }
        seen.readable = self.check_blocks(inode, &attributes, reserved)? && seen.sort == DIRECTORY;
        self.inodes.insert(number, seen);
        Ok(())
    }

    /// Tells whether the superblock names an inode for a purpose.
    pub(super) fn is_special(&self, number: u32) -> bool {
        let geometry = self.reader.geometry;
        (number == geometry.journal_inode && geometry.compatible & 4 != 0)
            || (geometry.quota_inodes.contains(&number) && geometry.read_only & 0x100 != 0)
            || (number == geometry.orphan_file && geometry.compatible & 0x1000 != 0)
            || (number == 7)
            || (number == 1)
    }

    /// Tells whether an inode needs no name.
    fn is_hidden(&self, number: u32) -> bool {
        (number < self.reader.geometry.first_inode && number != 2) || self.is_special(number)
    }

    fn check_fields(&mut self, inode: &Inode) {
        let geometry = self.reader.geometry;
        let flags = inode.flags();
        let bytes = &inode.bytes;
        let sort = inode.sort();
        let known = [
            FIFO,
            CHARACTER_DEVICE,
            DIRECTORY,
            BLOCK_DEVICE,
            FILE,
            LINK,
            SOCKET,
        ];
        let device = matches!(sort, FIFO | CHARACTER_DEVICE | BLOCK_DEVICE | SOCKET);
        let extra = inode.extra_bytes();
        let large = bytes.len() > 128;
        let rules = [
            (!known.contains(&sort), "its mode is of no known sort"),
            (
                inode.deleted() != 0 && !self.orphans.contains(&inode.number),
                "it has links and a time of deletion",
            ),
            (u32_at(bytes, 112) != 0, "`i_faddr` is not 0"),
            (
                !geometry.is_wide() && u16_at(bytes, 118) != 0,
                "`i_file_acl_high` is not 0 without `64bit`",
            ),
            (
                geometry.read_only & 8 == 0 && u16_at(bytes, 116) != 0,
                "`i_blocks_high` is not 0 without `huge_file`",
            ),
            (
                sort == DIRECTORY && geometry.incompatible & 0x4000 == 0 && u32_at(bytes, 108) != 0,
                "a directory is larger than 4 GiB",
            ),
            (
                flags & EXTENTS != 0 && geometry.incompatible & 0x40 == 0,
                "it has extents, and the filesystem has not",
            ),
            (
                flags & INLINE_DATA != 0 && geometry.incompatible & 0x8000 == 0,
                "it has inline data, and the filesystem has not",
            ),
            (
                flags & INLINE_DATA != 0 && flags & EXTENTS != 0,
                "it has both extents and inline data",
            ),
            (
                large
                    && extra != 0
                    && (extra < 4 || extra > bytes.len() - 128 || !extra.is_multiple_of(4)),
                "`i_extra_isize` is too small, too large or no multiple of 4",
            ),
            (
                flags & INDEX != 0 && (sort != DIRECTORY || geometry.compatible & 0x20 == 0),
                "it has an index and cannot have one",
            ),
            (
                flags & VALUE != 0 && sort != FILE,
                "it holds an attribute's value and is no file",
            ),
            (
                flags & CASEFOLD != 0
                    && (sort != DIRECTORY || geometry.incompatible & 0x2_0000 == 0),
                "it ignores case and cannot",
            ),
            (
                device && flags & (INDEX | EXTENTS | INLINE_DATA) != 0,
                "a special file has an index, extents or inline data",
            ),
            (
                device && flags & APPEND_OR_IMMUTABLE != 0,
                "a special file cannot be changed",
            ),
            (device && inode.size() != 0, "a special file has a length"),
            (
                sort == LINK && (flags & INDEX != 0 || inode.size() == 0),
                "a symbolic link has an index or no target",
            ),
            (
                inode.is_short_link() && flags & EXTENTS != 0,
                "a symbolic link in its inode has extents",
            ),
        ];
        for (broken, rule) in rules {
            if broken {
                self.find_inode(inode.number, rule);
            }
        }
        if inode.is_short_link() && !inode.is_encrypted() && flags & EXTENTS == 0 {
            let length = inode.block().iter().position(|byte| *byte == 0);
            if length.map(|length| length as u64) != Some(inode.size()) {
                self.find_inode(
                    inode.number,
                    "the target of the link is not as long as told",
                );
            }
        }
    }

    /// Claims the blocks of an inode, and tells whether they are its own.
    fn check_blocks(
        &mut self,
        inode: &Inode,
        attributes: &super::attributes::Outcome,
        reserved: bool,
    ) -> Result<bool, Error> {
        let geometry = self.reader.geometry;
        let mut claims = Claims {
            reader: self.reader,
            number: inode.number,
            used: &mut self.used,
            report: &mut self.report,
            clusters: Vec::new(),
            blocks: attributes.blocks,
            end: 0,
            written_end: 0,
            holes: false,
            collides: false,
        };
        let listed = inode.number == 1 || (reserved && inode.sort() == 0 && !inode.has_extents());
        if inode.has_blocks() || listed {
            mapping::walk(self.reader, inode, &mut claims)?;
        }
        claims.finish();
        let (blocks, end, written_end) = (claims.blocks, claims.end, claims.written_end);
        let (holes, collides) = (claims.holes, claims.collides);
        if inode.number == 1 {
            return Ok(false);
        }
        let (size, block_bytes) = (inode.size(), geometry.block_bytes as u64);
        let rule = match inode.sort() {
            DIRECTORY if inode.is_inline() => (attributes.inline_bytes != Some(size))
                .then_some("its length is not that of its inline data"),
            DIRECTORY => {
                if end == 0 {
                    self.find_inode(inode.number, "a directory has no block");
                }
                if holes && geometry.incompatible & 0x4000 == 0 {
                    self.find_inode(inode.number, "a directory has holes");
                }
                let told = size / block_bytes;
                (!size.is_multiple_of(block_bytes)
                    || told > end
                    || end - told > geometry.spare_directory_blocks)
                    .then_some("its length is not that of its blocks")
            }
            // mke2fs leaves the zeros of a file out and makes it inline with its whole length: what is missing reads as zeros.
            FILE if inode.is_inline() => None,
            FILE | LINK => {
                let past = written_end > 0
                    && size < (written_end - 1) * block_bytes
                    && inode.flags() & VERITY == 0
                    && inode.sort() == FILE;
                let most = if inode.has_extents() {
                    (1 << 32) * block_bytes - 1
                } else {
                    let pointers = block_bytes / 4;
                    let mapped = 12 + pointers + pointers.pow(2) + pointers.pow(3);
                    (mapped.min(1 << 32)) * block_bytes
                };
                if past {
                    Some("it has written blocks past its end")
                } else {
                    (size > most && inode.sort() == FILE)
                        .then_some("it is longer than its blocks can be")
                }
            }
            _ => None,
        };
        if let Some(rule) = rule {
            self.find_inode(inode.number, rule);
        }
        self.check_block_count(inode, blocks);
        if inode.sort() == LINK && !inode.is_short_link() && !inode.is_inline() && !collides {
            self.check_long_link(inode)?;
        }
        Ok(!collides)
    }

    /// `i_blocks` counts units of 512 bytes, or of blocks in huge files.
    fn check_block_count(&mut self, inode: &Inode, blocks: u64) {
        let geometry = self.reader.geometry;
        let huge_files = geometry.read_only & 8 != 0;
        let high = if huge_files {
            u32::from(u16_at(&inode.bytes, 116))
        } else {
            0
        };
        let stored = join(u32_at(&inode.bytes, 28), high);
        let unit = if huge_files && inode.flags() & HUGE_FILE != 0 {
            1
        } else {
            geometry.block_bytes as u64 / 512
        };
        if stored != blocks * unit {
            let rule = format!("`i_blocks` is {stored}, and it has {}", blocks * unit);
            self.find_inode(inode.number, rule);
        }
    }

    fn check_long_link(&mut self, inode: &Inode) -> Result<(), Error> {
        let mut first = FirstBlock(None);
        mapping::walk(self.reader, inode, &mut first)?;
        let Some(block) = first.0 else {
            self.find_inode(inode.number, "a symbolic link has no block");
            return Ok(());
        };
        let bytes = self.reader.block(block)?;
        let length = bytes.iter().position(|byte| *byte == 0);
        let sound = inode.is_encrypted()
            || length.map_or(bytes.len() as u64, |length| length as u64) == inode.size();
        if !sound {
            self.find_inode(
                inode.number,
                "the target of the link is not as long as told",
            );
        }
        Ok(())
    }
}

/// Finds the first block of a file.
struct FirstBlock(Option<u64>);

impl Visitor for FirstBlock {
    fn data(&mut self, run: Run) {
        if run.logical == 0 {
            self.0 = Some(run.physical);
        }
    }

    fn node(&mut self, _: u64) -> bool {
        self.0.is_none()
    }

    fn broken(&mut self, _: &'static str) {}
}
