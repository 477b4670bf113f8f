use super::*;
use crate::testing::{guest, own, refusal, run_twice, text};

const PASSWD: &str = "root:x:0:0::/root:/bin/sh\ndebian:x:1000:1001::/home/debian:/bin/sh\n";
const CLOUD: &str = "system_info:\n  default_user:\n    name: debian\n";

#[test]
fn keys_go_to_the_default_user_with_its_own_ids() {
    let mut fs = guest(&[
        ("/etc/passwd", PASSWD),
        ("/etc/cloud/cloud.cfg", CLOUD),
        ("/home/debian/", ""),
    ]);
    let told = run_twice(
        &mut fs,
        "ssh_authorized_keys: [ssh-rsa AAAA a, 'no-pty ssh-rsa BBBB b']\nkey: {name: k, public_key: \"ssh-rsa AAAA a\\n\"}\n",
        inject,
    );
    assert_eq!(
        text(&mut fs, "/home/debian/.ssh/authorized_keys").unwrap(),
        "ssh-rsa AAAA a\nno-pty ssh-rsa BBBB b\n"
    );
    assert_eq!(own(&mut fs, "/home/debian/.ssh"), (0o700, 1000, 1001));
    assert_eq!(
        own(&mut fs, "/home/debian/.ssh/authorized_keys"),
        (0o600, 1000, 1001)
    );
    assert_eq!(told.notices, []);
    assert!(
        told.changes
            .iter()
            .all(|it| it.items == [Item::of(ItemKind::Key, "debian")])
    );
}

#[test]
fn without_a_default_user_they_are_roots() {
    let key = "ssh_authorized_keys: ssh-rsa AAAA\n";
    let mut fs = guest(&[("/etc/passwd", PASSWD)]);
    assert_eq!(run_twice(&mut fs, key, inject).notices, []);
    assert_eq!(own(&mut fs, "/root/.ssh/authorized_keys"), (0o600, 0, 0));
    assert_eq!(own(&mut fs, "/root"), (0o700, 0, 0));
    let later = "system_info: {default_user: {name: ubuntu}}\n";
    let mut fs = guest(&[
        ("/etc/passwd", PASSWD),
        ("/etc/cloud/cloud.cfg", CLOUD),
        ("/etc/cloud/cloud.cfg.d/9.cfg", later),
        ("/etc/cloud/cloud.cfg.d/8.cfg", "a: ]"),
    ]);
    let told = run_twice(&mut fs, key, inject);
    assert!(
        told.notices[0]
            .text
            .contains("`ubuntu` is made by cloud-init"),
        "{told:?}"
    );
    assert_eq!(own(&mut fs, "/root/.ssh/authorized_keys"), (0o600, 0, 0));
}

#[test]
fn what_is_there_stays_and_nothing_comes_twice() {
    let had = "# mine\r\nssh-rsa AAAA other comment\r\ncommand=\"x\" ssh-rsa CCCC";
    let mut fs = guest(&[("/etc/passwd", PASSWD), ("/root/.ssh/authorized_keys", had)]);
    let told = run_twice(
        &mut fs,
        "ssh_authorized_keys: [ssh-rsa AAAA, ssh-rsa CCCC]\n",
        inject,
    );
    assert_eq!(
        text(&mut fs, "/root/.ssh/authorized_keys").unwrap(),
        format!("{had}\nssh-rsa CCCC\n")
    );
    assert!(told.notices[0].text.contains("other options"));
}

#[test]
fn the_guests_sshd_says_where() {
    #[track_caller]
    fn check(config: &str, expected: &str, owner: (u16, u32, u32)) {
        let mut fs = guest(&[
            ("/etc/passwd", PASSWD),
            ("/etc/ssh/sshd_config", config),
            (
                "/etc/ssh/sshd_config.d/a.conf",
                "AuthorizedKeysFile /etc/ssh/keys/%u-%U%%\n",
            ),
            ("/home/debian/", ""),
        ]);
        run_twice(
            &mut fs,
            "guest: {users: [{name: debian, ssh_authorized_keys: ssh-rsa AAAA}]}\n",
            inject,
        );
        assert_eq!(text(&mut fs, expected).as_deref(), Some("ssh-rsa AAAA\n"));
        assert_eq!(own(&mut fs, expected), owner);
    }
    let own = (0o600, 1000, 1001);
    check(
        "AuthorizedKeysFile\t.ssh/a .ssh/b\nAuthorizedKeysFile c\n",
        "/home/debian/.ssh/a",
        own,
    );
    check(
        "authorizedkeysfile=%h/k/%u/keys\n",
        "/home/debian/k/debian/keys",
        own,
    );
    check(
        "#AuthorizedKeysFile x\nMatch User a\nAuthorizedKeysFile y\n",
        "/home/debian/.ssh/authorized_keys",
        own,
    );
    check(
        "Include sshd_config.d/*.conf\nAuthorizedKeysFile x\n",
        "/etc/ssh/keys/debian-1000%",
        (0o644, 0, 0),
    );
}

#[test]
fn a_link_of_the_guest_is_followed_but_nothing_behind_it_changes_hands() {
    let mut fs = guest(&[
        ("/etc/passwd", PASSWD),
        ("/home/debian/.ssh", "-> ../../../etc"),
        ("/etc/authorized_keys", "x"),
    ]);
    run_twice(
        &mut fs,
        "guest: {users: [{name: debian, ssh_authorized_keys: ssh-rsa AAAA}]}\n",
        inject,
    );
    assert_eq!(own(&mut fs, "/etc"), (0o755, 0, 0));
    assert_eq!(
        text(&mut fs, "/etc/authorized_keys").unwrap(),
        "x\nssh-rsa AAAA\n"
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &str) {
        let mut all = vec![("/etc/passwd", PASSWD), ("/home/debian/", "")];
        all.extend(files);
        let message = refusal(
            &mut guest(&all),
            "guest: {users: [{name: debian, ssh_authorized_keys: ssh-rsa AAAA}]}\n",
            inject,
        );
        assert!(message.contains(expected), "{message}");
    }
    let config = "/etc/ssh/sshd_config";
    check(
        &[("/etc/passwd", "root:x:0:0::/root:\n")],
        "key of `debian`: the guest has no such account",
    );
    check(&[("/etc/passwd", "debian:x:0:0::home:\n")], "no path");
    check(&[("/etc/passwd", "debian:x:-1:0::/h:\n")], "whole numbers");
    check(
        &[(config, "AuthorizedKeysFile none\n")],
        "reads no file of keys",
    );
    check(
        &[(config, "AuthorizedKeysFile %h/../%u\n")],
        "beyond what can be followed",
    );
    check(
        &[(config, "AuthorizedKeysFile /%k\n")],
        "beyond what can be followed",
    );
    check(
        &[(config, "Include sshd_config\n")],
        "includes too many files",
    );
    check(
        &[("/home/debian/.ssh/authorized_keys/", "")],
        "not a regular file",
    );
    check(&[("/home/debian/.ssh", "a file")], "not a directory");
    let message = refusal(
        &mut guest(&[("/etc/passwd", PASSWD), ("/etc/cloud/cloud.cfg", "a: ]")]),
        "ssh_authorized_keys: ssh-rsa AAAA\n",
        inject,
    );
    assert!(message.contains("cannot be read as YAML"), "{message}");
}
