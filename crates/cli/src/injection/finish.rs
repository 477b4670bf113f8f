//! What follows when everything is staged: look at it anew, commit, have it verified, tell.

use std::process::ExitCode;

use christen_inject::{Change, HostKey, Stage};
use christen_instance::Value;
use christen_vfs::FileSystem;

use super::verdict::{self, Mounted, Verdicts};
use super::{Staged, names, read_back, told};
use crate::args::image::WriteArguments;
use crate::failure::{Failure, Outcome};
use crate::image::guest::{Guest, Mounts};
use crate::image::{open, show};
use crate::output;
use crate::progress::Busy;

/// How a command speaks of what it does.
#[derive(Debug)]
pub(crate) struct Words {
    /// What cannot be done to an image: `inject into`.
    pub(crate) work: &'static str,
    /// What an image has when it is done: `has the identity`.
    pub(crate) done: &'static str,
    /// What was done to it when verifying it fails: `the identity was put into the image`.
    pub(crate) was_done: &'static str,
    /// What is said when no item had anything to do.
    pub(crate) nothing: &'static str,
}

impl Words {
    /// The failure of the command before anything is written.
    pub(crate) fn failure(&self, image: &WriteArguments) -> Failure {
        Failure::unchanged(format!(
            "cannot {} `{}`: the image was not changed",
            self.work,
            image.image.display()
        ))
    }
}

/// What a command tells besides the items, once the image is changed.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Lines for standard output.
    pub(crate) text: String,
    /// Members of the JSON object.
    pub(crate) members: Vec<(String, Value)>,
}

impl Told {
    /// Takes the passwords that were drawn, and host keys as lines for known_hosts(5).
    pub(crate) fn of(staged: &Staged, tree: &mut dyn FileSystem) -> Self {
        let mut told = Self::default();
        let mut passwords = Vec::new();
        for (user, password) in &staged.made.passwords {
            told.text
                .push_str(&format!("password of `{user}`: {}\n", password.expose()));
            passwords.push(output::object([
                ("user", user.as_str().into()),
                ("password", password.expose().as_str().into()),
            ]));
        }
        let mut known_hosts = Vec::new();
        for HostKey { names, public } in &staged.made.host_keys {
            let names = match names.is_empty() {
                // A line without a name would be of any host.
                true => names::of_guest(&mut Stage::new(tree))
                    .ok()
                    .flatten()
                    .unwrap_or_else(|| "localhost".to_owned()),
                false => names.join(","),
            };
            let line = names::known_hosts(&names, public);
            told.text.push_str(&format!("{line}\n"));
            known_hosts.push(line);
        }
        if !passwords.is_empty() {
            let passwords = Value::Array(passwords);
            told.members.push(("passwords".to_owned(), passwords));
        }
        if !known_hosts.is_empty() {
            let lines = known_hosts.iter().map(|it| it.as_str().into()).collect();
            told.members
                .push(("known_hosts".to_owned(), Value::Array(lines)));
        }
        told
    }
}

/// A guest with staged changes, and what it is part of.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) image: &'a WriteArguments,
    pub(crate) guest: Guest,
    pub(crate) disk: open::Staged,
    pub(crate) mounts: Mounts,
    pub(crate) staged: Staged,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Finished<'a> {
    image: &'a WriteArguments,
    volumes: Value,
    /// What is good to know of the guest.
    pub(crate) notices: Vec<String>,
    pub(crate) staged: Staged,
    /// How many ranges of the image were written, and how many bytes.
    pub(crate) ranges: u64,
    pub(crate) bytes: u64,
    /// What the second reader says; or why it could not read.
    verified: Result<Verdicts, Failure>,
}

impl<'a> Work<'a> {
    /// Commits what is staged, if it is a change, and tells.
    pub(crate) fn finish(self, words: &Words, told: &Told, busy: Busy) -> Outcome {
        let finished = self.commit(words, &busy)?;
        drop(busy);
        finished.tell(words, told)
    }

    /// Commits what is staged, if it is a change, and has it verified.
    pub(crate) fn commit(mut self, words: &Words, busy: &Busy) -> Result<Finished<'a>, Failure> {
        let (image, staged) = (self.image, self.staged);
        let (volumes, mounted) = (volumes(&self.guest), Mounted::of(&self.guest.volumes));
        let notices = std::mem::take(&mut self.guest.notices);
        let is_change = staged.is_change();
        let committed = if is_change {
            let finished = self.guest.tree.finish();
            finished.map_err(|error| words.failure(image).because(&error))?;
            drop(self.guest);
            check(&staged.changes, &self.disk, self.mounts, words, image)?;
            Some(self.disk.commit(busy)?)
        } else {
            // Nothing of it is kept, so that the image stays as it is in every byte. A new image is what was asked for all the same.
            drop(self.guest);
            let is_new = image.output.is_some();
            is_new.then(|| self.disk.commit(busy)).transpose()?
        };
        let verified = verify(&staged.changes, &mounted, words, image, is_change);
        let (ranges, bytes) = committed.map_or((0, 0), |it| (it.ranges, it.bytes));
        Ok(Finished {
            image,
            volumes,
            notices,
            staged,
            ranges,
            bytes,
            verified,
        })
    }
}

impl Finished<'_> {
    /// Prints it.
    fn tell(self, words: &Words, told: &Told) -> Outcome {
        let (image, staged) = (self.image, &self.staged);
        super::tell_notices(&self.notices, &staged.notices);
        let verdicts = match &self.verified {
            Ok(verdicts) => verdicts,
            Err(_) => {
                // What nobody else knows, such as a password that was drawn, is told in any case.
                if image.json {
                    output::json(&Value::Object(told.members.clone()))?;
                } else {
                    output::data(told.text.as_bytes())?;
                }
                return self.outcome(words).map(|_| ExitCode::SUCCESS);
            }
        };
        let target = image.output.as_deref().unwrap_or(&image.image);
        let is_change = staged.is_change();
        if image.json {
            let output_path = image.output.as_deref();
            let members = [
                ("image", show::path_value(&image.image)),
                ("output", output_path.map_or(Value::Null, show::path_value)),
                ("volumes", self.volumes.clone()),
                ("changed", is_change.into()),
                ("items", told::value(&staged.changes)),
                ("verified", verdicts.all_verified().into()),
                ("verdicts", verdicts.value()),
                ("notices", told::notices(&self.notices, &staged.notices)),
                ("ranges", output::number(self.ranges)),
                ("bytes_written", output::number(self.bytes)),
            ];
            let members = members.map(|(name, value)| (name.to_owned(), value));
            let members = members.into_iter().chain(told.members.clone());
            output::json(&Value::Object(members.collect()))?;
        } else {
            output::data(told::text(&staged.changes, verdicts).as_bytes())?;
            output::data(told.text.as_bytes())?;
            let (target, done) = (target.display(), words.done);
            let summary = verdicts.summary();
            output::note(&match (is_change, staged.changes.is_empty()) {
                _ if staged.raised.is_some() => {
                    format!("the injection ended before its end: {summary}")
                }
                (_, true) => format!("{} `{target}`", words.nothing),
                (false, _) => {
                    format!("`{target}` {done} already, and nothing was changed: {summary}")
                }
                (true, _) => format!(
                    "`{target}` {done}: {summary}, {} written in {} {}",
                    show::size_text(self.bytes),
                    self.ranges,
                    if self.ranges == 1 { "range" } else { "ranges" },
                ),
            });
        }
        self.outcome(words).map(|_| ExitCode::SUCCESS)
    }

    /// Fails if it could not be verified, if a place is other than it was meant, or if Nova's way ended before its end; else returns the
    /// verdicts.
    pub(crate) fn outcome(self, words: &Words) -> Result<Verdicts, Failure> {
        let verdicts = self.verified?;
        let is_change = self.staged.is_change();
        let target = self.image.output.as_deref().unwrap_or(&self.image.image);
        let failure = match is_change {
            true => Failure::changed,
            false => Failure::unchanged,
        };
        let message = format!("what `{}` has is not what was meant", target.display());
        let outcome = differences(&verdicts, failure(message));
        let failure = match is_change {
            true => Failure::changed(format!(
                "`{}` has a part of the identity: what came before the failure is there, as Nova leaves it",
                target.display()
            )),
            false => words.failure(self.image),
        };
        self.staged.end(failure, outcome)?;
        Ok(verdicts)
    }
}

/// Opens the guest anew from the staged bytes, and looks whether everything is there.
fn check(
    changes: &[Change],
    disk: &open::Staged,
    mounts: Mounts,
    words: &Words,
    image: &WriteArguments,
) -> Result<(), Failure> {
    let mut fresh = disk.guest_again(mounts)?;
    read_back::check(changes, &mut fresh.tree).map_err(|error| {
        words
            .failure(image)
            .detail("what was staged is not what is read back, so it was not committed")
            .because(&error)
            .hint("this is a defect of christen or of the image: `christen check` tells which")
    })
}

/// Has the image read, as it is after the commit, by what did not write it.
fn verify(
    changes: &[Change],
    volumes: &[Mounted],
    words: &Words,
    image: &WriteArguments,
    is_change: bool,
) -> Result<Verdicts, Failure> {
    let verified = open::after(image).and_then(|disk| verdict::verify(changes, volumes, &disk));
    verified.map_err(|failure| match is_change {
        true => failure.after_change(&format!("{}, and could not be verified", words.was_done)),
        false => failure,
    })
}

/// Fails, in these words, if a place is other than it was meant.
pub(crate) fn differences(verdicts: &Verdicts, failure: Failure) -> Outcome {
    let mut differing = verdicts.differing().peekable();
    if differing.peek().is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(differing.fold(failure, |failure, it| {
        failure.detail(format!("`{}`: {}", it.path, verdicts.words(&it.path)))
    }))
}

/// What the guest's tree is made of, as JSON.
pub(crate) fn volumes(guest: &Guest) -> Value {
    let volumes = guest.volumes.iter().map(|it| {
        let mut members = Vec::new();
        show::add_bytes(&mut members, "mount_point", &it.at.to_bytes());
        members.push(("volume".to_owned(), it.part.volume.short().into()));
        Value::Object(members)
    });
    Value::Array(volumes.collect())
}
