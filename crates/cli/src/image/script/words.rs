//! Lines and words of an edit script.

/// A word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// What it says, without its quotes.
    pub(super) bytes: Vec<u8>,
    /// Whether it was in quotes; such a word is never an option.
    pub(super) quoted: bool,
    /// Where it begins: bytes of its line before it, and one.
    pub(super) column: usize,
}

/// What is wrong with the words of a line, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrongWord {
    pub(super) column: usize,
    pub(super) message: &'static str,
    pub(super) hint: &'static str,
}

/// Splits a line into words.
///
/// A word is bare, or wholly in quotes. In `'…'` every byte stands for itself; in `"…"` a backslash begins one of the
/// escapes below. A bare word that begins with `#` ends the line.
pub(super) fn split(line: &[u8]) -> Result<Vec<Word>, WrongWord> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        at += line[at..]
            .iter()
            .take_while(|byte| is_blank(**byte))
            .count();
        let column = at + 1;
        let (bytes, quoted, next) = match line.get(at) {
            None | Some(b'#') => return Ok(words),
            Some(b'\'') => {
                let (bytes, next) = single_quoted(line, at + 1)?;
                (bytes, true, next)
            }
            Some(b'"') => {
                let (bytes, next) = double_quoted(line, at + 1)?;
                (bytes, true, next)
            }
            Some(_) => {
                let (bytes, next) = bare(line, at)?;
                (bytes, false, next)
            }
        };
        if line.get(next).is_some_and(|byte| !is_blank(*byte)) {
            return Err(WrongWord {
                column: next + 1,
                message: "a word goes on after its closing quote",
                hint: "put the whole word in quotes",
            });
        }
        words.push(Word {
            bytes,
            quoted,
            column,
        });
        at = next;
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn bare(line: &[u8], start: usize) -> Result<(Vec<u8>, usize), WrongWord> {
    let length = line[start..]
        .iter()
        .take_while(|byte| !is_blank(**byte))
        .count();
    let bytes = &line[start..start + length];
    if let Some(place) = bytes
        .iter()
        .position(|byte| matches!(byte, b'\'' | b'"' | b'\\') || byte.is_ascii_control())
    {
        return Err(WrongWord {
            column: start + place + 1,
            message: "a quote, a backslash or a control character in a word without quotes",
            hint: "put the whole word in quotes: `'it'` takes every byte as it is, `\"it\"` takes escapes",
        });
    }
    Ok((bytes.to_vec(), start + length))
}

const UNCLOSED: &str = "the closing quote is missing";
const CLOSE: &str = "quotes end on the line on which they begin; `\\n` in `\"…\"` is a new line";

fn single_quoted(line: &[u8], start: usize) -> Result<(Vec<u8>, usize), WrongWord> {
    let length = line[start..]
        .iter()
        .position(|byte| *byte == b'\'')
        .ok_or(WrongWord {
            column: start,
            message: UNCLOSED,
            hint: CLOSE,
        })?;
    Ok((line[start..start + length].to_vec(), start + length + 1))
}

fn double_quoted(line: &[u8], start: usize) -> Result<(Vec<u8>, usize), WrongWord> {
    let mut bytes = Vec::new();
    let mut at = start;
    loop {
        match line.get(at) {
            None => {
                return Err(WrongWord {
                    column: start,
                    message: UNCLOSED,
                    hint: CLOSE,
                });
            }
            Some(b'"') => return Ok((bytes, at + 1)),
            Some(b'\\') => {
                let (byte, length) = escape(&line[at + 1..]).ok_or(WrongWord {
                    column: at + 1,
                    message: "no such escape",
                    hint: "`\\n`, `\\r`, `\\t`, `\\0`, `\\\"`, `\\\\` and `\\xHH` with two hexadecimal digits",
                })?;
                bytes.push(byte);
                at += 1 + length;
            }
            Some(byte) => {
                bytes.push(*byte);
                at += 1;
            }
        }
    }
}

/// Returns the byte that an escape stands for, and how many bytes come after its backslash.
fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    let simple = |byte| Some((byte, 1));
    match rest.first()? {
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'0' => simple(0),
        b'"' => simple(b'"'),
        b'\\' => simple(b'\\'),
        b'x' => {
            let digit = |place: usize| char::from(*rest.get(place)?).to_digit(16);
            let value = digit(1)? * 16 + digit(2)?;
            Some((u8::try_from(value).ok()?, 3))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &[u8]) -> Vec<Vec<u8>> {
        let words = split(line).expect("the line is right");
        words.into_iter().map(|word| word.bytes).collect()
    }

    #[test]
    fn words_are_bare_or_in_quotes() {
        let line = br#"  mkdir	-m 0755 "/a b\x41\n\"" 'c\d "e"' /f#g # and "so on"#;
        let expected: [&[u8]; 6] = [
            b"mkdir",
            b"-m",
            b"0755",
            b"/a bA\n\"",
            br#"c\d "e""#,
            b"/f#g",
        ];
        assert_eq!(texts(line), expected);
        assert_eq!(texts(b"write '' \"\""), [&b"write"[..], b"", b""]);
        assert!(texts(b" \t").is_empty());
        assert!(texts(b"# mkdir").is_empty());
        assert_eq!(
            texts(b"mkdir /\xff\xc3\xa9"),
            [&b"mkdir"[..], b"/\xff\xc3\xa9"]
        );
        let words = split(b"a '-m'").expect("the line is right");
        assert_eq!((words[1].column, words[1].quoted), (3, true));
    }

    #[test]
    fn what_is_no_word_is_told_with_its_place() {
        for (line, column) in [
            (&b"rm /a\\b"[..], 6),
            (b"rm /a\"b\"", 6),
            (b"rm 'a", 4),
            (b"rm \"a", 4),
            (b"rm \"a\\", 6),
            (b"rm \"a\\q\"", 6),
            (b"rm \"\\x4\"", 5),
            (b"rm \"a\"b", 7),
            (b"rm 'a''b'", 7),
            (b"rm a\rb", 5),
        ] {
            let wrong = split(line).expect_err("the line is wrong");
            assert_eq!(wrong.column, column, "{}", line.escape_ascii());
        }
    }
}
