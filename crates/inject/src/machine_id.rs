//! The machine ID: machine-id(5).

use christen_instance::model::MachineId;
use christen_vfs::Kind;
use christen_vfs::walk::LastLink;

use crate::reidentify::keep_entry_token;
use crate::{Error, Existing, Item, ItemKind, Ownership, Request, Result, Secrecy, Stage};

const FILE: &str = "/etc/machine-id";
/// D-Bus has a copy where it is older than systemd, or without it.
const DBUS: &str = "/var/lib/dbus/machine-id";

/// Makes the machine ID what the description says; without a word of it nothing changes.
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    let Some(wanted) = &request.instance.guest.machine_id else {
        return Ok(());
    };
    stage.begin(Item::new(ItemKind::MachineId));
    let file = crate::guest_path(FILE);
    let found = stage.read(&file)?;
    let old = found.as_deref().unwrap_or_default().trim_ascii();
    let is_open = old.is_empty() || old == b"uninitialized";
    let id = match wanted {
        MachineId::Reset => None,
        MachineId::Fixed(id) => Some(id.clone()),
        MachineId::Random => {
            let mut bytes = [0; 16];
            request
                .random
                .fill(&mut bytes)
                .map_err(|source| Error::Random {
                    purpose: "a machine ID",
                    source,
                })?;
            // A random UUID, as systemd makes it (RFC 9562, section 5.4).
            bytes[6] = bytes[6] & 0x0f | 0x40;
            bytes[8] = bytes[8] & 0x3f | 0x80;
            Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
        }
    };
    if !is_open && id.as_deref().map(str::as_bytes) != Some(old) {
        keep_entry_token(stage, old)?;
    }
    let has_systemd = crate::first_boot::has_systemd(stage)?;
    match id {
        Some(id) => {
            let content = match &found {
                Some(found) if old == id.as_bytes() => found.clone(),
                _ => format!("{id}\n").into_bytes(),
            };
            write(stage, &content)?;
        }
        // systemd makes one where the file is empty; `uninitialized` asks for that too, and for the presets (machine-id(5), "First boot
        // semantics"), as whoever made the image wanted it.
        None if has_systemd => {
            let content = found.filter(|_| is_open).unwrap_or_default();
            write(stage, &content)?;
        }
        // D-Bus makes one where the file is missing, and takes an empty one for broken (dbus-uuidgen(1)).
        None => {
            stage.remove(&file)?;
            return stage.remove(&crate::guest_path(DBUS));
        }
    }
    // A copy would stay behind.
    let dbus = crate::guest_path(DBUS);
    let copy = stage.look(&dbus, LastLink::Kept)?;
    if copy.is_some_and(|it| it.kind == Kind::File) {
        stage.symbolic_link(&dbus, FILE.as_bytes())?;
    }
    Ok(())
}

fn write(stage: &mut Stage<'_>, content: &[u8]) -> Result<()> {
    let own = Ownership::root(0o444);
    let path = crate::guest_path(FILE);
    stage.write(&path, content, own, Existing::Keep, Secrecy::Public)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guest, instance, own, path, run, run_twice, text};

    const SYSTEMD: (&str, &str) = ("/usr/lib/systemd/systemd", "");
    const OLD: &str = "0123456789abcdef0123456789abcdef";
    const NEW: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn reset_leaves_it_to_the_guest() {
        let yaml = "guest: {machine_id: reset}\n";
        let mut fs = guest(&[SYSTEMD, (FILE, &format!("{OLD}\n")), (DBUS, OLD)]);
        run_twice(&mut fs, yaml, inject);
        assert_eq!(text(&mut fs, FILE).unwrap(), "");
        assert_eq!(
            Stage::new(&mut fs).link_target(&path(DBUS)).unwrap(),
            FILE.as_bytes()
        );
        let mut fs = guest(&[SYSTEMD, (FILE, "uninitialized\n")]);
        run_twice(&mut fs, yaml, inject);
        assert_eq!(text(&mut fs, FILE).unwrap(), "uninitialized\n");
        let mut fs = guest(&[SYSTEMD, ("/etc/", "")]);
        run_twice(&mut fs, yaml, inject);
        assert_eq!(
            (text(&mut fs, FILE).unwrap().as_str(), own(&mut fs, FILE).0),
            ("", 0o444)
        );
        let mut fs = guest(&[(FILE, OLD), (DBUS, OLD)]);
        run_twice(&mut fs, yaml, inject);
        assert_eq!((text(&mut fs, FILE), text(&mut fs, DBUS)), (None, None));
    }

    #[test]
    fn an_id_is_written_and_boot_entries_keep_their_names() {
        let entry = format!("/boot/loader/entries/{OLD}-6.1.conf");
        let mut fs = guest(&[SYSTEMD, (FILE, OLD), (&entry, "")]);
        let yaml = format!("guest: {{machine_id: {}}}\n", NEW.to_uppercase());
        run_twice(&mut fs, &yaml, inject);
        assert_eq!(text(&mut fs, FILE).unwrap(), format!("{NEW}\n"));
        assert_eq!(
            text(&mut fs, "/etc/kernel/entry-token").unwrap(),
            format!("{OLD}\n")
        );
        let drawn = instance("guest: {machine_id: random}\n");
        run(&mut fs, &drawn, inject).unwrap();
        assert_eq!(
            text(&mut fs, FILE).unwrap(),
            "000102030405460788090a0b0c0d0e0f\n"
        );
    }
}
