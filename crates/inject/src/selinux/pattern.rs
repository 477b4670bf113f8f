//! Patterns of paths, which are Perl's (pcre2pattern(3)), in the words of the crate `regex`.
//!
//! The crate takes no time that grows without measure, whatever the pattern. What it has no word for is refused, and so is what it would
//! understand otherwise.

use regex::bytes::{Regex, RegexBuilder};

/// What a pattern may take when it is compiled; the largest of the policies at hand take a few kilobytes.
const SIZE_BYTES: usize = 1 << 20;

/// Characters that make a pattern of a path.
fn is_special(byte: u8) -> bool {
    b".^$?*+|[({])}".contains(&byte)
}

/// Characters that stand for themselves behind a backslash (libselinux, `src/label_file.h`, `regex_has_meta_chars`).
fn is_plain_escape(byte: u8) -> bool {
    is_special(byte) || b"-_,".contains(&byte)
}

/// Returns the one path that a pattern stands for, if it is no pattern at all.
pub(super) fn literal(pattern: &[u8]) -> Option<Vec<u8>> {
    let (literal, rest) = beginning(pattern);
    rest.is_empty().then_some(literal)
}

/// Returns what each path that the pattern matches begins with.
pub(super) fn stem(pattern: &[u8]) -> Vec<u8> {
    if has_choice_at_top(pattern) {
        return Vec::new();
    }
    let (mut stem, rest) = beginning(pattern);
    // The last character may be there several times, or not at all.
    if matches!(rest.first(), Some(b'?' | b'*' | b'+' | b'{')) {
        stem.pop();
    }
    stem
}

/// Splits a pattern into the characters that stand for themselves and the rest.
fn beginning(pattern: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut literal = Vec::new();
    let mut rest = pattern;
    loop {
        rest = match *rest {
            [b'\\', byte, ref rest @ ..] if is_plain_escape(byte) => {
                literal.push(byte);
                rest
            }
            [byte, ref rest @ ..] if byte != b'\\' && !is_special(byte) => {
                literal.push(byte);
                rest
            }
            _ => return (literal, rest),
        };
    }
}

/// Whether there is a `|` outside all groups: then nothing is common to all that match. One in a class of characters counts too, which
/// only makes more patterns be tried.
fn has_choice_at_top(pattern: &[u8]) -> bool {
    let mut depth = 0i32;
    let mut bytes = pattern.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'|' if depth <= 0 => return true,
            _ => {}
        }
    }
    false
}

/// Compiles a pattern as libselinux does: `^` before it, `$` behind it, `.` for any byte.
///
/// Fails with the rule that it breaks.
pub(super) fn compile(pattern: &[u8]) -> Result<Regex, &'static str> {
    let pattern = str::from_utf8(pattern).map_err(|_| "a pattern is text")?;
    // Perl's `$` is before a newline at the end, too.
    let text = format!("^{}\\n?$", translated(pattern)?);
    RegexBuilder::new(&text)
        .unicode(false)
        .dot_matches_new_line(true)
        .size_limit(SIZE_BYTES)
        .build()
        .map_err(|_| "christen cannot express this pattern")
}

/// Says the same in the words of the crate: in a class of characters it takes `[`, `&&`, `~~` and `--` for operations on classes, and `+`
/// behind a quantifier, which in Perl forbids to go back, for one more.
fn translated(pattern: &str) -> Result<String, &'static str> {
    let mut text = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(next) = rest.chars().next() {
        let mut taken = next.len_utf8();
        match next {
            '\\' => taken += rest[1..].chars().next().map_or(0, char::len_utf8),
            '[' => taken = class(rest, &mut text)?,
            '*' | '+' | '?' | '}' if rest[1..].starts_with('+') => {
                return Err("christen cannot express a quantifier that never goes back");
            }
            _ => {}
        }
        if next != '[' {
            text.push_str(&rest[..taken]);
        }
        rest = &rest[taken..];
    }
    Ok(text)
}

/// Takes a class of characters, and returns its length.
fn class(pattern: &str, text: &mut String) -> Result<usize, &'static str> {
    let open = "a class of characters is not closed";
    let bytes = pattern.as_bytes();
    let mut at = 1;
    text.push('[');
    if bytes.get(at) == Some(&b'^') {
        text.push('^');
        at += 1;
    }
    // A `]` in the first place stands for itself.
    if bytes.get(at) == Some(&b']') {
        text.push_str("\\]");
        at += 1;
    }
    loop {
        let rest = pattern.get(at..).ok_or(open)?;
        let next = rest.chars().next().ok_or(open)?;
        match next {
            ']' => {
                text.push(']');
                return Ok(at + 1);
            }
            '[' if rest.starts_with("[:") => {
                let length = rest.find(":]").ok_or(open)? + 2;
                text.push_str(&rest[..length]);
                at += length;
                continue;
            }
            '\\' => {
                let length = 1 + rest[1..].chars().next().ok_or(open)?.len_utf8();
                text.push_str(&rest[..length]);
                at += length;
                continue;
            }
            '-' if rest.starts_with("--") => {
                return Err("christen cannot express `--` in a class of characters");
            }
            '[' | '&' | '~' => {
                text.push('\\');
                text.push(next);
            }
            _ => text.push(next),
        }
        at += next.len_utf8();
    }
}
