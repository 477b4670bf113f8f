//! Other people's readers of ISO 9660 return what went in.

mod common;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

use christen_configdrive::iso9660::{self, Options, Report, View};
use christen_configdrive::{EntryId, Timestamp, Tree};
use christen_testkit::trees::{Entry, Names, Shape, random};
use christen_testkit::{TempDir, tools};
use common::{assert_same, entries, expected, listing, seeds, tree};

/// 2024-12-31T23:59:59Z.
const TIME: Timestamp = Timestamp::from_seconds(1_735_689_599);

fn shape(seed: u64, depth: usize) -> Shape {
    Shape {
        entries: entries(seed),
        depth,
        names: Names::Posix,
        // The most that Linux reads; see `Report::too_long_for_linux`.
        name_bytes: 253,
        // libisofs refuses paths of more than 1024 bytes, libarchive Joliet paths of more than 512 units.
        path_bytes: 500,
        links: true,
    }
}

fn build(tree: &Tree, directory: &Path) -> Report {
    let mut image = Vec::new();
    let options = Options::new("config-2", TIME);
    let report = iso9660::write(tree, &options, &mut image).unwrap();
    assert_eq!(report.size_bytes, image.len() as u64);
    assert_eq!(iso9660::size(tree, &options).unwrap(), report.size_bytes);
    std::fs::write(directory.join("drive.iso"), &image).unwrap();
    let mut again = Vec::new();
    iso9660::write(tree, &options, &mut again).unwrap();
    assert!(image == again, "same input, same bytes");
    report
}

/// Returns a path as a view shows it.
fn renamer(tree: &Tree, report: &Report, view: View) -> impl Fn(&str) -> String + use<> {
    let names: HashMap<EntryId, String> = report
        .renamed
        .iter()
        .filter(|renamed| renamed.view == view)
        .map(|renamed| (renamed.entry, renamed.name.clone()))
        .collect();
    let paths: HashMap<String, String> = tree
        .entries()
        .map(|entry| {
            let mut parts = Vec::new();
            let mut at = entry;
            while at != EntryId::ROOT {
                let name = names.get(&at).map_or(tree.name(at), String::as_str);
                parts.push(name.to_owned());
                at = tree.parent(at);
            }
            parts.reverse();
            (tree.path(entry), parts.join("/"))
        })
        .collect();
    move |path| paths[path].clone()
}

fn each_tree(depth: usize, check: impl Fn(&[Entry], &Tree, &Report, &TempDir, &str)) {
    for seed in seeds() {
        let entries = random(seed, &shape(seed, depth));
        let tree = tree(&entries);
        let directory = TempDir::new();
        let report = build(&tree, &directory);
        check(
            &entries,
            &tree,
            &report,
            &directory,
            &format!("seed {seed}"),
        );
        // Extracted directories are as read-only as those on the drive.
        tools::output("chmod", ["-R".as_ref(), "u+rwX".as_ref(), directory.path()]);
    }
}

#[test]
fn xorriso_extracts_the_tree_by_rock_ridge() {
    let Some(xorriso) = tools::require("xorriso") else {
        return;
    };
    each_tree(14, |entries, _, _, directory, what| {
        tools::run(
            Command::new(&xorriso)
                .env("LC_ALL", "C.UTF-8")
                .current_dir(directory.path())
                .args([
                    "-osirrox",
                    "on",
                    "-indev",
                    "drive.iso",
                    "-extract",
                    "/",
                    "out",
                ]),
        );
        let got = listing(&directory.join("out"));
        assert_same(&got, &expected(entries, str::to_owned, true), what);
    });
}

fn bsdtar(directory: &Path, options: &str) -> Option<common::Listing> {
    let bsdtar = tools::require("bsdtar")?;
    let out = directory.join("out");
    std::fs::create_dir(&out).unwrap();
    tools::run(
        Command::new(bsdtar)
            .env("LC_ALL", "C.UTF-8")
            .current_dir(directory)
            .args(["-x", "-P", "-f", "drive.iso", "-C", "out"])
            .args((!options.is_empty()).then(|| format!("--options={options}"))),
    );
    Some(listing(&out))
}

#[test]
fn bsdtar_extracts_the_tree_by_rock_ridge() {
    each_tree(14, |entries, _, _, directory, what| {
        if let Some(got) = bsdtar(directory, "") {
            assert_same(&got, &expected(entries, str::to_owned, true), what);
        }
    });
}

#[test]
fn bsdtar_extracts_the_joliet_tree() {
    each_tree(14, |entries, tree, report, directory, what| {
        if let Some(got) = bsdtar(directory, "iso9660:!rockridge") {
            let rename = renamer(tree, report, View::Joliet);
            assert_same(&got, &expected(entries, rename, false), what);
        }
    });
}

#[test]
fn bsdtar_extracts_the_plain_tree() {
    each_tree(7, |entries, tree, report, directory, what| {
        if let Some(got) = bsdtar(directory, "iso9660:!rockridge,iso9660:!joliet") {
            let rename = renamer(tree, report, View::Plain);
            assert_same(&got, &expected(entries, rename, false), what);
        }
    });
}

#[test]
fn isoinfo_lists_every_tree() {
    let Some(isoinfo) = tools::require("isoinfo") else {
        return;
    };
    each_tree(7, |entries, tree, report, directory, what| {
        let image = directory.join("drive.iso");
        let list = |arguments: &[&str]| -> BTreeSet<String> {
            let output = tools::run(
                Command::new(&isoinfo)
                    .env("LC_ALL", "C.UTF-8")
                    .args(arguments)
                    .args(["-f", "-i"])
                    .arg(&image),
            );
            String::from_utf8_lossy(&output)
                .lines()
                .map(|line| {
                    let path = line.trim_start_matches('/');
                    let path = path.strip_suffix(";1").unwrap_or(path);
                    path.to_owned()
                })
                .collect()
        };
        let paths = |rename: &dyn Fn(&str) -> String| -> BTreeSet<String> {
            entries.iter().map(|entry| rename(&entry.path)).collect()
        };
        assert_eq!(list(&["-R"]), paths(&str::to_owned), "{what}, Rock Ridge");
        let plain = renamer(tree, report, View::Plain);
        let got: BTreeSet<String> = list(&[])
            .iter()
            .map(|path| path.strip_suffix('.').unwrap_or(path).to_owned())
            .collect();
        let wanted = paths(&|path| {
            let path = plain(path);
            path.strip_suffix('.').unwrap_or(&path).to_owned()
        });
        assert_eq!(got, wanted, "{what}, plain");
        // isoinfo shows Joliet names in an eight-bit character set.
        let basic = |path: &String| path.is_ascii();
        let got: BTreeSet<String> = list(&["-J"]);
        let wanted = paths(&renamer(tree, report, View::Joliet));
        assert_eq!(got.len(), wanted.len(), "{what}, Joliet");
        let missing: Vec<_> = wanted
            .iter()
            .filter(|path| basic(path) && !got.contains(*path))
            .collect();
        assert!(missing.is_empty(), "{what}, Joliet: {missing:?}");
        let summary = String::from_utf8(tools::output(
            &isoinfo,
            ["-d".as_ref(), "-i".as_ref(), image.as_os_str()],
        ))
        .unwrap();
        for line in [
            "System id: LINUX",
            "Volume id: config-2",
            "Joliet with UCS level 3 found",
            "Rock Ridge signatures version 1 found",
        ] {
            assert!(summary.contains(line), "{line}\n{summary}");
        }
    });
}

#[test]
fn isovfy_finds_no_error() {
    let Some(isovfy) = tools::require("isovfy") else {
        return;
    };
    each_tree(14, |_, _, _, directory, what| {
        let output = tools::output(&isovfy, [directory.join("drive.iso")]);
        let output = String::from_utf8_lossy(&output).into_owned();
        assert!(output.contains("No errors found"), "{what}\n{output}");
    });
}

#[test]
fn blkid_sees_label_and_time() {
    let Some(blkid) = tools::require("blkid") else {
        return;
    };
    let directory = TempDir::new();
    build(&Tree::new(), &directory);
    let output = tools::output(blkid, ["-p".into(), directory.join("drive.iso")]);
    let output = String::from_utf8(output).unwrap();
    for field in [
        r#"TYPE="iso9660""#,
        r#"LABEL="config-2""#,
        r#"UUID="2024-12-31-23-59-59-00""#,
    ] {
        assert!(output.contains(field), "{field}\n{output}");
    }
}

/// Nova's own tree, as genisoimage and we put it down: the same names, modes and order in every view.
#[test]
fn genisoimage_gives_the_same_names_and_modes() {
    let (Some(genisoimage), Some(isoinfo)) =
        (tools::require("genisoimage"), tools::require("isoinfo"))
    else {
        return;
    };
    let directory = TempDir::new();
    let mut tree = Tree::new();
    for path in [
        "ec2/2009-04-04/meta-data.json",
        "ec2/2009-04-04/user-data",
        "ec2/latest/meta-data.json",
        "openstack/2012-08-10/meta_data.json",
        "openstack/2012-08-10/user_data",
        "openstack/latest/network_data.json",
        "openstack/latest/vendor_data2.json",
        "openstack/content/0000",
        "openstack/content/0001",
        "other/a-name-that-is-longer-than-the-plain-tree-has-them.configuration",
        "other/.hidden.txt",
        "other/a.b.c",
        "other/a.txt",
        "other/a0.txt",
        "other/B.TXT",
        "other/a",
    ] {
        tree.add_file(path, path.as_bytes().to_vec()).unwrap();
        let file = directory.join("tree").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, path).unwrap();
    }
    build(&tree, &directory);
    tools::run(
        Command::new(genisoimage)
            .current_dir(directory.path())
            .args(["-quiet", "-o", "theirs.iso", "-ldots", "-allow-lowercase"])
            .args([
                "-allow-multidot",
                "-l",
                "-J",
                "-r",
                "-V",
                "config-2",
                "tree",
            ]),
    );
    for view in [
        &["-f"][..],
        &["-J", "-f"],
        &["-R", "-f"],
        &["-R", "-l"],
        &["-l"],
    ] {
        let list = |image: &str| -> Vec<String> {
            let mut command = Command::new(&isoinfo);
            command.args(view).arg("-i").arg(directory.join(image));
            let output = String::from_utf8(tools::run(&mut command)).unwrap();
            // Times and places differ: they stand between the size and the name.
            // Their order is that of the records (ECMA-119 §9.3) and of the path table (§6.9.1).
            output
                .lines()
                .map(
                    |line| match (line.find(" Dec "), line.find(" Nov "), line.find(']')) {
                        (_, _, Some(end)) => {
                            let size: Vec<&str> = line[..end].split_whitespace().take(5).collect();
                            format!("{} {}", size.join(" "), &line[end..])
                        }
                        _ => line.to_owned(),
                    },
                )
                .collect()
        };
        let (mut ours, mut theirs) = (list("drive.iso"), list("theirs.iso"));
        if view[0] == "-J" {
            // genisoimage sorts Joliet names without regard for extensions.
            ours.sort();
            theirs.sort();
        }
        assert_eq!(ours, theirs, "{view:?}");
    }
}

#[test]
fn modes_and_owners_are_kept_when_asked() {
    let Some(xorriso) = tools::require("xorriso") else {
        return;
    };
    let directory = TempDir::new();
    let mut tree = Tree::new();
    let file = tree.add_file("script", b"#!".to_vec()).unwrap();
    let mut attributes = tree.attributes(file);
    (attributes.mode, attributes.uid, attributes.gid) = (0o4751, 1000, 70_000);
    attributes.modified = Some(Timestamp::from_seconds(1_000_000_000));
    tree.set_attributes(file, attributes);
    for (rock_ridge, expected) in [
        (
            iso9660::RockRidge::Faithful,
            "-rwsr-x--x 1 1000 70000 2 2001-09-09",
        ),
        (
            iso9660::RockRidge::Rationalized,
            "-r-xr-xr-x 1 0 0 2 2001-09-09",
        ),
    ] {
        let mut image = Vec::new();
        let options = Options {
            rock_ridge: Some(rock_ridge),
            ..Options::new("config-2", TIME)
        };
        iso9660::write(&tree, &options, &mut image).unwrap();
        let path = directory.join("drive.iso");
        std::fs::write(&path, image).unwrap();
        let output = tools::output(
            &xorriso,
            [
                "-indev".as_ref(),
                path.as_os_str(),
                "-lsl".as_ref(),
                "/script".as_ref(),
            ],
        );
        let output = String::from_utf8(output).unwrap();
        let words: Vec<&str> = output.split_whitespace().collect();
        let line = words.join(" ");
        let shown = expected.rsplit_once(' ').unwrap().0;
        assert!(line.contains(shown), "{line}, expected {shown}");
    }
}

#[test]
fn one_extent_does_not_hold_four_gigabytes() {
    let Some(xorriso) = tools::require("xorriso") else {
        return;
    };
    let directory = TempDir::new();
    let length = (4 << 30) + 3;
    let source = directory.join("large");
    std::fs::File::create(&source)
        .unwrap()
        .set_len(length)
        .unwrap();
    let mut tree = Tree::new();
    tree.add_file(
        "large",
        christen_configdrive::Content::Stream {
            length,
            open: Box::new(move || Ok(Box::new(std::io::Read::take(std::io::repeat(0), length)))),
        },
    )
    .unwrap();
    tree.add_file("next", b"after".to_vec()).unwrap();
    let path = directory.join("drive.iso");
    let file = std::fs::File::create(&path).unwrap();
    let mut sink = Holes(christen_configdrive::FileSink::new(file));
    iso9660::write(&tree, &Options::new("config-2", TIME), &mut sink).unwrap();
    sink.0.finish().unwrap();
    let output = tools::output(
        xorriso,
        [
            "-indev".as_ref(),
            path.as_os_str(),
            "-lsl".as_ref(),
            "/".as_ref(),
        ],
    );
    let output = String::from_utf8(output).unwrap();
    assert!(output.contains(&format!(" {length} ")), "{output}");
    if let Some(isoinfo) = tools::require("isoinfo") {
        let content = tools::output(
            isoinfo,
            [
                "-R".as_ref(),
                "-i".as_ref(),
                path.as_os_str(),
                "-x".as_ref(),
                "/next".as_ref(),
            ],
        );
        assert_eq!(content, b"after");
    }
}

/// Takes blocks of zeros for holes, so that a large file of zeros costs nothing.
struct Holes(christen_configdrive::FileSink);

impl std::io::Write for Holes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        use christen_configdrive::Sink;
        if bytes.len() >= 64 << 10 && bytes.iter().all(|byte| *byte == 0) {
            self.0.write_zeros(bytes.len() as u64)?;
            return Ok(bytes.len());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl christen_configdrive::Sink for Holes {}

#[test]
fn deep_directories_need_rock_ridge() {
    let mut tree = Tree::new();
    tree.add_file("1/2/3/4/5/6/7/8/file", b"x".to_vec())
        .unwrap();
    let options = Options {
        rock_ridge: None,
        ..Options::new("config-2", TIME)
    };
    let error = iso9660::size(&tree, &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ISO 9660 cannot hold `1/2/3/4/5/6/7/8`: without Rock Ridge a directory has at most seven above it"
    );
    let options = Options {
        deep_directories: true,
        ..options
    };
    iso9660::size(&tree, &options).unwrap();
}

#[test]
fn more_directories_than_a_path_table_can_number_are_refused() {
    let mut tree = Tree::new();
    for number in 0..65_534 {
        tree.add_directory(&format!("{}/{number}", number % 7))
            .unwrap();
    }
    let options = Options::new("config-2", TIME);
    let error = iso9660::size(&tree, &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tree is too large for ISO 9660: 65542 directories, at most 65535"
    );
}

/// Longer than one continuation area, so that one leads to the next.
#[test]
fn the_longest_target_is_read_back() {
    let Some(bsdtar) = tools::require("bsdtar") else {
        return;
    };
    let directory = TempDir::new();
    let mut target = "../".repeat(300);
    target.push_str(&format!("{}/", "part".repeat(9)).repeat(80));
    target.push_str(&"z".repeat(4095 - target.len()));
    let mut tree = Tree::new();
    tree.add_symlink("link", &target).unwrap();
    build(&tree, &directory);
    let output = tools::output(
        bsdtar,
        ["-tvf".into(), directory.join("drive.iso").into_os_string()],
    );
    let output = String::from_utf8(output).unwrap();
    assert!(output.contains(&format!("link -> {target}\n")), "{output}");
}

/// A directory of the tree that has the name of the one for moved directories is that one.
#[test]
fn moved_directories_share_a_directory_with_the_trees_own() {
    let entries: Vec<Entry> = [
        "rr_moved",
        "1",
        "1/2",
        "1/2/3",
        "1/2/3/4",
        "1/2/3/4/5",
        "1/2/3/4/5/6",
        "1/2/3/4/5/6/7",
        "1/2/3/4/5/6/7/8",
        "rr_moved/8",
    ]
    .iter()
    .map(|path| Entry {
        path: (*path).to_owned(),
        kind: christen_testkit::trees::Kind::Directory,
    })
    .collect();
    let directory = TempDir::new();
    build(&tree(&entries), &directory);
    if let Some(got) = bsdtar(&directory, "") {
        assert_same(&got, &expected(&entries, str::to_owned, true), "bsdtar");
    }
    tools::output("chmod", ["-R".as_ref(), "u+rwX".as_ref(), directory.path()]);
}
