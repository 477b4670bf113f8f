//! The doors that are a few cargo commands each.

use std::fs;

use christen_testkit::{cache, tools};

use crate::command::{Failure, cargo, run};
use crate::{fuzz, setup};

/// `cargo xtask setup`
pub(crate) fn setup(arguments: &[String]) -> Result<(), Failure> {
    none(arguments)?;
    setup::all()
}

/// `cargo xtask test`
pub(crate) fn test(arguments: &[String]) -> Result<(), Failure> {
    none(arguments)?;
    setup::all()?;
    // First the binaries: tests of the command line and of the front ends run them.
    run(&mut cargo(&["build", "--workspace", "--bins"]))?;
    run(&mut cargo(&["test", "--workspace", "--doc", "--quiet"]))?;
    // Last, so that its closing line is the one that counts.
    if tools::find("cargo-nextest").is_some() {
        run(&mut cargo(&[
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
        ]))
    } else {
        run(&mut cargo(&[
            "test",
            "--workspace",
            "--no-fail-fast",
            "--lib",
            "--bins",
            "--tests",
        ]))
    }
}

/// The version that `deny.toml` is written for.
const CARGO_DENY: &str = "cargo-deny@0.20.2";

/// `cargo xtask check`
pub(crate) fn check(arguments: &[String]) -> Result<(), Failure> {
    none(arguments)?;
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))?;
    fuzz::check()?;
    run(cargo(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--quiet",
    ])
    .env("RUSTDOCFLAGS", "-D warnings"))?;
    if tools::find("cargo-deny").is_none() {
        run(&mut cargo(&["install", "--locked", "--quiet", CARGO_DENY]))?;
    }
    // Advisories are left out: their database is a download that a machine may not reach.
    run(&mut cargo(&[
        "deny",
        "--log-level",
        "error",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))
}

/// `cargo xtask judge`
pub(crate) fn judge(arguments: &[String]) -> Result<(), Failure> {
    none(arguments)?;
    setup::all()?;
    run(cargo(&[
        "test",
        "--workspace",
        "--test",
        "judge*",
        "--test",
        "nova*",
        "--no-fail-fast",
    ])
    .env("CHRISTEN_JUDGE_TREES", "40")
    .env("CHRISTEN_JUDGE_FULL", "1")
    .env(tools::REQUIRE_TOOLS, "1"))
}

/// `cargo xtask crash`
pub(crate) fn crash(arguments: &[String]) -> Result<(), Failure> {
    none(arguments)?;
    setup::all()?;
    run(cargo(&[
        "test",
        "--workspace",
        "--test",
        "crash_*",
        "--test",
        "fault_*",
        "--no-fail-fast",
    ])
    .env("CHRISTEN_CRASH_SEEDS", "40")
    .env("CHRISTEN_JUDGE_FULL", "1")
    .env(tools::REQUIRE_TOOLS, "1"))
}

/// `cargo xtask guest-check`
pub(crate) fn guest_check(arguments: &[String]) -> Result<(), Failure> {
    none(arguments)?;
    setup::all()?;
    guests("guest_*")
}

/// `cargo xtask e2e`
pub(crate) fn e2e(arguments: &[String]) -> Result<(), Failure> {
    none(arguments)?;
    setup::all()?;
    guests("guest_*")?;
    guests("e2e_*")
}

/// Runs the test files that boot machines; one test at a time, since each takes both cores.
fn guests(files: &str) -> Result<(), Failure> {
    run(cargo(&[
        "test",
        "--workspace",
        "--test",
        files,
        "--no-fail-fast",
        "--",
    ])
    .args(["--ignored", "--nocapture", "--test-threads=1"])
    .env(tools::REQUIRE_TOOLS, "1"))
}

/// `cargo xtask clean-guests`
pub(crate) fn clean_guests(arguments: &[String]) -> Result<(), Failure> {
    none(arguments)?;
    let guests = cache::directory().join("guests");
    if guests.exists() {
        fs::remove_dir_all(guests)?;
    }
    Ok(())
}

fn none(arguments: &[String]) -> Result<(), Failure> {
    match arguments.first() {
        None => Ok(()),
        Some(argument) => Err(Failure::Usage(format!("unexpected argument `{argument}`"))),
    }
}
