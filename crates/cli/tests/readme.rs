//! The README's transcript is what a person gets who types it.

use std::fs;
use std::path::Path;
use std::process::Command;

use christen_testkit::{TempDir, tools};

#[test]
fn the_transcripts_are_true() {
    if tools::require("mke2fs").is_none() {
        return;
    }
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(readme).expect("the README is there");
    let transcripts: Vec<&str> = readme
        .split("```console\n")
        .skip(1)
        .map(|rest| rest.split_once("\n```").expect("its end").0)
        .collect();
    let commands: Vec<usize> = transcripts
        .iter()
        .map(|transcript| play(transcript))
        .collect();
    assert_eq!(commands, [4, 5, 5]);
}

/// Types a transcript, and returns how many commands were compared.
fn play(transcript: &str) -> usize {
    let directory = TempDir::new();
    let binaries = Path::new(env!("CARGO_BIN_EXE_christen"))
        .parent()
        .expect("a directory");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut commands = 0;
    for part in transcript.split("\n$ ") {
        let (command, shown) = part.split_once('\n').unwrap_or((part, ""));
        let command = command.trim_start_matches("$ ");
        if command.starts_with("cargo ") {
            continue;
        }
        if let Some(name) = command.strip_prefix("cat ") {
            let file = directory.path().join(name);
            fs::write(file, format!("{shown}\n")).expect("a file is written");
            continue;
        }
        let output = Command::new("sh")
            .args(["-c", &format!("{{ {command}; }} 2>&1")])
            .current_dir(directory.path())
            .env(
                "PATH",
                format!("{}:{path}:/usr/sbin:/sbin", binaries.display()),
            )
            .output()
            .expect("a shell starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            without_sizes(said.trim_end()),
            without_sizes(shown.trim_end()),
            "$ {command}"
        );
        commands += 1;
    }
    commands
}

/// What mke2fs lays out differs between its versions, and with it the counts in these lines.
fn without_sizes(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.contains("KiB written in") || line.contains("% non-contiguous") {
            lines.push(line.replace(|letter: char| letter.is_ascii_digit(), ""));
        } else {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n")
}
