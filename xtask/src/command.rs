//! Running commands and saying what went wrong.

use std::env;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::Command;

/// Why a door did not open.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The person has to do something first, or asked for something that there is not.
    Usage(String),
    /// A command failed; it has said why itself.
    Command(String),
    /// Something could not be read or written.
    Io(io::Error),
}

impl Failure {
    /// The exit status for it.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Command(_) | Self::Io(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Command(text) => formatter.write_str(text),
            Self::Io(error) => error.fmt(formatter),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Runs a command that shares our terminal.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| {
        Failure::Command(format!(
            "cannot start `{}`: {error}",
            command.get_program().display()
        ))
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::Command(format!(
            "`{}` ended with {status}",
            text(command)
        )))
    }
}

/// A command as a person would type it.
pub(crate) fn text(command: &Command) -> String {
    let mut text = command.get_program().display().to_string();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// Cargo in the root of the repository, without changing `Cargo.lock` in CI.
pub(crate) fn cargo(subcommand: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(subcommand);
    if is_ci() {
        command.env("CHRISTEN_REQUIRE_TOOLS", "1");
    }
    command
}

/// Whether this is CI, where a missing tool is a failure and nobody can be asked.
pub(crate) fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent().map_or(own.clone(), PathBuf::from)
}
