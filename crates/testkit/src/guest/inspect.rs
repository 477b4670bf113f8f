//! The inspecting guest: a Debian kernel mounts every drive and hands back what it sees.
//!
//! The guest is Debian's kernel with a first root of Debian's busybox and blkid, and
//! nothing else: it is up in seconds, and one boot reads hundreds of drives. The trees come
//! back whole on a scratch disk, since a serial port under emulation is slow.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::cpio;
use super::qemu::{Machine, escape};
use super::root::FirstRoot;
use crate::TempDir;

/// What the guest is made of.
const ROOT: FirstRoot = FirstRoot {
    name: "inspect",
    init: include_str!("init.sh"),
    packages: "linux-image-cloud-amd64,busybox-static,util-linux",
    modules: &MODULES,
    files: &FILES,
};

/// Modules in the order in which they must be loaded; ext4 and the rest are built in.
const MODULES: [&str; 19] = [
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "drivers/block/virtio_blk",
    "drivers/scsi/scsi_common",
    "drivers/scsi/scsi_mod",
    "drivers/scsi/sd_mod",
    "drivers/cdrom/cdrom",
    "drivers/scsi/sr_mod",
    "drivers/scsi/virtio_scsi",
    "fs/isofs/isofs",
    "fs/nls/nls_utf8",
    "fs/nls/nls_ascii",
    "fs/nls/nls_cp437",
    "fs/nls/nls_iso8859-1",
    "fs/fat/fat",
    "fs/fat/vfat",
];

/// Programs and what they are linked to, from the extracted packages.
const FILES: [&str; 5] = [
    "bin/busybox",
    "sbin/blkid",
    "lib64/ld-linux-x86-64.so.2",
    "lib/x86_64-linux-gnu/libblkid.so.1",
    "lib/x86_64-linux-gnu/libc.so.6",
];

/// More targets than this a virtio SCSI bus does not have.
const MAX_DRIVES: usize = 256;

/// Boot and reading take seconds; ten minutes tell a hung guest from a loaded machine.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// What a drive is attached as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A CD-ROM, 2048-byte sectors.
    Cdrom,
    /// A disk, 512-byte sectors.
    Disk,
}

/// A drive image to attach, read-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveFile {
    /// The image, raw.
    pub path: PathBuf,
    /// How the guest sees it.
    pub medium: Medium,
}

impl DriveFile {
    /// A drive to be attached as a CD-ROM.
    pub fn cdrom(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            medium: Medium::Cdrom,
        }
    }

    /// A drive to be attached as a disk.
    pub fn disk(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            medium: Medium::Disk,
        }
    }
}

/// One way in which the guest's kernel mounted a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// ISO 9660 without options: Rock Ridge if there is one, else Joliet, else plain.
    Default,
    /// ISO 9660 with `norock`: Joliet if there is one. Names in UTF-8.
    Joliet,
    /// ISO 9660 with `norock,nojoliet,map=off`: identifiers as stored (`META.;1`).
    Plain,
    /// VFAT without options. Names in UTF-8, the mixed form of short names.
    Vfat,
}

impl View {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "default" => Self::Default,
            "joliet" => Self::Joliet,
            "plain" => Self::Plain,
            "vfat" => Self::Vfat,
            _ => return None,
        })
    }
}

/// A file, directory or link that the guest read.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// File type and permissions, as in `stat`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last modification, seconds since 1970.
    pub mtime_seconds: u32,
    /// The file's bytes, or the target of a symbolic link.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{:o} {}:{} {} bytes",
            self.mode,
            self.uid,
            self.gid,
            self.content.len()
        )
    }
}

impl Entry {
    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }

    /// Permission bits alone.
    pub fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }
}

/// A mounted tree; paths from its root, without a leading slash, the root itself left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestView {
    /// How it was mounted.
    pub view: View,
    /// Entries by path, in the bytes that the kernel gives.
    pub entries: BTreeMap<Vec<u8>, Entry>,
}

impl GuestView {
    /// The regular files by path.
    pub fn files(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.is_file())
            .map(|(path, entry)| (path.as_slice(), entry.content.as_slice()))
    }
}

/// What the guest saw of one drive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuestDrive {
    /// What `blkid` printed: `LABEL`, `TYPE`, ...
    pub blkid: BTreeMap<String, String>,
    /// The trees that could be mounted and read.
    pub views: Vec<GuestView>,
    /// The ways that failed: the mount, or the reading of a file.
    pub failed: Vec<View>,
}

impl GuestDrive {
    /// The volume label.
    pub fn label(&self) -> Option<&str> {
        self.blkid.get("LABEL").map(String::as_str)
    }

    /// The tree as mounted in one way.
    pub fn view(&self, view: View) -> Option<&GuestView> {
        self.views.iter().find(|candidate| candidate.view == view)
    }
}

/// Boots the inspecting guest with all the drives and returns what it saw, in the same order.
///
/// # Errors
///
/// Fails when the guest cannot be made or does not do its work within ten minutes, and when
/// there are more than 256 drives. A drive that cannot be mounted is no error: it has no view.
pub fn inspect_drives(drives: &[DriveFile]) -> io::Result<Vec<GuestDrive>> {
    if drives.len() > MAX_DRIVES {
        return Err(io::Error::other(format!(
            "{} drives are more than the {MAX_DRIVES} targets of a virtio SCSI bus",
            drives.len()
        )));
    }
    let artefact = ROOT.artefact()?;
    let directory = TempDir::new();
    let scratch = directory.join("scratch");
    let mut room = 64 << 20;
    for drive in drives {
        // Three views of an ISO; headers and names of small files find room in the constant.
        room += 4 * fs::metadata(&drive.path)?.len();
    }
    File::create(&scratch)?.set_len(room)?;

    let mut machine = Machine {
        kernel: artefact.join("vmlinuz"),
        initrd: artefact.join("initrd"),
        command_line: format!(
            "console=ttyS0 quiet panic=-1 christen.drives={}",
            drives.len()
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
    for (target, drive) in drives.iter().enumerate() {
        machine.argument(
            "-drive",
            format!(
                "if=none,readonly=on,format=raw,id=drive{target},file={}",
                escape(&drive.path)
            ),
        );
        let device = match drive.medium {
            Medium::Cdrom => "scsi-cd",
            Medium::Disk => "scsi-hd",
        };
        machine.argument(
            "-device",
            format!("{device},bus=bus.0,channel=0,scsi-id={target},lun=0,drive=drive{target}"),
        );
    }
    let outcome = machine.run(TIME_LIMIT)?;
    let seen = (outcome.report.trim_ascii() == b"done")
        .then(|| parse(&fs::read(&scratch).ok()?, drives.len()))
        .flatten();
    seen.ok_or_else(|| {
        io::Error::other(format!(
            "the guest gave no whole report after {:.1} s; the end of its console:\n{}",
            outcome.elapsed.as_secs_f64(),
            outcome.console_tail()
        ))
    })
}

/// Reads the scratch disk.
fn parse(mut bytes: &[u8], drive_count: usize) -> Option<Vec<GuestDrive>> {
    let mut drives = vec![GuestDrive::default(); drive_count];
    loop {
        let line = take_line(&mut bytes)?;
        let mut words = line.split(' ');
        let (verb, target) = (words.next()?, words.next());
        if verb == "end" {
            return Some(drives);
        }
        let drive = drives.get_mut(target?.parse::<usize>().ok()?)?;
        match verb {
            "drive" => loop {
                let line = take_line(&mut bytes)?;
                if line.is_empty() {
                    break;
                }
                if let Some((name, value)) = line.split_once('=') {
                    drive.blkid.insert(name.to_owned(), value.to_owned());
                }
            },
            "view" => {
                let view = View::from_name(words.next()?)?;
                let (members, length) = cpio::read(bytes)?;
                bytes = bytes.get(length..)?;
                while let Some((0, rest)) = bytes.split_first() {
                    bytes = rest;
                }
                let entries = members
                    .into_iter()
                    .filter(|member| member.name != b".")
                    .map(|member| {
                        let path = member.name.strip_prefix(b"./").unwrap_or(&member.name);
                        (
                            path.to_vec(),
                            Entry {
                                mode: member.mode,
                                uid: member.uid,
                                gid: member.gid,
                                mtime_seconds: member.mtime,
                                content: member.content,
                            },
                        )
                    })
                    .collect();
                drive.views.push(GuestView { view, entries });
            }
            "failed" => drive.failed.push(View::from_name(words.next()?)?),
            _ => return None,
        }
    }
}

fn take_line<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = str::from_utf8(&bytes[..end]).ok()?;
    *bytes = &bytes[end + 1..];
    Some(line)
}
