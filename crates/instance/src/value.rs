//! JSON values as Python sees them: order kept, integers of any size.

/// A JSON value.
///
/// Object members keep their order and numbers keep what Python would keep, so that an
/// operator's document parsed and written again has the bytes that Nova would write.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer of any size, in decimal with an optional `-`, without leading zeros.
    Integer(String),
    /// A number with a fraction or an exponent, `NaN` or an infinity.
    Float(f64),
    /// Text.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object; names are unique.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Returns the member of an object by name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(members) => members
                .iter()
                .find_map(|(key, value)| (key == name).then_some(value)),
            _ => None,
        }
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number.to_string())
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::Array(items)
    }
}

/// Text or null, as Python writes `None`.
impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::from)
    }
}
