//! What makes clones of an image the same machine.

use super::case::Case;
use super::{Rule, Severity};
use crate::guest::{CloudInitState, MachineId};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "machine-id-baked-in",
        severities: &[Severity::Warning],
        about: "`/etc/machine-id`, or `/var/lib/dbus/machine-id` that is no link to it, holds an ID, and no injected description has `guest.machine_id`",
        consequence: "all clones have it: DHCP servers give them one address, and logs and services take them for one machine",
        check: machine_id,
    },
    Rule {
        name: "machine-id-invalid",
        severities: &[Severity::Warning],
        about: "`/etc/machine-id` holds neither an ID, nor nothing, nor `uninitialized`",
        consequence: "systemd makes an ID for each boot, and nothing that depends on it lasts",
        check: machine_id_invalid,
    },
    Rule {
        name: "host-keys-left",
        severities: &[Severity::Warning, Severity::Note],
        about: "private SSH host keys in the image that no injected description replaces (a note if the cloud-init inside replaces them: it does when it runs, and it does not run for an injected identity alone)",
        consequence: "all clones have them: whoever has one of the machines can pretend to be another",
        check: host_keys,
    },
    Rule {
        name: "credential-secret-left",
        severities: &[Severity::Warning],
        about: "systemd's key for credentials, `/var/lib/systemd/credential.secret`, is in the image",
        consequence: "all clones have it, so that what one has encrypted another can read",
        check: credential_secret,
    },
    Rule {
        name: "random-seed-left",
        severities: &[Severity::Note],
        about: "a random seed is in the image",
        consequence: "all clones mix the same bytes in at their first boot, which adds no randomness",
        check: random_seed,
    },
    Rule {
        name: "dhcp-lease-left",
        severities: &[Severity::Note],
        about: "leases of a DHCP client are in the image",
        consequence: "a clone asks for the address of the machine that it was made from",
        check: leases,
    },
    Rule {
        name: "net-rules-left",
        severities: &[Severity::Warning],
        about: "rules of udev tie names of network cards to the addresses of the cards that were there",
        consequence: "the card of a clone has another name than its configuration: `eth1` for `eth0`",
        check: net_rules,
    },
];

const REIDENTIFY: &str = "`christen reidentify`";

fn machine_id(case: &mut Case<'_, '_>) {
    // What the description asks for is done by the injection.
    let is_replaced = case
        .injected()
        .is_some_and(|it| it.guest.machine_id.is_some());
    if case.guest.leftovers.machine_id == MachineId::Set && !is_replaced {
        case.find(
            Severity::Warning,
            "`/etc/machine-id` holds an ID, which every clone would have",
            format!("empty the file ({REIDENTIFY}), so that the first boot makes one, or inject `guest.machine_id`"),
        );
    }
    if case.guest.leftovers.has_dbus_machine_id {
        case.find(
            Severity::Warning,
            "`/var/lib/dbus/machine-id` holds an ID of its own, which every clone would have",
            "make it a link to `/etc/machine-id`",
        );
    }
}

fn machine_id_invalid(case: &mut Case<'_, '_>) {
    if case.guest.leftovers.machine_id == MachineId::Invalid {
        case.find(
            Severity::Warning,
            "`/etc/machine-id` holds something else than an ID",
            "empty the file, so that the first boot makes one",
        );
    }
}

fn host_keys(case: &mut Case<'_, '_>) {
    let own = own_host_keys(case);
    let keys = &case.guest.leftovers.host_keys;
    let keys: Vec<_> = keys
        .iter()
        .filter(|it| !own.contains(*it))
        .cloned()
        .collect();
    if keys.is_empty() {
        return;
    }
    // Without a drive for it cloud-init finds nothing and does not run.
    let may_run = case.facts.drive.is_some() || case.instance.is_none();
    let is_replaced = may_run
        && case
            .guest
            .cloud_init
            .as_ref()
            .is_some_and(|it| it.state == CloudInitState::Enabled && it.deletes_host_keys);
    let names = keys.join(", ");
    if is_replaced {
        case.find(
            Severity::Note,
            format!("SSH host keys are in the image, and cloud-init replaces them: {names}"),
            "remove them, so that nothing depends on cloud-init finding a datasource",
        );
    } else {
        case.find(
            Severity::Warning,
            format!("SSH host keys are in the image, which every clone would have: {names}"),
            format!("remove them ({REIDENTIFY}), or give each machine its own with `guest.ssh_host_keys`"),
        );
    }
}

/// The files of host keys that an injection writes anew.
fn own_host_keys(case: &Case<'_, '_>) -> Vec<String> {
    let Some(instance) = case.injected() else {
        return Vec::new();
    };
    let given = instance.guest.ssh_host_keys.iter();
    let made = instance.guest.generate_ssh_host_key;
    given
        .map(|it| it.algorithm.as_str())
        .chain(made.then_some("ed25519"))
        .map(|algorithm| format!("/etc/ssh/ssh_host_{algorithm}_key"))
        .collect()
}

fn credential_secret(case: &mut Case<'_, '_>) {
    if case.guest.leftovers.has_credential_secret {
        case.find(
            Severity::Warning,
            "`/var/lib/systemd/credential.secret` is in the image",
            "remove the file, so that the first boot makes one",
        );
    }
}

fn random_seed(case: &mut Case<'_, '_>) {
    for path in &case.guest.leftovers.random_seeds {
        case.find(
            Severity::Note,
            format!("a random seed is in the image: `{path}`"),
            "remove the file",
        );
    }
}

fn leases(case: &mut Case<'_, '_>) {
    for path in &case.guest.leftovers.leases {
        case.find(
            Severity::Note,
            format!("a DHCP lease is in the image: `{path}`"),
            "remove the file",
        );
    }
}

fn net_rules(case: &mut Case<'_, '_>) {
    for path in &case.guest.leftovers.net_rules {
        case.find(
            Severity::Warning,
            format!("`{path}` ties names of network cards to their addresses"),
            format!("remove the file ({REIDENTIFY})"),
        );
    }
}
