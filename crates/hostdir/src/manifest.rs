//! What a journal says of a change: enough to undo it from wherever it was cut.
//!
//! All numbers are little-endian. A text of bytes is its length in 4 bytes and then the bytes; a list is its length in 4 bytes
//! and then its members.
//!
//! | field      | form                                                                                             |
//! |------------|--------------------------------------------------------------------------------------------------|
//! | magic      | `christen undo 1` and a line feed, 16 bytes                                                      |
//! | root       | 8 bytes, the inode of the root                                                                   |
//! | replaced   | list of: a spot, the slot in `old` with the second name of what was there (8)                    |
//! | taken      | list of: a spot, the slot in `old` that it is moved to (8)                                       |
//! | placed     | list of: a spot, whether the slot is one of `old` (1), the slot (8), the inode of the file (8)   |
//! | attributes | list of: a path, inode (8), uid (4), gid (4), permissions (2), whether it is a link (1), accessed and modified (8 and 4 each), whether extended attributes follow (1), list of name and value |
//! | checksum   | 32 bytes, SHA-256 of all before                                                                  |
//!
//! A spot is the path of a directory (a list of names), that directory's inode (8) and a name.

use std::collections::BTreeMap;

use christen_vfs::Timestamp;
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 16] = b"christen undo 1\n";
const CHECKSUM_BYTES: usize = 32;

/// No manifest is longer: one of a hostile journal must not fill the memory.
pub(crate) const MOST_BYTES: u64 = 64 << 20;

/// A place in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) directory: Vec<Vec<u8>>,
    pub(crate) inode: u64,
    pub(crate) name: Vec<u8>,
}

impl Spot {
    pub(crate) fn path(&self) -> Vec<Vec<u8>> {
        let mut path = self.directory.clone();
        path.push(self.name.clone());
        path
    }
}

/// Where something lies in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Old(u64),
    New(u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub(crate) spot: Spot,
    pub(crate) old: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) spot: Spot,
    pub(crate) old: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) spot: Spot,
    pub(crate) slot: Slot,
    pub(crate) inode: u64,
}

/// The attributes that a file had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) path: Vec<Vec<u8>>,
    pub(crate) inode: u64,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) permissions: u16,
    pub(crate) is_link: bool,
    pub(crate) accessed: Timestamp,
    pub(crate) modified: Timestamp,
    /// `None` if they are not touched.
    pub(crate) attributes: Option<BTreeMap<Vec<u8>, Vec<u8>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Manifest {
    pub(crate) root: u64,
    pub(crate) replaced: Vec<Replaced>,
    pub(crate) taken: Vec<Taken>,
    pub(crate) placed: Vec<Placed>,
    pub(crate) restored: Vec<Restored>,
}

impl Manifest {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = MAGIC.to_vec();
        to.extend(self.root.to_le_bytes());
        count(&mut to, self.replaced.len());
        for it in &self.replaced {
            put_spot(&mut to, &it.spot);
            to.extend(it.old.to_le_bytes());
        }
        count(&mut to, self.taken.len());
        for it in &self.taken {
            put_spot(&mut to, &it.spot);
            to.extend(it.old.to_le_bytes());
        }
        count(&mut to, self.placed.len());
        for it in &self.placed {
            put_spot(&mut to, &it.spot);
            let (is_old, slot) = match it.slot {
                Slot::Old(slot) => (1, slot),
                Slot::New(slot) => (0, slot),
            };
            to.push(is_old);
            to.extend(slot.to_le_bytes());
            to.extend(it.inode.to_le_bytes());
        }
        count(&mut to, self.restored.len());
        for it in &self.restored {
            put_path(&mut to, &it.path);
            to.extend(it.inode.to_le_bytes());
            to.extend(it.uid.to_le_bytes());
            to.extend(it.gid.to_le_bytes());
            to.extend(it.permissions.to_le_bytes());
            to.push(it.is_link.into());
            for time in [it.accessed, it.modified] {
                to.extend(time.seconds.to_le_bytes());
                to.extend(time.nanoseconds.to_le_bytes());
            }
            to.push(it.attributes.is_some().into());
            let none = BTreeMap::new();
            let attributes = it.attributes.as_ref().unwrap_or(&none);
            count(&mut to, attributes.len());
            for (name, value) in attributes {
                put_bytes(&mut to, name);
                put_bytes(&mut to, value);
            }
        }
        let checksum = Sha256::digest(&to);
        to.extend(checksum);
        to
    }

    /// Reads a manifest; the error is the rule that it breaks.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let body = bytes
            .len()
            .checked_sub(CHECKSUM_BYTES)
            .and_then(|length| bytes.split_at_checked(length));
        let (body, checksum) = body.ok_or("it is too short")?;
        if Sha256::digest(body)[..] != *checksum {
            return Err("its checksum is another");
        }
        let mut from = Reader(body);
        if from.take(MAGIC.len())? != MAGIC {
            return Err("it does not begin with `christen undo 1`");
        }
        let root = from.number()?;
        let replaced = from.list(|from| {
            Ok(Replaced {
                spot: from.spot()?,
                old: from.number()?,
            })
        })?;
        let taken = from.list(|from| {
            Ok(Taken {
                spot: from.spot()?,
                old: from.number()?,
            })
        })?;
        let placed = from.list(|from| {
            let spot = from.spot()?;
            let is_old = from.flag()?;
            let slot = from.number()?;
            Ok(Placed {
                spot,
                slot: if is_old {
                    Slot::Old(slot)
                } else {
                    Slot::New(slot)
                },
                inode: from.number()?,
            })
        })?;
        let restored = from.list(Reader::restored)?;
        if !from.0.is_empty() {
            return Err("something follows its end");
        }
        Ok(Self {
            root,
            replaced,
            taken,
            placed,
            restored,
        })
    }
}

fn count(to: &mut Vec<u8>, number: usize) {
    // A manifest of more members, or of longer names, is refused by its length before it is written.
    to.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    count(to, bytes.len());
    to.extend(bytes);
}

fn put_path(to: &mut Vec<u8>, path: &[Vec<u8>]) {
    count(to, path.len());
    for name in path {
        put_bytes(to, name);
    }
}

fn put_spot(to: &mut Vec<u8>, spot: &Spot) {
    put_path(to, &spot.directory);
    to.extend(spot.inode.to_le_bytes());
    put_bytes(to, &spot.name);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or("it ends too soon")?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (taken, rest) = self.0.split_first_chunk().ok_or("it ends too soon")?;
        self.0 = rest;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<u64, &'static str> {
        self.array().map(u64::from_le_bytes)
    }

    fn short(&mut self) -> Result<u32, &'static str> {
        self.array().map(u32::from_le_bytes)
    }

    fn flag(&mut self) -> Result<bool, &'static str> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err("a flag is neither 0 nor 1"),
        }
    }

    fn list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, &'static str>,
    ) -> Result<Vec<T>, &'static str> {
        let number = self.short()?;
        let mut list = Vec::new();
        // Every member takes bytes, so that a number that is too large ends at the end.
        for _ in 0..number {
            list.push(one(self)?);
        }
        Ok(list)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, &'static str> {
        let length = self.short()? as usize;
        self.take(length).map(<[u8]>::to_vec)
    }

    fn name(&mut self) -> Result<Vec<u8>, &'static str> {
        let name = self.bytes()?;
        let is_wrong = matches!(&name[..], b"" | b"." | b"..")
            || name.iter().any(|byte| matches!(byte, 0 | b'/'));
        if is_wrong {
            return Err("a name cannot be one");
        }
        Ok(name)
    }

    fn path(&mut self) -> Result<Vec<Vec<u8>>, &'static str> {
        self.list(Self::name)
    }

    fn spot(&mut self) -> Result<Spot, &'static str> {
        Ok(Spot {
            directory: self.path()?,
            inode: self.number()?,
            name: self.name()?,
        })
    }

    fn timestamp(&mut self) -> Result<Timestamp, &'static str> {
        Ok(Timestamp {
            seconds: i64::from_le_bytes(self.array()?),
            nanoseconds: self.short()?,
        })
    }

    fn restored(&mut self) -> Result<Restored, &'static str> {
        let path = self.path()?;
        let inode = self.number()?;
        let (uid, gid) = (self.short()?, self.short()?);
        let permissions = u16::from_le_bytes(self.array()?);
        let is_link = self.flag()?;
        let (accessed, modified) = (self.timestamp()?, self.timestamp()?);
        let has_attributes = self.flag()?;
        let attributes = self.list(|from| Ok((from.bytes()?, from.bytes()?)))?;
        Ok(Restored {
            path,
            inode,
            uid,
            gid,
            permissions,
            is_link,
            accessed,
            modified,
            attributes: has_attributes.then(|| attributes.into_iter().collect()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Manifest {
        let spot = Spot {
            directory: vec![b"etc".to_vec(), b"ssh".to_vec()],
            inode: 77,
            name: b"\xffname".to_vec(),
        };
        Manifest {
            root: 2,
            replaced: vec![Replaced {
                spot: spot.clone(),
                old: 1,
            }],
            taken: vec![Taken {
                spot: spot.clone(),
                old: 2,
            }],
            placed: [Slot::Old(2), Slot::New(3)]
                .map(|slot| Placed {
                    spot: spot.clone(),
                    slot,
                    inode: 9,
                })
                .to_vec(),
            restored: vec![Restored {
                path: Vec::new(),
                inode: 2,
                uid: 1,
                gid: 2,
                permissions: 0o4755,
                is_link: false,
                accessed: Timestamp::default(),
                modified: Timestamp {
                    seconds: -1,
                    nanoseconds: 5,
                },
                attributes: Some([(b"user.a".to_vec(), b"b".to_vec())].into()),
            }],
        }
    }

    #[test]
    fn it_reads_what_it_writes() {
        let manifest = example();
        assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let bytes = example().encode();
        for length in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..length]).is_err());
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert!(Manifest::decode(&bytes).is_err());
        }
        // With a right checksum too: nothing panics, and no name leads elsewhere.
        let body = bytes.len() - CHECKSUM_BYTES;
        for at in 0..body {
            let mut bytes = bytes.clone();
            bytes[at] = 0xff;
            let checksum = Sha256::digest(&bytes[..body]);
            bytes[body..].copy_from_slice(&checksum);
            let _ = Manifest::decode(&bytes);
        }
        let mut wrong = example();
        wrong.taken[0].spot.name = b"..".to_vec();
        assert_eq!(
            Manifest::decode(&wrong.encode()),
            Err("a name cannot be one")
        );
    }
}
