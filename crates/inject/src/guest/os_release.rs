//! os-release(5), and the other files in which a system says what it is.

use std::collections::BTreeMap;

use super::text::{lines, shown_short};

/// The assignments of a file like `/etc/os-release`: values by name, the last of each name.
///
/// os-release(5): lines `NAME=VALUE`, values with the quotes and the escapes of a shell, nothing expanded; lines that begin with
/// `#` are comments. Where that leaves a choice, as systemd reads it (`src/basic/env-file.c`, `parse_env_file_internal`).
pub fn parse(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut values = BTreeMap::new();
    for line in lines(bytes) {
        let line = line.trim_ascii_start();
        if line.first().is_none_or(|byte| matches!(byte, b'#' | b';')) {
            continue;
        }
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let name = &line[..equals];
        let is_name = !name.is_empty()
            && !name[0].is_ascii_digit()
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if let (true, Ok(name)) = (is_name, std::str::from_utf8(name)) {
            values.insert(name.to_owned(), value(&line[equals + 1..]));
        }
    }
    values
}

/// Takes off quotes and escapes.
fn value(text: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(text.len());
    // Blanks behind the last character that was quoted, escaped or no blank do not count.
    let mut kept = 0;
    let mut quote = None;
    let mut rest = text.trim_ascii_start();
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (quote, *first) {
            (None, mark @ (b'"' | b'\'')) => quote = Some(mark),
            (Some(mark), byte) if byte == mark => {
                quote = None;
                kept = value.len();
            }
            (Some(b'\''), byte) => value.push(byte),
            (Some(_), b'\\') => match rest {
                // In double quotes a backslash stays unless it is before one of these (POSIX shell, 2.2.3).
                [escaped @ (b'"' | b'\\' | b'$' | b'`'), behind @ ..] => {
                    value.push(*escaped);
                    rest = behind;
                }
                _ => value.push(b'\\'),
            },
            (None, b'\\') => {
                if let [escaped, behind @ ..] = rest {
                    value.push(*escaped);
                    rest = behind;
                    kept = value.len();
                }
            }
            (_, byte) => {
                value.push(byte);
                if quote.is_some() || !byte.is_ascii_whitespace() {
                    kept = value.len();
                }
            }
        }
    }
    if quote.is_none() {
        value.truncate(kept);
    }
    value
}

/// What a system says that it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct System {
    /// The name in lower case: `debian`, `fedora`, `opensuse-leap`.
    pub id: String,
    /// The names of what it is like, the nearest first.
    pub id_like: Vec<String>,
    /// The version: `12`, `24.04`; a rolling one has none.
    pub version: Option<String>,
    /// Name and version for people.
    pub name: String,
    /// From which file that is known.
    pub source: &'static str,
}

impl System {
    /// Whether it is this or is like this: `debian` is true of Ubuntu.
    pub fn is_like(&self, id: &str) -> bool {
        self.id == id || self.id_like.iter().any(|it| it == id)
    }

    /// Reads os-release(5).
    pub(super) fn of_os_release(bytes: &[u8], source: &'static str) -> Option<Self> {
        let values = parse(bytes);
        let text = |name: &str| {
            let value = values.get(name).filter(|value| !value.is_empty())?;
            Some(shown_short(value))
        };
        let id = text("ID")?;
        let name = text("PRETTY_NAME")
            .or_else(|| text("NAME"))
            .unwrap_or_else(|| id.clone());
        let like = text("ID_LIKE").unwrap_or_default();
        Some(Self {
            id,
            id_like: like.split_ascii_whitespace().map(str::to_owned).collect(),
            version: text("VERSION_ID"),
            name,
            source,
        })
    }

    /// Reads `/etc/lsb-release`, which has the form of os-release(5) with names of its own.
    pub(super) fn of_lsb_release(bytes: &[u8], source: &'static str) -> Option<Self> {
        let values = parse(bytes);
        let text = |name: &str| {
            let value = values.get(name).filter(|value| !value.is_empty())?;
            Some(shown_short(value))
        };
        let id = text("DISTRIB_ID")?;
        let name = text("DISTRIB_DESCRIPTION").unwrap_or_else(|| id.clone());
        Some(Self {
            id: id.to_ascii_lowercase(),
            version: text("DISTRIB_RELEASE"),
            name,
            source,
            ..Self::default()
        })
    }

    /// Reads a line like `CentOS release 6.10 (Final)`.
    pub(super) fn of_redhat_release(bytes: &[u8], source: &'static str) -> Option<Self> {
        let line = shown_short(lines(bytes).next()?.trim_ascii());
        let mut words = line.split_ascii_whitespace();
        let first = words.next()?.to_ascii_lowercase();
        let version = line
            .split_ascii_whitespace()
            .find(|word| word.starts_with(|it: char| it.is_ascii_digit()))
            .map(str::to_owned);
        let id = match &first[..] {
            "red" => "rhel".to_owned(),
            _ => first,
        };
        let id_like = match &id[..] {
            "fedora" => vec![],
            "rhel" => vec!["fedora".to_owned()],
            _ => vec!["rhel".to_owned(), "fedora".to_owned()],
        };
        Some(Self {
            id,
            id_like,
            version,
            name: line,
            source,
        })
    }

    /// Reads a file that holds nothing but a version: `/etc/debian_version`, `/etc/alpine-release`.
    pub(super) fn of_version(
        bytes: &[u8],
        id: &str,
        name: &str,
        source: &'static str,
    ) -> Option<Self> {
        let version = shown_short(lines(bytes).next()?.trim_ascii());
        if version.is_empty() {
            return None;
        }
        Some(Self {
            id: id.to_owned(),
            id_like: Vec::new(),
            name: format!("{name} {version}"),
            version: Some(version),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes_are_a_shells() {
        let text = b"# c\nA=plain\nB=\"two words\"\nC='it is $x \\n'\nD=\"a\\\"b\\\\c\\$d\\`e\\f\"\n E=x\\ y  \nF=\nG=\"\"\n\
                     1H=no\nI J=no\nK=a\"b\"'c'\nA=last\nL='open\n=x\nno";
        let values = parse(text);
        let expected = [
            ("A", &b"last"[..]),
            ("B", b"two words"),
            ("C", b"it is $x \\n"),
            ("D", b"a\"b\\c$d`e\\f"),
            ("E", b"x y"),
            ("F", b""),
            ("G", b""),
            ("K", b"abc"),
            ("L", b"open"),
        ];
        let found: Vec<_> = values
            .iter()
            .map(|(name, value)| (&name[..], &value[..]))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn old_files_name_the_system_too() {
        let system =
            System::of_redhat_release(b"CentOS release 6.10 (Final)\n", "/etc/redhat-release")
                .unwrap();
        assert_eq!(
            (&system.id[..], system.version.as_deref()),
            ("centos", Some("6.10"))
        );
        assert!(system.is_like("rhel"));
        let system = System::of_redhat_release(
            b"Red Hat Enterprise Linux Server release 7.9 (Maipo)",
            "/etc/redhat-release",
        )
        .unwrap();
        assert_eq!(
            (&system.id[..], system.version.as_deref()),
            ("rhel", Some("7.9"))
        );
        assert_eq!(System::of_redhat_release(b"\n", "x"), None);
        let system = System::of_lsb_release(
            b"DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=14.04\n",
            "/etc/lsb-release",
        )
        .unwrap();
        assert_eq!(
            (&system.id[..], system.version.as_deref()),
            ("ubuntu", Some("14.04"))
        );
        let system =
            System::of_version(b"7.11\n", "debian", "Debian", "/etc/debian_version").unwrap();
        assert_eq!(system.name, "Debian 7.11");
    }

    #[test]
    fn a_hostile_name_cannot_play_with_a_terminal() {
        let mut text = b"ID=\"\x1b[2J\xff\"\nNAME=\"".to_vec();
        text.extend(vec![b'n'; 100_000]);
        let system = System::of_os_release(&text, "/etc/os-release").unwrap();
        assert_eq!(system.id, "\\u{1b}[2J\\xff");
        assert!(system.name.len() < 300);
    }
}
