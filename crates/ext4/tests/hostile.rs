//! Valid images with flipped bytes of metadata, checksums repaired: no panic, no hang, bounded memory, and no write where opening is
//! refused.

mod judges;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use christen_block::MemoryDevice;
use christen_ext4::{Access, Ext4};
use christen_testkit::TempDir;
use christen_testkit::ext::Recipe;
use christen_vfs::FileSystem;
use christen_vfs::memory::Memory;
use christen_vfs::model::{self, Operation, Profile, Random, moment};
use christen_vfs::tree::{Tree, TreeOptions};

/// Which images are made of each recipe: `CHRISTEN_HOSTILE=FIRST..END` says otherwise.
fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("CHRISTEN_HOSTILE").ok().and_then(|asked| {
        let (first, end) = asked.split_once("..")?;
        Some(first.parse().ok()?..end.parse().ok()?)
    });
    asked.unwrap_or(0..if judges::is_full() { 1000 } else { 30 })
}

/// One image may take so long, on a loaded machine without optimisation.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// What the whole process may have had of memory.
const MEMORY_BYTES: u64 = 256 << 20;

/// The recipes: without checksums every flipped byte is believed; with them, those of superblock, group descriptors, inodes and the first
/// blocks of directories are repaired.
const TARGETS: [(&str, u32); 6] = [
    ("ext2", 1024),
    ("ext3", 1024),
    ("ext4-uninit_bg", 1024),
    ("ext4-1.47", 1024),
    ("ext4-inline_data", 1024),
    ("ext4-project", 1024),
];

#[test]
fn no_image_harms_us() {
    if !judges::require() {
        return;
    }
    let directory = TempDir::new();
    let image = directory.join("image");
    let mut failures = Vec::new();
    for (name, block_bytes) in TARGETS {
        let recipe = Recipe::named(name);
        recipe.make(&image, block_bytes, 8);
        let operations = fill(&image, name);
        let bytes = std::fs::read(&image).expect("reads the image");
        let targets = used_blocks(&bytes);
        for seed in seeds() {
            let mut random = Random::new(seed);
            let mut damaged = bytes.clone();
            let flips = damage(&mut damaged, &targets, &mut random);
            repair(&mut damaged, recipe);
            let start = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| try_image(damaged, &operations)));
            let elapsed = start.elapsed();
            let context = format!("{name}, seed {seed}, bytes {flips:x?}");
            match outcome {
                Err(_) => failures.push(format!("{context}: a panic")),
                Ok(Err(how)) => failures.push(format!("{context}: {how}")),
                Ok(Ok(())) if elapsed > TIME_LIMIT => {
                    failures.push(format!("{context}: {elapsed:?}"));
                }
                Ok(Ok(())) => {}
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let peak = peak_memory();
    assert!(peak < MEMORY_BYTES, "{peak} bytes of memory");
}

/// Puts a bit of everything into an image and returns operations that begin with that.
fn fill(image: &Path, name: &str) -> Vec<Operation> {
    let profile = Profile {
        content_bytes: 20_000,
        files: 60,
        ..Profile::DEFAULT
    };
    let mut fs = judges::open(image, name);
    let mut state = Memory::copy_of(&mut fs, 1 << 20).expect("copies");
    let operations = model::generate(&mut state, 42, 500, &profile);
    for (step, operation) in operations.iter().enumerate() {
        fs.set_now(moment(step));
        // What does not fit is not there.
        let _ = operation.apply(&mut fs);
    }
    // A directory with an index, and a file in many pieces.
    let root = fs.root();
    let new = |kind| christen_vfs::NewFile {
        kind,
        permissions: 0o755,
        uid: 0,
        gid: 0,
    };
    let large = fs.create(root, b"large", &new(christen_vfs::NewKind::Directory));
    let pieces = fs.create(root, b"pieces", &new(christen_vfs::NewKind::File));
    if let (Ok(large), Ok(pieces)) = (large, pieces) {
        for number in 0..200_u64 {
            let name = format!("entry {number} {}", "n".repeat(30));
            let _ = fs.link(pieces, large, name.as_bytes());
            let _ = fs.write_at(pieces, b"piece", number * 3000);
        }
    }
    fs.finish().expect("finishes");
    let mut state = Memory::copy_of(&mut fs, 4 << 20).expect("copies");
    model::generate(&mut state, 43, 30, &profile)
}

/// Opens, walks, does what there is to do. Whatever is refused is refused; what must not happen is told.
fn try_image(bytes: Vec<u8>, operations: &[Operation]) -> Result<(), String> {
    let before = bytes.clone();
    let device = Arc::new(MemoryDevice::new(bytes));
    for access in [Access::Read, Access::Write] {
        let opened = Ext4::open(
            Arc::clone(&device) as Arc<dyn christen_block::BlockDevice>,
            &judges::options(access),
        );
        let mut fs = match opened {
            Ok(fs) => fs,
            Err(_) if device.snapshot() != before => {
                return Err(format!("refused for {access:?}, and written"));
            }
            Err(_) => continue,
        };
        let root = fs.root();
        let options = TreeOptions {
            content_bytes: 1 << 20,
        };
        let _ = Tree::read(&mut fs, root, &options);
        look_around(&mut fs);
        if access == Access::Read {
            let _ = fs.finish();
            if device.snapshot() != before {
                return Err("read, and written".to_owned());
            }
            continue;
        }
        for (step, operation) in operations.iter().enumerate() {
            fs.set_now(moment(step));
            let _ = operation.apply(&mut fs);
        }
        let _ = fs.statistics();
        let _ = fs.finish();
    }
    Ok(())
}

/// Reads what a walk stops before when a directory is broken.
fn look_around(fs: &mut Ext4) {
    let root = fs.root();
    let Ok(entries) = fs.entries(root) else {
        return;
    };
    for entry in entries {
        let mut buffer = [0; 5000];
        let _ = fs.attributes(entry.file);
        let _ = fs.read_link(entry.file);
        for offset in [0, 4000, 1 << 20, 1 << 33, u64::MAX - 10] {
            let _ = fs.read_at(entry.file, &mut buffer, offset);
        }
        for name in fs.attribute_names(entry.file).unwrap_or_default() {
            let _ = fs.attribute(entry.file, &name);
        }
        let _ = fs.lookup(entry.file, b"f1");
        let _ = fs.entries(entry.file);
    }
}

const BLOCK: usize = 1024;

/// The blocks that are not all zeros, without the copies of the superblock that nobody reads.
fn used_blocks(bytes: &[u8]) -> Vec<usize> {
    bytes
        .chunks(BLOCK)
        .enumerate()
        .filter(|(number, block)| {
            let is_copy = *number > 1 && block[56..58] == [0x53, 0xef];
            !is_copy && block.iter().any(|byte| *byte != 0)
        })
        .map(|(number, _)| number)
        .collect()
}

/// Flips some bits or bytes; the superblock and the first blocks are hit more often than by their number.
fn damage(bytes: &mut [u8], targets: &[usize], random: &mut Random) -> Vec<usize> {
    let mut flips = Vec::new();
    for _ in 0..=random.below(4) {
        let block = match random.below(10) {
            0 => 1,
            1..=3 => targets[random.index(targets.len().min(40))],
            _ => *random.one(targets),
        };
        // Of a block that is mostly zeros, what is not zero is hit more often.
        let mut at = block * BLOCK + random.index(BLOCK);
        for _ in 0..20 {
            if bytes[at] != 0 {
                break;
            }
            at = block * BLOCK + random.index(BLOCK);
        }
        bytes[at] = match random.below(5) {
            0 => 0,
            1 => 0xff,
            2 => bytes[at] ^ (1 << random.below(8)),
            3 => bytes[at].wrapping_add(1),
            _ => random.number() as u8,
        };
        flips.push(at);
    }
    flips
}

fn u16_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32::from_le_bytes([
        bytes[at],
        bytes[at + 1],
        bytes[at + 2],
        bytes[at + 3],
    ]))
}

/// `crc32c` without its final inversion, which ext4 leaves out (Linux `fs/ext4/ext4.h`, `ext4_chksum`).
fn checksum(seed: u32, data: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, data)
}

/// Repairs the checksums of superblock, group descriptors, inodes and first blocks of directories, as far as what says where they are is
/// not damaged itself (Linux `Documentation/filesystems/ext4/checksums.rst`).
fn repair(bytes: &mut [u8], recipe: &Recipe) {
    if !recipe.has("metadata_csum") {
        return;
    }
    let superblock = &bytes[1024..2048];
    let has_seed = u32_at(superblock, 0x60) & 0x2000 != 0;
    let seed = if has_seed {
        u32_at(superblock, 0x270) as u32
    } else {
        checksum(u32::MAX, &superblock[0x68..0x78])
    };
    let inodes_per_group = u32_at(superblock, 0x28) as usize;
    let inode_bytes = u16_at(superblock, 0x58) as usize;
    let descriptor_bytes = if u32_at(superblock, 0x60) & 0x80 != 0 {
        64
    } else {
        32
    };
    let first_group = 2 * BLOCK;
    let table = u32_at(bytes, first_group + 8) as usize;
    if (128..=BLOCK).contains(&inode_bytes) && inodes_per_group <= 8192 {
        for index in 0..inodes_per_group {
            let at = table.saturating_mul(BLOCK) + index * inode_bytes;
            let Some(inode) = bytes.get_mut(at..at + inode_bytes) else {
                break;
            };
            if inode.iter().all(|byte| *byte == 0) {
                continue;
            }
            let has_high = inode_bytes > 128 && u16_at(inode, 0x80) >= 4;
            inode[0x7c..0x7e].fill(0);
            if has_high {
                inode[0x82..0x84].fill(0);
            }
            let mut sum = checksum(seed, &(index as u32 + 1).to_le_bytes());
            sum = checksum(sum, &inode[0x64..0x68]);
            sum = checksum(sum, inode);
            inode[0x7c..0x7e].copy_from_slice(&(sum as u16).to_le_bytes());
            if has_high {
                inode[0x82..0x84].copy_from_slice(&((sum >> 16) as u16).to_le_bytes());
            }
            let generation = [inode[0x64], inode[0x65], inode[0x66], inode[0x67]];
            repair_directory(bytes, seed, index as u32 + 1, generation, at);
        }
    }
    let descriptor = &mut bytes[first_group..first_group + descriptor_bytes];
    descriptor[0x1e..0x20].fill(0);
    let mut sum = checksum(seed, &0_u32.to_le_bytes());
    sum = checksum(sum, descriptor);
    descriptor[0x1e..0x20].copy_from_slice(&(sum as u16).to_le_bytes());
    let sum = checksum(u32::MAX, &bytes[1024..1024 + 0x3fc]);
    bytes[1024 + 0x3fc..2048].copy_from_slice(&sum.to_le_bytes());
}

/// Repairs the blocks of the first extent of a directory that has no index.
fn repair_directory(bytes: &mut [u8], seed: u32, number: u32, generation: [u8; 4], inode: usize) {
    let is_directory = u16_at(bytes, inode) & 0xf000 == 0x4000;
    let root = inode + 0x28;
    let is_extent_leaf = u16_at(bytes, root) == 0xf30a && u16_at(bytes, root + 6) == 0;
    if !is_directory || !is_extent_leaf {
        return;
    }
    let first = u32_at(bytes, root + 12 + 8) as usize;
    let length = u16_at(bytes, root + 12 + 4) as usize;
    let seed = checksum(checksum(seed, &number.to_le_bytes()), &generation);
    for block in first..first.saturating_add(length.min(64)) {
        let at = block.saturating_mul(BLOCK);
        let Some(block) = bytes.get_mut(at..at + BLOCK) else {
            return;
        };
        // A tail looks like an entry of 12 bytes without a file, of type 0xde.
        if block[BLOCK - 12..BLOCK - 4] == [0, 0, 0, 0, 12, 0, 0, 0xde] {
            let sum = checksum(seed, &block[..BLOCK - 12]);
            block[BLOCK - 4..].copy_from_slice(&sum.to_le_bytes());
        }
    }
}

/// Returns the most memory that this process has had, in bytes; 0 where the system does not say.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|number| number.trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
