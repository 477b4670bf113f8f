//! Which renderers the image's own cloud-init would ask, in order.

use christen_instance::tree::{self, Node, Syntax};

use super::Renderer;
use crate::network::guest_files::path;
use crate::{Result, Stage};

/// A list of renderers and where it stands.
pub(super) struct Order {
    pub(super) names: Vec<String>,
    pub(super) origin: String,
}

/// Reads `system_info.network.renderers`: the last file that has it wins, and a file that is no YAML counts as if it were not there,
/// as for cloud-init (`cloudinit/util.py`, `read_conf_with_confd`, `load_yaml`).
pub(super) fn renderers(stage: &mut Stage<'_>) -> Result<Option<Order>> {
    let mut files = vec![path("/etc/cloud/cloud.cfg")];
    let directory = path("/etc/cloud/cloud.cfg.d");
    if stage.is_directory(&directory)? {
        let names = stage.names(&directory)?;
        let names = names.iter().filter(|name| name.ends_with(b".cfg"));
        files.extend(names.map(|name| directory.join(name)));
    }
    let mut order = None;
    for file in files {
        let is_file = stage
            .look(&file, christen_vfs::walk::LastLink::Followed)?
            .is_some_and(|it| it.kind == christen_vfs::Kind::File);
        if !is_file {
            continue;
        }
        let content = stage.read(&file)?.unwrap_or_default();
        let Ok(text) = std::str::from_utf8(&content) else {
            continue;
        };
        let Ok(node) = tree::parse(text, Syntax::Yaml) else {
            continue;
        };
        if let Some(names) = list(&node) {
            order = Some(Order {
                names,
                origin: file.to_string(),
            });
        }
    }
    Ok(order)
}

fn list(node: &Node) -> Option<Vec<String>> {
    let renderers = node.get("system_info")?.get("network")?.get("renderers")?;
    let names = renderers.items().iter();
    let names: Vec<_> = names
        .filter_map(|it| it.as_text().map(str::to_owned))
        .collect();
    (!names.is_empty()).then_some(names)
}

/// Whether cloud-init's name for a renderer means ours (`cloudinit/net/renderers.py`, `NAME_TO_RENDERER`).
pub(super) fn names(name: &str, renderer: Renderer) -> bool {
    match renderer {
        Renderer::Ifupdown => name == "eni",
        Renderer::Ifcfg | Renderer::Wicked => name == "sysconfig",
        Renderer::Netplan => name == "netplan",
        Renderer::NetworkManager => name == "network-manager",
        Renderer::Networkd => name == "networkd",
    }
}
