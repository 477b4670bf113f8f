//! What each reader of a drive will make of it, and what it will ignore.
//!
//! The rules are those of the readers' sources; `docs/consumers.md` cites each with file and
//! version. What is said of cloud-init is held to cloud-init itself by `tests/cloud_init.rs`.

mod afterburn;
mod cloud_init;
mod cloudbase_init;
mod not_carried;
mod report;
mod user_data;

pub use not_carried::{NotCarried, not_carried};

use crate::{Dialect, Document, Value, json, tree};

/// What every known reader makes of a drive.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The readers, in a fixed order.
    pub readers: Vec<Reading>,
}

/// What one reader makes of a drive.
///
/// User data, vendor data and passwords are described, never quoted.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Reading {
    /// The program, and its datasource where it has several.
    pub reader: &'static str,
    /// The version whose source the rules were read from.
    pub version: &'static str,
    /// Whether it takes the drive as its own.
    pub found: bool,
    /// How it finds the drive, or why it does not.
    pub how: String,
    /// The documents that count, by what they are for.
    pub documents: Vec<(&'static str, String)>,
    /// The identity by which it knows a first boot.
    pub instance_id: Option<String>,
    /// Host name as it will be set.
    pub hostname: Option<String>,
    /// Fully qualified name, where there is one.
    pub fqdn: Option<String>,
    /// Public keys for the default account.
    pub keys: Vec<String>,
    /// What the user data is taken for.
    pub user_data: Option<&'static str>,
    /// What is done with the network, by whom.
    pub network: Vec<String>,
    /// Files it writes, with owner and mode.
    pub files: Vec<String>,
    /// What on the drive it ignores, or does otherwise than one might think, and why.
    pub notes: Vec<String>,
}

/// Explains a drive by its label's dialect and its documents, whoever made them.
///
/// A document that cannot be read is named in the notes and otherwise taken as absent.
pub fn explain(dialect: Dialect, documents: &[Document]) -> Explanation {
    let drive = Drive { dialect, documents };
    Explanation {
        readers: vec![
            cloud_init::config_drive(&drive),
            cloud_init::nocloud(&drive),
            cloudbase_init::read(&drive),
            afterburn::read(&drive),
        ],
    }
}

/// The documents of a drive, by path.
struct Drive<'a> {
    dialect: Dialect,
    documents: &'a [Document],
}

impl<'a> Drive<'a> {
    fn bytes(&self, path: &str) -> Option<&'a [u8]> {
        let mut documents = self.documents.iter();
        let document = documents.find(|document| document.path == path)?;
        Some(&document.content)
    }

    fn has(&self, path: &str) -> bool {
        self.bytes(path).is_some()
    }

    fn json(&self, path: &str) -> Option<Value> {
        json::parse(std::str::from_utf8(self.bytes(path)?).ok()?).ok()
    }

    fn yaml(&self, path: &str) -> Option<Value> {
        yaml(std::str::from_utf8(self.bytes(path)?).ok()?)
    }
}

/// Reads YAML into a value; `None` when it is not valid.
fn yaml(text: &str) -> Option<Value> {
    let node = tree::parse(text, tree::Syntax::Yaml).ok()?;
    Some(node.to_value())
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// The texts of a list, or of an object's members, or a text's lines: the forms in which
/// keys come (cloud-init, `normalize_pubkey_data`).
fn keys(value: Option<&Value>) -> Vec<String> {
    let texts: Vec<&str> = match value {
        Some(Value::String(text)) => text.lines().collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::Object(members)) => members
            .iter()
            .flat_map(|(_, value)| match value {
                Value::Array(items) => items.iter().collect(),
                single => vec![single],
            })
            .filter_map(Value::as_str)
            .collect(),
        _ => Vec::new(),
    };
    let texts = texts
        .into_iter()
        .map(str::trim)
        .filter(|key| !key.is_empty());
    texts.map(str::to_owned).collect()
}
