//! An explanation as JSON and as lines of text.

use std::fmt;

use super::{Explanation, Reading};
use crate::Value;

impl Explanation {
    /// Returns the explanation as one JSON value, `{"readers": [...]}`.
    pub fn to_value(&self) -> Value {
        let readers = self.readers.iter().map(Reading::to_value).collect();
        Value::Object(vec![("readers".to_owned(), Value::Array(readers))])
    }
}

impl Reading {
    /// Returns the reading as a JSON object, the same members for every reader.
    pub fn to_value(&self) -> Value {
        let documents = self.documents.iter().map(|(role, path)| {
            Value::Object(vec![
                ("for".to_owned(), (*role).into()),
                ("path".to_owned(), path.as_str().into()),
            ])
        });
        let texts = |items: &[String]| {
            Value::Array(items.iter().map(|item| item.as_str().into()).collect())
        };
        let members = [
            ("reader", self.reader.into()),
            ("version", self.version.into()),
            ("found", self.found.into()),
            ("how", self.how.as_str().into()),
            ("documents", Value::Array(documents.collect())),
            ("instance_id", self.instance_id.as_deref().into()),
            ("hostname", self.hostname.as_deref().into()),
            ("fqdn", self.fqdn.as_deref().into()),
            ("keys", texts(&self.keys)),
            ("user_data", self.user_data.into()),
            ("network", texts(&self.network)),
            ("files", texts(&self.files)),
            ("notes", texts(&self.notes)),
        ];
        Value::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
    }
}

impl fmt::Display for Explanation {
    /// One paragraph for each reader.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, reading) in self.readers.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            write!(formatter, "{reading}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.found {
            "finds the drive"
        } else {
            "does not find the drive"
        };
        writeln!(formatter, "{} ({}) {verdict}", self.reader, self.version)?;
        let mut line = |name: &str, text: &str| writeln!(formatter, "  {name:<12} {text}");
        line("how", &self.how)?;
        for (role, path) in &self.documents {
            line("reads", &format!("{path} ({role})"))?;
        }
        let single = [
            ("instance ID", &self.instance_id),
            ("host name", &self.hostname),
            ("full name", &self.fqdn),
        ];
        for (name, value) in single {
            if let Some(value) = value {
                line(name, value)?;
            }
        }
        if let Some(kind) = self.user_data {
            line("user data", kind)?;
        }
        let lists = [
            ("key", &self.keys),
            ("network", &self.network),
            ("file", &self.files),
            ("note", &self.notes),
        ];
        for (name, items) in lists {
            for item in items {
                line(name, item)?;
            }
        }
        Ok(())
    }
}
