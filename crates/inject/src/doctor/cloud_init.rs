//! Whether the cloud-init inside the image would do its part.

use super::case::Case;
use super::{Drive, Rule, Severity};
use crate::guest::{CloudInitState, Datasources};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "cloud-init-missing",
        severities: &[Severity::Error, Severity::Note],
        about: "cloud-init is not installed: an error if there is a drive, a seed or user data, else a note",
        consequence: "no drive is read, and user data is run by nobody; what is injected does not need cloud-init",
        check: missing,
    },
    Rule {
        name: "cloud-init-disabled",
        severities: &[Severity::Error, Severity::Warning],
        about: "cloud-init is installed and does not run: its marker file, the kernel's command line, the policy of `ds-identify`, or services that nothing starts (an error if there is a drive, a seed or user data)",
        consequence: "no drive is read, and user data is run by nobody",
        check: disabled,
    },
    Rule {
        name: "config-drive-ignored",
        severities: &[Severity::Error, Severity::Warning],
        about: "`datasource_list`, merged from `cloud.cfg` and `cloud.cfg.d`, or the datasource in `ds-identify.cfg`, leaves out `ConfigDrive` (an error if the identity comes on a config drive, or in a seed of that sort inside the image)",
        consequence: "cloud-init does not look at a config drive, and the guest boots without its identity",
        check: config_drive_ignored,
    },
    Rule {
        name: "nocloud-ignored",
        severities: &[Severity::Error, Severity::Note],
        about: "as `config-drive-ignored`, for `NoCloud` (an error if the identity comes so)",
        consequence: "cloud-init does not look at a seed with the label `cidata`",
        check: nocloud_ignored,
    },
    Rule {
        name: "cloud-init-has-run",
        severities: &[Severity::Warning],
        about: "cloud-init has left the state of an instance (`/var/lib/cloud/instance`, `/var/lib/cloud/instances/`)",
        consequence: "a clone with the same instance ID, or one that finds no datasource, takes itself for the machine that ran before",
        check: has_run,
    },
    Rule {
        name: "cloud-init-seed-left",
        severities: &[Severity::Warning, Severity::Note],
        about: "documents inside the image, below `/var/lib/cloud/seed/` (a warning if the identity comes on a drive)",
        consequence: "cloud-init reads them too; with a NoCloud drive they are merged, and before another they win",
        check: seed_left,
    },
    Rule {
        name: "cloud-init-leaves-network",
        severities: &[Severity::Warning],
        about: "cloud-init is told to leave the network alone (`network: {config: disabled}`) while the identity comes on a drive with a network",
        consequence: "the network of the drive is not configured; the image's own stays",
        check: leaves_network,
    },
    Rule {
        name: "user-data-unread",
        severities: &[Severity::Warning],
        about: "there is user data, and neither a drive nor a seed inside the image carries it",
        consequence: "user data is cloud-init's to run, and an injection without a seed leaves it out",
        check: user_data_unread,
    },
    Rule {
        name: "hostname-kept",
        severities: &[Severity::Warning],
        about: "cloud-init is told to leave the host name alone (`preserve_hostname: true`) while the identity comes on a drive",
        consequence: "the guest keeps the host name of the image, and clones share it",
        check: hostname_kept,
    },
    Rule {
        name: "no-default-user",
        severities: &[Severity::Error, Severity::Note],
        about: "cloud-init has no default user (no `default` in `users`, or no name below `system_info`): an error if keys of the instance come on a drive and root's are disabled, else a note",
        consequence: "keys that name no account go to root alone, where `disable_root` keeps them from logging in",
        check: no_default_user,
    },
];

/// What of an instance nobody but cloud-init does.
fn needs_cloud_init(case: &Case<'_, '_>) -> Option<&'static str> {
    if case.facts.drive.is_some() {
        return Some("the identity comes on a drive");
    }
    let instance = case.instance?;
    if instance.guest.seed_cloud_init.is_some() {
        return Some("a seed for it is to be put into the image");
    }
    instance.user_data.is_some().then_some("there is user data")
}

fn missing(case: &mut Case<'_, '_>) {
    if case.guest.cloud_init.is_some() {
        return;
    }
    let others: Vec<_> = case
        .guest
        .agents
        .iter()
        .filter(|it| matches!(**it, "ignition" | "afterburn" | "tiny-cloud" | "combustion"))
        .copied()
        .collect();
    let also = match &others[..] {
        [] => String::new(),
        others => format!("; the image has {}", others.join(" and ")),
    };
    match needs_cloud_init(case) {
        Some(need) => case.find(
            Severity::Error,
            format!("cloud-init is not installed, and {need}{also}"),
            "install cloud-init in the image, or inject the identity and leave out user data",
        ),
        None => case.find(
            Severity::Note,
            format!("cloud-init is not installed{also}"),
            "inject the identity: no drive would be read",
        ),
    }
}

fn disabled(case: &mut Case<'_, '_>) {
    let Some(cloud_init) = &case.guest.cloud_init else {
        return;
    };
    let remedy = match &cloud_init.state {
        CloudInitState::Enabled => return,
        CloudInitState::DisabledByFile => "remove `/etc/cloud/cloud-init.disabled`".to_owned(),
        CloudInitState::DisabledByCommandLine(path) => {
            format!("remove `cloud-init=disabled` from `{path}` and from what it is made from")
        }
        CloudInitState::DisabledByPolicy => {
            "set another `policy` in `/etc/cloud/ds-identify.cfg`, or remove the file".to_owned()
        }
        CloudInitState::NotStarted(_) => "enable cloud-init's services in the image".to_owned(),
    };
    let state = format!("cloud-init does not run: it is {}", cloud_init.state);
    match needs_cloud_init(case) {
        Some(need) => case.find(Severity::Error, format!("{state}, and {need}"), remedy),
        None => case.find(Severity::Warning, state, remedy),
    }
}

fn list(datasources: &Datasources) -> String {
    let names: Vec<_> = datasources
        .names
        .iter()
        .take(8)
        .map(String::as_str)
        .collect();
    let more = match datasources.names.len() > names.len() {
        true => ", ...",
        false => "",
    };
    let place = match &datasources.source {
        Some(path) => format!(" (`{path}`)"),
        None => String::new(),
    };
    format!("[{}{more}]{place}", names.join(", "))
}

fn config_drive_ignored(case: &mut Case<'_, '_>) {
    let Some(cloud_init) = &case.guest.cloud_init else {
        return;
    };
    if cloud_init.datasources.has("ConfigDrive") || case.documents() == Some(Drive::NoCloud) {
        return;
    }
    let severity = match case.documents() {
        Some(_) => Severity::Error,
        None => Severity::Warning,
    };
    let other = match cloud_init.datasources.has("NoCloud") {
        true => {
            "use a NoCloud seed (label `cidata`), inject the identity, or add `ConfigDrive` to the list"
        }
        false => "inject the identity, or add `ConfigDrive` to the list",
    };
    case.find(
        severity,
        format!(
            "cloud-init ignores a config drive: it looks for {} only",
            list(&cloud_init.datasources)
        ),
        other,
    );
}

fn nocloud_ignored(case: &mut Case<'_, '_>) {
    let Some(cloud_init) = &case.guest.cloud_init else {
        return;
    };
    if cloud_init.datasources.has("NoCloud") || case.documents() == Some(Drive::ConfigDrive) {
        return;
    }
    let severity = match case.documents() {
        Some(_) => Severity::Error,
        None => Severity::Note,
    };
    let other = match cloud_init.datasources.has("ConfigDrive") {
        true => {
            "use a config drive (label `config-2`), inject the identity, or add `NoCloud` to the list"
        }
        false => "inject the identity, or add `NoCloud` to the list",
    };
    case.find(
        severity,
        format!(
            "cloud-init ignores a NoCloud seed: it looks for {} only",
            list(&cloud_init.datasources)
        ),
        other,
    );
}

fn has_run(case: &mut Case<'_, '_>) {
    if case.guest.cloud_init.as_ref().is_some_and(|it| it.has_run) {
        case.find(
            Severity::Warning,
            "cloud-init has run in this image and left its state",
            "remove `/var/lib/cloud/instance` and `/var/lib/cloud/instances` (`christen reidentify`, or `cloud-init clean` in the guest)",
        );
    }
}

fn seed_left(case: &mut Case<'_, '_>) {
    let Some(cloud_init) = &case.guest.cloud_init else {
        return;
    };
    let severity = match case.facts.drive {
        Some(_) => Severity::Warning,
        None => Severity::Note,
    };
    for seed in &cloud_init.seeds {
        case.find(
            severity,
            format!("the image has documents for cloud-init in `{seed}`"),
            "remove the directory, unless it is the identity that this machine is to have",
        );
    }
}

fn leaves_network(case: &mut Case<'_, '_>) {
    let has_network = case.instance.is_none_or(|it| it.network.is_some());
    let leaves = case
        .guest
        .cloud_init
        .as_ref()
        .is_some_and(|it| it.leaves_network);
    if case.facts.drive.is_some() && has_network && leaves {
        case.find(
            Severity::Warning,
            "cloud-init is told to leave the network alone",
            "remove `network: {config: disabled}` from `/etc/cloud/cloud.cfg.d`, or inject the network",
        );
    }
}

fn user_data_unread(case: &mut Case<'_, '_>) {
    let has_user_data = case.instance.is_some_and(|it| it.user_data.is_some());
    if has_user_data && case.documents().is_none() {
        case.find(
            Severity::Warning,
            "there is user data, and nothing carries it to the guest",
            "give the guest a drive, or set `guest.seed_cloud_init`",
        );
    }
}

fn hostname_kept(case: &mut Case<'_, '_>) {
    let keeps = case
        .guest
        .cloud_init
        .as_ref()
        .is_some_and(|it| it.keeps_hostname);
    if case.facts.drive.is_some() && keeps {
        case.find(
            Severity::Warning,
            "cloud-init is told to leave the host name alone",
            "set `preserve_hostname: false` in `/etc/cloud/cloud.cfg`, or inject the host name",
        );
    }
}

fn no_default_user(case: &mut Case<'_, '_>) {
    let Some(cloud_init) = &case.guest.cloud_init else {
        return;
    };
    if cloud_init.default_user.is_some() {
        return;
    }
    let root_gets_keys = case.facts.drive.is_some()
        && case
            .logins()
            .iter()
            .any(|it| it.name == "root" && it.has_key);
    if root_gets_keys && cloud_init.disables_root {
        case.find(
            Severity::Error,
            "cloud-init has no default user, so that keys go to root, and `disable_root` keeps them from logging in",
            "name an account with its keys in `guest.users`, or set `disable_root: false` in the image",
        );
    } else {
        case.find(
            Severity::Note,
            "cloud-init has no default user: keys that name no account go to root",
            "name an account with its keys in `guest.users`",
        );
    }
}
