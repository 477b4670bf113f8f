//! Whole changes: that they come out as staged, and that a cut or a fault anywhere leaves the old tree or the new one.

mod hostile;

use std::fs;
use std::path::PathBuf;

use christen_testkit::TempDir;
use christen_vfs::FileSystem;
use christen_vfs::conformance::{self, Capabilities};
use christen_vfs::memory::Memory;
use christen_vfs::model::{Profile, ReplayOptions, generate, replay};
use christen_vfs::tree::{Aspects, Tree, TreeOptions, differences};

use super::*;
use crate::journal::Journal;
use crate::root::Root;

/// What the host keeps: when attributes changed and when a file was made is the kernel's own affair, and reading a link is noted.
const KEPT: Aspects = Aspects {
    changed: false,
    created: false,
    accessed: false,
    ..Aspects::ALL
};

struct Scratch {
    directory: TempDir,
}

impl Scratch {
    fn new() -> Self {
        let directory = TempDir::in_memory();
        fs::create_dir(directory.path().join("root")).unwrap();
        Self { directory }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn open(&self) -> HostDirectory {
        HostDirectory::open(&self.root(), IdMap::default()).unwrap()
    }

    fn tree(&self) -> Tree {
        read(&mut self.open())
    }

    fn has_journal(&self) -> bool {
        self.directory.path().join(".root.christen-undo").exists()
    }
}

fn read(fs: &mut dyn FileSystem) -> Tree {
    let root = fs.root();
    let options = TreeOptions {
        content_bytes: 1 << 30,
    };
    Tree::read(fs, root, &options).unwrap()
}

fn commit(directory: HostDirectory) -> Result<Committed> {
    directory.commit(&mut |_| Ok(()))
}

#[track_caller]
fn assert_same(first: &Tree, second: &Tree, what: &str) {
    let found = differences(first, second, &KEPT);
    assert!(found.is_empty(), "{what}: {found:#?}");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn it_is_a_filesystem_like_any() {
    let mut scratches = Vec::new();
    let report = conformance::run(
        &mut || {
            let scratch = Scratch::new();
            let directory = scratch.open();
            scratches.push(scratch);
            Box::new(directory)
        },
        &Capabilities::ALL,
    );
    assert!(report.is_clean(), "{report}");
    for scratch in scratches {
        assert_eq!(fs::read_dir(scratch.root()).unwrap().count(), 0);
    }
}

#[test]
fn all_that_a_filesystem_holds_comes_into_the_directory() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    let mut directory = scratch.open();
    conformance::run_in(&mut directory, &Capabilities::ALL);
    let staged = read(&mut directory);
    assert!(staged.files.len() > 800);
    commit(directory).unwrap();
    assert_same(&staged, &scratch.tree(), "after the commit");
    // Everything is read from the directory now.
    let mut directory = scratch.open();
    assert_same(&staged, &read(&mut directory), "once more");
    assert!(!scratch.has_journal());
}

/// A tree of its own for each seed, and operations on it that mean something.
fn base(scratch: &Scratch, seed: u64, profile: &Profile) {
    let mut memory = Memory::copy_of(&mut scratch.open(), 1 << 20).unwrap();
    let operations = generate(&mut memory, seed, 60, profile);
    let mut directory = scratch.open();
    for (step, operation) in operations.iter().enumerate() {
        directory.set_now(christen_vfs::model::moment(step));
        let _ = operation.apply(&mut directory);
    }
    commit(directory).unwrap();
}

#[test]
fn random_changes_come_out_as_staged() {
    if !is_root() {
        return;
    }
    for seed in 0..6 {
        let scratch = Scratch::new();
        for round in 0..4 {
            let mut directory = scratch.open();
            let mut model = Memory::copy_of(&mut directory, 1 << 30).unwrap();
            let operations = generate(
                &mut model.clone(),
                seed * 100 + round,
                150,
                &Profile::DEFAULT,
            );
            let mut fresh = scratch_open_again(directory, &scratch);
            let options = ReplayOptions {
                aspects: Aspects {
                    directory_links: false,
                    ..KEPT
                },
                ..ReplayOptions::ALL
            };
            replay(&operations, &mut fresh, &mut model, &options)
                .unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
            let staged = read(&mut fresh);
            commit(fresh).unwrap_or_else(|error| panic!("seed {seed}.{round}: {error:?}"));
            assert_same(&staged, &scratch.tree(), &format!("seed {seed}.{round}"));
            assert!(!scratch.has_journal());
        }
    }
}

/// Opens it anew, so that nothing was read yet.
fn scratch_open_again(directory: HostDirectory, scratch: &Scratch) -> HostDirectory {
    drop(directory);
    scratch.open()
}

/// Lets a call that changes something fail, or cuts everything from it on, at every call there is; the tree is then the old one or
/// the new one.
fn at_every_step(seed: u64, cut: bool) {
    let profile = Profile {
        content_bytes: 3000,
        files: 20,
        names: 8,
        ..Profile::DEFAULT
    };
    let scratch = Scratch::new();
    base(&scratch, seed, &profile);
    let old = scratch.tree();
    let mut number = 0;
    let mut ends = (0, 0);
    loop {
        let mut directory = scratch.open();
        let mut model = Memory::copy_of(&mut directory, 1 << 20).unwrap();
        drop(directory);
        let mut directory = scratch.open();
        let operations = generate(&mut model, seed + 1000, 40, &profile);
        for (step, operation) in operations.iter().enumerate() {
            directory.set_now(christen_vfs::model::moment(step + 1000));
            let _ = operation.apply(&mut directory);
        }
        let new = read(&mut directory);
        let faults = &directory.root.faults;
        if cut {
            faults.cut_at(number);
        } else {
            faults.fail_at(number);
        }
        let outcome = commit(directory);
        if cut && number % 3 == 1 {
            // What recovers is cut too, somewhere.
            let root = Root::open(&scratch.root()).unwrap();
            root.faults.cut_at(number % 17);
            let journal = Journal::beside(&scratch.root(), &root).unwrap();
            let _ = undo::recover_at(&root, &journal);
        }
        if !cut && outcome.is_err() {
            assert!(!matches!(outcome, Err(Error::NotUndone { .. })), "{number}");
        }
        let found = scratch.tree();
        assert!(!scratch.has_journal());
        match &outcome {
            Ok(committed) => {
                assert_same(&new, &found, &format!("{number}"));
                ends.1 += 1;
                if committed.left.is_none() {
                    break;
                }
                // The old tree comes back for the next step.
                fs::remove_dir_all(scratch.root()).unwrap();
                fs::create_dir(scratch.root()).unwrap();
                base(&scratch, seed, &profile);
                // What is made anew is the same but for what the kernel numbers.
                assert_same(&old, &scratch.tree(), "made again");
            }
            Err(_) => {
                assert_same(
                    &old,
                    &found,
                    &format!("seed {seed}, call {number}: {outcome:?}"),
                );
                ends.0 += 1;
            }
        }
        number += 1;
    }
    assert!(ends.0 > 50 && ends.1 > 3, "{ends:?}");
}

#[test]
fn a_cut_anywhere_leaves_the_old_tree_or_the_new_one() {
    if is_root() {
        for seed in 0..3 {
            at_every_step(seed, true);
        }
    }
}

#[test]
fn a_fault_anywhere_leaves_the_old_tree_or_the_new_one() {
    if is_root() {
        for seed in 3..6 {
            at_every_step(seed, false);
        }
    }
}
