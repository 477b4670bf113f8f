//! What every changing command does: stage, read back, commit.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use christen_instance::Value;
use christen_vfs::tree::{Aspects, differences};
use christen_vfs::{FileSystem, Timestamp};

use crate::args::image::WriteArguments;
use crate::clock;
use crate::failure::{Failure, Outcome};
use crate::image::edit::{self, Cause, Trouble};
use crate::image::open::{self, Staged};
use crate::image::operation::{Operation, Step};
use crate::image::record::{Checked, Record, Written};
use crate::image::script::{Mistake, Mistakes};
use crate::image::{difference, hints, show, touched, values};
use crate::output;
use crate::progress::Busy;

/// Does the steps to the volume that is meant, and commits them together.
pub(crate) fn run(arguments: &WriteArguments, steps: &[Step]) -> Outcome {
    let now = values::timestamp(clock::resolve(arguments.time.as_deref())?);
    let busy = Busy::new("changing");
    let staged = open::staged(arguments, now)?;
    reserve(steps, &staged)?;
    let mut written = staged.filesystem()?;
    let (record, expected) = stage(&mut *written, steps, now, &staged)?;
    drop(written);
    let checked = read_back(&record, &expected, &staged)?;
    if arguments.dry_run {
        drop(busy);
        return tell_the_change(arguments, &record, staged, &checked);
    }
    let volume = staged.volume().short();
    let committed = staged.commit(&busy)?;
    drop(busy);
    if arguments.json {
        output::json(&output::object([
            ("image", show::path_value(&arguments.image)),
            ("volume", volume.as_str().into()),
            ("operations", output::number(steps.len() as u64)),
            ("entries_read_back", output::number(checked.entries)),
            ("content_bytes_read_back", output::number(checked.bytes)),
            ("ranges", output::number(committed.ranges)),
            ("bytes_written", output::number(committed.bytes)),
            (
                "output",
                arguments
                    .output
                    .as_deref()
                    .map_or(Value::Null, show::path_value),
            ),
        ]))?;
    } else {
        let target = arguments.output.as_deref().unwrap_or(&arguments.image);
        output::note(&format!(
            "{volume} of `{}` has the change: {} read back before the commit, {} written in {}",
            target.display(),
            count(checked.entries, "entry", "entries"),
            show::size_text(committed.bytes),
            count(committed.ranges, "range", "ranges"),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn count(number: u64, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// Content of this many bytes and more is asked room for before the first of it is read.
const RESERVED_FROM: u64 = 4 << 20;

/// Sees to it that the content of the host's files finds room.
fn reserve(steps: &[Step], staged: &Staged) -> Result<(), Failure> {
    let size = |step: &Step| match &step.operation {
        Operation::Put { source, .. } => fs::metadata(source).map_or(0, |it| it.len()),
        _ => 0,
    };
    let bytes = steps.iter().map(size).fold(0, u64::saturating_add);
    if bytes < RESERVED_FROM {
        return Ok(());
    }
    staged.reserve(bytes)
}

/// Does the steps in memory.
fn stage(
    fs: &mut dyn FileSystem,
    steps: &[Step],
    now: Timestamp,
    staged: &Staged,
) -> Result<(Record, Written), Failure> {
    let record = edit::apply(fs, steps, now).map_err(|trouble| failure(&trouble, staged))?;
    // Before it is finished: a look at it afterwards would mount it in an appliance once more.
    let written = record
        .written(fs)
        .map_err(|error| staged.cannot_change().because(&error))?;
    fs.finish()
        .map_err(|error| staged.cannot_change().because(&error))?;
    Ok((record, written))
}

/// An operation that failed, in words.
fn failure(trouble: &Trouble<'_>, staged: &Staged) -> Failure {
    let Trouble { step, cause } = trouble;
    let place = step
        .line
        .map_or_else(String::new, |line| format!("line {line}: "));
    let mut failure = staged.cannot_change().detail(format!(
        "{}: {place}`{}`",
        staged.volume().short(),
        step.operation
    ));
    failure = match cause {
        Cause::FileSystem(error) => failure.because(error),
        other => failure.because(other),
    };
    match hints::hint(&step.operation, cause) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Opens the filesystem anew from the staged bytes, and looks whether everything is there.
fn read_back(record: &Record, written: &Written, staged: &Staged) -> Result<Checked, Failure> {
    let mut fresh = staged.again()?;
    record.check(written, &mut *fresh).map_err(|error| {
        staged
            .cannot_change()
            .detail("what was staged is not what is read back, so it was not committed")
            .because(&error)
            .hint("this is a defect of christen or of the image: `christen check` tells which")
    })
}

/// Shows what a commit would change: files, and bytes of the image.
fn tell_the_change(
    arguments: &WriteArguments,
    record: &Record,
    staged: Staged,
    checked: &Checked,
) -> Outcome {
    let cannot_read = |error| Failure::unchanged("cannot read what would change").because(&error);
    let new = touched::tree(record, &mut *staged.again()?).map_err(cannot_read)?;
    let changes = staged.changes()?;
    let volume = staged.volume().short();
    let place = staged.volume().place.clone();
    let engine = staged.engine().clone();
    // The lock goes with the change, so that the image can be read as it is.
    drop(staged);
    let mut before = open::before(arguments, &place, &engine)?;
    let old = touched::tree(record, &mut *before.fs).map_err(cannot_read)?;
    let compared = Aspects {
        modified: true,
        ..Aspects::WITHOUT_TIMES
    };
    let differences = differences(&old, &new, &compared);
    let bytes: u64 = changes.files.iter().map(|file| file.bytes).sum();
    let count_of_ranges: u64 = changes.files.iter().map(|file| file.range_count).sum();
    if arguments.json {
        let ranges = changes.files.iter().flat_map(|file| &file.ranges);
        let ranges = ranges.map(|(offset, length)| {
            output::object([
                ("offset", output::number(*offset)),
                ("length_bytes", output::number(*length)),
            ])
        });
        output::json(&output::object([
            ("image", show::path_value(&arguments.image)),
            ("volume", volume.as_str().into()),
            ("dry_run", true.into()),
            ("changes", difference::value(&differences)),
            ("entries_read_back", output::number(checked.entries)),
            ("content_bytes_read_back", output::number(checked.bytes)),
            ("ranges", Value::Array(ranges.collect())),
            ("bytes", output::number(bytes)),
        ]))?;
    } else {
        let mut text = difference::text(&differences);
        for (offset, length) in changes.files.iter().flat_map(|file| &file.ranges) {
            text.push_str(&format!("@ {offset} {length}\n"));
        }
        output::data(text.as_bytes())?;
        output::note(&format!(
            "{volume} of `{}` would have {} written in {}; nothing was written",
            arguments.image.display(),
            show::size_text(bytes),
            count(count_of_ranges, "range", "ranges"),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Looks whether the files of this host that a script names can be read. This is before anything is opened for writing.
pub(crate) fn check_sources(steps: &[Step], mistakes: &mut Mistakes) {
    for step in steps {
        let Operation::Put { source, .. } = &step.operation else {
            continue;
        };
        if let (Err(error), Some(line)) = (readable(source), step.line) {
            mistakes.push(Mistake {
                line,
                column: 1,
                message: format!("cannot put `{}`: {error}", source.display()),
                hint: None,
            });
        }
    }
}

/// Looks whether the content of a file of this host can be put.
pub(crate) fn readable(source: &Path) -> io::Result<()> {
    // Before it is opened: a pipe would be waited for until somebody writes to it.
    if !fs::metadata(source)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    fs::File::open(source).map(drop)
}
