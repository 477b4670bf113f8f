//! A stopped clone becomes another machine: what tells it from its original is made anew or taken away, item by item.

mod addresses;
mod machine_id;
mod sshd;

pub(crate) use machine_id::keep_entry_token;

use std::fmt;

use christen_instance::inputs::RandomSource;
use christen_vfs::walk::LastLink;
use christen_vfs::{GuestPath, Kind};

use crate::{Existing, Item, ItemKind, Ownership, Result, Secrecy, Stage, selinux};

macro_rules! traits {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What tells a machine from its clones.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Mark {
            $($(#[$doc])* $name,)+
        }

        impl Mark {
            /// All of them, in the order in which they are made anew.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Returns the name, as options, messages and JSON have it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

traits! {
    /// The machine ID, and what is named after it.
    MachineId = "machine-id",
    /// SSH host keys.
    HostKeys = "ssh-host-keys",
    /// Addresses that a DHCP server gave, and the identifiers that it knows the machine by.
    Leases = "leases",
    /// What the random generator begins with.
    RandomSeed = "random-seed",
    /// What cloud-init remembers of the instance that it has set up.
    CloudInit = "cloud-init",
    /// Names of NICs that are bound to MAC addresses.
    UdevNetRules = "udev-net-rules",
    /// Names by which storage servers know the machine.
    StorageNames = "storage-names",
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What a clone gets.
pub struct Fresh<'a> {
    /// Marks that stay as they are.
    pub keep: &'a [Mark],
    /// The comment of new host keys, such as `root@NAME`.
    pub comment: &'a str,
    /// New identifiers, keys and seeds come from here.
    pub random: &'a mut dyn RandomSource,
}

impl fmt::Debug for Fresh<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Fresh")
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

/// Makes a clone another machine, and returns the public halves of its new host keys.
///
/// The host name is not among the marks: nobody but the owner can say what it should be.
///
/// # Errors
///
/// What cannot be read or changed in the guest; the staged changes must then not be committed.
pub fn reidentify(stage: &mut Stage<'_>, fresh: &mut Fresh<'_>) -> Result<Vec<String>> {
    let mut host_keys = Vec::new();
    for mark in Mark::ALL {
        if fresh.keep.contains(mark) {
            continue;
        }
        stage.begin(Item::of(ItemKind::Reidentify, mark.name()));
        match mark {
            Mark::MachineId => machine_id::renew(stage, fresh.random)?,
            Mark::HostKeys => host_keys = sshd::renew(stage, fresh)?,
            Mark::Leases => addresses::forget_leases(stage)?,
            Mark::RandomSeed => renew_random_seed(stage, fresh.random)?,
            Mark::CloudInit => forget_instance(stage)?,
            Mark::UdevNetRules => addresses::forget_nic_names(stage)?,
            Mark::StorageNames => addresses::renew_storage_names(stage, fresh.random)?,
        }
    }
    selinux::label(stage)?;
    Ok(host_keys)
}

/// Files that hold a seed: of systemd (`systemd-random-seed.service(8)`), of System V scripts, of Alpine and of Buildroot.
const SEEDS: [&str; 6] = [
    "/var/lib/systemd/random-seed",
    "/var/lib/random-seed",
    "/var/lib/urandom/random-seed",
    "/var/lib/misc/random-seed",
    "/boot/loader/random-seed",
    "/efi/loader/random-seed",
];

/// The length of a seed in bytes: the size of the kernel's pool, and what systemd writes.
const SEED_BYTES: usize = 512;

/// Two machines that begin with one seed may draw the same keys.
fn renew_random_seed(stage: &mut Stage<'_>, random: &mut dyn RandomSource) -> Result<()> {
    for name in SEEDS {
        let path = crate::guest_path(name);
        if !is_file(stage, &path)? {
            continue;
        }
        let mut seed = [0; SEED_BYTES];
        draw(random, &mut seed, "a random seed")?;
        stage.write(
            &path,
            &seed,
            Ownership::root(0o600),
            Existing::Keep,
            Secrecy::Secret,
        )?;
    }
    // SeedRNG, of busybox and OpenRC: it takes what is there, and that is credited as random.
    remove_all(stage, "/var/lib/seedrng", |_| true)
}

/// cloud-init, `cmd/clean.py`: all that it remembers, but not seeds, which are the owner's.
fn forget_instance(stage: &mut Stage<'_>) -> Result<()> {
    remove_all(stage, "/var/lib/cloud", |name| name != b"seed")
}

/// Removes what is in a directory, as far as a name is meant.
fn remove_all(
    stage: &mut Stage<'_>,
    directory: &'static str,
    is_meant: impl Fn(&[u8]) -> bool,
) -> Result<()> {
    let directory = crate::guest_path(directory);
    if !stage.is_directory(&directory)? {
        return Ok(());
    }
    for name in stage.names(&directory)? {
        if is_meant(&name) {
            stage.remove(&directory.join(&name))?;
        }
    }
    Ok(())
}

/// Whether a regular file is there, and no link to one.
fn is_file(stage: &mut Stage<'_>, path: &GuestPath) -> Result<bool> {
    let found = stage.look(path, LastLink::Kept)?;
    Ok(found.is_some_and(|it| it.kind == Kind::File))
}

fn draw(random: &mut dyn RandomSource, buffer: &mut [u8], purpose: &'static str) -> Result<()> {
    random
        .fill(buffer)
        .map_err(|source| crate::Error::Random { purpose, source })
}

#[cfg(test)]
mod tests;
