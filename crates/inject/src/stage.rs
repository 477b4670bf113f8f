//! The guest's files while an identity is put into them.

mod reading;
mod writing;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use christen_vfs::{FileSystem, GuestPath};

use crate::{Change, Error, Item, ItemKind, State};

/// The most bytes that are read of one file of the guest: no account file, configuration or policy comes near it, and a hostile one
/// must not fill the memory.
pub const MAX_READ_BYTES: u64 = 16 << 20;

/// Permission bits and owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    /// The permission bits, at most `0o7777`.
    pub permissions: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Ownership {
    /// Root's own, with these permission bits.
    pub const fn root(permissions: u16) -> Self {
        Self {
            permissions,
            uid: 0,
            gid: 0,
        }
    }
}

/// What becomes of permission bits and owner of what is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// They stay.
    Keep,
    /// They become as for a new file.
    Set,
}

/// Whether content may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Secrecy {
    /// Anybody may see it.
    Public,
    /// Plans and messages say only that it changes: password hashes, private keys, user data.
    Secret,
}

/// Something that the user should know, and that is no failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub item: Item,
    /// A sentence without a full stop; holds no secret.
    pub text: String,
}

/// An SSH host key that the guest has from now on, which clients may be told of before they meet it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// Host names and addresses; none where the description knows none.
    pub names: Vec<String>,
    /// Algorithm and key, without the comment.
    pub public: String,
}

/// The guest's files while an identity is put into them.
///
/// Every operation says what is to be there. What is there already is not written again, so that its times stay. Paths go through the
/// guest's own links and never leave its root.
#[derive(Debug)]
pub struct Stage<'fs> {
    fs: &'fs mut dyn FileSystem,
    item: Item,
    places: BTreeMap<GuestPath, Touched>,
    notices: Vec<Notice>,
    host_keys: Vec<HostKey>,
}

#[derive(Debug)]
struct Touched {
    items: Vec<Item>,
    secrecy: Secrecy,
    before: Option<State>,
    after: Option<State>,
}

impl<'fs> Stage<'fs> {
    /// Begins with the guest's whole tree: what is mounted below its root is part of it.
    pub fn new(fs: &'fs mut dyn FileSystem) -> Self {
        Self {
            fs,
            item: Item::new(ItemKind::Operation),
            places: BTreeMap::new(),
            notices: Vec::new(),
            host_keys: Vec::new(),
        }
    }

    /// Says what the operations that follow are for.
    pub fn begin(&mut self, item: Item) {
        self.item = item;
    }

    /// Returns what the operations are for at the moment.
    pub fn item(&self) -> &Item {
        &self.item
    }

    /// Notes something that the user should know; it must hold no secret.
    pub fn notice(&mut self, text: impl Into<String>) {
        self.notices.push(Notice {
            item: self.item.clone(),
            text: text.into(),
        });
    }

    /// Returns what was noted, in order.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Says that the current item cannot be done in this guest; the reason must hold no secret.
    pub(crate) fn impossible(&self, reason: impl Into<String>) -> Error {
        Error::Impossible {
            item: self.item.clone(),
            reason: reason.into(),
        }
    }

    /// Tells of a host key that was made for the guest.
    pub(crate) fn tell_host_key(&mut self, key: HostKey) {
        self.host_keys.push(key);
    }

    /// Returns the host keys that were made for the guest, by this injection or by an earlier one of the same instance.
    pub fn host_keys(&self) -> &[HostKey] {
        &self.host_keys
    }

    /// Returns the filesystem, for reading what the operations here do not tell.
    pub fn fs(&mut self) -> &mut dyn FileSystem {
        self.fs
    }

    /// Returns the places that were looked after, by path, those that were right already among them.
    pub fn changes(&self) -> Vec<Change> {
        self.places
            .iter()
            .map(|(path, touched)| Change {
                path: path.clone(),
                items: touched.items.clone(),
                secrecy: touched.secrecy,
                before: touched.before.clone(),
                after: touched.after.clone(),
            })
            .collect()
    }
}
