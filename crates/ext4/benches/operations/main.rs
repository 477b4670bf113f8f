//! The library alone, on one core, over the staged overlay of an image that is never committed. `cargo xtask bench inject` runs it.
//!
//! Beside it stands `rust-fs-ext4` over the same overlay, where it can do the same.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod counted;
mod peer;

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use christen_block::image::{Format, Image, OpenOptions, Purpose, StatedFormat};
use christen_ext4::{Access, Ext4, Journal, OpenOptions as FileSystemOptions};
use christen_testkit::TempDir;
use christen_vfs::memory::Memory;
use christen_vfs::model::{Operation, Profile, Random, generate, moment};
use christen_vfs::{FileId, FileSystem, GuestPath, NewFile, NewKind, Timestamp};

use counted::{Counted, Counts};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How often a row is measured, after one warm-up; odd, so that the median is a measured value.
const ROUNDS: usize = 51;
/// Rounds of what takes long.
const LONG_ROUNDS: usize = 5;
/// The files that are put: name, bytes, mode, owner.
const FILES: [(&str, usize, u16, u32); 5] = [
    ("authorized_keys", 400, 0o600, 1000),
    ("interfaces", 800, 0o644, 0),
    ("hostname", 12, 0o644, 0),
    ("meta.js", 1_500, 0o640, 33),
    ("setup.sh", 3_000, 0o755, 0),
];
/// How many random operations one row does.
const OPERATIONS: usize = 4_000;
/// The directory that is full already, and how often each thing is done to it.
const ENTRIES: usize = 20_000;
const CHANGES: usize = 1_000;

fn main() -> Outcome<()> {
    let scratch = TempDir::new();
    let small = make(&scratch.join("small"), 2 << 30, &[])?;
    let large = make(&scratch.join("large"), 4 << 40, &["-J", "size=1024"])?;
    println!(
        "In the library, one core, over the staged overlay of a raw ext4 image, nothing committed; {ROUNDS} rounds, {LONG_ROUNDS} of the last two and of rust-fs-ext4:\n"
    );
    println!("| work | median ms | smallest ms | reads of the device | bytes | writes | bytes |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for (what, image) in [("2 GiB", &small), ("4 TiB with a journal of 1 GiB", &large)] {
        let work = "open, two directories, five files, modes, owners, list of changes";
        row(&format!("{work}; {what}"), ROUNDS, || inject(image))?;
        row(&format!("– of these: open; {what}"), ROUNDS, || {
            open_only(image)
        })?;
        row(
            &format!("{work}, by rust-fs-ext4; {what}"),
            LONG_ROUNDS,
            || peer::inject(image),
        )?;
    }
    for seed in 1..=2 {
        let work = Work::prepare(seed);
        let what = format!(
            "{OPERATIONS} random operations with {} bytes of content, list of changes; seed {seed}",
            work.bytes()
        );
        row(&what, LONG_ROUNDS, || work.run(&small))?;
    }

    println!("\nIn a directory of {ENTRIES} entries, {CHANGES} of each operation:\n");
    println!(
        "| operation | µs each | reads of the device each | bytes | by rust-fs-ext4, µs each | reads | bytes |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let ours = directory(&small)?;
    let theirs = peer::directory(&filled(&small)?)?;
    for (ours, theirs) in ours.iter().zip(&theirs) {
        println!(
            "| {} | {} | {} |",
            ours.what,
            ours.figures(),
            theirs.figures()
        );
    }
    println!();
    Ok(())
}

/// Makes an image, most of which is a hole.
fn make(path: &Path, bytes: u64, more: &[&str]) -> Outcome<PathBuf> {
    File::create(path)?.set_len(bytes)?;
    let output = Command::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-E"])
        .arg("lazy_itable_init=1,lazy_journal_init=1,nodiscard")
        .args(more)
        .arg(path)
        .output()?;
    if output.status.success() {
        Ok(path.to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into())
    }
}

/// An image with the changes staged over it.
struct Staged {
    image: Image,
    device: Arc<Counted>,
}

impl Staged {
    /// Opens an image to be changed, as `christen edit` does.
    fn new(path: &Path) -> Outcome<Self> {
        let options = OpenOptions {
            format: StatedFormat::Stated(Format::Raw),
            purpose: Purpose::Change,
            allow_backing: Vec::new(),
            redo_directory: None,
        };
        let image = Image::open(path, &options)?;
        let device = Arc::new(Counted::new(image.disk()));
        Ok(Self { image, device })
    }

    fn open(&self) -> Outcome<Ext4> {
        let options = FileSystemOptions {
            access: Access::Write,
            journal: Journal::Refuse,
            now: Timestamp {
                seconds: 1_600_000_000,
                nanoseconds: 0,
            },
            generation_seed: 1,
        };
        Ok(Ext4::open(Arc::clone(&self.device) as _, &options)?)
    }

    /// Looks at what a commit would write, which is the end of all work here.
    fn finish(&self) -> Outcome<Counts> {
        if self.image.changes()?.bytes() == 0 {
            return Err("nothing was changed".into());
        }
        Ok(self.device.counts())
    }
}

/// Measures work that takes its own time and tells what it did to the device.
fn row(
    what: &str,
    rounds: usize,
    mut work: impl FnMut() -> Outcome<(Duration, Counts)>,
) -> Outcome<()> {
    let (_, counts) = work()?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        times.push(work()?.0);
    }
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "| {what} | {:.2} | {:.2} | {} | {} | {} | {} |",
        milliseconds(times[times.len() / 2]),
        milliseconds(times[0]),
        counts.reads,
        counts.bytes_read,
        counts.writes,
        counts.bytes_written,
    );
    Ok(())
}

fn new(kind: NewKind<'_>, permissions: u16, owner: u32) -> NewFile<'_> {
    NewFile {
        kind,
        permissions,
        uid: owner,
        gid: owner,
    }
}

fn inject(image: &Path) -> Outcome<(Duration, Counts)> {
    let content = [b'x'; 4096];
    let start = Instant::now();
    let staged = Staged::new(image)?;
    let mut fs = staged.open()?;
    let root = fs.root();
    let outer = fs.create(root, b"srv", &new(NewKind::Directory, 0o755, 1000))?;
    let inner = fs.create(outer, b"keys", &new(NewKind::Directory, 0o700, 1000))?;
    for (name, bytes, permissions, owner) in FILES {
        // The mode and the owner by operations of their own, as the peer must do it.
        let file = fs.create(inner, name.as_bytes(), &new(NewKind::File, 0o600, 0))?;
        fs.replace(file, &mut &content[..bytes])?;
        fs.set_owner(file, owner, owner)?;
        fs.set_permissions(file, permissions)?;
    }
    fs.finish()?;
    let counts = staged.finish()?;
    Ok((start.elapsed(), counts))
}

fn open_only(image: &Path) -> Outcome<(Duration, Counts)> {
    let start = Instant::now();
    let staged = Staged::new(image)?;
    let _fs = staged.open()?;
    Ok((start.elapsed(), staged.device.counts()))
}

/// Random operations, each with its content, so that neither is made while the clock runs.
struct Work(Vec<(Operation, Vec<u8>)>);

impl Work {
    fn prepare(seed: u64) -> Self {
        let operations = generate(&mut Memory::new(), seed, OPERATIONS, &Profile::DEFAULT);
        let with_content = operations.into_iter().map(|operation| {
            let content = match &operation {
                Operation::Write { length, seed, .. } | Operation::Replace { length, seed, .. } => {
                    Random::new(*seed).bytes(*length)
                }
                _ => Vec::new(),
            };
            (operation, content)
        });
        Self(with_content.collect())
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(_, content)| content.len()).sum()
    }

    fn run(&self, image: &Path) -> Outcome<(Duration, Counts)> {
        let start = Instant::now();
        let staged = Staged::new(image)?;
        let mut fs = staged.open()?;
        let mut done = 0;
        for (step, (operation, content)) in self.0.iter().enumerate() {
            fs.set_now(moment(step));
            // Some are such that they must be refused, which is work too.
            done += usize::from(apply(operation, content, &mut fs).is_ok());
        }
        fs.finish()?;
        let counts = staged.finish()?;
        let time = start.elapsed();
        if done < OPERATIONS / 2 {
            return Err(format!("only {done} operations could be done").into());
        }
        Ok((time, counts))
    }
}

fn apply(operation: &Operation, content: &[u8], fs: &mut Ext4) -> christen_vfs::Result<()> {
    match operation {
        Operation::Write { path, offset, .. } => {
            let file = find(fs, path)?;
            fs.write_at(file, content, *offset)
        }
        Operation::Replace { path, .. } => {
            let file = find(fs, path)?;
            fs.replace(file, &mut &content[..]).map(|_| ())
        }
        other => other.apply(fs),
    }
}

fn find(fs: &mut Ext4, path: &GuestPath) -> christen_vfs::Result<FileId> {
    let mut at = fs.root();
    for name in path.components() {
        at = fs.lookup(at, name)?.ok_or(christen_vfs::Error::NotFound)?;
    }
    Ok(at)
}

/// What one operation costs that is done often.
struct Each {
    what: &'static str,
    time: Duration,
    reads: u64,
    bytes: u64,
}

impl Each {
    fn measure(
        what: &'static str,
        device: &Counted,
        mut work: impl FnMut(usize) -> Outcome<()>,
    ) -> Outcome<Self> {
        let before = device.counts();
        let start = Instant::now();
        for number in 0..CHANGES {
            work(number)?;
        }
        let time = start.elapsed();
        let after = device.counts();
        Ok(Self {
            what,
            time,
            reads: after.reads - before.reads,
            bytes: after.bytes_read - before.bytes_read,
        })
    }

    fn figures(&self) -> String {
        let each = |number: u64| number as f64 / CHANGES as f64;
        format!(
            "{:.1} | {:.2} | {:.0}",
            self.time.as_secs_f64() * 1e6 / CHANGES as f64,
            each(self.reads),
            each(self.bytes)
        )
    }
}

/// Stages a directory of many entries, which has an index; `mke2fs -d` would make one without.
fn filled(image: &Path) -> Outcome<Staged> {
    let staged = Staged::new(image)?;
    let mut fs = staged.open()?;
    let root = fs.root();
    let directory = fs.create(root, b"many", &new(NewKind::Directory, 0o755, 0))?;
    for entry in 0..ENTRIES {
        fs.create(directory, &entry_name(entry), &new(NewKind::File, 0o644, 0))?;
    }
    fs.finish()?;
    Ok(staged)
}

fn entry_name(number: usize) -> Vec<u8> {
    format!("entry-{number:05}").into_bytes()
}

/// Returns the name of one of the entries that are there, a different one for each number.
fn spread(number: usize) -> Vec<u8> {
    entry_name(number * (ENTRIES / CHANGES))
}

/// Opens the full directory afresh and works in it.
fn directory(image: &Path) -> Outcome<Vec<Each>> {
    let staged = filled(image)?;
    let mut fs = staged.open()?;
    let device = &staged.device;
    let root = fs.root();
    let directory = fs.lookup(root, b"many")?.ok_or("no directory")?;
    let each = vec![
        Each::measure("look up", device, |number| {
            fs.lookup(directory, &spread(number))?
                .ok_or("an entry is lost")?;
            Ok(())
        })?,
        Each::measure("create an empty file", device, |number| {
            let name = entry_name(ENTRIES + number);
            fs.create(directory, &name, &new(NewKind::File, 0o644, 0))?;
            Ok(())
        })?,
        Each::measure("remove", device, |number| {
            Ok(fs.remove(directory, &spread(number))?)
        })?,
    ];
    fs.finish()?;
    Ok(each)
}
