//! Large directories, deep trees of extents, files beyond every level of indirect blocks, and full disks.

mod judges;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use christen_testkit::ext::{self, Recipe};
use christen_testkit::kernel::{self, Mount};
use christen_testkit::{TempDir, tools};
use christen_vfs::memory::Memory;
use christen_vfs::model::{self, Made, Operation, Profile, ReplayOptions};
use christen_vfs::{Error, FileSystem, NewFile, NewKind};

const FILE: NewFile<'static> = NewFile {
    kind: NewKind::File,
    permissions: 0o644,
    uid: 0,
    gid: 0,
};

/// A name of 40 to 59 bytes, so that blocks of a directory do not all hold as many.
fn name(number: usize) -> Vec<u8> {
    format!("{number:07} {}", "n".repeat(32 + number % 20)).into_bytes()
}

/// Two levels of nodes have room for 123 x 126 blocks of three such names each, if all were full.
#[test]
fn an_index_has_three_levels_with_large_dir_alone() {
    if !judges::require() {
        return;
    }
    let long = |number: usize| format!("{number:06} {}", "n".repeat(240)).into_bytes();
    let directory = TempDir::new();
    let image = directory.join("image");
    for (name, most) in [("ext4-large_dir", 26_000), ("ext4-1.43", 60_000)] {
        let recipe = Recipe::named(name);
        if !recipe.has("large_dir") && !judges::is_full() {
            continue;
        }
        recipe.make(&image, 1024, 128);
        let mut fs = judges::open(&image, name);
        let root = fs.root();
        let new = NewFile {
            kind: NewKind::Directory,
            permissions: 0o755,
            ..FILE
        };
        let top = fs.create(root, b"large", &new).expect("makes a directory");
        let file = fs.create(root, b"file", &FILE).expect("makes a file");
        let mut count = 0;
        let end = loop {
            if count == most {
                break None;
            }
            match fs.link(file, top, &long(count)) {
                Ok(()) => count += 1,
                Err(error) => break Some(error),
            }
        };
        fs.finish().expect("finishes");
        ext::assert_clean(&image, name);
        if recipe.has("large_dir") {
            assert!(end.is_none(), "{name}, {count}: {end:?}");
            let debugfs = tools::find("debugfs").expect("debugfs comes with mke2fs");
            let request = "htree_dump /large";
            let said = tools::output(&debugfs, ["-R", request, &image.display().to_string()]);
            let said = String::from_utf8_lossy(&said[..said.len().min(1000)]).into_owned();
            assert!(said.contains("Indirect levels: 2"), "{said}");
        } else {
            // Linux gives ENOSPC as well.
            assert!(matches!(end, Some(Error::NoSpace)), "{name}: {end:?}");
            assert!(count > 15_000, "{name}: {count}");
        }
        drop(fs);
        if kernel::require() {
            let mount = Mount::read_only(&image);
            let top = mount.path().join("large");
            let seen = std::fs::read_dir(&top).expect("lists").count();
            assert_eq!(seen, count, "{name}");
            for number in (0..count).step_by(97) {
                let name = String::from_utf8(long(number)).expect("ASCII");
                assert!(top.join(name).symlink_metadata().is_ok(), "{number}");
            }
            mount.unmount();
        }
        let mut fs = judges::open(&image, name);
        for number in (0..count).step_by(2) {
            fs.remove(top, &long(number)).expect("removes");
        }
        fs.finish().expect("finishes");
        ext::assert_clean(&image, "with every other name removed");
    }
}

/// Three names of 250 bytes stand in a block of 1 KiB, and two levels of nodes have room for 123 x 126 blocks at most.
#[test]
fn an_index_of_three_levels_by_the_kernel_is_read_and_changed() {
    const CHANGED: usize = 500;
    if !judges::require() || !kernel::require() {
        return;
    }
    let count = if judges::is_full() { 60_000 } else { 26_000 };
    let long = |number: usize| format!("{number:06} {}", "n".repeat(243));
    let directory = TempDir::new();
    let image = directory.join("image");
    let recipe = Recipe::named("ext4-large_dir");
    recipe.make(&image, 1024, 128);
    let mount = Mount::writable(&image);
    let top = mount.path().join("large");
    let file = mount.path().join("file");
    std::fs::create_dir(&top).expect("the kernel makes a directory");
    std::fs::write(&file, "content").expect("the kernel makes a file");
    for number in 0..count {
        std::fs::hard_link(&file, top.join(long(number))).expect("the kernel makes a name");
    }
    mount.unmount();
    ext::assert_clean(&image, "the kernel's own image");
    let levels = || {
        let debugfs = tools::find("debugfs").expect("debugfs comes with mke2fs");
        let image = image.display().to_string();
        let said = tools::output(&debugfs, ["-R", "htree_dump /large", &image]);
        String::from_utf8_lossy(&said[..said.len().min(1000)]).into_owned()
    };
    assert!(levels().contains("Indirect levels: 2"), "{}", levels());

    let mut expected: BTreeSet<_> = (0..count).map(long).collect();
    let mut fs = judges::open(&image, "made by the kernel");
    let root = fs.root();
    let top = fs.lookup(root, b"large").expect("looks up");
    let top = top.expect("the directory is there");
    let file = fs.lookup(root, b"file").expect("looks up");
    let file = file.expect("the file is there");
    for name in &expected {
        let found = fs.lookup(top, name.as_bytes()).expect("looks up");
        assert_eq!(found, Some(file), "{name}");
    }
    // Names spread over the whole index; as many go as come, so that the file's links stay below Linux's 65,000.
    for step in 0..CHANGED {
        let old = long(step * (count / CHANGED));
        let new = long(count + step);
        fs.link(file, top, new.as_bytes()).expect("adds a name");
        fs.remove(top, old.as_bytes()).expect("removes a name");
        expected.remove(&old);
        expected.insert(new);
    }
    let mut listed = BTreeSet::new();
    fs.list(top, &mut |entry| {
        let name = String::from_utf8(entry.name).expect("ASCII");
        assert!(listed.insert(name), "an entry is listed twice");
        ControlFlow::Continue(())
    })
    .expect("lists");
    assert!(listed == expected, "other names are listed");
    fs.finish().expect("finishes");
    drop(fs);
    ext::assert_clean(&image, "changed");
    assert!(levels().contains("Indirect levels: 2"), "{}", levels());

    let mount = Mount::read_only(&image);
    let top = mount.path().join("large");
    let seen: BTreeSet<_> = std::fs::read_dir(&top)
        .expect("the kernel lists")
        .map(|entry| entry.expect("the kernel lists").file_name())
        .map(|name| name.into_string().expect("ASCII"))
        .collect();
    assert!(seen == expected, "the kernel lists other names");
    for name in &expected {
        assert!(top.join(name).symlink_metadata().is_ok(), "{name}");
    }
    mount.unmount();
}

#[test]
fn a_large_directory_is_filled_and_emptied() {
    if !judges::require() {
        return;
    }
    let count = if judges::is_full() { 100_000 } else { 4_000 };
    let directory = TempDir::new();
    let image = directory.join("image");
    for (recipe, block_bytes) in [
        ("ext4-1.47", 1024),
        ("ext4-1.43", 4096),
        ("ext3", 1024),
        ("ext2", 1024),
    ] {
        let context = format!("{recipe} with blocks of {block_bytes}, {count} entries");
        let recipe = Recipe::named(recipe);
        let inodes = (count + 5000).to_string();
        recipe.make_with(&image, block_bytes, 256 << 20, &["-N", &inodes]);
        let mut fs = judges::open(&image, &context);
        let root = fs.root();
        let new = NewFile {
            kind: NewKind::Directory,
            permissions: 0o755,
            ..FILE
        };
        let top = fs.create(root, b"large", &new).expect("makes a directory");
        let first = fs.create(top, &name(0), &FILE).expect("makes a file");
        for number in 1..count {
            // Inodes are dear, names are not: most names are of files that have others.
            let made = if number % 8 == 0 {
                fs.create(top, &name(number), &FILE).map(|_| ())
            } else {
                match fs.link(first, top, &name(number)) {
                    Err(Error::TooManyLinks) => fs.create(top, &name(number), &FILE).map(|_| ()),
                    outcome => outcome,
                }
            };
            if let Err(error) = made {
                panic!("{context}: entry {number}: {}", judges::chain(&error));
            }
        }
        fs.finish().expect("finishes");
        ext::assert_clean(&image, &context);
        for number in (0..count).step_by(7) {
            assert!(
                fs.lookup(top, &name(number)).expect("looks up").is_some(),
                "{context}: {number}"
            );
        }
        assert_eq!(fs.entries(top).expect("lists").len(), count, "{context}");
        if kernel::require() {
            drop(fs);
            let mount = Mount::read_only(&image);
            let seen = std::fs::read_dir(mount.path().join("large")).expect("lists");
            let mut names: Vec<_> = seen
                .map(|entry| entry.expect("lists").file_name().into_encoded_bytes())
                .collect();
            names.sort_unstable();
            let mut expected: Vec<_> = (0..count).map(name).collect();
            expected.sort_unstable();
            assert!(names == expected, "{context}: the kernel sees other names");
            for number in (0..count).step_by(97) {
                let name = String::from_utf8(name(number)).expect("ASCII");
                let path = mount.path().join("large").join(name);
                assert!(path.symlink_metadata().is_ok(), "{context}: {number}");
            }
            mount.unmount();
            fs = judges::open(&image, &context);
        }
        let root = fs.root();
        let top = fs
            .lookup(root, b"large")
            .expect("looks up")
            .expect("is there");
        for number in (0..count).filter(|number| number % 3 != 0) {
            fs.remove(top, &name(number)).expect("removes");
        }
        fs.finish().expect("finishes");
        ext::assert_clean(&image, &format!("{context}, two thirds removed"));
        for number in (0..count).filter(|number| number % 3 == 0) {
            fs.remove(top, &name(number)).expect("removes");
        }
        fs.remove(root, b"large").expect("removes the directory");
        fs.finish().expect("finishes");
        drop(fs);
        ext::assert_clean(&image, &format!("{context}, all removed"));
    }
}

#[test]
fn a_file_in_many_pieces_is_written_cut_and_removed() {
    if !judges::require() {
        return;
    }
    // Four extents stand in the inode and 84 in a block of 1024 bytes, so 30,000 make a tree three deep.
    let pieces: u64 = if judges::is_full() { 30_000 } else { 1_200 };
    let directory = TempDir::new();
    let image = directory.join("image");
    for name in ["ext4-1.47", "ext4-uninit_bg", "ext2"] {
        let context = format!("{name}, {pieces} pieces");
        let recipe = Recipe::named(name);
        recipe.make(&image, 1024, 96);
        let mut fs = judges::open(&image, &context);
        let mut model = Memory::copy_of(&mut fs, 1 << 20).expect("copies");
        let free = fs.statistics().expect("counts").free_blocks;
        let file = {
            let root = fs.root();
            fs.create(root, b"pieces", &FILE).expect("makes a file")
        };
        let modelled = {
            let root = model.root();
            model.create(root, b"pieces", &FILE).expect("makes a file")
        };
        // Each second block, in an order that splits nodes in the middle too.
        for step in 0..pieces {
            let piece = step * 7919 % pieces;
            let data = [piece as u8; 1000];
            let offset = piece * 2048;
            if let Err(error) = fs.write_at(file, &data, offset) {
                panic!("{context}: piece {piece}: {}", judges::chain(&error));
            }
            model.write_at(modelled, &data, offset).expect("writes");
        }
        fs.finish().expect("finishes");
        ext::assert_clean(&image, &context);
        for cut in [pieces - 1, pieces / 2, pieces / 3, 5] {
            fs.set_size(file, cut * 2048 + 300).expect("cuts");
            model.set_size(modelled, cut * 2048 + 300).expect("cuts");
            fs.finish().expect("finishes");
            ext::assert_clean(&image, &format!("{context}, cut to {cut}"));
            let mut found = vec![0; 64 << 10];
            let mut expected = found.clone();
            let end = (cut * 2048 + 300).saturating_sub(30_000);
            let length = fs.read_at(file, &mut found, end).expect("reads");
            assert_eq!(
                length,
                model.read_at(modelled, &mut expected, end).expect("reads")
            );
            assert!(found == expected, "{context}: other content at {end}");
        }
        let root = fs.root();
        fs.remove(root, b"pieces").expect("removes");
        fs.finish().expect("finishes");
        assert_eq!(
            fs.statistics().expect("counts").free_blocks,
            free,
            "{context}"
        );
        drop(fs);
        ext::assert_clean(&image, &format!("{context}, removed"));
    }
}

#[test]
fn every_level_of_a_file_is_reached() {
    if !judges::require() {
        return;
    }
    let directory = TempDir::new();
    let image = directory.join("image");
    for (name, block_bytes) in [("ext2", 1024), ("ext3", 2048), ("ext4-1.47", 1024)] {
        let recipe = Recipe::named(name);
        recipe.make(&image, block_bytes, 64);
        let mut fs = judges::open(&image, name);
        let mut model = Memory::copy_of(&mut fs, 1 << 20).expect("copies");
        let most = fs.limits().file_bytes;
        let block = u64::from(block_bytes);
        let pointers = block / 4;
        let levels = [0, 12, 12 + pointers, 12 + pointers + pointers * pointers];
        for (index, level) in levels.into_iter().enumerate() {
            for (other, offset) in [level * block, (level * block).saturating_sub(700)]
                .into_iter()
                .enumerate()
            {
                let name = format!("level {index} {other}");
                let data = vec![index as u8 + 1; 1500];
                for fs in [&mut fs as &mut dyn FileSystem, &mut model] {
                    let root = fs.root();
                    let file = fs.create(root, name.as_bytes(), &FILE).expect("makes");
                    fs.write_at(file, &data, offset).expect("writes");
                    fs.write_at(file, &data, offset + 5 * block)
                        .expect("writes");
                }
            }
        }
        // The very last byte that a file may have.
        let root = fs.root();
        let file = fs.create(root, b"last", &FILE).expect("makes");
        fs.write_at(file, b"x", most - 1)
            .expect("writes the last byte");
        let mut byte = [0];
        assert_eq!(fs.read_at(file, &mut byte, most - 1).expect("reads"), 1);
        assert_eq!(&byte, b"x");
        fs.finish().expect("finishes");
        ext::assert_clean(&image, name);
        fs.remove(root, b"last").expect("removes");
        fs.finish().expect("finishes");
        for number in 0..3 {
            let name = format!("level {number} 0");
            let size = block * 3 + 17;
            for fs in [&mut fs as &mut dyn FileSystem, &mut model] {
                let root = fs.root();
                let file = fs.lookup(root, name.as_bytes()).expect("looks up");
                fs.set_size(file.expect("is there"), size).expect("cuts");
            }
        }
        fs.finish().expect("finishes");
        let found = judges::tree(&mut fs).expect("reads");
        let expected = judges::tree(&mut model).expect("reads");
        let mut aspects = christen_vfs::tree::Aspects::WITHOUT_TIMES;
        aspects.directory_links = true;
        judges::same(name, &found, &expected, &aspects).expect("the same tree");
        drop(fs);
        ext::assert_clean(&image, name);
    }
}

#[test]
fn a_full_disk_says_so_and_stays_whole() {
    if !judges::require() {
        return;
    }
    let directory = TempDir::new();
    let image = directory.join("image");
    let profile = Profile {
        content_bytes: 600_000,
        files: 200,
        ..Profile::DEFAULT
    };
    let steps = if judges::is_full() { 3000 } else { 400 };
    for (index, (recipe, block_bytes)) in judges::images().enumerate() {
        let context = format!("{} with blocks of {block_bytes}, full", recipe.name);
        // The smallest journal has 1024 blocks.
        let journal = u64::from(block_bytes) << 10;
        let size = format!("size={}", journal >> 20);
        let mut bytes = 600 << 10;
        let mut arguments = vec!["-m", "0", "-N", "200"];
        if recipe.has("has_journal") {
            bytes += journal;
            arguments.extend(["-J", &size]);
        }
        recipe.make_with(&image, block_bytes, bytes, &arguments);
        let mut fs = judges::open(&image, &context);
        let mut model = Memory::copy_of(&mut fs, 64 << 20).expect("copies");
        let random = model::generate(&mut model.clone(), 900 + index as u64, steps, &profile);
        // Random operations remove as much as they make, so in between some only make.
        let mut operations = Vec::new();
        for (step, operation) in random.into_iter().enumerate() {
            operations.push(operation);
            if step % 8 == 0 {
                let path = judges::path(&format!("/filler {step}"));
                operations.push(Operation::Create {
                    path: path.clone(),
                    made: Made::File,
                    permissions: 0o644,
                    uid: 0,
                    gid: 0,
                });
                operations.push(Operation::Write {
                    path,
                    offset: 0,
                    length: 90_000,
                    seed: 1,
                });
            }
        }
        let options = ReplayOptions {
            compare_every: 200,
            content_bytes: 64 << 20,
            ..ReplayOptions::ALL
        };
        let replayed = match model::replay(&operations, &mut fs, &mut model, &options) {
            Ok(replayed) => replayed,
            Err(mismatch) => panic!("{context}: {mismatch}"),
        };
        assert!(replayed.full > 0, "{context}: {replayed:?}");
        fs.finish().expect("finishes");
        ext::assert_clean(&image, &context);

        // To the last block: what is refused leaves no block behind, and smaller things still fit.
        let root = fs.root();
        let file = fs
            .create(root, b"last block", &FILE)
            .ok()
            // Where inodes have run out before blocks, a file that is there grows.
            .or_else(|| {
                (0..steps).find_map(|step| {
                    let name = format!("filler {step}");
                    fs.lookup(root, name.as_bytes()).expect("looks up")
                })
            })
            .expect("one of the files is left");
        let block = vec![9; block_bytes as usize];
        let size = fs.attributes(file).expect("stats").size;
        let mut offset = size.next_multiple_of(u64::from(block_bytes));
        let error = loop {
            if let Err(error) = fs.write_at(file, &block, offset) {
                break error;
            }
            offset += u64::from(block_bytes);
        };
        assert!(
            matches!(error, Error::NoSpace),
            "{context}: {}",
            judges::chain(&error)
        );
        let free = fs.statistics().expect("counts").free_blocks;
        assert!(free < 8, "{context}: {free} blocks are free");
        fs.finish().expect("finishes");
        drop(fs);
        ext::assert_clean(&image, &format!("{context}, to the last block"));
    }
}
