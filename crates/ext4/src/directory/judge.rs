//! Directories in images that others made or judge: `mke2fs`, `debugfs`, `e2fsck` and the kernel.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use christen_testkit::temp::TempDir;
use christen_testkit::tools;

use christen_vfs::Error;

use super::hash::{Function, Hasher};
use super::inline::{self, InlineDirectory, Insertion};
use super::memory::{MemoryBlocks, Random, open};
use super::{DirectoryBlocks, DirectoryContext, FileType, IndexFlag, KnownNames};

/// How many files there are for entries to name.
const FILES: u32 = 4;

/// An image with a directory `/d` and files to name in it.
struct Image {
    scratch: TempDir,
    path: PathBuf,
    block_bytes: usize,
    superblock: Vec<u8>,
    directory: u32,
    files: Vec<u32>,
}

impl Image {
    /// Makes an image, or `None` where there are no tools.
    fn new(block_bytes: usize, options: &[&str]) -> Option<Self> {
        let (mke2fs, ..) = (
            tools::require("mke2fs")?,
            tools::require("debugfs")?,
            tools::require("e2fsck")?,
            tools::require("tune2fs")?,
        );
        let scratch = TempDir::new();
        let path = scratch.path().join("image");
        tools::run(
            Command::new(mke2fs)
                .args(["-q", "-F", "-N", "4096", "-b", &block_bytes.to_string()])
                .args(options)
                .arg(&path)
                .arg("96m"),
        );
        let mut this = Self {
            scratch,
            path,
            block_bytes,
            superblock: vec![0; 1024],
            directory: 0,
            files: Vec::new(),
        };
        let mut script = String::from("mkdir d\n");
        for file in 0..FILES {
            writeln!(script, "write /dev/null f{file}").unwrap();
        }
        this.debugfs(true, &script);
        let file = fs::File::open(&this.path).unwrap();
        file.read_exact_at(&mut this.superblock, 1024).unwrap();
        this.directory = this.number("d", "Inode: ");
        this.files = (0..FILES)
            .map(|file| this.number(&format!("f{file}"), "Inode: "))
            .collect();
        Some(this)
    }

    fn debugfs(&self, write: bool, script: &str) -> String {
        let commands = self.scratch.path().join("commands");
        fs::write(&commands, script).unwrap();
        let mut command = Command::new("debugfs");
        if write {
            command.arg("-w");
        }
        let output = tools::run(command.arg("-f").arg(&commands).arg(&self.path));
        String::from_utf8_lossy(&output).into_owned()
    }

    /// Returns the number behind a word of `debugfs`'s `stat`.
    fn number(&self, file: &str, word: &str) -> u32 {
        let output = self.debugfs(false, &format!("stat {file}\n"));
        let (_, rest) = output.split_once(word).unwrap();
        let rest = rest.trim_start();
        match rest.strip_prefix("0x") {
            Some(hexadecimal) => {
                let end = hexadecimal.find(|c: char| !c.is_ascii_hexdigit()).unwrap();
                u32::from_str_radix(&hexadecimal[..end], 16).unwrap()
            }
            None => {
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
                rest[..end].parse().unwrap()
            }
        }
    }

    /// Sets the hash function of directories that get an index from now on.
    fn set_hash(&mut self, function: &str) {
        tools::run(
            Command::new(tools::find("tune2fs").unwrap())
                .args(["-E", &format!("hash_alg={function}")])
                .arg(&self.path),
        );
        let file = fs::File::open(&self.path).unwrap();
        file.read_exact_at(&mut self.superblock, 1024).unwrap();
    }

    fn field(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.superblock[offset..offset + 4].try_into().unwrap())
    }

    fn context(&self) -> DirectoryContext {
        let (compatible, incompatible, read_only) =
            (self.field(92), self.field(96), self.field(100));
        let raw = |state: u32, bytes: &[u8]| !crc32c::crc32c_append(!state, bytes);
        let checksum_seed = (read_only & 0x400 != 0).then(|| {
            let seed = if incompatible & 0x2000 != 0 {
                self.field(0x270)
            } else {
                raw(!0, &self.superblock[104..120])
            };
            let seed = raw(seed, &self.directory.to_le_bytes());
            raw(seed, &self.number("d", "Generation: ").to_le_bytes())
        });
        DirectoryContext {
            inode: self.directory,
            inodes: self.field(0),
            checksum_seed,
            file_types: incompatible & 2 != 0,
            dir_index: compatible & 0x20 != 0,
            large_dir: incompatible & 0x4000 != 0,
            indexed: self.number("d", "Flags: ") & 0x1000 != 0,
            casefold: false,
            encrypted: false,
            hash_seed: [0, 4, 8, 12].map(|offset| self.field(236 + offset)),
            hash_version: self.superblock[252],
            hash_unsigned: self.field(352) & 2 != 0,
        }
    }

    /// Returns where the blocks of the directory are.
    fn places(&self) -> Vec<u64> {
        let count = self.number("d", "Size: ") as usize / self.block_bytes;
        let mut script = String::new();
        for block in 0..count {
            writeln!(script, "bmap d {block}").unwrap();
        }
        let places: Vec<u64> = self
            .debugfs(false, &script)
            .lines()
            .filter_map(|line| line.trim().parse().ok())
            .collect();
        assert_eq!(places.len(), count);
        places
    }

    fn load(&self) -> MemoryBlocks {
        let file = fs::File::open(&self.path).unwrap();
        let blocks = self
            .places()
            .into_iter()
            .map(|place| {
                let mut bytes = vec![0; self.block_bytes];
                file.read_exact_at(&mut bytes, place * self.block_bytes as u64)
                    .unwrap();
                bytes
            })
            .collect();
        MemoryBlocks {
            block_bytes: self.block_bytes,
            blocks,
            limit: usize::MAX,
            reads: 0,
            known: KnownNames::default(),
        }
    }

    /// Puts the blocks into the image, makes the inodes fit them, and lets `e2fsck` judge.
    fn store_and_judge(&self, context: &DirectoryContext, blocks: &mut MemoryBlocks) {
        let present = self.number("d", "Size: ") as usize / self.block_bytes;
        let mut script = String::new();
        for _ in present..blocks.blocks.len() {
            writeln!(script, "expand_dir d").unwrap();
        }
        let flags = self.number("d", "Flags: ") & !0x1000;
        let flags = flags | if context.indexed { 0x1000 } else { 0 };
        writeln!(script, "sif d flags 0x{flags:x}").unwrap();
        let mut links = BTreeMap::new();
        open(context, blocks)
            .list(&mut |_, target| {
                *links.entry(target.inode).or_insert(1) += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        for (inode, count) in links {
            writeln!(script, "sif <{inode}> links_count {count}").unwrap();
        }
        self.debugfs(true, &script);
        let file = fs::OpenOptions::new().write(true).open(&self.path).unwrap();
        for (place, bytes) in self.places().into_iter().zip(&blocks.blocks) {
            file.write_all_at(bytes, place * self.block_bytes as u64)
                .unwrap();
        }
        self.judge();
    }

    /// Lets `e2fsck` judge.
    fn judge(&self) {
        let output = Command::new(tools::find("e2fsck").unwrap())
            .args(["-fn".as_ref(), self.path.as_os_str()])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let head: Vec<_> = text.lines().take(20).collect();
        assert!(output.status.success(), "{}", head.join("\n"));
    }

    /// Returns where the inode of the directory begins.
    fn inode_place(&self) -> u64 {
        let output = self.debugfs(false, "imap d\n");
        let (_, place) = output.split_once("located at block ").unwrap();
        let (block, offset) = place.trim().split_once(", offset 0x").unwrap();
        block.parse::<u64>().unwrap() * self.block_bytes as u64
            + u64::from_str_radix(offset, 16).unwrap()
    }

    /// Mounts the image for `work`, where the test may do that.
    fn mounted(&self, options: &str, work: impl FnOnce(&Path)) {
        let point = self.scratch.path().join("mount");
        fs::create_dir_all(&point).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "ext4", "-o", options])
            .arg(&self.path)
            .arg(&point)
            .output();
        if !mount.is_ok_and(|output| output.status.success()) {
            tools::skip("the host cannot mount ext4");
            return;
        }
        work(&point);
        tools::run(Command::new("umount").arg(&point));
    }
}

/// A name of random length, most of them short.
fn name(random: &mut Random, number: u32) -> Vec<u8> {
    let mut name = format!("{number}_").into_bytes();
    let length = match random.below(10) {
        0 => random.below(240),
        _ => random.below(16),
    };
    for _ in 0..length {
        name.push(match random.below(20) {
            0 => 0x80 + random.below(0x80) as u8,
            _ => b'a' + random.below(26) as u8,
        });
    }
    name
}

type Model = BTreeMap<Vec<u8>, u32>;

/// Inserts `count` names and removes every `every`-th of what was there.
fn change(
    image: &Image,
    context: &mut DirectoryContext,
    blocks: &mut MemoryBlocks,
    model: &mut Model,
    random: &mut Random,
    count: u32,
    every: usize,
) {
    for number in 0..count {
        let name = name(random, number);
        let file = image.files[random.below(u64::from(FILES)) as usize];
        let mut directory = open(context, blocks);
        if model.contains_key(&name) {
            continue;
        }
        match directory.insert(&name, file, FileType::File).unwrap() {
            IndexFlag::Unchanged => {}
            IndexFlag::Set => context.indexed = true,
            IndexFlag::Cleared => context.indexed = false,
        }
        model.insert(name, file);
    }
    let gone: Vec<_> = model.keys().step_by(every).cloned().collect();
    for name in gone {
        let removed = open(context, blocks).remove(&name).unwrap();
        assert_eq!(model.remove(&name), Some(removed.inode));
    }
}

fn listed(context: &DirectoryContext, blocks: &mut MemoryBlocks) -> Model {
    let mut model = Model::new();
    open(context, blocks)
        .list(&mut |name, target| {
            assert_eq!(model.insert(name.to_vec(), target.inode), None);
            ControlFlow::Continue(())
        })
        .unwrap();
    model
}

#[test]
fn what_is_written_satisfies_e2fsck_and_the_kernel() {
    let cases: [(usize, &[&str], &str); 8] = [
        (1024, &["-t", "ext2"], "half_md4"),
        (1024, &["-t", "ext4"], "half_md4"),
        (2048, &["-t", "ext4"], "tea"),
        (
            4096,
            &["-t", "ext4", "-O", "metadata_csum_seed"],
            "half_md4",
        ),
        (4096, &["-t", "ext4", "-O", "^metadata_csum"], "legacy"),
        (1024, &["-t", "ext4", "-O", "large_dir"], "tea"),
        (
            4096,
            &["-t", "ext2", "-O", "^dir_index,^filetype"],
            "half_md4",
        ),
        (1024, &["-t", "ext3", "-O", "^dir_index"], "half_md4"),
    ];
    for (number, (block_bytes, options, hash)) in cases.into_iter().enumerate() {
        let Some(mut image) = Image::new(block_bytes, options) else {
            return;
        };
        image.set_hash(hash);
        let mut context = image.context();
        // The other signedness, too.
        if number % 2 == 1 {
            image.debugfs(true, "set_super_value flags 2\n");
            context.hash_unsigned = true;
        }
        let mut blocks = image.load();
        let mut random = Random::new(number as u64);
        let mut model = Model::new();
        let count = if context.dir_index { 6_000 } else { 1_500 };
        for round in 0..3 {
            let every = [5, 2, 3][round];
            change(
                &image,
                &mut context,
                &mut blocks,
                &mut model,
                &mut random,
                count,
                every,
            );
            assert_eq!(context.indexed, context.dir_index);
            assert_eq!(listed(&context, &mut blocks), model, "case {number}");
            image.store_and_judge(&context, &mut blocks);
        }
        image.mounted("ro,noload,loop", |point| {
            let directory = point.join("d");
            assert_eq!(fs::read_dir(&directory).unwrap().count(), model.len());
            for (name, inode) in &model {
                let path = directory.join(std::ffi::OsStr::from_bytes(name));
                let metadata = fs::symlink_metadata(&path).unwrap();
                assert_eq!(
                    std::os::unix::fs::MetadataExt::ino(&metadata),
                    u64::from(*inode)
                );
            }
        });
    }
}

#[test]
fn what_the_kernel_wrote_is_read_and_goes_on_to_be_valid() {
    for (number, (block_bytes, options)) in [
        (1024, &["-t", "ext4"][..]),
        (4096, &["-t", "ext4", "-O", "^metadata_csum"]),
        (2048, &["-t", "ext2"]),
    ]
    .into_iter()
    .enumerate()
    {
        let Some(image) = Image::new(block_bytes, options) else {
            return;
        };
        let mut random = Random::new(100 + number as u64);
        let mut model = Model::new();
        image.mounted("loop", |point| {
            let directory = point.join("d");
            for number in 0..5_000 {
                let name = name(&mut random, number);
                let file = random.below(u64::from(FILES)) as usize;
                let path = directory.join(std::ffi::OsStr::from_bytes(&name));
                fs::hard_link(point.join(format!("f{file}")), path).unwrap();
                model.insert(name, image.files[file]);
            }
            let gone: Vec<_> = model.keys().step_by(3).cloned().collect();
            for name in gone {
                fs::remove_file(directory.join(std::ffi::OsStr::from_bytes(&name))).unwrap();
                model.remove(&name);
            }
        });
        let mut context = image.context();
        let mut blocks = image.load();
        assert_eq!(listed(&context, &mut blocks), model);
        for (name, inode) in &model {
            let found = open(&context, &mut blocks).lookup(name).unwrap().unwrap();
            assert_eq!(found.inode, *inode);
        }
        if model.is_empty() {
            return;
        }
        assert!(context.indexed);
        let before = blocks.block_count();
        change(
            &image,
            &mut context,
            &mut blocks,
            &mut model,
            &mut random,
            6_000,
            4,
        );
        assert!(blocks.block_count() > before);
        image.store_and_judge(&context, &mut blocks);
    }
}

/// Returns groups of names of 250 bytes that stand near one another in the index, in each of them two with the same hash.
fn colliding(hasher: &Hasher) -> Vec<Vec<Vec<u8>>> {
    let names = (0..250_000).map(|number: u32| {
        let mut name = number.to_string().into_bytes();
        name.resize(250, b'n');
        name
    });
    let mut hashed: Vec<_> = names.map(|name| (hasher.hash(&name), name)).collect();
    hashed.sort();
    let pairs = (20..hashed.len() - 20).filter(|at| hashed[*at].0 == hashed[at + 1].0);
    pairs
        .map(|at| {
            let group = &hashed[at - 4..at + 6];
            group.iter().map(|(_, name)| name.clone()).collect()
        })
        .collect()
}

#[test]
fn names_of_one_hash_are_found_over_two_leaves() {
    let Some(mut image) = Image::new(1024, &["-t", "ext4"]) else {
        return;
    };
    image.set_hash("legacy");
    let mut context = image.context();
    let hasher = Hasher {
        function: Function::Legacy,
        seed: context.hash_seed,
        unsigned: context.hash_unsigned,
    };
    let groups = colliding(&hasher);
    assert!(groups.len() > 4, "{} pairs", groups.len());
    let mut blocks = image.load();
    let mut model = Model::new();
    let mut random = Random::new(5);
    for mut group in groups {
        while !group.is_empty() {
            let name = group.swap_remove(random.below(group.len() as u64) as usize);
            let mut directory = open(&context, &mut blocks);
            let flag = directory.insert(&name, image.files[0], FileType::File);
            context.indexed |= flag.unwrap() == IndexFlag::Set;
            model.insert(name, image.files[0]);
        }
    }
    let root = open(&context, &mut blocks).read_root().unwrap();
    assert_eq!(root.indirect_levels(), 0);
    let continued = (1..root.count())
        .filter(|at| root.hash(*at) & 1 == 1)
        .count();
    assert!(continued > 0, "no split was between names of one hash");
    for (name, inode) in &model {
        let mut directory = open(&context, &mut blocks);
        assert_eq!(directory.lookup(name).unwrap().unwrap().inode, *inode);
        assert!(matches!(
            directory.insert(name, 12, FileType::File),
            Err(Error::Exists)
        ));
    }
    image.store_and_judge(&context, &mut blocks);
    let gone: Vec<_> = model.keys().step_by(2).cloned().collect();
    for name in gone {
        open(&context, &mut blocks).remove(&name).unwrap();
        model.remove(&name);
    }
    assert_eq!(listed(&context, &mut blocks), model);
    image.store_and_judge(&context, &mut blocks);
}

#[test]
fn inline_directories_satisfy_e2fsck() {
    let options = [
        "-t",
        "ext4",
        "-I",
        "256",
        "-O",
        "inline_data,^metadata_csum",
    ];
    let Some(image) = Image::new(1024, &options) else {
        return;
    };
    image.debugfs(
        true,
        "ln f0 d/made\nln f0 d/by\nln f0 d/debugfs\nsif f0 links_count 4\n",
    );
    image.judge();
    let device = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&image.path)
        .unwrap();
    // `i_block` stands at 40 in the inode.
    let place = image.inode_place() + 40;
    let mut inode_block = [0; inline::BLOCK_BYTES];
    device.read_exact_at(&mut inode_block, place).unwrap();
    let mut directory = InlineDirectory::new(image.context(), 1024, inode_block, Vec::new());
    let file = directory.lookup(b"debugfs").unwrap().unwrap().inode;
    assert_eq!(file, image.files[0]);
    let mut random = Random::new(4);
    for _ in 0..20 {
        for _ in 0..12 {
            let digits = random.below(5) * 6;
            let name = format!("f{}", random.below(1 << digits));
            match directory.insert(name.as_bytes(), file, FileType::File) {
                Ok(Insertion::NoRoom { value_bytes }) if value_bytes <= 64 => {
                    directory.grow(value_bytes).unwrap();
                    let done = directory.insert(name.as_bytes(), file, FileType::File);
                    assert_eq!(done.unwrap(), Insertion::Done);
                }
                Ok(_) | Err(Error::Exists) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        let mut names = std::collections::BTreeSet::new();
        directory
            .list(&mut |name, _| {
                names.insert(String::from_utf8(name.to_vec()).unwrap());
                ControlFlow::Continue(())
            })
            .unwrap();
        device.write_all_at(directory.inode_block(), place).unwrap();
        let value = image.scratch.path().join("value");
        fs::write(&value, directory.value()).unwrap();
        let links = names.len() + 1;
        let size = inline::BLOCK_BYTES + directory.value().len();
        image.debugfs(
            true,
            &format!(
                "ea_set -f {} d system.data\nsif d size {size}\nsif f0 links_count {links}\n",
                value.display()
            ),
        );
        image.judge();
        let told = image.debugfs(false, "ls -p d\n");
        let told: std::collections::BTreeSet<String> = told
            .lines()
            .filter_map(|line| line.split('/').nth(5))
            .filter(|name| !matches!(*name, "." | ".."))
            .map(str::to_owned)
            .collect();
        assert_eq!(told, names);
        for name in names.into_iter().step_by(2) {
            directory.remove(name.as_bytes()).unwrap();
        }
    }
    assert!(!directory.value().is_empty());
}
