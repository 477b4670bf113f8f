//! Byte for byte what Nova 34.0.0 makes: the recorded drives of `tests/golden/`.
//!
//! The files are answers of a real Nova, each a case with the tree of its config drive and
//! the order of writing (`tests/golden/README.md`).

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use christen_instance::{Error, Instance, Settings, Value, config_drive_required, json};
use common::{Scripted, World, case};

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

fn load(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the vector can be read");
    json::parse(&text).expect("the vector is JSON")
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    match value.get(name) {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

fn members<'a>(value: &'a Value, name: &str) -> &'a [(String, Value)] {
    match value.get(name) {
        Some(Value::Object(members)) => members,
        _ => &[],
    }
}

/// The name of the exception that Nova ends with where we end with an error.
fn nova_exception(error: &Error) -> &'static str {
    match error {
        Error::NoStaticVendorData => "InvalidMetadataPath",
        Error::StaticVendorData(_) | Error::VendorDataAnswer { .. } => "JSONDecodeError",
        Error::VendorDataService { source, .. } if source.reason == "connection" => {
            "ConnectFailure"
        }
        Error::VendorDataService { .. } => "HttpError",
        Error::NetworkTemplate(_) => "TemplateError",
        _ => "none",
    }
}

fn check_case(name: &str, golden: &Value) {
    let Some(drive) = golden.get("config_drive") else {
        return;
    };
    let input = golden.get("input").expect("a case has an input");
    let instance = case::instance(input);
    let mut world = World {
        settings: case::settings(input),
        like_nova: true,
        services: Scripted {
            answers: members(input, "vendordata_services").to_vec(),
            ..Scripted::default()
        },
        ..World::default()
    };

    let rendered = world.renderer(&instance).documents();

    // Nova asks anew for each of six versions; we ask each target once.
    let asked: Vec<(&str, &str)> = items(drive, "vendordata_requests")
        .iter()
        .map(|request| {
            let body = request.get("body").and_then(|body| body.get("text"));
            let url = request.get("url").and_then(Value::as_str);
            (
                url.expect("a url"),
                body.and_then(Value::as_str).expect("a body"),
            )
        })
        .collect();
    let mut seen = BTreeSet::new();
    let asked: Vec<_> = asked.into_iter().filter(|it| seen.insert(*it)).collect();
    let requests = world.services.requests.iter();
    let requests: Vec<_> = requests
        .map(|request| (request.url.as_str(), request.body.expose().as_str()))
        .collect();
    assert_eq!(requests, asked, "{name}: vendor data requests");

    if let Some(expected) = drive.get("error") {
        let error = rendered.expect_err(name);
        assert_eq!(Some(nova_exception(&error)), expected.as_str(), "{name}");
        return;
    }
    let documents = rendered.unwrap_or_else(|error| panic!("{name}: {error}"));
    let order: Vec<Value> = documents.iter().map(|it| it.path.as_str().into()).collect();
    assert_eq!(
        order,
        items(drive, "write_order"),
        "{name}: order of writing"
    );

    let files = members(drive, "files");
    assert_eq!(documents.len(), files.len(), "{name}");
    for document in &documents {
        let expected = files.iter().find(|(path, _)| *path == document.path);
        let (_, expected) = expected.unwrap_or_else(|| panic!("{name}: {}", document.path));
        assert_eq!(
            String::from_utf8_lossy(&document.content),
            String::from_utf8_lossy(&case::bytes(expected)),
            "{name}: {}",
            document.path
        );
        // Lossy text is for reading a failure; the bytes decide.
        assert!(
            document.content == case::bytes(expected),
            "{name}: {}",
            document.path
        );
    }

    // What is rendered alone is what is rendered in the whole.
    for document in &documents {
        let mut world = World {
            settings: case::settings(input),
            like_nova: true,
            services: Scripted {
                answers: members(input, "vendordata_services").to_vec(),
                ..Scripted::default()
            },
            ..World::default()
        };
        let alone = world.renderer(&instance).document(&document.path);
        assert_eq!(alone.expect(name), *document, "{name}");
    }
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
            check_case(&path.display().to_string(), &golden);
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
