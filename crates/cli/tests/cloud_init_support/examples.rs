//! The examples, and by hand what their authors mean by them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{Case, Expected, UserData};

const DESK: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID73oR3L+j2H7E6ZfOiJrC+jBl5HH2/ld6K6fjDjtC62";
/// The same with its comment.
const DESK_WITH_COMMENT: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID73oR3L+j2H7E6ZfOiJrC+jBl5HH2/ld6K6fjDjtC62 desk";
const DESK_2: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEE97JW23hSKKO0RZl9j/TSLhCoegBYizIUHVgLHvI8wyinM8SveeGMLNG0JEc5B8nX13CT6YaQeSoVM9ePb9k4=";
/// `examples/files/operator.pub`.
const OPERATOR: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOqmOl7J+fQtI54DlExFvaZgEddUXpLQ+z0e0uLWMIku";

/// What the pinned bytes 0 to 15 become as a uuid of version 4.
const PINNED: &str = "00010203-0405-4607-8809-0a0b0c0d0e0f";

const NONE: UserData = UserData::Bytes(Cow::Borrowed(&[]));

struct Example {
    name: &'static str,
    uuid: &'static str,
    hostname: &'static str,
    keys: &'static [&'static str],
    user_data: UserData,
    macs: &'static [&'static str],
}

static EXAMPLES: [Example; 6] = [
    Example {
        name: "demo",
        uuid: "1f3d5c2e-7a54-4a2b-9d0e-6f1f5f3b9c01",
        hostname: "guest-01.example.org",
        keys: &[DESK_WITH_COMMENT],
        user_data: UserData::Bytes(Cow::Borrowed(
            b"#!/bin/sh\nmkdir -p /var/lib/christen\necho ran > /var/lib/christen/user-data\n",
        )),
        macs: &["52:54:00:00:53:01", "52:54:00:00:53:02"],
    },
    Example {
        name: "everything",
        uuid: "b65cee2f-8c69-4aeb-be2f-f79742548fc2",
        hostname: "everything-01.example.org",
        keys: &[DESK, DESK_2, OPERATOR],
        user_data: UserData::CloudConfig(&[
            "package_update: true",
            "path: /run/christen-user-data",
        ]),
        macs: &[
            "52:54:00:00:53:01",
            "52:54:00:00:53:02",
            "52:54:00:00:53:03",
        ],
    },
    Example {
        name: "guest",
        uuid: PINNED,
        hostname: "guest-01.novalocal",
        keys: &[],
        user_data: NONE,
        // `network: dhcp` is what guests do without being told.
        macs: &[],
    },
    Example {
        name: "minimal",
        uuid: PINNED,
        hostname: "first.novalocal",
        keys: &[DESK],
        user_data: NONE,
        macs: &[],
    },
    Example {
        name: "static-network",
        uuid: PINNED,
        hostname: "router-01.novalocal",
        keys: &[DESK],
        user_data: NONE,
        macs: &[
            "52:54:00:00:53:01",
            "52:54:00:00:53:02",
            "52:54:00:00:53:03",
            "52:54:00:00:53:04",
        ],
    },
    Example {
        name: "web",
        uuid: PINNED,
        hostname: "web-01.example.org",
        keys: &[DESK, OPERATOR],
        user_data: UserData::CloudConfig(&["- nginx", "path: /var/www/html/index.html"]),
        macs: &["52:54:00:12:34:56"],
    },
];

/// Every example, in both dialects.
pub(crate) fn examples() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let there: BTreeSet<String> = fs::read_dir(&directory)
        .expect("the examples are there")
        .filter_map(|entry| {
            let name = entry.expect("readable").file_name().into_string().ok()?;
            Some(name.strip_suffix(".yaml")?.to_owned())
        })
        .collect();
    let known: BTreeSet<String> = EXAMPLES.iter().map(|it| it.name.to_owned()).collect();
    assert_eq!(there, known, "an example is expected to be in the table");

    let cases = EXAMPLES.iter().flat_map(|example| {
        let description = directory.join(format!("{}.yaml", example.name));
        ["openstack", "nocloud"].map(|dialect| Case {
            name: format!("example-{}", example.name),
            dialect,
            description: description.clone(),
            options: Vec::new(),
            stage: None,
            expected: Expected {
                uuid: example.uuid.to_owned(),
                hostname: example.hostname.to_owned(),
                keys: example.keys.iter().map(|&key| key.to_owned()).collect(),
                user_data: example.user_data.clone(),
                macs: example.macs.iter().map(|&mac| mac.to_owned()).collect(),
                tree: None,
            },
        })
    });
    cases.collect()
}
