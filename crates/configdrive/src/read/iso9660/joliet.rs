//! Joliet: names in UCS-2 in a tree of their own (Microsoft's Joliet specification).

use crate::read::Rule;

/// Returns the level by the escape sequence of a supplementary descriptor (Joliet,
/// "Escape Sequences": `%/@`, `%/C`, `%/E`).
pub(super) fn level(escape_sequences: &[u8; 32]) -> Option<u8> {
    match escape_sequences.get(..3)? {
        b"%/@" => Some(1),
        b"%/C" => Some(2),
        b"%/E" => Some(3),
        _ => None,
    }
}

/// Decodes big-endian UCS-2. Windows and `mkisofs -joliet-long` write UTF-16, so pairs of
/// surrogates are joined; one without its other half becomes the three bytes that UTF-8
/// would give it, so that no name is lost.
pub(super) fn decode(identifier: &[u8]) -> (Vec<u8>, Option<Rule>) {
    let mut fault = (!identifier.len().is_multiple_of(2)).then_some(Rule::OddIdentifier);
    let units = identifier
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let name = utf8_from_utf16(units, &mut fault);
    (name, fault)
}

/// Turns UTF-16 into UTF-8, unpaired surrogates into their generalised form.
pub(in crate::read) fn utf8_from_utf16(
    units: impl Iterator<Item = u16>,
    fault: &mut Option<Rule>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    for result in char::decode_utf16(units) {
        match result {
            Ok(character) => {
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Err(error) => {
                let unit = error.unpaired_surrogate();
                let [high, low] = unit.to_be_bytes();
                bytes.extend([
                    0xe0 | (high >> 4),
                    0x80 | ((high & 0x0f) << 2) | (low >> 6),
                    0x80 | (low & 0x3f),
                ]);
                *fault = Some(Rule::UnpairedSurrogate);
            }
        }
    }
    bytes
}

/// Drops a final `;1`, then dots at the end, as Linux does (`fs/isofs/joliet.c`,
/// `get_joliet_filename`).
pub(super) fn name(identifier: &[u8]) -> (Vec<u8>, Option<Rule>) {
    let (mut name, fault) = decode(identifier);
    if name.len() > 2 && name.ends_with(b";1") {
        name.truncate(name.len().saturating_sub(2));
    }
    while name.len() >= 2 && name.ends_with(b".") {
        name.pop();
    }
    (name, fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |from: &[u8], expected: &[u8], fault| {
            assert_eq!(name(from), (expected.to_vec(), fault), "{from:?}");
        };
        check(b"\0a\0-\0b\0;\x001", b"a-b", None);
        check(b"\0a\0.", b"a", None);
        check(b"\x20\xac", "€".as_bytes(), None);
        check(b"\xd8\x3d\xde\x00", "😀".as_bytes(), None);
        check(
            b"\xd8\x00\0a",
            b"\xed\xa0\x80a",
            Some(Rule::UnpairedSurrogate),
        );
        check(b"\0a\0", b"a", Some(Rule::OddIdentifier));
    }
}
