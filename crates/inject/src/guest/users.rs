//! The accounts that people log in to.

use std::collections::BTreeMap;

use super::files::Files;
use super::text::{lines, shown_short};

/// The first number of a person's account, and the first behind them: `nobody` has 65534 everywhere (login.defs(5), `UID_MIN`;
/// systemd `docs/UIDS-GIDS.md`).
const PEOPLE: std::ops::Range<u32> = 1000..65_534;

/// More accounts are not looked at.
const MAX_ACCOUNTS: usize = 100_000;

/// An account that people log in to: root, or one with a number from 1000 on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
    /// Its home.
    pub home: String,
    /// Its shell.
    pub shell: String,
    /// Whether there is a password. The hash is not kept.
    pub password: PasswordState,
}

/// Whether an account has a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordState {
    /// It has one.
    Set,
    /// It has the empty one: everybody can log in.
    Empty,
    /// It has none, and no password fits.
    Impossible,
    /// It is locked with a `!`, be there a hash behind it or not. An sshd without PAM refuses keys too.
    Locked,
    /// There is no line in shadow(5).
    Missing,
}

impl PasswordState {
    /// Returns the name, as messages and JSON have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Empty => "empty",
            Self::Impossible => "none",
            Self::Locked => "locked",
            Self::Missing => "missing",
        }
    }

    /// Whether no password logs in.
    pub const fn is_locked(self) -> bool {
        !matches!(self, Self::Set | Self::Empty)
    }
}

/// A line of passwd(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswdLine<'a> {
    /// The account's name.
    pub name: &'a [u8],
    /// The second field: `x` if the password is in shadow(5).
    pub password: &'a [u8],
    /// The account's number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
    /// Its home.
    pub home: &'a [u8],
    /// Its shell; empty for `/bin/sh`.
    pub shell: &'a [u8],
}

/// Parses passwd(5): the lines that glibc would take (`nss/nss_files/files-parse.c`); all others are left out.
pub fn parse_passwd(bytes: &[u8]) -> Vec<PasswdLine<'_>> {
    let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse().ok();
    lines(bytes)
        .filter_map(|line| {
            let mut fields = line.split(|byte| *byte == b':');
            let name = fields.next().filter(|name| !name.is_empty())?;
            // `+` and `-` ask other databases.
            if matches!(name[0], b'#' | b'+' | b'-') {
                return None;
            }
            let password = fields.next()?;
            let (uid, gid) = (number(fields.next()?)?, number(fields.next()?)?);
            let _comment = fields.next()?;
            Some(PasswdLine {
                name,
                password,
                uid,
                gid,
                home: fields.next()?,
                shell: fields.next().unwrap_or_default(),
            })
        })
        .take(MAX_ACCOUNTS)
        .collect()
}

/// Parses shadow(5): the state of each account's password; of two lines the first counts, as for glibc.
pub fn parse_shadow(bytes: &[u8]) -> BTreeMap<&[u8], PasswordState> {
    let mut states = BTreeMap::new();
    for line in lines(bytes).take(MAX_ACCOUNTS) {
        let mut fields = line.split(|byte| *byte == b':');
        if let (Some(name), Some(password)) = (fields.next(), fields.next()) {
            states.entry(name).or_insert_with(|| state(password));
        }
    }
    states
}

/// crypt(5): a hash begins with `$` or `_`, or is one of DES with 13 characters; nothing else fits any password.
fn state(password: &[u8]) -> PasswordState {
    let is_des = password.len() == 13
        && password
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'));
    match password.first() {
        None => PasswordState::Empty,
        Some(b'!') => PasswordState::Locked,
        Some(b'$' | b'_') => PasswordState::Set,
        _ if is_des => PasswordState::Set,
        _ => PasswordState::Impossible,
    }
}

pub(super) fn read(files: &mut Files<'_>) -> Vec<User> {
    let Some(passwd) = files.read("/etc/passwd") else {
        return Vec::new();
    };
    let shadow = files.read("/etc/shadow").unwrap_or_default();
    let shadow = parse_shadow(&shadow);
    parse_passwd(&passwd)
        .into_iter()
        .filter(|line| line.uid == 0 || PEOPLE.contains(&line.uid))
        .map(|line| User {
            name: shown_short(line.name),
            uid: line.uid,
            gid: line.gid,
            home: shown_short(line.home),
            shell: match line.shell {
                b"" => "/bin/sh".to_owned(),
                shell => shown_short(shell),
            },
            password: match line.password {
                b"x" => shadow
                    .get(line.name)
                    .copied()
                    .unwrap_or(PasswordState::Missing),
                password => state(password),
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_told_apart_and_not_kept() {
        let shadow = parse_shadow(
            b"a:$6$salt$hash:1:::::\nb::1\nc:*:1\nd:!$6$x:1\ne:!:1\nf:abJnggxhB/yWI:1\ng:x\na:*:\nh\n",
        );
        let state = |name: &[u8]| shadow.get(name).copied();
        assert_eq!(state(b"a"), Some(PasswordState::Set));
        assert_eq!(state(b"b"), Some(PasswordState::Empty));
        assert_eq!(state(b"c"), Some(PasswordState::Impossible));
        assert_eq!(state(b"d"), Some(PasswordState::Locked));
        assert_eq!(state(b"e"), Some(PasswordState::Locked));
        assert_eq!(state(b"f"), Some(PasswordState::Set));
        assert_eq!(state(b"g"), Some(PasswordState::Impossible));
        assert_eq!(state(b"h"), None);
    }

    #[test]
    fn odd_lines_of_passwd_are_left_out() {
        let found = parse_passwd(
            b"root:x:0:0::/root:/bin/sh\n\n#a:x:1:1::/:\n+::::::\nb:x:-1:1::/:\nc:x:1\nd:x:1000:1000::/home/d\ne:x:5:6:::\xff\0\n",
        );
        let names: Vec<_> = found.iter().map(|it| it.name).collect();
        assert_eq!(names, [&b"root"[..], b"d", b"e"]);
        assert_eq!(found[1].shell, b"");
    }
}
