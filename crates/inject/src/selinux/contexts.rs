//! File contexts: patterns of paths, and labels (selabel_file(5), "File Contexts Format").

use std::rc::Rc;

use christen_vfs::{GuestPath, Kind};
use regex::bytes::Regex;

use super::pattern;
use crate::error::{Error, Result};

/// All patterns of a policy, in their order.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    file: Rc<GuestPath>,
    number: usize,
    pattern: Vec<u8>,
    /// Without a pattern's characters it stands for one path only.
    literal: Option<Vec<u8>>,
    /// What each path that the pattern matches begins with.
    stem: Vec<u8>,
    kind: Option<u8>,
    label: Label,
    regex: Option<Regex>,
}

/// What a line gives.
#[derive(Debug)]
pub(super) enum Label {
    /// This label.
    Context(String),
    /// No label: what has one keeps it.
    None,
}

impl Contexts {
    /// Adds the lines of a file behind those that are there.
    pub(super) fn add(&mut self, file: GuestPath, text: &[u8]) -> Result<()> {
        let file = Rc::new(file);
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let broken = |rule| Error::Broken {
                path: (*file).clone(),
                line: Some(number),
                rule,
            };
            let words: Vec<_> = line
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
                .collect();
            let (pattern, kind, label) = match words[..] {
                [] => continue,
                [first, ..] if first.starts_with(b"#") => continue,
                [pattern, label] => (pattern, None, label),
                [pattern, kind, label] => (pattern, Some(kind), label),
                _ => {
                    return Err(broken(
                        "a line has a pattern, maybe a kind of file, and a label",
                    ));
                }
            };
            let kind = match kind {
                None => None,
                Some(
                    &[
                        b'-',
                        kind @ (b'-' | b'b' | b'c' | b'd' | b'p' | b'l' | b's'),
                    ],
                ) => Some(kind),
                Some(_) => {
                    return Err(broken(
                        "a kind of file is one of `--`, `-b`, `-c`, `-d`, `-p`, `-l`, `-s`",
                    ));
                }
            };
            let label = match label {
                b"<<none>>" => Label::None,
                _ => Label::Context(
                    String::from_utf8(label.to_vec()).map_err(|_| broken("a label is text"))?,
                ),
            };
            self.lines.push(Line {
                literal: pattern::literal(pattern),
                stem: pattern::stem(pattern),
                pattern: pattern.to_vec(),
                file: Rc::clone(&file),
                number,
                kind,
                label,
                regex: None,
            });
        }
        Ok(())
    }

    /// Finds what counts for a path: a line for this path alone, or else the last line whose pattern matches. Only patterns whose beginning
    /// fits are compiled.
    pub(super) fn find(&mut self, path: &[u8], kind: Kind) -> Result<Option<&Label>> {
        let kind = match kind {
            Kind::File => b'-',
            Kind::Directory => b'd',
            Kind::SymbolicLink => b'l',
            Kind::CharacterDevice { .. } => b'c',
            Kind::BlockDevice { .. } => b'b',
            Kind::Fifo => b'p',
            Kind::Socket => b's',
        };
        let is_of_kind = |line: &Line| line.kind.is_none_or(|it| it == kind);
        let literal = self
            .lines
            .iter()
            .rposition(|line| line.literal.as_deref() == Some(path) && is_of_kind(line));
        let mut found = literal;
        if found.is_none() {
            for (index, line) in self.lines.iter_mut().enumerate().rev() {
                let is_candidate =
                    line.literal.is_none() && is_of_kind(line) && path.starts_with(&line.stem);
                if is_candidate && line.matches(path)? {
                    found = Some(index);
                    break;
                }
            }
        }
        Ok(found.map(|index| &self.lines[index].label))
    }
}

impl Line {
    fn matches(&mut self, path: &[u8]) -> Result<bool> {
        if self.regex.is_none() {
            let regex = pattern::compile(&self.pattern).map_err(|rule| Error::Broken {
                path: (*self.file).clone(),
                line: Some(self.number),
                rule,
            })?;
            self.regex = Some(regex);
        }
        Ok(self.regex.as_ref().is_some_and(|it| it.is_match(path)))
    }
}
