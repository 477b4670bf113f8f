//! Text to a tree that remembers where everything stood: YAML and JSON alike.
//!
//! Nothing is decided here about what a description means. The tree keeps duplicate keys
//! and the way scalars were written, so that the walk in [`crate::description`] can name
//! the place and the text of each mistake.

mod json;
mod yaml;

use std::fmt;

use crate::Value;

/// Bytes of text that are read at most. Four times the largest thing a description usually
/// carries (files and user data in base64); more than that is a mistake or an attack.
pub const MAX_TEXT_BYTES: usize = 16 << 20;

/// Levels of lists and mappings. The deepest field of the format is at level 8; the rest is
/// for inline cloud-config. Bounds every recursion over a tree.
pub const MAX_DEPTH: usize = 64;

/// Nodes of a tree once aliases are expanded; bounds the memory for small hostile texts.
pub const MAX_NODES: usize = 500_000;

/// A range of bytes of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

/// A value and its place.
#[derive(Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of node: JSON's, which are YAML 1.2's core schema.
#[derive(Clone, PartialEq)]
pub enum Kind {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(String),
    /// Text.
    Text {
        /// The text, escapes resolved.
        text: String,
        /// Written in YAML without quotes, so that an older reader may see no text in it
        /// (`yes`, `2026-01-15`).
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping, in order; keys may occur more than once.
    Mapping(Vec<Member>),
}

/// One key of a mapping and its value.
#[derive(Clone, PartialEq)]
pub struct Member {
    /// The key's text.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// Something wrong with the text itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub span: Span,
    /// What.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The languages a tree is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// RFC 8259, and nothing more.
    Json,
    /// YAML 1.2, core schema; one document.
    Yaml,
}

/// Parses text in the given language.
///
/// # Errors
///
/// All problems that were found: for JSON the first, for YAML every one that does not hide
/// the structure, and the first that does.
pub fn parse(text: &str, syntax: Syntax) -> Result<Node, Vec<Problem>> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(vec![Problem::new(
            Span::default(),
            format!(
                "the text has {} bytes, more than {MAX_TEXT_BYTES}",
                text.len()
            ),
        )]);
    }
    match syntax {
        Syntax::Json => json::parse(text).map_err(|problem| vec![problem]),
        Syntax::Yaml => yaml::parse(text),
    }
}

/// Parses text in either language and says which one it was.
///
/// Text that begins with `{` or `[` is tried as JSON first. When it is neither, the problems
/// are JSON's if the text looks like JSON (the first key is quoted), else YAML's.
///
/// # Errors
///
/// The problems, as for [`parse`].
pub fn parse_any(text: &str) -> Result<(Node, Syntax), Vec<Problem>> {
    let inner = text.trim_start_matches('\u{feff}').trim_start();
    if !inner.starts_with(['{', '[']) {
        return parse(text, Syntax::Yaml).map(|node| (node, Syntax::Yaml));
    }
    let json = match parse(text, Syntax::Json) {
        Ok(node) => return Ok((node, Syntax::Json)),
        Err(problems) => problems,
    };
    match parse(text, Syntax::Yaml) {
        Ok(node) => Ok((node, Syntax::Yaml)),
        Err(_) if inner[1..].trim_start().starts_with(['"', '{', '[']) => Err(json),
        Err(yaml) => Err(yaml),
    }
}

impl Node {
    /// Returns the text of a text node.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Returns the first member of a mapping with this key, null or not.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.members()
            .iter()
            .find_map(|member| (member.key == key).then_some(&member.value))
    }

    /// Returns the members of a mapping; none for anything else.
    pub fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Mapping(members) => members,
            _ => &[],
        }
    }

    /// Returns the items of a list; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// Names the kind in prose.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::Text { .. } => "text",
            Kind::List(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        }
    }

    /// Converts to a JSON value; of a duplicate key the first is kept.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(flag) => Value::Bool(*flag),
            Kind::Number(text) => number(text),
            Kind::Text { text, .. } => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Kind::Mapping(members) => {
                let mut seen = std::collections::HashSet::new();
                Value::Object(
                    members
                        .iter()
                        .filter(|member| seen.insert(member.key.as_str()))
                        .map(|member| (member.key.clone(), member.value.to_value()))
                        .collect(),
                )
            }
        }
    }
}

/// Reads a number as it was written in JSON or in YAML's core schema.
fn number(text: &str) -> Value {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let radix = |digits: &str, radix| {
        u128::from_str_radix(digits, radix).map_or(Value::Float(f64::INFINITY), |number| {
            Value::Integer(number.to_string())
        })
    };
    if let Some(hexadecimal) = digits.strip_prefix("0x") {
        return radix(hexadecimal, 16);
    }
    if let Some(octal) = digits.strip_prefix("0o") {
        return radix(octal, 8);
    }
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = digits.trim_start_matches('0');
        return Value::Integer(match (digits, negative) {
            ("", _) => "0".to_owned(),
            (digits, true) => format!("-{digits}"),
            (digits, false) => digits.to_owned(),
        });
    }
    let magnitude = match digits {
        ".inf" | ".Inf" | ".INF" => f64::INFINITY,
        ".nan" | ".NaN" | ".NAN" => f64::NAN,
        // Whatever is called a number here fits the grammar of `f64`, whose parser is
        // bounded and rounds correctly.
        other => other.parse().unwrap_or(f64::NAN),
    };
    Value::Float(if negative { -magnitude } else { magnitude })
}

impl fmt::Debug for Node {
    /// Shows kind and place, never text: there may be passwords in it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Node({} at {}..{})",
            self.kind_name(),
            self.span.start,
            self.span.end
        )
    }
}

impl fmt::Debug for Kind {
    /// Shows no content: there may be passwords in it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool",
            Self::Number(_) => "Number",
            Self::Text { .. } => "Text",
            Self::List(_) => "List",
            Self::Mapping(_) => "Mapping",
        })
    }
}

impl fmt::Debug for Member {
    /// Shows the key and the kind of the value.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {:?}", self.key, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_language_is_recognised() {
        #[track_caller]
        fn check(text: &str, expected: Result<Syntax, &str>) {
            let found = parse_any(text)
                .map(|(_, syntax)| syntax)
                .map_err(|problems| problems[0].message.clone());
            match (&found, expected) {
                (Ok(syntax), Ok(expected)) => assert_eq!(*syntax, expected),
                (Err(message), Err(part)) => assert!(message.contains(part), "{message}"),
                _ => panic!("{text:?}: {found:?}"),
            }
        }
        check("a: 1", Ok(Syntax::Yaml));
        check(" \n{\"a\": 1}", Ok(Syntax::Json));
        check("\u{feff}{\"a\": 1}", Ok(Syntax::Json));
        check("{a: 1}", Ok(Syntax::Yaml));
        check("{\"a\": 1,} # YAML allows both", Ok(Syntax::Yaml));
        check("{\"a\": 1, \"b\" \"c\"}", Err("expected `:`"));
        check("[\"a\", 1", Err("end of the text"));
    }

    #[test]
    fn numbers_keep_their_value() {
        #[track_caller]
        fn check(text: &str, expected: Value) {
            assert_eq!(number(text), expected, "{text}");
        }
        check("0", Value::Integer("0".into()));
        check("-0012", Value::Integer("-12".into()));
        check("+7", Value::Integer("7".into()));
        check("0x1F", Value::Integer("31".into()));
        check("0o644", Value::Integer("420".into()));
        check(
            "123456789012345678901234567890",
            Value::Integer("123456789012345678901234567890".into()),
        );
        check("1.5e3", Value::Float(1500.0));
        check("-.inf", Value::Float(f64::NEG_INFINITY));
    }
}
