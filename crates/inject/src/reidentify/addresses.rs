//! What others know a machine by.

use christen_instance::inputs::RandomSource;

use super::{draw, is_file, remove_all};
use crate::{Existing, Ownership, Result, Secrecy, Stage};

/// Directories of DHCP clients, which hold nothing but leases and identifiers: of ISC's client on Debian, on Red Hat and on SUSE, and of dhcpcd.
const LEASES: [&str; 5] = [
    "/var/lib/dhcp",
    "/var/lib/dhclient",
    "/var/lib/wicked",
    "/var/lib/dhcpcd",
    "/var/lib/dhcpcd5",
];

/// Where NetworkManager keeps what it knows, configuration among it.
const NETWORK_MANAGER: &str = "/var/lib/NetworkManager";

/// dhcpcd before version 7 (dhcpcd(8)).
const DUID: &str = "/etc/dhcpcd.duid";

/// Two machines with one lease, or one identifier, get one address.
pub(super) fn forget_leases(stage: &mut Stage<'_>) -> Result<()> {
    for directory in LEASES {
        remove_all(stage, directory, |_| true)?;
    }
    // NetworkManager(8): leases, and the secret from which addresses and client identifiers are made.
    remove_all(stage, NETWORK_MANAGER, |name| {
        name.ends_with(b".lease") || matches!(name, b"secret_key" | b"seen-bssids" | b"timestamps")
    })?;
    stage.remove(&crate::guest_path(DUID))
}

/// udev before version 197 wrote the first NIC that it saw into a file; a clone's NIC has another MAC address and gets the next name.
pub(super) fn forget_nic_names(stage: &mut Stage<'_>) -> Result<()> {
    for name in [
        "/etc/udev/rules.d/70-persistent-net.rules",
        "/etc/udev/rules.d/60-persistent-net.rules",
        "/etc/udev/rules.d/z25_persistent-net.rules",
    ] {
        stage.remove(&crate::guest_path(name))?;
    }
    Ok(())
}

/// Storage servers let one machine in by its name, and give two of one name the same disk.
pub(super) fn renew_storage_names(
    stage: &mut Stage<'_>,
    random: &mut dyn RandomSource,
) -> Result<()> {
    iscsi(stage, random)?;
    nvme(stage, random)
}

/// iscsi-iname(8): the last part, behind the colon, tells machines apart.
fn iscsi(stage: &mut Stage<'_>, random: &mut dyn RandomSource) -> Result<()> {
    let path = crate::guest_path("/etc/iscsi/initiatorname.iscsi");
    if !is_file(stage, &path)? {
        return Ok(());
    }
    let content = stage.read(&path)?.unwrap_or_default();
    let mut is_changed = false;
    let mut lines = Vec::new();
    for line in content.split(|byte| *byte == b'\n') {
        let name = line.strip_prefix(b"InitiatorName=");
        // `GenerateName=yes` is Debian's word for "at the first boot".
        match name.and_then(|name| name.iter().rposition(|byte| *byte == b':')) {
            Some(colon) => {
                let mut bytes = [0; 6];
                draw(random, &mut bytes, "a name for iSCSI")?;
                let mut new = line[..=b"InitiatorName=".len() + colon].to_vec();
                new.extend(
                    bytes
                        .iter()
                        .flat_map(|byte| format!("{byte:02x}").into_bytes()),
                );
                lines.push(new);
                is_changed = true;
            }
            None => lines.push(line.to_vec()),
        }
    }
    if !is_changed {
        return Ok(());
    }
    let own = Ownership::root(0o600);
    stage.write(
        &path,
        &lines.join(&b'\n'),
        own,
        Existing::Keep,
        Secrecy::Public,
    )
}

/// nvme-gen-hostnqn(1): both files hold one UUID.
fn nvme(stage: &mut Stage<'_>, random: &mut dyn RandomSource) -> Result<()> {
    let id = crate::guest_path("/etc/nvme/hostid");
    let name = crate::guest_path("/etc/nvme/hostnqn");
    let (has_id, has_name) = (is_file(stage, &id)?, is_file(stage, &name)?);
    if !has_id && !has_name {
        return Ok(());
    }
    let mut bytes = [0; 16];
    draw(random, &mut bytes, "a name for NVMe")?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let uuid = format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    );
    let own = Ownership::root(0o644);
    if has_id {
        let line = format!("{uuid}\n");
        stage.write(&id, line.as_bytes(), own, Existing::Keep, Secrecy::Public)?;
    }
    if has_name {
        let line = format!("nqn.2014-08.org.nvmexpress:uuid:{uuid}\n");
        stage.write(&name, line.as_bytes(), own, Existing::Keep, Secrecy::Public)?;
    }
    Ok(())
}
