//! Files of the guest that are damaged at random: an item is put in or refused, nothing ends in a panic, and what was put in once changes
//! nothing a second time.
//!
//! `CHRISTEN_ROUNDS` sets how many guests are tried.

mod common;

use christen_inject::{Existing, Ownership, Secrecy, Stage};
use christen_testkit::phony;
use christen_vfs::GuestPath;

const DESCRIPTION: &str = "
uuid: b65cee2f-8c69-4aeb-be2f-f79742548fc2
hostname: web-01.example.org
ssh_authorized_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID73oR3L+j2H7E6ZfOiJrC+jBl5HH2/ld6K6fjDjtC62 desk
guest:
  root_password: {hash: $6$a$b}
  users:
  - {name: anna, groups: [adm], sudo: ALL=(ALL) ALL, ssh_authorized_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID73oR3L+j2H7E6ZfOiJrC+jBl5HH2/ld6K6fjDjtC62 anna}
  - {name: daemon, shell: /bin/sh, groups: [sudo]}
  timezone: Europe/Berlin
  locale: C.UTF-8
  ssh_host_keys: generate
  first_boot_commands: [echo ready]
  files: [{path: /srv/x, text: x, owner: 'anna:anna', mode: '0600'}]
  operations: [{append_line: {path: /etc/hosts, line: 192.0.2.10 db}}, {chown: {path: /etc/hosts, owner: 'daemon:adm'}}]
  machine_id: reset
";

const FILES: [&str; 16] = [
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/gshadow",
    "/etc/login.defs",
    "/etc/pam.d/common-password",
    "/etc/ssh/sshd_config",
    "/etc/ssh/sshd_config.d/x.conf",
    "/etc/cloud/cloud.cfg",
    "/etc/cloud/cloud.cfg.d/01_debian_cloud.cfg",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/sudoers",
    "/etc/subuid",
    "/etc/default/locale",
    "/etc/timezone",
];

/// Numerical Recipes' generator: any will do.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) as usize % limit.max(1)
    }

    fn damage(&mut self, content: &mut Vec<u8>) {
        const PIECES: [&[u8]; 12] = [
            b"\0",
            b":",
            b"\n",
            b"\r\n",
            b"#",
            b"+",
            b"\xff",
            b"root:",
            b"anna:x:",
            b" ",
            b"4294967295",
            b"/../..",
        ];
        for _ in 0..=self.below(4) {
            let at = self.below(content.len() + 1);
            match self.below(4) {
                0 => {
                    let end = content.len().min(at + self.below(12));
                    content.drain(at..end);
                }
                1 => {
                    let piece = PIECES[self.below(PIECES.len())];
                    content.splice(at..at, piece.iter().copied());
                }
                2 => {
                    let from = self.below(content.len() + 1);
                    let end = content.len().min(from + self.below(40));
                    let copy = content[from..end].to_vec();
                    content.splice(at..at, copy);
                }
                _ => {
                    if let Some(byte) = content.get_mut(at) {
                        *byte = self.below(256) as u8;
                    }
                }
            }
        }
    }
}

#[test]
fn damaged_files_end_nothing() {
    let rounds = std::env::var("CHRISTEN_ROUNDS").ok();
    let rounds = rounds.and_then(|it| it.parse().ok()).unwrap_or(150);
    let base = phony::debian_12()
        .file("/etc/subuid", "daemon:100000:65536\n")
        .into_fs();
    let mut taken = 0;
    for round in 0..rounds {
        let mut memory = base.clone();
        let mut chance = Chance(round);
        let mut stage = Stage::new(&mut memory);
        for _ in 0..=chance.below(3) {
            let path = GuestPath::new(FILES[chance.below(FILES.len())]).unwrap();
            let mut content = stage.read(&path).unwrap().unwrap_or_default();
            chance.damage(&mut content);
            let own = Ownership::root(0o644);
            stage.parents(&path).unwrap();
            stage
                .write(&path, &content, own, Existing::Keep, Secrecy::Public)
                .unwrap();
        }
        let Ok(changes) = common::try_injected(&mut memory, DESCRIPTION) else {
            continue;
        };
        taken += 1;
        assert!(changes.iter().any(|it| it.is_change()), "round {round}");
        let again = common::try_injected(&mut memory, DESCRIPTION);
        let again = again.unwrap_or_else(|error| panic!("round {round}: {error}"));
        let changed: Vec<_> = again.iter().filter(|it| it.is_change()).collect();
        assert!(changed.is_empty(), "round {round}: {changed:#?}");
    }
    // Most damage does no harm.
    assert!(taken * 3 > rounds, "{taken} of {rounds} guests took it");
}
