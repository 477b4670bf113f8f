//! What an injection is made of.

use std::fmt;

/// A part of an identity: what a change is made for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Whose or which it is, as the name of an account.
    pub subject: Option<String>,
}

impl Item {
    /// Names an item of which there is one.
    pub const fn new(kind: ItemKind) -> Self {
        Self {
            kind,
            subject: None,
        }
    }

    /// Names an item of which there may be several.
    pub fn of(kind: ItemKind, subject: impl Into<String>) -> Self {
        Self {
            kind,
            subject: Some(subject.into()),
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind.name())?;
        match &self.subject {
            Some(subject) => write!(formatter, " of `{}`", subject.escape_debug()),
            None => Ok(()),
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)+) => {
        /// The kinds of item.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ItemKind {
            $($(#[$doc])* $kind,)+
        }

        impl ItemKind {
            /// Returns the name, as messages and JSON have it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// Public keys that may log in.
    Key = "key",
    /// The network's configuration.
    Network = "network",
    /// The owner's key-value pairs.
    Metadata = "metadata",
    /// A password.
    Password = "password",
    /// Files of the description.
    Files = "files",
    /// An account.
    Account = "account",
    /// The host name.
    Hostname = "hostname",
    /// The time zone.
    Timezone = "timezone",
    /// The locale.
    Locale = "locale",
    /// The machine ID.
    MachineId = "machine-id",
    /// SSH host keys.
    HostKeys = "ssh-host-keys",
    /// CA certificates.
    Certificates = "ca-certificates",
    /// Commands for the first boot.
    FirstBoot = "first-boot",
    /// A seed for the cloud-init inside the image.
    Seed = "seed",
    /// A plain operation on files.
    Operation = "operation",
    /// SELinux labels of what was written.
    Labels = "labels",
    /// What makes a clone another machine.
    Reidentify = "reidentify",
}
