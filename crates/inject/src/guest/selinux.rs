//! SELinux: what its configuration asks for, and whether files have labels.

use super::files::Files;
use super::text::shown_short;
use crate::selinux::{Config, Mode};

/// SELinux of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeLinux {
    /// What its configuration asks for.
    pub mode: Mode,
    /// The policy.
    pub policy: String,
    /// Whether the policy says which labels files have: `contexts/files/file_contexts` is there.
    pub has_contexts: bool,
    /// Whether files have labels: `/etc` or `/` has one.
    pub is_labelled: bool,
    /// Whether all files are labelled anew at the next boot (`/.autorelabel`).
    pub relabels: bool,
}

impl SeLinux {
    pub(super) fn read(files: &mut Files<'_>) -> Option<Self> {
        let config = files.read("/etc/selinux/config")?;
        let Config { mode, policy } = Config::parse(&config);
        let policy = shown_short(policy.as_bytes());
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
