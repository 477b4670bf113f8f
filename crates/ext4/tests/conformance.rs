//! The suite that every filesystem passes, and random operations beside the filesystem in memory; e2fsck judges what comes of it.

mod support;

use std::env;

use christen_testkit::ext::{BLOCK_BYTES, RECIPES};
use christen_testkit::tools;
use christen_vfs::FileSystem;
use christen_vfs::conformance::{self, Capabilities};
use christen_vfs::memory::Memory;
use christen_vfs::model::{self, Profile, ReplayOptions};
use christen_vfs::tree::Aspects;

use support::Image;

#[test]
fn it_conforms() {
    if tools::require("mke2fs").is_none() || tools::require("e2fsck").is_none() {
        return;
    }
    for (number, recipe) in RECIPES.iter().enumerate() {
        let image = Image::make(recipe, BLOCK_BYTES[number % 3], 24, &[]);
        let mut filesystem = image.open();
        let report = conformance::run_in(&mut filesystem, &Capabilities::ALL);
        // The case counts free blocks, of which its directory takes one when it grows out of its inode, as in Linux.
        let moves =
            |name: &str| recipe.has("inline_data") && name == "attributes_go_with_their_file";
        let failed = report.failed().filter(|(name, _)| !moves(name)).count();
        assert!(failed == 0, "{}: {report}", image.name);
        filesystem.finish().unwrap();
        image.check("after the suite");
    }
}

#[test]
fn random_operations() {
    if tools::require("mke2fs").is_none() || tools::require("e2fsck").is_none() {
        return;
    }
    let all = env::var_os("CHRISTEN_EXT4_ALL").is_some();
    let steps = if all { 3000 } else { 300 };
    for (number, recipe) in RECIPES.iter().enumerate() {
        for (size, block_bytes) in BLOCK_BYTES.into_iter().enumerate() {
            if !all && number % 3 != size {
                continue;
            }
            let image = Image::make(recipe, block_bytes, 24, &[]);
            let mut filesystem = image.open();
            let seed = number as u64;
            let options = ReplayOptions {
                compare_every: 100,
                aspects: Aspects {
                    created: recipe.inode_bytes > 128,
                    ..Aspects::ALL
                },
                ..ReplayOptions::ALL
            };
            let mut state = Memory::copy_of(&mut filesystem, options.content_bytes).unwrap();
            let operations = model::generate(&mut state, seed, steps, &Profile::DEFAULT);
            let mut memory = Memory::copy_of(&mut filesystem, options.content_bytes).unwrap();
            if let Err(mismatch) =
                model::replay(&operations, &mut filesystem, &mut memory, &options)
            {
                panic!("{}, seed {seed}: {mismatch}", image.name);
            }
            filesystem.finish().unwrap();
            image.check("after random operations");
        }
    }
}
