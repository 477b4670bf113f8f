//! `christen ls`: the entries of a directory.

use std::process::ExitCode;

use christen_instance::Value;
use christen_vfs::walk::{LastLink, resolve};
use christen_vfs::{Attributes, FileId, FileSystem, GuestPath, Kind, Result, shown};

use crate::args::image::ListArguments;
use crate::failure::Outcome;
use crate::image::open;
use crate::image::show;
use crate::output;

/// A line of the list.
struct Listed {
    name: Vec<u8>,
    attributes: Attributes,
    target: Option<Vec<u8>>,
}

pub(crate) fn run(arguments: &ListArguments) -> Outcome {
    let mut volume = open::volume(&arguments.image)?;
    let listed = list(&mut *volume.fs, &arguments.path)
        .map_err(|error| volume.cannot_read(&arguments.path, &error))?;
    if arguments.json {
        output::json(&Value::Array(listed.iter().map(value).collect()))?;
    } else {
        let text: String = listed
            .iter()
            .map(|it| match arguments.long {
                true => show::long_line(&it.name, &it.attributes, it.target.as_deref()) + "\n",
                false => shown(&it.name) + "\n",
            })
            .collect();
        output::data(text.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists the entries of a directory by name, or a file alone.
fn list(fs: &mut dyn FileSystem, path: &GuestPath) -> Result<Vec<Listed>> {
    let file = resolve(fs, path, LastLink::Followed)?;
    if fs.attributes(file)?.kind != Kind::Directory {
        let name = path.name().unwrap_or(b"/").to_vec();
        return Ok(vec![describe(fs, name, file)?]);
    }
    let mut entries = fs.entries(file)?;
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    entries
        .into_iter()
        .map(|entry| describe(fs, entry.name, entry.file))
        .collect()
}

fn describe(fs: &mut dyn FileSystem, name: Vec<u8>, file: FileId) -> Result<Listed> {
    let attributes = fs.attributes(file)?;
    let target = match attributes.kind {
        Kind::SymbolicLink => Some(fs.read_link(file)?),
        _ => None,
    };
    Ok(Listed {
        name,
        attributes,
        target,
    })
}

fn value(listed: &Listed) -> Value {
    let mut members = Vec::new();
    show::add_bytes(&mut members, "name", &listed.name);
    show::add_attributes(&mut members, &listed.attributes);
    if let Some(target) = &listed.target {
        show::add_bytes(&mut members, "target", target);
    }
    Value::Object(members)
}
