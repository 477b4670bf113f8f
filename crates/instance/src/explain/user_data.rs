//! What cloud-init takes user data and vendor data for.

use std::collections::HashSet;

use super::yaml;
use crate::Value;

/// First lines by which cloud-init knows a part (`cloudinit/handlers/__init__.py`,
/// `INCLUSION_TYPES_MAP`), in lower case; of two that fit, the longer stands first.
const KINDS: [(&str, &str); 9] = [
    ("#include-once", "a list of addresses to fetch, once"),
    ("#include", "a list of addresses to fetch"),
    ("#!", "a script, run once late in the first boot"),
    ("#cloud-config-archive", "an archive of parts"),
    ("#cloud-config-jsonp", "a cloud-config patch"),
    ("#cloud-config", "cloud-config"),
    ("#cloud-boothook", "a script, run early at every boot"),
    ("#part-handler", "a part handler"),
    (
        "## template: jinja",
        "a Jinja template, rendered and taken by its second line",
    ),
];

/// Says what cloud-init makes of the bytes.
pub(super) fn kind(bytes: &[u8]) -> &'static str {
    if bytes.is_empty() {
        return "empty";
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return "gzip, unpacked and looked at again";
    }
    let start = bytes.trim_ascii_start();
    let start = &start[..start.len().min(64)];
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    if start.starts_with("content-type:") || start.starts_with("mime-version:") {
        return "a MIME message of parts";
    }
    let known = KINDS.iter().find(|(line, _)| start.starts_with(line));
    known.map_or(
        "nothing cloud-init knows: it warns and ignores it",
        |(_, kind)| kind,
    )
}

/// The parts of an archive; anything else is one part.
pub(super) fn parts(bytes: &[u8]) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Vec::new();
    };
    if !text.starts_with("#cloud-config-archive") {
        return vec![text.to_owned()];
    }
    let items = match yaml(text) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let contents = items
        .iter()
        .filter_map(|item| item.get("content").unwrap_or(item).as_str());
    contents.map(str::to_owned).collect()
}

/// The top-level lists of user data that replace the same lists of vendor data.
///
/// cloud-init joins the two with `mergemanydict` (`cloudinit/helpers.py`, `ConfigMerger`),
/// which keeps the first text or list that it sees and joins mappings; `merge_how` has no
/// say there.
pub(super) fn replaced(user_data: &[u8], vendor_parts: &[String]) -> Vec<String> {
    let Ok(user_data) = std::str::from_utf8(user_data) else {
        return Vec::new();
    };
    let theirs: HashSet<String> = lists(user_data).into_iter().collect();
    if theirs.is_empty() {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let ours = vendor_parts.iter().flat_map(|part| lists(part));
    ours.filter(|name| name != "merge_how" && theirs.contains(name) && seen.insert(name.clone()))
        .collect()
}

/// The top-level members of a cloud-config that are no mappings.
fn lists(text: &str) -> Vec<String> {
    if !text.starts_with("#cloud-config\n") && !text.starts_with("#cloud-config\r") {
        return Vec::new();
    }
    let Some(Value::Object(members)) = yaml(text) else {
        return Vec::new();
    };
    let lists = members.into_iter();
    let lists = lists.filter(|(_, value)| !matches!(value, Value::Object(_)));
    lists.map(|(name, _)| name).collect()
}
