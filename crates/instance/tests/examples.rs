//! The examples give the documents that their comments promise.

mod common;

use std::fs;
use std::io;
use std::path::PathBuf;

use christen_instance::description::{self, Limits};
use christen_instance::inputs::FileSource;
use christen_instance::{Document, Instance, Value, json};

struct Examples(PathBuf);

impl FileSource for Examples {
    fn read(&self, path: &str, _: u64) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(path))
    }
}

fn example(name: &str) -> Instance {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let text = fs::read_to_string(directory.join(name)).unwrap();
    let parsed = description::parse(&text, name, &Examples(directory), &Limits::default());
    parsed
        .unwrap_or_else(|findings| panic!("{}", findings.render()))
        .instance
}

fn documents(name: &str) -> Vec<Document> {
    let instance = example(name);
    let mut world = common::World::default();
    world.renderer(&instance).documents().unwrap()
}

fn document(documents: &[Document], path: &str) -> Value {
    let found = documents
        .iter()
        .find(|document| document.path == path)
        .unwrap_or_else(|| panic!("no {path}"));
    json::parse(std::str::from_utf8(&found.content).unwrap()).unwrap()
}

#[test]
fn everything_is_a_drive_of_about_sixty_files() {
    let documents = documents("everything.yaml");
    assert!((55..=65).contains(&documents.len()), "{}", documents.len());
    let meta_data = document(&documents, "openstack/latest/meta_data.json");
    for name in ["admin_pass", "dedicated_cpus", "devices", "files", "keys"] {
        assert!(meta_data.get(name).is_some(), "no {name}");
    }
}

#[test]
fn every_nic_of_the_static_network_is_described() {
    let documents = documents("static-network.yaml");
    let network = document(&documents, "openstack/latest/network_data.json");
    let Some(Value::Array(networks)) = network.get("networks") else {
        panic!("no networks");
    };
    let types: Vec<_> = networks
        .iter()
        .filter_map(|network| network.get("type")?.as_str())
        .collect();
    assert_eq!(types, ["ipv4", "ipv4", "ipv4_dhcp", "ipv6_slaac"]);
}

#[test]
fn the_others_render() {
    for name in ["minimal.yaml", "web.yaml", "guest.yaml"] {
        assert!(documents(name).len() > 20, "{name}");
    }
}

#[test]
fn where_nothing_is_said_of_the_network_the_drive_says_nothing() {
    let has_network = |documents: &[Document]| {
        documents
            .iter()
            .any(|document| document.path.ends_with("network_data.json"))
    };
    assert!(!has_network(&documents("minimal.yaml")));
    assert!(has_network(&documents("web.yaml")));
}
