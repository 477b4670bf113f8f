//! `cargo xtask demo`: a drive from `examples/`, what readers make of it, and what a real
//! guest became by it.

mod guest;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use christen_testkit::tools;
use serde_json::Value;

use crate::command::{Failure, cargo, root, run, text};
use crate::setup;

/// It needs no network in the guest, so that the boot ends without complaint.
const EXAMPLE: &str = "examples/demo.yaml";

/// A guest of a few files, which stands for a real one.
const GUEST: &str = r#"mkdir -p /etc/network
mkdir -m 0700 /root
write /etc/os-release "ID=debian\nVERSION_ID=12\n"
write /etc/passwd "root:x:0:0:root:/root:/bin/sh\n"
write /etc/group "root:x:0:\nshadow:x:42:\n"
write -m 0640 -o 0:42 /etc/shadow "root:*:20000:0:99999:7:::\n"
write /etc/network/interfaces "auto lo\niface lo inet loopback\n"
"#;

/// Who that guest becomes.
const IDENTITY: &str = "\
name: guest-01
ssh_authorized_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID73oR3L+j2H7E6ZfOiJrC+jBl5HH2/ld6K6fjDjtC62
guest:
  root_password: not a secret any more
  files:
    - {path: /etc/motd, text: \"made before its first boot\\n\"}
";

/// `cargo xtask demo [--boot]`
pub(crate) fn demo(arguments: &[String]) -> Result<(), Failure> {
    let boot = match arguments {
        [] => false,
        [argument] if argument == "--boot" => true,
        _ => return Err(Failure::Usage("demo takes only `--boot`".to_owned())),
    };
    let directory = root().join("target/demo");
    fs::create_dir_all(&directory)?;
    let path = directory.join("guest-01.iso");
    let drive = path.display().to_string();
    for step in [
        vec!["drive", "build", EXAMPLE, "--output", &drive],
        vec!["drive", "show", &drive],
        vec!["drive", "explain", &drive],
        vec!["drive", "verify", &drive],
    ] {
        println!("\n$ {}", text(Command::new("christen").args(&step)));
        run(&mut christen(&step))?;
    }
    change_an_image(&directory)?;
    if boot {
        setup::all()?;
        guest::boot(&path, &reading(&path)?)
    } else {
        println!("\n`cargo xtask demo --boot` boots a real guest with this drive and asks it");
        Ok(())
    }
}

/// Makes a disk image with a small guest in it and gives that an identity, if there is a mke2fs to make one.
fn change_an_image(directory: &Path) -> Result<(), Failure> {
    let Some(mke2fs) = tools::find("mke2fs") else {
        println!("\n(mke2fs is not installed, so that no disk image is made and changed)");
        return Ok(());
    };
    let image = directory.join("disk.img");
    fs::File::create(&image)?.set_len(64 << 20)?;
    let mut make = Command::new(mke2fs);
    make.args(["-q", "-F", "-t", "ext4"]).arg(&image);
    println!("\n$ {}", text(&make));
    run(&mut make)?;
    let (guest, identity) = (directory.join("guest"), directory.join("guest-01.yaml"));
    for (file, content) in [(&guest, GUEST), (&identity, IDENTITY)] {
        fs::write(file, content)?;
        println!("\n$ cat {}\n{}", file.display(), content.trim_end());
    }
    let [image, guest, identity] = [image, guest, identity].map(|it| it.display().to_string());
    for step in [
        vec!["edit", "--format", "raw", &image, &guest],
        vec!["inspect", &image],
        vec!["plan", &image, &identity],
        vec!["inject", "--format", "raw", &image, &identity],
        vec!["inject", "--format", "raw", &image, &identity],
        vec!["tree", &image],
        vec!["cat", &image, "/etc/motd"],
        vec!["check", &image],
    ] {
        println!("\n$ {}", text(Command::new("christen").args(&step)));
        run(&mut christen(&step))?;
    }
    Ok(())
}

/// What `christen drive explain` says that cloud-init makes of a drive.
fn reading(drive: &Path) -> Result<Value, Failure> {
    let mut command = christen(&["drive", "explain", "--json"]);
    let output = command.arg(drive).stderr(Stdio::inherit()).output()?;
    let unexpected = || Failure::Command("`christen drive explain` gave no JSON".to_owned());
    let answer: Value = serde_json::from_slice(&output.stdout).map_err(|_| unexpected())?;
    let readers = answer["readers"].as_array().ok_or_else(unexpected)?;
    readers
        .iter()
        .find(|reader| reader["reader"] == "cloud-init ConfigDrive")
        .cloned()
        .ok_or_else(unexpected)
}

/// The binary, built first when it must be.
fn christen(arguments: &[&str]) -> Command {
    let mut command = cargo(&[
        "run",
        "--quiet",
        "--package",
        "christen-cli",
        "--bin",
        "christen",
        "--",
    ]);
    command.args(arguments);
    command
}
