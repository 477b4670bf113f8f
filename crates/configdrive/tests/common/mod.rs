//! Trees for the judges, and what they make of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use christen_configdrive::Tree;
use christen_testkit::trees::{Entry, Kind};

/// What is at a path: nothing for a directory, bytes for a file, a target for a link.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Directory,
    File(Vec<u8>),
    Symlink(String),
}

pub(crate) type Listing = BTreeMap<String, Found>;

/// Makes a tree of random entries.
pub(crate) fn tree(entries: &[Entry]) -> Tree {
    let mut tree = Tree::new();
    for entry in entries {
        match &entry.kind {
            Kind::Directory => tree.add_directory(&entry.path),
            Kind::File(content) => tree.add_file(&entry.path, content.clone()),
            Kind::Symlink(target) => tree.add_symlink(&entry.path, target),
        }
        .unwrap();
    }
    tree
}

/// Returns what a reader should find, when `rename` has the paths that it shows.
pub(crate) fn expected(entries: &[Entry], rename: impl Fn(&str) -> String, links: bool) -> Listing {
    entries
        .iter()
        .map(|entry| {
            let found = match &entry.kind {
                Kind::Directory => Found::Directory,
                Kind::File(content) => Found::File(content.clone()),
                Kind::Symlink(target) if links => Found::Symlink(target.clone()),
                Kind::Symlink(_) => Found::File(Vec::new()),
            };
            (rename(&entry.path), found)
        })
        .collect()
}

/// Returns what is below a directory of the host.
#[allow(
    dead_code,
    reason = "the guest's kernel needs no directory of the host"
)]
pub(crate) fn listing(directory: &Path) -> Listing {
    let mut listing = Listing::new();
    let mut todo = vec![String::new()];
    while let Some(above) = todo.pop() {
        for entry in fs::read_dir(directory.join(&above)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = if above.is_empty() {
                name
            } else {
                format!("{above}/{name}")
            };
            let kind = entry.file_type().unwrap();
            let found = if kind.is_dir() {
                todo.push(path.clone());
                Found::Directory
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path()).unwrap();
                Found::Symlink(target.into_os_string().into_string().unwrap())
            } else {
                Found::File(fs::read(entry.path()).unwrap())
            };
            listing.insert(path, found);
        }
    }
    listing
}

/// Fails with the first few differences.
#[track_caller]
pub(crate) fn assert_same(got: &Listing, expected: &Listing, what: &str) {
    let describe = |found: Option<&Found>| match found {
        None => "nothing".to_owned(),
        Some(Found::Directory) => "a directory".to_owned(),
        Some(Found::File(content)) => format!("a file of {} bytes", content.len()),
        Some(Found::Symlink(target)) => format!("a link to {target}"),
    };
    let differences: Vec<String> = got
        .keys()
        .chain(expected.keys())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .filter(|path| got.get(*path) != expected.get(*path))
        .map(|path| {
            let (got, expected) = (describe(got.get(path)), describe(expected.get(path)));
            format!("{path:?}: {got}, expected {expected}")
        })
        .collect();
    assert!(
        differences.is_empty(),
        "{what}: {} differences\n{}",
        differences.len(),
        differences[..differences.len().min(10)].join("\n")
    );
}

/// How many entries the tree of a seed has: from a few to thousands.
pub(crate) fn entries(seed: u64) -> usize {
    [3, 60, 200, 1000, 20, 3000][seed as usize % 6]
}

/// Returns how many random trees a test takes; more for `cargo xtask judge`.
pub(crate) fn seeds() -> std::ops::Range<u64> {
    let count = std::env::var("CHRISTEN_JUDGE_TREES")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(6);
    0..count
}
