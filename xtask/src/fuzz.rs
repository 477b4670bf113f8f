//! `cargo xtask fuzz`: coverage-guided fuzzing on the stable toolchain.
//!
//! `cargo fuzz` needs a nightly compiler for `-Zsanitizer`. The coverage that libFuzzer
//! feeds on is made by an LLVM pass that stable can run too (`-Cpasses=sancov-module`), so
//! no more than these flags is needed; there is no address sanitizer, and nothing for it
//! to find, since `unsafe` is denied.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Failure, cargo, root, run};

/// The workspace of the targets.
const MANIFEST: &str = "fuzz/Cargo.toml";

const RUSTFLAGS: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cdebug-assertions",
    "-Ccodegen-units=1",
];

/// A target may take this long for one input before that is a find.
const INPUT_SECONDS: u32 = 10;

/// Memory over which an input is a find.
const MEMORY_MIB: u32 = 1024;

/// An input is no longer than this: what matters stands in the first sectors.
const INPUT_BYTES: u32 = 256 << 10;

/// `cargo xtask fuzz [TARGET] [--seconds N | --minutes N]`
pub(crate) fn fuzz(arguments: &[String]) -> Result<(), Failure> {
    let (target, seconds) = parse(arguments)?;
    let all = targets()?;
    let chosen: Vec<&String> = match &target {
        None => all.iter().collect(),
        Some(name) => {
            if !all.contains(name) {
                return Err(Failure::Usage(format!(
                    "there is no target `{name}`; there are {}",
                    all.join(", ")
                )));
            }
            vec![name]
        }
    };
    let directory = root().join("fuzz");
    let built = target_directory();
    run(
        cargo(&["build", "--release", "--bins", "--manifest-path", MANIFEST])
            // Given, so that the flags reach the parsers and not the build scripts.
            .args(["--target", "x86_64-unknown-linux-gnu"])
            .arg("--target-dir")
            .arg(&built)
            .env("RUSTFLAGS", RUSTFLAGS.join(" ")),
    )?;
    let programs = built.join("x86_64-unknown-linux-gnu/release");
    let corpus = built.join("corpus");
    run(Command::new(programs.join("seeds")).arg(&corpus))?;

    // Two at a time, which is what a small machine has cores for.
    for pair in chosen.chunks(2) {
        let mut running = Vec::new();
        for name in pair {
            println!("fuzz: {name} for {seconds} s");
            let mut command = target_command(&programs, &directory, &corpus, name)?;
            command.arg(format!("-max_total_time={seconds}"));
            let log = corpus.join(format!("{name}.log"));
            command.stderr(fs::File::create(&log)?);
            running.push((name, log, command.spawn()?));
        }
        let mut failed = None;
        for (name, log, mut child) in running {
            let status = child.wait()?;
            let text = fs::read_to_string(log)?;
            if status.success() {
                println!("fuzz: {name}: {}", summary(&text, &corpus.join(name))?);
            } else {
                let start = text.len().saturating_sub(4000);
                println!("{}", text.get(start..).unwrap_or(&text));
                failed = Some(Failure::Command(format!(
                    "the target `{name}` found an input; it stands in fuzz/artifacts/{name}"
                )));
            }
        }
        if let Some(failure) = failed {
            return Err(failure);
        }
    }
    Ok(())
}

/// Format and clippy for the targets, which the workspace's own do not reach; without
/// coverage, so that only the types count.
pub(crate) fn check() -> Result<(), Failure> {
    run(&mut cargo(&["fmt", "--manifest-path", MANIFEST, "--check"]))?;
    run(
        cargo(&["clippy", "--quiet", "--bins", "--manifest-path", MANIFEST])
            .arg("--target-dir")
            .arg(target_directory())
            .args(["--", "-D", "warnings"]),
    )
}

/// Apart from that of the workspace, whose artefacts have other flags.
fn target_directory() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), Into::into)
        .join("fuzz")
}

fn target_command(
    programs: &Path,
    directory: &Path,
    corpus: &Path,
    name: &str,
) -> Result<Command, Failure> {
    let found = directory.join("artifacts").join(name);
    let regressions = directory.join("regressions").join(name);
    let corpus = corpus.join(name);
    for path in [&found, &corpus] {
        fs::create_dir_all(path)?;
    }
    let mut command = Command::new(programs.join(name));
    command.arg(&corpus);
    if regressions.is_dir() {
        command.arg(&regressions);
    }
    command
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
        .arg(format!("-max_len={INPUT_BYTES}"))
        .arg(format!("-artifact_prefix={}/", found.display()));
    let dictionary = directory.join("dictionaries").join(name);
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    Ok(command)
}

/// The coverage before and after, and the size of the corpus.
fn summary(log: &str, corpus: &Path) -> Result<String, Failure> {
    let coverage = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words
            .windows(2)
            .find(|pair| pair[0] == "cov:")
            .and_then(|pair| pair[1].parse::<u64>().ok())
    };
    // The first figures are of a corpus half read; this one is of the whole.
    let first = log
        .lines()
        .find(|line| line.contains("INITED"))
        .and_then(coverage);
    let (Some(first), Some(last)) = (first, log.lines().filter_map(coverage).next_back()) else {
        return Err(Failure::Command(
            "libFuzzer told of no coverage: the parsers were built without it".to_owned(),
        ));
    };
    let runs = log
        .lines()
        .rev()
        .find(|line| line.starts_with("Done "))
        .unwrap_or("Done");
    let inputs = fs::read_dir(corpus)?.count();
    Ok(format!(
        "{runs}; coverage {first} -> {last}, {inputs} inputs in the corpus"
    ))
}

fn parse(arguments: &[String]) -> Result<(Option<String>, u64), Failure> {
    let mut target = None;
    let mut seconds = 60;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let unit = match argument.as_str() {
            "--seconds" => 1,
            "--minutes" => 60,
            name if !name.starts_with('-') && target.is_none() => {
                target = Some(name.to_owned());
                continue;
            }
            other => return Err(Failure::Usage(format!("unexpected argument `{other}`"))),
        };
        seconds = rest
            .next()
            .and_then(|text| text.parse::<u64>().ok())
            .map(|number| number * unit)
            .ok_or_else(|| Failure::Usage(format!("{argument} takes a number")))?;
    }
    Ok((target, seconds))
}

/// The targets: one file each.
fn targets() -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("fuzz/targets"))? {
        if let Some(name) = entry?.path().file_stem() {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
