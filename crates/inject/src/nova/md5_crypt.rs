//! md5-crypt, the hash of `$1$`.
//!
//! crypt(5), "md5crypt"; the steps are those of FreeBSD `lib/libcrypt/crypt-md5.c`, `crypt_md5`. It is weak and only for those who need
//! what Nova gives.

use md5::{Digest, Md5};

/// The magic at the beginning of a hash.
const MAGIC: &[u8] = b"$1$";

/// A salt has at most so many characters; what follows is not used.
const SALT_LENGTH: usize = 8;

/// How often the digest is taken anew.
const ROUNDS: usize = 1000;

/// crypt(5)'s digits of base 64, the least first.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Which bytes of the digest make each group of four digits, the most significant first.
const GROUPS: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];

/// Hashes a password as `$1$SALT$HASH`. The salt is of characters that crypt(3) takes.
pub(super) fn md5_crypt(password: &[u8], salt: &[u8]) -> String {
    let salt = &salt[..salt.len().min(SALT_LENGTH)];
    let inner = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize();
    let mut outer = Md5::new()
        .chain_update(password)
        .chain_update(MAGIC)
        .chain_update(salt);
    for part in password.chunks(inner.len()) {
        outer.update(&inner[..part.len()]);
    }
    // The bits of the length choose a zero or the first character of the password: an old mistake that became the rule.
    let mut length = password.len();
    while length > 0 {
        match password.first() {
            Some(first) if length & 1 == 0 => outer.update([*first]),
            _ => outer.update([0]),
        }
        length >>= 1;
    }
    let mut digest = outer.finalize();
    for round in 0..ROUNDS {
        let mut hasher = Md5::new();
        let is_odd = round % 2 == 1;
        hasher.update(if is_odd { password } else { &digest });
        if round % 3 != 0 {
            hasher.update(salt);
        }
        if round % 7 != 0 {
            hasher.update(password);
        }
        hasher.update(if is_odd { &digest } else { password });
        digest = hasher.finalize();
    }

    let mut hash = String::from("$1$");
    hash.extend(salt.iter().map(|byte| char::from(*byte)));
    hash.push('$');
    for [first, second, third] in GROUPS {
        let [first, second, third] = [first, second, third].map(|at| u32::from(digest[at]));
        digits(&mut hash, first << 16 | second << 8 | third, 4);
    }
    digits(&mut hash, u32::from(digest[11]), 2);
    hash
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

    // `openssl passwd -1 -salt SALT PASSWORD`; `tests/judge_crypt.rs` has many more.
    #[test]
    fn hashes_are_those_of_openssl() {
        for (password, salt, expected) in [
            (
                "pw",
                "abcdefghijklmnop",
                "$1$abcdefgh$IQtUouv7y7Q9dRWkQEPCc.",
            ),
            ("s3cret", "abcdefgh", "$1$abcdefgh$7.vq19w/w3Vm.hk1FOA7Q/"),
        ] {
            assert_eq!(md5_crypt(password.as_bytes(), salt.as_bytes()), expected);
        }
    }
}
