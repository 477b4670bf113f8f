use christen_testkit::phony::{self, PhonyTree};
use christen_vfs::GuestPath;

use super::*;

fn inspect(mut tree: PhonyTree) -> Inspection {
    Inspection::read(tree.fs())
}

fn cloud_init(tree: PhonyTree) -> CloudInit {
    inspect(tree).cloud_init.expect("cloud-init is there")
}

#[test]
fn every_phony_guest_is_known() {
    let expected = [
        ("alpine", Some("3.20.3"), "24.1.4-r1", "alpine"),
        ("arch", None, "25.1.1-1", "arch"),
        ("debian", Some("12"), "22.4.2-1+deb12u1", "debian"),
        ("fedora", Some("41"), "24.2", "fedora"),
        ("opensuse-leap", Some("15.6"), "23.3", "opensuse"),
        ("opensuse-tumbleweed", Some("20250301"), "25.1", "opensuse"),
        ("ubuntu", Some("24.04"), "24.4-0ubuntu1~24.04.2", "ubuntu"),
    ];
    for ((name, tree), (id, version, cloud_init, user)) in phony::all().into_iter().zip(expected) {
        let found = inspect(tree);
        assert_eq!(found.unread, [], "{name}");
        let system = found.system.expect(name);
        assert_eq!(system.id, id, "{name}");
        assert_eq!(system.version.as_deref(), version, "{name}");
        let found = found.cloud_init.expect(name);
        assert_eq!(found.version.as_deref(), Some(cloud_init), "{name}");
        assert_eq!(found.state, CloudInitState::Enabled, "{name}");
        assert!(found.datasources.has("ConfigDrive"), "{name}");
        assert_eq!(found.default_user.as_deref(), Some(user), "{name}");
        assert!(!found.has_run, "{name}");
    }
}

#[test]
fn the_datasource_list_of_the_last_file_counts() {
    let found = cloud_init(phony::debian_12());
    assert_eq!(
        found.datasources.source,
        GuestPath::new("/etc/cloud/cloud.cfg.d/90_dpkg.cfg").ok()
    );
    let found = cloud_init(
        phony::debian_12()
            .file(
                "/etc/cloud/cloud.cfg.d/95-mine.cfg",
                "datasource_list: [NoCloud, None]\n",
            )
            .file(
                "/etc/cloud/cloud.cfg.d/99-off.cfg.disabled",
                "datasource_list: [Ec2]\n",
            ),
    );
    assert_eq!(found.datasources.names, ["NoCloud", "None"]);
    // Mappings are merged, key by key.
    let found = cloud_init(phony::debian_12().file(
        "/etc/cloud/cloud.cfg.d/95-mine.cfg",
        "system_info: {default_user: {name: me}}\nssh_pwauth: yes\ndisable_root: 0\nnetwork: {config: disabled}\n",
    ));
    assert_eq!(found.default_user.as_deref(), Some("me"));
    assert_eq!(found.ssh_password, Some(true));
    assert!(!found.disables_root && found.leaves_network);
    let found = cloud_init(phony::arch());
    assert_eq!(found.datasources.source, None);
    // ds-identify's own file is stronger than the list.
    let found = cloud_init(phony::arch().file(
        "/etc/cloud/ds-identify.cfg",
        "# policy: x\ndatasource: 'Ec2' # fixed\npolicy: enabled\n",
    ));
    assert_eq!(found.datasources.names, ["Ec2"]);
    assert_eq!(found.policy.as_deref(), Some("enabled"));
}

#[test]
fn a_broken_file_of_the_configuration_is_told_and_left_out() {
    let found = inspect(phony::debian_12().file(
        "/etc/cloud/cloud.cfg.d/99-bad.cfg",
        "datasource_list: [Ec2\n",
    ));
    let bad = GuestPath::new("/etc/cloud/cloud.cfg.d/99-bad.cfg").unwrap();
    assert_eq!(found.unread[0].path, bad);
    assert!(found.cloud_init.unwrap().datasources.has("ConfigDrive"));
}

#[test]
fn every_way_to_disable_cloud_init_is_seen() {
    let state = |tree| cloud_init(tree).state;
    assert_eq!(
        state(phony::debian_12().file("/etc/cloud/cloud-init.disabled", "")),
        CloudInitState::DisabledByFile
    );
    assert_eq!(
        state(phony::debian_12().file("/etc/cloud/ds-identify.cfg", "policy: disabled\n")),
        CloudInitState::DisabledByPolicy
    );
    let grub = "linux /vmlinuz root=/dev/vda1 cloud-init=disabled quiet\n";
    assert_eq!(
        state(phony::debian_12().file("/boot/grub/grub.cfg", grub)),
        CloudInitState::DisabledByCommandLine(GuestPath::new("/boot/grub/grub.cfg").unwrap())
    );
    let entry = "/boot/loader/entries/0-6.11.4-301.fc41.x86_64.conf";
    assert_eq!(
        state(phony::fedora_41().file(entry, "options ro cloud-init=disabled\n")),
        CloudInitState::DisabledByCommandLine(GuestPath::new(entry).unwrap())
    );
    assert_eq!(
        state(phony::debian_12().without("/etc/systemd/system/cloud-init.target.wants")),
        CloudInitState::NotStarted(ServiceState::Disabled)
    );
    assert_eq!(
        state(
            phony::alpine_3_20()
                .without("/etc/runlevels/default/cloud-init")
                .without("/etc/runlevels/boot/cloud-init-local")
        ),
        CloudInitState::NotStarted(ServiceState::Disabled)
    );
}

#[test]
fn odd_files_end_nothing() {
    let found = inspect(
        PhonyTree::new()
            .directories(&["/etc/os-release", "/etc/fstab", "/etc/cloud/cloud.cfg"])
            .link("/etc/lsb-release", "/etc/lsb-release")
            .file("/etc/debian_version", "7.11\n")
            .file("/usr/bin/cloud-init", "")
            .file("/etc/systemd", "no directory")
            .file("/var/lib/dpkg/status", vec![b'x'; (16 << 20) + 1]),
    );
    assert_eq!(found.system.unwrap().name, "Debian 7.11");
    let unread: Vec<_> = found
        .unread
        .iter()
        .map(|it| format!("{}: {}", it.path, it.reason))
        .collect();
    assert_eq!(
        unread,
        [
            "/etc/os-release: not a regular file",
            "/etc/lsb-release: too many symbolic links",
            "/var/lib/dpkg/status: it has 16777217 bytes, and at most 16777216 are read",
            "/etc/fstab: not a regular file",
            "/etc/cloud/cloud.cfg: not a regular file",
        ]
    );
    assert_eq!(
        found.cloud_init.unwrap().state,
        CloudInitState::NotStarted(ServiceState::Missing)
    );
}

/// A volume that is not at hand would have many of the files that are looked for: it is told once.
#[test]
fn what_is_not_mounted_is_told_once() {
    let mut tree = christen_vfs::Mounted::new(Box::new(phony::debian_12().into_fs()));
    let boot = GuestPath::new("/boot").unwrap();
    tree.mount_absent(&boot, "LABEL=boot").unwrap();
    let found = Inspection::read(&mut tree);
    assert_eq!(found.unread.len(), 1, "{:?}", found.unread);
    assert!(found.unread[0].reason.ends_with(": LABEL=boot"));
}

#[test]
fn summaries_are_as_recorded() {
    for (name, tree) in phony::all() {
        let text = inspect(tree).to_string();
        let path = format!("{}/tests/guests/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("CHRISTEN_UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let recorded = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, recorded, "{path}; set CHRISTEN_UPDATE=1");
    }
}
