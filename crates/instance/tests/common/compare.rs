//! A recorded drive against ours.

use std::collections::BTreeSet;

use christen_instance::{Error, Value, json};

use super::{Scripted, World, case};

/// The items of a member that is a list.
pub(crate) fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    match value.get(name) {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

/// The members of a member that is an object.
pub(crate) fn members<'a>(value: &'a Value, name: &str) -> &'a [(String, Value)] {
    match value.get(name) {
        Some(Value::Object(members)) => members,
        _ => &[],
    }
}

/// Whether Nova ends with this exception where we end with an error.
fn agrees(error: &Error, exception: &str) -> bool {
    use json::ParseErrorKind::IntegerTooLong;
    let json_exception = |source: &json::ParseError| match source.kind {
        // CPython's limit on the conversion of digits is another class of its own.
        IntegerTooLong => "ValueError",
        _ => "JSONDecodeError",
    };
    match error {
        Error::NoStaticVendorData => exception == "InvalidMetadataPath",
        Error::StaticVendorData(source) | Error::VendorDataAnswer { source, .. } => {
            exception == json_exception(source)
        }
        Error::VendorDataService { source, .. } => match source.reason.as_str() {
            "connection" => exception == "ConnectFailure",
            _ => exception == "HttpError",
        },
        Error::NetworkTemplate(_) => matches!(
            exception,
            "TemplateSyntaxError"
                | "TemplateAssertionError"
                | "UndefinedError"
                | "ZeroDivisionError"
        ),
        _ => false,
    }
}

/// Renders a case with Nova's ways and compares everything.
pub(crate) fn check(name: &str, golden: &Value) {
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
        let expected = expected.as_str().expect("a name");
        assert!(
            agrees(&error, expected),
            "{name}: {error:?} is not {expected}"
        );
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
