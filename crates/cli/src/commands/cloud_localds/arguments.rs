//! cloud-localds' own arguments, read as util-linux's getopt reads them for it.
//!
//! Paths and options mix, long names may be shortened while they stay unambiguous, and
//! the argument of an option follows it or is attached (`-Hname`, `--hostname=name`).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::failure::Failure;

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) help: bool,
    pub(super) verbose: bool,
    pub(super) disk_format: Option<OsString>,
    pub(super) filesystem: Option<OsString>,
    pub(super) hostname: Option<OsString>,
    pub(super) interfaces: Option<OsString>,
    pub(super) network_config: Option<OsString>,
    pub(super) dsmode: Option<OsString>,
    pub(super) vendor_data: Option<OsString>,
    pub(super) paths: Vec<OsString>,
}

struct Row {
    letter: u8,
    name: &'static str,
    set: Setter,
}

enum Setter {
    Flag(fn(&mut Arguments)),
    Value(fn(&mut Arguments) -> &mut Option<OsString>),
}

const OPTIONS: [Row; 9] = [
    Row {
        letter: b'h',
        name: "help",
        set: Setter::Flag(|arguments| arguments.help = true),
    },
    Row {
        letter: b'v',
        name: "verbose",
        set: Setter::Flag(|arguments| arguments.verbose = true),
    },
    Row {
        letter: b'd',
        name: "disk-format",
        set: Setter::Value(|arguments| &mut arguments.disk_format),
    },
    Row {
        letter: b'f',
        name: "filesystem",
        set: Setter::Value(|arguments| &mut arguments.filesystem),
    },
    Row {
        letter: b'H',
        name: "hostname",
        set: Setter::Value(|arguments| &mut arguments.hostname),
    },
    Row {
        letter: b'i',
        name: "interfaces",
        set: Setter::Value(|arguments| &mut arguments.interfaces),
    },
    Row {
        letter: b'N',
        name: "network-config",
        set: Setter::Value(|arguments| &mut arguments.network_config),
    },
    Row {
        letter: b'm',
        name: "dsmode",
        set: Setter::Value(|arguments| &mut arguments.dsmode),
    },
    Row {
        letter: b'V',
        name: "vendor-data",
        set: Setter::Value(|arguments| &mut arguments.vendor_data),
    },
];

/// Reads the arguments behind the command's name.
pub(super) fn parse(given: &[OsString]) -> Result<Arguments, Failure> {
    let mut arguments = Arguments::default();
    let mut rest = given.iter();
    while let Some(argument) = rest.next() {
        match argument.as_bytes() {
            b"--" => {
                arguments.paths.extend(rest.cloned());
                break;
            }
            [b'-', b'-', word @ ..] => long(&mut arguments, word, &mut rest)?,
            [b'-', letters @ ..] if !letters.is_empty() => {
                short(&mut arguments, letters, &mut rest)?;
            }
            _ => arguments.paths.push(argument.clone()),
        }
    }
    Ok(arguments)
}

fn short<'a>(
    arguments: &mut Arguments,
    letters: &[u8],
    rest: &mut impl Iterator<Item = &'a OsString>,
) -> Result<(), Failure> {
    for (index, letter) in letters.iter().enumerate() {
        let given = format!("-{}", char::from(*letter));
        let row = OPTIONS
            .iter()
            .find(|row| row.letter == *letter)
            .ok_or_else(|| unknown(&given))?;
        let place = match row.set {
            Setter::Flag(set) => {
                set(arguments);
                continue;
            }
            Setter::Value(place) => place,
        };
        let attached = &letters[index + 1..];
        *place(arguments) = Some(if attached.is_empty() {
            next(&given, rest)?
        } else {
            OsString::from_vec(attached.to_vec())
        });
        break;
    }
    Ok(())
}

fn long<'a>(
    arguments: &mut Arguments,
    word: &[u8],
    rest: &mut impl Iterator<Item = &'a OsString>,
) -> Result<(), Failure> {
    let mut parts = word.splitn(2, |byte| *byte == b'=');
    let name = parts.next().unwrap_or_default();
    let attached = parts.next();
    let given = format!("--{}", String::from_utf8_lossy(name));
    let row = find_long(name, &given)?;
    match (&row.set, attached) {
        (Setter::Flag(set), None) => set(arguments),
        (Setter::Flag(_), Some(_)) => {
            return Err(usage(format!("option `{given}` takes no argument")));
        }
        (Setter::Value(place), Some(value)) => {
            *place(arguments) = Some(OsStr::from_bytes(value).to_owned());
        }
        (Setter::Value(place), None) => *place(arguments) = Some(next(&given, rest)?),
    }
    Ok(())
}

/// The option of a name or of the beginning of one. No two names begin alike but with `h`
/// and `v`, so one letter more always tells them apart.
fn find_long(name: &[u8], given: &str) -> Result<&'static Row, Failure> {
    let fitting: Vec<_> = OPTIONS
        .iter()
        .filter(|row| !name.is_empty() && row.name.as_bytes().starts_with(name))
        .collect();
    match fitting[..] {
        [row] => Ok(row),
        [] => Err(unknown(given)),
        _ => Err(usage(format!("option `{given}` is ambiguous"))),
    }
}

fn next<'a>(
    given: &str,
    rest: &mut impl Iterator<Item = &'a OsString>,
) -> Result<OsString, Failure> {
    rest.next()
        .cloned()
        .ok_or_else(|| usage(format!("option `{given}` needs an argument")))
}

fn unknown(given: &str) -> Failure {
    match given {
        "-o" | "--output" => usage(format!(
            "option `{given}` is not supported: cloud-localds takes it and ignores it"
        ))
        .hint("the first path is the output"),
        _ => usage(format!("unknown option `{given}`")),
    }
}

pub(super) fn usage(message: impl Into<String>) -> Failure {
    Failure::usage(message).hint("`christen cloud-localds --help` lists the options")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Arguments, Failure> {
        let given: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        parse(&given)
    }

    fn check(line: &str, expected: Arguments) {
        assert_eq!(parse_line(line).expect("it parses"), expected, "{line}");
    }

    fn check_mistake(line: &str, expected: &str) {
        let message = parse_line(line).expect_err("it has a mistake").render();
        assert_eq!(message.lines().next(), Some(expected), "{line}");
    }

    #[test]
    fn options_and_paths_mix() {
        for line in [
            "-H h out ud",
            "out -Hh ud",
            "out ud --hostname h",
            "--hostname=h out ud",
            "--host h -- out ud",
        ] {
            check(
                line,
                Arguments {
                    hostname: Some("h".into()),
                    paths: vec!["out".into(), "ud".into()],
                    ..Arguments::default()
                },
            );
        }
    }

    #[test]
    fn every_option_has_its_place() {
        check(
            "-v -d raw -f iso -i i -N n -m local -V v - -",
            Arguments {
                verbose: true,
                disk_format: Some("raw".into()),
                filesystem: Some("iso".into()),
                interfaces: Some("i".into()),
                network_config: Some("n".into()),
                dsmode: Some("local".into()),
                vendor_data: Some("v".into()),
                paths: vec!["-".into(), "-".into()],
                ..Arguments::default()
            },
        );
    }

    #[test]
    fn mistakes_are_told_by_name() {
        check_mistake("-z", "error: unknown option `-z`");
        check_mistake("--zork", "error: unknown option `--zork`");
        check_mistake("-vz", "error: unknown option `-z`");
        check_mistake("-H", "error: option `-H` needs an argument");
        check_mistake("--hostname", "error: option `--hostname` needs an argument");
        check_mistake("--verbose=1", "error: option `--verbose` takes no argument");
        check_mistake("--ve a b", "error: option `--ve` is ambiguous");
        check_mistake(
            "-o x",
            "error: option `-o` is not supported: cloud-localds takes it and ignores it",
        );
    }
}
