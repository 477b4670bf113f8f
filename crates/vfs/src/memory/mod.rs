//! A filesystem in memory: what every other backend is measured by.
//!
//! It does what ext4 does on Linux to root, in as few lines as that takes, so that a reader can hold each of them to the
//! kernel's. `tests/judge_memory.rs` does so with a kernel.

mod access;
mod adopt;
mod content;
mod node;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::ControlFlow;

use self::access::AccessList;
use self::content::{Content, PAGE_BYTES};
use self::node::{Body, Node};
use crate::error::{Error, Result};
use crate::filesystem::{
    Attributes, Entry, FileId, FileSystem, Kind, Limits, NewFile, NewKind, Statistics, Times,
    Timestamp,
};

/// The extended attribute that holds the access control list of a file.
const ACCESS_LIST: &[u8] = b"system.posix_acl_access";
/// The extended attribute that holds the list which what is made in a directory inherits.
const DEFAULT_LIST: &[u8] = b"system.posix_acl_default";
/// The extended attribute that holds capabilities, which a change of owner takes away.
const CAPABILITY: &[u8] = b"security.capability";

/// Linux `include/uapi/linux/limits.h`, `XATTR_NAME_MAX` and `XATTR_SIZE_MAX`.
const ATTRIBUTE_NAME_BYTES: usize = 255;
const ATTRIBUTE_VALUE_BYTES: usize = 65_536;

const SET_USER_ID: u16 = 0o4000;
const SET_GROUP_ID: u16 = 0o2000;
const GROUP_EXECUTES: u16 = 0o010;

/// How much of other content is read at a time.
const COPY_BYTES: usize = 64 << 10;

/// A filesystem in memory.
///
/// Content is kept in pages of 4096 bytes, so a hole costs nothing. There is no end to it but the machine's memory, unless
/// [`with_capacity`](Self::with_capacity) sets one.
#[derive(Debug, Clone)]
pub struct Memory {
    nodes: BTreeMap<u64, Node>,
    next: u64,
    now: Timestamp,
    limits: Limits,
    pages: u64,
    capacity: Option<Capacity>,
    keeps_creation: bool,
}

#[derive(Debug, Clone, Copy)]
struct Capacity {
    pages: u64,
    files: u64,
}

const ROOT: u64 = 1;

/// What ext4 holds with blocks of 4096 bytes and inodes of 256.
const EXT4: Limits = Limits {
    name_bytes: 255,
    target_bytes: 4095,
    file_bytes: ((1 << 32) - 1) * 4096,
    links: 65_000,
    attribute_bytes: ATTRIBUTE_VALUE_BYTES,
    owners: true,
    time_step: 1,
    time_range: (-(1 << 31), (1 << 34) - (1 << 31) - 1),
};

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// Makes an empty filesystem that holds what ext4 does; its root is root's own, with permissions `0o755`.
    pub fn new() -> Self {
        Self::with_limits(EXT4)
    }

    /// Makes an empty filesystem that holds at most this.
    pub fn with_limits(limits: Limits) -> Self {
        let mut memory = Self {
            nodes: BTreeMap::new(),
            next: ROOT + 1,
            now: Timestamp::default(),
            limits,
            pages: 0,
            capacity: None,
            keeps_creation: true,
        };
        let body = Body::Directory {
            entries: BTreeMap::new(),
            parent: ROOT,
        };
        let mut root = Node::new(body, Timestamp::default());
        root.permissions = 0o755;
        root.links = 2;
        memory.nodes.insert(ROOT, root);
        memory
    }

    /// Makes an empty filesystem that takes so much content, in units of 4096 bytes, and so many files, the root among them.
    pub fn with_capacity(blocks: u64, files: u64) -> Self {
        let mut memory = Self::new();
        memory.capacity = Some(Capacity {
            pages: blocks,
            files,
        });
        memory
    }

    /// Copies all of another filesystem: names, content, attributes, times and hard links. Limits are the other's, and times of making
    /// are kept if the other has one of its root.
    ///
    /// # Errors
    ///
    /// What reading the other fails with, and [`Error::FileTooLarge`] for a file of more than `content_bytes`.
    pub fn copy_of(other: &mut dyn FileSystem, content_bytes: u64) -> Result<Self> {
        let mut memory = Self::with_limits(other.limits());
        let root = other.root();
        memory.keeps_creation = other.attributes(root)?.created.is_some();
        let mut known = BTreeMap::from([(root, ROOT)]);
        memory.copy_node(other, root, ROOT, content_bytes)?;
        let mut rest = vec![(root, ROOT)];
        while let Some((from, to)) = rest.pop() {
            for entry in other.entries(from)? {
                let number = match known.get(&entry.file) {
                    Some(number) => *number,
                    None => {
                        let number = memory.next;
                        memory.next += 1;
                        known.insert(entry.file, number);
                        let is_directory =
                            memory.copy_node(other, entry.file, number, content_bytes)?;
                        if is_directory {
                            memory.node_mut(number)?.set_parent(to);
                            rest.push((entry.file, number));
                        }
                        number
                    }
                };
                memory
                    .node_mut(to)?
                    .directory_mut()?
                    .insert(entry.name, number);
            }
        }
        Ok(memory)
    }

    /// Copies one file without its entries; says whether it is a directory.
    fn copy_node(
        &mut self,
        other: &mut dyn FileSystem,
        from: FileId,
        to: u64,
        content_bytes: u64,
    ) -> Result<bool> {
        let attributes = other.attributes(from)?;
        let body = match attributes.kind {
            Kind::File if attributes.size > content_bytes => return Err(Error::FileTooLarge),
            Kind::File => {
                let mut content = Content::default();
                let mut buffer = vec![0; COPY_BYTES];
                let mut offset = 0;
                loop {
                    let length = other.read_at(from, &mut buffer, offset)?;
                    if length == 0 {
                        break;
                    }
                    content.write(&buffer[..length], offset);
                    offset += length as u64;
                }
                self.pages += content.pages();
                Body::File(content)
            }
            Kind::Directory => Body::Directory {
                entries: BTreeMap::new(),
                parent: to,
            },
            Kind::SymbolicLink => Body::SymbolicLink(other.read_link(from)?),
            special => Body::Special(special),
        };
        let is_directory = matches!(body, Body::Directory { .. });
        let mut node = Node::new(body, attributes.changed);
        node.permissions = attributes.permissions;
        node.uid = attributes.uid;
        node.gid = attributes.gid;
        node.links = attributes.links;
        node.accessed = attributes.accessed;
        node.modified = attributes.modified;
        node.created = attributes.created;
        for name in other.attribute_names(from)? {
            if let Some(value) = other.attribute(from, &name)? {
                node.attributes.insert(name, value);
            }
        }
        self.nodes.insert(to, node);
        Ok(is_directory)
    }

    fn node(&self, number: u64) -> Result<&Node> {
        self.nodes.get(&number).ok_or(Error::NotFound)
    }

    fn node_mut(&mut self, number: u64) -> Result<&mut Node> {
        self.nodes.get_mut(&number).ok_or(Error::NotFound)
    }

    fn check_new_name(&self, name: &[u8]) -> Result<()> {
        if matches!(name, b"" | b"." | b"..") || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
            return Err(Error::InvalidName);
        }
        if name.len() > self.limits.name_bytes {
            return Err(Error::NameTooLong);
        }
        Ok(())
    }

    /// Counts a subdirectory's `..`. More than the filesystem can count are counted as 1 for good, as ext4 does with `dir_nlink`
    /// (`fs/ext4/namei.c`, `ext4_inc_count`).
    fn count_subdirectory(&mut self, directory: u64) -> Result<()> {
        let most = self.limits.links;
        let node = self.node_mut(directory)?;
        node.links = match node.links {
            1 => 1,
            links if links >= most => 1,
            links => links + 1,
        };
        Ok(())
    }

    fn discount_subdirectory(&mut self, directory: u64) -> Result<()> {
        let node = self.node_mut(directory)?;
        if node.links > 2 {
            node.links -= 1;
        }
        Ok(())
    }

    /// Stamps a directory whose entries have changed.
    fn touch_directory(&mut self, directory: u64) -> Result<()> {
        let now = self.now;
        let node = self.node_mut(directory)?;
        node.modified = now;
        node.changed = now;
        Ok(())
    }

    /// Takes one name from a file, which goes with its last.
    fn drop_link(&mut self, number: u64) -> Result<()> {
        let now = self.now;
        let node = self.node_mut(number)?;
        let is_directory = matches!(node.body, Body::Directory { .. });
        node.links = node.links.saturating_sub(1);
        node.changed = now;
        if node.links == 0 || is_directory {
            if let Body::File(content) = &node.body {
                self.pages -= content.pages();
            }
            self.nodes.remove(&number);
        }
        Ok(())
    }

    /// Whether `below` is `above` or somewhere under it.
    fn is_within(&self, below: u64, above: u64) -> Result<bool> {
        let mut at = below;
        loop {
            if at == above {
                return Ok(true);
            }
            if at == ROOT {
                return Ok(false);
            }
            at = self.node(at)?.parent()?;
        }
    }

    fn reserve(&self, pages: u64) -> Result<()> {
        match self.capacity {
            Some(capacity) if self.pages + pages > capacity.pages => Err(Error::NoSpace),
            _ => Ok(()),
        }
    }

    fn clamp(&self, time: Timestamp) -> Timestamp {
        let (first, last) = self.limits.time_range;
        let seconds = time.seconds.clamp(first, last);
        let time = Timestamp {
            seconds,
            nanoseconds: match seconds == first || seconds == last {
                true => 0,
                false => time.nanoseconds,
            },
        };
        let nanoseconds = time.nanoseconds.min(999_999_999);
        let step = self.limits.time_step.max(1);
        let seconds_step = i64::from(step / 1_000_000_000).max(1);
        Timestamp {
            seconds: seconds - seconds.rem_euclid(seconds_step),
            nanoseconds: nanoseconds - nanoseconds % step.min(1_000_000_000),
        }
    }

    /// Sets an access control list, which may leave nothing but permission bits.
    fn set_list(&mut self, number: u64, name: &[u8], value: &[u8]) -> Result<()> {
        let now = self.now;
        let node = self.node_mut(number)?;
        let is_directory = matches!(node.body, Body::Directory { .. });
        if matches!(node.body, Body::SymbolicLink(_)) {
            return Err(Error::NotPossible("an access control list of a link"));
        }
        let list = AccessList::parse(value).map_err(|()| Error::InvalidAttribute)?;
        if name == DEFAULT_LIST && !is_directory {
            return match list {
                Some(_) => Err(Error::InvalidAttribute),
                None => Ok(()),
            };
        }
        let mut kept = list.as_ref().map(AccessList::encode);
        if let Some(list) = &list
            && name == ACCESS_LIST
        {
            let permissions = node.permissions & !0o777 | list.permissions();
            if permissions != node.permissions {
                node.permissions = permissions;
                node.changed = now;
            }
            if list.is_plain() {
                kept = None;
            }
        }
        if node.attributes.get(name) != kept.as_ref() {
            match kept {
                Some(value) => node.attributes.insert(name.to_vec(), value),
                None => node.attributes.remove(name),
            };
            node.changed = now;
        }
        Ok(())
    }
}

/// Whether a name of an attribute can be set on a file of this kind.
fn check_attribute_name(name: &[u8], body: &Body) -> Result<()> {
    let rest = [&b"user."[..], b"trusted.", b"security."]
        .iter()
        .find_map(|prefix| name.strip_prefix(*prefix))
        .ok_or(Error::NotPossible("an attribute with such a prefix"))?;
    if rest.is_empty() || rest.contains(&0) {
        return Err(Error::InvalidName);
    }
    if name.len() > ATTRIBUTE_NAME_BYTES {
        return Err(Error::NameTooLong);
    }
    if name.starts_with(b"user.") && !matches!(body, Body::File(_) | Body::Directory { .. }) {
        return Err(Error::NotPossible(
            "a user's attribute of what is neither file nor directory",
        ));
    }
    Ok(())
}

impl FileSystem for Memory {
    fn root(&self) -> FileId {
        FileId::new(ROOT)
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn statistics(&mut self) -> Result<Statistics> {
        let (blocks, files) = match self.capacity {
            Some(capacity) => (capacity.pages, capacity.files),
            None => (u64::MAX, 0),
        };
        let free_blocks = blocks.saturating_sub(self.pages);
        Ok(Statistics {
            block_bytes: PAGE_BYTES as u32,
            blocks,
            free_blocks,
            available_blocks: free_blocks,
            files,
            free_files: files.saturating_sub(self.nodes.len() as u64),
        })
    }

    fn set_now(&mut self, now: Timestamp) {
        self.now = self.clamp(now);
    }

    fn lookup(&mut self, directory: FileId, name: &[u8]) -> Result<Option<FileId>> {
        let entries = self.node(directory.number())?.directory()?;
        Ok(entries.get(name).map(|number| FileId::new(*number)))
    }

    fn list(
        &mut self,
        directory: FileId,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<()> {
        for (name, number) in self.node(directory.number())?.directory()? {
            let entry = Entry {
                name: name.clone(),
                file: FileId::new(*number),
            };
            if visit(entry).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn attributes(&mut self, file: FileId) -> Result<Attributes> {
        Ok(self.node(file.number())?.attributes())
    }

    fn read_link(&mut self, file: FileId) -> Result<Vec<u8>> {
        match &self.node(file.number())?.body {
            Body::SymbolicLink(target) => Ok(target.clone()),
            _ => Err(Error::NotLink),
        }
    }

    fn read_at(&mut self, file: FileId, buffer: &mut [u8], offset: u64) -> Result<usize> {
        Ok(self.node(file.number())?.content()?.read(buffer, offset))
    }

    fn write_at(&mut self, file: FileId, data: &[u8], offset: u64) -> Result<()> {
        let content = self.node(file.number())?.content()?;
        if data.is_empty() {
            return Ok(());
        }
        match offset.checked_add(data.len() as u64) {
            Some(end) if end <= self.limits.file_bytes => {}
            _ => return Err(Error::FileTooLarge),
        }
        let added = content.pages_to_add(data.len(), offset);
        self.reserve(added)?;
        self.pages += added;
        let now = self.now;
        let node = self.node_mut(file.number())?;
        node.content_mut()?.write(data, offset);
        node.modified = now;
        node.changed = now;
        Ok(())
    }

    fn set_size(&mut self, file: FileId, size: u64) -> Result<()> {
        let before = self.node(file.number())?.content()?.pages();
        if size > self.limits.file_bytes {
            return Err(Error::FileTooLarge);
        }
        let now = self.now;
        let node = self.node_mut(file.number())?;
        let content = node.content_mut()?;
        content.set_size(size);
        let after = content.pages();
        node.modified = now;
        node.changed = now;
        self.pages -= before - after;
        Ok(())
    }

    fn replace(&mut self, file: FileId, source: &mut dyn Read) -> Result<u64> {
        let before = self.node(file.number())?.content()?.pages();
        let mut content = Content::default();
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let length = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Content(error)),
            };
            let end = content.size() + length as u64;
            if end > self.limits.file_bytes {
                return Err(Error::FileTooLarge);
            }
            let added = content.pages_to_add(length, content.size());
            self.reserve((content.pages() + added).saturating_sub(before))?;
            let offset = content.size();
            content.write(&buffer[..length], offset);
        }
        self.pages = self.pages - before + content.pages();
        let size = content.size();
        let now = self.now;
        let node = self.node_mut(file.number())?;
        *node.content_mut()? = content;
        node.modified = now;
        node.changed = now;
        Ok(size)
    }

    fn create(&mut self, directory: FileId, name: &[u8], new: &NewFile<'_>) -> Result<FileId> {
        let directory = directory.number();
        let parent = self.node(directory)?;
        let entries = parent.directory()?;
        self.check_new_name(name)?;
        if entries.contains_key(name) {
            return Err(Error::Exists);
        }
        let body = match new.kind {
            NewKind::File => Body::File(Content::default()),
            NewKind::Directory => Body::Directory {
                entries: BTreeMap::new(),
                parent: directory,
            },
            NewKind::SymbolicLink(target) => {
                if target.is_empty()
                    || target.contains(&0)
                    || target.len() > self.limits.target_bytes
                {
                    return Err(Error::InvalidTarget);
                }
                Body::SymbolicLink(target.to_vec())
            }
            NewKind::Special(Kind::File | Kind::Directory | Kind::SymbolicLink) => {
                return Err(Error::NotPossible("a special file of an ordinary kind"));
            }
            NewKind::Special(kind) => Body::Special(kind),
        };
        if let Some(capacity) = self.capacity
            && self.nodes.len() as u64 >= capacity.files
        {
            return Err(Error::NoInodes);
        }

        let is_directory = matches!(body, Body::Directory { .. });
        let mut node = Node::new(body, self.now);
        if !self.keeps_creation {
            node.created = None;
        }
        node.uid = new.uid;
        node.gid = new.gid;
        node.permissions = new.permissions & 0o7777;
        node.links = if is_directory { 2 } else { 1 };
        if parent.permissions & SET_GROUP_ID != 0 {
            node.gid = parent.gid;
            if is_directory {
                node.permissions |= SET_GROUP_ID;
            }
        }
        if matches!(node.body, Body::SymbolicLink(_)) {
            node.permissions = 0o777;
        } else if let Some(default) = parent.attributes.get(DEFAULT_LIST)
            && let Ok(Some(mut list)) = AccessList::parse(default)
        {
            if is_directory {
                node.attributes
                    .insert(DEFAULT_LIST.to_vec(), default.clone());
            }
            list.restrict(node.permissions);
            node.permissions = node.permissions & !0o777 | list.permissions();
            if !list.is_plain() {
                node.attributes.insert(ACCESS_LIST.to_vec(), list.encode());
            }
        }

        let number = self.next;
        self.next += 1;
        self.nodes.insert(number, node);
        if is_directory {
            self.count_subdirectory(directory)?;
        }
        self.node_mut(directory)?
            .directory_mut()?
            .insert(name.to_vec(), number);
        self.touch_directory(directory)?;
        Ok(FileId::new(number))
    }

    fn link(&mut self, file: FileId, directory: FileId, name: &[u8]) -> Result<()> {
        let (number, directory) = (file.number(), directory.number());
        let entries = self.node(directory)?.directory()?;
        self.check_new_name(name)?;
        if entries.contains_key(name) {
            return Err(Error::Exists);
        }
        let node = self.node(number)?;
        if matches!(node.body, Body::Directory { .. }) {
            return Err(Error::IsDirectory);
        }
        if node.links >= self.limits.links {
            return Err(Error::TooManyLinks);
        }
        let now = self.now;
        let node = self.node_mut(number)?;
        node.links += 1;
        node.changed = now;
        self.node_mut(directory)?
            .directory_mut()?
            .insert(name.to_vec(), number);
        self.touch_directory(directory)
    }

    fn rename(&mut self, from: FileId, name: &[u8], to: FileId, new_name: &[u8]) -> Result<()> {
        let (from, to) = (from.number(), to.number());
        let source = self.node(from)?.directory()?.get(name).copied();
        let target = self.node(to)?.directory()?.get(new_name).copied();
        self.check_new_name(new_name)?;
        let source = source.ok_or(Error::NotFound)?;
        let is_directory = matches!(self.node(source)?.body, Body::Directory { .. });
        if is_directory && self.is_within(to, source)? {
            return Err(Error::IntoItself);
        }
        if let Some(target) = target {
            if target == source {
                return Ok(());
            }
            if self.is_within(from, target)? {
                return Err(Error::NotEmpty);
            }
            match (is_directory, &self.node(target)?.body) {
                (true, Body::Directory { entries, .. }) if !entries.is_empty() => {
                    return Err(Error::NotEmpty);
                }
                (true, Body::Directory { .. }) => self.discount_subdirectory(to)?,
                (true, _) => return Err(Error::NotDirectory),
                (false, Body::Directory { .. }) => return Err(Error::IsDirectory),
                (false, _) => {}
            }
            self.drop_link(target)?;
        }
        self.node_mut(from)?.directory_mut()?.remove(name);
        self.node_mut(to)?
            .directory_mut()?
            .insert(new_name.to_vec(), source);
        let now = self.now;
        self.node_mut(source)?.changed = now;
        if is_directory {
            self.node_mut(source)?.set_parent(to);
            self.discount_subdirectory(from)?;
            self.count_subdirectory(to)?;
        }
        self.touch_directory(from)?;
        self.touch_directory(to)
    }

    fn remove(&mut self, directory: FileId, name: &[u8]) -> Result<()> {
        let directory = directory.number();
        let number = self.node(directory)?.directory()?.get(name).copied();
        let number = number.ok_or(Error::NotFound)?;
        if let Body::Directory { entries, .. } = &self.node(number)?.body {
            if !entries.is_empty() {
                return Err(Error::NotEmpty);
            }
            self.discount_subdirectory(directory)?;
        }
        self.drop_link(number)?;
        self.node_mut(directory)?.directory_mut()?.remove(name);
        self.touch_directory(directory)
    }

    fn set_permissions(&mut self, file: FileId, permissions: u16) -> Result<()> {
        let now = self.now;
        let node = self.node_mut(file.number())?;
        if matches!(node.body, Body::SymbolicLink(_)) {
            return Err(Error::NotPossible("a change of a link's permissions"));
        }
        node.permissions = permissions & 0o7777;
        if let Some(value) = node.attributes.get_mut(ACCESS_LIST)
            && let Ok(Some(mut list)) = AccessList::parse(value)
        {
            list.set_permissions(permissions);
            *value = list.encode();
        }
        node.changed = now;
        Ok(())
    }

    fn set_owner(&mut self, file: FileId, uid: u32, gid: u32) -> Result<()> {
        let now = self.now;
        let node = self.node_mut(file.number())?;
        node.uid = uid;
        node.gid = gid;
        node.changed = now;
        if !matches!(node.body, Body::Directory { .. }) {
            node.permissions &= !SET_USER_ID;
            if node.permissions & GROUP_EXECUTES != 0 {
                node.permissions &= !SET_GROUP_ID;
            }
            node.attributes.remove(CAPABILITY);
        }
        Ok(())
    }

    fn set_times(&mut self, file: FileId, times: Times) -> Result<()> {
        let accessed = times.accessed.map(|time| self.clamp(time));
        let modified = times.modified.map(|time| self.clamp(time));
        let now = self.now;
        let node = self.node_mut(file.number())?;
        if accessed.is_none() && modified.is_none() {
            return Ok(());
        }
        node.accessed = accessed.unwrap_or(node.accessed);
        node.modified = modified.unwrap_or(node.modified);
        node.changed = now;
        Ok(())
    }

    fn attribute_names(&mut self, file: FileId) -> Result<Vec<Vec<u8>>> {
        let node = self.node(file.number())?;
        Ok(node.attributes.keys().cloned().collect())
    }

    fn attribute(&mut self, file: FileId, name: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.node(file.number())?.attributes.get(name).cloned())
    }

    fn set_attribute(&mut self, file: FileId, name: &[u8], value: &[u8]) -> Result<()> {
        if matches!(name, ACCESS_LIST | DEFAULT_LIST) {
            return self.set_list(file.number(), name, value);
        }
        let most = self.limits.attribute_bytes.min(ATTRIBUTE_VALUE_BYTES);
        let now = self.now;
        let node = self.node_mut(file.number())?;
        check_attribute_name(name, &node.body)?;
        if value.len() > most {
            return Err(Error::NoAttributeSpace);
        }
        if node.attributes.get(name).map(Vec::as_slice) != Some(value) {
            node.attributes.insert(name.to_vec(), value.to_vec());
            node.changed = now;
        }
        Ok(())
    }

    fn remove_attribute(&mut self, file: FileId, name: &[u8]) -> Result<()> {
        let now = self.now;
        let node = self.node_mut(file.number())?;
        if node.attributes.remove(name).is_none() {
            return Err(Error::NotFound);
        }
        node.changed = now;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Aspects, Tree, TreeOptions, differences};

    const FILE: NewFile<'static> = NewFile {
        kind: NewKind::File,
        permissions: 0o644,
        uid: 0,
        gid: 0,
    };

    #[test]
    fn what_is_full_says_so_and_stays_whole() {
        let mut fs = Memory::with_capacity(4, 3);
        let root = fs.root();
        let a = fs.create(root, b"a", &FILE).unwrap();
        fs.create(root, b"b", &FILE).unwrap();
        assert!(matches!(fs.create(root, b"c", &FILE), Err(Error::NoInodes)));
        fs.write_at(a, &[1; 3 * 4096], 0).unwrap();
        assert!(matches!(
            fs.write_at(a, &[2; 5000], 3 * 4096),
            Err(Error::NoSpace)
        ));
        assert_eq!(fs.attributes(a).unwrap().size, 3 * 4096);
        let five: &[u8] = &[3; 5 * 4096];
        assert!(matches!(fs.replace(a, &mut { five }), Err(Error::NoSpace)));
        fs.replace(a, &mut &five[4096..]).unwrap();
        assert_eq!(fs.statistics().unwrap().free_blocks, 0);
        fs.remove(root, b"a").unwrap();
        assert_eq!(fs.statistics().unwrap().free_blocks, 4);
    }

    #[test]
    fn too_many_subdirectories_are_counted_no_more() {
        let mut limits = Memory::new().limits();
        limits.links = 5;
        let mut fs = Memory::with_limits(limits);
        let root = fs.root();
        let directory = NewFile {
            kind: NewKind::Directory,
            ..FILE
        };
        let mut counts = Vec::new();
        for name in [b"a", b"b", b"c", b"d", b"e"] {
            fs.create(root, name, &directory).unwrap();
            counts.push(fs.attributes(root).unwrap().links);
        }
        assert_eq!(counts, [3, 4, 5, 1, 1]);
        fs.remove(root, b"a").unwrap();
        assert_eq!(fs.attributes(root).unwrap().links, 1);
        let file = fs.create(root, b"f0", &FILE).unwrap();
        for name in [b"f1", b"f2", b"f3", b"f4"] {
            fs.link(file, root, name).unwrap();
        }
        assert!(matches!(
            fs.link(file, root, b"f5"),
            Err(Error::TooManyLinks)
        ));
    }

    #[test]
    fn a_copy_is_the_same_in_all() {
        let mut fs = Memory::new();
        crate::conformance::run_in(&mut fs, &crate::conformance::Capabilities::ALL);
        let root = fs.root();
        let options = TreeOptions {
            content_bytes: 1 << 30,
        };
        let mut copy = Memory::copy_of(&mut fs, 1 << 30).unwrap();
        let first = Tree::read(&mut fs, root, &options).unwrap();
        let second = Tree::read(&mut copy, root, &options).unwrap();
        assert!(first.files.len() > 800);
        let differences = differences(&first, &second, &Aspects::ALL);
        assert!(differences.is_empty(), "{differences:?}");
    }

    #[test]
    fn a_copy_refuses_what_is_too_large() {
        let mut fs = Memory::new();
        let root = fs.root();
        let file = fs.create(root, b"a", &FILE).unwrap();
        fs.set_size(file, 1001).unwrap();
        assert!(matches!(
            Memory::copy_of(&mut fs, 1000),
            Err(Error::FileTooLarge)
        ));
        let options = TreeOptions {
            content_bytes: 1 << 30,
        };
        let mut copy = Memory::copy_of(&mut fs, 1001).unwrap();
        let first = Tree::read(&mut fs, root, &options).unwrap();
        let second = Tree::read(&mut copy, root, &options).unwrap();
        assert!(differences(&first, &second, &Aspects::ALL).is_empty());
    }
}
