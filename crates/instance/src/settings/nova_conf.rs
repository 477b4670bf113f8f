//! nova.conf: the INI dialect of oslo.config.
//!
//! The rules are those of oslo.config 10.7.0 (`oslo_config/iniparser.py`, `BaseParser`, and
//! `oslo_config/cfg.py`, `ConfigParser`):
//!
//! * A line ends at `\n`, `\r` or `\r\n`; white space at its end does not count. An empty
//!   line ends an assignment.
//! * A line that begins with a space or a tab continues the assignment above it, after a
//!   line break. Comments and empty lines cut that connection.
//! * `[NAME]` begins a section; nothing may follow the bracket, and white space inside the
//!   brackets belongs to the name. Names are compared in lower case, but `DEFAULT` only as
//!   it stands.
//! * `#` and `;` at the beginning of a line make it a comment; elsewhere they are text.
//! * The first `=` or `:` ends the name. A value whose first and last character are the
//!   same quote loses both. Names keep their case.
//! * A name may be assigned several times, in one section or in several of one name: the
//!   last one counts.

use std::collections::BTreeMap;

use super::error::{Finding, Place, Problem};
use super::option::DEFAULT_GROUP;

/// The most bytes that a nova.conf may have. Nova's sample, which explains every option, has
/// less than a tenth of it.
pub const MAX_BYTES: usize = 4 << 20;

/// The assignments of one file.
#[derive(Clone, Default)]
pub struct NovaConf {
    /// The file's name, for messages.
    pub(super) origin: String,
    sections: BTreeMap<String, BTreeMap<String, Assignment>>,
}

/// The last assignment to a name.
#[derive(Clone)]
pub(super) struct Assignment {
    /// The value with quotes removed, continuation lines after line breaks.
    pub(super) value: String,
    /// The line of its name, from 1.
    pub(super) line: u32,
}

impl std::fmt::Debug for NovaConf {
    /// Shows the number of sections and no value: most of nova.conf's secrets are foreign to
    /// us.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "NovaConf({:?}, {} sections)",
            self.origin,
            self.sections.len()
        )
    }
}

impl NovaConf {
    pub(super) fn get(&self, group: &str, name: &str) -> Option<&Assignment> {
        self.sections.get(group)?.get(name)
    }

    /// Returns the line of the first assignment in a group.
    pub(super) fn first_line(&self, group: &str) -> Option<u32> {
        let section = self.sections.get(group)?;
        section.values().map(|assignment| assignment.line).min()
    }
}

/// Parses the text of a nova.conf; `origin` names it in messages.
///
/// Never panics and takes time and memory in proportion to the text, whatever it is.
///
/// # Errors
///
/// The first line that breaks the rules, as oslo.config stops there too, or a text of more
/// than [`MAX_BYTES`].
pub fn parse(text: &str, origin: &str) -> Result<NovaConf, Finding> {
    let mut parser = Parser {
        conf: NovaConf {
            origin: origin.to_owned(),
            sections: BTreeMap::new(),
        },
        section: None,
        pending: None,
    };
    if text.len() > MAX_BYTES {
        return Err(finding(
            Place::of(origin),
            Problem::TooLarge {
                size_bytes: text.len(),
                limit_bytes: MAX_BYTES,
            },
        ));
    }
    let mut number = 0;
    for line in (Lines { rest: text }) {
        // MAX_BYTES keeps the number of lines far below u32::MAX.
        number += 1;
        parser
            .line(line, number)
            .map_err(|(problem, line)| finding(Place::line(origin, line), problem))?;
    }
    parser
        .flush()
        .map_err(|(problem, line)| finding(Place::line(origin, line), problem))?;
    Ok(parser.conf)
}

fn finding(place: Place, problem: Problem) -> Finding {
    Finding {
        place,
        option: None,
        problem,
    }
}

struct Parser {
    conf: NovaConf,
    section: Option<String>,
    /// The assignment that continuation lines still belong to.
    pending: Option<(String, Assignment)>,
}

impl Parser {
    fn line(&mut self, line: &str, number: u32) -> Result<(), (Problem, u32)> {
        let line = line.trim_end_matches(is_space);
        if line.is_empty() {
            return self.flush();
        }
        if line.starts_with([' ', '\t']) {
            let Some((_, assignment)) = &mut self.pending else {
                return Err((Problem::UnexpectedContinuation, number));
            };
            assignment.value.push('\n');
            assignment.value.push_str(line.trim_start_matches(is_space));
            return Ok(());
        }
        self.flush()?;
        if line.starts_with('[') {
            let name = section_name(line).map_err(|problem| (problem, number))?;
            self.conf.sections.entry(name.clone()).or_default();
            self.section = Some(name);
        } else if !line.starts_with(['#', ';']) {
            let (name, value) = assignment(line).map_err(|problem| (problem, number))?;
            self.pending = Some((
                name.to_owned(),
                Assignment {
                    value: value.to_owned(),
                    line: number,
                },
            ));
        }
        Ok(())
    }

    /// Ends the pending assignment. Only now does it matter whether a section is open: what
    /// oslo.config finds first is what we find first.
    fn flush(&mut self) -> Result<(), (Problem, u32)> {
        let Some((name, assignment)) = self.pending.take() else {
            return Ok(());
        };
        let Some(section) = &self.section else {
            return Err((Problem::OutsideSection, assignment.line));
        };
        self.conf
            .sections
            .entry(section.clone())
            .or_default()
            .insert(name, assignment);
        Ok(())
    }
}

/// Returns the name by which a section is looked up.
fn section_name(line: &str) -> Result<String, Problem> {
    let Some(inside) = line
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    else {
        return Err(Problem::SectionNotClosed);
    };
    if inside.is_empty() {
        return Err(Problem::SectionWithoutName);
    }
    if inside == DEFAULT_GROUP {
        return Ok(inside.to_owned());
    }
    Ok(inside.to_lowercase())
}

fn assignment(line: &str) -> Result<(&str, &str), Problem> {
    let (name, value) = line.split_once(['=', ':']).ok_or(Problem::NoSeparator)?;
    let name = trim(name);
    if name.is_empty() {
        return Err(Problem::EmptyKey);
    }
    Ok((name, without_quotes(trim(value))))
}

fn without_quotes(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            // A lone quote is its own first and last character.
            if rest.is_empty() {
                return rest;
            }
            return rest.strip_suffix(quote).unwrap_or(value);
        }
    }
    value
}

/// What Python's `str.strip` takes for white space: Unicode's, and four control characters.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// Python's `str.strip`.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Lines as Python's text files have them.
struct Lines<'t> {
    rest: &'t str,
}

impl<'t> Iterator for Lines<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(end) = self.rest.find(['\n', '\r']) else {
            return Some(std::mem::take(&mut self.rest));
        };
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest
            .strip_prefix("\r\n")
            .or_else(|| rest.strip_prefix(['\n', '\r']))
            .unwrap_or_default();
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses a text and returns `group.name=value` of each assignment, or `line: problem`.
    fn parsed(text: &str) -> Vec<String> {
        match parse(text, "nova.conf") {
            Ok(conf) => conf
                .sections
                .iter()
                .flat_map(|(group, section)| {
                    section.iter().map(move |(name, assignment)| {
                        format!("{group}.{name}={}", assignment.value)
                    })
                })
                .collect(),
            Err(finding) => vec![finding.to_string()],
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(parsed(text), expected, "{text:?}");
    }

    #[test]
    fn sections_and_assignments() {
        check("[DEFAULT]\na=1\nb : 2\n", &["DEFAULT.a=1", "DEFAULT.b=2"]);
        check("[A]\nx=a:b=c\n", &["a.x=a:b=c"]);
        check("[A]\nx:a=b\n", &["a.x=a=b"]);
        check("[default]\na=1", &["default.a=1"]);
        check("[ api ]\na=1", &[" api .a=1"]);
        check("[]]\na=1", &["].a=1"]);
        check("[a]\nb=1\n[c]\nb=2\n[A]\nb=3\n", &["a.b=3", "c.b=2"]);
        check("[a]\nB=1\nb=2\n", &["a.B=1", "a.b=2"]);
        check("[a]\r\nb=1\rc=2\r\n", &["a.b=1", "a.c=2"]);
        check("[a]\nb=\n", &["a.b="]);
    }

    #[test]
    fn comments_and_continuations() {
        check("# x\n; y\n[a]\nb=1 # x\n", &["a.b=1 # x"]);
        check("[a]\nb=1,\n  2,\n\t3 \nc=4", &["a.b=1,\n2,\n3", "a.c=4"]);
        check("[a]\nb=1\n[b]\n", &["a.b=1"]);
        check("[a]\nb=1\n\u{a0}c=2", &["a.b=1", "a.c=2"]);
    }

    #[test]
    fn quotes() {
        check("[a]\nb=\"x y\"\n", &["a.b=x y"]);
        check("[a]\nb='x'\n", &["a.b=x"]);
        check("[a]\nb='x\"\n", &["a.b='x\""]);
        check("[a]\nb=\"\n", &["a.b="]);
        check("[a]\nb=\"a\"b\"\n", &["a.b=a\"b"]);
        check("[a]\nb=\"x\n y\"\n", &["a.b=\"x\ny\""]);
    }

    #[test]
    fn broken_lines_are_named_by_number() {
        check(
            "[a]\nb\n",
            &["nova.conf:2: neither `=` nor `:` in an assignment"],
        );
        check(
            "[a]\n =1\n",
            &["nova.conf:2: an indented line continues no assignment"],
        );
        check("[a]\n=1\n", &["nova.conf:2: no name before `=` or `:`"]);
        check(
            "[a]\nb=1\n\n  2\n",
            &["nova.conf:4: an indented line continues no assignment"],
        );
        check(
            "[a]\nb=1\n# x\n  2\n",
            &["nova.conf:4: an indented line continues no assignment"],
        );
        check(
            "[a] # x\n",
            &["nova.conf:1: a section must end with `]`, and nothing may follow it"],
        );
        check(
            "[\n",
            &["nova.conf:1: a section must end with `]`, and nothing may follow it"],
        );
        check("[]\n", &["nova.conf:1: a section without a name"]);
        check(
            "a=1\n[a]\n",
            &["nova.conf:1: an assignment before the first section; write `[DEFAULT]` above it"],
        );
        check(
            "\u{feff}[a]\n",
            &["nova.conf:1: neither `=` nor `:` in an assignment"],
        );
    }

    #[test]
    fn a_huge_text_is_refused() {
        let text = " ".repeat(MAX_BYTES + 1);
        check(
            &text,
            &["nova.conf: has 4194305 bytes, more than the 4194304 that a settings file may have"],
        );
    }

    #[test]
    fn debug_shows_no_value() {
        let conf = parse("[a]\npassword=s3cret\n", "nova.conf").expect("a good file");
        assert_eq!(format!("{conf:?}"), "NovaConf(\"nova.conf\", 1 sections)");
    }
}
