//! `christen drive explain`: what each consumer will see of a drive, whoever made it.

use std::process::ExitCode;

use christen_configdrive::read::limits::MAX_DOCUMENT_BYTES_IN_ALL;
use christen_configdrive::{Drive, Entry, Error};
use christen_instance::explain::explain;
use christen_instance::{Dialect, Document};

use super::open::{self, MAX_DOCUMENT_BYTES};
use crate::args::DriveExplainArguments;
use crate::failure::{Failure, Outcome};
use crate::output;

pub(crate) fn run(arguments: &DriveExplainArguments) -> Outcome {
    let drive = open::drive(&arguments.drive)?;
    let entries = open::entries(&drive, &arguments.drive)?;
    let documents =
        documents(&drive, &entries).map_err(|error| open::cannot_read(&arguments.drive, &error))?;
    let dialect = match &arguments.dialect {
        Some(dialect) => dialect.dialect(),
        None => dialect_of(drive.label()).ok_or_else(|| {
            Failure::unchanged(format!(
                "no reader looks for the label `{}`",
                output::visible(drive.label())
            ))
            .hint("`--dialect` tells what the drive is meant to be")
        })?,
    };
    let explanation = explain(dialect, &documents);
    if arguments.json {
        output::json(&explanation.to_value())?;
    } else {
        output::data(explanation.to_string().as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Readers take either case of a label: FAT tools make upper case of it.
fn dialect_of(label: &str) -> Option<Dialect> {
    [Dialect::OpenStack, Dialect::NoCloud]
        .into_iter()
        .find(|dialect| dialect.label().eq_ignore_ascii_case(label))
}

/// The documents of a drive. What is too long to be one, or lies beyond the bound of all
/// together, is left out with a warning.
fn documents(drive: &Drive<'_>, entries: &[Entry]) -> Result<Vec<Document>, Error> {
    let mut documents = Vec::new();
    let mut total_bytes = 0;
    for entry in entries.iter().filter(|entry| entry.is_file()) {
        let path = entry.path_text().into_owned();
        // Entries may share their content, so the drive's own size bounds nothing.
        if entry.length > MAX_DOCUMENT_BYTES
            || total_bytes + entry.length > MAX_DOCUMENT_BYTES_IN_ALL
        {
            output::warning(&format!(
                "`{}` is not looked at: it has {} bytes",
                output::visible(&path),
                entry.length
            ));
            continue;
        }
        total_bytes += entry.length;
        documents.push(Document {
            path,
            content: drive.read_file(entry, MAX_DOCUMENT_BYTES)?,
        });
    }
    Ok(documents)
}
