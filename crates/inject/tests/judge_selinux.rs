//! Labels, held against what libselinux's `matchpathcon` says by the same policy.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use christen_inject::selinux::Labels;
use christen_inject::{Existing, Ownership, Secrecy, Stage};
use christen_testkit::temp::TempDir;
use christen_testkit::tools;
use christen_vfs::memory::Memory;
use christen_vfs::{GuestPath, Kind};

/// The policy of Debian's package `selinux-policy-default`.
const POLICY: &str = "/etc/selinux/default/contexts/files";

/// How many paths of this machine are asked for.
const FILES: usize = 1_500;

/// Lines that show which of several counts; `/opt/first` and its like are not in the policy.
const LOCAL: &str = "\
/opt/first.*             system_u:object_r:one_t:s0\n\
/opt/first.*             system_u:object_r:two_t:s0\n\
/opt/first\\.conf         system_u:object_r:plain_t:s0\n\
/opt/first.*    -d       system_u:object_r:three_t:s0\n\
/opt/none(/.*)?          <<none>>\n\
/opt/a|/opt/b            system_u:object_r:choice_t:s0\n\
/opt/[^/&[]+/x\\-y        system_u:object_r:class_t:s0\n\
/opt/twice       --      system_u:object_r:file_t:s0\n\
/opt/twice       -d      system_u:object_r:dir_t:s0\n";

/// Aliases that meet each other.
const OWN_ALIASES: &str = "/srv/alias /opt\n/srv/alias/deep /usr\n/all /\n/chain /bin\n";

fn policy(into: &Path) -> bool {
    for name in [
        "file_contexts",
        "file_contexts.homedirs",
        "file_contexts.subs_dist",
    ] {
        let Ok(text) = fs::read(Path::new(POLICY).join(name)) else {
            tools::skip("selinux-policy-default is not installed");
            return false;
        };
        fs::write(into.join(name), text).unwrap();
    }
    fs::write(into.join("file_contexts.local"), LOCAL).unwrap();
    fs::write(into.join("file_contexts.subs"), OWN_ALIASES).unwrap();
    true
}

/// Paths of this machine, and what the patterns of the policy lead to.
fn paths(policy: &Path) -> BTreeSet<Vec<u8>> {
    let mut paths = BTreeSet::new();
    let mut open = vec![
        Path::new("/etc").to_owned(),
        "/usr/lib/systemd".into(),
        "/var".into(),
        "/usr/sbin".into(),
    ];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|it| it.is_dir()) {
                open.push(entry.path());
            }
            paths.insert(entry.path().as_os_str().as_bytes().to_vec());
        }
        if paths.len() > FILES {
            break;
        }
    }
    let text = fs::read_to_string(policy.join("file_contexts")).unwrap()
        + &fs::read_to_string(policy.join("file_contexts.homedirs")).unwrap()
        + LOCAL;
    for line in text.lines() {
        let Some(pattern) = line.split_whitespace().next() else {
            continue;
        };
        // What each of them matches, roughly; whether it does is for the two to say.
        let plain = pattern
            .split(['(', '[', '*', '?', '|', '{'])
            .next()
            .unwrap_or("/");
        let plain = plain.replace("\\.", ".").replace('\\', "");
        let plain = plain.trim_end_matches(['.', '+', '/']);
        if plain.starts_with('/') {
            paths.insert(plain.as_bytes().to_vec());
            paths.insert(format!("{plain}/x").into_bytes());
            paths.insert(format!("{plain}.so.1").into_bytes());
        }
    }
    for extra in [
        "/root/.ssh/authorized_keys",
        "/home/someone/.ssh/authorized_keys",
        "/opt/firstly",
        "/opt/first.conf",
        "/opt/none/x",
        "/opt/a",
        "/opt/b",
        "/opt/abc",
        "/opt/k/x-y",
        "/opt/[/x-y",
        "/opt/twice",
        "/srv/alias/first",
        "/srv/alias/deep/x",
        "/srv/aliases",
        "/all/etc/shadow",
        "/all",
        "/chain/sh",
        "/lib/systemd/x",
        "/lib",
    ] {
        paths.insert(extra.as_bytes().to_vec());
    }
    // Tabs and newlines would break the other's answer into pieces.
    paths.retain(|it| !it.is_empty() && it.iter().all(|byte| !byte.is_ascii_control()));
    paths
}

#[test]
fn labels_are_those_of_libselinux() {
    if tools::require("matchpathcon").is_none() {
        return;
    }
    let temp = TempDir::new();
    if !policy(temp.path()) {
        return;
    }
    let mut fs = Memory::new();
    let mut stage = Stage::new(&mut fs);
    for entry in fs::read_dir(temp.path()).unwrap() {
        let entry = entry.unwrap();
        let name = format!(
            "/etc/selinux/default/contexts/files/{}",
            entry.file_name().to_str().unwrap()
        );
        let name = GuestPath::new(name).unwrap();
        stage.parents(&name).unwrap();
        let content = fs::read(entry.path()).unwrap();
        stage
            .write(
                &name,
                &content,
                Ownership::root(0o644),
                Existing::Keep,
                Secrecy::Public,
            )
            .unwrap();
    }
    let mut labels = Labels::read(&mut stage, "default").unwrap().unwrap();
    let paths: Vec<_> = paths(temp.path()).into_iter().collect();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (name, kind, each) in [
        ("file", Kind::File, 1),
        ("dir", Kind::Directory, 5),
        ("link", Kind::SymbolicLink, 7),
    ] {
        let paths: Vec<_> = paths.iter().step_by(each).collect();
        for chunk in paths.chunks(1_000) {
            let mut command = Command::new("matchpathcon");
            command
                .args(["-N", "-m", name, "-f"])
                .arg(temp.path().join("file_contexts"));
            command.args(chunk.iter().map(|it| std::ffi::OsStr::from_bytes(it)));
            let output = String::from_utf8(tools::run(&mut command)).unwrap();
            let lines: Vec<_> = output.lines().collect();
            assert_eq!(lines.len(), chunk.len());
            for (path, line) in chunk.iter().zip(lines) {
                let (_, theirs) = line.rsplit_once('\t').unwrap();
                let ours = labels
                    .label(&GuestPath::new(path).unwrap(), kind)
                    .unwrap()
                    .unwrap_or("<<none>>");
                if ours != theirs {
                    wrong.push(format!("{name} {line}: {ours}"));
                }
                compared += 1;
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
    assert!(compared > 8_000, "{compared}");
}
