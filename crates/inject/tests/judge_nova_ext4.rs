//! The recorded injections on real ext2, ext3 and ext4 images.
//!
//! mke2fs and debugfs make the guest of a vector, we inject, and another author's reader finds Nova's tree, path by path; e2fsck has
//! nothing to say.

mod nova_support;

use std::fs;
use std::sync::Arc;

use christen_block::MemoryDevice;
use christen_ext4::{Access, Ext4, Journal, OpenOptions};
use christen_testkit::TempDir;
use christen_testkit::ext::{self, Recipe};
use christen_testkit::tools;
use christen_vfs::{FileSystem, Timestamp};
use nova_support::image::{plant, viewed, without_lost_and_found};
use nova_support::{expected, found, members, same};

/// Each vector goes through one of them.
const RECIPES: [&str; 4] = ["ext4-1.47", "ext4-1.43", "ext3", "ext2"];

const IMAGE_MEBIBYTES: u64 = 8;

#[test]
fn injections_into_images_are_those_of_nova() {
    for tool in ["mke2fs", "debugfs", "e2fsck"] {
        if tools::require(tool).is_none() {
            return;
        }
    }
    let directory = TempDir::in_memory();
    let image = directory.path().join("image");
    for (index, (name, vector)) in nova_support::vectors().iter().enumerate() {
        let recipe = Recipe::named(RECIPES[index % RECIPES.len()]);
        let name = format!("{name} on {}", recipe.name);
        let (before, after) = (members(vector, "before"), members(vector, "after"));
        recipe.make(&image, 1024, IMAGE_MEBIBYTES);
        plant(&image, directory.path(), before);
        same(&name, &viewed(&image), &expected(before));

        let device = Arc::new(MemoryDevice::new(fs::read(&image).expect("it is read")));
        let options = OpenOptions {
            access: Access::Write,
            journal: Journal::Refuse,
            now: Timestamp {
                seconds: 1_700_000_000,
                nanoseconds: 0,
            },
            generation_seed: 7,
        };
        let mut filesystem = Ext4::open(Arc::clone(&device) as _, &options).expect("it opens");
        let result = nova_support::run(&name, vector, &mut filesystem);
        assert_eq!(result, nova_support::recorded(vector), "{name}");
        let own = without_lost_and_found(found(&mut filesystem));
        same(&name, &own, &expected(after));
        // Nova leaves what it wrote, whatever came of it.
        filesystem.finish().expect("the changes are whole");

        fs::write(&image, device.snapshot()).expect("it is written");
        ext::assert_clean(&image, &name);
        same(&name, &viewed(&image), &expected(after));
    }
}
