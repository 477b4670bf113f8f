//! Accounts and passwords, judged by shadow's own checkers and by crypt(3).

mod common;

use std::ffi::OsStr;
use std::process::Command;

use christen_testkit::TempDir;
use christen_testkit::tools::{require, run};

const FILES: [(&str, &str); 6] = [
    (
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\ndebian:x:1000:1000:Debian:/home/debian:/bin/bash",
    ),
    (
        "/etc/shadow",
        "root:*:19000:0:99999:7:::\ndebian:!:19000:0:99999:7:::",
    ),
    ("/etc/group", "root:x:0:\nsudo:x:27:\ndebian:x:1000:"),
    ("/etc/gshadow", "root:*::\nsudo:*::\ndebian:!::"),
    ("/bin/bash", ""),
    (
        "/etc/pam.d/common-password",
        "password [success=1 default=ignore] pam_unix.so yescrypt\n",
    ),
];

const DESCRIPTION: &str = "
admin_password: 'Grüße; $HOME \"x\"'
guest:
  users:
  - {name: anna, gecos: Anna B, groups: [sudo], password: s3cret, sudo: 'ALL=(ALL) NOPASSWD:ALL'}
  - {name: svc, system: true}
  - {name: debian, groups: [sudo], password: {text: other}}
";

#[test]
fn shadow_finds_the_files_right() {
    let tools = (require("pwck"), require("grpck"), require("unshare"));
    let (Some(pwck), Some(grpck), Some(unshare)) = tools else {
        return;
    };
    let mut memory = common::guest(&FILES);
    common::injected(&mut memory, DESCRIPTION);
    let scratch = TempDir::new();
    let names = [
        "/etc/passwd",
        "/etc/shadow",
        "/etc/group",
        "/etc/gshadow",
        "/bin/bash",
    ];
    common::export(&mut memory, scratch.path(), &names);
    // Homes are left out with `-q`: directories are not exported.
    let root = scratch.path().as_os_str();
    let (pwck, grpck) = (pwck.as_os_str(), grpck.as_os_str());
    let checks: [&[&OsStr]; 2] = [
        &[pwck, "-r".as_ref(), "-q".as_ref(), "-R".as_ref(), root],
        &[grpck, "-r".as_ref(), "-R".as_ref(), root],
    ];
    for check in checks {
        // They change their root, for which an ordinary user needs a namespace.
        run(Command::new(&unshare).args(["-r"]).args(check));
    }
}

#[test]
fn crypt_takes_the_passwords() {
    let Some(perl) = require("perl") else {
        return;
    };
    let mut memory = common::guest(&FILES);
    common::injected(&mut memory, DESCRIPTION);
    let shadow = String::from_utf8(common::content(&mut memory, "/etc/shadow")).unwrap();
    for (name, password) in [
        ("root", "Grüße; $HOME \"x\""),
        ("anna", "s3cret"),
        ("debian", "other"),
    ] {
        let line = shadow
            .lines()
            .find(|line| line.starts_with(&format!("{name}:")));
        let hash = line.unwrap().split(':').nth(1).unwrap();
        assert!(hash.starts_with("$y$"), "{hash}");
        let script = "print crypt($ARGV[0], $ARGV[1])";
        let again = run(Command::new(&perl).args(["-e", script, password, hash]));
        assert_eq!(String::from_utf8_lossy(&again), hash);
    }
}
