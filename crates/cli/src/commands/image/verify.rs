//! `christen verify`: does a disk image have an identity? Read by what did not write it.

use std::process::ExitCode;

use christen_instance::Dialect;

use crate::args::image::PlanArguments;
use crate::failure::{Failure, Outcome};
use crate::identity::Identity;
use crate::image::{open, show, values};
use crate::injection::finish::{differences, volumes};
use crate::injection::verdict::{self, Mounted};
use crate::injection::{self, Way, told};
use crate::progress::Busy;
use crate::{clock, output};

pub(crate) fn run(arguments: &PlanArguments) -> Outcome {
    if let Some(root) = &arguments.tree.root {
        return super::root_tree::verify(arguments, root);
    }
    let time = clock::resolve(arguments.time.as_deref())?;
    let mut identity = Identity::load_at(
        Some(arguments.description()?),
        &arguments.operator,
        Dialect::OpenStack,
        time,
    )?;
    let path = &arguments.image.part.image.image;
    let way = Way::of(&identity)?.map_err(|reason| {
        Failure::unchanged("there is nothing to verify").detail(injection::reason(reason))
    })?;
    let now = values::timestamp(time);
    let busy = Busy::new("verifying");
    let volume = way.volume(&arguments.image.part.volume);
    let disk = open::disk(&arguments.image.part.image)?;
    let image = open::guest(&arguments.image, disk, &volume)?;
    // What an injection would change is not there as it is meant; what it would leave alone is for the second reader to find.
    let mut guest = image.in_memory(way.mounts(), now)?;
    let staged = injection::stage(&mut guest, &mut identity, &way, now, || {
        Failure::unchanged(format!("cannot tell what `{}` should have", path.display()))
    })?;
    let verdicts = verdict::verify(&staged.changes, &Mounted::of(&guest.volumes), &image.disk)?;
    drop(busy);
    injection::tell_notices(&guest.notices, &staged.notices);
    let summary = verdicts.summary();
    if arguments.json {
        output::json(&output::object([
            ("image", show::path_value(path)),
            ("volumes", volumes(&guest)),
            ("verified", verdicts.all_verified().into()),
            ("verdicts", verdicts.value()),
            ("notices", told::notices(&guest.notices, &staged.notices)),
        ]))?;
    } else {
        output::data(told::verdicts(&staged.changes, &verdicts).as_bytes())?;
        output::note(&format!("`{}`: {summary}", path.display()));
    }
    let message = format!("`{}` does not have the identity", path.display());
    differences(&verdicts, Failure::unchanged(message))?;
    if !verdicts.all_verified() {
        let message = format!(
            "not all of the identity in `{}` is verified",
            path.display()
        );
        return Err(Failure::unchanged(message).detail(summary));
    }
    Ok(ExitCode::SUCCESS)
}
