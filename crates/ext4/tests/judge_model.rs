//! Random operations on every recipe, beside the filesystem in memory; then everybody is asked about the image.

mod judges;

use std::path::Path;
use std::process::Command;

use christen_testkit::ext::{self, Mounts, Recipe};
use christen_testkit::kernel::{self, HostDirectory, Mount};
use christen_testkit::{TempDir, tools};
use christen_vfs::FileSystem;
use christen_vfs::memory::Memory;
use christen_vfs::model::{self, Operation, Profile, ReplayOptions};

/// How often a failing sequence is tried while it is made shorter.
const SHRINK_TRIES: usize = 150;

/// The seed of the first sequence; another one looks elsewhere.
fn first_seed() -> u64 {
    std::env::var("CHRISTEN_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1)
}

/// Does the operations to a copy of an image and asks everybody.
fn attempt(
    start: &Path,
    recipe: &Recipe,
    operations: &[Operation],
    compare_every: usize,
) -> Result<(), String> {
    let directory = TempDir::new();
    let image = directory.join("image");
    ext::copy(start, &image);
    let mut fs = judges::open(&image, recipe.name);
    let mut model =
        Memory::copy_of(&mut fs, judges::CONTENT_BYTES).map_err(|error| judges::chain(&error))?;
    let options = ReplayOptions {
        compare_every,
        content_bytes: judges::CONTENT_BYTES,
        ..ReplayOptions::ALL
    };
    model::replay(operations, &mut fs, &mut model, &options)
        .map_err(|mismatch| mismatch.to_string())?;
    fs.finish().map_err(|error| judges::chain(&error))?;
    drop(fs);
    judges::judge(&image, recipe, &mut model).inspect_err(|_| ext::keep(&image))
}

/// Runs one sequence; a failure is shrunk and told with its seed.
fn run(start: &Path, recipe: &Recipe, context: &str, seed: u64, steps: usize, profile: &Profile) {
    let mut state = {
        let mut fs = judges::open(start, context);
        Memory::copy_of(&mut fs, judges::CONTENT_BYTES).expect("copies the start")
    };
    let operations = model::generate(&mut state, seed, steps, profile);
    let Err(how) = attempt(start, recipe, &operations, 200) else {
        return;
    };
    let shortest = model::shrink(&operations, SHRINK_TRIES, &mut |operations| {
        std::panic::catch_unwind(|| attempt(start, recipe, operations, usize::MAX))
            .map_or(true, |outcome| outcome.is_err())
    });
    let how = attempt(start, recipe, &shortest, 1).err().unwrap_or(how);
    let shown: Vec<_> = shortest
        .iter()
        .map(|operation| format!("  {operation:?}"))
        .collect();
    panic!(
        "{context}, seed {seed}: {how}\n{} operations are left:\n{}",
        shortest.len(),
        shown.join("\n")
    );
}

#[test]
fn every_recipe_follows_the_model() {
    if !judges::require() {
        return;
    }
    let directory = TempDir::new();
    let image = directory.join("image");
    let (steps, seeds) = if judges::is_full() {
        (2500, 3)
    } else {
        (250, 1)
    };
    for (index, (recipe, block_bytes)) in judges::images().enumerate() {
        recipe.make(&image, block_bytes, 64);
        for seed in 0..seeds {
            let seed = first_seed() + seed + 100 * index as u64;
            let context = format!("{} with blocks of {block_bytes}", recipe.name);
            run(&image, recipe, &context, seed, steps, &Profile::DEFAULT);
        }
    }
}

#[test]
fn many_small_files_in_few_directories_follow_the_model() {
    if !judges::require() {
        return;
    }
    let directory = TempDir::new();
    let image = directory.join("image");
    let profile = Profile {
        content_bytes: 3000,
        attribute_bytes: 60,
        files: 1500,
        names: 4000,
        owners: true,
        links: true,
    };
    let steps = if judges::is_full() { 8000 } else { 1200 };
    for (name, block_bytes) in [("ext4-1.47", 1024), ("ext3", 1024), ("ext2", 2048)] {
        let recipe = Recipe::named(name);
        recipe.make(&image, block_bytes, 64);
        run(&image, recipe, name, first_seed() + 7, steps, &profile);
    }
}

/// `mke2fs -d` gives no directory an index, and without `dir_index` none ever gets one.
#[test]
fn directories_without_an_index_follow_the_model() {
    if !judges::require() || tools::require("tune2fs").is_none() {
        return;
    }
    let directory = TempDir::new();
    let (image, tree) = (directory.join("image"), directory.join("tree"));
    for top in ["one", "two"] {
        std::fs::create_dir_all(tree.join(top)).expect("makes a directory");
        for number in 0..250 {
            let name = format!("{number} {}", "n".repeat(number * 7 % 90));
            std::fs::write(tree.join(top).join(name), "content").expect("makes a file");
        }
    }
    let profile = Profile {
        content_bytes: 3000,
        attribute_bytes: 60,
        files: 900,
        names: 2000,
        owners: true,
        links: true,
    };
    let steps = if judges::is_full() { 6000 } else { 900 };
    let recipes = [
        ("ext4-1.47", 1024, true),
        ("ext2", 1024, false),
        ("ext4-inline_data", 2048, false),
    ];
    for (index, (name, block_bytes, may_have_index)) in recipes.into_iter().enumerate() {
        let recipe = Recipe::named(name);
        let more = ["-d", tree.to_str().expect("UTF-8"), "-N", "4096"];
        recipe.make_with(&image, block_bytes, 64 << 20, &more);
        if !may_have_index {
            let tune2fs = tools::find("tune2fs").expect("it has just been there");
            tools::run(Command::new(tune2fs).args(["-O", "^dir_index"]).arg(&image));
        }
        let seed = first_seed() + 900 + index as u64;
        run(&image, recipe, name, seed, steps, &profile);
    }
}

#[test]
fn what_the_kernel_made_follows_the_model() {
    if !judges::require() || !kernel::require() {
        return;
    }
    let directory = TempDir::new();
    let image = directory.join("image");
    for (index, (recipe, block_bytes)) in judges::images().enumerate() {
        if recipe.mounts != Mounts::Host || (!judges::is_full() && index % 2 == 0) {
            continue;
        }
        recipe.make(&image, block_bytes, 64);
        populate(&image, first_seed() + 50 + index as u64);
        let context = format!(
            "{} with blocks of {block_bytes}, made by the kernel",
            recipe.name
        );
        let steps = if judges::is_full() { 1500 } else { 120 };
        run(
            &image,
            recipe,
            &context,
            first_seed() + index as u64,
            steps,
            &Profile::DEFAULT,
        );
    }
}

/// Lets the kernel do random operations, and some hundred files more.
fn populate(image: &Path, seed: u64) {
    let mount = Mount::writable(image);
    kernel::write_files(mount.path(), "written before", 150).expect("the kernel writes");
    let limits = Memory::new().limits();
    let mut top = HostDirectory::open(mount.path(), limits).expect("opens the mount");
    let mut state = Memory::new();
    for operation in model::generate(&mut state, seed, 300, &Profile::DEFAULT) {
        // What this filesystem refuses it refuses; what is there afterwards counts.
        let _ = operation.apply(&mut top);
    }
    drop(top);
    mount.unmount();
    assert!(tools::find("e2fsck").is_some());
    ext::assert_clean(image, "the kernel's own image");
}
