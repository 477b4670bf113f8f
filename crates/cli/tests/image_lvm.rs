//! Logical volumes in an image that LVM2 made: changed by us, cut out where `lvs` says that they lie, and judged by e2fsck and debugfs.

mod image_support;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use christen_testkit::lvm::Group;
use christen_testkit::{TempDir, tools};
use image_support::{Tools, hash, typed_disk};
use support::{christen_in, fail_somehow, items, member, put, succeed};

const MIB: u64 = 1 << 20;

/// Physical volumes put together to one disk.
struct Disk {
    directory: TempDir,
    group: Group,
    /// Where on the disk each physical volume begins, in bytes.
    starts: Vec<u64>,
}

impl Disk {
    /// Fills the volume `root` with a small guest and makes a disk `a.img` of the physical volumes: of a single one without a
    /// partition table, of several with a boot partition before them.
    fn new(tools: &Tools, group: Group) -> Option<Self> {
        let directory = TempDir::new();
        let root = directory.join("root");
        tools.guest(&root, &["-t", "ext4", "-L", "root"]);
        let root = fs::read(root).expect("it is there");
        let mut volumes: Vec<_> = (0..group.images.len()).map(|it| group.read(it)).collect();
        for piece in group.map() {
            if piece.volume == "root" {
                let from = range(piece.start_bytes, piece.length_bytes);
                let to = range(piece.physical_start_bytes, piece.length_bytes);
                volumes[piece.physical_volume][to].copy_from_slice(&root[from]);
            }
        }
        let image = directory.join("a.img");
        let paths: Vec<_> = volumes
            .into_iter()
            .enumerate()
            .map(|(index, bytes)| put(&directory, &format!("pv{index}"), bytes))
            .collect();
        let mut starts = vec![0];
        match &paths[..] {
            [only] => fs::rename(only, &image).expect("the directory is ours"),
            several => {
                let sfdisk = tools::require("sfdisk")?;
                let boot = directory.join("boot");
                tools.filesystem(&boot, 8, &["-t", "ext2", "-L", "boot"]);
                let parts = [(&*boot, "L")].into_iter();
                let parts: Vec<_> = parts.chain(several.iter().map(|it| (&**it, "V"))).collect();
                typed_disk(&image, &sfdisk, &parts, "gpt");
                starts.clear();
                let mut at = MIB;
                for (part, kind) in parts {
                    if kind == "V" {
                        starts.push(at);
                    }
                    at += fs::metadata(part).expect("it is there").len();
                }
            }
        }
        Some(Self {
            directory,
            group,
            starts,
        })
    }

    /// Cuts `root` out of a raw disk, and sees that nothing outside it has changed.
    fn root_of(&self, changed: &Path, original: &[u8]) -> PathBuf {
        let mut changed = fs::read(changed).expect("it is there");
        let mut root = vec![0; 16 << 20];
        assert_eq!(changed.len(), original.len());
        for piece in self.group.map() {
            if piece.volume != "root" {
                continue;
            }
            let start = self.starts[piece.physical_volume] + piece.physical_start_bytes;
            let from = range(start, piece.length_bytes);
            root[range(piece.start_bytes, piece.length_bytes)]
                .copy_from_slice(&changed[from.clone()]);
            changed[from.clone()].copy_from_slice(&original[from]);
        }
        assert!(changed == original, "bytes outside the volume have changed");
        put(&self.directory, "judged", root)
    }
}

fn range(start: u64, length: u64) -> std::ops::Range<usize> {
    let at = |it: u64| usize::try_from(it).expect("the disk is small");
    at(start)..at(start + length)
}

/// Puts a file on `root` of an image and takes it back through every door, then judges a raw copy of the disk.
fn change_and_judge(tools: &Tools, disk: &Disk, format: &str) {
    let directory = &disk.directory;
    let original = fs::read(directory.join("a.img")).expect("it is there");
    let qemu_img = tools::find("qemu-img");
    let convert = |from: &str, to: &str, image: [&str; 2]| {
        let program = qemu_img.as_ref().expect("the caller has looked");
        tools::run(
            Command::new(program)
                .current_dir(&**directory)
                .args(["convert", "-f", from, "-O", to])
                .args(image),
        );
    };
    let image = match format {
        "raw" => {
            fs::copy(directory.join("a.img"), directory.join("b.img")).expect("it is there");
            "b.img"
        }
        _ => {
            convert("raw", format, ["a.img", "b.qcow2"]);
            "b.qcow2"
        }
    };
    // Large enough to reach over the end of a piece.
    let content: Vec<u8> = (0..9_u32 << 20).map(|it| (it % 251) as u8).collect();
    let content = put(directory, "content", content);
    let lv = format!("--lv {}/root", disk.group.name);
    succeed(&mut christen_in(
        directory,
        &format!("put {image} content /srv/big --mode 0640 --format {format} {lv}"),
    ));
    let again = format!("ls {image} /srv {lv}");
    assert_eq!(succeed(&mut christen_in(directory, &again)).text(), "big\n");
    // `/dev/` before the name is how the guest writes it.
    let lv = lv.replace("--lv ", "--lv /dev/");
    let cat = succeed(&mut christen_in(
        directory,
        &format!("cat {image} /srv/big {lv}"),
    ));
    assert!(cat.stdout == fs::read(&content).expect("it is there"));
    // Of the whole disk it is the only one that `root` names.
    let list = format!("ls {image} --volume root");
    let list = succeed(&mut christen_in(directory, &list));
    assert_eq!(list.text(), "etc\nlost+found\nsrv\n");

    let raw = match format {
        "raw" => "b.img",
        _ => {
            convert(format, "raw", [image, "c.img"]);
            "c.img"
        }
    };
    let root = disk.root_of(&directory.join(raw), &original);
    tools.check(&root);
    let stat = tools.stat(&root, "/srv/big");
    assert!(stat.contains("Mode:  0640"), "{stat}");
    let taken = directory.join("taken");
    tools.debugfs(&root, &format!("dump /srv/big {}\n", taken.display()));
    assert!(fs::read(taken).expect("debugfs wrote it") == fs::read(content).expect("it is there"));
}

/// What `inspect` says of the volumes, as JSON and in words.
fn inspected(disk: &Disk) {
    let directory = &disk.directory;
    let name = &disk.group.name;
    let json = succeed(&mut christen_in(directory, "inspect a.img --json")).json();
    let root = items(member(&json, "volumes"))
        .iter()
        .find(|it| it.get("logical_volume").and_then(|it| it.as_str()) == Some("root"))
        .expect("it is there");
    assert_eq!(member(root, "volume_group").as_str(), Some(&**name));
    let option = format!("--lv {name}/root");
    assert_eq!(member(root, "option").as_str(), Some(&*option));
    let state = member(member(root, "filesystem"), "state");
    assert_eq!(state.as_str(), Some("clean"));
    let shown = succeed(&mut christen_in(directory, "inspect a.img"));
    let title = format!("\nlogical volume {name}/root\n  size               16777216 bytes");
    assert!(shown.text().contains(&title), "{}", shown.text());
}

#[test]
fn one_physical_volume() {
    let (Some(tools), Some(group)) = (Tools::require(), Group::new("one", &[32], &[])) else {
        return;
    };
    group.create("root", 10, &[]);
    group.create("data", 4, &[]);
    group.run(&[
        "lvextend",
        "-q",
        "-l",
        "16",
        &format!("{}/root", group.name),
    ]);
    let Some(disk) = Disk::new(&tools, group) else {
        return;
    };
    inspected(&disk);
    change_and_judge(&tools, &disk, "raw");
    // It is the only filesystem there, so it need not be said.
    let list = succeed(&mut christen_in(&disk.directory, "ls a.img"));
    assert_eq!((list.text(), &*list.stderr), ("etc\nlost+found\nsrv\n", ""));
}

#[test]
fn two_physical_volumes() {
    let (Some(tools), Some(group)) = (Tools::require(), Group::new("two", &[14, 16], &[])) else {
        return;
    };
    group.create("data", 3, &[]);
    group.create("wide", 2, &["-i", "2"]);
    group.create("root", 10, &[]);
    group.run(&[
        "lvextend",
        "-q",
        "-l",
        "16",
        &format!("{}/root", group.name),
    ]);
    let on: Vec<_> = group
        .map()
        .into_iter()
        .filter(|it| it.volume == "root")
        .map(|it| it.physical_volume)
        .collect();
    assert!(on.contains(&0) && on.contains(&1), "{on:?}");
    let Some(disk) = Disk::new(&tools, group) else {
        return;
    };
    inspected(&disk);
    change_and_judge(&tools, &disk, "raw");
    if tools::require("qemu-img").is_some() {
        change_and_judge(&tools, &disk, "qcow2");
    }
    what_cannot_be_used_is_named(&disk);
}

/// A volume that is not linear, one that is not there, and a group that has lost a physical volume.
fn what_cannot_be_used_is_named(disk: &Disk) {
    let directory = &disk.directory;
    let name = &disk.group.name;
    let image = directory.join("a.img");
    put(directory, "small", "hello\n");
    let before = hash(&image);
    let put_on = |image: &str, volume: &str| {
        let arguments = format!("put {image} small /f --format raw --lv {name}/{volume}");
        fail_somehow(
            &mut christen_in(directory, &arguments),
            1 + i32::from(volume == "none"),
        )
    };
    let told = put_on("a.img", "wide").stderr;
    assert_eq!(
        told,
        format!(
            "error: logical volume {name}/wide of `a.img` cannot be used\n  \
             the striped logical volume `wide` is not supported\n"
        )
    );
    let told = put_on("a.img", "none").stderr;
    assert!(
        told.starts_with(&format!(
            "error: `a.img` has no logical volume `{name}/none`\n"
        )),
        "{told}"
    );
    assert_eq!(hash(&image), before);
    // The first physical volume alone, as it would be in an image of one disk of two.
    fs::rename(directory.join("pv0"), directory.join("half.img")).expect("it is there");
    let told = put_on("half.img", "root").stderr;
    assert!(
        told.starts_with(&format!(
            "error: logical volume {name}/root of `half.img` cannot be used\n"
        )) && told.contains("without its physical volume"),
        "{told}"
    );
    // Without a volume being named, all of them are.
    let told = fail_somehow(&mut christen_in(directory, "ls half.img"), 1).stderr;
    for volume in ["root", "data", "wide"] {
        let line =
            format!("\n  logical volume {name}/{volume}: the volume group `{name}` without ");
        assert!(told.contains(&line), "{told}");
    }
}
