//! `christen inject`: an instance's identity into the guest of an image, all of it or nothing.

mod batch;
mod job;

use std::process::ExitCode;

use christen_instance::Dialect;
use jiff::Timestamp;

use crate::args::image::{InjectArguments, WriteArguments};
use crate::customize::Step;
use crate::failure::{Failure, Outcome};
use crate::identity::Identity;
use crate::image::{open, show, values};
use crate::injection::finish::{Told, Words, Work};
use crate::injection::{self, Way};
use crate::progress::Busy;
use crate::{clock, output};

const WORDS: Words = Words {
    work: "inject into",
    done: "has the identity",
    was_done: "the identity was put into the image",
    nothing: "there is nothing to put into",
};

pub(crate) fn run(arguments: &InjectArguments) -> Outcome {
    let steps = arguments.options.steps()?;
    if let Some(way) = arguments.way_without_options()
        && !steps.is_empty()
    {
        return Err(Failure::usage(format!(
            "{way} and options that change the guest do not go together"
        ))
        .hint("the description's `guest:` section says the same things"));
    }
    if let Some(root) = &arguments.tree.root {
        return super::root_tree::inject(arguments, root);
    }
    if let Some(jobs) = &arguments.batch {
        return batch::run(jobs, arguments);
    }
    let image = &arguments.image;
    if arguments.instance.is_none() && steps.is_empty() {
        return Err(Failure::usage(
            "there is neither a description nor an option that says what to inject",
        )
        .hint("`christen inject IMAGE INSTANCE.yaml`, or an option such as `--hostname NAME`"));
    }
    open::stated_format(image)?;
    let time = clock::resolve(image.time.as_deref())?;
    let identity = Identity::load_at(
        arguments.instance.as_deref(),
        &arguments.operator,
        Dialect::OpenStack,
        time,
    )?;
    carry(image, identity, &steps, &WORDS)
}

/// Puts an identity and the steps of options into an image.
pub(super) fn carry(
    image: &WriteArguments,
    identity: Identity,
    steps: &[Step],
    words: &Words,
) -> Outcome {
    let busy = Busy::new("changing");
    let time = identity.time;
    let mut work = match stage(image, identity, steps, time, words)? {
        Ok(work) => work,
        Err(Nothing(why)) => {
            drop(busy);
            return nothing(image, why);
        }
    };
    let told = Told::of(&work.staged, &mut work.guest.tree);
    if image.dry_run {
        drop(busy);
        let told = super::plan::tell(&image.image, &work.guest, &work.staged, image.json);
        return work.staged.end(words.failure(image), told);
    }
    work.finish(words, &told, busy)
}

/// Why nothing is injected, where that is no failure.
struct Nothing(&'static str);

/// Puts an identity and the steps of options into the guest of an image, in memory.
fn stage<'a>(
    image: &'a WriteArguments,
    mut identity: Identity,
    steps: &[Step],
    time: Timestamp,
    words: &Words,
) -> Result<Result<Work<'a>, Nothing>, Failure> {
    let way = match Way::of(&identity)? {
        Ok(way) => way,
        Err(reason) => return not_made(image, injection::reason(reason)),
    };
    let now = values::timestamp(time);
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
            return not_made(image, "the image cannot be opened");
        }
    };
    let failure = || words.failure(image);
    let staged = injection::stage_with(&mut guest, &mut identity, &way, steps, now, failure)?;
    Ok(Ok(Work {
        image,
        guest,
        disk,
        mounts: way.mounts(),
        staged,
    }))
}

/// Nothing is injected, which is a failure if a new image was to be made.
fn not_made<'a>(
    image: &'a WriteArguments,
    why: &'static str,
) -> Result<Result<Work<'a>, Nothing>, Failure> {
    let Some(new) = &image.output else {
        return Ok(Err(Nothing(why)));
    };
    let message = format!("nothing is injected, so `{}` was not made", new.display());
    Err(Failure::unchanged(message).detail(why))
}

/// Tells why nothing is injected.
fn nothing(image: &WriteArguments, why: &str) -> Outcome {
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
