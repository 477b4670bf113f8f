//! What the commands that put an identity into a guest share.

pub(crate) mod diff;
pub(crate) mod finish;
pub(crate) mod kernel;
pub(crate) mod names;
pub(crate) mod read_back;
pub(crate) mod told;
pub(crate) mod verdict;

use std::error::Error;
use std::{iter, mem};

use christen_inject::nova::decision::{self, Decision, Information, Injection, Phase, Reason};
use christen_inject::nova::mount::{self, Partition};
use christen_inject::nova::{self, Exception, Raised};
use christen_inject::{Change, Notice, Request, Stage};
use christen_vfs::Timestamp;

use crate::args::image::VolumeArguments;
use crate::customize::{self, Context, Made, Step};
use crate::failure::{Failure, Outcome};
use crate::identity::Identity;
use crate::image::filesystems;
use crate::image::guest::{Guest, Mounts};
use crate::image::volumes::Place;
use crate::output;

/// Whose way an identity goes.
#[derive(Debug)]
pub(crate) enum Way {
    /// Our own.
    Own,
    /// Nova's.
    Nova(Box<Injection>),
}

impl Way {
    /// Decides the way; in Nova's it may be that nothing is injected at all.
    pub(crate) fn of(identity: &Identity) -> Result<Result<Self, Reason>, Failure> {
        if !identity.like_nova {
            return Ok(Ok(Self::Own));
        }
        let instance = &identity.instance;
        let decision = decision::decide(
            instance,
            &identity.settings,
            Information::of(instance, Phase::Spawn),
            decision::is_booted_from_volume(instance),
        )
        .map_err(|error| Failure::unchanged("cannot make what is injected").because(&error))?;
        Ok(match decision {
            Decision::Inject(injection) => Ok(Self::Nova(injection)),
            Decision::Nothing(reason) => Err(reason),
        })
    }

    /// What is mounted besides the root.
    pub(crate) fn mounts(&self) -> Mounts {
        match self {
            Self::Own => Mounts::All,
            Self::Nova(it) if it.partition == Partition::Inspect => Mounts::LikeNova,
            Self::Nova(_) => Mounts::RootOnly,
        }
    }

    /// The volume with the root: what was said, else what the way says.
    pub(crate) fn volume(&self, said: &VolumeArguments) -> VolumeArguments {
        match self {
            Self::Nova(it) if !is_said(said) => match it.partition {
                Partition::Number(number) => VolumeArguments {
                    partition: Some(number.get()),
                    ..VolumeArguments::default()
                },
                _ => said.clone(),
            },
            _ => said.clone(),
        }
    }

    /// Whether a guest is where Nova would have looked for it; what the user says goes before that.
    pub(crate) fn suits(&self, said: &VolumeArguments, guest: &Guest) -> Result<(), Failure> {
        let Self::Nova(it) = self else {
            return Ok(());
        };
        // The root is the first volume of a guest.
        let Some(root) = guest.volumes.first().map(|it| &it.part) else {
            return Ok(());
        };
        let problem = match it.partition {
            _ if is_said(said) => None,
            Partition::Whole if root.volume.place != Place::Whole => {
                Some("the disk has partitions, and Nova is told to inject into the disk as a whole")
            }
            // What is on a volume that only libguestfs reads is told by libguestfs.
            Partition::Inspect
                if !root.volume.foreign && filesystems::root_mark(root).is_none() =>
            {
                Some("no operating system is in the image")
            }
            _ => None,
        };
        problem.map_or(Ok(()), |problem| {
            Err(Failure::unchanged("there is no guest where Nova looks for it").detail(problem))
        })
    }

    /// What becomes of a guest that is not there, or cannot be opened: an error, or in Nova's way perhaps a warning.
    pub(crate) fn not_opened(&self, failure: Failure) -> Result<(), Failure> {
        let Self::Nova(it) = self else {
            return Err(failure);
        };
        let raised = mount::not_opened(&it.items, it.mandatory, Exception::NovaException);
        match raised {
            Some(exception) => Err(failure.detail(format!("Nova raises {exception}"))),
            None => {
                output::warning(&format!(
                    "nothing was injected, and Nova goes on without; {}",
                    failure.render().trim_end()
                ));
                Ok(())
            }
        }
    }
}

fn is_said(volume: &VolumeArguments) -> bool {
    volume.partition.is_some() || volume.lv.is_some() || volume.volume.is_some()
}

/// Says why Nova injects nothing.
pub(crate) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::ConfigDrive => "the instance has a config drive, which holds all this",
        Reason::Phase => "this is no time at which it injects",
        Reason::Off => "`libvirt.inject_partition` is -2",
        Reason::BootedFromVolume => "the root disk is a volume",
        Reason::NoItems => "there is nothing to inject",
        _ => "it decides so",
    }
}

/// What an injection did in memory, or would do.
#[derive(Debug)]
pub(crate) struct Staged {
    /// The places that were looked after, by path.
    pub(crate) changes: Vec<Change>,
    /// What the user should know.
    pub(crate) notices: Vec<Notice>,
    /// What ended Nova's way before its end: it leaves what it had written, and so do we.
    pub(crate) raised: Option<Raised>,
    /// What nobody else knows.
    pub(crate) made: Made,
}

impl Staged {
    /// Whether anything is to be written.
    pub(crate) fn is_change(&self) -> bool {
        self.changes.iter().any(Change::is_change)
    }
}

/// Puts an identity into a guest, in memory. The failure is what could not be done, in words.
pub(crate) fn stage(
    guest: &mut Guest,
    identity: &mut Identity,
    way: &Way,
    now: Timestamp,
    failure: impl FnOnce() -> Failure,
) -> Result<Staged, Failure> {
    stage_with(guest, identity, way, &[], now, failure)
}

/// The same, and then the steps of options; Nova's way takes none.
pub(crate) fn stage_with(
    guest: &mut Guest,
    identity: &mut Identity,
    way: &Way,
    steps: &[Step],
    now: Timestamp,
    failure: impl FnOnce() -> Failure,
) -> Result<Staged, Failure> {
    let mut made = Made::default();
    let mut stage = Stage::new(&mut guest.tree);
    let mut left = None;
    match way {
        Way::Own => {
            customize::describe(steps, &mut identity.instance);
            let mut first_boot = Vec::new();
            if steps.iter().any(Step::is_for_first_boot) {
                // All of them are one script.
                first_boot = mem::take(&mut identity.instance.guest.first_boot_commands);
            }
            let mut request = Request {
                instance: &identity.instance,
                settings: &identity.settings,
                now,
                random: &mut *identity.random,
            };
            let applied = match christen_inject::inject(&mut stage, &mut request) {
                Ok(()) if steps.is_empty() => Ok(Made::default()),
                Ok(()) => {
                    let mut context = Context {
                        settings: &identity.settings,
                        now,
                        random: &mut *identity.random,
                    };
                    customize::apply(&mut stage, steps, first_boot, &mut context)
                }
                Err(error) => Err(error.into()),
            };
            made = applied.map_err(|error| {
                // What is odd about the guest may be why.
                tell_notices(&guest.notices, stage.notices());
                refused(failure(), &error)
            })?;
        }
        Way::Nova(it) => {
            let random = &mut *identity.random;
            let warnings = match nova::inject(&mut stage, &it.items, it.mandatory, random) {
                Ok(outcome) => outcome.warnings,
                Err(raised) if raised.leaves_changes() => {
                    left = Some(raised);
                    Vec::new()
                }
                Err(raised) => return Err(refused(failure(), &raised)),
            };
            for warning in &warnings {
                let mut text = warning.to_string();
                let causes = iter::successors(warning.source(), |&error| error.source());
                for cause in causes {
                    text.push_str(&format!(": {cause}"));
                }
                output::warning(&output::visible(&text));
            }
        }
    }
    Ok(Staged {
        changes: stage.changes(),
        notices: stage.notices().to_vec(),
        raised: left,
        made: Made {
            host_keys: stage.host_keys().to_vec(),
            ..made
        },
    })
}

impl Staged {
    /// Ends with what ended Nova's way, if anything did, after what had been written before was told.
    pub(crate) fn end(&self, failure: Failure, outcome: Outcome) -> Outcome {
        match &self.raised {
            Some(raised) => Err(refused(failure, raised)),
            None => outcome,
        }
    }
}

/// Tells what the user should know, on standard error.
pub(crate) fn tell_notices(guest: &[String], notices: &[Notice]) {
    for notice in guest {
        output::note(&output::visible(notice));
    }
    for Notice { item, text } in notices {
        output::note(&output::visible(&format!("{item}: {text}")));
    }
}

/// Adds to a failure why an identity cannot be put into a guest, and what the user can do.
pub(crate) fn refused(failure: Failure, error: &(dyn Error + 'static)) -> Failure {
    let mut causes = iter::successors(error.source(), |&error| error.source());
    let is_apart = |it: &christen_vfs::Error| matches!(it, christen_vfs::Error::NotMounted(_));
    let not_mounted = causes.any(|it| it.downcast_ref().is_some_and(is_apart));
    let failure = filesystems::with_hint_of_cause(failure.because(error), error);
    if not_mounted && !failure.has_hint() {
        return failure.hint(
            "what is written there would be covered when the guest mounts it: change the volume itself, or give the guest the file another way",
        );
    }
    failure
}
