//! The command line, read by the rules of `getopt_long_only`.
//!
//! genisoimage reads its arguments with that function, so: one dash or two before a long
//! name; an argument after a space or after `=`; a long name may be shortened while it
//! stays unambiguous; a word that fits no long name is taken as short options run
//! together (`-JR`, `-Vcidata`); paths and options mix, and `--` ends the options.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::options::{Effect, OPTIONS, OptionRow};
use super::request::{Personality, Request};

/// A mistake in the command line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mistake {
    /// No option has this name.
    #[error("unknown option `{0}`")]
    Unknown(String),
    /// The name fits several options.
    #[error("option `{given}` is ambiguous: {fitting}")]
    Ambiguous {
        /// As it was written.
        given: String,
        /// The names it fits.
        fitting: String,
    },
    /// An option of genisoimage's that we do not have.
    #[error("option `{given}` is not supported: {reason}")]
    Unsupported {
        /// As it was written.
        given: String,
        /// What it would need.
        reason: &'static str,
    },
    /// The option needs an argument and has none.
    #[error("option `{0}` needs an argument")]
    NoArgument(String),
    /// The option takes no argument and has one.
    #[error("option `{0}` takes no argument")]
    SpareArgument(String),
    /// The option's argument is none that it takes.
    #[error("option `{given}`: `{argument}` is not {expected}")]
    Argument {
        /// The option as it was written.
        given: String,
        /// Its argument.
        argument: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// A boot image that the firmware would take for a disk.
    #[error(
        "boot image `{0}` would be started from an emulated disk, which is not supported; use `-no-emul-boot`"
    )]
    Emulation(String),
    /// Boot options, and nothing to boot from.
    #[error("boot options are given without a boot image; `-b` or `-e` names one")]
    NoBootImage,
    /// Nothing to make an image of.
    #[error("no path is given to make an image of")]
    NoPath,
}

/// What the command line comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Write an image.
    Image(Box<Request>),
    /// `-help`.
    Help,
    /// `-version`.
    Version,
}

/// Reads the arguments that follow the program's name.
pub(crate) fn parse(
    personality: Personality,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Command, Mistake> {
    let mut arguments = arguments.into_iter();
    let mut request = Request::new(personality);
    while let Some(argument) = arguments.next() {
        let bytes = argument.as_bytes();
        let end = match bytes {
            b"--" => {
                request.paths.extend(arguments);
                break;
            }
            b"-" | [] => {
                request.paths.push(argument);
                continue;
            }
            [b'-', b'-', long @ ..] => long_option(&mut request, "--", long, &mut arguments)?,
            [b'-', word @ ..] => word_option(&mut request, word, &mut arguments)?,
            _ => {
                request.paths.push(argument);
                continue;
            }
        };
        if let Some(command) = end {
            return Ok(command);
        }
    }
    if request.paths.is_empty() && request.path_lists.is_empty() {
        return Err(Mistake::NoPath);
    }
    check_boot(&request)?;
    Ok(Command::Image(Box::new(request)))
}

/// Checks what only all boot options together tell.
fn check_boot(request: &Request) -> Result<(), Mistake> {
    if request.boot.is_empty() && request.boot_catalog.is_some() {
        return Err(Mistake::NoBootImage);
    }
    for image in &request.boot {
        match &image.file {
            None => return Err(Mistake::NoBootImage),
            Some((_, place)) if !image.no_emulation => {
                return Err(Mistake::Emulation(place.clone()));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// What stands behind one dash: a short option, a long one, or short ones run together.
fn word_option(
    request: &mut Request,
    word: &[u8],
    rest: &mut impl Iterator<Item = OsString>,
) -> Result<Option<Command>, Mistake> {
    if let [letter] = word
        && short_row(*letter).is_some()
    {
        return short_options(request, word, rest);
    }
    match long_option(request, "-", word, rest) {
        Err(Mistake::Unknown(_)) if short_row(word[0]).is_some() => {
            short_options(request, word, rest)
        }
        outcome => outcome,
    }
}

fn short_options(
    request: &mut Request,
    word: &[u8],
    rest: &mut impl Iterator<Item = OsString>,
) -> Result<Option<Command>, Mistake> {
    for (index, letter) in word.iter().enumerate() {
        let given = format!("-{}", char::from(*letter));
        let Some(row) = short_row(*letter) else {
            return Err(Mistake::Unknown(given));
        };
        let mut argument = None;
        if row.argument.is_some() {
            let attached = &word[index.saturating_add(1)..];
            argument = Some(if attached.is_empty() {
                rest.next()
                    .ok_or_else(|| Mistake::NoArgument(given.clone()))?
            } else {
                OsString::from_vec(attached.to_vec())
            });
        }
        let took_the_rest = argument.is_some();
        if let Some(command) = apply(request, row, &given, argument)? {
            return Ok(Some(command));
        }
        if took_the_rest {
            break;
        }
    }
    Ok(None)
}

fn long_option(
    request: &mut Request,
    dashes: &str,
    word: &[u8],
    rest: &mut impl Iterator<Item = OsString>,
) -> Result<Option<Command>, Mistake> {
    let mut parts = word.splitn(2, |byte| *byte == b'=');
    let name = parts.next().unwrap_or_default();
    let attached = parts.next();
    let given = format!("{dashes}{}", String::from_utf8_lossy(name));
    let row = long_row(name, &given)?;
    let argument = match (row.argument, attached) {
        (None, None) => None,
        (None, Some(_)) => return Err(Mistake::SpareArgument(given)),
        (Some(_), Some(value)) => Some(OsStr::from_bytes(value).to_owned()),
        (Some(_), None) => Some(
            rest.next()
                .ok_or_else(|| Mistake::NoArgument(given.clone()))?,
        ),
    };
    apply(request, row, &given, argument)
}

fn apply(
    request: &mut Request,
    row: &OptionRow,
    given: &str,
    argument: Option<OsString>,
) -> Result<Option<Command>, Mistake> {
    match row.effect {
        Effect::Help => return Ok(Some(Command::Help)),
        Effect::Version => return Ok(Some(Command::Version)),
        Effect::None => {}
        Effect::Refuse(reason) => {
            return Err(Mistake::Unsupported {
                given: given.to_owned(),
                reason,
            });
        }
        Effect::Flag(set) => set(request),
        Effect::Value(set) => {
            // The table says which options have an argument, and the callers above have
            // fetched it for those.
            let argument = argument.unwrap_or_default();
            set(request, &argument).map_err(|expected| Mistake::Argument {
                given: given.to_owned(),
                argument: argument.to_string_lossy().into_owned(),
                expected,
            })?;
        }
    }
    Ok(None)
}

fn short_row(letter: u8) -> Option<&'static OptionRow> {
    OPTIONS
        .iter()
        .find(|row| row.names.iter().any(|name| name.as_bytes() == [letter]))
}

/// Finds a long option by its name, or by the beginning of it.
fn long_row(name: &[u8], given: &str) -> Result<&'static OptionRow, Mistake> {
    let mut fitting: Option<&'static OptionRow> = None;
    let mut ambiguous = false;
    for row in OPTIONS {
        for candidate in row.names.iter().filter(|candidate| candidate.len() > 1) {
            if candidate.as_bytes() == name {
                return Ok(row);
            }
            if row.shortens && !name.is_empty() && candidate.as_bytes().starts_with(name) {
                ambiguous |= fitting.is_some_and(|other| !std::ptr::eq(other, row));
                fitting = Some(row);
            }
        }
    }
    match fitting {
        Some(_) if ambiguous => Err(Mistake::Ambiguous {
            given: given.to_owned(),
            fitting: names_beginning(name).join(", "),
        }),
        Some(row) => Ok(row),
        None => Err(Mistake::Unknown(given.to_owned())),
    }
}

fn names_beginning(beginning: &[u8]) -> Vec<String> {
    OPTIONS
        .iter()
        .filter(|row| row.shortens)
        .flat_map(|row| row.names)
        .filter(|name| name.len() > 1 && name.as_bytes().starts_with(beginning))
        .map(|name| format!("`-{name}`"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use christen_configdrive::iso9660::Platform;

    use super::super::request::{BootImage, PlainLength, RockRidge};
    use super::*;
    use crate::destination::Destination;

    fn parse_line(personality: Personality, line: &str) -> Result<Command, Mistake> {
        parse(personality, line.split_whitespace().map(OsString::from))
    }

    /// The request of a line, and how it differs from the one of no options at all.
    fn check(line: &str, change: impl FnOnce(&mut Request)) {
        let mut expected = Request::new(Personality::Genisoimage);
        change(&mut expected);
        assert_eq!(
            parse_line(Personality::Genisoimage, line),
            Ok(Command::Image(Box::new(expected))),
            "{line}"
        );
    }

    fn check_mistake(line: &str, expected: &str) {
        let mistake =
            parse_line(Personality::Genisoimage, line).expect_err("the line has a mistake");
        assert_eq!(mistake.to_string(), expected, "{line}");
    }

    fn tree(request: &mut Request) {
        request.paths.push("t".into());
    }

    #[test]
    fn long_options_take_one_dash_or_two_and_may_be_shortened() {
        for line in [
            "-volid x t",
            "--volid x t",
            "-volid=x t",
            "--volid=x t",
            "-voli x t",
            "-V x t",
            "-Vx t",
            "t -V x",
        ] {
            check(line, |request| {
                request.volume_id = "x".to_owned();
                tree(request);
            });
        }
    }

    #[test]
    fn only_genisoimage_s_names_are_shortened() {
        // `-isohybrid-mbr` of xorrisofs does not make this ambiguous.
        check("-iso 2 t", |request| {
            request.plain_length = PlainLength::Full;
            tree(request);
        });
        check_mistake("--noroc t", "unknown option `--noroc`");
        check("-norock t", tree);
    }

    #[test]
    fn short_options_run_together() {
        check("-JrVx -fo- t", |request| {
            request.joliet = true;
            request.rock_ridge = RockRidge::Rationalized;
            request.volume_id = "x".to_owned();
            request.follow_links = true;
            tree(request);
        });
    }

    #[test]
    fn a_long_name_wins_over_short_ones_run_together() {
        // `-ldots` begins with `-l`, and `-rock` with `-r`.
        check("-ldots -rock t", |request| {
            request.names.leading_dot = true;
            request.rock_ridge = RockRidge::AsOnDisk;
            tree(request);
        });
    }

    #[test]
    fn output_is_a_file_or_standard_output() {
        for line in ["t", "-o - t", "-output - t"] {
            check(line, tree);
        }
        for line in [
            "-o a.iso t",
            "-oa.iso t",
            "--output=a.iso t",
            "-output a.iso t",
        ] {
            check(line, |request| {
                request.destination = Destination::Path(PathBuf::from("a.iso"));
                tree(request);
            });
        }
    }

    #[test]
    fn two_dashes_end_the_options() {
        check("-J -- -r", |request| {
            request.joliet = true;
            request.paths.push("-r".into());
        });
    }

    #[test]
    fn an_argument_may_look_like_an_option() {
        check("-V -r t", |request| {
            request.volume_id = "-r".to_owned();
            tree(request);
        });
    }

    #[test]
    fn xorrisofs_has_rock_ridge_and_a_volume_id_of_its_own() {
        let outcome = parse_line(Personality::Xorrisofs, "t");
        let Ok(Command::Image(request)) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(request.rock_ridge, RockRidge::AsOnDisk);
        assert_eq!(request.volume_id, "ISOIMAGE");
    }

    #[test]
    fn help_and_version_need_no_path() {
        for (line, expected) in [
            ("-help", Command::Help),
            ("--help", Command::Help),
            ("--version", Command::Version),
            ("-J -version", Command::Version),
        ] {
            assert_eq!(parse_line(Personality::Genisoimage, line), Ok(expected));
        }
    }

    /// Ironic's list has an image's options before its name.
    #[test]
    fn boot_options_are_of_the_image_that_is_begun() {
        let image = |platform, place: &str| BootImage {
            file: Some((platform, place.to_owned())),
            no_emulation: true,
            bootable: true,
            load_segment: 0,
            load_sectors: None,
            info_table: false,
        };
        check(
            "-no-emul-boot -boot-load-size 4 -boot-info-table -b isolinux/isolinux.bin \
             -c isolinux/boot.cat -eltorito-alt-boot -e boot/grub/efi.img -no-emul-boot \
             -eltorito-alt-boot -b ./x//y -no-boot -boot-load-seg 0x7c0 -boot-load-size 010 \
             -no-emul-boot -eltorito-alt-boot t",
            |request| {
                request.boot = vec![
                    BootImage {
                        load_sectors: Some(4),
                        info_table: true,
                        ..image(Platform::Bios, "isolinux/isolinux.bin")
                    },
                    image(Platform::Efi, "boot/grub/efi.img"),
                    BootImage {
                        bootable: false,
                        load_segment: 0x7c0,
                        load_sectors: Some(8),
                        ..image(Platform::Bios, "x/y")
                    },
                ];
                request.boot_catalog = Some("isolinux/boot.cat".to_owned());
                request.boot_image_ended = true;
                tree(request);
            },
        );
    }

    #[test]
    fn mistakes_are_told_by_name() {
        check_mistake("", "no path is given to make an image of");
        check_mistake("-J", "no path is given to make an image of");
        check_mistake("--zork t", "unknown option `--zork`");
        check_mistake("-yes t", "unknown option `-yes`");
        check_mistake("-Jy t", "unknown option `-y`");
        check_mistake("-V", "option `-V` needs an argument");
        check_mistake("-volid", "option `-volid` needs an argument");
        check_mistake("-quiet=yes t", "option `-quiet` takes no argument");
        check_mistake(
            "-vol x t",
            "option `-vol` is ambiguous: `-volid`, `-volset`, `-volset-size`, `-volset-seqno`",
        );
        check_mistake(
            "-udf t",
            "option `-udf` is not supported: no UDF filesystem is written",
        );
        check_mistake(
            "-b isolinux.bin -hard-disk-boot t",
            "option `-hard-disk-boot` is not supported: no disk is emulated; use `-no-emul-boot`",
        );
        for line in [
            "-b a/floppy.img t",
            "-e a/floppy.img t",
            "-b x -no-emul-boot -eltorito-alt-boot -e a/floppy.img t",
        ] {
            check_mistake(
                line,
                "boot image `a/floppy.img` would be started from an emulated disk, which is not \
                 supported; use `-no-emul-boot`",
            );
        }
        for line in [
            "-no-emul-boot t",
            "-c boot.cat t",
            "-b x -no-emul-boot -eltorito-alt-boot -boot-info-table t",
        ] {
            check_mistake(
                line,
                "boot options are given without a boot image; `-b` or `-e` names one",
            );
        }
        check_mistake(
            "-b x -no-emul-boot -e y t",
            "option `-e`: `y` is not the only boot image; `-eltorito-alt-boot` begins another",
        );
        for (line, argument) in [("-b ../x t", "../x"), ("-b / t", "/")] {
            let expected =
                format!("option `-b`: `{argument}` is not the place of a file in the image");
            check_mistake(line, &expected);
        }
        check_mistake(
            "-boot-load-size 65536 -b x t",
            "option `-boot-load-size`: `65536` is not a number of 16 bits",
        );
        check_mistake(
            "-iso-level 4 t",
            "option `-iso-level`: `4` is not 1, 2 or 3",
        );
        check_mistake(
            "-V 123456789012345678901234567890123 t",
            "option `-V`: `123456789012345678901234567890123` is not at most 32 bytes long",
        );
        check_mistake(
            "-input-charset koi8-r t",
            "option `-input-charset`: `koi8-r` is not an encoding that is supported; `utf-8` is",
        );
        check_mistake(
            "-uid nova t",
            "option `-uid`: `nova` is not a number of 32 bits",
        );
        check_mistake(
            "-file-mode 10000 t",
            "option `-file-mode`: `10000` is not a mode in octal, at most 7777",
        );
    }
}
