//! Host names beside those that Nova itself makes.

use christen_instance::hostname::hostname_from_name;
use christen_instance::{Value, json};
use christen_testkit::python;

/// As `nova/compute/api.py`, `_populate_instance_names`, calls it.
const NOVA: &str = "
import json, sys
from nova import utils
default = 'Server-b65cee2f-8c69-4aeb-be2f-f79742548fc2'
json.dump([utils.sanitize_hostname(name, default) for name in json.load(sys.stdin)], sys.stdout)
";

#[test]
fn names_become_what_nova_makes_of_them() {
    let Some(python) = python::require(&["nova"]) else {
        return;
    };
    let mut names: Vec<String> = [
        "web-01",
        "my server",
        "a.b.c",
        "A_B",
        "--a--",
        ". .",
        "",
        "虚拟机-éß 😀 \"q\" \\ / <&>",
        "İstanbul",
        "tab\tnew\nline",
    ]
    .map(str::to_owned)
    .to_vec();
    // Every character of Latin-1 and some beyond, alone and between letters.
    for code in (0..0x180).chain([0x2028, 0xfb01, 0x1_f600]) {
        let character = char::from_u32(code).expect("no surrogate");
        names.push(character.to_string());
        names.push(format!("a{character}b"));
    }
    for length in 60..70 {
        names.push("é".repeat(length));
        names.push(format!("{}. b", "x".repeat(length)));
        names.push(format!("{}x", "虚".repeat(length)));
    }
    let question = Value::Array(names.iter().map(|name| name.as_str().into()).collect());
    let answer = python::ask(&python, NOVA, &json::encode(&question));
    let Value::Array(answers) = json::parse(&answer).unwrap() else {
        panic!("no list");
    };
    assert_eq!(answers.len(), names.len());
    for (name, expected) in names.iter().zip(answers) {
        let made = hostname_from_name(name, "b65cee2f-8c69-4aeb-be2f-f79742548fc2");
        assert_eq!(Some(made.as_str()), expected.as_str(), "{name:?}");
    }
}
