//! `christen tree`: a directory and all that is below it.

use std::fmt::Write as _;
use std::process::ExitCode;

use christen_instance::Value;
use christen_vfs::walk::{LastLink, Next, resolve, visit};
use christen_vfs::{FileSystem, Kind, Result, shown};

use crate::args::image::TreeArguments;
use crate::failure::Outcome;
use crate::image::open;
use crate::image::show;
use crate::output;

pub(crate) fn run(arguments: &TreeArguments) -> Outcome {
    let mut volume = open::volume(&arguments.image)?;
    if arguments.json {
        let values = values(&mut *volume.fs, arguments)
            .map_err(|error| volume.cannot_read(&arguments.path, &error))?;
        output::json(&Value::Array(values))?;
    } else {
        let text = text(&mut *volume.fs, arguments)
            .map_err(|error| volume.cannot_read(&arguments.path, &error))?;
        output::data(text.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where to go on from a file at this depth.
fn next(arguments: &TreeArguments, depth: usize) -> Next {
    match arguments.depth {
        Some(most) if depth >= most => Next::Over,
        _ => Next::Into,
    }
}

/// One line a file, set in by two spaces a level; a directory ends with `/`.
fn text(fs: &mut dyn FileSystem, arguments: &TreeArguments) -> Result<String> {
    let top = resolve(fs, &arguments.path, LastLink::Followed)?;
    let mut text = String::new();
    visit(fs, top, &mut |fs, found| {
        let name = match found.path.name() {
            Some(name) => shown(name),
            None => arguments.path.to_string(),
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "{:indent$}{name}", "", indent = 2 * found.depth);
        match found.attributes.kind {
            Kind::Directory if !name.ends_with('/') => text.push('/'),
            Kind::SymbolicLink => {
                let _ = write!(text, " -> {}", shown(&fs.read_link(found.file)?));
            }
            _ => {}
        }
        text.push('\n');
        Ok(next(arguments, found.depth))
    })?;
    Ok(text)
}

/// The same as a list of files with their paths.
fn values(fs: &mut dyn FileSystem, arguments: &TreeArguments) -> Result<Vec<Value>> {
    let top = resolve(fs, &arguments.path, LastLink::Followed)?;
    let mut values = Vec::new();
    visit(fs, top, &mut |fs, found| {
        let mut path = arguments.path.clone();
        for name in found.path.components() {
            path = path.join(name);
        }
        let mut members = Vec::new();
        show::add_bytes(&mut members, "path", &path.to_bytes());
        show::add_attributes(&mut members, &found.attributes);
        if found.attributes.kind == Kind::SymbolicLink {
            show::add_bytes(&mut members, "target", &fs.read_link(found.file)?);
        }
        values.push(Value::Object(members));
        Ok(next(arguments, found.depth))
    })?;
    Ok(values)
}
