//! A disk with two filesystems, changed in one overlay and one commit on a simulated host.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::error::Error as StdError;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use christen_block::commit::Mark;
use christen_block::overlay::{Overlay, OverlayFile};
use christen_block::qcow2::Qcow2;
use christen_block::{Access as BlockAccess, BlockDevice, MemoryStorage, Storage, partition};
use christen_ext4::{Access, Ext4, Journal, OpenOptions};
use christen_testkit::ext::{self, Recipe};
use christen_testkit::host::{Host, IMAGE};
use christen_testkit::{TempDir, tools};
use christen_vfs::tree::{Tree, TreeOptions};
use christen_vfs::{FileSystem, NewFile, NewKind, Times, Timestamp};

/// The volumes: recipe, block size, length in MiB. The first is large enough for a journal.
const VOLUMES: [(&str, u32, u64); 2] = [("ext4-1.47", 4096, 9), ("ext2", 1024, 3)];

const MEBIBYTE: usize = 1 << 20;

const NOW: Timestamp = Timestamp {
    seconds: 1_700_000_000,
    nanoseconds: 123_456_789,
};

/// Whether everything is to be tried, which takes minutes.
pub(crate) fn is_full() -> bool {
    std::env::var_os("CHRISTEN_JUDGE_FULL").is_some()
}

/// An image to be changed.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) mark: Mark,
    pub(crate) image: Vec<u8>,
}

/// How far a change came before it failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The disk or a filesystem could not be opened or changed, or the changes not be finished.
    Staging(Box<dyn StdError>),
    /// The commit failed.
    Commit(christen_block::Error),
}

/// The disk in a raw image.
#[derive(Debug)]
struct Raw(Arc<dyn Storage>);

impl BlockDevice for Raw {
    fn length(&self) -> u64 {
        self.0.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> christen_block::Result<()> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> christen_block::Result<()> {
        self.0.write_at(data, offset)
    }

    fn flush(&self) -> christen_block::Result<()> {
        Ok(())
    }
}

/// Makes the images; none without the tools.
pub(crate) fn cases() -> Vec<Case> {
    for tool in ["mke2fs", "e2fsck", "sfdisk", "qemu-img"] {
        if tools::require(tool).is_none() {
            return Vec::new();
        }
    }
    let directory = TempDir::new();
    let raw = directory.join("raw");
    fs::write(&raw, disk(&directory)).unwrap();
    let mut cases = vec![Case {
        name: "raw",
        mark: Mark::None,
        image: fs::read(&raw).unwrap(),
    }];
    for (name, options, mark) in [
        (
            "qcow2 version 3",
            "compat=1.1,cluster_size=65536",
            Mark::Qcow2V3,
        ),
        (
            "qcow2 version 2",
            "compat=0.10,cluster_size=4096",
            Mark::Qcow2V2,
        ),
    ] {
        let path = directory.join("qcow2");
        let arguments = ["convert", "-q", "-f", "raw", "-O", "qcow2", "-o", options];
        let qemu_img = tools::find("qemu-img").unwrap();
        tools::run(Command::new(qemu_img).args(arguments).args([&raw, &path]));
        cases.push(Case {
            name,
            mark,
            image: fs::read(&path).unwrap(),
        });
    }
    cases
}

/// Makes a GPT disk with both volumes, each with a few files.
fn disk(directory: &Path) -> Vec<u8> {
    let tree = directory.join("tree");
    fs::create_dir_all(tree.join("etc/old")).unwrap();
    for (name, length) in [
        ("etc/hostname", 9),
        ("etc/doomed", 60_000),
        ("etc/grows", 700),
    ] {
        fs::write(tree.join(name), vec![b'o'; length]).unwrap();
    }
    for number in 0..40 {
        let name = format!("etc/old/file number {number}");
        fs::write(tree.join(name), format!("{number}")).unwrap();
    }
    let mut script = "label: gpt\n".to_owned();
    let mut bytes = vec![0; MEBIBYTE];
    for (recipe, block_bytes, mebibytes) in VOLUMES {
        script.push_str(&format!(
            "start={}, size={}, type=L\n",
            bytes.len() / 512,
            mebibytes as usize * MEBIBYTE / 512
        ));
        let path = directory.join("volume");
        let more = ["-d", tree.to_str().unwrap()];
        Recipe::named(recipe).make_with(&path, block_bytes, mebibytes << 20, &more);
        bytes.extend(fs::read(&path).unwrap());
    }
    bytes.resize(bytes.len() + MEBIBYTE, 0);
    let (path, input) = (directory.join("disk"), directory.join("script"));
    fs::write(&path, bytes).unwrap();
    fs::write(&input, script).unwrap();
    let sfdisk = tools::find("sfdisk").unwrap();
    tools::run(
        Command::new(sfdisk)
            .args(["-q", "--no-reread", "--no-tell-kernel"])
            .arg(&path)
            .stdin(fs::File::open(&input).unwrap()),
    );
    fs::read(&path).unwrap()
}

impl Case {
    fn open(
        &self,
        storage: Arc<dyn Storage>,
        access: BlockAccess,
    ) -> christen_block::Result<Arc<dyn BlockDevice>> {
        Ok(match self.mark {
            Mark::None => Arc::new(Raw(storage)),
            _ => Arc::new(Qcow2::open(storage, None, None, access)?),
        })
    }

    /// Changes both volumes and commits them together.
    pub(crate) fn run(&self, host: &Host) -> Result<(), Failure> {
        let overlay = self.stage(host).map_err(Failure::Staging)?;
        overlay.commit(&mut |_| {}).map_err(Failure::Commit)?;
        Ok(())
    }

    fn stage(&self, host: &Host) -> Result<Overlay, Box<dyn StdError>> {
        let file = OverlayFile {
            file: host.file(IMAGE).unwrap(),
            mark: self.mark,
            path: None,
        };
        let overlay = Overlay::staged(vec![file], host.place())?;
        let disk = self.open(overlay.storage(0).unwrap(), BlockAccess::Write)?;
        let table = partition::read(&disk)?;
        let mut volumes = Vec::new();
        for partition in &table.partitions {
            let section = partition.section(Arc::clone(&disk))?;
            volumes.push(Ext4::open(Arc::new(section), &options(Access::Write))?);
        }
        assert_eq!(volumes.len(), VOLUMES.len());
        for volume in &mut volumes {
            change(volume)?;
        }
        // Not one after the other, so that both are open at the same time.
        for volume in &mut volumes {
            volume.finish()?;
        }
        disk.flush()?;
        Ok(overlay)
    }

    /// The image after the change, on a good host, and how many steps and operations it took.
    pub(crate) fn result(&self) -> Vec<u8> {
        let host = Host::new(self.host_disk());
        self.run(&host).unwrap();
        host.disk().file(IMAGE).unwrap().clone()
    }

    pub(crate) fn host_disk(&self) -> christen_testkit::host::Disk {
        christen_testkit::host::Disk::with(&[(IMAGE, self.image.clone())])
    }

    /// Reads both trees of an image, and lets `e2fsck` and `qemu-img` judge it.
    #[track_caller]
    pub(crate) fn judge(&self, image: &[u8], what: &str) -> Vec<Tree> {
        let directory = TempDir::new();
        if self.mark != Mark::None {
            let path = directory.join("image");
            fs::write(&path, image).unwrap();
            let qemu_img = tools::find("qemu-img").unwrap();
            let mut command = Command::new(qemu_img);
            command.args(["check", "-f", "qcow2"]).arg(&path);
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{what}: qemu-img check: {text}");
        }
        let storage = Arc::new(MemoryStorage::new(image.to_vec()));
        let disk = self.open(storage, BlockAccess::Read).unwrap();
        let table = partition::read(&disk).unwrap();
        let trees = table.partitions.iter().map(|partition| {
            let mut bytes = vec![0; partition.length_bytes as usize];
            disk.read_at(&mut bytes, partition.start_bytes).unwrap();
            let path = directory.join("volume");
            fs::write(&path, bytes).unwrap();
            ext::assert_clean(&path, what);
            let section = Arc::new(partition.section(Arc::clone(&disk)).unwrap());
            let mut volume = Ext4::open(section, &options(Access::Read)).unwrap();
            let root = volume.root();
            let content_bytes = u64::MAX;
            Tree::read(&mut volume, root, &TreeOptions { content_bytes }).unwrap()
        });
        trees.collect()
    }
}

fn options(access: Access) -> OpenOptions {
    OpenOptions {
        access,
        journal: Journal::Refuse,
        now: NOW,
        generation_seed: 7,
    }
}

/// Something of everything: what is kept in memory and what is spooled, what is added and what goes.
fn change(fs: &mut Ext4) -> christen_vfs::Result<()> {
    let new = |kind| NewFile {
        kind,
        permissions: 0o640,
        uid: 1000,
        gid: 100,
    };
    let root = fs.root();
    let etc = fs.lookup(root, b"etc")?.expect("it was made");
    let directory = fs.create(root, b"srv", &new(NewKind::Directory))?;
    for number in 0..12 {
        let name = format!("a name of some length, so that blocks fill, {number}");
        let file = fs.create(directory, name.as_bytes(), &new(NewKind::File))?;
        fs.write_at(file, &vec![b'n'; number * 300], 0)?;
    }
    let large: Vec<u8> = (0..600_000_u32).map(|at| (at / 512) as u8 | 1).collect();
    let file = fs.create(directory, b"large", &new(NewKind::File))?;
    fs.replace(file, &mut &*large)?;
    fs.set_attribute(file, b"user.note", b"of some length")?;
    let hostname = fs.lookup(etc, b"hostname")?.expect("it was made");
    fs.replace(hostname, &mut &b"web-01\n"[..])?;
    fs.set_permissions(hostname, 0o600)?;
    let grows = fs.lookup(etc, b"grows")?.expect("it was made");
    fs.write_at(grows, &[b'g'; 9000], 700)?;
    fs.set_owner(grows, 5, 70_000)?;
    let times = Times {
        accessed: None,
        modified: Some(NOW),
    };
    fs.set_times(grows, times)?;
    fs.link(grows, directory, b"the same")?;
    fs.remove(etc, b"doomed")?;
    let old = fs.lookup(etc, b"old")?.expect("it was made");
    for number in 0..20 {
        fs.remove(old, format!("file number {number}").as_bytes())?;
    }
    fs.rename(etc, b"old", directory, b"moved")?;
    fs.create(root, b"link", &new(NewKind::SymbolicLink(b"srv/large")))?;
    Ok(())
}
