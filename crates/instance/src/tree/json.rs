//! JSON with positions: RFC 8259 to the letter.

use super::{Kind, MAX_DEPTH, MAX_NODES, Member, Node, Problem, Span};

/// Parses a JSON text; a byte order mark before it is skipped (RFC 8259 §8.1 allows that).
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let start = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let mut parser = Parser {
        text,
        bytes: text.as_bytes(),
        at: start,
        nodes: 0,
    };
    parser.skip_space();
    let node = parser.value(0)?;
    parser.skip_space();
    if parser.at < text.len() {
        return Err(parser.problem("there is more text after the end of the value"));
    }
    Ok(node)
}

struct Parser<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    nodes: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// A problem with the character at the current place.
    fn problem(&self, message: impl Into<String>) -> Problem {
        let length = self.text[self.at..]
            .chars()
            .next()
            .map_or(0, char::len_utf8);
        let span = Span {
            start: self.at,
            end: self.at + length,
        };
        Problem::new(span, message)
    }

    fn unexpected(&self, wanted: &str) -> Problem {
        match self
            .text
            .get(self.at..)
            .and_then(|rest| rest.chars().next())
        {
            None => self.problem(format!("expected {wanted}, found the end of the text")),
            Some('\'') => self
                .problem(format!("expected {wanted}, found `'`"))
                .hint("JSON text stands in double quotes"),
            Some(found) if found.is_control() => self.problem(format!(
                "expected {wanted}, found `{}`",
                found.escape_default()
            )),
            Some(found) => self.problem(format!("expected {wanted}, found `{found}`")),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Problem> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.problem(format!("more than {MAX_NODES} values")));
        }
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Kind::Text {
                text: self.string()?,
                plain: false,
            },
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.word()?,
        };
        Ok(Node {
            kind,
            span: Span {
                start,
                end: self.at,
            },
        })
    }

    fn word(&mut self) -> Result<Kind, Problem> {
        for (word, kind) in [
            ("null", Kind::Null),
            ("true", Kind::Bool(true)),
            ("false", Kind::Bool(false)),
        ] {
            if self.bytes[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(kind);
            }
        }
        Err(self.unexpected("a value"))
    }

    fn deeper(&self, depth: usize) -> Result<usize, Problem> {
        if depth >= MAX_DEPTH {
            return Err(self.problem(format!("nested more than {MAX_DEPTH} levels deep")));
        }
        Ok(depth + 1)
    }

    fn array(&mut self, depth: usize) -> Result<Kind, Problem> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Kind::List(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(depth)?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Kind::List(items));
                }
                _ => return Err(self.unexpected("`,` or `]`")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Kind, Problem> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        let mut members = Vec::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Kind::Mapping(members));
        }
        loop {
            self.skip_space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in double quotes"));
            }
            let key = self.string()?;
            let key_span = Span {
                start,
                end: self.at,
            };
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("`:`"));
            }
            self.at += 1;
            self.skip_space();
            let value = self.value(depth)?;
            members.push(Member {
                key,
                key_span,
                value,
            });
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Kind::Mapping(members));
                }
                _ => return Err(self.unexpected("`,` or `}`")),
            }
        }
    }

    fn digits(&mut self) -> Result<(), Problem> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.unexpected("a digit"));
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Kind, Problem> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if let Some(b'0'..=b'9') = self.peek() {
                return Err(self
                    .problem("a JSON number does not begin with `0`")
                    .hint("write it as text, in double quotes"));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Kind::Number(self.text[start..self.at].to_owned()))
    }

    fn string(&mut self) -> Result<String, Problem> {
        let opening = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let run = self.at;
            while self
                .peek()
                .is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f))
            {
                self.at += 1;
            }
            // The run stops only at ASCII bytes, so both ends are character boundaries.
            text.push_str(&self.text[run..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(byte) => {
                    return Err(self
                        .problem(format!("a control character (U+{byte:04X}) inside text"))
                        .hint("write it as an escape, such as `\\n`"));
                }
                None => {
                    let span = Span {
                        start: opening,
                        end: opening + 1,
                    };
                    return Err(Problem::new(span, "this text has no closing `\"`"));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Problem> {
        let start = self.at;
        self.at += 1;
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(start),
            _ => return Err(self.unexpected("one of `\"\\/bfnrtu` after `\\`")),
        };
        self.at += 1;
        Ok(character)
    }

    /// `\uXXXX`, or two of them that make a surrogate pair.
    fn unicode(&mut self, start: usize) -> Result<char, Problem> {
        let first = self.four_digits()?;
        let code = if (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u")
        {
            self.at += 1;
            let second = self.four_digits()?;
            if (0xdc00..0xe000).contains(&second) {
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            } else {
                first
            }
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| {
            let span = Span {
                start,
                end: self.at,
            };
            Problem::new(span, "half of a surrogate pair is no character")
        })
    }

    /// Reads `uXXXX` at the current place.
    fn four_digits(&mut self) -> Result<u32, Problem> {
        self.at += 1;
        let mut code = 0;
        for _ in 0..4 {
            let digit = self
                .peek()
                .and_then(|byte| char::from(byte).to_digit(16))
                .ok_or_else(|| self.unexpected("a hexadecimal digit"))?;
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_unescaped() {
        #[track_caller]
        fn check(json: &str, expected: &str) {
            assert_eq!(parse(json).unwrap().as_text(), Some(expected));
        }
        check(r#""\ud83d\ude00""#, "😀");
        check(r#""a\tb\u0001\"\\\/é""#, "a\tb\u{1}\"\\/é");
    }

    #[test]
    fn places_are_bytes_of_the_text() {
        let node = parse(" {\"é\": [1, true]}").unwrap();
        let member = &node.members()[0];
        assert_eq!(member.key_span, Span { start: 2, end: 6 });
        assert_eq!(member.value.items()[1].span, Span { start: 12, end: 16 });
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        #[track_caller]
        fn check(json: &str, start: usize, message: &str) {
            let problem = parse(json).unwrap_err();
            assert!(problem.message.contains(message), "{problem:?}");
            assert_eq!(problem.span.start, start, "{problem:?}");
        }
        check("", 0, "end of the text");
        check("{\"a\": 1,}", 8, "expected a key");
        check("{'a': 1}", 1, "found `'`");
        check("[01]", 2, "does not begin with `0`");
        check("[1.]", 3, "a digit");
        check("\"a\nb\"", 2, "U+000A");
        check("[\"abc", 1, "no closing");
        check(r#""\ud83d""#, 1, "surrogate");
        check(r#""\x""#, 2, "after `\\`");
        check("1 2", 2, "more text");
        check("nul", 0, "a value");
        check(&"[".repeat(100_000), MAX_DEPTH, "levels deep");
    }
}
