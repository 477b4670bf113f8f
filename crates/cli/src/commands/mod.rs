//! One file a command.

mod cloud_localds;
mod completions;
mod drive;
mod explain;
mod image;
mod man;
mod render;
mod schema;

use crate::args::image::XattrCommand;
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
        Command::Inspect(arguments) => image::inspect::run(&arguments),
        Command::Ls(arguments) => image::ls::run(&arguments),
        Command::Cat(arguments) => image::cat::run(&arguments),
        Command::Tree(arguments) => image::tree::run(&arguments),
        Command::Stat(arguments) => image::stat::run(&arguments),
        Command::Put(arguments) => image::files::put(&arguments),
        Command::Rm(arguments) => image::files::rm(&arguments),
        Command::Mkdir(arguments) => image::files::mkdir(&arguments),
        Command::Chmod(arguments) => image::files::chmod(&arguments),
        Command::Chown(arguments) => image::files::chown(&arguments),
        Command::Ln(arguments) => image::files::ln(&arguments),
        Command::Mv(arguments) => image::files::mv(&arguments),
        Command::Xattr(XattrCommand::List(arguments)) => image::xattr::list(&arguments),
        Command::Xattr(XattrCommand::Get(arguments)) => image::xattr::get(&arguments),
        Command::Xattr(XattrCommand::Set(arguments)) => image::files::xattr_set(&arguments),
        Command::Xattr(XattrCommand::Remove(arguments)) => image::files::xattr_remove(&arguments),
        Command::Inject(arguments) => image::inject::run(&arguments),
        Command::Customize(arguments) => image::customize::run(&arguments),
        Command::Reidentify(arguments) => image::reidentify::run(&arguments),
        Command::Plan(arguments) => image::plan::run(&arguments),
        Command::Doctor(arguments) => image::doctor::run(&arguments),
        Command::Verify(arguments) => image::verify::run(&arguments),
        Command::Edit(arguments) => image::edit::run(&arguments),
        Command::Diff(arguments) => image::diff::run(&arguments),
        Command::Check(arguments) => image::check::run(&arguments),
        Command::Recover(arguments) => image::recover::run(&arguments),
        Command::Schema => schema::run(),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}
