//! Which packages are installed, where the database says it in text.

use std::collections::BTreeMap;

use super::files::Files;
use super::text::{lines, shown_short};

/// More packages than any system has.
const MAX_PACKAGES: usize = 100_000;

/// The database of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packages {
    /// Whose database it is.
    pub manager: PackageManager,
    /// The installed packages and their versions; `None` where the database is no text: it is there, and is not read.
    pub installed: Option<BTreeMap<String, String>>,
}

/// The managers of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageManager {
    /// Debian's.
    Dpkg,
    /// Alpine's.
    Apk,
    /// Arch's.
    Pacman,
    /// Red Hat's and SUSE's.
    Rpm,
}

impl PackageManager {
    /// Returns the name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dpkg => "dpkg",
            Self::Apk => "apk",
            Self::Pacman => "pacman",
            Self::Rpm => "rpm",
        }
    }
}

impl Packages {
    pub(super) fn read(files: &mut Files<'_>) -> Option<Self> {
        if let Some(status) = files.read("/var/lib/dpkg/status") {
            return Some(Self {
                manager: PackageManager::Dpkg,
                installed: Some(parse_dpkg_status(&status)),
            });
        }
        // Alpine moves the database below /usr with version 3.23.
        for path in ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"] {
            if let Some(installed) = files.read(path) {
                return Some(Self {
                    manager: PackageManager::Apk,
                    installed: Some(parse_apk_installed(&installed)),
                });
            }
        }
        if files.is_directory("/var/lib/pacman/local") {
            let names = files.names("/var/lib/pacman/local");
            return Some(Self {
                manager: PackageManager::Pacman,
                installed: Some(names.iter().filter_map(|it| of_pacman(it)).collect()),
            });
        }
        let is_rpm = ["/usr/lib/sysimage/rpm", "/var/lib/rpm"]
            .iter()
            .flat_map(|directory| {
                ["rpmdb.sqlite", "Packages.db", "Packages"]
                    .iter()
                    .map(move |name| format!("{directory}/{name}"))
            })
            .any(|path| files.is_file(&path));
        is_rpm.then_some(Self {
            manager: PackageManager::Rpm,
            installed: None,
        })
    }

    /// Returns the version of an installed package.
    pub fn version(&self, name: &str) -> Option<&str> {
        self.installed.as_ref()?.get(name).map(String::as_str)
    }
}

/// Reads dpkg's `status`: what is installed, and in which version.
///
/// Stanzas as of deb822(5), ended by an empty line; `Status` has three words, of which the last says the state, and
/// everything but `not-installed` and `config-files` has files in place (dpkg(1), "Package states").
pub fn parse_dpkg_status(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut installed = BTreeMap::new();
    let mut stanza = Stanza::default();
    for line in lines(bytes).chain([&b""[..]]) {
        if line.trim_ascii().is_empty() {
            let done = std::mem::take(&mut stanza);
            if let (Some(package), Some(version), true) =
                (done.package, done.version, done.is_installed)
                && installed.len() < MAX_PACKAGES
            {
                installed.insert(shown_short(package), shown_short(version));
            }
            continue;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        // A line that begins with a blank belongs to the field before; no field has a blank in its name.
        let value = line[colon + 1..].trim_ascii();
        match line[..colon].to_ascii_lowercase().as_slice() {
            b"package" => stanza.package = Some(value),
            b"version" => stanza.version = Some(value),
            b"status" => {
                let state = value.rsplit(|byte| *byte == b' ').next();
                stanza.is_installed = matches!(
                    state,
                    Some(
                        b"installed"
                            | b"unpacked"
                            | b"half-configured"
                            | b"half-installed"
                            | b"triggers-awaited"
                            | b"triggers-pending"
                    )
                );
            }
            _ => {}
        }
    }
    installed
}

#[derive(Default)]
struct Stanza<'a> {
    package: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    is_installed: bool,
}

/// Reads apk's `installed`: `P:` is a package's name, `V:` its version, an empty line ends it (apk-tools, `src/database.c`,
/// `apk_db_fdb_read`).
pub fn parse_apk_installed(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut installed = BTreeMap::new();
    let (mut name, mut version) = (None, None);
    for line in lines(bytes).chain([&b""[..]]) {
        if let Some(text) = line.strip_prefix(b"P:") {
            name = Some(text);
        } else if let Some(text) = line.strip_prefix(b"V:") {
            version = Some(text);
        } else if line.is_empty()
            && let (Some(name), Some(version)) = (name.take(), version.take())
            && installed.len() < MAX_PACKAGES
        {
            installed.insert(shown_short(name), shown_short(version));
        }
    }
    installed
}

/// A directory of pacman's is named `NAME-VERSION-RELEASE` (libalpm, `_alpm_splitname`).
fn of_pacman(directory: &str) -> Option<(String, String)> {
    let (rest, release) = directory.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    (!name.is_empty()).then(|| {
        (
            shown_short(name.as_bytes()),
            shown_short(format!("{version}-{release}").as_bytes()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dpkg_tells_what_is_installed() {
        let text = b"Package: a\nStatus: install ok installed\nVersion: 1:2-3\nDescription: x\n Package: no\n\n\n\
                     Package: b\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: c\nversion: 3\nSTATUS: hold ok half-configured";
        let installed = parse_dpkg_status(text);
        let expected = [("a", "1:2-3"), ("c", "3")];
        let found: Vec<_> = installed.iter().map(|(a, b)| (&a[..], &b[..])).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn apk_and_pacman_tell_what_is_installed() {
        let installed = parse_apk_installed(b"P:a\nV:1-r0\nF:etc\n\nP:b\n\nV:3\n\nP:c\nV:2");
        let found: Vec<_> = installed.iter().map(|(a, b)| (&a[..], &b[..])).collect();
        assert_eq!(found, [("a", "1-r0"), ("c", "2")]);
        assert_eq!(
            of_pacman("cloud-init-25.1.1-1"),
            Some(("cloud-init".to_owned(), "25.1.1-1".to_owned()))
        );
        assert_eq!(of_pacman("ALPM_DB_VERSION"), None);
    }
}
