//! Bytes of a guest as text that is safe to show.

/// Shows bytes as text: what is no printable UTF-8 becomes an escape, so that a name cannot play with a terminal.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_play_with_a_terminal() {
        assert_eq!(
            shown(b"a\x1b[2J\xff\n\xc3\xa9"),
            "a\\u{1b}[2J\\xff\\n\u{e9}"
        );
    }
}
