//! What the tests of disk images share: images made by other people's tools, and their judges.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use christen_testkit::{TempDir, tools};
use christen_vfs::walk::{Next, visit};
use christen_vfs::{FileSystem, Kind};

use crate::support;

/// The programs that make images and judge them.
pub(crate) struct Tools {
    pub(crate) mke2fs: PathBuf,
    pub(crate) e2fsck: PathBuf,
    pub(crate) debugfs: PathBuf,
}

impl Tools {
    /// Finds them; without one of them the test is skipped.
    pub(crate) fn require() -> Option<Self> {
        Some(Self {
            mke2fs: tools::require("mke2fs")?,
            e2fsck: tools::require("e2fsck")?,
            debugfs: tools::require("debugfs")?,
        })
    }

    /// Makes a file of `megabytes` MiB with an empty filesystem.
    pub(crate) fn filesystem(&self, path: &Path, megabytes: u64, arguments: &[&str]) {
        let file = File::create(path).expect("the directory is ours");
        file.set_len(megabytes << 20).expect("it is ours");
        let arguments = arguments.iter().copied().chain(["-q", "-F"]);
        tools::run(
            Command::new(&self.mke2fs)
                .args(arguments)
                .arg(path)
                .env("MKE2FS_SYNC", "0"),
        );
    }

    /// A filesystem with a few files, made by debugfs.
    pub(crate) fn guest(&self, path: &Path, arguments: &[&str]) {
        self.filesystem(path, 16, arguments);
        let directory = TempDir::new();
        let passwd = support::put(
            &directory,
            "passwd",
            "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/:/bin/sh\n",
        );
        let group = support::put(&directory, "group", "root:x:0:\nadm:x:4:\n");
        self.debugfs(
            path,
            &format!(
                "mkdir etc\nwrite {} etc/passwd\nwrite {} etc/group\nsymlink etc/mtab ../proc/mounts\n\
                 mkdir srv\n",
                passwd.display(),
                group.display()
            ),
        );
    }

    /// Makes a filesystem of `megabytes` MiB with what stands in a tree in memory, put there by debugfs.
    pub(crate) fn tree(
        &self,
        path: &Path,
        megabytes: u64,
        arguments: &[&str],
        tree: &mut dyn FileSystem,
    ) {
        self.filesystem(path, megabytes, arguments);
        let directory = TempDir::new();
        let mut script = String::new();
        let mut number = 0;
        let root = tree.root();
        visit(tree, root, &mut |fs, found| {
            let path = found.path.to_string();
            let type_bits = match found.attributes.kind {
                Kind::Directory => {
                    if path != "/" {
                        script.push_str(&format!("mkdir \"{path}\"\n"));
                    }
                    0o040000
                }
                Kind::SymbolicLink => {
                    let target = String::from_utf8(fs.read_link(found.file)?).expect("it is ours");
                    script.push_str(&format!("symlink \"{path}\" \"{target}\"\n"));
                    return Ok(Next::Over);
                }
                Kind::File => {
                    let mut content = vec![0; found.attributes.size as usize];
                    fs.read_at(found.file, &mut content, 0)?;
                    number += 1;
                    let host = support::put(&directory, &number.to_string(), content);
                    script.push_str(&format!("write {} \"{path}\"\n", host.display()));
                    0o100000
                }
                _ => panic!("{path} is not told to debugfs"),
            };
            let mode = type_bits | u32::from(found.attributes.permissions);
            script.push_str(&format!(
                "sif \"{path}\" mode 0{mode:o}\nsif \"{path}\" uid {}\nsif \"{path}\" gid {}\n",
                found.attributes.uid, found.attributes.gid
            ));
            Ok(Next::Into)
        })
        .expect("it is in memory");
        self.debugfs(path, &script);
        // What debugfs does is not always counted.
        tools::output(&self.e2fsck, ["-fy".as_ref(), path.as_os_str()]);
        self.check(path);
    }

    /// Runs commands of debugfs that may write, and returns what they print.
    pub(crate) fn debugfs(&self, image: &Path, commands: &str) -> String {
        let directory = TempDir::new();
        let script = support::put(&directory, "script", commands);
        let printed = tools::run(
            Command::new(&self.debugfs)
                .args(["-w", "-f"])
                .args([&script, image])
                .env("DEBUGFS_PAGER", "cat"),
        );
        String::from_utf8_lossy(&printed).into_owned()
    }

    /// One line that `debugfs` prints of a file.
    pub(crate) fn stat(&self, image: &Path, path: &str) -> String {
        self.debugfs(image, &format!("stat {path}\n"))
    }

    /// Fails unless `e2fsck` finds nothing to mend.
    #[track_caller]
    pub(crate) fn check(&self, image: &Path) {
        tools::run(Command::new(&self.e2fsck).arg("-fn").arg(image));
    }
}

/// A number that tells whether a file is byte for byte what it was.
pub(crate) fn hash(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(&fs::read(path).expect("it is there"));
    hasher.finish()
}

/// Puts files into one disk, one partition each, the first at 1 MiB.
pub(crate) fn disk(path: &Path, sfdisk: &Path, parts: &[&Path], label: &str) {
    let parts: Vec<_> = parts.iter().map(|part| (*part, "L")).collect();
    typed_disk(path, sfdisk, &parts, label);
}

/// The same, with a type of sfdisk for each partition.
pub(crate) fn typed_disk(path: &Path, sfdisk: &Path, parts: &[(&Path, &str)], label: &str) {
    let mut file = File::create(path).expect("the directory is ours");
    let mut at = 1 << 20;
    let mut script = format!("label: {label}\n");
    for (part, partition_type) in parts {
        let length = fs::metadata(part).expect("it is there").len();
        script.push_str(&format!(
            "start={}, size={}, type={partition_type}\n",
            at / 512,
            length / 512
        ));
        at += length;
    }
    file.set_len(at + (1 << 20)).expect("it is ours");
    let mut child = Command::new(sfdisk)
        .args(["-q", "--no-reread", "--no-tell-kernel"])
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("sfdisk starts");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin.write_all(script.as_bytes()).expect("it is read");
    drop(stdin);
    assert!(child.wait().expect("it is ours").success());
    let mut at = 1 << 20;
    for (part, _) in parts {
        let bytes = fs::read(part).expect("it is there");
        file.seek(SeekFrom::Start(at)).expect("it is ours");
        file.write_all(&bytes).expect("it is ours");
        at += bytes.len() as u64;
    }
}

/// Copies a range of a file to a new one: a partition, to be judged.
pub(crate) fn cut_out(image: &Path, offset: u64, length: u64, to: &Path) {
    let mut file = File::open(image).expect("it is there");
    file.seek(SeekFrom::Start(offset)).expect("it is there");
    let mut bytes = Vec::new();
    file.take(length)
        .read_to_end(&mut bytes)
        .expect("it is there");
    fs::write(to, bytes).expect("the directory is ours");
}
