//! The hash by which OpenSSL finds a certificate of a subject in a directory.
//!
//! OpenSSL `crypto/x509/x509_cmp.c`, `X509_NAME_hash_ex`: the first four bytes, the lowest first, of the SHA-1 of the name in a canonical
//! form (`crypto/x509/x_name.c`, `x509_name_canon`): the sets of the name without the sequence around them, each text in UTF-8, without
//! blanks at its ends, blanks within as one space, letters of ASCII in lower case.

use sha1::{Digest, Sha1};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const VISIBLE_STRING: u8 = 0x1a;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;

/// Makes the hash of a certificate's subject; `None` for one that is broken, or that has text in UTF-16 or UTF-32.
pub(super) fn subject(certificate: &[u8]) -> Option<u32> {
    let (_, certificate, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, mut fields, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    // RFC 5280 §4.1: the version, which may be left out, serial number, signature, issuer, validity, subject.
    let (tag, _, rest) = element(fields)?;
    if tag == 0xa0 {
        fields = rest;
    }
    for _ in 0..4 {
        fields = element(fields)?.2;
    }
    let (_, mut name, _) = element(fields).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let mut canonical = Vec::new();
    while !name.is_empty() {
        let (tag, mut set, rest) = element(name)?;
        if tag != SET {
            return None;
        }
        name = rest;
        let mut entries = Vec::new();
        while !set.is_empty() {
            let (tag, entry, rest) = element(set)?;
            if tag != SEQUENCE {
                return None;
            }
            set = rest;
            entries.push(encoded(SEQUENCE, &canonical_entry(entry)?));
        }
        // DER: a set of is sorted (X.690 §11.6).
        entries.sort_unstable();
        canonical.extend(encoded(SET, &entries.concat()));
    }
    let digest = Sha1::digest(&canonical);
    Some(u32::from_le_bytes([
        digest[0], digest[1], digest[2], digest[3],
    ]))
}

/// An attribute's type, and its value in the canonical form.
fn canonical_entry(entry: &[u8]) -> Option<Vec<u8>> {
    let (tag, kind, rest) = element(entry)?;
    if tag != OBJECT_IDENTIFIER {
        return None;
    }
    let (tag, value, rest) = element(rest)?;
    if !rest.is_empty() {
        return None;
    }
    let mut out = encoded(OBJECT_IDENTIFIER, kind);
    let text = match tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING | VISIBLE_STRING => value.to_vec(),
        // OpenSSL takes it for Latin-1.
        TELETEX_STRING => {
            let text: String = value.iter().copied().map(char::from).collect();
            text.into_bytes()
        }
        UNIVERSAL_STRING | BMP_STRING => return None,
        _ => {
            out.extend(encoded(tag, value));
            return Some(out);
        }
    };
    // `ossl_isspace` has the vertical tab too, which `is_ascii_whitespace` has not.
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let words = text.split(is_blank).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(<[u8]>::to_ascii_lowercase).collect();
    out.extend(encoded(UTF8_STRING, &words.join(&b' ')));
    Some(out)
}

/// Splits off an element of DER: its tag, its content, what follows (X.690 §8.1).
pub(super) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.is_empty() || digits.len() > 4 {
            return None;
        }
        let length = digits
            .iter()
            .fold(0, |length, digit| length << 8 | u64::from(*digit));
        (usize::try_from(length).ok()?, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn encoded(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let digits = content.len().to_be_bytes();
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    if content.len() < 0x80 {
        out.push(content.len() as u8);
    } else {
        let digits = &digits[zeros..];
        out.push(0x80 | digits.len() as u8);
        out.extend_from_slice(digits);
    }
    out.extend_from_slice(content);
    out
}
