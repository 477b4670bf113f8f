//! SELinux: what its configuration asks for, and whether files have labels.

use super::files::Files;
use super::text::{lines, shown_short};

/// SELinux of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeLinux {
    /// What its configuration asks for.
    pub mode: SeLinuxMode,
    /// The policy.
    pub policy: String,
    /// Whether the policy says which labels files have: `contexts/files/file_contexts` is there.
    pub has_contexts: bool,
    /// Whether files have labels: `/etc` or `/` has one.
    pub is_labelled: bool,
    /// Whether all files are labelled anew at the next boot (`/.autorelabel`).
    pub relabels: bool,
}

/// What the configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeLinuxMode {
    /// Rules are enforced.
    Enforcing,
    /// Rules are looked at, and breaking them is noted.
    Permissive,
    /// Nothing is done.
    Disabled,
}

impl SeLinuxMode {
    /// Returns the name, as the configuration has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforcing => "enforcing",
            Self::Permissive => "permissive",
            Self::Disabled => "disabled",
        }
    }
}

impl SeLinux {
    pub(super) fn read(files: &mut Files<'_>) -> Option<Self> {
        let config = files.read("/etc/selinux/config")?;
        let (mode, policy) = parse_config(&config);
        // A name of a policy is one component.
        let has_contexts = !policy.contains('/')
            && files.is_file(&format!(
                "/etc/selinux/{policy}/contexts/files/file_contexts"
            ));
        Some(Self {
            mode,
            has_contexts,
            policy,
            is_labelled: ["/etc", "/"]
                .iter()
                .any(|path| files.has_attribute(path, "security.selinux")),
            relabels: files.has_name("/.autorelabel"),
        })
    }
}

/// Parses `/etc/selinux/config`: the mode and the name of the policy.
///
/// libselinux `src/selinux_config.c`: `selinux_getenforcemode` takes the first line that begins with `SELINUX=` and has one
/// of the three words, without regard to case; `init_selinux_config` the last `SELINUXTYPE=`, `targeted` if there is none. Without a mode
/// SELinux stays off.
pub fn parse_config(bytes: &[u8]) -> (SeLinuxMode, String) {
    let mode = lines(bytes).find_map(|line| {
        let value = line.strip_prefix(b"SELINUX=")?.to_ascii_lowercase();
        [
            SeLinuxMode::Enforcing,
            SeLinuxMode::Permissive,
            SeLinuxMode::Disabled,
        ]
        .into_iter()
        .find(|mode| value.starts_with(mode.name().as_bytes()))
    });
    let policy = lines(bytes)
        .map(<[u8]>::trim_ascii)
        .filter_map(|line| line.strip_prefix(b"SELINUXTYPE="))
        .map(<[u8]>::trim_ascii)
        .filter(|value| !value.is_empty())
        .last();
    (
        mode.unwrap_or(SeLinuxMode::Disabled),
        policy.map_or_else(|| "targeted".to_owned(), shown_short),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_read_as_libselinux_does() {
        let parse = |text: &str| parse_config(text.as_bytes());
        assert_eq!(
            parse("# SELINUX=x\nSELINUX=Enforcing \nSELINUXTYPE=mls\n"),
            (SeLinuxMode::Enforcing, "mls".to_owned())
        );
        assert_eq!(
            parse("SELINUX=odd\nSELINUX=permissive"),
            (SeLinuxMode::Permissive, "targeted".to_owned())
        );
        assert_eq!(
            parse(" SELINUX=enforcing\n").0,
            SeLinuxMode::Disabled,
            "a blank before it hides it"
        );
    }
}
