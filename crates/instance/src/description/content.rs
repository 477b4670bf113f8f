//! Text and bytes, given in place or as a file.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::build::Builder;
use super::cloud_config;
use super::format::Text;
use super::text::{decode_base64, shorten};
use super::walk::enter;
use crate::Secret;
use crate::model::Password;
use crate::tree::{Kind, Node};

/// Bytes of a password file: longer than any password, short enough for a mistaken path.
const MAX_PASSWORD_FILE: u64 = 4096;

/// Bytes of a file that holds a key or a certificate.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// Why bytes are wanted, for the message when they are too many.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Bytes at most.
    pub(crate) most: u64,
    /// What raises it, when anything does.
    pub(crate) raised_by: Option<&'static str>,
}

impl Builder<'_, '_> {
    /// Reads a file that the description names; a failure is a finding at `node`.
    pub(crate) fn read(&mut self, node: &Node, path: &str, size: Size) -> Option<Vec<u8>> {
        let name = node.as_text()?;
        if Text::LocalPath.check(name).is_err() {
            return None;
        }
        let shown = shorten(name);
        let error = match self.files.read(name, size.most) {
            Ok(bytes) if bytes.len() as u64 <= size.most => return Some(bytes),
            Ok(_) => io::ErrorKind::FileTooLarge.into(),
            Err(error) => error,
        };
        if error.kind() == io::ErrorKind::FileTooLarge {
            let message = format!("`{shown}` has more than {} bytes", size.most);
            let draft = self.walk.error(node.span, path, message, Some(shown));
            draft.hint = size.raised_by.map(raise);
        } else {
            let message = format!("cannot read `{shown}`: {error}");
            let draft = self.walk.error(node.span, path, message, Some(shown));
            if error.kind() == io::ErrorKind::NotFound {
                draft.hint("a path is relative to the description that names it");
            }
        }
        None
    }

    /// Reads a file that must be text.
    fn read_text(&mut self, node: &Node, path: &str, most: u64) -> Option<String> {
        let bytes = self.read(
            node,
            path,
            Size {
                most,
                raised_by: None,
            },
        )?;
        match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(_) => {
                let shown = shorten(node.as_text().unwrap_or_default());
                let message = format!("`{shown}` is not UTF-8 text");
                self.walk.error(node.span, path, message, Some(shown));
                None
            }
        }
    }

    /// The bytes of a mapping with `text`, `base64`, `file`, `source` or `cloud_config`.
    pub(crate) fn bytes(&mut self, node: &Node, path: &mut String, size: Size) -> Option<Vec<u8>> {
        for member in node.members() {
            let value = &member.value;
            let length = enter(path, &member.key);
            let bytes = match (member.key.as_str(), &value.kind) {
                ("text", Kind::Text { text, .. }) => Some(text.clone().into_bytes()),
                ("base64", Kind::Text { text, .. }) => decode_base64(text),
                ("file" | "source", Kind::Text { .. }) => self.read(value, path, size),
                ("cloud_config", Kind::Mapping(_)) => Some(cloud_config::encode(value)),
                _ => None,
            };
            let bytes = bytes.filter(|bytes| self.fits(bytes.len() as u64, value, path, size));
            path.truncate(length);
            if bytes.is_some() {
                return bytes;
            }
        }
        None
    }

    fn fits(&mut self, length: u64, node: &Node, path: &str, size: Size) -> bool {
        if length <= size.most {
            return true;
        }
        let message = format!("{length} bytes, more than {}", size.most);
        self.walk.error(node.span, path, message, None).hint = size.raised_by.map(raise);
        false
    }

    /// User data: text, or a mapping that says where it comes from.
    pub(crate) fn user_data(&mut self, root: &Node) -> Option<Secret<Vec<u8>>> {
        let user_data = self.get(root, "user_data");
        let cloud_config = self.get(root, "cloud_config");
        if let (Some(_), Some(second)) = (user_data, cloud_config) {
            let message = "only one of `user_data` and `cloud_config` may be given".to_owned();
            self.walk
                .error(second.span, "cloud_config", message, None)
                .hint("cloud-init's multi-part MIME can carry both, given as `user_data`");
            return None;
        }
        // Four letters for three bytes, padded: the largest size whose base64 still fits.
        let size = Size {
            most: self.limits.user_data_base64_bytes / 4 * 3,
            raised_by: Some("`--limit user_data_base64_bytes=NUMBER`"),
        };
        let bytes = match (user_data, cloud_config) {
            (Some(node), _) => {
                let path = &mut "user_data".to_owned();
                match &node.kind {
                    Kind::Text { text, .. } => {
                        let fits = self.fits(text.len() as u64, node, path, size);
                        fits.then(|| text.clone().into_bytes())
                    }
                    _ => self.bytes(node, path, size),
                }
            }
            (None, Some(node)) if matches!(node.kind, Kind::Mapping(_)) => {
                let bytes = cloud_config::encode(node);
                let fits = self.fits(bytes.len() as u64, node, "cloud_config", size);
                fits.then_some(bytes)
            }
            _ => None,
        };
        bytes.map(Secret::new)
    }

    /// Text, or `{text: ...}`, or `{file: ...}` less one final newline.
    pub(crate) fn secret_text(&mut self, node: &Node, path: &mut String) -> Option<Secret> {
        if let Some(text) = node.as_text() {
            return Some(Secret::new(text.to_owned()));
        }
        if let Some(text) = self.text(node, "text") {
            return Some(Secret::new(text));
        }
        let file = self.get(node, "file")?;
        let length = enter(path, "file");
        let text = self.read_text(file, path, MAX_PASSWORD_FILE);
        path.truncate(length);
        let mut text = text?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Some(Secret::new(text))
    }

    /// An account's password.
    pub(crate) fn password(&mut self, node: &Node, path: &mut String) -> Option<Password> {
        if let Some(hash) = self.text(node, "hash") {
            return Some(Password::Hash(Secret::new(hash)));
        }
        if let Some(locked) = self.get(node, "locked") {
            if matches!(locked.kind, Kind::Bool(false)) {
                let message = "`locked: false` gives no password".to_owned();
                self.walk
                    .error(locked.span, path, message, None)
                    .hint("leave `password` out to keep what the image has");
            }
            return Some(Password::Locked);
        }
        let text = self.secret_text(node, path)?;
        let looks_hashed = ["$1$", "$2a$", "$2b$", "$5$", "$6$", "$y$", "$gy$", "$7$"]
            .iter()
            .any(|prefix| text.expose().starts_with(prefix));
        if looks_hashed {
            let message = "this password looks like a crypt(5) hash".to_owned();
            self.walk
                .warning(node.span, path, message)
                .hint("for a hash write `{hash: ...}`");
        }
        Some(Password::Text(text))
    }

    /// Text, or `{file: ...}` with a key or a certificate.
    pub(crate) fn key_text(&mut self, node: &Node, path: &mut String) -> Option<String> {
        if let Some(text) = node.as_text() {
            return Some(text.to_owned());
        }
        let file = self.get(node, "file")?;
        let length = enter(path, "file");
        let text = self.read_text(file, path, MAX_KEY_FILE);
        path.truncate(length);
        text
    }

    /// A public key, judged; keys of the kind `ssh` are one line.
    pub(crate) fn public_key(
        &mut self,
        node: &Node,
        path: &mut String,
        one_line: bool,
    ) -> Option<String> {
        let text = self.key_text(node, path)?;
        if let Err(fault) = Text::PublicKey.check(&text) {
            // A key given in place was reported by the walk.
            if node.as_text().is_none() {
                self.walk.error(node.span, path, fault.message, None).hint = fault.hint;
            }
            return None;
        }
        if one_line && text.trim_end().contains('\n') {
            let message = "this is more than one line, and a public key is one line".to_owned();
            self.walk
                .error(node.span, path, message, None)
                .hint("give several keys as a list");
            return None;
        }
        if one_line && !looks_like_ssh_key(&text) {
            let message = "this does not look like an SSH public key".to_owned();
            self.walk
                .warning(node.span, path, message)
                .hint("it begins with its type, as `ssh-ed25519 AAAA...`");
        }
        Some(text)
    }

    /// One public key or a list of them, each without its final newline.
    pub(crate) fn public_keys(&mut self, node: &Node, path: &mut String) -> Vec<String> {
        let mut keys = Vec::new();
        if let Kind::List(items) = &node.kind {
            for (index, item) in items.iter().enumerate() {
                let length = path.len();
                path.push_str(&format!("[{index}]"));
                keys.extend(self.public_key(item, path, true));
                path.truncate(length);
            }
        } else {
            keys.extend(self.public_key(node, path, true));
        }
        for key in &mut keys {
            key.truncate(key.trim_end().len());
        }
        keys
    }
}

fn raise(means: &'static str) -> String {
    format!("{means} raises this limit")
}

/// Whether some word is a key type and the next one is base64 that begins with that type's
/// name (RFC 4253 §6.6); options may stand before, as in `authorized_keys`.
fn looks_like_ssh_key(text: &str) -> bool {
    let words: Vec<_> = text.split_ascii_whitespace().collect();
    words.windows(2).any(|pair| {
        let [kind, blob] = pair else { return false };
        let Ok(blob) = STANDARD.decode(blob) else {
            return false;
        };
        let named = blob
            .get(..4)
            .and_then(|length| <[u8; 4]>::try_from(length).ok())
            .map(|length| u32::from_be_bytes(length) as usize)
            .and_then(|length| blob.get(4..)?.get(..length));
        named == Some(kind.as_bytes())
    })
}
