use christen_testkit::phony::{self, PhonyTree};

use super::*;

fn detected(tree: PhonyTree) -> Detected {
    detect(&mut Stage::new(&mut tree.into_fs())).expect("something is there")
}

#[track_caller]
fn check(tree: PhonyTree, renderer: Renderer, because: &str) {
    let found = detected(tree);
    assert_eq!(found.renderer, renderer, "{}", found.because);
    assert!(found.because.contains(because), "{}", found.because);
}

#[test]
fn every_phony_guest_has_its_own() {
    let expected = [
        (
            "alpine-3.20",
            Renderer::Ifupdown,
            "/etc/runlevels/boot/networking",
        ),
        (
            "arch",
            Renderer::Networkd,
            "multi-user.target.wants/systemd-networkd.service",
        ),
        ("debian-12", Renderer::Netplan, "/usr/sbin/netplan"),
        (
            "fedora-41",
            Renderer::NetworkManager,
            "multi-user.target.wants/NetworkManager.service",
        ),
        ("opensuse-leap-15.6", Renderer::Wicked, "ifcfg-eth0"),
        (
            "opensuse-tumbleweed",
            Renderer::NetworkManager,
            "NetworkManager.service",
        ),
        ("ubuntu-24.04", Renderer::Netplan, "/usr/sbin/netplan"),
    ];
    let guests = phony::all();
    assert_eq!(guests.len(), expected.len());
    for ((name, tree), (expected_name, renderer, because)) in guests.into_iter().zip(expected) {
        assert_eq!(name, expected_name);
        check(tree, renderer, because);
    }
}

fn debian_with_ifupdown() -> PhonyTree {
    PhonyTree::new()
        .program("/usr/sbin/ifup")
        .file(
            "/etc/network/interfaces",
            "auto lo\niface lo inet loopback\n\nallow-hotplug ens3\niface ens3 inet dhcp\n",
        )
        .link(
            "/etc/systemd/system/multi-user.target.wants/networking.service",
            "/lib/systemd/system/networking.service",
        )
}

fn with_networkd(tree: PhonyTree) -> PhonyTree {
    tree.program("/usr/lib/systemd/systemd-networkd").link(
        "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
        "/lib/systemd/system/systemd-networkd.service",
    )
}

#[test]
fn what_has_something_to_configure_goes_first() {
    check(
        with_networkd(debian_with_ifupdown()),
        Renderer::Ifupdown,
        "/etc/network/interfaces configures it",
    );
    let tree = with_networkd(debian_with_ifupdown())
        .file("/etc/network/interfaces", "iface lo inet loopback\n")
        .file("/etc/systemd/network/50-any.network", "[Match]\n");
    check(tree, Renderer::Networkd, "50-any.network configures it");
}

#[test]
fn the_list_of_the_images_cloud_init_decides_among_what_starts() {
    let tree = with_networkd(debian_with_ifupdown())
        .file(
            "/etc/cloud/cloud.cfg",
            "system_info:\n  network:\n    renderers: [eni]\n",
        )
        .file("/etc/cloud/cloud.cfg.d/90-broken.cfg", "a: [\n")
        .file(
            "/etc/cloud/cloud.cfg.d/91.cfg",
            "system_info: {network: {renderers: [netplan, networkd, eni]}}\n",
        );
    check(
        tree,
        Renderer::Networkd,
        "the list of /etc/cloud/cloud.cfg.d/91.cfg",
    );
}

#[test]
fn what_nothing_starts_is_the_last_resort() {
    let tree = with_networkd(debian_with_ifupdown())
        .without("/etc/systemd/system/multi-user.target.wants/networking.service");
    check(tree, Renderer::Networkd, "starts it");
    let tree = debian_with_ifupdown()
        .without("/etc/systemd/system/multi-user.target.wants/networking.service");
    check(tree, Renderer::Ifupdown, "though nothing starts it");
}

#[test]
fn a_masked_unit_does_not_start() {
    let tree = with_networkd(debian_with_ifupdown())
        .link("/etc/systemd/system/networking.service", "/dev/null");
    check(tree, Renderer::Networkd, "starts it");
}

#[test]
fn presets_count_before_the_first_boot() {
    let tree = || {
        debian_with_ifupdown()
            .without("/etc/systemd/system/multi-user.target.wants/networking.service")
            .program("/usr/bin/NetworkManager")
            .file(
                "/usr/lib/systemd/system/NetworkManager.service",
                "[Install]\n",
            )
            .file(
                "/usr/lib/systemd/system-preset/99-default.preset",
                "disable *\n",
            )
            .file(
                "/usr/lib/systemd/system-preset/90-default.preset",
                "# what starts\nenable NetworkManager.*\n",
            )
    };
    check(
        tree(),
        Renderer::NetworkManager,
        "`enable NetworkManager.*` in /usr/lib/systemd/system-preset/90-default.preset",
    );
    let booted = tree().file("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    check(booted, Renderer::Ifupdown, "though nothing starts it");
    let off = tree().file(
        "/etc/systemd/system-preset/90-default.preset",
        "disable *\n",
    );
    check(off, Renderer::Ifupdown, "though nothing starts it");
}

#[test]
fn scripts_of_red_hat_need_their_service() {
    let tree = |link: &str| {
        PhonyTree::new()
            .program("/usr/sbin/ifup")
            .file("/etc/sysconfig/network-scripts/network-functions", "")
            .file("/etc/sysconfig/network-scripts/ifcfg-eth0", "ONBOOT=yes\n")
            .link(link, "../init.d/network")
            .program("/usr/sbin/NetworkManager")
            .link(
                "/etc/systemd/system/multi-user.target.wants/NetworkManager.service",
                "/usr/lib/systemd/system/NetworkManager.service",
            )
    };
    check(
        tree("/etc/rc.d/rc3.d/S10network"),
        Renderer::Ifcfg,
        "/etc/rc.d/rc3.d/S10network starts it",
    );
    check(
        tree("/etc/rc.d/rc3.d/K10network"),
        Renderer::NetworkManager,
        "NetworkManager.service starts it",
    );
}

#[test]
fn nothing_is_an_error_that_says_what_was_looked_for() {
    let mut fs = PhonyTree::new().directories(&["/etc"]).into_fs();
    let mut stage = Stage::new(&mut fs);
    let error = detect(&mut stage)
        .expect_err("nothing is there")
        .to_string();
    for name in [
        "ifup",
        "netplan",
        "wicked",
        "NetworkManager",
        "systemd-networkd",
    ] {
        assert!(error.contains(name), "{error}");
    }
    assert!(stage.changes().is_empty());
}

#[test]
fn what_stands_where_files_should_be_is_no_evidence() {
    let tree = with_networkd(PhonyTree::new())
        .directories(&[
            "/usr/sbin/ifup",
            "/etc/network/interfaces",
            "/etc/cloud/cloud.cfg",
        ])
        .file("/etc/netplan", "")
        .link("/usr/sbin/netplan", "netplan")
        .link("/usr/sbin/wicked", "/no/where");
    // A link to itself is an error of the guest, and said.
    let mut fs = tree.into_fs();
    assert!(matches!(
        detect(&mut Stage::new(&mut fs)),
        Err(Error::File { .. })
    ));
    let tree = with_networkd(PhonyTree::new())
        .directories(&[
            "/usr/sbin/ifup",
            "/etc/network/interfaces",
            "/etc/cloud/cloud.cfg",
        ])
        .file("/etc/netplan", "")
        .link("/usr/sbin/wicked", "/no/where");
    check(tree, Renderer::Networkd, "starts it");
}
