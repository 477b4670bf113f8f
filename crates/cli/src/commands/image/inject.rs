//! `christen inject`: an instance's identity into the guest of an image, all of it or nothing.

use std::process::ExitCode;

use christen_instance::Dialect;

use crate::args::image::{InjectArguments, WriteArguments};
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
    if let Some(root) = &arguments.tree.root {
        return super::root_tree::inject(arguments, root);
    }
    let image = &arguments.image;
    open::stated_format(image)?;
    let time = clock::resolve(image.time.as_deref())?;
    let mut identity = Identity::load_at(
        Some(arguments.description()?),
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
        WORDS.failure(image)
    })?;
    if image.dry_run {
        drop(busy);
        let told = super::plan::tell(&image.image, &guest, &staged, image.json);
        return staged.end(WORDS.failure(image), told);
    }
    let work = Work {
        image,
        guest,
        disk,
        mounts: way.mounts(),
        staged,
    };
    work.finish(&WORDS, &Told::default(), busy)
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
