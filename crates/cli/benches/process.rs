//! Whole processes, ours beside the peers', in the same run: `cargo xtask bench drive`.
//!
//! What is printed is the median and the smallest wall time, the cost above a process that does nothing, and the ratio of a
//! peer's median to ours.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(dead_code, reason = "each benchmark uses its part of the support")]

mod support;

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{After, Program, measure, text, words};

/// Rounds after one warm-up; odd, so that the median is a measured value.
const ROUNDS: usize = 101;
/// Rounds where each takes seconds.
const LARGE_ROUNDS: usize = 5;
/// Files and bytes of the large tree.
const LARGE_FILES: usize = 100;
const LARGE_FILE_BYTES: usize = 10_000_000;

/// Nova's own argument list for genisoimage (`nova/virt/configdrive.py`, `_make_iso9660`).
fn nova_arguments(program: &str, output: &Path, tree: &Path) -> Vec<String> {
    let mut command = vec![program.to_owned(), "-o".to_owned(), text(output)];
    command.extend(words(
        "-ldots -allow-lowercase -allow-multidot -l -publisher",
    ));
    command.push("OpenStack Nova 34.0.0".to_owned());
    command.extend(words("-quiet -J -r -V config-2"));
    command.push(text(tree));
    command
}

fn table(
    title: &str,
    ours: usize,
    programs: &[Program],
    rounds: usize,
    scratch: &Path,
) -> io::Result<()> {
    let figures = measure(programs, rounds, 0)?;
    let empty = figures[0].median;
    println!("{title}\n");
    println!(
        "| program | median ms | smallest ms | above an empty process, ms | system calls | bytes written | times ours |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for (index, (program, figure)) in programs.iter().zip(&figures).enumerate() {
        let calls = program.traced(0, scratch)?.all;
        let output = program.output.as_ref();
        let bytes = output
            .and_then(|output| fs::metadata(output).ok())
            .map_or(0, |metadata| metadata.len());
        let ratio = if index == 0 {
            "–".to_owned()
        } else {
            format!("{:.2}", figure.median / figures[ours].median)
        };
        println!(
            "| {} | {:.2} | {:.2} | {:.2} | {calls} | {bytes} | {ratio} |",
            program.name,
            figure.median / 1e3,
            figure.smallest / 1e3,
            (figure.median - empty) / 1e3,
        );
    }
    println!();
    Ok(())
}

fn main() -> io::Result<()> {
    let christen = env!("CARGO_BIN_EXE_christen");
    let mkisofs = env!("CARGO_BIN_EXE_christen-mkisofs");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?;
    // On the file system of the repository, not on a tmpfs: where a sync means something.
    let scratch = repository.join("target/bench");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch)?;

    let description = repository.join("examples/everything.yaml");
    let tree = scratch.join("tree");
    let seed = scratch.join("seed");
    for (directory, dialect) in [(&tree, "openstack"), (&seed, "nocloud")] {
        let status = Command::new(christen)
            .arg("render")
            .arg(&description)
            .arg("--tree")
            .arg(directory)
            .args(["--dialect", dialect])
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(io::Error::other("the example does not render"));
        }
    }
    let output = |name: &str| scratch.join(name);
    let build = |name: &str, more: &str| {
        let mut command = words(&format!("{christen} drive build"));
        command.push(text(&description));
        command.push("--output".to_owned());
        command.push(text(&output(name)));
        command.extend(words(more));
        command
    };
    let program =
        |name, command, file: &str, after| Program::making(name, command, output(file), after);
    let empty = || {
        program(
            "an empty process (`true`)",
            words("true"),
            "none",
            After::Nothing,
        )
    };
    let localds = |name: &str| {
        let mut command = words("cloud-localds -d raw --vendor-data");
        command.push(text(&seed.join("vendor-data")));
        command.push("--network-config".to_owned());
        command.push(text(&seed.join("network-config")));
        command.push(text(&output(name)));
        command.push(text(&seed.join("user-data")));
        command.push(text(&seed.join("meta-data")));
        command
    };
    let xorriso = |name: &str| {
        let mut command = words("xorriso -as mkisofs -quiet -J -r -V config-2 -o");
        command.push(text(&output(name)));
        command.push(text(&tree));
        command
    };

    for (title, after, flag) in [
        (
            "Both on stable storage (ours syncs itself; the peers' file and directory are synced after them):",
            After::Sync,
            "",
        ),
        ("Without sync:", After::Nothing, "--no-sync"),
    ] {
        let programs = [
            empty(),
            program(
                "`christen drive build`",
                build("ours.iso", flag),
                "ours.iso",
                After::Nothing,
            ),
            program(
                "`genisoimage`, Nova's arguments, tree already on disk",
                nova_arguments("genisoimage", &output("geniso.iso"), &tree),
                "geniso.iso",
                after,
            ),
            program(
                "`christen-mkisofs`, the same",
                nova_arguments(mkisofs, &output("mkisofs.iso"), &tree),
                "mkisofs.iso",
                after,
            ),
            program(
                "`xorriso -as mkisofs`, the same tree",
                xorriso("xorriso.iso"),
                "xorriso.iso",
                after,
            ),
        ];
        table(title, 1, &programs, ROUNDS, &scratch)?;
        let programs = [
            empty(),
            program(
                "`christen drive build --dialect nocloud`",
                build("seed.iso", &format!("--dialect nocloud {flag}")),
                "seed.iso",
                After::Nothing,
            ),
            program(
                "`cloud-localds`, the same four files",
                localds("localds.iso"),
                "localds.iso",
                after,
            ),
        ];
        table("The NoCloud seed:", 1, &programs, ROUNDS, &scratch)?;
    }

    let large = scratch.join("large");
    fs::create_dir(&large)?;
    for index in 0..LARGE_FILES {
        let mut content = vec![0; LARGE_FILE_BYTES];
        let mut state = index as u64 + 1;
        for chunk in content.chunks_mut(8) {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
        }
        fs::write(large.join(format!("file{index:03}")), content)?;
    }
    let copy = scratch.join("copy");
    let programs = [
        empty(),
        program(
            "`christen-mkisofs`",
            nova_arguments(mkisofs, &output("large.iso"), &large),
            "large.iso",
            After::Sync,
        ),
        program(
            "`cp` of the same files, synced",
            vec![
                "sh".into(),
                "-c".into(),
                format!(
                    "rm -rf {0} && cp -r {1} {0} && sync -f {0}",
                    text(&copy),
                    text(&large)
                ),
            ],
            "none",
            After::Nothing,
        ),
        program(
            "`genisoimage`",
            nova_arguments("genisoimage", &output("large-geniso.iso"), &large),
            "large-geniso.iso",
            After::Sync,
        ),
    ];
    table(
        &format!(
            "{LARGE_FILES} files of {} MB:",
            LARGE_FILE_BYTES / 1_000_000
        ),
        1,
        &programs,
        LARGE_ROUNDS,
        &scratch,
    )?;
    fs::remove_dir_all(&scratch)
}
