//! `christen check`: an audit of a filesystem.

use std::fmt::Write as _;
use std::process::ExitCode;

use christen_ext4::check::Report;
use christen_instance::Value;

use crate::args::image::CheckArguments;
use crate::failure::{Failure, Outcome};
use crate::image::{filesystems, open};
use crate::output;
use crate::progress::Busy;

/// Ends with 0 when nothing is wrong and with 1 when something is; trouble is 2.
pub(crate) fn run(arguments: &CheckArguments) -> Outcome {
    let busy = Busy::new("checking");
    let (part, name, disk) = open::part(&arguments.image).map_err(Failure::apart_from_an_answer)?;
    let report = filesystems::check(&part, arguments.image.replay_journal).map_err(|error| {
        let failure = Failure::unchanged(format!("cannot check {name}"));
        filesystems::refused(failure, &error).apart_from_an_answer()
    })?;
    drop((busy, disk));
    if arguments.json {
        output::json(&value(&name, &report))?;
    } else {
        output::data(lines(&report).as_bytes())?;
        output::note(&format!("{name}: {}", verdict(&report)));
    }
    Ok(ExitCode::from(u8::from(!report.is_clean())))
}

fn lines(report: &Report) -> String {
    let mut lines = String::new();
    for finding in &report.findings {
        // A rule may quote a name of the image. Writing to a string cannot fail.
        let _ = writeln!(
            lines,
            "{}",
            christen_vfs::shown(finding.to_string().as_bytes())
        );
    }
    lines
}

fn verdict(report: &Report) -> String {
    let mut verdict = match report.finding_count {
        0 if report.complete => format!(
            "nothing is wrong with {} inodes, {} of them directories",
            report.inodes, report.directories
        ),
        0 => "it could not be looked at whole".to_owned(),
        1 => "1 rule is broken".to_owned(),
        count => format!("{count} rules are broken"),
    };
    let more = report.finding_count - report.findings.len() as u64;
    if more > 0 {
        let _ = write!(verdict, ", and {more} of them are not shown");
    }
    if report.needs_recovery {
        verdict.push_str(
            "; its journal was not written back, and may put right what is wrong: pass `--replay-journal`",
        );
    }
    if report.error_noted {
        verdict.push_str("; the kernel has noted an error in it");
    }
    if report.orphans > 0 {
        let _ = write!(
            verdict,
            "; {} files wait for being removed or cut",
            report.orphans
        );
    }
    verdict
}

fn value(name: &str, report: &Report) -> Value {
    let findings = report.findings.iter().map(|it| {
        output::object([
            ("structure", it.structure.into()),
            ("number", output::number(it.number)),
            ("rule", it.rule.as_str().into()),
        ])
    });
    output::object([
        ("volume", name.into()),
        ("clean", report.is_clean().into()),
        ("complete", report.complete.into()),
        ("needs_recovery", report.needs_recovery.into()),
        ("error_noted", report.error_noted.into()),
        ("orphans", output::number(report.orphans)),
        ("inodes", output::number(report.inodes)),
        ("directories", output::number(report.directories)),
        ("finding_count", output::number(report.finding_count)),
        ("findings", Value::Array(findings.collect())),
    ])
}
