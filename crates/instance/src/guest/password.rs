//! Passwords become crypt(5) hashes before they go anywhere.

use sha_crypt::{Params, sha512_crypt};

use crate::inputs::RandomSource;
use crate::{Error, Secret};

/// Characters of a salt, one for each drawn byte; the most that sha512crypt uses.
const SALT_LENGTH: usize = 16;

/// Longest password in bytes: crypt(3) of libxcrypt takes no more (`CRYPT_MAX_PASSPHRASE_SIZE`,
/// its final zero not counted), so nobody could log in with a longer one.
const PASSWORD_LIMIT: usize = 511;

/// crypt(5)'s digits of base 64, the least first.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Hashes the password of an account as `$6$SALT$HASH`, with a salt from `random`.
pub(super) fn crypt_hash(
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
    let mut salt = [0; SALT_LENGTH];
    random.fill(&mut salt).map_err(|source| Error::Random {
        purpose: "the salt of a password",
        source,
    })?;
    let salt = salt.map(|byte| DIGITS[usize::from(byte & 63)]);
    let digest = sha512_crypt(password, &salt, Params::default());
    let mut hash = String::from("$6$");
    hash.extend(salt.map(char::from));
    hash.push('$');
    encode(&mut hash, &digest);
    Ok(Secret::new(hash))
}

/// Appends the digest as sha512crypt writes it: bytes from the three thirds in turn, each
/// group of three the most significant byte first, its digits the least first; the 64th byte
/// stands alone (Drepper, "Unix crypt using SHA-256 and SHA-512", step 22).
fn encode(out: &mut String, digest: &[u8; 64]) {
    let (mut first, mut second, mut third) = (0, 21, 42);
    for _ in 0..21 {
        let [a, b, c] = [digest[first], digest[second], digest[third]].map(u32::from);
        digits(out, a << 16 | b << 8 | c, 4);
        (first, second, third) = (second + 1, third + 1, first + 1);
    }
    digits(out, u32::from(digest[63]), 2);
}

fn digits(out: &mut String, mut bits: u32, count: usize) {
    for _ in 0..count {
        // Six bits are below 64.
        out.push(char::from(DIGITS[(bits & 63) as usize]));
        bits >>= 6;
    }
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

    fn check(password: &str, expected: &str) {
        let secret = Secret::new(password.to_owned());
        let hash = crypt_hash("root", &secret, &mut Counting).expect("it can be hashed");
        assert_eq!(hash.expose(), expected);
    }

    // `openssl passwd -6 -salt ./0123456789ABCD PASSWORD`, OpenSSL 3.0.19.
    #[test]
    fn hashes_are_those_of_openssl() {
        check(
            "s3cret",
            "$6$./0123456789ABCD$uHWVRv/q8zalsO3I5Wf5YHp.puy5x1bJhxzXfO//qwWZK18lxajD8AyMvmjYp15nRcOybMljiRVx3kI0WAIip1",
        );
        check(
            "Grüße, Welt 12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "$6$./0123456789ABCD$mqjoYv4vtnuV4hzgcu5QBCDfLIbqbCSUZzcgAUKlcubplPmjBdVaUbkbSDhMgXmzJ5Fw/2IsvsXpUQWRToLAF.",
        );
    }

    #[test]
    fn a_password_that_no_login_takes_is_refused() {
        for password in ["x".repeat(512), "a\0b".to_owned()] {
            let secret = Secret::new(password);
            let error =
                crypt_hash("root", &secret, &mut Counting).expect_err("nobody could log in");
            assert!(matches!(error, Error::GuestAccount { .. }));
        }
    }
}
