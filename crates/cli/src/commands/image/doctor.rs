//! `christen doctor`: will this image take this identity? Asked before its first boot.

use std::fmt::Write as _;
use std::process::ExitCode;

use christen_inject::doctor::{self, Diagnosis, Drive, Facts, Severity};
use christen_instance::{Dialect, Instance, Value};

use crate::args::image::{DoctorArguments, DriveArgument};
use crate::failure::{Failure, Outcome, Status};
use crate::identity::Identity;
use crate::image::guest::Guest;
use crate::image::{filesystems, open, show};
use crate::injection::finish::volumes;
use crate::progress::Busy;
use crate::{clock, injection, output};

pub(crate) fn run(arguments: &DoctorArguments) -> Outcome {
    // Status 1 is an answer.
    examine(arguments).map_err(Failure::apart_from_an_answer)
}

fn examine(arguments: &DoctorArguments) -> Outcome {
    let instance = instance(arguments)?;
    let busy = Busy::new("examining");
    let disk = open::disk(&arguments.image.part.image)?;
    let image = open::guest(&arguments.image, disk, &arguments.image.part.volume)?;
    let mut guest = image.to_examine()?;
    let facts = facts(&guest, arguments.drive);
    let path = &arguments.image.part.image.image;
    let found = doctor::examine(&mut guest.tree, &facts, instance.as_ref()).map_err(|error| {
        Failure::unchanged(format!("cannot examine `{}`", path.display())).because(&error)
    })?;
    drop(busy);
    if arguments.json {
        output::json(&output::object([
            ("image", show::path_value(path)),
            ("volumes", volumes(&guest)),
            ("findings", Value::Array(found.iter().map(value).collect())),
        ]))?;
    } else {
        injection::tell_notices(&guest.notices, &[]);
        output::data(text(&found).as_bytes())?;
        output::note(&format!("`{}`: {}", path.display(), count(&found)));
    }
    let is_error = |it: &Diagnosis| it.severity == Severity::Error;
    Ok(match found.iter().any(is_error) {
        true => Status::Unchanged.into(),
        false => ExitCode::SUCCESS,
    })
}

fn instance(arguments: &DoctorArguments) -> Result<Option<Instance>, Failure> {
    let Some(path) = &arguments.instance else {
        return Ok(None);
    };
    let time = clock::resolve(None)?;
    let identity = Identity::load_at(Some(path), &arguments.operator, Dialect::OpenStack, time)?;
    Ok(Some(identity.instance))
}

/// What the volumes say of themselves, and the guest's files do not tell.
fn facts(guest: &Guest, drive: Option<DriveArgument>) -> Facts {
    let summaries: Vec<_> = guest
        .volumes
        .iter()
        .filter_map(|it| filesystems::summary(&it.part).ok())
        .collect();
    // What is not known of one says nothing, unless another has it.
    let clean: Vec<_> = summaries.iter().filter_map(|it| it.is_clean()).collect();
    let errors: Vec<_> = summaries.iter().filter_map(|it| it.has_errors()).collect();
    Facts {
        clean: (!clean.is_empty()).then(|| clean.iter().all(|it| *it)),
        has_errors: (!errors.is_empty()).then(|| errors.iter().any(|it| *it)),
        drive: drive.map(|it| match it {
            DriveArgument::ConfigDrive => Drive::ConfigDrive,
            DriveArgument::Nocloud => Drive::NoCloud,
        }),
    }
}

fn text(found: &[Diagnosis]) -> String {
    let mut text = String::new();
    for it in found {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}: {}: {}\n  {}",
            it.severity,
            it.rule,
            output::visible(&it.reason),
            output::visible(&it.remedy)
        );
    }
    text
}

fn count(found: &[Diagnosis]) -> String {
    let of = |severity: Severity| found.iter().filter(|it| it.severity == severity).count();
    let counts: Vec<_> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .filter_map(|severity| match of(severity) {
            0 => None,
            1 => Some(format!("1 {severity}")),
            number => Some(format!("{number} {severity}s")),
        })
        .collect();
    match counts.is_empty() {
        true => "nothing stands in the way".to_owned(),
        false => counts.join(", "),
    }
}

fn value(found: &Diagnosis) -> Value {
    output::object([
        ("rule", found.rule.into()),
        ("severity", found.severity.name().into()),
        ("reason", found.reason.as_str().into()),
        ("remedy", found.remedy.as_str().into()),
    ])
}
