//! Guests that want to do harm: at each place that an injection reads or writes stands what should not be there.
//!
//! What must hold: no panic; an end, soon; all is done, or an error says what cannot be done; of the rest of the tree nothing changes; and
//! what was done is there already the second time.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use christen_testkit::phony;
use christen_vfs::memory::Memory;
use christen_vfs::tree::{Tree, TreeOptions};
use christen_vfs::walk::{LastLink, create_directories, remove_tree, resolve_place};
use christen_vfs::{FileId, FileSystem, GuestPath, Kind, NewFile, NewKind};

/// Everything that an injection can be asked for. Passwords come as hashes, or the test would do nothing but hash.
const DESCRIPTION: &str = "
uuid: b65cee2f-8c69-4aeb-be2f-f79742548fc2
hostname: web-01.example.org
network:
- {mac: '52:54:00:00:53:01', address: 192.0.2.10/24, gateway: 192.0.2.1, dns: [192.0.2.53]}
- {mac: '52:54:00:00:53:02', dhcp: true}
ssh_authorized_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID73oR3L+j2H7E6ZfOiJrC+jBl5HH2/ld6K6fjDjtC62 desk
metadata: {role: web}
files: [{path: /etc/motd, text: hello}]
guest:
  root_password: {hash: '$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/'}
  users:
  - name: anna
    groups: [GROUP]
    sudo: ALL=(ALL) NOPASSWD:ALL
    password: {locked: true}
    ssh_authorized_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID73oR3L+j2H7E6ZfOiJrC+jBl5HH2/ld6K6fjDjtC62 anna
  - {name: svc, system: true}
  timezone: Europe/Berlin
  locale: C.UTF-8
  first_boot_commands: [echo ready]
  ssh_host_keys: generate
  files: [{path: /home/anna/.profile, text: x, owner: 'anna:anna', mode: '0600'}]
  operations: [{append_line: {path: /etc/hosts, line: 192.0.2.10 db}}, {mkdir: /srv/www}]
  ca_certificates:
  - |
    -----BEGIN CERTIFICATE-----
    MIIByjCCAW+gAwIBAgIUKzfhsiKNBW31QpzKeyvhaxT90eMwCgYIKoZIzj0EAwIw
    OTELMAkGA1UEBhMCREUxGDAWBgNVBAoMD1Bob255ICBFeGFtcGxlIDEQMA4GA1UE
    AwwHUm9vdCDDnDAgFw0yNjExMjUwNzI4MDdaGA8yMTI2MTEwMTA3MjgwN1owOTEL
    MAkGA1UEBhMCREUxGDAWBgNVBAoMD1Bob255ICBFeGFtcGxlIDEQMA4GA1UEAwwH
    Um9vdCDDnDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMPP1/gRfQrjWen75A9m
    V+m/I7YhaucZCGojiGNIjONpTL8RM9s/UZvp5LmYUAbAX9Am1/a+bTTZKOppBhKf
    vfCjUzBRMB0GA1UdDgQWBBTIyGK9j+12XDFGkT1kj8Atf5RC0DAfBgNVHSMEGDAW
    gBTIyGK9j+12XDFGkT1kj8Atf5RC0DAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49
    BAMCA0kAMEYCIQCFbTpNltP1ewXm8UU8bdPVIcmRHt53swgSzzFPKfdbrQIhAPpA
    u/GJaxWjfTTWB9RHQxhVNOftyOzTPAw8ag2KS+ZZ
    -----END CERTIFICATE-----
  machine_id: reset
";

/// What is put at a place.
#[derive(Debug, Clone, Copy)]
enum Plant {
    /// A symbolic link.
    Link(&'static str),
    /// A symbolic link to the place itself.
    Loop,
    /// A directory with something in it.
    Directory,
    /// What has no content.
    Special(Kind),
    /// A file.
    Content(fn() -> Vec<u8>),
    /// A file of zeros.
    Sparse(u64),
    /// What was there, with a carriage return and a NUL behind each line.
    Spoiled,
    /// What was there, without its last byte.
    Cut,
}

const PLANTS: &[(&str, Plant)] = &[
    ("absolute link out", Plant::Link("/../../../outside/file")),
    (
        "relative link out",
        Plant::Link("../../../../../../../../../outside/file"),
    ),
    ("link to a directory", Plant::Link("/outside")),
    ("link to the root", Plant::Link("/")),
    ("link to nothing", Plant::Link("/nowhere/at/all")),
    (
        "link like /proc",
        Plant::Link("/proc/self/root/outside/file"),
    ),
    ("link to a descriptor", Plant::Link("/proc/self/fd/3")),
    ("link that no text holds", Plant::Link("a\u{1b}[31m\nb")),
    ("loop", Plant::Loop),
    ("directory", Plant::Directory),
    ("pipe", Plant::Special(Kind::Fifo)),
    ("socket", Plant::Special(Kind::Socket)),
    (
        "device",
        Plant::Special(Kind::CharacterDevice { major: 1, minor: 5 }),
    ),
    (
        "disk",
        Plant::Special(Kind::BlockDevice { major: 8, minor: 0 }),
    ),
    ("empty", Plant::Content(Vec::new)),
    ("one byte", Plant::Content(|| vec![b':'])),
    ("NUL", Plant::Content(|| vec![0; 4097])),
    (
        "bytes",
        Plant::Content(|| (0..=255).cycle().take(5000).collect()),
    ),
    (
        "no UTF-8",
        Plant::Content(|| b"root:\xff\xfe:0:0\r\n\xc3(\r\n=\xe2\x28\xa1\n".to_vec()),
    ),
    ("one long line", Plant::Content(|| vec![b'a'; 1 << 20])),
    (
        "all brackets",
        Plant::Content(|| b"({[<\"'\\".repeat(20_000)),
    ),
    ("100 MB", Plant::Sparse(100_000_000)),
    ("exabytes", Plant::Sparse(1 << 43)),
    ("spoiled", Plant::Spoiled),
    ("cut", Plant::Cut),
];

/// Those that take a second or more to go through without optimisation.
const LONG: &[(&str, Plant)] = &[
    (
        "a million lines",
        Plant::Content(|| b"a:b\n".repeat(1_000_000)),
    ),
    (
        "a million empty lines",
        Plant::Content(|| b"\n".repeat(1_000_000)),
    ),
    ("as large as is read", Plant::Sparse(16 << 20)),
];

/// Without optimisation, on a machine that does other things as well; the longest is well below.
const LONGEST: Duration = Duration::from_secs(20);

fn root_owned(kind: NewKind<'_>) -> NewFile<'_> {
    NewFile {
        kind,
        permissions: 0o755,
        uid: 0,
        gid: 0,
    }
}

fn create(fs: &mut Memory, at: FileId, name: &[u8], kind: NewKind<'_>) -> FileId {
    fs.create(at, name, &root_owned(kind)).unwrap()
}

fn content(fs: &mut Memory, file: FileId) -> Vec<u8> {
    let size = fs.attributes(file).unwrap().size;
    let mut bytes = vec![0; usize::try_from(size).unwrap()];
    fs.read_at(file, &mut bytes, 0).unwrap();
    bytes
}

/// Puts something at a place; `false` if that cannot be.
fn plant(fs: &mut Memory, path: &GuestPath, plant: Plant) -> bool {
    let Some(above) = path.parent() else {
        return false;
    };
    let owner = christen_vfs::walk::DirectoryOwner {
        permissions: 0o755,
        uid: 0,
        gid: 0,
    };
    if create_directories(fs, &above, &owner).is_err() {
        return false;
    }
    let Ok(place) = resolve_place(fs, path, LastLink::Kept) else {
        return false;
    };
    let name = path.name().unwrap();
    let before = match place.file {
        Some(file) if fs.attributes(file).unwrap().kind == Kind::File => Some(content(fs, file)),
        _ => None,
    };
    if place.file.is_some() {
        remove_tree(fs, place.directory, name).unwrap();
    }
    let at = place.directory;
    match plant {
        Plant::Link(target) => {
            create(fs, at, name, NewKind::SymbolicLink(target.as_bytes()));
        }
        Plant::Loop => {
            create(fs, at, name, NewKind::SymbolicLink(name));
        }
        Plant::Directory => {
            let directory = create(fs, at, name, NewKind::Directory);
            create(fs, directory, b"in it", NewKind::File);
        }
        Plant::Special(kind) => {
            create(fs, at, name, NewKind::Special(kind));
        }
        Plant::Content(make) => {
            let file = create(fs, at, name, NewKind::File);
            let mut bytes = make();
            if bytes.len() > 100_000 {
                // Behind them is what the file should be, so that it is changed and not refused at once.
                bytes.extend(before.unwrap_or_default());
            }
            fs.write_at(file, &bytes, 0).unwrap();
        }
        Plant::Sparse(size) => {
            let file = create(fs, at, name, NewKind::File);
            fs.set_size(file, size).unwrap();
        }
        Plant::Spoiled | Plant::Cut => {
            let Some(mut bytes) = before else {
                return false;
            };
            if matches!(plant, Plant::Cut) {
                bytes.pop();
            } else {
                bytes = bytes
                    .split_inclusive(|byte| *byte == b'\n')
                    .flat_map(|line| [line.trim_ascii_end(), b"\r\0\n"].concat())
                    .collect();
            }
            let file = create(fs, at, name, NewKind::File);
            fs.write_at(file, &bytes, 0).unwrap();
        }
    }
    true
}

fn tree(fs: &mut Memory) -> Tree {
    let root = fs.root();
    Tree::read(
        fs,
        root,
        &TreeOptions {
            content_bytes: 1 << 20,
        },
    )
    .unwrap()
}

/// What differs between two trees, times and counts of names aside.
fn differing(before: &Tree, after: &Tree) -> BTreeSet<GuestPath> {
    let same = |path: &GuestPath| match (before.files.get(path), after.files.get(path)) {
        (Some(a), Some(b)) => {
            (a.kind, a.permissions, a.uid, a.gid, a.size)
                == (b.kind, b.permissions, b.uid, b.gid, b.size)
                && (&a.content, &a.target, &a.attributes) == (&b.content, &b.target, &b.attributes)
        }
        _ => false,
    };
    let paths = before.files.keys().chain(after.files.keys());
    paths.filter(|path| !same(path)).cloned().collect()
}

fn told(error: &christen_inject::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

/// Every place that is there or is touched, and all above them.
fn places(guest: &Memory, description: &str) -> BTreeSet<GuestPath> {
    let mut fs = guest.clone();
    let mut places: BTreeSet<_> = tree(&mut fs).files.into_keys().collect();
    let changes = common::injected(&mut fs, description);
    places.extend(changes.into_iter().map(|it| it.path));
    // What is looked for, and not there.
    for path in READ {
        places.insert(GuestPath::new(path).unwrap());
    }
    for path in places.clone() {
        let mut above = path.parent();
        while let Some(path) = above {
            above = path.parent();
            places.insert(path);
        }
    }
    places.remove(&GuestPath::root());
    places
}

/// What is read where it is there.
const READ: &[&str] = &[
    "/etc/adduser.conf",
    "/etc/cloud/cloud.cfg",
    "/etc/cloud/cloud.cfg.d/50-x.cfg",
    "/etc/default/useradd",
    "/etc/gshadow",
    "/etc/hosts",
    "/etc/login.defs",
    "/etc/netplan/01-x.yaml",
    "/etc/network/interfaces.d/x",
    "/etc/pam.d/common-password",
    "/etc/selinux/config",
    "/etc/ssh/sshd_config.d/10-x.conf",
    "/etc/subgid",
    "/etc/subuid",
    "/etc/sudoers",
    "/etc/timezone",
    "/var/lib/dbus/machine-id",
];

/// Tries one thing at one place; whether it was refused, or what went wrong.
fn attempt(
    guest: &Memory,
    description: &str,
    path: &GuestPath,
    what: Plant,
) -> Result<Outcome, String> {
    let mut fs = guest.clone();
    if !plant(&mut fs, path, what) {
        return Ok(Outcome::NotPlanted);
    }
    let before = tree(&mut fs);
    let began = Instant::now();
    let done = common::try_injected(&mut fs, description);
    let took = began.elapsed();
    if took > LONGEST {
        return Err(format!("took {took:?}: {:?}", done.map(|it| it.len())));
    }
    let changes = match done {
        Err(error) => {
            let text = told(&error);
            let is_safe = !text.chars().any(char::is_control);
            let is_clear =
                text.contains('/') || matches!(error, christen_inject::Error::Impossible { .. });
            return if is_safe && is_clear {
                Ok(Outcome::Refused)
            } else {
                Err(format!("says `{text}`"))
            };
        }
        Ok(changes) => changes,
    };
    let touched: BTreeSet<_> = changes.iter().map(|it| it.path.clone()).collect();
    let after = tree(&mut fs);
    let strange: Vec<_> = differing(&before, &after)
        .into_iter()
        .filter(|path| !touched.contains(path))
        .map(|path| path.to_string())
        .collect();
    if !strange.is_empty() {
        return Err(format!("changed unsaid: {strange:?}"));
    }
    for change in &changes {
        let found = after.files.get(&change.path);
        match (&change.after, found) {
            (None, None) => {}
            (Some(meant), Some(found))
                if meant.kind == found.kind && meant.permissions == found.permissions => {}
            other => return Err(format!("{} is not as it says: {other:?}", change.path)),
        }
    }
    match common::try_injected(&mut fs, description) {
        Ok(again) => {
            let again: Vec<_> = again
                .iter()
                .filter(|it| it.is_change())
                .map(|it| it.path.to_string())
                .collect();
            if again.is_empty() {
                Ok(Outcome::Done)
            } else {
                Err(format!("changed again: {again:?}"))
            }
        }
        Err(error) => Err(format!("the second time: {}", told(&error))),
    }
}

/// What takes minutes runs if this is set, as `cargo xtask judge` does it.
fn is_full() -> bool {
    std::env::var_os("CHRISTEN_JUDGE_FULL").is_some()
}

fn guests() -> BTreeMap<&'static str, (Memory, String)> {
    let with_more = |(name, tree): (&'static str, phony::PhonyTree)| {
        let tree = tree
            .file("/outside/file", "what nobody asked to change\n")
            .directories(&["/nowhere"]);
        let mut fs = tree.into_fs();
        let groups = String::from_utf8(common::content(&mut fs, "/etc/group")).unwrap();
        // BusyBox has nothing that gives interfaces their names.
        let network =
            DESCRIPTION.find("network:").unwrap()..DESCRIPTION.find("ssh_authorized").unwrap();
        let mut description = DESCRIPTION.to_owned();
        if name.contains("alpine") {
            description.replace_range(network, "network: dhcp\n");
        }
        let has_adm = groups.lines().any(|line| line.starts_with("adm:"));
        let description = description.replace("GROUP", if has_adm { "adm" } else { "wheel" });
        (name, (fs, description))
    };
    phony::all().into_iter().map(with_more).collect()
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    NotPlanted,
    Refused,
    Done,
}

fn run(name: &str, plants: &[(&str, Plant)], take: impl Fn(usize) -> bool) {
    let guests = guests();
    let (_, (guest, description)) = guests.iter().find(|(it, _)| it.contains(name)).unwrap();
    let places = places(guest, description);
    assert!(places.len() > 50, "{} places", places.len());
    let mut wrong = Vec::new();
    let (mut number, mut refused, mut done) = (0, 0, 0);
    for path in &places {
        for (title, what) in plants {
            number += 1;
            if !take(number) {
                continue;
            }
            match attempt(guest, description, path, *what) {
                Ok(Outcome::NotPlanted) => {}
                Ok(Outcome::Refused) => refused += 1,
                Ok(Outcome::Done) => done += 1,
                Err(text) => wrong.push(format!("{title} at {path}: {text}")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {number}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(refused > 5 && done > 10, "{refused} refused, {done} done");
}

#[test]
fn nothing_planted_in_debian_does_harm() {
    run("debian", PLANTS, |number| number.is_multiple_of(11));
}

#[test]
fn nothing_planted_in_fedora_does_harm() {
    run("fedora", PLANTS, |number| number.is_multiple_of(13));
}

#[test]
fn nothing_planted_anywhere_does_harm() {
    if !is_full() {
        return;
    }
    for name in guests().keys() {
        run(name, PLANTS, |number| number.is_multiple_of(2));
    }
}

#[test]
fn long_files_end_soon() {
    if !is_full() {
        return;
    }
    run("debian", LONG, |number| number.is_multiple_of(7));
}
