//! The guest section and NoCloud in what no outside tool can judge: draws, refusals, and
//! what network_data.json has no place for.

mod common;

use std::process::Command;

use christen_instance::explain::not_carried;
use christen_instance::guest::cloud_config;
use christen_instance::model::{Guest, GuestUser, KeyPair, Password};
use christen_instance::{Context, Dialect, Error, NoCloud, Secret, Settings, Value};
use christen_testkit::tools;
use common::{Pinned, Scripted, case};

fn user(name: &str, password: Option<Password>) -> GuestUser {
    GuestUser {
        name: name.to_owned(),
        password,
        ..GuestUser::default()
    }
}

fn clear(text: &str) -> Password {
    Password::Text(Secret::new(text.to_owned()))
}

#[test]
fn only_clear_passwords_draw_and_root_comes_last() {
    let guest = Guest {
        users: vec![
            user("a", Some(Password::Hash(Secret::new("$6$x$y".to_owned())))),
            user("b", Some(clear("b-clear"))),
            user("c", Some(Password::Locked)),
            user("d", None),
        ],
        root_password: Some(clear("root-clear")),
        ..Guest::default()
    };
    let mut random = Pinned::default();
    let text = cloud_config(&guest, &mut random).expect("it can be made");
    let text = text.expect("it says something");
    assert_eq!(random.draws, [16, 16]);
    assert!(!text.contains("-clear"), "no password in clear");
    let order = [
        "name: a\n",
        "name: b\n",
        "name: c\n",
        "name: d\n",
        "name: root\n",
    ];
    let places = order.map(|name| text.find(name).expect(name));
    assert!(places.is_sorted(), "{places:?}");
    assert!(text.starts_with("#cloud-config\nusers:\n  - default\n"));
}

#[test]
fn a_silent_section_makes_no_document_and_draws_nothing() {
    let mut random = Pinned::default();
    let text = cloud_config(&Guest::default(), &mut random).expect("nothing fails");
    assert_eq!((text, random.draws), (None, vec![]));
}

#[test]
fn keys_for_a_system_account_are_refused() {
    let mut daemon = user("daemon", None);
    daemon.system = true;
    daemon.ssh_authorized_keys = vec!["ssh-ed25519 AAAA".to_owned()];
    let guest = Guest {
        users: vec![daemon],
        ..Guest::default()
    };
    let error = cloud_config(&guest, &mut Pinned::default()).expect_err("it has no home");
    assert!(matches!(error, Error::GuestAccount { ref name, .. } if name == "daemon"));
}

/// openssl finds the same hash for the salt that was drawn, over the lengths at which
/// sha512crypt changes its way. (It cuts passwords at 256 bytes, so none is longer here.)
#[test]
fn openssl_makes_the_same_hashes() {
    let Some(openssl) = tools::require("openssl") else {
        return;
    };
    for length in [1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 200] {
        let password = "pä$s wörd".chars().cycle().take(length).collect::<String>();
        let guest = Guest {
            root_password: Some(clear(&password)),
            ..Guest::default()
        };
        let text = cloud_config(&guest, &mut Pinned::default()).expect("it can be made");
        let mut command = Command::new(&openssl);
        command.args(["passwd", "-6", "-salt", "./0123456789ABCD", &password]);
        let hash = String::from_utf8(tools::run(&mut command)).expect("it is ASCII");
        assert!(
            text.is_some_and(|text| text.contains(hash.trim())),
            "{length}"
        );
    }
}

#[test]
fn every_address_of_a_nic_is_described() {
    let input = r#"{"uuid": "b65cee2f-8c69-4aeb-be2f-f79742548fc2", "network": [{
        "id": "p", "mac": "FA:16:3E:00:00:01", "network": {"id": "n"},
        "subnets": [
          {"cidr": "192.0.2.0/24", "ips": [{"address": "192.0.2.7"}, {"address": "192.0.2.8"}]},
          {"cidr": "198.51.100.0/25", "ips": [{"address": "198.51.100.7"}]}]}]}"#;
    let input = christen_instance::json::parse(input).expect("it is JSON");
    let instance = case::instance(&input);
    let settings = Settings::default();
    let context = Context {
        settings: &settings,
        like_nova: false,
        random: &mut Pinned::default(),
        vendordata: &mut Scripted::default(),
    };
    let mut renderer = NoCloud::new(&instance, context);
    let document = renderer.document("network-config").expect("it can be made");
    assert_eq!(
        String::from_utf8_lossy(&document.content),
        "version: 2\nethernets:\n  eth0:\n    match:\n      macaddress: fa:16:3e:00:00:01\n    \
         addresses:\n      - '192.0.2.7/24'\n      - '192.0.2.8/24'\n      - '198.51.100.7/25'\n"
    );
    let error = renderer.document("vendor-data").expect_err("there is none");
    assert!(matches!(error, Error::NoSuchDocument { .. }));
}

#[test]
fn what_nocloud_has_no_place_for_is_named() {
    let mut instance = case::instance(&Value::Object(Vec::new()));
    assert_eq!(not_carried(&instance, Dialect::NoCloud), []);
    instance.admin_password = Some(Secret::new("s3cret".to_owned()));
    instance.key = Some(KeyPair {
        name: "k".to_owned(),
        kind: "x509".to_owned(),
        public_key: None,
        deleted: false,
    });
    let keys = |dialect| -> Vec<&str> {
        let named = not_carried(&instance, dialect).into_iter();
        named.map(|named| named.key).collect()
    };
    assert_eq!(keys(Dialect::NoCloud), ["admin_password", "key"]);
    assert_eq!(keys(Dialect::OpenStack), [""; 0]);
}
