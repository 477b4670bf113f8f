//! The system as a whole.

use super::case::Case;
use super::{Rule, Severity};
use crate::guest::Immutable;
use crate::selinux::Mode;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "system-unknown",
        severities: &[Severity::Error],
        about: "no file says which system it is: neither os-release(5) nor any of those before it",
        consequence: "it may be no root of a system, or one whose /usr is not mounted; nothing else said of it is certain",
        check: system_unknown,
    },
    Rule {
        name: "immutable-system",
        severities: &[Severity::Error, Severity::Warning],
        about: "an OSTree deployment with or without composefs, or NixOS (an error if there is an instance), or a system that is changed by whole snapshots (a warning)",
        consequence: "what is written to the files at hand is not what the running system sees, or is made anew at the next boot",
        check: immutable_system,
    },
    Rule {
        name: "selinux-no-labels",
        severities: &[Severity::Error, Severity::Warning],
        about: "SELinux is on, and the filesystem cannot hold labels (an error), files have none and no relabelling is due, or the policy has no `file_contexts`",
        consequence: "what is written gets no label: under an enforcing policy sshd and login may be refused the very files that carry the identity",
        check: selinux_no_labels,
    },
    Rule {
        name: "selinux-relabels",
        severities: &[Severity::Note],
        about: "`/.autorelabel` is there while SELinux is on",
        consequence: "the first boot labels all files anew and boots once more: it takes minutes",
        check: selinux_relabels,
    },
    Rule {
        name: "time-zone-missing",
        severities: &[Severity::Error],
        about: "the description names a time zone that is not below `/usr/share/zoneinfo`",
        consequence: "the time zone cannot be set, and the guest stays with its own",
        check: time_zone_missing,
    },
    Rule {
        name: "account-unknown",
        severities: &[Severity::Error],
        about: "a file of the description has an owner, or an account a group, that neither the guest has nor the description makes",
        consequence: "the owner has no number that could be written; an account would lack the rights of the group",
        check: account_unknown,
    },
    Rule {
        name: "unreadable-file",
        severities: &[Severity::Warning],
        about: "a file that is looked at is there and cannot be read: a directory or a device in its place, links that go around, too many bytes, damage",
        consequence: "it counted as missing, so that what is said of the guest may be wrong",
        check: unreadable_file,
    },
];

fn system_unknown(case: &mut Case<'_, '_>) {
    if case.guest.system.is_none() {
        case.find(
            Severity::Error,
            "nothing says which system this is",
            "check that this is the root filesystem of a system, and that its `/usr` is part of what is looked at",
        );
    }
}

fn immutable_system(case: &mut Case<'_, '_>) {
    let Some(kind) = case.guest.immutable else {
        return;
    };
    let severity = match kind {
        Immutable::Transactional => Severity::Warning,
        _ if case.instance.is_some() && case.facts.drive.is_none() => Severity::Error,
        _ => Severity::Warning,
    };
    case.find(
        severity,
        format!("the system is immutable ({})", kind.name()),
        "give the identity on a drive, which the system's own agent reads",
    );
}

fn selinux_no_labels(case: &mut Case<'_, '_>) {
    let Some(selinux) = &case.guest.selinux else {
        return;
    };
    if selinux.mode == Mode::Disabled {
        return;
    }
    let mode = selinux.mode.name();
    if case.limits.attribute_bytes == 0 {
        case.find(
            Severity::Error,
            format!("SELinux is {mode}, and the filesystem cannot hold labels"),
            "use an image whose root filesystem has extended attributes, or turn SELinux off in `/etc/selinux/config`",
        );
    } else if !selinux.has_contexts {
        case.find(
            Severity::Warning,
            format!(
                "SELinux is {mode}, and the policy `{}` has no `contexts/files/file_contexts`",
                selinux.policy
            ),
            "install the policy that `SELINUXTYPE` names in `/etc/selinux/config`",
        );
    } else if !selinux.is_labelled && !selinux.relabels {
        case.find(
            Severity::Warning,
            format!("SELinux is {mode}, and files have no labels"),
            "make the file `/.autorelabel`, so that the first boot labels them",
        );
    }
}

fn selinux_relabels(case: &mut Case<'_, '_>) {
    let is_due = case
        .guest
        .selinux
        .as_ref()
        .is_some_and(|it| it.relabels && it.mode != Mode::Disabled);
    if is_due {
        case.find(
            Severity::Note,
            "the first boot labels all files anew",
            "let the first boot take its time, or label the image before and remove `/.autorelabel`",
        );
    }
}

fn time_zone_missing(case: &mut Case<'_, '_>) {
    let Some(zone) = case.instance.and_then(|it| it.guest.timezone.clone()) else {
        return;
    };
    let is_name = !zone.split('/').any(|part| matches!(part, "" | "." | ".."));
    if is_name && case.files.is_file(&format!("/usr/share/zoneinfo/{zone}")) {
        return;
    }
    let zone = zone.escape_debug();
    case.find(
        Severity::Error,
        format!("the guest has no time zone `{zone}`"),
        "correct `guest.timezone`, or install the package of time zones (`tzdata`) in the image",
    );
}

fn account_unknown(case: &mut Case<'_, '_>) {
    let Some(instance) = case.instance else {
        return;
    };
    let (accounts, groups) = case.names();
    let is_number = |name: &str| name.parse::<u32>().is_ok();
    let mut missing = Vec::new();
    for file in &instance.guest.files {
        let Some(owner) = &file.owner else { continue };
        let (user, group) = owner.split_once(':').unwrap_or((owner, ""));
        let path = file.path.escape_debug();
        if !user.is_empty() && !is_number(user) && !accounts.contains(user) {
            missing.push((format!("the owner of `{path}`"), "account", user));
        }
        if !group.is_empty() && !is_number(group) && !groups.contains(group) {
            missing.push((format!("the group of `{path}`"), "group", group));
        }
    }
    for user in &instance.guest.users {
        for group in &user.groups {
            if !groups.contains(group) {
                let name = user.name.escape_debug();
                missing.push((format!("the account `{name}`"), "group", group));
            }
        }
    }
    for (what, kind, name) in missing {
        let name = name.escape_debug();
        case.find(
            Severity::Error,
            format!("{what} needs the {kind} `{name}`, which the guest has not"),
            match kind {
                "account" => "add the account to `guest.users`, or name another owner",
                _ => "name a group that the guest has; administrators are in `sudo` or in `wheel`",
            },
        );
    }
}

fn unreadable_file(case: &mut Case<'_, '_>) {
    for it in &case.guest.unread {
        case.find(
            Severity::Warning,
            format!("`{}` cannot be read: {}", it.path, it.reason),
            "repair the file in the image",
        );
    }
}
