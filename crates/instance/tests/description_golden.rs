//! Every recorded case of Nova is a description as it stands.

mod common;

use std::fs;
use std::io;
use std::path::Path;

use christen_instance::description::{self, Limits};
use christen_instance::inputs::FileSource;
use christen_instance::{Value, json};

struct NoFiles;

impl FileSource for NoFiles {
    fn read(&self, _: &str, _: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Keys of a case that are no part of the description.
const TEST_ONLY: [&str; 5] = [
    "config",
    "now",
    "vendordata_static",
    "vendordata_services",
    "lookup",
];

#[test]
fn the_input_of_every_case_is_accepted_and_means_the_same() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let case = json::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        let Some(Value::Object(members)) = case.get("input") else {
            continue;
        };
        let input = Value::Object(
            members
                .iter()
                .filter(|(name, _)| !TEST_ONLY.contains(&name.as_str()))
                .cloned()
                .collect(),
        );
        let expected = common::case::instance(&input);
        for (text, origin) in [
            (json::encode(&input), "case.json"),
            (christen_instance::yaml::encode(&input), "case.yaml"),
        ] {
            let parsed = description::parse(&text, origin, &NoFiles, &Limits::default())
                .unwrap_or_else(|findings| panic!("{}:\n{}", path.display(), findings.render()));
            assert_eq!(parsed.instance, expected, "{} as {origin}", path.display());
        }
        cases += 1;
    }
    assert!(cases >= 33, "only {cases} cases");
}
