//! The `christen` command: arguments, messages, exit statuses and wiring.
//!
//! One file a command in `commands`, each naming the three or four library calls that
//! do the work. This is the only crate that prints.

mod args;
mod clock;
mod commands;
mod customize;
mod destination;
mod failure;
mod host_files;
mod identity;
mod image;
mod image_time;
mod injection;
mod limits;
pub mod mkisofs;
mod new_directory;
mod output;
mod progress;
mod random;
mod services;

use std::process::ExitCode;

use clap::Parser;

pub use args::Arguments;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    match commands::run(Arguments::parse()) {
        Ok(code) => code,
        Err(failure) => {
            output::error(&failure.render());
            failure.exit_code()
        }
    }
}
