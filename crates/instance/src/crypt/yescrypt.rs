//! yescrypt as crypt(3) writes it: `$y$PARAMETERS$SALT$HASH`.

use yescrypt::{Params, yescrypt};

use super::digits::{push, value};

/// Flavour, N = 4096 and r = 32: what libxcrypt's crypt_gensalt(3) gives without a cost (`lib/crypt-yescrypt.c`,
/// `gensalt_yescrypt_rn`, with count 5).
const PARAMETERS: &str = "j9T";

/// Memory beyond which a hash is not verified, N times r times 128 bytes.
const MOST_BYTES: u64 = 64 << 20;

/// Bytes of a hash (`HASH_SIZE` in `lib/alg-yescrypt-common.c`).
const HASH_BYTES: usize = 32;

/// The most bytes of a salt (libxcrypt `lib/alg-yescrypt-common.c`, `saltbin` of `yescrypt_r`).
const SALT_LIMIT: usize = 64;

/// Hashes a password with the default cost.
pub(super) fn hash(password: &[u8], salt: &[u8]) -> Option<String> {
    let mut encoded = String::new();
    encode(&mut encoded, salt);
    render(PARAMETERS, &encoded, password)
}

/// Hashes again with the parameters and the salt of a hash.
pub(super) fn again(hash: &str, password: &[u8]) -> Option<String> {
    let mut parts = hash.strip_prefix("$y$")?.split('$');
    let parameters = parts.next()?;
    render(parameters, parts.next()?, password)
}

fn render(parameters: &str, salt: &str, password: &[u8]) -> Option<String> {
    // Further parameters would follow: none is written by any crypt_gensalt(3), and their cost is another.
    if parameters.len() != PARAMETERS.len() {
        return None;
    }
    let params: Params = parameters.parse().ok()?;
    let bytes = params
        .n()
        .checked_mul(u64::from(params.r()))?
        .checked_mul(128)?;
    if bytes > MOST_BYTES {
        return None;
    }
    let mut digest = [0; HASH_BYTES];
    yescrypt(password, &decode(salt)?, &params, &mut digest).ok()?;
    let mut out = format!("$y${parameters}${salt}$");
    encode(&mut out, &digest);
    Some(out)
}

/// Three bytes make four digits, the first byte the least significant (`encode64`).
fn encode(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .rev()
            .fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        push(out, bits, (chunk.len() * 8).div_ceil(6));
    }
}

/// The bytes of digits; bits beyond the last whole byte are 0 (`decode64`).
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0;
        for digit in chunk.iter().rev() {
            bits = bits << 6 | value(*digit)?;
        }
        let whole = chunk.len() * 6 / 8;
        if whole == 0 || bits >> (whole * 8) != 0 {
            return None;
        }
        bytes.extend_from_slice(&bits.to_le_bytes()[..whole]);
    }
    (bytes.len() <= SALT_LIMIT).then_some(bytes)
}
