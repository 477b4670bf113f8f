//! cloud-init's own readers find on every drive of ours what they find on genisoimage's.
//!
//! Every example and every recorded case of Nova that has a drive goes through the binary
//! to an ISO and a VFAT drive. Programs that are not ours take them apart, and both versions
//! of cloud-init read them, and read a drive that genisoimage made of the same tree.

mod cloud_init_support;
mod support;
mod vector_support;

use std::fs;
use std::path::Path;
use std::thread;

use christen_testkit::cloud_init::{self, DataSource};
use christen_testkit::extract::{self, Files};
use christen_testkit::{TempDir, tools};
use cloud_init_support::{Case, Drives, Expected, UserData, examples, golden};
use serde_json::Value;

#[test]
fn every_drive_says_what_was_meant_and_what_genisoimages_says() {
    let versions = cloud_init::require();
    if versions.is_empty() || !extract::require() || tools::require("genisoimage").is_none() {
        return;
    }
    let directory = TempDir::new();
    // As the vectors were made: byte i of every draw is i modulo 256. A draw of 512 bytes
    // leaves the next one where it began.
    let pinned: Vec<u8> = (0..=255).cycle().take(16 << 10).collect();
    fs::write(directory.join("random"), pinned).expect("writable");
    let mut cases = golden();
    cases.extend(examples());

    let drives = build(&cases, &directory);
    for (case, drives) in cases.iter().zip(&drives) {
        check_trees(case, drives);
    }
    let trees: Vec<(DataSource, &Path)> = cases
        .iter()
        .zip(&drives)
        .flat_map(|(case, drives)| {
            let source = match case.dialect {
                "nocloud" => DataSource::NoCloud,
                _ => DataSource::ConfigDrive,
            };
            drives
                .trees
                .iter()
                .map(move |(_, tree)| (source, tree.as_path()))
        })
        .collect();
    for version in versions {
        let name = version.version().expect("it has one");
        let readings = version.read_all(&trees).expect("cloud-init runs");
        for ((case, drives), readings) in cases.iter().zip(&drives).zip(readings.chunks(3)) {
            let what = format!("cloud-init {name}, {}, {}", case.name, case.dialect);
            let mut readings = drives
                .trees
                .iter()
                .zip(readings)
                .map(|((maker, _), reading)| match reading {
                    Ok(reading) => (*maker, reading),
                    Err(error) => panic!("{what}: {maker}: {error}"),
                });
            let (_, first) = readings.next().expect("three drives");
            for (maker, reading) in readings {
                assert_eq!(first, reading, "{what}: our ISO and {maker}");
            }
            check_reading(&case.expected, case.dialect, first, &what);
        }
    }
}

/// Builds in two threads, which is what a small machine has cores for.
fn build(cases: &[Case], directory: &Path) -> Vec<Drives> {
    let half = cases.len().div_ceil(2);
    thread::scope(|scope| {
        let workers: Vec<_> = cases
            .chunks(half)
            .map(|cases| {
                scope.spawn(|| {
                    let drives = cases.iter().map(|case| case.drives(directory));
                    drives.collect::<Vec<_>>()
                })
            })
            .collect();
        let done = workers.into_iter().map(|worker| worker.join());
        done.flat_map(|drives| drives.expect("every drive is built"))
            .collect()
    })
}

/// The same files on all drives, and those that Nova wrote where it was asked.
fn check_trees(case: &Case, drives: &Drives) {
    let what = format!("{}, {}", case.name, case.dialect);
    let files = |tree: &Path| extract::files(tree).expect("what was extracted can be read");
    let ours = files(&drives.trees[0].1);
    assert!(!ours.is_empty(), "{what}");
    for (maker, tree) in &drives.trees[1..] {
        assert_same_files(&ours, &files(tree), &format!("{what}: our ISO and {maker}"));
    }
    if let Some(recorded) = &case.expected.tree {
        assert_same_files(&ours, recorded, &format!("{what}: our ISO and Nova's"));
    }
}

fn assert_same_files(left: &Files, right: &Files, what: &str) {
    let paths = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(paths(left), paths(right), "{what}");
    for (path, content) in left {
        assert!(right[path] == *content, "{what}: {path}");
    }
}

fn check_reading(expected: &Expected, dialect: &str, reading: &Value, what: &str) {
    let metadata = &reading["metadata"];
    assert_eq!(metadata["instance-id"], *expected.uuid, "{what}");
    assert_eq!(metadata["local-hostname"], *expected.hostname, "{what}");
    let keys = reading["keys"].as_array().expect("a list of keys");
    let keys: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
    assert_eq!(keys, expected.keys, "{what}");

    let user_data = match &reading["userdata"] {
        Value::Null => Vec::new(),
        Value::String(text) => text.as_bytes().to_vec(),
        bytes => {
            use base64::Engine as _;
            let encoded = bytes["base64"].as_str().expect("bytes in base64");
            base64::engine::general_purpose::STANDARD
                .decode(encoded)
                .expect("base64")
        }
    };
    match &expected.user_data {
        UserData::Bytes(bytes) => assert!(*bytes == user_data, "{what}: user data"),
        UserData::CloudConfig(words) => {
            let text = String::from_utf8_lossy(&user_data);
            assert!(text.starts_with("#cloud-config\n"), "{what}: {text}");
            for word in *words {
                assert!(text.contains(word), "{what}: `{word}` is not in {text}");
            }
        }
    }

    // Version 1 of the configuration is a list of devices, version 2 a mapping of them.
    let network = &reading["network"];
    let devices = match dialect {
        "nocloud" => &network["ethernets"],
        _ => &network["config"],
    };
    let count = |value: &Value| {
        value
            .as_array()
            .map(Vec::len)
            .or(value.as_object().map(|it| it.len()))
    };
    assert!(
        count(devices).unwrap_or(0) >= expected.macs.len(),
        "{what}: {network}"
    );
    let said = network.to_string().to_lowercase();
    for mac in &expected.macs {
        assert!(said.contains(mac), "{what}: {mac} is not in {network}");
    }
}
