//! cloud-init's NoCloud seed: `meta-data`, `user-data`, `vendor-data`, `network-config` in
//! the root (cloud-init `cloudinit/sources/DataSourceNoCloud.py`).

use christen_instance::{Value, tree};

use super::documents::Files;
use super::schema::{Place, Type, expect};
use super::{Report, network_config, user_data};
use crate::Error;

pub(super) fn check(files: &Files<'_, '_>, report: &mut Report) -> Result<(), Error> {
    // cloud-init requires both on a drive (`_get_data`, `pp2d_kwargs`).
    for path in ["meta-data", "user-data"] {
        if !files.has(path) {
            report.error(
                "missing-document",
                path,
                "cloud-init takes the drive for no seed without it; it may be empty",
            );
        }
    }
    if let Some(value) = yaml(files, "meta-data", report)? {
        meta_data(&value, report);
    }
    for path in ["user-data", "vendor-data"] {
        if let Some(bytes) = files.bytes(path, report)? {
            user_data::check(&bytes, path, report);
        }
    }
    if let Some(value) = yaml(files, "network-config", report)? {
        network_config::check(&value, &Place::document("network-config"), report);
    }
    report.checked("the documents of a NoCloud seed");
    Ok(())
}

fn meta_data(value: &Value, report: &mut Report) {
    let place = Place::document("meta-data");
    if !matches!(value, Value::Null) && !expect(value, Type::Object, &place, report) {
        return;
    }
    match value.get("instance-id") {
        None | Some(Value::Null) => report.error(
            "schema",
            "meta-data",
            "`instance-id` is missing: every such drive is the same instance to cloud-init, so a changed one changes nothing",
        ),
        // YAML makes a number of 42; cloud-init makes text of it again.
        Some(Value::String(_) | Value::Integer(_)) => {}
        Some(other) => {
            expect(other, Type::Text, &place.member("instance-id"), report);
        }
    }
    for name in ["local-hostname", "hostname"] {
        if let Some(member) = value.get(name) {
            expect(member, Type::Text, &place.member(name), report);
        }
    }
}

/// Parses a document as cloud-init does: YAML, of which JSON is a part.
fn yaml(files: &Files<'_, '_>, path: &str, report: &mut Report) -> Result<Option<Value>, Error> {
    let Some(text) = files.text(path, report)? else {
        return Ok(None);
    };
    if text.trim().is_empty() {
        return Ok(Some(Value::Null));
    }
    match tree::parse_any(&text) {
        Ok((node, _)) => Ok(Some(node.to_value())),
        Err(problems) => {
            for problem in problems {
                let before = text.get(..problem.span.start).unwrap_or(&text);
                let line = before.split('\n').count();
                report.error(
                    "not-yaml",
                    path,
                    format!("line {line}: {}", problem.message),
                );
            }
            Ok(None)
        }
    }
}
