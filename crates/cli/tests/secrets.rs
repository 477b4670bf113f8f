//! A secret is in the documents and nowhere else: not in what any command says, whether it
//! succeeds or fails.

mod support;

use std::fs;
use std::path::Path;

use christen_testkit::TempDir;
use support::{christen_in, put, run, succeed};

/// Part of every secret below, and of nothing else.
const MARK: &str = "correct-horse";

const PRIVATE_KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\\n\
                           correct-horse-host-key\\n-----END OPENSSH PRIVATE KEY-----\\n";

/// A description with a secret in every place that has one. `SALT` tells two of them apart.
fn description(salt: &str) -> String {
    format!(
        "uuid: b65cee2f-8c69-4aeb-be2f-f79742548fc2\n\
         name: web\n\
         admin_password: {MARK}-admin-{salt}\n\
         user_data: \"#!/bin/sh\\necho {MARK}-user-data-{salt}\\n\"\n\
         files:\n  \
           - {{path: /etc/token, text: {MARK}-file-{salt}}}\n\
         guest:\n  \
           root_password: {{text: {MARK}-root-{salt}}}\n  \
           users:\n    \
             - {{name: one, password: {{hash: $6$salt${MARK}-hash-{salt}}}}}\n    \
             - {{name: two, password: {{file: password}}}}\n  \
           ssh_host_keys:\n    \
             - {{algorithm: ed25519, private: \"{PRIVATE_KEY}\"}}\n  \
           files:\n    \
             - {{path: /etc/key, text: {MARK}-guest-file-{salt}, mode: \"0600\"}}\n  \
           first_boot_commands:\n    \
             - login {MARK}-command-{salt}\n"
    )
}

fn workshop() -> TempDir {
    let directory = TempDir::new();
    put(&directory, "password", format!("{MARK}-password-file\n"));
    for salt in ["a", "b"] {
        put(&directory, &format!("{salt}.yaml"), description(salt));
    }
    put(
        &directory,
        "nova.conf",
        format!(
            "[neutron]\nmetadata_proxy_shared_secret = {MARK}\n[keystone_authtoken]\n\
             password = {MARK}\n[vendordata_dynamic_auth]\npassword = {MARK}\n"
        ),
    );
    put(
        &directory,
        "christen.toml",
        format!("[neutron]\nmetadata_proxy_shared_secret = \"{MARK}\"\n"),
    );
    directory
}

/// Runs a command and looks for secrets in all it says.
#[track_caller]
fn says_no_secret(directory: &Path, arguments: &str, status: i32) -> String {
    let ended = run(&mut christen_in(directory, arguments));
    let said = format!("{}{}", ended.text(), ended.stderr);
    assert_eq!(ended.status, status, "{arguments}: {said}");
    assert!(!said.contains(MARK), "{arguments}: {said}");
    said
}

#[test]
fn commands_that_succeed_tell_no_secret() {
    let directory = workshop();
    for dialect in ["openstack", "nocloud"] {
        for salt in ["a", "b"] {
            let build = format!(
                "drive build {salt}.yaml --dialect {dialect} --no-sync -o {salt} --json \
                 --nova-conf nova.conf --settings christen.toml"
            );
            let said = says_no_secret(&directory, &build, 0);
            assert!(said.contains("metadata_proxy_shared_secret"), "{said}");
        }
        // The secrets are there.
        let drive = fs::read(directory.join("a")).expect("it was written");
        let found = drive
            .windows(MARK.len())
            .filter(|bytes| *bytes == MARK.as_bytes())
            .count();
        assert!(found >= 5, "{dialect}: {found}");

        // Hashing passwords takes its time, so what renders is run in one of its forms only.
        for arguments in [
            "drive show a",
            "drive show a --json",
            "drive explain a",
            "drive explain a --json",
            "drive verify a",
            "drive verify a --json",
            "render a.yaml --list",
            &format!("drive extract a extracted-{dialect}"),
            &format!("explain a.yaml --dialect {dialect}"),
            &format!("render a.yaml --tree {dialect} --dialect {dialect} --json"),
        ] {
            says_no_secret(&directory, arguments, 0);
        }
        for json in ["", " --json"] {
            let said = says_no_secret(&directory, &format!("drive diff a b{json}"), 1);
            assert!(said.lines().count() > 0);
        }
    }
}

#[test]
fn commands_that_fail_tell_no_secret() {
    let directory = workshop();
    let secret = "correct-horse";
    put(&directory, "empty", "");
    fs::create_dir(directory.join("full")).expect("writable");
    put(&directory, "full/file", "");
    for (arguments, status) in [
        ("drive build a.yaml -o full", 1),
        ("drive build a.yaml -o nowhere/drive", 1),
        ("drive build a.yaml -o drive --random-source empty", 1),
        ("render a.yaml --tree full", 1),
        ("render a.yaml --path nonesuch", 1),
        (
            "render a.yaml --list --limit injected_file_content_bytes=1",
            2,
        ),
        ("render a.yaml --list --limit user_data_base64_bytes=1", 2),
        ("render a.yaml --list --limit guest_file_bytes=1", 2),
        ("render a.yaml --list --limit injected_files=0", 2),
        ("render a.yaml --nova-conf nova.conf --path nonesuch", 1),
    ] {
        says_no_secret(&directory, arguments, status);
    }

    // Mistakes beside a secret, in it, and in the name of its key. Only `WHAT` is said.
    for (wrong, what) in [
        (format!("nmae: web\nadmin_password: {secret}\n"), "nmae"),
        (format!("admin_pasword: {secret}\n"), "admin_pasword"),
        (format!("admin_password: [{secret}]\n"), "admin_password"),
        (format!("admin_password: {{txt: {secret}}}\n"), "txt"),
        (format!("user_data: {{base64: {secret}!}}\n"), "user_data"),
        (
            format!("user_data: {{text: {secret}, base64: {secret}}}\n"),
            "user_data",
        ),
        (format!("user_data: [{secret}]\n"), "user_data"),
        (format!("cloud_config: {secret}\n"), "cloud_config"),
        (
            format!("cloud_config: {{a: {secret}}}\nuser_data: {secret}\n"),
            "cloud_config",
        ),
        (format!("files: [{{path: /a, txt: {secret}}}]\n"), "txt"),
        (format!("files: [{{text: {secret}}}]\n"), "path"),
        (
            format!("guest: {{root_password: {{text: {secret}, lokked: true}}}}\n"),
            "lokked",
        ),
        (
            format!("guest: {{users: [{{name: u, password: [{secret}]}}]}}\n"),
            "password",
        ),
        (
            format!("guest: {{users: [{{name: u, passwd: {secret}}}]}}\n"),
            "passwd",
        ),
        (
            format!("guest: {{ssh_host_keys: [{{algorithm: dsa, private: {secret}}}]}}\n"),
            "dsa",
        ),
        (
            format!("guest: {{ssh_host_keys: [{{algorithm: rsa, privat: {secret}}}]}}\n"),
            "privat",
        ),
        (
            format!("guest: {{files: [{{path: a, text: {secret}}}]}}\n"),
            "absolute",
        ),
        (
            format!("guest: {{first_boot_commands: {secret}}}\n"),
            "first_boot_commands",
        ),
        (
            format!("guest: {{first_boot_commands: [[{secret}]]}}\n"),
            "first_boot_commands",
        ),
        (format!("admin_password: \"{secret}\n"), "quote"),
        (format!("admin_password: {secret}: x\n"), "error"),
        (format!("admin_password: &a {secret}\nname: *b\n"), "error"),
        (format!("admin_password: !tag {secret}\n"), "error"),
        (format!("- {secret}\n"), "mapping"),
        (format!("{secret}\n"), "mapping"),
        (format!("{{\"admin_password\": \"{secret}\",,}}"), "error"),
        (format!("{{\"admin_password\": \"{secret}\\q\"}}"), "error"),
        (
            format!("admin_password: {secret}\nadmin_password: {secret}\n"),
            "admin_password",
        ),
    ] {
        put(&directory, "wrong.yaml", &wrong);
        let said = says_no_secret(&directory, "render wrong.yaml --list", 2);
        assert!(said.contains(what), "{wrong}: {said}");
    }

    // Options whose value is a secret, wrong in ways that could show it.
    for wrong in [
        format!("[neutron]\nmetadata_proxy_shared_secrt = \"{secret}\"\n"),
        format!("[neutron]\nmetadata_proxy_shared_secret = [\"{secret}\"]\n"),
        format!("[neutron]\nmetadata_proxy_shared_secret = {secret}\n"),
        format!("[neutron]\nmetadata_proxy_shared_secret = \"{secret}\n"),
        format!("[neutrn]\nmetadata_proxy_shared_secret = \"{secret}\"\n"),
    ] {
        put(&directory, "wrong.toml", &wrong);
        says_no_secret(&directory, "render a.yaml --list --settings wrong.toml", 2);
    }
    put(
        &directory,
        "vendor.json",
        format!("{{\"a\": \"{secret}\",}}"),
    );
    says_no_secret(
        &directory,
        "drive build a.yaml -o drive --set api.vendordata_jsonfile_path=vendor.json",
        1,
    );
    put(
        &directory,
        "template",
        format!("{{{{ '{secret}' | nonesuch }}}}"),
    );
    put(
        &directory,
        "nic.yaml",
        "network:\n  - {mac: \"52:54:00:12:34:56\", address: 192.0.2.17/24}\n",
    );
    says_no_secret(
        &directory,
        "render nic.yaml --tree tree --set flat_injected=true \
         --set injected_network_template=template",
        1,
    );
}

#[test]
fn the_address_of_a_service_is_told_without_its_secrets() {
    let directory = workshop();
    // The second has no name, and Nova takes what stands before `@` for one.
    for (target, shown) in [
        (
            format!("name@http://user:{MARK}@127.0.0.1:1/{MARK}?{MARK}#{MARK}"),
            "`name` failed, `{}` stands in its place: `http://127.0.0.1:1`: ",
        ),
        (
            format!("http://user:{MARK}@127.0.0.1:1/{MARK}"),
            "`number 1` failed, `{}` stands in its place: the target's URL cannot be used",
        ),
    ] {
        let ask = |fatal: &str| {
            let arguments = format!(
                "render a.yaml --set api.vendordata_providers=StaticJSON,DynamicJSON \
                 --set api.vendordata_dynamic_targets={target} \
                 --set api.vendordata_dynamic_failure_fatal={fatal} \
                 --path openstack/latest/vendor_data2.json"
            );
            run(&mut christen_in(&directory, &arguments))
        };
        // The document of the second has Nova's member by that name.
        let answered = ask("false");
        assert_eq!(answered.status, 0, "{}", answered.stderr);
        let failed = ask("true");
        assert_eq!((failed.status, failed.text()), (1, ""), "{}", failed.stderr);
        assert!(answered.stderr.contains(shown), "{}", answered.stderr);
        for said in [answered.stderr, failed.stderr] {
            assert!(!said.contains(MARK), "{said}");
        }
    }
}

#[test]
fn a_document_that_is_asked_for_has_its_secrets() {
    // Otherwise the other tests would be easy to pass.
    let directory = workshop();
    let path = "render a.yaml --path openstack/latest/";
    for (document, secret) in [
        ("meta_data.json", "admin-a"),
        ("user_data", "user-data-a"),
        ("vendor_data.json", "host-key"),
    ] {
        let ended = succeed(&mut christen_in(&directory, &format!("{path}{document}")));
        assert!(
            ended.text().contains(&format!("{MARK}-{secret}")),
            "{document}"
        );
        assert!(!ended.stderr.contains(MARK), "{document}");
    }
}
