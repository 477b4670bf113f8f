//! YAML with positions, on the events of `granit-parser`.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle};

use super::{Kind, MAX_DEPTH, MAX_NODES, MAX_TEXT_BYTES, Member, Node, Problem, Span};

/// Parses one YAML document; an empty one is null.
pub(super) fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    let options = granit_parser::options! {
        emit_comments: false,
        disallow_directives: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder {
        text,
        ..Builder::default()
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let result = match event {
            Ok((event, span)) => {
                let span = span.byte_range().unwrap_or_default();
                builder.take(
                    event,
                    Span {
                        start: span.start.min(text.len()),
                        end: span.end.min(text.len()),
                    },
                )
            }
            Err(error) => Err(syntax_error(text, &error)),
        };
        if let Err(problem) = result {
            builder.problems.push(problem);
            return Err(builder.problems);
        }
    }
    if !builder.problems.is_empty() {
        return Err(builder.problems);
    }
    Ok(builder.root.unwrap_or(Node {
        kind: Kind::Null,
        span: Span::default(),
    }))
}

fn syntax_error(text: &str, error: &granit_parser::ScanError) -> Problem {
    let start = error
        .marker()
        .byte_offset()
        .unwrap_or(text.len())
        .min(text.len());
    let length = text
        .get(start..)
        .and_then(|rest| rest.chars().next())
        .filter(|character| *character != '\n')
        .map_or(0, char::len_utf8);
    let span = Span {
        start,
        end: start + length,
    };
    let info = error.info();
    let problem = Problem::new(span, format!("this is not YAML: {info}"));
    let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let mut indent = text[line..].chars().take_while(|c| " \t".contains(*c));
    if info.contains("tab") || indent.any(|character| character == '\t') {
        problem.hint("indent with spaces; YAML does not allow tabs there")
    } else if info.contains("mapping values are not allowed") {
        problem.hint("a value that contains `: ` needs quotes")
    } else {
        problem
    }
}

/// A list or mapping whose end has not been seen.
struct Open {
    start: usize,
    anchor: usize,
    content: Content,
    /// Cost so far of what is inside.
    size: Size,
}

enum Content {
    List(Vec<Node>),
    Mapping {
        members: Vec<Member>,
        key: Option<(String, Span)>,
    },
}

/// What a subtree weighs when an alias repeats it.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Size {
    fn add(&mut self, inner: Self) {
        self.nodes += inner.nodes;
        self.bytes += inner.bytes;
        self.depth = self.depth.max(inner.depth + 1);
    }
}

#[derive(Default)]
struct Builder<'t> {
    text: &'t str,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    anchors: HashMap<usize, (Node, Size)>,
    total: Size,
    problems: Vec<Problem>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Problem::new(span, "a second document begins here")
                        .hint("a description is one document: remove the `---`"));
                }
            }
            Event::Scalar(value, style, anchor, tag) => {
                let kind = self.scalar(&value, style, tag.as_deref(), span);
                let size = Size {
                    nodes: 1,
                    bytes: value.len(),
                    depth: 0,
                };
                self.weigh(size, span)?;
                // The span of a block scalar runs on through the blank lines after it.
                let end = span.start + self.text[span.start..span.end].trim_end().len();
                let span = Span {
                    start: span.start,
                    end,
                };
                self.finish(Node { kind, span }, size, anchor)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), "seq", span);
                self.begin(Content::List(Vec::new()), anchor, span)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), "map", span);
                let content = Content::Mapping {
                    members: Vec::new(),
                    key: None,
                };
                self.begin(content, anchor, span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span)?,
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return Err(Problem::new(span, "this alias is inside its own anchor"));
                };
                let (node, size) = (node.clone(), *size);
                self.weigh(size, span)?;
                self.finish(node, size, 0)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, content: Content, anchor: usize, span: Span) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        let size = Size {
            nodes: 1,
            ..Size::default()
        };
        self.weigh(size, span)?;
        self.open.push(Open {
            start: span.start,
            anchor,
            content,
            size,
        });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Problem> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let kind = match open.content {
            Content::List(items) => Kind::List(items),
            Content::Mapping { members, .. } => Kind::Mapping(members),
        };
        let text = &self.text[open.start..span.end.max(open.start)];
        let node = Node {
            kind,
            span: Span {
                start: open.start,
                end: open.start + text.trim_end().len(),
            },
        };
        self.finish(node, open.size, open.anchor)
    }

    /// Puts a finished node where it belongs.
    fn finish(&mut self, node: Node, size: Size, anchor: usize) -> Result<(), Problem> {
        if anchor != 0 {
            self.weigh(size, node.span)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        if self.open.len() + size.depth > MAX_DEPTH {
            return Err(too_deep(node.span));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.size.add(size);
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Mapping { members, key } => match key.take() {
                Some((key, key_span)) => members.push(Member {
                    key,
                    key_span,
                    value: node,
                }),
                None => {
                    let span = node.span;
                    let text = match node.kind {
                        Kind::Text { text, .. } | Kind::Number(text) => text,
                        Kind::Bool(_) | Kind::Null => {
                            self.text[span.start..span.end].trim().to_owned()
                        }
                        Kind::List(_) | Kind::Mapping(_) => {
                            self.problems
                                .push(Problem::new(span, "a key must be text, not a structure"));
                            String::new()
                        }
                    };
                    *key = Some((text, span));
                }
            },
        }
        Ok(())
    }

    /// Counts what is kept, against [`MAX_NODES`] and [`MAX_TEXT_BYTES`].
    fn weigh(&mut self, size: Size, span: Span) -> Result<(), Problem> {
        self.total.nodes += size.nodes;
        self.total.bytes += size.bytes;
        if self.total.nodes > MAX_NODES || self.total.bytes > 4 * MAX_TEXT_BYTES {
            return Err(Problem::new(
                span,
                "too large once its aliases are written out",
            ));
        }
        Ok(())
    }

    /// Tells text from other scalars by the core schema (YAML 1.2.2 §10.3.2) or by a tag.
    fn scalar(
        &mut self,
        value: &str,
        style: ScalarStyle,
        tag: Option<&granit_parser::Tag>,
        span: Span,
    ) -> Kind {
        let text = |plain| Kind::Text {
            text: value.to_owned(),
            plain,
        };
        let plain = style == ScalarStyle::Plain;
        match tag {
            None if plain => core_schema(value).unwrap_or_else(|| text(true)),
            None => text(false),
            Some(tag) if tag.is_yaml_core_schema_tag("str") => text(false),
            Some(tag) if tag.is_yaml_core_schema() => match core_schema(value) {
                Some(kind) if tag_names(tag, &kind) => kind,
                _ => {
                    self.problems
                        .push(Problem::new(span, "this value does not fit its tag"));
                    Kind::Null
                }
            },
            Some(_) => {
                self.problems.push(tag_problem(span));
                Kind::Null
            }
        }
    }

    fn refuse_tag(&mut self, tag: Option<&granit_parser::Tag>, own: &str, span: Span) {
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema_tag(own)) {
            self.problems.push(tag_problem(span));
        }
    }
}

fn too_deep(span: Span) -> Problem {
    Problem::new(span, format!("nested more than {MAX_DEPTH} levels deep"))
}

fn tag_problem(span: Span) -> Problem {
    Problem::new(
        span,
        "tags other than `!!str`, `!!int`, `!!float`, `!!bool` and `!!null` mean nothing here",
    )
    .hint("for bytes use the field `base64`")
}

fn tag_names(tag: &granit_parser::Tag, kind: &Kind) -> bool {
    let name = match kind {
        Kind::Null => "null",
        Kind::Bool(_) => "bool",
        Kind::Number(text) if is_integer(text) => "int",
        Kind::Number(_) => "float",
        _ => return false,
    };
    tag.is_yaml_core_schema_tag(name) || (name == "int" && tag.is_yaml_core_schema_tag("float"))
}

/// What a scalar without quotes is, when it is not text.
fn core_schema(value: &str) -> Option<Kind> {
    match value {
        "" | "~" | "null" | "Null" | "NULL" => Some(Kind::Null),
        "true" | "True" | "TRUE" => Some(Kind::Bool(true)),
        "false" | "False" | "FALSE" => Some(Kind::Bool(false)),
        _ if is_integer(value) || is_float(value) => Some(Kind::Number(value.to_owned())),
        _ => None,
    }
}

fn is_integer(value: &str) -> bool {
    fn all(digits: &str, test: fn(&u8) -> bool) -> bool {
        !digits.is_empty() && digits.as_bytes().iter().all(test)
    }
    if let Some(digits) = value.strip_prefix("0o") {
        return all(digits, |byte| (b'0'..=b'7').contains(byte));
    }
    if let Some(digits) = value.strip_prefix("0x") {
        return all(digits, u8::is_ascii_hexdigit);
    }
    all(
        value.strip_prefix(['+', '-']).unwrap_or(value),
        u8::is_ascii_digit,
    )
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, infinity, not a number.
fn is_float(value: &str) -> bool {
    if matches!(value, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let rest = value.strip_prefix(['+', '-']).unwrap_or(value);
    if matches!(rest, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if exponent.is_empty() || !digits(exponent) {
            return false;
        }
    }
    match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_follow_the_core_schema() {
        #[track_caller]
        fn check(yaml: &str, expected: &Kind) {
            assert!(&parse(yaml).unwrap().kind == expected, "{yaml}");
        }
        let text = |text: &str, plain| Kind::Text {
            text: text.to_owned(),
            plain,
        };
        let number = |text: &str| Kind::Number(text.to_owned());
        check("~", &Kind::Null);
        check("", &Kind::Null);
        check("True", &Kind::Bool(true));
        check("yes", &text("yes", true));
        check("0644", &number("0644"));
        check("0o644", &number("0o644"));
        check("1e3", &number("1e3"));
        check(".5", &number(".5"));
        check("-.inf", &number("-.inf"));
        check("1.2.3", &text("1.2.3", true));
        check("52:54:00:12:34:56", &text("52:54:00:12:34:56", true));
        check("'1'", &text("1", false));
        check("!!str 1", &text("1", false));
        check("!!int 1", &number("1"));
        check("|\n  a\n  b\n", &text("a\nb\n", false));
        check("\"\\x41\\u00e9\"", &text("Aé", false));
    }

    #[test]
    fn places_are_bytes_of_the_text() {
        let yaml = "a: é\nb:\n  - ü: [1, x]\nc: |\n  text\n\nd: {e: ''}\n";
        let node = parse(yaml).unwrap();
        let slice = |span: Span| &yaml[span.start..span.end];
        let members = node.members();
        assert_eq!(slice(members[0].value.span), "é");
        let inner = &members[1].value.items()[0].members()[0];
        assert_eq!(slice(inner.key_span), "ü");
        assert_eq!(slice(inner.value.span), "[1, x]");
        assert_eq!(slice(inner.value.items()[1].span), "x");
        assert_eq!(slice(members[3].value.span), "{e: ''}");
        assert_eq!(slice(members[2].key_span), "c");
    }

    #[test]
    fn problems_are_named_with_their_place() {
        #[track_caller]
        fn check(yaml: &str, start: usize, message: &str) {
            let problems = parse(yaml).unwrap_err();
            assert!(problems[0].message.contains(message), "{problems:?}");
            assert_eq!(problems[0].span.start, start, "{problems:?}");
        }
        check("a: 1\n---\nb: 2\n", 5, "second document");
        check("a: !x 1\n", 6, "tags other");
        check("a: !!int x\n", 9, "does not fit its tag");
        check("? [a]\n: 1\n", 2, "key must be text");
        check("a: &x [*x]\n", 7, "alias");
        check("a: *x\n", 3, "not YAML");
        check("a: \"x\n", 3, "not YAML");
    }

    #[test]
    fn aliases_repeat_what_was_anchored() {
        let node = parse("a: &x [1, {b: c}]\nd: *x\n").unwrap();
        assert!(node.get("a").unwrap().kind == node.get("d").unwrap().kind);
    }

    #[test]
    fn aliases_cannot_fill_the_memory() {
        let mut yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = level - 1;
            let items = vec![format!("*a{below}"); 10].join(", ");
            yaml.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        let problems = parse(&yaml).unwrap_err();
        assert!(problems[0].message.contains("too large"), "{problems:?}");

        let mut yaml = "a0: &a0 [x]\n".to_owned();
        for level in 1..100 {
            yaml.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
        }
        let problems = parse(&yaml).unwrap_err();
        assert!(problems[0].message.contains("levels deep"), "{problems:?}");
    }

    #[test]
    fn nesting_is_bounded() {
        for open in ["[", "{a: ", "- ", "? "] {
            assert!(parse(&open.repeat(100_000)).is_err());
        }
    }
}
