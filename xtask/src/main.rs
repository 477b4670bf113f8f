//! Repository chores: `cargo xtask`.
//!
//! Every door does its own set-up: a fresh Debian machine with Rust needs no other command.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a chore talks to the person who runs it"
)]

mod bench;
mod command;
mod demo;
mod doors;
mod fuzz;
mod setup;

use std::env;
use std::process::ExitCode;

use command::Failure;

/// A door: its name, its arguments, what it does, and its code.
type Door = (
    &'static str,
    &'static str,
    &'static str,
    fn(&[String]) -> Result<(), Failure>,
);

const DOORS: [Door; 11] = [
    (
        "demo",
        "[--boot]",
        "build a drive from examples/ and show what a guest sees; --boot boots one",
        demo::demo,
    ),
    ("test", "", "every test that needs no guest", doors::test),
    (
        "check",
        "",
        "format, clippy, documentation, licences and duplicate dependencies",
        doors::check,
    ),
    (
        "judge",
        "",
        "only the tests in which other people's tools judge our bytes",
        doors::judge,
    ),
    (
        "crash",
        "",
        "cut every commit at every step, and fail and kill what can be (takes long)",
        doors::crash,
    ),
    (
        "guest-check",
        "",
        "boot guests that read our drives and disk images (about 8 minutes)",
        doors::guest_check,
    ),
    (
        "e2e",
        "",
        "every channel with a real cloud-init in a guest (about 10 minutes)",
        doors::e2e,
    ),
    (
        "fuzz",
        "[TARGET] [--seconds N | --minutes N]",
        "fuzz one parser, or all; 60 seconds each unless told",
        fuzz::fuzz,
    ),
    (
        "bench",
        "drive|inject [--readme]",
        "measure against the usual tools; --readme writes the figures there",
        bench::bench,
    ),
    (
        "setup",
        "",
        "install what the doors above need, and nothing else",
        doors::setup,
    ),
    (
        "clean-guests",
        "",
        "remove the cached guests, so that the next run makes them anew",
        doors::clean_guests,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    };
    let Some((_, _, _, door)) = DOORS.iter().find(|(door, ..)| door == name) else {
        eprintln!("error: there is no door `{name}`\n{}", usage());
        return ExitCode::from(2);
    };
    match door(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.status())
        }
    }
}

fn usage() -> String {
    let mut text = "cargo xtask DOOR\n\n".to_owned();
    for (name, arguments, what, _) in DOORS {
        let left = format!("{name} {arguments}");
        text.push_str(&format!("  {left:<46} {what}\n"));
    }
    text
}
