//! The one table of options: it drives the parser, `-help` and `docs/drop-in.md`.

use std::ffi::OsStr;

use christen_configdrive::iso9660::Platform;

use super::request::{PlainLength, Request, RockRidge};
use super::source;
use crate::destination::Destination;

/// One option under all its names.
#[derive(Debug)]
pub(crate) struct OptionRow {
    /// Without dashes. A name of one character is a short option.
    pub(crate) names: &'static [&'static str],
    /// What its argument is called, if it has one.
    pub(crate) argument: Option<&'static str>,
    pub(crate) effect: Effect,
    pub(crate) help: &'static str,
    /// Whether its long names may be shortened. xorrisofs' may not, and are not to make
    /// genisoimage's ambiguous.
    pub(crate) shortens: bool,
}

/// What an option does.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Changes the request.
    Flag(fn(&mut Request)),
    /// Changes the request by its argument. The error says what would have been right.
    Value(fn(&mut Request, &OsStr) -> Result<(), &'static str>),
    /// Asks for what is done anyway, or for what has no meaning here.
    None,
    Help,
    Version,
    /// Is known and not done; the reason.
    Refuse(&'static str),
}

const fn flag(
    names: &'static [&'static str],
    help: &'static str,
    set: fn(&mut Request),
) -> OptionRow {
    OptionRow {
        names,
        argument: None,
        effect: Effect::Flag(set),
        help,
        shortens: true,
    }
}

const fn value(
    names: &'static [&'static str],
    argument: &'static str,
    help: &'static str,
    set: fn(&mut Request, &OsStr) -> Result<(), &'static str>,
) -> OptionRow {
    OptionRow {
        names,
        argument: Some(argument),
        effect: Effect::Value(set),
        help,
        shortens: true,
    }
}

const fn row(
    names: &'static [&'static str],
    argument: Option<&'static str>,
    effect: Effect,
    help: &'static str,
) -> OptionRow {
    OptionRow {
        names,
        argument,
        effect,
        help,
        shortens: true,
    }
}

/// An option that only xorrisofs has.
const fn of_xorrisofs(row: OptionRow) -> OptionRow {
    OptionRow {
        shortens: false,
        ..row
    }
}

const fn refuse(
    names: &'static [&'static str],
    argument: Option<&'static str>,
    reason: &'static str,
) -> OptionRow {
    row(names, argument, Effect::Refuse(reason), "")
}

const EMULATION: &str = "no disk is emulated; use `-no-emul-boot`";
const GENERIC_BOOT: &str = "the system area is left empty";
const FOREIGN_BOOT: &str = "no boot record of another architecture is written";
const HFS: &str = "no HFS filesystem or Apple extension is written";
const HIDE: &str = "every file is in every tree";
const JIGDO: &str = "no jigdo files are written";
const SESSION: &str = "an image is one session";
const EXCLUDE: &str = "what is to be left out is left out of the paths";
const TABLE: &str = "no translation tables are written";
const UDF: &str = "no UDF filesystem is written";
const ZISOFS: &str = "files are stored as they are";
const PARTITIONS: &str = "no partition table is written";

/// All options, those that do something first.
///
/// The names of genisoimage's other options are here too, so that shortened names mean
/// what they mean there and a refusal can say what is refused.
pub(crate) static OPTIONS: &[OptionRow] = &[
    value(
        &["o", "output"],
        "FILE",
        "write the image to FILE, or to standard output for `-` and by default",
        |request, argument| {
            request.destination = Destination::of_argument(argument);
            Ok(())
        },
    ),
    value(
        &["V", "volid"],
        "ID",
        "the volume ID, the drive's label",
        |request, argument| text(argument, VOLUME_ID).map(|id| request.volume_id = id),
    ),
    flag(
        &["r", "rational-rock"],
        "Rock Ridge with owner 0, readable by all, writable by none",
        |request| request.rock_ridge = RockRidge::Rationalized,
    ),
    flag(
        &["R", "rock"],
        "Rock Ridge with owner and mode as on disk",
        |request| request.rock_ridge = RockRidge::AsOnDisk,
    ),
    of_xorrisofs(flag(&["norock"], "no Rock Ridge", |request| {
        request.rock_ridge = RockRidge::Absent;
    })),
    flag(&["J", "joliet"], "a Joliet tree too", |request| {
        request.joliet = true;
    }),
    flag(
        &["joliet-long"],
        "a Joliet tree with names of up to 103 characters",
        |request| {
            request.joliet = true;
            request.joliet_long = true;
        },
    ),
    value(
        &["iso-level"],
        "LEVEL",
        "1: plain names of 8 and 3 characters; 2 and 3: of 31",
        |request, argument| match argument.as_encoded_bytes() {
            b"1" => {
                request.plain_length = PlainLength::Short;
                Ok(())
            }
            b"2" | b"3" => {
                request.plain_length = PlainLength::Full.max(request.plain_length);
                Ok(())
            }
            _ => Err("1, 2 or 3"),
        },
    ),
    flag(
        &["l", "full-iso9660-filenames"],
        "plain names of 31 characters",
        |request| request.plain_length = PlainLength::Full.max(request.plain_length),
    ),
    flag(
        &["max-iso9660-filenames"],
        "plain names of 37 characters",
        |request| {
            request.plain_length = PlainLength::Longest;
            request.names.omit_version = true;
        },
    ),
    flag(
        &["ldots", "allow-leading-dots", "L"],
        "plain names may begin with a dot",
        |request| request.names.leading_dot = true,
    ),
    flag(
        &["allow-lowercase"],
        "plain names keep lower case",
        |request| request.names.lowercase = true,
    ),
    flag(
        &["allow-multidot"],
        "plain names keep more than one dot",
        |request| request.names.multiple_dots = true,
    ),
    flag(
        &["relaxed-filenames"],
        "plain names keep all of 7-bit ASCII but lower case",
        |request| request.names.relaxed = true,
    ),
    flag(
        &["d", "omit-period"],
        "plain names have no dot at their end",
        |request| request.names.omit_trailing_dot = true,
    ),
    flag(
        &["N", "omit-version-number"],
        "plain names have no `;1` at their end",
        |request| request.names.omit_version = true,
    ),
    flag(
        &["U", "untranslated-filenames"],
        "plain names as they are, as far as 37 characters hold them",
        |request| {
            request.plain_length = PlainLength::Longest;
            let names = &mut request.names;
            names.omit_trailing_dot = true;
            names.omit_version = true;
            names.leading_dot = true;
            names.relaxed = true;
            names.lowercase = true;
            names.multiple_dots = true;
        },
    ),
    flag(
        &["D", "disable-deep-relocation"],
        "directories below the eighth level stay where they are",
        |request| request.deep_directories = true,
    ),
    flag(
        &["f", "follow-links"],
        "follow symbolic links instead of storing them",
        |request| request.follow_links = true,
    ),
    flag(
        &["graft-points"],
        "a path may be PLACE=PATH: what is at PATH stands at PLACE in the image",
        |request| request.graft_points = true,
    ),
    value(
        &["path-list"],
        "FILE",
        "read further paths from FILE, one a line; `-` is standard input",
        |request, argument| {
            request.path_lists.push(argument.to_owned());
            Ok(())
        },
    ),
    value(
        &["P", "publisher"],
        "TEXT",
        "the publisher ID",
        |request, argument| text(argument, LONG_ID).map(|id| request.publisher = id),
    ),
    value(
        &["p", "preparer"],
        "TEXT",
        "the data preparer ID",
        |request, argument| text(argument, LONG_ID).map(|id| request.preparer = id),
    ),
    value(
        &["A", "appid"],
        "TEXT",
        "the application ID",
        |request, argument| text(argument, LONG_ID).map(|id| request.application_id = Some(id)),
    ),
    value(&["sysid"], "TEXT", "the system ID", |request, argument| {
        text(argument, VOLUME_ID).map(|id| request.system_id = id)
    }),
    value(
        &["volset"],
        "TEXT",
        "the volume set ID",
        |request, argument| text(argument, LONG_ID).map(|id| request.volume_set_id = id),
    ),
    value(
        &["abstract"],
        "FILE",
        "the name of the abstract file in the root",
        |request, argument| text(argument, FILE_ID).map(|id| request.abstract_file = id),
    ),
    value(
        &["biblio"],
        "FILE",
        "the name of the bibliographic file in the root",
        |request, argument| text(argument, FILE_ID).map(|id| request.bibliographic_file = id),
    ),
    value(
        &["copyright"],
        "FILE",
        "the name of the copyright file in the root",
        |request, argument| text(argument, FILE_ID).map(|id| request.copyright_file = id),
    ),
    value(
        &["uid"],
        "UID",
        "Rock Ridge: the owner of everything",
        |request, argument| number(argument).map(|id| request.uid = Some(id)),
    ),
    value(
        &["gid"],
        "GID",
        "Rock Ridge: the group of everything",
        |request, argument| number(argument).map(|id| request.gid = Some(id)),
    ),
    value(
        &["file-mode"],
        "MODE",
        "Rock Ridge: the mode of every file, in octal",
        |request, argument| mode(argument).map(|mode| request.file_mode = Some(mode)),
    ),
    value(
        &["dir-mode"],
        "MODE",
        "Rock Ridge: the mode of every directory, in octal",
        |request, argument| mode(argument).map(|mode| request.directory_mode = Some(mode)),
    ),
    value(
        &["new-dir-mode"],
        "MODE",
        "Rock Ridge: the mode of directories that only graft points name",
        |request, argument| mode(argument).map(|mode| request.new_directory_mode = Some(mode)),
    ),
    value(
        &["b", "eltorito-boot"],
        "FILE",
        "boot from FILE of the image with a BIOS; needs `-no-emul-boot`",
        |request, argument| boot_file(request, Platform::Bios, argument),
    ),
    value(
        &["e", "efi-boot"],
        "FILE",
        "boot from FILE of the image, a FAT filesystem, with UEFI; needs `-no-emul-boot`",
        |request, argument| boot_file(request, Platform::Efi, argument),
    ),
    flag(
        &["no-emul-boot"],
        "the boot image is started without emulating a disk",
        |request| request.boot_image().no_emulation = true,
    ),
    flag(
        &["eltorito-alt-boot"],
        "the boot options that follow are of another boot image",
        |request| request.boot_image_ended = true,
    ),
    value(
        &["c", "eltorito-catalog"],
        "FILE",
        "where the boot catalog stands in the image [default: boot.catalog]",
        |request, argument| place(argument).map(|place| request.boot_catalog = Some(place)),
    ),
    value(
        &["boot-load-size"],
        "SECTORS",
        "how many sectors of 512 bytes of the boot image are loaded [default: all]",
        |request, argument| {
            number_16(argument).map(|sectors| request.boot_image().load_sectors = Some(sectors))
        },
    ),
    value(
        &["boot-load-seg"],
        "SEGMENT",
        "the segment to which the boot image is loaded [default: that of the BIOS]",
        |request, argument| {
            number_16(argument).map(|segment| request.boot_image().load_segment = segment)
        },
    ),
    flag(
        &["boot-info-table"],
        "bytes 8 to 63 of the boot image tell where it stands; the file on disk stays as it is",
        |request| request.boot_image().info_table = true,
    ),
    flag(
        &["no-boot"],
        "the boot image is listed in the catalog as one not to start",
        |request| request.boot_image().bootable = false,
    ),
    flag(
        &["pad"],
        "300 KiB of zeros at the end (default)",
        |request| request.pad = true,
    ),
    flag(&["no-pad"], "no zeros at the end", |request| {
        request.pad = false;
    }),
    flag(
        &["print-size"],
        "print the image's size in blocks of 2048 bytes and write no image",
        |request| request.print_size = true,
    ),
    flag(&["quiet"], "say nothing but what went wrong", |request| {
        request.quiet = true
    }),
    row(
        &["help"],
        None,
        Effect::Help,
        "print this list on standard error",
    ),
    row(&["version"], None, Effect::Version, "print the version"),
    value(
        &["input-charset"],
        "CHARSET",
        "the encoding of names on disk; only UTF-8 is taken",
        |_, argument| charset(argument),
    ),
    value(
        &["output-charset"],
        "CHARSET",
        "the encoding of Rock Ridge names; only UTF-8 is taken",
        |_, argument| charset(argument),
    ),
    value(
        &["jcharset"],
        "CHARSET",
        "`-input-charset` and `-joliet`",
        |request, argument| {
            request.joliet = true;
            charset(argument)
        },
    ),
    value(
        &["ucs-level"],
        "LEVEL",
        "the Joliet level; only 3 is taken",
        |_, argument| if argument == "3" { Ok(()) } else { Err("3") },
    ),
    of_xorrisofs(value(
        &["partition_cyl_align"],
        "MODE",
        "no effect, as in xorrisofs without a partition table",
        |_, argument| match argument.to_str() {
            Some("auto" | "on" | "off" | "all") => Ok(()),
            _ => Err("`auto`, `on`, `off` or `all`"),
        },
    )),
    of_xorrisofs(value(
        &["as"],
        "PROGRAM",
        "no effect: for callers of `xorriso -as mkisofs`",
        |_, argument| match argument.to_str() {
            Some("mkisofs" | "genisoimage" | "xorrisofs") => Ok(()),
            _ => Err("`mkisofs`, `genisoimage` or `xorrisofs`"),
        },
    )),
    flag(
        &["v", "verbose"],
        "tell which names the plain and the Joliet tree cannot hold",
        |request| request.verbose = true,
    ),
    row(&["gui"], None, Effect::None, "no effect"),
    row(&["cache-inodes"], None, Effect::None, "no effect"),
    row(&["no-cache-inodes"], None, Effect::None, "no effect"),
    row(
        &["allow-limited-size"],
        None,
        Effect::None,
        "no effect: large files are stored whole",
    ),
    row(&["force-rr"], None, Effect::None, "no effect"),
    refuse(&["nobak", "no-bak"], None, EXCLUDE),
    refuse(&["m", "exclude"], Some("GLOB"), EXCLUDE),
    refuse(&["x", "old-exclude"], Some("FILE"), EXCLUDE),
    refuse(&["exclude-list"], Some("FILE"), EXCLUDE),
    refuse(&["i"], Some("FILES"), "genisoimage has dropped it as well"),
    refuse(&["root"], Some("DIR"), "graft points do the same"),
    refuse(&["old-root"], Some("DIR"), SESSION),
    refuse(&["check-oldnames"], None, SESSION),
    refuse(&["check-session"], Some("FILE"), SESSION),
    refuse(&["C", "cdrecord-params"], Some("PARAMETERS"), SESSION),
    refuse(&["M", "prev-session"], Some("FILE"), SESSION),
    refuse(&["dev"], Some("DEVICE"), SESSION),
    refuse(&["no-rr"], None, SESSION),
    refuse(&["debug"], None, "there is no such output"),
    refuse(&["log-file"], Some("FILE"), "messages go to standard error"),
    refuse(&["hard-disk-boot"], None, EMULATION),
    refuse(&["G", "generic-boot"], Some("FILE"), GENERIC_BOOT),
    refuse(&["B", "sparc-boot"], Some("FILES"), FOREIGN_BOOT),
    refuse(&["sunx86-boot"], Some("FILES"), FOREIGN_BOOT),
    refuse(&["sparc-label"], Some("TEXT"), FOREIGN_BOOT),
    refuse(&["sunx86-label"], Some("TEXT"), FOREIGN_BOOT),
    refuse(&["alpha-boot"], Some("FILE"), FOREIGN_BOOT),
    refuse(&["hppa-cmdline"], Some("TEXT"), FOREIGN_BOOT),
    refuse(&["hppa-kernel-32"], Some("FILE"), FOREIGN_BOOT),
    refuse(&["hppa-kernel-64"], Some("FILE"), FOREIGN_BOOT),
    refuse(&["hppa-bootloader"], Some("FILE"), FOREIGN_BOOT),
    refuse(&["hppa-ramdisk"], Some("FILE"), FOREIGN_BOOT),
    refuse(&["mips-boot"], Some("FILE"), FOREIGN_BOOT),
    refuse(&["mipsel-boot"], Some("FILE"), FOREIGN_BOOT),
    refuse(&["prep-boot"], Some("FILE"), FOREIGN_BOOT),
    refuse(&["chrp-boot"], None, FOREIGN_BOOT),
    of_xorrisofs(refuse(&["isohybrid-mbr"], Some("FILE"), PARTITIONS)),
    of_xorrisofs(refuse(&["isohybrid-gpt-basdat"], None, PARTITIONS)),
    of_xorrisofs(refuse(&["partition_offset"], Some("BLOCKS"), PARTITIONS)),
    of_xorrisofs(refuse(&["append_partition"], Some("NUMBER"), PARTITIONS)),
    of_xorrisofs(refuse(&["protective-msdos-label"], None, PARTITIONS)),
    of_xorrisofs(refuse(
        &["modification-date"],
        Some("TIME"),
        "set `SOURCE_DATE_EPOCH` instead",
    )),
    of_xorrisofs(refuse(
        &["padding"],
        Some("SIZE"),
        "use `-pad` or `-no-pad`",
    )),
    refuse(
        &["no-iso-translate"],
        None,
        "`-relaxed-filenames` keeps the same and more",
    ),
    refuse(&["hide"], Some("GLOB"), HIDE),
    refuse(&["hide-list"], Some("FILE"), HIDE),
    refuse(&["hidden"], Some("GLOB"), HIDE),
    refuse(&["hidden-list"], Some("FILE"), HIDE),
    refuse(&["hide-joliet"], Some("GLOB"), HIDE),
    refuse(&["hide-joliet-list"], Some("FILE"), HIDE),
    refuse(&["hide-joliet-trans-tbl"], None, TABLE),
    refuse(&["T", "translation-table"], None, TABLE),
    refuse(&["table-name"], Some("NAME"), TABLE),
    refuse(
        &["hide-rr-moved"],
        None,
        "no directory is called RR_MOVED here",
    ),
    refuse(
        &["no-split-symlink-components"],
        None,
        "link targets are stored as RRIP 4.1.3.1 says",
    ),
    refuse(
        &["no-split-symlink-fields"],
        None,
        "link targets are stored as RRIP 4.1.3.1 says",
    ),
    refuse(&["s", "sectype"], Some("TYPE"), "blocks have 2048 bytes"),
    refuse(
        &["sort"],
        Some("FILE"),
        "files are stored in the order of their names",
    ),
    refuse(&["split-output"], None, "an image is one file"),
    refuse(
        &["stream-file-name"],
        Some("NAME"),
        "no stream files are written",
    ),
    refuse(
        &["stream-media-size"],
        Some("SECTORS"),
        "no stream files are written",
    ),
    refuse(&["udf"], None, UDF),
    refuse(&["dvd-video"], None, UDF),
    refuse(&["use-fileversion"], Some("LEVEL"), "files have version 1"),
    refuse(
        &["volset-size"],
        Some("NUMBER"),
        "a volume set has one volume",
    ),
    refuse(
        &["volset-seqno"],
        Some("NUMBER"),
        "a volume set has one volume",
    ),
    refuse(&["XA"], None, "no XA attributes are written"),
    refuse(&["xa"], None, "no XA attributes are written"),
    refuse(&["z", "transparent-compression"], None, ZISOFS),
    refuse(&["jigdo-jigdo"], Some("FILE"), JIGDO),
    refuse(&["jigdo-template"], Some("FILE"), JIGDO),
    refuse(&["jigdo-min-file-size"], Some("SIZE"), JIGDO),
    refuse(&["jigdo-force-md5"], Some("PATTERN"), JIGDO),
    refuse(&["jigdo-exclude"], Some("PATTERN"), JIGDO),
    refuse(&["jigdo-map"], Some("MAPPING"), JIGDO),
    refuse(&["jigdo-template-compress"], Some("ALGORITHM"), JIGDO),
    refuse(&["md5-list"], Some("FILE"), JIGDO),
    refuse(&["checksum_algorithm_iso"], Some("LIST"), JIGDO),
    refuse(&["checksum_algorithm_template"], Some("LIST"), JIGDO),
    refuse(&["hfs-type"], Some("TYPE"), HFS),
    refuse(&["hfs-creator"], Some("CREATOR"), HFS),
    refuse(&["g", "apple"], None, HFS),
    refuse(&["h", "hfs"], None, HFS),
    refuse(&["H", "map"], Some("FILE"), HFS),
    refuse(&["magic"], Some("FILE"), HFS),
    refuse(&["probe"], None, HFS),
    refuse(&["mac-name"], None, HFS),
    refuse(&["no-mac-files"], None, HFS),
    refuse(&["boot-hfs-file"], Some("FILE"), HFS),
    refuse(&["part"], None, HFS),
    refuse(&["cluster-size"], Some("SIZE"), HFS),
    refuse(&["auto"], Some("FILE"), HFS),
    refuse(&["no-desktop"], None, HFS),
    refuse(&["hide-hfs"], Some("GLOB"), HFS),
    refuse(&["hide-hfs-list"], Some("FILE"), HFS),
    refuse(&["hfs-volid"], Some("ID"), HFS),
    refuse(&["icon-position"], None, HFS),
    refuse(&["root-info"], Some("FILE"), HFS),
    refuse(&["input-hfs-charset"], Some("CHARSET"), HFS),
    refuse(&["output-hfs-charset"], Some("CHARSET"), HFS),
    refuse(&["hfs-unlock"], None, HFS),
    refuse(&["hfs-bless"], Some("NAME"), HFS),
    refuse(&["hfs-parms"], Some("PARAMETERS"), HFS),
];

/// The length of the volume and system identifiers (ECMA-119 8.4.5, 8.4.6).
const VOLUME_ID: usize = 32;

/// The length of the other identifiers (ECMA-119 8.4.19 to 8.4.22).
const LONG_ID: usize = 128;

/// The length of the file identifiers (ECMA-119 8.4.23 to 8.4.25).
const FILE_ID: usize = 37;

fn text(argument: &OsStr, longest: usize) -> Result<String, &'static str> {
    match argument.to_str() {
        Some(text) if text.len() > longest => Err(match longest {
            VOLUME_ID => "at most 32 bytes long",
            FILE_ID => "at most 37 bytes long",
            _ => "at most 128 bytes long",
        }),
        Some(text) => Ok(text.to_owned()),
        None => Err("valid UTF-8"),
    }
}

fn number(argument: &OsStr) -> Result<u32, &'static str> {
    argument
        .to_str()
        .and_then(|text| text.parse().ok())
        .ok_or("a number of 32 bits")
}

/// A number in C's notation, as genisoimage reads those of its boot options.
fn number_16(argument: &OsStr) -> Result<u16, &'static str> {
    let text = argument.to_str().unwrap_or_default();
    let (digits, radix) = match text.strip_prefix('0') {
        Some(rest) if rest.starts_with(['x', 'X']) => (&rest[1..], 16),
        Some(rest) if !rest.is_empty() => (rest, 8),
        _ => (text, 10),
    };
    u16::from_str_radix(digits, radix).map_err(|_| "a number of 16 bits")
}

fn boot_file(
    request: &mut Request,
    platform: Platform,
    argument: &OsStr,
) -> Result<(), &'static str> {
    let place = place(argument)?;
    let image = request.boot_image();
    if image.file.is_some() {
        return Err("the only boot image; `-eltorito-alt-boot` begins another");
    }
    image.file = Some((platform, place));
    Ok(())
}

/// The place of a file in the image.
fn place(argument: &OsStr) -> Result<String, &'static str> {
    argument
        .to_str()
        .and_then(source::normalize)
        .filter(|place| !place.is_empty())
        .ok_or("the place of a file in the image")
}

fn mode(argument: &OsStr) -> Result<u16, &'static str> {
    argument
        .to_str()
        .and_then(|text| u16::from_str_radix(text, 8).ok())
        .filter(|mode| *mode <= 0o7777)
        .ok_or("a mode in octal, at most 7777")
}

fn charset(argument: &OsStr) -> Result<(), &'static str> {
    match argument.to_str() {
        Some(name)
            if ["utf8", "utf-8"]
                .iter()
                .any(|utf8| name.eq_ignore_ascii_case(utf8)) =>
        {
            Ok(())
        }
        _ => Err("an encoding that is supported; `utf-8` is"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_stands_twice() {
        let mut names = BTreeSet::new();
        for name in OPTIONS.iter().flat_map(|row| row.names) {
            assert!(names.insert(name), "-{name}");
        }
    }

    #[test]
    fn what_has_a_value_has_an_argument_and_what_is_done_has_a_help() {
        for row in OPTIONS {
            let refused = matches!(row.effect, Effect::Refuse(_));
            assert_eq!(row.help.is_empty(), refused, "{:?}", row.names);
            match row.effect {
                Effect::Value(_) => assert!(row.argument.is_some(), "{:?}", row.names),
                Effect::Flag(_) | Effect::None | Effect::Help | Effect::Version => {
                    assert!(row.argument.is_none(), "{:?}", row.names);
                }
                Effect::Refuse(_) => {}
            }
        }
    }
}
