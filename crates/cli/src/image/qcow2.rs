//! What the header of a qcow2 image says, for `christen inspect`.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use christen_block::qcow2::{Compression, Header, MAX_CLUSTER_BITS};
use christen_instance::Value;

use super::show;
use super::text::shown;
use crate::output;

/// Reads the header of an image that was opened already; none if it is no file, as an NBD export.
pub(crate) fn header(path: &Path) -> Option<Header> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    // The first cluster holds all of it.
    let mut start = Vec::new();
    File::open(path)
        .ok()?
        .take(1 << MAX_CLUSTER_BITS)
        .read_to_end(&mut start)
        .ok()?;
    Header::parse(&start).ok()
}

fn compression(header: &Header) -> &'static str {
    match header.compression() {
        Some(Compression::Deflate) => "zlib",
        Some(Compression::Zstd) => "zstd",
        None => "unknown",
    }
}

/// What is shown, name by name.
pub(crate) fn facts(header: &Header) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("qcow2 version", header.version.to_string()),
        ("cluster size", format!("{} bytes", header.cluster_bytes())),
        ("compression", compression(header).to_owned()),
        ("snapshots", header.snapshots.to_string()),
    ];
    if let Some(name) = &header.backing_file {
        let format = header.backing_format.as_deref().unwrap_or("not stated");
        let format = output::visible(format);
        facts.push(("backing file", format!("{} ({format})", shown(name))));
    }
    if header.has_data_file() {
        let name = header.data_file.as_deref().unwrap_or_default();
        facts.push(("data file", shown(name)));
    }
    let features = header.features();
    if !features.is_empty() {
        facts.push(("features", output::visible(&features.join(", "))));
    }
    facts
}

/// The same for programs.
pub(crate) fn value(header: &Header) -> Value {
    let mut members = vec![
        ("version".to_owned(), output::number(header.version.into())),
        (
            "cluster_bytes".to_owned(),
            output::number(header.cluster_bytes()),
        ),
        ("compression".to_owned(), compression(header).into()),
        (
            "snapshots".to_owned(),
            output::number(header.snapshots.into()),
        ),
    ];
    if let Some(name) = &header.backing_file {
        show::add_bytes(&mut members, "backing_file", name);
        let format = header.backing_format.as_deref();
        members.push(("backing_format".to_owned(), format.into()));
    }
    if header.has_data_file() {
        let name = header.data_file.as_deref().unwrap_or_default();
        show::add_bytes(&mut members, "data_file", name);
    }
    let features = header.features().into_iter().map(Value::from).collect();
    members.push(("features".to_owned(), Value::Array(features)));
    Value::Object(members)
}
