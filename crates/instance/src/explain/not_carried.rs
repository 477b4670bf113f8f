//! What an instance says and a dialect has no place for.

use crate::{Dialect, Instance};

/// A part of the description that a dialect's documents do not carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotCarried {
    /// Key of the description.
    pub key: &'static str,
    /// Why, and what would do instead.
    pub reason: &'static str,
}

/// Names what of the instance the documents of a dialect leave out.
pub fn not_carried(instance: &Instance, dialect: Dialect) -> Vec<NotCarried> {
    let mut left_out = Vec::new();
    if dialect == Dialect::OpenStack {
        return left_out;
    }
    let mut check = |present: bool, key, reason| {
        if present {
            left_out.push(NotCarried { key, reason });
        }
    };
    let no_place = "NoCloud has no place for it";
    check(
        !instance.files.is_empty(),
        "files",
        "NoCloud has no place for them; `guest.files` travels as vendor data",
    );
    check(
        instance.admin_password.is_some(),
        "admin_password",
        "NoCloud has no place for it; `guest.root_password` travels as a hash",
    );
    check(
        instance.key.as_ref().is_some_and(|key| key.kind != "ssh"),
        "key",
        "NoCloud knows SSH keys only",
    );
    check(instance.project_id.is_some(), "project_id", no_place);
    check(
        !instance.security_groups.is_empty(),
        "security_groups",
        no_place,
    );
    check(
        !instance.block_devices.is_empty(),
        "block_devices",
        no_place,
    );
    check(instance.devices.is_some(), "devices", no_place);
    check(!instance.numa.is_empty(), "numa", no_place);
    left_out
}
