//! Nova's recorded cases; what is expected is what Nova wrote.

use std::collections::BTreeSet;

use christen_instance::{Value, json};
use christen_testkit::extract::Files;

use super::{Case, Expected, UserData};
use crate::support::{member, members};
use crate::vector_support::{self as vector, Services, recorded, vectors};

/// Every recorded case that has a drive.
pub(crate) fn golden() -> Vec<Case> {
    let vectors = vectors().into_iter();
    vectors
        .filter(|(_, vector)| member(vector, "config_drive").get("files").is_some())
        .map(|(name, vector)| case(&name, &vector))
        .collect()
}

fn case(name: &str, vector: &Value) -> Case {
    let services = member(vector, "input").get("vendordata_services");
    let services = services.map(Services::start);
    let stage = vector::Case::new(vector, services.as_ref());
    Case {
        name: format!("nova-{name}"),
        dialect: "openstack",
        description: stage.directory.join("instance.json"),
        options: vec![
            "--like".into(),
            "nova".into(),
            "--settings".into(),
            stage.directory.join("christen.toml").into(),
        ],
        expected: expected(recorded(member(vector, "config_drive"))),
        stage: Some(stage),
    }
}

/// What Nova's own documents say.
fn expected(tree: Files) -> Expected {
    let document = |name: &str| {
        let text = tree.get(&format!("openstack/latest/{name}"))?;
        json::parse(str::from_utf8(text).expect("JSON is text")).ok()
    };
    let meta_data = document("meta_data.json").expect("Nova writes it always");
    let member = |name: &str| text_of(meta_data.get(name).expect(name)).to_owned();
    let network = document("network_data.json").expect("Nova writes it always");
    // An instance without network information has `{}`.
    let links = match network.get("links") {
        Some(Value::Array(links)) => &links[..],
        _ => &[],
    };
    let macs: BTreeSet<String> = links
        .iter()
        .filter_map(|link| link.get("ethernet_mac_address")?.as_str())
        .map(str::to_lowercase)
        .collect();
    Expected {
        uuid: member("uuid"),
        hostname: member("hostname"),
        keys: meta_data.get("public_keys").map_or_else(Vec::new, |keys| {
            let keys = members(keys).iter();
            keys.map(|(_, key)| text_of(key).to_owned()).collect()
        }),
        user_data: UserData::Bytes(
            tree.get("openstack/latest/user_data")
                .cloned()
                .unwrap_or_default()
                .into(),
        ),
        macs,
        tree: Some(tree),
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().expect("a text")
}
