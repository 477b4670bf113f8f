//! Byte for byte what Nova 34.0.0 makes: the recorded drives of `tests/golden/`.
//!
//! The files are answers of a real Nova, each a case with the tree of its config drive and
//! the order of writing (`tests/golden/README.md`).

mod common;

use std::path::{Path, PathBuf};

use christen_instance::{Instance, Settings, Value, config_drive_required, json};
use common::{case, compare};
use compare::items;

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

fn load(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the vector can be read");
    json::parse(&text).expect("the vector is JSON")
}

#[test]
fn config_drives_are_those_of_nova() {
    let mut drives = 0;
    for entry in std::fs::read_dir(directory("golden")).expect("the vectors are there") {
        let path = entry.expect("the vectors can be listed").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let golden = load(&path);
            drives += usize::from(golden.get("config_drive").is_some());
            compare::check(&path.display().to_string(), &golden);
        }
    }
    assert_eq!(drives, 31, "a vector is missing or new");
}

#[test]
fn a_drive_is_required_when_nova_requires_one() {
    let table = load(&directory("decisions/required.json"));
    let rows = items(&table, "rows");
    assert!(!rows.is_empty());
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    for row in rows {
        let mut instance: Instance = case::instance(&Value::Object(vec![]));
        instance.config_drive = text(row.get("config_drive")).unwrap_or_default();
        instance.launched = row.get("launched") == Some(&Value::Bool(true));
        instance.image =
            text(row.get("image_property")).map(|property| christen_instance::model::Image {
                img_config_drive: Some(property),
                ..Default::default()
            });
        let forced = row
            .get("config")
            .and_then(|it| it.get("force_config_drive"));
        let settings = Settings {
            force_config_drive: forced == Some(&Value::Bool(true)),
            ..Settings::default()
        };
        let expected = row.get("expect").and_then(|expect| expect.get("required"));
        let required = config_drive_required(&instance, &settings);
        assert_eq!(Some(&Value::Bool(required)), expected, "{row:?}");
    }
}
