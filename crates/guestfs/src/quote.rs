//! Words as guestfish's command lines and the appliance's shell take them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// Puts an argument into guestfish's double quotes (guestfish(1), "ESCAPE SEQUENCES IN DOUBLE QUOTED ARGUMENTS").
///
/// Every byte that is no plain character of ASCII is written as `\xNN`, so that a line break in a name cannot end the line. A NUL
/// has no form there; names and values that hold one take another way.
pub(crate) fn argument(bytes: &[u8]) -> String {
    debug_assert!(!bytes.contains(&0));
    let mut quoted = String::with_capacity(bytes.len() + 2);
    quoted.push('"');
    for byte in bytes {
        match byte {
            b'"' | b'\\' => {
                quoted.push('\\');
                quoted.push(char::from(*byte));
            }
            b' '..=b'~' => quoted.push(char::from(*byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(quoted, "\\x{byte:02x}")),
        }
    }
    quoted.push('"');
    quoted
}

/// guestfish cuts lines of more than 8,192 bytes in two; this much of a line is words.
const WORDS_BYTES: usize = 6000;

/// Makes lines for `debug sh` that run a program with any arguments. They hold no character that a shell or libguestfs could
/// take for something else: what stands between (guestfish, the daemon, a shell or two) differs in how often it takes quotes away.
/// What does not fit in a line is gathered in a file of the appliance's own.
pub(crate) fn program(name: &str, arguments: &[&[u8]]) -> Vec<String> {
    let words = BASE64_STANDARD.encode(arguments.join(&0));
    let (rest, last) = words.split_at((words.len() - 1) / WORDS_BYTES * WORDS_BYTES);
    let mut lines = Vec::new();
    for (index, part) in rest.as_bytes().chunks(WORDS_BYTES).enumerate() {
        let to = if index == 0 { ">" } else { ">>" };
        // All of base64 is ASCII.
        let part = String::from_utf8_lossy(part);
        lines.push(format!("debug sh \"echo {part} {to} /tmp/words\""));
    }
    let before = if rest.is_empty() { "" } else { "/tmp/words " };
    lines.push(format!(
        "debug sh \"echo {last} | cat {before}- | base64 -d | xargs -0 {name}\""
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_an_argument_early() {
        assert_eq!(argument(b"/a b"), "\"/a b\"");
        assert_eq!(argument(b"\"\\\n\xff"), "\"\\\"\\\\\\x0a\\xff\"");
    }

    #[test]
    fn a_program_gets_its_arguments_as_they_are() {
        assert_eq!(
            program("chown", &[b"0:0", b"/it's"]),
            ["debug sh \"echo MDowAC9pdCdz | cat - | base64 -d | xargs -0 chown\""]
        );
        let lines = program("setfattr", &[&[b'x'; 20_000]]);
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().all(|line| line.len() < 8000));
    }
}
