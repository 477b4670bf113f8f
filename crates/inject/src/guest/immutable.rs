//! Systems whose files are not to be written as if they were plain ones.

use super::files::Files;
use super::os_release::System;
use super::text::lines;

/// Why files of a guest are not plain ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Immutable {
    /// An OSTree deployment: `/etc` and `/var` are those of the deployment, below `/ostree/deploy`, and what is in `/usr` is replaced.
    OsTree,
    /// As OSTree, and what is below `/usr` is found by its hash.
    ComposeFs,
    /// NixOS: `/etc` is made anew from the configuration at each boot.
    NixOs,
    /// A system with a root that is read-only and changed by whole snapshots: `/etc` may be a layer.
    Transactional,
}

impl Immutable {
    /// Returns the name, as messages and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OsTree => "ostree",
            Self::ComposeFs => "composefs",
            Self::NixOs => "nixos",
            Self::Transactional => "transactional",
        }
    }

    pub(super) fn read(files: &mut Files<'_>, system: Option<&System>) -> Option<Self> {
        if files.is_directory("/ostree/repo")
            || files.is_directory("/ostree/deploy")
            || files.is_directory("/sysroot/ostree/repo")
        {
            // ostree-prepare-root(1): `[composefs]`, `enabled=`.
            let is_composed = ["/etc", "/usr/lib"].iter().any(|directory| {
                files
                    .read(&format!("{directory}/ostree/prepare-root.conf"))
                    .is_some_and(|text| composes(&text))
            });
            return Some(match is_composed {
                true => Self::ComposeFs,
                false => Self::OsTree,
            });
        }
        if system.is_some_and(|it| it.id == "nixos")
            || files.is_directory("/nix/var/nix/profiles") && files.has("/etc/NIXOS")
        {
            return Some(Self::NixOs);
        }
        let is_transactional = system.is_some_and(|it| {
            matches!(
                &it.id[..],
                "opensuse-microos"
                    | "sle-micro"
                    | "sl-micro"
                    | "opensuse-leap-micro"
                    | "opensuse-aeon"
                    | "opensuse-kalpa"
            )
        });
        is_transactional.then_some(Self::Transactional)
    }
}

fn composes(text: &[u8]) -> bool {
    let mut is_section = false;
    for line in lines(text) {
        let line: Vec<u8> = line
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        if line.starts_with(b"[") {
            is_section = line == b"[composefs]";
        } else if is_section && let Some(value) = line.strip_prefix(b"enabled=") {
            return matches!(value, b"true" | b"yes" | b"1" | b"signed" | b"verity");
        }
    }
    false
}
