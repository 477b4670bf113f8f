//! Files of assignments as shells read them: `NAME=value`.

/// Returns the content with this assignment: in the place of the last that is there, which is the one that counts, else at the end.
/// All else stays. Values must need no quotation marks.
pub(crate) fn set(content: &[u8], name: &str, value: &str) -> Vec<u8> {
    let mut out = content.to_vec();
    match find(content, name) {
        Some(at) if value_of(&content[at.clone()]) == value.as_bytes() => {}
        Some(at) => {
            out.splice(at, value.bytes());
        }
        None => {
            if out.last().is_some_and(|byte| *byte != b'\n') {
                out.push(b'\n');
            }
            out.extend_from_slice(format!("{name}={value}\n").as_bytes());
        }
    }
    out
}

/// Whether there is such an assignment.
pub(crate) fn has(content: &[u8], name: &str) -> bool {
    find(content, name).is_some()
}

/// The place of the value in the last assignment of a name.
fn find(content: &[u8], name: &str) -> Option<std::ops::Range<usize>> {
    let prefix = format!("{name}=");
    let mut found = None;
    let mut start = 0;
    for line in content.split(|byte| *byte == b'\n') {
        let blanks = line.len() - line.trim_ascii_start().len();
        let line_end = start + line.trim_ascii_end().len();
        if line[blanks..].starts_with(prefix.as_bytes()) {
            found =
                Some(start + blanks + prefix.len()..line_end.max(start + blanks + prefix.len()));
        }
        start += line.len() + 1;
    }
    found
}

fn value_of(text: &[u8]) -> &[u8] {
    for mark in [b'"', b'\''] {
        if let Some(inner) = text
            .strip_prefix(&[mark])
            .and_then(|it| it.strip_suffix(&[mark]))
        {
            return inner;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_set_and_all_else_stays() {
        for (content, expected) in [
            ("", "LANG=de\n"),
            ("A=1", "A=1\nLANG=de\n"),
            ("LANG=\"de\"\r\nX", "LANG=\"de\"\r\nX"),
            (
                "LANG=a\n LANG=b \n#LANG=c\n",
                "LANG=a\n LANG=de \n#LANG=c\n",
            ),
            ("LANG=\n", "LANG=de\n"),
            ("XLANG=b", "XLANG=b\nLANG=de\n"),
        ] {
            let set = set(content.as_bytes(), "LANG", "de");
            assert_eq!(String::from_utf8(set).unwrap(), expected);
        }
    }
}
