//! A guest's kernel returns what went in: one boot, every random tree on ISO 9660 and VFAT.
//!
//! Ignored in ordinary runs since it boots a machine: `cargo xtask guest-check` runs it.

#![expect(
    clippy::print_stdout,
    reason = "how long the guest took belongs in the log"
)]

mod common;

use std::collections::HashMap;
use std::fs;
use std::time::Instant;

use christen_configdrive::iso9660::{self, View};
use christen_configdrive::vfat::{self, Layout};
use christen_configdrive::{EntryId, Timestamp, Tree};
use christen_testkit::TempDir;
use christen_testkit::guest::{self, DriveFile, GuestDrive};
use christen_testkit::trees::{Names, Shape, random};
use common::{Found, Listing, assert_same, entries, expected, seeds, tree};

/// 2024-12-31T23:59:59Z.
const TIME: Timestamp = Timestamp::from_seconds(1_735_689_599);

fn shape(seed: u64, depth: usize, names: Names) -> Shape {
    Shape {
        // Without the thousands: the boot is to stay under twenty seconds.
        entries: entries(seed % 4),
        depth,
        names,
        name_bytes: 250,
        path_bytes: 500,
        links: names == Names::Posix,
    }
}

/// What is to be compared with one drive of the guest.
struct Case {
    what: String,
    drive: DriveFile,
    views: Vec<(guest::View, Listing)>,
}

#[test]
#[ignore = "boots a guest; `cargo xtask guest-check` runs it"]
fn the_guest_reads_every_tree() {
    if !guest::require() {
        return;
    }
    let directory = TempDir::new();
    let mut cases = Vec::new();
    for seed in seeds() {
        for depth in [7, 14] {
            cases.push(iso(seed, depth, &directory));
        }
        for layout in [Layout::Exact, Layout::Nova64MiB] {
            cases.extend(fat(seed, layout, &directory));
        }
    }
    let drives: Vec<DriveFile> = cases.iter().map(|case| case.drive.clone()).collect();
    let start = Instant::now();
    let seen = guest::inspect_drives(&drives).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let mut compared = 0;
    for (case, seen) in cases.iter().zip(&seen) {
        assert_eq!(seen.label(), Some("config-2"), "{}", case.what);
        assert_eq!(seen.failed, [], "{}", case.what);
        for (view, expected) in &case.views {
            let what = format!("{}, {view:?}", case.what);
            assert_same(&found(seen, *view), expected, &what);
            compared += expected.len();
        }
    }
    println!(
        "the guest read {} drives, {compared} entries, in {seconds:.1} s",
        drives.len()
    );
}

fn iso(seed: u64, depth: usize, directory: &TempDir) -> Case {
    let what = format!("ISO 9660, seed {seed}, depth {depth}");
    let entries = random(seed, &shape(seed, depth, Names::Posix));
    let tree = tree(&entries);
    let mut image = Vec::new();
    let options = iso9660::Options::new("config-2", TIME);
    let report = iso9660::write(&tree, &options, &mut image).unwrap();
    let path = directory.join(format!("{seed}-{depth}.iso"));
    fs::write(&path, image).unwrap();
    let joliet = renamer(&tree, &report, View::Joliet);
    let mut views = vec![
        (
            guest::View::Default,
            expected(&entries, str::to_owned, true),
        ),
        (
            guest::View::Joliet,
            // Linux leaves dots at the end of a name out (fs/isofs/joliet.c, get_joliet_filename).
            expected(
                &entries,
                |path| each_name(&joliet(path), without_dots),
                false,
            ),
        ),
    ];
    // Deeper than eight levels the plain tree holds directories in other places.
    if depth <= 7 {
        let plain = renamer(&tree, &report, View::Plain);
        views.push((guest::View::Plain, expected(&entries, plain, false)));
    }
    Case {
        what,
        drive: DriveFile::cdrom(path),
        views,
    }
}

/// `None` when the tree is too large for the layout.
fn fat(seed: u64, layout: Layout, directory: &TempDir) -> Option<Case> {
    let entries = random(seed, &shape(seed, 10, Names::Vfat));
    let tree = tree(&entries);
    let options = vfat::Options {
        layout,
        ..vfat::Options::new("config-2", TIME)
    };
    vfat::size(&tree, &options).ok()?;
    let mut image = Vec::new();
    vfat::write(&tree, &options, &mut image).unwrap();
    let path = directory.join(format!("{seed}-{layout:?}.vfat"));
    fs::write(&path, image).unwrap();
    Some(Case {
        what: format!("VFAT, seed {seed}, {layout:?}"),
        drive: DriveFile::disk(path),
        views: vec![(guest::View::Vfat, expected(&entries, str::to_owned, false))],
    })
}

/// Returns the path of an entry as a view shows it.
fn renamer(tree: &Tree, report: &iso9660::Report, view: View) -> impl Fn(&str) -> String + use<> {
    let names: HashMap<EntryId, &str> = report
        .renamed
        .iter()
        .filter(|renamed| renamed.view == view)
        .map(|renamed| (renamed.entry, renamed.name.as_str()))
        .collect();
    let paths: HashMap<String, String> = tree
        .entries()
        .map(|entry| {
            let mut parts = Vec::new();
            let mut at = entry;
            while at != EntryId::ROOT {
                parts.push(names.get(&at).copied().unwrap_or(tree.name(at)));
                at = tree.parent(at);
            }
            parts.reverse();
            (tree.path(entry), parts.join("/"))
        })
        .collect();
    move |path| paths[path].clone()
}

fn each_name(path: &str, change: impl Fn(&str) -> &str) -> String {
    path.split('/').map(change).collect::<Vec<_>>().join("/")
}

fn without_dots(name: &str) -> &str {
    match name.trim_end_matches('.') {
        "" => &name[..1],
        name => name,
    }
}

/// The identifier without its version, and without the dot of an empty extension.
fn without_version(name: &str) -> &str {
    let name = name.strip_suffix(";1").unwrap_or(name);
    name.strip_suffix('.').unwrap_or(name)
}

/// What the guest saw, and that it saw the modes and owners that Nova's drives have.
fn found(drive: &GuestDrive, view: guest::View) -> Listing {
    let seen = drive.view(view).unwrap();
    seen.entries
        .iter()
        .map(|(path, entry)| {
            let path = str::from_utf8(path).unwrap();
            let found = if entry.is_directory() {
                Found::Directory
            } else if entry.is_file() {
                Found::File(entry.content.clone())
            } else {
                Found::Symlink(String::from_utf8(entry.content.clone()).unwrap())
            };
            if view == guest::View::Default && !matches!(found, Found::Symlink(_)) {
                let mode = if entry.is_directory() { 0o555 } else { 0o444 };
                assert_eq!(
                    (entry.permissions(), entry.uid, entry.gid),
                    (mode, 0, 0),
                    "{path}"
                );
            }
            let path = match view {
                guest::View::Plain => each_name(path, without_version),
                _ => path.to_owned(),
            };
            (path, found)
        })
        .collect()
}
