//! The guest that mounts ext2, ext3 and ext4, many images in one boot: for what the kernel of this machine must not mount, for machines
//! without root, and as a second kernel's opinion.
//!
//! It mounts each image read-only and hands back the whole tree, then mounts it again and writes files of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use christen_vfs::tree::{ContentHash, Tree, TreeFile};
use christen_vfs::{GuestPath, Kind, Timestamp};

use super::qemu::{Machine, escape};
use super::root::FirstRoot;
use crate::TempDir;

/// How many files the guest writes when it is asked to.
pub const WRITTEN_FILES: usize = 300;

/// What the guest is made of.
const ROOT: FirstRoot = FirstRoot {
    name: "ext",
    init: include_str!("ext_init.sh"),
    packages: "linux-image-cloud-amd64,busybox-static,findutils,attr",
    modules: &[
        "drivers/virtio/virtio_ring",
        "drivers/virtio/virtio",
        "drivers/virtio/virtio_pci_legacy_dev",
        "drivers/virtio/virtio_pci_modern_dev",
        "drivers/virtio/virtio_pci",
        "drivers/block/virtio_blk",
        "drivers/scsi/scsi_common",
        "drivers/scsi/scsi_mod",
        "drivers/scsi/sd_mod",
        "drivers/scsi/virtio_scsi",
        "crypto/crc32c_generic",
        "lib/libcrc32c",
        "lib/crc16",
        "fs/mbcache",
        "fs/jbd2/jbd2",
        "fs/ext4/ext4",
        "fs/quota/quota_tree",
        "fs/quota/quota_v2",
    ],
    files: &[
        "bin/busybox",
        "bin/find",
        "bin/getfattr",
        "lib64/ld-linux-x86-64.so.2",
        "lib/x86_64-linux-gnu/libc.so.6",
        "lib/x86_64-linux-gnu/libm.so.6",
        "lib/x86_64-linux-gnu/libselinux.so.1",
        "lib/x86_64-linux-gnu/libpcre2-8.so.0",
        "lib/x86_64-linux-gnu/libattr.so.1",
    ],
};

/// More targets than this a virtio SCSI bus does not have.
const MAX_DRIVES: usize = 256;

/// Fifteen minutes tell a hung guest from a loaded machine.
const TIME_LIMIT: Duration = Duration::from_secs(900);

/// What the guest did with one image.
#[derive(Debug, Clone, Default)]
pub struct ExtDrive {
    /// The tree that it saw: of devices without their numbers, and without the times of making.
    pub tree: Option<Tree>,
    /// What failed: `mounting`, `reading`, `mounting for writing`, `writing`, `unmounting`.
    pub failed: Vec<String>,
}

/// Returns what the guest can tell of a tree: device numbers, times of making and which names are of one file it cannot.
pub fn as_the_guest_tells(tree: &Tree) -> Tree {
    let mut told = tree.clone();
    for file in told.files.values_mut() {
        file.created = None;
        file.same_as = None;
        file.kind = match file.kind {
            Kind::CharacterDevice { .. } => Kind::CharacterDevice { major: 0, minor: 0 },
            Kind::BlockDevice { .. } => Kind::BlockDevice { major: 0, minor: 0 },
            kind => kind,
        };
    }
    told
}

/// Boots the guest with all the images and returns what it did with each, in the same order. If it is to write, the images
/// are changed; otherwise they are attached read-only.
///
/// # Errors
///
/// Fails when the guest cannot be made or does not do its work within fifteen minutes, and when there are more than 256 images.
pub fn mount_ext_drives(images: &[PathBuf], write: bool) -> io::Result<Vec<ExtDrive>> {
    if images.len() > MAX_DRIVES {
        return Err(io::Error::other(format!(
            "{} images are more than the {MAX_DRIVES} targets of a virtio SCSI bus",
            images.len()
        )));
    }
    let artefact = ROOT.artefact()?;
    let directory = TempDir::new();
    let scratch = directory.join("scratch");
    File::create(&scratch)?.set_len(256 << 20)?;
    let mut machine = Machine {
        kernel: artefact.join("vmlinuz"),
        initrd: artefact.join("initrd"),
        command_line: format!(
            "console=ttyS0 quiet panic=-1 christen.drives={} christen.files={}",
            images.len(),
            if write { WRITTEN_FILES } else { 0 }
        ),
        cpus: 1,
        memory_mib: 512,
        arguments: Vec::new(),
    };
    machine.argument(
        "-drive",
        format!(
            "if=virtio,format=raw,cache=unsafe,file={}",
            escape(&scratch)
        ),
    );
    machine.argument("-device", "virtio-scsi-pci,id=bus");
    for (target, image) in images.iter().enumerate() {
        let readonly = if write { "off" } else { "on" };
        machine.argument(
            "-drive",
            format!(
                "if=none,readonly={readonly},format=raw,cache=unsafe,id=drive{target},file={}",
                escape(image)
            ),
        );
        machine.argument(
            "-device",
            format!("scsi-hd,bus=bus.0,channel=0,scsi-id={target},lun=0,drive=drive{target}"),
        );
    }
    let outcome = machine.run(TIME_LIMIT)?;
    let done = outcome.report.trim_ascii() == b"done";
    let report = if done {
        fs::read(&scratch)?
    } else {
        Vec::new()
    };
    parse(&report, images.len()).ok_or_else(|| {
        io::Error::other(format!(
            "the guest gave no whole report after {:.1} s; the end of its console:\n{}",
            outcome.elapsed.as_secs_f64(),
            outcome.console_tail()
        ))
    })
}

/// Reads the scratch disk.
fn parse(mut bytes: &[u8], count: usize) -> Option<Vec<ExtDrive>> {
    let mut drives = vec![ExtDrive::default(); count];
    let mut at = 0;
    let mut files = Vec::new();
    loop {
        let line = take_until(&mut bytes, b'\n')?;
        let line = str::from_utf8(line).ok()?;
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        if verb == "end" {
            return Some(drives);
        }
        match verb {
            "drive" => at = rest.parse().ok()?,
            "failed" => {
                let (target, what) = rest.split_once(' ')?;
                let drive = drives.get_mut(target.parse::<usize>().ok()?)?;
                drive.failed.push(what.to_owned());
            }
            "files" => files = parse_files(take(&mut bytes, rest)?)?,
            "hashes" => add_hashes(&mut files, take(&mut bytes, rest)?)?,
            "attributes" => {
                let mut tree = Tree::default();
                for (path, file) in files.drain(..) {
                    tree.files.insert(path, file);
                }
                add_attributes(&mut tree, take(&mut bytes, rest)?)?;
                drives.get_mut(at)?.tree = Some(tree);
            }
            _ => return None,
        }
    }
}

/// Reads what find printed.
fn parse_files(mut bytes: &[u8]) -> Option<Vec<(GuestPath, TreeFile)>> {
    let mut files = Vec::new();
    while !bytes.is_empty() {
        let path = [b"/", take_until(&mut bytes, 0)?].concat();
        let mut field = || str::from_utf8(take_until(&mut bytes, 0)?).ok();
        let kind = match field()? {
            "f" => Kind::File,
            "d" => Kind::Directory,
            "l" => Kind::SymbolicLink,
            "p" => Kind::Fifo,
            "s" => Kind::Socket,
            "c" => Kind::CharacterDevice { major: 0, minor: 0 },
            "b" => Kind::BlockDevice { major: 0, minor: 0 },
            _ => return None,
        };
        let permissions = u16::from_str_radix(field()?, 8).ok()?;
        let uid = field()?.parse().ok()?;
        let gid = field()?.parse().ok()?;
        let links = field()?.parse().ok()?;
        let size: u64 = field()?.parse().ok()?;
        let accessed = parse_time(field()?)?;
        let modified = parse_time(field()?)?;
        let changed = parse_time(field()?)?;
        let target = take_until(&mut bytes, 0)?;
        files.push((
            GuestPath::new(path).ok()?,
            TreeFile {
                kind,
                permissions,
                uid,
                gid,
                links,
                same_as: None,
                size: if kind == Kind::File { size } else { 0 },
                content: None,
                target: (kind == Kind::SymbolicLink).then(|| target.to_vec()),
                attributes: BTreeMap::new(),
                accessed,
                modified,
                changed,
                created: None,
            },
        ));
    }
    Some(files)
}

/// Reads seconds with ten digits of a fraction, as find prints them. Before 1970 the fraction goes on upwards.
fn parse_time(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = fraction.get(..9.min(fraction.len()))?;
    let nanoseconds: u32 = format!("{digits:0<9}").parse().ok()?;
    Some(Timestamp {
        seconds: seconds.parse().ok()?,
        nanoseconds,
    })
}

/// Gives the regular files their hashes, which stand in the same order.
fn add_hashes(files: &mut [(GuestPath, TreeFile)], bytes: &[u8]) -> Option<()> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    for (_, file) in files {
        if file.kind == Kind::File {
            let line = lines.next()?;
            file.content = Some(ContentHash::parse(line.get(..64)?)?);
        }
    }
    lines.next().is_none().then_some(())
}

/// Reads what getfattr printed: `# file: NAME`, then `NAME=0xHEX` for each, then an empty line. Of names it escapes what is not printable.
fn add_attributes(tree: &mut Tree, bytes: &[u8]) -> Option<()> {
    let mut path = None;
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Some(name) = line.strip_prefix(b"# file: ") {
            let name = unescape(name)?;
            let name = match &name[..] {
                b"." => &b""[..],
                name => name.strip_prefix(b"./").unwrap_or(name),
            };
            path = Some(GuestPath::new([b"/", name].concat()).ok()?);
        } else if !line.is_empty() {
            let end = line.iter().position(|byte| *byte == b'=');
            let name = unescape(line.get(..end.unwrap_or(line.len()))?)?;
            let hex = end.and_then(|end| line.get(end + 1..)).unwrap_or_default();
            let hex = str::from_utf8(hex.strip_prefix(b"0x").unwrap_or(hex)).ok()?;
            let value = (0..hex.len() / 2)
                .map(|index| u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok())
                .collect::<Option<Vec<_>>>()?;
            let file = tree.files.get_mut(path.as_ref()?)?;
            file.attributes.insert(name, value);
        }
    }
    Some(())
}

/// Takes back `\OOO` and `\\`.
fn unescape(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some((byte, rest)) = text.split_first() {
        text = rest;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        if let Some(rest) = text.strip_prefix(b"\\") {
            bytes.push(b'\\');
            text = rest;
            continue;
        }
        let (digits, rest) = text.split_at_checked(3)?;
        bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok()?);
        text = rest;
    }
    Some(bytes)
}

fn take<'a>(bytes: &mut &'a [u8], length: &str) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length.parse().ok()?)?;
    *bytes = rest;
    Some(taken)
}

fn take_until<'a>(bytes: &mut &'a [u8], end: u8) -> Option<&'a [u8]> {
    let at = bytes.iter().position(|byte| *byte == end)?;
    let taken = &bytes[..at];
    *bytes = &bytes[at + 1..];
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let files = b"\0d\x00755\x000\x000\x003\x004096\x001.5\x002.0000000070\x00-3.25\0\0\
            a\\b\0f\x004644\x0065536\x005\x001\x003\x001\x002\x003\0\0l\0l\x00777\x000\x000\x001\x001\x001\x002\x003\0a\0";
        let hash = ContentHash::of(b"abc");
        let hashes = format!("{hash}  ./a\\b\n");
        let attributes = b"# file: .\nuser.a=0x0102\n\n# file: a\\134b\nsecurity.x\n\n";
        let mut report = format!("drive 1\nfiles {}\n", files.len()).into_bytes();
        report.extend(files);
        report.extend(format!("hashes {}\n{hashes}", hashes.len()).bytes());
        report.extend(format!("attributes {}\n", attributes.len()).bytes());
        report.extend(attributes);
        report.extend(b"failed 0 mounting for writing\nend\n\0\0\0");
        let drives = parse(&report, 2).expect("a whole report");
        assert_eq!(drives[0].failed, ["mounting for writing"]);
        let tree = drives[1].tree.as_ref().expect("a tree");
        let root = &tree.files[&GuestPath::root()];
        assert_eq!(root.accessed.nanoseconds, 500_000_000);
        assert_eq!(root.modified.nanoseconds, 7);
        assert_eq!(root.attributes[&b"user.a"[..]], [1, 2]);
        let file = &tree.files[&GuestPath::new("/a\\b").unwrap()];
        assert_eq!((file.permissions, file.content), (0o4644, Some(hash)));
        assert!(file.attributes[&b"security.x"[..]].is_empty());
        let link = &tree.files[&GuestPath::new("/l").unwrap()];
        assert_eq!(link.target.as_deref(), Some(&b"a"[..]));
        for length in 0..report.len() - 8 {
            assert!(parse(&report[..length], 2).is_none(), "{length}");
        }
    }
}
