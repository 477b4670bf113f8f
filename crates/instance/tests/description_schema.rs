//! The JSON Schema, judged by a validator of other people's making.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use christen_instance::description::{self, Limits};
use christen_instance::inputs::FileSource;
use christen_instance::schema::json_schema;
use christen_instance::tree::{self, Syntax};
use christen_instance::{Value, json};
use christen_testkit::python;

/// Reads files below a directory.
struct Directory(PathBuf);

impl FileSource for Directory {
    fn read(&self, path: &str, _: u64) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(path))
    }
}

/// Reads `{"schema": ..., "cases": [...]}` and prints `true` or `false` for each case.
const VALIDATE: &str = "
import json, sys
from jsonschema import Draft202012Validator
given = json.load(sys.stdin)
Draft202012Validator.check_schema(given['schema'])
validator = Draft202012Validator(given['schema'])
json.dump([validator.is_valid(case) for case in given['cases']], sys.stdout)
";

/// What the validator says of each case; `None` without a validator.
fn validate(cases: Vec<Value>) -> Option<Vec<bool>> {
    let python = python::require(&["jsonschema"])?;
    let question = Value::Object(vec![
        ("schema".to_owned(), json_schema()),
        ("cases".to_owned(), Value::Array(cases)),
    ]);
    let answer = python::ask(&python, VALIDATE, &json::encode(&question));
    let Value::Array(answers) = json::parse(&answer).unwrap() else {
        panic!("no list");
    };
    Some(
        answers
            .iter()
            .map(|answer| *answer == Value::Bool(true))
            .collect(),
    )
}

#[test]
fn recorded_cases_and_examples_are_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = Vec::new();
    let mut cases = Vec::new();
    for entry in fs::read_dir(root.join("tests/golden")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let case = json::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        if let Some(Value::Object(members)) = case.get("input") {
            let test_only = [
                "config",
                "now",
                "vendordata_static",
                "vendordata_services",
                "lookup",
            ];
            let members = members.iter();
            let input = members.filter(|(name, _)| !test_only.contains(&name.as_str()));
            cases.push(Value::Object(input.cloned().collect()));
            names.push(path);
        }
    }
    let examples = root.join("../../examples");
    for entry in fs::read_dir(&examples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let files = Directory(examples.clone());
        let parsed = description::parse(&text, "example.yaml", &files, &Limits::default())
            .unwrap_or_else(|findings| panic!("{}:\n{}", path.display(), findings.render()));
        assert_eq!(parsed.warnings, [], "{}", path.display());
        let node = tree::parse(&text, Syntax::Yaml).unwrap();
        cases.push(node.to_value());
        names.push(path);
    }
    assert!(cases.len() >= 38, "only {} cases", cases.len());
    let Some(answers) = validate(cases) else {
        return;
    };
    for (name, valid) in names.iter().zip(answers) {
        assert!(valid, "{}", name.display());
    }
}

/// What each of these is to the parser it is to the schema.
#[test]
fn schema_and_parser_agree() {
    const MAC: &str = "\"mac\": \"52:54:00:00:00:01\"";
    let accepted = [
        "{}".to_owned(),
        r#"{"christen": 1, "uuid": null, "name": "x"}"#.to_owned(),
        r#"{"uuid": "B65CEE2F-8c69-4aeb-be2f-f79742548fc2"}"#.to_owned(),
        r#"{"hostname": "a.b-c.example.org"}"#.to_owned(),
        r#"{"user_data": ""}"#.to_owned(),
        r#"{"user_data": {"cloud_config": {"a": [1]}}}"#.to_owned(),
        r#"{"network": "dhcp"}"#.to_owned(),
        r#"{"network": []}"#.to_owned(),
        format!(r#"{{"network": [{{{MAC}, "address": "192.0.2.1/24"}}]}}"#),
        format!(r#"{{"network": [{{{MAC}, "address": ["::1/128", "192.0.2.1/0"]}}]}}"#),
        format!(r#"{{"network": [{{{MAC}, "address": "::ffff:192.0.2.1/96"}}]}}"#),
        format!(r#"{{"network": [{{{MAC}, "subnets": [{{"cidr": "10.8.0.7/8"}}]}}]}}"#),
        r#"{"metadata": {"a": "b", "": "x"}}"#.replace("\"\": \"x\"", "\"c\": \"\""),
        r#"{"key": {"name": "clé", "public_key": "ssh-ed25519 AAAA\n"}}"#.to_owned(),
        r#"{"config_drive": true}"#.to_owned(),
        r#"{"config_drive": "True"}"#.to_owned(),
        r#"{"files": [{"path": "../x", "text": ""}]}"#.to_owned(),
        r#"{"guest": {"files": [{"path": "/a", "base64": "AA==", "mode": "0644"}]}}"#.to_owned(),
        r#"{"guest": {"users": [{"name": "a", "password": {"locked": true}}]}}"#.to_owned(),
        r#"{"devices": [{"kind": "disk", "serial": null, "tags": []}]}"#.to_owned(),
        r#"{"block_devices": [{"boot_index": -1}]}"#.to_owned(),
    ];
    let refused = [
        "[]".to_owned(),
        r#"{"christen": 2}"#.to_owned(),
        r#"{"unknown": 1}"#.to_owned(),
        r#"{"name": 1}"#.to_owned(),
        r#"{"uuid": "b65cee2f"}"#.to_owned(),
        r#"{"hostname": "a b"}"#.to_owned(),
        r#"{"hostname": ""}"#.to_owned(),
        r#"{"hostname": "-a"}"#.to_owned(),
        r#"{"user_data": {}}"#.to_owned(),
        r#"{"user_data": {"text": "a", "base64": ""}}"#.to_owned(),
        r#"{"user_data": {"text": null}}"#.to_owned(),
        r#"{"user_data": {"base64": "*"}}"#.to_owned(),
        r#"{"cloud_config": "a"}"#.to_owned(),
        r#"{"network": "static"}"#.to_owned(),
        r#"{"network": [{}]}"#.to_owned(),
        r#"{"network": [{"mac": "52:54:00:00:00"}]}"#.to_owned(),
        format!(r#"{{"network": [{{{MAC}, "address": "192.0.2.1"}}]}}"#),
        format!(r#"{{"network": [{{{MAC}, "address": "192.0.2.256/24"}}]}}"#),
        format!(r#"{{"network": [{{{MAC}, "address": "192.0.2.1/33"}}]}}"#),
        format!(r#"{{"network": [{{{MAC}, "address": "::1/129"}}]}}"#),
        format!(r#"{{"network": [{{{MAC}, "vlan": 4096}}]}}"#),
        format!(r#"{{"network": [{{{MAC}, "mtu": 0}}]}}"#),
        format!(r#"{{"network": [{{{MAC}, "ipv6": "auto"}}]}}"#),
        r#"{"metadata": {"a": 1}}"#.to_owned(),
        r#"{"metadata": {"a": null}}"#.to_owned(),
        r#"{"key": {"name": "a/b", "public_key": "x"}}"#.to_owned(),
        r#"{"key": {"name": "a"}}"#.to_owned(),
        r#"{"key": {"name": "a", "public_key": "-----BEGIN PRIVATE KEY-----"}}"#.to_owned(),
        r#"{"ssh_authorized_keys": [" "]}"#.to_owned(),
        r#"{"files": [{"path": "", "text": "a"}]}"#.to_owned(),
        r#"{"files": [{"text": "a"}]}"#.to_owned(),
        r#"{"files": [{"path": "/a"}]}"#.to_owned(),
        r#"{"guest": {"files": [{"path": "/a/..", "text": ""}]}}"#.to_owned(),
        r#"{"guest": {"files": [{"path": "/a/../b", "text": ""}]}}"#.to_owned(),
        r#"{"guest": {"files": [{"path": "a", "text": ""}]}}"#.to_owned(),
        r#"{"guest": {"files": [{"path": "/a", "text": "", "mode": 420}]}}"#.to_owned(),
        r#"{"guest": {"files": [{"path": "/a", "text": "", "mode": "0844"}]}}"#.to_owned(),
        r#"{"guest": {"users": [{"name": "a:b"}]}}"#.to_owned(),
        r#"{"guest": {"users": [{"name": "a", "groups": "sudo"}]}}"#.to_owned(),
        r#"{"guest": {"timezone": "a\nb"}}"#.to_owned(),
        r#"{"devices": [{"kind": "gpu"}]}"#.to_owned(),
        r#"{"launched": "yes"}"#.to_owned(),
        r#"{"launch_index": 1.5}"#.to_owned(),
        r#"{"block_devices": [{"boot_index": -2}]}"#.to_owned(),
        r#"{"image": {"properties": {"img_config_drive": "yes"}}}"#.to_owned(),
    ];
    let cases = || {
        let accepted = accepted.iter().map(|text| (text, true));
        accepted.chain(refused.iter().map(|text| (text, false)))
    };
    let files = Directory(PathBuf::from("/nonexistent"));
    for (text, expected) in cases() {
        let parsed = description::parse(text, "case.json", &files, &Limits::default());
        assert_eq!(parsed.is_ok(), expected, "the parser on {text}");
    }
    let values = cases()
        .map(|(text, _)| json::parse(text).unwrap())
        .collect();
    let Some(answers) = validate(values) else {
        return;
    };
    for ((text, expected), answer) in cases().zip(answers) {
        assert_eq!(answer, expected, "the schema on {text}");
    }
}
