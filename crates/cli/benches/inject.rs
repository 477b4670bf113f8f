//! Files put into a guest's disk: `christen edit` beside what people do it with, in the same run: `cargo xtask bench inject`.
//!
//! Two directories and five small files with modes and owners go into a Debian's ext4 of 2 GiB, each round under other names. Ours is
//! measured with its check of what was staged and with all its syncs.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(dead_code, reason = "each benchmark uses its part of the support")]

mod support;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use christen_testkit::guest::cloud;
use support::{Calls, Figures, Program, copy_image, judge, measure, run, text, words};

/// Rounds after one warm-up; odd, so that the median is a measured value.
const ROUNDS: usize = 31;
/// Rounds of what takes ten seconds each.
const APPLIANCE_ROUNDS: usize = 3;
/// The size of the guest's disk, and of one so large that whatever depends on the size shows.
const IMAGE_BYTES: u64 = 2 << 30;
const LARGE_IMAGE_BYTES: u64 = 2 << 40;
/// The directory that is full already, and what comes to it.
const ENTRIES: usize = 3_000;
const MORE_ENTRIES: usize = 1_500;
/// The files that are put: name, bytes, mode, owner.
const FILES: [(&str, usize, u16, u32); 5] = [
    ("authorized_keys", 400, 0o600, 1000),
    ("interfaces", 800, 0o644, 0),
    ("hostname", 12, 0o644, 0),
    ("meta.js", 1_500, 0o640, 33),
    ("setup.sh", 3_000, 0o755, 0),
];

fn main() -> io::Result<()> {
    // On the file system of the repository, not on a tmpfs: where a sync means something.
    let scratch = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?
        .join("target/bench-inject");
    // An earlier run that was cut may have left a mount; it is not there otherwise.
    let _ = run(&format!("umount {}", text(&scratch.join("mount"))));
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(scratch.join("mount"))?;
    let stage = Stage::new(&scratch)?;
    peers(&stage)?;
    sizes(&stage)?;
    entries(&stage)?;
    fs::remove_dir_all(&scratch)
}

/// The files to put, and the Debian to put them into.
struct Stage {
    scratch: PathBuf,
    debian: PathBuf,
}

impl Stage {
    fn new(scratch: &Path) -> io::Result<Self> {
        for (name, bytes, ..) in FILES {
            fs::write(scratch.join(name), vec![b'x'; bytes])?;
        }
        let debian = scratch.join("debian");
        run(&format!(
            "cp --sparse=always {} {}",
            text(&cloud::root()?),
            text(&debian)
        ))?;
        File::options()
            .write(true)
            .open(&debian)?
            .set_len(IMAGE_BYTES)?;
        // resize2fs asks for a check first; its exit status 1 would say that something was mended.
        run(&format!("e2fsck -fp {}", text(&debian)))?;
        run(&format!("resize2fs {}", text(&debian)))?;
        Ok(Self {
            scratch: scratch.to_owned(),
            debian,
        })
    }

    fn copy(&self, name: &str) -> io::Result<PathBuf> {
        let copy = self.scratch.join(name);
        copy_image(&self.debian, &copy)?;
        Ok(copy)
    }

    /// A program that gets a script of its own in each round.
    fn scripted(
        &self,
        name: &str,
        script: impl Fn(&Self, usize) -> String,
        command: impl Fn(&str) -> Vec<String> + 'static,
        rounds: usize,
    ) -> io::Result<Program> {
        let stem = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>();
        let path = self.scratch.join(stem);
        for round in 0..=rounds + 3 {
            fs::write(path.with_extension(round.to_string()), script(self, round))?;
        }
        Ok(Program::changing(name, move |round| {
            command(&text(&path.with_extension(round.to_string())))
        }))
    }
}

/// The two directories of a round.
fn directories(round: usize) -> [String; 2] {
    [
        format!("/srv/round{round}"),
        format!("/srv/round{round}/keys"),
    ]
}

fn edit_script(stage: &Stage, round: usize) -> String {
    let [outer, inner] = directories(round);
    let mut script =
        format!("mkdir -m 0755 -o 1000:1000 {outer}\nmkdir -m 0700 -o 1000:1000 {inner}\n");
    for (name, _, mode, owner) in FILES {
        // Writing to a string cannot fail.
        let _ = writeln!(
            script,
            "put -m {mode:04o} -o {owner}:{owner} {} {inner}/{name}",
            text(&stage.scratch.join(name))
        );
    }
    script
}

fn debugfs_script(stage: &Stage, round: usize) -> String {
    let [outer, inner] = directories(round);
    let mut script = String::new();
    let own = |script: &mut String, path: &str, mode: u32, owner: u32| {
        let _ = writeln!(
            script,
            "set_inode_field {path} mode 0{mode:o}\nset_inode_field {path} uid {owner}\nset_inode_field {path} gid {owner}"
        );
    };
    for (path, mode) in [(&outer, 0o40_755), (&inner, 0o40_700)] {
        let _ = writeln!(script, "mkdir {path}");
        own(&mut script, path, mode, 1000);
    }
    for (name, _, mode, owner) in FILES {
        let path = format!("{inner}/{name}");
        let _ = writeln!(script, "write {} {path}", text(&stage.scratch.join(name)));
        own(&mut script, &path, 0o100_000 | u32::from(mode), owner);
    }
    script
}

fn guestfish_script(stage: &Stage, round: usize) -> String {
    let [outer, inner] = directories(round);
    let mut script = "run\nmount /dev/sda /\n".to_owned();
    for (path, mode) in [(&outer, 0o755), (&inner, 0o700)] {
        let _ = writeln!(
            script,
            "mkdir-mode {path} 0{mode:o}\nchown 1000 1000 {path}"
        );
    }
    for (name, _, mode, owner) in FILES {
        let path = format!("{inner}/{name}");
        let _ = writeln!(
            script,
            "upload {} {path}\nchmod 0{mode:o} {path}\nchown {owner} {owner} {path}",
            text(&stage.scratch.join(name))
        );
    }
    script
}

fn mount_script(stage: &Stage, image: &Path, round: usize) -> String {
    let mount = text(&stage.scratch.join("mount"));
    let [outer, inner] = directories(round);
    let mut script = format!(
        "set -e\nmount -o loop {} {mount}\nmkdir -m 755 {mount}{outer}\nmkdir -m 700 {mount}{inner}\nchown 1000:1000 {mount}{outer} {mount}{inner}\n",
        text(image)
    );
    for (name, _, mode, owner) in FILES {
        let path = format!("{mount}{inner}/{name}");
        let _ = writeln!(
            script,
            "cp {} {path}\nchmod {mode:o} {path}\nchown {owner}:{owner} {path}",
            text(&stage.scratch.join(name))
        );
    }
    let _ = writeln!(script, "umount {mount}");
    script
}

fn edit(stage: &Stage, name: &str, image: &Path, rounds: usize) -> io::Result<Program> {
    let image = text(image);
    stage.scripted(
        name,
        edit_script,
        move |script| {
            let mut command = words(env!("CARGO_BIN_EXE_christen"));
            command.extend(words(&format!("edit --format raw {image} {script}")));
            command
        },
        rounds,
    )
}

/// Ours beside the peers.
fn peers(stage: &Stage) -> io::Result<()> {
    println!(
        "Two directories and five files with modes and owners into a Debian's ext4 of 2 GiB:\n"
    );
    let ours = edit(stage, "`christen edit`", &stage.copy("ours.img")?, ROUNDS)?;
    let debugfs_image = text(&stage.copy("debugfs.img")?);
    let checked_image = text(&stage.copy("checked.img")?);
    let mount_image = stage.copy("mount.img")?;
    let plain = debugfs_image.clone();
    // Round 0 warms up, then come the measured ones, and one more each for what is counted.
    let calls = ours.traced(ROUNDS + 3, &stage.scratch)?;
    let dd_image = text(&stage.copy("dd.img")?);
    let block = calls.bytes.div_ceil(calls.syncs.max(1));
    let mut programs = vec![
        Program::changing("an empty process (`true`)", |_| words("true")),
        ours,
        stage.scripted(
            "`debugfs -w`",
            debugfs_script,
            move |script| words(&format!("debugfs -w -f {script} {plain}")),
            ROUNDS,
        )?,
        stage.scripted(
            "`debugfs -w`, then `e2fsck -fn`",
            debugfs_script,
            move |script| {
                let line =
                    format!("debugfs -w -f {script} {checked_image} && e2fsck -fn {checked_image}");
                vec!["sh".to_owned(), "-c".to_owned(), line]
            },
            ROUNDS,
        )?,
        Program::changing(
            format!(
                "`dd` of as many bytes ({}) with as many syncs ({})",
                calls.bytes, calls.syncs
            ),
            move |_| {
                words(&format!(
                    "dd if=/dev/zero of={dd_image} bs={block} count={} oflag=dsync conv=notrunc",
                    calls.syncs.max(1)
                ))
            },
        ),
    ];
    let mounting = stage.scripted(
        "root's loop mount, `cp`, `umount`",
        |stage, round| mount_script(stage, &mount_image, round),
        |script| words(&format!("sh {script}")),
        ROUNDS,
    )?;
    // Only root may, and only where there are loop devices.
    if mounting.run(ROUNDS + 3).is_ok() {
        programs.push(mounting);
    }
    table(stage, &programs, ROUNDS)?;
    judge(&debugfs_image)?;
    judge(&text(&stage.scratch.join("ours.img")))?;

    println!("The same by libguestfs, its appliance under emulation (`force_tcg`), beside ours:\n");
    let image = text(&stage.copy("guestfish.img")?);
    let programs = [
        Program::changing("an empty process (`true`)", |_| words("true")),
        edit(stage, "`christen edit`", &stage.copy("again.img")?, APPLIANCE_ROUNDS)?,
        stage.scripted(
            "`guestfish`",
            guestfish_script,
            move |script| {
                words(&format!(
                    "env LIBGUESTFS_BACKEND=direct LIBGUESTFS_BACKEND_SETTINGS=force_tcg guestfish --rw --format=raw -a {image} -f {script}"
                ))
            },
            APPLIANCE_ROUNDS,
        )?,
    ];
    table(stage, &programs, APPLIANCE_ROUNDS)
}

/// The same work on a disk a thousand times as large.
fn sizes(stage: &Stage) -> io::Result<()> {
    println!("The same work on disks of other sizes, empty but for `/srv`:\n");
    let root = stage.scratch.join("root/srv");
    fs::create_dir_all(&root)?;
    let mut programs = vec![Program::changing("an empty process (`true`)", |_| {
        words("true")
    })];
    for (name, bytes) in [("2 GiB", IMAGE_BYTES), ("2 TiB, sparse", LARGE_IMAGE_BYTES)] {
        let image = stage.scratch.join(format!("sized-{bytes}"));
        File::create(&image)?.set_len(bytes)?;
        run(&format!(
            "mke2fs -q -F -t ext4 -E lazy_itable_init=1,lazy_journal_init=1,nodiscard -d {} {}",
            text(&stage.scratch.join("root")),
            text(&image)
        ))?;
        programs.push(edit(
            stage,
            &format!("`christen edit`, {name}"),
            &image,
            ROUNDS,
        )?);
    }
    table(stage, &programs, ROUNDS)
}

/// Many files into a directory that is full of others.
fn entries(stage: &Stage) -> io::Result<()> {
    println!("{MORE_ENTRIES} files into a directory of {ENTRIES} entries:\n");
    let many = stage.scratch.join("many/directory");
    fs::create_dir_all(&many)?;
    for entry in 0..ENTRIES {
        fs::write(many.join(format!("entry-{entry:05}")), b"")?;
    }
    let rounds = 11;
    let mut programs = vec![Program::changing("an empty process (`true`)", |_| {
        words("true")
    })];
    let mut images = Vec::new();
    for (name, indexed) in [
        ("`christen edit`, indexed as a kernel leaves it", true),
        (
            "`christen edit`, without index as `mke2fs -d` leaves it",
            false,
        ),
    ] {
        let image = stage.scratch.join(format!("many-{indexed}.img"));
        File::create(&image)?.set_len(IMAGE_BYTES)?;
        let path = text(&image);
        let from = text(&stage.scratch.join("many"));
        run(&format!("mke2fs -q -F -t ext4 -d {from} {path}"))?;
        if indexed {
            // It makes the index and says so by its status; what it leaves is checked.
            let _ = run(&format!("e2fsck -fyD {path}"));
            judge(&path)?;
        }
        images.push(path.clone());
        programs.push(stage.scripted(
            name,
            |_, round| many_files(round),
            move |script| {
                let mut command = words(env!("CARGO_BIN_EXE_christen"));
                command.extend(words(&format!("edit --format raw {path} {script}")));
                command
            },
            rounds,
        )?);
    }
    table(stage, &programs, rounds)?;
    images.iter().try_for_each(|image| judge(image))
}

fn many_files(round: usize) -> String {
    let mut script = String::new();
    for entry in 0..MORE_ENTRIES {
        // Writing to a string cannot fail.
        let _ = writeln!(
            script,
            "write -m 0640 -o 1000:1000 /directory/round-{round}-{entry:05} \"entry {entry}\\n\""
        );
    }
    script
}

fn table(stage: &Stage, programs: &[Program], rounds: usize) -> io::Result<()> {
    let figures: Vec<Figures> = measure(programs, rounds, 0)?;
    println!(
        "| program | median ms | smallest ms | system calls | syncs | bytes written | peak memory, KiB | times ours |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for (program, figure) in programs.iter().zip(&figures) {
        // A kernel that writes for a mount is not seen by a trace of processes, and its rounds are used up.
        let seen = !program.name.contains("mount");
        // dd's syncs are those of a flag, which no call shows.
        let syncs_seen = seen && !program.name.contains("dd`");
        let (calls, memory) = if seen {
            (
                program.traced(rounds + 1, &stage.scratch)?,
                program.memory_kib(rounds + 2, &stage.scratch)?,
            )
        } else {
            (Calls::default(), 0)
        };
        let shown = |number: u64, seen: bool| {
            if seen {
                number.to_string()
            } else {
                "–".to_owned()
            }
        };
        println!(
            "| {} | {:.2} | {:.2} | {} | {} | {} | {} | {:.2} |",
            program.name,
            figure.median / 1e3,
            figure.smallest / 1e3,
            shown(calls.all, seen),
            shown(calls.syncs, syncs_seen),
            shown(calls.bytes, seen),
            shown(memory, seen),
            figure.median / figures[1].median,
        );
    }
    println!();
    Ok(())
}
