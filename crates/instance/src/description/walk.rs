//! The one walk: every node judged by the table, everything wrong collected.

use std::collections::HashSet;

use super::fields::INSTANCE;
use super::format::{Field, Object, Shape};
use super::suggest;
use super::text::{has_private_key, push_short, shorten};
use crate::finding::{Draft, MAX_FINDINGS, Severity};
use crate::tree::{Kind, Node, Span};

/// Collects findings and what must not be shown.
pub(crate) struct Walk<'t> {
    text: &'t str,
    drafts: Vec<Draft>,
    secrets: Vec<Span>,
}

impl<'t> Walk<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self {
            text,
            drafts: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// Judges the whole tree.
    pub(crate) fn root(&mut self, node: &Node) {
        if node.is_null() {
            let message = "the description is empty";
            self.error(node.span, "", message.to_owned(), None)
                .hint("the least is a name: `name: web-01`");
            return;
        }
        if !matches!(node.kind, Kind::Mapping(_)) {
            // It may be a key or a password file given by mistake.
            self.hide(node);
        }
        self.shape(node, &Shape::Object(&INSTANCE), &mut String::new());
    }

    /// Gives up what was collected.
    pub(crate) fn finish(self) -> (Vec<Draft>, Vec<Span>) {
        (self.drafts, self.secrets)
    }

    /// Adds an error and returns it for a hint.
    pub(crate) fn error(
        &mut self,
        span: Span,
        path: &str,
        message: String,
        offending: Option<String>,
    ) -> &mut Draft {
        self.add(Severity::Error, span, path, message, offending)
    }

    /// Adds a warning and returns it for a hint.
    pub(crate) fn warning(&mut self, span: Span, path: &str, message: String) -> &mut Draft {
        self.add(Severity::Warning, span, path, message, None)
    }

    fn add(
        &mut self,
        severity: Severity,
        span: Span,
        path: &str,
        message: String,
        offending: Option<String>,
    ) -> &mut Draft {
        // Enough for `place` to choose from; the rest of a hostile text is not kept.
        if self.drafts.len() >= 10 * MAX_FINDINGS {
            self.drafts.truncate(10 * MAX_FINDINGS - 1);
        }
        self.drafts.push(Draft {
            severity,
            span,
            path: path.to_owned(),
            message,
            offending,
            hint: None,
        });
        let last = self.drafts.len() - 1;
        &mut self.drafts[last]
    }

    /// The text of a node as it was written.
    fn written(&self, span: Span) -> String {
        shorten(self.text.get(span.start..span.end).unwrap_or_default())
    }

    fn is_secret(&self, node: &Node) -> bool {
        self.secrets
            .last()
            .is_some_and(|secret| secret.start <= node.span.start && node.span.end <= secret.end)
    }

    fn shape(&mut self, node: &Node, shape: &Shape, path: &mut String) {
        match shape {
            Shape::Either(shapes) => match shapes.iter().find(|shape| shape.accepts(&node.kind)) {
                Some(shape) => self.shape(node, shape, path),
                None => self.wrong_kind(node, shape, path),
            },
            _ if !shape.accepts(&node.kind) => self.wrong_kind(node, shape, path),
            Shape::Any | Shape::Mapping => self.anything(node, path),
            Shape::Flag => {}
            Shape::Integer(least, most) => self.integer(node, *least, *most, path),
            Shape::Text(rule) => {
                let text = node.as_text().unwrap_or_default();
                if has_private_key(text) {
                    self.hide(node);
                }
                if let Err(fault) = rule.check(text) {
                    let offending = (!self.is_secret(node)).then(|| shorten(text));
                    self.error(node.span, path, fault.message, offending).hint = fault.hint;
                }
            }
            Shape::List(item, most) => {
                if node.items().len() > *most {
                    let message = format!("{} items, more than {most}", node.items().len());
                    self.error(node.span, path, message, None);
                }
                for (index, node) in node.items().iter().take(*most).enumerate() {
                    let length = path.len();
                    path.push_str(&format!("[{index}]"));
                    self.shape(node, item, path);
                    path.truncate(length);
                }
            }
            Shape::Object(object) => self.object(node, object, path),
            Shape::Pairs => {
                self.duplicates(node, path);
                for member in node.members() {
                    let length = enter(path, &member.key);
                    if member.value.as_text().is_some_and(has_private_key) {
                        self.hide(&member.value);
                    }
                    if member.value.as_text().is_none() {
                        self.wrong_kind(
                            &member.value,
                            &Shape::Text(super::format::Text::Any),
                            path,
                        );
                    }
                    path.truncate(length);
                }
            }
        }
    }

    fn integer(&mut self, node: &Node, least: i64, most: i64, path: &str) {
        let Kind::Number(written) = &node.kind else {
            return;
        };
        let crate::Value::Integer(digits) = node.to_value() else {
            let message = format!("`{}` is not a whole number", shorten(written));
            self.error(node.span, path, message, Some(shorten(written)));
            return;
        };
        let fits = digits
            .parse::<i64>()
            .is_ok_and(|number| (least..=most).contains(&number));
        if fits {
            return;
        }
        let shown = shorten(written);
        if path == "christen" {
            let message = format!("version {shown} of the format is not known here");
            self.error(node.span, path, message, Some(shown))
                .hint("this program reads `christen: 1`");
            return;
        }
        let message = if most == i64::MAX {
            format!("`{shown}` is not {least} or more")
        } else {
            format!("`{shown}` is not between {least} and {most}")
        };
        self.error(node.span, path, message, Some(shown));
    }

    fn wrong_kind(&mut self, node: &Node, shape: &Shape, path: &str) {
        let name = path.rsplit('.').next().unwrap_or_default();
        let subject = if name.is_empty() {
            "a description".to_owned()
        } else {
            format!("`{name}`")
        };
        let message = format!(
            "{subject} must be {}, not {}",
            shape.wanted(),
            node.kind_name()
        );
        let secret = self.is_secret(node);
        let written = self.written(node.span);
        let scalar = matches!(
            node.kind,
            Kind::Number(_) | Kind::Bool(_) | Kind::Text { .. }
        );
        let offending = (scalar && !secret).then(|| written.clone());
        let hint = self.kind_hint(node, shape, secret, &written);
        self.error(node.span, path, message, offending).hint = hint;
        self.anything(node, &mut path.to_owned());
    }

    fn kind_hint(&self, node: &Node, shape: &Shape, secret: bool, written: &str) -> Option<String> {
        let accepts_text = shape.accepts(&Kind::Text {
            text: String::new(),
            plain: false,
        });
        match &node.kind {
            Kind::Number(_) if is_mode(shape) => Some(match written.strip_prefix('0') {
                Some(_) => format!(
                    "a number would lose its octal meaning: write `\"0{}\"`",
                    written.trim_start_matches(['0', 'o'])
                ),
                None => "write the octal digits in quotes, as `\"0644\"`".to_owned(),
            }),
            Kind::Number(_) | Kind::Bool(_) if accepts_text => Some(if secret {
                "put it in quotes".to_owned()
            } else {
                format!("put it in quotes: `\"{written}\"`")
            }),
            Kind::Text { text, .. } if !secret => match (shape, text.to_lowercase().as_str()) {
                (Shape::Flag, "yes" | "on" | "y" | "true") => Some("write `true`".to_owned()),
                (Shape::Flag, "no" | "off" | "n" | "false") => Some("write `false`".to_owned()),
                (Shape::Integer(..), digits)
                    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) =>
                {
                    Some(format!("write it without quotes: `{digits}`"))
                }
                (Shape::List(..), _) => Some(format!("a list of one is `[{written}]`")),
                _ => None,
            },
            Kind::Mapping(_) if matches!(shape, Shape::List(Shape::Object(_), _)) => {
                Some("begin each item with `- `".to_owned())
            }
            _ => None,
        }
    }

    fn object(&mut self, node: &Node, object: &'static Object, path: &mut String) {
        self.duplicates(node, path);
        for member in node.members() {
            let length = enter(path, &member.key);
            match object.fields.iter().find(|field| field.name == member.key) {
                Some(field) => self.field(&member.value, object, field, path),
                None => {
                    // It may be a misspelt `admin_password`.
                    self.hide(&member.value);
                    let shown = shorten(&member.key);
                    let message = if shown.is_empty() {
                        "an empty key".to_owned()
                    } else {
                        format!("unknown key `{shown}`")
                    };
                    self.error(member.key_span, path, message, Some(shown)).hint =
                        unknown_hint(&member.key, object);
                    self.anything(&member.value, path);
                }
            }
            path.truncate(length);
        }
        for field in object.fields.iter().filter(|field| field.required) {
            if node.get(field.name).is_none() {
                let message = format!("`{}` is missing", field.name);
                let span = beginning(node);
                self.error(span, path, message, None);
            }
        }
        if !object.exactly_one.is_empty() {
            self.exactly_one(node, object, path);
        }
    }

    fn field(
        &mut self,
        node: &Node,
        object: &'static Object,
        field: &'static Field,
        path: &mut String,
    ) {
        if node.is_null() {
            if !object.nullable(field) {
                let message = format!("`{}` has no value", field.name);
                self.error(node.span, path, message, None);
            }
            return;
        }
        if field.secret && !expects_object(&field.shape, node) {
            self.hide(node);
        }
        self.shape(node, &field.shape, path);
    }

    fn exactly_one(&mut self, node: &Node, object: &Object, path: &str) {
        let mut given = node
            .members()
            .iter()
            .filter(|member| object.exactly_one.contains(&member.key.as_str()));
        match (given.next(), given.find(|member| !member.value.is_null())) {
            (None, _) => {
                self.error(
                    beginning(node),
                    path,
                    format!("one of {} is missing", listed(object.exactly_one)),
                    None,
                );
            }
            (Some(first), Some(second)) if first.key != second.key => {
                let message = format!("only one of {} may be given", listed(object.exactly_one));
                let key = second.key.clone();
                self.error(second.key_span, path, message, Some(key));
            }
            _ => {}
        }
    }

    /// Keys that occur twice in one mapping, and YAML's merge key.
    fn duplicates(&mut self, node: &Node, path: &mut String) {
        /// Members up to which comparing each with each is faster than hashing.
        const FEW: usize = 12;
        let members = node.members();
        let mut seen = HashSet::new();
        for (index, member) in members.iter().enumerate() {
            let again = if members.len() <= FEW {
                members[..index].iter().any(|other| other.key == member.key)
            } else {
                !seen.insert(member.key.as_str())
            };
            if again {
                let length = enter(path, &member.key);
                let shown = shorten(&member.key);
                let message = format!("the key `{shown}` is here a second time");
                self.error(member.key_span, path, message, Some(shown));
                path.truncate(length);
            }
        }
    }

    /// Structure that the table does not describe: only what is wrong anywhere.
    fn anything(&mut self, node: &Node, path: &mut String) {
        self.duplicates(node, path);
        for member in node.members() {
            let length = enter(path, &member.key);
            self.anything(&member.value, path);
            path.truncate(length);
        }
        for (index, item) in node.items().iter().enumerate() {
            let length = path.len();
            path.push_str(&format!("[{index}]"));
            self.anything(item, path);
            path.truncate(length);
        }
    }

    /// Keeps a node's text out of every message.
    pub(crate) fn hide(&mut self, node: &Node) {
        self.secrets.push(node.span);
    }
}

impl Draft {
    /// Adds a hint.
    pub(crate) fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }
}

/// Appends a key to a path and returns the length to go back to.
pub(crate) fn enter(path: &mut String, key: &str) -> usize {
    let length = path.len();
    if !path.is_empty() {
        path.push('.');
    }
    push_short(path, key);
    length
}

/// Where something missing is reported: the first character of the mapping.
pub(crate) fn beginning(node: &Node) -> Span {
    node.members()
        .first()
        .map_or(node.span, |member| member.key_span)
}

/// Names in prose: `a`, `b` and `c`.
fn listed(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn expects_object(shape: &Shape, node: &Node) -> bool {
    match shape {
        Shape::Object(_) => shape.accepts(&node.kind),
        Shape::Either(shapes) => shapes
            .iter()
            .find(|shape| shape.accepts(&node.kind))
            .is_some_and(|shape| matches!(shape, Shape::Object(_))),
        _ => false,
    }
}

fn is_mode(shape: &Shape) -> bool {
    matches!(shape, Shape::Text(super::format::Text::Mode))
}

fn unknown_hint(key: &str, object: &Object) -> Option<String> {
    if key == "<<" {
        return Some("merge keys are not part of YAML 1.2: write the keys out".to_owned());
    }
    if let Some((_, hint)) = object.strangers.iter().find(|(name, _)| *name == key) {
        return Some((*hint).to_owned());
    }
    let visible = || object.fields.iter().filter(|field| !field.hidden);
    let known = visible()
        .find(|field| field.alike.contains(&key))
        .map(|field| field.name)
        .or_else(|| suggest(key, visible().map(|field| field.name)));
    match known {
        Some(name) => Some(format!("did you mean `{name}`?")),
        None if visible().count() <= 12 => {
            let names: Vec<_> = visible().map(|field| format!("`{}`", field.name)).collect();
            Some(format!("known here: {}", names.join(", ")))
        }
        None => None,
    }
}
