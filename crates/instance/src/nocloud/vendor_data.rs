//! `vendor-data`: the operator's and the guest section's cloud-config.

use crate::guest::CLOUD_CONFIG_HEADER;
use crate::{Error, Settings, Value, json, yaml};

/// The parts of the operator's static vendor data that cloud-init would take from a config
/// drive's `vendor_data.json`: text, a list of texts, or either under `cloud-init`
/// (`convert_vendordata` in `cloudinit/sources/__init__.py`). What it would drop is dropped.
pub(super) fn operator_parts(settings: &Settings) -> Result<Vec<String>, Error> {
    let mut providers = settings.vendordata_providers.iter();
    let Some(text) = settings
        .vendordata_json
        .as_ref()
        .filter(|_| providers.any(|provider| provider == "StaticJSON"))
    else {
        return Ok(Vec::new());
    };
    let document = json::parse(text).map_err(Error::StaticVendorData)?;
    let document = match &document {
        Value::Object(_) => document.get("cloud-init"),
        other => Some(other),
    };
    let texts: Vec<&Value> = match document {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(single) => vec![single],
        None => Vec::new(),
    };
    let texts = texts.into_iter().filter_map(Value::as_str);
    Ok(texts
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect())
}

/// Joins the parts; the guest section's comes last.
///
/// One part stands as it is, several as `#cloud-config-archive`, which every cloud-init takes
/// apart by each part's first line (`cloudinit/user_data.py`, `_explode_archive`).
pub(super) fn join(mut parts: Vec<String>, guest: Option<String>) -> Option<String> {
    parts.extend(guest);
    if parts.len() < 2 {
        return parts.pop();
    }
    let items = parts.into_iter().map(|content| {
        let mut members = Vec::new();
        if content.starts_with(CLOUD_CONFIG_HEADER) {
            members.push(("type".to_owned(), Value::from("text/cloud-config")));
        }
        members.push(("content".to_owned(), content.into()));
        Value::Object(members)
    });
    let archive = yaml::encode(&Value::Array(items.collect()));
    Some(format!("#cloud-config-archive\n{archive}"))
}
