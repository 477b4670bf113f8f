use std::collections::BTreeSet;

use christen_testkit::phony::{self, PhonyTree};
use christen_vfs::memory::Memory;

use super::*;
use crate::testing::instance;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f a";

/// What is examined.
struct Patient {
    tree: PhonyTree,
    instance: Option<Instance>,
    facts: Facts,
}

fn of(tree: PhonyTree) -> Patient {
    Patient {
        tree,
        instance: None,
        facts: Facts::default(),
    }
}

impl Patient {
    fn with(mut self, yaml: &str) -> Self {
        self.instance = Some(instance(&yaml.replace("KEY", KEY)));
        self
    }

    fn on(mut self, drive: Drive) -> Self {
        self.facts.drive = Some(drive);
        self
    }

    fn examine(mut self) -> Vec<Diagnosis> {
        examine(self.tree.fs(), &self.facts, self.instance.as_ref()).unwrap()
    }
}

fn debian() -> PhonyTree {
    phony::debian_12()
}

/// A guest whose sshd has these lines.
fn sshd(lines: &str) -> PhonyTree {
    debian().file("/etc/ssh/sshd_config", lines)
}

fn cloud_config(text: &str) -> PhonyTree {
    debian().file("/etc/cloud/cloud.cfg.d/99-mine.cfg", text)
}

/// A guest without cloud-init.
fn bare() -> PhonyTree {
    let mut tree = debian()
        .without("/usr/bin/cloud-init")
        .without("/etc/cloud");
    let status = "Package: base-files\nStatus: install ok installed\nVersion: 12\n";
    assert!(tree.has("/usr/lib/cloud-init/ds-identify"));
    tree = tree.file("/var/lib/dpkg/status", status);
    tree
}

const ROOT_KEY: &str = "guest: {users: [{name: root, ssh_authorized_keys: ['KEY']}]}";
const USER_KEY: &str = "guest: {users: [{name: me, ssh_authorized_keys: ['KEY']}]}";
const USER_PASSWORD: &str = "guest: {users: [{name: me, password: {text: secret}}]}";
const ROOT_PASSWORD: &str = "guest: {root_password: {text: secret}}";

const NETPLAN: &str = "network:\n  version: 2\n  ethernets:\n    eth0:\n      match:\n        macaddress: \"52:54:00:12:34:56\"\n";

/// Every rule with a guest that has the fault, what is said of it, and one that has it not.
#[expect(clippy::too_many_lines, reason = "a table")]
fn table() -> Vec<(&'static str, Severity, Patient, Patient)> {
    use Severity::{Error, Note, Warning};
    let selinux = "/etc/selinux/targeted/contexts/files/file_contexts";
    vec![
        (
            "system-unknown",
            Error,
            of(PhonyTree::new().directories(&["/etc"])),
            of(debian()),
        ),
        (
            "immutable-system",
            Error,
            of(debian().directories(&["/ostree/repo"])).with(USER_KEY),
            of(debian()).with(USER_KEY),
        ),
        (
            "immutable-system",
            Warning,
            of(debian().file("/usr/lib/os-release", "ID=opensuse-microos\n")).with(USER_KEY),
            of(phony::opensuse_tumbleweed()),
        ),
        (
            "selinux-no-labels",
            Warning,
            of(phony::fedora_41().without(selinux)),
            of(phony::fedora_41()),
        ),
        (
            "selinux-no-labels",
            Warning,
            of(phony::fedora_41().without_attribute("/etc", "security.selinux")),
            of(phony::fedora_41()
                .without_attribute("/etc", "security.selinux")
                .file("/.autorelabel", "")),
        ),
        (
            "selinux-relabels",
            Note,
            of(phony::fedora_41().file("/.autorelabel", "")),
            of(debian().file("/.autorelabel", "")),
        ),
        (
            "time-zone-missing",
            Error,
            of(debian()).with("guest: {timezone: Europe/Paris}"),
            of(debian()).with("guest: {timezone: Europe/Berlin}"),
        ),
        (
            "account-unknown",
            Error,
            of(debian()).with("guest: {files: [{path: /a, text: x, owner: www-data}]}"),
            of(debian()).with("guest: {files: [{path: /a, text: x, owner: 'daemon:adm'}]}"),
        ),
        (
            "account-unknown",
            Error,
            of(debian()).with("guest: {users: [{name: me, groups: [wheel]}]}"),
            of(debian()).with("guest: {users: [{name: me, groups: [sudo, me]}]}"),
        ),
        (
            "unreadable-file",
            Warning,
            of(debian().without("/etc/shadow").directories(&["/etc/shadow"])),
            of(debian().without("/etc/shadow")),
        ),
        (
            "filesystem-unclean",
            Error,
            Patient {
                facts: Facts {
                    clean: Some(false),
                    ..Facts::default()
                },
                ..of(debian())
            },
            Patient {
                facts: Facts {
                    clean: Some(true),
                    ..Facts::default()
                },
                ..of(debian())
            },
        ),
        (
            "filesystem-errors",
            Error,
            Patient {
                facts: Facts {
                    has_errors: Some(true),
                    ..Facts::default()
                },
                ..of(debian())
            },
            of(debian()),
        ),
        (
            "fstab-broken",
            Warning,
            of(debian().file("/etc/fstab", "/dev/vda1\n")),
            of(debian().file("/etc/fstab", "UUID=1 / auto\n")),
        ),
        (
            "fstab-device-name",
            Note,
            of(debian().file("/etc/fstab", "/dev/vda1 / auto\n")),
            of(debian().file("/etc/fstab", "/dev/mapper/a-b / auto\n/dev/vda2 none swap\n")),
        ),
        (
            "cloud-init-missing",
            Error,
            of(bare()).with("user_data: {text: '#!/bin/sh'}"),
            of(debian()).with("user_data: {text: '#!/bin/sh'}"),
        ),
        ("cloud-init-missing", Note, of(bare()), of(debian())),
        (
            "cloud-init-disabled",
            Error,
            of(debian().file("/etc/cloud/cloud-init.disabled", "")).on(Drive::NoCloud),
            of(debian()).on(Drive::NoCloud),
        ),
        (
            "cloud-init-disabled",
            Warning,
            of(debian().without("/etc/systemd/system/cloud-init.target.wants")),
            of(debian()),
        ),
        (
            "config-drive-ignored",
            Error,
            of(cloud_config("datasource_list: [NoCloud, None]\n")).on(Drive::ConfigDrive),
            of(cloud_config("datasource_list: [NoCloud, None]\n")).on(Drive::NoCloud),
        ),
        (
            "config-drive-ignored",
            Warning,
            of(debian().file("/etc/cloud/ds-identify.cfg", "datasource: Ec2\n")),
            of(debian()),
        ),
        (
            "nocloud-ignored",
            Error,
            of(cloud_config("datasource_list: [ConfigDrive]\n")).on(Drive::NoCloud),
            of(cloud_config("datasource_list: [ConfigDrive]\n")).on(Drive::ConfigDrive),
        ),
        (
            "nocloud-ignored",
            Note,
            of(cloud_config("datasource_list: [ConfigDrive]\n")),
            of(debian()),
        ),
        (
            "cloud-init-has-run",
            Warning,
            of(debian().link("/var/lib/cloud/instance", "/var/lib/cloud/instances/i-1")),
            of(debian().directories(&["/var/lib/cloud/instances"])),
        ),
        (
            "cloud-init-seed-left",
            Note,
            of(debian().file("/var/lib/cloud/seed/nocloud/meta-data", "")),
            of(debian().directories(&["/var/lib/cloud/seed/nocloud"])),
        ),
        (
            "cloud-init-leaves-network",
            Warning,
            of(cloud_config("network: {config: disabled}\n")).on(Drive::ConfigDrive),
            of(cloud_config("network: {config: disabled}\n")),
        ),
        (
            "no-default-user",
            Error,
            of(cloud_config("users: []\n"))
                .with("ssh_authorized_keys: KEY")
                .on(Drive::ConfigDrive),
            of(debian())
                .with("ssh_authorized_keys: KEY")
                .on(Drive::ConfigDrive),
        ),
        (
            "no-default-user",
            Note,
            of(cloud_config("users: []\n")),
            of(debian()),
        ),
        (
            "network-nobody",
            Error,
            of(PhonyTree::new().file("/etc/os-release", "ID=x\n"))
                .with("network: [{mac: '52:54:00:12:34:56'}]"),
            of(debian()).with("network: [{mac: '52:54:00:12:34:56'}]"),
        ),
        (
            "network-renderer",
            Note,
            of(debian()).with("network: [{mac: '52:54:00:12:34:56'}]"),
            of(debian()),
        ),
        (
            "network-not-started",
            Warning,
            of(phony::arch().without(
                "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
            )),
            of(phony::arch()),
        ),
        (
            "network-twice",
            Warning,
            of(debian()
                .file("/etc/netplan/50-x.yaml", "network: {version: 2, ethernets: {eth0: {dhcp4: true}}}\n")
                .program("/usr/sbin/ifup")
                .file("/usr/lib/systemd/system/networking.service", "[Install]\nWantedBy=multi-user.target\n")
                .link("/etc/systemd/system/multi-user.target.wants/networking.service", "/lib/systemd/system/networking.service")
                .file("/etc/network/interfaces", "auto eth0\niface eth0 inet dhcp\n")),
            of(debian().file(
                "/etc/netplan/50-x.yaml",
                "network: {version: 2, ethernets: {eth0: {dhcp4: true}}}\n",
            )),
        ),
        (
            "no-login",
            Warning,
            of(debian()).with("name: a"),
            of(debian()).with(USER_KEY),
        ),
        (
            "root-locked",
            Warning,
            of(debian()).with(ROOT_KEY),
            of(debian()).with(ROOT_PASSWORD),
        ),
        (
            "root-locked",
            Note,
            of(debian()),
            of(debian().file("/etc/shadow", "root:$6$a$b:1::::::\n")),
        ),
        (
            "empty-password",
            Warning,
            of(debian().file("/etc/shadow", "root::1::::::\n")),
            of(debian()),
        ),
        (
            "empty-password",
            Error,
            of(sshd("PermitEmptyPasswords yes\n").file("/etc/shadow", "root::1::::::\n")),
            of(sshd("PermitEmptyPasswords yes\n")),
        ),
        (
            "sshd-missing",
            Error,
            of(debian().without("/usr/sbin/sshd")).with(USER_KEY),
            of(debian()).with(USER_KEY),
        ),
        (
            "sshd-missing",
            Note,
            of(debian().without("/usr/sbin/sshd")),
            of(debian()),
        ),
        (
            "sshd-disabled",
            Error,
            of(debian().without("/etc/systemd/system/multi-user.target.wants/ssh.service"))
                .with(USER_KEY),
            // Its socket starts it.
            of(phony::ubuntu_24_04()).with(USER_KEY),
        ),
        (
            "sshd-disabled",
            Warning,
            of(phony::alpine_3_20().without("/etc/runlevels/default/sshd")),
            of(phony::alpine_3_20()),
        ),
        (
            "public-keys-refused",
            Error,
            of(sshd("PubkeyAuthentication no\n")).with(USER_KEY),
            of(sshd("PubkeyAuthentication no\n")).with(USER_PASSWORD),
        ),
        (
            "public-keys-refused",
            Error,
            of(sshd("AuthorizedKeysFile none\n")).with(USER_KEY),
            of(debian()).with(USER_KEY),
        ),
        (
            "authorized-keys-elsewhere",
            Warning,
            of(sshd("AuthorizedKeysFile /etc/ssh/keys/%u\n")),
            of(sshd("AuthorizedKeysFile /etc/ssh/keys/%u .ssh/authorized_keys\n")),
        ),
        (
            "root-login-refused",
            Error,
            of(sshd("Include sshd_config.d/*.conf\nPermitRootLogin yes\n")
                .file("/etc/ssh/sshd_config.d/10-hard.conf", "PermitRootLogin no\n"))
            .with(ROOT_KEY),
            of(sshd("PermitRootLogin yes\nInclude sshd_config.d/*.conf\n")
                .file("/etc/ssh/sshd_config.d/10-hard.conf", "PermitRootLogin no\n"))
            .with(ROOT_KEY),
        ),
        (
            "root-login-refused",
            Warning,
            of(debian()).with(ROOT_PASSWORD),
            of(debian()).with(ROOT_KEY),
        ),
        (
            "passwords-refused",
            Error,
            of(phony::ubuntu_24_04()).with(USER_PASSWORD),
            of(debian()).with(USER_PASSWORD),
        ),
        (
            "passwords-refused",
            Warning,
            of(phony::ubuntu_24_04())
                .with("guest: {users: [{name: me, ssh_authorized_keys: ['KEY'], password: {text: secret}}]}"),
            of(debian()).with(USER_PASSWORD),
        ),
        (
            "passwords-refused",
            Error,
            of(cloud_config("ssh_pwauth: false\n"))
                .with(USER_PASSWORD)
                .on(Drive::NoCloud),
            of(cloud_config("ssh_pwauth: unchanged\n"))
                .with(USER_PASSWORD)
                .on(Drive::NoCloud),
        ),
        (
            "key-of-locked-account",
            Error,
            of(sshd("UsePAM no\n").file("/etc/shadow", "root:!:1::::::\n")).with(ROOT_KEY),
            // `*` is no lock.
            of(sshd("UsePAM no\n")).with(ROOT_KEY),
        ),
        (
            "account-not-let-in",
            Warning,
            of(sshd("AllowUsers admin\nAllowUsers ops-*\n")).with(USER_KEY),
            of(sshd("AllowUsers admin\nAllowUsers m?@192.0.2.*\n")).with(USER_KEY),
        ),
        (
            "account-not-let-in",
            Warning,
            of(sshd("DenyUsers me\n")).with(USER_KEY),
            of(sshd("DenyUsers you\n")).with(USER_KEY),
        ),
        (
            "home-open-to-others",
            Error,
            of(debian().directory("/root", 0o770, 0, 0)).with(ROOT_KEY),
            of(debian().directory("/root", 0o755, 0, 0)).with(ROOT_KEY),
        ),
        (
            "home-open-to-others",
            Error,
            of(debian().directory("/root/.ssh", 0o700, 1000, 0)).with(ROOT_KEY),
            of(sshd("StrictModes no\n").directory("/root/.ssh", 0o700, 1000, 0)).with(ROOT_KEY),
        ),
        (
            "shell-missing",
            Error,
            of(debian()).with("guest: {users: [{name: me, shell: /bin/zsh, ssh_authorized_keys: ['KEY']}]}"),
            of(debian()).with("guest: {users: [{name: me, shell: /bin/bash, ssh_authorized_keys: ['KEY']}]}"),
        ),
        (
            "shell-missing",
            Warning,
            of(debian()
                .program("/usr/sbin/nologin")
                .file("/etc/passwd", "root:x:0:0::/root:/usr/sbin/nologin\n"))
            .with(ROOT_KEY),
            of(debian()
                .program("/usr/sbin/nologin")
                .file("/etc/passwd", "root:x:0:0::/root:/usr/sbin/nologin\n"))
            .with(USER_KEY),
        ),
        (
            "nologin-left",
            Warning,
            of(debian().file("/etc/nologin", "")),
            of(debian()),
        ),
        (
            "user-data-unread",
            Warning,
            of(debian()).with("user_data: {text: '#!/bin/sh'}"),
            of(debian()).with("user_data: {text: '#!/bin/sh'}\nguest: {seed_cloud_init: nocloud}"),
        ),
        (
            "nocloud-ignored",
            Error,
            of(cloud_config("datasource_list: [ConfigDrive]\n"))
                .with("guest: {seed_cloud_init: nocloud}"),
            of(cloud_config("datasource_list: [ConfigDrive]\n"))
                .with("guest: {seed_cloud_init: config-drive}"),
        ),
        (
            "cloud-init-missing",
            Error,
            of(bare()).with("guest: {seed_cloud_init: nocloud}"),
            of(bare()).with("guest: {first_boot_commands: ['true']}"),
        ),
        (
            "machine-id-baked-in",
            Warning,
            of(debian().file("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"))
                .with("guest: {machine_id: random}")
                .on(Drive::NoCloud),
            of(debian().file("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"))
                .with("guest: {machine_id: random}"),
        ),
        (
            "host-keys-left",
            Warning,
            of(debian().file("/etc/ssh/ssh_host_rsa_key", "x"))
                .with("guest: {ssh_host_keys: generate}"),
            of(debian().file("/etc/ssh/ssh_host_ed25519_key", "x"))
                .with("guest: {ssh_host_keys: generate}"),
        ),
        (
            "hostname-kept",
            Warning,
            of(cloud_config("preserve_hostname: true\n")).on(Drive::NoCloud),
            of(cloud_config("preserve_hostname: true\n")),
        ),
        (
            "network-card-baked-in",
            Warning,
            of(debian().file("/etc/netplan/50-cloud-init.yaml", NETPLAN)),
            of(debian().file("/etc/netplan/50-cloud-init.yaml", NETPLAN))
                .with("network: [{mac: '52:54:00:12:34:56'}]"),
        ),
        (
            "network-card-baked-in",
            Warning,
            of(phony::fedora_41().file(
                "/etc/NetworkManager/system-connections/a.nmconnection",
                "[ethernet]\nmac-address=52:54:00:12:34:56\n",
            )),
            of(phony::fedora_41().file(
                "/etc/NetworkManager/system-connections/a.nmconnection",
                "[ethernet]\n#mac-address=52:54:00:12:34:56\n[ipv6]\naddress1=2001:db8::52:54:00:12/64\n",
            )),
        ),
        (
            "sshd-config-conditional",
            Note,
            of(sshd("Match User x\n")),
            of(debian()),
        ),
        (
            "machine-id-baked-in",
            Warning,
            of(debian().file("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")),
            of(debian().without("/etc/machine-id")),
        ),
        (
            "machine-id-baked-in",
            Warning,
            of(debian().file(
                "/var/lib/dbus/machine-id",
                "0123456789abcdef0123456789abcdef\n",
            )),
            of(debian().link("/var/lib/dbus/machine-id", "/etc/machine-id")),
        ),
        (
            "machine-id-invalid",
            Warning,
            of(debian().file("/etc/machine-id", "odd\n")),
            of(debian()),
        ),
        (
            "host-keys-left",
            Warning,
            of(bare().file("/etc/ssh/ssh_host_rsa_key", "x")),
            of(bare().file("/etc/ssh/ssh_host_rsa_key.pub", "x")),
        ),
        (
            "host-keys-left",
            Note,
            of(debian().file("/etc/ssh/ssh_host_rsa_key", "x")),
            of(debian()),
        ),
        (
            "credential-secret-left",
            Warning,
            of(debian().file("/var/lib/systemd/credential.secret", "x")),
            of(debian()),
        ),
        (
            "random-seed-left",
            Note,
            of(debian().file("/var/lib/systemd/random-seed", "x")),
            of(debian().file("/var/lib/systemd/random-seed", "")),
        ),
        (
            "dhcp-lease-left",
            Note,
            of(debian().file("/var/lib/dhcp/dhclient.eth0.leases", "x")),
            of(debian().file("/var/lib/dhcp/dhclient.leases", "")),
        ),
        (
            "dhcp-lease-left",
            Note,
            of(phony::fedora_41().file("/var/lib/NetworkManager/internal-1-eth0.lease", "x")),
            of(phony::fedora_41().file("/var/lib/NetworkManager/seen-bssids", "x")),
        ),
        (
            "net-rules-left",
            Warning,
            of(debian().file(
                "/etc/udev/rules.d/70-persistent-net.rules",
                "SUBSYSTEM==\"net\", ATTR{address}==\"52:54:00:12:34:56\", NAME=\"eth0\"\n",
            )),
            of(debian().file(
                "/etc/udev/rules.d/70-persistent-net.rules",
                "# This file was made by /lib/udev/write_net_rules, NAME it\n",
            )),
        ),
    ]
}

/// The rules that the table does not ask, and which test does.
const ASKED_ELSEWHERE: [&str; 1] = ["no-room"];

#[test]
fn every_rule_finds_its_fault_and_no_other() {
    let mut asked: BTreeSet<_> = ASKED_ELSEWHERE.into();
    for (rule, severity, with, without) in table() {
        asked.insert(rule);
        let found = with.examine();
        assert!(
            found
                .iter()
                .any(|it| it.rule == rule && it.severity == severity),
            "{rule} does not find its fault: {found:#?}"
        );
        let found = without.examine();
        assert!(
            found
                .iter()
                .all(|it| it.rule != rule || it.severity < severity),
            "{rule} finds a fault that is not there: {found:#?}"
        );
    }
    let known: BTreeSet<_> = rules().map(|it| it.name).collect();
    assert_eq!(asked, known);
    assert_eq!(known.len(), rules().count(), "a name is there twice");
}

#[test]
fn images_as_they_come_have_no_fault() {
    for (name, tree) in phony::all() {
        for drive in [None, Some(Drive::ConfigDrive), Some(Drive::NoCloud)] {
            let mut patient = of(tree.clone()).with(
                "network: [{mac: '52:54:00:12:34:56', address: 192.0.2.17/24}]\nssh_authorized_keys: KEY\n\
                 guest: {users: [{name: me, ssh_authorized_keys: ['KEY']}], timezone: Europe/Berlin}",
            );
            patient.facts.drive = drive;
            let found = patient.examine();
            let faults: Vec<_> = found
                .iter()
                .filter(|it| it.severity > Severity::Note)
                .collect();
            // openSUSE's and Arch's root is locked with `!`, and the keys of an instance go there when they are injected; Fedora's
            // sshd has PAM.
            assert!(faults.is_empty(), "{name}, {drive:?}: {faults:#?}");
        }
        let found = of(tree).examine();
        assert!(
            found.iter().all(|it| it.severity == Severity::Note),
            "{name}: {found:#?}"
        );
    }
}

#[test]
fn room_is_counted_with_the_files_of_the_instance() {
    let small = |blocks, files| {
        let mut fs = Memory::with_capacity(blocks, files);
        examine(&mut fs, &Facts::default(), None)
            .unwrap()
            .into_iter()
            .filter(|it| it.rule == "no-room")
            .map(|it| it.severity)
            .collect::<Vec<_>>()
    };
    assert_eq!(small(200, 200), []);
    assert_eq!(small(100, 200), [Severity::Warning]);
    assert_eq!(small(100, 20), [Severity::Warning; 2]);
    let mut fs = Memory::with_capacity(200, 200);
    let text = "x".repeat(9000);
    let many: Vec<_> = (0..60)
        .map(|index| format!("{{path: /f{index}, text: {text}}}"))
        .collect();
    let instance = instance(&format!("guest: {{files: [{}]}}", many.join(", ")));
    let found = examine(&mut fs, &Facts::default(), Some(&instance)).unwrap();
    let of_rule: Vec<_> = found.iter().filter(|it| it.rule == "no-room").collect();
    assert_eq!(of_rule.len(), 2, "{found:#?}");
    assert!(of_rule.iter().all(|it| it.severity == Severity::Error));
}

#[test]
fn the_gravest_comes_first_and_every_sentence_is_plain() {
    for (_, _, with, _) in table() {
        let found = with.examine();
        assert!(found.is_sorted_by(|a, b| a.severity >= b.severity));
        for it in found {
            for text in [&it.reason, &it.remedy] {
                assert!(!text.ends_with('.') && !text.is_empty(), "{text}");
                assert!(!text.contains(char::is_control), "{text:?}");
            }
        }
    }
}

#[test]
fn a_hostile_guest_is_examined_too() {
    let tree = PhonyTree::new()
        .file("/etc/os-release", "ID=\"\x1b[2J\"\n")
        .file("/etc/passwd", vec![b':'; 1 << 20])
        .file("/etc/shadow", b"root\0:::\xff\n\n\n:::".repeat(1000))
        .file(
            "/etc/ssh/sshd_config",
            "Include /etc/ssh/sshd_config\nInclude *\n",
        )
        .program("/usr/sbin/sshd")
        .link("/etc/fstab", "fstab")
        .link("/etc/cloud", "/etc/cloud")
        .program("/usr/bin/cloud-init")
        .directories(&["/etc/machine-id", "/var/lib/dpkg/status", "/sbin/init"]);
    let found = of(tree).with(ROOT_KEY).examine();
    assert!(found.iter().any(|it| it.rule == "unreadable-file"));
    assert!(found.iter().all(|it| !it.reason.contains(char::is_control)));
}

/// Files of the guests with bytes changed, lines doubled and ends cut off: whatever comes of them, nothing panics, and what is told can
/// be shown.
#[test]
fn guests_with_odd_bytes_are_examined_too() {
    use christen_vfs::model::Random;
    use christen_vfs::walk::{LastLink, resolve};
    use christen_vfs::{FileSystem, GuestPath};

    const FILES: [&str; 12] = [
        "/etc/fstab",
        "/etc/passwd",
        "/etc/shadow",
        "/usr/lib/os-release",
        "/etc/ssh/sshd_config",
        "/etc/cloud/cloud.cfg",
        "/etc/cloud/cloud.cfg.d/90_dpkg.cfg",
        "/var/lib/dpkg/status",
        "/etc/network/interfaces",
        "/etc/machine-id",
        "/usr/bin/dash",
        "/etc/selinux/config",
    ];
    const ODD: &[u8] = b"\0\n\r\t :=#\"'\\*?[]{},-!$\x1b\x7f\x80\xff";
    let odd = |random: &mut Random| *random.one(ODD);
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let mut tree = debian()
            .file(
                "/etc/selinux/config",
                "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
            )
            .file("/etc/cloud/ds-identify.cfg", "policy: enabled\n");
        for path in FILES {
            let place = GuestPath::new(path).unwrap();
            let file = resolve(tree.fs(), &place, LastLink::Followed).unwrap();
            let size = tree.fs().attributes(file).unwrap().size;
            let mut content = vec![0; size as usize];
            tree.fs().read_at(file, &mut content, 0).unwrap();
            for _ in 0..random.below(8) {
                let at = random.index(content.len() + 1);
                match random.below(4) {
                    0 if at < content.len() => content[at] = odd(&mut random),
                    1 => content.insert(at, odd(&mut random)),
                    2 => content.truncate(at),
                    _ => content.extend_from_within(at..),
                }
            }
            tree = tree.file(path, content);
        }
        let found = of(tree)
            .with("ssh_authorized_keys: KEY\nguest: {root_password: {text: secret}}")
            .examine();
        for it in found {
            assert!(!it.reason.contains(char::is_control), "seed {seed}: {it:?}");
        }
    }
}
