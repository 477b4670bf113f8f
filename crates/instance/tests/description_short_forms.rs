//! Short forms mean what their long forms mean.

use std::io;

use christen_instance::Instance;
use christen_instance::description::{self, Limits};
use christen_instance::inputs::FileSource;
use christen_instance::model::{KeyPair, Password};

struct Files;

impl FileSource for Files {
    fn read(&self, path: &str, _: u64) -> io::Result<Vec<u8>> {
        match path {
            "password" => Ok(b"s3cret\r\n".to_vec()),
            "key.pub" => Ok(format!("{KEY}\n").into_bytes()),
            "binary" => Ok(vec![0, 255]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5mH0vN1pS7v2n8jYl0m6b1kD3mYk5dN6m3yB0q9Qz1";

#[track_caller]
fn parse(text: &str) -> Instance {
    let text = text.replace("KEY", KEY);
    match description::parse(&text, "test.yaml", &Files, &Limits::default()) {
        Ok(parsed) => {
            assert_eq!(parsed.warnings, [], "{text}");
            parsed.instance
        }
        Err(findings) => panic!("{}", findings.render()),
    }
}

#[test]
fn short_forms_are_expanded() {
    #[track_caller]
    fn check(short: &str, long: &str) {
        assert_eq!(parse(short), parse(long));
    }
    check("{}", "christen: 1\nfull: false\nuuid:\nnetwork: null\n");
    check("network: dhcp", "{}");
    check(
        "hostname: web-01.example.org",
        "{name: web-01, hostname: web-01.example.org}",
    );
    check("config_drive: true", "config_drive: 'True'");
    check("config_drive: false", "config_drive: ''");
    check("launched_at: '2026-01-15'", "launched: true");
    check("user_data: a", "user_data: {text: a}");
    check("user_data: ''", "user_data: {base64: ''}");
    check("user_data: {file: binary}", "user_data: {base64: AP8=}");
    check(
        "user_data: {base64: \"AP\\n  8=\"}",
        "user_data: {base64: AP8=}",
    );
    check(
        "cloud_config: {a: yes}",
        "user_data: \"#cloud-config\\na: true\\n\"",
    );
    check(
        "cloud_config: {a: 'yes'}",
        "user_data: {cloud_config: {a: 'yes'}}",
    );
    check("admin_password: s3cret", "admin_password: {file: password}");
    check("admin_password: s3cret", "admin_password: {text: s3cret}");
    check(
        "ssh_authorized_keys: KEY",
        "ssh_authorized_keys: [{file: key.pub}]",
    );
    check(
        "ssh_authorized_keys: {file: key.pub}",
        "ssh_authorized_keys: [KEY]",
    );
    check(
        "files: [{path: /a, source: binary}]",
        "files: [{path: /a, base64: AP8=}]",
    );
    check(
        "guest: {root_password: s3cret}",
        "guest: {root_password: {file: password}}",
    );
    check(
        "network:\n\
         - mac: 52:54:00:12:34:56\n  \
           address: [192.0.2.17/24, 2001:DB8::5/64, 192.0.2.18/24]\n  \
           gateway: [192.0.2.1, 'fe80::1']\n  \
           dns: [192.0.2.2, '2001:db8::53', 192.0.2.3]\n  \
           mtu: 1400\n  \
           routes: [{to: 198.51.100.0/24, via: 192.0.2.254}]\n",
        "network:\n\
         - id: 00000000-0000-4000-8000-525400123456\n  \
           mac: 52:54:00:12:34:56\n  \
           network: {id: 00000000-0000-4000-9000-525400123456, mtu: 1400}\n  \
           subnets:\n  \
           - cidr: 192.0.2.0/24\n    \
             enable_dhcp: false\n    \
             ips: [{address: 192.0.2.17}, {address: 192.0.2.18}]\n    \
             gateway: 192.0.2.1\n    \
             dns: [192.0.2.2, 192.0.2.3]\n    \
             routes: [{to: 198.51.100.0/24, via: 192.0.2.254}]\n  \
           - cidr: 2001:db8::/64\n    \
             enable_dhcp: false\n    \
             ips: [{address: '2001:DB8::5'}]\n    \
             gateway: 'fe80::1'\n    \
             dns: ['2001:db8::53']\n",
    );
    check(
        "network: [{mac: '52:54:00:00:00:01', dhcp: true, ipv6: slaac, dns: 192.0.2.1}]",
        "network:\n\
         - id: 00000000-0000-4000-8000-525400000001\n  \
           mac: 52:54:00:00:00:01\n  \
           network: {id: 00000000-0000-4000-9000-525400000001}\n  \
           subnets:\n  \
           - {cidr: 0.0.0.0/0, enable_dhcp: true, dns: [192.0.2.1]}\n  \
           - {cidr: '::/0', enable_dhcp: false, ipv6_address_mode: slaac}\n",
    );
}

#[test]
fn the_first_listed_key_is_the_key_pair_unless_one_is_named() {
    let instance = parse("ssh_authorized_keys: [KEY a, KEY b]");
    let keys = [format!("{KEY} a"), format!("{KEY} b")];
    assert_eq!(instance.ssh_authorized_keys, keys);
    let expected = KeyPair {
        name: "default".to_owned(),
        kind: "ssh".to_owned(),
        public_key: Some(keys[0].clone()),
        deleted: false,
    };
    assert_eq!(instance.key, Some(expected));

    let instance = parse("ssh_authorized_keys: [KEY a]\nkey: {name: desk, public_key: \"KEY\\n\"}");
    let key = instance.key.unwrap();
    assert_eq!(key.name, "desk");
    assert_eq!(key.public_key, Some(format!("{KEY}\n")));
}

#[test]
fn the_guest_section_is_read() {
    let guest = parse(
        "guest:\n  \
           users:\n  \
           - {name: operator, uid: 1500, system: true, groups: [sudo], password: {hash: x}}\n  \
           - {name: admin, password: {locked: true}, ssh_authorized_keys: KEY}\n  \
           timezone: Europe/Berlin\n  \
           first_boot_commands: ['a', 'b']\n  \
           files: [{path: /etc/motd, text: hi, owner: 'root:root', mode: '0644'}]\n",
    )
    .guest;
    assert_eq!(guest.users[0].uid, Some(1500));
    assert!(guest.users[0].system);
    assert!(matches!(&guest.users[0].password, Some(Password::Hash(hash)) if hash.expose() == "x"));
    assert_eq!(guest.users[1].password, Some(Password::Locked));
    assert_eq!(guest.users[1].ssh_authorized_keys, [KEY]);
    assert_eq!(guest.timezone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(guest.first_boot_commands.len(), 2);
    assert_eq!(guest.files[0].mode, Some(0o644));
    assert_eq!(guest.files[0].content.expose(), b"hi");
}
