//! sha256crypt and sha512crypt (Drepper, "Unix crypt using SHA-256 and SHA-512").

use std::fmt::Write as _;

use sha_crypt::{Params, sha256_crypt, sha512_crypt};

use super::digits::{push, push_group};

/// Rounds beyond which a hash is not verified: its making would have taken seconds.
const MOST_ROUNDS: u32 = 1_000_000;

/// `ROUNDS_MIN` and `ROUNDS_DEFAULT` of the document.
const FEWEST_ROUNDS: u32 = 1000;
const DEFAULT_ROUNDS: u32 = 5000;

/// The most characters of a salt that count.
const SALT_LIMIT: usize = 16;

/// `$6$SALT$HASH` with the default rounds; the salt is digits.
pub(super) fn sha512(password: &[u8], salt: &[u8]) -> String {
    let mut out = String::from("$6$");
    out.extend(salt.iter().copied().map(char::from));
    out.push('$');
    encode_512(&mut out, &sha512_crypt(password, salt, Params::default()));
    out
}

/// Hashes again with the rounds and the salt of a hash.
pub(super) fn again(hash: &str, password: &[u8]) -> Option<String> {
    let (scheme, rest) = hash.get(1..)?.split_once('$')?;
    let mut out = format!("${scheme}$");
    let mut rest = rest;
    let mut rounds = DEFAULT_ROUNDS;
    if let Some(given) = rest.strip_prefix("rounds=") {
        let (number, behind) = given.split_once('$')?;
        let number: u64 = number.parse().ok()?;
        rounds = u32::try_from(number).ok()?.max(FEWEST_ROUNDS);
        if rounds > MOST_ROUNDS {
            return None;
        }
        let _ = write!(out, "rounds={rounds}$");
        rest = behind;
    }
    let salt = rest.split('$').next()?;
    let salt = salt.get(..salt.len().min(SALT_LIMIT))?;
    out.push_str(salt);
    out.push('$');
    let params = Params::new(rounds).ok()?;
    match scheme {
        "6" => encode_512(&mut out, &sha512_crypt(password, salt.as_bytes(), params)),
        _ => encode_256(&mut out, &sha256_crypt(password, salt.as_bytes(), params)),
    }
    Some(out)
}

/// Step 22 e: bytes from the three thirds in turn; the 64th byte stands alone.
fn encode_512(out: &mut String, digest: &[u8; 64]) {
    let mut group = [0, 21, 42];
    for _ in 0..21 {
        push_group(out, digest, group);
        let [first, second, third] = group;
        group = [second + 1, third + 1, first + 1];
    }
    push(out, u32::from(digest[63]), 2);
}

/// Step 22 e for SHA-256: the last two bytes make three digits.
fn encode_256(out: &mut String, digest: &[u8; 32]) {
    let mut group = [0, 10, 20];
    for _ in 0..10 {
        push_group(out, digest, group);
        let [first, second, third] = group;
        group = [third + 1, first + 1, second + 1];
    }
    push(out, u32::from(digest[31]) << 8 | u32::from(digest[30]), 3);
}
