//! `christen inject`: an instance's identity into the guest of an image, all of it or nothing.

use std::process::ExitCode;

use christen_inject::Change;
use christen_instance::{Dialect, Value};
use christen_vfs::FileSystem;

use crate::args::image::{InjectArguments, WriteArguments};
use crate::failure::{Failure, Outcome};
use crate::identity::Identity;
use crate::image::guest::{Guest, Mounts};
use crate::image::{open, show, values};
use crate::injection::verdict::{self, Mounted, Verdicts};
use crate::injection::{self, Way, read_back, told};
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
    let way = match Way::of(&identity)? {
        Ok(way) => way,
        Err(reason) => return nothing(image, injection::reason(reason)),
    };
    let now = values::timestamp(time);
    let busy = Busy::new("changing");
    let volume = way.volume(&image.volume);
    let opened = open::changeable(image)?.staged(image, &volume, now);
    let opened = opened.and_then(|disk| {
        let guest = disk.guest(way.mounts())?;
        way.suits(&image.volume, &guest)?;
        Ok((guest, disk))
    });
    let (mut guest, disk) = match opened {
        Ok(opened) => opened,
        Err(failure) => {
            way.not_opened(failure)?;
            return nothing(image, "the image cannot be opened");
        }
    };
    let staged = injection::stage(&mut guest, &mut identity, &way, now, || {
        cannot_inject(image)
    })?;
    if image.dry_run {
        drop(busy);
        let told = super::plan::tell(&image.image, &guest, &staged, image.json);
        return staged.end(cannot_inject(image), told);
    }
    let (volumes, mounted) = (volumes(&guest), Mounted::of(&guest.volumes));
    let notices = std::mem::take(&mut guest.notices);
    let is_change = staged.is_change();
    let committed = if is_change {
        let finished = guest.tree.finish();
        finished.map_err(|error| cannot_inject(image).because(&error))?;
        drop(guest);
        check(&staged.changes, &disk, way.mounts(), image)?;
        Some(disk.commit(&busy)?)
    } else {
        // Nothing of it is kept, so that the image stays as it is in every byte. A new image is what was asked for all the same.
        drop(guest);
        let is_new = image.output.is_some();
        is_new.then(|| disk.commit(&busy)).transpose()?
    };
    let verdicts = verify(&staged.changes, &mounted, image, is_change)?;
    drop(busy);
    injection::tell_notices(&notices, &staged.notices);
    let target = image.output.as_deref().unwrap_or(&image.image);
    let (ranges, bytes) = committed.map_or((0, 0), |it| (it.ranges, it.bytes));
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
            ("changed", is_change.into()),
            ("items", told::value(&staged.changes)),
            ("verified", verdicts.all_verified().into()),
            ("verdicts", verdicts.value()),
            ("notices", told::notices(&notices, &staged.notices)),
            ("ranges", output::number(ranges)),
            ("bytes_written", output::number(bytes)),
        ]))?;
    } else {
        output::data(told::text(&staged.changes, &verdicts).as_bytes())?;
        let (target, summary) = (target.display(), verdicts.summary());
        output::note(&match (is_change, staged.changes.is_empty()) {
            _ if staged.raised.is_some() => {
                format!("the injection ended before its end: {summary}")
            }
            (_, true) => format!("there is nothing to put into `{target}`"),
            (false, _) => {
                format!("`{target}` has the identity already, and nothing was changed: {summary}")
            }
            (true, _) => format!(
                "`{target}` has the identity: {summary}, {} written in {ranges} {}",
                show::size_text(bytes),
                if ranges == 1 { "range" } else { "ranges" },
            ),
        });
    }
    let told = match is_change {
        true => tell_differences(&verdicts, Failure::changed, image),
        false => tell_differences(&verdicts, Failure::unchanged, image),
    };
    let failure = match is_change {
        true => Failure::changed(format!(
            "`{}` has a part of the identity: what came before the failure is there, as Nova leaves it",
            target.display()
        )),
        false => cannot_inject(image),
    };
    staged.end(failure, told)
}

/// Nothing is injected, and that is no failure.
fn nothing(image: &WriteArguments, why: &str) -> Outcome {
    if let Some(new) = &image.output {
        let message = format!("nothing is injected, so `{}` was not made", new.display());
        return Err(Failure::unchanged(message).detail(why));
    }
    if image.json {
        output::json(&output::object([
            ("image", show::path_value(&image.image)),
            ("changed", false.into()),
            ("nothing_because", why.into()),
        ]))?;
    } else {
        output::note(&format!("nothing is injected: {why}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn cannot_inject(image: &WriteArguments) -> Failure {
    Failure::unchanged(format!(
        "cannot inject into `{}`: the image was not changed",
        image.image.display()
    ))
}

/// Opens the guest anew from the staged bytes, and looks whether everything is there.
fn check(
    changes: &[Change],
    disk: &open::Staged,
    mounts: Mounts,
    image: &WriteArguments,
) -> Result<(), Failure> {
    let mut fresh = disk.guest_again(mounts)?;
    read_back::check(changes, &mut fresh.tree).map_err(|error| {
        cannot_inject(image)
            .detail("what was staged is not what is read back, so it was not committed")
            .because(&error)
            .hint("this is a defect of christen or of the image: `christen check` tells which")
    })
}

/// Has the image read, as it is after the commit, by what did not write it.
fn verify(
    changes: &[Change],
    volumes: &[Mounted],
    image: &WriteArguments,
    is_change: bool,
) -> Result<Verdicts, Failure> {
    let verified = open::after(image).and_then(|disk| verdict::verify(changes, volumes, &disk));
    verified.map_err(|failure| match is_change {
        true => {
            failure.after_change("the identity was put into the image, and could not be verified")
        }
        false => failure,
    })
}

/// Fails if a place is other than it was meant.
pub(super) fn tell_differences(
    verdicts: &Verdicts,
    failure: fn(String) -> Failure,
    image: &WriteArguments,
) -> Outcome {
    let target = image.output.as_deref().unwrap_or(&image.image);
    differences(
        verdicts,
        failure(format!(
            "what `{}` has is not what was meant",
            target.display()
        )),
    )
}

/// Fails, in these words, if a place is other than it was meant.
pub(super) fn differences(verdicts: &Verdicts, failure: Failure) -> Outcome {
    let mut differing = verdicts.differing().peekable();
    if differing.peek().is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(differing.fold(failure, |failure, it| {
        failure.detail(format!("`{}`: {}", it.path, verdicts.words(&it.path)))
    }))
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
