//! What is wrong with a description, where, and what to do about it.

use std::error::Error;
use std::fmt::{self, Write};

use crate::tree::Span;

/// Findings kept for one text. More help nobody, and a hostile text must not fill the memory.
pub(crate) const MAX_FINDINGS: usize = 100;

/// Characters of a source line that an excerpt shows.
const EXCERPT_WIDTH: usize = 100;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The description cannot be used.
    Error,
    /// It can be used, but it probably does not mean what was intended.
    Warning,
}

/// One mistake in a description.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Characters from the column on, at most to the end of the line; 0 at the end of the text.
    pub length: usize,
    /// The field, as `network[0].mac`; empty for the whole text.
    pub path: String,
    /// What is wrong, one line.
    pub message: String,
    /// The text that is wrong; `None` when there is none or when it may be a secret.
    pub offending: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    excerpt: Option<Excerpt>,
}

/// A source line that is safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    line: String,
    /// Characters before the marked part.
    indent: usize,
    /// Characters of the marked part.
    length: usize,
}

impl Finding {
    /// Renders the finding with its source line and a caret, ready to print.
    ///
    /// Secrets in the line are shown as `[redacted]`; a line that cannot be judged, because
    /// the text has no structure there, is left out.
    pub fn render(&self, origin: &str) -> String {
        let kind = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut out = format!("{kind}: {}\n", self.message);
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        // Writing to a `String` cannot fail.
        let _ = write!(out, "{margin}--> {origin}:{}:{}", self.line, self.column);
        if !self.path.is_empty() {
            let _ = write!(out, " ({})", self.path);
        }
        out.push('\n');
        if let Some(excerpt) = &self.excerpt {
            let _ = writeln!(out, "{margin} |\n{number} | {}", excerpt.line);
            let _ = writeln!(
                out,
                "{margin} | {}{}",
                " ".repeat(excerpt.indent),
                "^".repeat(excerpt.length.max(1))
            );
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "hint: {hint}");
        }
        out
    }
}

/// All that is wrong with one text, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// Where the text came from, for the messages.
    pub origin: String,
    /// The findings; at least one is an error.
    pub list: Vec<Finding>,
}

impl Findings {
    /// Renders every finding with its source line, an empty line between them.
    pub fn render(&self) -> String {
        let rendered: Vec<_> = self
            .list
            .iter()
            .map(|finding| finding.render(&self.origin))
            .collect();
        rendered.join("\n")
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self
            .list
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        let mistakes = if errors == 1 { "mistake" } else { "mistakes" };
        write!(formatter, "`{}` has {errors} {mistakes}", self.origin)
    }
}

impl Error for Findings {}

/// A finding before its place is worked out.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) severity: Severity,
    pub(crate) span: Span,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) offending: Option<String>,
    pub(crate) hint: Option<String>,
}

/// Works out places and excerpts.
///
/// `secrets` are the ranges of the text that must not be shown. `structured` says that the
/// text was understood, so that these ranges are all there are.
pub(crate) fn place(
    text: &str,
    mut drafts: Vec<Draft>,
    secrets: &[Span],
    structured: bool,
) -> Vec<Finding> {
    // Findings that aliases repeat say the same thing of the same place.
    drafts.sort_by(|a, b| (a.span.start, &a.message).cmp(&(b.span.start, &b.message)));
    drafts.dedup_by(|a, b| a.span == b.span && a.message == b.message);
    // An error must not be crowded out by warnings.
    drafts.sort_by_key(|draft| draft.severity == Severity::Warning);
    drafts.truncate(MAX_FINDINGS);
    drafts.sort_by_key(|draft| draft.span.start);

    let mut line = 1;
    let mut line_start = 0;
    let mut placed = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let start = draft.span.start;
        line += text[line_start..start].matches('\n').count();
        line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..]
            .find('\n')
            .map_or(text.len(), |newline| start + newline);
        let mut shown_start = line_start;
        if text[shown_start..].starts_with('\u{feff}') && shown_start == 0 && start > 0 {
            shown_start = '\u{feff}'.len_utf8();
        }
        let end = draft.span.end.clamp(start, line_end);
        let marked = text[start..end].trim_end();
        let column = text[shown_start..start].chars().count() + 1;
        let length = marked.chars().count();
        let mark = Span {
            start,
            end: start + marked.len(),
        };
        // Only the surroundings of the mark are looked at: a line may be megabytes long.
        let near = 4 * EXCERPT_WIDTH;
        let range = Span {
            start: text
                .floor_char_boundary(start.saturating_sub(near))
                .max(shown_start),
            end: text.ceil_char_boundary(start + near).min(line_end),
        };
        let excerpt = if structured {
            Some(excerpt(text, range, mark, secrets))
        } else if is_plainly_harmless(&text[shown_start..line_end]) {
            Some(excerpt(text, range, mark, &[]))
        } else {
            None
        };
        placed.push(Finding {
            severity: draft.severity,
            line,
            column,
            length,
            path: draft.path,
            message: draft.message,
            offending: draft.offending,
            hint: draft.hint,
            excerpt,
        });
    }
    placed
}

/// Whether a line of a text that could not be parsed certainly holds no secret: it begins
/// with a key of the format, and nothing on it has the name of a field that may.
fn is_plainly_harmless(line: &str) -> bool {
    let inner = line.trim_start().trim_start_matches(['{', '-', ' ', '"']);
    let key: String = inner
        .chars()
        .take_while(|character| character.is_ascii_alphanumeric() || *character == '_')
        .collect();
    let names = crate::description::field_names();
    names.public.contains(key.as_str()) && !names.secret.iter().any(|secret| line.contains(*secret))
}

fn excerpt(text: &str, line: Span, mark: Span, secrets: &[Span]) -> Excerpt {
    let mut shown = String::new();
    let mut indent = None;
    let mut end = None;
    let mut at = line.start;
    let mut hidden: Vec<Span> = secrets
        .iter()
        .filter(|secret| secret.start < line.end && secret.end > line.start)
        .copied()
        .collect();
    hidden.sort_by_key(|secret| secret.start);
    let mut hidden = hidden.into_iter().peekable();
    while at < line.end {
        let count = shown.chars().count();
        if at >= mark.start {
            indent.get_or_insert(count);
        }
        if at >= mark.end {
            end.get_or_insert(count);
        }
        if let Some(secret) = hidden.next_if(|secret| secret.start <= at) {
            if secret.end > at {
                shown.push_str("[redacted]");
                at = secret.end.min(line.end);
            }
            continue;
        }
        // `at` is always a character boundary below the end of the line.
        let character = text[at..].chars().next().unwrap_or(' ');
        shown.push(if character.is_control() {
            ' '
        } else {
            character
        });
        at += character.len_utf8();
    }
    let count = shown.chars().count();
    let indent = indent.unwrap_or(count);
    let length = end.unwrap_or(count).saturating_sub(indent);
    window(&shown, indent, length)
}

/// Cuts a long line to the part around the mark.
fn window(line: &str, indent: usize, length: usize) -> Excerpt {
    let count = line.chars().count();
    if count <= EXCERPT_WIDTH {
        return Excerpt {
            line: line.trim_end().to_owned(),
            indent,
            length,
        };
    }
    let first = indent.saturating_sub(EXCERPT_WIDTH / 2);
    let mut cut: String = line.chars().skip(first).take(EXCERPT_WIDTH).collect();
    let mut indent = indent - first;
    let length = length.min(EXCERPT_WIDTH - indent.min(EXCERPT_WIDTH));
    if first > 0 {
        cut.insert(0, '…');
        indent += 1;
    }
    if first + EXCERPT_WIDTH < count {
        cut.push('…');
    }
    Excerpt {
        line: cut,
        indent,
        length,
    }
}
