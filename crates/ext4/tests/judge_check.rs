//! Our audit beside `e2fsck -fn`: both find nothing in images that others made, and both find something where bytes were changed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::process::Command;

use christen_block::{BlockDevice, Error as BlockError, MemoryDevice, Result as BlockResult};
use christen_ext4::check::{Report, check};
use christen_testkit::ext::{self, BLOCK_BYTES, LATER_RECIPES, Mounts, RECIPES, Recipe};
use christen_testkit::{TempDir, kernel, tools};
use christen_vfs::model::Random;

/// A file of the host as a device.
#[derive(Debug)]
struct Image {
    file: File,
    length: u64,
}

impl Image {
    fn open(path: &Path) -> Self {
        let file = File::open(path).unwrap();
        let length = file.metadata().unwrap().len();
        Self { file, length }
    }
}

impl BlockDevice for Image {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> BlockResult<()> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(BlockError::io("read"))
    }

    fn write_at(&self, _: &[u8], _: u64) -> BlockResult<()> {
        Err(BlockError::ReadOnly)
    }

    fn flush(&self) -> BlockResult<()> {
        Ok(())
    }
}

fn has_tools() -> bool {
    ["mke2fs", "e2fsck", "debugfs"]
        .iter()
        .all(|tool| tools::require(tool).is_some())
}

fn audit(path: &Path) -> Report {
    check(&Image::open(path)).unwrap()
}

/// Notes what our audit finds in an image in which `e2fsck` finds nothing.
#[track_caller]
fn judge_clean(path: &Path, context: &str, failures: &mut Vec<String>) {
    ext::assert_clean(path, context);
    let report = audit(path);
    if !report.is_clean() {
        ext::keep(path);
        let findings: Vec<_> = report
            .findings
            .iter()
            .take(8)
            .map(ToString::to_string)
            .collect();
        failures.push(format!(
            "{context}: {}\n  {}",
            report.finding_count,
            findings.join("\n  ")
        ));
    }
}

/// A tree with one of everything that a directory of the host can hold.
fn make_tree(top: &Path) {
    fs::create_dir_all(top.join("directory/below/that")).unwrap();
    for number in 0..400 {
        let name = format!("directory/file {number} {}", "x".repeat(number % 50));
        fs::write(top.join(name), vec![number as u8; number * 37]).unwrap();
    }
    fs::write(top.join("large"), vec![7; 3 << 20]).unwrap();
    symlink("short", top.join("short link")).unwrap();
    symlink("l".repeat(200), top.join("long link")).unwrap();
    fs::hard_link(top.join("large"), top.join("large again")).unwrap();
    let holes = File::create(top.join("holes")).unwrap();
    for place in 0..200 {
        holes.write_all_at(b"data", place * 50_000).unwrap();
    }
    tools::run(
        Command::new("mknod")
            .arg(top.join("device"))
            .args(["c", "1", "3"]),
    );
    tools::run(Command::new("mkfifo").arg(top.join("pipe")));
}

/// Makes an image with files in it, by mke2fs and where that is possible by the kernel.
fn make(scratch: &TempDir, recipe: &Recipe, block_bytes: u32) -> std::path::PathBuf {
    let tree = scratch.path().join("tree");
    if !tree.exists() {
        make_tree(&tree);
    }
    let image = scratch.path().join("image");
    let more = ["-d", tree.to_str().unwrap(), "-N", "2048"];
    recipe.make_with(&image, block_bytes, 24 << 20, &more);
    if recipe.has("quota") {
        // mke2fs does not account what it copies.
        let fixed = Command::new(tools::find("e2fsck").unwrap())
            .arg("-fy")
            .arg(&image)
            .output();
        assert_eq!(fixed.unwrap().status.code(), Some(1));
    }
    image
}

/// Lets the kernel make and remove files in an image.
fn use_by_kernel(image: &Path, recipe: &Recipe) {
    if recipe.mounts != Mounts::Host || !kernel::require() {
        return;
    }
    let mount = kernel::Mount::writable(image);
    kernel::write_files(mount.path(), "written by the kernel", 150).unwrap();
    for number in 0..120 {
        let path = mount.path().join(format!("attributes{}", number % 40));
        fs::write(&path, b"x").unwrap();
        let value = "v".repeat(number * 7 % 190);
        let name = format!("user.name{number}");
        let _ = Command::new("setfattr")
            .args(["-n", &name, "-v", &value])
            .arg(&path)
            .output();
    }
    mount.unmount();
}

/// Whether all is to be run that takes longer: `CHRISTEN_CHECK_ALL=1`.
fn all() -> bool {
    std::env::var_os("CHRISTEN_CHECK_ALL").is_some_and(|value| value == "1")
}

#[test]
fn images_of_every_recipe_are_clean() {
    if !has_tools() {
        return;
    }
    let scratch = TempDir::new();
    let mut failures = Vec::new();
    for (number, recipe) in RECIPES.iter().chain(LATER_RECIPES).enumerate() {
        for (place, block_bytes) in BLOCK_BYTES.into_iter().enumerate() {
            if !all() && number % BLOCK_BYTES.len() != place {
                continue;
            }
            let context = format!("{} {block_bytes}", recipe.name);
            let image = make(&scratch, recipe, block_bytes);
            judge_clean(&image, &context, &mut failures);
            use_by_kernel(&image, recipe);
            let context = format!("{context}, used by the kernel");
            judge_clean(&image, &context, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Flips bytes of metadata and compares the verdicts.
///
/// What is flipped: superblock, descriptors, bitmaps, inodes in use, and blocks of directories, extent trees and attributes: the places
/// come from `debugfs`, so that they are those of others.
#[test]
fn changed_bytes_are_found_as_e2fsck_finds_them() {
    if !has_tools() {
        return;
    }
    let scratch = TempDir::new();
    let recipes = [
        ("ext2", 1024),
        ("ext3", 4096),
        ("ext4-1.43", 1024),
        ("ext4-1.47", 4096),
        ("ext4-uninit_bg", 2048),
        ("ext4-inline_data", 1024),
    ];
    let changes = if all() { 250 } else { 12 };
    let mut told = Vec::new();
    let (mut agreed, mut total) = (0, 0);
    let mut missed = 0;
    for (name, block_bytes) in recipes {
        let recipe = Recipe::named(name);
        let image = make(&scratch, recipe, block_bytes);
        use_by_kernel(&image, recipe);
        let places = metadata(&image, block_bytes);
        let original = fs::read(&image).unwrap();
        let changed = scratch.path().join("changed");
        fs::copy(&image, &changed).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&changed).unwrap();
        let mut random = Random::new(total + 17);
        for _ in 0..changes {
            let (what, start, length) = &places[random.index(places.len())];
            let at = *start as usize + random.index(*length);
            let byte = original[at] ^ (1 << random.index(8));
            file.write_all_at(&[byte], at as u64).unwrap();
            let theirs = ext::check(&changed);
            let ours = match check(&Image::open(&changed)) {
                Ok(report) if report.is_clean() => None,
                Ok(report) => Some(report.findings[0].to_string()),
                Err(error) => Some(format!("{error:?}")),
            };
            total += 1;
            if theirs.is_err() == ours.is_some() {
                agreed += 1;
            } else {
                missed += u64::from(theirs.is_err());
                let theirs = theirs.err().unwrap_or_else(|| "clean".to_owned());
                told.push(format!(
                    "{name} {block_bytes} {what} {} in it, {:#x} to {byte:#x}: e2fsck {theirs}; ours {ours:?}",
                    at - *start as usize,
                    original[at],
                ));
            }
            file.write_all_at(&original[at..=at], at as u64).unwrap();
        }
    }
    let shown = told.join("\n");
    let _ = writeln!(
        io::stderr(),
        "{agreed} of {total} verdicts agree, {missed} damages were not found\n{shown}"
    );
    assert!(
        missed * 20 <= total,
        "{missed} of {total} damages were not found\n{shown}"
    );
    assert!(agreed * 10 >= total * 9, "{agreed} of {total}\n{shown}");
}

/// Returns where metadata is: what it is, and its range in bytes.
fn metadata(image: &Path, block_bytes: u32) -> Vec<(String, u64, usize)> {
    let block = u64::from(block_bytes);
    let mut places = vec![("superblock".to_owned(), 1024, 700)];
    let debugfs = |request: &str| {
        let output = tools::output(
            tools::find("debugfs").unwrap(),
            ["-R", request, image.to_str().unwrap()],
        );
        String::from_utf8_lossy(&output).into_owned()
    };
    let first_data_block = u64::from(block_bytes == 1024);
    places.push(("descriptors".to_owned(), (first_data_block + 1) * block, 64));
    for line in debugfs("stats").lines() {
        let Some((_, rest)) = line.split_once("block bitmap at ") else {
            continue;
        };
        let numbers: Vec<u64> = rest
            .split(|character: char| !character.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        places.push((
            "block bitmap".to_owned(),
            numbers[0] * block,
            block as usize,
        ));
        places.push((
            "inode bitmap".to_owned(),
            numbers[1] * block,
            block as usize,
        ));
        break;
    }
    for file in [
        "/",
        "/directory",
        "/large",
        "/holes",
        "/short link",
        "/long link",
        "/device",
        "/directory/below",
        "/attributes7",
    ] {
        let request = format!("imap \"{file}\"");
        let said = debugfs(&request);
        if let Some((_, place)) = said.split_once("located at block ") {
            let (at, offset) = place.trim().split_once(", offset 0x").unwrap();
            let start =
                at.parse::<u64>().unwrap() * block + u64::from_str_radix(offset, 16).unwrap();
            places.push((format!("inode of {file}"), start, 160));
        }
        let said = debugfs(&format!("stat \"{file}\""));
        for (word, what) in [
            ("(ETB0):", "extent block"),
            ("(IND):", "indirect block"),
            ("File ACL: ", "attributes"),
        ] {
            if let Some((_, rest)) = said.split_once(word) {
                let end = rest
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(rest.len());
                let number: u64 = rest[..end].parse().unwrap();
                if number != 0 {
                    places.push((format!("{what} of {file}"), number * block, block as usize));
                }
            }
        }
    }
    for directory in ["/", "/directory"] {
        for number in debugfs(&format!("blocks {directory}"))
            .split_whitespace()
            .take(3)
        {
            let number: u64 = number.parse().unwrap();
            places.push((
                format!("directory block of {directory}"),
                number * block,
                block as usize,
            ));
        }
    }
    places
}

/// Many changed bytes at once: the audit says something or nothing, and neither panics nor goes on for ever.
#[test]
fn no_image_makes_it_panic() {
    if !has_tools() {
        return;
    }
    let scratch = TempDir::new();
    let rounds = if all() { 400 } else { 12 };
    for (name, block_bytes) in [
        ("ext2", 1024),
        ("ext2-oldest", 4096),
        ("ext4-1.47", 1024),
        ("ext4-meta_bg", 1024),
        ("ext4-inline_data", 2048),
        ("ext4-bigalloc", 4096),
    ] {
        let recipe = Recipe::named(name);
        let image = make(&scratch, recipe, block_bytes);
        let places = metadata(&image, block_bytes);
        let original = fs::read(&image).unwrap();
        let device = MemoryDevice::new(original.clone());
        let mut random = Random::new(u64::from(block_bytes));
        let (mut clean, mut whole) = (0, 0);
        for round in 0..rounds {
            let mut changed = Vec::new();
            for _ in 0..=random.index(40) {
                let (what, start, length) = random.one(&places);
                // With the superblock damaged nothing else is read, so that is rare.
                if what == "superblock" && round % 4 != 0 {
                    continue;
                }
                let at = *start as usize + random.index(*length);
                let byte = match random.index(3) {
                    0 => 0,
                    1 => 0xff,
                    _ => random.index(256) as u8,
                };
                device.write_at(&[byte], at as u64).unwrap();
                changed.push(at);
            }
            if let Ok(report) = check(&device) {
                clean += u32::from(report.is_clean());
                whole += u32::from(report.complete);
            }
            for at in changed {
                device.write_at(&original[at..=at], at as u64).unwrap();
            }
        }
        assert!(
            whole > rounds / 3,
            "{name}: {whole} of {rounds} were looked at wholly"
        );
        assert!(
            clean < rounds / 2,
            "{name}: {clean} of {rounds} were found clean"
        );
        let again = check(&device).unwrap();
        assert!(again.is_clean(), "{name}: {again:#?}");
    }
}
