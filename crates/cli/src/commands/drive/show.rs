//! `christen drive show`: what a drive is and what is on it.

use std::fmt::Write as _;
use std::process::ExitCode;

use christen_configdrive::read::{Details, FatDetails, IsoDetails};
use christen_configdrive::{Drive, Entry, EntryKind, View};
use christen_instance::Value;

use super::open::{self, MAX_DOCUMENT_BYTES};
use crate::args::ShowArguments;
use crate::failure::{Failure, Outcome};
use crate::output;

pub(crate) fn run(arguments: &ShowArguments) -> Outcome {
    let drive = open::drive(&arguments.drive)?;
    let entries = open::entries(&drive, &arguments.drive)?;
    if let Some(path) = &arguments.path {
        let document = entries
            .iter()
            .find(|entry| entry.is_file() && entry.path == path.as_bytes())
            .ok_or_else(|| {
                Failure::unchanged(format!(
                    "`{}` has no file `{path}`",
                    arguments.drive.display()
                ))
                .hint("`christen drive show` without `--path` lists what there is")
            })?;
        let content = drive
            .read_file(document, MAX_DOCUMENT_BYTES)
            .map_err(|error| open::cannot_read(&arguments.drive, &error))?;
        output::data(&content)?;
    } else if arguments.json {
        output::json(&value(&drive, &entries))?;
    } else {
        output::data(text(&drive, &entries).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn view_name(view: View) -> &'static str {
    match view {
        View::RockRidge => "rock-ridge",
        View::Joliet => "joliet",
        View::Plain => "plain",
        View::Vfat => "vfat",
        _ => "other",
    }
}

fn facts(drive: &Drive<'_>) -> Vec<(&'static str, Value)> {
    let mut facts = vec![
        ("format", Value::from(drive.format().to_string())),
        ("label", Value::from(drive.label())),
        ("size_bytes", output::number(drive.length())),
        (
            "views",
            drive
                .views()
                .iter()
                .map(|view| Value::from(view_name(*view)))
                .collect::<Vec<_>>()
                .into(),
        ),
    ];
    match drive.details() {
        Details::Iso9660(details) => facts.extend(iso_facts(&details)),
        Details::Vfat(details) => facts.extend(fat_facts(&details)),
        _ => {}
    }
    facts
}

fn iso_facts(details: &IsoDetails) -> Vec<(&'static str, Value)> {
    let time = |seconds: Option<i64>| {
        let time = seconds.and_then(|it| jiff::Timestamp::from_second(it).ok());
        time.map_or(Value::Null, |it| it.to_string().into())
    };
    vec![
        ("system", details.system_identifier.as_str().into()),
        ("publisher", details.publisher_identifier.as_str().into()),
        (
            "application",
            details.application_identifier.as_str().into(),
        ),
        ("created", time(details.volume_creation)),
    ]
}

fn fat_facts(details: &FatDetails) -> Vec<(&'static str, Value)> {
    vec![
        ("fat_bits", output::number(details.fat_bits.into())),
        (
            "label_in_boot_sector",
            details.boot_sector_label.as_deref().into(),
        ),
        (
            "label_in_root_directory",
            details.root_label.as_deref().into(),
        ),
        (
            "cluster_bytes",
            output::number(
                u64::from(details.bytes_per_sector) * u64::from(details.sectors_per_cluster),
            ),
        ),
    ]
}

fn kind_name(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::File => "file",
        EntryKind::Directory => "directory",
        EntryKind::Symlink { .. } => "link",
        _ => "other",
    }
}

fn value(drive: &Drive<'_>, entries: &[Entry]) -> Value {
    let number = |it: Option<u32>| it.map_or(Value::Null, |it| output::number(it.into()));
    let mut members: Vec<(String, Value)> = facts(drive)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let entries = entries
        .iter()
        .map(|entry| {
            output::object([
                ("path", entry.path_text().into_owned().into()),
                ("kind", kind_name(&entry.kind).into()),
                ("size_bytes", output::number(entry.length)),
                ("mode", number(entry.mode)),
                ("uid", number(entry.uid)),
                ("gid", number(entry.gid)),
            ])
        })
        .collect::<Vec<_>>();
    members.push(("entries".to_owned(), entries.into()));
    Value::Object(members)
}

fn text(drive: &Drive<'_>, entries: &[Entry]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (name, value) in facts(drive) {
        let shown = match &value {
            Value::String(text) => output::visible(text),
            Value::Array(items) => items
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", "),
            Value::Integer(digits) => digits.clone(),
            _ => "–".to_owned(),
        };
        let _ = writeln!(text, "{:<24} {shown}", name.replace('_', " "));
    }
    text.push('\n');
    for entry in entries.iter().filter(|entry| !entry.is_directory()) {
        let mode = entry
            .mode
            .map_or_else(String::new, |mode| format!("{mode:04o}"));
        let _ = writeln!(
            text,
            "{mode:>4} {:>10}  {}",
            entry.length,
            output::visible(&entry.path_text())
        );
    }
    text
}
