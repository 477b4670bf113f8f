//! `christen completions`: a completion script for a shell.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::{Arguments, CompletionsArguments};
use crate::failure::Outcome;
use crate::output;

pub(crate) fn run(arguments: &CompletionsArguments) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Arguments::command(),
        "christen",
        &mut script,
    );
    output::data(&script)?;
    Ok(ExitCode::SUCCESS)
}
