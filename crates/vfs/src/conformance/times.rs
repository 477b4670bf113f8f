//! Times.

use super::{Checked, MOMENT, Subject, cases, later, new, same};
use crate::filesystem::{FileId, NewKind, Times, Timestamp};

cases![
    a_new_file_has_the_moment: Stamps,
    a_change_of_content_is_stamped: Stamps,
    a_change_of_attributes_is_stamped: Stamps,
    a_change_of_entries_is_stamped: Stamps,
    reading_is_not_stamped: Stamps,
    times_are_set_and_kept: Nothing,
    times_beyond_the_range_are_taken_to_its_end: Nothing,
    no_time_changes_nothing: Stamps,
];

type All = (Timestamp, Timestamp, Timestamp);

/// The three times: read, content, attributes.
fn times(subject: &mut Subject<'_>, file: FileId) -> Checked<All> {
    let attributes = subject.fs.attributes(file)?;
    Ok((attributes.accessed, attributes.modified, attributes.changed))
}

fn a_new_file_has_the_moment(subject: &mut Subject<'_>) -> Checked {
    subject.fs.set_now(later(10));
    let file = subject.file("file")?;
    let found = times(subject, file)?;
    same("the times", found, (later(10), later(10), later(10)))?;
    let created = subject.fs.attributes(file)?.created;
    same("the making", created.unwrap_or(later(10)), later(10))?;
    let found = times(subject, subject.top)?;
    same("the directory's", found, (MOMENT, later(10), later(10)))
}

fn a_change_of_content_is_stamped(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    for step in 0..5 {
        let now = later(10 + 10 * step);
        subject.fs.set_now(now);
        match step {
            0 => subject.fs.write_at(file, b"content", 0)?,
            1 => subject.fs.set_size(file, 3)?,
            2 => subject.fs.set_size(file, 30_000)?,
            3 => subject.fs.set_size(file, 30_000)?,
            _ => subject.fs.replace(file, &mut &b"other"[..]).map(|_| ())?,
        }
        same("the times", times(subject, file)?, (MOMENT, now, now))?;
    }
    same(
        "the directory's",
        times(subject, subject.top)?,
        (MOMENT, MOMENT, MOMENT),
    )
}

fn a_change_of_attributes_is_stamped(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    let limits = subject.fs.limits();
    let mut step = 0;
    let mut check =
        |subject: &mut Subject<'_>, change: &dyn Fn(&mut Subject<'_>) -> Checked| -> Checked {
            step += 10;
            let now = later(step);
            subject.fs.set_now(now);
            change(subject)?;
            same("the times", times(subject, file)?, (MOMENT, MOMENT, now))
        };
    if limits.owners {
        check(subject, &|subject| {
            Ok(subject.fs.set_permissions(file, 0o600)?)
        })?;
        check(subject, &|subject| Ok(subject.fs.set_owner(file, 1, 2)?))?;
    }
    if limits.attribute_bytes > 0 {
        check(subject, &|subject| {
            Ok(subject.fs.set_attribute(file, b"user.a", b"1")?)
        })?;
        check(subject, &|subject| {
            Ok(subject.fs.set_attribute(file, b"user.a", b"2")?)
        })?;
        check(subject, &|subject| {
            Ok(subject.fs.remove_attribute(file, b"user.a")?)
        })?;
    }
    if limits.links > 1 {
        check(subject, &|subject| {
            Ok(subject.fs.link(file, subject.top, b"two")?)
        })?;
        check(subject, &|subject| {
            Ok(subject.fs.remove(subject.top, b"two")?)
        })?;
    }
    check(subject, &|subject| {
        Ok(subject
            .fs
            .rename(subject.top, b"file", subject.top, b"moved")?)
    })
}

fn a_change_of_entries_is_stamped(subject: &mut Subject<'_>) -> Checked {
    let other = subject.directory("other")?;
    subject.fs.set_now(later(10));
    subject.file("file")?;
    let stamped = |subject: &mut Subject<'_>, directory, seconds| -> Checked {
        let found = times(subject, directory)?;
        same(
            "the directory's times",
            found,
            (MOMENT, later(seconds), later(seconds)),
        )
    };
    stamped(subject, subject.top, 10)?;
    subject.fs.set_now(later(20));
    subject.fs.rename(subject.top, b"file", other, b"file")?;
    stamped(subject, subject.top, 20)?;
    stamped(subject, other, 20)?;
    subject.fs.set_now(later(30));
    subject.fs.remove(other, b"file")?;
    stamped(subject, subject.top, 20)?;
    stamped(subject, other, 30)
}

fn reading_is_not_stamped(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file_of("file", b"content")?;
    subject.fs.set_now(later(10));
    subject.content(file)?;
    subject.names(subject.top)?;
    subject.fs.lookup(subject.top, b"file")?;
    subject.fs.attribute_names(file)?;
    for at in [file, subject.top] {
        same("the times", times(subject, at)?, (MOMENT, MOMENT, MOMENT))?;
    }
    Ok(())
}

/// Returns a time as a filesystem with this step keeps it.
fn kept(time: Timestamp, step: u32) -> Timestamp {
    let second = 1_000_000_000;
    let seconds_step = i64::from((step / second).max(1));
    Timestamp {
        seconds: time.seconds - time.seconds.rem_euclid(seconds_step),
        nanoseconds: time.nanoseconds - time.nanoseconds % step.clamp(1, second),
    }
}

fn times_are_set_and_kept(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file_of("file", b"content")?;
    let limits = subject.fs.limits();
    let (first, last) = limits.time_range;
    for seconds in [
        0,
        1,
        -1,
        -86_400,
        MOMENT.seconds,
        i64::from(i32::MAX),
        i64::from(i32::MAX) + 1,
        1 << 32,
        (1 << 33) + 7,
        first + 1,
        last - 1,
    ] {
        if seconds <= first || seconds >= last {
            continue;
        }
        for nanoseconds in [0, 1, 999_999_999, 123_456_789] {
            let time = Timestamp {
                seconds,
                nanoseconds,
            };
            let expected = kept(time, limits.time_step);
            let both = Times {
                accessed: None,
                modified: Some(time),
            };
            subject.fs.set_times(file, both)?;
            let found = subject.fs.attributes(file)?.modified;
            same("the time of the content", found, expected)?;
        }
    }
    let created = subject.fs.attributes(file)?.created;
    same("the making", created.unwrap_or(MOMENT), MOMENT)
}

fn times_beyond_the_range_are_taken_to_its_end(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    let (first, last) = subject.fs.limits().time_range;
    for (seconds, expected) in [(i64::MIN, first), (i64::MAX, last)] {
        let time = Timestamp {
            seconds,
            nanoseconds: 5,
        };
        let both = Times {
            accessed: None,
            modified: Some(time),
        };
        subject.fs.set_times(file, both)?;
        let found = subject.fs.attributes(file)?.modified;
        let step = subject.fs.limits().time_step;
        let end = Timestamp {
            seconds: expected,
            nanoseconds: 0,
        };
        same("the time", found, kept(end, step))?;
    }
    Ok(())
}

fn no_time_changes_nothing(subject: &mut Subject<'_>) -> Checked {
    let directory = subject
        .fs
        .create(subject.top, b"directory", &new(NewKind::Directory))?;
    subject.fs.set_now(later(10));
    subject.fs.set_times(directory, Times::default())?;
    let found = times(subject, directory)?;
    same("the times", found, (MOMENT, MOMENT, MOMENT))?;
    let accessed = Times {
        accessed: Some(later(50)),
        modified: None,
    };
    subject.fs.set_times(directory, accessed)?;
    let found = times(subject, directory)?;
    same("the times", found, (later(50), MOMENT, later(10)))
}
