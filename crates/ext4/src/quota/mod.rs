//! Quotas: how much each user, group and project has, in files that have no name (feature `quota`).
//!
//! Every change of an inode is compared with what the inode table held before, so that no operation has to know of quotas. What an
//! operation changed is added to the files before it ends, and is taken back with it. Limits hold nobody back here: they do not hold back
//! root either (`fs/quota/dquot.c`, `ignore_hardlimit`).

mod entry;
mod file;

use std::collections::{BTreeMap, HashMap};

use crate::error::{Error, Result};
use crate::feature::Feature;
use crate::inode::{FLAG_EA_INODE, FLAG_INLINE_DATA, Inode};
use crate::number::{BlockNumber, InodeNumber};
use crate::superblock::Superblock;
use crate::volume::Volume;

/// Whose usage is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    User,
    Group,
    Project,
}

impl Kind {
    const ALL: [Self; 3] = [Self::User, Self::Group, Self::Project];

    /// Returns what a quota file of the kind begins with (`fs/quota/quotaio_v2.h`, `V2_INITQMAGICS`).
    const fn magic(self) -> u32 {
        match self {
            Self::User => 0xd9c0_1f11,
            Self::Group => 0xd9c0_1927,
            Self::Project => 0xd9c0_3f14,
        }
    }

    fn id(self, inode: &Inode) -> u32 {
        match self {
            Self::User => inode.uid(),
            Self::Group => inode.gid(),
            Self::Project => inode.project(),
        }
    }

    fn inode(self, superblock: &Superblock) -> Option<InodeNumber> {
        let raw = &superblock.raw;
        let number = match self {
            Self::User => raw.s_usr_quota_inum,
            Self::Group => raw.s_grp_quota_inum,
            Self::Project if superblock.has(Feature::Project) => raw.s_prj_quota_inum,
            Self::Project => return None,
        };
        (number.get() != 0).then_some(InodeNumber(number.get()))
    }
}

/// What somebody has more or less than before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Change {
    bytes: i128,
    inodes: i64,
}

/// Where an entry stands: the block of the filesystem, and the offset in it.
type EntryPlace = (BlockNumber, usize);

/// What is known of quotas while a filesystem is open.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    /// The files; none of them unless the filesystem is open for writing.
    files: Vec<(Kind, InodeNumber)>,
    /// What the operation has changed so far.
    pending: BTreeMap<(Kind, u32), Change>,
    /// Entries that were found before. They never move.
    places: HashMap<(Kind, u32), EntryPlace>,
}

impl Quotas {
    /// Tells whether usage is counted.
    pub(crate) fn are_counted(&self) -> bool {
        !self.files.is_empty()
    }

    /// Forgets what an operation did that is taken back.
    pub(crate) fn forget(&mut self) {
        self.pending.clear();
        self.places.clear();
    }

    fn add(&mut self, inode: &Inode, superblock: &Superblock, sign: i8) {
        let bytes = i128::from(inode.sectors(superblock)) * 512 * i128::from(sign);
        for (kind, _) in &self.files {
            let change = self.pending.entry((*kind, kind.id(inode))).or_default();
            change.bytes += bytes;
            change.inodes += i64::from(sign);
        }
    }
}

impl Volume {
    /// Finds the quota files of a filesystem that is open for writing, and verifies what they begin with.
    pub(crate) fn open_quotas(&mut self) -> Result<()> {
        if !self.superblock.has(Feature::Quota) {
            return Ok(());
        }
        for kind in Kind::ALL {
            let Some(number) = kind.inode(&self.superblock) else {
                continue;
            };
            let inode = self.read_inode(number)?;
            if number == InodeNumber::ROOT
                || !inode.is_file()
                || inode.links() == 0
                || inode.has_flag(FLAG_INLINE_DATA)
                || inode.has_flag(FLAG_EA_INODE)
                || !self.is_inode_used(number)?
                || self.quotas.files.iter().any(|(_, other)| *other == number)
            {
                return Err(Error::corrupt(
                    "inode",
                    u64::from(number.0),
                    "it is named as a quota file, and is none",
                ));
            }
            self.read_quota_header(kind, &inode)?;
            self.quotas.files.push((kind, number));
        }
        Ok(())
    }

    /// Counts an inode that changes from what the inode table holds to what will be written.
    pub(crate) fn account(&mut self, before: &Inode, after: &Inode) {
        if self.is_counted(after.number) {
            if before.mode() != 0 {
                self.quotas.add(before, &self.superblock, -1);
            }
            if after.mode() != 0 {
                self.quotas.add(after, &self.superblock, 1);
            }
        }
    }

    /// Counts off an inode that is free from now on, as it was written last.
    pub(crate) fn account_freed(&mut self, inode: &Inode) {
        if self.is_counted(inode.number) && inode.mode() != 0 {
            self.quotas.add(inode, &self.superblock, -1);
        }
    }

    /// Tells whether an inode counts: none of the filesystem's own does (`e2fsck/pass1.c`, `check_blocks`).
    fn is_counted(&self, number: InodeNumber) -> bool {
        self.quotas.are_counted()
            && (number == InodeNumber::ROOT || number >= self.superblock.first_inode())
            && number.0 != self.superblock.raw.s_orphan_file_inum.get()
            && self.quotas.files.iter().all(|(_, file)| *file != number)
    }

    /// Adds what the operation has changed to the quota files.
    pub(crate) fn write_quotas(&mut self) -> Result<()> {
        for ((kind, id), change) in std::mem::take(&mut self.quotas.pending) {
            if change == Change::default() {
                continue;
            }
            let Some(file) = self
                .quotas
                .files
                .iter()
                .find(|(other, _)| *other == kind)
                .map(|(_, file)| *file)
            else {
                continue;
            };
            let (block, offset) = match self.quotas.places.get(&(kind, id)) {
                Some(place) => *place,
                None => {
                    let place = self.quota_entry(kind, file, id)?;
                    self.quotas.places.insert((kind, id), place);
                    place
                }
            };
            let bytes = &mut self.change_block(block)?[offset..offset + entry::BYTES];
            entry::update(bytes, id, change);
        }
        Ok(())
    }
}
