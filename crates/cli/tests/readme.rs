//! The README's transcript is what a person gets who types it.

use std::fs;
use std::path::Path;
use std::process::Command;

use christen_testkit::TempDir;

#[test]
fn the_transcript_is_true() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(readme).expect("the README is there");
    let (_, rest) = readme.split_once("```console\n").expect("a transcript");
    let (transcript, _) = rest.split_once("\n```").expect("its end");
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
            .env("PATH", format!("{}:{path}", binaries.display()))
            .output()
            .expect("a shell starts");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim_end(),
            shown.trim_end(),
            "$ {command}"
        );
        commands += 1;
    }
    assert_eq!(commands, 4);
}
