//! Other people's readers of VFAT return what went in.

mod common;

use std::process::Command;

use christen_configdrive::vfat::{self, Layout, Options};
use christen_configdrive::{Content, Timestamp, Tree};
use christen_testkit::trees::{Names, Shape, random};
use christen_testkit::{TempDir, tools};
use common::{assert_same, entries, expected, listing, seeds, tree};

/// 2024-12-31T23:59:59Z.
const TIME: Timestamp = Timestamp::from_seconds(1_735_689_599);

fn options(layout: Layout) -> Options {
    Options {
        layout,
        ..Options::new("config-2", TIME)
    }
}

/// Writes an image, lets fsck.vfat and blkid judge it, and returns it in a directory.
fn build(tree: &Tree, layout: Layout, what: &str) -> TempDir {
    let options = options(layout);
    let directory = TempDir::new();
    let path = directory.join("drive.vfat");
    let report = christen_configdrive::output::create(
        &path,
        christen_configdrive::output::Durability::Unsynced,
        |sink| vfat::write(tree, &options, sink),
    )
    .unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    assert_eq!(report.size_bytes, size, "{what}");
    assert_eq!(vfat::size(tree, &options).unwrap(), size, "{what}");
    if let Some(fsck) = tools::require("fsck.vfat") {
        let output = tools::run(Command::new(fsck).args(["-n", "-v"]).arg(&path));
        let output = String::from_utf8_lossy(&output).into_owned();
        let bits = format!("{} bit entries", report.fat_bits);
        assert!(output.contains(&bits), "{what}\n{output}");
        assert!(!output.contains("differ"), "{what}\n{output}");
    }
    if let Some(blkid) = tools::require("blkid") {
        let output = tools::output(blkid, ["-p".as_ref(), path.as_os_str()]);
        let output = String::from_utf8(output).unwrap();
        for field in [
            r#"TYPE="vfat""#,
            r#"LABEL="config-2""#,
            r#"LABEL_FATBOOT="config-2""#,
        ] {
            assert!(output.contains(field), "{what}: {field}\n{output}");
        }
    }
    directory
}

#[test]
fn mcopy_returns_the_tree() {
    let Some(mcopy) = tools::require("mcopy") else {
        return;
    };
    for seed in seeds() {
        let shape = Shape {
            entries: entries(seed),
            depth: 10,
            names: Names::Vfat,
            name_bytes: 250,
            path_bytes: 1000,
            links: false,
        };
        // mtools 4.0.32 has no characters beyond the basic plane; the guest's kernel is asked for those.
        let mut entries = random(seed, &shape);
        entries.retain(|entry| entry.path.chars().all(|character| character < '\u{10000}'));
        let tree = tree(&entries);
        for layout in [Layout::Exact, Layout::Nova64MiB] {
            let what = format!("seed {seed}, {layout:?}");
            if layout == Layout::Nova64MiB && vfat::size(&tree, &options(layout)).is_err() {
                continue;
            }
            let directory = build(&tree, layout, &what);
            let out = directory.join("out");
            std::fs::create_dir(&out).unwrap();
            tools::run(
                Command::new(&mcopy)
                    .env("LC_ALL", "C.UTF-8")
                    .args(["-s", "-n", "-Q", "-i"])
                    .arg(directory.join("drive.vfat"))
                    .arg("::*")
                    .arg(&out),
            );
            assert_same(
                &listing(&out),
                &expected(&entries, str::to_owned, true),
                &what,
            );
        }
    }
}

#[test]
fn fsck_accepts_every_width_of_the_table() {
    for (megabytes, files) in [(0, 1), (1, 3000), (3, 20), (40, 2), (100, 1), (300, 3)] {
        let mut tree = Tree::new();
        for number in 0..files {
            let length = megabytes * (1 << 20) / files;
            let content = Content::Stream {
                length,
                open: Box::new(move || {
                    Ok(Box::new(std::io::Read::take(std::io::repeat(0), length)))
                }),
            };
            tree.add_file(&format!("some/directory/file-{number}"), content)
                .unwrap();
        }
        build(
            &tree,
            Layout::Exact,
            &format!("{megabytes} MB in {files} files"),
        );
    }
}

/// Everything that mkfs.fat decides for a file of 64 MiB, but the serial number and its boot code.
#[test]
fn novas_layout_is_that_of_mkfs() {
    let Some(mkfs) = tools::require("mkfs.vfat") else {
        return;
    };
    let directory = build(&Tree::new(), Layout::Nova64MiB, "empty");
    let theirs = directory.join("theirs");
    std::fs::File::create(&theirs)
        .unwrap()
        .set_len(64 << 20)
        .unwrap();
    tools::run(Command::new(mkfs).args(["-n", "config-2"]).arg(&theirs));
    let ours = std::fs::read(directory.join("drive.vfat")).unwrap();
    let theirs = std::fs::read(theirs).unwrap();
    assert_eq!(ours.len(), theirs.len());
    assert_eq!(ours[3..39], theirs[3..39], "OEM name and BPB");
    assert_eq!(ours[43..62], theirs[43..62], "label and type");
    assert_eq!(
        ours[510..4 * 512],
        theirs[510..4 * 512],
        "signature, reserved sectors"
    );
    let root = (4 + 2 * 128) * 512;
    assert!(ours[4 * 512..root] == theirs[4 * 512..root], "tables");
    assert_eq!(ours[root..root + 12], theirs[root..root + 12], "label");
    assert!(ours[root + 32..] == theirs[root + 32..], "the rest");
}

#[test]
fn a_tree_too_large_for_novas_layout_is_refused() {
    let mut tree = Tree::new();
    let content = Content::Stream {
        length: 64 << 20,
        open: Box::new(|| Err(std::io::ErrorKind::NotFound.into())),
    };
    tree.add_file("large", content).unwrap();
    let error = vfat::size(&tree, &options(Layout::Nova64MiB)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tree is too large for VFAT: 32768 clusters, at most 32695"
    );
}
