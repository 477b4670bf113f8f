//! What makes clones of an image the same machine.

use super::files::Files;
use super::text::{lines, shown_short};

/// Leases of DHCP clients: directories whose files begin so. Of some the whole name counts.
const LEASES: [(&str, &str); 7] = [
    ("/var/lib/dhcp", "dhclient"),
    ("/var/lib/dhclient", "dhclient"),
    ("/var/lib/dhcpcd", ""),
    ("/var/lib/NetworkManager", "dhclient-"),
    ("/var/lib/NetworkManager", "internal-"),
    ("/var/lib/wicked", "lease-"),
    ("/var/lib/systemd/network", ""),
];

/// Files from which the next boot takes randomness, or secrets of the machine.
const SEEDS: [&str; 6] = [
    "/var/lib/systemd/random-seed",
    "/var/lib/random-seed",
    "/var/lib/urandom/random-seed",
    "/var/lib/misc/random-seed",
    "/boot/efi/loader/random-seed",
    "/boot/loader/random-seed",
];

/// Rules of udev that tie names of network cards to their addresses.
const NET_RULES: [&str; 3] = [
    "/etc/udev/rules.d/70-persistent-net.rules",
    "/etc/udev/rules.d/75-persistent-net-generator.rules",
    "/etc/udev/rules.d/30-net_persistent_names.rules",
];

/// What makes clones of an image the same machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftovers {
    /// The machine ID.
    pub machine_id: MachineId,
    /// Whether `/var/lib/dbus/machine-id` is a file with an ID of its own, and no link.
    pub has_dbus_machine_id: bool,
    /// The private host keys of SSH.
    pub host_keys: Vec<String>,
    /// Leases of DHCP clients.
    pub leases: Vec<String>,
    /// Random seeds.
    pub random_seeds: Vec<String>,
    /// Rules that tie names of network cards to their addresses, those that have any.
    pub net_rules: Vec<String>,
    /// systemd's key for credentials, which is to be of one machine.
    pub has_credential_secret: bool,
}

/// What `/etc/machine-id` holds. The ID is not kept: machine-id(5) wants it confidential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineId {
    /// It is not there: the first boot makes one, if it may write.
    Missing,
    /// It is empty: the first boot makes one.
    Empty,
    /// It says `uninitialized`: the first boot makes one, and counts as the first.
    Uninitialized,
    /// It holds an ID: every clone has it.
    Set,
    /// It holds something else.
    Invalid,
}

impl MachineId {
    /// Returns the name, as messages and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Empty => "empty",
            Self::Uninitialized => "uninitialized",
            Self::Set => "set",
            Self::Invalid => "invalid",
        }
    }

    /// Parses machine-id(5): 32 hexadecimal digits, not all of them 0, and a newline.
    pub fn parse(bytes: &[u8]) -> Self {
        match bytes.trim_ascii_end() {
            b"" => Self::Empty,
            b"uninitialized" => Self::Uninitialized,
            id if id.len() == 32
                && id.iter().all(u8::is_ascii_hexdigit)
                && id.iter().any(|byte| *byte != b'0') =>
            {
                Self::Set
            }
            _ => Self::Invalid,
        }
    }
}

impl Leftovers {
    pub(super) fn read(files: &mut Files<'_>) -> Self {
        let id = |files: &mut Files<'_>, path: &str| {
            files
                .read(path)
                .map_or(MachineId::Missing, |bytes| MachineId::parse(&bytes))
        };
        let dbus = "/var/lib/dbus/machine-id";
        Self {
            machine_id: id(files, "/etc/machine-id"),
            has_dbus_machine_id: files.target(dbus).is_none() && id(files, dbus) == MachineId::Set,
            host_keys: files
                .names("/etc/ssh")
                .iter()
                .filter(|name| name.starts_with("ssh_host_") && name.ends_with("_key"))
                .map(|name| format!("/etc/ssh/{}", shown_short(name.as_bytes())))
                .collect(),
            leases: leases(files),
            random_seeds: SEEDS
                .iter()
                .filter(|path| files.attributes(path).is_some_and(|it| it.size > 0))
                .map(|path| (*path).to_owned())
                .collect(),
            net_rules: NET_RULES
                .iter()
                .filter(|path| files.read(path).is_some_and(|text| has_rule(&text)))
                .map(|path| (*path).to_owned())
                .collect(),
            has_credential_secret: files.has("/var/lib/systemd/credential.secret"),
        }
    }
}

fn leases(files: &mut Files<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (directory, prefix) in LEASES {
        for name in files.names(directory) {
            let path = format!("{directory}/{name}");
            if name.starts_with(prefix)
                && (name.contains("lease") || prefix == "dhclient")
                && found.len() < 100
                && files
                    .attributes(&path)
                    .is_some_and(|it| it.kind == christen_vfs::Kind::File && it.size > 0)
            {
                found.push(format!("{directory}/{}", shown_short(name.as_bytes())));
            }
        }
    }
    found
}

/// Whether there is any line that is no comment, and names a card by its address.
fn has_rule(text: &[u8]) -> bool {
    lines(text)
        .map(<[u8]>::trim_ascii_start)
        .any(|line| !line.starts_with(b"#") && line.windows(4).any(|part| part == b"NAME"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_id_is_32_digits() {
        for (text, state) in [
            ("", MachineId::Empty),
            ("\n", MachineId::Empty),
            ("uninitialized\n", MachineId::Uninitialized),
            ("0123456789abcdef0123456789abcdef\n", MachineId::Set),
            ("0123456789abcdef0123456789abcdef", MachineId::Set),
            ("00000000000000000000000000000000\n", MachineId::Invalid),
            ("0123456789abcdef0123456789abcde\n", MachineId::Invalid),
            ("no\n", MachineId::Invalid),
        ] {
            assert_eq!(MachineId::parse(text.as_bytes()), state, "{text}");
        }
    }
}
