//! The filesystem in memory against the kernel: a directory of an ext4 image that the kernel mounts does the same operations.
//!
//! Needs root and loop devices.

use std::path::Path;
use std::thread;
use std::time::Duration;

use christen_testkit::kernel::{self, HostDirectory, Mount};
use christen_testkit::{TempDir, tools};
use christen_vfs::conformance::{self, Capabilities};
use christen_vfs::memory::Memory;
use christen_vfs::model::{self, Operation, Profile};
use christen_vfs::tree::{Aspects, Tree, TreeFile, TreeOptions};
use christen_vfs::{FileSystem, GuestPath, Limits, Timestamp};

/// What the kernel holds in an ext4 filesystem with blocks of 4096 bytes and no ea_inode: the block of attributes has a header of
/// 32 bytes, an entry of 16 and its name, and 4 zeros at the end of the entries.
fn limits() -> Limits {
    Limits {
        file_bytes: ((1 << 32) - 1) * 4096,
        attribute_bytes: 4096 - 32 - 16 - 4 - 4,
        ..Memory::new().limits()
    }
}

/// Makes an image, mounts it, and calls `judge` with its top.
fn on_ext4(judge: impl FnOnce(&Path)) {
    let (Some(mke2fs), true) = (tools::require("mke2fs"), kernel::require()) else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("image");
    tools::output(
        mke2fs,
        [
            "-q",
            "-t",
            "ext4",
            "-b",
            "4096",
            &image.display().to_string(),
            "256M",
        ],
    );
    let mount = Mount::writable(&image);
    judge(mount.path());
    mount.unmount();
}

/// What the kernel's clock sets is not the case's moment, so the cases about that cannot be asked.
const KERNEL: Capabilities = Capabilities {
    stamps: false,
    ..Capabilities::ALL
};

/// Cases that look at what the kernel's clock sets, or at free blocks that the kernel has not counted yet.
const NOT_ASKED: [&str; 5] = [
    "an_empty_write_changes_nothing",
    "times_are_set_and_kept",
    "statistics_follow_what_is_written",
    "attributes_go_with_their_file",
    "a_source_that_fails_leaves_the_old_content",
];

#[test]
fn the_kernel_conforms_to_the_suite() {
    on_ext4(|top| {
        let mut fs = HostDirectory::open(top, limits()).expect("opens");
        let report = conformance::run_in(&mut fs, &KERNEL);
        let failed: Vec<_> = report
            .failed()
            .filter(|(name, _)| !NOT_ASKED.contains(name))
            .collect();
        assert!(failed.is_empty(), "{failed:#?}");
        assert!(report.cases.len() > 80);
    });
}

fn tree(fs: &mut dyn FileSystem) -> Tree {
    let root = fs.root();
    let options = TreeOptions {
        content_bytes: 1 << 30,
    };
    Tree::read(fs, root, &options).expect("reads the tree")
}

/// One of a file's times.
type Time = (&'static str, fn(&TreeFile) -> Timestamp);

const TIMES: [Time; 3] = [
    ("accessed", |file| file.accessed),
    ("modified", |file| file.modified),
    ("changed", |file| file.changed),
];

/// The kernel stamps with its own clock, so what is compared is whether a time moved.
fn moved(before: &Tree, after: &Tree) -> Vec<String> {
    let mut moved = Vec::new();
    for (path, file) in &after.files {
        let Some(old) = before.files.get(path) else {
            continue;
        };
        for (name, time) in TIMES {
            if time(old) != time(file) {
                moved.push(format!("{path}: {name}"));
            }
        }
    }
    moved
}

#[test]
fn the_model_does_what_the_kernel_does() {
    let full = std::env::var_os("CHRISTEN_JUDGE_FULL").is_some();
    let (seeds, steps) = if full { (12, 1500) } else { (2, 350) };
    for seed in 0..seeds {
        on_ext4(|top| {
            let path = top.join("top");
            std::fs::create_dir(&path).expect("makes a directory");
            let mut kernel = HostDirectory::open(&path, limits()).expect("opens");
            let mut memory = Memory::copy_of(&mut kernel, 0).expect("copies");
            let profile = Profile {
                files: 50,
                content_bytes: 60_000,
                ..Profile::DEFAULT
            };
            let operations = model::generate(&mut memory.clone(), seed, steps, &profile);
            let mut trees = (tree(&mut kernel), tree(&mut memory));
            for (step, operation) in operations.iter().enumerate() {
                compare(seed, step, operation, &mut kernel, &mut memory, &mut trees);
            }
        });
    }
}

fn compare(
    seed: u64,
    step: usize,
    operation: &Operation,
    kernel: &mut HostDirectory,
    memory: &mut Memory,
    trees: &mut (Tree, Tree),
) {
    // A tick of the slowest clock, so that a kernel without multigrain timestamps sets another time than before.
    thread::sleep(Duration::from_millis(4));
    memory.set_now(model::moment(step));
    let context = format!("seed {seed}, operation {step} {operation:?}");
    let found = operation.apply(kernel);
    let expected = operation.apply(memory);
    let sort =
        |outcome: &christen_vfs::Result<()>| outcome.as_ref().err().map(std::mem::discriminant);
    assert_eq!(
        sort(&found),
        sort(&expected),
        "{context}: the kernel says {found:?}, the model {expected:?}"
    );
    let after = (tree(kernel), tree(memory));
    let aspects = Aspects {
        directory_links: true,
        ..Aspects::WITHOUT_TIMES
    };
    let differences = christen_vfs::tree::differences(&after.0, &after.1, &aspects);
    assert!(
        differences.is_empty(),
        "{context}: kernel first, then model: {}",
        differences[0]
    );
    if !matches!(operation, Operation::SetTimes { .. }) {
        assert_eq!(
            moved(&trees.0, &after.0),
            moved(&trees.1, &after.1),
            "{context}: the times that the kernel and the model set"
        );
    }
    for path in operation.paths() {
        if let Operation::SetTimes { times, .. } = operation {
            let (Some(kernel), Some(memory)) = (after.0.files.get(path), after.1.files.get(path))
            else {
                continue;
            };
            if times.modified.is_some() {
                assert_eq!(kernel.modified, memory.modified, "{context}");
            }
            if times.accessed.is_some() {
                assert_eq!(kernel.accessed, memory.accessed, "{context}");
            }
        }
    }
    *trees = after;
}

#[test]
fn a_copy_of_what_the_kernel_made_is_the_same() {
    on_ext4(|top| {
        let mut kernel = HostDirectory::open(top, limits()).expect("opens");
        let mut memory = Memory::new();
        let operations = model::generate(&mut memory, 77, 500, &Profile::DEFAULT);
        for operation in &operations {
            // What is refused is the other test's affair.
            let _ = operation.apply(&mut kernel);
        }
        let mut copy = Memory::copy_of(&mut kernel, 1 << 30).expect("copies");
        let (kernel, copy) = (tree(&mut kernel), tree(&mut copy));
        let differences = christen_vfs::tree::differences(&kernel, &copy, &Aspects::ALL);
        assert!(differences.is_empty(), "{}", differences[0]);
        assert!(kernel.files.contains_key(&GuestPath::root()));
        assert!(kernel.files.len() > 50);
    });
}
