//! Our reading of nova.conf against oslo.config's, with the options of a real Nova.
//!
//! `tests/oslo/nova_conf.py` generates files from a seed and reads them with oslo.config
//! (PyPI). `CHRISTEN_NOVA_SEED` and `CHRISTEN_NOVA_CASES` choose others than the usual ones.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use christen_instance::inputs::FileSource;
use christen_instance::settings::option::{
    Default, Effect, Kind, MAX_INTEGER, OPTIONS, SHIPPED_TEMPLATE,
};
use christen_instance::settings::{Error, Loaded, Loader, OptionValue, Problem};
use christen_instance::{Value, json};
use christen_testkit::python;

/// Every file is there: what options name is not what is compared.
struct AnyFile;

impl FileSource for AnyFile {
    fn read(&self, _: &str, _: u64) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

/// Runs the driver and returns its lines; nothing when there is no Nova here.
fn driver(arguments: &[&str]) -> Option<Vec<Value>> {
    let interpreter = python::require(&["nova", "oslo_config"])?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oslo/nova_conf.py");
    let mut child = Command::new(interpreter)
        .arg(script)
        .args(arguments)
        .env("PYTHONUTF8", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut input = child.stdin.take().expect("its input is a pipe");
    for option in OPTIONS {
        let effect = if option.effect == Effect::Used {
            "used"
        } else {
            "other"
        };
        writeln!(input, "{} {} {effect}", option.group, option.name).expect("the driver reads");
    }
    drop(input);
    let output = child.wait_with_output().expect("the driver ends");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("JSON is text");
    let lines = text.lines();
    Some(
        lines
            .map(|line| json::parse(line).expect("the driver writes JSON"))
            .collect(),
    )
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_table_is_novas() {
    let Some(described) = driver(&["table"]) else {
        return;
    };
    assert_eq!(described.len(), OPTIONS.len());
    for (option, nova) in OPTIONS.iter().zip(&described) {
        let title = option.title();
        let get = |name: &str| nova.get(name).expect("the driver describes it");
        let kind = get("type").as_str().expect("a type's name");
        let choices = strings(get("choices"));
        match option.kind {
            Kind::Text => {
                assert!(["String", "HostDomain"].contains(&kind), "{title}: {kind}");
                assert!(choices.is_empty(), "{title}");
            }
            Kind::Choice(ours) => assert_eq!((kind, &choices[..]), ("String", ours), "{title}"),
            Kind::Flag => assert_eq!(kind, "Boolean", "{title}"),
            Kind::Integer(minimum) => {
                assert_eq!(kind, "Integer", "{title}");
                assert_eq!(get("minimum"), &Value::from(minimum), "{title}");
            }
            Kind::List => assert_eq!((kind, choices.len()), ("List", 0), "{title}"),
            Kind::ChoiceList(ours) => assert_eq!((kind, &choices[..]), ("List", ours), "{title}"),
        }
        let default = match option.default {
            Default::OfTheHost => None,
            Default::Nothing => Some(Value::Null),
            Default::Text(text) => Some(Value::from(text)),
            Default::Flag(flag) => Some(Value::from(flag)),
            Default::Integer(number) => Some(Value::from(number)),
            Default::List(items) => Some(Value::Array(
                items.iter().copied().map(Value::from).collect(),
            )),
        };
        if let Some(default) = default {
            assert_eq!(get("default"), &default, "{title}");
        }
        let deprecated: Vec<Value> = option
            .deprecated
            .iter()
            .map(|(group, name)| Value::Array(vec![Value::from(*group), Value::from(*name)]))
            .collect();
        assert_eq!(get("deprecated"), &Value::Array(deprecated), "{title}");
        if get("secret") == &Value::Bool(true) {
            assert!(option.sensitive, "{title}");
        }
    }
}

#[test]
fn generated_files_are_read_as_by_oslo_config() {
    let chosen = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.into());
    let seed = chosen("CHRISTEN_NOVA_SEED", "1");
    let number = chosen("CHRISTEN_NOVA_CASES", "1000");
    let Some(cases) = driver(&["cases", &seed, &number]) else {
        return;
    };
    let mut seen = Seen::default();
    for case in &cases {
        check(case, &mut seen);
    }
    // A generator that only makes refusals, or none, would show little.
    let enough = cases.len() / 10;
    assert!(seen.refused_files > enough, "{seen:?}");
    assert!(seen.all_good > enough, "{seen:?}");
    assert!(seen.wrong_options > enough, "{seen:?}");
    assert!(seen.known_differences < cases.len() / 5, "{seen:?}");
}

/// What the cases came to.
#[derive(Debug, Default)]
struct Seen {
    refused_files: usize,
    all_good: usize,
    wrong_options: usize,
    known_differences: usize,
}

fn check(case: &Value, seen: &mut Seen) {
    let name = case.get("name").and_then(Value::as_str).unwrap_or_default();
    let files = strings(case.get("files").expect("a case has files"));
    let shown = || format!("case {name}: {files:#?}");
    let mut loader = Loader::new();
    for text in &files {
        loader = match loader.nova_conf(text, "nova.conf") {
            Ok(loader) => loader,
            Err(error) => {
                assert!(case.get("refused").is_some(), "{error}\n{}", shown());
                seen.refused_files += 1;
                return;
            }
        };
    }
    let Some(Value::Object(options)) = case.get("options") else {
        panic!(
            "oslo.config refuses the files: {:?}\n{}",
            case.get("refused"),
            shown()
        );
    };
    let ours = answers(loader.finish(&AnyFile));
    for (title, theirs) in options {
        match (ours.get(title), theirs.get("value")) {
            (Some(Err(problem)), value) => {
                if value.is_some_and(|value| !known_difference(title, problem, value)) {
                    panic!("{title}: {problem}, oslo.config has {value:?}\n{}", shown());
                }
                seen.wrong_options += usize::from(value.is_none());
                seen.known_differences += usize::from(value.is_some());
            }
            // When any option is wrong, no values are to be had.
            (None, Some(_)) => {}
            (Some(Ok(ours)), Some(theirs)) => {
                assert!(
                    same(ours, theirs),
                    "{title}: {ours:?}, {theirs:?}\n{}",
                    shown()
                );
                seen.all_good += 1;
            }
            (_, None) => panic!("{title} is wrong to oslo.config: {theirs:?}\n{}", shown()),
        }
    }
}

/// What we make of each option: values, or the problems alone.
fn answers(loaded: Result<Loaded, Error>) -> BTreeMap<String, Result<OptionValue, Problem>> {
    match loaded {
        Ok(loaded) => loaded
            .effective
            .into_iter()
            .map(|effective| (effective.option.title(), Ok(effective.value)))
            .collect(),
        Err(Error::Invalid { findings }) => findings
            .into_iter()
            .filter_map(|finding| Some((finding.option?, Err(finding.problem))))
            .collect(),
        Err(error) => panic!("{error}"),
    }
}

/// The differences that `docs/settings.md` names.
fn known_difference(title: &str, problem: &Problem, theirs: &Value) -> bool {
    match problem {
        // Nova has a default for each of its options, we have those of our table.
        Problem::ReferenceUnknown { name } => [
            "compute_driver",
            "compute_link_prefix",
            "libvirt.disk_prefix",
            "neutron.ovs_bridge",
        ]
        .contains(&name.as_str()),
        Problem::ReferenceToList { .. } => true,
        Problem::AboveMaximum { .. } => {
            matches!(theirs, Value::Integer(digits) if digits.parse::<i64>().is_ok_and(|number| number > MAX_INTEGER) || digits.len() > 18)
        }
        Problem::Empty => title.starts_with("[quota]") && theirs == &Value::Null,
        _ => false,
    }
}

fn same(ours: &OptionValue, theirs: &Value) -> bool {
    match (ours, theirs) {
        (OptionValue::Text(Some(path)), Value::String(theirs)) if path == SHIPPED_TEMPLATE => {
            theirs.ends_with("/nova/virt/interfaces.template")
        }
        (OptionValue::Text(Some(ours)), Value::String(theirs)) => ours == theirs,
        (OptionValue::Text(None) | OptionValue::Integer(None), Value::Null) => true,
        (OptionValue::Flag(ours), Value::Bool(theirs)) => ours == theirs,
        (OptionValue::Integer(Some(ours)), Value::Integer(theirs)) => &ours.to_string() == theirs,
        (OptionValue::List(ours), theirs @ Value::Array(_)) => ours == &strings(theirs),
        _ => false,
    }
}
