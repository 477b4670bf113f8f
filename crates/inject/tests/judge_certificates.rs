//! Trusted certificates, judged by OpenSSL, which looks for them by the hash of their subject.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use christen_inject::Stage;
use christen_testkit::TempDir;
use christen_testkit::tools::{require, run};
use christen_vfs::GuestPath;

#[test]
fn openssl_finds_each_subject_by_its_hash() {
    let Some(openssl) = require("openssl") else {
        return;
    };
    let scratch = TempDir::new();
    let subjects = [
        "/CN=a",
        "/C=DE/ST=\u{dc}ber  all/O= Blanks /CN=Mixed CASE",
        "/DC=org/DC=example/OU=x+CN=multi",
        "/emailAddress=A@B.example/serialNumber=12 3",
    ];
    for (at, subject) in subjects.iter().enumerate() {
        let file = |ending: &str| scratch.path().join(format!("{at}.{ending}"));
        let key = file("key");
        let made = run(Command::new(&openssl)
            .args([
                "req",
                "-x509",
                "-newkey",
                "ed25519",
                "-nodes",
                "-utf8",
                "-multivalue-rdn",
                "-subj",
                subject,
            ])
            .arg("-keyout")
            .arg(&key));
        let pem = String::from_utf8(made).unwrap();
        let mut memory = common::guest(&[("/etc/ssl/certs/ca-certificates.crt", "")]);
        let pem = pem.trim_end().replace('\n', "\n    ");
        common::injected(
            &mut memory,
            &format!("guest:\n  ca_certificates:\n  - |\n    {pem}\n"),
        );
        // A directory as OpenSSL wants it, with the links that were made.
        let directory = file("d");
        fs::create_dir(&directory).unwrap();
        let certs = GuestPath::new("/etc/ssl/certs").unwrap();
        let mut stage = Stage::new(&mut memory);
        for name in stage.names(&certs).unwrap() {
            let text = String::from_utf8(name.clone()).unwrap();
            match stage.link_target(&certs.join(&name)) {
                Ok(target) if !target.starts_with(b"/") => {
                    symlink(String::from_utf8(target).unwrap(), directory.join(text)).unwrap();
                }
                _ => {
                    let content = stage.read(&certs.join(&name)).unwrap().unwrap();
                    fs::write(directory.join(text), content).unwrap();
                }
            }
        }
        let bundle = directory.join("ca-certificates.crt");
        run(Command::new(&openssl)
            .args(["verify", "-no-CAfile", "-no-CAstore", "-CApath"])
            .args([&directory, &bundle]));
    }
}
