//! The whole command line against what Nova 34.0.0 made: each recorded drive of
//! `crates/instance/tests/golden`, written as a tree, as ISO 9660 and as VFAT, and read back
//! by other people's programs.

mod support;
mod vector_support;

use christen_instance::Value;
use christen_testkit::TempDir;
use christen_testkit::extract::{self, Files};
use support::{fail, items, member, succeed};
use vector_support::{Case, Services, recorded, vectors};

#[track_caller]
fn same(name: &str, found: &Files, expected: &Files) {
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>(),
        "{name}"
    );
    for (path, content) in expected {
        // Lossy text is for reading a failure; the bytes decide.
        assert_eq!(
            String::from_utf8_lossy(&found[path]),
            String::from_utf8_lossy(content),
            "{name}: {path}"
        );
        assert!(found[path] == *content, "{name}: {path}");
    }
}

fn check(name: &str, golden: &Value) {
    let drive = member(golden, "config_drive");
    let input = member(golden, "input");
    let services = input.get("vendordata_services").map(Services::start);
    let case = Case::new(golden, services.as_ref());
    if let Some(error) = drive.get("error") {
        assert_eq!(error.as_str(), Some("ConnectFailure"), "{name}");
        let port = services.as_ref().expect("its service fails").port;
        let message = format!(
            "error: cannot make the documents\n  \
             the vendor data service `a` did not answer\n  \
             `http://127.0.0.1:{port}`: Peer disconnected\n\
             hint: set `api.vendordata_dynamic_failure_fatal=false` to go on without a service\n"
        );
        for command in [
            &mut case.by_set("drive build instance.json --output drive"),
            &mut case.by_settings("render instance.json --tree drive"),
        ] {
            fail(command, 1, &message);
            assert!(!case.directory.join("drive").exists(), "{name}");
        }
        return;
    }
    let expected = recorded(drive);
    let order: Vec<_> = items(member(drive, "write_order"))
        .iter()
        .map(|path| path.as_str().expect("a path"))
        .collect();

    let ended = succeed(&mut case.by_set("render instance.json --list"));
    assert_eq!(ended.text().lines().collect::<Vec<_>>(), order, "{name}");

    succeed(&mut case.by_set("render instance.json --tree tree"));
    same(
        name,
        &extract::files(&case.directory.join("tree")).expect("it was written"),
        &expected,
    );
    if let Some(services) = &services {
        services.were_asked_as_recorded(name, drive);
    }

    succeed(&mut case.by_settings("drive build instance.json --no-sync --output iso"));
    let out = TempDir::new();
    extract::iso9660(&case.directory.join("iso"), &out.join("iso"));
    same(
        name,
        &extract::files(&out.join("iso")).expect("it was extracted"),
        &expected,
    );

    succeed(&mut case.by_set("drive build instance.json --no-sync --format vfat -o vfat"));
    extract::vfat(&case.directory.join("vfat"), &out.join("vfat"));
    same(
        name,
        &extract::files(&out.join("vfat")).expect("it was extracted"),
        &expected,
    );
}

fn check_all(rest: usize) {
    if !extract::require() {
        return;
    }
    for (name, golden) in vectors().into_iter().skip(rest).step_by(2) {
        check(&name, &golden);
    }
}

// Two tests, because the harness runs tests beside one another.

#[test]
fn even_drives_are_those_of_nova() {
    check_all(0);
}

#[test]
fn odd_drives_are_those_of_nova() {
    check_all(1);
}
