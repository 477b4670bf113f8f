//! `christen plan`: what an injection would change, as a diff.

use std::path::Path;
use std::process::ExitCode;

use christen_instance::{Dialect, Value};

use crate::args::image::PlanArguments;
use crate::failure::{Failure, Outcome};
use crate::identity::Identity;
use crate::image::guest::Guest;
use crate::image::{open, show, values};
use crate::injection::finish::volumes;
use crate::injection::{self, Staged, Way, diff, told};
use crate::progress::Busy;
use crate::{clock, output};

pub(crate) fn run(arguments: &PlanArguments) -> Outcome {
    if let Some(root) = &arguments.tree.root {
        return super::root_tree::plan(arguments, root);
    }
    let time = clock::resolve(arguments.time.as_deref())?;
    let mut identity = Identity::load_at(
        Some(arguments.description()?),
        &arguments.operator,
        Dialect::OpenStack,
        time,
    )?;
    let path = &arguments.image.part.image.image;
    let way = match Way::of(&identity)? {
        Ok(way) => way,
        Err(reason) => {
            let why = injection::reason(reason);
            if arguments.json {
                output::json(&output::object([
                    ("image", show::path_value(path)),
                    ("would_change", false.into()),
                    ("nothing_because", why.into()),
                ]))?;
            } else {
                output::note(&format!("nothing would be injected: {why}"));
            }
            return Ok(ExitCode::SUCCESS);
        }
    };
    let now = values::timestamp(time);
    let busy = Busy::new("planning");
    let volume = way.volume(&arguments.image.part.volume);
    let disk = open::disk(&arguments.image.part.image)?;
    let opened = open::guest(&arguments.image, disk, &volume).and_then(|image| {
        let guest = image.in_memory(way.mounts(), now)?;
        way.suits(&arguments.image.part.volume, &guest)?;
        Ok((guest, image))
    });
    let (mut guest, _image) = match opened {
        Ok(opened) => opened,
        Err(failure) => {
            way.not_opened(failure)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let would_fail =
        || Failure::unchanged(format!("an injection into `{}` would fail", path.display()));
    let staged = injection::stage(&mut guest, &mut identity, &way, now, would_fail)?;
    drop(busy);
    let told = tell(path, &guest, &staged, arguments.json);
    staged.end(would_fail(), told)
}

/// Prints a plan.
pub(super) fn tell(path: &Path, guest: &Guest, staged: &Staged, json: bool) -> Outcome {
    injection::tell_notices(&guest.notices, &staged.notices);
    let changed = staged.changes.iter().filter(|it| it.is_change());
    if json {
        let diffs = changed.map(|change| {
            let mut members = Vec::new();
            show::add_bytes(&mut members, "path", &change.path.to_bytes());
            members.push(("diff".to_owned(), diff::value(change)));
            Value::Object(members)
        });
        output::json(&output::object([
            ("image", show::path_value(path)),
            ("volumes", volumes(guest)),
            ("would_change", staged.is_change().into()),
            ("items", told::value(&staged.changes)),
            ("diffs", Value::Array(diffs.collect())),
            ("notices", told::notices(&guest.notices, &staged.notices)),
        ]))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::data(diff::text(&staged.changes).as_bytes())?;
    let path = path.display();
    match (changed.count(), staged.changes.len()) {
        (0, 0) => output::note(&format!("there is nothing to put into `{path}`")),
        (0, _) => output::note(&format!("`{path}` has the identity already")),
        (1, _) => output::note(&format!(
            "1 place of `{path}` would change; nothing was written"
        )),
        (number, _) => output::note(&format!(
            "{number} places of `{path}` would change; nothing was written"
        )),
    }
    Ok(ExitCode::SUCCESS)
}
