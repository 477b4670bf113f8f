//! `cargo xtask demo`: a drive from `examples/`, what readers make of it, and what a real
//! guest became by it.

mod guest;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use christen_testkit::tools;
use serde_json::Value;

use crate::command::{Failure, cargo, root, run, text};
use crate::setup;

/// It needs no network in the guest, so that the boot ends without complaint.
const EXAMPLE: &str = "examples/demo.yaml";

/// What the demonstration puts into a disk image.
const CHANGES: &str = r#"mkdir -p /etc
write /etc/hostname "guest-01\n"
mkdir -p -m 0700 -o 1000:1000 /home/debian/.ssh
write -m 0600 -o 1000:1000 /home/debian/.ssh/authorized_keys "ssh-ed25519 AAAAC3Nz... me\n"
"#;

/// `cargo xtask demo [--boot]`
pub(crate) fn demo(arguments: &[String]) -> Result<(), Failure> {
    let boot = match arguments {
        [] => false,
        [argument] if argument == "--boot" => true,
        _ => return Err(Failure::Usage("demo takes only `--boot`".to_owned())),
    };
    let directory = root().join("target/demo");
    fs::create_dir_all(&directory)?;
    let path = directory.join("guest-01.iso");
    let drive = path.display().to_string();
    for step in [
        vec!["drive", "build", EXAMPLE, "--output", &drive],
        vec!["drive", "show", &drive],
        vec!["drive", "explain", &drive],
        vec!["drive", "verify", &drive],
    ] {
        println!("\n$ {}", text(Command::new("christen").args(&step)));
        run(&mut christen(&step))?;
    }
    edit_an_image(&directory)?;
    if boot {
        setup::all()?;
        guest::boot(&path, &reading(&path)?)
    } else {
        println!("\n`cargo xtask demo --boot` boots a real guest with this drive and asks it");
        Ok(())
    }
}

/// Puts files into a disk image, if there is a mke2fs to make one.
fn edit_an_image(directory: &Path) -> Result<(), Failure> {
    let Some(mke2fs) = tools::find("mke2fs") else {
        println!("\n(mke2fs is not installed, so that no disk image is made and changed)");
        return Ok(());
    };
    let image = directory.join("disk.img");
    fs::File::create(&image)?.set_len(64 << 20)?;
    let mut make = Command::new(mke2fs);
    make.args(["-q", "-F", "-t", "ext4"]).arg(&image);
    println!("\n$ {}", text(&make));
    run(&mut make)?;
    let script = directory.join("changes");
    fs::write(&script, CHANGES)?;
    let (image, script) = (image.display().to_string(), script.display().to_string());
    println!("\n$ cat {script}\n{}", CHANGES.trim_end());
    for step in [
        vec!["edit", "--format", "raw", "--dry-run", &image, &script],
        vec!["edit", "--format", "raw", &image, &script],
        vec!["tree", &image],
        vec!["cat", &image, "/etc/hostname"],
        vec!["check", &image],
    ] {
        println!("\n$ {}", text(Command::new("christen").args(&step)));
        run(&mut christen(&step))?;
    }
    Ok(())
}

/// What `christen drive explain` says that cloud-init makes of a drive.
fn reading(drive: &Path) -> Result<Value, Failure> {
    let mut command = christen(&["drive", "explain", "--json"]);
    let output = command.arg(drive).stderr(Stdio::inherit()).output()?;
    let unexpected = || Failure::Command("`christen drive explain` gave no JSON".to_owned());
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|_| unexpected())?;
    let readers = answer["readers"].as_array().ok_or_else(unexpected)?;
    readers
        .iter()
        .find(|reader| reader["reader"] == "cloud-init ConfigDrive")
        .cloned()
        .ok_or_else(unexpected)
}

/// The binary, built first when it must be.
fn christen(arguments: &[&str]) -> Command {
    let mut command = cargo(&[
        "run",
        "--quiet",
        "--package",
        "christen-cli",
        "--bin",
        "christen",
        "--",
    ]);
    command.args(arguments);
    command
}
