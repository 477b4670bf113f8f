//! `christen reidentify`: a stopped clone becomes another machine, all of it or nothing.

use christen_inject::reidentify::{self, Fresh};
use christen_inject::{Change, Request, Stage};
use christen_instance::Value;
use christen_vfs::Timestamp;

use crate::args::image::ReidentifyArguments;
use crate::clock;
use crate::customize::Made;
use crate::failure::{Failure, Outcome};
use crate::identity;
use crate::image::guest::{Guest, Mounts};
use crate::image::{open, values};
use crate::injection::finish::{Told, Words, Work};
use crate::injection::{self, Staged, names};
use crate::progress::Busy;

const WORDS: Words = Words {
    work: "reidentify",
    done: "is another machine",
    was_done: "the image was made another machine",
    nothing: "nothing tells this machine from its clones in",
};

pub(crate) fn run(arguments: &ReidentifyArguments) -> Outcome {
    let image = &arguments.image;
    open::stated_format(image)?;
    let now = values::timestamp(clock::resolve(image.time.as_deref())?);
    let busy = Busy::new("changing");
    let disk = open::changeable(image)?.staged(image, &image.volume, now)?;
    let mut guest = disk.guest(Mounts::All)?;
    let (staged, known_hosts) = stage(arguments, &mut guest, now)?;
    if image.dry_run {
        drop(busy);
        return super::plan::tell(&image.image, &guest, &staged, image.json);
    }
    let told = Told {
        text: known_hosts.iter().map(|it| format!("{it}\n")).collect(),
        members: vec![("known_hosts".to_owned(), values_of(&known_hosts))],
    };
    let work = Work {
        image,
        guest,
        disk,
        mounts: Mounts::All,
        staged,
    };
    work.finish(&WORDS, &told, busy)
}

/// Makes the guest another machine in memory, and returns the lines of known_hosts(5) for it.
fn stage(
    arguments: &ReidentifyArguments,
    guest: &mut Guest,
    now: Timestamp,
) -> Result<(Staged, Vec<String>), Failure> {
    let failure = || WORDS.failure(&arguments.image);
    let mut random = identity::random_source(arguments.random_source.as_deref())?;
    let mut stage = Stage::new(&mut guest.tree);
    let own_name =
        names::of_guest(&mut stage).map_err(|error| injection::refused(failure(), &error))?;
    let name = arguments.hostname.clone().or(own_name);
    let name = name.unwrap_or_else(|| "localhost".to_owned());
    let mut fresh = Fresh {
        keep: &arguments.keep,
        comment: &format!("root@{name}"),
        random: &mut *random,
    };
    let keys = reidentify::reidentify(&mut stage, &mut fresh)
        .map_err(|error| injection::refused(failure(), &error))?;
    let is_renewed = stage.changes().iter().any(Change::is_change);
    match &arguments.hostname {
        Some(hostname) => {
            let mut instance = identity::unnamed();
            instance.hostname = Some(hostname.clone());
            let mut request = Request {
                instance: &instance,
                settings: &identity::default_settings()?,
                now,
                random: &mut *random,
            };
            christen_inject::inject(&mut stage, &mut request)
                .map_err(|error| injection::refused(failure(), &error))?;
        }
        None if is_renewed => {
            stage.notice(format!(
                "the host name stays `{name}`: `--hostname` gives another"
            ));
        }
        None => {}
    }
    let lines = keys.iter().map(|key| names::known_hosts(&name, key));
    Ok((
        Staged {
            changes: stage.changes(),
            notices: stage.notices().to_vec(),
            raised: None,
            made: Made::default(),
        },
        lines.collect(),
    ))
}

fn values_of(lines: &[String]) -> Value {
    Value::Array(lines.iter().map(|it| it.as_str().into()).collect())
}
