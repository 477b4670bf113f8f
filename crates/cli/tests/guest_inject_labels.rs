//! A guest with SELinux on XFS, as most of them are: the labels that libguestfs writes are those of libselinux.
//!
//! Ignored in ordinary runs since an appliance takes ten seconds and more: `cargo xtask guest-check` runs it.

mod image_support;
mod support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use christen_testkit::{phony, tools};
use image_support::Tools;

/// The policy of Debian's package `selinux-policy-default`.
const POLICY: &str = "/etc/selinux/default/contexts/files";

const DESCRIPTION: &str = "\
name: web-01
guest:
  root_password: {locked: true}
  users:
  - name: deploy
    ssh_authorized_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8eE0PG2fKYQ2pcrUFMN9zqB5XqVX0VHm3dqkHxyzab mika@example
  files: [{path: /var/www/html/index.html, text: hello}]
";

/// A mount of the host's kernel that goes away with the test.
struct Mount(PathBuf);

impl Mount {
    fn new(image: &Path, options: &str) -> Self {
        let at = image.with_extension("mount");
        fs::create_dir_all(&at).expect("the directory is ours");
        tools::run(
            Command::new("mount")
                .args(["-o", options])
                .args([image, &at]),
        );
        Self(at)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
#[ignore = "starts an appliance; `cargo xtask guest-check` runs it"]
fn what_is_new_on_xfs_has_the_labels_of_the_policy() {
    let Some(tools) = Tools::require() else {
        return;
    };
    for tool in [
        "mkfs.xfs",
        "xfs_repair",
        "guestfish",
        "matchpathcon",
        "getfattr",
        "mount",
    ] {
        if tools::require(tool).is_none() {
            return;
        }
    }
    if tools::output("id", ["-u"]) != b"0\n" || !Path::new(POLICY).is_dir() {
        tools::skip("only root can mount images, and `selinux-policy-default` is needed");
        return;
    }
    let directory = support::with_description(DESCRIPTION);
    let (plain, image) = (directory.join("plain"), directory.join("a.img"));
    let mut tree = phony::fedora_41()
        .file("/etc/fstab", "/dev/vda / xfs defaults 0 0\n")
        .file(
            "/etc/selinux/config",
            "SELINUX=enforcing\nSELINUXTYPE=default\n",
        );
    for name in [
        "file_contexts",
        "file_contexts.homedirs",
        "file_contexts.subs_dist",
    ] {
        let policy = fs::read(Path::new(POLICY).join(name)).expect("it is installed");
        tree = tree.file(&format!("{POLICY}/{name}"), policy);
    }
    tools.tree(&plain, 24, &["-t", "ext4"], tree.fs());
    let file = File::create(&image).expect("the directory is ours");
    file.set_len(320 << 20).expect("it is ours");
    tools::run(Command::new("mkfs.xfs").arg("-q").arg(&image));
    {
        let (from, to) = (Mount::new(&plain, "loop,ro"), Mount::new(&image, "loop"));
        tools::run(
            Command::new("cp")
                .arg("-a")
                .arg(from.0.join("."))
                .arg(&to.0),
        );
    }
    let mut inject = support::christen_in(
        &directory,
        "inject a.img instance.yaml --format raw --backend guestfs --emulate",
    );
    let output = inject.output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}{notes}");
    // Nobody else reads XFS here, and nobody says so.
    assert!(
        told.contains("  not verified: ") && !told.contains("  verified by"),
        "{told}"
    );
    tools::run(Command::new("xfs_repair").args(["-n", "-f"]).arg(&image));
    let mount = Mount::new(&image, "loop,ro");
    let mut labels = 0;
    for line in told.lines() {
        let mut words = line.split_whitespace();
        let Some(path) = words.find(|it| it.starts_with('/')) else {
            continue;
        };
        let found = mount.0.join(path.trim_start_matches('/'));
        let Ok(kind) = fs::symlink_metadata(&found).map(|it| it.file_type()) else {
            continue;
        };
        let mode = match () {
            () if kind.is_dir() => "dir",
            () if kind.is_symlink() => "link",
            () => "file",
        };
        let mut command = Command::new("matchpathcon");
        command.args([
            "-n",
            "-N",
            "-m",
            mode,
            "-f",
            &format!("{POLICY}/file_contexts"),
            path,
        ]);
        let meant = String::from_utf8(tools::run(&mut command)).expect("it is text");
        if meant.trim_end() == "<<none>>" {
            continue;
        }
        let mut command = Command::new("getfattr");
        command
            .args(["-h", "--only-values", "-n", "security.selinux"])
            .arg(&found);
        let label = String::from_utf8(tools::run(&mut command)).expect("it is text");
        assert_eq!(
            label.trim_end_matches('\0'),
            meant.trim_end(),
            "{path}\n{told}{notes}"
        );
        labels += 1;
    }
    assert!(labels >= 6, "{labels} labels\n{told}{notes}");
}
