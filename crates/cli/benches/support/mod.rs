//! Programs measured in turn, as a user runs them.
//!
//! Every round starts each program once, so that whatever else the machine does falls on all of them alike. What is told is the
//! median and the smallest wall time of whole processes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Cargo sets this for what it runs. In the programs it would cost a search through cargo's
/// directories for each library, which no user's run does.
const LOADER_PATH: &str = "LD_LIBRARY_PATH";

/// What the harness does after the process, inside the measured time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum After {
    Nothing,
    /// The peers never sync; this makes their result as durable as ours.
    Sync,
}

/// A program under measurement.
pub(crate) struct Program {
    pub(crate) name: String,
    /// The command of a round: what changes an image in place needs other names each time.
    command: Box<dyn Fn(usize) -> Vec<String>>,
    /// A file that is made anew in each round.
    pub(crate) output: Option<PathBuf>,
    after: After,
}

impl Program {
    /// A program that makes a file.
    pub(crate) fn making(name: &str, command: Vec<String>, output: PathBuf, after: After) -> Self {
        Self {
            name: name.to_owned(),
            command: Box::new(move |_| command.clone()),
            output: Some(output),
            after,
        }
    }

    /// A program that changes what is there.
    pub(crate) fn changing(
        name: impl Into<String>,
        command: impl Fn(usize) -> Vec<String> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            command: Box::new(command),
            output: None,
            after: After::Nothing,
        }
    }

    fn prepared(&self, wrapper: &[String], round: usize) -> Command {
        if let Some(output) = &self.output {
            // There is none before the first round.
            let _ = fs::remove_file(output);
        }
        let words = [wrapper, &(self.command)(round)].concat();
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env_remove(LOADER_PATH)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Runs it once and returns how long that took.
    pub(crate) fn run(&self, round: usize) -> io::Result<Duration> {
        let mut command = self.prepared(&[], round);
        let start = Instant::now();
        let status = command.status()?;
        if let (After::Sync, Some(output)) = (self.after, &self.output) {
            File::open(output)?.sync_all()?;
            File::open(output.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        }
        let elapsed = start.elapsed();
        if status.success() {
            Ok(elapsed)
        } else {
            Err(io::Error::other(format!(
                "{}: {status}: {command:?}",
                self.name
            )))
        }
    }

    fn succeed(&self, wrapper: &[String], round: usize) -> io::Result<()> {
        let mut command = self.prepared(wrapper, round);
        let status = command.status()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!(
                "{}: {status}: {command:?}",
                self.name
            )))
        }
    }

    /// Runs it under `strace` and returns what it asked of the kernel.
    pub(crate) fn traced(&self, round: usize, scratch: &Path) -> io::Result<Calls> {
        let trace = scratch.join("strace");
        let wrapper = ["strace", "-f", "-y", "-qq", "-o", &text(&trace)].map(str::to_owned);
        self.succeed(&wrapper, round)?;
        Ok(Calls::of(&fs::read_to_string(&trace)?))
    }

    /// Runs it under GNU time and returns the most memory that one of its processes had, in KiB.
    pub(crate) fn memory_kib(&self, round: usize, scratch: &Path) -> io::Result<u64> {
        let told = scratch.join("time");
        let wrapper = ["/usr/bin/time", "-f", "%M", "-o", &text(&told)].map(str::to_owned);
        self.succeed(&wrapper, round)?;
        fs::read_to_string(told)?
            .trim()
            .parse()
            .map_err(|_| io::Error::other("time printed no number"))
    }
}

/// What a process and its children asked of the kernel.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Calls {
    pub(crate) all: u64,
    /// `fsync`, `fdatasync` and `syncfs`.
    pub(crate) syncs: u64,
    /// Bytes written to files, other than what is said.
    pub(crate) bytes: u64,
}

impl Calls {
    fn of(trace: &str) -> Self {
        let mut calls = Self::default();
        for line in trace.lines() {
            // `PID name(arguments) = result`
            let Some((_, call)) = line.split_once(' ') else {
                continue;
            };
            let Some((name, arguments)) = call.trim_start().split_once('(') else {
                continue;
            };
            calls.all += 1;
            match name {
                "fsync" | "fdatasync" | "syncfs" => calls.syncs += 1,
                "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" | "copy_file_range" => {
                    // What is said goes there.
                    let standard = arguments
                        .split(',')
                        .next()
                        .is_some_and(|file| file.contains("/dev/null>"));
                    let result = call.rsplit_once(" = ").map(|(_, result)| result);
                    if !standard && let Some(Ok(bytes)) = result.map(str::parse::<u64>) {
                        calls.bytes += bytes;
                    }
                }
                _ => {}
            }
        }
        calls
    }
}

/// Median, smallest, and what half of the samples lie between, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) median: f64,
    pub(crate) smallest: f64,
    pub(crate) quartiles: (f64, f64),
}

impl Figures {
    pub(crate) fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self {
            median: samples[samples.len() / 2],
            smallest: samples[0],
            quartiles: (samples[samples.len() / 4], samples[samples.len() * 3 / 4]),
        }
    }
}

/// Runs all programs `rounds` times in turn, after a round that does not count. Rounds are numbered from `first` on.
pub(crate) fn measure(
    programs: &[Program],
    rounds: usize,
    first: usize,
) -> io::Result<Vec<Figures>> {
    let mut samples = vec![Vec::with_capacity(rounds); programs.len()];
    for program in programs {
        program.run(first)?;
    }
    for round in first + 1..=first + rounds {
        for (program, samples) in programs.iter().zip(&mut samples) {
            samples.push(program.run(round)?.as_secs_f64() * 1e6);
        }
    }
    Ok(samples.into_iter().map(Figures::of).collect())
}

pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

pub(crate) fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// What was measured must have been done right.
pub(crate) fn judge(image: &str) -> io::Result<()> {
    run(&format!("e2fsck -fn {image}"))
}

/// Copies an image with its holes, and waits until nothing of it is left to write.
pub(crate) fn copy_image(from: &Path, to: &Path) -> io::Result<()> {
    run(&format!("cp --sparse=always {} {}", text(from), text(to)))?;
    File::open(to)?.sync_all()
}

/// Runs what must succeed.
pub(crate) fn run(line: &str) -> io::Result<()> {
    let command = words(line);
    let output = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "`{line}` ended with {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )))
}
