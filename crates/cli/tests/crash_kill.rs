//! `christen edit` killed at any moment of its run: what opens the image next finds the old image or the new one, and nothing beside it.
//!
//! `CHRISTEN_JUDGE_FULL` kills it some hundred times more.

mod image_support;
mod support;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use christen_testkit::host::Random;
use christen_testkit::{TempDir, ext, tools};
use image_support::{Tools, hash};
use support::{christen_in, names, put, succeed};

/// How often each kind of run is killed.
fn kills() -> u64 {
    match std::env::var_os("CHRISTEN_JUDGE_FULL") {
        Some(_) => 300,
        None => 16,
    }
}

const TIME: &str = "--time 2026-11-25T00:00:00Z";

/// One at a time: how long a run takes is measured.
static TURN: Mutex<()> = Mutex::new(());

/// What any opening for writing does; the second one changes something itself.
const AFTER: [&str; 2] = ["recover a.img", "mkdir a.img /after"];

const SCRIPT: &str = "\
mkdir /srv/www
put payload /srv/www/payload
write -m 0600 /etc/hostname \"web-01\\n\"
append /etc/passwd \"db:x:34:34::/:/bin/sh\\n\"
rm /etc/mtab
put payload /srv/again
truncate /srv/again 5000
mv /etc/group /etc/groups
";

/// An image, and what the script makes of it.
struct Scene {
    directory: TempDir,
    /// Holds the image as it was made.
    aside: TempDir,
    format: &'static str,
    /// The old image and the new one, untouched since, and with what each of `AFTER` does.
    old: Vec<u64>,
    new: Vec<u64>,
    /// How long the script takes, and how long a redo file is there.
    whole: Duration,
    commit: Duration,
}

impl Scene {
    fn edit(&self, more: &str) -> Command {
        let format = self.format;
        let mut command = christen_in(
            &self.directory,
            &format!("edit a.img script --format {format} {TIME} {more}"),
        );
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn image(&self) -> PathBuf {
        self.directory.join("a.img")
    }

    fn redo(&self) -> PathBuf {
        self.directory.join(".a.img.christen-redo")
    }

    /// Puts the image there as it was.
    fn restore(&self) {
        ext::copy(&self.aside.join("pristine"), &self.image());
    }

    fn after(&self, number: usize) -> Command {
        let format = self.format;
        let more = match number {
            0 => String::new(),
            _ => format!(" --format {format} {TIME}"),
        };
        christen_in(&self.directory, &format!("{}{more}", AFTER[number]))
    }

    /// Starts the script, waits, if asked, until there is a redo file or the program has ended, and then so long, and kills it. Returns
    /// whether it was still running.
    fn kill(&self, more: &str, in_commit: bool, delay: Duration) -> bool {
        let mut child = self.edit(more).spawn().expect("the program starts");
        let redo = self.redo();
        let started = Instant::now();
        while in_commit && !redo.exists() && child.try_wait().expect("it is ours").is_none() {
            assert!(started.elapsed() < Duration::from_secs(60), "it hangs");
        }
        spin(delay);
        child.kill().expect("it is ours");
        child.wait().expect("it is ours").code().is_none()
    }
}

/// Waits more exactly than sleeping does.
fn spin(delay: Duration) {
    let started = Instant::now();
    while started.elapsed() < delay {
        if delay.saturating_sub(started.elapsed()) > Duration::from_millis(2) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Part of a duration that is none in the first two rounds, so that a busy machine does not turn every kill into one that comes too late,
/// and later anything, small more often than large.
fn part(of: Duration, round: u64, random: &mut Random) -> Duration {
    let thousandths = if round < 2 { 0 } else { random.below(1100) };
    let millionths = u32::try_from(thousandths * thousandths).expect("it is small");
    of / 1_000_000 * millionths
}

fn scene(tools: &Tools, format: &'static str) -> Scene {
    let directory = TempDir::in_memory();
    let aside = TempDir::in_memory();
    let pristine = aside.join("pristine");
    tools.guest(&pristine, &["-t", "ext4"]);
    if format == "qcow2" {
        let raw = aside.join("raw");
        fs::rename(&pristine, &raw).expect("it is ours");
        let qemu_img = tools::find("qemu-img").expect("it was required");
        let arguments = ["convert", "-f", "raw", "-O", "qcow2"];
        tools::run(
            Command::new(qemu_img)
                .args(arguments)
                .args([&raw, &pristine]),
        );
    }
    put(&directory, "script", SCRIPT);
    let mut random = Random(1);
    let payload: Vec<u8> = (0..3_u64 << 20).map(|_| random.below(256) as u8).collect();
    put(&directory, "payload", payload);
    let mut scene = Scene {
        directory,
        aside,
        format,
        old: Vec::new(),
        new: Vec::new(),
        whole: Duration::MAX,
        commit: Duration::MAX,
    };
    for number in 0..AFTER.len() {
        scene.restore();
        succeed(&mut scene.after(number));
        scene.old.push(judged(tools, &scene));
        scene.restore();
        let started = Instant::now();
        let mut child = scene.edit("").spawn().expect("the program starts");
        let mut appeared = None;
        let status = loop {
            if appeared.is_none() && scene.redo().exists() {
                appeared = Some(Instant::now());
            }
            if let Some(status) = child.try_wait().expect("it is ours") {
                break status;
            }
        };
        assert!(status.success());
        scene.whole = scene.whole.min(started.elapsed());
        let commit = appeared.map_or(scene.whole / 4, |appeared| appeared.elapsed());
        scene.commit = scene.commit.min(commit);
        succeed(&mut scene.after(number));
        scene.new.push(judged(tools, &scene));
    }
    scene
}

/// Lets the tools judge the image that is there.
fn judged(tools: &Tools, scene: &Scene) -> u64 {
    let image = scene.image();
    if scene.format == "qcow2" {
        let qemu_img = tools::find("qemu-img").expect("it was required");
        let raw = scene.aside.join("raw");
        tools::run(Command::new(&qemu_img).arg("check").arg(&image));
        let arguments = ["convert", "-f", "qcow2", "-O", "raw"];
        tools::run(Command::new(&qemu_img).args(arguments).args([&image, &raw]));
        tools.check(&raw);
    } else {
        tools.check(&image);
    }
    hash(&image)
}

#[test]
fn a_killed_edit_leaves_the_old_image_or_the_new_one() {
    let (Some(tools), Some(_)) = (Tools::require(), tools::require("qemu-img")) else {
        return;
    };
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for format in ["raw", "qcow2"] {
        let scene = scene(&tools, format);
        assert_ne!(scene.old, scene.new);
        let mut random = Random(20_261_125);
        let [mut killed, mut cut, mut old, mut new] = [0; 4];
        for round in 0..kills() {
            let what = format!("{format}, round {round}");
            scene.restore();
            // Half of them anywhere, half of them while the commit is under way.
            let in_commit = round % 2 == 1;
            let length = if in_commit { scene.commit } else { scene.whole };
            let delay = part(length, round, &mut random);
            killed += u64::from(scene.kill("", in_commit, delay));
            let is_pending = scene.redo().exists();
            cut += u64::from(is_pending);
            let found = names(&scene.directory);
            assert_eq!(
                found.len(),
                3 + usize::from(is_pending),
                "{what}: {found:?}"
            );
            if is_pending {
                // Who only reads sees the change whole, and writes nothing.
                let before = hash(&scene.image());
                let shown = succeed(&mut christen_in(&scene.directory, "ls a.img /srv"));
                assert_eq!(shown.text(), "again\nwww\n", "{what}");
                assert_eq!(hash(&scene.image()), before, "{what}");
            }
            let number = (round / 2 % 2) as usize;
            succeed(&mut scene.after(number));
            assert_eq!(
                names(&scene.directory),
                ["a.img", "payload", "script"],
                "{what}"
            );
            let image = hash(&scene.image());
            assert!(
                image == scene.old[number] || image == scene.new[number],
                "{what}: killed after {delay:?}: neither old nor new"
            );
            assert!(!is_pending || image == scene.new[number], "{what}");
            old += u64::from(image == scene.old[number]);
            new += u64::from(image == scene.new[number]);
        }
        assert!(
            killed > 0 && cut > 0 && old > 0 && new > 0,
            "{format}: {killed} killed, {cut} of them in the commit; {old} old, {new} new"
        );
    }
}

#[test]
fn a_killed_edit_with_an_output_leaves_the_base_and_no_half_of_the_new_image() {
    let (Some(tools), Some(_)) = (Tools::require(), tools::require("qemu-img")) else {
        return;
    };
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let scene = scene(&tools, "raw");
    scene.restore();
    let base = hash(&scene.image());
    let output = scene.directory.join("b.img");
    assert!(
        scene
            .edit("--output b.img")
            .status()
            .expect("it starts")
            .success()
    );
    let whole = hash(&output);
    tools.check(&output);
    let mut random = Random(5);
    let mut seen = [0, 0];
    for round in 0..kills() {
        fs::remove_file(&output).ok();
        let delay = part(scene.whole, round, &mut random);
        scene.kill("--output b.img", false, delay);
        let is_there = output.exists();
        seen[usize::from(is_there)] += 1;
        let found = names(&scene.directory);
        assert_eq!(
            found.len(),
            3 + usize::from(is_there),
            "round {round}: {found:?}"
        );
        assert!(!is_there || hash(&output) == whole, "round {round}");
        assert_eq!(hash(&scene.image()), base, "round {round}");
    }
    assert!(seen[0] > 0, "{seen:?}");
}
