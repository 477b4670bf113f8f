//! What the default does with the guests and items of the recorded injections: the column `default` of `docs/compatibility.md`.

mod nova_support;

use std::collections::BTreeMap;

use christen_inject::{Change, Request, Stage, inject};
use christen_instance::description::{self, Limits};
use christen_instance::inputs::FileSource;
use christen_instance::model::KeyPair;
use christen_instance::{Instance, Settings};
use christen_vfs::Timestamp;
use christen_vfs::memory::Memory;
use christen_vfs::walk::LastLink;
use nova_support::{Pinned, found, get, members, path, plant, same};

struct NoFiles;

impl FileSource for NoFiles {
    fn read(&self, _: &str, _: u64) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// An instance with the items of a vector but the network, whose text only Nova knows.
fn instance(vector: &christen_instance::Value) -> Instance {
    let input = vector.get("input").and_then(|it| it.get("inject"));
    let items = nova_support::items(input.expect("a vector has items"));
    let parsed = description::parse("name: a\n", "a.yaml", &NoFiles, &Limits::default());
    let mut instance = parsed.expect("a description").instance;
    instance.key = items.key.map(|key| KeyPair {
        name: "desk".to_owned(),
        kind: "ssh".to_owned(),
        public_key: Some(key),
        deleted: false,
    });
    instance.metadata = items.metadata;
    instance.admin_password = items.admin_password.filter(|it| !it.expose().is_empty());
    instance.files = items.files;
    instance
}

fn run(fs: &mut Memory, instance: &Instance) -> christen_inject::Result<Vec<Change>> {
    let mut stage = Stage::new(fs);
    let mut request = Request {
        instance,
        settings: &Settings::default(),
        now: Timestamp {
            seconds: 20_000 * 86_400,
            nanoseconds: 0,
        },
        random: &mut Pinned,
    };
    inject(&mut stage, &mut request)?;
    Ok(stage.changes())
}

/// The guests after all vectors that the default takes.
fn injected() -> (BTreeMap<String, Memory>, Vec<String>) {
    let mut guests = BTreeMap::new();
    let mut refused = Vec::new();
    for (name, vector) in nova_support::vectors() {
        let input = vector.get("input").expect("a vector has an input");
        if get(input, "appliance").is_some() {
            continue;
        }
        let instance = instance(&vector);
        let mut fs = Memory::new();
        plant(&mut fs, members(&vector, "before"));
        if run(&mut fs, &instance).is_err() {
            refused.push(name);
            continue;
        }
        let before = found(&mut fs);
        let again = run(&mut fs, &instance).expect("it was done before");
        let changed: Vec<_> = again.iter().filter(|it| it.is_change()).collect();
        assert!(changed.is_empty(), "{name}: {changed:?}");
        same(&name, &found(&mut fs), &before);
        guests.insert(name, fs);
    }
    (guests, refused)
}

#[test]
fn what_fails_is_refused_and_what_is_done_stays() {
    let (_, refused) = injected();
    assert_eq!(
        refused,
        [
            "files-parent-is-file",
            "files-parent-is-file-mandatory",
            "files-target-is-dir",
            "password-mandatory",
            "password-no-root",
            "password-no-shadow",
            "password-two-cells",
        ]
    );
}

#[test]
fn the_rest_is_what_the_table_says() {
    let (mut guests, _) = injected();
    let mut own = |name: &str, at: &str| {
        let fs = guests.get_mut(name).expect("it was done");
        let found = Stage::new(fs).look(&path(at), LastLink::Followed);
        let found = found.expect("it can be looked at").expect("it is there");
        (found.permissions, found.uid, found.gid)
    };
    assert_eq!(own("key-append", "/root/.ssh"), (0o700, 0, 0));
    assert_eq!(
        own("key-append", "/root/.ssh/authorized_keys"),
        (0o600, 0, 0)
    );
    assert_eq!(own("key-ssh-is-link", "/srv/keys"), (0o755, 0, 0));
    assert_eq!(own("key-no-group", "/root/.ssh"), (0o700, 0, 0));
    assert_eq!(own("key-link-escape", "/etc/cron"), (0o600, 0, 0));
    assert_eq!(own("key-selinux-rclocal", "/etc/rc.local"), (0o755, 0, 0));
    assert_eq!(own("files", "/opt/a/b"), (0o755, 0, 0));
    assert_eq!(own("files", "/etc/motd"), (0o600, 4, 0));
    let mut text = |name: &str, at: &str| {
        let fs = guests.get_mut(name).expect("it was done");
        let read = Stage::new(fs).read(&path(at)).expect("it can be read");
        String::from_utf8_lossy(&read.expect("it is there")).into_owned()
    };
    let key = text("key", "/root/.ssh/authorized_keys");
    assert!(
        key.starts_with("ssh-ed25519 ") && key.lines().count() == 1,
        "{key}"
    );
    assert_eq!(
        text("key-append", "/root/.ssh/authorized_keys")
            .lines()
            .count(),
        2
    );
    assert_eq!(text("files-dotdot", "/up"), "u");
    assert!(text("metadata", "/meta.js").starts_with("{\"role\": \"web\""));
    // The scheme and the day are not Nova's.
    for name in ["password", "password-not-utf8", "all"] {
        let shadow = text(name, "/etc/shadow");
        let root = shadow
            .lines()
            .find(|line| line.starts_with("root:"))
            .expect("root is there");
        assert!(
            !root.contains("$1$") && root.contains(":20000:"),
            "{name}: {root}"
        );
    }
}
