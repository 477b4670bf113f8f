//! What others plant, swap and own.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use christen_vfs::walk::{LastLink, resolve_place};
use christen_vfs::{FileSystem, GuestPath, NewFile, NewKind};

use super::{Scratch, assert_same, commit, is_root};
use crate::*;

const FILE: NewFile<'static> = NewFile {
    kind: NewKind::File,
    permissions: 0o644,
    uid: 0,
    gid: 0,
};

fn write(fs: &mut dyn FileSystem, path: &str, content: &[u8]) -> christen_vfs::Result<()> {
    let path = GuestPath::new(path).unwrap();
    let place = resolve_place(fs, &path, LastLink::Followed)?;
    let file = match place.file {
        Some(file) => file,
        None => fs.create(place.directory, place.name().unwrap(), &FILE)?,
    };
    fs.replace(file, &mut &*content).map(|_| ())
}

#[test]
fn links_lead_nowhere_but_into_the_root() {
    let scratch = Scratch::new();
    let outside = scratch.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("passwd"), "host").unwrap();
    let root = scratch.root();
    fs::create_dir_all(root.join("in/deep")).unwrap();
    let links = [
        ("absolute", outside.to_str().unwrap().to_owned()),
        ("up", "../outside".to_owned()),
        (
            "far-up",
            "../../../../../../../../".to_owned() + outside.to_str().unwrap(),
        ),
        (
            "magic",
            format!("/proc/{}/root{}", std::process::id(), outside.display()),
        ),
        (
            "magic-self",
            format!("/proc/self/root{}", outside.display()),
        ),
        ("in/deep/up", "../../../outside".to_owned()),
        ("loop", "loop".to_owned()),
    ];
    for (name, target) in &links {
        symlink(target, root.join(name)).unwrap();
        symlink(
            format!("{target}/passwd"),
            root.join(format!("{name}-file")),
        )
        .unwrap();
    }
    for (name, _) in &links {
        let mut directory = scratch.open();
        for path in [format!("/{name}/passwd"), format!("/{name}-file")] {
            // There is no such directory in the root.
            assert!(write(&mut directory, &path, b"guest").is_err(), "{path}");
        }
        commit(directory).unwrap();
    }
    assert_eq!(fs::read(outside.join("passwd")).unwrap(), b"host");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);

    // With the same directory inside, links lead there.
    let inside = root.join(outside.strip_prefix("/").unwrap());
    fs::create_dir_all(&inside).unwrap();
    let mut directory = scratch.open();
    write(&mut directory, "/absolute/passwd", b"guest").unwrap();
    commit(directory).unwrap();
    assert_eq!(fs::read(inside.join("passwd")).unwrap(), b"guest");
    assert_eq!(fs::read(outside.join("passwd")).unwrap(), b"host");
}

#[test]
fn what_was_swapped_meanwhile_is_refused() {
    type Swap = fn(&Path, &Path);
    let swaps: [(&str, Swap); 5] = [
        ("a directory for a link", |root, outside| {
            fs::rename(root.join("etc"), root.join("was")).unwrap();
            symlink(outside, root.join("etc")).unwrap();
        }),
        ("a directory for another", |root, _| {
            fs::rename(root.join("etc"), root.join("was")).unwrap();
            fs::create_dir(root.join("etc")).unwrap();
            fs::write(root.join("etc/passwd"), "other").unwrap();
        }),
        ("a file for a link", |root, outside| {
            fs::remove_file(root.join("etc/passwd")).unwrap();
            symlink(outside.join("passwd"), root.join("etc/passwd")).unwrap();
        }),
        ("the content", |root, _| {
            fs::write(root.join("etc/passwd"), "guest, but longer").unwrap();
        }),
        ("one file more", |root, _| {
            fs::write(root.join("etc/new"), "x").unwrap();
        }),
    ];
    for (what, swap) in swaps {
        let scratch = Scratch::new();
        let root = scratch.root();
        let outside = scratch.directory.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("passwd"), "host").unwrap();
        fs::create_dir(root.join("etc")).unwrap();
        fs::write(root.join("etc/passwd"), "guest").unwrap();
        let mut directory = scratch.open();
        write(&mut directory, "/etc/passwd", b"changed").unwrap();
        write(&mut directory, "/etc/new", b"made").unwrap();
        swap(&root, &outside);
        let outcome = commit(directory);
        assert!(outcome.is_err(), "{what}: {outcome:?}");
        assert_eq!(fs::read(outside.join("passwd")).unwrap(), b"host");
        assert!(!outside.join("new").exists());
        assert!(!scratch.has_journal());
        let tree = format!("{:?}", scratch.tree());
        assert!(!tree.contains("made"), "{what}");
        for path in ["etc/passwd", "was/passwd"] {
            let found = fs::read(root.join(path)).unwrap_or_default();
            assert_ne!(found, b"changed", "{what}");
        }
    }
}

#[test]
fn devices_and_pipes_are_not_opened() {
    let scratch = Scratch::new();
    let pipe = scratch.root().join("passwd");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let mut directory = scratch.open();
    let root = directory.root();
    let file = directory.lookup(root, b"passwd").unwrap().unwrap();
    let read = directory.read_at(file, &mut [0; 8], 0);
    assert!(matches!(read, Err(christen_vfs::Error::NotFile)));
    // A file that becomes a pipe before it is read is another.
    let scratch = Scratch::new();
    fs::write(scratch.root().join("passwd"), "x").unwrap();
    let mut directory = scratch.open();
    let root = directory.root();
    let file = directory.lookup(root, b"passwd").unwrap().unwrap();
    fs::remove_file(scratch.root().join("passwd")).unwrap();
    fs::rename(&pipe, scratch.root().join("passwd")).unwrap_or_else(|_| {
        rustix::fs::mknodat(
            rustix::fs::CWD,
            scratch.root().join("passwd"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
    });
    assert!(directory.read_at(file, &mut [0; 8], 0).is_err());
}

#[test]
fn owners_go_through_the_map() {
    if !is_root() {
        return;
    }
    let map = || IdMap::new(vec![IdRange::parse("0:100000:1000").unwrap()]).unwrap();
    let scratch = Scratch::new();
    let root = scratch.root();
    for (name, uid) in [("passwd", 100_042), ("foreign", 7)] {
        fs::write(root.join(name), name).unwrap();
        std::os::unix::fs::chown(root.join(name), Some(uid), Some(uid)).unwrap();
    }
    let open = || HostDirectory::open(&root, map()).unwrap();
    let mut directory = open();
    let top = directory.root();
    for (name, uid) in [(&b"passwd"[..], 42), (b"foreign", 65534)] {
        let file = directory.lookup(top, name).unwrap().unwrap();
        assert_eq!(directory.attributes(file).unwrap().uid, uid);
        directory.replace(file, &mut &b"new"[..]).unwrap();
    }
    write(&mut directory, "/made", b"made").unwrap();
    commit(directory).unwrap();
    for (name, uid) in [("passwd", 100_042), ("foreign", 7), ("made", 100_000)] {
        let found = fs::metadata(root.join(name)).unwrap();
        assert_eq!((found.uid(), found.gid()), (uid, uid), "{name}");
    }

    let before = scratch.tree();
    let mut directory = open();
    let file = directory.lookup(top, b"made").unwrap().unwrap();
    directory.set_owner(file, 1000, 0).unwrap();
    let error = commit(directory).unwrap_err();
    assert!(
        matches!(
            &error,
            Error::NotMapped {
                sort: "user",
                id: 1000,
                ..
            }
        ),
        "{error:?}"
    );
    assert_same(&before, &scratch.tree(), "not mapped");
    let mut directory = open();
    let file = directory.lookup(top, b"made").unwrap().unwrap();
    let list = b"system.posix_acl_access";
    assert!(directory.set_attribute(file, list, b"").is_err());
}

#[test]
fn other_names_keep_no_old_content() {
    let scratch = Scratch::new();
    let root = scratch.root();
    fs::create_dir(root.join("unseen")).unwrap();
    fs::write(root.join("a"), "old").unwrap();
    fs::hard_link(root.join("a"), root.join("b")).unwrap();
    let mut directory = scratch.open();
    write(&mut directory, "/a", b"new").unwrap();
    commit(directory).unwrap();
    assert_eq!(fs::read(root.join("b")).unwrap(), b"new");
    assert_eq!(fs::metadata(root.join("b")).unwrap().nlink(), 2);

    fs::rename(root.join("b"), root.join("unseen/b")).unwrap();
    let mut directory = scratch.open();
    write(&mut directory, "/a", b"newer").unwrap();
    let error = commit(directory).unwrap_err();
    assert!(
        matches!(error, Error::OtherNames { links: 2, .. }),
        "{error:?}"
    );
    assert_eq!(fs::read(root.join("a")).unwrap(), b"new");
}

#[test]
fn what_is_not_verified_is_undone() {
    let scratch = Scratch::new();
    fs::write(scratch.root().join("a"), "old").unwrap();
    let before = scratch.tree();
    let mut directory = scratch.open();
    write(&mut directory, "/a", b"new").unwrap();
    write(&mut directory, "/b", b"new").unwrap();
    let mut seen = Vec::new();
    let error = directory
        .commit(&mut |fresh| {
            let root = fresh.root();
            let file = fresh.lookup(root, b"a")?.unwrap();
            seen = vec![0; 3];
            fresh.read_at(file, &mut seen, 0)?;
            Err("not as meant".into())
        })
        .unwrap_err();
    assert!(matches!(error, Error::NotVerified(_)), "{error:?}");
    assert_eq!(seen, b"new");
    assert_same(&before, &scratch.tree(), "not verified");
    assert!(!scratch.has_journal());
}

#[test]
fn one_at_a_time() {
    let scratch = Scratch::new();
    let first = scratch.open();
    let second = HostDirectory::open(&scratch.root(), IdMap::default());
    assert!(matches!(second, Err(Error::Busy)));
    drop(first);
    scratch.open();
}

#[test]
fn a_journal_of_others_is_not_obeyed() {
    let scratch = Scratch::new();
    let journal = scratch.directory.path().join(".root.christen-undo");
    let refused = |rule| {
        let error = HostDirectory::open(&scratch.root(), IdMap::default()).unwrap_err();
        assert!(error.to_string().contains(rule), "{error}");
    };
    symlink("/tmp", &journal).unwrap();
    refused("no directory");
    fs::remove_file(&journal).unwrap();
    fs::create_dir(&journal).unwrap();
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o755)).unwrap();
    refused("others may use it");
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o700)).unwrap();
    if is_root() {
        std::os::unix::fs::chown(&journal, Some(7), None).unwrap();
        refused("belongs to another");
        std::os::unix::fs::chown(&journal, Some(0), None).unwrap();
    }
    fs::write(journal.join("manifest"), "nonsense").unwrap();
    refused("is damaged");
    fs::remove_file(journal.join("manifest")).unwrap();
    assert!(scratch.open().was_recovered());
    assert!(!journal.exists());
}

#[test]
fn a_filesystem_of_its_own_has_no_place_for_a_journal() {
    assert!(matches!(
        HostDirectory::open(Path::new("/"), IdMap::default()),
        Err(Error::NoPlaceForJournal { .. })
    ));
    assert!(matches!(
        HostDirectory::open(Path::new("/proc"), IdMap::default()),
        Err(Error::NoPlaceForJournal { .. })
    ));
}
