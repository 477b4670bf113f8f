//! What is done to the attributes of files, over a store in memory.

use std::collections::BTreeMap;

use christen_vfs::{Error, Kind, Result};

use super::*;

const BLOCK_BYTES: usize = 1024;
const SEED: Option<u32> = Some(0x1234_5678);

/// Blocks by number, and inodes that hold values, with their references.
#[derive(Debug, Default)]
struct Memory {
    blocks: BTreeMap<u64, Vec<u8>>,
    values: BTreeMap<u32, (Vec<u8>, u32)>,
    ea_inode: bool,
    full: bool,
}

impl AttributeStore for Memory {
    fn block_bytes(&self) -> usize {
        BLOCK_BYTES
    }

    fn checksum_seed(&self) -> Option<u32> {
        SEED
    }

    fn read_block(&mut self, block: u64) -> Result<Vec<u8>> {
        Ok(self.blocks[&block].clone())
    }

    fn write_block(&mut self, block: u64, bytes: &[u8]) -> Result<()> {
        assert_eq!(bytes.len(), BLOCK_BYTES);
        self.blocks.insert(block, bytes.to_vec()).unwrap();
        Ok(())
    }

    fn allocate_block(&mut self) -> Result<u64> {
        if self.full {
            return Err(Error::NoSpace);
        }
        let number = self.blocks.keys().last().map_or(100, |last| last + 1);
        self.blocks.insert(number, Vec::new());
        Ok(number)
    }

    fn free_block(&mut self, block: u64) -> Result<()> {
        self.blocks.remove(&block).unwrap();
        Ok(())
    }

    fn read_value(&mut self, inode: u32, size_bytes: u32) -> Result<Vec<u8>> {
        let value = self.values[&inode].0.clone();
        assert_eq!(value.len(), size_bytes as usize);
        Ok(value)
    }

    fn retain_value(&mut self, inode: u32) -> Result<()> {
        self.values.get_mut(&inode).unwrap().1 += 1;
        Ok(())
    }

    fn release_value(&mut self, inode: u32) -> Result<()> {
        let references = &mut self.values.get_mut(&inode).unwrap().1;
        *references -= 1;
        if *references == 0 {
            self.values.remove(&inode);
        }
        Ok(())
    }

    fn store_value(&mut self, value: &[u8]) -> Result<Option<(u32, u32)>> {
        if !self.ea_inode {
            return Ok(None);
        }
        let number = self.values.keys().last().map_or(12, |last| last + 1);
        self.values.insert(number, (value.to_vec(), 1));
        Ok(Some((number, 0)))
    }
}

fn empty() -> Holder {
    Holder {
        region: vec![0; 96],
        inode: 0,
        block: 0,
    }
}

const FILE: File = File {
    kind: Kind::File,
    permissions: 0o644,
};
const DIRECTORY: File = File {
    kind: Kind::Directory,
    permissions: 0o755,
};

fn put(memory: &mut Memory, holder: &mut Holder, name: &str, value: &[u8]) {
    let change = set(memory, holder, FILE, name.as_bytes(), value).unwrap();
    *holder = change.holder.unwrap();
}

fn list_of(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut value = vec![2, 0, 0, 0];
    for (tag, permissions, id) in entries {
        value.extend(tag.to_le_bytes());
        value.extend(permissions.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}

const NO: u32 = u32::MAX;

#[test]
fn the_inode_is_filled_first() {
    let mut memory = Memory::default();
    let mut holder = empty();
    put(&mut memory, &mut holder, "user.a", &[1; 40]);
    assert_eq!(holder.block, 0);
    put(&mut memory, &mut holder, "user.b", &[2; 40]);
    assert_eq!(holder.block, 100);
    assert_eq!(names(&mut memory, &holder).unwrap(), [b"user.a", b"user.b"]);

    // What grows moves to the block, and what shrinks back into the inode.
    put(&mut memory, &mut holder, "user.a", &[3; 90]);
    put(&mut memory, &mut holder, "user.b", &[4; 4]);
    assert_eq!(
        get(&mut memory, &holder, b"user.a").unwrap().unwrap(),
        [3; 90]
    );
    let block = AttributeBlock::parse(&memory.blocks[&100], 100, SEED).unwrap();
    assert_eq!(block.attributes.len(), 1);

    holder = remove(&mut memory, &holder, b"user.a").unwrap();
    assert_eq!(holder.block, 0);
    assert!(memory.blocks.is_empty());
    holder = remove(&mut memory, &holder, b"user.b").unwrap();
    assert_eq!(holder, empty());
    assert!(matches!(
        remove(&mut memory, &holder, b"user.b"),
        Err(Error::NotFound)
    ));
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let mut memory = Memory::default();
    let mut holder = empty();
    put(&mut memory, &mut holder, "user.a", &[1; 900]);
    let before = (holder.clone(), memory.blocks.clone());
    let refused = |memory: &mut Memory, name: &[u8], size: usize| {
        set(memory, &holder, FILE, name, &vec![1; size]).unwrap_err()
    };
    for (name, size) in [
        (&b"user.b"[..], 100),
        (b"user.a", 1000),
        (b"user.c", 70_000),
    ] {
        assert!(matches!(
            refused(&mut memory, name, size),
            Error::NoAttributeSpace
        ));
    }
    assert_eq!(before.1, memory.blocks);

    memory.full = true;
    let holder = empty();
    let full = set(&mut memory, &holder, FILE, b"user.b", &[1; 100]);
    assert!(matches!(full, Err(Error::NoSpace)));
}

#[test]
fn the_same_value_changes_nothing() {
    let mut memory = Memory::default();
    let mut holder = empty();
    put(&mut memory, &mut holder, "user.a", b"1");
    let change = set(&mut memory, &holder, FILE, b"user.a", b"1").unwrap();
    assert!(change.is_none());
}

#[test]
fn a_shared_block_is_left_to_the_others() {
    let mut memory = Memory::default();
    let mut holder = empty();
    put(&mut memory, &mut holder, "user.a", &[1; 100]);
    let mut block = AttributeBlock::parse(&memory.blocks[&100], 100, SEED).unwrap();
    block.references = 3;
    let bytes = block.encode(100, BLOCK_BYTES, SEED).unwrap();
    memory.blocks.insert(100, bytes);
    let references = |memory: &Memory| {
        AttributeBlock::parse(&memory.blocks[&100], 100, SEED)
            .unwrap()
            .references
    };

    let mut own = holder.clone();
    put(&mut memory, &mut own, "user.b", &[2; 100]);
    assert_eq!((own.block, references(&memory)), (101, 2));
    assert_eq!(
        get(&mut memory, &own, b"user.a").unwrap().unwrap(),
        [1; 100]
    );
    assert_eq!(names(&mut memory, &holder).unwrap().len(), 1);

    release(&mut memory, &holder).unwrap();
    assert_eq!(references(&memory), 1);
    release(&mut memory, &holder).unwrap();
    release(&mut memory, &own).unwrap();
    assert!(memory.blocks.is_empty());
}

#[test]
fn a_large_value_has_an_inode_with_one_reference() {
    let mut memory = Memory {
        ea_inode: true,
        ..Memory::default()
    };
    let mut holder = empty();
    put(&mut memory, &mut holder, "user.a", &[1; 5000]);
    assert_eq!(holder.block, 0, "its entry fits the inode");
    assert_eq!(memory.values[&12].1, 1);
    assert_eq!(
        get(&mut memory, &holder, b"user.a").unwrap().unwrap(),
        [1; 5000]
    );
    put(&mut memory, &mut holder, "user.b", b"2");
    assert_eq!(memory.values[&12].1, 1);
    put(&mut memory, &mut holder, "user.a", &[1; 6000]);
    assert_eq!(memory.values.len(), 1);
    release(&mut memory, &holder).unwrap();
    assert!(memory.values.is_empty());
}

#[test]
fn an_access_list_sets_the_permission_bits() {
    let mut memory = Memory::default();
    let name = b"system.posix_acl_access";
    let minimal = list_of(&[(1, 6, NO), (4, 4, NO), (0x20, 0, NO)]);
    let change = set(&mut memory, &empty(), FILE, name, &minimal).unwrap();
    assert_eq!((change.holder, change.permissions), (None, Some(0o640)));

    let full = list_of(&[
        (1, 7, NO),
        (2, 4, 1000),
        (4, 5, NO),
        (0x10, 6, NO),
        (0x20, 1, NO),
    ]);
    let change = set(&mut memory, &empty(), FILE, name, &full).unwrap();
    assert_eq!(change.permissions, Some(0o761));
    let holder = change.holder.unwrap();
    assert_eq!(get(&mut memory, &holder, name).unwrap().unwrap(), full);

    let holder = set_permissions(&mut memory, &holder, 0o640)
        .unwrap()
        .unwrap();
    let changed = list_of(&[
        (1, 6, NO),
        (2, 4, 1000),
        (4, 5, NO),
        (0x10, 4, NO),
        (0x20, 0, NO),
    ]);
    assert_eq!(get(&mut memory, &holder, name).unwrap().unwrap(), changed);

    let change = set(&mut memory, &holder, FILE, name, &minimal).unwrap();
    assert_eq!(change.holder.unwrap(), empty());
    let default = set(
        &mut memory,
        &empty(),
        FILE,
        b"system.posix_acl_default",
        &full,
    );
    assert!(matches!(default, Err(Error::InvalidAttribute)));
}

#[test]
fn a_default_list_is_inherited() {
    let mut memory = Memory::default();
    let name = b"system.posix_acl_default";
    let default = list_of(&[
        (1, 7, NO),
        (2, 7, 1000),
        (4, 5, NO),
        (0x10, 7, NO),
        (0x20, 5, NO),
    ]);
    let directory = set(&mut memory, &empty(), DIRECTORY, name, &default)
        .unwrap()
        .holder
        .unwrap();

    let file = inherit(&mut memory, &directory, Kind::File, 0o640).unwrap();
    assert_eq!(file.permissions, 0o640);
    let holder = begin(&mut memory, &empty(), &file).unwrap();
    let own = list_of(&[
        (1, 6, NO),
        (2, 7, 1000),
        (4, 5, NO),
        (0x10, 4, NO),
        (0x20, 0, NO),
    ]);
    assert_eq!(
        get(&mut memory, &holder, b"system.posix_acl_access").unwrap(),
        Some(own)
    );
    assert_eq!(names(&mut memory, &holder).unwrap().len(), 1);

    let below = inherit(&mut memory, &directory, Kind::Directory, 0o2777).unwrap();
    assert_eq!(below.permissions, 0o2775);
    let holder = begin(&mut memory, &empty(), &below).unwrap();
    assert_eq!(get(&mut memory, &holder, name).unwrap(), Some(default));

    let link = inherit(&mut memory, &directory, Kind::SymbolicLink, 0o777).unwrap();
    assert_eq!((link.permissions, link.attributes), (0o777, vec![]));
}
