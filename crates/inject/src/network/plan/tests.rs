use christen_instance::inputs::{VendorDataFailure, VendorDataRequest, VendorDataService};
use christen_instance::tree::{self, Node, Syntax};
use christen_instance::{Context, NoCloud, Settings};
use christen_testkit::networks;

use super::*;
use crate::testing::{Counting, instance};

struct NoServices;

impl VendorDataService for NoServices {
    fn ask(&mut self, _: &VendorDataRequest) -> std::result::Result<String, VendorDataFailure> {
        unreachable!("nothing is configured")
    }
}

/// What a drive's `network-config` says, made comparable.
fn network_config(instance: &Instance) -> Option<Node> {
    let settings = Settings::default();
    let context = Context {
        settings: &settings,
        like_nova: false,
        random: &mut Counting::default(),
        vendordata: &mut NoServices,
    };
    let documents = NoCloud::new(instance, context).documents().unwrap();
    let document = documents.iter().find(|it| it.path == "network-config")?;
    let text = String::from_utf8(document.content.clone()).unwrap();
    Some(tree::parse(&text, Syntax::Yaml).unwrap())
}

/// Lists what an interface of the document says, in words of the plan.
fn said(node: &Node) -> Vec<String> {
    let scalar = |node: &Node| match &node.kind {
        tree::Kind::Bool(it) => it.to_string(),
        tree::Kind::Number(it) => it.clone(),
        _ => node.as_text().unwrap_or_default().to_owned(),
    };
    let mut said = Vec::new();
    for member in node.members() {
        let value = &member.value;
        match member.key.as_str() {
            "match" => said.push(format!("mac {}", scalar(&value.members()[0].value))),
            "addresses" => said.extend(
                value
                    .items()
                    .iter()
                    .map(|it| format!("address {}", scalar(it))),
            ),
            "routes" => {
                for route in value.items() {
                    let part = |name| scalar(route.get(name).unwrap());
                    said.push(format!("route {} {}", part("to"), part("via")));
                }
            }
            "nameservers" => {
                let servers = value.get("addresses").unwrap().items();
                said.extend(servers.iter().map(|it| format!("dns {}", scalar(it))));
            }
            "parameters" => said.extend(
                value
                    .members()
                    .iter()
                    .map(|it| format!("bond {} {}", it.key, scalar(&it.value))),
            ),
            "interfaces" => said.push(format!("members {}", value.items().len())),
            "set-name" => {}
            key => said.push(format!("{key} {}", scalar(value))),
        }
    }
    said.sort();
    // The document says some routes twice.
    said.dedup();
    said
}

fn planned(interface: &Interface) -> Vec<String> {
    let mut said = Vec::new();
    match &interface.device {
        Device::Ethernet(mac) => said.push(format!("mac {mac}")),
        Device::Bond(bond) => {
            said.push(format!("macaddress {}", bond.mac));
            said.push(format!("members {}", bond.members.len()));
            let options = bond.options.iter();
            said.extend(
                options.map(|(option, value)| format!("bond {} {value}", option.netplan_name())),
            );
        }
    }
    if interface.dhcp4 {
        said.push("dhcp4 true".to_owned());
    }
    if interface.dhcp6 {
        said.push("dhcp6 true".to_owned());
    }
    said.extend(interface.accept_ra.map(|it| format!("accept-ra {it}")));
    said.extend(
        interface
            .addresses
            .iter()
            .map(|it| format!("address {}", text(*it))),
    );
    said.extend(
        interface
            .routes
            .iter()
            .map(|it| format!("route {} {}", text(it.to), it.via)),
    );
    said.extend(interface.dns.iter().map(|it| format!("dns {it}")));
    said.extend(interface.mtu.map(|it| format!("mtu {it}")));
    said.sort();
    // The document says some routes twice.
    said.dedup();
    said
}

#[test]
fn the_plan_says_what_the_drive_says() {
    for seed in 0..150 {
        let text = networks::description(seed);
        let instance = instance(&text);
        let plan = plan(&instance).unwrap().unwrap();
        let document = network_config(&instance).expect("there is a network");
        let mut found: Vec<_> = ["ethernets", "bonds"]
            .iter()
            .filter_map(|kind| document.get(kind))
            .flat_map(|node| node.members())
            .map(|member| said(&member.value))
            // Members of a bond have but their address.
            .filter(|said| said.len() > 1)
            .collect();
        let mut expected: Vec<_> = plan.interfaces.iter().map(planned).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "seed {seed}\n{text}");
        assert_eq!(plan.notices, [""; 0], "seed {seed}");
    }
}

#[test]
fn nothing_known_is_not_no_nic() {
    assert_eq!(plan(&instance("name: a\nnetwork: dhcp\n")).unwrap(), None);
    let none = plan(&instance("name: a\nnetwork: []\n")).unwrap();
    assert_eq!(none, Some(Plan::default()));
}

#[test]
fn a_next_hop_outside_is_on_the_link() {
    let instance = instance(
        "name: a\nnetwork:\n- mac: 52:54:00:00:00:01\n  address: [203.0.113.5/32, \"2001:db8::5/64\"]\n  gateway: [203.0.113.1, \"fe80::1\"]\n",
    );
    let plan = plan(&instance).unwrap().unwrap();
    let on_link: Vec<_> = plan.interfaces[0]
        .routes
        .iter()
        .map(|it| it.on_link)
        .collect();
    assert_eq!(on_link, [true, false]);
}

#[test]
fn the_first_of_equal_routes_counts() {
    let instance = instance(
        "name: a\nnetwork:\n- {mac: 52:54:00:00:00:01, address: 192.0.2.5/24, gateway: 192.0.2.1}\n\
         - {mac: 52:54:00:00:00:02, address: 192.0.2.6/24, gateway: 192.0.2.1}\n\
         - {mac: 52:54:00:00:00:03, address: 198.51.100.6/24, gateway: 198.51.100.1, routes: [{to: 10.0.0.0/8, via: 198.51.100.1}]}\n",
    );
    let plan = plan(&instance).unwrap().unwrap();
    let metrics: Vec<_> = plan
        .interfaces
        .iter()
        .flat_map(|it| &it.routes)
        .map(|it| it.metric)
        .collect();
    assert_eq!(metrics, [None, Some(1124), Some(1224), None]);
    let instance = crate::testing::instance(
        "name: a\nnetwork:\n- {mac: 52:54:00:00:00:01, dhcp: true, ipv6: slaac}\n\
         - {mac: 52:54:00:00:00:02, address: [192.0.2.6/24, \"2001:db8::6/64\"], gateway: [192.0.2.1, \"2001:db8::1\"]}\n",
    );
    let plan = super::plan(&instance).unwrap().unwrap();
    let metrics: Vec<_> = plan.interfaces[1]
        .routes
        .iter()
        .map(|it| it.metric)
        .collect();
    assert_eq!(metrics, [Some(1124), Some(1124)]);
}

#[test]
fn what_cannot_be_is_refused() {
    let mut broken = instance(
        "name: a\nnetwork:\n- {mac: 52:54:00:00:00:01, address: 192.0.2.1/24, gateway: 192.0.2.2}\n",
    );
    let with = |change: &dyn Fn(&mut Nic)| {
        let mut instance = broken.clone();
        change(&mut instance.network.as_mut().unwrap()[0]);
        plan(&instance).expect_err("it is wrong").to_string()
    };
    let errors = [
        with(&|nic| nic.mac = "52:54:00:00:00:01\nname=eth0".to_owned()),
        with(&|nic| nic.mac.clear()),
        with(&|nic| nic.subnets[0].cidr = "x".to_owned()),
        with(&|nic| nic.subnets[0].ips[0].address = "2001:db8::1".to_owned()),
        with(&|nic| nic.subnets[0].gateway = Some("192.0.2.2\nup rm".to_owned())),
        with(&|nic| nic.subnets[0].gateway = Some("2001:db8::1".to_owned())),
        with(&|nic| nic.subnets[0].dns = vec!["dns.example".to_owned()]),
    ];
    for error in errors {
        assert!(error.contains("NIC 0"), "{error}");
    }
    let nics = broken.network.as_mut().unwrap();
    nics.push(nics[0].clone());
    let error = plan(&broken).expect_err("they are twins").to_string();
    assert!(error.contains("two NICs have the MAC address"), "{error}");
}

#[test]
fn values_of_bonds_are_words() {
    let text = |value: &str| {
        format!(
            "name: a\nnetwork:\n- {{id: n, mac: 52:54:00:00:00:01, network: {{id: x}}, subnets: [{{cidr: 192.0.2.0/24, ips: [{{address: 192.0.2.3}}]}}]}}\n\
             bare_metal: {{ports: [{{id: p, mac: 52:54:00:00:00:02, port_group: g}}], port_groups: [{{id: g, vif: n, mode: \"{value}\"}}]}}\n"
        )
    };
    assert!(plan(&instance(&text("802.3ad"))).is_ok());
    let error = plan(&instance(&text("a\\n[x]"))).expect_err("it is no word");
    assert!(error.to_string().contains("no value of a bond's option"));
}

#[test]
fn routes_without_an_address_are_left_out_and_told() {
    let instance = instance(
        "name: a\nnetwork:\n- {mac: 52:54:00:00:00:01, network: {id: x}, subnets: [{cidr: 192.0.2.0/24, gateway: 192.0.2.1}, {cidr: \"2001:db8::/64\", ips: [{address: \"2001:db8::5\"}]}]}\n",
    );
    let plan = plan(&instance).unwrap().unwrap();
    assert_eq!(plan.interfaces[0].routes, []);
    assert!(plan.notices[0].contains("192.0.2.1"), "{:?}", plan.notices);
}
