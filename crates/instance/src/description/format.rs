//! The form of a description as data: what the walk, the JSON Schema and the reference share.

use crate::tree::Kind;

/// A mapping with known keys.
#[derive(Debug)]
pub(crate) struct Object {
    /// Name, unique in the format; the JSON Schema's definition and the reference's heading.
    pub(crate) name: &'static str,
    /// What it is, in a sentence or two.
    pub(crate) doc: &'static str,
    /// The keys, in the order of the reference.
    pub(crate) fields: &'static [Field],
    /// Exactly one of these keys must be there; empty for no such rule.
    pub(crate) exactly_one: &'static [&'static str],
    /// Keys people write that have no place here, and what to tell them.
    pub(crate) strangers: &'static [(&'static str, &'static str)],
}

/// A key of a mapping.
#[derive(Debug)]
pub(crate) struct Field {
    /// The key.
    pub(crate) name: &'static str,
    /// What the value must look like.
    pub(crate) shape: Shape,
    /// What it means.
    pub(crate) doc: &'static str,
    /// Whether the key must be there.
    pub(crate) required: bool,
    /// Names of other tools' formats for the same thing, for suggestions.
    pub(crate) alike: &'static [&'static str],
    /// Whether the value may be a secret, so that no message shows it.
    pub(crate) secret: bool,
    /// Left out of the reference: accepted and ignored.
    pub(crate) hidden: bool,
}

/// What a value must look like.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Anything at all.
    Any,
    /// `true` or `false`.
    Flag,
    /// A whole number within limits, both included.
    Integer(i64, i64),
    /// Text.
    Text(Text),
    /// A list with at most this many items.
    List(&'static Shape, usize),
    /// A mapping with known keys.
    Object(&'static Object),
    /// A mapping from any keys to text.
    Pairs,
    /// A mapping from any keys to anything.
    Mapping,
    /// One of several shapes, told apart by the kind of node.
    Either(&'static [Shape]),
}

/// What text must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    /// Any text; its size is limited where it is used.
    Any,
    /// At most 255 characters (Nova's columns), any.
    Short,
    /// 1 to 255 characters on one line, no control characters.
    Name,
    /// As [`Text::Name`] and without `/`: it becomes part of a path.
    PathName,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// Six pairs of hexadecimal digits.
    Mac,
    /// IPv4 or IPv6 address.
    Address,
    /// Address range with a prefix length; host bits allowed.
    Range,
    /// Address with the prefix length of its subnet.
    Interface,
    /// Host name, short or fully qualified.
    Hostname,
    /// A path of the drive's or image's file list: not empty, no NUL.
    Path,
    /// Absolute, without `..`, no NUL.
    AbsolutePath,
    /// Path of a file to read, here.
    LocalPath,
    /// Bytes in base64.
    Base64,
    /// A public key; a private one is refused.
    PublicKey,
    /// Permission bits in octal.
    Mode,
    /// Account name.
    Account,
    /// One line: no line ends and no NUL.
    Line,
    /// `reset`, `random`, or 32 hexadecimal digits.
    MachineId,
}

impl Shape {
    /// Whether a node of this kind could fit.
    pub(crate) fn accepts(&self, kind: &Kind) -> bool {
        match self {
            Self::Any => true,
            Self::Flag => matches!(kind, Kind::Bool(_)),
            Self::Integer(..) => matches!(kind, Kind::Number(_)),
            Self::Text(_) => matches!(kind, Kind::Text { .. }),
            Self::List(..) => matches!(kind, Kind::List(_)),
            Self::Object(_) | Self::Pairs | Self::Mapping => matches!(kind, Kind::Mapping(_)),
            Self::Either(shapes) => shapes.iter().any(|shape| shape.accepts(kind)),
        }
    }

    /// Names what is wanted, in prose.
    pub(crate) fn wanted(&self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Integer(..) => "a whole number".to_owned(),
            Self::Text(_) => "text".to_owned(),
            Self::List(..) => "a list".to_owned(),
            Self::Object(_) | Self::Pairs | Self::Mapping => "a mapping".to_owned(),
            Self::Either(shapes) => {
                let names: Vec<_> = shapes.iter().map(Self::wanted).collect();
                match names.split_last() {
                    Some((last, [])) => last.clone(),
                    Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
                    None => String::new(),
                }
            }
        }
    }
}

impl Field {
    /// A key that may be left out.
    pub(crate) const fn new(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self {
            name,
            shape,
            doc,
            required: false,
            alike: &[],
            secret: false,
            hidden: false,
        }
    }

    /// The key must be there.
    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The value is never shown.
    pub(crate) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The key is accepted and ignored.
    pub(crate) const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Other names people know it by.
    pub(crate) const fn alike(mut self, names: &'static [&'static str]) -> Self {
        self.alike = names;
        self
    }
}

impl Object {
    /// Whether null may stand for "not given".
    pub(crate) fn nullable(&self, field: &Field) -> bool {
        !field.required && !self.exactly_one.contains(&field.name)
    }
}
