//! The owner's key-value pairs.

use christen_instance::{Value, json};

use crate::{Existing, Item, ItemKind, Ownership, Request, Result, Secrecy, Stage};

/// Where Nova puts them (34.0.0, `nova/virt/disk/api.py`, `_inject_metadata_into_fs`).
const FILE: &str = "/meta.js";

/// Writes the pairs as one JSON object, if there are any.
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    let metadata = &request.instance.metadata;
    if metadata.is_empty() {
        return Ok(());
    }
    stage.begin(Item::new(ItemKind::Metadata));
    let members = metadata.iter();
    let members = members.map(|(key, value)| (key.clone(), Value::from(value.as_str())));
    let text = json::encode(&Value::Object(members.collect()));
    stage.write(
        &crate::guest_path(FILE),
        text.as_bytes(),
        Ownership::root(0o644),
        Existing::Keep,
        Secrecy::Public,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guest, run_twice, text};

    #[test]
    fn pairs_are_one_object_in_order() {
        let mut fs = guest(&[]);
        run_twice(&mut fs, "metadata: {role: web, b: ü}\n", inject);
        assert_eq!(
            text(&mut fs, FILE).unwrap(),
            "{\"role\": \"web\", \"b\": \"\\u00fc\"}"
        );
        assert!(run_twice(&mut fs, "name: a\n", inject).changes.is_empty());
    }
}
