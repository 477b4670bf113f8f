//! What the tests of `christen-mkisofs` share: a tree, and how the judges read an image.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod boot;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use christen_testkit::{TempDir, tools};

pub(crate) fn mkisofs() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_christen-mkisofs"));
    command
        .env_remove("SOURCE_DATE_EPOCH")
        .env_remove("CHRISTEN_OUTPUT_MODE")
        .env("CHRISTEN_SYNC", "no");
    command
}

/// Runs a command that must succeed, and returns what it wrote.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Runs a command that must fail, and returns its exit status and message.
#[track_caller]
pub(crate) fn fail(command: &mut Command) -> (i32, String) {
    let output = command.output().expect("the program starts");
    assert!(!output.status.success(), "{command:?} succeeded");
    (
        output.status.code().expect("it ended by itself"),
        String::from_utf8(output.stderr).expect("messages are UTF-8"),
    )
}

/// Writes a file and the directories above it, with a time in the past.
pub(crate) fn put(root: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("writable");
    fs::write(&path, content).expect("writable");
    set_time(&path);
}

fn set_time(path: &Path) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::open(path)
        .and_then(|file| file.set_modified(time))
        .expect("the owner sets times");
}

/// A tree as Nova makes one: dates for names, names that the plain tree must change, sizes
/// around a sector, nothing in a file, deep enough to look twice.
pub(crate) fn config_drive_tree(root: &Path) {
    for version in ["2012-08-10", "2018-08-27", "latest"] {
        let meta_data = format!("{{\"uuid\": \"{version}\"}}");
        put(
            root,
            &format!("openstack/{version}/meta_data.json"),
            meta_data,
        );
        put(
            root,
            &format!("openstack/{version}/user_data"),
            "#!/bin/sh\n",
        );
        put(root, &format!("ec2/{version}/meta-data.json"), "{}");
        put(root, &format!("ec2/{version}/user-data"), "#!/bin/sh\n");
    }
    for (number, length) in [0, 1, 2047, 2048, 2049, 100_000].into_iter().enumerate() {
        let content: Vec<u8> = (0..length).map(|byte: u32| (byte % 251) as u8).collect();
        put(root, &format!("openstack/content/{number:04}"), content);
    }
    put(root, "openstack/.hidden", "dot\n");
    put(root, "openstack/two.dots.txt", "dots\n");
    put(root, "openstack/Grüße aus Köln.txt", "unicode\n");
    fs::create_dir(root.join("empty")).expect("writable");
}

/// Three files as NoCloud has them, with a name that fits one tree only.
pub(crate) fn seed_files(root: &Path) -> Vec<PathBuf> {
    ["user-data", "meta-data", "network-config"]
        .map(|name| {
            put(root, name, format!("content of {name}\n"));
            root.join(name)
        })
        .to_vec()
}

/// What the judges read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) label: String,
    pub(crate) publisher: String,
    pub(crate) plain: Vec<String>,
    pub(crate) joliet: Vec<String>,
    /// Mode, owner, group, length and name, by isoinfo.
    pub(crate) rock_ridge: Vec<String>,
    /// The same without the length of directories, by xorriso.
    pub(crate) xorriso: Vec<String>,
    /// Length, time and name of the files, by bsdtar.
    pub(crate) bsdtar: Vec<String>,
}

/// Finds the judges, or says which is missing.
pub(crate) fn judges() -> Option<()> {
    for tool in ["isoinfo", "xorriso", "bsdtar", "blkid"] {
        tools::require(tool)?;
    }
    Some(())
}

/// Lets every judge read an image.
pub(crate) fn read(image: &Path) -> Reading {
    let isoinfo = |arguments: &[&str]| {
        let mut command = Command::new("isoinfo");
        command.args(arguments).arg("-i").arg(image);
        text(&mut command)
    };
    let description = isoinfo(&["-d"]);
    let field = |name: &str| {
        description
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let has = |line: &str| description.lines().any(|found| found.starts_with(line));
    let sorted = |text: String| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let joliet = if has("Joliet with UCS level") {
        sorted(isoinfo(&["-J", "-f"]))
    } else {
        Vec::new()
    };
    let rock_ridge = if has("Rock Ridge signatures") {
        rock_ridge_lines(&isoinfo(&["-R", "-l"]))
    } else {
        Vec::new()
    };
    let blkid = tools::find("blkid").expect("it was asked for");
    let label = text(
        Command::new(blkid)
            .args(["-p", "-o", "value", "-s", "LABEL"])
            .arg(image),
    );
    assert_eq!(
        label.trim_end(),
        field("Volume id:"),
        "blkid and isoinfo agree"
    );
    Reading {
        label: label.trim_end().to_owned(),
        publisher: field("Publisher id:"),
        plain: sorted(isoinfo(&["-f"])),
        joliet,
        rock_ridge,
        xorriso: xorriso_lines(image),
        bsdtar: bsdtar_lines(image),
    }
}

/// `DIRECTORY MODE UID GID LENGTH NAME [-> TARGET]`. The link count and the block are the
/// writer's own affair, and `..` of the root is by one of them wrong.
fn rock_ridge_lines(listing: &str) -> Vec<String> {
    let mut directory = "";
    let mut lines = Vec::new();
    for line in listing.lines() {
        if let Some(name) = line.strip_prefix("Directory listing of ") {
            directory = name;
            continue;
        }
        let fields: Vec<_> = line.split_whitespace().collect();
        let Some((_, name)) = line.split_once(']') else {
            continue;
        };
        let name = name.trim();
        if name != ".." {
            let length = if fields[0].starts_with('d') {
                "-"
            } else {
                fields[4]
            };
            lines.push(format!(
                "{directory} {} {} {} {length} {name}",
                fields[0], fields[2], fields[3]
            ));
        }
    }
    lines.sort();
    lines
}

fn xorriso_lines(image: &Path) -> Vec<String> {
    let listing = text(
        Command::new("xorriso")
            .args(["-report_about", "SORRY", "-indev"])
            .arg(image)
            .args(["-find", "/", "-exec", "lsdl", "--"]),
    );
    let mut lines: Vec<_> = listing
        .lines()
        .map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let name = line.split_once('\'').expect("xorriso quotes names").1;
            let length = if fields[0].starts_with('d') {
                "-"
            } else {
                fields[4]
            };
            format!("{} {} {} {length} {name}", fields[0], fields[2], fields[3])
        })
        .collect();
    lines.sort();
    lines
}

fn bsdtar_lines(image: &Path) -> Vec<String> {
    let listing = text(Command::new("bsdtar").arg("-tvf").arg(image));
    let mut lines: Vec<_> = listing
        .lines()
        .filter(|line| line.starts_with('-'))
        .map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields[4..].join(" ")
        })
        .collect();
    lines.sort();
    lines
}

#[track_caller]
fn text(command: &mut Command) -> String {
    command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    // isoinfo prints Joliet names in ISO 8859-1; what it mangles it mangles in both images.
    String::from_utf8_lossy(&tools::run(command)).into_owned()
}

/// Takes the image apart with bsdtar, and returns every file's content by its name.
pub(crate) fn contents(image: &Path) -> BTreeMap<String, Vec<u8>> {
    let directory = TempDir::new();
    tools::run(
        Command::new("bsdtar")
            .env("LC_ALL", "C.UTF-8")
            .arg("-xf")
            .arg(image)
            .arg("-C")
            .arg(directory.path()),
    );
    contents_of_tree(directory.path())
}

/// Every file of a tree on disk, by its name; links are not followed.
pub(crate) fn contents_of_tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).expect("readable") {
            let path = entry.expect("readable").path();
            let kind = path.symlink_metadata().expect("readable").file_type();
            if kind.is_dir() {
                pending.push(path);
            } else if kind.is_file() {
                let name = path.strip_prefix(root).expect("below it");
                let name = name.to_str().expect("UTF-8").to_owned();
                found.insert(name, fs::read(&path).expect("readable"));
            }
        }
    }
    found
}
