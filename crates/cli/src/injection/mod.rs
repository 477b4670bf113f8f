//! What the commands that put an identity into a guest share.

pub(crate) mod diff;
pub(crate) mod read_back;
pub(crate) mod told;

use std::error::Error as _;
use std::iter;

use christen_inject::{Change, Error, Notice, Request, Stage};
use christen_vfs::Timestamp;

use crate::failure::Failure;
use crate::identity::Identity;
use crate::image::filesystems;
use crate::image::guest::Guest;
use crate::output;

/// What an injection did in memory, or would do.
#[derive(Debug)]
pub(crate) struct Staged {
    /// The places that were looked after, by path.
    pub(crate) changes: Vec<Change>,
    /// What the user should know.
    pub(crate) notices: Vec<Notice>,
}

impl Staged {
    /// Whether anything is to be written.
    pub(crate) fn is_change(&self) -> bool {
        self.changes.iter().any(Change::is_change)
    }
}

/// Puts an identity into a guest, in memory.
pub(crate) fn stage(
    guest: &mut Guest,
    identity: &mut Identity,
    now: Timestamp,
) -> Result<Staged, Error> {
    let mut stage = Stage::new(&mut guest.tree);
    let mut request = Request {
        instance: &identity.instance,
        settings: &identity.settings,
        now,
        random: &mut *identity.random,
    };
    christen_inject::inject(&mut stage, &mut request)?;
    Ok(Staged {
        changes: stage.changes(),
        notices: stage.notices().to_vec(),
    })
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
pub(crate) fn refused(failure: Failure, error: &Error) -> Failure {
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
