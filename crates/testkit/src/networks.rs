//! Random networks, as descriptions.

use std::fmt::Write;

use crate::trees::Random;

/// Makes the description of an instance whose network is random, and possible: 1 to 4 NICs with addresses, DHCP, IPv6 in every mode,
/// gateways, routes with host bits, DNS servers, MTUs, and at times a bond. The same seed makes the same text.
pub fn description(seed: u64) -> String {
    let mut random = Random::new(seed);
    let mut out = String::from("name: net\nnetwork:\n");
    let count = 1 + random.below(4);
    for number in 0..count {
        nic(&mut out, &mut random, number);
    }
    if random.below(4) == 0 {
        bond(&mut out, &mut random);
    }
    out
}

fn nic(out: &mut String, random: &mut Random, number: usize) {
    // What `write!` returns is of no use: a `String` takes all there is.
    let _ = writeln!(
        out,
        "- id: port-{number}\n  mac: \"52:54:00:0A:{:02x}:{number:02X}\"\n  network: {{id: net-{number}, mtu: {}}}\n  subnets:",
        random.below(256),
        1280 + random.below(8000)
    );
    let ipv4 = random.below(4);
    let ipv6 = random.below(6);
    match ipv4 {
        0 => {}
        1 => {
            let server = *random.pick(&["enable_dhcp: true", "dhcp_server: 10.0.0.2"]);
            let _ = writeln!(
                out,
                "  - {{cidr: 10.{number}.0.0/16, {server}, ips: [{{address: 10.{number}.7.7}}], dns: [10.{number}.0.53]}}"
            );
        }
        _ => fixed(out, random, &format!("10.{number}"), ipv4 == 3),
    }
    // No zero: addresses here have the shortest form already.
    let site = number + 1;
    match ipv6 {
        0 => {}
        mode @ 1..=3 => {
            let mode = ["slaac", "dhcpv6-stateful", "dhcpv6-stateless"][mode - 1];
            let _ = writeln!(
                out,
                "  - {{cidr: \"2001:db8:{site}::/64\", ipv6_address_mode: {mode}, ips: [{{address: \"2001:db8:{site}::7\"}}]}}"
            );
        }
        _ => {
            let gateway =
                *random.pick(&["", "gateway: \"fe80::1\", ", "gateway: \"2001:db8::1\", "]);
            let gateway = gateway.replace("db8::1", &format!("db8:{site}::1"));
            let _ = writeln!(
                out,
                "  - {{cidr: \"2001:db8:{site}::/64\", {gateway}dns: [\"2001:db8::53\"], ips: [{{address: \"2001:db8:{site}::{:x}\"}}], routes: [{{to: \"2001:db8:ff{site}::9/48\", via: \"2001:db8:{site}::fe\"}}]}}",
                16 + random.below(1000)
            );
        }
    }
    if ipv4 == 0 && ipv6 == 0 {
        fixed(out, random, &format!("10.{number}"), false);
    }
}

fn fixed(out: &mut String, random: &mut Random, head: &str, has_two: bool) {
    let prefix = 16 + random.below(9);
    let mut ips = format!("{{address: {head}.0.{}}}", 10 + random.below(200));
    if has_two {
        let _ = write!(ips, ", {{address: {head}.0.{}}}", 220 + random.below(20));
    }
    let gateway = match random.below(3) {
        0 => String::new(),
        _ => format!("gateway: {head}.0.1, "),
    };
    let mut routes = String::new();
    for _ in 0..random.below(3) {
        let _ = write!(
            routes,
            "{{to: 172.{}.3.4/{}, via: {head}.0.2}}, ",
            16 + random.below(16),
            9 + random.below(24)
        );
    }
    let _ = writeln!(
        out,
        "  - {{cidr: {head}.0.0/{prefix}, enable_dhcp: false, {gateway}dns: [9.9.9.9, {head}.0.53], ips: [{ips}], routes: [{routes}]}}"
    );
}

fn bond(out: &mut String, random: &mut Random) {
    let mode = *random.pick(&["active-backup", "802.3ad", "balance-xor"]);
    let _ = write!(
        out,
        "bare_metal:\n  port_groups:\n  - {{id: group, mac: \"52:54:00:0b:00:00\", mode: {mode}, vif: port-0, properties: {{miimon: 100, xmit_hash_policy: layer2}}}}\n  ports:\n  - {{id: p0, mac: \"52:54:00:0b:00:01\", port_group: group}}\n  - {{id: p1, mac: \"52:54:00:0b:00:02\", port_group: group}}\n"
    );
}
