//! How Nova sets root's password.
//!
//! Nova 34.0.0, `nova/virt/disk/api.py`, `_inject_admin_password_into_fs` and `_set_passwd`. The hash is what crypt(3) of libxcrypt
//! gives for `$1$`; a libcrypt without it, for which Nova falls back to DES, is not copied: none is in use.

use christen_instance::Secret;
use christen_instance::crypt::md5_crypt;
use christen_instance::inputs::RandomSource;

use super::guest::Guest;
use super::raised::{Exception, Failure};
use crate::{Error, Secrecy, Stage, guest_path};

const USER: &str = "root";
const PASSWD: &str = "/etc/passwd";
const SHADOW: &str = "/etc/shadow";

/// How many characters Nova draws for a salt (`_generate_salt`); md5-crypt uses the first eight.
const SALT_LENGTH: usize = 16;

/// The characters of a salt, in Nova's order (`_generate_salt`).
const SALT_SET: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./";

/// The longest password in bytes that libxcrypt hashes (`CRYPT_MAX_PASSPHRASE_SIZE`, its final zero not counted).
const PASSWORD_BYTES: usize = 511;

/// What libxcrypt gives for a longer one (`lib/crypt.c`, `make_failure_token`); no password has it for a hash.
const NO_HASH: &str = "*0";

/// Replaces the hash of root.
pub(super) fn inject(
    guest: &mut Guest<'_, '_>,
    password: &Secret,
    salt: &mut dyn RandomSource,
) -> Result<(), Failure> {
    let passwd = guest.read_file(PASSWD)?;
    let shadow = guest.read_file(SHADOW)?;
    let hash = hash(guest.stage, password, salt)?;
    let shadow = with_hash(&passwd, &shadow, &hash)?;
    guest.replace_file(SHADOW, shadow.as_bytes(), Secrecy::Secret)
}

fn hash(
    stage: &mut Stage<'_>,
    password: &Secret,
    salt: &mut dyn RandomSource,
) -> Result<String, Failure> {
    let mut drawn = [0; SALT_LENGTH];
    salt.fill(&mut drawn).map_err(|source| {
        let purpose = "the salt of a password";
        Failure::new(Exception::OsError, Error::Random { purpose, source })
    })?;
    // Six bits are below 64.
    let salt: String = drawn
        .iter()
        .map(|byte| char::from(SALT_SET[usize::from(byte & 63)]))
        .collect();
    let password = password.expose().as_bytes();
    // crypt(3) takes a C string.
    let used = password.split(|byte| *byte == 0).next().unwrap_or_default();
    if used.len() < password.len() {
        stage.notice("the password holds a NUL: what stands before it is the password");
    }
    if used.len() > PASSWORD_BYTES {
        stage.notice("the password is longer than 511 bytes, so that nobody can log in with it");
        return Ok(NO_HASH.to_owned());
    }
    Ok(md5_crypt(used, &salt))
}

/// Puts the hash into the second cell of every line of root. Lines end at newlines only, so all else is kept as it is.
fn with_hash(passwd: &str, shadow: &str, hash: &str) -> Result<String, Failure> {
    let is_user = |line: &str| line.split(':').next() == Some(USER);
    if !passwd.split('\n').any(is_user) {
        return Err(no_line(PASSWD));
    }
    let mut text = String::with_capacity(shadow.len().saturating_add(2 * hash.len()));
    let mut is_found = false;
    for (index, line) in shadow.split('\n').enumerate() {
        if index > 0 {
            text.push('\n');
        }
        if !is_user(line) {
            text.push_str(line);
            continue;
        }
        is_found = true;
        let mut cells = line.splitn(3, ':').skip(1);
        if cells.next().is_none() {
            return Err(broken(
                Exception::IndexError,
                SHADOW,
                Some(index + 1),
                "the line has no cell for a password",
            ));
        }
        text.push_str(USER);
        text.push(':');
        text.push_str(hash);
        if let Some(rest) = cells.next() {
            text.push(':');
            text.push_str(rest);
        }
    }
    if is_found {
        Ok(text)
    } else {
        Err(no_line(SHADOW))
    }
}

fn no_line(path: &'static str) -> Failure {
    broken(
        Exception::TypeError,
        path,
        None,
        "there is no line of `root`",
    )
}

fn broken(
    exception: Exception,
    path: &'static str,
    line: Option<usize>,
    rule: &'static str,
) -> Failure {
    let path = guest_path(path);
    Failure::new(exception, Error::Broken { path, line, rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shadow: &str, expected: Result<&str, Exception>) {
        let found = with_hash("x:y\nroot\n", shadow, "H");
        let found = found.map_err(|failure| failure.exception);
        assert_eq!(found.as_deref().map_err(|it| *it), expected, "{shadow:?}");
    }

    #[test]
    fn every_line_of_root_gets_the_hash_and_nothing_else_changes() {
        check("root:!:1::\n", Ok("root:H:1::\n"));
        check("root::1::", Ok("root:H:1::"));
        check("root:", Ok("root:H"));
        check("root:x\r\n", Ok("root:H\n"));
        check("root:x:1\r\n#c\r\n", Ok("root:H:1\r\n#c\r\n"));
        check(
            "\n\nroot:a:b\nroot2:c\nroot:d",
            Ok("\n\nroot:H:b\nroot2:c\nroot:H"),
        );
        check(
            "a\u{2028}root:x\nroot:é\u{85}:1\n",
            Ok("a\u{2028}root:x\nroot:H:1\n"),
        );
    }

    #[test]
    fn what_is_no_line_of_root_is_what_nova_raises() {
        check("", Err(Exception::TypeError));
        check(" root:x\nroott:x\n#root:x\n", Err(Exception::TypeError));
        check("root:x:1\nroot\n", Err(Exception::IndexError));
        let failure = with_hash("r:root\n\u{feff}root:x\n", "root:x", "H").unwrap_err();
        assert_eq!(failure.exception, Exception::TypeError);
        assert_eq!(
            failure.error.to_string(),
            "`/etc/passwd`: there is no line of `root`"
        );
    }
}
