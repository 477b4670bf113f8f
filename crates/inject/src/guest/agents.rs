//! Programs besides cloud-init that give a machine its identity, or talk with its host.

use super::files::Files;

/// Programs by name, and the files of which one is there when they are.
const AGENTS: [(&str, &[&str]); 11] = [
    (
        "ignition",
        &[
            "/usr/lib/dracut/modules.d/30ignition",
            "/usr/bin/ignition",
            "/usr/libexec/ignition-rmcfg",
        ],
    ),
    (
        "afterburn",
        &[
            "/usr/bin/afterburn",
            "/usr/lib/dracut/modules.d/30afterburn",
            "/usr/bin/coreos-metadata",
        ],
    ),
    ("combustion", &["/usr/lib/dracut/modules.d/35combustion"]),
    (
        "tiny-cloud",
        &[
            "/usr/bin/tiny-cloud",
            "/usr/sbin/tiny-cloud",
            "/sbin/tiny-cloud",
        ],
    ),
    (
        "jeos-firstboot",
        &["/usr/sbin/jeos-firstboot", "/usr/bin/jeos-firstboot"],
    ),
    (
        "qemu-guest-agent",
        &[
            "/usr/bin/qemu-ga",
            "/usr/sbin/qemu-ga",
            "/usr/local/bin/qemu-ga",
        ],
    ),
    ("open-vm-tools", &["/usr/bin/vmtoolsd"]),
    ("waagent", &["/usr/sbin/waagent", "/usr/bin/waagent"]),
    (
        "google-guest-agent",
        &[
            "/usr/bin/google_guest_agent",
            "/usr/bin/google_guest_agent_manager",
        ],
    ),
    ("amazon-ssm-agent", &["/usr/bin/amazon-ssm-agent"]),
    ("one-context", &["/usr/sbin/one-contextd"]),
];

/// Returns the names of those that are there.
pub(super) fn read(files: &mut Files<'_>) -> Vec<&'static str> {
    AGENTS
        .iter()
        .filter(|(_, paths)| files.has_any(paths))
        .map(|(name, _)| *name)
        .collect()
}
