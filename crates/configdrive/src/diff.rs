//! What differs between two drives, documents by meaning.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]

use std::collections::BTreeMap;
use std::fmt;

use christen_instance::{Value, json, tree};

use crate::read::{content, limits, printable};
use crate::{Drive, Entry, EntryKind, Error};

/// Characters shown of a value.
const SHOWN_CHARACTERS: usize = 120;

/// Differences of one document that are told singly.
const MAX_CHANGES_IN_DOCUMENT: usize = 1000;

/// What kind of difference a [`Change`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// The drives have different formats.
    Format,
    /// The labels differ.
    Label,
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// It is a file here and something else there.
    Type,
    /// The permission bits differ.
    Mode,
    /// Owner or group differ.
    Owner,
    /// A symbolic link leads elsewhere.
    Target,
    /// The bytes differ.
    Content,
    /// A value within a document differs.
    Value,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// What kind of difference it is.
    pub kind: ChangeKind,
    /// The path on the drives; empty for the drive itself.
    pub path: String,
    /// The place within the document, such as `files[0].path`; empty for the whole.
    pub place: String,
    /// How it is on the first drive; `None` when it is not there or must not be shown.
    pub before: Option<String>,
    /// How it is on the second drive, likewise.
    pub after: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut places = [&self.path, &self.place]
            .into_iter()
            .filter(|part| !part.is_empty());
        if let Some(first) = places.next() {
            write!(formatter, "{first}: ")?;
        }
        for place in places {
            write!(formatter, "{place}: ")?;
        }
        let what = match self.kind {
            ChangeKind::Format => "format ",
            ChangeKind::Label => "label ",
            ChangeKind::Type => "type ",
            ChangeKind::Mode => "mode ",
            ChangeKind::Owner => "owner ",
            ChangeKind::Target => "target ",
            _ => "",
        };
        match (self.kind, &self.before, &self.after) {
            (ChangeKind::Added, _, Some(after)) => write!(formatter, "added: {after}"),
            (ChangeKind::Added, _, None) => formatter.write_str("added"),
            (ChangeKind::Removed, Some(before), _) => write!(formatter, "removed: {before}"),
            (ChangeKind::Removed, None, _) => formatter.write_str("removed"),
            (_, Some(before), Some(after)) => write!(formatter, "{what}{before} -> {after}"),
            _ => write!(formatter, "{what}differs"),
        }
    }
}

/// Compares two drives by the trees that a guest sees. Times are not compared. JSON and
/// YAML documents are compared as values, other files as bytes. Passwords, seeds, user
/// data and vendor data are never shown; of them only is said that they differ.
///
/// # Errors
///
/// As [`Drive::entries`] and [`Drive::copy_file`], for either drive; [`Error::TooLong`]
/// when more than [`MAX_COMPARED_BYTES`](limits::MAX_COMPARED_BYTES) would be compared.
pub fn diff(before: &Drive<'_>, after: &Drive<'_>) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    if before.format() != after.format() {
        changes.push(changed(
            ChangeKind::Format,
            before.format().to_string(),
            after.format().to_string(),
        ));
    }
    if before.label() != after.label() {
        changes.push(changed(
            ChangeKind::Label,
            format!("`{}`", printable(before.label().as_bytes())),
            format!("`{}`", printable(after.label().as_bytes())),
        ));
    }
    let trees = [
        before.entries(before.best_view())?,
        after.entries(after.best_view())?,
    ];
    let [left, right] = &trees;
    let index = |entries: &'_ [Entry]| -> BTreeMap<Vec<u8>, usize> {
        entries
            .iter()
            .enumerate()
            .map(|(index, entry)| (entry.path.clone(), index))
            .collect()
    };
    let (left_index, right_index) = (index(left), index(right));
    let mut budget = Budget {
        compared: limits::MAX_COMPARED_BYTES,
        parsed: limits::MAX_DOCUMENT_BYTES_IN_ALL,
    };
    let mut paths: Vec<&Vec<u8>> = left_index.keys().chain(right_index.keys()).collect();
    paths.sort();
    paths.dedup();
    for path in paths {
        let left = left_index.get(path).and_then(|index| left.get(*index));
        let right = right_index.get(path).and_then(|index| right.get(*index));
        let whole = |kind| Change {
            kind,
            path: printable(path),
            place: String::new(),
            before: None,
            after: None,
        };
        match (left, right) {
            (Some(_), None) => changes.push(whole(ChangeKind::Removed)),
            (None, Some(_)) => changes.push(whole(ChangeKind::Added)),
            (Some(left), Some(right)) => {
                compare_attributes(left, right, &whole, &mut changes);
                if left.is_file() && right.is_file() {
                    compare_content(
                        (before, left),
                        (after, right),
                        &mut budget,
                        &whole,
                        &mut changes,
                    )?;
                }
            }
            (None, None) => {}
        }
    }
    Ok(changes)
}

fn changed(kind: ChangeKind, before: String, after: String) -> Change {
    Change {
        kind,
        path: String::new(),
        place: String::new(),
        before: Some(before),
        after: Some(after),
    }
}

fn compare_attributes(
    left: &Entry,
    right: &Entry,
    whole: &impl Fn(ChangeKind) -> Change,
    changes: &mut Vec<Change>,
) {
    let mut add = |kind, before: String, after: String| {
        changes.push(Change {
            before: Some(before),
            after: Some(after),
            ..whole(kind)
        });
    };
    match (&left.kind, &right.kind) {
        (EntryKind::Symlink { target: one }, EntryKind::Symlink { target: other })
            if one != other =>
        {
            add(ChangeKind::Target, printable(one), printable(other));
        }
        (one, other) if one != other => {
            add(
                ChangeKind::Type,
                type_name(one).into(),
                type_name(other).into(),
            );
        }
        _ => {}
    }
    // Where one drive has no modes, as on FAT, there is nothing to compare.
    if let (Some(one), Some(other)) = (left.mode, right.mode)
        && one != other
    {
        add(
            ChangeKind::Mode,
            format!("{one:04o}"),
            format!("{other:04o}"),
        );
    }
    let owner = |entry: &Entry| Some(format!("{}:{}", entry.uid?, entry.gid?));
    if let (Some(one), Some(other)) = (owner(left), owner(right))
        && one != other
    {
        add(ChangeKind::Owner, one, other);
    }
}

fn type_name(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::Directory => "directory",
        EntryKind::File => "file",
        EntryKind::Symlink { .. } => "symbolic link",
        EntryKind::Special { .. } => "special file",
    }
}

/// Bytes that may still be compared and parsed: files may share their content, so the
/// drives' own sizes are no bound.
struct Budget {
    compared: u64,
    parsed: u64,
}

fn compare_content(
    left: (&Drive<'_>, &Entry),
    right: (&Drive<'_>, &Entry),
    budget: &mut Budget,
    whole: &impl Fn(ChangeKind) -> Change,
    changes: &mut Vec<Change>,
) -> Result<(), Error> {
    let length = left.1.length.min(right.1.length);
    budget.compared = budget
        .compared
        .checked_sub(length)
        .ok_or_else(|| Error::TooLong {
            path: printable(&left.1.path),
            length,
            limit: limits::MAX_COMPARED_BYTES,
        })?;
    if content::same(left, right)? {
        return Ok(());
    }
    let values = match document(left, budget)? {
        Some(value) => document(right, budget)?.map(|other| (value, other)),
        None => None,
    };
    let Some((one, other)) = values else {
        changes.push(whole(ChangeKind::Content));
        return Ok(());
    };
    let mut comparison = Comparison {
        path: whole(ChangeKind::Value).path,
        place: String::new(),
        secret: is_secret_document(left.1.name()),
        changes: Vec::new(),
    };
    comparison.values(&one, &other);
    changes.append(&mut comparison.changes);
    Ok(())
}

/// Parses a document that has a meaning; `None` for one that is bytes.
fn document(
    (drive, entry): (&Drive<'_>, &Entry),
    budget: &mut Budget,
) -> Result<Option<Value>, Error> {
    let name = entry.name();
    let is_json = name.ends_with(b".json");
    let is_yaml = matches!(name, b"meta-data" | b"network-config");
    if !(is_json || is_yaml) || entry.length > limits::MAX_DOCUMENT_BYTES {
        return Ok(None);
    }
    let Some(rest) = budget.parsed.checked_sub(entry.length) else {
        return Ok(None);
    };
    budget.parsed = rest;
    let content = drive.read_file(entry, limits::MAX_DOCUMENT_BYTES)?;
    let Ok(text) = String::from_utf8(content) else {
        return Ok(None);
    };
    Ok(if is_json {
        json::parse(&text).ok()
    } else {
        tree::parse_any(&text).ok().map(|(node, _)| node.to_value())
    })
}

/// Documents of which no value is shown: the operator may have put anything into them.
fn is_secret_document(name: &[u8]) -> bool {
    name.starts_with(b"vendor_data") || name.starts_with(b"vendor-data")
}

/// Members whose value is never shown.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "pass",
        "seed",
        "secret",
        "token",
        "private",
        "user_data",
        "user-data",
        "credential",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// The walk over two values.
struct Comparison {
    path: String,
    place: String,
    secret: bool,
    changes: Vec<Change>,
}

impl Comparison {
    /// Compares two values; the parsers have bounded their depth.
    fn values(&mut self, one: &Value, other: &Value) {
        match (one, other) {
            (Value::Object(left), Value::Object(right)) => {
                for (name, value) in left {
                    self.member(name, Some(value), other.get(name));
                }
                for (name, value) in right.iter().filter(|(name, _)| one.get(name).is_none()) {
                    self.member(name, None, Some(value));
                }
            }
            (Value::Array(left), Value::Array(right)) => {
                for index in 0..left.len().max(right.len()) {
                    self.step(
                        format!("[{index}]"),
                        false,
                        left.get(index),
                        right.get(index),
                    );
                }
            }
            (Value::Float(left), Value::Float(right)) if left.to_bits() == right.to_bits() => {}
            _ if one == other => {}
            _ => self.add(ChangeKind::Value, Some(one), Some(other)),
        }
    }

    fn member(&mut self, name: &str, one: Option<&Value>, other: Option<&Value>) {
        let joint = if self.place.is_empty() { "" } else { "." };
        let step = format!("{joint}{}", printable(name.as_bytes()));
        self.step(step, is_secret_name(name), one, other);
    }

    fn step(&mut self, step: String, secret: bool, one: Option<&Value>, other: Option<&Value>) {
        let (length, before) = (self.place.len(), self.secret);
        self.place.push_str(&step);
        self.secret |= secret;
        match (one, other) {
            (Some(one), Some(other)) => self.values(one, other),
            (one, None) => self.add(ChangeKind::Removed, one, None),
            (None, other) => self.add(ChangeKind::Added, None, other),
        }
        self.place.truncate(length);
        self.secret = before;
    }

    fn add(&mut self, kind: ChangeKind, one: Option<&Value>, other: Option<&Value>) {
        if self.changes.len() >= MAX_CHANGES_IN_DOCUMENT {
            return;
        }
        let shown = |value: Option<&Value>| {
            value.filter(|_| !self.secret).map(|value| match value {
                // What is inside may be secret.
                Value::Object(_) => "an object".to_owned(),
                Value::Array(items) => format!("a list of {}", items.len()),
                scalar => short(&json::encode(scalar)),
            })
        };
        let (before, after) = (shown(one), shown(other));
        self.changes.push(Change {
            kind,
            path: self.path.clone(),
            place: self.place.clone(),
            before,
            after,
        });
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(one: &str, other: &str) -> Vec<String> {
        let mut comparison = Comparison {
            path: "m".to_owned(),
            place: String::new(),
            secret: false,
            changes: Vec::new(),
        };
        comparison.values(&json::parse(one).unwrap(), &json::parse(other).unwrap());
        comparison.changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn values() {
        let check = |one, other, expected: &[&str]| assert_eq!(lines(one, other), expected);
        check(r#"{"a": 1, "b": 2}"#, r#"{ "b":2,"a":1 }"#, &[]);
        check(
            r#"{"hostname": "a"}"#,
            r#"{"hostname": "b"}"#,
            &[r#"m: hostname: "a" -> "b""#],
        );
        check(
            r#"{"a": [{"b": 1}]}"#,
            r#"{"a": [{"b": null}]}"#,
            &["m: a[0].b: 1 -> null"],
        );
        check(r#"{"a": [1]}"#, r#"{"a": [1, 2]}"#, &["m: a[1]: added: 2"]);
        check(r#"{"a": {"x": 1}}"#, "{}", &["m: a: removed: an object"]);
        check("[NaN]", "[NaN]", &[]);
        check("1", "[]", &["m: 1 -> a list of 0"]);
    }

    #[test]
    fn secrets_are_not_shown() {
        let check = |one, other, expected: &[&str]| assert_eq!(lines(one, other), expected);
        check(
            r#"{"admin_pass": "x"}"#,
            r#"{"admin_pass": "y"}"#,
            &["m: admin_pass: differs"],
        );
        check(
            r#"{"random_seed": "x"}"#,
            "{}",
            &["m: random_seed: removed"],
        );
        check(
            r#"{"tokens": {"a": "x"}}"#,
            r#"{"tokens": {"a": "y"}}"#,
            &["m: tokens.a: differs"],
        );
        check(
            "{}",
            r#"{"a": {"password": "x"}}"#,
            &["m: a: added: an object"],
        );
    }
}
