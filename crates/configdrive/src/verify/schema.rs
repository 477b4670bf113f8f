//! Small checks of JSON values, each telling where in the document it failed.

use christen_instance::Value;

use super::Report;

/// A place in a document: `openstack/latest/meta_data.json: files[0].path`.
#[derive(Clone)]
pub(super) struct Place {
    text: String,
}

impl Place {
    pub(super) fn document(path: &str) -> Self {
        Self {
            text: path.to_owned(),
        }
    }

    pub(super) fn member(&self, name: &str) -> Self {
        let joint = if self.text.contains(": ") { "." } else { ": " };
        Self {
            text: format!("{}{joint}{name}", self.text),
        }
    }

    pub(super) fn item(&self, index: usize) -> Self {
        let joint = if self.text.contains(": ") { "" } else { ": " };
        Self {
            text: format!("{}{joint}[{index}]", self.text),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

/// The kinds of value that a schema asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    TextOrNull,
    Integer,
    Boolean,
    Object,
    /// An object of texts only.
    Texts,
    List,
    Any,
}

impl Type {
    fn accepts(self, value: &Value) -> bool {
        match self {
            Self::Text => matches!(value, Value::String(_)),
            Self::TextOrNull => matches!(value, Value::String(_) | Value::Null),
            Self::Integer => matches!(value, Value::Integer(_)),
            Self::Boolean => matches!(value, Value::Bool(_)),
            Self::Object => matches!(value, Value::Object(_)),
            Self::Texts => matches!(value, Value::Object(members)
                if members.iter().all(|(_, value)| matches!(value, Value::String(_)))),
            Self::List => matches!(value, Value::Array(_)),
            Self::Any => true,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::TextOrNull => "text or null",
            Self::Integer => "an integer",
            Self::Boolean => "true or false",
            Self::Object => "an object",
            Self::Texts => "an object of texts",
            Self::List => "a list",
            Self::Any => "a value",
        }
    }
}

/// Names the kind of a value, never the value: it may be secret.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a fraction",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Tells when a value is not of a type.
pub(super) fn expect(value: &Value, wanted: Type, place: &Place, report: &mut Report) -> bool {
    let fits = wanted.accepts(value);
    if !fits {
        report.error(
            "schema",
            place.as_str(),
            format!("it is {}; {} is expected", kind(value), wanted.name()),
        );
    }
    fits
}

/// Whether a member must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Readers fail without it.
    Required,
    /// Nova always writes it; readers get by.
    Usual,
    Optional,
}

/// Checks members of an object against a list of names, types and needs.
pub(super) fn members(
    value: &Value,
    wanted: &[(&str, Type, Need)],
    place: &Place,
    report: &mut Report,
) {
    for (name, wanted, need) in wanted {
        match (value.get(name), need) {
            (Some(member), _) => {
                expect(member, *wanted, &place.member(name), report);
            }
            (None, Need::Required) => {
                report.error("schema", place.as_str(), format!("`{name}` is missing"))
            }
            (None, Need::Usual) => report.warning(
                "unusual",
                place.as_str(),
                format!("`{name}` is missing, which Nova always writes"),
            ),
            (None, Need::Optional) => {}
        }
    }
}

/// Returns the items of a list; none when it is no list.
pub(super) fn items(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}
