//! A host's filesystem that is full: the change is refused in words, the image is what it was, and takes no more space, and nothing is
//! left beside it.

mod image_support;
mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use christen_testkit::{TempDir, ext, tools};
use image_support::{Tools, hash};
use support::{christen_in, names, put, succeed};

/// By how much the room grows from one run to the next.
fn step() -> u64 {
    match std::env::var_os("CHRISTEN_JUDGE_FULL") {
        Some(_) => 64 << 10,
        None => 768 << 10,
    }
}

/// Copies the image into a filesystem of so many bytes, changes it there, and copies back what is there then. The filesystem is seen by
/// this shell alone and goes with it.
const RUN: &str = r#"
set -e
mount -t tmpfs -o size="$1" none full
cp --sparse=always pristine full/a.img
mkdir out
stat -c %b full/a.img >out/before
set +e
"$2" edit full/a.img script --format raw --time 2026-11-25T00:00:00Z $3 2>out/message
echo $? >out/status
stat -c %b full/a.img >out/after
for file in full/* full/.[!.]*; do
    [ ! -e "$file" ] || cp --sparse=always "$file" out/
done
"#;

/// A shell that may mount: root, or in a user namespace whoever the host lets.
fn shell() -> Option<Command> {
    let unshare = tools::require("unshare")?;
    for arguments in [&["--mount"][..], &["--mount", "--map-root-user"]] {
        let mut command = Command::new(&unshare);
        command.args(arguments).args(["sh", "-c"]);
        let mut probe = Command::new(&unshare);
        probe.args(arguments);
        let directory = TempDir::new();
        probe
            .args(["sh", "-c", "mount -t tmpfs none \"$0\""])
            .arg(directory.path());
        if probe.output().is_ok_and(|output| output.status.success()) {
            return Some(command);
        }
    }
    tools::skip("mounting a tmpfs needs root or user namespaces");
    None
}

/// Makes the change with ever more room, until it has been made three times.
fn fill(more: &str, result: &str) {
    let Some(tools) = Tools::require() else {
        return;
    };
    if shell().is_none() {
        return;
    }
    let top = TempDir::in_memory();
    let pristine = top.join("pristine");
    tools.guest(&pristine, &["-t", "ext4"]);
    put(&top, "payload", vec![7; 3 << 20]);
    put(
        &top,
        "script",
        "put payload /srv/payload\nput payload /srv/payload2\nrm /srv/payload2\nmkdir /srv/www\n",
    );
    let old = hash(&pristine);
    ext::copy(&pristine, &top.join("a.img"));
    succeed(&mut christen_in(
        &top,
        "edit a.img script --format raw --time 2026-11-25T00:00:00Z",
    ));
    let new = hash(&top.join("a.img"));
    tools.check(&top.join("a.img"));
    fs::remove_file(top.join("a.img")).expect("it is ours");
    fs::create_dir(top.join("full")).expect("it is ours");

    let needed = fs::metadata(&pristine).expect("it is there").blocks() * 512;
    let [mut refused, mut done] = [0, 0];
    let mut bytes = needed + (64 << 10);
    while done < 3 {
        let what = format!("{bytes} bytes{more}");
        assert!(bytes < needed + (64 << 20), "{what}: still refused");
        let mut command = shell().expect("it was there");
        command
            .args([RUN, "sh", &bytes.to_string()])
            .arg(env!("CARGO_BIN_EXE_christen"))
            .arg(more)
            .current_dir(&*top);
        tools::run(&mut command);
        let out = top.join("out");
        let message = fs::read_to_string(out.join("message")).expect("it is there");
        let status = fs::read_to_string(out.join("status")).expect("it is there");
        let mut found = names(&out);
        found.retain(|name| name.ends_with(".img") || name.starts_with('.'));
        if status == "0\n" {
            done += 1;
            assert_eq!(hash(&out.join(result)), new, "{what}");
            let mut expected = vec!["a.img", result];
            expected.dedup();
            assert_eq!(found, expected, "{what}");
        } else {
            refused += 1;
            assert_eq!(status, "1\n", "{what}: {message}");
            let says_why = message.contains("bytes are needed in") || message.contains("space");
            let is_clear = says_why && message.contains("the image was not changed");
            assert!(is_clear, "{what}: {message}");
            assert_eq!(found, ["a.img"], "{what}: {message}");
            assert_eq!(hash(&out.join("a.img")), old, "{what}");
            let blocks = ["before", "after"]
                .map(|name| fs::read_to_string(out.join(name)).expect("it is there"));
            assert_eq!(blocks[0], blocks[1], "{what}: space was taken");
        }
        fs::remove_dir_all(&out).expect("it is ours");
        bytes += step();
    }
    assert!(refused > 3, "{refused} refused, {done} done");
}

#[test]
fn a_full_host_changes_nothing() {
    fill("", "a.img");
}

#[test]
fn a_full_host_makes_no_half_of_a_new_image() {
    fill("--output=full/b.img", "b.img");
}
