//! A line of an authorized_keys file.

/// What a line says: sshd(8), "AUTHORIZED_KEYS FILE FORMAT".
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KeyLine<'a> {
    /// What stands before the key, without blanks at its ends.
    pub(super) options: &'a [u8],
    /// The type and the key in base64.
    pub(super) key: (&'a [u8], &'a [u8]),
}

impl<'a> KeyLine<'a> {
    /// Reads a line; `None` for a comment and for what holds no key.
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        if line.first() == Some(&b'#') {
            return None;
        }
        let mut start = 0;
        let mut in_quotes = false;
        for at in 0..=line.len() {
            match line.get(at) {
                Some(b'"') if at == 0 || line[at - 1] != b'\\' => in_quotes = !in_quotes,
                Some(b' ' | b'\t') | None if !in_quotes => {
                    let word = &line[start..at];
                    if is_type(word) {
                        let rest = line.get(at..)?.trim_ascii_start();
                        let blob = rest.split(u8::is_ascii_whitespace).next()?;
                        return (!blob.is_empty()).then_some(Self {
                            options: line[..start].trim_ascii(),
                            key: (word, blob),
                        });
                    }
                    start = at + 1;
                }
                _ => {}
            }
        }
        None
    }
}

/// The names of key types that OpenSSH knows (`ssh -Q key`) begin so.
fn is_type(word: &[u8]) -> bool {
    [&b"ssh-"[..], b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-sha2-"]
        .iter()
        .any(|prefix| word.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_key_are_told_apart() {
        #[track_caller]
        fn check(line: &str, expected: Option<(&str, &str, &str)>) {
            let found = KeyLine::of(line.as_bytes());
            let expected = expected.map(|(options, kind, blob)| KeyLine {
                options: options.as_bytes(),
                key: (kind.as_bytes(), blob.as_bytes()),
            });
            assert_eq!(found, expected);
        }
        check("ssh-rsa AAAA", Some(("", "ssh-rsa", "AAAA")));
        check("ssh-rsa  AAAA a b", Some(("", "ssh-rsa", "AAAA")));
        check(
            r#"command="a \" ssh-x b",no-pty  ssh-ed25519 BB c"#,
            Some((r#"command="a \" ssh-x b",no-pty"#, "ssh-ed25519", "BB")),
        );
        check("# ssh-rsa AAAA", None);
        check("ssh-rsa", None);
        check("", None);
        check("\"ssh-rsa AAAA", None);
    }
}
