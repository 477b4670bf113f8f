//! `christen render`: documents as files, or one to standard output.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use christen_instance::{Documents, Value};

use crate::args::{RenderArguments, RenderTarget};
use crate::failure::{Failure, Outcome};
use crate::identity::Identity;
use crate::{new_directory, output};

pub(crate) fn run(arguments: &RenderArguments) -> Outcome {
    let mut identity = Identity::load(&arguments.identity)?;
    match &arguments.what {
        RenderTarget {
            path: Some(path), ..
        } => {
            output::data(&identity.document(path)?.content)?;
        }
        RenderTarget {
            tree: Some(directory),
            ..
        } => {
            let documents = identity.documents()?;
            write_tree(directory, &documents)?;
            if arguments.json {
                output::json(&list(documents.iter().map(|it| it.path.as_str())))?;
            }
        }
        RenderTarget { .. } => {
            let paths = identity.paths()?;
            if arguments.json {
                output::json(&list(paths.iter().map(String::as_str)))?;
            } else {
                let mut text = paths.join("\n");
                text.push('\n');
                output::data(text.as_bytes())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list<'a>(paths: impl Iterator<Item = &'a str>) -> Value {
    Value::Array(paths.map(Value::from).collect())
}

/// Writes the tree beside its target under another name, then renames: all of it or none.
fn write_tree(directory: &Path, documents: &Documents) -> Result<(), Failure> {
    new_directory::create(directory, |root| {
        for document in documents {
            let path = root.join(&document.path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            new_directory::write_private(&path, &document.content)?;
        }
        Ok(())
    })
    .map_err(|error| {
        let failure =
            Failure::unchanged(format!("cannot write the tree `{}`", directory.display()))
                .because(&error);
        match error.kind() {
            io::ErrorKind::DirectoryNotEmpty
            | io::ErrorKind::NotADirectory
            // The working directory by the name `.`, which rename(2) does not replace.
            | io::ErrorKind::ResourceBusy => {
                failure.hint("name a directory that does not exist, or one that is empty")
            }
            _ => failure,
        }
    })
}
