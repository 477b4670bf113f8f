use christen_testkit::networks;
use christen_testkit::phony::{self, PhonyTree};
use christen_testkit::trees::Random;
use christen_vfs::memory::Memory;

use super::super::inject;
use crate::testing::{instance, own, path, refusal, run, run_twice, text};
use crate::{Stage, network};

const TWO: &str = "name: a
network:
- {mac: 52:54:00:00:00:01, address: [192.0.2.5/24, \"2001:db8::5/64\"], gateway: [192.0.2.1, \"2001:db8::1\"], dns: [192.0.2.53], routes: [{to: 10.8.0.7/8, via: 192.0.2.9}], mtu: 1400}
- {mac: 52:54:00:00:00:02, dhcp: true, ipv6: slaac}
";

const ONE: &str = "name: a\nnetwork:\n- {mac: 52:54:00:00:00:03, dhcp: true}\n";

fn names(fs: &mut Memory, directory: &str) -> Vec<String> {
    let names = Stage::new(fs).names(&path(directory)).unwrap();
    names
        .into_iter()
        .map(|name| String::from_utf8(name).unwrap())
        .collect()
}

#[test]
fn fedora_gets_keyfiles() {
    let mut fs = phony::fedora_41().into_fs();
    let told = run_twice(&mut fs, TWO, inject);
    let file = "/etc/NetworkManager/system-connections/christen-0.nmconnection";
    assert_eq!(own(&mut fs, file), (0o600, 0, 0));
    let content = text(&mut fs, file).unwrap();
    assert!(content.contains("address1=192.0.2.5/24\n"), "{content}");
    assert!(
        content.contains("route2=10.0.0.0/8,192.0.2.9\n"),
        "{content}"
    );
    assert!(told.notices.iter().any(|it| it.text.contains("cloud-init")));
    let disabled = text(&mut fs, super::CLOUD_INIT).unwrap();
    assert!(disabled.ends_with("network: {config: disabled}\n"));

    // Another identity leaves no stale NIC.
    run_twice(&mut fs, ONE, inject);
    assert_eq!(
        names(&mut fs, "/etc/NetworkManager/system-connections"),
        ["christen-0.nmconnection"]
    );
    // No NIC takes all back.
    run_twice(&mut fs, "name: a\nnetwork: []\n", inject);
    assert_eq!(
        names(&mut fs, "/etc/NetworkManager/system-connections"),
        [""; 0]
    );
    assert_eq!(text(&mut fs, super::CLOUD_INIT), None);
}

#[test]
fn nothing_known_touches_nothing() {
    let mut fs = phony::fedora_41().into_fs();
    let told = run_twice(&mut fs, "name: a\n", inject);
    assert!(told.changes.is_empty() && told.notices.is_empty());
}

#[test]
fn netplan_files_that_define_devices_give_way() {
    let mut fs = phony::ubuntu_24_04()
        .file_of(
            "/etc/netplan/50-cloud-init.yaml",
            "network:\n  version: 2\n  ethernets: {eth0: {dhcp4: true}}\n",
            0o600,
            0,
            0,
        )
        .file(
            "/etc/netplan/01-manager.yaml",
            "network: {renderer: NetworkManager}\n",
        )
        .file(
            "/etc/netplan/02-odd.yaml",
            "network: {ethernets: {a: &a {}, b: *a\n",
        )
        .into_fs();
    let told = run_twice(&mut fs, TWO, inject);
    assert_eq!(
        names(&mut fs, "/etc/netplan"),
        ["01-manager.yaml", "50-christen.yaml"]
    );
    assert_eq!(own(&mut fs, "/etc/netplan/50-christen.yaml"), (0o600, 0, 0));
    let kept = "/etc/christen/saved/etc/netplan/50-cloud-init.yaml";
    assert_eq!(own(&mut fs, kept), (0o600, 0, 0));
    assert!(told.notices.iter().any(|it| it.text.contains(kept)));
}

#[test]
fn debian_with_ifupdown_gets_stanzas_by_mac_address() {
    let mut fs = phony::debian_12()
        .without("/usr/sbin/netplan")
        .program("/usr/sbin/ifup")
        .file("/usr/lib/ifupdown/settle-dad.sh", "")
        .link(
            "/etc/systemd/system/multi-user.target.wants/networking.service",
            "/lib/systemd/system/networking.service",
        )
        .file(
            "/etc/network/interfaces",
            "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n\nallow-hotplug ens3\niface ens3 inet dhcp\n",
        )
        .file("/etc/network/interfaces.d/50-cloud-init", "auto eth0\niface eth0 inet dhcp\n")
        .file("/etc/udev/rules.d/75-cloud-ifupdown.rules", "x")
        .into_fs();
    let told = run_twice(&mut fs, TWO, inject);
    let content = text(&mut fs, "/etc/network/interfaces").unwrap();
    assert!(
        content.starts_with(
            "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n\n# christen"
        ),
        "{content}"
    );
    assert!(content.contains(
        "\nauto mac/52:54:00:00:00:01=christen0\niface christen0 inet static\n    pre-up echo 0 > /proc/sys/net/ipv6/conf/$IFACE/accept_ra || true\n    mtu 1400\n"
    ));
    assert_eq!(
        text(&mut fs, "/etc/network/interfaces.d/50-cloud-init").unwrap(),
        ""
    );
    assert!(
        !Stage::new(&mut fs)
            .exists(&path("/etc/udev/rules.d/75-cloud-ifupdown.rules"))
            .unwrap()
    );
    let kept = text(&mut fs, "/etc/christen/saved/etc/network/interfaces").unwrap();
    assert!(kept.contains("iface ens3 inet dhcp"));
    // systemd-resolved has /etc/resolv.conf, and says so.
    assert!(
        told.notices
            .iter()
            .any(|it| it.text.contains("is a link to")),
        "{:?}",
        told.notices
    );
    run_twice(&mut fs, "name: a\nnetwork: []\n", inject);
    let content = text(&mut fs, "/etc/network/interfaces").unwrap();
    assert_eq!(
        content,
        "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n\n"
    );
}

#[test]
fn alpine_gets_names_only_where_there_are_several() {
    let alpine = || {
        phony::alpine_3_20()
            .file(
                "/etc/mdev.conf",
                "-SUBSYSTEM=net;DEVPATH=.*/net/.*;.* root:root 600 @/sbin/nameif -s\n",
            )
            .file(
                "/etc/mactab",
                "# mine\neth5 52:54:00:00:00:09\neth6 52:54:00:00:00:01\n",
            )
    };
    let mut fs = alpine().into_fs();
    run_twice(&mut fs, ONE, inject);
    let content = text(&mut fs, "/etc/network/interfaces").unwrap();
    assert!(
        content.contains("\nauto eth0\niface eth0 inet dhcp\n"),
        "{content}"
    );
    assert_eq!(text(&mut fs, "/etc/mactab").unwrap().lines().count(), 3);
    run_twice(&mut fs, TWO, inject);
    let content = text(&mut fs, "/etc/network/interfaces").unwrap();
    assert!(!content.contains("eth0"), "{content}");
    assert!(
        content.contains("\nauto net1\niface net1 inet dhcp\n"),
        "{content}"
    );
    assert_eq!(
        text(&mut fs, "/etc/mactab").unwrap(),
        "# mine\neth5 52:54:00:00:00:09\nnet0 52:54:00:00:00:01 # christen\nnet1 52:54:00:00:00:02 # christen\n"
    );
    let resolv = text(&mut fs, "/etc/resolv.conf").unwrap();
    assert_eq!(resolv, "nameserver 192.0.2.53\n");
    run_twice(&mut fs, ONE, inject);
    assert_eq!(
        text(&mut fs, "/etc/mactab").unwrap(),
        "# mine\neth5 52:54:00:00:00:09\n"
    );

    let mut fs = alpine().without("/etc/mdev.conf").into_fs();
    let error = refusal(&mut fs, TWO, inject);
    assert!(error.contains("neither udev nor an mdev"), "{error}");
}

#[test]
fn arch_gets_networkd_files_that_come_first() {
    let mut fs = phony::arch()
        .file(
            "/etc/systemd/network/05-all.network",
            "[Match]\nName=en*\n[Network]\nDHCP=yes\n",
        )
        .file("/etc/systemd/network/06-wg.network", "[Match]\nName=wg0\n")
        .file(
            "/etc/systemd/network/07-mac.network",
            "[Match]\nMACAddress=52:54:00:00:00:aa\n",
        )
        .file("/etc/systemd/network/20-wired.network", "[Match]\nName=*\n")
        .into_fs();
    run_twice(&mut fs, TWO, inject);
    assert_eq!(
        names(&mut fs, "/etc/systemd/network")
            .into_iter()
            .filter(|name| name.ends_with(".network"))
            .collect::<Vec<_>>(),
        [
            "06-wg.network",
            "07-mac.network",
            "10-christen-0.network",
            "10-christen-1.network",
            "20-wired.network"
        ]
    );
}

#[test]
fn what_starts_beside_leaves_our_devices_alone() {
    let mut fs = phony::fedora_41()
        .program("/usr/lib/systemd/systemd-networkd")
        .link(
            "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
            "/usr/lib/systemd/system/systemd-networkd.service",
        )
        .file(
            "/etc/systemd/network/10-any.network",
            "[Match]\nType=ether\n[Network]\nDHCP=yes\n",
        )
        .into_fs();
    run_twice(&mut fs, ONE, inject);
    assert!(
        text(&mut fs, super::UNMANAGED)
            .unwrap()
            .contains("unmanaged-devices=mac:52:54:00:00:00:03\n")
    );
    assert!(text(&mut fs, "/etc/systemd/network/10-christen-0.network").is_some());
    assert!(
        !Stage::new(&mut fs)
            .exists(&path("/etc/systemd/network/10-any.network"))
            .unwrap()
    );
}

#[test]
fn leap_gets_wickeds_files_by_names_that_udev_gives() {
    let mut fs = phony::opensuse_leap_15_6()
        .directories(&["/usr/lib/udev/rules.d"])
        .into_fs();
    run_twice(&mut fs, TWO, inject);
    assert_eq!(
        names(&mut fs, "/etc/sysconfig/network"),
        [
            "config",
            "ifcfg-net0",
            "ifcfg-net1",
            "ifroute-net0",
            "ifsysctl-net0",
            "ifsysctl-net1"
        ]
    );
    let rules = text(&mut fs, "/etc/udev/rules.d/70-christen-net.rules").unwrap();
    assert!(
        rules.contains("ATTR{address}==\"52:54:00:00:00:02\", NAME=\"net1\"\n"),
        "{rules}"
    );
    let routes = text(&mut fs, "/etc/sysconfig/network/ifroute-net0").unwrap();
    assert!(
        routes.ends_with(
            "\ndefault 192.0.2.1 - net0\n10.0.0.0/8 192.0.2.9 - net0\ndefault 2001:db8::1 - net0\n"
        ),
        "{routes}"
    );
    let config = text(&mut fs, "/etc/sysconfig/network/config").unwrap();
    assert_eq!(
        config,
        "NETCONFIG_DNS_POLICY=\"auto\"\nNETCONFIG_DNS_STATIC_SERVERS=\"192.0.2.53\"\n"
    );
    run_twice(&mut fs, ONE, inject);
    assert_eq!(
        names(&mut fs, "/etc/sysconfig/network"),
        ["config", "ifcfg-net0"]
    );
}

fn red_hat() -> PhonyTree {
    PhonyTree::new()
        .program("/usr/sbin/ifup")
        .file("/etc/sysconfig/network-scripts/network-functions", "")
        .file("/etc/sysconfig/network-scripts/ifcfg-lo", "DEVICE=lo\n")
        .file(
            "/etc/sysconfig/network-scripts/ifcfg-eth0",
            "DEVICE=eth0\nONBOOT=yes\nBOOTPROTO=dhcp\n",
        )
        .file(
            "/etc/sysconfig/network-scripts/ifcfg-ib0",
            "TYPE=\"InfiniBand\"\n",
        )
        .file("/etc/sysconfig/network-scripts/ifcfg-eth0.10", "VLAN=yes\n")
        .file("/etc/sysconfig/network-scripts/ifcfg-eth1", "BRIDGE=br0\n")
        .link("/etc/rc.d/rc3.d/S10network", "../init.d/network")
}

#[test]
fn red_hats_scripts_get_ifcfg_files() {
    let mut fs = red_hat().into_fs();
    run_twice(&mut fs, TWO, inject);
    assert_eq!(
        names(&mut fs, "/etc/sysconfig/network-scripts"),
        [
            "ifcfg-christen-0",
            "ifcfg-christen-1",
            "ifcfg-eth0.10",
            "ifcfg-ib0",
            "ifcfg-lo",
            "network-functions",
            "route-christen-0",
            "route6-christen-0"
        ]
    );
    run_twice(&mut fs, ONE, inject);
    assert_eq!(
        names(&mut fs, "/etc/sysconfig/network-scripts"),
        [
            "ifcfg-christen-0",
            "ifcfg-eth0.10",
            "ifcfg-ib0",
            "ifcfg-lo",
            "network-functions"
        ]
    );
}

/// Everything that an injection wrote, as one text.
fn written(fs: &mut Memory, yaml: &str) -> Result<String, crate::Error> {
    let told = run(fs, &instance(yaml), inject)?;
    let mut all = String::new();
    for change in told.changes {
        let content = change
            .after
            .and_then(|it| it.content)
            .and_then(|it| it.bytes);
        all.push_str(&String::from_utf8_lossy(&content.unwrap_or_default()));
    }
    Ok(all)
}

#[test]
fn every_address_and_route_is_written() {
    type Guest = (&'static str, fn() -> PhonyTree);
    let guests: [Guest; 7] = [
        ("alpine", || {
            phony::alpine_3_20().directories(&["/lib/udev/rules.d"])
        }),
        ("arch", phony::arch),
        ("debian", phony::debian_12),
        ("fedora", phony::fedora_41),
        ("leap", || {
            phony::opensuse_leap_15_6().directories(&["/usr/lib/udev/rules.d"])
        }),
        ("red hat", red_hat),
        ("ubuntu", phony::ubuntu_24_04),
    ];
    let mut refused = 0;
    for seed in 0..60 {
        let yaml = networks::description(seed);
        let plan = network::plan(&instance(&yaml)).unwrap().unwrap();
        for (name, guest) in &guests {
            let mut fs = guest().into_fs();
            let all = match written(&mut fs, &yaml) {
                Ok(all) => all,
                Err(error) => {
                    let error = error.to_string();
                    let is_meant = match *name {
                        "alpine" => error.contains("is a bond") || error.contains("busybox"),
                        "red hat" => error.contains("cannot reach"),
                        _ => false,
                    };
                    assert!(is_meant, "seed {seed}, {name}: {error}");
                    refused += 1;
                    continue;
                }
            };
            for interface in &plan.interfaces {
                for address in &interface.addresses {
                    let address = address.address().to_string();
                    assert!(
                        all.contains(&address),
                        "seed {seed}, {name}: {address}\n{all}"
                    );
                }
                for route in &interface.routes {
                    let to = match *name {
                        "leap" if route.is_default() => "default".to_owned(),
                        _ => route.to.address().to_string(),
                    };
                    for part in [to, route.via.to_string()] {
                        assert!(all.contains(&part), "seed {seed}, {name}: {part}\n{all}");
                    }
                }
                for mac in plan.macs() {
                    let is_alone = *name == "alpine" && plan.interfaces.len() == 1;
                    assert!(
                        is_alone || all.contains(&mac.to_string()),
                        "seed {seed}, {name}: {mac}\n{all}"
                    );
                }
            }
            assert!(
                run(&mut fs, &instance(&yaml), inject)
                    .unwrap()
                    .changes
                    .iter()
                    .all(|it| !it.is_change()),
                "seed {seed}, {name}"
            );
        }
    }
    assert!(refused < 120, "{refused}");
}

#[test]
fn what_stands_in_the_way_is_an_error() {
    let mut fs = phony::fedora_41()
        .file(
            "/etc/NetworkManager/system-connections/christen-0.nmconnection",
            "old",
        )
        .without("/etc/cloud")
        .file("/etc/cloud", "x")
        .into_fs();
    let error = refusal(&mut fs, ONE, inject);
    assert!(error.contains("/etc/cloud"), "{error}");
}

#[test]
fn every_phony_guest_takes_a_network() {
    for (name, guest) in phony::all() {
        let mut fs = guest.into_fs();
        let told = run_twice(&mut fs, ONE, inject);
        assert!(told.changes.iter().any(|it| it.is_change()), "{name}");
    }
}

#[test]
fn links_with_our_names_lead_nowhere() {
    let links = [
        "/etc/systemd/network/10-christen-0.network",
        "/etc/systemd/network/10-christen-7.network",
        "/etc/cloud/cloud.cfg.d/99-christen-network.cfg",
    ];
    for target in [
        "/etc/passwd",
        "../../../../../etc/passwd",
        "/no/where",
        "10-christen-0.network",
    ] {
        let mut guest = phony::arch();
        for link in links {
            guest = guest.link(link, target);
        }
        let mut fs = guest.into_fs();
        let before = text(&mut fs, "/etc/passwd");
        match run(&mut fs, &instance(ONE), inject) {
            Ok(_) => {
                let file = text(&mut fs, links[0]).expect("it is there");
                assert!(file.contains("DHCP=ipv4"), "{file}");
            }
            // A link to itself can be neither read nor followed.
            Err(error) => assert!(matches!(error, crate::Error::File { .. }), "{error}"),
        }
        assert_eq!(text(&mut fs, "/etc/passwd"), before, "{target}");
    }
}

#[test]
fn what_is_too_large_or_no_file_is_said() {
    let large = "x".repeat(17 << 20);
    let errors = [
        phony::ubuntu_24_04().file("/etc/netplan/a.yaml", &large),
        phony::ubuntu_24_04()
            .without("/etc/netplan")
            .file("/etc/netplan", "x"),
        phony::ubuntu_24_04().directories(&["/etc/netplan/50-christen.yaml"]),
        phony::fedora_41().file("/etc/NetworkManager/system-connections/a", &large),
        phony::arch().file("/etc/cloud/cloud.cfg.d", "x"),
        phony::alpine_3_20().file("/etc/network/interfaces", &large),
    ];
    for guest in errors {
        let mut fs = guest.into_fs();
        let error = refusal(&mut fs, ONE, inject);
        assert!(error.contains("`/etc/"), "{error}");
    }
}

/// Configurations of any bytes, with the words that their readers look for among them.
#[test]
fn any_bytes_can_stand_in_the_guests_files() {
    const WORDS: [&[u8]; 28] = [
        b"iface ",
        b"auto ",
        b"eth0",
        b"lo",
        b"mapping ",
        b"source ",
        b"allow-hotplug ",
        b"\\\n",
        b"\n",
        b"\r\n",
        b"\0",
        b"\xff",
        b"#",
        b"[Match]",
        b"[connection]",
        b"type=",
        b"ethernet",
        b"Name=",
        b"MACAddress=",
        b"=",
        b"*",
        b"network:",
        b" ethernets: {",
        b"&a *a",
        b"TYPE=\"",
        b"mac/",
        b"# christen: end",
        b"# christen: from here to the end mark the next injection writes anew",
    ];
    const FILES: [&str; 7] = [
        "/etc/network/interfaces",
        "/etc/network/interfaces.d/x",
        "/etc/netplan/x.yaml",
        "/etc/NetworkManager/system-connections/x",
        "/etc/systemd/network/00-x.network",
        "/etc/sysconfig/network/ifcfg-x",
        "/etc/mactab",
    ];
    for seed in 0..60 {
        let mut random = Random::new(seed);
        for (name, mut guest) in phony::all() {
            for file in FILES {
                let mut content = Vec::new();
                for _ in 0..random.below(60) {
                    let word: &&[u8] = random.pick(&WORDS);
                    content.extend_from_slice(word);
                }
                if guest.has(file) {
                    guest = guest.without(file);
                }
                guest = guest.file(file, &content);
            }
            let mut fs = guest.into_fs();
            if run(&mut fs, &instance(ONE), inject).is_ok() {
                let again = run(&mut fs, &instance(ONE), inject).unwrap();
                let changed: Vec<_> = again.changes.iter().filter(|it| it.is_change()).collect();
                assert!(changed.is_empty(), "seed {seed}, {name}: {changed:?}");
            }
        }
    }
}
