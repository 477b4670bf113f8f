//! What is done to names: made, linked, renamed, removed.

use std::collections::HashSet;

use christen_vfs::{self as vfs, Kind, NewFile, NewKind};
use zerocopy::IntoBytes as _;
use zerocopy::byteorder::little_endian::U32;

use crate::directory::NAME_BYTES;
use crate::directory_access::file_type;
use crate::error::{Error, Result};
use crate::feature::Feature;
use crate::inode::{
    FLAG_EXTENTS, FLAG_INDEX, FLAG_PROJECT_INHERIT, Inode, MODE_BLOCK, MODE_CHARACTER,
    MODE_DIRECTORY, MODE_FIFO, MODE_FILE, MODE_LINK, MODE_SOCKET, Time,
};
use crate::number::InodeNumber;
use crate::volume::Volume;

/// The most links that are counted (`fs/ext4/ext4.h`, `EXT4_LINK_MAX`).
pub(crate) const MOST_LINKS: u16 = 65_000;

/// `i_mode`: the set-group-ID bit.
const SET_GROUP_ID: u16 = 0o2000;

/// The flags that a new file has from its directory (`fs/ext4/ext4.h`, `EXT4_FL_INHERITED`), `s u c S d A`, no
/// compression, `j t D`, project, DAX; not case folding, which we do not write.
const INHERITED: u32 = 0x2201_c4cf;
/// Those of them that only directories have: `D`, project.
const ONLY_DIRECTORIES: u32 = 0x2001_0000;
/// Those of them that devices and links have: `d A` (`EXT4_OTHER_FLMASK`).
const OF_OTHERS: u32 = 0x0000_00c0;

/// The longest target of a symbolic link that stands in the inode.
const FAST_TARGET_BYTES: usize = 59;

impl Volume {
    /// Reads the inode of a file that has a name.
    pub(crate) fn named_inode(&mut self, number: InodeNumber) -> Result<Inode> {
        let inode = self.read_inode(number)?;
        if inode.links() == 0 || inode.mode() == 0 {
            return Err(Error::corrupt(
                "inode",
                u64::from(number.0),
                "it has a name and is deleted",
            ));
        }
        Ok(inode)
    }

    /// Reads the inode of a directory.
    pub(crate) fn directory_inode(&mut self, number: InodeNumber) -> Result<Inode> {
        let inode = self.named_inode(number)?;
        if inode.is_directory() {
            Ok(inode)
        } else {
            Err(vfs::Error::NotDirectory.into())
        }
    }

    /// Stamps a change of attributes.
    pub(crate) fn stamp_change(&self, inode: &mut Inode) {
        inode.set_time(Time::Changed, self.now);
    }

    /// Stamps a change of content.
    pub(crate) fn stamp_content(&self, inode: &mut Inode) {
        inode.set_time(Time::Modified, self.now);
        inode.set_time(Time::Changed, self.now);
    }

    /// Makes a file.
    pub(crate) fn create(
        &mut self,
        directory: InodeNumber,
        name: &[u8],
        new: &NewFile<'_>,
    ) -> Result<InodeNumber> {
        let mut parent = self.directory_inode(directory)?;
        check_new_name(name)?;
        if self.directory_lookup(&parent, name)?.is_some() {
            return Err(vfs::Error::Exists.into());
        }
        parent.check_insert()?;
        let is_directory = matches!(new.kind, NewKind::Directory);
        if is_directory {
            self.count_directory(&mut parent)?;
        }
        let mode_kind = self.mode_of(&new.kind)?;
        let mut inode = self.allocate_inode(directory, is_directory)?;
        let inherits_group = parent.mode() & SET_GROUP_ID != 0;
        let mut permissions = new.permissions & 0o7777;
        if matches!(new.kind, NewKind::SymbolicLink(_)) {
            permissions = 0o777;
        }
        if inherits_group && is_directory {
            permissions |= SET_GROUP_ID;
        }
        inode.set_owner(
            new.uid,
            if inherits_group {
                parent.gid()
            } else {
                new.gid
            },
        );
        let inherited_flags = parent.raw().i_flags.get() & INHERITED;
        let flags = match new.kind {
            NewKind::Directory => inherited_flags,
            NewKind::File => inherited_flags & !ONLY_DIRECTORIES,
            _ => inherited_flags & OF_OTHERS,
        };
        inode.raw_mut().i_flags = U32::new(flags);
        if let Some(project) = self.project_to_inherit(&parent) {
            inode.set_project(project);
        }
        inode.set_links(if is_directory { 2 } else { 1 });
        for time in [Time::Accessed, Time::Modified, Time::Changed, Time::Created] {
            inode.set_time(time, self.now);
        }
        let inherited = self.inherited_attributes(&parent, kind_of(&new.kind), permissions)?;
        inode.set_mode(mode_kind | inherited.permissions);
        self.begin_attributes(&mut inode, &inherited)?;
        self.begin(&mut inode, &new.kind, directory)?;
        self.write_inode(&mut inode)?;
        self.directory_insert(&mut parent, name, inode.number.0, file_type(inode.mode()))?;
        self.stamp_content(&mut parent);
        self.write_inode(&mut parent)?;
        Ok(inode.number)
    }

    fn mode_of(&self, kind: &NewKind<'_>) -> Result<u16> {
        Ok(match kind {
            NewKind::File => MODE_FILE,
            NewKind::Directory => MODE_DIRECTORY,
            NewKind::SymbolicLink(target) => {
                if target.is_empty()
                    || target.contains(&0)
                    || target.len() > self.most_target_bytes()
                {
                    return Err(vfs::Error::InvalidTarget.into());
                }
                MODE_LINK
            }
            NewKind::Special(Kind::CharacterDevice { .. }) => MODE_CHARACTER,
            NewKind::Special(Kind::BlockDevice { .. }) => MODE_BLOCK,
            NewKind::Special(Kind::Fifo) => MODE_FIFO,
            NewKind::Special(Kind::Socket) => MODE_SOCKET,
            NewKind::Special(_) => {
                return Err(vfs::Error::NotPossible("making such a file as a special file").into());
            }
        })
    }

    /// Returns how long the target of a symbolic link can be: a block with its NUL, and no path is longer (`PATH_MAX`).
    pub(crate) fn most_target_bytes(&self) -> usize {
        (self.block_bytes() - 1).min(4095)
    }

    fn begin(&mut self, inode: &mut Inode, kind: &NewKind<'_>, parent: InodeNumber) -> Result<()> {
        match kind {
            NewKind::File => self.begin_content(inode),
            NewKind::Directory => self.begin_directory(inode, parent.0)?,
            NewKind::SymbolicLink(target) if target.len() <= FAST_TARGET_BYTES => {
                inode.raw_mut().i_block[..target.len()].copy_from_slice(target);
                inode.set_size(target.len() as u64);
            }
            NewKind::SymbolicLink(target) => {
                self.begin_content(inode);
                self.write_content(inode, target, 0)?;
            }
            NewKind::Special(
                Kind::CharacterDevice { major, minor } | Kind::BlockDevice { major, minor },
            ) => {
                let words = encode_device(*major, *minor).ok_or(vfs::Error::NotPossible(
                    "making a device with such a number",
                ))?;
                inode.raw_mut().i_block[..8].copy_from_slice(words.as_bytes());
            }
            NewKind::Special(_) => {}
        }
        debug_assert!(!inode.is_link() || inode.size() > 59 || !inode.has_flag(FLAG_EXTENTS));
        Ok(())
    }

    /// Counts one directory more in a directory (`fs/ext4/namei.c`, `ext4_inc_count`): beyond what can be counted, indexed ones have 1.
    fn count_directory(&mut self, parent: &mut Inode) -> Result<()> {
        let indexed = parent.has_flag(FLAG_INDEX) && self.superblock.has(Feature::DirIndex);
        let links = parent.links();
        if links >= MOST_LINKS && !(indexed && self.superblock.has(Feature::DirNlink)) {
            return Err(vfs::Error::TooManyLinks.into());
        }
        let beyond = indexed && (links >= MOST_LINKS || links == 1);
        parent.set_links(if beyond { 1 } else { links.saturating_add(1) });
        Ok(())
    }

    /// Counts one directory less in a directory (`fs/ext4/namei.c`, `ext4_dec_count`).
    fn discount_directory(parent: &mut Inode) {
        if parent.links() > 2 {
            parent.set_links(parent.links() - 1);
        }
    }

    /// Returns the project that all is of that is made in a directory, if it says so.
    fn project_to_inherit(&self, directory: &Inode) -> Option<u32> {
        (self.superblock.has(Feature::Project) && directory.has_flag(FLAG_PROJECT_INHERIT))
            .then(|| directory.project())
    }

    /// Refuses a file of one project a name in a directory that wants all to be of another (`fs/ext4/namei.c`, `__ext4_link` and `ext4_rename`: EXDEV).
    fn check_project(&self, directory: &Inode, inode: &Inode) -> Result<()> {
        match self.project_to_inherit(directory) {
            Some(project) if project != inode.project() => Err(vfs::Error::NotPossible(
                "giving a file a name in a directory of another project",
            )
            .into()),
            _ => Ok(()),
        }
    }

    /// Gives a file one more name.
    pub(crate) fn link(
        &mut self,
        file: InodeNumber,
        directory: InodeNumber,
        name: &[u8],
    ) -> Result<()> {
        let mut parent = self.directory_inode(directory)?;
        check_new_name(name)?;
        if self.directory_lookup(&parent, name)?.is_some() {
            return Err(vfs::Error::Exists.into());
        }
        let mut inode = self.named_inode(file)?;
        if inode.is_directory() {
            return Err(vfs::Error::IsDirectory.into());
        }
        parent.check_insert()?;
        inode.check_change()?;
        if inode.links() >= MOST_LINKS {
            return Err(vfs::Error::TooManyLinks.into());
        }
        self.check_project(&parent, &inode)?;
        inode.set_links(inode.links() + 1);
        self.stamp_change(&mut inode);
        self.write_inode(&mut inode)?;
        self.directory_insert(&mut parent, name, file.0, file_type(inode.mode()))?;
        self.stamp_content(&mut parent);
        self.write_inode(&mut parent)
    }

    /// Removes an entry: any file, or an empty directory.
    pub(crate) fn remove(&mut self, directory: InodeNumber, name: &[u8]) -> Result<()> {
        let mut parent = self.directory_inode(directory)?;
        let target = self.find(&parent, name)?.ok_or(vfs::Error::NotFound)?;
        let mut inode = self.named_inode(target)?;
        if inode.is_directory() && !self.directory_is_empty(&inode)? {
            return Err(vfs::Error::NotEmpty.into());
        }
        parent.check_take()?;
        inode.check_change()?;
        self.directory_remove(&mut parent, name)?;
        if inode.is_directory() {
            Self::discount_directory(&mut parent);
        }
        self.stamp_content(&mut parent);
        self.write_inode(&mut parent)?;
        self.drop_name(&mut inode)
    }

    /// Finds an entry; a name that cannot be there is not.
    pub(crate) fn find(&mut self, directory: &Inode, name: &[u8]) -> Result<Option<InodeNumber>> {
        if check_new_name(name).is_err() {
            return Ok(None);
        }
        Ok(self
            .directory_lookup(directory, name)?
            .map(|target| InodeNumber(target.inode)))
    }

    /// Takes one name from a file, and the file away after the last.
    fn drop_name(&mut self, inode: &mut Inode) -> Result<()> {
        self.stamp_change(inode);
        if !inode.is_directory() && inode.links() > 1 {
            inode.set_links(inode.links() - 1);
            return self.write_inode(inode);
        }
        self.release_attributes(inode)?;
        self.free_content(inode)?;
        self.free_inode(inode)
    }

    /// Moves an entry.
    pub(crate) fn rename(
        &mut self,
        from: InodeNumber,
        name: &[u8],
        to: InodeNumber,
        new_name: &[u8],
    ) -> Result<()> {
        let mut old_parent = self.directory_inode(from)?;
        let new_parent = self.directory_inode(to)?;
        check_new_name(new_name)?;
        let source = self.find(&old_parent, name)?.ok_or(vfs::Error::NotFound)?;
        let replaced = self.find(&new_parent, new_name)?;
        let mut inode = self.named_inode(source)?;
        // Of the same directory there must be one inode in memory only.
        let mut new_parent = (from != to).then_some(new_parent);
        if inode.is_directory() && self.is_below(to, source)? {
            return Err(vfs::Error::IntoItself.into());
        }
        if replaced == Some(source) {
            return Ok(());
        }
        self.check_project(new_parent.as_ref().unwrap_or(&old_parent), &inode)?;
        let mut victim = match replaced {
            Some(number) => Some(self.named_inode(number)?),
            None => None,
        };
        if let Some(victim) = &victim {
            if victim.is_directory() && self.is_below(from, victim.number)? {
                return Err(vfs::Error::NotEmpty.into());
            }
            match (inode.is_directory(), victim.is_directory()) {
                (true, false) => return Err(vfs::Error::NotDirectory.into()),
                (false, true) => return Err(vfs::Error::IsDirectory.into()),
                _ => {}
            }
            if victim.is_directory() && !self.directory_is_empty(victim)? {
                return Err(vfs::Error::NotEmpty.into());
            }
        }
        old_parent.check_take()?;
        inode.check_change()?;
        let kind = file_type(inode.mode());
        let target = new_parent.as_mut().unwrap_or(&mut old_parent);
        match &victim {
            Some(victim) => {
                target.check_take()?;
                victim.check_change()?;
            }
            None => target.check_insert()?,
        }
        if victim.is_some() {
            self.directory_set_target(target, new_name, source.0, kind)?;
        } else {
            self.directory_insert(target, new_name, source.0, kind)?;
        }
        if inode.is_directory() {
            if victim.is_none() && from != to {
                self.count_directory(target)?;
            }
            if victim.is_some() || from != to {
                Self::discount_directory(&mut old_parent);
            }
            if from != to {
                self.directory_set_parent(&mut inode, to.0)?;
            }
        }
        self.directory_remove(&mut old_parent, name)?;
        self.stamp_content(&mut old_parent);
        self.write_inode(&mut old_parent)?;
        if let Some(mut new_parent) = new_parent {
            self.stamp_content(&mut new_parent);
            self.write_inode(&mut new_parent)?;
        }
        self.stamp_change(&mut inode);
        self.write_inode(&mut inode)?;
        if let Some(victim) = &mut victim {
            self.drop_name(victim)?;
        }
        Ok(())
    }

    /// Tells whether a directory is another one or below it.
    fn is_below(&mut self, directory: InodeNumber, above: InodeNumber) -> Result<bool> {
        let mut at = directory;
        let mut seen = HashSet::new();
        // What is seen twice is a circle, which is damage.
        while seen.insert(at) {
            if at == above {
                return Ok(true);
            }
            if at == InodeNumber::ROOT {
                return Ok(false);
            }
            let inode = self.directory_inode(at)?;
            at = InodeNumber(self.directory_parent(&inode)?);
        }
        Err(Error::corrupt(
            "inode",
            u64::from(directory.0),
            "the directories above it go in a circle",
        ))
    }
}

/// Refuses what cannot be the name of a new entry.
pub(crate) fn check_new_name(name: &[u8]) -> Result<()> {
    if name.is_empty()
        || name == b"."
        || name == b".."
        || name.iter().any(|byte| matches!(byte, 0 | b'/'))
    {
        return Err(vfs::Error::InvalidName.into());
    }
    if name.len() > NAME_BYTES {
        return Err(vfs::Error::NameTooLong.into());
    }
    Ok(())
}

fn kind_of(kind: &NewKind<'_>) -> Kind {
    match kind {
        NewKind::File => Kind::File,
        NewKind::Directory => Kind::Directory,
        NewKind::SymbolicLink(_) => Kind::SymbolicLink,
        NewKind::Special(kind) => *kind,
    }
}

/// Returns the first two words of `i_block` of a device (`include/linux/kdev_t.h`, `old_encode_dev` and `new_encode_dev`); `None` for numbers
/// that Linux does not have.
fn encode_device(major: u32, minor: u32) -> Option<[U32; 2]> {
    if major >= 1 << 12 || minor >= 1 << 20 {
        return None;
    }
    Some(if major < 256 && minor < 256 {
        [U32::new(major << 8 | minor), U32::new(0)]
    } else {
        [
            U32::new(0),
            U32::new((minor & 0xff) | major << 8 | (minor & !0xff) << 12),
        ]
    })
}

/// Returns major and minor number of a device from the first two words of `i_block`.
pub(crate) fn decode_device(block: &[u8; 60]) -> (u32, u32) {
    let word =
        |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    let old = word(0);
    if old != 0 {
        return (old >> 8 & 0xff, old & 0xff);
    }
    let new = word(4);
    ((new & 0xf_ff00) >> 8, (new & 0xff) | (new >> 12 & 0xf_ff00))
}
