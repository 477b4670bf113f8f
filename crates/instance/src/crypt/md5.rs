//! md5crypt, which Nova's injection writes: weak, and made for nothing else.

use md5::{Digest, Md5};

use super::digits::{push, push_group};

/// The most characters of a salt that count.
const SALT_LIMIT: usize = 8;

/// Hashes a password as `$1$SALT$HASH`; of the salt eight bytes at most count, and none behind a `$`.
///
/// libxcrypt `lib/crypt-md5.c`, `crypt_md5crypt_rn`.
pub fn md5_crypt(password: &[u8], salt: &str) -> String {
    let salt = salt.split('$').next().unwrap_or_default();
    let end = (0..=salt.len().min(SALT_LIMIT))
        .rev()
        .find(|end| salt.is_char_boundary(*end))
        .unwrap_or(0);
    let salt = &salt[..end];
    let mut out = format!("$1${salt}$");
    let digest = digest(password, salt.as_bytes());
    for group in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        push_group(&mut out, &digest, group);
    }
    push(&mut out, u32::from(digest[11]), 2);
    out
}

/// Hashes again with the salt of a hash.
pub(super) fn again(hash: &str, password: &[u8]) -> Option<String> {
    Some(md5_crypt(password, hash.strip_prefix("$1$")?))
}

fn digest(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner: [u8; 16] = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();
    let mut outer = Md5::new()
        .chain_update(password)
        .chain_update(b"$1$")
        .chain_update(salt);
    for chunk in password.chunks(inner.len()) {
        outer.update(&inner[..chunk.len()]);
    }
    // The bits of the length, the lowest first: a zero byte for a one, the first letter for a zero.
    let mut bits = password.len();
    while bits > 0 {
        if bits & 1 == 1 {
            outer.update([0]);
        } else {
            outer.update(&password[..1]);
        }
        bits >>= 1;
    }
    let mut digest: [u8; 16] = outer.finalize().into();
    for round in 0..1000 {
        let mut next = Md5::new();
        let is_odd = round % 2 == 1;
        next.update(if is_odd { password } else { &digest });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if is_odd { &digest } else { password });
        digest = next.finalize().into();
    }
    digest
}
