//! Both readers against `debugfs`, on filesystems that `mke2fs` has filled.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::process::Command;

use christen_testkit::ext::{RECIPES, Recipe};
use christen_testkit::temp::TempDir;
use christen_testkit::tools;

use sha2::Digest;

use super::*;

#[derive(Debug)]
struct Image(File);

impl Source for Image {
    fn read_at(
        &self,
        buffer: &mut [u8],
        offset: u64,
    ) -> std::result::Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(self.0.read_exact_at(buffer, offset)?)
    }
}

/// Runs commands of debugfs in one process, and returns what it prints.
fn debugfs(image: &Path, requests: &[String]) -> String {
    let temp = TempDir::new();
    let script = temp.path().join("script");
    fs::write(&script, requests.join("\n")).unwrap();
    let mut command = Command::new("debugfs");
    let output = tools::run(command.arg("-w").arg("-f").arg(&script).arg(image));
    String::from_utf8(output).unwrap()
}

/// Content that no two files share.
fn content(length: usize, seed: usize) -> Vec<u8> {
    (0..length)
        .map(|at| ((at * 7 + seed) % 251) as u8)
        .collect()
}

const FILES: [(&str, usize); 8] = [
    ("empty", 0),
    ("one", 1),
    ("sixty", 60),
    ("inline", 140),
    ("small", 5_000),
    ("deeper", 300_000),
    ("d/within", 20),
    ("d/e/below", 4_096),
];

fn fill(tree: &Path) {
    fs::create_dir_all(tree.join("d/e")).unwrap();
    fs::create_dir(tree.join("many")).unwrap();
    for (seed, (name, length)) in FILES.into_iter().enumerate() {
        fs::write(tree.join(name), content(length, seed)).unwrap();
    }
    for number in 0..400 {
        let name = format!("many/a-name-that-is-not-short-{number}");
        fs::write(tree.join(name), number.to_string()).unwrap();
    }
    symlink("small", tree.join("short")).unwrap();
    symlink("x".repeat(59), tree.join("fast")).unwrap();
    symlink("y".repeat(60), tree.join("slow")).unwrap();
    symlink("z".repeat(900), tree.join("long")).unwrap();
    let sparse = File::create(tree.join("sparse")).unwrap();
    sparse.write_all_at(b"end", 900_000).unwrap();
}

/// Kind, mode and owner as `debugfs` tells them.
fn stat(told: &str) -> (&str, u16, u32, u32) {
    let after = |key: &str| {
        let rest = told
            .split_once(key)
            .unwrap_or_else(|| panic!("{key}: {told}"))
            .1;
        rest.split_whitespace().next().unwrap()
    };
    let number = |key| after(key).parse().unwrap();
    let mode = u16::from_str_radix(after("Mode:"), 8).unwrap();
    (after("Type:"), mode, number("User:"), number("Group:"))
}

fn judge(recipe: &Recipe, block_bytes: u32) {
    let context = format!("{} with blocks of {block_bytes} bytes", recipe.name);
    let temp = TempDir::in_memory();
    let (tree, image) = (temp.path().join("tree"), temp.path().join("image"));
    fs::create_dir(&tree).unwrap();
    fill(&tree);
    let from = ["-d", tree.to_str().unwrap()];
    recipe.make_with(&image, block_bytes, 24 << 20, &from);
    let large = "v".repeat(600);
    let requests = [
        "sif /small mode 0104711",
        "sif /small uid 100000",
        "sif /small gid 70000",
        "ea_set /small security.selinux system_u:object_r:etc_t:s0",
        "ea_set /small user.other 1",
        &format!("ea_set /small user.large {large}"),
        "ea_set /d trusted.t on-a-directory",
    ];
    debugfs(&image, &requests.map(str::to_owned));
    let source: Arc<dyn Source> = Arc::new(Image(File::open(&image).unwrap()));
    let plain =
        Plain::open(Arc::clone(&source)).unwrap_or_else(|error| panic!("{context}: {error}"));
    let view = View::open(source).unwrap();
    let mut paths: Vec<String> = FILES.iter().map(|it| it.0.to_owned()).collect();
    paths.extend(
        [
            "d", "d/e", "many", "short", "fast", "slow", "long", "sparse",
        ]
        .map(str::to_owned),
    );
    paths.extend(
        (0..400)
            .step_by(37)
            .map(|it| format!("many/a-name-that-is-not-short-{it}")),
    );
    let requests: Vec<_> = paths.iter().map(|it| format!("stat /{it}")).collect();
    let told = debugfs(&image, &requests);
    let told: Vec<_> = told.split("debugfs: stat ").skip(1).collect();
    assert_eq!(told.len(), paths.len(), "{context}");
    for (path, told) in paths.iter().zip(told) {
        let context = format!("{context}: {path}");
        let names: Vec<_> = path.split('/').map(str::as_bytes).collect();
        let on_host = tree.join(path);
        let length = fs::symlink_metadata(&on_host).unwrap().len();
        let seen = plain.look(&names, Some(length)).unwrap().expect(&context);
        let (kind, mode, uid, gid) = stat(told);
        let kind = match kind {
            "regular" => Kind::File,
            "directory" => Kind::Directory,
            "symlink" => Kind::SymbolicLink,
            other => panic!("{context}: {other}"),
        };
        assert_eq!(
            (seen.kind, seen.permissions, seen.uid, seen.gid),
            (kind, mode & 0o7777, uid, gid),
            "{context}"
        );
        match kind {
            Kind::File => {
                let hash: [u8; 32] = sha2::Sha256::digest(fs::read(&on_host).unwrap()).into();
                assert_eq!(seen.hash, Some(hash), "{context}");
            }
            Kind::SymbolicLink => {
                let target = fs::read_link(&on_host).unwrap();
                let target = target.as_os_str().as_encoded_bytes();
                assert_eq!(seen.target.as_deref(), Some(target), "{context}");
            }
            _ => {}
        }
        if let Some(view) = &view
            && let Some(other) = view.look(&names, Some(length)).unwrap()
        {
            let expected = Seen {
                reader: Reader::Ext4View,
                ..seen
            };
            assert_eq!(other, Some(expected), "{context}");
        }
    }
    for missing in [&[&b"none"[..]][..], &[b"d", b"none"], &[b"one", b"x"]] {
        assert_eq!(plain.look(missing, None).unwrap(), None, "{context}");
    }
    // Made without `ext_attr`: debugfs sets none there.
    if ["ext2-bare", "ext2-oldest"].contains(&recipe.name) {
        return;
    }
    let value = |path: &str, name: &str| {
        plain
            .attribute(&[path.as_bytes()], name.as_bytes())
            .unwrap()
    };
    let small = |name| value("small", name).map(|it| String::from_utf8(it).unwrap());
    assert_eq!(
        small("security.selinux").as_deref(),
        Some("system_u:object_r:etc_t:s0"),
        "{context}"
    );
    assert_eq!(small("user.other").as_deref(), Some("1"), "{context}");
    assert_eq!(small("user.large"), Some(large), "{context}");
    assert_eq!(
        value("d", "trusted.t"),
        Some(b"on-a-directory".to_vec()),
        "{context}"
    );
    assert_eq!(small("user.none"), None, "{context}");
}

#[test]
fn both_readers_see_what_debugfs_sees() {
    if tools::require("mke2fs").is_none() || tools::require("debugfs").is_none() {
        return;
    }
    for (index, recipe) in RECIPES.iter().enumerate() {
        judge(recipe, [1024, 2048, 4096][index % 3]);
    }
}

#[test]
fn what_is_no_filesystem_is_said() {
    let temp = TempDir::new();
    let image = temp.path().join("image");
    fs::write(&image, vec![0; 1 << 20]).unwrap();
    let source = Arc::new(Image(File::open(&image).unwrap()));
    assert!(matches!(Witness::open(source), Err(Error::NoFilesystem)));
}
