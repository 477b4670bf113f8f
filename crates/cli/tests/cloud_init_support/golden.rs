//! Nova's recorded cases as a person would have them: a description, a settings file, and
//! services to ask. What is expected is what Nova wrote.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use christen_instance::{Value, json};
use christen_testkit::extract::Files;

use super::services::Services;
use super::{Case, Expected, UserData};

/// Keys of a case that are no part of the description.
const TEST_ONLY: [&str; 5] = [
    "config",
    "now",
    "vendordata_static",
    "vendordata_services",
    "lookup",
];

/// Every recorded case that has a drive; its files are written to the directory.
pub(crate) fn golden(directory: &Path, services: &mut Services) -> Vec<Case> {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../instance/tests/golden");
    let mut cases = Vec::new();
    for entry in fs::read_dir(vectors).expect("the vectors are there") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().expect("a name").to_string_lossy();
        let text = fs::read_to_string(&path).expect("readable");
        let vector = json::parse(&text).expect("the vector is JSON");
        let drive = vector.get("config_drive");
        if let (Some(input), Some(files)) =
            (vector.get("input"), drive.and_then(|it| it.get("files")))
        {
            cases.push(case(&name, input, files, directory, services));
        }
    }
    cases
}

fn case(
    name: &str,
    input: &Value,
    files: &Value,
    directory: &Path,
    services: &mut Services,
) -> Case {
    let input = members(input);
    let (test_only, described): (Vec<_>, Vec<_>) = input
        .iter()
        .cloned()
        .partition(|(key, _)| TEST_ONLY.contains(&key.as_str()));
    let description = directory.join(format!("{name}.json"));
    write(&description, &json::encode(&Value::Object(described)));
    let test_only = Value::Object(test_only);
    let settings = directory.join(format!("{name}.toml"));
    write(&settings, &toml(name, &test_only, directory, services));

    let tree: Files = members(files)
        .iter()
        .map(|(path, content)| (path.clone(), bytes(content)))
        .collect();
    Case {
        name: format!("nova-{name}"),
        dialect: "openstack",
        description,
        options: vec![
            "--like".into(),
            "nova".into(),
            "--settings".into(),
            settings.into(),
        ],
        expected: expected(tree),
    }
}

/// The settings of a case as `christen.toml`.
fn toml(name: &str, test_only: &Value, directory: &Path, services: &mut Services) -> String {
    let mut text = "[api]\n".to_owned();
    if let Some(vendor_data) = test_only.get("vendordata_static") {
        let file = format!("{name}-vendor.json");
        write(&directory.join(&file), &json::encode(vendor_data));
        text += &format!("vendordata_jsonfile_path = \"{file}\"\n");
    }
    for (option, value) in test_only.get("config").map_or(&[][..], members) {
        let option = option.strip_prefix("api.").expect("an option of group api");
        let value = match value {
            Value::Array(targets) if option == "vendordata_dynamic_targets" => Value::Array(
                targets
                    .iter()
                    .map(|target| services.redirect(text_of(target), test_only).into())
                    .collect(),
            ),
            other => other.clone(),
        };
        // Strings, lists of strings and truth values are the same in JSON and TOML.
        text += &format!("{option} = {}\n", json::encode(&value));
    }
    text
}

/// What Nova's own documents say.
fn expected(tree: Files) -> Expected {
    let document = |name: &str| {
        let text = tree.get(&format!("openstack/latest/{name}"))?;
        json::parse(str::from_utf8(text).expect("JSON is text")).ok()
    };
    let meta_data = document("meta_data.json").expect("Nova writes it always");
    let member = |name: &str| text_of(meta_data.get(name).expect(name)).to_owned();
    let network = document("network_data.json").expect("Nova writes it always");
    // An instance without network information has `{}`.
    let links = match network.get("links") {
        Some(Value::Array(links)) => &links[..],
        _ => &[],
    };
    let macs: BTreeSet<String> = links
        .iter()
        .filter_map(|link| link.get("ethernet_mac_address")?.as_str())
        .map(str::to_lowercase)
        .collect();
    Expected {
        uuid: member("uuid"),
        hostname: member("hostname"),
        keys: meta_data.get("public_keys").map_or_else(Vec::new, |keys| {
            let keys = members(keys).iter();
            keys.map(|(_, key)| text_of(key).to_owned()).collect()
        }),
        user_data: UserData::Bytes(
            tree.get("openstack/latest/user_data")
                .cloned()
                .unwrap_or_default()
                .into(),
        ),
        macs,
        tree: Some(tree),
    }
}

fn members(value: &Value) -> &[(String, Value)] {
    match value {
        Value::Object(members) => members,
        other => panic!("no object: {other:?}"),
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Bytes given as `text` or `base64`.
fn bytes(value: &Value) -> Vec<u8> {
    match (value.get("text"), value.get("base64")) {
        (Some(text), _) => text_of(text).as_bytes().to_vec(),
        (None, Some(encoded)) => STANDARD.decode(text_of(encoded)).expect("base64"),
        (None, None) => panic!("neither text nor base64"),
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("the directory is writable");
}
