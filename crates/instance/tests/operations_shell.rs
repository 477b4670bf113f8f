//! Operations on files as commands of a drive, run by real shells.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use christen_instance::guest::cloud_config;
use christen_instance::model::{Guest, MachineId, Operation, Seed};
use christen_instance::tree::parse_any;
use christen_instance::{Error, Secret};
use christen_testkit::TempDir;
use christen_testkit::tools::{require, run};
use common::Pinned;

fn commands(guest: &Guest) -> Vec<String> {
    let text = cloud_config(guest, &mut Pinned::default())
        .unwrap()
        .unwrap();
    let (root, _) = parse_any(&text).expect("it is YAML");
    let items = root.get("runcmd").expect("there are commands").items();
    items
        .iter()
        .map(|it| it.as_text().unwrap().to_owned())
        .collect()
}

fn judge(shell: &str, arguments: &[&str]) {
    let Some(shell) = require(shell) else {
        return;
    };
    let scratch = TempDir::new();
    let at = |name: &str| format!("{}/{name}", scratch.path().display());
    let odd = "a b'c\"$(x)";
    let guest = Guest {
        operations: vec![
            Operation::MakeDirectory {
                path: at(&format!("{odd}/d")),
            },
            Operation::Write {
                path: at("new/e/f"),
                content: Secret::new(vec![0, 255, b'\'']),
            },
            Operation::Write {
                path: at("lines"),
                content: Secret::new(b"one\ntwo".to_vec()),
            },
            Operation::AppendLine {
                path: at("lines"),
                line: "two".to_owned(),
            },
            Operation::AppendLine {
                path: at("lines"),
                line: format!("-x {odd} \\n %s"),
            },
            Operation::AppendLine {
                path: at("fresh"),
                line: "a".to_owned(),
            },
            Operation::ChangeMode {
                path: at("lines"),
                mode: 0o640,
            },
            Operation::Link {
                path: at("link"),
                target: "new".to_owned(),
            },
            Operation::Link {
                path: at("link"),
                target: odd.to_owned(),
            },
            Operation::Move {
                from: at("fresh"),
                to: at(odd),
            },
            Operation::Touch {
                path: at("touched"),
            },
            Operation::Write {
                path: at("cut"),
                content: Secret::new(b"x".to_vec()),
            },
            Operation::Truncate { path: at("cut") },
            Operation::Truncate {
                path: at("missing"),
            },
            Operation::Write {
                path: at("gone/x"),
                content: Secret::new(Vec::new()),
            },
            Operation::Delete { path: at("gone") },
        ],
        ..Guest::default()
    };
    // As cloud-init does it: all of them are one script.
    let script = format!("set -e\n{}\n", commands(&guest).join("\n"));
    for _ in 0..2 {
        run(Command::new(&shell).args(arguments).arg("-c").arg(&script));
    }
    let read = |name: &str| fs::read(at(name)).unwrap();
    assert_eq!(read("new/e/f"), [0, 255, b'\'']);
    assert_eq!(
        read("lines"),
        format!("one\ntwo\n-x {odd} \\n %s\n").into_bytes()
    );
    assert_eq!(read(&format!("{odd}/fresh")), b"a\n");
    assert!(fs::metadata(at(&format!("{odd}/d"))).unwrap().is_dir());
    assert_eq!(
        fs::metadata(at("lines")).unwrap().permissions().mode() & 0o7777,
        0o640
    );
    assert_eq!(fs::read_link(at("link")).unwrap().to_str(), Some(odd));
    assert_eq!((read("touched").len(), read("cut").len()), (0, 0));
    assert!(!fs::exists(at("missing")).unwrap() && !fs::exists(at("gone")).unwrap());
}

#[test]
fn sh_does_what_operations_say() {
    judge("sh", &[]);
}

#[test]
fn busybox_does_what_operations_say() {
    judge("busybox", &["sh"]);
}

#[test]
fn a_machine_id_cannot_travel_and_a_seed_says_nothing() {
    let guest = Guest {
        machine_id: Some(MachineId::Reset),
        ..Guest::default()
    };
    let error = cloud_config(&guest, &mut Pinned::default()).expect_err("it comes too late");
    assert!(matches!(error, Error::GuestNotOnDrive { .. }));
    let guest = Guest {
        generate_ssh_host_key: true,
        ..Guest::default()
    };
    let error = cloud_config(&guest, &mut Pinned::default()).expect_err("it is for injection");
    assert!(matches!(error, Error::GuestNotOnDrive { .. }));
    let guest = Guest {
        seed_cloud_init: Some(Seed::NoCloud),
        ..Guest::default()
    };
    assert!(guest.is_empty());
    assert_eq!(cloud_config(&guest, &mut Pinned::default()).unwrap(), None);
}
