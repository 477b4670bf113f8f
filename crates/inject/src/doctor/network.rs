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
    Rule {
        name: "network-card-baked-in",
        severities: &[Severity::Warning],
        about: "a file of netplan, networkd, NetworkManager or the ifcfg scripts holds the address of a network card that is not one of the instance's",
        consequence: "a clone has another card, which that file does not configure: it boots without network",
        check: mac_baked_in,
    },
];

const MAC_FILES: [(&str, &str); 5] = [
    ("/etc/netplan", ".yaml"),
    ("/etc/systemd/network", ""),
    ("/etc/NetworkManager/system-connections", ""),
    ("/etc/sysconfig/network-scripts", ""),
    ("/etc/sysconfig/network", ""),
];

/// The most files that are read of one directory.
const MAC_FILES_READ: usize = 200;

fn mac_baked_in(case: &mut Case<'_, '_>) {
    let own: Vec<_> = case
        .instance
        .and_then(|it| it.network.as_ref())
        .into_iter()
        .flatten()
        .map(|nic| nic.mac.to_ascii_lowercase())
        .collect();
    for (directory, suffix) in MAC_FILES {
        for name in case.files.names(directory).iter().take(MAC_FILES_READ) {
            let path = format!("{directory}/{name}");
            if !name.ends_with(suffix) || !case.files.is_file(&path) {
                continue;
            }
            let text = case.files.read(&path).unwrap_or_default();
            let strange = macs(&text).into_iter().find(|mac| !own.contains(mac));
            if let Some(mac) = strange {
                case.find(
                    Severity::Warning,
                    format!(
                        "`{}` is for the network card with the address {mac}",
                        path.escape_debug()
                    ),
                    "remove the file, unless that card is this machine's",
                );
            }
        }
    }
}

/// The addresses of network cards in the lines of a configuration that are no comments, in lower case.
pub(super) fn macs(text: &[u8]) -> Vec<String> {
    // `aa:bb:cc:dd:ee:ff`, with nothing of the sort before or behind.
    const BYTES: usize = 17;
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':';
    let mut found = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii_start();
        if line.first().is_none_or(|byte| matches!(byte, b'#' | b';')) {
            continue;
        }
        for word in line.split(|byte| !is_part(byte)) {
            // `macaddress:` ends with a colon, and so does what a careless split leaves.
            let word = word.trim_ascii();
            let is_mac = word.len() == BYTES
                && word.iter().enumerate().all(|(at, byte)| match at % 3 {
                    2 => *byte == b':',
                    _ => byte.is_ascii_hexdigit(),
                });
            // Broadcast and nothing are no card's.
            if is_mac
                && word != b"00:00:00:00:00:00"
                && !word.eq_ignore_ascii_case(b"ff:ff:ff:ff:ff:ff")
            {
                found.push(String::from_utf8_lossy(word).to_ascii_lowercase());
            }
        }
    }
    found
}

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
