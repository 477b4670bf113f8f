//! Access control lists as Linux keeps them true to the permission bits.
//!
//! The form is that of the extended attribute (Linux `include/uapi/linux/posix_acl_xattr.h`), little-endian: a version of
//! 4 bytes, which is 2, then entries of 8 bytes.
//!
//! | offset | size | field    | note                                                     |
//! |-------:|-----:|----------|----------------------------------------------------------|
//! |      0 |    2 | `e_tag`  | whom the entry is about, in the order of the constants   |
//! |      2 |    2 | `e_perm` | read 4, write 2, execute 1                               |
//! |      4 |    4 | `e_id`   | user or group where the tag names one, else all ones     |

const VERSION: u32 = 2;
const HEADER_BYTES: usize = 4;
const ENTRY_BYTES: usize = 8;
const NO_ID: u32 = u32::MAX;

const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const OWNING_GROUP: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// A list that holds to the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccessList {
    entries: Vec<(u16, u16, u32)>,
}

impl AccessList {
    /// Takes the value of an attribute; `Ok(None)` is a list without entries, and `Err` breaks a rule (Linux
    /// `fs/posix_acl.c`, `posix_acl_from_xattr` and `posix_acl_valid`).
    pub(super) fn parse(value: &[u8]) -> Result<Option<Self>, ()> {
        if value.is_empty() {
            return Ok(None);
        }
        let (version, rest) = value.split_first_chunk::<HEADER_BYTES>().ok_or(())?;
        if u32::from_le_bytes(*version) != VERSION || rest.len() % ENTRY_BYTES != 0 {
            return Err(());
        }
        let entries: Vec<_> = rest
            .chunks_exact(ENTRY_BYTES)
            .map(|entry| {
                let tag = u16::from_le_bytes([entry[0], entry[1]]);
                let permissions = u16::from_le_bytes([entry[2], entry[3]]);
                let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
                let named = matches!(tag, USER | GROUP);
                (tag, permissions, if named { id } else { NO_ID })
            })
            .collect();
        if entries.is_empty() {
            return Ok(None);
        }
        let list = Self { entries };
        if list.is_valid() {
            Ok(Some(list))
        } else {
            Err(())
        }
    }

    /// Tags ascend, the three of the permission bits are there once, the mask at most once, and at least once if a user or a group
    /// is named.
    fn is_valid(&self) -> bool {
        let count = |wanted: u16| {
            self.entries
                .iter()
                .filter(|entry| entry.0 == wanted)
                .count()
        };
        let named = count(USER) + count(GROUP) > 0;
        self.entries.is_sorted_by_key(|entry| entry.0)
            && self.entries.iter().all(|(tag, permissions, id)| {
                matches!(*tag, OWNER | USER | OWNING_GROUP | GROUP | MASK | OTHER)
                    && *permissions <= 7
                    && (!matches!(*tag, USER | GROUP) || *id != NO_ID)
            })
            && count(OWNER) == 1
            && count(OWNING_GROUP) == 1
            && count(OTHER) == 1
            && count(MASK) <= 1
            && (!named || count(MASK) == 1)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut value = VERSION.to_le_bytes().to_vec();
        for (tag, permissions, id) in &self.entries {
            value.extend(tag.to_le_bytes());
            value.extend(permissions.to_le_bytes());
            value.extend(id.to_le_bytes());
        }
        value
    }

    /// The three classes of permission bits that the list amounts to (`posix_acl_equiv_mode`).
    pub(super) fn permissions(&self) -> u16 {
        let group = if self.has_mask() { MASK } else { OWNING_GROUP };
        self.entries
            .iter()
            .map(|(tag, permissions, _)| match *tag {
                OWNER => permissions << 6,
                OTHER => *permissions,
                tag if tag == group => permissions << 3,
                _ => 0,
            })
            .fold(0, |all, one| all | one)
    }

    /// Whether the permission bits say all that the list says.
    pub(super) fn is_plain(&self) -> bool {
        self.entries.len() == 3
    }

    /// Gives the entries of the three classes these permissions (`__posix_acl_chmod_masq`).
    pub(super) fn set_permissions(&mut self, permissions: u16) {
        let group = if self.has_mask() { MASK } else { OWNING_GROUP };
        for (tag, own, _) in &mut self.entries {
            match *tag {
                OWNER => *own = permissions >> 6 & 7,
                OTHER => *own = permissions & 7,
                tag if tag == group => *own = permissions >> 3 & 7,
                _ => {}
            }
        }
    }

    /// Takes from the three classes what `permissions` lack, as a new file does with the default list that it inherits
    /// (`posix_acl_create_masq`).
    pub(super) fn restrict(&mut self, permissions: u16) {
        let own = self.permissions();
        self.set_permissions(own & permissions);
    }

    fn has_mask(&self) -> bool {
        self.entries.iter().any(|entry| entry.0 == MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        AccessList {
            entries: entries.to_vec(),
        }
        .encode()
    }

    const NAMED: [(u16, u16, u32); 5] = [
        (OWNER, 7, NO_ID),
        (USER, 6, 1000),
        (OWNING_GROUP, 5, NO_ID),
        (MASK, 6, NO_ID),
        (OTHER, 4, NO_ID),
    ];

    #[test]
    fn the_mask_stands_for_the_group() {
        let mut parsed = AccessList::parse(&list(&NAMED)).unwrap().unwrap();
        assert_eq!(parsed.permissions(), 0o764);
        parsed.set_permissions(0o610);
        assert_eq!(parsed.permissions(), 0o610);
        assert_eq!(parsed.entries[2].1, 5, "the group's own entry stays");
        parsed.restrict(0o444);
        assert_eq!(parsed.permissions(), 0o400);
    }

    #[test]
    fn what_breaks_a_rule_is_refused() {
        assert_eq!(AccessList::parse(&[]), Ok(None));
        assert_eq!(AccessList::parse(&2_u32.to_le_bytes()), Ok(None));
        assert!(AccessList::parse(&1_u32.to_le_bytes()).is_err());
        assert!(AccessList::parse(&[2, 0, 0]).is_err());
        let mut cut = list(&NAMED);
        cut.pop();
        assert!(AccessList::parse(&cut).is_err());
        for without in [0, 2, 3, 4] {
            let mut entries = NAMED.to_vec();
            entries.remove(without);
            assert!(AccessList::parse(&list(&entries)).is_err(), "{without}");
        }
        let mut entries = NAMED;
        entries.swap(0, 1);
        assert!(AccessList::parse(&list(&entries)).is_err());
        entries = NAMED;
        entries[1].1 = 8;
        assert!(AccessList::parse(&list(&entries)).is_err());
        entries = NAMED;
        entries[1].2 = NO_ID;
        assert!(AccessList::parse(&list(&entries)).is_err());
    }
}
