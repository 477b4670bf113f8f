//! What a guest is: found in its files, nothing is run.
//!
//! A guest is hostile: everything that is read has a bound, and one odd file ends nothing. What is there and cannot be read
//! is told in [`Inspection::unread`] and counts as missing. Text of the guest is given as it may be shown, control characters
//! escaped.

mod agents;
pub mod architecture;
pub mod boot;
pub mod cloud_init;
mod files;
pub mod fstab;
pub mod immutable;
pub mod leftovers;
pub mod os_release;
pub mod packages;
pub mod selinux;
pub mod services;
pub mod sshd;
mod summary;
mod text;
mod time_zone;
pub mod users;

use christen_vfs::{FileSystem, GuestPath};

pub use self::architecture::Architecture;
pub use self::boot::{Boot, Init, Kernel};
pub use self::cloud_init::{CloudInit, CloudInitState, Datasources};
pub use self::fstab::Fstab;
pub use self::immutable::Immutable;
pub use self::leftovers::{Leftovers, MachineId};
pub use self::os_release::System;
pub use self::packages::{PackageManager, Packages};
pub use self::selinux::SeLinux;
pub use self::services::{ServiceState, Services};
pub use self::sshd::{Sshd, SshdConfig};
pub use self::users::{PasswordState, User};

pub(crate) use self::files::Files;

use crate::network::{Candidate, Detected, candidates, detect};
use crate::{Error, Stage};

/// What a guest is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Inspection {
    /// Which system it is.
    pub system: Option<System>,
    /// Why its files are not to be written as if they were plain ones.
    pub immutable: Option<Immutable>,
    /// For which processor it is.
    pub architecture: Option<Architecture>,
    /// What runs as the first process.
    pub init: Option<Init>,
    /// How it starts.
    pub boot: Boot,
    /// What it mounts.
    pub fstab: Fstab,
    /// The accounts that people log in to.
    pub users: Vec<User>,
    /// Its time zone.
    pub time_zone: Option<String>,
    /// What configures its network.
    pub renderer: Option<Detected>,
    /// All that could configure its network.
    pub renderers: Vec<Candidate>,
    /// SELinux, if it is installed.
    pub selinux: Option<SeLinux>,
    /// sshd, if it is installed.
    pub sshd: Option<Sshd>,
    /// Which services it starts.
    pub services: Services,
    /// Which packages it has.
    pub packages: Option<Packages>,
    /// cloud-init, if it is installed.
    pub cloud_init: Option<CloudInit>,
    /// Other programs that give a machine its identity, or talk with its host.
    pub agents: Vec<&'static str>,
    /// What makes clones of it the same machine.
    pub leftovers: Leftovers,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// A file of the guest that is there and could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Which file.
    pub path: GuestPath,
    /// Why, in one line.
    pub reason: String,
}

impl Inspection {
    /// Looks at a guest's whole tree: what is mounted below its root is part of it.
    pub fn read(fs: &mut dyn FileSystem) -> Self {
        let (renderer, renderers, failed) = network(fs);
        let mut files = Files::new(fs);
        if let Some(Unread { path, reason }) = failed {
            files.note(&path, reason);
        }
        let files = &mut files;
        let system = system(files);
        let services = Services::read(files);
        let packages = Packages::read(files);
        Self {
            immutable: Immutable::read(files, system.as_ref()),
            architecture: Architecture::read(files),
            init: Init::read(files),
            boot: Boot::read(files),
            fstab: files
                .read("/etc/fstab")
                .map(|bytes| Fstab::parse(&bytes))
                .unwrap_or_default(),
            users: users::read(files),
            time_zone: time_zone::read(files),
            renderer,
            renderers,
            selinux: SeLinux::read(files),
            sshd: Sshd::read(files, &services),
            cloud_init: CloudInit::read(files, &services, packages.as_ref()),
            agents: agents::read(files),
            leftovers: Leftovers::read(files),
            system,
            services,
            packages,
            unread: files.take_unread(),
        }
    }
}

/// Asks what configures the network; a file that cannot be read is returned last.
fn network(fs: &mut dyn FileSystem) -> (Option<Detected>, Vec<Candidate>, Option<Unread>) {
    let mut stage = Stage::new(fs);
    let unread = |error| match error {
        Error::File { path, source, .. } => Some(Unread {
            path,
            reason: files::chain(&source),
        }),
        Error::TooLarge { ref path, .. } | Error::Broken { ref path, .. } => Some(Unread {
            path: path.clone(),
            reason: error.to_string(),
        }),
        // There is nothing that configures it.
        _ => None,
    };
    let (renderers, failed) = match candidates(&mut stage) {
        Ok(renderers) => (renderers, None),
        Err(error) => (Vec::new(), unread(error)),
    };
    match detect(&mut stage) {
        Ok(renderer) => (Some(renderer), renderers, failed),
        Err(error) => (None, renderers, failed.or(unread(error))),
    }
}

/// Finds which system it is: by os-release(5) in its two places, else by what was before it.
fn system(files: &mut Files<'_>) -> Option<System> {
    for path in ["/etc/os-release", "/usr/lib/os-release"] {
        if let Some(bytes) = files.read(path)
            && let Some(system) = System::of_os_release(&bytes, path)
        {
            return Some(system);
        }
    }
    type Reader = fn(&[u8], &'static str) -> Option<System>;
    let older: [(&'static str, Reader); 6] = [
        ("/etc/lsb-release", System::of_lsb_release),
        ("/etc/redhat-release", System::of_redhat_release),
        ("/etc/system-release", System::of_redhat_release),
        ("/etc/SuSE-release", System::of_redhat_release),
        ("/etc/debian_version", |bytes, path| {
            System::of_version(bytes, "debian", "Debian", path)
        }),
        ("/etc/alpine-release", |bytes, path| {
            System::of_version(bytes, "alpine", "Alpine Linux", path)
        }),
    ];
    older.into_iter().find_map(|(path, read)| {
        let bytes = files.read(path)?;
        read(&bytes, path)
    })
}

#[cfg(test)]
mod tests;
