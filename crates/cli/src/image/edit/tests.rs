use christen_vfs::memory::Memory;
use christen_vfs::walk::{LastLink, resolve};

use super::*;
use crate::image::hints;
use crate::image::script;

const NOW: Timestamp = Timestamp {
    seconds: 1_768_478_400,
    nanoseconds: 0,
};

/// Does a script that must succeed, and checks the record against the same filesystem.
#[track_caller]
fn edit(fs: &mut Memory, text: &str) -> Record {
    let steps = script::parse(text.as_bytes()).unwrap_or_else(|it| panic!("{}", it.render("-")));
    let record = apply(fs, &steps, NOW)
        .unwrap_or_else(|trouble| panic!("{}: {}", trouble.step.operation, trouble.cause));
    let mut fresh = fs.clone();
    let written = record.written(fs).expect("it is there");
    record.check(&written, &mut fresh).expect("all is there");
    record
}

/// Does a script whose last line must fail, and returns the cause and the hint.
#[track_caller]
fn refused(fs: &mut Memory, text: &str) -> (String, Option<String>) {
    let steps = script::parse(text.as_bytes()).unwrap_or_else(|it| panic!("{}", it.render("-")));
    let trouble = apply(fs, &steps, NOW).expect_err("it is refused");
    assert_eq!(trouble.step, steps.last().expect("there is a line"));
    let hint = hints::hint(&trouble.step.operation, &trouble.cause);
    (trouble.cause.to_string(), hint)
}

fn path(text: &str) -> GuestPath {
    GuestPath::new(text).expect("a path")
}

fn attributes(fs: &mut Memory, text: &str) -> christen_vfs::Attributes {
    let file = resolve(fs, &path(text), LastLink::Kept).expect("it is there");
    fs.attributes(file).expect("it can be read")
}

fn content(fs: &mut Memory, text: &str) -> Vec<u8> {
    let file = resolve(fs, &path(text), LastLink::Followed).expect("it is there");
    let mut bytes = vec![0; 1000];
    let count = fs.read_at(file, &mut bytes, 0).expect("it can be read");
    bytes.truncate(count);
    bytes
}

#[test]
fn a_guest_is_made_line_by_line() {
    let mut fs = Memory::new();
    edit(&mut fs, "mkdir -p /etc/ssh");
    edit(
        &mut fs,
        "write /etc/passwd \"root:x:0:0::/:/bin/sh\\nweb:x:33:44::/:/bin/sh\\n\"\n\
         write /etc/group \"adm:x:4:\\n\"\n\
         mkdir -p -m 0750 -o web:adm /srv/www\n\
         write -m 4755 -o 7 /srv/www/run abc\n\
         append /srv/www/run def\n\
         ln -s www /srv/link\n\
         ln /srv/link/run /second\n\
         xattr set /second user.note there\n\
         touch -d 1990-01-01T00:00:00Z /etc/group",
    );
    let directory = attributes(&mut fs, "/srv/www");
    assert_eq!(directory.permissions, 0o750);
    assert_eq!((directory.uid, directory.gid), (33, 4));
    assert_eq!(attributes(&mut fs, "/srv").permissions, 0o755);
    let run = attributes(&mut fs, "/second");
    assert_eq!((run.permissions, run.uid, run.gid), (0o4755, 7, 0));
    assert_eq!((run.links, run.modified), (2, NOW));
    assert_eq!(content(&mut fs, "/srv/link/run"), b"abcdef");
    assert_eq!(
        attributes(&mut fs, "/etc/group").modified.seconds,
        631_152_000
    );
}

#[test]
fn of_a_file_that_is_there_only_the_content_changes() {
    let mut fs = Memory::new();
    edit(&mut fs, "write -m 0600 -o 5:6 /a one\nln /a /b\nln -s a /c");
    edit(&mut fs, "write /c two");
    for name in ["/a", "/b"] {
        let file = attributes(&mut fs, name);
        assert_eq!((file.permissions, file.uid, file.gid), (0o600, 5, 6));
        assert_eq!(content(&mut fs, name), b"two");
    }
    edit(&mut fs, "write -m 0640 /a three\nchown -h 9 /c");
    assert_eq!(attributes(&mut fs, "/a").permissions, 0o640);
    assert_eq!(attributes(&mut fs, "/c").uid, 9);
    // As Linux opens it to write: what a link names and is not there is made.
    edit(&mut fs, "ln -s /new /d\nwrite /d four");
    assert_eq!(content(&mut fs, "/new"), b"four");
}

#[test]
fn each_line_sees_what_those_before_it_did() {
    let mut fs = Memory::new();
    let record = edit(
        &mut fs,
        "mkdir /a\n\
         mkdir /a/b\n\
         write /a/b/f one\n\
         mv /a /c\n\
         append /c/b/f two\n\
         write /g three\n\
         mv /g /c/b/f\n\
         truncate /c/b/f 2\n\
         mkdir /a\n\
         write /x 1\n\
         rm /x\n\
         write /y 2\n\
         mkdir -p /gone/deep/er\n\
         write /gone/deep/er/file 1\n\
         rm -r /gone\n\
         rm -f /gone\n\
         rm -f /gone/deep",
    );
    assert_eq!(content(&mut fs, "/c/b/f"), b"th");
    let places: Vec<_> = record.places().map(|it| it.path.to_string()).collect();
    assert_eq!(
        places,
        ["/a", "/c", "/c/b", "/c/b/f", "/g", "/gone", "/x", "/y"]
    );
    let names = fs.entries(fs.root()).expect("they are there").len();
    assert_eq!(names, 3);
}

#[test]
fn what_cannot_be_done_is_told_with_a_way_out() {
    let mut fs = Memory::new();
    edit(
        &mut fs,
        "mkdir -p /d/e\nwrite /f x\nln -s nowhere /dangling\nln -s loop /loop",
    );
    let before = fs.clone();
    for (line, cause, hint) in [
        (
            "mkdir /x/y",
            "no such file or directory",
            Some("`mkdir -p` makes what is missing above it too"),
        ),
        (
            "mkdir /d",
            "there is one already",
            Some("`mkdir -p` takes a directory that is there"),
        ),
        ("mkdir -p /f", "not a directory", None),
        ("mkdir -p /f/x", "not a directory", None),
        ("mkdir -p /dangling", "there is one already", None),
        (
            "mkdir /",
            "there is one already",
            Some("`mkdir -p` takes a directory that is there"),
        ),
        ("write /loop x", "too many symbolic links", None),
        (
            "write /d x",
            "is a directory",
            Some("give the name of the file in the directory too"),
        ),
        (
            "write /x/y z",
            "no such file or directory",
            Some("`mkdir -p /x` makes the directory before"),
        ),
        (
            "append /x y",
            "no such file or directory",
            Some("`write` and `put` make a file"),
        ),
        ("append /d y", "is a directory", None),
        (
            "rm /d",
            "the directory is not empty",
            Some("`rm -r` removes a directory with all that is in it"),
        ),
        ("rm -r /", "the root stays where it is", None),
        ("rm /x", "no such file or directory", None),
        (
            "mv /d /d/e/x",
            "a directory cannot be moved into itself",
            None,
        ),
        (
            "mv /f /d",
            "is a directory",
            Some("give the whole new name, as `/d/NAME`"),
        ),
        ("mv / /x", "the root stays where it is", None),
        (
            "ln -s x /f",
            "there is one already",
            Some("`rm /f` before it makes room"),
        ),
        (
            "ln /f /",
            "there is one already",
            Some("`rm /` before it makes room"),
        ),
        (
            "chown web /f",
            "the guest's `/etc/passwd` has no `web`",
            Some("give the number instead of the name"),
        ),
        ("xattr remove /f user.x", "no such file or directory", None),
    ] {
        let (found, way_out) = refused(&mut fs.clone(), line);
        assert_eq!((&*found, way_out.as_deref()), (cause, hint), "{line}");
    }
    drop(before);
}

#[test]
fn a_host_file_is_put_as_it_is() {
    let directory = christen_testkit::TempDir::new();
    let source = directory.join("content");
    let bytes: Vec<u8> = (0..300_000_u32).map(|it| (it % 251) as u8).collect();
    std::fs::write(&source, &bytes).expect("it is ours");
    let mut fs = Memory::new();
    edit(&mut fs, &format!("put '{}' /copy", source.display()));
    assert_eq!(attributes(&mut fs, "/copy").size, 300_000);
    let missing = format!("put '{}' /copy", directory.join("none").display());
    let (cause, _) = refused(&mut fs, &missing);
    assert!(cause.starts_with("cannot open `"), "{cause}");
}
