//! Puts the instance together from a tree that the walk has judged.
//!
//! Wrong values were reported by then and are skipped here, so that one mistake does not
//! hide the next. What is reported here are rules between values, and files.

use super::content::Size;
use super::walk::{Walk, enter};
use super::{Limits, NOWHERE};
use crate::inputs::FileSource;
use crate::model::*;
use crate::tree::{Kind, Node};
use crate::{Instance, Secret, Value};

/// Name of the key pair that `ssh_authorized_keys` makes.
const DEFAULT_KEY_NAME: &str = "default";

/// Characters of a metadata key or value (Nova's columns).
const MAX_METADATA: usize = 255;

pub(crate) struct Builder<'w, 't> {
    pub(crate) walk: &'w mut Walk<'t>,
    pub(crate) files: &'w dyn FileSource,
    pub(crate) limits: &'w Limits,
}

impl<'w, 't> Builder<'w, 't> {
    pub(crate) fn new(
        walk: &'w mut Walk<'t>,
        files: &'w dyn FileSource,
        limits: &'w Limits,
    ) -> Self {
        Self {
            walk,
            files,
            limits,
        }
    }

    /// The member, unless it is missing or null.
    pub(crate) fn get<'n>(&self, node: &'n Node, name: &str) -> Option<&'n Node> {
        node.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, node: &Node, name: &str) -> Option<String> {
        node.get(name)?.as_text().map(str::to_owned)
    }

    /// The text, in two steps: whether it is there, and whether it is null.
    fn nullable_text(&self, node: &Node, name: &str) -> Option<Option<String>> {
        node.get(name)
            .map(|value| value.as_text().map(str::to_owned))
    }

    pub(crate) fn flag(&self, node: &Node, name: &str) -> Option<bool> {
        match node.get(name)?.kind {
            Kind::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, node: &Node, name: &str) -> Option<T> {
        number(node.get(name)?)
    }

    pub(crate) fn items<'n>(&self, node: &'n Node, name: &str) -> &'n [Node] {
        node.get(name).map_or(&[], Node::items)
    }

    pub(crate) fn texts(&self, node: &Node, name: &str) -> Vec<String> {
        self.items(node, name)
            .iter()
            .filter_map(|item| item.as_text().map(str::to_owned))
            .collect()
    }

    fn pairs(&self, node: &Node, name: &str) -> Vec<(String, String)> {
        node.get(name)
            .map_or(&[][..], Node::members)
            .iter()
            .filter_map(|member| Some((member.key.clone(), member.value.as_text()?.to_owned())))
            .collect()
    }

    /// The whole instance.
    pub(crate) fn instance(&mut self, root: &Node) -> Instance {
        let hostname = self.hostname(root);
        let name = self.text(root, "name").unwrap_or_else(|| {
            let label = hostname.as_deref().and_then(|name| name.split('.').next());
            label.unwrap_or_default().to_owned()
        });
        let ssh_authorized_keys = match self.get(root, "ssh_authorized_keys") {
            Some(node) => self.public_keys(node, &mut "ssh_authorized_keys".to_owned()),
            None => Vec::new(),
        };
        let key = match self.get(root, "key") {
            Some(node) => self.key(node),
            None => ssh_authorized_keys.first().map(|key| KeyPair {
                name: DEFAULT_KEY_NAME.to_owned(),
                kind: "ssh".to_owned(),
                public_key: Some(key.clone()),
                deleted: false,
            }),
        };
        let admin_password = self
            .get(root, "admin_password")
            .and_then(|node| self.secret_text(node, &mut "admin_password".to_owned()));
        Instance {
            uuid: self.text(root, "uuid"),
            name,
            hostname,
            project_id: self.text(root, "project_id"),
            user_id: self.text(root, "user_id"),
            reservation_id: self.text(root, "reservation_id"),
            launch_index: self.number(root, "launch_index").unwrap_or(0),
            availability_zone: self.text(root, "availability_zone"),
            config_drive: self.config_drive(root),
            launched: self.flag(root, "launched").unwrap_or(false)
                || self.get(root, "launched_at").is_some(),
            flavor_name: self
                .get(root, "flavor")
                .and_then(|flavor| self.text(flavor, "name")),
            image: self.get(root, "image").map(|image| self.image(image)),
            ec2: self
                .get(root, "ec2")
                .map(|numbers| self.ec2(numbers))
                .unwrap_or_default(),
            key,
            ssh_authorized_keys,
            user_data: self.user_data(root),
            metadata: self.metadata(root),
            system_metadata: self.pairs(root, "system_metadata"),
            admin_password,
            security_groups: self.texts(root, "security_groups"),
            files: self.injected_files(root),
            root_device: self.text(root, "root_device"),
            default_ephemeral_device: self.text(root, "default_ephemeral_device"),
            default_swap_device: self.text(root, "default_swap_device"),
            block_devices: self
                .items(root, "block_devices")
                .iter()
                .map(|device| self.block_device(device))
                .collect(),
            network: self.network(root),
            bare_metal: self
                .get(root, "bare_metal")
                .map(|node| self.bare_metal(node)),
            devices: self.get(root, "devices").map(|devices| {
                devices
                    .items()
                    .iter()
                    .map(|device| self.device(device))
                    .collect()
            }),
            numa: self
                .items(root, "numa")
                .iter()
                .map(|cell| NumaCell {
                    dedicated: self.numbers(cell, "dedicated"),
                    shared: self.numbers(cell, "shared"),
                })
                .collect(),
            guest: match self.get(root, "guest") {
                Some(node) => self.guest(node),
                None => Guest::default(),
            },
        }
    }

    fn hostname(&mut self, root: &Node) -> Option<String> {
        let node = self.get(root, "hostname")?;
        let text = node.as_text()?;
        let plain = text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "-.".contains(character));
        if !plain && super::format::Text::Hostname.check(text).is_ok() {
            let message = format!("`{text}` has characters that are unusual in a host name");
            self.walk
                .warning(node.span, "hostname", message)
                .hint("use letters without accents, digits and `-`");
        }
        Some(text.to_owned())
    }

    /// The column's text: `true` is Nova's `True`, `false` its empty text.
    fn config_drive(&self, root: &Node) -> String {
        match self.flag(root, "config_drive") {
            Some(true) => "True".to_owned(),
            Some(false) => String::new(),
            None => self.text(root, "config_drive").unwrap_or_default(),
        }
    }

    fn image(&self, node: &Node) -> Image {
        Image {
            id: self.text(node, "id"),
            kernel_id: self.text(node, "kernel_id"),
            ramdisk_id: self.text(node, "ramdisk_id"),
            img_config_drive: self
                .get(node, "properties")
                .and_then(|properties| self.text(properties, "img_config_drive")),
        }
    }

    fn ec2(&self, node: &Node) -> Ec2Numbers {
        Ec2Numbers {
            instance: self.number(node, "instance"),
            image: self.number(node, "image"),
            kernel: self.number(node, "kernel"),
            ramdisk: self.number(node, "ramdisk"),
        }
    }

    fn key(&mut self, node: &Node) -> Option<KeyPair> {
        let kind = self.text(node, "type").unwrap_or_else(|| "ssh".to_owned());
        let public_key = self.get(node, "public_key").and_then(|value| {
            self.public_key(value, &mut "key.public_key".to_owned(), kind == "ssh")
        });
        Some(KeyPair {
            name: self.text(node, "name")?,
            kind,
            public_key,
            deleted: self.flag(node, "deleted").unwrap_or(false),
        })
    }

    fn metadata(&mut self, root: &Node) -> Vec<(String, String)> {
        let Some(node) = self.get(root, "metadata") else {
            return Vec::new();
        };
        let members = node.members();
        if members.len() as u64 > self.limits.metadata_items {
            let message = format!(
                "{} items, more than {}",
                members.len(),
                self.limits.metadata_items
            );
            self.walk
                .error(node.span, "metadata", message, None)
                .hint("`--limit metadata_items=NUMBER` raises this limit");
        }
        for member in members {
            let path = &mut "metadata".to_owned();
            enter(path, &member.key);
            if member.key.is_empty() || member.key.chars().count() > MAX_METADATA {
                let message = format!("a metadata key has 1 to {MAX_METADATA} characters");
                self.walk.error(member.key_span, path, message, None);
            }
            let long = |text: &str| text.chars().count() > MAX_METADATA;
            if member.value.as_text().is_some_and(long) {
                let message = format!("a metadata value has at most {MAX_METADATA} characters");
                self.walk
                    .error(member.value.span, path, message, None)
                    .hint("larger things belong in `user_data` or `files`");
            }
        }
        self.pairs(root, "metadata")
    }

    fn injected_files(&mut self, root: &Node) -> Vec<InjectedFile> {
        let items = self.items(root, "files");
        if items.len() as u64 > self.limits.injected_files {
            let span = root.get("files").map_or(NOWHERE, |node| node.span);
            let message = format!(
                "{} files, more than {}",
                items.len(),
                self.limits.injected_files
            );
            self.walk.error(span, "files", message, None).hint(
                "option `[quota] injected_files` of the settings raises this limit; \
                 `guest.files` has no such limit",
            );
            return Vec::new();
        }
        let size = Size {
            most: self.limits.injected_file_content_bytes,
            raised_by: Some("option `[quota] injected_file_content_bytes` of the settings"),
        };
        let mut files = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let place = &mut format!("files[{index}]");
            let content = self.bytes(item, place, size);
            let Some(path) = item.get("path").and_then(Node::as_text) else {
                continue;
            };
            let length = path.len() as u64;
            if length > self.limits.injected_file_path_length {
                let span = item.get("path").map_or(item.span, |node| node.span);
                let message = format!(
                    "a path of {length} bytes, more than {}",
                    self.limits.injected_file_path_length
                );
                self.walk.error(span, &format!("{place}.path"), message, None).hint(
                    "option `[quota] injected_file_path_length` of the settings raises this limit",
                );
            }
            if let Some(content) = content {
                files.push(InjectedFile {
                    path: path.to_owned(),
                    content: Secret::new(content),
                });
            }
        }
        files
    }

    fn block_device(&self, node: &Node) -> BlockDevice {
        BlockDevice {
            source: self.text(node, "source"),
            destination: self.text(node, "destination"),
            device: self.text(node, "device"),
            format: self.text(node, "format"),
            boot_index: self.number(node, "boot_index"),
        }
    }

    fn bare_metal(&self, node: &Node) -> BareMetal {
        let ports = self.items(node, "ports").iter().map(|port| BareMetalPort {
            id: self.text(port, "id").unwrap_or_default(),
            mac: self.text(port, "mac").unwrap_or_default(),
            port_group: self.text(port, "port_group"),
            vif: self.text(port, "vif"),
        });
        let groups = self.items(node, "port_groups").iter();
        let groups = groups.map(|group| BareMetalPortGroup {
            id: self.text(group, "id").unwrap_or_default(),
            mac: self.text(group, "mac"),
            mode: self.text(group, "mode"),
            vif: self.text(group, "vif"),
            properties: match group.get("properties").map(Node::to_value) {
                Some(Value::Object(members)) => members,
                _ => Vec::new(),
            },
        });
        BareMetal {
            ports: ports.collect(),
            port_groups: groups.collect(),
        }
    }

    fn device(&self, node: &Node) -> Device {
        let kind = match node.get("kind").and_then(Node::as_text) {
            Some("nic") => DeviceKind::Nic {
                mac: self.text(node, "mac").unwrap_or_default(),
                vlan: self.number(node, "vlan"),
                trusted: self.flag(node, "trusted"),
            },
            Some("disk") => DeviceKind::Disk {
                serial: self.nullable_text(node, "serial"),
                path: self.nullable_text(node, "path"),
            },
            Some("share") => DeviceKind::Share {
                share_id: self.text(node, "share_id").unwrap_or_default(),
                tag: self.text(node, "tag"),
            },
            _ => DeviceKind::Other,
        };
        Device {
            kind,
            bus: self.text(node, "bus"),
            address: self.text(node, "address"),
            tags: self.get(node, "tags").map(|_| self.texts(node, "tags")),
        }
    }

    fn numbers(&self, node: &Node, name: &str) -> Vec<u32> {
        self.items(node, name).iter().filter_map(number).collect()
    }
}

/// A whole number that fits.
fn number<T: std::str::FromStr>(node: &Node) -> Option<T> {
    match node.to_value() {
        Value::Integer(digits) => digits.parse().ok(),
        _ => None,
    }
}
