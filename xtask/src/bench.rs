//! `cargo xtask bench`: the figures, and the README's copy of them.

use std::fs;
use std::process::{Command, Stdio};

use crate::command::{Failure, cargo, root, text};
use crate::setup;

/// Something that can be measured.
struct Subject {
    word: &'static str,
    /// Its benchmarks, by package and name.
    benches: &'static [(&'static str, &'static str)],
    /// The peers whose versions are told, and how they are asked.
    peers: &'static [(&'static str, &'static str)],
}

const SUBJECTS: [Subject; 3] = [
    Subject {
        word: "drive",
        benches: &[("christen-cli", "library"), ("christen-cli", "process")],
        peers: &[("genisoimage", "--version"), ("xorriso", "--version")],
    },
    Subject {
        word: "inject",
        benches: &[("christen-ext4", "operations"), ("christen-cli", "inject")],
        peers: &[("debugfs", "-V"), ("guestfish", "--version")],
    },
    Subject {
        word: "identity",
        benches: &[("christen-cli", "identity")],
        peers: &[("guestfish", "--version"), ("virt-customize", "--version")],
    },
];

/// `cargo xtask bench drive|inject|identity [--readme]`
pub(crate) fn bench(arguments: &[String]) -> Result<(), Failure> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (word, readme) = match arguments[..] {
        [word] => (word, false),
        [word, "--readme"] => (word, true),
        _ => return Err(usage()),
    };
    let subject = SUBJECTS
        .iter()
        .find(|subject| subject.word == word)
        .ok_or_else(usage)?;
    setup::all()?;
    let mut figures = String::new();
    for (package, bench) in subject.benches {
        figures += &measure(package, bench)?;
    }
    figures += &circumstances(subject)?;
    if readme {
        write_readme(subject.word, &figures)?;
    }
    Ok(())
}

fn usage() -> Failure {
    let words = SUBJECTS.map(|subject| subject.word).join("`, `");
    Failure::Usage(format!(
        "bench takes one of `{words}`, and `--readme` to write the figures there"
    ))
}

fn measure(package: &str, bench: &str) -> Result<String, Failure> {
    let mut command = cargo(&["bench", "--quiet", "--package", package, "--bench", bench]);
    let output = command.stderr(Stdio::inherit()).output()?;
    let figures = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{figures}");
    if output.status.success() {
        Ok(figures)
    } else {
        Err(Failure::Command(format!("`{}` failed", text(&command))))
    }
}

/// Commit, machine and versions: without them a figure says nothing.
fn circumstances(subject: &Subject) -> Result<String, Failure> {
    let first_line = |program: &str, arguments: &[&str]| -> Result<String, Failure> {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(root())
            .output()?;
        let both = [output.stdout, output.stderr].concat();
        let both = String::from_utf8_lossy(&both).into_owned();
        Ok(both.lines().next().unwrap_or_default().trim().to_owned())
    };
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("an unnamed processor", |(_, model)| model.trim());
    let word = subject.word;
    let load = fs::read_to_string("/proc/loadavg")?;
    let mut text = format!(
        "Measured at commit {} by `cargo xtask bench {word}` on {} cores of {model}, {}, load {} at the end; {}",
        first_line("git", &["rev-parse", "--short", "HEAD"])?,
        std::thread::available_parallelism()?,
        first_line("uname", &["-sr"])?,
        load.split(' ').next().unwrap_or("unknown"),
        first_line("rustc", &["--version"])?,
    );
    for (program, argument) in subject.peers {
        text += "; ";
        text += &first_line(program, &[argument])?;
    }
    text += ".\n";
    println!("{text}");
    Ok(text)
}

/// The README's figures stand between two comments.
fn write_readme(word: &str, figures: &str) -> Result<(), Failure> {
    let begin = format!("<!-- figures: `cargo xtask bench {word} --readme` -->\n");
    let end = "<!-- end of figures -->\n";
    let no_marks = || {
        Failure::Usage(format!(
            "README.md has no place for the figures of `{word}`"
        ))
    };
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path)?;
    let (before, rest) = readme.split_once(&begin).ok_or_else(no_marks)?;
    let (_, after) = rest.split_once(end).ok_or_else(no_marks)?;
    fs::write(path, format!("{before}{begin}\n{figures}\n{end}{after}"))?;
    Ok(())
}
