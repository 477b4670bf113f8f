//! A plan as the files of each renderer.

pub(super) mod ifcfg;
pub(super) mod ifupdown;
pub(super) mod keyfile;
pub(super) mod netplan;
pub(super) mod networkd;
pub(super) mod wicked;

use super::plan::{Interface, Plan, Route};

/// A file that a renderer reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) content: String,
    pub(super) permissions: u16,
}

/// The line that says whose the file is.
pub(super) const HEADER: &str = "# Written by christen: the next injection writes it anew.\n";

/// The interfaces with the names that systems use which know no MAC address: the only NIC of a machine is `eth0` by itself where
/// names are the kernel's, any other gets the name `netN`, which the kernel never gives.
pub(super) fn forced_name(interface: &Interface) -> String {
    format!("net{}", interface.number)
}

/// What `ip route` calls a route's metric, with a space before it.
fn metric(route: &Route) -> String {
    route
        .metric
        .map(|it| format!(" metric {it}"))
        .unwrap_or_default()
}

/// Whether a file of the guest is one that we wrote.
pub(super) fn is_ours(content: &[u8]) -> bool {
    content.starts_with(HEADER.as_bytes())
}

/// Whether any interface is a bond.
pub(super) fn has_bonds(plan: &Plan) -> bool {
    plan.interfaces
        .iter()
        .any(|it| matches!(it.device, super::plan::Device::Bond(_)))
}
