//! `christen inspect`: what an image is, how it is divided, and what is on each part.

use std::fmt::Write as _;
use std::process::ExitCode;

use christen_block::partition::{Partition, Role, Table, TableKind};
use christen_block::probe::{self, VolumeKind};
use christen_instance::Value;
use christen_vfs::shown;

use super::inspect_guest::{self, FoundGuest};
use crate::args::image::InspectArguments;
use crate::failure::Outcome;
use crate::image::files::ImageFile;
use crate::image::filesystems;
use crate::image::layout::{self, Part};
use crate::image::open::{self, Inspected};
use crate::image::reserved::Reserved;
use crate::image::show;
use crate::image::summary::Summary;
use crate::image::volumes::Place;
use crate::output;

/// A part of the disk and what its filesystem says of itself.
struct Looked {
    part: Part,
    /// None if there is no reader for it; the words if it cannot be read.
    filesystem: Option<Result<Summary, String>>,
}

/// What the disk is divided into.
#[derive(Default)]
struct Divided {
    /// None if the disk cannot be seen.
    table: Option<Table>,
    parts: Vec<Looked>,
    guests: Vec<FoundGuest>,
}

pub(crate) fn run(arguments: &InspectArguments) -> Outcome {
    let Inspected { files, disk } = open::inspect(&arguments.image)?;
    let mut warnings: Vec<_> = files.iter().flat_map(ImageFile::warnings).collect();
    let mut divided = Divided::default();
    match &disk {
        Ok(disk) => {
            let layout = layout::read(&disk.device).map_err(|error| disk.cannot_read(&error))?;
            divided.guests = inspect_guest::read(&layout);
            divided.parts = layout
                .parts
                .into_iter()
                .map(|part| Looked {
                    filesystem: part.volume.usable.then(|| filesystems::summary(&part)),
                    part,
                })
                .collect();
            warnings.extend(layout.table.findings.iter().map(ToString::to_string));
            warnings.extend(layout.refused.iter().map(ToString::to_string));
            divided.table = Some(layout.table);
        }
        Err(why) => warnings.push(format!("what is on the disk is not shown: {why}")),
    }
    if arguments.json {
        output::json(&value(&files, &divided, &warnings))?;
    } else {
        output::data(text(&files, &divided, &warnings).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table_name(kind: TableKind) -> &'static str {
    match kind {
        TableKind::None => "none",
        TableKind::Mbr => "MBR",
        TableKind::Gpt => "GPT",
    }
}

/// Two columns: a name, and what is known.
fn line(text: &mut String, indent: usize, name: &str, value: &str) {
    let width = 20_usize.saturating_sub(indent);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:indent$}{name:<width$} {value}", "");
}

fn text(files: &[ImageFile], divided: &Divided, warnings: &[String]) -> String {
    let mut text = String::new();
    for (index, file) in files.iter().enumerate() {
        let indent = if index == 0 { 0 } else { 2 };
        if index == 0 {
            line(&mut text, 0, "image", &file.name());
        } else {
            let _ = writeln!(text, "\n{}", file.title());
        }
        for (name, value) in file.facts(file.named_by().and_then(|it| files.get(it))) {
            line(&mut text, indent, name, &value);
        }
    }
    let mut told = String::new();
    if let Some(table) = &divided.table {
        let mut shown_table = table_name(table.kind).to_owned();
        if let Some(uuid) = &table.uuid {
            let _ = write!(shown_table, ", {}", shown(uuid.as_bytes()));
        }
        line(&mut told, 0, "partition table", &shown_table);
    }
    for warning in warnings {
        line(&mut told, 0, "warning", &output::visible(warning));
    }
    if files.len() > 1 && !told.is_empty() {
        text.push('\n');
    }
    text.push_str(&told);
    for it in &divided.parts {
        text.push('\n');
        part_text(&mut text, divided.table.as_ref(), it);
    }
    for guest in &divided.guests {
        text.push('\n');
        let _ = writeln!(text, "guest on {}", guest.place());
        for (name, value) in guest.facts() {
            line(&mut text, 2, name, &output::visible(&value));
        }
    }
    text
}

fn part_text(text: &mut String, table: Option<&Table>, looked: &Looked) {
    let volume = &looked.part.volume;
    let _ = writeln!(text, "{}", volume.place);
    let mut fact = |name: &str, value: &str| line(text, 2, name, value);
    if let Some(partition) = partition(table, &volume.place) {
        fact("start", &format!("{} bytes", partition.start_bytes));
        fact("type", &partition.partition_type.to_string());
        if let Some(name) = &partition.name {
            fact("name", &shown(name.as_bytes()));
        }
    }
    fact(
        "size",
        &format!(
            "{} bytes ({})",
            volume.size_bytes,
            show::size_text(volume.size_bytes)
        ),
    );
    if let Some(it) = volume.reserved {
        fact("reserved", &format!("{}: {}", it.name(), it.purpose()));
    }
    fact("content", volume.content.as_deref().unwrap_or("unknown"));
    let is_member = |it: &probe::Volume| it.kind == VolumeKind::Lvm2Member;
    if looked.part.signatures.iter().any(is_member) {
        fact(
            "use",
            "a physical volume of LVM2, which logical volumes lie on",
        );
    }
    if let Some(label) = volume.label.as_ref().filter(|label| !label.is_empty()) {
        fact("label", &shown(label));
    }
    if let Some(uuid) = &volume.uuid {
        fact("uuid", uuid);
    }
    match &looked.filesystem {
        None => {}
        Some(Err(why)) => fact("state", &format!("cannot be read: {why}")),
        Some(Ok(summary)) => {
            for (name, value) in summary.facts() {
                fact(name, &value);
            }
        }
    }
}

fn partition<'a>(table: Option<&'a Table>, place: &Place) -> Option<&'a Partition> {
    match place {
        Place::Partition(number) => table?.partition(*number),
        _ => None,
    }
}

fn value(files: &[ImageFile], divided: &Divided, warnings: &[String]) -> Value {
    let mut members = files.first().map(ImageFile::summary).unwrap_or_default();
    let files = files.iter().map(ImageFile::value).collect();
    members.push(("files".to_owned(), Value::Array(files)));
    let table = divided.table.as_ref().map_or(Value::Null, table_value);
    members.push(("partition_table".to_owned(), table));
    let volumes = divided.parts.iter().map(part_value).collect();
    members.push(("volumes".to_owned(), Value::Array(volumes)));
    let warnings = warnings.iter().map(|it| it.as_str().into()).collect();
    let guests = divided.guests.iter().map(FoundGuest::value).collect();
    members.push(("guests".to_owned(), Value::Array(guests)));
    members.push(("warnings".to_owned(), Value::Array(warnings)));
    Value::Object(members)
}

fn table_value(table: &Table) -> Value {
    let partitions = table.partitions.iter().map(|it| {
        output::object([
            ("number", output::number(it.number.into())),
            ("start_bytes", output::number(it.start_bytes)),
            ("size_bytes", output::number(it.length_bytes)),
            ("type", it.partition_type.to_string().into()),
            (
                "role",
                match it.role {
                    Role::Primary => "primary",
                    Role::Extended => "extended",
                    Role::Logical => "logical",
                }
                .into(),
            ),
            ("name", it.name.as_deref().into()),
            ("uuid", it.uuid.as_deref().into()),
        ])
    });
    output::object([
        ("kind", table_name(table.kind).to_lowercase().into()),
        ("uuid", table.uuid.as_deref().into()),
        ("sector_bytes", output::number(table.sector_bytes.into())),
        ("partitions", Value::Array(partitions.collect())),
    ])
}

fn part_value(looked: &Looked) -> Value {
    let volume = &looked.part.volume;
    let mut members = Vec::new();
    match &volume.place {
        Place::Whole => members.push(("whole_disk".to_owned(), true.into())),
        Place::Partition(number) => {
            members.push(("partition".to_owned(), output::number((*number).into())));
        }
        Place::Logical { group, volume } => {
            members.push(("volume_group".to_owned(), group.as_str().into()));
            members.push(("logical_volume".to_owned(), volume.as_str().into()));
        }
    }
    members.push(("option".to_owned(), volume.place.option().as_deref().into()));
    members.push(("size_bytes".to_owned(), output::number(volume.size_bytes)));
    let reserved = volume.reserved.map(Reserved::key);
    members.push(("reserved".to_owned(), reserved.into()));
    let signatures = looked.part.signatures.iter().map(|it| {
        output::object([
            ("format", it.kind.name().into()),
            ("label", it.label.as_deref().into()),
            ("uuid", it.uuid.as_deref().into()),
        ])
    });
    members.push(("content".to_owned(), Value::Array(signatures.collect())));
    let filesystem = match &looked.filesystem {
        None => Value::Null,
        Some(Err(why)) => output::object([("error", why.as_str().into())]),
        Some(Ok(summary)) => summary.value(),
    };
    members.push(("filesystem".to_owned(), filesystem));
    Value::Object(members)
}
