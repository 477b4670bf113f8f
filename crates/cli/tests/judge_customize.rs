//! The real virt-customize and `christen customize`, given one command line and two copies of one image: the same tree, but for what
//! `docs/customize.md` says. One launch of libguestfs' machine under emulation takes minutes, so `CHRISTEN_JUDGE_FULL=1` asks for it.

mod image_support;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use christen_testkit::phony;
use christen_testkit::{TempDir, tools};
use image_support::Tools;
use support::{christen, put};

const FULL: &str = "CHRISTEN_JUDGE_FULL";

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8eE0PG2fKYQ2pcrUFMN9zqB5XqVX0VHm3dqkHxyzab mika@example";

/// The places where the two differ, each with its row in the document.
const DOCUMENTED: [&str; 4] = [
    // virt-customize puts the new name in the place of the old one, here `localhost`.
    "/etc/hosts",
    // virt-customize gives one where there is none.
    "/etc/machine-id",
    // Salts differ; the rest is compared apart.
    "/etc/shadow",
    // virt-customize leaves Debian's own file alone.
    "/etc/timezone",
];

/// Mode, owner and content of everything, by `debugfs` and the host's filesystem.
fn tree(tools: &Tools, image: &Path) -> BTreeMap<String, String> {
    let directory = TempDir::new();
    tools.debugfs(image, &format!("rdump / {}\n", directory.display()));
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(at) = open.pop() {
        let metadata = fs::symlink_metadata(&at).expect("it was dumped");
        let content = if metadata.is_symlink() {
            format!("-> {}", fs::read_link(&at).expect("it is a link").display())
        } else if metadata.is_dir() {
            for entry in fs::read_dir(&at).expect("it was dumped") {
                open.push(entry.expect("it was dumped").path());
            }
            String::new()
        } else {
            String::from_utf8_lossy(&fs::read(&at).expect("it was dumped")).into_owned()
        };
        let path = at.strip_prefix(&*directory).expect("it is below");
        // The mode of a link means nothing.
        let mode = if metadata.is_symlink() {
            0
        } else {
            metadata.mode()
        };
        let state = format!("{mode:o} {}:{} {content}", metadata.uid(), metadata.gid());
        found.insert(format!("/{}", path.display()), state);
    }
    found
}

#[test]
fn one_command_line_gives_one_tree() {
    if std::env::var_os(FULL).is_none() {
        return;
    }
    let (Some(tools), Some(theirs)) = (Tools::require(), tools::require("virt-customize")) else {
        return;
    };
    let directory = TempDir::new();
    let mut guest = phony::debian_12()
        .file(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nweb:x:1000:1000::/home/web:/bin/bash\nold:x:1001:1000::/:/bin/sh\nno:x:1002:1000::/:/bin/sh\n",
        )
        .file("/etc/group", "root:x:0:\nweb:x:1000:\n")
        .file(
            "/etc/shadow",
            "root:*:19000:0:99999:7:::\nweb:!:19000:0:99999:7:::\nold:$1$aa$bb:19000:0:99999:7:::\nno:$1$aa$bb:19000:0:99999:7:::\n",
        )
        .file("/home/web/.profile", "")
        .file("/etc/motd", "hello")
        .file("/var/log/a.log", "a")
        .file("/var/log/b.log", "b")
        .file("/var/log/.c.log", "c")
        .file("/srv/old/x", "x")
        .file("/srv/full", "full")
        .file("/opt/dos", "a\r\nb");
    let own = directory.join("ours.img");
    tools.tree(&own, 48, &["-t", "ext4", "-L", "root"], guest.fs());
    fs::copy(&own, directory.join("theirs.img")).expect("the directory is ours");
    let file = put(&directory, "up", "uploaded\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("it is ours");
    fs::create_dir_all(directory.join("tree/inner")).expect("it is ours");
    put(&directory, "tree/inner/f", "f");
    fs::set_permissions(directory.join("tree"), fs::Permissions::from_mode(0o700))
        .expect("it is ours");
    put(&directory, "pw", "Unspeakable1\n");
    put(&directory, "key.pub", format!("{KEY}\n"));
    let options = [
        "--no-network",
        "--no-logfile",
        "-q",
        "-m",
        "768",
        "--write",
        "/etc/issue:one: two\nthree\n",
        "--append-line",
        "/etc/motd:four",
        "--append-line",
        "/etc/motd:",
        "--append-line",
        "/opt/dos:c",
        "--append-line",
        "/srv/new:d",
        "--mkdir",
        "/srv/a/b",
        "--move",
        "/etc/motd:/srv/a",
        "--chmod",
        "0640:/srv/a/motd",
        "--chmod",
        "493:/opt/dos",
        "--delete",
        "/var/log/{*.log,none*}",
        "--delete",
        "/srv/old",
        "--delete",
        "/not/there",
        "--link",
        "/srv/a/motd:/srv/l1:/srv/a/b",
        "--touch",
        "/srv/t",
        "--truncate",
        "/srv/full",
        "--upload",
        "up:/usr",
        "--upload",
        "up:/srv/named",
        "--copy-in",
        "tree:/srv",
        "--hostname",
        "web-02.example.org",
        "--timezone",
        "Europe/Berlin",
        "--root-password",
        "file:pw",
        "--password",
        "web:locked:file:pw",
        "--password",
        "old:disabled",
        "--ssh-inject",
        "web:file:key.pub",
        "--ssh-inject",
        "root:file:key.pub",
    ];
    tools::run(
        Command::new(theirs)
            .current_dir(&*directory)
            .env("LIBGUESTFS_BACKEND", "direct")
            .env("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg")
            .args(["--format", "raw", "-a", "theirs.img"])
            .args(options),
    );
    tools::run(
        christen()
            .current_dir(&*directory)
            .args(["customize", "--format", "raw", "-a", "ours.img"])
            .args(options),
    );
    tools.check(&own);
    let ours = tree(&tools, &own);
    let theirs = tree(&tools, &directory.join("theirs.img"));
    let paths: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let differing: Vec<_> = paths
        .into_iter()
        .filter(|path| ours.get(*path) != theirs.get(*path))
        .collect();
    let states = |path: &&String| format!("{path}: {:?}, {:?}", ours.get(*path), theirs.get(*path));
    let told: Vec<_> = differing.iter().map(states).collect();
    assert_eq!(differing, DOCUMENTED, "{}", told.join("\n"));
    // Of a password the scheme and what locks it are the same.
    let kinds = |tree: &BTreeMap<String, String>| -> Vec<String> {
        let shadow = &tree["/etc/shadow"];
        let lines = shadow
            .lines()
            .filter(|it| it.contains('$') || it.starts_with("old"));
        let kind = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next().unwrap_or_default().to_owned();
            let hash = fields.next().unwrap_or_default();
            let locked = hash.starts_with('!');
            format!(
                "{name} {locked} {}",
                hash.trim_start_matches('!').starts_with('$')
            )
        };
        lines.map(kind).collect()
    };
    assert_eq!(kinds(&ours), kinds(&theirs));
}
