//! `christen inject`: an instance's identity into the guest of an image, all of it or nothing.

use std::process::ExitCode;

use christen_inject::Change;
use christen_instance::{Dialect, Value};
use christen_vfs::FileSystem;

use crate::args::image::InjectArguments;
use crate::failure::{Failure, Outcome};
use crate::identity::Identity;
use crate::image::guest::Guest;
use crate::image::{open, show, values};
use crate::injection::{self, read_back, told};
use crate::progress::Busy;
use crate::{clock, output};

pub(crate) fn run(arguments: &InjectArguments) -> Outcome {
    let image = &arguments.image;
    open::stated_format(image)?;
    let time = clock::resolve(image.time.as_deref())?;
    let mut identity = Identity::load_at(
        &arguments.instance,
        &arguments.operator,
        Dialect::OpenStack,
        time,
    )?;
    let now = values::timestamp(time);
    let busy = Busy::new("changing");
    let disk = open::staged(image, now)?;
    let cannot_inject = || {
        Failure::unchanged(format!(
            "cannot inject into `{}`: the image was not changed",
            image.image.display()
        ))
    };
    let mut guest = disk.guest()?;
    let staged = injection::stage(&mut guest, &mut identity, now)
        .map_err(|error| injection::refused(cannot_inject(), &error))?;
    if image.dry_run {
        drop(busy);
        return super::plan::tell(&image.image, &guest, &staged, image.json);
    }
    let volumes = volumes(&guest);
    let notices = std::mem::take(&mut guest.notices);
    let is_new = image.output.is_some();
    let committed = if staged.is_change() {
        guest
            .tree
            .finish()
            .map_err(|error| cannot_inject().because(&error))?;
        drop(guest);
        check(&staged.changes, &disk, &cannot_inject)?;
        Some(disk.commit(&busy)?)
    } else {
        // Nothing of it is kept, so that the image stays as it is in every byte.
        drop(guest);
        is_new.then(|| disk.commit(&busy)).transpose()?
    };
    drop(busy);
    injection::tell_notices(&notices, &staged.notices);
    let target = image.output.as_deref().unwrap_or(&image.image);
    if image.json {
        output::json(&output::object([
            ("image", show::path_value(&image.image)),
            (
                "output",
                image
                    .output
                    .as_deref()
                    .map_or(Value::Null, show::path_value),
            ),
            ("volumes", volumes),
            ("changed", staged.is_change().into()),
            ("items", told::value(&staged.changes)),
            ("notices", told::notices(&notices, &staged.notices)),
            (
                "ranges",
                output::number(committed.as_ref().map_or(0, |it| it.ranges)),
            ),
            (
                "bytes_written",
                output::number(committed.as_ref().map_or(0, |it| it.bytes)),
            ),
        ]))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::data(told::text(&staged.changes).as_bytes())?;
    match committed {
        Some(committed) if staged.is_change() => output::note(&format!(
            "`{}` has the identity: {} read back before the commit, {} written in {}",
            target.display(),
            count(staged.changes.len() as u64, "place", "places"),
            show::size_text(committed.bytes),
            count(committed.ranges, "range", "ranges"),
        )),
        _ if staged.changes.is_empty() => output::note(&format!(
            "the description has nothing to put into `{}`",
            target.display()
        )),
        _ => output::note(&format!(
            "`{}` has the identity already: nothing was changed",
            target.display()
        )),
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the guest anew from the staged bytes, and looks whether everything is there.
fn check(
    changes: &[Change],
    disk: &open::Staged,
    failure: &dyn Fn() -> Failure,
) -> Result<(), Failure> {
    let mut fresh = disk.guest_again()?;
    read_back::check(changes, &mut fresh.tree).map_err(|error| {
        failure()
            .detail("what was staged is not what is read back, so it was not committed")
            .because(&error)
            .hint("this is a defect of christen or of the image: `christen check` tells which")
    })
}

/// What the guest's tree is made of, as JSON.
pub(super) fn volumes(guest: &Guest) -> Value {
    let volumes = guest.volumes.iter().map(|it| {
        let mut members = Vec::new();
        show::add_bytes(&mut members, "mount_point", &it.at.to_bytes());
        members.push(("volume".to_owned(), it.part.volume.short().into()));
        Value::Object(members)
    });
    Value::Array(volumes.collect())
}

fn count(number: u64, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}
