//! The section `guest:`.

use super::build::Builder;
use super::content::Size;
use super::text::{has_private_key, mode};
use super::walk::enter;
use crate::Secret;
use crate::model::{Guest, GuestFile, GuestUser, SshHostKey};
use crate::tree::Node;

impl Builder<'_, '_> {
    pub(crate) fn guest(&mut self, node: &Node) -> Guest {
        let path = &mut "guest".to_owned();
        let root_password = self
            .get(node, "root_password")
            .and_then(|password| self.password(password, &mut "guest.root_password".to_owned()));
        Guest {
            users: self.each(node, "users", path, Self::user),
            root_password,
            timezone: self.text(node, "timezone"),
            locale: self.text(node, "locale"),
            ssh_host_keys: self.each(node, "ssh_host_keys", path, Self::host_key),
            generate_ssh_host_key: self.text(node, "ssh_host_keys").is_some(),
            ca_certificates: self.each(node, "ca_certificates", path, Self::certificate),
            first_boot_commands: self
                .texts(node, "first_boot_commands")
                .into_iter()
                .map(Secret::new)
                .collect(),
            files: self.each(node, "files", path, Self::guest_file),
            operations: self.each(node, "operations", path, Self::operation),
            machine_id: self.machine_id(node),
            seed_cloud_init: self.seed(node),
        }
    }

    /// Reads every item of a list, with its path.
    pub(crate) fn each<T>(
        &mut self,
        node: &Node,
        name: &str,
        path: &mut String,
        read: impl Fn(&mut Self, &Node, &mut String) -> Option<T>,
    ) -> Vec<T> {
        let start = enter(path, name);
        let mut found = Vec::new();
        for (index, item) in self.items(node, name).iter().enumerate() {
            let length = path.len();
            path.push_str(&format!("[{index}]"));
            found.extend(read(self, item, path));
            path.truncate(length);
        }
        path.truncate(start);
        found
    }

    fn user(&mut self, node: &Node, path: &mut String) -> Option<GuestUser> {
        let mut keys = Vec::new();
        if let Some(value) = self.get(node, "ssh_authorized_keys") {
            let length = enter(path, "ssh_authorized_keys");
            keys = self.public_keys(value, path);
            path.truncate(length);
        }
        let mut password = None;
        if let Some(value) = self.get(node, "password") {
            let length = enter(path, "password");
            password = self.password(value, path);
            path.truncate(length);
        }
        Some(GuestUser {
            name: self.text(node, "name")?,
            ssh_authorized_keys: keys,
            password,
            groups: self.texts(node, "groups"),
            shell: self.text(node, "shell"),
            sudo: self.text(node, "sudo"),
            gecos: self.text(node, "gecos"),
            home: self.text(node, "home"),
            uid: self.number(node, "uid"),
            system: self.flag(node, "system").unwrap_or(false),
        })
    }

    fn host_key(&mut self, node: &Node, path: &mut String) -> Option<SshHostKey> {
        let mut private = None;
        if let Some(value) = self.get(node, "private") {
            let length = enter(path, "private");
            private = self.key_text(value, path);
            if private.as_ref().is_some_and(|text| !has_private_key(text)) {
                let message = "this is not a private key".to_owned();
                self.walk
                    .error(value.span, path, message, None)
                    .hint("it begins with `-----BEGIN OPENSSH PRIVATE KEY-----` or the like");
            }
            path.truncate(length);
        }
        let mut public = None;
        if let Some(value) = self.get(node, "public") {
            let length = enter(path, "public");
            public = self.public_key(value, path, true);
            path.truncate(length);
        }
        Some(SshHostKey {
            algorithm: self.text(node, "algorithm")?,
            private: Secret::new(private?),
            public: public.map(|key| key.trim_end().to_owned()),
        })
    }

    fn certificate(&mut self, node: &Node, path: &mut String) -> Option<String> {
        let text = self.key_text(node, path)?;
        if !text.contains("-----BEGIN CERTIFICATE-----") {
            let message = "this is not a certificate in PEM".to_owned();
            self.walk
                .error(node.span, path, message, None)
                .hint("it begins with `-----BEGIN CERTIFICATE-----`");
            return None;
        }
        Some(text)
    }

    fn guest_file(&mut self, node: &Node, path: &mut String) -> Option<GuestFile> {
        let size = Size {
            most: self.limits.guest_file_bytes,
            raised_by: Some("`--limit guest_file_bytes=NUMBER`"),
        };
        let content = self.bytes(node, path, size);
        Some(GuestFile {
            path: self.text(node, "path")?,
            content: Secret::new(content?),
            owner: self.text(node, "owner"),
            mode: node.get("mode").and_then(Node::as_text).and_then(mode),
        })
    }
}
