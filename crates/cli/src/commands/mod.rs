//! One file a command.

mod cloud_localds;
mod completions;
mod drive;
mod explain;
#[allow(dead_code, reason = "the commands come as the crates below them do")]
mod image;
mod man;
mod render;
mod schema;

use crate::args::{Arguments, Command, DriveCommand};
use crate::failure::Outcome;

/// Runs one command.
pub(crate) fn run(arguments: Arguments) -> Outcome {
    match arguments.command {
        Command::Drive(DriveCommand::Build(arguments)) => drive::build::run(&arguments),
        Command::Drive(DriveCommand::Show(arguments)) => drive::show::run(&arguments),
        Command::Drive(DriveCommand::Explain(arguments)) => drive::explain::run(&arguments),
        Command::Drive(DriveCommand::Extract(arguments)) => drive::extract::run(&arguments),
        Command::Drive(DriveCommand::Diff(arguments)) => drive::diff::run(&arguments),
        Command::Drive(DriveCommand::Verify(arguments)) => drive::verify::run(&arguments),
        Command::Render(arguments) => render::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::CloudLocalds(arguments) => cloud_localds::run(&arguments.arguments),
        Command::Schema => schema::run(),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}
