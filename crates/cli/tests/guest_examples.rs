//! A guest's kernel reads the drives of every example, and finds the documents we rendered.
//!
//! Ignored in ordinary runs since it boots a machine: `cargo xtask guest-check` runs it.

#![expect(
    clippy::print_stdout,
    reason = "how long the guest took belongs in the log"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use christen_testkit::extract::{self, Files};
use christen_testkit::guest::{self, DriveFile, View};
use christen_testkit::{TempDir, tools};

/// What both the drive and the tree need to be the same.
const FIXED: [&str; 2] = ["--time", "2026-11-22T12:00:00Z"];

#[test]
#[ignore = "boots a guest; `cargo xtask guest-check` runs it"]
fn the_guest_reads_the_drives_of_the_examples() {
    if !guest::require() {
        return;
    }
    let directory = TempDir::new();
    // The same bytes for everyone who draws.
    let random = directory.join("random");
    fs::write(
        &random,
        (0..=255).cycle().take(1 << 16).collect::<Vec<u8>>(),
    )
    .unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut cases = Vec::new();
    for entry in fs::read_dir(examples).unwrap() {
        let example = entry.unwrap().path();
        if example
            .extension()
            .is_none_or(|extension| extension != "yaml")
        {
            continue;
        }
        let name = example.file_stem().unwrap().to_string_lossy().into_owned();
        for dialect in ["openstack", "nocloud"] {
            let tree = directory.join(format!("{name}-{dialect}"));
            let christen = |words: &[&str], output: (&str, &Path), more: &[&str]| {
                tools::run(
                    Command::new(env!("CARGO_BIN_EXE_christen"))
                        .args(words)
                        .arg(&example)
                        .arg(output.0)
                        .arg(output.1)
                        .args(["--dialect", dialect, "--random-source"])
                        .arg(&random)
                        .args(FIXED)
                        .args(more),
                );
            };
            christen(&["render"], ("--tree", &tree), &[]);
            let expected = extract::files(&tree).unwrap();
            for format in ["iso9660", "vfat"] {
                let path = directory.join(format!("{name}-{dialect}.{format}"));
                christen(
                    &["drive", "build"],
                    ("--output", &path),
                    &["--format", format],
                );
                let drive = match format {
                    "vfat" => DriveFile::disk(&path),
                    _ => DriveFile::cdrom(&path),
                };
                let label = if dialect == "nocloud" {
                    "cidata"
                } else {
                    "config-2"
                };
                cases.push((drive, label, expected.clone()));
            }
        }
    }
    assert!(!cases.is_empty());
    let drives: Vec<DriveFile> = cases.iter().map(|(drive, ..)| drive.clone()).collect();
    let seen = guest::inspect_drives(&drives).unwrap();
    for ((drive, label, expected), seen) in cases.iter().zip(&seen) {
        let what = drive.path.display();
        assert_eq!(seen.label(), Some(*label), "{what}");
        assert_eq!(seen.failed, [], "{what}");
        for view in [View::Default, View::Joliet, View::Vfat] {
            let Some(seen) = seen.view(view) else {
                continue;
            };
            let files: Files = seen
                .files()
                .map(|(path, content)| {
                    (String::from_utf8_lossy(path).into_owned(), content.to_vec())
                })
                .collect();
            assert!(files == *expected, "{what}, {view:?}: the files differ");
        }
        assert!(!seen.views.is_empty(), "{what}");
    }
    println!("the guest read {} drives of the examples", drives.len());
}
