//! The public keys that an instance shows.

use crate::Instance;

/// The name of the first key where a description gives keys without a key pair.
const DEFAULT_NAME: &str = "default";

/// A public key with its name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PublicKey<'a> {
    /// Name; unique among the keys of an instance.
    pub(crate) name: String,
    /// `ssh` or `x509`.
    pub(crate) kind: &'a str,
    /// The key as given, if it is known.
    pub(crate) data: Option<&'a str>,
}

/// The instance's key pair, and what stands in its own row when the pair is gone.
pub(crate) fn key_pair(instance: &Instance) -> Option<PublicKey<'_>> {
    let key = instance.key.as_ref().filter(|key| !key.name.is_empty())?;
    Some(PublicKey {
        name: key.name.clone(),
        kind: &key.kind,
        data: key.public_key.as_deref(),
    })
}

/// The keys beyond the key pair (`ssh_authorized_keys`), which Nova does not know.
///
/// Every reader takes each member of `public_keys` and looks at no name, so the names only
/// have to differ: the pair's with a number behind it.
pub(crate) fn further_keys(instance: &Instance) -> Vec<PublicKey<'_>> {
    let pair = instance.key.as_ref();
    let known = pair.and_then(|pair| pair.public_key.as_deref());
    let known = known.map(str::trim_end);
    let base = pair.map_or(DEFAULT_NAME, |pair| pair.name.as_str());
    let keys = instance.ssh_authorized_keys.iter();
    keys.map(String::as_str)
        .filter(|key| Some(key.trim_end()) != known)
        .enumerate()
        .map(|(index, key)| PublicKey {
            name: format!("{base}-{}", index + 2),
            kind: "ssh",
            data: Some(key),
        })
        .collect()
}
