//! One thing to be done to a guest, as an option says it.

use std::path::PathBuf;

use christen_instance::Secret;
use christen_instance::model::{MachineId, Operation, Seed};

/// One thing to be done to a guest.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A plain operation on files.
    Operation(Operation),
    /// Everything goes that a pattern names.
    Delete(String),
    /// Symbolic links.
    Link { target: String, links: Vec<String> },
    /// A file, which must be there, is empty.
    Truncate(String),
    /// A file of this host.
    Upload { file: PathBuf, to: String },
    /// A file or a directory of this host.
    CopyIn { from: PathBuf, directory: String },
    /// An account's password.
    Password { user: String, selector: Selector },
    /// A public key for an account.
    SshInject { user: String, key: PublicKey },
    /// The host name.
    Hostname(String),
    /// The time zone.
    Timezone(String),
    /// A script of this host for the first boot.
    FirstBoot(PathBuf),
    /// The same with its content.
    FirstBootScript(Secret<Vec<u8>>),
    /// A command for the first boot.
    FirstBootCommand(Secret),
    /// The documents for the image's own cloud-init.
    SeedCloudInit(Seed),
    /// The machine ID.
    MachineId(MachineId),
    /// A new SSH host key.
    SshHostKeys,
    /// A certificate of a CA.
    CaCertificate(PathBuf),
    /// The same with its content, in PEM.
    Certificate(String),
}

impl Step {
    /// Whether it adds to the script of the first boot.
    pub(crate) fn is_for_first_boot(&self) -> bool {
        matches!(self, Self::FirstBootScript(_) | Self::FirstBootCommand(_))
    }
}

/// How a password is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selector {
    /// The first line of a file.
    File(PathBuf),
    /// In clear, from the command line.
    Text(Secret),
    /// Drawn.
    Random,
    /// No password lets anybody in; what was there is forgotten.
    Disabled,
    /// No password lets anybody in, until the account is unlocked: with what it is now, or with another.
    Locked(Option<Box<Selector>>),
    /// A hash of crypt(5).
    Hash(Secret),
}

/// Which public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// The user's own, as ssh-copy-id(1) chooses it.
    Own,
    /// A file with one.
    File(PathBuf),
    /// The key itself.
    Text(String),
}
