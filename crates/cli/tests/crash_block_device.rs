//! A block device as the image: a redo directory is asked for, and an edit that is killed is completed from it.

mod image_support;
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use christen_testkit::{TempDir, ext, kernel, tools};
use image_support::{Tools, hash};
use support::{christen_in, fail_somehow, names, put, succeed};

const TIME: &str = "--format raw --time 2026-11-25T00:00:00Z";

/// A file as a block device.
struct Loop(PathBuf);

impl Loop {
    fn new(file: &Path) -> Self {
        let losetup = tools::find("losetup").expect("it was required");
        let told = tools::run(Command::new(losetup).args(["--find", "--show"]).arg(file));
        let name = String::from_utf8(told).expect("a name in /dev is ASCII");
        Self(name.trim_end().into())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let losetup = tools::find("losetup").expect("it was there");
        // The failure of the test says more.
        let _ = Command::new(losetup).arg("--detach").arg(&self.0).status();
    }
}

#[test]
fn an_edit_of_a_block_device_is_completed_from_its_redo_directory() {
    let (Some(tools), Some(_), true) = (
        Tools::require(),
        tools::require("losetup"),
        kernel::require(),
    ) else {
        return;
    };
    let directory = TempDir::in_memory();
    let (pristine, image) = (directory.join("pristine"), directory.join("a.img"));
    tools.guest(&pristine, &["-t", "ext4"]);
    put(&directory, "payload", vec![7; 3 << 20]);
    put(
        &directory,
        "script",
        "put payload /srv/payload\nmkdir /srv/www\n",
    );
    let redo = TempDir::in_memory();
    let redo_dir = format!("--redo-dir {}", redo.display());

    ext::copy(&pristine, &image);
    succeed(&mut christen_in(
        &directory,
        &format!("edit a.img script {TIME}"),
    ));
    let (old, new) = (hash(&pristine), hash(&image));
    tools.check(&image);

    let [mut cut, mut done] = [0, 0];
    for round in 0..6 {
        ext::copy(&pristine, &image);
        let device = Loop::new(&image);
        let edit = format!("edit {} script {TIME}", device.0.display());
        let ended = fail_somehow(&mut christen_in(&directory, &edit), 1);
        assert!(ended.stderr.contains("--redo-dir"), "{}", ended.stderr);

        let mut child = christen_in(&directory, &format!("{edit} {redo_dir}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        while round > 0
            && names(&redo).is_empty()
            && child.try_wait().expect("it is ours").is_none()
        {}
        if round == 5 {
            assert!(child.wait().expect("it is ours").success());
        } else {
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
        }
        let is_cut = !names(&redo).is_empty();
        cut += u32::from(is_cut);
        let recover = format!("recover {} {redo_dir}", device.0.display());
        succeed(&mut christen_in(&directory, &recover));
        assert!(names(&redo).is_empty());
        drop(device);
        let found = hash(&image);
        assert!(found == old || found == new, "round {round}: neither");
        assert!(!is_cut || found == new, "round {round}");
        done += u32::from(found == new);
        assert_eq!(
            names(&directory),
            ["a.img", "payload", "pristine", "script"]
        );
    }
    assert!(cut > 0 && done > cut, "{cut} cut, {done} done");
}

#[test]
fn a_qcow2_image_on_a_block_device_is_not_made_longer() {
    let (Some(tools), Some(qemu_img), Some(_)) = (
        Tools::require(),
        tools::require("qemu-img"),
        tools::require("losetup"),
    ) else {
        return;
    };
    let directory = TempDir::in_memory();
    let raw = directory.join("a.img");
    tools.guest(&raw, &["-t", "ext4"]);
    put(&directory, "payload", vec![7; 3 << 20]);
    let qemu_img = |arguments: &[&str]| {
        let mut command = Command::new(&qemu_img);
        tools::run(command.current_dir(&*directory).args(arguments))
    };
    qemu_img(&["convert", "-f", "raw", "-O", "qcow2", "a.img", "a.qcow2"]);
    let image = directory.join("a.qcow2");
    // A device has whole sectors.
    let length = std::fs::metadata(&image).expect("it is there").len();
    let file = std::fs::File::options().write(true).open(&image);
    file.and_then(|file| file.set_len(length.next_multiple_of(1 << 20)))
        .expect("it is ours");
    let before = hash(&image);
    let device = Loop::new(&image);
    let name = device.0.display();
    let redo = TempDir::in_memory();
    let change = format!("put {name} payload /srv/payload --format qcow2");
    let ended = fail_somehow(
        &mut christen_in(
            &directory,
            &format!("{change} --redo-dir {}", redo.display()),
        ),
        1,
    );
    assert!(
        ended
            .stderr
            .contains("\n  making an image longer that is on a block device is not supported\n"),
        "{}",
        ended.stderr
    );
    assert!(names(&redo).is_empty());
    // A new file can be as long as it has to be.
    succeed(&mut christen_in(
        &directory,
        &format!("{change} --output new.qcow2"),
    ));
    drop(device);
    assert_eq!(hash(&image), before);
    qemu_img(&["check", "-q", "new.qcow2"]);
    qemu_img(&["convert", "-O", "raw", "new.qcow2", "new.img"]);
    let changed = directory.join("new.img");
    tools.check(&changed);
    let stat = tools.stat(&changed, "/srv/payload");
    assert!(stat.contains("Size: 3145728"), "{stat}");
}
