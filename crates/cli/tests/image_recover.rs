//! Commits that are cut: what is said, what a reader sees, and how they are completed.

mod image_support;
mod support;

use std::fs::{self, OpenOptions as HostOptions};
use std::os::unix::fs::FileExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use christen_block::{Format, Image, OpenOptions, Purpose, StatedFormat};
use christen_ext4::{Access, Ext4, Journal};
use christen_testkit::TempDir;
use christen_vfs::{FileSystem, NewFile, NewKind, Timestamp};
use image_support::{Tools, hash};
use support::{christen_in, fail_somehow, member, names, succeed};

/// Makes a directory `/new` and stops in the middle of applying it, as if the machine had.
fn cut_commit(path: &Path) {
    let options = OpenOptions {
        format: StatedFormat::Stated(Format::Raw),
        purpose: Purpose::Change,
        allow_backing: Vec::new(),
        redo_directory: None,
    };
    let image = Image::open(path, &options).expect("it can be opened");
    let options = christen_ext4::OpenOptions {
        access: Access::Write,
        journal: Journal::Refuse,
        now: Timestamp::default(),
        generation_seed: 1,
    };
    let mut fs = Ext4::open(image.disk(), &options).expect("it can be opened");
    let new = NewFile {
        kind: NewKind::Directory,
        permissions: 0o755,
        uid: 0,
        gid: 0,
    };
    let root = fs.root();
    fs.create(root, b"new", &new).expect("there is room");
    fs.finish().expect("it is staged");
    drop(fs);
    let cut = panic::catch_unwind(AssertUnwindSafe(|| {
        image.commit(&mut |progress| assert!(progress.done == 0, "cut"))
    }));
    assert!(cut.is_err(), "the commit asks for progress");
}

/// An image with a commit that was cut; none without the tools.
fn cut() -> Option<(Tools, TempDir)> {
    let tools = Tools::require()?;
    let directory = TempDir::new();
    let image = directory.join("a.img");
    tools.guest(&image, &["-t", "ext4"]);
    cut_commit(&image);
    assert_eq!(names(&directory).len(), 2, "the redo file stays");
    Some((tools, directory))
}

#[test]
fn a_cut_commit_is_seen_as_complete_and_completed_by_recover() {
    let Some((tools, directory)) = cut() else {
        return;
    };
    let image = directory.join("a.img");
    let before = hash(&image);
    let listed = succeed(&mut christen_in(&directory, "ls a.img"));
    assert_eq!(listed.text(), "etc\nlost+found\nnew\nsrv\n");
    assert_eq!(
        listed.stderr,
        "warning: a commit to `a.img` was cut; it is shown as if it were complete, and `christen recover` completes it\n"
    );
    let json = succeed(&mut christen_in(&directory, "inspect a.img --json")).json();
    assert_eq!(*member(&json, "recovery_pending"), true.into());
    assert_eq!(hash(&image), before);

    let recovered = succeed(&mut christen_in(&directory, "recover a.img"));
    assert!(
        recovered
            .stderr
            .starts_with("note: the commit to `a.img` that was cut is complete now; "),
        "{}",
        recovered.stderr
    );
    assert_eq!(names(&directory), ["a.img"]);
    tools.check(&image);
    let listed = succeed(&mut christen_in(&directory, "ls a.img"));
    assert_eq!(
        (listed.text(), &*listed.stderr),
        ("etc\nlost+found\nnew\nsrv\n", "")
    );
}

#[test]
fn the_next_change_completes_it_first() {
    let Some((tools, directory)) = cut() else {
        return;
    };
    let changed = succeed(&mut christen_in(
        &directory,
        "mkdir a.img /other --format raw",
    ));
    assert!(
        changed
            .stderr
            .starts_with("note: a commit to `a.img` that was cut has been completed first\n"),
        "{}",
        changed.stderr
    );
    assert_eq!(names(&directory), ["a.img"]);
    tools.check(&directory.join("a.img"));
    let listed = succeed(&mut christen_in(&directory, "ls a.img"));
    assert_eq!(listed.text(), "etc\nlost+found\nnew\nother\nsrv\n");
}

#[test]
fn an_image_that_was_written_to_since_is_left_alone() {
    let Some((_, directory)) = cut() else {
        return;
    };
    let image = directory.join("a.img");
    // Every sector of the metadata at the start, as a guest might have changed it.
    let file = HostOptions::new()
        .write(true)
        .open(&image)
        .expect("it is ours");
    for sector in 2..400 {
        file.write_all_at(b"guest", sector * 512 + 100)
            .expect("it is ours");
    }
    drop(file);
    let before = hash(&image);
    for command in ["recover a.img", "mkdir a.img /x --format raw", "ls a.img"] {
        let ended = fail_somehow(&mut christen_in(&directory, command), 1);
        assert!(
            ended
                .stderr
                .contains("the image was written to after the commit was cut"),
            "{}",
            ended.stderr
        );
        assert_eq!(hash(&image), before, "{command}");
    }
    assert_eq!(names(&directory).len(), 2);
}

#[test]
fn a_redo_file_of_somebody_else_is_not_used() {
    let Some((_, directory)) = cut() else {
        return;
    };
    let redo = names(&directory)
        .into_iter()
        .find(|name| name != "a.img")
        .expect("it is there");
    let redo = directory.join(redo);
    let whole = fs::read(&redo).expect("it is there");
    fs::write(&redo, &whole[..whole.len() / 2]).expect("it is ours");
    let before = hash(&directory.join("a.img"));
    let ended = fail_somehow(&mut christen_in(&directory, "recover a.img"), 1);
    assert!(ended.stderr.contains("the redo file"), "{}", ended.stderr);
    assert_eq!(hash(&directory.join("a.img")), before);
    assert!(redo.exists());
}
