//! `christen drive verify`: is a drive sound, and will a guest take it?

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

use christen_configdrive::verify::{self, Report, Severity, VerifyOptions};
use christen_instance::Value;

use super::open;
use crate::args::{DialectArgument, VerifyArguments};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::progress::Busy;

pub(crate) fn run(arguments: &VerifyArguments) -> Outcome {
    let path = &arguments.drive;
    let drive = open::drive(path)?;
    let options = VerifyOptions {
        dialect: arguments.dialect.map(DialectArgument::dialect),
        // The mode of a device says nothing about who may read the drive.
        image_mode: fs::metadata(path)
            .ok()
            .filter(fs::Metadata::is_file)
            .map(|metadata| metadata.permissions().mode() & 0o7777),
    };
    let busy = Busy::new("verifying");
    let report =
        verify::verify(&drive, &options).map_err(|error| open::cannot_read(path, &error))?;
    drop(busy);
    if arguments.json {
        output::json(&value(&report))?;
    } else {
        output::data(text(&report).as_bytes())?;
    }
    let bearable = if arguments.strict {
        Severity::Note
    } else {
        Severity::Warning
    };
    if report.worst().is_some_and(|worst| worst > bearable) {
        return Err(Failure::unchanged(format!(
            "`{}` is not as it should be",
            path.display()
        )));
    }
    Ok(ExitCode::SUCCESS)
}

fn count(report: &Report, severity: Severity) -> usize {
    let findings = report.findings.iter();
    findings.filter(|it| it.severity == severity).count()
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for checked in &report.checked {
        let _ = writeln!(text, "checked {checked}");
    }
    for finding in &report.findings {
        let _ = writeln!(text, "{finding}");
    }
    let _ = writeln!(
        text,
        "{} errors, {} warnings, {} notes",
        count(report, Severity::Error),
        count(report, Severity::Warning),
        count(report, Severity::Note)
    );
    text
}

fn value(report: &Report) -> Value {
    let findings = report
        .findings
        .iter()
        .map(|finding| {
            output::object([
                ("severity", finding.severity.to_string().into()),
                ("code", finding.code.into()),
                ("place", finding.place.as_str().into()),
                ("message", finding.message.as_str().into()),
            ])
        })
        .collect::<Vec<_>>();
    let checked = report.checked.iter().map(|it| it.as_str().into());
    output::object([
        ("checked", checked.collect::<Vec<Value>>().into()),
        ("findings", findings.into()),
    ])
}
