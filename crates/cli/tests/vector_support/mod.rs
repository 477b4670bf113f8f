//! A recorded vector as a person would have it: a description, options, a pinned source of
//! randomness, and services to ask.

#![allow(dead_code, reason = "each test program uses a part of it")]

mod services;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use christen_instance::{Value, json};
use christen_testkit::TempDir;
use christen_testkit::extract::Files;

use crate::support::{christen_in, member, members, put};
pub(crate) use services::Services;

/// Keys of an input that set the stage and are no part of the description.
fn is_stage(key: &str) -> bool {
    matches!(key, "config" | "now" | "lookup") || key.starts_with("vendordata_")
}

/// A vector on disk, and the arguments that say the same to `christen`.
pub(crate) struct Case {
    pub(crate) directory: TempDir,
    /// Options by `--set`.
    set: Vec<String>,
    pub(crate) time: String,
}

impl Case {
    pub(crate) fn new(golden: &Value, services: Option<&Services>) -> Self {
        let directory = TempDir::new();
        let input = member(golden, "input");
        let described = members(input)
            .iter()
            .filter(|(key, _)| !is_stage(key))
            .cloned();
        let description = Value::Object(described.collect());
        put(&directory, "instance.json", json::encode(&description));

        let mut options: Vec<(String, Value)> = Vec::new();
        if let Some(config) = input.get("config") {
            options.extend(members(config).iter().cloned());
        }
        if let Some(services) = services {
            for (_, value) in &mut options {
                services.put_into(value);
            }
        }
        if let Some(vendordata) = input.get("vendordata_static") {
            let path = put(&directory, "vendor.json", json::encode(vendordata));
            options.push((
                "api.vendordata_jsonfile_path".to_owned(),
                path.to_str().expect("UTF-8").into(),
            ));
        }
        put(&directory, "christen.toml", toml(&options));

        // Every draw of Nova's was recorded with bytes counting up from 0. There is one of
        // 512 bytes for each `meta_data.json` but the oldest, and not a byte more is drawn.
        let draw: Vec<u8> = (0..512_u32).map(|byte| (byte % 256) as u8).collect();
        put(&directory, "random", draw.repeat(10));

        let now = input.get("now").and_then(Value::as_str);
        let pins = member(golden, "pins");
        let now = now.or_else(|| member(pins, "now").as_str());
        Self {
            directory,
            set: options.iter().map(assignment).collect(),
            time: format!("{}Z", now.expect("a time")),
        }
    }

    /// The command with options on its command line.
    pub(crate) fn by_set(&self, arguments: &str) -> Command {
        let mut command = self.command(arguments);
        for assignment in &self.set {
            command.args(["--set", assignment]);
        }
        command
    }

    /// The command with options in a file.
    pub(crate) fn by_settings(&self, arguments: &str) -> Command {
        let mut command = self.command(arguments);
        command.args(["--settings", "christen.toml"]);
        command
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = christen_in(&self.directory, arguments);
        command
            .args(["--like", "nova", "--random-source", "random"])
            .args(["--time", &self.time]);
        command
    }
}

/// One option for `--set`, which takes blanks and quotes as they are.
fn assignment((name, value): &(String, Value)) -> String {
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            items.join(",")
        }
        other => panic!("an option of an unexpected type: {other:?}"),
    };
    format!("{name}={value}")
}

/// The options in TOML, whose texts and lists are written as JSON writes them.
fn toml(options: &[(String, Value)]) -> String {
    let lines = options
        .iter()
        .map(|(name, value)| format!("{name} = {}\n", json::encode(value)));
    lines.collect()
}

/// The files that Nova wrote.
pub(crate) fn recorded(drive: &Value) -> Files {
    let files = members(member(drive, "files")).iter();
    files
        .map(|(path, content)| {
            let text = content.get("text").and_then(Value::as_str);
            let bytes = text.map(|text| text.as_bytes().to_vec());
            let bytes = bytes.unwrap_or_else(|| {
                let encoded = member(content, "base64").as_str().expect("a text");
                base64::engine::general_purpose::STANDARD
                    .decode(encoded)
                    .expect("base64")
            });
            (path.clone(), bytes)
        })
        .collect()
}

/// The vectors that have a drive, in order, by name.
pub(crate) fn vectors() -> Vec<(String, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../instance/tests/golden");
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the vectors are there")
        .map(|entry| entry.expect("they can be listed").path())
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .collect();
    paths.sort();
    let drives: Vec<_> = paths
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("it can be read");
            (
                path.file_stem()
                    .expect("it is a file")
                    .to_string_lossy()
                    .into_owned(),
                json::parse(&text).expect("it is JSON"),
            )
        })
        .filter(|(_, golden)| golden.get("config_drive").is_some())
        .collect();
    assert_eq!(drives.len(), 31, "a vector is missing or new");
    drives
}
