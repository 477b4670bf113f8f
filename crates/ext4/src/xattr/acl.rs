//! Access control lists: on disk, for Linux, and how they keep true to the permission bits.

use thiserror::Error as ThisError;

const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const OWNING_GROUP: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// What stands for the id where an entry names nobody (`ACL_UNDEFINED_ID`).
const NOBODY: u32 = u32::MAX;

const DISK_VERSION: u32 = 1;
const LINUX_VERSION: u32 = 2;

/// A value is no valid access control list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
pub enum InvalidList {
    /// The version is not that of the form.
    #[error("access control list: version {0} is not known")]
    Version(u32),
    /// The value ends within an entry.
    #[error("access control list: {0} bytes end within an entry")]
    Cut(usize),
    /// The entries break the rules of `posix_acl_valid`.
    #[error("access control list: entry {0} is not allowed there")]
    Entry(usize),
    /// The last entry must be that of all others, and is not.
    #[error("access control list: the entries end before that of all others")]
    Incomplete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    tag: u16,
    permissions: u16,
    id: u32,
}

/// A valid access control list that has entries.
///
/// On disk (Linux `fs/ext4/acl.h`), little-endian: a version of 4 bytes, which is 1, then entries. An entry that names nobody ends
/// after `e_perm`.
///
/// | offset | size | field    | note                                                 |
/// |-------:|-----:|----------|------------------------------------------------------|
/// |      0 |    2 | `e_tag`  | 1 owner, 2 user, 4 owning group, 8 group, 16 mask, 32 others |
/// |      2 |    2 | `e_perm` | read 4, write 2, execute 1                           |
/// |      4 |    4 | `e_id`   | only with tags 2 and 8                               |
///
/// For Linux (`include/uapi/linux/posix_acl_xattr.h`) the version is 2, and every entry has its `e_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessList {
    entries: Vec<Entry>,
}

impl AccessList {
    /// Takes the value that stands on disk; `None` is a list without entries (`fs/ext4/acl.c`, `ext4_acl_from_disk`).
    ///
    /// # Errors
    ///
    /// [`InvalidList`] says which rule is broken.
    pub fn from_disk(value: &[u8]) -> Result<Option<Self>, InvalidList> {
        let Some(mut rest) = after_version(value, DISK_VERSION)? else {
            return Ok(None);
        };
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let cut = InvalidList::Cut(value.len());
            let (head, after) = rest.split_first_chunk::<4>().ok_or(cut)?;
            rest = after;
            let [tag_low, tag_high, permissions_low, permissions_high] = *head;
            let tag = u16::from_le_bytes([tag_low, tag_high]);
            let mut id = NOBODY;
            if names_somebody(tag) {
                let (bytes, after) = rest.split_first_chunk::<4>().ok_or(cut)?;
                rest = after;
                id = u32::from_le_bytes(*bytes);
            }
            entries.push(Entry {
                tag,
                permissions: u16::from_le_bytes([permissions_low, permissions_high]),
                id,
            });
        }
        Self::of(entries)
    }

    /// Takes the value that Linux gives and takes; `None` is a list without entries, or no byte at all
    /// (`fs/posix_acl.c`, `posix_acl_from_xattr`).
    ///
    /// # Errors
    ///
    /// [`InvalidList`] says which rule is broken.
    pub fn from_linux(value: &[u8]) -> Result<Option<Self>, InvalidList> {
        let Some(rest) = after_version(value, LINUX_VERSION)? else {
            return Ok(None);
        };
        let (entries, cut) = rest.as_chunks::<8>();
        if !cut.is_empty() {
            return Err(InvalidList::Cut(value.len()));
        }
        let entries = entries
            .iter()
            .map(|&[a, b, c, d, id @ ..]| {
                let tag = u16::from_le_bytes([a, b]);
                Entry {
                    tag,
                    permissions: u16::from_le_bytes([c, d]),
                    // What stands there without a meaning is not kept (`posix_acl_to_xattr`).
                    id: if names_somebody(tag) {
                        u32::from_le_bytes(id)
                    } else {
                        NOBODY
                    },
                }
            })
            .collect();
        Self::of(entries)
    }

    /// Judges entries as `posix_acl_valid` does (`fs/posix_acl.c`): the owner, users, the owning group, groups, the mask, others, in this order; all but
    /// users, groups and the mask are there, and the mask is if somebody is named.
    fn of(entries: Vec<Entry>) -> Result<Option<Self>, InvalidList> {
        if entries.is_empty() {
            return Ok(None);
        }
        let mut state = OWNER;
        let mut needs_mask = false;
        for (number, entry) in entries.iter().enumerate() {
            let refused = InvalidList::Entry(number);
            if entry.permissions > 7 || (names_somebody(entry.tag) && entry.id == NOBODY) {
                return Err(refused);
            }
            state = match (entry.tag, state) {
                (OWNER, OWNER) => USER,
                (USER, USER) => {
                    needs_mask = true;
                    USER
                }
                (OWNING_GROUP, USER) => GROUP,
                (GROUP, GROUP) => {
                    needs_mask = true;
                    GROUP
                }
                (MASK, GROUP) => OTHER,
                (OTHER, OTHER) => 0,
                (OTHER, GROUP) if !needs_mask => 0,
                _ => return Err(refused),
            };
        }
        if state != 0 {
            return Err(InvalidList::Incomplete);
        }
        Ok(Some(Self { entries }))
    }

    /// Returns the value as it stands on disk.
    pub fn to_disk(&self) -> Vec<u8> {
        self.encode(DISK_VERSION, names_somebody)
    }

    /// Returns the value as Linux gives and takes it.
    pub fn to_linux(&self) -> Vec<u8> {
        self.encode(LINUX_VERSION, |_| true)
    }

    fn encode(&self, version: u32, has_id: impl Fn(u16) -> bool) -> Vec<u8> {
        let mut value = version.to_le_bytes().to_vec();
        for entry in &self.entries {
            value.extend(entry.tag.to_le_bytes());
            value.extend(entry.permissions.to_le_bytes());
            if has_id(entry.tag) {
                value.extend(entry.id.to_le_bytes());
            }
        }
        value
    }

    /// Returns the nine permission bits that the list amounts to; the mask stands for the group where there is one (`posix_acl_equiv_mode`).
    pub fn permissions(&self) -> u16 {
        let group = self.group_tag();
        self.entries
            .iter()
            .map(|entry| match entry.tag {
                OWNER => entry.permissions << 6,
                OTHER => entry.permissions,
                tag if tag == group => entry.permissions << 3,
                _ => 0,
            })
            .fold(0, |all, one| all | one)
    }

    /// Whether the permission bits say all that the list says, so that Linux does not keep it.
    pub fn is_minimal(&self) -> bool {
        self.entries
            .iter()
            .all(|entry| matches!(entry.tag, OWNER | OWNING_GROUP | OTHER))
    }

    /// Follows a change of the permission bits (`__posix_acl_chmod`).
    pub fn set_permissions(&mut self, permissions: u16) {
        let group = self.group_tag();
        for entry in &mut self.entries {
            match entry.tag {
                OWNER => entry.permissions = permissions >> 6 & 7,
                OTHER => entry.permissions = permissions & 7,
                tag if tag == group => entry.permissions = permissions >> 3 & 7,
                _ => {}
            }
        }
    }

    /// Takes away what the permissions asked for a new file lack, as the list that it inherits is made its own (`posix_acl_create_masq`).
    pub fn restrict(&mut self, permissions: u16) {
        let own = self.permissions();
        self.set_permissions(own & permissions);
    }

    fn group_tag(&self) -> u16 {
        if self.entries.iter().any(|entry| entry.tag == MASK) {
            MASK
        } else {
            OWNING_GROUP
        }
    }
}

fn names_somebody(tag: u16) -> bool {
    matches!(tag, USER | GROUP)
}

/// Takes the version off a value; `None` is a value of no byte.
fn after_version(value: &[u8], expected: u32) -> Result<Option<&[u8]>, InvalidList> {
    if value.is_empty() {
        return Ok(None);
    }
    let (version, rest) = value
        .split_first_chunk::<4>()
        .ok_or(InvalidList::Cut(value.len()))?;
    match u32::from_le_bytes(*version) {
        version if version == expected => Ok(Some(rest)),
        version => Err(InvalidList::Version(version)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `setfacl -m u:1000:rw,g:2000:r-x` on a file of mode 640, as `debugfs ea_get -x` showed it.
    const DISK: [u8; 36] = [
        1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 6, 0, 0xe8, 3, 0, 0, 4, 0, 4, 0, 8, 0, 5, 0, 0xd0, 7, 0, 0,
        0x10, 0, 7, 0, 0x20, 0, 0, 0,
    ];

    fn list() -> AccessList {
        AccessList::from_disk(&DISK).unwrap().unwrap()
    }

    #[test]
    fn both_forms_go_there_and_back() {
        assert_eq!(list().to_disk(), DISK);
        let linux = list().to_linux();
        assert_eq!(linux.len(), 4 + 6 * 8);
        assert_eq!(linux[..12], [2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255]);
        assert_eq!(AccessList::from_linux(&linux).unwrap().unwrap(), list());
    }

    #[test]
    fn the_mask_stands_for_the_group() {
        let mut list = list();
        assert_eq!(list.permissions(), 0o670);
        assert!(!list.is_minimal());
        list.set_permissions(0o610);
        assert_eq!(list.permissions(), 0o610);
        assert_eq!(
            list.entries[2].permissions, 4,
            "the group's own entry stays"
        );
        list.restrict(0o444);
        assert_eq!(list.permissions(), 0o400);
    }

    #[test]
    fn each_rule_is_held_to() {
        let linux = list().to_linux();
        assert_eq!(AccessList::from_linux(&[]), Ok(None));
        assert_eq!(AccessList::from_linux(&[2, 0, 0, 0]), Ok(None));
        assert_eq!(
            AccessList::from_linux(&[1, 0, 0, 0]),
            Err(InvalidList::Version(1))
        );
        assert_eq!(AccessList::from_disk(&[1, 0]), Err(InvalidList::Cut(2)));
        assert_eq!(
            AccessList::from_disk(&DISK[..14]),
            Err(InvalidList::Cut(14))
        );
        assert_eq!(
            AccessList::from_linux(&linux[..linux.len() - 1]),
            Err(InvalidList::Cut(51))
        );
        assert_eq!(
            AccessList::from_linux(&linux[..linux.len() - 8]),
            Err(InvalidList::Incomplete)
        );
        for without in [0, 2, 4] {
            let mut cut = linux.clone();
            cut.drain(4 + without * 8..12 + without * 8);
            assert!(AccessList::from_linux(&cut).is_err(), "{without}");
        }
        let changed = |at: usize, byte: u8| {
            let mut changed = linux.clone();
            changed[at] = byte;
            AccessList::from_linux(&changed)
        };
        assert_eq!(changed(6, 8), Err(InvalidList::Entry(0)));
        assert_eq!(changed(4, 2), Err(InvalidList::Entry(0)));
        let mut nobody = linux.clone();
        nobody[16..20].fill(255);
        assert_eq!(AccessList::from_linux(&nobody), Err(InvalidList::Entry(1)));
    }
}
