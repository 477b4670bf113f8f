//! cloud-init's own readers, run offline, understand our documents as they are meant.

mod common;

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use christen_instance::explain::{Reading, explain};
use christen_instance::{Context, Secret};
use christen_instance::{Dialect, Document, Instance, NoCloud, Settings, Value, json, model};
use christen_testkit::cloud_init::{self, CloudInit};
use christen_testkit::{TempDir, python, tools};
use common::{Pinned, Scripted, World, case};

const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cloud_init/read.py");

/// An instance with its options, and a name for messages.
struct Case {
    name: String,
    instance: Instance,
    settings: Settings,
}

/// Every recorded case that has a drive, and one with everything that only we have.
fn cases() -> Vec<Case> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases = vec![everything()];
    for entry in std::fs::read_dir(golden).expect("the vectors are there") {
        let path = entry.expect("the vectors can be listed").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("the vector can be read");
        let golden = json::parse(&text).expect("the vector is JSON");
        let files = golden
            .get("config_drive")
            .and_then(|drive| drive.get("files"));
        if let Some(input) = golden.get("input").filter(|_| files.is_some()) {
            cases.push(Case {
                name: path.display().to_string(),
                instance: case::instance(input),
                settings: case::settings(input),
            });
        }
    }
    assert!(cases.len() > 25, "the vectors are there");
    cases
}

fn everything() -> Case {
    let mut instance = case::instance(&Value::Object(Vec::new()));
    instance.uuid = Some("b65cee2f-8c69-4aeb-be2f-f79742548fc2".to_owned());
    instance.name = "everything".to_owned();
    instance.user_data = Some(Secret::new(b"#cloud-config\nruncmd: [owner]\n".to_vec()));
    instance.key = Some(model::KeyPair {
        name: "desk".to_owned(),
        kind: "ssh".to_owned(),
        public_key: Some("ssh-ed25519 AAAA desk\n".to_owned()),
        deleted: false,
    });
    instance.guest = model::Guest {
        users: vec![
            model::GuestUser {
                name: "ada".to_owned(),
                ssh_authorized_keys: vec!["ssh-ed25519 BBBB ada".to_owned()],
                password: Some(model::Password::Text(Secret::new("cl3ar-text".to_owned()))),
                groups: vec!["adm".to_owned(), "sudo".to_owned()],
                shell: Some("/bin/bash".to_owned()),
                sudo: Some("ALL=(ALL) NOPASSWD:ALL".to_owned()),
                gecos: Some("Ada: first".to_owned()),
                home: Some("/srv/ada".to_owned()),
                uid: Some(1200),
                system: false,
            },
            model::GuestUser {
                name: "svc".to_owned(),
                password: Some(model::Password::Locked),
                system: true,
                ..Default::default()
            },
        ],
        root_password: Some(model::Password::Text(Secret::new("r00t-text".to_owned()))),
        timezone: Some("Europe/Berlin".to_owned()),
        locale: Some("de_DE.UTF-8".to_owned()),
        ssh_host_keys: vec![model::SshHostKey {
            algorithm: "ed25519".to_owned(),
            private: Secret::new("-----BEGIN OPENSSH PRIVATE KEY-----\nAA==\n-----END".to_owned()),
            public: Some("ssh-ed25519 CCCC host\n".to_owned()),
        }],
        ca_certificates: vec!["-----BEGIN CERTIFICATE-----\nAA==\n-----END\n".to_owned()],
        first_boot_commands: vec![Secret::new("echo 'a: b' > /run/x # no".to_owned())],
        files: vec![model::GuestFile {
            path: "/etc/x".to_owned(),
            content: Secret::new(vec![0, 255, 10]),
            owner: Some("ada:ada".to_owned()),
            mode: Some(0o640),
        }],
        operations: Vec::new(),
        generate_ssh_host_key: false,
        machine_id: None,
        seed_cloud_init: None,
    };
    let operator = r##"{"cloud-init": ["#cloud-config\nruncmd: [operator]\n", "#!/bin/sh\nx"]}"##;
    Case {
        name: "everything".to_owned(),
        instance,
        settings: Settings {
            vendordata_json: Some(operator.to_owned()),
            ..Settings::default()
        },
    }
}

fn nocloud(case: &Case, random: &mut Pinned) -> Vec<Document> {
    let mut services = Scripted::default();
    let context = Context {
        settings: &case.settings,
        like_nova: false,
        random,
        vendordata: &mut services,
    };
    let mut renderer = NoCloud::new(&case.instance, context);
    let documents = renderer.documents().expect(&case.name);
    let paths: Vec<String> = documents.iter().map(|it| it.path.clone()).collect();
    assert_eq!(renderer.paths().expect(&case.name), paths, "{}", case.name);
    for document in &documents {
        let again = renderer.document(&document.path).expect(&case.name);
        assert!(again == *document, "{}: {}", case.name, document.path);
    }
    documents
}

/// The OpenStack tree of a case, if there is one to be had (services may fail on purpose).
fn openstack(case: &Case) -> Option<Vec<Document>> {
    let mut world = World {
        settings: Settings {
            vendordata_dynamic_targets: Vec::new(),
            ..case.settings.clone()
        },
        ..World::default()
    };
    world.renderer(&case.instance).documents().ok()
}

fn macs(instance: &Instance) -> Vec<Value> {
    let nics = instance.network.iter().flatten().map(|nic| &nic.mac);
    let ports = instance.bare_metal.iter().flat_map(|it| &it.ports);
    let all = nics.chain(ports.map(|port| &port.mac));
    all.map(|mac| Value::from(mac.as_str())).collect()
}

fn question(case: &Case, dialect: Dialect, documents: &[Document]) -> Value {
    let files = documents.iter().map(|document| {
        let content = STANDARD.encode(&document.content);
        (document.path.clone(), Value::from(content))
    });
    let name = match dialect {
        Dialect::NoCloud => "nocloud",
        Dialect::OpenStack => "openstack",
    };
    Value::Object(vec![
        ("dialect".to_owned(), name.into()),
        ("files".to_owned(), Value::Object(files.collect())),
        ("macs".to_owned(), Value::Array(macs(&case.instance))),
    ])
}

/// What every version of cloud-init that the testkit has answers, one answer for each
/// question; empty when there is none.
fn ask(questions: Vec<Value>) -> Vec<Vec<Value>> {
    let versions = cloud_init::require();
    let Some(python) = python::find().filter(|_| !versions.is_empty()) else {
        return Vec::new();
    };
    let directory = TempDir::new();
    let file = directory.join("cases.json");
    std::fs::write(&file, json::encode(&Value::Array(questions))).expect("it is writable");
    let ask = |version: &CloudInit| {
        let mut command = Command::new(&python);
        command.env("PYTHONPATH", version.packages());
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let answer = tools::run(command.arg(READER).arg(&file));
        let answer = String::from_utf8(answer).expect("JSON is ASCII");
        match json::parse(&answer).expect("the reader answers with JSON") {
            Value::Array(answers) => answers,
            other => panic!("{other:?}"),
        }
    };
    versions.iter().map(ask).collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn nocloud_is_read_and_fits_the_published_schemas() {
    let cases = cases();
    let mut random = Pinned::default();
    let trees: Vec<_> = cases
        .iter()
        .map(|case| nocloud(case, &mut random))
        .collect();
    let pairs = cases.iter().zip(&trees);
    let questions = pairs.map(|(case, tree)| question(case, Dialect::NoCloud, tree));
    for answers in ask(questions.collect()) {
        check_nocloud(&cases, &answers);
    }
}

fn check_nocloud(cases: &[Case], answers: &[Value]) {
    for (case, answer) in cases.iter().zip(answers) {
        let name = &case.name;
        assert_eq!(
            Some(text(answer, "instance_id")),
            case.instance.uuid.as_deref(),
            "{name}"
        );
        let empty = Value::Array(Vec::new());
        assert_eq!(answer.get("cloud_config_schema"), Some(&empty), "{name}");
        let network = answer.get("network_schema").unwrap_or(&Value::Null);
        assert!(
            [&empty, &Value::Null].contains(&network),
            "{name}: {network:?}"
        );
        let user_data = case.instance.user_data.as_ref();
        let user_data = user_data.map_or_else(Vec::new, |bytes| bytes.expose().clone());
        assert_eq!(
            text(answer, "user_data"),
            STANDARD.encode(user_data),
            "{name}"
        );
    }
    let commands = |member: &str| {
        let config = answers[0].get(member).and_then(|it| it.get("runcmd"));
        config.map(json::encode).unwrap_or_default()
    };
    assert_eq!(
        commands("merged"),
        r#"["operator", "echo 'a: b' > /run/x # no"]"#
    );
    assert_eq!(commands("with_user_data"), r#"["owner"]"#);
    let everything = answers[0]
        .get("vendor_data")
        .map(json::encode)
        .unwrap_or_default();
    assert!(everything.contains("$6$./0123456789ABCD$"), "hashed");
    assert!(!everything.contains("cl3ar-text") && !everything.contains("r00t-text"));
    assert_eq!(
        everything.matches("text/cloud-config").count(),
        2,
        "{everything}"
    );
    assert_eq!(
        everything.matches("text/x-shellscript").count(),
        1,
        "{everything}"
    );
}

/// What `network_data.json` cannot say, so that the two readers must differ.
const CONFIG_DRIVE_LOSES: [&str; 1] = ["multi-nic.json"];

#[test]
fn nocloud_and_config_drive_tell_the_same_story() {
    let cases = cases();
    let mut random = Pinned::default();
    let mut questions = Vec::new();
    let mut names = Vec::new();
    for case in &cases {
        let Some(drive) = openstack(case) else {
            continue;
        };
        names.push(case);
        questions.push(question(
            case,
            Dialect::NoCloud,
            &nocloud(case, &mut random),
        ));
        questions.push(question(case, Dialect::OpenStack, &drive));
    }
    for answers in ask(questions) {
        check_the_same(&names, &answers);
    }
}

fn check_the_same(cases: &[&Case], answers: &[Value]) {
    for (case, pair) in cases.iter().zip(answers.chunks(2)) {
        let name = &case.name;
        for member in ["instance_id", "hostname", "fqdn"] {
            assert_eq!(pair[0].get(member), pair[1].get(member), "{name}: {member}");
        }
        if CONFIG_DRIVE_LOSES.iter().any(|lost| name.ends_with(lost)) {
            continue;
        }
        let keys = |answer: &Value| {
            json::encode(answer.get("keys").unwrap_or(&Value::Null)).replace("\\n", "")
        };
        assert_eq!(keys(&pair[0]), keys(&pair[1]), "{name}: keys");
        let network = |answer: &Value| answer.get("network").map(json::encode);
        if pair[0].get("network") != Some(&Value::Null) {
            assert_eq!(network(&pair[0]), network(&pair[1]), "{name}: network");
        }
    }
}

/// The addresses that a reading promises, without prefix, sorted.
fn promised(reading: &Reading) -> Vec<String> {
    let lines = reading.network.iter();
    let words = lines.flat_map(|line| line.split([' ', ',']));
    let pairs = words.clone().zip(words.skip(1));
    let addresses = pairs.filter(|(word, _)| *word == "static");
    let mut addresses: Vec<String> = addresses
        .map(|(_, address)| address.split('/').next().unwrap_or(address).to_owned())
        .collect();
    addresses.sort();
    addresses
}

/// The same from cloud-init's network state.
fn configured(network: &Value) -> Vec<String> {
    let Some(Value::Object(interfaces)) = network.get("interfaces") else {
        return Vec::new();
    };
    let mut addresses = Vec::new();
    for (_, interface) in interfaces {
        let Some(Value::Array(found)) = interface.get("addresses") else {
            panic!("an interface has addresses");
        };
        let found = found.iter().filter_map(Value::as_str);
        addresses.extend(found.map(|it| it.split('/').next().unwrap_or(it).to_owned()));
    }
    addresses.sort();
    addresses
}

#[test]
fn explain_predicts_what_cloud_init_reads() {
    let cases = cases();
    let mut random = Pinned::default();
    let mut questions = Vec::new();
    let mut readings = Vec::new();
    for case in &cases {
        let mut trees = vec![(Dialect::NoCloud, nocloud(case, &mut random))];
        trees.extend(openstack(case).map(|tree| (Dialect::OpenStack, tree)));
        for (dialect, tree) in trees {
            let reader = match dialect {
                Dialect::OpenStack => "cloud-init ConfigDrive",
                Dialect::NoCloud => "cloud-init NoCloud",
            };
            let explanation = explain(dialect, &tree);
            let found: Vec<_> = explanation.readers.iter().filter(|it| it.found).collect();
            assert!(
                found.iter().any(|it| it.reader == reader),
                "{}: {found:?}",
                case.name
            );
            let cloud_init = found
                .iter()
                .filter(|it| it.reader.starts_with("cloud-init"));
            assert_eq!(
                cloud_init.count(),
                1,
                "{}: one datasource takes it",
                case.name
            );
            if case.name == "everything" {
                let notes = found.iter().flat_map(|it| &it.notes);
                let replaced = notes.filter(|note| note.starts_with("user data replaces `runcmd`"));
                assert_eq!(replaced.count(), 1, "{dialect:?}: {found:?}");
            }
            let mut all = explanation.readers.into_iter();
            readings.push((&case.name, all.find(|it| it.reader == reader)));
            questions.push(question(case, dialect, &tree));
        }
    }
    for answers in ask(questions) {
        check_predictions(&readings, &answers);
    }
}

fn check_predictions(readings: &[(&String, Option<Reading>)], answers: &[Value]) {
    for ((name, reading), answer) in readings.iter().zip(answers) {
        let reading = reading.as_ref().expect("it was found");
        let name = format!("{name}, {}", reading.reader);
        assert_eq!(
            reading.instance_id.as_deref(),
            Some(text(answer, "instance_id")),
            "{name}"
        );
        assert_eq!(
            reading.hostname.as_deref(),
            Some(text(answer, "hostname")),
            "{name}"
        );
        let fqdn = reading.fqdn.as_ref().or(reading.hostname.as_ref());
        assert_eq!(
            fqdn.map(String::as_str),
            Some(text(answer, "fqdn")),
            "{name}"
        );
        let keys = reading.keys.iter().map(|key| Value::from(key.as_str()));
        let seen = json::encode(answer.get("keys").unwrap_or(&Value::Null)).replace("\\n", "");
        assert_eq!(json::encode(&Value::Array(keys.collect())), seen, "{name}");
        let Some(Value::Array(files)) = answer.get("files") else {
            panic!("{name}: no list of files");
        };
        let mut paths: Vec<&str> = reading
            .files
            .iter()
            .filter_map(|it| it.split(", mode").next())
            .collect();
        paths.sort_unstable();
        paths.dedup();
        let seen: Vec<&str> = files.iter().filter_map(Value::as_str).collect();
        assert_eq!(paths, seen, "{name}");
        let network = answer.get("network").unwrap_or(&Value::Null);
        assert_eq!(
            promised(reading),
            configured(network),
            "{name}: {network:?}"
        );
        let fallback = reading
            .network
            .iter()
            .any(|line| line.starts_with("no configuration"));
        assert_eq!(fallback, *network == Value::Null, "{name}: fallback");
        let empty = reading
            .network
            .iter()
            .any(|line| line.starts_with("an empty"));
        let interfaces = network.get("interfaces");
        assert_eq!(
            empty,
            interfaces == Some(&Value::Object(Vec::new())),
            "{name}: {network:?}"
        );
    }
}
