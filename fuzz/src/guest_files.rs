//! Guests, and which of their files the target `guest_files` fills.

use christen_testkit::phony;
use christen_vfs::memory::Memory;

const NETWORK: &str =
    "[{mac: '52:54:00:00:53:01', address: 192.0.2.10/24, gateway: 192.0.2.1, dns: [192.0.2.53]}]";

/// A guest, a group that it has, and a network that it can take: BusyBox gives interfaces no names.
pub type Guest = (fn() -> Memory, &'static str, &'static str);

/// The guests.
pub const GUESTS: &[Guest] = &[
    (|| phony::debian_12().into_fs(), "adm", NETWORK),
    (|| phony::fedora_41().into_fs(), "wheel", NETWORK),
    (|| phony::ubuntu_24_04().into_fs(), "adm", NETWORK),
    (|| phony::alpine_3_20().into_fs(), "wheel", "dhcp"),
];

/// Which guest, and which of its files.
pub const FILES: &[(usize, &str)] = &[
    (0, "/etc/fstab"),
    (0, "/etc/os-release"),
    (0, "/etc/passwd"),
    (0, "/etc/shadow"),
    (0, "/etc/group"),
    (0, "/etc/gshadow"),
    (0, "/etc/login.defs"),
    (0, "/etc/subuid"),
    (0, "/etc/ssh/sshd_config"),
    (0, "/root/.ssh/authorized_keys"),
    (0, "/etc/network/interfaces"),
    (0, "/etc/hosts"),
    (0, "/etc/adduser.conf"),
    (0, "/etc/pam.d/common-password"),
    (0, "/var/lib/dpkg/status"),
    (1, "/etc/selinux/targeted/contexts/files/file_contexts"),
    (
        1,
        "/etc/selinux/targeted/contexts/files/file_contexts.subs_dist",
    ),
    (1, "/etc/selinux/config"),
    (1, "/etc/NetworkManager/NetworkManager.conf"),
    (1, "/etc/sysconfig/network"),
    (1, "/etc/shadow"),
    (2, "/etc/cloud/cloud.cfg"),
    (2, "/etc/cloud/cloud.cfg.d/90-x.cfg"),
    (2, "/etc/netplan/50-cloud-init.yaml"),
    (3, "/etc/apk/world"),
    (3, "/etc/network/interfaces"),
    (3, "/etc/passwd"),
];

/// What is injected. Passwords come as hashes, as hashing would take nearly all of the time.
pub const DESCRIPTION: &str = "
uuid: b65cee2f-8c69-4aeb-be2f-f79742548fc2
hostname: web-01.example.org
network: NETWORK
ssh_authorized_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID73oR3L+j2H7E6ZfOiJrC+jBl5HH2/ld6K6fjDjtC62 desk
guest:
  root_password: {locked: true}
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
  operations: [{append_line: {path: /etc/hosts, line: 192.0.2.10 db}}]
  machine_id: reset
";
