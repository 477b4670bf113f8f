//! The time zone: localtime(5).

use christen_vfs::Kind;
use christen_vfs::walk::LastLink;

use crate::{Item, ItemKind, Request, Result, Stage, assignment};

const LINK: &str = "/etc/localtime";
const ZONES: &str = "/usr/share/zoneinfo";
/// Debian's, and Alpine's with `setup-timezone`; not written where it is not there.
const NAME: &str = "/etc/timezone";
/// Red Hat's before version 7, SUSE's before 12.
const SYSCONFIG: &str = "/etc/sysconfig/clock";

/// Sets the time zone; the guest must have it.
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    let Some(zone) = &request.instance.guest.timezone else {
        return Ok(());
    };
    stage.begin(Item::new(ItemKind::Timezone));
    // systemd `src/basic/time-util.c`, `timezone_is_valid`.
    let is_name = zone.split('/').all(|part| {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+');
        !part.is_empty() && part.bytes().all(is_plain)
    });
    if !is_name {
        return Err(stage.impossible(format!(
            "`{}` is no name of a time zone",
            zone.escape_debug()
        )));
    }
    let file = crate::guest_path(ZONES).join(zone.as_bytes());
    let found = stage.look(&file, LastLink::Followed)?;
    if found.is_none_or(|it| it.kind != Kind::File) {
        let has_any = stage.is_directory(&crate::guest_path(ZONES))?;
        return Err(stage.impossible(if has_any {
            format!("the guest has no time zone `{zone}` in `{ZONES}`")
        } else {
            format!("the guest has no time zones (`{ZONES}`): its `tzdata` is not installed")
        }));
    }
    let link = crate::guest_path(LINK);
    // Both forms are in use, and a guest keeps its own; systemd writes the relative one.
    let is_absolute = match stage.look(&link, LastLink::Kept)? {
        Some(found) if found.kind == Kind::SymbolicLink => {
            stage.link_target(&link)?.starts_with(b"/")
        }
        _ => false,
    };
    let target = format!("{}{ZONES}/{zone}", if is_absolute { "" } else { ".." });
    stage.symbolic_link(&link, target.as_bytes())?;
    let name = crate::guest_path(NAME);
    if let Some(content) = stage.read(&name)? {
        let is_there = content.trim_ascii() == zone.as_bytes();
        let content = if is_there {
            content
        } else {
            format!("{zone}\n").into_bytes()
        };
        stage.configure(&name, &content)?;
    }
    let sysconfig = crate::guest_path(SYSCONFIG);
    if let Some(mut content) = stage.read(&sysconfig)? {
        for key in ["ZONE", "TIMEZONE"] {
            if assignment::has(&content, key) {
                content = assignment::set(&content, key, zone);
            }
        }
        stage.configure(&sysconfig, &content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guest, path, refusal, run_twice, text};

    const BERLIN: &str = "guest: {timezone: Europe/Berlin}\n";

    #[test]
    fn the_link_keeps_its_form() {
        let zone = ("/usr/share/zoneinfo/Europe/Berlin", "TZif");
        for (before, after) in [
            (
                "-> /usr/share/zoneinfo/Etc/UTC",
                "/usr/share/zoneinfo/Europe/Berlin",
            ),
            (
                "-> ../usr/share/zoneinfo/UTC",
                "../usr/share/zoneinfo/Europe/Berlin",
            ),
            ("TZif copied", "../usr/share/zoneinfo/Europe/Berlin"),
        ] {
            let mut fs = guest(&[
                zone,
                (LINK, before),
                (NAME, "Etc/UTC\n"),
                (SYSCONFIG, "ZONE=\"UTC\"\nUTC=true\n"),
            ]);
            run_twice(&mut fs, BERLIN, inject);
            let target = Stage::new(&mut fs).link_target(&path(LINK)).unwrap();
            assert_eq!(String::from_utf8(target).unwrap(), after);
            assert_eq!(text(&mut fs, NAME).unwrap(), "Europe/Berlin\n");
            assert_eq!(
                text(&mut fs, SYSCONFIG).unwrap(),
                "ZONE=Europe/Berlin\nUTC=true\n"
            );
        }
        let mut fs = guest(&[zone, ("/etc/", "")]);
        run_twice(&mut fs, BERLIN, inject);
        assert_eq!(text(&mut fs, LINK).unwrap(), "TZif");
        assert_eq!(text(&mut fs, NAME), None);
    }

    #[test]
    fn a_zone_that_the_guest_has_not_is_refused() {
        let mut fs = guest(&[("/usr/share/zoneinfo/Europe/", "")]);
        assert!(refusal(&mut fs, BERLIN, inject).contains("no time zone `Europe/Berlin`"));
        assert!(refusal(&mut fs, "guest: {timezone: Europe}\n", inject).contains("no time zone"));
        assert!(
            refusal(&mut fs, "guest: {timezone: ../../etc/passwd}\n", inject).contains("no name")
        );
        assert!(refusal(&mut guest(&[]), BERLIN, inject).contains("`tzdata`"));
    }
}
