//! A whole identity into every phony guest, twice.

mod common;

use christen_inject::Stage;
use christen_testkit::phony;

const DESCRIPTION: &str = "
uuid: b65cee2f-8c69-4aeb-be2f-f79742548fc2
hostname: web-01.example.org
ssh_authorized_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID73oR3L+j2H7E6ZfOiJrC+jBl5HH2/ld6K6fjDjtC62 desk
admin_password: s3cret
metadata: {role: web}
files: [{path: /etc/motd, text: hello}]
guest:
  users:
  - name: anna
    groups: [adm]
    sudo: ALL=(ALL) NOPASSWD:ALL
    password: {locked: true}
    ssh_authorized_keys: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID73oR3L+j2H7E6ZfOiJrC+jBl5HH2/ld6K6fjDjtC62 anna
  - {name: svc, system: true}
  timezone: Europe/Berlin
  locale: C.UTF-8
  first_boot_commands: [echo ready]
  files: [{path: /home/anna/.profile, text: x, owner: 'anna:anna', mode: '0600'}]
  operations: [{append_line: {path: /etc/hosts, line: 192.0.2.10 db}}, {mkdir: /srv/www}]
  machine_id: reset
";

#[test]
fn every_guest_takes_it_and_a_second_time_changes_nothing() {
    for (name, tree) in phony::all() {
        let mut memory = tree.into_fs();
        let mut description = DESCRIPTION.to_owned();
        let groups = String::from_utf8(common::content(&mut memory, "/etc/group")).unwrap();
        if !groups.lines().any(|line| line.starts_with("adm:")) {
            description = description.replace("[adm]", "[wheel]");
        }
        let changes = common::injected(&mut memory, &description);
        for path in [
            "/etc/shadow",
            "/etc/passwd",
            "/etc/motd",
            "/meta.js",
            "/home/anna/.ssh/authorized_keys",
        ] {
            let change = changes.iter().find(|it| it.path.to_string() == path);
            assert!(change.is_some_and(|it| it.is_change()), "{name}: {path}");
        }
        let again = common::injected(&mut memory, &description);
        let changed: Vec<_> = again.iter().filter(|it| it.is_change()).collect();
        assert!(changed.is_empty(), "{name}: {changed:?}");
        let mut stage = Stage::new(&mut memory);
        let shadow = christen_vfs::GuestPath::new("/etc/shadow").unwrap();
        let shadow = stage.read(&shadow).unwrap().unwrap();
        assert!(shadow.windows(10).any(|it| it == b"anna:*:207"), "{name}");
    }
}
