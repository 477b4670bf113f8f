//! Names of extended attributes: on disk an index for the prefix and the rest, for Linux one text.

use christen_vfs::{Error, Kind, Result};

/// The longest name that Linux takes, with its prefix (`include/uapi/linux/limits.h`, `XATTR_NAME_MAX`).
const NAME_BYTES: usize = 255;

/// The prefixes that Linux shows and takes, by index (`fs/ext4/xattr.c`, `ext4_xattr_handler_map`).
const PREFIXES: [(u8, &[u8]); 3] = [(1, b"user."), (4, b"trusted."), (6, b"security.")];

/// The index of `system.`, under which stands what the filesystem keeps for itself.
const SYSTEM: u8 = 7;

/// The name of an extended attribute as it stands on disk.
///
/// | index | name for Linux                | note                                         |
/// |------:|-------------------------------|----------------------------------------------|
/// |     1 | `user.`…                      | only of files and directories                |
/// |     2 | `system.posix_acl_access`     | nothing follows                              |
/// |     3 | `system.posix_acl_default`    | nothing follows; only of directories         |
/// |     4 | `trusted.`…                   |                                              |
/// |     6 | `security.`…                  |                                              |
/// |     7 | none                          | `data` is the rest of a file that stands in its inode |
///
/// Indexes 5 (Lustre), 8 (rich lists), 9 (encryption) and 10 (Hurd) are kept and not shown. Linux `fs/ext4/xattr.h`,
/// `EXT4_XATTR_INDEX_*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttributeName {
    // The order of the fields is the order of the kernel's search in a block, once the length stands between them; see `order`.
    index: u8,
    rest: Vec<u8>,
}

impl AttributeName {
    /// The list that rules access to a file.
    pub const fn access_list() -> Self {
        Self {
            index: 2,
            rest: Vec::new(),
        }
    }

    /// The list that what is made in a directory inherits.
    pub const fn default_list() -> Self {
        Self {
            index: 3,
            rest: Vec::new(),
        }
    }

    /// What does not fit `i_block` of a file that stands in its inode (`system.data`).
    pub fn inline_data() -> Self {
        Self {
            index: SYSTEM,
            rest: b"data".to_vec(),
        }
    }

    /// Takes a name as it stands on disk.
    pub(super) fn from_disk(index: u8, rest: &[u8]) -> Self {
        Self {
            index,
            rest: rest.to_vec(),
        }
    }

    /// Takes a name as Linux has it, for a file of this kind.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`] for a prefix alone or a NUL, [`Error::NameTooLong`], and [`Error::NotPossible`] for another prefix and
    /// for a kind of file that cannot have such an attribute.
    pub fn from_linux(name: &[u8], kind: Kind) -> Result<Self> {
        if matches!(
            name,
            b"system.posix_acl_access" | b"system.posix_acl_default"
        ) {
            if kind == Kind::SymbolicLink {
                return Err(Error::NotPossible("an access control list of a link"));
            }
            return Ok(if name.ends_with(b"access") {
                Self::access_list()
            } else {
                Self::default_list()
            });
        }
        let (index, rest) = PREFIXES
            .iter()
            .find_map(|(index, prefix)| Some((*index, name.strip_prefix(*prefix)?)))
            .ok_or(Error::NotPossible("an attribute with such a prefix"))?;
        if rest.is_empty() || rest.contains(&0) {
            return Err(Error::InvalidName);
        }
        if name.len() > NAME_BYTES {
            return Err(Error::NameTooLong);
        }
        if index == 1 && !matches!(kind, Kind::File | Kind::Directory) {
            return Err(Error::NotPossible(
                "a user's attribute of what is neither file nor directory",
            ));
        }
        Ok(Self::from_disk(index, rest))
    }

    /// Returns the name as Linux shows it, if it does.
    pub fn to_linux(&self) -> Option<Vec<u8>> {
        match self.index {
            2 if self.rest.is_empty() => Some(b"system.posix_acl_access".to_vec()),
            3 if self.rest.is_empty() => Some(b"system.posix_acl_default".to_vec()),
            index => PREFIXES
                .iter()
                .find(|(known, _)| *known == index)
                .map(|(_, prefix)| [prefix, self.rest.as_slice()].concat()),
        }
    }

    /// Returns the index of the prefix.
    pub fn index(&self) -> u8 {
        self.index
    }

    /// Returns what follows the prefix.
    pub fn rest(&self) -> &[u8] {
        &self.rest
    }

    /// Whether it is one of the two access control lists, whose value has another form on disk than for Linux.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.index, 2 | 3) && self.rest.is_empty()
    }

    /// What entries of a block are sorted by (`fs/ext4/xattr.c`, `xattr_find_entry` with `sorted`).
    pub(super) fn order(&self) -> (u8, usize, &[u8]) {
        (self.index, self.rest.len(), &self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for name in [
            &b"user.a"[..],
            b"trusted.overlay.opaque",
            b"security.selinux",
            b"system.posix_acl_access",
            b"system.posix_acl_default",
        ] {
            let parsed = AttributeName::from_linux(name, Kind::Directory).unwrap();
            assert_eq!(parsed.to_linux().unwrap(), name);
        }
        assert_eq!(AttributeName::inline_data().to_linux(), None);
    }

    #[test]
    fn what_linux_refuses_is_refused() {
        let refused = |name: &[u8], kind| AttributeName::from_linux(name, kind).unwrap_err();
        assert!(matches!(refused(b"user.", Kind::File), Error::InvalidName));
        assert!(matches!(
            refused(b"user.a\0b", Kind::File),
            Error::InvalidName
        ));
        assert!(matches!(
            refused(b"system.data", Kind::File),
            Error::NotPossible(_)
        ));
        assert!(matches!(
            refused(b"user.a", Kind::SymbolicLink),
            Error::NotPossible(_)
        ));
        assert!(matches!(
            refused(b"system.posix_acl_access", Kind::SymbolicLink),
            Error::NotPossible(_)
        ));
        let long = [&b"user."[..], &[b'a'; 251]].concat();
        assert!(matches!(refused(&long, Kind::File), Error::NameTooLong));
        assert!(AttributeName::from_linux(&long[..255], Kind::File).is_ok());
    }

    #[test]
    fn short_names_come_first() {
        let name = |rest: &[u8]| AttributeName::from_disk(1, rest);
        assert!(name(b"zz").order() < name(b"aaa").order());
        assert!(AttributeName::access_list().order() > name(b"zz").order());
    }
}
