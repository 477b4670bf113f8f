//! Drives of ours for real guests, and what such a guest must have become.

#![expect(
    clippy::print_stdout,
    reason = "how long the guest took belongs in the log"
)]

use std::path::PathBuf;
use std::process::Command;

use christen_testkit::guest::cloud::CloudReport;
use christen_testkit::{TempDir, tools};
use serde_json::Value;

/// Addresses of the NICs in the description.
pub(crate) const MACS: [&str; 2] = ["52:54:00:00:53:01", "52:54:00:00:53:02"];

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID73oR3L+j2H7E6ZfOiJrC+jBl5HH2/ld6K6fjDjtC62";

/// The instance that guests become.
pub(crate) const DESCRIPTION: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/demo.yaml");

/// Builds the drive of the description with the binary.
pub(crate) fn drive(directory: &TempDir, arguments: &[&str]) -> PathBuf {
    let path = directory.join("drive");
    tools::run(
        Command::new(env!("CARGO_BIN_EXE_christen"))
            .args(["drive", "build", DESCRIPTION, "--output"])
            .arg(&path)
            .args(arguments),
    );
    path
}

/// Asserts all that the description asked for.
#[track_caller]
pub(crate) fn assert_became(report: &CloudReport, datasource: &str) {
    println!(
        "cloud-init had ended after {} s of the guest's time; {:.1} s in all",
        report.value["uptime"],
        report.elapsed.as_secs_f64()
    );
    let value = &report.value;
    assert!(
        report.status().contains("status: done"),
        "{}",
        report.status()
    );
    assert_eq!(value["cloud_id"], datasource.to_lowercase());
    assert!(report.status().contains(datasource), "{}", report.status());
    assert_eq!(value["log_warnings"], Value::Array(Vec::new()));
    assert_eq!(value["hostname"], "guest-01");
    assert_eq!(value["fqdn"], "guest-01.example.org");

    assert_file(
        report,
        "/home/debian/.ssh/authorized_keys",
        &format!("{KEY} desk\n"),
    );
    assert_file(
        report,
        "/home/deploy/.ssh/authorized_keys",
        &format!("{KEY} deploy\n"),
    );
    assert_file(report, "/var/lib/christen/user-data", "ran\n");
    assert_file(report, "/var/lib/christen/first-boot", "ran\n");
    assert_file(report, "/opt/christen/guest.conf", "answer = 42\n");
    let file = &value["files"]["/opt/christen/guest.conf"];
    assert_eq!(
        (&file["mode"], &file["uid"]),
        (&Value::from("640"), &Value::from(0))
    );
    assert_eq!(
        value["files"]["/etc/localtime"]["link"],
        "/usr/share/zoneinfo/Europe/Berlin"
    );

    // Files of the OpenStack form are on a config drive only.
    if datasource == "ConfigDrive" {
        assert_eq!(
            value["files"]["/etc/christen-injected"]["size"],
            "injected\n".len()
        );
    }

    let deploy = &value["users"]["deploy"];
    assert_eq!(deploy["uid"], 1500);
    assert_eq!(deploy["gecos"], "Deployer");
    assert_eq!(deploy["shell"], "/bin/bash");
    assert!(
        deploy["groups"]
            .as_array()
            .is_some_and(|groups| groups.contains(&"adm".into())),
        "{deploy}"
    );

    assert_link(
        value,
        MACS[0],
        1400,
        &[("192.0.2.17", 24), ("2001:db8::17", 64)],
    );
    assert_link(value, MACS[1], 1500, &[("198.51.100.10", 25)]);
    assert_route(value, "default", "192.0.2.1");
    assert_route(value, "203.0.113.0/24", "198.51.100.1");
}

#[track_caller]
fn assert_file(report: &CloudReport, path: &str, expected: &str) {
    let content = report
        .file(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!(content.as_deref(), Some(expected), "{path}");
}

#[track_caller]
fn assert_link(value: &Value, mac: &str, mtu: u64, addresses: &[(&str, u64)]) {
    let links = value["addresses"].as_array().expect("ip answered in JSON");
    let link = links.iter().find(|link| link["address"] == mac).expect(mac);
    assert_eq!(link["mtu"], mtu, "{mac}");
    for (address, prefix) in addresses {
        let found = link["addr_info"].as_array().is_some_and(|infos| {
            infos
                .iter()
                .any(|info| info["local"] == *address && info["prefixlen"] == *prefix)
        });
        assert!(found, "{address}/{prefix} is not on {mac}: {link}");
    }
}

#[track_caller]
fn assert_route(value: &Value, to: &str, via: &str) {
    let found = value["routes"].as_array().is_some_and(|routes| {
        routes
            .iter()
            .any(|route| route["dst"] == to && route["gateway"] == via)
    });
    assert!(found, "no route to {to} by {via}: {}", value["routes"]);
}
