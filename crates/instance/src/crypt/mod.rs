//! crypt(5): passwords as they stand in `/etc/shadow`.
//!
//! | prefix | scheme | made | verified | source |
//! |--------|--------|------|----------|--------|
//! | `$y$` | yescrypt | yes | yes, up to 64 MiB | libxcrypt `lib/alg-yescrypt-common.c`, `yescrypt_r` |
//! | `$6$` | sha512crypt | yes | yes, up to a million rounds | Drepper, "Unix crypt using SHA-256 and SHA-512" |
//! | `$5$` | sha256crypt | no | likewise | likewise |
//! | `$1$` | md5crypt | for Nova alone | yes | libxcrypt `lib/crypt-md5.c` |
//!
//! Passwords are never kept in clear; a salt is drawn, so the same arguments give the same hash.

mod digits;
mod md5;
mod sha;
mod yescrypt;

pub use md5::md5_crypt;

use crate::inputs::RandomSource;
use crate::{Error, Secret};

/// Longest password in bytes: crypt(3) of libxcrypt takes no more (`CRYPT_MAX_PASSPHRASE_SIZE`,
/// its final zero not counted), so nobody could log in with a longer one.
const PASSWORD_LIMIT: usize = 511;

/// Bytes that are drawn for a salt, with every scheme.
const SALT_BYTES: usize = 16;

/// The schemes in which passwords are hashed; nothing weaker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// sha512crypt with its 5000 rounds, which every Linux of the last fifteen years knows.
    Sha512,
    /// yescrypt with libxcrypt's default cost of 16 MiB: the default of Debian since 11, Fedora since 35.
    Yescrypt,
}

/// Hashes the password of an account, with a salt from 16 drawn bytes.
///
/// # Errors
///
/// [`Error::GuestAccount`] for a password that no login takes, [`Error::Random`].
pub fn hash(
    scheme: Scheme,
    account: &str,
    password: &Secret,
    random: &mut dyn RandomSource,
) -> Result<Secret, Error> {
    let refuse = |reason| Error::GuestAccount {
        name: account.to_owned(),
        reason,
    };
    let password = password.expose().as_bytes();
    if password.len() > PASSWORD_LIMIT {
        return Err(refuse(
            "the password is longer than 511 bytes, which no login accepts",
        ));
    }
    if password.contains(&0) {
        return Err(refuse(
            "the password holds a zero byte, which ends it for crypt(3)",
        ));
    }
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt).map_err(|source| Error::Random {
        purpose: "the salt of a password",
        source,
    })?;
    let hash = match scheme {
        Scheme::Sha512 => sha::sha512(password, &salt.map(digits::digit)),
        Scheme::Yescrypt => yescrypt::hash(password, &salt)
            .ok_or_else(|| refuse("the password could not be hashed as yescrypt"))?,
    };
    Ok(Secret::new(hash))
}

/// Whether a hash is that of this password; `None` where that cannot be told: another scheme, or a cost that is out of all
/// proportion.
///
/// The time that this takes tells something of the hash, which matters to nobody: whoever calls holds both.
pub fn verify(hash: &[u8], password: &[u8]) -> Option<bool> {
    if password.len() > PASSWORD_LIMIT || password.contains(&0) {
        return Some(false);
    }
    let text = std::str::from_utf8(hash).ok()?;
    let again = match text.split('$').nth(1)? {
        "y" => yescrypt::again(text, password),
        "6" | "5" => sha::again(text, password),
        "1" => md5::again(text, password),
        _ => None,
    }?;
    Some(again == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    struct Counting;

    impl RandomSource for Counting {
        fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
            for (byte, number) in buffer.iter_mut().zip(0..) {
                *byte = number;
            }
            Ok(())
        }
    }

    const LONG: &str = "Grüße, Welt 12345678901234567890123456789012345678901234567890123456789012345678901234567890";

    #[track_caller]
    fn check(scheme: Scheme, password: &str, expected: &str) {
        let secret = Secret::new(password.to_owned());
        let hash = hash(scheme, "root", &secret, &mut Counting).expect("it can be hashed");
        assert_eq!(hash.expose(), expected);
        assert_eq!(verify(expected.as_bytes(), password.as_bytes()), Some(true));
        assert_eq!(verify(expected.as_bytes(), b"another"), Some(false));
    }

    // `openssl passwd -6 -salt ./0123456789ABCD PASSWORD`, OpenSSL 3.0.19.
    #[test]
    fn sha512_is_that_of_openssl() {
        check(
            Scheme::Sha512,
            "s3cret",
            "$6$./0123456789ABCD$uHWVRv/q8zalsO3I5Wf5YHp.puy5x1bJhxzXfO//qwWZK18lxajD8AyMvmjYp15nRcOybMljiRVx3kI0WAIip1",
        );
        check(
            Scheme::Sha512,
            LONG,
            "$6$./0123456789ABCD$mqjoYv4vtnuV4hzgcu5QBCDfLIbqbCSUZzcgAUKlcubplPmjBdVaUbkbSDhMgXmzJ5Fw/2IsvsXpUQWRToLAF.",
        );
    }

    // `perl -e 'print crypt(PASSWORD, SETTING)'` with libxcrypt 4.4.
    #[test]
    fn yescrypt_is_that_of_libxcrypt() {
        check(
            Scheme::Yescrypt,
            "s3cret",
            "$y$j9T$.2U.1EE/4Q.07ck0AoU1D.$KaQ7HwBQ/djMR5JpjKwtfirTOrcbtR6RjJ7yKSaLxK7",
        );
        check(
            Scheme::Yescrypt,
            LONG,
            "$y$j9T$.2U.1EE/4Q.07ck0AoU1D.$vmSfWRbIcbzJcw.ErDM9UOpCfEU4dbTrjNZ6baTrLV.",
        );
        check(
            Scheme::Yescrypt,
            "",
            "$y$j9T$.2U.1EE/4Q.07ck0AoU1D.$SmJZIbjHRp4Z4W4wxy1fs7FwUQaU7p33Xm6oOyuYI22",
        );
    }

    #[test]
    fn hashes_of_others_are_verified() {
        for (hash, password) in [
            ("$1$saltsalt$RwMqRjSWhXMKbW72DwzGd1", "s3cret"),
            ("$1$saltsalt$TM0LML8vG/RTkgInVyrIm0", LONG),
            ("$1$saltsalt$5Jhcit4zN9UlGiA0txPkO0", ""),
            ("$1$ab$uCzd2IA9Rb.P73vs8WgwD1", "s3cret"),
            ("$1$ab$dZeJ8Uv4OhHr6RnRg7lNN0", LONG),
            ("$1$ab$rn6aQS/o7141mj179E/zA.", ""),
            (
                "$5$saltsalt$i1q2ZQzc.tl/BQ6CHiENAcVDvEY6nJ1OWlWXKh94b1.",
                "s3cret",
            ),
            (
                "$5$saltsalt$f563BylcIe7QufLNNd/eMRx1mkVyY3I9nPW1DHIH0O3",
                LONG,
            ),
            (
                "$5$saltsalt$09agN5RZ2meWdEdnEusqsq5G7RwwghB8jCKoWWADxW/",
                "",
            ),
            (
                "$5$rounds=1400$anotherlongsalts$tNaRfLGMb.6s3f8.nLeLTkFjqrLXTzCkfokbcd7Lf07",
                "s3cret",
            ),
            (
                "$5$rounds=1400$anotherlongsalts$iC8iOilCOTzoHgLFK4OyvAiM1HtqSqiCckUEF0cVe33",
                LONG,
            ),
            (
                "$5$rounds=1400$anotherlongsalts$7IcTVudmZDHdXM3GIn4KAxA5tvn.eciiARdqRBeqNs/",
                "",
            ),
            (
                "$6$rounds=1000$x$RPks8o3W8GWBXUOHmHezoef5GAkfjfGppMRz4ytTVKpwjpviqXPv1uJ2kC.1gFlduJaSBCVpjMgZTKSPzPIlN/",
                "s3cret",
            ),
            (
                "$6$rounds=1000$x$btQz9tO5Th4E1gw8prrls5lrud71JSF9YrA0Nis9uplyxUDku75VNuJRGJBLH1n7HbY/vezX3pS8/eRjiVNQ8.",
                LONG,
            ),
            (
                "$6$rounds=1000$x$JUgHESfT/mKR2X.Qz/PrkEgBINN.wbH/GsJhhFRcgrb0a4MjVYFixxXtKicccBbv9PSG/n1kVdpVqZiR7Brv1.",
                "",
            ),
            (
                "$y$j75$abcdefgh$Gesqn6hLdlHp16KfJtHEwGhEPX04Si3cQOo8xFmQ5d2",
                "s3cret",
            ),
            (
                "$y$j75$abcdefgh$9RKR5McETCcGh6FIOv/GM8Yfmi8Ev3wiLT.NphcbPlB",
                LONG,
            ),
            (
                "$y$j75$abcdefgh$dnXG1KuMBmwYrnuKh9nriQRakI62k6mwFrGgxhxYD/2",
                "",
            ),
            ("$5$$hkYmSOuCcBF9ZgVNLavZEtJa91liblYCom0avzJUo20", "s3cret"),
            ("$5$$aPgOXow/nF.mcFo8VXhmzZulcwTZ/eFYKoST2olIYr6", LONG),
            ("$5$$3c2QQ0KjIU1OLtB29cl8Fplc2WN7X89bnoEjaR7tWu.", ""),
        ] {
            assert_eq!(
                verify(hash.as_bytes(), password.as_bytes()),
                Some(true),
                "{hash}"
            );
            assert_eq!(verify(hash.as_bytes(), b"another"), Some(false), "{hash}");
        }
        // A DES hash, a locked one, nothing, what is too dear, what is no hash.
        for hash in [
            "ab1Z2c3d4e5f6",
            "!",
            "*",
            "",
            "$6$rounds=999999999$ab$c",
            "$y$jJT$abcd$x",
            "$6$",
            "$y$",
            "$1$",
            "$y$j9T$é$x",
        ] {
            assert_ne!(verify(hash.as_bytes(), b"s3cret"), Some(true), "{hash}");
        }
    }

    #[test]
    fn a_password_that_no_login_takes_is_refused() {
        for password in ["x".repeat(512), "a\0b".to_owned()] {
            let secret = Secret::new(password);
            let error = hash(Scheme::Sha512, "root", &secret, &mut Counting);
            assert!(matches!(error, Err(Error::GuestAccount { .. })));
        }
    }
}
