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
        Some(directory) => write_pages(&pages(&command, "christen")?, directory)?,
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

/// The pages of a command and all below it, by the name of their files.
fn pages(command: &Command, name: &str) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut found = vec![(format!("{name}.1"), page(command, name)?)];
    for subcommand in command.get_subcommands() {
        if subcommand.get_name() != "help" {
            found.extend(pages(
                subcommand,
                &format!("{name}-{}", subcommand.get_name()),
            )?);
        }
    }
    Ok(found)
}

fn write_pages(pages: &[(String, Vec<u8>)], directory: &Path) -> Result<(), Failure> {
    for (written, (name, text)) in pages.iter().enumerate() {
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(|error| {
            let shown = path.display();
            let failure = if written == 0 {
                Failure::unchanged(format!("cannot write `{shown}`"))
            } else {
                Failure::changed(format!(
                    "cannot write `{shown}`: pages written before it remain"
                ))
            };
            failure.because(&error)
        })?;
    }
    Ok(())
}
