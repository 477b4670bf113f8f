//! Disks of a plain Debian that become somebody by `christen inject` alone, and what they tell when they have booted.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use christen_testkit::guest::plain::PlainGuest;
use christen_testkit::{TempDir, tools};

/// Addresses of the NICs in the description.
const MACS: [&str; 2] = ["52:54:00:00:54:01", "52:54:00:00:54:02"];

const ROOT_PASSWORD: &str = "the root of it";
const USER_PASSWORD: &str = "ops, too: \"quoted\" $1";

/// Where a partition begins, and the first of two ends.
const MIB: u64 = 1 << 20;

/// A disk with the guest on it, and the identity that it is to have.
pub(crate) struct Bench {
    pub(crate) directory: TempDir,
    pub(crate) guest: PlainGuest,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new();
        let path = |name: &str| directory.path().join(name);
        tools::run(
            Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "desk", "-f"])
                .arg(path("key")),
        );
        fs::write(path("root-password"), format!("{ROOT_PASSWORD}\n")).unwrap();
        fs::write(path("user-password"), format!("{USER_PASSWORD}\n")).unwrap();
        fs::write(
            path("web-01.yaml"),
            format!(
                r#"
name: web-01
hostname: web-01
ssh_authorized_keys: [{{file: key.pub}}]
network:
  - mac: "{}"
    address: [192.0.2.17/24, "2001:db8::17/64"]
    gateway: [192.0.2.1, "2001:db8::1"]
    dns: [192.0.2.2]
    routes: [{{to: 198.51.100.0/24, via: 192.0.2.254}}]
  - mac: "{}"
    dhcp: true
guest:
  root_password: {{file: root-password}}
  timezone: Asia/Tokyo
  users:
    - name: ops
      ssh_authorized_keys: [{{file: key.pub}}]
      password: {{file: user-password}}
      sudo: ALL=(ALL) NOPASSWD:ALL
  files:
    - {{path: /etc/christen-test/key, source: key, mode: "0600"}}
    - {{path: /etc/christen-test/root-password, source: root-password, mode: "0600"}}
    - {{path: /etc/christen-test/user-password, source: user-password, mode: "0600"}}
    - {{path: /srv/from-outside/note, text: "from outside\n", owner: "root:daemon", mode: "0640"}}
    - {{path: /boot/christen-note, text: "in boot\n"}}
  first_boot_commands: ["id -un > /var/tmp/first-boot"]
"#,
                MACS[0], MACS[1]
            ),
        )
        .unwrap();
        Self {
            guest: PlainGuest::get().unwrap(),
            directory,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A copy of the root filesystem with its own `/etc/fstab`.
    pub(crate) fn root(&self, kind: &str, fstab: &str) -> PathBuf {
        let (root, table) = (self.path("root"), self.path("fstab"));
        tools::run(
            Command::new("cp")
                .arg("--sparse=always")
                .arg(self.guest.root(kind))
                .arg(&root),
        );
        fs::write(&table, fstab).unwrap();
        for request in [
            "rm /etc/fstab".to_owned(),
            format!("write {} /etc/fstab", table.display()),
        ] {
            tools::run(
                Command::new("debugfs")
                    .args(["-w", "-R", &request])
                    .arg(&root),
            );
        }
        root
    }

    /// A disk with a GUID partition table and these filesystems.
    pub(crate) fn gpt(&self, name: &str, parts: &[&Path]) -> PathBuf {
        let disk = self.path(name);
        let mut script = String::from("label: gpt\n");
        let mut start = MIB;
        let mut places = Vec::new();
        for part in parts {
            let length = fs::metadata(part).unwrap().len().next_multiple_of(MIB);
            script += &format!("start={}, size={}\n", start / 512, length / 512);
            places.push((start, part));
            start += length;
        }
        let file = File::create(&disk).unwrap();
        file.set_len(start + MIB).unwrap();
        let table = self.path("table");
        fs::write(&table, script).unwrap();
        tools::run(
            Command::new("sh")
                .args(["-c", "sfdisk -q \"$1\" <\"$2\"", "sh"])
                .arg(&disk)
                .arg(&table),
        );
        for (start, part) in places {
            place(part, &disk, start);
        }
        disk
    }

    /// Injects, asserts that christen itself holds the result for proven, and boots it.
    pub(crate) fn become_somebody(
        &self,
        disk: &Path,
        format: &str,
        root: &str,
        arguments: &[&str],
    ) -> BTreeMap<String, String> {
        let output = tools::run(
            Command::new(env!("CARGO_BIN_EXE_christen"))
                .arg("inject")
                .arg(disk)
                .arg(self.path("web-01.yaml"))
                .args(["--format", format])
                .args(arguments),
        );
        let told = String::from_utf8(output).unwrap();
        assert!(told.contains("verified"), "{told}");
        self.guest.boot(disk, format, root, &MACS).unwrap()
    }
}

/// Copies a filesystem to its place, and leaves holes where it has them.
pub(crate) fn place(part: &Path, disk: &Path, start: u64) {
    tools::run(
        Command::new("dd")
            .arg(format!("if={}", part.display()))
            .arg(format!("of={}", disk.display()))
            .args(["bs=1M", "conv=sparse,notrunc", "status=none"])
            .arg(format!("seek={}", start / MIB)),
    );
}

/// Asserts all that the description asks for, seen from inside.
#[track_caller]
pub(crate) fn assert_became(told: &BTreeMap<String, String>) {
    let of = |name: &str| told.get(name).map_or("", |it| it.trim_end());
    let holds = |name: &str, text: &str| {
        assert!(
            of(name).contains(text),
            "{name} lacks `{text}`: {}",
            of(name)
        );
    };
    assert_eq!(of("hostname"), "web-01");
    holds("addresses", "192.0.2.17/24");
    holds("addresses", "2001:db8::17/64");
    // QEMU's user network gives the second NIC its address.
    holds("addresses", "10.0.2.15/24");
    holds("routes", "default via 192.0.2.1");
    holds("routes", "198.51.100.0/24 via 192.0.2.254");
    holds("routes6", "default via 2001:db8::1");
    holds("resolver", "nameserver 192.0.2.2");
    assert_eq!(of("zone"), "JST");
    assert_eq!(of("root-login"), "root");
    assert_eq!(of("user-login"), "ops");
    assert_eq!(of("root-password"), "right");
    assert_eq!(of("user-password"), "right");
    holds("sudo", "NOPASSWD: ALL");
    assert_eq!(of("file"), "640 0:1 13");
    assert_eq!(of("content"), "from outside");
    assert_eq!(of("boot-note"), "in boot");
    assert_eq!(of("first-boot"), "root");
    assert_eq!(of("kernel"), "");
    assert_eq!(of("failed"), "");
}
