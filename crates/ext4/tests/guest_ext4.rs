//! A Linux guest mounts what we wrote, sees the model's trees, and writes files of its own: every recipe, those too that the kernel of
//! this machine must not mount.
//!
//! Ignored in ordinary runs since it boots a machine: `cargo xtask guest-check` runs it.

mod judges;

use std::path::PathBuf;

use christen_testkit::{TempDir, ext, guest};
use christen_vfs::FileSystem;
use christen_vfs::memory::Memory;
use christen_vfs::model::{self, Profile, ReplayOptions};
use christen_vfs::tree::{Aspects, Tree};

#[test]
#[ignore = "boots a guest; `cargo xtask guest-check` runs it"]
fn a_guest_sees_what_we_wrote_and_writes_on() {
    if !guest::require() || !judges::require() {
        return;
    }
    let directory = TempDir::new();
    let mut images: Vec<PathBuf> = Vec::new();
    let mut expected: Vec<(String, Tree)> = Vec::new();
    for (index, recipe) in ext::RECIPES.iter().enumerate() {
        for block_bytes in ext::BLOCK_BYTES {
            let context = format!("{} with blocks of {block_bytes}", recipe.name);
            let image = directory.join(format!("{index}-{block_bytes}"));
            recipe.make(&image, block_bytes, 64);
            let mut fs = judges::open(&image, &context);
            let mut model = Memory::copy_of(&mut fs, judges::CONTENT_BYTES).expect("copies");
            let seed = 7000 + index as u64;
            let operations = model::generate(&mut model.clone(), seed, 500, &Profile::DEFAULT);
            let options = ReplayOptions {
                compare_every: 500,
                ..ReplayOptions::ALL
            };
            if let Err(mismatch) = model::replay(&operations, &mut fs, &mut model, &options) {
                panic!("{context}, seed {seed}: {mismatch}");
            }
            fs.finish().expect("finishes");
            drop(fs);
            ext::assert_clean(&image, &context);
            let tree = judges::tree(&mut model).expect("reads the model");
            expected.push((context, guest::as_the_guest_tells(&tree)));
            images.push(image);
        }
    }

    let drives = guest::mount_ext_drives(&images, true).expect("the guest does its work");
    let mut failures = Vec::new();
    for ((drive, (context, tree)), image) in drives.iter().zip(&expected).zip(&images) {
        if !drive.failed.is_empty() {
            failures.push(format!("{context}: failed {:?}", drive.failed));
        }
        match &drive.tree {
            Some(seen) => {
                if let Err(how) = judges::same("the guest's mount", seen, tree, &Aspects::ALL) {
                    failures.push(format!("{context}: {how}"));
                }
            }
            None => failures.push(format!("{context}: no tree")),
        }
        if let Err(how) = ext::check(image) {
            ext::keep(image);
            failures.push(format!(
                "{context}: after the guest has written, e2fsck {how}"
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
