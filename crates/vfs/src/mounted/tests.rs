use super::*;
use crate::conformance::{self, Capabilities};
use crate::filesystem::NewKind;
use crate::memory::Memory;
use crate::model::{self, Profile, ReplayOptions};
use crate::walk::{Next, remove_tree, try_resolve, visit};

fn path(text: &str) -> GuestPath {
    GuestPath::new(text).unwrap()
}

fn new(kind: NewKind<'_>) -> NewFile<'_> {
    NewFile {
        kind,
        permissions: 0o755,
        uid: 0,
        gid: 0,
    }
}

/// A filesystem with these directories, and a file `name` in each, whose content is the name.
fn memory(directories: &[&str], name: &str) -> Box<Memory> {
    let mut fs = Memory::new();
    for directory in directories {
        let mut at = fs.root();
        for component in path(directory).components() {
            at = match fs.lookup(at, component).unwrap() {
                Some(found) => found,
                None => fs.create(at, component, &new(NewKind::Directory)).unwrap(),
            };
        }
        let file = fs.create(at, name.as_bytes(), &new(NewKind::File)).unwrap();
        fs.write_at(file, name.as_bytes(), 0).unwrap();
    }
    Box::new(fs)
}

/// A root, `/boot` on its own, and `/boot/efi` in that on its own.
fn guest() -> Mounted {
    let mut tree = Mounted::new(memory(&["/", "/boot", "/boot/efi", "/etc"], "root"));
    assert_eq!(
        tree.mount(&path("/boot"), memory(&["/", "/efi"], "boot"))
            .unwrap(),
        1
    );
    assert_eq!(
        tree.mount(&path("/boot/efi"), memory(&["/"], "efi"))
            .unwrap(),
        2
    );
    tree
}

fn find(tree: &mut Mounted, text: &str) -> Option<FileId> {
    try_resolve(tree, &path(text), LastLink::Kept).unwrap()
}

fn paths(tree: &mut Mounted) -> Vec<String> {
    let mut paths = Vec::new();
    let root = tree.root();
    visit(tree, root, &mut |_, found| {
        paths.push(found.path.to_string());
        Ok(Next::Into)
    })
    .unwrap();
    paths.sort();
    paths
}

#[test]
fn what_a_mount_covers_is_not_seen() {
    let mut tree = guest();
    assert_eq!(
        paths(&mut tree),
        [
            "/",
            "/boot",
            "/boot/boot",
            "/boot/efi",
            "/boot/efi/efi",
            "/etc",
            "/etc/root",
            "/root"
        ]
    );
}

#[test]
fn places_tell_filesystem_and_path() {
    let mut tree = guest();
    for (text, index, inside) in [
        ("/", 0, "/"),
        ("/etc/root", 0, "/etc/root"),
        ("/boot", 1, "/"),
        ("/boot/grub", 1, "/grub"),
        ("/boot/efi/../../etc", 0, "/etc"),
        ("/boot/efi/efi", 2, "/efi"),
    ] {
        let (found, at) = tree.place(&path(text), LastLink::Kept).unwrap();
        assert_eq!((found, at.to_string().as_str()), (index, inside), "{text}");
    }
    let efi = find(&mut tree, "/boot/efi/efi").unwrap();
    let (index, inner) = tree.locate(efi).unwrap();
    assert_eq!(index, 2);
    let fs = tree.part(2).unwrap();
    let root = fs.root();
    assert_eq!(fs.lookup(root, b"efi").unwrap(), Some(inner));
}

#[test]
fn a_mount_point_is_found_through_links_and_covers_what_was_mounted_before() {
    let mut root = memory(&["/run/data"], "root");
    let top = root.root();
    root.create(top, b"srv", &new(NewKind::SymbolicLink(b"/run/data")))
        .unwrap();
    let mut tree = Mounted::new(root);
    tree.mount(&path("/srv"), memory(&["/"], "first")).unwrap();
    tree.mount(&path("/run/data"), memory(&["/"], "second"))
        .unwrap();
    assert!(find(&mut tree, "/run/data/first").is_none());
    assert!(find(&mut tree, "/srv/second").is_some());
    assert!(matches!(
        tree.mount(&path("/run/data/second"), memory(&["/"], "x")),
        Err(Error::NotDirectory)
    ));
    assert!(matches!(
        tree.mount(&path("/home"), memory(&["/"], "x")),
        Err(Error::NotFound)
    ));
}

#[test]
fn nothing_goes_from_one_filesystem_to_another() {
    let mut tree = guest();
    let root = tree.root();
    let boot = find(&mut tree, "/boot").unwrap();
    let file = find(&mut tree, "/root").unwrap();
    assert!(matches!(
        tree.rename(root, b"root", boot, b"moved"),
        Err(Error::OtherFileSystem)
    ));
    assert!(matches!(
        tree.rename(root, b"none", boot, b"moved"),
        Err(Error::NotFound)
    ));
    assert!(matches!(
        tree.link(file, boot, b"second"),
        Err(Error::OtherFileSystem)
    ));
    assert!(matches!(tree.link(file, boot, b"boot"), Err(Error::Exists)));
    assert!(find(&mut tree, "/root").is_some());
}

#[test]
fn a_mount_point_stays() {
    let mut tree = guest();
    let root = tree.root();
    for done in [
        tree.remove(root, b"boot"),
        tree.rename(root, b"boot", root, b"start"),
        tree.rename(root, b"etc", root, b"boot"),
    ] {
        assert!(matches!(done, Err(Error::MountPoint)), "{done:?}");
    }
    assert!(matches!(
        remove_tree(&mut tree, root, b"boot"),
        Err(Error::MountPoint)
    ));
}

#[test]
fn nothing_is_said_of_what_is_not_at_hand() {
    let mut tree = Mounted::new(memory(&["/home/mika"], "root"));
    tree.mount_absent(&path("/home"), "LABEL=home").unwrap();
    let home = find(&mut tree, "/home").unwrap();
    assert_eq!(tree.attributes(home).unwrap().kind, Kind::Directory);
    let sought = try_resolve(&mut tree, &path("/home/mika"), LastLink::Kept);
    assert!(matches!(sought, Err(Error::NotMounted(_))));
    let made = tree.create(home, b"mika", &new(NewKind::Directory));
    let Err(Error::NotMounted(cause)) = made else {
        panic!("{made:?}");
    };
    assert_eq!(cause.to_string(), "LABEL=home");
    tree.finish().unwrap();
}

#[test]
fn nothing_is_made_in_the_name_of_a_mount_point_that_lacks() {
    let mut tree = Mounted::new(memory(&["/var"], "root"));
    tree.mount_absent(&path("/var/data/web"), "nfs:/web")
        .unwrap();
    let var = find(&mut tree, "/var").unwrap();
    assert!(find(&mut tree, "/var/data").is_none());
    let file = find(&mut tree, "/var/root").unwrap();
    for done in [
        tree.create(var, b"data", &new(NewKind::Directory))
            .map(drop),
        tree.link(file, var, b"data"),
        tree.rename(var, b"root", var, b"data"),
    ] {
        assert!(matches!(done, Err(Error::NotMounted(_))), "{done:?}");
    }
    tree.create(var, b"date", &new(NewKind::Directory)).unwrap();
}

#[test]
fn a_filesystem_is_opened_when_it_is_needed() {
    use std::cell::Cell;
    use std::rc::Rc;

    let opened = Rc::new(Cell::new(0));
    let now = Timestamp {
        seconds: 1_700_000_000,
        nanoseconds: 0,
    };
    let mut tree = Mounted::new(memory(&["/", "/home", "/srv"], "root"));
    let count = Rc::clone(&opened);
    let open = move || -> std::result::Result<Box<dyn FileSystem>, _> {
        count.set(count.get() + 1);
        Ok(memory(&["/", "/mika"], "home") as Box<dyn FileSystem>)
    };
    tree.mount_when_needed(&path("/home"), "partition 3", Box::new(open))
        .unwrap();
    let fails = || -> std::result::Result<Box<dyn FileSystem>, _> { Err("damaged".into()) };
    tree.mount_when_needed(&path("/srv"), "partition 4", Box::new(fails))
        .unwrap();
    tree.set_now(now);
    tree.finish().unwrap();
    assert!(find(&mut tree, "/root").is_some());
    assert!(find(&mut tree, "/home").is_some());
    assert_eq!(opened.get(), 0);
    let mika = find(&mut tree, "/home/mika").unwrap();
    assert!(find(&mut tree, "/home/mika/home").is_some());
    assert_eq!(opened.get(), 1);
    let file = tree.create(mika, b"new", &new(NewKind::File)).unwrap();
    assert_eq!(tree.attributes(file).unwrap().modified, now);
    for _ in 0..2 {
        let Err(Error::NotMounted(cause)) = try_resolve(&mut tree, &path("/srv/x"), LastLink::Kept)
        else {
            panic!("it cannot be opened");
        };
        assert_eq!(cause.to_string(), "partition 4 cannot be opened");
        assert_eq!(cause.source().unwrap().to_string(), "damaged");
    }
    tree.finish().unwrap();
}

#[test]
fn a_filesystem_that_is_mounted_later_has_the_same_moment() {
    let now = Timestamp {
        seconds: 1_700_000_000,
        nanoseconds: 0,
    };
    let mut tree = Mounted::new(memory(&["/boot"], "root"));
    tree.set_now(now);
    tree.mount(&path("/boot"), memory(&["/"], "boot")).unwrap();
    let boot = find(&mut tree, "/boot").unwrap();
    let file = tree.create(boot, b"new", &new(NewKind::File)).unwrap();
    assert_eq!(tree.attributes(file).unwrap().modified, now);
}

/// Numbers that leave no room are refused: a hostile filesystem cannot pass one file for another's.
#[test]
fn a_number_that_is_too_large_is_refused() {
    assert!(identity((3, FileId::new(1 << 56))).is_err());
    let highest = identity((255, FileId::new((1 << 56) - 1))).unwrap();
    assert_eq!(highest.number(), u64::MAX);
    let tree = guest();
    assert!(matches!(
        tree.locate(FileId::new(3 << 56)),
        Err(Error::NotFound)
    ));
}

/// The suite, in the root and in what covers it.
#[test]
fn the_suite_passes() {
    let capabilities = Capabilities::ALL;
    for mut make in [
        (|| Box::new(Mounted::new(Box::new(Memory::new()))) as Box<dyn FileSystem>)
            as fn() -> Box<dyn FileSystem>,
        || {
            let mut tree = Mounted::new(Box::new(Memory::new()));
            tree.mount(&GuestPath::root(), Box::new(Memory::new()))
                .unwrap();
            Box::new(tree)
        },
        || {
            let mut tree = Mounted::new(Box::new(Memory::new()));
            let open = || -> std::result::Result<Box<dyn FileSystem>, _> {
                Ok(Box::new(Memory::new()) as Box<dyn FileSystem>)
            };
            tree.mount_when_needed(&GuestPath::root(), "root", Box::new(open))
                .unwrap();
            Box::new(tree)
        },
    ] {
        let report = conformance::run(&mut make, &capabilities);
        assert!(report.is_clean(), "{report}");
        let passed =
            |(_, verdict): &&(_, conformance::Verdict)| *verdict == conformance::Verdict::Passed;
        assert!(report.cases.iter().filter(passed).count() > 50, "{report}");
    }
}

/// Random operations give the same results and the same tree as without a mount below.
#[test]
fn random_operations_mean_the_same() {
    let mut make = || {
        let mut tree = Mounted::new(Box::new(Memory::new()));
        tree.mount(&GuestPath::root(), Box::new(Memory::new()))
            .unwrap();
        Box::new(tree) as Box<dyn FileSystem>
    };
    for seed in 0..4 {
        model::run(&mut make, seed, 300, &Profile::DEFAULT, &ReplayOptions::ALL)
            .unwrap_or_else(|failure| panic!("{failure}"));
    }
}
