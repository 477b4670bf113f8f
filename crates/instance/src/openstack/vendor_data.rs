//! `vendor_data.json`: the operator's static document, and with it the `guest` section.
//!
//! Nova 34.0.0, `nova/api/metadata/vendordata_json.py`. cloud-init takes the member
//! `cloud-init` of the document as vendor data: a text, or a list of texts
//! (`cloudinit/sources/__init__.py`, `convert_vendordata`), which it joins in order.

use crate::{Error, Secret, Value};

/// The member that cloud-init reads.
const CLOUD_INIT: &str = "cloud-init";

/// Puts a cloud-config text beside what the operator says.
///
/// # Errors
///
/// Fails when the operator's document is no object, or its `cloud-init` member is something
/// that cloud-init would not read: nothing of either may get lost in silence.
pub(super) fn with_guest(operator: Value, cloud_config: Secret) -> Result<Value, Error> {
    let found = kind(&operator);
    let Value::Object(mut members) = operator else {
        return Err(Error::VendorDataHasNoPlaceForGuest {
            needed: "an object",
            found,
        });
    };
    let ours = Value::String(cloud_config.into_exposed());
    match members.iter_mut().find(|(name, _)| name == CLOUD_INIT) {
        None => members.push((CLOUD_INIT.to_owned(), ours)),
        Some((_, theirs)) => match theirs {
            Value::Null => *theirs = ours,
            Value::String(text) if text.is_empty() => *theirs = ours,
            Value::String(_) => {
                let text = std::mem::replace(theirs, Value::Null);
                *theirs = Value::Array(vec![text, ours]);
            }
            Value::Array(texts) => texts.push(ours),
            other => {
                return Err(Error::VendorDataHasNoPlaceForGuest {
                    needed: "an object whose member `cloud-init` is a text or a list",
                    found: kind(other),
                });
            }
        },
    }
    Ok(Value::Object(members))
}

/// What a value is, in a message.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn check(operator: &str, expected: Result<&str, &str>) {
        let operator = json::parse(operator).expect("it is JSON");
        let combined = with_guest(operator, Secret::new("ours".to_owned()));
        match (combined, expected) {
            (Ok(value), Ok(expected)) => assert_eq!(json::encode(&value), expected),
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            (combined, expected) => panic!("{combined:?} is not {expected:?}"),
        }
    }

    #[test]
    fn the_guest_section_stands_beside_the_operators_text() {
        check("{}", Ok(r#"{"cloud-init": "ours"}"#));
        check(
            r#"{"a": 1, "cloud-init": "theirs", "b": 2}"#,
            Ok(r#"{"a": 1, "cloud-init": ["theirs", "ours"], "b": 2}"#),
        );
        check(
            r#"{"cloud-init": ["one", "two"]}"#,
            Ok(r#"{"cloud-init": ["one", "two", "ours"]}"#),
        );
        check(r#"{"cloud-init": null}"#, Ok(r#"{"cloud-init": "ours"}"#));
        check(r#"{"cloud-init": ""}"#, Ok(r#"{"cloud-init": "ours"}"#));
    }

    #[test]
    fn the_guest_section_is_never_dropped_in_silence() {
        check(
            "[1]",
            Err(
                "the `guest` section needs the static vendor data to be an object, \
                 and it is a list",
            ),
        );
        check(
            r#"{"cloud-init": {"a": 1}}"#,
            Err(
                "the `guest` section needs the static vendor data to be an object whose \
                 member `cloud-init` is a text or a list, and it is an object",
            ),
        );
    }
}
