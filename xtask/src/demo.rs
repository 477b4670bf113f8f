//! `cargo xtask demo`: a drive from `examples/`, and what a guest sees on it.

use std::fs;
use std::process::Command;

use crate::command::{Failure, cargo, root, run, text};
use crate::setup;

/// `cargo xtask demo [--boot]`
pub(crate) fn demo(arguments: &[String]) -> Result<(), Failure> {
    let boot = match arguments {
        [] => false,
        [argument] if argument == "--boot" => true,
        _ => return Err(Failure::Usage("demo takes only `--boot`".to_owned())),
    };
    run(&mut cargo(&[
        "build",
        "--quiet",
        "--package",
        "christen-cli",
    ]))?;
    let directory = root().join("target/demo");
    fs::create_dir_all(&directory)?;
    let drive = directory.join("web-01.iso").display().to_string();
    for step in [
        vec!["drive", "build", "examples/web.yaml", "--output", &drive],
        vec!["drive", "show", &drive],
        vec!["drive", "explain", &drive],
        vec!["drive", "verify", &drive],
    ] {
        let mut command = cargo(&[
            "run",
            "--quiet",
            "--package",
            "christen-cli",
            "--bin",
            "christen",
            "--",
        ]);
        command.args(&step);
        println!("\n$ {}", text(Command::new("christen").args(&step)));
        run(&mut command)?;
    }
    if boot {
        setup::all()?;
        run(
            cargo(&["test", "--workspace", "--test", "guest_cloud*", "--"])
                .args(["--ignored", "--nocapture"]),
        )?;
    }
    Ok(())
}
