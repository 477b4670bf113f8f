//! What is read of a guest, held against the programs that read it there.

mod root;

use std::fs;
use std::process::Command;

use christen_inject::guest::{Fstab, Inspection, PasswordState, fstab::Spec, os_release};
use christen_testkit::{TempDir, phony, tools};
use christen_vfs::FileSystem;
use christen_vfs::GuestPath;
use christen_vfs::walk::{LastLink, resolve};
use serde_json::Value;

fn content(fs: &mut dyn FileSystem, path: &str) -> Vec<u8> {
    let path = GuestPath::new(path).unwrap();
    let file = resolve(fs, &path, LastLink::Followed).unwrap();
    let mut content = vec![0; fs.attributes(file).unwrap().size as usize];
    let count = fs.read_at(file, &mut content, 0).unwrap();
    content.truncate(count);
    content
}

/// util-linux reads the same sources, places, types and options out of an fstab.
#[test]
fn findmnt_reads_the_same_fstab() {
    let Some(findmnt) = tools::require("findmnt") else {
        return;
    };
    let directory = TempDir::new();
    let file = directory.path().join("fstab");
    let mut texts: Vec<Vec<u8>> = phony::all()
        .into_iter()
        .map(|(_, mut tree)| content(tree.fs(), "/etc/fstab"))
        .collect();
    texts.push(
        b"# comment\n/dev/vda1 / ext4 defaults 0 1\nLABEL=my\\040disk\t/a\\040b\text4\trw,o=\"a,b\"\nUUID=4b0c /x auto\nbad\n\
          bad /too\nLABEL=\"my disk\" /q ext4 rw 0 0\n/dev/vda3 /f ext4 rw 0 x\n  \t\n/dev/vda2 none swap sw 0 0\nserver:/e /n nfs4 _netdev 0 0\nPARTLABEL=x /y\\134z ext4 noauto,nofail\n\
          PARTUUID=01-02 /\\08\\9 ext4 ro 0 0 # more\n/dev/vda9 /a/../b ext4 ro\n"
            .to_vec(),
    );
    for text in texts {
        fs::write(&file, &text).unwrap();
        let json = tools::run(
            Command::new(&findmnt)
                .args([
                    "--list",
                    "--json",
                    "--output",
                    "SOURCE,TARGET,FSTYPE,OPTIONS",
                    "--tab-file",
                ])
                .arg(&file),
        );
        let theirs: Value = serde_json::from_slice(&json).unwrap();
        let theirs: Vec<_> = theirs["filesystems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| {
                ["source", "target", "fstype", "options"]
                    .map(|key| it[key].as_str().unwrap_or_default().to_owned())
            })
            .collect();
        let ours: Vec<_> = Fstab::parse(&text)
            .entries
            .iter()
            .map(|it| {
                let target = match (&it.mount_point, &it.spec) {
                    (Some(path), _) => path.to_string(),
                    (None, Spec::Device(_)) => "none".to_owned(),
                    (None, _) => unreachable!("only swap is mounted nowhere here"),
                };
                let options: Vec<_> = it
                    .options
                    .iter()
                    .map(|it| String::from_utf8_lossy(it).into_owned())
                    .collect();
                [
                    it.spec.to_string(),
                    target,
                    String::from_utf8_lossy(&it.kind).into_owned(),
                    options.join(","),
                ]
            })
            .collect();
        assert!(!ours.is_empty());
        assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(&text));
    }
}

/// A shell finds the same values in the files that it is to be able to read.
#[test]
fn a_shell_reads_the_same_os_release() {
    let directory = TempDir::new();
    let file = directory.path().join("os-release");
    let mut texts: Vec<Vec<u8>> = phony::all()
        .into_iter()
        .map(|(_, mut tree)| content(tree.fs(), "/etc/os-release"))
        .collect();
    if let Ok(host) = fs::read("/etc/os-release") {
        texts.push(host);
    }
    texts.push(
        b"A=plain\nB=\"two  words\"\nC='$x \\n'\nD=\"a\\\"b\\\\c\\$d\\`e\\f\"\nE=x\\ y\nF=\nG=\"\"\nH=a\"b\"'c'\\d\n#I=no\nK=\"\xc3\xa9\"\n"
            .to_vec(),
    );
    for text in texts {
        fs::write(&file, &text).unwrap();
        let values = os_release::parse(&text);
        assert!(!values.is_empty());
        for (name, value) in values {
            let theirs = tools::run(
                Command::new("sh")
                    .args(["-c", &format!(". \"$1\"; printf %s \"${name}\""), "sh"])
                    .arg(&file),
            );
            assert_eq!(value, theirs, "{name}");
        }
    }
}

/// passwd(1) tells the same of every password.
#[test]
fn passwd_tells_the_same_state_of_passwords() {
    let (Some(passwd), Some(mut command)) = (tools::require("passwd"), root::as_root()) else {
        return;
    };
    let root = TempDir::new();
    let etc = root.path().join("etc");
    fs::create_dir_all(&etc).unwrap();
    let hashes = [
        "*",
        "!",
        "",
        "$6$salt$hash",
        "!$6$salt$hash",
        "!!",
        "abJnggxhB/yWI",
        "$y$j9T$a$b",
        "!*",
        "*LK*",
    ];
    let mut accounts = String::from("root:x:0:0::/root:/bin/sh\n");
    let mut shadow = String::from("root:*:1::::::\n");
    for (index, hash) in hashes.iter().enumerate() {
        accounts.push_str(&format!("u{index}:x:{}:100::/:/bin/sh\n", 1000 + index));
        shadow.push_str(&format!("u{index}:{hash}:1::::::\n"));
    }
    fs::write(etc.join("passwd"), &accounts).unwrap();
    fs::write(etc.join("shadow"), &shadow).unwrap();
    let told = tools::run(
        command
            .arg(passwd)
            .arg("-R")
            .arg(root.path())
            .args(["-S", "-a"]),
    );
    let told = String::from_utf8(told).unwrap();
    let theirs: Vec<_> = told
        .lines()
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let mut tree = phony::debian_12()
        .file("/etc/passwd", &accounts)
        .file("/etc/shadow", &shadow);
    let ours: Vec<_> = Inspection::read(tree.fs())
        .users
        .iter()
        .map(|user| {
            let state = match user.password {
                PasswordState::Set => "P",
                PasswordState::Empty => "NP",
                _ => "L",
            };
            format!("{} {state}", user.name)
        })
        .collect();
    assert_eq!(ours.len(), hashes.len() + 1);
    assert_eq!(ours, theirs);
}
