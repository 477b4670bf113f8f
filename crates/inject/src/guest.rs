//! What a guest is: found in its files, nothing is run.
//!
//! A guest is hostile: everything that is read has a bound, and one odd file ends nothing. What is there and cannot be read
//! is told in [`Inspection::unread`] and counts as missing. Text of the guest is given as it may be shown, control characters
//! escaped.

pub mod architecture;
pub mod cloud_init;
mod files;
pub mod fstab;
pub mod os_release;
pub mod packages;
pub mod services;
mod text;

use christen_vfs::{FileSystem, GuestPath};

pub use self::architecture::Architecture;
pub use self::cloud_init::{CloudInit, CloudInitState, Datasources};
pub use self::fstab::Fstab;
pub use self::os_release::System;
pub use self::packages::{PackageManager, Packages};
pub use self::services::{ServiceState, Services};

use self::files::Files;

/// What a guest is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Inspection {
    /// Which system it is.
    pub system: Option<System>,
    /// For which processor it is.
    pub architecture: Option<Architecture>,
    /// What it mounts.
    pub fstab: Fstab,
    /// Which services it starts.
    pub services: Services,
    /// Which packages it has.
    pub packages: Option<Packages>,
    /// cloud-init, if it is installed.
    pub cloud_init: Option<CloudInit>,
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
        let mut files = Files::new(fs);
        let system = system(&mut files);
        let architecture = Architecture::read(&mut files);
        let fstab = files
            .read("/etc/fstab")
            .map(|bytes| Fstab::parse(&bytes))
            .unwrap_or_default();
        let services = Services::read(&mut files);
        let packages = Packages::read(&mut files);
        let cloud_init = CloudInit::read(&mut files, &services, packages.as_ref());
        Self {
            system,
            architecture,
            fstab,
            services,
            packages,
            cloud_init,
            unread: files.into_unread(),
        }
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
