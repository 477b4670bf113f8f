//! `meta-data`: who the instance is.

use crate::keys::{further_keys, key_pair};
use crate::{Instance, Value};

/// Makes the document. Each name is one that cloud-init reads (`DataSource` in
/// `cloudinit/sources/__init__.py`), but for `meta`, which user data can refer to as
/// `ds.meta_data.meta`, as on a config drive.
pub(super) fn meta_data(instance: &Instance, uuid: &str, hostname: &str) -> Value {
    let mut members: Vec<(String, Value)> = Vec::new();
    let mut add = |name: &str, value: Value| members.push((name.to_owned(), value));
    add("instance-id", uuid.into());
    add("local-hostname", hostname.into());
    // As in OpenStack's tree, a deleted pair does not show.
    let deleted = instance.key.as_ref().is_some_and(|key| key.deleted);
    let pair = key_pair(instance).filter(|_| !deleted);
    let keys: Vec<Value> = pair
        .into_iter()
        .chain(further_keys(instance))
        .filter(|key| key.kind == "ssh")
        .filter_map(|key| key.data)
        .map(|key| key.trim_end_matches('\n').into())
        .collect();
    if !keys.is_empty() {
        add("public-keys", Value::Array(keys));
    }
    if let Some(zone) = &instance.availability_zone {
        add("availability-zone", zone.as_str().into());
    }
    add("launch-index", instance.launch_index.into());
    if !instance.metadata.is_empty() {
        let pairs = instance.metadata.iter();
        let pairs = pairs.map(|(name, value)| (name.clone(), value.as_str().into()));
        add("meta", Value::Object(pairs.collect()));
    }
    Value::Object(members)
}
