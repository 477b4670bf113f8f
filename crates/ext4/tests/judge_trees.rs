//! Trees of extents of every depth, block maps of every level, extents that were never written, and full disks.

mod support;

use std::env;
use std::process::Command;

use christen_ext4::Ext4;
use christen_testkit::ext::{BLOCK_BYTES, Recipe};
use christen_testkit::tools;
use christen_vfs::{Error, FileId, FileSystem, NewKind};

use support::{Image, assert_content, content, debugfs, new, noise, put};

fn tools_are_missing() -> bool {
    ["mke2fs", "e2fsck", "debugfs"]
        .iter()
        .any(|name| tools::require(name).is_none())
}

/// The same numbers every time, in no order.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }
}

/// A file and what it must hold.
struct Twin {
    file: FileId,
    model: Vec<u8>,
}

impl Twin {
    fn write(&mut self, filesystem: &mut Ext4, data: &[u8], offset: usize) {
        filesystem.write_at(self.file, data, offset as u64).unwrap();
        if self.model.len() < offset + data.len() {
            self.model.resize(offset + data.len(), 0);
        }
        self.model[offset..offset + data.len()].copy_from_slice(data);
    }

    fn cut(&mut self, filesystem: &mut Ext4, size: usize) {
        filesystem.set_size(self.file, size as u64).unwrap();
        self.model.resize(size, 0);
    }

    #[track_caller]
    fn check(&self, filesystem: &mut Ext4) {
        assert!(
            content(filesystem, self.file) == self.model,
            "the content is another"
        );
    }
}

fn twin(filesystem: &mut Ext4, name: &str) -> Twin {
    let root = filesystem.root();
    let file = filesystem
        .create(root, name.as_bytes(), &new(NewKind::File, 0o600))
        .unwrap();
    Twin {
        file,
        model: Vec::new(),
    }
}

#[test]
fn extent_trees_grow_and_shrink() {
    if tools_are_missing() {
        return;
    }
    let all = env::var_os("CHRISTEN_JUDGE_FULL").is_some();
    let most = if all {
        [(1024, 29_000, 3), (2048, 3000, 2), (4096, 4000, 2)]
    } else {
        [(1024, 800, 2), (2048, 1400, 2), (4096, 600, 1)]
    };
    for (block_bytes, extents, depth) in most {
        let image = Image::make(Recipe::named("ext4-1.43"), block_bytes, 80, &[]);
        let mut filesystem = image.open();
        let block = block_bytes as usize;
        // Every other block in order: as many extents as blocks, and full nodes.
        let mut ordered = twin(&mut filesystem, "ordered");
        for number in 0..extents {
            ordered.write(
                &mut filesystem,
                &noise(block, number as u32),
                2 * number * block,
            );
        }
        ordered.check(&mut filesystem);
        // And in no order, so that nodes are split in their middle.
        let mut random = Random(block_bytes.into());
        let mut scattered = twin(&mut filesystem, "scattered");
        for step in 0..if all { 1500 } else { 500 } {
            let at = random.below(4000) * block + random.below(3) * 100;
            scattered.write(
                &mut filesystem,
                &noise(1 + random.below(2 * block), step),
                at,
            );
        }
        scattered.check(&mut filesystem);
        filesystem.finish().unwrap();
        let path = image.check("with deep trees");
        assert_content(&path, "/scattered", &scattered.model);
        assert_content(&path, "/ordered", &ordered.model);
        let tree = debugfs(&path, "ex /ordered");
        assert!(
            tree.contains(&format!("{depth}/ {depth}")),
            "no depth of {depth}: {}",
            &tree[..400]
        );

        let half = ordered.model.len() / 2;
        for size in [half + 7, half / 3, 3 * block + 1, 0] {
            ordered.cut(&mut filesystem, size);
            ordered.check(&mut filesystem);
            filesystem.finish().unwrap();
            image.check("with a tree cut");
        }
        // Holes filled, so that extents are merged.
        for step in 0..if all { 4000 } else { 500 } {
            scattered.write(
                &mut filesystem,
                &noise(block, step),
                random.below(4100) * block,
            );
        }
        scattered.check(&mut filesystem);
        let whole = noise(4200 * block, 3);
        scattered.write(&mut filesystem, &whole, 0);
        scattered.check(&mut filesystem);
        filesystem.finish().unwrap();
        image.check("with holes filled");
        let root = filesystem.root();
        filesystem.remove(root, b"scattered").unwrap();
        filesystem.remove(root, b"ordered").unwrap();
        filesystem.finish().unwrap();
        image.check("with trees removed");
    }
}

#[test]
fn block_maps_of_every_level() {
    if tools_are_missing() {
        return;
    }
    for block_bytes in BLOCK_BYTES {
        let image = Image::make(Recipe::named("ext2"), block_bytes, 24, &[]);
        let mut filesystem = image.open();
        let before = filesystem.statistics().unwrap();
        let block = u64::from(block_bytes);
        let per_block = block / 4;
        let root = filesystem.root();
        let file = put(&mut filesystem, root, "map", b"begin");
        // The last block of one level and the first of the next.
        let levels = [12, 12 + per_block, 12 + per_block + per_block * per_block];
        for (number, level) in levels.into_iter().enumerate() {
            let data = noise(2 * block_bytes as usize, number as u32);
            filesystem
                .write_at(file, &data, (level - 1) * block)
                .unwrap();
            let mut read = vec![0; data.len()];
            filesystem
                .read_at(file, &mut read, (level - 1) * block)
                .unwrap();
            assert_eq!(read, data);
        }
        let limit = filesystem.limits().file_bytes;
        if limit < 1 << 42 {
            filesystem.write_at(file, b"end", limit - 3).unwrap();
            assert!(matches!(
                filesystem.write_at(file, b"x", limit),
                Err(Error::FileTooLarge)
            ));
        }
        filesystem.finish().unwrap();
        image.check("with a map of three levels");
        for level in levels.into_iter().rev() {
            filesystem.set_size(file, level * block - 1).unwrap();
            let mut byte = [0];
            assert_eq!(
                filesystem
                    .read_at(file, &mut byte, level * block - 2)
                    .unwrap(),
                1
            );
            filesystem.finish().unwrap();
            image.check("with a map cut");
        }
        let large = noise(3 << 20, 8);
        filesystem.write_at(file, &large, 100).unwrap();
        let mut read = vec![0; large.len()];
        filesystem.read_at(file, &mut read, 100).unwrap();
        assert!(read == large);
        filesystem.finish().unwrap();
        image.check("with a map filled");
        filesystem.remove(root, b"map").unwrap();
        filesystem.finish().unwrap();
        image.check("with a map removed");
        assert_eq!(
            filesystem.statistics().unwrap().free_blocks,
            before.free_blocks
        );
    }
}

#[test]
fn blocks_that_were_never_written() {
    if tools_are_missing() {
        return;
    }
    for block_bytes in BLOCK_BYTES {
        let image = Image::make(Recipe::named("ext4-1.43"), block_bytes, 24, &[]);
        let mut filesystem = image.open();
        let root = filesystem.root();
        put(&mut filesystem, root, "file", b"");
        filesystem.finish().unwrap();
        let path = image.save();
        let output = Command::new(tools::find("debugfs").unwrap())
            .args(["-w", "-R", "fallocate /file 0 2000"])
            .arg(&path)
            .output()
            .unwrap();
        assert!(output.status.success());
        let image = image.load();
        let mut filesystem = image.open();
        let root = filesystem.root();
        let file = filesystem.lookup(root, b"file").unwrap().unwrap();
        let mut twin = Twin {
            file,
            model: Vec::new(),
        };
        let block = block_bytes as usize;
        twin.cut_up(&mut filesystem, 1500 * block);
        let mut random = Random(3);
        for step in 0..300 {
            let at = random.below(1400 * block);
            twin.write(
                &mut filesystem,
                &noise(1 + random.below(3 * block), step),
                at,
            );
        }
        twin.check(&mut filesystem);
        filesystem.finish().unwrap();
        let path = image.check("with some blocks written");
        assert_content(&path, "/file", &twin.model);
        twin.cut(&mut filesystem, 700 * block + 1);
        twin.write(&mut filesystem, &noise(900 * block, 1), 12);
        twin.check(&mut filesystem);
        filesystem.finish().unwrap();
        image.check("with all blocks written");
    }
}

impl Twin {
    /// Makes the file longer without touching what is allocated behind its end: debugfs leaves the size at 0.
    fn cut_up(&mut self, filesystem: &mut Ext4, size: usize) {
        filesystem.set_size(self.file, size as u64).unwrap();
        self.model.resize(size, 0);
    }
}

#[test]
fn a_disk_is_filled_to_the_last_block() {
    if tools_are_missing() {
        return;
    }
    for (recipe, block_bytes) in [
        ("ext4-1.47", 1024),
        ("ext4-uninit_bg", 2048),
        ("ext4-meta_bg", 1024),
        ("ext3", 4096),
        ("ext2", 1024),
        ("ext4-inline_data", 4096),
    ] {
        let image = Image::make(Recipe::named(recipe), block_bytes, 16, &["-N", "512"]);
        let mut filesystem = image.open();
        let root = filesystem.root();
        let before = filesystem.statistics().unwrap();
        let directory = support::mkdir(&mut filesystem, root, "full");
        let mut random = Random(u64::from(block_bytes));
        let mut sizes = Vec::new();
        let mut failures = 0;
        for number in 0_u32.. {
            let bytes = noise(random.below(100_000), number);
            let name = format!("{number}");
            match filesystem.create(directory, name.as_bytes(), &new(NewKind::File, 0o600)) {
                Ok(file) => match filesystem.write_at(file, &bytes, 0) {
                    Ok(()) => sizes.push((name, bytes)),
                    Err(Error::NoSpace) => {
                        failures += 1;
                        assert_eq!(filesystem.attributes(file).unwrap().size, 0);
                        // Then what is left goes byte by byte, to the last block.
                        let mut size = 0_u64;
                        while filesystem.write_at(file, &[7], size).is_ok() {
                            size += u64::from(block_bytes);
                        }
                        break;
                    }
                    Err(error) => panic!("{}: {error:?}", image.name),
                },
                Err(Error::NoInodes | Error::NoSpace) => break,
                Err(error) => panic!("{}: {error:?}", image.name),
            }
        }
        let full = filesystem.statistics().unwrap();
        assert!(
            failures == 0 || full.free_blocks <= 3,
            "{}: {full:?}",
            image.name
        );
        filesystem.finish().unwrap();
        let path = image.check("full");
        for (name, bytes) in sizes.iter().step_by(17) {
            assert_content(&path, &format!("/full/{name}"), bytes);
        }
        for entry in filesystem.entries(directory).unwrap() {
            filesystem.remove(directory, &entry.name).unwrap();
        }
        filesystem.remove(root, b"full").unwrap();
        filesystem.finish().unwrap();
        image.check("empty again");
        assert_eq!(filesystem.statistics().unwrap(), before, "{}", image.name);
    }
}
