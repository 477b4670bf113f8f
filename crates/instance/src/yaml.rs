//! Writes YAML that every reader takes for the same value.
//!
//! cloud-init reads with PyYAML, which follows YAML 1.1: there `no` is a boolean, `010` is
//! eight, `22:30` is a number of base 60 and `2024-01-01` is a date. Others follow YAML 1.2
//! and see text. So a scalar is written plain only where no version of YAML can see
//! anything but its text; everything else is quoted.

use crate::Value;

/// Longest text, in characters, that is written as an implicit key.
///
/// YAML 1.1 and 1.2 both end at 1024 characters, quotes and escapes included (YAML 1.2.2
/// §7.4.2), and PyYAML holds to it.
const IMPLICIT_KEY_LIMIT: usize = 1000;

/// Spaces for each level.
const INDENT: usize = 2;

/// Words that some reader takes for a boolean, a null or a number, in lower case.
///
/// YAML 1.1 <https://yaml.org/type/bool.html>, `null.html`; `inf` and `nan` stand here for
/// readers that forget the dot.
const WORDS: [&str; 11] = [
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan",
];

/// Encodes a value as a YAML document in block style, with a final newline.
///
/// Object members keep their order. Text of several lines becomes a literal block (`|`)
/// where that can hold it exactly. The depth of `value` is the caller's to bound: each
/// level takes a stack frame.
///
/// ```
/// use christen_instance::{Value, yaml};
///
/// let value = Value::Object(vec![
///     ("hostname".to_owned(), "web-01".into()),
///     ("answer".to_owned(), "no".into()),
/// ]);
/// assert_eq!(yaml::encode(&value), "hostname: web-01\nanswer: 'no'\n");
/// ```
pub fn encode(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Array(items) if !items.is_empty() => array(&mut out, items, 0),
        Value::Object(members) if !members.is_empty() => object(&mut out, members, 0),
        scalar => {
            inline(&mut out, scalar);
            out.push('\n');
        }
    }
    out
}

/// Writes the items of an array; the cursor stands at `indent` in the first line.
fn array(out: &mut String, items: &[Value], indent: usize) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            pad(out, indent);
        }
        out.push_str("- ");
        compact(out, item, indent + INDENT);
    }
}

/// Writes the members of an object; the cursor stands at `indent` in the first line.
fn object(out: &mut String, members: &[(String, Value)], indent: usize) {
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            pad(out, indent);
        }
        let key = key(name);
        if key.chars().count() > IMPLICIT_KEY_LIMIT {
            out.push_str("? ");
            out.push_str(&key);
            out.push('\n');
            pad(out, indent);
            out.push_str(": ");
            compact(out, value, indent + INDENT);
            continue;
        }
        out.push_str(&key);
        out.push(':');
        match value {
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                pad(out, indent + INDENT);
                array(out, items, indent + INDENT);
            }
            Value::Object(members) if !members.is_empty() => {
                out.push('\n');
                pad(out, indent + INDENT);
                object(out, members, indent + INDENT);
            }
            scalar => {
                out.push(' ');
                leaf(out, scalar, indent + INDENT);
            }
        }
    }
}

/// Writes a value that begins in the line of its indicator (`- ` or `: `), with its content
/// at `indent`.
fn compact(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Array(items) if !items.is_empty() => array(out, items, indent),
        Value::Object(members) if !members.is_empty() => object(out, members, indent),
        scalar => leaf(out, scalar, indent),
    }
}

/// Writes a scalar or an empty collection to the end of its line or lines.
fn leaf(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(text) if fits_literal(text) => literal(out, text, indent),
        scalar => {
            inline(out, scalar);
            out.push('\n');
        }
    }
}

/// Writes a scalar or an empty collection within one line.
fn inline(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Integer(digits) => out.push_str(digits),
        Value::Float(number) => out.push_str(&float(*number)),
        Value::String(text) if is_plain(text) => out.push_str(text),
        Value::String(text) => quoted(out, text),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

/// Encodes a key: like text, but a colon is always quoted.
fn key(name: &str) -> String {
    let mut out = String::new();
    if is_plain(name) && !name.contains(':') {
        out.push_str(name);
    } else {
        quoted(&mut out, name);
    }
    out
}

/// Encodes a number so that YAML 1.1 sees one: it wants a point in the mantissa and a sign
/// in the exponent (<https://yaml.org/type/float.html>), `1e5` is text to PyYAML.
fn float(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = format!("{number:?}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// Whether text is the same text to every reader when written without quotes.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    // Digits, signs and points begin numbers and dates, the other signs are indicators.
    (first.is_ascii_alphabetic() || first == b'/')
        && last != b':'
        && last != b' '
        && bytes.iter().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b' ' | b'_' | b'-' | b'.' | b'/' | b'@' | b'+' | b'=' | b':')
        })
        // `: ` ends a key; `#` is not among the characters above.
        && !bytes.windows(2).any(|pair| pair == b": ")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// Whether a character may stand unescaped in a quoted or literal scalar.
///
/// Narrower than YAML's printable characters (YAML 1.2.2 §5.1): the byte order mark and the
/// line separators of Unicode mean something to some readers.
fn is_printable(character: char) -> bool {
    matches!(
        u32::from(character),
        0x20..=0x7e
            | 0xa0..=0x2027
            | 0x202a..=0xd7ff
            | 0xe000..=0xfefe
            | 0xff00..=0xfffd
            | 0x1_0000..=0x10_ffff
    )
}

/// Writes text in quotes: single ones where nothing needs an escape.
fn quoted(out: &mut String, text: &str) {
    if text.chars().all(is_printable) {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
        return;
    }
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            printable if is_printable(printable) => out.push(printable),
            other => {
                let code = u32::from(other);
                out.push_str(&match code {
                    0..=0xff => format!("\\x{code:02x}"),
                    0x100..=0xffff => format!("\\u{code:04x}"),
                    _ => format!("\\U{code:08x}"),
                });
            }
        }
    }
    out.push('"');
}

/// Whether a literal block gives this text back exactly.
fn fits_literal(text: &str) -> bool {
    // A first line that is empty or begins with white space would decide the indentation.
    text.contains('\n')
        && !text.starts_with(['\n', ' ', '\t'])
        && text
            .chars()
            .all(|character| is_printable(character) || matches!(character, '\n' | '\t'))
        // A last line of spaces alone is content to some readers and nothing to others.
        && !text.ends_with([' ', '\t'])
}

/// Writes text as a literal block with the content at `indent`.
fn literal(out: &mut String, text: &str, indent: usize) {
    let chomping = match text.strip_suffix('\n') {
        None => "-",
        Some(rest) if rest.ends_with('\n') => "+",
        Some(_) => "",
    };
    out.push('|');
    out.push_str(chomping);
    out.push('\n');
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
        out.push('\n');
    }
}

/// Writes the spaces before a line.
fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(encode(&Value::from(text)), format!("{expected}\n"));
    }

    #[test]
    fn plain_text_stays_readable() {
        for text in [
            "web-01",
            "/dev/vda",
            "ssh-ed25519 AAAA+/= desk@host",
            "fe80::1",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn ambiguous_text_is_quoted() {
        for text in [
            "",
            "no",
            "Yes",
            "ON",
            "n",
            "null",
            "~",
            "1",
            "010",
            "0x1f",
            "1_000",
            "12:30:45",
            "2024-01-01",
            "1e3",
            ".5",
            ".inf",
            "<<",
            "=",
            "- a",
            "a: b",
            "a:",
            "a #b",
            "#a",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "{a",
            "[a",
            "a ",
            " a",
            "|",
            ">",
            "?",
            "0644",
            "inf",
        ] {
            check(text, &format!("'{text}'"));
        }
        check("it's", "'it''s'");
        check("a\u{85}b", "\"a\\x85b\"");
        check("\u{feff}a\u{2028}", "\"\\ufeffa\\u2028\"");
    }

    #[test]
    fn numbers_are_numbers_to_yaml_1_1() {
        for (number, expected) in [
            (1.0, "1.0"),
            (1e20, "1.0e+20"),
            (1.5e-7, "1.5e-7"),
            (f64::NEG_INFINITY, "-.inf"),
            (f64::NAN, ".nan"),
        ] {
            assert_eq!(float(number), expected);
        }
    }

    #[test]
    fn blocks_nest() {
        let text = |text: &str| Value::from(text);
        let value = Value::Object(vec![
            ("empty".to_owned(), Value::Array(Vec::new())),
            (
                "files".to_owned(),
                Value::Array(vec![
                    Value::Object(vec![
                        ("path".to_owned(), text("/etc/motd")),
                        ("content".to_owned(), text("one\n\n  two\n")),
                    ]),
                    Value::Array(vec![text("a"), text("b\nc\n\n")]),
                ]),
            ),
        ]);
        assert_eq!(
            encode(&value),
            "empty: []\nfiles:\n  - path: /etc/motd\n    content: |\n      one\n\n        two\n  \
             - - a\n    - |+\n      b\n      c\n\n"
        );
    }
}
