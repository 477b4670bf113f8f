//! Which services a guest starts.

use std::collections::BTreeSet;

use super::files::Files;

/// Directories of units, the mightiest first (systemd.unit(5), "Unit File Load Path"), without those that exist at run time only.
const UNIT_DIRECTORIES: [&str; 4] = [
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The services that are installed, enabled and masked. Scripts of OpenRC and System V count as units of their name with `.service`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Services {
    installed: BTreeSet<String>,
    enabled: BTreeSet<String>,
    masked: BTreeSet<String>,
}

/// What becomes of a service when the guest boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceState {
    /// It is not installed.
    Missing,
    /// It is installed, and nothing starts it.
    Disabled,
    /// It is masked: nothing can start it.
    Masked,
    /// It is started.
    Enabled,
}

impl ServiceState {
    /// Returns the name, as messages and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Disabled => "disabled",
            Self::Masked => "masked",
            Self::Enabled => "enabled",
        }
    }
}

impl Services {
    pub(super) fn read(files: &mut Files<'_>) -> Self {
        let mut services = Self::default();
        for directory in UNIT_DIRECTORIES {
            if directory.starts_with("/lib/") && files.target("/lib").is_some() {
                // It is the one before once more.
                continue;
            }
            for (name, target) in files.names_and_targets(directory) {
                if name.ends_with(".wants") || name.ends_with(".requires") {
                    let path = format!("{directory}/{name}");
                    services.enabled.extend(files.names(&path));
                } else if target.as_deref() == Some(b"/dev/null") {
                    // Only what comes first in the load path counts.
                    if !services.installed.contains(&name) {
                        services.masked.insert(name);
                    }
                } else {
                    services.installed.insert(name);
                }
            }
        }
        for name in files.names("/etc/init.d") {
            // BusyBox's start scripts carry their order: `S50sshd`.
            if let Some(name) = without_order(&name) {
                services.enabled.insert(format!("{name}.service"));
                services.installed.insert(format!("{name}.service"));
            }
            services.installed.insert(format!("{name}.service"));
        }
        for level in files.names("/etc/runlevels") {
            for name in files.names(&format!("/etc/runlevels/{level}")) {
                services.enabled.insert(format!("{name}.service"));
            }
        }
        // Beside systemd, units win over scripts of the same name.
        let has_units = services.installed.iter().any(|it| it.ends_with(".target"));
        if !has_units {
            for level in ["/etc/rc2.d", "/etc/rc3.d", "/etc/rc5.d", "/etc/rc.d/rc3.d"] {
                for name in files.names(level) {
                    if let Some(name) = without_order(&name) {
                        services.enabled.insert(format!("{name}.service"));
                    }
                }
            }
        }
        services
    }

    /// Returns what becomes of a service that has one of these names; with `.service`, `.socket` or the like.
    pub fn state(&self, names: &[&str]) -> ServiceState {
        names
            .iter()
            .map(|name| match () {
                () if self.masked.contains(*name) => ServiceState::Masked,
                () if !self.installed.contains(*name) => ServiceState::Missing,
                () if self.enabled.contains(*name) => ServiceState::Enabled,
                () => ServiceState::Disabled,
            })
            .max()
            .unwrap_or(ServiceState::Missing)
    }
}

/// `S50sshd` is `sshd`.
fn without_order(name: &str) -> Option<&str> {
    let rest = name.strip_prefix('S')?;
    let (order, name) = rest.split_at_checked(2)?;
    (order.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty()).then_some(name)
}
