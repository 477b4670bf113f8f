//! `christen inject --batch`: many injections, several at a time.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use christen_instance::{Dialect, Value, json};

use super::job::Job;
use super::{Nothing, WORDS, stage};
use crate::args::image::{InjectArguments, WriteArguments};
use crate::failure::{Failure, Outcome};
use crate::identity::{Identity, Operator};
use crate::image::{open, show};
use crate::injection::tell_notices;
use crate::injection::verdict::Verdicts;
use crate::progress::{self, Busy};
use crate::{clock, output};

/// The most bytes of a line: as many as are taken for JSON.
const MAX_LINE_BYTES: u64 = json::MAX_BYTES as u64;

/// Does all jobs of a file.
pub(super) fn run(jobs: &Path, arguments: &InjectArguments) -> Outcome {
    let cannot_read = |error: &io::Error| {
        Failure::usage(format!("cannot read `{}`", jobs.display())).because(error)
    };
    let reader: Box<dyn BufRead + Send> = if jobs == Path::new("-") {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(
            File::open(jobs).map_err(|error| cannot_read(&error))?,
        ))
    };
    let batch = Batch {
        common: &arguments.image,
        operator: &Operator::load(&arguments.operator)?,
        path: jobs,
        state: Mutex::new(State {
            lines: Lines { reader, number: 0 },
            targets: HashSet::new(),
            tally: Tally::default(),
            ended: None,
        }),
        busy: Busy::new("injecting"),
    };
    let processors = || thread::available_parallelism().map_or(1, NonZero::get);
    let threads = arguments.jobs.map_or_else(processors, |it| it.get().into());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| batch.work());
        }
    });
    let Batch { state, busy, .. } = batch;
    drop(busy);
    let State { tally, ended, .. } = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match ended {
        Some(Ended::Reading(error)) => Err(tally.failure(cannot_read(&error))),
        Some(Ended::Writing(failure)) => Err(tally.failure(failure)),
        None => tally.outcome(),
    }
}

/// What the threads of a batch share.
struct Batch<'a> {
    common: &'a WriteArguments,
    operator: &'a Operator,
    path: &'a Path,
    state: Mutex<State>,
    busy: Busy,
}

struct State {
    lines: Lines,
    /// What is written to, so that no two jobs do that to one image.
    targets: HashSet<PathBuf>,
    tally: Tally,
    /// Why no further job is begun.
    ended: Option<Ended>,
}

enum Ended {
    Reading(io::Error),
    Writing(Failure),
}

/// How many ended how.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    done: u64,
    failed: u64,
    /// Of these, those whose image may have changed.
    failed_after_change: u64,
}

impl Batch<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one job after the other until there are no more.
    fn work(&self) {
        loop {
            let Some((number, line)) = self.next() else {
                return;
            };
            let (told, messages) = output::kept(|| self.one(number, line));
            self.tell(number, told, messages);
        }
    }

    fn next(&self) -> Option<Line> {
        let mut state = self.state();
        if state.ended.is_some() {
            return None;
        }
        state.lines.next().unwrap_or_else(|error| {
            state.ended = Some(Ended::Reading(error));
            None
        })
    }

    fn one(&self, number: u64, line: Result<Vec<u8>, TooLong>) -> Told {
        let origin = match self.path.to_str() {
            Some("-") => format!("line {number} of standard input"),
            _ => format!("line {number} of `{}`", self.path.display()),
        };
        let bad = |error: &(dyn std::error::Error + 'static)| Told {
            image: None,
            outcome: Err(Failure::usage(format!("{origin} cannot be used")).because(error)),
        };
        let line = match line {
            Ok(line) => line,
            Err(error) => return bad(&error),
        };
        let job = match Job::parse(&line, self.common, &origin, self.path) {
            Ok(job) => job,
            Err(error) => return bad(&error),
        };
        Told {
            outcome: self.inject(&job),
            image: Some(job.image),
        }
    }

    fn inject(&self, job: &Job) -> Result<Done, Failure> {
        let image = &job.image;
        open::stated_format(image)?;
        let time = clock::resolve(image.time.as_deref())?;
        let identity = Identity::of(
            Some(&job.described),
            self.operator,
            Dialect::OpenStack,
            time,
        )?;
        let target = image.output.as_ref().unwrap_or(&image.image);
        let name = real_name(target);
        if !self.state().targets.insert(name) {
            let message = format!("another job of the batch writes `{}`", target.display());
            return Err(Failure::unchanged(message)
                .detail("which of them is the first is for nobody to say"));
        }
        let work = match stage(image, identity, &[], time, &WORDS)? {
            Ok(work) => work,
            Err(Nothing(why)) => return Ok(Done::Nothing(why)),
        };
        let finished = work.commit(&WORDS, &Busy::hidden())?;
        tell_notices(&finished.notices, &finished.staged.notices);
        let (changed, bytes) = (finished.staged.is_change(), finished.bytes);
        let verdicts = finished.outcome(&WORDS)?;
        Ok(Done::Injected {
            changed,
            verdicts,
            bytes,
        })
    }

    /// Prints the line of a job, and counts it.
    fn tell(&self, number: u64, told: Told, messages: Vec<String>) {
        let line = told.value(number, messages);
        let mut state = self.state();
        let tally = &mut state.tally;
        match &told.outcome {
            Ok(_) => tally.done += 1,
            Err(failure) => {
                tally.failed += 1;
                tally.failed_after_change += u64::from(failure.is_after_change());
            }
        }
        self.busy.say(tally.words());
        // Under the lock, so that lines stay whole.
        if let Err(failure) = progress::aside(|| output::json(&line)) {
            state.ended.get_or_insert(Ended::Writing(failure));
        }
    }
}

/// The one name of a file that has several, or that is to be made.
fn real_name(path: &Path) -> PathBuf {
    let made = || {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Some(directory.canonicalize().ok()?.join(path.file_name()?))
    };
    path.canonicalize()
        .ok()
        .or_else(made)
        .unwrap_or_else(|| path.to_owned())
}

/// How a job ended well.
enum Done {
    /// Nothing is injected, for this reason.
    Nothing(&'static str),
    /// The guest has the identity.
    Injected {
        changed: bool,
        verdicts: Verdicts,
        bytes: u64,
    },
}

/// A job that has ended.
struct Told {
    /// What was asked for, if that could be read.
    image: Option<WriteArguments>,
    outcome: Result<Done, Failure>,
}

impl Told {
    fn value(&self, number: u64, messages: Vec<String>) -> Value {
        let mut members = vec![("line".to_owned(), output::number(number))];
        let mut add = |name: &str, value: Value| members.push((name.to_owned(), value));
        if let Some(image) = &self.image {
            add("image", show::path_value(&image.image));
            let output = image.output.as_deref();
            add("output", output.map_or(Value::Null, show::path_value));
        }
        match &self.outcome {
            Ok(Done::Injected {
                changed,
                verdicts,
                bytes,
            }) => {
                add("changed", (*changed).into());
                add("verified", verdicts.all_verified().into());
                add("places", output::number(verdicts.len() as u64));
                add("bytes_written", output::number(*bytes));
            }
            Ok(Done::Nothing(why)) => {
                add("changed", false.into());
                add("nothing_because", (*why).into());
            }
            Err(failure) => {
                add("changed", failure.is_after_change().into());
                add("verified", false.into());
                add("error", failure.line().into());
                if let Some(hint) = failure.hint_text() {
                    add("hint", hint.into());
                }
            }
        }
        let messages = messages.into_iter().map(Value::from).collect();
        add("messages", Value::Array(messages));
        Value::Object(members)
    }
}

impl Tally {
    fn words(&self) -> String {
        match self.failed {
            0 => format!("injecting: {} done", self.done),
            failed => format!("injecting: {} done, {failed} failed", self.done),
        }
    }

    fn outcome(&self) -> Outcome {
        let all = self.done + self.failed;
        let message = format!("{} of {all} injections failed", self.failed);
        match (self.failed, self.failed_after_change) {
            (0, _) => {
                output::note(&match all {
                    0 => "there are no jobs".to_owned(),
                    1 => "1 injection is done".to_owned(),
                    _ => format!("{all} injections are done"),
                });
                Ok(ExitCode::SUCCESS)
            }
            (_, 0) => Err(Failure::unchanged(message)),
            (_, changed) => Err(Failure::changed(message)
                .detail(format!("{changed} of them after a change of the image"))),
        }
    }

    /// A failure of the batch itself, after these.
    fn failure(&self, failure: Failure) -> Failure {
        let begun = self.done + self.failed;
        match begun {
            0 => failure,
            _ => failure.after_change(&format!(
                "the batch ended early, after {begun} injections, of which {} failed",
                self.failed
            )),
        }
    }
}

/// A line with more bytes than any job needs.
#[derive(Debug, thiserror::Error)]
#[error("the line has more than {MAX_LINE_BYTES} bytes")]
struct TooLong;

/// A line with its number.
type Line = (u64, Result<Vec<u8>, TooLong>);

/// The lines of a batch, as they come.
struct Lines {
    reader: Box<dyn BufRead + Send>,
    number: u64,
}

impl Lines {
    /// Returns the next line that is not blank, with its number.
    fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut line = Vec::new();
            let limit = MAX_LINE_BYTES + 1;
            let count = (&mut self.reader)
                .take(limit)
                .read_until(b'\n', &mut line)?;
            if count == 0 {
                return Ok(None);
            }
            self.number += 1;
            if count as u64 == limit && line.last() != Some(&b'\n') {
                self.reader.skip_until(b'\n')?;
                return Ok(Some((self.number, Err(TooLong))));
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some((self.number, Ok(line))));
            }
        }
    }
}
