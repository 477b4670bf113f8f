//! What fuzzing found in the audit.

use std::sync::Arc;

use christen_block::MemoryDevice;
use christen_testkit::TempDir;
use christen_testkit::ext::{self, Recipe};
use christen_testkit::tools;
use christen_vfs::{FileSystem as _, NewFile, NewKind, Timestamp};

use super::check;
use crate::{Access, Ext4, Journal, OpenOptions};

/// A superblock of blocks of 1 KiB, sound but for what the test changes.
fn superblock() -> Vec<u8> {
    let mut image = vec![0; 1 << 20];
    let mut set =
        |at: usize, bytes: &[u8]| image[1024 + at..1024 + at + bytes.len()].copy_from_slice(bytes);
    set(0x00, &16_u32.to_le_bytes());
    set(0x04, &1024_u32.to_le_bytes());
    set(0x14, &1_u32.to_le_bytes());
    set(0x20, &8192_u32.to_le_bytes());
    set(0x28, &16_u32.to_le_bytes());
    set(0x38, &0xef53_u16.to_le_bytes());
    set(0x4c, &1_u32.to_le_bytes());
    set(0x54, &11_u32.to_le_bytes());
    set(0x58, &128_u16.to_le_bytes());
    image
}

fn first_rule(image: Vec<u8>) -> String {
    let report = check(&MemoryDevice::new(image)).unwrap();
    assert!(!report.complete);
    report.findings[0].rule.clone()
}

#[test]
fn groups_of_no_blocks_are_not_counted() {
    let mut image = superblock();
    // `meta_bg`, for which descriptors are counted, and with them groups.
    image[1024 + 0x60] = 0x10;
    for (at, number, rule) in [
        (0x20, 0, "`s_blocks_per_group` is too small or too large"),
        (0x04, 1, "it has no blocks"),
        (0x104, 2, "`s_first_meta_bg` is too large"),
    ] {
        let mut image = image.clone();
        image[1024 + at..1024 + at + 4].copy_from_slice(&u32::to_le_bytes(number));
        assert_eq!(first_rule(image), rule);
    }
}

/// 64 MiB with 33 million inodes, which all are the same 4,096.
#[test]
fn inode_tables_over_one_another_end_the_audit() {
    let (groups, inodes) = (8192_u32, 4096_u32);
    let mut image = superblock();
    image.resize(64 << 20, 0);
    let mut set = |at: usize, number: u32| {
        image[at..at + 4].copy_from_slice(&number.to_le_bytes());
    };
    set(1024, groups * inodes);
    set(1024 + 0x04, 1 << 16);
    set(1024 + 0x20, 8);
    set(1024 + 0x28, inodes);
    // `flex_bg`, with which a group's table may stand anywhere.
    set(1024 + 0x60, 0x200);
    for group in 0..groups as usize {
        for (field, block) in [(0, 50_000), (4, 50_001), (8, 60_000)] {
            set(2048 + group * 32 + field, block);
        }
    }
    for inode in 0..inodes as usize {
        set(60_000 * 1024 + inode * 128, 0x81a4);
        set(60_000 * 1024 + inode * 128 + 24, 1 << 16);
    }
    assert_eq!(
        first_rule(image),
        "its inode table lies over that of group 0"
    );
}

#[test]
fn an_access_control_list_in_an_inode_is_sound() {
    if tools::require("mke2fs").is_none() || tools::require("e2fsck").is_none() {
        return;
    }
    let scratch = TempDir::new();
    let path = scratch.path().join("image");
    Recipe::named("ext4-1.47").make(&path, 1024, 8);
    let device = Arc::new(MemoryDevice::new(std::fs::read(&path).unwrap()));
    let options = OpenOptions {
        access: Access::Write,
        journal: Journal::Refuse,
        now: Timestamp::default(),
        generation_seed: 1,
    };
    let mut fs = Ext4::open(Arc::clone(&device) as _, &options).unwrap();
    let new = NewFile {
        kind: NewKind::File,
        permissions: 0o640,
        uid: 0,
        gid: 0,
    };
    let file = fs.create(fs.root(), b"file", &new).unwrap();
    // Version 2; owner, user 5, group, mask, others, each with tag, permissions and number.
    let mut list = vec![2, 0, 0, 0];
    for (tag, permissions, number) in [
        (1_u16, 6_u16, u32::MAX),
        (2, 4, 5),
        (4, 4, u32::MAX),
        (16, 4, u32::MAX),
        (32, 0, u32::MAX),
    ] {
        list.extend_from_slice(&tag.to_le_bytes());
        list.extend_from_slice(&permissions.to_le_bytes());
        list.extend_from_slice(&number.to_le_bytes());
    }
    fs.set_attribute(file, b"system.posix_acl_access", &list)
        .unwrap();
    fs.finish().unwrap();
    std::fs::write(&path, device.snapshot()).unwrap();
    ext::assert_clean(&path, "a list in an inode");
    let report = check(&*device).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
}
