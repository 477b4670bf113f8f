//! The extended attributes of one file: listed, read, set, removed, inherited.

use christen_vfs::{Error, Kind, Result};

use super::acl::{AccessList, InvalidList};
use super::block::{self, AttributeBlock};
use super::entry::{Attribute, Value, hash_inode_entry};
use super::name::AttributeName;
use super::region;
use super::store::AttributeStore;
use crate::error::Corrupt;

/// The largest value that Linux takes (`include/uapi/linux/limits.h`, `XATTR_SIZE_MAX`).
const VALUE_BYTES: usize = 65_536;

/// The fields of an inode that belong to its extended attributes.
///
/// What changes them gives a new one back, which the caller writes into the inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The bytes of the inode behind `i_extra_isize`; empty where the inode has no `i_extra_isize`, or it is 0.
    pub region: Vec<u8>,
    /// The number of the inode, for errors.
    pub inode: u32,
    /// `i_file_acl`: the block with further attributes, or 0. An inode counts it in `i_blocks`, also when it is shared.
    pub block: u64,
}

/// What else a change of an attribute depends on, and may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// What it is.
    pub kind: Kind,
    /// Its permission bits, at most `0o7777`.
    pub permissions: u16,
}

/// What a change of an attribute came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What is to be written into the inode, if that is new. Where [`Holder::block`] came or went, `i_blocks` does too.
    pub holder: Option<Holder>,
    /// The file's new permission bits, if they changed with its access control list.
    pub permissions: Option<u16>,
}

impl Change {
    /// Whether nothing changed, so that no time does.
    pub fn is_none(&self) -> bool {
        self.holder.is_none() && self.permissions.is_none()
    }
}

/// What a new file gets from the directory that it is made in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inheritance {
    /// The permission bits that it has in the end.
    pub permissions: u16,
    /// The attributes that it begins with.
    pub attributes: Vec<Attribute>,
}

/// Returns the names that Linux shows, sorted.
///
/// # Errors
///
/// [`Error::Io`] and [`Error::Corrupt`].
pub fn names(store: &mut dyn AttributeStore, holder: &Holder) -> Result<Vec<Vec<u8>>> {
    let loaded = Loaded::read(store, holder)?;
    let mut names: Vec<_> = loaded
        .all()
        .filter_map(|attribute| attribute.name.to_linux())
        .collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Returns the value of an attribute as Linux gives it.
///
/// # Errors
///
/// [`Error::Io`] and [`Error::Corrupt`].
pub fn get(
    store: &mut dyn AttributeStore,
    holder: &Holder,
    name: &[u8],
) -> Result<Option<Vec<u8>>> {
    // What could not be set is not there: a directory can have any attribute that any file can.
    let Ok(name) = AttributeName::from_linux(name, Kind::Directory) else {
        return Ok(None);
    };
    let Some(value) = find(store, holder, &name)? else {
        return Ok(None);
    };
    if !name.is_list() {
        return Ok(Some(value));
    }
    Ok(list_on_disk(&value)?.map(|list| list.to_linux()))
}

/// Sets an attribute, whose value is as Linux takes it.
///
/// # Errors
///
/// As [`christen_vfs::FileSystem::set_attribute`]; and [`Error::NoSpace`]. Nothing has changed then.
pub fn set(
    store: &mut dyn AttributeStore,
    holder: &Holder,
    file: File,
    name: &[u8],
    value: &[u8],
) -> Result<Change> {
    let name = AttributeName::from_linux(name, file.kind)?;
    if !name.is_list() {
        if value.len() > VALUE_BYTES {
            return Err(Error::NoAttributeSpace);
        }
        return Ok(Change {
            holder: store_attribute(store, holder, &name, Some(value))?,
            permissions: None,
        });
    }

    let list = AccessList::from_linux(value).map_err(|_| Error::InvalidAttribute)?;
    let mut permissions = file.permissions;
    let kept = match &list {
        Some(list) if name == AttributeName::access_list() => {
            permissions = permissions & !0o777 | list.permissions();
            (!list.is_minimal()).then(|| list.to_disk())
        }
        Some(list) if file.kind == Kind::Directory => Some(list.to_disk()),
        // `ext4_set_acl`: nothing inherits from what is no directory.
        Some(_) => return Err(Error::InvalidAttribute),
        None => None,
    };
    Ok(Change {
        holder: store_attribute(store, holder, &name, kept.as_deref())?,
        permissions: (permissions != file.permissions).then_some(permissions),
    })
}

/// Removes an attribute. The permission bits stay when the access control list goes.
///
/// # Errors
///
/// [`Error::NotFound`], with nothing changed.
pub fn remove(store: &mut dyn AttributeStore, holder: &Holder, name: &[u8]) -> Result<Holder> {
    let Ok(name) = AttributeName::from_linux(name, Kind::Directory) else {
        return Err(Error::NotFound);
    };
    store_attribute(store, holder, &name, None)?.ok_or(Error::NotFound)
}

/// Makes the access control list follow new permission bits. Returns what is to be written into the inode, if the list changed
/// (`fs/posix_acl.c`, `posix_acl_chmod`).
///
/// # Errors
///
/// [`Error::NoSpace`], with nothing changed, where a shared block has to be copied.
pub fn set_permissions(
    store: &mut dyn AttributeStore,
    holder: &Holder,
    permissions: u16,
) -> Result<Option<Holder>> {
    let name = AttributeName::access_list();
    let Some(value) = find(store, holder, &name)? else {
        return Ok(None);
    };
    let Some(mut list) = list_on_disk(&value)? else {
        return Ok(None);
    };
    list.set_permissions(permissions);
    let kept = (!list.is_minimal()).then(|| list.to_disk());
    store_attribute(store, holder, &name, kept.as_deref())
}

/// Tells what a new file gets from its directory's default access control list (`fs/posix_acl.c`, `posix_acl_create`).
///
/// `permissions` are those asked for. A symbolic link inherits nothing.
///
/// # Errors
///
/// [`Error::Io`] and [`Error::Corrupt`].
pub fn inherit(
    store: &mut dyn AttributeStore,
    directory: &Holder,
    kind: Kind,
    permissions: u16,
) -> Result<Inheritance> {
    let mut inherited = Inheritance {
        permissions,
        attributes: Vec::new(),
    };
    if kind == Kind::SymbolicLink || (directory.block == 0 && directory.region.is_empty()) {
        return Ok(inherited);
    }
    let Some(value) = find(store, directory, &AttributeName::default_list())? else {
        return Ok(inherited);
    };
    let Some(mut list) = list_on_disk(&value)? else {
        return Ok(inherited);
    };
    if kind == Kind::Directory {
        let default = Attribute::new(AttributeName::default_list(), &list.to_disk());
        inherited.attributes.push(default);
    }
    list.restrict(permissions);
    inherited.permissions = permissions & !0o777 | list.permissions();
    if !list.is_minimal() {
        let own = Attribute::new(AttributeName::access_list(), &list.to_disk());
        inherited.attributes.push(own);
    }
    Ok(inherited)
}

/// Gives a new file the attributes that it begins with, in the order in which Linux sets them. Returns what is to be written into the inode.
///
/// # Errors
///
/// [`Error::NoAttributeSpace`] and [`Error::NoSpace`]. A block that was allocated before is then freed again.
pub fn begin(
    store: &mut dyn AttributeStore,
    empty: &Holder,
    inherited: &Inheritance,
) -> Result<Holder> {
    let mut holder = empty.clone();
    for attribute in &inherited.attributes {
        let Value::Here(value) = &attribute.value else {
            continue;
        };
        match store_attribute(store, &holder, &attribute.name, Some(value)) {
            Ok(Some(next)) => holder = next,
            Ok(None) => {}
            Err(error) => {
                release(store, &holder)?;
                return Err(error);
            }
        }
    }
    Ok(holder)
}

/// Lets go of all that a deleted file's attributes hold outside its inode.
///
/// # Errors
///
/// [`Error::Io`] and [`Error::Corrupt`].
pub fn release(store: &mut dyn AttributeStore, holder: &Holder) -> Result<()> {
    let loaded = Loaded::read(store, holder)?;
    for inode in inodes(&loaded.inner) {
        store.release_value(inode)?;
    }
    if let Some(outer) = &loaded.outer {
        drop_block(store, outer)?;
    }
    Ok(())
}

/// Returns how many blocks the file's values in inodes of their own take, each counted by the length of the value. They count in the file's own
/// `i_blocks` (`fs/ext4/xattr.c`, `ext4_xattr_inode_alloc_quota`).
///
/// # Errors
///
/// [`Error::Io`] and [`Error::Corrupt`].
pub fn blocks_outside(store: &mut dyn AttributeStore, holder: &Holder) -> Result<u64> {
    let block_bytes = store.block_bytes() as u64;
    let loaded = Loaded::read(store, holder)?;
    Ok(loaded
        .all()
        .map(|attribute| match attribute.value {
            Value::Inode { size_bytes, .. } => u64::from(size_bytes).div_ceil(block_bytes),
            Value::Here(_) => 0,
        })
        .sum())
}

/// A block of attributes with its number and its bytes.
struct Outer {
    number: u64,
    bytes: Vec<u8>,
    block: AttributeBlock,
}

/// The attributes of a file, in its inode and in its block.
struct Loaded {
    inner: Vec<Attribute>,
    outer: Option<Outer>,
}

impl Loaded {
    fn read(store: &mut dyn AttributeStore, holder: &Holder) -> Result<Self> {
        let inner = region::parse(&holder.region, u64::from(holder.inode)).map_err(corrupt)?;
        let outer = if holder.block == 0 {
            None
        } else {
            let bytes = store.read_block(holder.block)?;
            let block = AttributeBlock::parse(&bytes, holder.block, store.checksum_seed())
                .map_err(corrupt)?;
            Some(Outer {
                number: holder.block,
                bytes,
                block,
            })
        };
        Ok(Self { inner, outer })
    }

    /// All attributes. Where a name stands twice, the one in the inode counts (`ext4_xattr_get`).
    fn all(&self) -> impl Iterator<Item = &Attribute> {
        self.inner.iter().chain(self.outer_attributes())
    }

    fn outer_attributes(&self) -> &[Attribute] {
        self.outer
            .as_ref()
            .map_or(&[], |outer| &outer.block.attributes)
    }
}

/// Returns the value that stands on disk.
fn find(
    store: &mut dyn AttributeStore,
    holder: &Holder,
    name: &AttributeName,
) -> Result<Option<Vec<u8>>> {
    let mut loaded = Loaded::read(store, holder)?;
    let inner = loaded.inner.iter().position(|one| one.name == *name);
    let value = if let Some(at) = inner {
        loaded.inner.swap_remove(at).value
    } else {
        let Some(attribute) = loaded
            .outer_attributes()
            .iter()
            .find(|one| one.name == *name)
        else {
            return Ok(None);
        };
        attribute.value.clone()
    };
    match value {
        Value::Here(value) => Ok(Some(value)),
        Value::Inode {
            inode, size_bytes, ..
        } => store.read_value(inode, size_bytes).map(Some),
    }
}

/// Sets or removes the value that stands on disk: in the inode if it fits there, else in the block, else in an inode of its own
/// (`fs/ext4/xattr.c`, `ext4_xattr_set_handle`). Returns `None` if that changes nothing.
fn store_attribute(
    store: &mut dyn AttributeStore,
    holder: &Holder,
    name: &AttributeName,
    value: Option<&[u8]>,
) -> Result<Option<Holder>> {
    let loaded = Loaded::read(store, holder)?;
    let old = loaded.all().find(|one| one.name == *name);
    match (old, value) {
        (None, None) => return Ok(None),
        (Some(old), Some(value)) if old.value == Value::Here(value.to_vec()) => return Ok(None),
        _ => {}
    }

    let Some(value) = value else {
        let plan = Plan {
            inner: without(&loaded.inner, name),
            outer: without(loaded.outer_attributes(), name),
        };
        return apply(store, holder, &loaded, plan).map(Some);
    };
    let attribute = Attribute::new(name.clone(), value);
    let direct = place(store.block_bytes(), holder, &loaded, &attribute);
    // A value that no block could hold under a name of three bytes goes to an inode at once (`EXT4_XATTR_MIN_LARGE_EA_SIZE`).
    let large = value.len().next_multiple_of(4) > store.block_bytes().saturating_sub(56);
    if (large || direct.is_none())
        && !value.is_empty()
        && let Some(holder) = store_outside(store, holder, &loaded, name, value)?
    {
        return Ok(Some(holder));
    }
    let plan = direct.ok_or(Error::NoAttributeSpace)?;
    apply(store, holder, &loaded, plan).map(Some)
}

/// Sets a value that stands in an inode of its own; `None`, with nothing changed, if even its entry does not fit or there are no such inodes.
fn store_outside(
    store: &mut dyn AttributeStore,
    holder: &Holder,
    loaded: &Loaded,
    name: &AttributeName,
    value: &[u8],
) -> Result<Option<Holder>> {
    let with_hash = |inode, hash| Attribute {
        name: name.clone(),
        value: Value::Inode {
            inode,
            size_bytes: value.len() as u32,
            hash,
        },
    };
    // Whether the entry fits is known before an inode is made for the value.
    let Some(mut plan) = place(store.block_bytes(), holder, loaded, &with_hash(u32::MAX, 0)) else {
        return Ok(None);
    };
    let Some((inode, content_hash)) = store.store_value(value)? else {
        return Ok(None);
    };
    let attribute = with_hash(inode, hash_inode_entry(name.rest(), content_hash));
    for planned in plan.inner.iter_mut().chain(&mut plan.outer) {
        if planned.name == attribute.name {
            planned.value = attribute.value.clone();
        }
    }
    let placed = apply(store, holder, loaded, plan);
    // The inode or the block that it is named in has counted its own reference.
    store.release_value(inode)?;
    placed.map(Some)
}

/// The attributes as they shall be.
struct Plan {
    inner: Vec<Attribute>,
    outer: Vec<Attribute>,
}

/// Finds where an attribute fits, without moving others.
fn place(
    block_bytes: usize,
    holder: &Holder,
    loaded: &Loaded,
    attribute: &Attribute,
) -> Option<Plan> {
    let inner = with(&loaded.inner, attribute);
    if !holder.region.is_empty() && region::encode(&inner, holder.region.len()).is_some() {
        return Some(Plan {
            inner,
            outer: without(loaded.outer_attributes(), &attribute.name),
        });
    }
    let block = AttributeBlock {
        references: 1,
        attributes: with(loaded.outer_attributes(), attribute),
    };
    block.encode(0, block_bytes, None)?;
    Some(Plan {
        inner: without(&loaded.inner, &attribute.name),
        outer: block.attributes,
    })
}

/// Writes what a plan says. What can fail for want of space comes first.
fn apply(
    store: &mut dyn AttributeStore,
    holder: &Holder,
    loaded: &Loaded,
    plan: Plan,
) -> Result<Holder> {
    // A plan is made of what fits.
    let region = region::encode(&plan.inner, holder.region.len()).ok_or(Error::NoAttributeSpace)?;
    let block = if same(loaded.outer_attributes(), &plan.outer) {
        holder.block
    } else {
        replace_block(store, loaded.outer.as_ref(), plan.outer)?
    };
    for inode in inodes(&plan.inner) {
        store.retain_value(inode)?;
    }
    for inode in inodes(&loaded.inner) {
        store.release_value(inode)?;
    }
    Ok(Holder {
        region,
        inode: holder.inode,
        block,
    })
}

/// Writes other attributes in place of a block's, and returns the number of the block that they are in, or 0 if there are none. A shared
/// block is left to the others.
fn replace_block(
    store: &mut dyn AttributeStore,
    old: Option<&Outer>,
    attributes: Vec<Attribute>,
) -> Result<u64> {
    if attributes.is_empty() {
        if let Some(old) = old {
            drop_block(store, old)?;
        }
        return Ok(0);
    }
    let held = inodes(&attributes);
    let (block_bytes, seed) = (store.block_bytes(), store.checksum_seed());
    let block = AttributeBlock {
        references: 1,
        attributes,
    };
    let own = old.filter(|old| old.block.references == 1);
    let number = match own {
        Some(old) => old.number,
        None => store.allocate_block()?,
    };
    let bytes = block
        .encode(number, block_bytes, seed)
        .ok_or(Error::NoAttributeSpace)?;
    store.write_block(number, &bytes)?;
    for inode in held {
        store.retain_value(inode)?;
    }
    match (own, old) {
        (Some(own), _) => {
            for inode in inodes(&own.block.attributes) {
                store.release_value(inode)?;
            }
        }
        (None, Some(shared)) => drop_block(store, shared)?,
        (None, None) => {}
    }
    Ok(number)
}

/// Takes one reference from a block, and frees it after the last (`ext4_xattr_release_block`).
fn drop_block(store: &mut dyn AttributeStore, outer: &Outer) -> Result<()> {
    let left = outer.block.references - 1;
    if left > 0 {
        let mut bytes = outer.bytes.clone();
        block::set_references(&mut bytes, left, outer.number, store.checksum_seed());
        return store.write_block(outer.number, &bytes);
    }
    for inode in inodes(&outer.block.attributes) {
        store.release_value(inode)?;
    }
    store.free_block(outer.number)
}

/// The inodes that hold values of these attributes.
fn inodes(attributes: &[Attribute]) -> Vec<u32> {
    attributes
        .iter()
        .filter_map(|attribute| match attribute.value {
            Value::Inode { inode, .. } => Some(inode),
            Value::Here(_) => None,
        })
        .collect()
}

fn without(attributes: &[Attribute], name: &AttributeName) -> Vec<Attribute> {
    attributes
        .iter()
        .filter(|one| one.name != *name)
        .cloned()
        .collect()
}

/// The attributes with one set, at its old place or at the end.
fn with(attributes: &[Attribute], attribute: &Attribute) -> Vec<Attribute> {
    let mut all = attributes.to_vec();
    match all.iter_mut().find(|one| one.name == attribute.name) {
        Some(old) => old.value = attribute.value.clone(),
        None => all.push(attribute.clone()),
    }
    all
}

fn same(old: &[Attribute], new: &[Attribute]) -> bool {
    old.len() == new.len() && old.iter().all(|one| new.contains(one))
}

fn list_on_disk(value: &[u8]) -> Result<Option<AccessList>> {
    AccessList::from_disk(value).map_err(|error: InvalidList| Error::Corrupt(Box::new(error)))
}

fn corrupt(error: Corrupt) -> Error {
    Error::Corrupt(Box::new(error))
}
