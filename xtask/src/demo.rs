//! `cargo xtask demo`: a drive from `examples/`, what readers make of it, and what a real
//! guest became by it.

mod guest;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::command::{Failure, cargo, root, run, text};
use crate::setup;

/// It needs no network in the guest, so that the boot ends without complaint.
const EXAMPLE: &str = "examples/demo.yaml";

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
    if boot {
        setup::all()?;
        guest::boot(&path, &reading(&path)?)
    } else {
        println!("\n`cargo xtask demo --boot` boots a real guest with this drive and asks it");
        Ok(())
    }
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
