//! Rules of Nova's injection that no recorded vector shows, and guests that mean harm.

use std::io;

use christen_inject::nova::{Exception, ItemName, Items, Outcome, Raised, inject};
use christen_inject::{MAX_READ_BYTES, Secrecy, Stage};
use christen_instance::Secret;
use christen_instance::inputs::RandomSource;
use christen_instance::model::InjectedFile;
use christen_vfs::memory::Memory;
use christen_vfs::walk::LastLink;
use christen_vfs::{FileSystem, GuestPath};

struct Zeros;

impl RandomSource for Zeros {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        buffer.fill(0);
        Ok(())
    }
}

struct Nothing;

impl RandomSource for Nothing {
    fn fill(&mut self, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn path(text: &str) -> GuestPath {
    GuestPath::new(text).expect("a path in a guest")
}

const PLAIN: [(&str, &[u8]); 3] = [
    ("/etc/passwd", b"root:x:0:0:::\n"),
    ("/etc/group", b"root:x:0:\n"),
    ("/etc/shadow", b"root:!:1::::::\n"),
];

fn guest(files: &[(&str, &[u8])]) -> Memory {
    let mut fs = Memory::new();
    let mut stage = Stage::new(&mut fs);
    for (at, content) in files {
        let at = path(at);
        stage.parents(&at).expect("it is made");
        let written = stage.overwrite(&at, content, Secrecy::Public);
        written.expect("it is written");
    }
    fs
}

fn files(files: &[(&str, &str)]) -> Items {
    let files = files.iter().map(|(path, content)| InjectedFile {
        path: (*path).to_owned(),
        content: Secret::new(content.as_bytes().to_vec()),
    });
    Items {
        files: files.collect(),
        ..Items::default()
    }
}

fn password(text: &str) -> Items {
    Items {
        admin_password: Some(Secret::new(text.to_owned())),
        ..Items::default()
    }
}

fn key() -> Items {
    Items {
        key: Some("ssh-ed25519 AAAA me\n".to_owned()),
        ..Items::default()
    }
}

fn all_mandatory(fs: &mut dyn FileSystem, items: &Items) -> Result<Outcome, Raised> {
    inject(&mut Stage::new(fs), items, &ItemName::ALL, &mut Zeros)
}

fn exception(fs: &mut dyn FileSystem, items: &Items) -> Exception {
    let raised = all_mandatory(fs, items).expect_err("it cannot be done");
    raised.exception
}

fn content(fs: &mut dyn FileSystem, at: &str) -> Option<String> {
    let content = Stage::new(fs).read(&path(at)).expect("it can be read");
    content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn a_path_that_asks_for_a_directory_is_no_file() {
    for at in [
        "/etc/motd/",
        "/etc/motd/.",
        "/etc/motd/..",
        "/etc/new/",
        "/etc/",
        "/",
        "..",
    ] {
        let mut fs = guest(&PLAIN);
        let old = all_mandatory(&mut fs, &files(&[("/etc/motd", "old")]));
        assert!(old.expect("it can").complete);
        assert_eq!(
            exception(&mut fs, &files(&[(at, "new")])),
            Exception::RuntimeError,
            "{at}"
        );
        assert_eq!(
            content(&mut fs, "/etc/motd").as_deref(),
            Some("old"),
            "{at}"
        );
    }
    // The directory that such a path names has been made.
    let mut fs = guest(&PLAIN);
    exception(&mut fs, &files(&[("/etc/new/", "new")]));
    assert!(Stage::new(&mut fs).is_directory(&path("/etc/new")).unwrap());
}

#[test]
fn what_is_no_path_is_what_python_raises() {
    let mut fs = guest(&PLAIN);
    for (at, expected) in [
        ("", Exception::IndexError),
        ("/etc/a\0b", Exception::ValueError),
        ("/etc\0/b", Exception::ValueError),
        (
            &format!("/etc/{}", "n".repeat(256)),
            Exception::RuntimeError,
        ),
        (&"/a".repeat(3000), Exception::RuntimeError),
    ] {
        assert_eq!(exception(&mut fs, &files(&[(at, "x")])), expected);
    }
}

#[test]
fn owners_are_of_before_the_injection() {
    let mut fs = guest(&PLAIN);
    let items = files(&[("/etc/passwd", "x"), ("/etc/group", ""), ("/new/f", "f")]);
    assert!(
        all_mandatory(&mut fs, &items)
            .expect("root was there")
            .complete
    );
    assert_eq!(
        exception(&mut fs, &files(&[("/other/f", "f")])),
        Exception::NovaException
    );
    // It was made before its owner was looked for.
    assert!(Stage::new(&mut fs).is_directory(&path("/other")).unwrap());
}

#[test]
fn root_is_whom_the_guest_takes_for_it() {
    let mut fs = guest(&[
        ("/etc/passwd", b"root:x:2147483647:0:::\n"),
        ("/etc/group", b"root:x:5:\n"),
    ]);
    assert!(all_mandatory(&mut fs, &key()).expect("it can").complete);
    let found = Stage::new(&mut fs).look(&path("/root/.ssh"), LastLink::Followed);
    let found = found.unwrap().unwrap();
    assert_eq!(
        (found.uid, found.gid, found.permissions),
        (2_147_483_647, 5, 0o700)
    );
    // The file is whose it is.
    let at = path("/root/.ssh/authorized_keys");
    let found = Stage::new(&mut fs)
        .look(&at, LastLink::Followed)
        .unwrap()
        .unwrap();
    assert_eq!((found.uid, found.gid, found.permissions), (0, 0, 0o600));

    for number in [
        "2147483648",
        "99999999999999999999999999999999999999999999999999",
    ] {
        let passwd = format!("root:x:{number}:0:::\n");
        let mut fs = guest(&[("/etc/passwd", passwd.as_bytes()), PLAIN[1]]);
        assert_eq!(exception(&mut fs, &key()), Exception::OverflowError);
    }
}

#[test]
fn each_injection_adds_its_lines_again() {
    let mut fs = guest(&PLAIN);
    for _ in 0..2 {
        assert!(all_mandatory(&mut fs, &key()).expect("it can").complete);
    }
    let lines = "\n# The following ssh key was injected by Nova\nssh-ed25519 AAAA me\n";
    let found = content(&mut fs, "/root/.ssh/authorized_keys");
    assert_eq!(found, Some(lines.repeat(2)));
}

#[test]
fn a_script_behind_a_dangling_link_is_begun() {
    let mut fs = guest(&PLAIN);
    let mut stage = Stage::new(&mut fs);
    for at in ["/etc/selinux", "/etc/rc.d"] {
        stage.make_path(&path(at)).unwrap();
    }
    stage
        .symbolic_link(&path("/etc/rc.local"), b"/srv/script")
        .unwrap();
    stage.make_path(&path("/srv")).unwrap();
    // It does not exist, so that the other place is taken.
    assert!(all_mandatory(&mut fs, &key()).expect("it can").complete);
    assert_eq!(content(&mut fs, "/srv/script"), None);
    let script = content(&mut fs, "/etc/rc.d/rc.local").expect("it is there");
    assert!(script.starts_with("#!/bin/sh\n# Added by Nova"));
    // Without that place the link is followed.
    Stage::new(&mut fs).remove(&path("/etc/rc.d")).unwrap();
    assert!(all_mandatory(&mut fs, &key()).expect("it can").complete);
    assert_eq!(content(&mut fs, "/srv/script"), Some(script));
}

#[test]
fn a_password_that_crypt_takes_in_part_is_told() {
    for (text, same, notice) in [
        ("pw\0more", Some("pw"), "NUL"),
        (&"x".repeat(512), None, "511 bytes"),
    ] {
        let mut fs = guest(&PLAIN);
        let mut stage = Stage::new(&mut fs);
        let outcome = inject(&mut stage, &password(text), &[], &mut Zeros);
        assert!(outcome.expect("it can").complete);
        let [told] = stage.notices() else {
            panic!("{:?}", stage.notices());
        };
        assert!(
            told.text.contains(notice) && !told.text.contains("xx"),
            "{}",
            told.text
        );
        let found = content(&mut fs, "/etc/shadow").expect("it is there");
        let expected = match same {
            Some(same) => {
                let mut fs = guest(&PLAIN);
                assert!(
                    all_mandatory(&mut fs, &password(same))
                        .expect("it can")
                        .complete
                );
                content(&mut fs, "/etc/shadow").expect("it is there")
            }
            None => "root:*0:1::::::\n".to_owned(),
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn without_random_bytes_nothing_is_a_warning() {
    let mut fs = guest(&PLAIN);
    let raised = inject(&mut Stage::new(&mut fs), &password("pw"), &[], &mut Nothing);
    assert_eq!(raised.expect_err("no salt").exception, Exception::OsError);
}

#[test]
fn items_after_a_failed_one_go_on_and_files_end_with_the_first() {
    let mut fs = guest(&[("/etc/passwd", b"root:x:0:0:::\n"), ("/etc/shadow", b"")]);
    let items = Items {
        net: Some("n".to_owned()),
        metadata: vec![("k".to_owned(), "v".to_owned())],
        ..password("s3cret")
    };
    let items = Items {
        files: files(&[("/a", "a"), ("/etc", "s3cret"), ("/b", "b")]).files,
        ..items
    };
    let outcome = inject(&mut Stage::new(&mut fs), &items, &[], &mut Zeros).expect("warnings");
    assert!(!outcome.complete);
    let told: Vec<_> = outcome
        .warnings
        .iter()
        .map(|it| (it.item, it.exception))
        .collect();
    assert_eq!(
        told,
        [
            (ItemName::Net, Exception::NovaException),
            (ItemName::AdminPassword, Exception::TypeError),
            (ItemName::Files, Exception::RuntimeError),
        ]
    );
    assert_eq!(
        content(&mut fs, "/meta.js").as_deref(),
        Some("{\"k\": \"v\"}")
    );
    assert_eq!(content(&mut fs, "/a").as_deref(), Some("a"));
    assert_eq!(content(&mut fs, "/b"), None);
    assert!(!format!("{outcome:?}{items:?}").contains("s3cret"));
}

#[test]
fn secrets_are_marked() {
    let mut fs = guest(&PLAIN);
    let mut stage = Stage::new(&mut fs);
    let items = Items {
        files: files(&[("/f", "f")]).files,
        ..password("pw")
    };
    assert!(
        inject(&mut stage, &items, &[], &mut Zeros)
            .expect("it can")
            .complete
    );
    let secret: Vec<_> = stage
        .changes()
        .into_iter()
        .map(|it| (it.path.to_string(), it.secrecy))
        .collect();
    assert_eq!(
        secret,
        [
            ("/etc/shadow".to_owned(), Secrecy::Secret),
            ("/f".to_owned(), Secrecy::Secret)
        ]
    );
}

#[test]
fn a_guest_that_means_harm_gets_an_error() {
    // A file larger than any table: no memory is filled.
    for at in [
        "/etc/passwd",
        "/etc/group",
        "/etc/shadow",
        "/root/.ssh/authorized_keys",
    ] {
        let mut fs = guest(&PLAIN);
        let mut stage = Stage::new(&mut fs);
        let at = path(at);
        stage.parents(&at).unwrap();
        stage
            .overwrite(&at, b"root:x:0:0:::\n", Secrecy::Public)
            .unwrap();
        let file = christen_vfs::walk::resolve(&mut fs, &at, LastLink::Followed).unwrap();
        fs.set_size(file, MAX_READ_BYTES + 1).unwrap();
        let items = Items {
            admin_password: password("pw").admin_password,
            ..key()
        };
        let raised = all_mandatory(&mut fs, &items).expect_err("it is too large");
        let told = raised.source.to_string();
        assert!(told.contains("at most 16777216 are read"), "{told}");
    }
    // Devices, directories, links in a ring.
    for kind in 0..3 {
        for at in ["/etc/passwd", "/etc/shadow", "/etc/group"] {
            let mut fs = guest(&PLAIN);
            let mut stage = Stage::new(&mut fs);
            stage.remove(&path(at)).unwrap();
            match kind {
                0 => stage.make_path(&path(at)).unwrap(),
                _ => stage.symbolic_link(&path(at), at.as_bytes()).unwrap(),
            }
            let items = Items {
                admin_password: password("pw").admin_password,
                ..key()
            };
            let raised = all_mandatory(&mut fs, &items).expect_err("it is no table");
            assert!(matches!(
                raised.exception,
                Exception::RuntimeError | Exception::NovaException
            ));
        }
    }
    // NUL and CR in a table of accounts stay what they are.
    let mut fs = guest(&[
        PLAIN[0],
        PLAIN[1],
        ("/etc/shadow", b"a\0\r\nroot:\0:\r\n\0"),
    ]);
    assert!(
        all_mandatory(&mut fs, &password("pw"))
            .expect("it can")
            .complete
    );
    let shadow = content(&mut fs, "/etc/shadow").expect("it is there");
    assert!(shadow.starts_with("a\0\r\nroot:$1$aaaaaaaa$") && shadow.ends_with(":\r\n\0"));
}

#[test]
fn a_full_filesystem_fails_the_item_and_leaves_the_rest() {
    let mut fs = Memory::with_capacity(4, 8);
    let mut stage = Stage::new(&mut fs);
    for (at, content) in PLAIN {
        stage.parents(&path(at)).unwrap();
        stage
            .overwrite(&path(at), content, Secrecy::Public)
            .unwrap();
    }
    let items = Items {
        metadata: vec![("k".to_owned(), "v".to_owned())],
        ..files(&[("/big", &"x".repeat(9000))])
    };
    let outcome = inject(&mut Stage::new(&mut fs), &items, &[], &mut Zeros).expect("a warning");
    assert_eq!(outcome.warnings[0].item, ItemName::Files);
    assert_eq!(outcome.warnings.len(), 1);
    assert!(content(&mut fs, "/meta.js").is_some());
}
