//! The grammar in which LVM2 writes down a volume group, as hostile input.

use crate::error::{Corrupt, Result};

/// Metadata longer than this is not read: ten thousand volumes need less.
pub(super) const MOST_TEXT_BYTES: usize = 4 << 20;

/// A group nests four sections; lists do not nest.
const MOST_DEPTH: u32 = 8;

/// A section: what is between braces, in the order written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    entries: Vec<(String, Node)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Section(Section),
    Value(Value),
}

/// What follows an equals sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A whole number.
    Integer(i64),
    /// A text in quotes, or a number with a fraction as it stands.
    Text(String),
    /// Values in brackets.
    List(Vec<Self>),
}

impl Section {
    pub(super) fn section(&self, name: &str) -> Option<&Self> {
        self.sections()
            .find_map(|(entry, section)| (entry == name).then_some(section))
    }

    pub(super) fn sections(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.entries.iter().filter_map(|(name, node)| match node {
            Node::Section(section) => Some((name.as_str(), section)),
            Node::Value(_) => None,
        })
    }

    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().filter_map(|(name, node)| match node {
            Node::Value(value) => Some((name.as_str(), value)),
            Node::Section(_) => None,
        })
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.values()
            .find_map(|(entry, value)| (entry == name).then_some(value))
    }

    /// Returns a number that cannot be negative.
    pub(super) fn number(&self, name: &'static str) -> Result<u64> {
        match self.value(name) {
            Some(Value::Integer(number)) if *number >= 0 => Ok(number.unsigned_abs()),
            _ => Err(missing(name, "a number")),
        }
    }

    pub(super) fn text(&self, name: &'static str) -> Result<&str> {
        match self.value(name) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(missing(name, "a text")),
        }
    }

    /// Returns a list of texts; one text alone counts as a list, and so does nothing.
    pub(super) fn texts(&self, name: &'static str) -> Result<Vec<&str>> {
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(Value::Text(text)) => Ok(vec![text]),
            Some(Value::List(list)) => list
                .iter()
                .map(|value| match value {
                    Value::Text(text) => Ok(text.as_str()),
                    _ => Err(missing(name, "a list of texts")),
                })
                .collect(),
            Some(Value::Integer(_)) => Err(missing(name, "a list of texts")),
        }
    }
}

fn missing(name: &str, kind: &str) -> crate::error::Error {
    corrupt(0, format!("`{name}` must be {kind}")).into()
}

/// Says that the text breaks a rule at an offset.
pub(super) fn corrupt(place: usize, rule: impl Into<String>) -> Corrupt {
    Corrupt::new("LVM2 metadata", place as u64, rule)
}

/// Parses a text (libdm `libdm-config.c`, `_file`).
pub(super) fn parse(text: &[u8]) -> Result<Section> {
    if text.len() > MOST_TEXT_BYTES {
        let rule = format!("it may have at most {MOST_TEXT_BYTES} bytes");
        return Err(corrupt(0, rule).into());
    }
    let mut parser = Parser { text, place: 0 };
    let section = parser.section(0)?;
    parser.blank();
    // A NUL ends the text; LVM2 writes one behind it.
    match parser.peek() {
        None | Some(0) => Ok(section),
        Some(_) => Err(parser.wrong("a name or the end").into()),
    }
}

struct Parser<'a> {
    text: &'a [u8],
    place: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.place).copied()
    }

    fn wrong(&self, expected: &str) -> Corrupt {
        corrupt(self.place, format!("{expected} must follow"))
    }

    /// Skips blanks and comments.
    fn blank(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.place += 1,
                b'#' => self.word(|byte| byte != b'\n'),
                _ => break,
            }
        }
    }

    fn word(&mut self, belongs: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&belongs) {
            self.place += 1;
        }
    }

    fn taken(&self, start: usize) -> String {
        String::from_utf8_lossy(&self.text[start..self.place]).into_owned()
    }

    fn section(&mut self, depth: u32) -> Result<Section> {
        if depth > MOST_DEPTH {
            let rule = format!("sections may nest {MOST_DEPTH} deep");
            return Err(corrupt(self.place, rule).into());
        }
        let opened = self.place;
        let mut entries = Vec::new();
        loop {
            self.blank();
            let start = self.place;
            self.word(|byte| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte));
            if start == self.place {
                break;
            }
            let name = self.taken(start);
            self.blank();
            let node = match self.peek() {
                Some(b'{') => {
                    self.place += 1;
                    let section = self.section(depth + 1)?;
                    if self.peek() != Some(b'}') {
                        return Err(self.wrong("a name or `}`").into());
                    }
                    self.place += 1;
                    Node::Section(section)
                }
                Some(b'=') => {
                    self.place += 1;
                    Node::Value(self.value()?)
                }
                _ => return Err(self.wrong("`{` or `=`").into()),
            };
            entries.push((name, node));
        }
        let mut names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(corrupt(opened, format!("`{}` may stand only once", pair[0])).into());
        }
        Ok(Section { entries })
    }

    fn value(&mut self) -> Result<Value> {
        self.blank();
        if self.peek() != Some(b'[') {
            return self.single();
        }
        self.place += 1;
        let mut list = Vec::new();
        loop {
            self.blank();
            if self.peek() == Some(b']') {
                self.place += 1;
                return Ok(Value::List(list));
            }
            list.push(self.single()?);
            self.blank();
            match self.peek() {
                Some(b',') => self.place += 1,
                Some(b']') => {}
                _ => return Err(self.wrong("`,` or `]`").into()),
            }
        }
    }

    fn single(&mut self) -> Result<Value> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(byte) if byte == b'-' || byte.is_ascii_digit() => {
                let start = self.place;
                self.place += 1;
                self.word(|byte| byte.is_ascii_digit() || byte == b'.');
                let text = self.taken(start);
                match text.parse() {
                    Ok(number) => Ok(Value::Integer(number)),
                    Err(_) if text.contains('.') => Ok(Value::Text(text)),
                    Err(_) => Err(corrupt(start, "a number must have at most 63 bits").into()),
                }
            }
            _ => Err(self.wrong("a text, a number or a list").into()),
        }
    }

    /// In quotes a backslash stands before a quote or a backslash.
    fn quoted(&mut self) -> Result<Value> {
        let opened = self.place;
        self.place += 1;
        let mut bytes = Vec::new();
        loop {
            let Some(byte) = self.peek().filter(|byte| *byte != 0) else {
                return Err(corrupt(opened, "a text must end with a quote").into());
            };
            self.place += 1;
            match byte {
                b'"' => break,
                b'\\' if matches!(self.peek(), Some(b'"' | b'\\')) => {
                    bytes.extend(self.peek());
                    self.place += 1;
                }
                _ => bytes.push(byte),
            }
        }
        Ok(Value::Text(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lvm_writes() {
        let text = b"# a comment\ngroup {\n\tid = \"a\\\"b\"\n\tn = -3\tr = 0.5 # more\n\tl = [\"x\", 2]\n e=[]\n\tsub {}\n}\nversion = 1\n\0";
        let section = parse(text).unwrap();
        assert_eq!(section.number("version").unwrap(), 1);
        let group = section.section("group").unwrap();
        assert_eq!(group.text("id").unwrap(), "a\"b");
        assert_eq!(group.value("n"), Some(&Value::Integer(-3)));
        assert!(group.number("n").is_err());
        assert_eq!(
            group.value("l"),
            Some(&Value::List(vec![
                Value::Text("x".into()),
                Value::Integer(2)
            ]))
        );
        assert!(group.texts("e").unwrap().is_empty());
        assert!(group.section("sub").is_some());
    }

    #[test]
    fn what_is_refused() {
        let deep = "a {".repeat(10_000);
        for (text, rule) in [
            ("a", "`{` or `=` must follow"),
            ("a {", "a name or `}` must follow"),
            ("a = ", "a text, a number or a list must follow"),
            ("a = [1 2]", "`,` or `]` must follow"),
            ("a = [[1]]", "a text, a number or a list must follow"),
            ("a = \"b", "must end with a quote"),
            ("a = \"b\\", "must end with a quote"),
            ("a = 99999999999999999999", "at most 63 bits"),
            ("a = 1 a = 2", "`a` may stand only once"),
            ("}", "a name or the end must follow"),
            (deep.as_str(), "sections may nest 8 deep"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(rule), "{error}");
        }
        assert!(parse(&vec![b' '; MOST_TEXT_BYTES + 1]).is_err());
    }
}
