//! The network that is injected, read by the programs that guests have for it, and by cloud-init's renderers of the same network.

#[path = "network/guests.rs"]
mod guests;
#[path = "network/meaning.rs"]
mod meaning;

use std::fs;
use std::path::Path;
use std::process::Command;

use christen_inject::network::{Device, Plan, plan};
use christen_testkit::{TempDir, cloud_init, network_readers, networks, phony, python};

use guests::*;
use meaning::*;

/// Seeds of the networks that each reader gets.
const SEEDS: std::ops::Range<u64> = 0..24;

/// A network of fixed addresses, with a gateway outside of its subnet.
const FIXED: &str = "name: a
network:
- mac: 52:54:00:00:00:01
  address: [192.0.2.5/24, 192.0.2.6/24, \"2001:db8::5/64\"]
  gateway: [192.0.2.1, \"2001:db8::1\"]
  dns: [192.0.2.53, \"2001:db8::53\"]
  routes: [{to: 10.8.0.7/8, via: 192.0.2.9}, {to: \"2001:db8:7::1/48\", via: \"2001:db8::9\"}]
  mtu: 1400
- mac: 52:54:00:00:00:02
  address: 203.0.113.5/32
  routes: [{to: 198.51.100.0/24, via: 203.0.113.1}]
- mac: 52:54:00:00:00:03
  address: \"2001:db8:1::5/64\"
  gateway: \"fe80::1\"
";

fn planned_for(yaml: &str) -> Plan {
    plan(&instance(yaml)).unwrap().expect("there is a network")
}

/// Writes files below a directory.
fn put(root: &Path, files: &Files) {
    for (path, text) in files {
        let path = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if path.starts_with(root.join("etc/netplan")) {
            Command::new("chmod")
                .arg("600")
                .arg(&path)
                .status()
                .unwrap();
        }
    }
}

/// A script that shows files, for [`shown`].
const SHOW: &str = "show() { for f in \"$@\"; do [ -f \"$f\" ] || continue; echo \"@@@ $f\"; cat \"$f\"; done; }\n";

fn shown(text: &str) -> Files {
    let mut files = Files::new();
    let mut current = None;
    for line in text.split_inclusive('\n') {
        if let Some(path) = line.strip_prefix("@@@ ") {
            current = Some(files.entry(path.trim_end().to_owned()).or_default());
        } else if let Some(file) = &mut current {
            file.push_str(line);
        }
    }
    files
}

fn below(files: &Files, directory: &str) -> Files {
    let found = files.iter().filter(|(path, _)| path.starts_with(directory));
    found
        .map(|(path, text)| (path.clone(), text.clone()))
        .collect()
}

/// How a script makes a device for each MAC address, linked to one at the other end that is up.
fn devices(expected: &Meaning) -> String {
    let mut script = "ip link set lo up\n".to_owned();
    let macs = expected.keys().filter(|device| device.contains(':'));
    for (number, mac) in macs.enumerate() {
        script.push_str(&format!(
            "ip link add n{number} address {mac} type veth peer name p{number}\nip link set p{number} up\n"
        ));
    }
    script
}

const KERNEL: &str = "echo @@@ address; ip -j address; echo @@@ route4; ip -j route; echo @@@ route6; ip -j -6 route\n";

fn kernel(answer: &str, expected: &Meaning) -> Meaning {
    let shown = shown(answer);
    of_kernel(
        ["address", "route4", "route6"].map(|name| shown[name].as_str()),
        expected,
    )
}

#[test]
fn netplan_makes_of_it_what_is_meant() {
    let Some(readers) = network_readers::require() else {
        return;
    };
    let directory = TempDir::new();
    for seed in SEEDS {
        let files = written(with_netplan(), &instance(&networks::description(seed))).unwrap();
        put(
            &directory.path().join(seed.to_string()),
            &below(&files, "/etc/netplan/"),
        );
    }
    let answer = readers.ask(
        directory.path(),
        &format!("{SHOW}cd /run/files\nfor d in [0-9]*; do /usr/libexec/netplan/generate --root-dir $d 2>&1; show $d/run/systemd/network/*; done"),
    );
    assert!(answer.starts_with("@@@"), "{answer}");
    let shown = shown(&answer);
    for seed in SEEDS {
        let yaml = networks::description(seed);
        let found = of_networkd(&below(&shown, &format!("{seed}/")));
        assert_eq!(found, planned(&planned_for(&yaml)), "seed {seed}\n{yaml}");
    }
}

#[test]
fn network_manager_makes_of_it_what_is_meant() {
    let Some(readers) = network_readers::require() else {
        return;
    };
    let directory = TempDir::new();
    for seed in SEEDS {
        let files = written(
            with_network_manager(),
            &instance(&networks::description(seed)),
        )
        .unwrap();
        put(
            &directory.path().join(seed.to_string()),
            &below(&files, "/etc/NetworkManager/system-connections/"),
        );
    }
    // It reads a connection, checks it, and writes all of what it understood.
    let answer = readers.ask(
        directory.path(),
        "cd /run/files\nfor f in */etc/NetworkManager/system-connections/*; do echo \"@@@ $f\"; nmcli --offline connection modify connection.autoconnect yes < $f; done",
    );
    let shown = shown(&answer);
    for seed in SEEDS {
        let yaml = networks::description(seed);
        let plan = planned_for(&yaml);
        let mut expected = planned(&plan);
        for said in expected.values_mut() {
            said.remove("dhcp6");
        }
        for interface in &plan.interfaces {
            // A server of a family without addresses has no place in a keyfile, and the user is told.
            let has = |ipv4: bool| {
                interface.addresses.iter().any(|it| it.is_ipv4() == ipv4)
                    || (if ipv4 {
                        interface.dhcp4
                    } else {
                        interface.accept_ra == Some(true)
                    })
            };
            for server in interface.dns.iter().filter(|it| !has(it.is_ipv4())) {
                for said in expected.values_mut() {
                    said.remove(&format!("dns {server}"));
                }
            }
        }
        let found = of_keyfiles(&below(&shown, &format!("{seed}/")));
        assert_eq!(found, expected, "seed {seed}\n{yaml}");
    }
}

#[test]
fn networkd_gives_the_kernel_what_is_meant() {
    let Some(readers) = network_readers::require() else {
        return;
    };
    for seed in SEEDS {
        let yaml = networks::description(seed);
        let files = written(with_networkd(), &instance(&yaml)).unwrap();
        let found = of_networkd(&below(&files, "/etc/systemd/network/"));
        assert_eq!(found, planned(&planned_for(&yaml)), "seed {seed}\n{yaml}");
    }
    // A bond needs a kernel that has the module.
    let random = SEEDS.map(networks::description);
    let random = random.filter(|it| !it.contains("bare_metal")).take(4);
    for yaml in random.chain([FIXED.to_owned()]) {
        let plan = planned_for(&yaml);
        let mut expected = only(&planned(&plan), &["address", "route", "mtu"]);
        for said in expected.values_mut() {
            if !said.iter().any(|it| it.starts_with("mtu")) {
                said.insert("mtu 1500".to_owned());
            }
        }
        let directory = TempDir::new();
        let files = written(with_networkd(), &instance(&yaml)).unwrap();
        put(directory.path(), &below(&files, "/etc/systemd/network/"));
        let count: usize = expected
            .values()
            .flatten()
            .filter(|it| !it.starts_with("mtu"))
            .count();
        let answer = readers.ask(
            directory.path(),
            &format!(
                "mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp\n\
                 chown -R 998:998 /run/systemd/netif\ncp /run/files/etc/systemd/network/* /run/systemd/network/\n{}\
                 SYSTEMD_LOG_TARGET=console /lib/systemd/systemd-networkd > /run/log 2>&1 &\n\
                 for try in $(seq 100); do sleep 0.1; n=$( (ip -o address show scope global; ip route; ip -6 route) | busybox grep -c -e 'global' -e via) || true; [ \"$n\" -lt {count} ] || break; done\n\
                 {KERNEL}echo @@@ log; cat /run/log\nkill $!",
                devices(&expected)
            ),
        );
        let log = &shown(&answer)["log"];
        assert!(log.contains("Configuring with"), "{log}");
        for complaint in [
            "Unknown",
            "Failed to parse",
            "ignoring",
            "Invalid",
            "Could not set",
        ] {
            assert!(!log.contains(complaint), "{log}");
        }
        assert_eq!(kernel(&answer, &expected), expected, "{log}");
    }
}

#[test]
fn ifupdown_gives_the_kernel_what_is_meant() {
    let Some(readers) = network_readers::require() else {
        return;
    };
    let directory = TempDir::new();
    let mut expected = only(&planned(&planned_for(FIXED)), &["address", "route", "mtu"]);
    for said in expected.values_mut() {
        if !said.iter().any(|it| it.starts_with("mtu")) {
            said.insert("mtu 1500".to_owned());
        }
    }
    let files = written(with_ifupdown(), &instance(FIXED)).unwrap();
    put(directory.path(), &below(&files, "/etc/network/"));
    let answer = readers.ask(
        directory.path(),
        &format!(
            "{}ifup -a --no-scripts -i /run/files/etc/network/interfaces --state-dir /run >&2\n{KERNEL}",
            devices(&expected)
        ),
    );
    assert_eq!(kernel(&answer, &expected), expected);
}

#[test]
fn ifquery_finds_every_stanza() {
    let Some(readers) = network_readers::require() else {
        return;
    };
    let directory = TempDir::new();
    let mut questions = String::from("cd /run/files\n");
    for seed in SEEDS {
        let yaml = networks::description(seed);
        let files = written(with_ifupdown(), &instance(&yaml)).unwrap();
        let text = &files["/etc/network/interfaces"];
        put(
            &directory.path().join(seed.to_string()),
            &below(&files, "/etc/network/"),
        );
        for name in of_interfaces(text).keys() {
            questions.push_str(&format!(
                "echo '@@@ {seed} {name}'; ifquery -i {seed}/etc/network/interfaces {name}\n"
            ));
        }
    }
    let shown = shown(&readers.ask(directory.path(), &questions));
    for seed in SEEDS {
        let yaml = networks::description(seed);
        for interface in planned_for(&yaml).interfaces {
            let all: String = below(&shown, &format!("{seed} ")).into_values().collect();
            for address in &interface.addresses {
                let line = format!("address: {}\n", address.address());
                assert!(all.contains(&line), "seed {seed}: {line}\n{all}");
            }
            for route in &interface.routes {
                let command = format!(
                    "route replace {}/{} via {} dev",
                    route.to.address(),
                    route.to.prefix(),
                    route.via
                );
                assert!(all.contains(&command), "seed {seed}: {command}\n{all}");
            }
        }
    }
}

#[test]
fn busybox_gives_the_kernel_what_is_meant() {
    let Some(readers) = network_readers::require() else {
        return;
    };
    let directory = TempDir::new();
    let expected = only(&planned(&planned_for(FIXED)), &["address", "route"]);
    let files = written(with_busybox(), &instance(FIXED)).unwrap();
    put(directory.path(), &below(&files, "/etc/"));
    let answer = readers.ask(
        directory.path(),
        &format!(
            "{}{}mkdir -p /var/run\nmount -t tmpfs tmpfs /var/run\nmkdir /run/bin\nbusybox --install -s /run/bin\nPATH=$PATH:/run/bin\nmount -t tmpfs tmpfs /etc/network\nmkdir /etc/network/if-pre-up.d /etc/network/if-up.d\nbusybox ifup -v -a -i /run/files/etc/network/interfaces >&2\n{KERNEL}",
            // It gives the loopback its address too, and fails if it is there.
            devices(&expected).replace("ip link set lo up", ""),
            renamed(&files, &expected)
        ),
    );
    let found = only(&kernel(&answer, &expected), &["address", "route"]);
    assert_eq!(found, expected);
}

#[test]
fn ifupdown_ng_gives_the_kernel_what_is_meant() {
    let Some(readers) = network_readers::require() else {
        return;
    };
    let directory = TempDir::new();
    let expected = only(&planned(&planned_for(FIXED)), &["address", "route"]);
    let guest = with_busybox().directories(&["/usr/libexec/ifupdown-ng"]);
    let files = written(guest, &instance(FIXED)).unwrap();
    put(directory.path(), &below(&files, "/etc/"));
    let answer = readers.ask(
        directory.path(),
        &format!(
            "{}{}/ng/sbin/ifup -a -i /run/files/etc/network/interfaces -S /run/state -E /ng/usr/libexec/ifupdown-ng >&2\n{KERNEL}",
            devices(&expected),
            renamed(&files, &expected)
        ),
    );
    let found = only(&kernel(&answer, &expected), &["address", "route"]);
    assert_eq!(found, expected);
}

/// Lets udev give the devices the names that the rules say. The devices here have no driver, which the rules ask for so that nothing
/// is renamed that stands on a device and has its address.
fn renamed(files: &Files, expected: &Meaning) -> String {
    let rules = &files["/etc/udev/rules.d/70-christen-net.rules"];
    let rules = rules.replace("DRIVERS==\"?*\", ", "");
    let mut script = format!(
        "mkdir -p /run/udev/rules.d\ncat > /run/udev/rules.d/70-christen-net.rules <<'END'\n{rules}END\n"
    );
    for number in 0..expected.len() {
        script.push_str(&format!(
            "udevadm test --action=add /sys/class/net/n{number} > /run/log 2>&1 || {{ cat /run/log >&2; exit 1; }}\n"
        ));
    }
    script
}

#[test]
fn nameif_gives_the_names() {
    let Some(readers) = network_readers::require() else {
        return;
    };
    let directory = TempDir::new();
    let expected = planned(&planned_for(FIXED));
    let guest = phony::alpine_3_20()
        .file(
            "/etc/mdev.conf",
            "-SUBSYSTEM=net;DEVPATH=.*/net/.*;.* root:root 600 @/sbin/nameif -s\n",
        )
        .file(
            "/etc/mactab",
            "# of somebody else\neth9 52:54:00:00:00:99\n",
        );
    let files = written(guest, &instance(FIXED)).unwrap();
    put(directory.path(), &below(&files, "/etc/mactab"));
    let answer = readers.ask(
        directory.path(),
        &format!(
            "{}busybox nameif -c /run/files/etc/mactab >&2 || true\nip -o link",
            devices(&expected)
        ),
    );
    for (number, mac) in expected.keys().enumerate() {
        let line = answer.lines().find(|line| line.contains(mac.as_str()));
        let line = line.unwrap_or_default();
        assert!(line.contains(&format!(" net{number}@")), "{answer}");
    }
}

#[test]
fn cloud_init_means_the_same() {
    let Some(newest) = cloud_init::require().pop() else {
        return;
    };
    let Some(interpreter) = python::require(&["yaml"]) else {
        return;
    };
    let descriptions: Vec<_> = SEEDS.map(networks::description).collect();
    let configs: Vec<_> = descriptions
        .iter()
        .map(|it| network_config(&instance(it)))
        .collect();
    let program = format!(
        "import sys\nsys.path.insert(0, {:?})\n{}",
        newest.packages().to_str().unwrap(),
        include_str!("network/render.py")
    );
    let answer = python::ask(
        &interpreter,
        &program,
        &serde_json::to_string(&configs).unwrap(),
    );
    let answers: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(&answer).unwrap();
    assert_eq!(answers.len(), descriptions.len());
    for ((seed, yaml), answer) in SEEDS.zip(&descriptions).zip(answers) {
        let instance = instance(yaml);
        let plan = planned_for(yaml);
        let theirs =
            |renderer: &str| -> Files { serde_json::from_value(answer[renderer].clone()).unwrap() };
        let check = |ours: Meaning, theirs: Meaning, words: &[&str]| {
            assert_eq!(
                only(&ours, words),
                only(&theirs, words),
                "seed {seed}\n{yaml}"
            );
        };
        let all = ["address", "route", "dns", "dhcp4", "dhcp6", "mtu", "ra"];

        let has_bond = yaml.contains("bare_metal");
        let ours = written(with_networkd(), &instance).unwrap();
        check(
            of_networkd(&below(&ours, "/etc/systemd/network/")),
            of_networkd(&below(&theirs("networkd"), "/etc/systemd/network/")),
            // It forgets `accept-ra` of a bond.
            &all[..if has_bond { 6 } else { 7 }],
        );

        let ours = written(with_network_manager(), &instance).unwrap();
        check(
            of_keyfiles(&below(&ours, "/etc/NetworkManager/system-connections/")),
            of_keyfiles(&below(
                &theirs("network-manager"),
                "/etc/NetworkManager/system-connections/",
            )),
            // Where nothing is said of IPv6 it leaves NetworkManager's default.
            &["address", "route", "dns", "dhcp4", "mtu", "member"],
        );

        let ours = written(with_ifupdown(), &instance).unwrap();
        let ours = of_interfaces(&ours["/etc/network/interfaces"]);
        let theirs_eni = of_interfaces(&theirs("eni")["/etc/network/interfaces"]);
        for interface in &plan.interfaces {
            let number = interface.number;
            let is_bond = has_bond && number == 0;
            let names = if is_bond {
                ("bond0".to_owned(), "bond0".to_owned())
            } else {
                (format!("christen{number}"), format!("eth{number}"))
            };
            let pick = |meaning: &Meaning, name: &str| {
                Meaning::from([(
                    "it".to_owned(),
                    meaning.get(name).cloned().unwrap_or_default(),
                )])
            };
            check(
                without_asked_dns(pick(&ours, &names.0)),
                without_asked_dns(pick(&theirs_eni, &names.1)),
                &["address", "route", "dns", "dhcp4", "dhcp6", "mtu"],
            );
        }

        let ours = of_wicked(&written(with_wicked(), &instance).unwrap());
        let expected = only(&planned(&plan), &["route"]);
        let theirs_wicked = of_wicked(&below(&theirs("sysconfig-suse"), "/etc/sysconfig/network/"));
        for interface in &plan.interfaces {
            let number = interface.number;
            let (name, their_name, device) = match &interface.device {
                Device::Ethernet(mac) => (
                    format!("net{number}"),
                    format!("eth{number}"),
                    mac.to_string(),
                ),
                Device::Bond(bond) => (bond.name(), bond.name(), bond.name()),
            };
            // It writes no routes for wicked, so these are held against the plan.
            assert_eq!(
                only(&ours, &["route"])[&name],
                expected[&device],
                "seed {seed}\n{yaml}"
            );
            let words = ["address", "dhcp4", "dhcp6", "mtu"];
            assert_eq!(
                only(&ours, &words)[&name],
                only(&theirs_wicked, &words)[&their_name],
                "seed {seed}\n{yaml}"
            );
        }

        if let Ok(ours) = written(with_ifcfg(), &instance) {
            check(
                without_asked_dns(of_ifcfg(&below(&ours, "/etc/sysconfig/network-scripts/"))),
                without_asked_dns(of_ifcfg(&below(
                    &theirs("sysconfig"),
                    "/etc/sysconfig/network-scripts/",
                ))),
                &[
                    "address", "route", "dns", "dhcp4", "dhcp6", "mtu", "member", "bond",
                ],
            );
        }
    }
}

/// Without the DNS servers of interfaces that ask for their address: cloud-init leaves them out of two formats.
fn without_asked_dns(mut meaning: Meaning) -> Meaning {
    for said in meaning.values_mut() {
        if !said.iter().any(|it| it.starts_with("address")) {
            said.retain(|it| !it.starts_with("dns"));
        }
    }
    meaning
}
