//! Directories of a filesystem: filled, emptied and renamed in; judged by e2fsck, by our audit, and by a kernel that then goes on.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use christen_block::MemoryDevice;
use christen_ext4::Ext4;
use christen_ext4::check::check;
use christen_testkit::ext::{Mounts, Recipe};
use christen_testkit::{kernel, tools};
use christen_vfs::model::Random;
use christen_vfs::{Error, FileId, FileSystem, NewKind};

use support::{Image, mkdir, new};

type Model = BTreeMap<Vec<u8>, FileId>;

fn has_tools() -> bool {
    ["mke2fs", "e2fsck", "debugfs"]
        .iter()
        .all(|tool| tools::require(tool).is_some())
}

/// Whether all is to be run that takes longer.
fn all() -> bool {
    env::var_os("CHRISTEN_JUDGE_FULL").is_some()
}

/// A name of random length with random bytes; most are short.
fn name(random: &mut Random, number: u32) -> Vec<u8> {
    let mut name = number.to_string().into_bytes();
    let length = match random.index(12) {
        0 => random.index(240),
        _ => random.index(20),
    };
    for _ in 0..length {
        name.push(match random.index(16) {
            0 => 0x80 + random.index(0x80) as u8,
            _ => b'a' + random.index(26) as u8,
        });
    }
    name
}

/// Links, removes and renames names of a few files at random.
fn change(
    filesystem: &mut Ext4,
    directory: FileId,
    files: &[FileId],
    model: &mut Model,
    random: &mut Random,
    steps: u32,
) {
    for step in 0..steps {
        let fresh = name(random, step);
        let known = model
            .range(fresh.clone()..)
            .next()
            .map(|(name, file)| (name.clone(), *file));
        match (random.index(10), known) {
            (0..=1, Some((name, _))) => {
                filesystem.remove(directory, &name).unwrap();
                model.remove(&name);
            }
            (2, Some((name, file))) => {
                filesystem
                    .rename(directory, &name, directory, &fresh)
                    .unwrap();
                // Two names of one file: nothing happens.
                if model.get(&fresh) != Some(&file) {
                    model.remove(&name);
                    model.insert(fresh, file);
                }
            }
            _ => {
                let file = *random.one(files);
                let done = filesystem.link(file, directory, &fresh);
                let known = model.contains_key(&fresh);
                if known {
                    assert!(matches!(done, Err(Error::Exists)));
                } else {
                    done.unwrap();
                    model.insert(fresh, file);
                }
            }
        }
    }
}

fn listed(filesystem: &mut Ext4, directory: FileId) -> Model {
    let entries = filesystem.entries(directory).unwrap();
    let count = entries.len();
    let model: Model = entries
        .into_iter()
        .map(|entry| (entry.name, entry.file))
        .collect();
    assert_eq!(model.len(), count, "a name is there twice");
    model
}

/// Lets e2fsck and our audit judge.
#[track_caller]
fn judge(image: &Image, what: &str) {
    image.check(what);
    let report = check(&*image.device).unwrap();
    assert!(report.is_clean(), "{}, {what}: {report:#?}", image.name);
}

/// The kernel finds the same names, and goes on in the same directory.
fn judge_by_kernel(image: &Image, model: &Model) -> Option<(BTreeSet<Vec<u8>>, Vec<u8>)> {
    if !kernel::require() {
        return None;
    }
    let path = image.save();
    let mount = kernel::Mount::writable(&path);
    let top = mount.path().join("d");
    for (name, file) in model {
        let metadata = fs::symlink_metadata(top.join(OsStr::from_bytes(name))).unwrap();
        assert_eq!(metadata.ino(), file.number(), "{}", image.name);
    }
    for number in 0..300 {
        fs::write(top.join(format!("of the kernel {number}")), b"x").unwrap();
    }
    for name in model.keys().step_by(7) {
        fs::remove_file(top.join(OsStr::from_bytes(name))).unwrap();
    }
    let names = fs::read_dir(&top)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_vec())
        .collect();
    mount.unmount();
    christen_testkit::ext::assert_clean(&path, &format!("{}, after the kernel", image.name));
    Some((names, fs::read(&path).unwrap()))
}

fn fill(recipe: &Recipe, block_bytes: u32, steps: u32, mebibytes: u64) {
    let image = Image::make(recipe, block_bytes, mebibytes, &[]);
    let mut filesystem = image.open();
    let root = filesystem.root();
    let directory = mkdir(&mut filesystem, root, "d");
    let files: Vec<_> = (0..4)
        .map(|number| support::put(&mut filesystem, root, &format!("f{number}"), b"content"))
        .collect();
    let mut random = Random::new(u64::from(block_bytes) + u64::from(steps));
    let mut model = Model::new();
    for round in 0..2 {
        change(
            &mut filesystem,
            directory,
            &files,
            &mut model,
            &mut random,
            steps,
        );
        assert_eq!(listed(&mut filesystem, directory), model, "{}", image.name);
        filesystem.finish().unwrap();
        judge(&image, &format!("round {round}"));
    }
    for (name, file) in &model {
        assert_eq!(filesystem.lookup(directory, name).unwrap(), Some(*file));
    }
    if recipe.mounts == Mounts::Host
        && let Some((names, bytes)) = judge_by_kernel(&image, &model)
    {
        // What the kernel left is read and goes on to be valid.
        let device = Arc::new(MemoryDevice::new(bytes));
        let mut filesystem = Ext4::open(Arc::clone(&device) as _, &support::writing()).unwrap();
        let found: BTreeSet<_> = listed(&mut filesystem, directory).into_keys().collect();
        assert_eq!(found, names, "{}", image.name);
        let report = check(&*device).unwrap();
        assert!(
            report.is_clean(),
            "{}, after the kernel: {report:#?}",
            image.name
        );
    }
    for name in model.into_keys() {
        filesystem.remove(directory, &name).unwrap();
    }
    filesystem.remove(root, b"d").unwrap();
    filesystem.finish().unwrap();
    judge(&image, "without the directory");
}

#[test]
fn directories_are_filled_and_emptied() {
    if !has_tools() {
        return;
    }
    let steps = if all() { 40_000 } else { 1_500 };
    for (name, block_bytes) in [
        ("ext2-bare", 1024),
        ("ext2", 1024),
        ("ext3", 2048),
        ("ext4-1.43", 1024),
        ("ext4-1.47", 4096),
        ("ext4-uninit_bg", 2048),
        ("ext4-inline_data", 1024),
    ] {
        // Without an index every name is looked for in all blocks.
        let recipe = Recipe::named(name);
        let steps = if recipe.has("dir_index") {
            steps
        } else {
            steps.min(4_000)
        };
        fill(recipe, block_bytes, steps, 32);
    }
}

#[test]
fn a_hundred_thousand_names() {
    if !has_tools() || !all() {
        return;
    }
    for (name, block_bytes) in [("ext4-1.47", 1024), ("ext4-1.47", 4096), ("ext3", 2048)] {
        fill(Recipe::named(name), block_bytes, 140_000, 96);
    }
}

#[test]
fn small_directories_grow_out_of_their_inode() {
    if !has_tools() {
        return;
    }
    let image = Image::make(Recipe::named("ext4-inline_data"), 1024, 16, &[]);
    let mut filesystem = image.open();
    let root = filesystem.root();
    for count in 0..14 {
        let directory = mkdir(&mut filesystem, root, &format!("d{count}"));
        for number in 0..count {
            let name = format!("name {number}");
            filesystem
                .create(directory, name.as_bytes(), &new(NewKind::File, 0o644))
                .unwrap();
        }
        if count % 3 == 0 {
            let below = mkdir(&mut filesystem, directory, "below");
            filesystem
                .rename(
                    directory,
                    b"below",
                    root,
                    format!("moved {count}").as_bytes(),
                )
                .unwrap();
            filesystem
                .create(below, b"in it", &new(NewKind::File, 0o644))
                .unwrap();
        }
        filesystem.finish().unwrap();
        judge(&image, &format!("{count} names"));
    }
}

#[test]
fn a_full_disk_leaves_a_valid_directory() {
    if !has_tools() {
        return;
    }
    for (recipe, block_bytes) in [("ext2", 1024), ("ext4-1.47", 1024), ("ext4-1.47", 4096)] {
        let image = Image::make(Recipe::named(recipe), block_bytes, 8, &["-N", "256"]);
        let mut filesystem = image.open();
        let root = filesystem.root();
        let directory = mkdir(&mut filesystem, root, "d");
        let file = support::put(&mut filesystem, root, "f", b"");
        let mut model = Model::new();
        let mut random = Random::new(3);
        // Fill the disk, then let a few blocks go and fill them with names.
        let filler = support::put(&mut filesystem, root, "filler", b"");
        let mut size = 0;
        let chunk = vec![1; 64 << 10];
        while filesystem.write_at(filler, &chunk, size).is_ok() {
            size += chunk.len() as u64;
        }
        filesystem.set_size(filler, size - (40 << 10)).unwrap();
        let mut refused = 0;
        for number in 0..8_000 {
            let name = name(&mut random, number);
            match filesystem.link(file, directory, &name) {
                Ok(()) => {
                    model.insert(name, file);
                }
                Err(Error::NoSpace) => refused += 1,
                Err(Error::Exists) => {}
                Err(error) => panic!("{}: {error:?}", image.name),
            }
        }
        assert!(refused > 0, "{}", image.name);
        assert_eq!(listed(&mut filesystem, directory), model, "{}", image.name);
        filesystem.finish().unwrap();
        judge(&image, "full");
    }
}
