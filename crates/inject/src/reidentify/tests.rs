use super::*;
use crate::testing::{Counting, guest, own, path, text};

const OLD: &str = "0123456789abcdef0123456789abcdef";

/// A machine that has run for a while.
fn original() -> christen_vfs::memory::Memory {
    let id = format!("{OLD}\n");
    let entry = format!("/boot/loader/entries/{OLD}-6.1.conf");
    guest(&[
        ("/etc/machine-id", &id),
        ("/var/lib/dbus/machine-id", &id),
        (&entry, ""),
        ("/etc/ssh/ssh_host_rsa_key", "old"),
        ("/etc/ssh/ssh_host_rsa_key.pub", "old"),
        ("/etc/ssh/ssh_host_ed25519_key", "old"),
        ("/etc/ssh/sshd_config", "kept"),
        ("/var/lib/dhcp/dhclient.eth0.leases", "lease"),
        ("/var/lib/NetworkManager/secret_key", "secret"),
        ("/var/lib/NetworkManager/NetworkManager.state", "kept"),
        ("/etc/dhcpcd.duid", "00:01"),
        ("/var/lib/systemd/random-seed", "seed"),
        ("/var/lib/seedrng/seed.credit", "seed"),
        ("/var/lib/cloud/instances/i-1/sem/x", ""),
        ("/var/lib/cloud/instance", "-> instances/i-1"),
        ("/var/lib/cloud/seed/nocloud/meta-data", "kept"),
        ("/etc/udev/rules.d/70-persistent-net.rules", "old"),
        (
            "/etc/iscsi/initiatorname.iscsi",
            "# x\nInitiatorName=iqn.1993-08.org.debian:01:abcdef\n",
        ),
        ("/etc/nvme/hostid", "old"),
        ("/etc/nvme/hostnqn", "old"),
    ])
}

fn renewed(fs: &mut christen_vfs::memory::Memory, keep: &[Mark]) -> (Vec<String>, usize) {
    let mut random = Counting::default();
    let mut stage = Stage::new(fs);
    let mut fresh = Fresh {
        keep,
        comment: "root@clone",
        random: &mut random,
    };
    let keys = reidentify(&mut stage, &mut fresh).expect("it can be renewed");
    let changed = stage.changes().iter().filter(|it| it.is_change()).count();
    (keys, changed)
}

#[test]
fn nothing_that_tells_them_apart_is_left() {
    let mut fs = original();
    let (keys, _) = renewed(&mut fs, &[]);
    assert!(keys[0].starts_with("ssh-ed25519 ") && keys[0].ends_with(" root@clone"));
    let id = text(&mut fs, "/etc/machine-id").unwrap();
    assert_ne!(id.trim_end(), OLD);
    assert_eq!(id.len(), 33);
    assert_eq!(&id[12..13], "4");
    assert_eq!(text(&mut fs, "/var/lib/dbus/machine-id").unwrap(), id);
    assert_eq!(
        text(&mut fs, "/etc/kernel/entry-token").unwrap(),
        format!("{OLD}\n")
    );
    for gone in [
        "/etc/ssh/ssh_host_rsa_key",
        "/etc/ssh/ssh_host_rsa_key.pub",
        "/var/lib/dhcp/dhclient.eth0.leases",
        "/var/lib/NetworkManager/secret_key",
        "/etc/dhcpcd.duid",
        "/var/lib/seedrng/seed.credit",
        "/var/lib/cloud/instances/i-1/sem/x",
        "/var/lib/cloud/instance",
        "/etc/udev/rules.d/70-persistent-net.rules",
    ] {
        let found = Stage::new(&mut fs)
            .look(&path(gone), LastLink::Kept)
            .unwrap();
        assert!(found.is_none(), "{gone}");
    }
    for kept in [
        "/etc/ssh/sshd_config",
        "/var/lib/NetworkManager/NetworkManager.state",
        "/var/lib/cloud/seed/nocloud/meta-data",
    ] {
        assert_eq!(text(&mut fs, kept).unwrap(), "kept");
    }
    assert_eq!(own(&mut fs, "/etc/ssh/ssh_host_ed25519_key").0, 0o600);
    let seed = Stage::new(&mut fs).read(&path(SEEDS[0])).unwrap().unwrap();
    assert_eq!(seed.len(), SEED_BYTES);
    let name = text(&mut fs, "/etc/iscsi/initiatorname.iscsi").unwrap();
    assert!(
        name.starts_with("# x\nInitiatorName=iqn.1993-08.org.debian:01:"),
        "{name}"
    );
    assert!(!name.contains("abcdef") && name.ends_with('\n'), "{name}");
    let nqn = text(&mut fs, "/etc/nvme/hostnqn").unwrap();
    let id = text(&mut fs, "/etc/nvme/hostid").unwrap();
    assert_eq!(nqn, format!("nqn.2014-08.org.nvmexpress:uuid:{id}"));
}

#[test]
fn what_is_to_be_kept_is_kept_and_what_is_not_there_is_not_made() {
    let mut fs = original();
    assert_eq!(renewed(&mut fs, Mark::ALL), (Vec::new(), 0));
    let mut template = guest(&[("/etc/machine-id", ""), ("/etc/ssh/sshd_config", "")]);
    assert_eq!(renewed(&mut template, &[]), (Vec::new(), 0));
}
