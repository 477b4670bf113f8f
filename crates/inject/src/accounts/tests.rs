use christen_instance::crypt::verify;

use super::*;
use crate::testing::{guest, own, refusal, run_twice, text};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\ndaemon:*:1:1:::\ndebian:x:1000:1000:Debian,,,:/home/debian:/bin/bash\n";
const SHADOW: &str = "root:*:19000:0:99999:7:::\ndebian:!:19000:0:99999:7:::\n";
const GROUP: &str = "root:x:0:\nadm:x:4:syslog\nsudo:x:27:\ndebian:x:1000:\n";
const GSHADOW: &str = "root:*::\nsudo:*::\n";

fn debian<'a>() -> Vec<(&'a str, &'a str)> {
    vec![
        ("/etc/passwd", PASSWD),
        ("/etc/shadow", SHADOW),
        ("/etc/group", GROUP),
        ("/etc/gshadow", GSHADOW),
        (
            "/etc/login.defs",
            "ENCRYPT_METHOD YESCRYPT\nUID_MIN 1000\nHOME_MODE 0700\nPASS_MAX_DAYS 99999\nPASS_MIN_DAYS 0\nPASS_WARN_AGE 7\n",
        ),
        ("/bin/bash", ""),
        ("/etc/skel/.bashrc", "rc\n"),
        ("/etc/skel/.config/x", "-> y"),
        ("/etc/sudoers", "@includedir /etc/sudoers.d\n"),
        ("/etc/subuid", "debian:100000:65536\n"),
    ]
}

fn hash_of(fs: &mut christen_vfs::memory::Memory, name: &str) -> String {
    let shadow = text(fs, "/etc/shadow").unwrap();
    let line = shadow
        .lines()
        .find(|it| it.starts_with(&format!("{name}:")));
    line.unwrap().split(':').nth(1).unwrap().to_owned()
}

#[test]
fn roots_password_is_hashed_as_the_guest_does_it_and_dated() {
    for (defs, prefix) in [
        ("ENCRYPT_METHOD YESCRYPT\n", "$y$j9T$"),
        ("ENCRYPT_METHOD DES\n", "$6$"),
        ("", "$6$"),
    ] {
        let mut fs = guest(&debian());
        let mut stage = Stage::new(&mut fs);
        stage
            .write(
                &crate::guest_path("/etc/login.defs"),
                defs.as_bytes(),
                crate::Ownership::root(0o644),
                crate::Existing::Keep,
                crate::Secrecy::Public,
            )
            .unwrap();
        let told = run_twice(&mut fs, "admin_password: s3cret\n", inject);
        let hash = hash_of(&mut fs, "root");
        assert!(hash.starts_with(prefix), "{hash}");
        assert_eq!(verify(hash.as_bytes(), b"s3cret"), Some(true));
        let expected = SHADOW.replace("root:*:19000:", &format!("root:{hash}:20782:"));
        assert_eq!(text(&mut fs, "/etc/shadow").unwrap(), expected);
        assert_eq!(text(&mut fs, "/etc/passwd").unwrap(), PASSWD);
        let shadow = told
            .changes
            .iter()
            .find(|it| it.path.to_string() == "/etc/shadow")
            .unwrap();
        assert_eq!(shadow.secrecy, crate::Secrecy::Secret);
        assert_eq!(shadow.items, [Item::of(ItemKind::Password, "root")]);
    }
}

#[test]
fn musl_knows_no_yescrypt() {
    let mut files = debian();
    files.push(("/lib/ld-musl-x86_64.so.1", ""));
    let mut fs = guest(&files);
    run_twice(&mut fs, "admin_password: s3cret\n", inject);
    assert!(hash_of(&mut fs, "root").starts_with("$6$"));
}

#[test]
fn a_user_is_made_with_group_home_and_rule() {
    let mut fs = guest(&debian());
    let told = run_twice(
        &mut fs,
        "guest:\n  users:\n  - {name: anna, gecos: Anna B, groups: [sudo, adm], sudo: 'ALL=(ALL) NOPASSWD:ALL', password: {hash: $6$a$b}}\n  - {name: svc, system: true}\n  - {name: OPS, sudo: 'ALL=(ALL) ALL'}\n",
        inject,
    );
    assert!(told.notices.is_empty(), "{:?}", told.notices);
    assert_eq!(
        text(&mut fs, "/etc/passwd").unwrap(),
        format!(
            "{PASSWD}anna:x:1001:1001:Anna B:/home/anna:/bin/bash\nsvc:x:999:999::/home/svc:/bin/false\nOPS:x:1002:1002::/home/OPS:/bin/bash\n"
        )
    );
    assert_eq!(
        text(&mut fs, "/etc/group").unwrap(),
        "root:x:0:\nadm:x:4:syslog,anna\nsudo:x:27:anna\ndebian:x:1000:\nanna:x:1001:\nsvc:x:999:\nOPS:x:1002:\n"
    );
    assert_eq!(
        text(&mut fs, "/etc/gshadow").unwrap(),
        "root:*::\nsudo:*::anna\nanna:!::\nsvc:!::\nOPS:!::\n"
    );
    assert_eq!(
        text(&mut fs, "/etc/shadow").unwrap(),
        format!(
            "{SHADOW}anna:$6$a$b:20782:0:99999:7:::\nsvc:*:20782::::::\nOPS:*:20782:0:99999:7:::\n"
        )
    );
    assert_eq!(own(&mut fs, "/home/anna"), (0o700, 1001, 1001));
    assert_eq!(own(&mut fs, "/home/anna/.bashrc"), (0o644, 1001, 1001));
    assert_eq!(text(&mut fs, "/home/anna/.bashrc").unwrap(), "rc\n");
    assert_eq!(text(&mut fs, "/home/svc"), None);
    assert_eq!(
        text(&mut fs, "/etc/sudoers.d/90-christen-users").unwrap(),
        "anna ALL=(ALL) NOPASSWD:ALL\n\"OPS\" ALL=(ALL) ALL\n"
    );
    assert_eq!(
        own(&mut fs, "/etc/sudoers.d/90-christen-users"),
        (0o440, 0, 0)
    );
    assert_eq!(
        text(&mut fs, "/etc/subuid").unwrap(),
        "debian:100000:65536\nanna:165536:65536\nOPS:231072:65536\n"
    );
}

#[test]
fn a_user_that_is_there_is_changed_and_only_as_asked() {
    let mut fs = guest(&debian());
    run_twice(
        &mut fs,
        "guest:\n  users:\n  - {name: debian, shell: /bin/zsh, groups: [adm], password: {locked: true}}\n  root_password: {locked: true}\n",
        inject,
    );
    assert_eq!(
        text(&mut fs, "/etc/passwd").unwrap(),
        PASSWD.replace("/home/debian:/bin/bash", "/home/debian:/bin/zsh")
    );
    assert_eq!(text(&mut fs, "/etc/shadow").unwrap(), SHADOW);
    assert_eq!(
        text(&mut fs, "/etc/group").unwrap(),
        GROUP.replace("syslog", "syslog,debian")
    );
    assert_eq!(
        text(&mut fs, "/etc/subuid").unwrap(),
        "debian:100000:65536\n"
    );
}

#[test]
fn locking_keeps_the_hash_behind_a_mark() {
    let mut fs = guest(&[
        ("/etc/passwd", "root:x:0:0::/root:\n"),
        ("/etc/shadow", "root:$6$a$b:1::::::\n"),
    ]);
    run_twice(&mut fs, "guest: {root_password: {locked: true}}\n", inject);
    assert_eq!(
        text(&mut fs, "/etc/shadow").unwrap(),
        "root:!$6$a$b:20782::::::\n"
    );
}

#[test]
fn every_other_byte_stays() {
    let mut fs = guest(&[
        (
            "/etc/passwd",
            "# c\r\n\n  root:oldhash:0:0:a\u{1}:/root:/bin/sh\r\nx\0y:::\nroot:x:0:0:::\n+::::::\nlast",
        ),
        ("/etc/shadow", "+:::\nzz\0\r\n#root:a\n"),
        ("/etc/group", "g:x:5:a\r\nlast:x:9:"),
        ("/bin/bash", ""),
    ]);
    run_twice(
        &mut fs,
        "guest: {root_password: {hash: HH}, users: [{name: u, uid: 77, groups: [g], home: /srv/u}]}\n",
        inject,
    );
    assert_eq!(
        text(&mut fs, "/etc/passwd").unwrap(),
        "# c\r\n\n  root:x:0:0:a\u{1}:/root:/bin/sh\r\nx\0y:::\nroot:x:0:0:::\nu:x:77:77::/srv/u:/bin/bash\n+::::::\nlast"
    );
    assert_eq!(
        text(&mut fs, "/etc/shadow").unwrap(),
        "u:*:20782::::::\nroot:HH:20782::::::\n+:::\nzz\0\r\n#root:a\n"
    );
    assert_eq!(
        text(&mut fs, "/etc/group").unwrap(),
        "g:x:5:a,u\nlast:x:9:\nu:x:77:\n"
    );
}

#[test]
fn a_password_that_must_be_changed_at_login_is_dated_anew() {
    let hash = "$1$ab$rkd3N8Sj.N5jpB5FvXpUz1";
    let mut fs = guest(&[
        ("/etc/passwd", "root:x:0:0::/root:\n"),
        ("/etc/shadow", &format!("root:{hash}:0:::::19000:\n")),
    ]);
    let told = run_twice(
        &mut fs,
        &format!("guest: {{root_password: {{hash: '{hash}'}}}}\n"),
        inject,
    );
    assert_eq!(
        text(&mut fs, "/etc/shadow").unwrap(),
        format!("root:{hash}:20782:::::19000:\n")
    );
    assert!(told.notices[0].text.contains("expired"));
}

#[test]
fn what_cannot_be_done_is_said() {
    #[track_caller]
    fn check(files: &[(&str, &str)], yaml: &str, expected: &str) {
        let mut all = debian();
        all.retain(|(name, _)| {
            !files
                .iter()
                .any(|(other, _)| name == other || other.trim_end_matches('/') == *name)
        });
        all.extend(files.iter().filter(|(_, content)| *content != "gone"));
        let message = refusal(&mut guest(&all), yaml, inject);
        assert!(message.contains(expected), "{message}");
    }
    let root = "admin_password: a\n";
    check(&[("/etc/passwd", "gone")], root, "no `/etc/passwd`");
    check(&[("/etc/shadow", "gone")], root, "no `/etc/shadow`");
    check(&[("/etc/shadow/", "")], root, "not a regular file");
    check(&[("/etc/passwd", "x:x:0:0:::\n")], root, "no such account");
    check(
        &[("/etc/passwd", "\nroot:x:0\n")],
        root,
        "`/etc/passwd`, line 2: an entry of passwd(5) has seven fields",
    );
    check(
        &[("/etc/shadow", "root:*:\0::::::\n")],
        root,
        "`/etc/shadow`, line 1: an entry holds no NUL",
    );
    check(&[("/etc/shadow", "root:*:::\n")], root, "nine fields");
    check(
        &[],
        "guest: {root_password: {hash: 'a:b'}}\n",
        "not one of crypt(5)",
    );
    let user = |rest: &str| format!("guest: {{users: [{{name: u, {rest}}}]}}\n");
    check(
        &[],
        &user("groups: [wheel]"),
        "account of `u`: the guest has no group `wheel`; here it is `sudo`",
    );
    check(&[], &user("uid: 1000"), "user ID 1000 is that of `debian`");
    check(&[], &user("gecos: 'a:b'"), "the full name holds a `:`");
    check(
        &[],
        &user("sudo: 'ALL=(ALL) ALL\\'"),
        "goes on beyond its line",
    );
    check(&[("/etc/group", "gone")], &user(""), "no `/etc/group`");
    check(
        &[("/etc/login.defs", "UID_MIN 1000\nUID_MAX 1000\n")],
        &user(""),
        "no ID is left between 1000 and 1000",
    );
    check(
        &[("/etc/skel/", ""), ("/home/u", "-> nowhere/else")],
        &user(""),
        "no such file",
    );
    check(
        &[],
        "guest: {users: [{name: debian, uid: 5}]}\n",
        "user ID 1000, which is not changed",
    );
}

#[test]
fn files_of_a_hostile_guest_end_nothing() {
    use christen_vfs::{FileSystem, walk};
    // 100 MB of nothing.
    for name in [
        "/etc/passwd",
        "/etc/shadow",
        "/etc/group",
        "/etc/login.defs",
        "/etc/pam.d/common-password",
    ] {
        let mut files = debian();
        files.push(("/etc/pam.d/common-password", ""));
        let mut fs = guest(&files);
        let path = crate::testing::path(name);
        let file = walk::resolve(&mut fs, &path, walk::LastLink::Followed).unwrap();
        fs.set_size(file, 100 << 20).unwrap();
        let message = refusal(&mut fs, "admin_password: a\n", inject);
        assert!(
            message.contains(&format!("`{name}` has 104857600 bytes")),
            "{message}"
        );
    }
    // A million empty lines, a line of colons, a loop of links, a pipe.
    for content in [
        "\n".repeat(1 << 20),
        ":".repeat(1 << 20),
        format!("root{}", ":".repeat(1 << 20)),
    ] {
        let mut fs = guest(&[("/etc/passwd", &content), ("/etc/shadow", &content)]);
        let message = refusal(&mut fs, "guest: {root_password: {hash: a}}\n", inject);
        assert!(
            message.contains("no such account") || message.contains("fields"),
            "{message}"
        );
    }
    let mut fs = guest(&[("/etc/passwd", "-> shadow"), ("/etc/shadow", "-> passwd")]);
    assert!(refusal(&mut fs, "admin_password: a\n", inject).contains("too many symbolic links"));
    let mut fs = guest(&[
        ("/etc/passwd", "-> /proc/self/root/../../../etc/real"),
        ("/etc/real", PASSWD),
        ("/etc/shadow", SHADOW),
    ]);
    assert!(refusal(&mut fs, "admin_password: a\n", inject).contains("no `/etc/passwd`"));
}
