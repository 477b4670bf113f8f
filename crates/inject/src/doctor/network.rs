//! Who configures the network.

use super::case::Case;
use super::{Rule, Severity};
use crate::network::Strength;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "network-nobody",
        severities: &[Severity::Error, Severity::Warning],
        about: "nothing that could configure the network was found: neither ifupdown, ifcfg scripts, wicked, netplan, NetworkManager nor systemd-networkd (an error if the instance has a network)",
        consequence: "the network of the instance cannot be written for this guest",
        check: nobody,
    },
    Rule {
        name: "network-renderer",
        severities: &[Severity::Note],
        about: "what the network of the instance would be written for, and why",
        consequence: "none; it is told so that a wrong choice is seen before the boot",
        check: renderer,
    },
    Rule {
        name: "network-not-started",
        severities: &[Severity::Warning],
        about: "all that could configure the network is installed and nothing starts it",
        consequence: "the guest boots without network, whatever is written",
        check: not_started,
    },
    Rule {
        name: "network-twice",
        severities: &[Severity::Warning],
        about: "more than one program is started at boot and has something to configure",
        consequence: "a card may be configured twice: two addresses, two routes, or one undoes the other",
        check: twice,
    },
];

fn nobody(case: &mut Case<'_, '_>) {
    if case.guest.renderer.is_some() {
        return;
    }
    let severity = match case.instance {
        Some(instance) if instance.network.is_some() => Severity::Error,
        _ => Severity::Warning,
    };
    case.find(
        severity,
        "nothing in the guest configures a network",
        "install and enable systemd-networkd, NetworkManager, netplan or ifupdown in the image",
    );
}

fn renderer(case: &mut Case<'_, '_>) {
    let Some(found) = &case.guest.renderer else {
        return;
    };
    if case.instance.is_some_and(|it| it.network.is_some()) {
        case.find(
            Severity::Note,
            format!(
                "the network is configured by {}: {}",
                found.renderer, found.because
            ),
            "nothing is to be done",
        );
    }
}

fn not_started(case: &mut Case<'_, '_>) {
    let strongest = case.guest.renderers.iter().map(|it| it.strength).max();
    if strongest == Some(Strength::Installed) {
        let names: Vec<_> = case
            .guest
            .renderers
            .iter()
            .map(|it| it.renderer.name())
            .collect();
        case.find(
            Severity::Warning,
            format!("nothing starts {} at boot", names.join(" or ")),
            "enable one of them in the image",
        );
    }
}

fn twice(case: &mut Case<'_, '_>) {
    let configured: Vec<_> = case
        .guest
        .renderers
        .iter()
        .filter(|it| it.strength == Strength::Configured)
        .map(|it| format!("{} ({})", it.renderer, it.because))
        .collect();
    if configured.len() > 1 {
        case.find(
            Severity::Warning,
            format!(
                "several programs configure the network: {}",
                configured.join("; ")
            ),
            "keep one of them, and disable the others or remove their configuration",
        );
    }
}
