//! The script of `christen edit`: one operation a line, all mistakes told at once.
//!
//! The language is described in `docs/edit.md`, whose table a test compares with [`operations::TABLE`].

mod operations;
mod words;

use std::fmt::Write as _;

use super::operation::{Content, Step};
use words::Word;

/// Mistakes that are told of one script; more help nobody.
const MAX_MISTAKES: usize = 100;

/// What is wrong with a script, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The line, from 1.
    pub(crate) line: usize,
    /// Bytes of the line before the place, and one.
    pub(crate) column: usize,
    /// What is wrong. It may name a word of the script, but never the content of a file.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

/// All that is wrong with a script, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Adds a mistake; the order is mended when they are shown.
    pub(crate) fn push(&mut self, mistake: Mistake) {
        self.0.push(mistake);
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many there are, in words.
    pub(crate) fn count(&self) -> String {
        match self.0.len() {
            1 => "1 mistake".to_owned(),
            count => format!("{count} mistakes"),
        }
    }

    /// Renders the mistakes with their places, an empty line after each.
    pub(crate) fn render(&self, origin: &str) -> String {
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort_by_key(|mistake| (mistake.line, mistake.column));
        let mut text = String::new();
        for mistake in sorted.iter().take(MAX_MISTAKES) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "error: {}", mistake.message);
            let _ = writeln!(text, " --> {origin}:{}:{}", mistake.line, mistake.column);
            if let Some(hint) = &mistake.hint {
                let _ = writeln!(text, "hint: {hint}");
            }
            text.push('\n');
        }
        if sorted.len() > MAX_MISTAKES {
            let _ = writeln!(text, "note: only the first {MAX_MISTAKES} are shown\n");
        }
        text
    }
}

/// Reads a script that must be right.
///
/// # Errors
///
/// All its mistakes, each with its line.
#[cfg(test)]
pub(crate) fn parse(text: &[u8]) -> Result<Vec<Step>, Mistakes> {
    let (steps, mistakes) = read(text);
    if mistakes.is_empty() {
        Ok(steps)
    } else {
        Err(mistakes)
    }
}

/// Reads a script: the lines that are right, and all mistakes of the others.
pub(crate) fn read(text: &[u8]) -> (Vec<Step>, Mistakes) {
    let mut lines = Lines {
        rest: Some(text),
        number: 0,
    };
    let mut steps = Vec::new();
    let mut mistakes = Mistakes::default();
    while let Some(line) = lines.next() {
        let number = lines.number;
        let words = match words::split(line) {
            Ok(words) => words,
            Err(wrong) => {
                mistakes.push(Mistake {
                    line: number,
                    column: wrong.column,
                    message: wrong.message.to_owned(),
                    hint: Some(wrong.hint.to_owned()),
                });
                continue;
            }
        };
        let Some((name, arguments)) = words.split_first() else {
            continue;
        };
        // Before the arguments are looked at: whatever else is wrong with the line, what follows it is text.
        let text = match following_text(arguments, &mut lines) {
            Ok(text) => text,
            Err((column, message)) => {
                mistakes.push(Mistake {
                    line: number,
                    column,
                    message,
                    hint: Some("a line with this word and nothing else ends the text".to_owned()),
                });
                continue;
            }
        };
        match operations::parse(name, arguments, text) {
            Ok(operation) => steps.push(Step {
                line: Some(number),
                operation,
            }),
            Err(wrong) => mistakes.push(Mistake {
                line: number,
                column: wrong.column,
                message: wrong.message,
                hint: wrong.hint,
            }),
        }
    }
    (steps, mistakes)
}

/// If the last word of a line is a bare `<<WORD`, takes the lines that follow up to the one that is `WORD`.
fn following_text(
    arguments: &[Word],
    lines: &mut Lines<'_>,
) -> Result<Option<Content>, (usize, String)> {
    let last = arguments.last().filter(|word| !word.quoted);
    let marked = last.and_then(|word| Some((word.column, word.bytes.strip_prefix(b"<<")?)));
    let Some((column, end)) = marked else {
        return Ok(None);
    };
    if end.is_empty() {
        return Err((
            column,
            "`<<` without the word that ends the text".to_owned(),
        ));
    }
    let mut text = Vec::new();
    for line in lines.by_ref() {
        if line == end {
            return Ok(Some(Content(text)));
        }
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    Err((column, format!("no line is `{}`", christen_vfs::shown(end))))
}

/// The lines of a script without their ends, counted.
struct Lines<'a> {
    rest: Option<&'a [u8]>,
    number: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.filter(|rest| !rest.is_empty())?;
        self.number += 1;
        match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                self.rest = Some(&rest[end + 1..]);
                Some(&rest[..end])
            }
            None => {
                self.rest = None;
                Some(rest)
            }
        }
    }
}

#[cfg(test)]
mod tests;
