//! Our drives against those of a real Nova, on cases that nobody has looked at.
//!
//! `tests/nova/drive.py` makes cases from a seed and runs Nova (PyPI) on them.
//! `CHRISTEN_NOVA_SEED` and `CHRISTEN_NOVA_CASES` choose others than the usual ones.

mod common;

use std::path::Path;

use christen_instance::{Value, json, network_template};
use christen_testkit::{python, tools};
use common::{case, compare};

/// Compares the network template as injection renders it.
fn check_injected(name: &str, recorded: &Value) {
    let input = recorded.get("input").expect("a case has an input");
    let instance = case::instance(input);
    let settings = case::settings(input);
    for virt_type in ["kvm", "lxc"] {
        let options = network_template::Options {
            template: &settings.injected_network_template,
            flat_injected: settings.flat_injected,
            virt_type: Some(virt_type),
            like_nova: true,
        };
        let nics = instance.network.as_deref().unwrap_or_default();
        let rendered = match network_template::render(nics, options) {
            Ok(text) => Value::from(text.as_deref()),
            Err(_) => Value::Bool(false),
        };
        let injected = recorded.get("injected").and_then(|it| it.get(virt_type));
        assert_eq!(Some(&rendered), injected, "{name}: {virt_type}");
    }
}

#[test]
fn generated_drives_are_those_of_nova() {
    let Some(interpreter) = python::require(&["nova"]) else {
        return;
    };
    let chosen = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.into());
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nova/drive.py");
    let arguments = [
        driver.into_os_string(),
        chosen("CHRISTEN_NOVA_SEED", "1").into(),
        chosen("CHRISTEN_NOVA_CASES", "100").into(),
    ];
    let output = tools::output(interpreter, arguments);
    let output = String::from_utf8(output).expect("JSON is text");
    // A run is far larger than any vendor data, so it is read in pieces: one case a line.
    let mut cases = 0;
    for line in output.lines() {
        let case = json::parse(line).expect("the driver writes JSON");
        let name = case.get("name").and_then(Value::as_str);
        let name = name.expect("a case has a name");
        compare::check(name, &case);
        check_injected(name, &case);
        cases += 1;
    }
    assert!(cases > 0, "the driver made no case");
}
