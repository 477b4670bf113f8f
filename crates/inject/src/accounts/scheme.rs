//! In which scheme the guest hashes passwords.

use christen_instance::crypt::Scheme;

use super::database::{Database, PASSWORD};
use super::login_defs::LoginDefs;
use crate::{Result, Stage};

/// Where PAM has its rules for changing passwords: Debian and SUSE; Fedora and Arch; Alpine.
const PAM_FILES: [&str; 6] = [
    "/etc/pam.d/common-password",
    "/etc/pam.d/system-auth",
    "/etc/pam.d/base-password",
    "/etc/pam.d/passwd",
    "/usr/lib/pam.d/common-password",
    "/usr/lib/pam.d/system-auth",
];

/// Finds the scheme that the guest itself would use: what passwd(1) asks PAM for, else what login.defs(5) says, else that of root's
/// present password. It is sha512crypt where nothing says yescrypt.
///
/// PAM goes first because it is what passwd(1) uses: Debian 11 has `SHA512` in login.defs and `yescrypt` in PAM. Where the C library
/// is musl, nobody can log in with yescrypt (musl `src/crypt/crypt_r.c`).
pub(super) fn find(stage: &mut Stage<'_>, database: &Database, defs: &LoginDefs) -> Result<Scheme> {
    let library = stage.names(&crate::guest_path("/lib"))?;
    if library.iter().any(|name| name.starts_with(b"ld-musl-")) {
        return Ok(Scheme::Sha512);
    }
    for place in PAM_FILES {
        let Some(text) = stage.read(&crate::guest_path(place))? else {
            continue;
        };
        if let Some(scheme) = of_pam(&text) {
            return Ok(scheme);
        }
    }
    if let Some(method) = defs.text("ENCRYPT_METHOD") {
        return Ok(named(method));
    }
    let root = match &database.shadow {
        Some(shadow) => shadow.entry(b"root")?,
        None => None,
    };
    Ok(match root {
        Some(fields) if fields[PASSWORD].starts_with(b"$y$") => Scheme::Yescrypt,
        _ => Scheme::Sha512,
    })
}

/// pam_unix(8): the scheme is an argument of the module in the rules for `password`.
fn of_pam(text: &[u8]) -> Option<Scheme> {
    const NAMES: [&str; 8] = [
        "yescrypt",
        "gost_yescrypt",
        "sha512",
        "sha256",
        "blowfish",
        "md5",
        "bigcrypt",
        "sm3_yescrypt",
    ];
    text.split(|byte| *byte == b'\n').find_map(|line| {
        let line = std::str::from_utf8(line).ok()?;
        let line = line.split('#').next()?;
        let mut words = line.split_ascii_whitespace();
        if words.next()?.trim_start_matches('-') != "password" {
            return None;
        }
        words.find(|word| word.ends_with("pam_unix.so"))?;
        words.find(|word| NAMES.contains(word)).map(named)
    })
}

/// Nothing weaker than sha512crypt is written, whatever the guest says.
fn named(name: &str) -> Scheme {
    if name.eq_ignore_ascii_case("yescrypt") {
        Scheme::Yescrypt
    } else {
        Scheme::Sha512
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pam_names_the_scheme() {
        #[track_caller]
        fn check(text: &str, expected: Option<Scheme>) {
            assert_eq!(of_pam(text.as_bytes()), expected);
        }
        check(
            "password\t[success=1 default=ignore]\tpam_unix.so obscure yescrypt\n",
            Some(Scheme::Yescrypt),
        );
        check(
            "# yescrypt\n-password sufficient /lib/security/pam_unix.so sha512 shadow\n",
            Some(Scheme::Sha512),
        );
        check("auth required pam_unix.so yescrypt\n", None);
        check("password required pam_unix.so nullok\n", None);
    }
}
