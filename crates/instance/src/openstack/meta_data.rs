//! `meta_data.json` of the OpenStack tree.
//!
//! Nova 34.0.0, `nova/api/metadata/base.py`, `_metadata_as_json`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::content::ContentItem;
use super::{Version, devices};
use crate::inputs::RandomSource;
use crate::json::{self, ObjectWriter};
use crate::keys::{PublicKey, further_keys, key_pair};
use crate::{Error, Instance, Value};

/// Bytes behind `random_seed` (`os.urandom(512)`).
pub(super) const SEED_BYTES: usize = 512;

/// Draws a `random_seed`: base64 of [`SEED_BYTES`] random bytes.
pub(super) fn draw_random_seed(random: &mut dyn RandomSource) -> Result<String, Error> {
    let mut bytes = [0; SEED_BYTES];
    random.fill(&mut bytes).map_err(|source| Error::Random {
        purpose: "`random_seed`",
        source,
    })?;
    Ok(STANDARD.encode(bytes))
}

/// The keys that the document shows. Nova shows the key pair, while it is there; beside it
/// stand the further keys of a description.
pub(super) fn shown_keys(instance: &Instance, like_nova: bool) -> Vec<PublicKey<'_>> {
    let deleted = instance.key.as_ref().is_some_and(|key| key.deleted);
    let mut shown: Vec<_> = key_pair(instance)
        .filter(|_| !deleted)
        .into_iter()
        .collect();
    if !like_nova {
        shown.append(&mut further_keys(instance));
    }
    shown
}

/// Writes the members that every version has.
pub(super) fn head(
    instance: &Instance,
    uuid: &str,
    hostname: &str,
    content: &[ContentItem<'_>],
    keys: &[PublicKey<'_>],
) -> ObjectWriter {
    let mut out = ObjectWriter::new();
    out.text("uuid", uuid);
    if !instance.metadata.is_empty() {
        let metadata = instance.metadata.iter();
        out.texts("meta", metadata.map(|(name, text)| (&**name, &**text)));
    }
    let files: Vec<Value> = content
        .iter()
        .enumerate()
        .filter_map(|(number, item)| match item {
            ContentItem::File(file) => Some(Value::Object(vec![
                ("path".to_owned(), file.path.as_str().into()),
                ("content_path".to_owned(), content_path(number).into()),
            ])),
            ContentItem::NetworkConfig(_) => None,
        })
        .collect();
    if !files.is_empty() {
        out.value("files", &Value::Array(files));
    }
    let password = instance.admin_password.as_ref();
    if let Some(password) = password.filter(|password| !password.expose().is_empty()) {
        out.text("admin_pass", password.expose());
    }
    for (number, item) in content.iter().enumerate() {
        if let ContentItem::NetworkConfig(_) = item {
            let path = content_path(number);
            out.texts(
                "network_config",
                [("name", "network_config"), ("content_path", path.as_str())],
            );
        }
    }
    if !keys.is_empty() {
        let mut by_name = ObjectWriter::new();
        let mut list = Vec::with_capacity(keys.len());
        for key in keys {
            let data = Value::from(key.data);
            by_name.value(&key.name, &data);
            list.push(Value::Object(vec![
                ("name".to_owned(), key.name.as_str().into()),
                ("type".to_owned(), key.kind.into()),
                ("data".to_owned(), data),
            ]));
        }
        out.raw("public_keys", &by_name.finish());
        out.value("keys", &Value::Array(list));
    }
    out.text("hostname", hostname);
    out.text("name", &instance.name);
    out.integer("launch_index", instance.launch_index);
    let zone = instance.availability_zone.as_deref();
    out.optional_text("availability_zone", zone);
    out
}

/// Adds what a version has beyond the head, and ends the document.
///
/// `random_seed` is there for every version that shows one.
pub(super) fn finish(
    mut out: ObjectWriter,
    instance: &Instance,
    version: Version,
    random_seed: Option<&str>,
) -> String {
    if let Some(seed) = random_seed {
        out.text("random_seed", seed);
    }
    if version >= Version::Liberty {
        out.optional_text("project_id", instance.project_id.as_deref());
    }
    if version >= Version::NewtonOne {
        let tagged = instance.devices.as_deref().unwrap_or_default();
        out.raw("devices", &devices::devices(tagged, version));
    }
    if version >= Version::Victoria {
        out.raw("dedicated_cpus", &json::encode(&dedicated_cpus(instance)));
    }
    out.finish()
}

/// Where `meta_data.json` says a content item is: below `openstack`.
fn content_path(number: usize) -> String {
    format!("/content/{number:04}")
}

/// The pinned guest CPUs of all NUMA cells, sorted. A cell holds a set; across cells nothing
/// is made unique.
fn dedicated_cpus(instance: &Instance) -> Value {
    let mut all = Vec::new();
    for cell in &instance.numa {
        let mut cpus = cell.dedicated.clone();
        cpus.sort_unstable();
        cpus.dedup();
        all.append(&mut cpus);
    }
    all.sort_unstable();
    let cpus = all.into_iter().map(|cpu| i64::from(cpu).into());
    Value::Array(cpus.collect())
}
