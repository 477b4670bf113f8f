//! A real drive with a few bytes changed gives the finding, or the error, for that change.

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use christen_configdrive::verify::{Severity, VerifyOptions, verify};
use christen_configdrive::{Drive, Error};

const OPTIONS: VerifyOptions = VerifyOptions {
    dialect: None,
    image_mode: None,
};

/// The codes of what is found, or of the error that opening gives.
fn codes(image: &[u8]) -> BTreeSet<&'static str> {
    match Drive::open(image) {
        Err(Error::Corrupt(fault)) => BTreeSet::from([fault.code()]),
        Err(error) => panic!("{error:?}"),
        Ok(drive) => verify(&drive, &OPTIONS)
            .unwrap()
            .findings
            .iter()
            .filter(|finding| finding.severity > Severity::Note)
            .map(|finding| finding.code)
            .collect(),
    }
}

#[track_caller]
fn check(good: &[u8], change: impl Fn(&mut Vec<u8>), expected: &[&str]) {
    let mut image = good.to_vec();
    change(&mut image);
    assert_ne!(image, good, "nothing was changed");
    let expected: BTreeSet<&str> = expected.iter().copied().collect();
    assert_eq!(codes(&image), expected);
}

fn little(image: &[u8], at: usize) -> usize {
    let bytes: [u8; 4] = image[at..at + 4].try_into().unwrap();
    u32::from_le_bytes(bytes) as usize
}

fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Replaces texts of one length, the first `count` of them.
fn replace(image: &mut [u8], from: &[u8], to: &[u8], count: usize) {
    assert_eq!(from.len(), to.len());
    let mut at = 0;
    for _ in 0..count {
        let found = image[at..]
            .windows(from.len())
            .position(|window| window == from);
        let Some(found) = found else { return };
        put(image, at + found, to);
        at += found + from.len();
    }
}

const PRIMARY: usize = 16 * 2048;
const JOLIET: usize = 17 * 2048;
const TERMINATOR: usize = 18 * 2048;

/// The byte of a record in the tree of a descriptor.
fn record(image: &[u8], descriptor: usize, path: &[&[u8]]) -> usize {
    let mut block = little(image, descriptor + 156 + 2);
    let mut found = 0;
    for name in path {
        let mut at = block * 2048;
        while image[at + 32] as usize != name.len()
            || &image[at + 33..at + 33 + name.len()] != *name
        {
            assert_ne!(image[at], 0, "{}", String::from_utf8_lossy(name));
            at += image[at] as usize;
        }
        found = at;
        block = little(image, at + 2);
    }
    found
}

fn both(value: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&value.to_le_bytes());
    bytes[4..].copy_from_slice(&value.to_be_bytes());
    bytes
}

#[test]
fn volume_descriptors_and_path_tables() {
    let Some(made) = support::genisoimage(support::nova_tree, &[]) else {
        return;
    };
    let good = made.bytes();
    let table = |offset: usize| little(&good, PRIMARY + offset) * 2048;
    let little_table = table(140);
    let big_table = u32::from_be_bytes(good[PRIMARY + 148..PRIMARY + 152].try_into().unwrap());
    let big_table = big_table as usize * 2048;
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: &[&str]| check(&good, change, expected);

    check(&|i| i[PRIMARY + 87] ^= 1, &["both-endian"]);
    check(&|i| i[PRIMARY + 131] ^= 1, &["both-endian"]);
    check(&|i| put(i, PRIMARY + 128, &[0, 16]), &["block-size"]);
    check(&|i| i[PRIMARY] = 9, &["no-primary-descriptor"]);
    check(&|i| i[TERMINATOR + 1] = b'X', &["no-terminator"]);
    check(
        &|i| put(i, PRIMARY + 80, &both(9_999_999)),
        &["volume-truncated"],
    );
    check(&|i| put(i, PRIMARY + 80, &both(40)), &["past-volume"]);
    check(&|i| i[PRIMARY + 813] = b'x', &["bad-time"]);
    check(
        &|i| put(i, PRIMARY + 124, &[2, 0, 0, 2]),
        &["descriptor-field"],
    );
    check(
        &|i| put(i, PRIMARY + 40, b"config-3"),
        &["label", "label-mismatch"],
    );
    check(
        &|i| i[little_table + 2] ^= 1,
        &["path-table", "path-tables-differ"],
    );
    check(&|i| i[big_table + 13] ^= 1, &["path-tables-differ"]);
    check(
        &|i| i[little_table + 10 + 6] ^= 3,
        &["path-table", "path-tables-differ"],
    );
    check(
        &|i| put(i, PRIMARY + 132, &both(12)),
        &["path-table-count", "path-table-length"],
    );
    check(
        &|i| put(i, PRIMARY + 132, &both(u32::MAX)),
        &["path-table-count", "past-end"],
    );
}

#[test]
fn directory_records() {
    let Some(made) = support::genisoimage(support::nova_tree, &[]) else {
        return;
    };
    let good = made.bytes();
    let latest = record(&good, PRIMARY, &[b"openstack", b"latest"]);
    let root_block = little(&good, PRIMARY + 156 + 2);
    let file = record(
        &good,
        PRIMARY,
        &[b"openstack", b"latest", b"meta_data.json;1"],
    );
    let folder = little(&good, latest + 2) * 2048;
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: &[&str]| check(&good, change, expected);

    // In both trees at once, what the documents lose is told as well.
    check(&|i| i[file + 17] ^= 1, &["both-endian"]);
    check(&|i| i[file + 31] ^= 3, &["both-endian"]);
    check(
        &|i| i[file] = 20,
        &["record-length", "missing-in-tree", "no-latest"],
    );
    check(
        &|i| i[file + 32] = 0,
        &["identifier-length", "missing-in-tree", "no-latest"],
    );
    check(
        &|i| put(i, latest + 2, &both(root_block as u32)),
        &[
            "directory-loop",
            "path-table",
            "path-table-count",
            "missing-in-tree",
            "no-latest",
        ],
    );
    check(
        &|i| put(i, latest + 2, &both(99_999)),
        &[
            "directory-past-end",
            "path-table",
            "missing-in-tree",
            "no-latest",
        ],
    );
    check(
        &|i| put(i, file + 2, &both(99_999)),
        &["past-end", "latest"],
    );
    check(
        &|i| put(i, file + 10, &both(3000)),
        &["overlap", "not-json", "trees-differ", "latest"],
    );
    check(&|i| i[folder + 2] ^= 1, &["both-endian", "dot-record"]);
    check(&|i| put(i, folder + 2, &both(7)), &["dot-record"]);
    check(
        &|i| i[folder + 33] = b'x',
        &["no-dot-records", "directory-loop"],
    );
    check(&|i| i[file + 26] = 1, &["unsupported", "latest"]);
    check(
        &|i| {
            put(
                i,
                record(&good, PRIMARY, &[b"openstack", b"content", b"0001.;1"]) + 25,
                &[0x80],
            )
        },
        &[
            "unfinished-file",
            "dangling-content-path",
            "missing-in-tree",
        ],
    );
}

#[test]
fn rock_ridge_and_joliet() {
    let Some(made) = support::genisoimage(support::nova_tree, &[]) else {
        return;
    };
    let good = made.bytes();
    let root = little(&good, PRIMARY + 156 + 2) * 2048;
    let field = |at: usize, signature: &[u8]| {
        at + good[at..at + 256]
            .windows(2)
            .position(|window| window == signature)
            .unwrap()
    };
    let first = record(&good, PRIMARY, &[b"openstack", b"content", b"0000.;1"]);
    let name = field(first, b"NM");
    let posix = field(first, b"PX");
    let continuation = field(root, b"CE");
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: &[&str]| check(&good, change, expected);

    let lost = ["dangling-content-path", "missing-in-tree"];
    check(
        &|i| put(i, name + 5, b"../x"),
        &["bad-name", lost[0], lost[1]],
    );
    check(
        &|i| put(i, name + 5, b"00\0x"),
        &["bad-name", lost[0], lost[1]],
    );
    check(
        &|i| put(i, name + 5, b"0001"),
        &["duplicate-name", lost[0], "trees-differ"],
    );
    check(&|i| i[posix + 5] = 0x41, &["mode-kind"]);
    check(&|i| i[posix] = b'Q', &["no-posix"]);
    check(&|i| i[posix + 2] = 3, &["field-length", "no-posix"]);
    check(
        &|i| put(i, continuation + 12, &both(2047)),
        &["continuation"],
    );
    check(
        &|i| put(i, continuation + 4, &both(99_999)),
        &["continuation"],
    );

    let joliet: Vec<Vec<u8>> = ["openstack", "content", "0000"]
        .map(|name| name.bytes().flat_map(|byte| [0, byte]).collect())
        .to_vec();
    let joliet: Vec<&[u8]> = joliet.iter().map(Vec::as_slice).collect();
    let entry = record(&good, JOLIET, &joliet);
    check(
        &|i| put(i, entry + 10, &both(3)),
        &["trees-differ", "overlap"],
    );
    check(
        &|i| put(i, entry + 33, &[0xd8, 0]),
        &["unpaired-surrogate", "unordered"],
    );
    check(
        &|i| put(i, entry + 33, b"\0/"),
        &["bad-name", "missing-in-tree"],
    );
}

/// Where things stand on a FAT16 drive by mkfs.vfat of 64 MiB.
struct Fat16 {
    tables: [usize; 2],
    root: usize,
    data: usize,
}

fn fat16(image: &[u8]) -> Fat16 {
    let word = |at: usize| u16::from_le_bytes([image[at], image[at + 1]]) as usize;
    let first = word(14) * 512;
    let second = first + word(22) * 512;
    let root = second + word(22) * 512;
    Fat16 {
        tables: [first, second],
        root,
        data: root + word(17) * 32,
    }
}

#[test]
fn fat_structures() {
    let Some(made) = support::mkfs_vfat(support::tree, 16, 64 << 20) else {
        return;
    };
    let good = made.bytes();
    let fat = fat16(&good);
    let find = |text: &[u8]| {
        fat.root
            + good[fat.root..]
                .windows(text.len())
                .position(|window| window == text)
                .unwrap()
    };
    // `file-of-70000-bytes.bin` has 35 clusters of 2048 bytes.
    let big = find(&70_000_u32.to_le_bytes()) - 28;
    let cluster = u16::from_le_bytes([good[big + 26], good[big + 27]]);
    let set = |image: &mut Vec<u8>, cluster: u16, value: u16| {
        for table in fat.tables {
            put(image, table + cluster as usize * 2, &value.to_le_bytes());
        }
    };
    let content = find(b"0000       ");
    let long = big - 32;
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: &[&str]| check(&good, change, expected);

    check(&|i| i[510] = 0, &["no-boot-signature"]);
    check(&|i| i[22] = 1, &["short-fat"]);
    check(&|i| put(i, 22, &[0, 0]), &["boot-field"]);
    check(&|i| put(i, 32, &[1, 0, 0, 0]), &["boot-field"]);
    check(&|i| i[fat.tables[1] + 100] ^= 1, &["fat-copies"]);
    check(&|i| set(i, 0, 0xffff), &["reserved-fat-entry"]);
    check(&|i| set(i, 1, 0x7fff), &["reserved-fat-entry"]);
    check(
        &|i| set(i, cluster + 3, cluster),
        &["cross-linked", "lost-clusters"],
    );
    check(
        &|i| set(i, cluster + 3, 0xfff0),
        &["bad-cluster", "lost-clusters"],
    );
    check(
        &|i| set(i, cluster + 3, 0),
        &["bad-cluster", "lost-clusters"],
    );
    check(
        &|i| set(i, cluster + 3, 0xffff),
        &["short-chain", "lost-clusters"],
    );
    check(&|i| set(i, 20_000, 0xffff), &["lost-clusters"]);
    check(&|i| put(i, big + 28, &[0, 0, 2, 0]), &["short-chain"]);
    check(&|i| put(i, big + 28, &[0, 0, 1, 0]), &["long-chain"]);
    check(
        &|i| put(i, big + 28, &[0, 0, 0, 0]),
        &["chain-of-empty-file"],
    );
    check(&|i| i[long + 13] ^= 1, &["long-name-order"]);
    check(&|i| i[big] = b'Z', &["long-name-checksum"]);
    check(&|i| i[long] = 9, &["long-name-order"]);
    check(
        &|i| i[content] = b'*',
        &["short-name-byte", "dangling-content-path"],
    );
    check(&|i| i[content + 11] |= 0x80, &["reserved-bits"]);
    check(&|i| i[fat.root] = 0xe5, &["label-fatboot"]);
    check(&|i| put(i, 43, b"CONFIG-3"), &["label-mismatch"]);
    check(
        &|i| put(i, fat.root, b"CONFIG-3"),
        &["label", "label-mismatch"],
    );
    let openstack = find(b"OPENST~1   ");
    check(&|i| i[openstack + 28] = 1, &["directory-size"]);
    check(
        &|i| i[openstack] = b'/',
        &[
            "long-name-checksum",
            "short-name-byte",
            "bad-name",
            "no-openstack",
            "lost-clusters",
        ],
    );
    assert!(fat.data > fat.root);
}

#[test]
fn fat32_structures() {
    let Some(made) = support::mkfs_vfat(support::nova_tree, 32, 64 << 20) else {
        return;
    };
    let good = made.bytes();
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: &[&str]| check(&good, change, expected);
    check(&|i| i[512 + 488] ^= 1, &["free-count"]);
    check(&|i| i[6 * 512 + 3] ^= 1, &["backup-boot-sector"]);
    check(
        &|i| put(i, 44, &[1, 0, 0, 0]),
        &[
            "bad-cluster",
            "backup-boot-sector",
            "label-fatboot",
            "lost-clusters",
            "no-openstack",
        ],
    );
    check(&|i| i[40] = 0x8f, &["boot-field"]);
}

#[test]
fn documents() {
    let Some(made) = support::genisoimage(support::nova_tree, &[]) else {
        return;
    };
    let good = made.bytes();
    let check = |from: &str, to: &str, expected: &[&str]| {
        check(
            &good,
            |image| replace(image, from.as_bytes(), to.as_bytes(), 99),
            expected,
        );
    };
    check("{\"uuid\"", "{\"uu1d\"", &["schema"]);
    check("{\"uuid\"", "[\"uuid\"", &["not-json"]);
    check("b3c0f0a2-", "b3c0f0a2+", &["schema"]);
    check("/content/0001", "/content/0009", &["dangling-content-path"]);
    check("\"launch_index\": 0", "\"launch_index\":[]", &["schema"]);
    check("\"launch_index\": 0", "\"launch-index\": 0", &["unusual"]);
    check("c2VlZA==", "c2VlZ*==", &["schema"]);
    check(
        "\"link\": \"tap0\"",
        "\"link\": \"tap1\"",
        &["dangling-link"],
    );
    check("fa:16:3e:00:00:01", "fa:16:3e:00:00-zz", &["schema"]);
    check("#!/bin/sh", "hello, sh", &["user-data-header"]);
    check("\"instance-id\"", "\"instance_id\"", &["schema"]);
    check(
        "\"security-groups\": []",
        "\"security-groups\": {}",
        &["schema"],
    );
    let mut image = good.clone();
    replace(&mut image, b"web.novalocal", b"\xffeb.novalocal", 99);
    assert_eq!(codes(&image), BTreeSet::from(["not-utf8"]));
    // One version alone.
    let path: [&[u8]; 3] = [b"openstack", b"latest", b"meta_data.json;1"];
    let start = little(&good, record(&good, PRIMARY, &path) + 2) * 2048;
    let mut image = good.clone();
    replace(&mut image[start..], b"web.novalocal", b"db_.novalocal", 1);
    assert_eq!(codes(&image), BTreeSet::from(["latest"]));
    let mut image = good.clone();
    replace(&mut image[start..], b"c2VlZA==", b"d2VlZA==", 1);
    assert_ne!(image, good);
    assert_eq!(codes(&image), BTreeSet::new(), "seeds may differ");

    let Some(made) = support::cloud_localds("iso9660") else {
        return;
    };
    let good = made.bytes();
    let mut image = good.clone();
    replace(&mut image, b"instance-id:", b"instance_id:", 1);
    assert_eq!(codes(&image), BTreeSet::from(["schema"]));
    let mut image = good;
    replace(&mut image, b"instance-id:", b"instance-id[", 1);
    assert_eq!(codes(&image), BTreeSet::from(["not-yaml"]));
}

#[test]
fn a_file_mode_that_others_can_read_is_told() {
    let Some(made) = support::genisoimage(support::nova_tree, &[]) else {
        return;
    };
    let bytes = made.bytes();
    let drive = Drive::open(bytes.as_slice()).unwrap();
    for (mode, expected) in [(0o600, 0), (0o400, 0), (0o644, 1), (0o660, 1)] {
        let options = VerifyOptions {
            image_mode: Some(mode),
            ..OPTIONS
        };
        assert_eq!(verify(&drive, &options).unwrap().findings.len(), expected);
    }
}

/// Opens, lists, reads and audits; whatever the bytes, this ends soon and does not panic.
fn exercise(image: &[u8]) {
    let Ok(drive) = Drive::open(image) else {
        return;
    };
    for view in drive.views().to_vec() {
        if let Ok(entries) = drive.entries(view) {
            for entry in entries.iter().filter(|entry| entry.is_file()) {
                let _ = drive.read_file(entry, 1 << 20);
            }
        }
    }
    let _ = verify(&drive, &OPTIONS).unwrap();
}

/// SplitMix64: a sequence of its own for each seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Mutates structures, for `rounds` rounds within a time that no bounded reader needs.
fn mutate(good: &[u8], ranges: &[std::ops::Range<usize>], rounds: usize) {
    const VALUES: [u8; 8] = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff, b'/'];
    let slowest = Duration::from_secs(20);
    let mut random = Random(7);
    let mut image = good.to_vec();
    for round in 0..rounds {
        let mut undo = Vec::new();
        for _ in 0..=random.below(6) {
            let range = &ranges[random.below(ranges.len())];
            let at = range.start + random.below(range.len());
            undo.push((at, image[at]));
            image[at] = match random.below(3) {
                0 => random.next() as u8,
                1 => VALUES[random.below(VALUES.len())],
                _ => image[at] ^ (1 << random.below(8)),
            };
        }
        let start = Instant::now();
        let result = std::panic::catch_unwind(|| exercise(&image));
        assert!(result.is_ok(), "round {round}: {undo:?}");
        assert!(
            start.elapsed() < slowest,
            "round {round}: {undo:?} took {:?}",
            start.elapsed()
        );
        for (at, value) in undo.into_iter().rev() {
            image[at] = value;
        }
    }
}

#[test]
fn mutated_isos_neither_panic_nor_hang() {
    let Some(made) = support::genisoimage(support::nova_tree, &["-no-pad"]) else {
        return;
    };
    let good = made.bytes();
    let descriptors = PRIMARY..TERMINATOR + 2048;
    let records = TERMINATOR + 2048..good.len();
    mutate(&good, &[descriptors, records.clone(), records], 1500);
}

#[test]
fn mutated_fats_neither_panic_nor_hang() {
    for (bits, bytes) in [(12, 1 << 20), (16, 9 << 20)] {
        let Some(made) = support::mkfs_vfat(support::nova_tree, bits, bytes) else {
            return;
        };
        let good = made.bytes();
        let fat = fat16(&good);
        let ranges = [
            0..90,
            fat.tables[0]..fat.tables[0] + 200,
            fat.root..fat.root + 512,
            fat.data..fat.data + 40_000,
        ];
        mutate(&good, &ranges, 400);
    }
}
