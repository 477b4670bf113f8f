//! The five items, their order, and what becomes of an error.

use std::fmt;

use christen_instance::Secret;
use christen_instance::inputs::RandomSource;
use christen_instance::model::InjectedFile;

use super::guest::Guest;
use super::raised::Failure;
use super::{Raised, injectors, password};
use crate::{Item, ItemKind, Stage};

/// What is to be injected. An empty value is as good as none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Items {
    /// A public key, for root.
    pub key: Option<String>,
    /// The text of `/etc/network/interfaces`.
    pub net: Option<String>,
    /// The owner's key-value pairs, in order; names are unique.
    pub metadata: Vec<(String, String)>,
    /// Root's password.
    pub admin_password: Option<Secret>,
    /// Files, in order.
    pub files: Vec<InjectedFile>,
}

/// An item, by the name that Nova has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemName {
    /// `key`
    Key,
    /// `net`
    Net,
    /// `metadata`
    Metadata,
    /// `admin_password`
    AdminPassword,
    /// `files`
    Files,
}

impl ItemName {
    /// All items, in the order of their injection (`nova/virt/disk/api.py`, `inject_data_into_fs`).
    pub const ALL: [Self; 5] = [
        Self::Key,
        Self::Net,
        Self::Metadata,
        Self::AdminPassword,
        Self::Files,
    ];

    /// Returns Nova's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Net => "net",
            Self::Metadata => "metadata",
            Self::AdminPassword => "admin_password",
            Self::Files => "files",
        }
    }

    /// Finds an item by Nova's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|item| item.name() == name)
    }

    const fn kind(self) -> ItemKind {
        match self {
            Self::Key => ItemKind::Key,
            Self::Net => ItemKind::Network,
            Self::Metadata => ItemKind::Metadata,
            Self::AdminPassword => ItemKind::Password,
            Self::Files => ItemKind::Files,
        }
    }
}

impl fmt::Display for ItemName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Items {
    /// Whether an item is given: Python takes empty texts, lists and tables for nothing.
    pub fn has(&self, item: ItemName) -> bool {
        let is_text = |text: &Option<String>| text.as_ref().is_some_and(|it| !it.is_empty());
        match item {
            ItemName::Key => is_text(&self.key),
            ItemName::Net => is_text(&self.net),
            ItemName::Metadata => !self.metadata.is_empty(),
            ItemName::AdminPassword => self
                .admin_password
                .as_ref()
                .is_some_and(|it| !it.expose().is_empty()),
            ItemName::Files => !self.files.is_empty(),
        }
    }

    /// Whether no item is given.
    pub fn is_empty(&self) -> bool {
        ItemName::ALL.into_iter().all(|item| !self.has(item))
    }
}

/// What came of an injection that Nova would not have raised from.
#[derive(Debug)]
#[must_use = "an item may be missing from the guest"]
pub struct Outcome {
    /// Nova's result: whether every item that was given is there as a whole.
    pub complete: bool,
    /// The items that are not, with what went wrong; what they had written until then is staged.
    pub warnings: Vec<Raised>,
}

/// Injects items as Nova does, into a guest whose root is the stage's.
///
/// The salt of the password takes 16 bytes of `salt`, each of which gives a character of `a-zA-Z0-9./` by its last six bits: bytes
/// 0, 1, 2 give `abc`.
///
/// # Errors
///
/// The error of the first item that is mandatory, after which no item follows; what was written until then is staged, and Nova would
/// leave it in the image. A device that fails, a damaged filesystem, and a source without random bytes end every item.
pub fn inject(
    stage: &mut Stage<'_>,
    items: &Items,
    mandatory: &[ItemName],
    salt: &mut dyn RandomSource,
) -> Result<Outcome, Raised> {
    let mut warnings = Vec::new();
    let given = ItemName::ALL.into_iter().filter(|item| items.has(*item));
    let Some(first) = given.clone().next() else {
        return Ok(Outcome {
            complete: true,
            warnings,
        });
    };
    stage.begin(Item::new(first.kind()));
    let mut guest = Guest::new(stage).map_err(|failure| failure.of(first))?;
    for item in given {
        guest.stage.begin(Item::new(item.kind()));
        let Err(failure) = one(&mut guest, items, item, salt) else {
            continue;
        };
        let is_raised = mandatory.contains(&item) || failure.ends_all();
        let raised = failure.of(item);
        if is_raised {
            return Err(raised);
        }
        warnings.push(raised);
    }
    Ok(Outcome {
        complete: warnings.is_empty(),
        warnings,
    })
}

fn one(
    guest: &mut Guest<'_, '_>,
    items: &Items,
    item: ItemName,
    salt: &mut dyn RandomSource,
) -> Result<(), Failure> {
    match item {
        ItemName::Key => injectors::key(guest, items.key.as_deref().unwrap_or_default()),
        ItemName::Net => injectors::net(guest, items.net.as_deref().unwrap_or_default()),
        ItemName::Metadata => injectors::metadata(guest, &items.metadata),
        ItemName::AdminPassword => match &items.admin_password {
            Some(password) => password::inject(guest, password, salt),
            None => Ok(()),
        },
        ItemName::Files => injectors::files(guest, &items.files),
    }
}
