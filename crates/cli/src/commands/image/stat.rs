//! `christen stat`: all that is known of a file.

use std::fmt::Write as _;
use std::process::ExitCode;

use christen_instance::Value;
use christen_vfs::walk::{LastLink, resolve};
use christen_vfs::{Attributes, FileSystem, GuestPath, Kind, Result, shown};

use crate::args::image::StatArguments;
use crate::failure::Outcome;
use crate::image::open;
use crate::image::show;
use crate::output;

/// All that is known of a file but its content.
struct Known {
    attributes: Attributes,
    target: Option<Vec<u8>>,
    extended: Vec<Vec<u8>>,
}

pub(crate) fn run(arguments: &StatArguments) -> Outcome {
    let mut volume = open::volume(&arguments.image)?;
    let known = look(&mut *volume.fs, &arguments.path)
        .map_err(|error| volume.cannot_read(&arguments.path, &error))?;
    if arguments.json {
        output::json(&value(&arguments.path, &known))?;
    } else {
        output::data(text(&arguments.path, &known).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn look(fs: &mut dyn FileSystem, path: &GuestPath) -> Result<Known> {
    let file = resolve(fs, path, LastLink::Kept)?;
    let attributes = fs.attributes(file)?;
    Ok(Known {
        attributes,
        target: match attributes.kind {
            Kind::SymbolicLink => Some(fs.read_link(file)?),
            _ => None,
        },
        extended: fs.attribute_names(file)?,
    })
}

fn value(path: &GuestPath, known: &Known) -> Value {
    let mut members = Vec::new();
    show::add_bytes(&mut members, "path", &path.to_bytes());
    show::add_attributes(&mut members, &known.attributes);
    if let Some(target) = &known.target {
        show::add_bytes(&mut members, "target", target);
    }
    let names = known
        .extended
        .iter()
        .map(|name| String::from_utf8_lossy(name).into_owned().into());
    members.push((
        "extended_attributes".to_owned(),
        Value::Array(names.collect()),
    ));
    Value::Object(members)
}

fn text(path: &GuestPath, known: &Known) -> String {
    let attributes = &known.attributes;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<21} {value}");
    };
    line("path", path.to_string());
    let kind = show::kind_name(attributes.kind);
    match attributes.kind {
        Kind::CharacterDevice { major, minor } | Kind::BlockDevice { major, minor } => {
            line("kind", format!("{kind} {major}, {minor}"));
        }
        _ => line("kind", kind.to_owned()),
    }
    if let Some(target) = &known.target {
        line("target", shown(target));
    }
    line(
        "mode",
        format!(
            "{:04o} {}",
            attributes.permissions,
            show::mode_text(attributes.kind, attributes.permissions)
        ),
    );
    line("owner", format!("{}:{}", attributes.uid, attributes.gid));
    line("size", format!("{} bytes", attributes.size));
    line("allocated", format!("{} bytes", attributes.allocated));
    line("links", attributes.links.to_string());
    line("modified", show::time_text(attributes.modified));
    line("changed", show::time_text(attributes.changed));
    line("accessed", show::time_text(attributes.accessed));
    if let Some(created) = attributes.created {
        line("created", show::time_text(created));
    }
    for name in &known.extended {
        line("extended attribute", shown(name));
    }
    text
}
