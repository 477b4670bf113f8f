//! Content items: `openstack/content/NNNN`.

use crate::model::InjectedFile;

/// A content item, numbered by its place in the list.
pub(super) enum ContentItem<'a> {
    /// The rendered network template; always the first, when there is one.
    NetworkConfig(&'a str),
    /// A file of the user's.
    File(&'a InjectedFile),
}

impl ContentItem<'_> {
    /// The item's bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::NetworkConfig(text) => text.as_bytes(),
            Self::File(file) => file.content.expose(),
        }
    }
}

/// Lists the items in Nova's order.
pub(super) fn content_items<'a>(
    network_config: Option<&'a str>,
    files: &'a [InjectedFile],
) -> Vec<ContentItem<'a>> {
    // A template that renders to nothing is no item (`nova/api/metadata/base.py`, `if cfg`).
    let network_config = network_config.filter(|text| !text.is_empty());
    let network_config = network_config.map(ContentItem::NetworkConfig);
    let files = files.iter().map(ContentItem::File);
    network_config.into_iter().chain(files).collect()
}
