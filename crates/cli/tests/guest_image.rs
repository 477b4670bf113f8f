//! A filesystem that christen does not write itself is changed through libguestfs, and judged by its own tools.
//!
//! Ignored in ordinary runs since each appliance takes ten seconds and more: `cargo xtask guest-check` runs it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use christen_testkit::{TempDir, tools};

const SCRIPT: &str = "mkdir -p -m 0750 -o 5:6 /srv/a\n\
                      write -m 0600 -o 5:6 /srv/a/motd hello\n\
                      ln -s a/motd /srv/link\n\
                      xattr set /srv/a/motd user.note hi\n\
                      put large /srv/large\n";

struct Tools {
    sfdisk: PathBuf,
    mkfs: PathBuf,
    repair: PathBuf,
    qemu_img: PathBuf,
    guestfish: PathBuf,
    dd: PathBuf,
}

impl Tools {
    fn require() -> Option<Self> {
        Some(Self {
            sfdisk: tools::require("sfdisk")?,
            mkfs: tools::require("mkfs.xfs")?,
            repair: tools::require("xfs_repair")?,
            qemu_img: tools::require("qemu-img")?,
            guestfish: tools::require("guestfish")?,
            dd: tools::require("dd")?,
        })
    }

    /// Copies whole MiB between files, holes as holes.
    fn copy(&self, from: &Path, skip: u64, to: &Path, seek: u64) {
        let mut command = Command::new(&self.dd);
        command.args(["bs=1M", "conv=sparse,notrunc", "status=none"]);
        for (name, path) in [("if=", from), ("of=", to)] {
            command.arg(format!("{name}{}", path.display()));
        }
        tools::run(command.args([format!("skip={skip}"), format!("seek={seek}")]));
    }

    /// A disk with a GPT and a partition with XFS at 1 MiB.
    fn disk(&self, directory: &Path) -> PathBuf {
        let (part, disk) = (directory.join("part"), directory.join("disk.img"));
        let size = |path: &Path, megabytes: u64| {
            let file = File::create(path).expect("the directory is ours");
            file.set_len(megabytes << 20).expect("it is ours");
        };
        size(&part, 320);
        tools::run(Command::new(&self.mkfs).arg("-q").arg(&part));
        size(&disk, 322);
        let mut child = Command::new(&self.sfdisk)
            .args(["-q", "--no-reread", "--no-tell-kernel"])
            .arg(&disk)
            .stdin(Stdio::piped())
            .spawn()
            .expect("sfdisk starts");
        let mut stdin = child.stdin.take().expect("it is a pipe");
        stdin
            .write_all(b"label: gpt\nstart=2048, size=655360, type=L\n")
            .expect("it is read");
        drop(stdin);
        assert!(child.wait().expect("it is ours").success());
        self.copy(&part, 0, &disk, 1);
        disk
    }

    /// Looks at the disk with XFS's own tool, and at the files with another program.
    fn judge(&self, raw: &Path) {
        let part = raw.with_extension("part");
        self.copy(raw, 1, &part, 0);
        let file = File::options()
            .write(true)
            .open(&part)
            .expect("it is there");
        file.set_len(320 << 20).expect("it is ours");
        tools::run(Command::new(&self.repair).args(["-n", "-f"]).arg(&part));
        let seen = tools::run(
            Command::new(&self.guestfish)
                .env("LIBGUESTFS_BACKEND", "direct")
                .env("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg")
                .args(["--ro", "--format=raw", "-a"])
                .arg(raw)
                .args(["-m", "/dev/sda1", "cat", "/srv/link", ":"])
                .args(["filesize", "/srv/large", ":"])
                .args(["getxattr", "/srv/a/motd", "user.note", ":"])
                .args(["stat", "/srv/a/motd"]),
        );
        let seen = String::from_utf8_lossy(&seen).into_owned();
        assert!(seen.starts_with("hello\n20971520\nhi"), "{seen}");
        for line in ["mode: 33152", "uid: 5", "gid: 6"] {
            assert!(seen.lines().any(|it| it == line), "{line}\n{seen}");
        }
    }
}

fn christen(directory: &Path, arguments: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_christen"))
        .current_dir(directory)
        .args(arguments.split_whitespace())
        .output()
        .expect("christen starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments}: {told}");
    told
}

#[test]
#[ignore = "starts appliances; `cargo xtask guest-check` runs it"]
fn xfs_is_changed_in_raw_and_qcow2_images() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = TempDir::new();
    let raw = tools.disk(&directory);
    let qcow2 = directory.join("disk.qcow2");
    let convert = |from: &Path, to: &Path, formats: [&str; 2]| {
        let mut command = Command::new(&tools.qemu_img);
        command.args(["convert", "-f", formats[0], "-O", formats[1]]);
        tools::run(command.arg(from).arg(to));
    };
    convert(&raw, &qcow2, ["raw", "qcow2"]);
    fs::write(directory.join("changes"), SCRIPT).expect("the directory is ours");
    fs::write(directory.join("large"), vec![7; 20 << 20]).expect("the directory is ours");

    let told = christen(
        &directory,
        "edit --format raw --backend guestfs --emulate disk.img changes",
    );
    assert!(
        told.starts_with("note: partition 1 (xfs) of `disk.img` has the change: "),
        "{told}"
    );
    tools.judge(&raw);

    let told = christen(
        &directory,
        "edit --format qcow2 --backend auto --emulate disk.qcow2 changes",
    );
    assert!(
        told.starts_with(
            "note: partition 1 (xfs) of `disk.qcow2` is opened with libguestfs: christen itself does not read xfs\n"
        ),
        "{told}"
    );
    let changed = directory.join("changed.img");
    convert(&qcow2, &changed, ["qcow2", "raw"]);
    tools.judge(&changed);
}
