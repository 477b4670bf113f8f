//! Commands of the first boot, run by a shell in a root of their own.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use christen_testkit::TempDir;
use christen_testkit::tools::{require, run};

const DESCRIPTION: &str =
    "guest: {first_boot_commands: ['x=once', 'echo $x >>/root/ran', 'echo to the log']}\n";
const UNIT: &str = "/etc/systemd/system/christen-first-boot.service";
const RUN: &str = "/var/lib/christen/first-boot/run";

#[test]
fn commands_run_once_and_leave_nothing_but_their_log() {
    let tools = (
        require("busybox"),
        require("unshare"),
        require("chroot"),
        require("ldd"),
    );
    let (Some(busybox), Some(unshare), Some(chroot), Some(ldd)) = tools else {
        return;
    };
    let mut memory = common::guest(&[("/usr/lib/systemd/systemd", ""), ("/root/.x", "")]);
    common::injected(&mut memory, DESCRIPTION);
    let scratch = TempDir::new();
    let root = scratch.path();
    let commands = "/var/lib/christen/first-boot/commands";
    common::export(&mut memory, root, &[UNIT, RUN, commands]);
    // A shell, the tools, and what they are linked with.
    let linked = String::from_utf8(run(Command::new(ldd).arg(&busybox))).unwrap();
    let libraries = linked
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    for file in libraries.chain([busybox.to_str().unwrap()]) {
        let target = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    }
    for directory in ["bin", "dev", "root", "var/log"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(root.join("dev/null"), "").unwrap();
    for tool in ["sh", "mv", "rm", "date", "chmod"] {
        let _ = fs::remove_file(root.join("bin").join(tool));
        std::os::unix::fs::symlink(&busybox, root.join("bin").join(tool)).unwrap();
    }
    fs::write(root.join("var/log/christen-first-boot.log"), "").unwrap();
    // The second time is a boot at which the service would be started all the same.
    let again = fs::read(root.join(RUN.trim_start_matches('/'))).unwrap();
    for _ in 0..2 {
        run(Command::new(&unshare)
            .env("PATH", "/bin")
            .arg("-r")
            .arg(&chroot)
            .arg(root)
            .args(["/bin/sh", RUN]));
        assert_eq!(fs::read_to_string(root.join("root/ran")).unwrap(), "once\n");
        assert!(!root.join(UNIT.trim_start_matches('/')).exists());
        assert!(!root.join("var/lib/christen/first-boot").exists());
        fs::create_dir_all(root.join("var/lib/christen/first-boot")).unwrap();
        fs::write(root.join(RUN.trim_start_matches('/')), &again).unwrap();
    }
    let log = root.join("var/log/christen-first-boot.log");
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("to the log\nended with status 0"), "{text}");
    assert_eq!(log.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn systemd_takes_the_unit() {
    let Some(analyze) = require("systemd-analyze") else {
        return;
    };
    let mut memory = common::guest(&[("/usr/lib/systemd/systemd", "")]);
    common::injected(&mut memory, DESCRIPTION);
    let scratch = TempDir::new();
    let unit = common::export(&mut memory, scratch.path(), &[UNIT]);
    run(Command::new(analyze)
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .args(&unit));
}
