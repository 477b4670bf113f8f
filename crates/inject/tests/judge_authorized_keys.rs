//! Files of keys, judged by ssh-keygen.

mod common;

use std::fs;
use std::process::Command;

use christen_testkit::TempDir;
use christen_testkit::tools::{require, run};

#[test]
fn ssh_keygen_finds_every_key() {
    let Some(keygen) = require("ssh-keygen") else {
        return;
    };
    let scratch = TempDir::new();
    let mut keys = Vec::new();
    for (name, kind) in [("a", "ed25519"), ("b", "ecdsa"), ("c", "rsa")] {
        let file = scratch.path().join(name);
        run(Command::new(&keygen)
            .args(["-q", "-N", "", "-C", name, "-t", kind, "-f"])
            .arg(&file));
        let key = fs::read_to_string(file.with_extension("pub")).unwrap();
        keys.push(key.trim_end().to_owned());
    }
    let mut memory = common::guest(&[
        ("/etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
        (
            "/root/.ssh/authorized_keys",
            &format!("# had\nno-pty,command=\"a b\" {}", keys[0]),
        ),
    ]);
    common::injected(
        &mut memory,
        &format!("ssh_authorized_keys: ['{}', '{}']\n", keys[1], keys[2]),
    );
    let names = ["/root/.ssh/authorized_keys"];
    let paths = common::export(&mut memory, scratch.path(), &names);
    let list = run(Command::new(&keygen).args(["-l", "-f"]).arg(&paths[0]));
    let list = String::from_utf8(list).unwrap();
    let kinds: Vec<_> = list
        .lines()
        .map(|line| line.rsplit(' ').next().unwrap())
        .collect();
    assert_eq!(kinds, ["(ED25519)", "(ECDSA)", "(RSA)"], "{list}");
}
