use christen_vfs::memory::Memory;
use christen_vfs::tree::{Aspects, Tree, TreeOptions, differences};
use christen_vfs::walk::LastLink;
use christen_vfs::{FileSystem, Timestamp};

use super::*;
use crate::Error;

fn path(text: &str) -> GuestPath {
    GuestPath::new(text).expect("the path is right")
}

fn tree(fs: &mut Memory) -> Tree {
    let root = fs.root();
    let options = TreeOptions {
        content_bytes: u64::MAX,
    };
    Tree::read(fs, root, &options).expect("it can be read")
}

/// Every operation once.
fn everything(stage: &mut Stage<'_>) {
    let own = Ownership {
        permissions: 0o640,
        uid: 5,
        gid: 6,
    };
    stage.begin(Item::of(ItemKind::Key, "root"));
    stage
        .directory(&path("/root/.ssh"), Ownership::root(0o700), Existing::Set)
        .unwrap();
    stage
        .write(
            &path("/root/.ssh/k"),
            b"key\n",
            own,
            Existing::Set,
            Secrecy::Secret,
        )
        .unwrap();
    stage.begin(Item::new(ItemKind::Operation));
    stage.symbolic_link(&path("/l"), b"root/.ssh/k").unwrap();
    stage.permissions(&path("/l"), 0o4755).unwrap();
    stage
        .attribute(&path("/l"), LastLink::Followed, b"user.a", Some(b"1"))
        .unwrap();
    stage.hard_link(&path("/l"), &path("/h")).unwrap();
    stage.remove(&path("/old")).unwrap();
}

#[test]
fn what_is_there_already_is_not_written_again() {
    let mut fs = Memory::new();
    let mut stage = Stage::new(&mut fs);
    stage
        .write(
            &path("/old"),
            b"x",
            Ownership::root(0o644),
            Existing::Keep,
            Secrecy::Public,
        )
        .unwrap();
    let mut stage = Stage::new(&mut fs);
    everything(&mut stage);
    let changes = stage.changes();
    let changed: Vec<_> = changes
        .iter()
        .filter(|it| it.is_change())
        .map(|it| it.path.to_string())
        .collect();
    assert_eq!(
        changed,
        ["/h", "/l", "/old", "/root", "/root/.ssh", "/root/.ssh/k"]
    );
    let key = changes
        .iter()
        .find(|it| it.path == path("/root/.ssh/k"))
        .unwrap();
    assert_eq!(key.secrecy, Secrecy::Secret);
    assert_eq!(key.items.len(), 2);
    let after = key.after.as_ref().unwrap();
    assert_eq!((after.permissions, after.uid, after.gid), (0o4755, 5, 6));

    let before = tree(&mut fs);
    fs.set_now(Timestamp {
        seconds: 99,
        nanoseconds: 0,
    });
    let mut stage = Stage::new(&mut fs);
    // The bits that `everything` sets and takes back again would be a change of their own.
    stage.begin(Item::of(ItemKind::Key, "root"));
    stage
        .directory(&path("/root/.ssh"), Ownership::root(0o700), Existing::Set)
        .unwrap();
    let own = Ownership {
        permissions: 0o4755,
        uid: 5,
        gid: 6,
    };
    stage
        .write(
            &path("/root/.ssh/k"),
            b"key\n",
            own,
            Existing::Set,
            Secrecy::Secret,
        )
        .unwrap();
    stage.symbolic_link(&path("/l"), b"root/.ssh/k").unwrap();
    stage
        .attribute(&path("/l"), LastLink::Followed, b"user.a", Some(b"1"))
        .unwrap();
    stage.hard_link(&path("/l"), &path("/h")).unwrap();
    stage.remove(&path("/old")).unwrap();
    assert!(stage.changes().iter().all(|it| !it.is_change()));
    assert_eq!(differences(&before, &tree(&mut fs), &Aspects::ALL), []);
}

#[test]
fn what_was_there_is_kept_for_the_plan() {
    let mut fs = Memory::new();
    let mut stage = Stage::new(&mut fs);
    let file = path("/etc/motd");
    stage.parents(&file).unwrap();
    stage
        .write(
            &file,
            b"one\n",
            Ownership::root(0o600),
            Existing::Keep,
            Secrecy::Public,
        )
        .unwrap();
    let mut stage = Stage::new(&mut fs);
    stage.permissions(&file, 0o644).unwrap();
    stage
        .append(&file, b"two\n", Ownership::root(0o600), Secrecy::Public)
        .unwrap();
    let change = stage.changes().pop().unwrap();
    let bytes = |state: &Option<State>| {
        let content = state.as_ref()?.content.as_ref()?;
        content.bytes.clone()
    };
    assert_eq!(bytes(&change.before), Some(b"one\n".to_vec()));
    assert_eq!(bytes(&change.after), Some(b"one\ntwo\n".to_vec()));
    assert_eq!(change.before.unwrap().permissions, 0o600);
}

#[test]
fn a_move_is_told_at_both_ends() {
    let mut fs = Memory::new();
    let mut stage = Stage::new(&mut fs);
    stage
        .write(
            &path("/a"),
            b"1",
            Ownership::root(0o644),
            Existing::Keep,
            Secrecy::Public,
        )
        .unwrap();
    let mut stage = Stage::new(&mut fs);
    stage.rename(&path("/a"), &path("/b")).unwrap();
    let changes = stage.changes();
    assert!(changes[0].before.is_some() && changes[0].after.is_none());
    assert!(changes[1].before.is_none() && changes[1].after.is_some());
}

#[test]
fn what_is_in_a_directory_goes_with_it() {
    let mut fs = Memory::new();
    let mut stage = Stage::new(&mut fs);
    for name in ["/d/a", "/d/e/b", "/da"] {
        stage.parents(&path(name)).unwrap();
        let own = Ownership::root(0o644);
        stage
            .write(&path(name), b"1", own, Existing::Keep, Secrecy::Public)
            .unwrap();
    }
    stage.rename(&path("/d"), &path("/z")).unwrap();
    stage.remove(&path("/z/e")).unwrap();
    let there: Vec<_> = stage
        .changes()
        .into_iter()
        .filter(|it| it.after.is_some())
        .map(|it| it.path.to_string())
        .collect();
    assert_eq!(there, ["/da", "/z", "/z/a"]);
}

#[test]
fn what_stands_in_the_way_is_said() {
    let mut fs = Memory::new();
    let mut stage = Stage::new(&mut fs);
    stage
        .directory(&path("/d"), Ownership::root(0o755), Existing::Keep)
        .unwrap();
    stage.symbolic_link(&path("/gone"), b"not/there").unwrap();
    let own = Ownership::root(0o644);
    let errors = [
        stage.write(&path("/d"), b"", own, Existing::Keep, Secrecy::Public),
        stage.write(&path("/x/y"), b"", own, Existing::Keep, Secrecy::Public),
        stage.directory(&path("/gone"), own, Existing::Keep),
        stage.symbolic_link(&path("/d"), b"x"),
        stage.permissions(&path("/x"), 0o600),
    ];
    for error in errors {
        assert!(matches!(error, Err(Error::File { .. })), "{error:?}");
    }
}

#[test]
fn what_a_program_makes_has_what_the_directory_passes_on() {
    let mut fs = Memory::new();
    let mut stage = Stage::new(&mut fs);
    let shared = Ownership {
        permissions: 0o2775,
        uid: 5,
        gid: 6,
    };
    stage
        .directory(&path("/srv"), shared, Existing::Set)
        .unwrap();
    stage.make_path(&path("/srv/../srv/a/b")).unwrap();
    stage.make_path(&path("/srv/a")).unwrap();
    let file = path("/srv/a/b/f");
    stage.overwrite(&file, b"1", Secrecy::Public).unwrap();
    let mut check = |at: &str, permissions, uid, gid| {
        let found = stage.look(&path(at), LastLink::Followed).unwrap().unwrap();
        assert_eq!(
            (found.permissions, found.uid, found.gid),
            (permissions, uid, gid),
            "{at}"
        );
    };
    check("/srv", 0o2775, 5, 6);
    check("/srv/a/b", 0o2755, 0, 6);
    check("/srv/a/b/f", 0o644, 0, 6);
    let after = stage.changes().pop().unwrap().after.unwrap();
    assert_eq!((after.permissions, after.gid), (0o644, 6));
    stage.owner(&file, 7, 8).unwrap();
    stage.permissions(&file, 0o600).unwrap();
    stage.overwrite(&file, b"2", Secrecy::Public).unwrap();
    let found = stage.look(&file, LastLink::Followed).unwrap().unwrap();
    assert_eq!((found.permissions, found.uid, found.gid), (0o600, 7, 8));
    for not_made in ["/srv/a/b/f", "/srv/a/b/f/g"] {
        let error = stage.make_path(&path(not_made)).unwrap_err();
        assert!(matches!(error, Error::File { .. }), "{not_made}");
    }
    stage.make_path(&GuestPath::root()).unwrap();
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let mut fs = Memory::new();
    let mut stage = Stage::new(&mut fs);
    let (path, own) = (GuestPath::new("/file").unwrap(), Ownership::root(0o644));
    let bytes = vec![b'a'; usize::try_from(MAX_READ_BYTES).unwrap()];
    stage
        .write(&path, &bytes, own, Existing::Keep, Secrecy::Public)
        .unwrap();
    let more = stage.append(&path, b"b", own, Secrecy::Public);
    assert!(matches!(more, Err(Error::TooLarge { .. })), "{more:?}");
    assert_eq!(stage.read(&path).unwrap(), Some(bytes));
}
