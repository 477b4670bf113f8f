//! `christen drive extract`: a drive's documents as files.

use std::io;
use std::process::ExitCode;

use christen_configdrive::Error;
use christen_configdrive::extract;

use super::open;
use crate::args::ExtractArguments;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::progress::Busy;

pub(crate) fn run(arguments: &ExtractArguments) -> Outcome {
    let drive = open::drive(&arguments.drive)?;
    let busy = Busy::new("extracting");
    let done = extract::extract(&drive, &arguments.directory).map_err(|error| {
        let failure = Failure::unchanged(format!(
            "cannot extract `{}` to `{}`: nothing was written",
            arguments.drive.display(),
            arguments.directory.display()
        ))
        .because(&error);
        match error {
            Error::DestinationExists { .. } => {
                failure.hint("give a directory that does not exist or is empty")
            }
            // `.` and `..`, beside which nothing can be made that takes their place.
            Error::Output { source, .. } if source.kind() == io::ErrorKind::InvalidInput => {
                failure.hint("give a directory by its name")
            }
            _ => failure,
        }
    })?;
    drop(busy);
    for path in &done.left_out {
        output::warning(&format!(
            "`{path}` is neither a file nor a directory and is left out"
        ));
    }
    if arguments.json {
        let left_out = done.left_out.iter().map(|path| path.as_str().into());
        output::json(&output::object([
            ("files", output::number(done.files as u64)),
            ("directories", output::number(done.directories as u64)),
            ("bytes", output::number(done.bytes)),
            ("left_out", left_out.collect::<Vec<_>>().into()),
        ]))?;
    } else {
        output::note(&format!(
            "wrote {} files ({} bytes) to {}",
            done.files,
            done.bytes,
            arguments.directory.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}
