//! What an injection would change, as a unified diff.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use christen_inject::{Change, Content, Secrecy, State};
use christen_instance::Value;
use christen_vfs::shown;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline, group_diff_ops};

use super::told;
use crate::image::show;

/// Lines around a change.
const CONTEXT: usize = 3;

/// After this time a diff need not be the shortest: a hostile file has lines that make it slow.
const LONGEST: Duration = Duration::from_millis(200);

/// Every place that changes: a line that says what becomes of it and for what, then the difference of its content.
pub(crate) fn text(changes: &[Change]) -> String {
    let mut text = String::new();
    for change in changes.iter().filter(|it| it.is_change()) {
        one(&mut text, change);
    }
    text
}

/// The same for programs: a JSON array with a member `diff`, which is null where there is none to be shown.
pub(crate) fn value(change: &Change) -> Value {
    let mut text = String::new();
    match content(&mut text, change) {
        Shown::Lines => text.as_str().into(),
        Shown::Nothing => Value::Null,
    }
}

fn one(text: &mut String, change: &Change) {
    let items: Vec<_> = change.items.iter().map(ToString::to_string).collect();
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        text,
        "{} {} {} ({})",
        told::sign(change),
        change.path,
        becomes(change),
        items.join(", ")
    );
    let before = change.before.as_ref().map(|it| &it.attributes);
    for (name, value) in change.after.iter().flat_map(|it| &it.attributes) {
        if before.and_then(|it| it.get(name)) != Some(value) {
            let value = value.as_deref().map_or("none".to_owned(), shown);
            let _ = writeln!(text, "  attribute {}: {value}", shown(name));
        }
    }
    content(text, change);
}

/// What a place is, or is from and to.
fn becomes(change: &Change) -> String {
    match (&change.before, &change.after) {
        (None, Some(state)) | (Some(state), None) => told::summary(state),
        (Some(before), Some(after)) => {
            let (before, after) = (told::summary(before), told::summary(after));
            match before == after {
                true => after,
                false => format!("{before} → {after}"),
            }
        }
        (None, None) => String::new(),
    }
}

/// What was written of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Lines,
    Nothing,
}

/// Writes the difference of the content of a regular file.
fn content(text: &mut String, change: &Change) -> Shown {
    let of = |state: &Option<State>| state.as_ref().and_then(|it| it.content.clone());
    let (before, after) = (of(&change.before), of(&change.after));
    if before == after {
        return Shown::Nothing;
    }
    if change.secrecy == Secrecy::Secret {
        let _ = writeln!(text, "  (secret)");
        return Shown::Nothing;
    }
    match (lines(before.as_ref()), lines(after.as_ref())) {
        (Some(old), Some(new)) => {
            let path = &change.path;
            let name = |state: &Option<State>, side: &str| match state {
                Some(_) => format!("{side}{path}"),
                None => "/dev/null".to_owned(),
            };
            let _ = writeln!(text, "--- {}", name(&change.before, "a"));
            let _ = writeln!(text, "+++ {}", name(&change.after, "b"));
            hunks(text, &old, &new);
            Shown::Lines
        }
        _ => {
            let size = |content: Option<&Content>| match content {
                Some(content) => show::size_text(content.size),
                None => "nothing".to_owned(),
            };
            let _ = writeln!(
                text,
                "  content: {} → {}",
                size(before.as_ref()),
                size(after.as_ref())
            );
            Shown::Nothing
        }
    }
}

/// The lines of a text with their ends; `None` for what is no text, or too long to be shown. Nothing has no lines.
fn lines(content: Option<&Content>) -> Option<Vec<&[u8]>> {
    let Some(content) = content else {
        return Some(Vec::new());
    };
    let bytes = content.bytes.as_ref()?;
    let is_text = !bytes.contains(&0) && str::from_utf8(bytes).is_ok();
    is_text.then(|| bytes.split_inclusive(|byte| *byte == b'\n').collect())
}

fn hunks(text: &mut String, old: &[&[u8]], new: &[&[u8]]) {
    let deadline = Instant::now().checked_add(LONGEST);
    let ops = capture_diff_slices_deadline(Algorithm::Myers, old, new, deadline);
    for group in group_diff_ops(ops, CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let (old_range, new_range) = (
            first.old_range().start..last.old_range().end,
            first.new_range().start..last.new_range().end,
        );
        let _ = writeln!(text, "@@ -{} +{} @@", range(&old_range), range(&new_range));
        for op in group {
            match op {
                DiffOp::Equal { .. } => side(text, ' ', &old[op.old_range()]),
                _ => {
                    side(text, '-', &old[op.old_range()]);
                    side(text, '+', &new[op.new_range()]);
                }
            }
        }
    }
}

/// The first line, counted from 1, and how many, as diff(1) writes it: an empty range names the line before it.
fn range(range: &std::ops::Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => format!("{}", range.start + 1),
        length => format!("{},{length}", range.start + 1),
    }
}

fn side(text: &mut String, sign: char, lines: &[&[u8]]) {
    for line in lines {
        let (line, is_ended) = match line.strip_suffix(b"\n") {
            Some(line) => (line, true),
            None => (*line, false),
        };
        text.push(sign);
        // A tab is no danger to a terminal, and files are full of them.
        let parts: Vec<_> = line.split(|byte| *byte == b'\t').map(shown).collect();
        text.push_str(&parts.join("\t"));
        text.push('\n');
        if !is_ended {
            text.push_str("\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use christen_inject::{Item, ItemKind};
    use christen_vfs::{GuestPath, Kind};

    use super::*;

    fn file(content: &[u8], permissions: u16) -> State {
        State {
            kind: Kind::File,
            permissions,
            uid: 0,
            gid: 0,
            content: Some(Content::of(content)),
            target: None,
            attributes: BTreeMap::new(),
        }
    }

    fn change(before: Option<State>, after: Option<State>) -> Change {
        Change {
            path: GuestPath::new("/etc/x").expect("it is absolute"),
            items: vec![
                Item::of(ItemKind::Files, "x"),
                Item::new(ItemKind::Hostname),
            ],
            secrecy: Secrecy::Public,
            before,
            after,
        }
    }

    fn shown_text(before: Option<State>, after: Option<State>) -> String {
        text(&[change(before, after)])
    }

    #[test]
    fn lines_that_change_are_shown_with_what_is_around_them() {
        let old = (1..=12).map(|it| format!("{it}\n")).collect::<String>();
        let new = old.replace("6\n", "six\n\tand a half\n");
        assert_eq!(
            shown_text(
                Some(file(old.as_bytes(), 0o644)),
                Some(file(new.as_bytes(), 0o600))
            ),
            "~ /etc/x file 0644 0:0 → file 0600 0:0 (files of `x`, hostname)\n\
             --- a/etc/x\n+++ b/etc/x\n@@ -3,7 +3,8 @@\n 3\n 4\n 5\n-6\n+six\n+\tand a half\n 7\n 8\n 9\n"
        );
    }

    #[test]
    fn what_is_new_gone_or_unended_is_shown_as_diff_does() {
        assert_eq!(
            shown_text(None, Some(file(b"a\x1b[2J", 0o644))),
            "+ /etc/x file 0644 0:0 (files of `x`, hostname)\n\
             --- /dev/null\n+++ b/etc/x\n@@ -0,0 +1 @@\n+a\\u{1b}[2J\n\\ No newline at end of file\n"
        );
        assert_eq!(
            shown_text(Some(file(b"a\nb\n", 0o644)), None),
            "- /etc/x file 0644 0:0 (files of `x`, hostname)\n\
             --- a/etc/x\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n"
        );
        assert_eq!(shown_text(Some(file(b"", 0)), Some(file(b"", 0))), "");
    }

    #[test]
    fn neither_secrets_nor_bytes_are_shown() {
        let mut secret = change(
            Some(file(b"root:!\n", 0o640)),
            Some(file(b"root:$6$\n", 0o640)),
        );
        secret.secrecy = Secrecy::Secret;
        assert_eq!(
            text(&[secret]),
            "~ /etc/x file 0640 0:0 (files of `x`, hostname)\n  (secret)\n"
        );
        assert_eq!(
            shown_text(Some(file(b"\0", 0o640)), Some(file(&[0xff; 2048], 0o640))),
            "~ /etc/x file 0640 0:0 (files of `x`, hostname)\n  content: 1 bytes → 2.0 KiB\n"
        );
    }

    /// Two files of which no line is the other's take no time to speak of.
    #[test]
    fn a_hostile_file_takes_no_long_time() {
        let many = |word: &str| {
            (0..40_000)
                .map(|it| format!("{word}{}\n", it % 7))
                .collect::<String>()
        };
        let began = Instant::now();
        let mut text = String::new();
        let (old, new) = (many("a"), many("b"));
        let old: Vec<_> = old.as_bytes().split_inclusive(|it| *it == b'\n').collect();
        let new: Vec<_> = new.as_bytes().split_inclusive(|it| *it == b'\n').collect();
        hunks(&mut text, &old, &new);
        assert!(began.elapsed() < Duration::from_secs(20));
        assert!(text.lines().count() > 80_000);
    }
}
