//! The locale: locale.conf(5), and what other systems have instead.

use crate::{Item, ItemKind, Request, Result, Stage, assignment};

const DEBIAN: &str = "/etc/default/locale";
const SYSTEMD: &str = "/etc/locale.conf";
/// Red Hat's before version 7.
const SYSCONFIG: &str = "/etc/sysconfig/i18n";

/// Sets `LANG` where the guest keeps it.
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    let Some(locale) = &request.instance.guest.locale else {
        return Ok(());
    };
    stage.begin(Item::new(ItemKind::Locale));
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@' | b'-');
    if locale.is_empty() || !locale.bytes().all(is_plain) {
        return Err(stage.impossible(format!(
            "`{}` is no name of a locale",
            locale.escape_debug()
        )));
    }
    let exists = |stage: &mut Stage<'_>, path| stage.exists(&crate::guest_path(path));
    let place = if exists(stage, DEBIAN)? || exists(stage, "/etc/debian_version")? {
        DEBIAN
    } else if exists(stage, SYSCONFIG)? && !exists(stage, SYSTEMD)? {
        SYSCONFIG
    } else {
        if !exists(stage, "/usr/lib/systemd/systemd")? && !exists(stage, "/lib/systemd/systemd")? {
            stage.notice(format!(
                "`{SYSTEMD}` is written, which is read by systemd, and the guest has none"
            ));
        }
        SYSTEMD
    };
    let path = crate::guest_path(place);
    stage.parents(&path)?;
    let content = stage.read(&path)?.unwrap_or_default();
    let content = assignment::set(&content, "LANG", locale);
    stage.configure(&path, &content)?;
    if !is_made(stage, locale)? {
        stage.notice(format!(
            "the guest seems not to have the locale `{locale}`: until it is made there (`locale-gen`, a language pack), programs fall back to `C`"
        ));
    }
    Ok(())
}

/// Whether the guest has the locale, as far as it can be told: it is built in, has a directory of its own, or is among those that
/// `locale-gen` has made. An archive (`locale-archive`) is not looked into.
fn is_made(stage: &mut Stage<'_>, locale: &str) -> Result<bool> {
    let (name, codeset) = locale.split_once('.').unwrap_or((locale, ""));
    if matches!(name, "C" | "POSIX") {
        return Ok(true);
    }
    let list = stage.read(&crate::guest_path("/etc/locale.gen"))?;
    let has_list = list.is_some();
    let is_listed = list
        .unwrap_or_default()
        .split(|byte| *byte == b'\n')
        .any(|line| line.split(u8::is_ascii_whitespace).next() == Some(locale.as_bytes()));
    // glibc `intl/l10nflist.c`, `_nl_normalize_codeset`: in lower case, letters and digits alone.
    let normal = |text: &str| -> String {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|it| it.to_ascii_lowercase())
            .collect()
    };
    let mut has_archive = false;
    let mut is_directory = false;
    for found in stage.names(&crate::guest_path("/usr/lib/locale"))? {
        let found = String::from_utf8_lossy(&found).into_owned();
        has_archive |= found == "locale-archive";
        let (found_name, found_codeset) = found.split_once('.').unwrap_or((&found, ""));
        is_directory |= found_name == name && normal(found_codeset) == normal(codeset);
    }
    Ok(is_directory || is_listed || has_archive && !has_list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guest, refusal, run_twice, text};

    const GERMAN: &str = "guest: {locale: de_DE.UTF-8}\n";

    #[test]
    fn each_guest_has_it_in_its_own_place() {
        #[track_caller]
        fn check(files: &[(&str, &str)], place: &str, expected: &str, notices: usize) {
            let mut fs = guest(files);
            let told = run_twice(&mut fs, GERMAN, inject);
            assert_eq!(text(&mut fs, place).unwrap(), expected);
            assert_eq!(told.notices.len(), notices, "{told:?}");
            assert_eq!(
                told.changes
                    .iter()
                    .filter(|it| it.is_change()
                        && it.after.as_ref().is_some_and(|it| it.content.is_some()))
                    .count(),
                1
            );
        }
        let lang = "LANG=de_DE.UTF-8\n";
        let systemd = ("/usr/lib/systemd/systemd", "");
        check(
            &[
                (DEBIAN, "LANG=C.UTF-8\n"),
                ("/etc/locale.gen", "# a\nde_DE.UTF-8 UTF-8\n"),
            ],
            DEBIAN,
            lang,
            0,
        );
        check(
            &[
                ("/etc/debian_version", "12"),
                ("/etc/locale.gen", "# de_DE.UTF-8 UTF-8\n"),
                ("/usr/lib/locale/locale-archive", ""),
            ],
            DEBIAN,
            lang,
            1,
        );
        check(
            &[
                (SYSTEMD, "LANG=\"C\"\nLC_TIME=C\n"),
                systemd,
                ("/usr/lib/locale/de_DE.utf8/", ""),
            ],
            SYSTEMD,
            "LANG=de_DE.UTF-8\nLC_TIME=C\n",
            0,
        );
        check(
            &[
                (SYSCONFIG, "SYSFONT=x\n"),
                ("/usr/lib/locale/locale-archive", ""),
            ],
            SYSCONFIG,
            "SYSFONT=x\nLANG=de_DE.UTF-8\n",
            0,
        );
        check(&[("/etc/", "")], SYSTEMD, lang, 2);
    }

    #[test]
    fn what_is_no_locale_is_refused() {
        assert!(
            refusal(&mut guest(&[]), "guest: {locale: 'a;b'}\n", inject)
                .contains("no name of a locale")
        );
    }
}
