//! `christen xattr list` and `christen xattr get`; `set` and `remove` are changes like all others.

use std::process::ExitCode;

use christen_instance::Value;
use christen_vfs::shown;
use christen_vfs::walk::{LastLink, resolve};

use crate::args::image::{XattrGetArguments, XattrListArguments};
use crate::failure::{Failure, Outcome};
use crate::image::open;
use crate::image::show;
use crate::output;

pub(crate) fn list(arguments: &XattrListArguments) -> Outcome {
    let mut volume = open::volume(&arguments.image)?;
    let path = &arguments.path;
    let read = resolve(&mut *volume.fs, path, LastLink::Kept).and_then(|file| {
        let mut attributes = Vec::new();
        for name in volume.fs.attribute_names(file)? {
            let value = volume.fs.attribute(file, &name)?.unwrap_or_default();
            attributes.push((name, value));
        }
        Ok(attributes)
    });
    let attributes = read.map_err(|error| volume.cannot_read(path, &error))?;
    if arguments.json {
        let values = attributes.iter().map(|(name, value)| {
            let mut members = Vec::new();
            show::add_bytes(&mut members, "name", name);
            members.push(("value_hex".to_owned(), show::hex(value).into()));
            Value::Object(members)
        });
        output::json(&Value::Array(values.collect()))?;
    } else {
        let text: String = attributes
            .iter()
            .map(|(name, _)| shown(name) + "\n")
            .collect();
        output::data(text.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn get(arguments: &XattrGetArguments) -> Outcome {
    let mut volume = open::volume(&arguments.image)?;
    let path = &arguments.path;
    let read = resolve(&mut *volume.fs, path, LastLink::Kept)
        .and_then(|file| volume.fs.attribute(file, &arguments.name.0));
    let value = read
        .map_err(|error| volume.cannot_read(path, &error))?
        .ok_or_else(|| {
            let name = shown(&arguments.name.0);
            Failure::unchanged(format!(
                "`{path}` in {} has no attribute `{name}`",
                volume.name
            ))
            .hint("`christen xattr list` names those that it has")
        })?;
    if arguments.hex {
        output::data((show::hex(&value) + "\n").as_bytes())?;
    } else {
        output::data(&value)?;
    }
    Ok(ExitCode::SUCCESS)
}
