//! What `chattr +i` and `+a` forbid: the kernel and we refuse the same, and a refusal leaves every byte as it was.

#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::fs::{self, OpenOptions as HostOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use christen_block::MemoryDevice;
use christen_ext4::{Access, Ext4, Journal, OpenOptions};
use christen_testkit::ext::Recipe;
use christen_testkit::temp::TempDir;
use christen_testkit::tools;
use christen_vfs::walk::{LastLink, resolve};
use christen_vfs::{Error, FileId, FileSystem as _, GuestPath, NewFile, NewKind, Times, Timestamp};

/// What is tried; `/i` and `/a` are a file and, as `/id` and `/ad`, a directory with
/// a file `f` of each flag, as `/ie` and `/ae` an empty one, `/n` is a plain file.
#[derive(Debug, Clone, Copy)]
enum Try {
    Read(&'static str),
    Overwrite(&'static str),
    Append(&'static str),
    Truncate(&'static str),
    Permissions(&'static str),
    Owner(&'static str),
    Times(&'static str),
    Attribute(&'static str),
    Create(&'static str),
    Remove(&'static str),
    Link(&'static str, &'static str),
    Rename(&'static str, &'static str),
}

const TRIES: &[Try] = &[
    Try::Read("/i"),
    Try::Read("/a"),
    Try::Overwrite("/i"),
    Try::Overwrite("/a"),
    Try::Overwrite("/id/f"),
    Try::Overwrite("/ad/f"),
    Try::Append("/i"),
    Try::Append("/a"),
    Try::Truncate("/i"),
    Try::Truncate("/a"),
    Try::Permissions("/i"),
    Try::Permissions("/a"),
    Try::Permissions("/id"),
    Try::Permissions("/ad"),
    Try::Permissions("/id/f"),
    Try::Owner("/i"),
    Try::Owner("/a"),
    Try::Times("/i"),
    Try::Times("/a"),
    Try::Attribute("/i"),
    Try::Attribute("/a"),
    Try::Attribute("/ad"),
    Try::Attribute("/ad/f"),
    Try::Create("/id/new"),
    Try::Create("/ad/new"),
    Try::Remove("/i"),
    Try::Remove("/a"),
    Try::Remove("/id/f"),
    Try::Remove("/ad/f"),
    Try::Remove("/ie"),
    Try::Remove("/ae"),
    Try::Link("/i", "/more"),
    Try::Link("/a", "/more"),
    Try::Link("/n", "/id/more"),
    Try::Link("/n", "/ad/more"),
    Try::Rename("/i", "/moved"),
    Try::Rename("/a", "/moved"),
    Try::Rename("/id", "/moved"),
    Try::Rename("/id/f", "/moved"),
    Try::Rename("/ad/f", "/moved"),
    Try::Rename("/n", "/id/moved"),
    Try::Rename("/n", "/ad/moved"),
    Try::Rename("/n", "/i"),
    Try::Rename("/n", "/a"),
    Try::Rename("/n", "/id/f"),
    Try::Rename("/n", "/ad/f"),
];

/// Whether the kernel does it.
fn by_kernel(root: &Path, what: Try) -> io::Result<()> {
    let at = |path: &str| root.join(path.trim_start_matches('/'));
    match what {
        Try::Read(path) => fs::read(at(path)).map(drop),
        Try::Overwrite(path) => HostOptions::new()
            .write(true)
            .open(at(path))?
            .write_all(b"x"),
        Try::Append(path) => HostOptions::new()
            .append(true)
            .open(at(path))?
            .write_all(b"x"),
        Try::Truncate(path) => HostOptions::new().write(true).open(at(path))?.set_len(1),
        Try::Permissions(path) => fs::set_permissions(at(path), Permissions::from_mode(0o600)),
        Try::Owner(path) => chown(at(path), Some(7), Some(7)),
        Try::Times(path) => {
            // By name, as a file that can be opened for appending can be told the time.
            let status = Command::new("touch")
                .args(["-c", "-d", "@5"])
                .arg(at(path))
                .output()?;
            status
                .status
                .success()
                .then_some(())
                .ok_or(ErrorKind::PermissionDenied.into())
        }
        Try::Attribute(path) => {
            let mut command = Command::new("setfattr");
            let done = command
                .args(["-n", "trusted.x", "-v", "1"])
                .arg(at(path))
                .output()?;
            done.status
                .success()
                .then_some(())
                .ok_or(ErrorKind::PermissionDenied.into())
        }
        Try::Create(path) => fs::File::create_new(at(path)).map(drop),
        Try::Remove(path) if at(path).is_dir() => fs::remove_dir(at(path)),
        Try::Remove(path) => fs::remove_file(at(path)),
        Try::Link(from, to) => fs::hard_link(at(from), at(to)),
        Try::Rename(from, to) => fs::rename(at(from), at(to)),
    }
}

fn find(fs: &mut Ext4, path: &str) -> FileId {
    resolve(fs, &GuestPath::new(path).unwrap(), LastLink::Kept).unwrap()
}

fn split(fs: &mut Ext4, path: &'static str) -> (FileId, &'static [u8]) {
    let (above, name) = path.rsplit_once('/').unwrap();
    (find(fs, &format!("/{above}")), name.as_bytes())
}

/// Whether we do it.
fn by_us(fs: &mut Ext4, what: Try) -> Result<(), Error> {
    match what {
        Try::Read(path) => {
            let file = find(fs, path);
            fs.read_at(file, &mut [0; 1], 0).map(drop)
        }
        Try::Overwrite(path) => {
            let file = find(fs, path);
            fs.write_at(file, b"x", 0)
        }
        Try::Append(path) => {
            let file = find(fs, path);
            let size = fs.attributes(file)?.size;
            fs.write_at(file, b"x", size)
        }
        Try::Truncate(path) => {
            let file = find(fs, path);
            fs.set_size(file, 1)
        }
        Try::Permissions(path) => {
            let file = find(fs, path);
            fs.set_permissions(file, 0o600)
        }
        Try::Owner(path) => {
            let file = find(fs, path);
            fs.set_owner(file, 7, 7)
        }
        Try::Times(path) => {
            let file = find(fs, path);
            let moment = Some(Timestamp {
                seconds: 5,
                nanoseconds: 0,
            });
            fs.set_times(
                file,
                Times {
                    accessed: moment,
                    modified: moment,
                },
            )
        }
        Try::Attribute(path) => {
            let file = find(fs, path);
            fs.set_attribute(file, b"trusted.x", b"1")
        }
        Try::Create(path) => {
            let (above, name) = split(fs, path);
            let new = NewFile {
                kind: NewKind::File,
                permissions: 0o644,
                uid: 0,
                gid: 0,
            };
            fs.create(above, name, &new).map(drop)
        }
        Try::Remove(path) => {
            let (above, name) = split(fs, path);
            fs.remove(above, name)
        }
        Try::Link(from, to) => {
            let file = find(fs, from);
            let (above, name) = split(fs, to);
            fs.link(file, above, name)
        }
        Try::Rename(from, to) => {
            let (from, name) = split(fs, from);
            let (to, new_name) = split(fs, to);
            fs.rename(from, name, to, new_name)
        }
    }
}

fn debugfs(image: &Path, request: &str) {
    tools::run(
        Command::new("debugfs")
            .args(["-w", "-R", request])
            .arg(image),
    );
}

/// An image with a file and a directory of each flag.
fn make(temp: &TempDir, recipe: &str) -> PathBuf {
    let image = temp.path().join("image");
    Recipe::named(recipe).make(&image, 4096, 16);
    let content = temp.path().join("content");
    fs::write(&content, "content\n").unwrap();
    let content = content.display();
    for directory in ["/id", "/ad", "/ie", "/ae"] {
        debugfs(&image, &format!("mkdir {directory}"));
    }
    for file in ["/i", "/a", "/n", "/id/f", "/ad/f"] {
        debugfs(&image, &format!("write {content} {file}"));
    }
    // With `EXT4_EXTENTS_FL` where the recipe's files have it: only these two bits are added.
    let flags = [
        ("/i", 0x10),
        ("/id", 0x10),
        ("/ie", 0x10),
        ("/a", 0x20),
        ("/ad", 0x20),
        ("/ae", 0x20),
    ];
    for (file, flag) in flags {
        let request = format!("stat {file}");
        let told = tools::output("debugfs", ["-R", &request, image.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&told).into_owned();
        let (_, flags) = told.split_once("Flags: 0x").unwrap();
        let flags = flags.split_whitespace().next().unwrap();
        let flags = u32::from_str_radix(flags, 16).unwrap() | flag;
        debugfs(&image, &format!("sif {file} flags {flags:#x}"));
    }
    image
}

#[test]
fn the_kernel_and_we_refuse_the_same() {
    for tool in ["mke2fs", "debugfs", "mount", "setfattr", "touch"] {
        if tools::require(tool).is_none() {
            return;
        }
    }
    if tools::output("id", ["-u"]) != b"0\n" {
        tools::skip("only root can mount images");
        return;
    }
    let temp = TempDir::in_memory();
    for recipe in ["ext4-1.47", "ext3"] {
        let image = make(&temp, recipe);
        let pristine = fs::read(&image).unwrap();
        let copy = temp.path().join("copy");
        let root = temp.path().join("mount");
        fs::create_dir_all(&root).unwrap();
        for what in TRIES {
            fs::write(&copy, &pristine).unwrap();
            tools::run(
                Command::new("mount")
                    .args(["-o", "loop"])
                    .args([&copy, &root]),
            );
            let kernel = by_kernel(&root, *what);
            tools::run(Command::new("umount").arg(&root));
            let device = Arc::new(MemoryDevice::new(pristine.clone()));
            let options = OpenOptions {
                access: Access::Write,
                journal: Journal::Refuse,
                now: Timestamp::default(),
                generation_seed: 1,
            };
            let mut fs = Ext4::open(device.clone(), &options).unwrap();
            let ours = by_us(&mut fs, *what);
            match (&kernel, &ours) {
                (Ok(()), Ok(())) => {}
                (Err(error), Err(Error::Protected(rule))) => {
                    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{what:?}");
                    assert!(rule.contains("chattr"), "{what:?}: {rule}");
                    fs.finish().unwrap();
                    assert!(
                        device.snapshot() == pristine,
                        "{recipe}, {what:?}: bytes differ"
                    );
                }
                (kernel, ours) => panic!("{recipe}, {what:?}: {kernel:?}, and we {ours:?}"),
            }
        }
    }
}
