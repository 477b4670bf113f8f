//! `christen man`: the manual, from the definitions that parse the command line.

use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::args::{Arguments, ManArguments};
use crate::failure::{Failure, Outcome};
use crate::output;

pub(crate) fn run(arguments: &ManArguments) -> Outcome {
    let mut command = Arguments::command();
    // Fills in what subcommands inherit, so that each page shows its whole synopsis.
    command.build();
    match &arguments.directory {
        None => output::data(&page(&command, "christen")?)?,
        Some(directory) => write_pages(&command, "christen", directory)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn page(command: &Command, name: &str) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    Man::new(command.clone().display_name(name))
        .title(name.to_uppercase())
        .render(&mut text)
        .map_err(|error| Failure::unchanged("cannot make the manual page").because(&error))?;
    Ok(text)
}

fn write_pages(command: &Command, name: &str, directory: &Path) -> Result<(), Failure> {
    let path = directory.join(format!("{name}.1"));
    std::fs::write(&path, page(command, name)?).map_err(|error| {
        Failure::changed(format!(
            "cannot write `{}`: pages written before it remain",
            path.display()
        ))
        .because(&error)
    })?;
    for subcommand in command.get_subcommands() {
        if subcommand.get_name() != "help" {
            write_pages(
                subcommand,
                &format!("{name}-{}", subcommand.get_name()),
                directory,
            )?;
        }
    }
    Ok(())
}
