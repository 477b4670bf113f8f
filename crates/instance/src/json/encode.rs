//! Value → text, byte for byte as `json.dumps` with its defaults.

use std::fmt::Write as _;

use crate::Value;

/// Encodes a value as Python's `json.dumps` does by default: one line, separators `", "`
/// and `": "`, pure ASCII, no final newline.
///
/// ```
/// use christen_instance::{Value, json};
///
/// let value = json::parse(r#"{"b":[1,2.50,1e20],"é":null}"#)?;
/// assert_eq!(json::encode(&value), r#"{"b": [1, 2.5, 1e+20], "\u00e9": null}"#);
/// # Ok::<(), json::ParseError>(())
/// ```
pub fn encode(value: &Value) -> String {
    let mut out = String::new();
    encode_into(value, &mut out);
    out
}

/// Appends the encoded form of a value.
fn encode_into(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Integer(digits) => out.push_str(digits),
        Value::Float(number) => encode_float(*number, out),
        Value::String(text) => encode_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                encode_into(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                encode_string(name, out);
                out.push_str(": ");
                encode_into(member, out);
            }
            out.push('}');
        }
    }
}

/// Appends a string with its quotes.
fn encode_string(text: &str, out: &mut String) {
    out.push('"');
    // What needs no escape is copied in runs: nearly every document is nothing else.
    let mut rest = text;
    while let Some(end) = first_escape(rest.as_bytes()) {
        // Everything before `end` is ASCII, so `end` is a character boundary.
        let (plain, special) = rest.split_at(end);
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some(other) => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing to a `String` cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Finds the first byte of what needs an escape.
fn first_escape(text: &[u8]) -> Option<usize> {
    /// Judged at once, without a branch for each byte, so that vector instructions serve.
    const BLOCK: usize = 16;
    let escaped = |byte: &u8| !matches!(byte, b' '..=b'~') || *byte == b'"' || *byte == b'\\';
    let is_plain = |block: &&[u8]| !block.iter().fold(false, |any, byte| any | escaped(byte));
    let plain = BLOCK * text.chunks_exact(BLOCK).take_while(is_plain).count();
    let rest = text[plain..].iter().position(escaped)?;
    Some(plain + rest)
}

/// Appends a float as Python's `float.__repr__`, with JavaScript's words for what is not a
/// number.
///
/// The shortest digits that read back as the same number, in fixed notation for exponents
/// from -4 to 15 and with a signed exponent of at least two digits otherwise
/// (CPython, `Python/pystrtod.c`, `format_float_short` with format code `r`).
fn encode_float(number: f64, out: &mut String) {
    if number.is_nan() {
        out.push_str("NaN");
        return;
    }
    if number.is_infinite() {
        out.push_str(if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        });
        return;
    }
    let scientific = shortest(number);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        write_fixed(mantissa, exponent, out);
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing to a `String` cannot fail.
        let _ = write!(out, "{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
}

/// Writes digits of the form `-1.234` times a power of ten without an exponent.
fn write_fixed(mantissa: &str, exponent: i32, out: &mut String) {
    let digits = match mantissa.strip_prefix('-') {
        Some(digits) => {
            out.push('-');
            digits
        }
        None => mantissa,
    };
    // How many of the digits stand before the point; none or fewer when it is negative.
    let whole = exponent + 1;
    if whole <= 0 {
        out.push_str("0.");
        (whole..0).for_each(|_| out.push('0'));
    }
    let mut written = 0;
    for digit in digits.chars().filter(char::is_ascii_digit) {
        if written == whole && whole > 0 {
            out.push('.');
        }
        out.push(digit);
        written += 1;
    }
    if written <= whole {
        (written..whole).for_each(|_| out.push('0'));
        out.push_str(".0");
    }
}

/// The shortest digits that read back as the same number, as CPython chooses them.
///
/// Rust and CPython agree on how many digits; where two candidates are equally near,
/// CPython (`Python/dtoa.c`, mode 0) takes the even one, as does rounding to that many places.
fn shortest(number: f64) -> String {
    let scientific = format!("{number:e}");
    let digits = scientific
        .bytes()
        .take_while(|byte| *byte != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    let rounded = format!("{number:.*e}", digits.saturating_sub(1));
    // Just above a power of two the nearest candidate may read back as the number below.
    if rounded.parse() == Ok(number) {
        rounded
    } else {
        scientific
    }
}

/// Writes one object member by member, without a tree in between.
///
/// A copy taken half-way can be finished in another way: the versions of `meta_data.json`
/// share their beginning.
pub(crate) struct ObjectWriter {
    out: String,
}

impl Clone for ObjectWriter {
    /// Copies what is written, with room to go on.
    fn clone(&self) -> Self {
        let mut out = String::with_capacity(2 * self.out.len());
        out.push_str(&self.out);
        Self { out }
    }
}

impl ObjectWriter {
    /// Begins an object.
    pub(crate) fn new() -> Self {
        /// Enough for the small objects, which are many.
        const ROOM: usize = 256;
        let mut out = String::with_capacity(ROOM);
        out.push('{');
        Self { out }
    }

    /// Begins a member; its value has to follow.
    fn name(&mut self, name: &str) {
        if self.out.len() > 1 {
            self.out.push_str(", ");
        }
        encode_string(name, &mut self.out);
        self.out.push_str(": ");
    }

    /// Adds a member of any value.
    pub(crate) fn value(&mut self, name: &str, value: &Value) {
        self.name(name);
        encode_into(value, &mut self.out);
    }

    /// Adds a text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        encode_string(text, &mut self.out);
    }

    /// Adds a text, or null without one.
    pub(crate) fn optional_text(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, text),
            None => self.raw(name, "null"),
        }
    }

    /// Adds a member that is already encoded.
    pub(crate) fn raw(&mut self, name: &str, encoded: &str) {
        self.name(name);
        self.out.push_str(encoded);
    }

    /// Adds an integer.
    pub(crate) fn integer(&mut self, name: &str, number: i64) {
        self.name(name);
        // Writing to a `String` cannot fail.
        let _ = write!(self.out, "{number}");
    }

    /// Adds an object of texts, in order.
    pub(crate) fn texts<'a>(
        &mut self,
        name: &str,
        members: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        let mut inner = Self::new();
        for (member, text) in members {
            inner.text(member, text);
        }
        let encoded = inner.finish();
        self.raw(name, &encoded);
    }

    /// Ends the object and returns its text.
    pub(crate) fn finish(mut self) -> String {
        self.out.push('}');
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_float(number: f64, expected: &str) {
        assert_eq!(encode(&Value::Float(number)), expected, "{number:e}");
    }

    // Each answer was taken from CPython 3.11, `json.dumps(number)`.
    #[test]
    fn floats_are_spelled_as_python_does() {
        check_float(0.0, "0.0");
        check_float(-0.0, "-0.0");
        check_float(1.0, "1.0");
        check_float(1.5, "1.5");
        check_float(0.1, "0.1");
        check_float(1e15, "1000000000000000.0");
        check_float(9_999_999_999_999_998.0, "9999999999999998.0");
        check_float(1e16, "1e+16");
        check_float(1e20, "1e+20");
        check_float(1.25e100, "1.25e+100");
        check_float(0.0001, "0.0001");
        check_float(0.000_012_5, "1.25e-05");
        check_float(1e-5, "1e-05");
        check_float(5e-324, "5e-324");
        // Ends in .25: exactly between two spellings of sixteen digits.
        check_float(3_290_080_720_052_125.0 / 4.0, "822520180013031.2");
        check_float(9_007_199_254_740_993.0, "9007199254740992.0");
        check_float(123_456_789.125, "123456789.125");
        check_float(f64::MAX, "1.7976931348623157e+308");
        check_float(f64::NAN, "NaN");
        check_float(f64::INFINITY, "Infinity");
        check_float(f64::NEG_INFINITY, "-Infinity");
    }

    fn check_string(text: &str, expected: &str) {
        assert_eq!(encode(&Value::from(text)), expected);
    }

    #[test]
    fn strings_are_ascii() {
        check_string("", r#""""#);
        check_string("plain /<>&~", r#""plain /<>&~""#);
        check_string("\"\\\n\r\t\u{8}\u{c}", r#""\"\\\n\r\t\b\f""#);
        check_string("\u{0}\u{1f}\u{7f}\u{80}", r#""\u0000\u001f\u007f\u0080""#);
        for length in [14, 15, 16, 17, 31, 32, 33] {
            let plain = "x".repeat(length);
            check_string(
                &format!("{plain}\"{plain}\n{plain}"),
                &format!(r#""{plain}\"{plain}\n{plain}""#),
            );
        }
        check_string("é虚\u{2028}😀x", r#""\u00e9\u865a\u2028\ud83d\ude00x""#);
    }

    #[test]
    fn containers_keep_their_order() {
        let value = Value::Object(vec![
            ("b".to_owned(), Value::Array(vec![])),
            ("a".to_owned(), Value::Object(vec![])),
            (
                "n".to_owned(),
                Value::Array(vec![Value::Null, true.into(), false.into(), 7.into()]),
            ),
        ]);
        assert_eq!(
            encode(&value),
            r#"{"b": [], "a": {}, "n": [null, true, false, 7]}"#
        );
    }

    #[test]
    fn the_writer_agrees_with_the_encoder() {
        let mut writer = ObjectWriter::new();
        writer.text("t", "é");
        writer.optional_text("o", None);
        writer.integer("i", -3);
        writer.texts("m", [("k", "v"), ("l", "w")]);
        writer.value("v", &Value::Array(vec![Value::Null]));
        assert_eq!(
            writer.finish(),
            r#"{"t": "\u00e9", "o": null, "i": -3, "m": {"k": "v", "l": "w"}, "v": [null]}"#
        );
        assert_eq!(ObjectWriter::new().finish(), "{}");
    }
}
