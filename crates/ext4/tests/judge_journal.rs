//! Journals of the kernel's and of debugfs's making, replayed by us and by debugfs, whose code is e2fsck's.
//!
//! It does nothing but the replay, so that every byte outside of a few fields of the superblock must be the same.

#![allow(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use christen_block::MemoryDevice;
use christen_ext4::journal::{Geometry, Journal, mark_recovered};
use christen_ext4::{Access, Error, Ext4, OpenOptions};
use christen_testkit::temp::TempDir;
use christen_testkit::tools;
use christen_vfs::{FileSystem as _, Timestamp};

/// The largest number of blocks that is written by hand, with 4 KiB blocks, lies in it.
const IMAGE_BYTES: u64 = 32 << 20;

/// An image and what has to be known of it.
struct Image {
    path: PathBuf,
    block_bytes: u32,
}

impl Image {
    fn create(directory: &TempDir, block_bytes: u32, options: &[&str]) -> Self {
        let path = directory.join("image");
        fs::File::create(&path)
            .unwrap()
            .set_len(IMAGE_BYTES)
            .unwrap();
        let size = block_bytes.to_string();
        let mut arguments = vec![
            "-q",
            "-F",
            "-b",
            &size,
            "-E",
            "lazy_itable_init=0",
            "-J",
            "size=4",
        ];
        arguments.extend(options);
        tools::output(
            "mke2fs",
            arguments.iter().copied().chain([path.to_str().unwrap()]),
        );
        Self { path, block_bytes }
    }

    fn debugfs(&self, commands: &[String]) -> String {
        let script = self.path.with_extension("debugfs");
        fs::write(&script, commands.join("\n") + "\n").unwrap();
        let output = Command::new("debugfs")
            .arg("-wf")
            .args([&script, &self.path])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The blocks of the journal, as debugfs finds them.
    fn journal(&self) -> Vec<u64> {
        let inode = self.debugfs(&["stat <8>".to_string()]);
        let size = inode.split("Size:").nth(1).unwrap();
        let size: u32 = size.split_whitespace().next().unwrap().parse().unwrap();
        let blocks = size / self.block_bytes;
        let commands: Vec<_> = (0..blocks)
            .map(|block| format!("bmap <8> {block}"))
            .collect();
        let blocks = self
            .debugfs(&commands)
            .lines()
            .filter_map(|line| line.trim().parse().ok())
            .collect::<Vec<u64>>();
        assert_eq!(blocks.len(), commands.len());
        blocks
    }

    /// Replays with our code and returns the image, with the number of transactions.
    fn replay(&self) -> Result<(u32, Vec<u8>), Error> {
        let blocks = self.journal();
        let bytes = fs::read(&self.path).unwrap();
        let geometry = Geometry {
            block_bytes: self.block_bytes,
            blocks: bytes.len() as u64 / u64::from(self.block_bytes),
            journal_blocks: blocks.len() as u32,
        };
        let device = MemoryDevice::new(bytes);
        let mut locate = |block: u32| Ok(blocks[block as usize]);
        let mut journal = Journal::open(&device, geometry, &mut locate)?;
        let pending = journal.examine()?;
        journal.replay(&pending)?;
        mark_recovered(&device, None)?;
        Ok((pending.transactions(), device.snapshot()))
    }

    /// Replays with debugfs and returns the image.
    fn replay_with_debugfs(&self) -> Vec<u8> {
        let copy = self.path.with_extension("debugfs-copy");
        fs::copy(&self.path, &copy).unwrap();
        // debugfs runs e2fsck's code for the journal, and leaves orphans alone.
        tools::output("debugfs", ["-w", "-R", "jr", copy.to_str().unwrap()]);
        fs::read(copy).unwrap()
    }

    /// Compares the two, and returns the number of transactions.
    fn compare(&self) -> u32 {
        let (transactions, ours) = match self.replay() {
            Ok(replayed) => replayed,
            Err(error) => panic!("{error}"),
        };
        let mut ours = ours;
        let mut theirs = self.replay_with_debugfs();
        for image in [&mut ours, &mut theirs] {
            // `s_wtime`, `s_mnt_count`, `s_state`, `s_lastcheck`, `s_kbytes_written`, `s_checksum`: what debugfs stamps.
            for (at, length) in [
                (0x30, 4),
                (0x34, 2),
                (0x3A, 2),
                (0x40, 4),
                (0x178, 8),
                (0x274, 4),
                (0x3FC, 4),
            ] {
                image[1024 + at..1024 + at + length].fill(0);
            }
        }
        let sectors = ours.chunks(512).zip(theirs.chunks(512));
        let different: Vec<_> = (0..).zip(sectors).filter(|(_, (a, b))| a != b).collect();
        let first: Vec<u32> = different.iter().map(|(at, _)| *at).take(20).collect();
        assert!(first.is_empty(), "{} sectors: {first:?}", different.len());
        transactions
    }

    /// Opens it for writing, as a user asks for it, and changes nothing else.
    fn recover(&self, journal: christen_ext4::Journal) -> Result<Vec<u8>, Error> {
        let device = Arc::new(MemoryDevice::new(fs::read(&self.path).unwrap()));
        let now = Timestamp {
            seconds: 1_700_000_000,
            nanoseconds: 0,
        };
        let options = OpenOptions {
            access: Access::Write,
            journal,
            now,
            generation_seed: 1,
        };
        let mut filesystem = Ext4::open(Arc::clone(&device) as _, &options)?;
        filesystem.finish().unwrap();
        Ok(device.snapshot())
    }

    /// Recovers a copy, has e2fsck look at it, and compares its files with those of a copy that e2fsck recovered.
    fn compare_files(&self, what: &str) {
        let refused = self.recover(christen_ext4::Journal::Refuse).unwrap_err();
        assert!(
            matches!(refused, Error::UncleanJournal),
            "{what}: {refused}"
        );
        let ours = self.path.with_extension("ours");
        let recovered = match self.recover(christen_ext4::Journal::Replay) {
            Ok(recovered) => recovered,
            Err(error) => panic!("{what}: {error}"),
        };
        fs::write(&ours, recovered).unwrap();
        let checked = Command::new("e2fsck")
            .arg("-fn")
            .arg(&ours)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(checked.status.success(), "{what}:\n{said}");

        let theirs = self.path.with_extension("theirs");
        fs::copy(&self.path, &theirs).unwrap();
        let status = Command::new("e2fsck")
            .arg("-fy")
            .arg(&theirs)
            .output()
            .unwrap()
            .status;
        assert_eq!(status.code(), Some(1), "{what}");
        let [ours, theirs] = [ours, theirs].map(|image| files(&image));
        assert_eq!(ours, theirs, "{what}");
        assert!(ours.lines().count() > 20, "{what}:\n{ours}");
    }
}

/// What a kernel says of all files of an image, with a sum of each content.
fn files(image: &Path) -> String {
    let Some(mounted) = Mount::new(image, "ro,noload") else {
        return String::new();
    };
    let listing = "find . -printf '%p %y %m %U %G %s %n %b %T@ %C@ %l\\n' | sort; find . -type f -print0 | sort -z | xargs -0 cksum";
    let output = tools::run(
        Command::new("sh")
            .args(["-c", listing])
            .current_dir(&mounted.at),
    );
    String::from_utf8(output).unwrap()
}

fn have_tools() -> bool {
    ["mke2fs", "e2fsck", "debugfs"]
        .iter()
        .all(|tool| tools::require(tool).is_some())
}

#[test]
fn transactions_of_debugfs() {
    if !have_tools() {
        return;
    }
    let kinds: [(&[&str], &str); 6] = [
        (&["-t", "ext3"], "jo"),
        (&["-t", "ext3"], "jo -c -v 2"),
        (&["-t", "ext4", "-O", "metadata_csum,64bit"], "jo -c -v 3"),
        (&["-t", "ext4", "-O", "metadata_csum,64bit"], "jo -c -v 2"),
        (&["-t", "ext4", "-O", "^metadata_csum,64bit"], "jo"),
        (&["-t", "ext4", "-O", "^metadata_csum,^64bit"], "jo -c -v 3"),
    ];
    for (options, open) in kinds {
        for block_bytes in [1024, 4096] {
            let directory = TempDir::new();
            let image = Image::create(&directory, block_bytes, options);
            let data = directory.join("data");
            let size = block_bytes as usize;
            // Three blocks, of which one begins as a record of the journal does.
            let mut content = vec![0x11; 3 * size];
            content[size..size + 4].copy_from_slice(&[0xC0, 0x3B, 0x39, 0x98]);
            fs::write(&data, &content).unwrap();
            let data = data.display();
            // debugfs counts revoke records into checksums of whole transactions, which neither Linux nor its own replay does.
            let whole = options.last() != Some(&"metadata_csum,64bit") && open.contains("-c");
            let revoke = if whole { "" } else { "jw -r 7000,7101" };
            image.debugfs(&[
                open.to_string(),
                format!("jw -b 7000,7001,7002 {data}"),
                format!("jw -b 7100,7101,7102 {data}"),
                revoke.to_string(),
                format!("jw -b 7200,7000 {data}"),
                // Without a commit.
                format!("jw -b 7300 -c {data}"),
                "jc".to_string(),
            ]);
            let transactions = image.compare();
            assert_eq!(
                transactions,
                if whole { 3 } else { 4 },
                "{options:?} {open} {block_bytes}"
            );
        }
    }
}

/// A loop mount that goes away with the test.
struct Mount {
    at: PathBuf,
}

impl Mount {
    fn new(image: &Path, options: &str) -> Option<Self> {
        let at = image.with_extension("mount");
        fs::create_dir_all(&at).unwrap();
        let uid = tools::output("id", ["-u"]);
        if uid != b"0\n" || tools::find("losetup").is_none() {
            tools::skip("only root can mount images");
            return None;
        }
        tools::run(
            Command::new("mount")
                // Mounted as ext3, an ext3 takes no options of ext4.
                .args(["-t", "ext4", "-o", &format!("loop,{options}")])
                .args([image, &at]),
        );
        Some(Self { at })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Between fork and exec, a program that another test starts holds all files that are open here.
        for _ in 0..50 {
            let status = Command::new("umount").arg("-q").arg(&self.at).status();
            if status.is_ok_and(|status| status.success()) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Makes and removes files so that there are several transactions, revoked blocks among them, and an orphan.
fn be_busy(at: &Path) -> fs::File {
    for round in 0..4 {
        for number in 0..20 {
            let directory = at.join(format!("d{round}-{number}"));
            fs::create_dir(&directory).unwrap();
            let mut file = fs::File::create(directory.join("file")).unwrap();
            file.write_all(&vec![round as u8 + 1; number * 900])
                .unwrap();
        }
        sync(at);
        for number in (0..20).step_by(2) {
            fs::remove_dir_all(at.join(format!("d{round}-{number}"))).unwrap();
        }
        // Begins as a record of the journal does; with `data=journal` it is a block of a transaction.
        let mut magic = vec![0xC0, 0x3B, 0x39, 0x98];
        magic.resize(9000, round as u8);
        fs::write(at.join(format!("magic{round}")), magic).unwrap();
        sync(at);
    }
    let orphan = at.join("orphan");
    fs::write(&orphan, vec![9; 50_000]).unwrap();
    let open = fs::File::open(&orphan).unwrap();
    fs::set_permissions(&orphan, fs::Permissions::from_mode(0o600)).unwrap();
    sync(at);
    fs::remove_file(&orphan).unwrap();
    sync(at);
    open
}

fn sync(at: &Path) {
    tools::output("sync", [Path::new("-f"), at]);
}

#[test]
fn transactions_of_the_kernel() {
    replay_what_the_kernel_wrote(&[
        (&["-t", "ext4"], 1024, "data=journal"),
        (&["-t", "ext3"], 4096, "data=ordered"),
    ]);
}

#[test]
#[ignore = "takes half a minute; `cargo test -p christen-ext4 --test judge_journal -- --ignored`"]
fn transactions_of_the_kernel_in_every_mode() {
    replay_what_the_kernel_wrote(&[
        (&["-t", "ext4"], 4096, "data=ordered"),
        (&["-t", "ext4"], 2048, "data=journal"),
        (&["-t", "ext3"], 1024, "data=journal"),
        (&["-t", "ext3"], 4096, "data=writeback,journal_async_commit"),
        (
            &["-t", "ext4", "-O", "^metadata_csum"],
            4096,
            "data=writeback,journal_checksum",
        ),
        (
            &["-t", "ext4", "-O", "^64bit"],
            4096,
            "data=writeback,journal_async_commit",
        ),
        (&["-t", "ext4", "-O", "orphan_file"], 4096, "data=journal"),
    ]);
}

/// Options of mke2fs, the size of a block, options of mount.
type Kind<'a> = (&'a [&'a str], u32, &'a str);

fn replay_what_the_kernel_wrote(kinds: &[Kind<'_>]) {
    if !have_tools() {
        return;
    }
    for (options, block_bytes, mount) in kinds {
        let directory = TempDir::new();
        let mut image = Image::create(&directory, *block_bytes, options);
        let Some(mounted) = Mount::new(&image.path, mount) else {
            return;
        };
        let open = be_busy(&mounted.at);
        let copy = directory.join("copy");
        tools::output("cp", [Path::new("--sparse=always"), &image.path, &copy]);
        drop(open);
        drop(mounted);
        image.path = copy;
        let transactions = image.compare();
        assert!(transactions > 0, "{options:?} {mount}: {transactions}");
        image.compare_files(&format!("{options:?} {mount}"));
    }
}

#[test]
fn fast_commits_of_the_kernel_are_refused() {
    if !have_tools() {
        return;
    }
    let directory = TempDir::new();
    let path = directory.join("image");
    fs::File::create(&path)
        .unwrap()
        .set_len(IMAGE_BYTES)
        .unwrap();
    tools::output(
        "mke2fs",
        [
            "-q",
            "-F",
            "-b",
            "1024",
            "-O",
            "fast_commit",
            "-J",
            "size=4",
            path.to_str().unwrap(),
        ],
    );
    let mut image = Image {
        path,
        block_bytes: 1024,
    };
    let Some(mounted) = Mount::new(&image.path, "data=ordered") else {
        return;
    };
    sync(&mounted.at);
    let copies: Vec<_> = (0..2)
        .map(|number| {
            let file = fs::File::create(mounted.at.join(format!("file{number}"))).unwrap();
            if number == 0 {
                // A whole commit, after which a fast one is possible.
                sync(&mounted.at);
            } else {
                file.sync_all().unwrap();
            }
            let copy = directory.join(format!("copy{number}"));
            tools::output("cp", [Path::new("--sparse=always"), &image.path, &copy]);
            copy
        })
        .collect();
    drop(mounted);
    let mut results = copies.into_iter().map(|copy| {
        image.path = copy;
        image.replay().map(|(transactions, _)| transactions)
    });
    assert!(results.next().unwrap().unwrap() > 0);
    let refused = results.next().unwrap().unwrap_err();
    assert!(matches!(refused, Error::Unsupported(_)), "{refused}");
}
