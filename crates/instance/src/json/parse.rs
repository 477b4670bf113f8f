//! Text → value, accepting what Python's `json.loads` accepts.

use std::collections::HashMap;
use std::fmt;

use crate::Value;

/// The longest text that [`parse`] takes, in bytes.
///
/// Vendor data reaches a guest whole and cloud-init holds it in memory several times; the
/// largest in the field are some tens of KiB. A parsed text takes up to some thirty times
/// its size.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// How deep arrays and objects may stand in one another.
///
/// Python gives up near 1000 (its recursion limit, less what called it). Half of that
/// keeps our own recursion far from the end of the smallest stack.
pub const MAX_DEPTH: usize = 512;

/// How many digits an integer may have: Python's own bound on conversion
/// (`sys.int_info.default_max_str_digits`), past which its parser raises `ValueError`.
pub const MAX_INTEGER_DIGITS: usize = 4300;

/// Why a text is not JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The text is longer than [`MAX_BYTES`].
    TooLong,
    /// Containers stand deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A value was expected here.
    ExpectedValue,
    /// A member's name in double quotes was expected here.
    ExpectedName,
    /// `:` was expected after a member's name.
    ExpectedColon,
    /// `,` or the closing bracket was expected here.
    ExpectedCommaOrEnd,
    /// Something follows the value.
    TrailingText,
    /// A string has no closing quote.
    UnterminatedString,
    /// A control character stands in a string without an escape.
    ControlCharacter,
    /// A backslash sequence that JSON does not know.
    InvalidEscape,
    /// Half of a surrogate pair. Python passes it on; text in UTF-8 cannot hold it.
    LoneSurrogate,
    /// An integer of more than [`MAX_INTEGER_DIGITS`] digits.
    IntegerTooLong,
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(formatter, "longer than {MAX_BYTES} bytes"),
            Self::TooDeep => write!(formatter, "nested deeper than {MAX_DEPTH} levels"),
            Self::ExpectedValue => formatter.write_str("expected a value"),
            Self::ExpectedName => formatter.write_str("expected a name in double quotes"),
            Self::ExpectedColon => formatter.write_str("expected `:`"),
            Self::ExpectedCommaOrEnd => formatter.write_str("expected `,` or a closing bracket"),
            Self::TrailingText => formatter.write_str("text after the end of the value"),
            Self::UnterminatedString => formatter.write_str("the string has no closing quote"),
            Self::ControlCharacter => {
                formatter.write_str("a control character in a string needs an escape")
            }
            Self::InvalidEscape => formatter.write_str("unknown escape sequence"),
            Self::LoneSurrogate => formatter.write_str("half of a surrogate pair"),
            Self::IntegerTooLong => write!(
                formatter,
                "an integer of more than {MAX_INTEGER_DIGITS} digits"
            ),
        }
    }
}

/// Parses one JSON value of any kind.
///
/// As Python's `json.loads`: `NaN`, `Infinity` and `-Infinity` are numbers, an integer keeps
/// all its digits (`-0` is 0), a number with a fraction or an exponent becomes a float that
/// may overflow to an infinity, and of several members with one name the last value stands
/// at the place of the first. Unlike it, half of a surrogate pair is refused.
///
/// # Errors
///
/// Fails on the first thing that is not JSON, and on the limits [`MAX_BYTES`],
/// [`MAX_DEPTH`] and [`MAX_INTEGER_DIGITS`]. The error never quotes the text.
pub fn parse(text: &str) -> Result<Value, ParseError> {
    let mut parser = Parser {
        text,
        position: 0,
        depth: 0,
    };
    if text.len() > MAX_BYTES {
        return Err(parser.error(ParseErrorKind::TooLong));
    }
    parser.skip_whitespace();
    let value = parser.value()?;
    parser.skip_whitespace();
    if parser.position < text.len() {
        return Err(parser.error(ParseErrorKind::TrailingText));
    }
    Ok(value)
}

/// Objects of more members than this are indexed while they grow, so that a large one with
/// distinct names costs no quadratic search.
const INDEXED_FROM: usize = 16;

struct Parser<'a> {
    text: &'a str,
    /// Byte offset of the next character; always on a character boundary.
    position: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, kind: ParseErrorKind) -> ParseError {
        self.error_at(self.position, kind)
    }

    fn error_at(&self, position: usize, kind: ParseErrorKind) -> ParseError {
        let before = self.text.get(..position).unwrap_or(self.text);
        let last_line = before.rsplit('\n').next().unwrap_or(before);
        ParseError {
            kind,
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            column: last_line.chars().count() + 1,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or("")
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    /// Takes an ASCII byte if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.position += 1;
        }
        found
    }

    /// Takes a word if it comes next.
    fn take_word(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.position += word.len();
        }
        found
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    fn value(&mut self) -> Result<Value, ParseError> {
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.take_word("null") => Ok(Value::Null),
            _ if self.take_word("true") => Ok(Value::Bool(true)),
            _ if self.take_word("false") => Ok(Value::Bool(false)),
            _ if self.take_word("NaN") => Ok(Value::Float(f64::NAN)),
            _ if self.take_word("Infinity") => Ok(Value::Float(f64::INFINITY)),
            _ => Err(self.error(ParseErrorKind::ExpectedValue)),
        }
    }

    /// Parses a container after its opening bracket, one level deeper.
    fn nested(
        &mut self,
        container: fn(&mut Self) -> Result<Value, ParseError>,
    ) -> Result<Value, ParseError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(ParseErrorKind::TooDeep));
        }
        self.depth += 1;
        self.position += 1;
        self.skip_whitespace();
        let value = container(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, ParseError> {
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.skip_whitespace();
            items.push(self.value()?);
            self.skip_whitespace();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            if !self.take(b',') {
                return Err(self.error(ParseErrorKind::ExpectedCommaOrEnd));
            }
        }
    }

    fn object(&mut self) -> Result<Value, ParseError> {
        let mut members = Members::default();
        if self.take(b'}') {
            return Ok(Value::Object(members.list));
        }
        loop {
            self.skip_whitespace();
            if self.peek() != Some(b'"') {
                return Err(self.error(ParseErrorKind::ExpectedName));
            }
            let name = self.string()?;
            self.skip_whitespace();
            if !self.take(b':') {
                return Err(self.error(ParseErrorKind::ExpectedColon));
            }
            self.skip_whitespace();
            let value = self.value()?;
            members.set(name, value);
            self.skip_whitespace();
            if self.take(b'}') {
                return Ok(Value::Object(members.list));
            }
            if !self.take(b',') {
                return Err(self.error(ParseErrorKind::ExpectedCommaOrEnd));
            }
        }
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        if self.take_word("-Infinity") {
            return Ok(Value::Float(f64::NEG_INFINITY));
        }
        let start = self.position;
        let negative = self.take(b'-');
        let digits_start = self.position;
        if !self.take(b'0') && self.skip_digits() == 0 {
            return Err(self.error_at(start, ParseErrorKind::ExpectedValue));
        }
        let digits_end = self.position;

        // A point or an `e` without a digit behind it does not belong to the number.
        let mut float = false;
        if self.take(b'.') {
            if self.skip_digits() > 0 {
                float = true;
            } else {
                self.position = digits_end;
            }
        }
        let mantissa_end = self.position;
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            if self.skip_digits() > 0 {
                float = true;
            } else {
                self.position = mantissa_end;
            }
        }

        let text = self.text.get(start..self.position).unwrap_or("");
        if float {
            // Rust's grammar contains JSON's, so this cannot fail; it rounds correctly and
            // overflows to an infinity, as Python does.
            let number = text
                .parse()
                .map_err(|_| self.error_at(start, ParseErrorKind::ExpectedValue))?;
            return Ok(Value::Float(number));
        }
        if digits_end - digits_start > MAX_INTEGER_DIGITS {
            return Err(self.error_at(start, ParseErrorKind::IntegerTooLong));
        }
        Ok(Value::Integer(if negative && text == "-0" {
            "0".to_owned()
        } else {
            text.to_owned()
        }))
    }

    /// Skips digits and returns how many there were.
    fn skip_digits(&mut self) -> usize {
        let start = self.position;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.position += 1;
        }
        self.position - start
    }

    /// Parses a string from its opening quote on.
    fn string(&mut self) -> Result<String, ParseError> {
        let start = self.position;
        self.position += 1;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let Some(end) = rest
                .bytes()
                .position(|byte| byte == b'"' || byte == b'\\' || byte < b' ')
            else {
                return Err(self.error_at(start, ParseErrorKind::UnterminatedString));
            };
            // Found bytes are ASCII, so `end` is a character boundary.
            out.push_str(rest.get(..end).unwrap_or(""));
            self.position += end;
            match self.peek() {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape(start)?),
                _ => return Err(self.error(ParseErrorKind::ControlCharacter)),
            }
        }
    }

    /// Parses an escape sequence from its backslash on; the string began at `start`.
    fn escape(&mut self, start: usize) -> Result<char, ParseError> {
        let escape = self.position;
        self.position += 1;
        let Some(letter) = self.peek() else {
            return Err(self.error_at(start, ParseErrorKind::UnterminatedString));
        };
        self.position += 1;
        let character = match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.code_unit(escape)?;
                let pair = if (0xd800..0xdc00).contains(&first) && self.take_word("\\u") {
                    vec![first, self.code_unit(escape)?]
                } else {
                    vec![first]
                };
                // One unit or a pair makes one character, or is no text at all.
                let mut decoded = char::decode_utf16(pair);
                match (decoded.next(), decoded.next()) {
                    (Some(Ok(character)), None) => character,
                    _ => return Err(self.error_at(escape, ParseErrorKind::LoneSurrogate)),
                }
            }
            _ => return Err(self.error_at(escape, ParseErrorKind::InvalidEscape)),
        };
        Ok(character)
    }

    /// Takes four hexadecimal digits.
    fn code_unit(&mut self, escape: usize) -> Result<u16, ParseError> {
        let digits = self
            .rest()
            .get(..4)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(unit) = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()) else {
            return Err(self.error_at(escape, ParseErrorKind::InvalidEscape));
        };
        self.position += 4;
        Ok(unit)
    }
}

/// The members of an object under construction.
#[derive(Default)]
struct Members {
    list: Vec<(String, Value)>,
    /// Places by name; empty while the list is short enough to be searched.
    places: HashMap<String, usize>,
}

impl Members {
    /// Sets a member as Python's dictionaries do: a repeated name keeps its first place and
    /// takes the last value.
    fn set(&mut self, name: String, value: Value) {
        let place = if self.list.len() < INDEXED_FROM {
            self.list.iter().position(|(known, _)| *known == name)
        } else {
            if self.places.is_empty() {
                let known = self.list.iter().enumerate();
                self.places = known.map(|(at, (name, _))| (name.clone(), at)).collect();
            }
            self.places.get(&name).copied()
        };
        if let Some((_, old)) = place.and_then(|place| self.list.get_mut(place)) {
            *old = value;
            return;
        }
        if !self.places.is_empty() {
            self.places.insert(name.clone(), self.list.len());
        }
        self.list.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::encode;

    fn check(text: &str, expected: &str) {
        assert_eq!(encode(&parse(text).expect(text)), expected, "{text}");
    }

    // Each answer was taken from CPython 3.11, `json.dumps(json.loads(text))`.
    #[test]
    fn accepts_what_python_accepts() {
        check(" null ", "null");
        check("\t\r\n[ 1 ,\n2 ]", "[1, 2]");
        check("{\"a\":1,\"b\":2,\"a\":3}", r#"{"a": 3, "b": 2}"#);
        check("[NaN,Infinity,-Infinity]", "[NaN, Infinity, -Infinity]");
        check("[-0,-0.0,0,-12]", "[0, -0.0, 0, -12]");
        check(
            "123456789012345678901234567890",
            "123456789012345678901234567890",
        );
        check(
            "[1.0,1e2,1E+2,1.50,1e400,-1e-400]",
            "[1.0, 100.0, 100.0, 1.5, Infinity, -0.0]",
        );
        check(r#""\u00e9\uD83D\ude00\/\b""#, r#""\u00e9\ud83d\ude00/\b""#);
        check("\"é\u{7f}\"", r#""\u00e9\u007f""#);
        check("{}", "{}");
        check("[[],{}]", "[[], {}]");
    }

    fn check_error(text: &str, kind: ParseErrorKind, line: usize, column: usize) {
        assert_eq!(
            parse(text),
            Err(ParseError { kind, line, column }),
            "{text}"
        );
    }

    #[test]
    fn refuses_what_python_refuses_and_says_where() {
        use ParseErrorKind::*;
        check_error("", ExpectedValue, 1, 1);
        check_error("\u{feff}{}", ExpectedValue, 1, 1);
        check_error("{not json", ExpectedName, 1, 2);
        check_error("{\"a\" 1}", ExpectedColon, 1, 6);
        check_error("[1,]", ExpectedValue, 1, 4);
        check_error("{\"a\":1,}", ExpectedName, 1, 8);
        check_error("[1\n 2]", ExpectedCommaOrEnd, 2, 2);
        check_error("{\"a\": 1 2}", ExpectedCommaOrEnd, 1, 9);
        check_error("01", TrailingText, 1, 2);
        check_error("1.", TrailingText, 1, 2);
        check_error("1.5e", TrailingText, 1, 4);
        check_error("-", ExpectedValue, 1, 1);
        check_error("+1", ExpectedValue, 1, 1);
        check_error("-NaN", ExpectedValue, 1, 1);
        check_error("\"a", UnterminatedString, 1, 1);
        check_error("\"a\\", UnterminatedString, 1, 1);
        check_error("\"é\tb\"", ControlCharacter, 1, 3);
        check_error(r#""\x""#, InvalidEscape, 1, 2);
        check_error(r#""\u12g4""#, InvalidEscape, 1, 2);
        check_error(r#""\u+123""#, InvalidEscape, 1, 2);
        check_error("true false", TrailingText, 1, 6);
    }

    #[test]
    fn refuses_half_of_a_surrogate_pair() {
        use ParseErrorKind::LoneSurrogate;
        check_error(r#""\ud83d""#, LoneSurrogate, 1, 2);
        check_error(r#""\ude00""#, LoneSurrogate, 1, 2);
        check_error(r#""\ud83d\u0041""#, LoneSurrogate, 1, 2);
    }

    #[test]
    fn bounds_depth_size_and_digits() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        check_error(
            &nested(MAX_DEPTH + 1),
            ParseErrorKind::TooDeep,
            1,
            MAX_DEPTH + 1,
        );
        check_error(
            &"[".repeat(MAX_BYTES),
            ParseErrorKind::TooDeep,
            1,
            MAX_DEPTH + 1,
        );
        check_error(&" ".repeat(MAX_BYTES + 1), ParseErrorKind::TooLong, 1, 1);
        let digits = "9".repeat(MAX_INTEGER_DIGITS);
        check(&format!("-{digits}"), &format!("-{digits}"));
        check_error(&format!("{digits}9"), ParseErrorKind::IntegerTooLong, 1, 1);
    }

    #[test]
    fn large_objects_keep_the_rule_for_repeated_names() {
        let members: Vec<String> = (0..100)
            .chain([3, 50])
            .enumerate()
            .map(|(value, name)| format!("\"n{name}\": {value}"))
            .collect();
        let value = parse(&format!("{{{}}}", members.join(", "))).expect("it is JSON");
        let Value::Object(members) = value else {
            panic!("an object was parsed");
        };
        assert_eq!(members.len(), 100);
        assert_eq!(
            members[3],
            ("n3".to_owned(), Value::Integer("100".to_owned()))
        );
        assert_eq!(
            members[50],
            ("n50".to_owned(), Value::Integer("101".to_owned()))
        );
    }
}
