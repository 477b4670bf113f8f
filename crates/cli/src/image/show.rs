//! Files of a guest in words and in JSON.

use std::path::Path;

use christen_instance::Value;
use christen_vfs::{Attributes, Kind, Timestamp, shown};

use crate::output;

/// One letter for what a file is, as ls(1) writes it.
pub(crate) fn kind_letter(kind: Kind) -> char {
    match kind {
        Kind::File => '-',
        Kind::Directory => 'd',
        Kind::SymbolicLink => 'l',
        Kind::CharacterDevice { .. } => 'c',
        Kind::BlockDevice { .. } => 'b',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
    }
}

/// What a file is, in a word.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::SymbolicLink => "link",
        Kind::CharacterDevice { .. } => "character device",
        Kind::BlockDevice { .. } => "block device",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
    }
}

/// What a file is and who may do what, as ls(1) writes it: `drwxr-x--T`.
pub(crate) fn mode_text(kind: Kind, permissions: u16) -> String {
    let mut text = String::with_capacity(10);
    text.push(kind_letter(kind));
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = permissions >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (permissions & special != 0, bits & 1 != 0) {
            (false, false) => '-',
            (false, true) => 'x',
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
        });
    }
    text
}

/// A moment in RFC 3339; one that the calendar does not reach is shown in seconds, as `@` and a number.
pub(crate) fn time_text(time: Timestamp) -> String {
    i32::try_from(time.nanoseconds)
        .ok()
        .and_then(|nanoseconds| jiff::Timestamp::new(time.seconds, nanoseconds).ok())
        .map_or_else(|| format!("@{}", time.seconds), |time| time.to_string())
}

/// A number of bytes as people read it.
pub(crate) fn size_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut shown = bytes as f64;
    let mut unit = "bytes";
    for next in UNITS {
        if shown < 1024.0 {
            break;
        }
        shown /= 1024.0;
        unit = next;
    }
    match unit {
        "bytes" => format!("{bytes} bytes"),
        _ => format!("{shown:.1} {unit}"),
    }
}

/// Adds bytes that should be text to an object: as text, and in hexadecimal too where that is not the whole truth.
pub(crate) fn add_bytes(members: &mut Vec<(String, Value)>, name: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let exact = text.as_bytes() == bytes;
    members.push((name.to_owned(), text.into_owned().into()));
    if !exact {
        members.push((format!("{name}_hex"), hex(bytes).into()));
    }
}

/// A path of this host; what is no UTF-8 is replaced.
pub(crate) fn path_value(path: &Path) -> Value {
    path.to_string_lossy().into_owned().into()
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of hexadecimal digits, two each.
pub(crate) fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    text.chunks_exact(2)
        .map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok())
        .collect()
}

/// Adds what is known of a file to an object.
pub(crate) fn add_attributes(members: &mut Vec<(String, Value)>, attributes: &Attributes) {
    let mut add = |name: &str, value: Value| members.push((name.to_owned(), value));
    add("kind", kind_name(attributes.kind).into());
    if let Kind::CharacterDevice { major, minor } | Kind::BlockDevice { major, minor } =
        attributes.kind
    {
        add("major", output::number(major.into()));
        add("minor", output::number(minor.into()));
    }
    add("mode", format!("{:04o}", attributes.permissions).into());
    add("uid", output::number(attributes.uid.into()));
    add("gid", output::number(attributes.gid.into()));
    add("size_bytes", output::number(attributes.size));
    add("allocated_bytes", output::number(attributes.allocated));
    add("links", output::number(attributes.links.into()));
    add("accessed", time_text(attributes.accessed).into());
    add("modified", time_text(attributes.modified).into());
    add("changed", time_text(attributes.changed).into());
    let created = attributes.created.map(time_text);
    add("created", created.as_deref().into());
}

/// One line of `ls -l` without its end.
pub(crate) fn long_line(name: &[u8], attributes: &Attributes, target: Option<&[u8]>) -> String {
    let size = match attributes.kind {
        Kind::CharacterDevice { major, minor } | Kind::BlockDevice { major, minor } => {
            format!("{major}, {minor}")
        }
        _ => attributes.size.to_string(),
    };
    let mut line = format!(
        "{} {:>3} {:>5} {:>5} {size:>10} {} {}",
        mode_text(attributes.kind, attributes.permissions),
        attributes.links,
        attributes.uid,
        attributes.gid,
        // Whole seconds line up; `stat` has the rest.
        time_text(Timestamp {
            nanoseconds: 0,
            ..attributes.modified
        }),
        shown(name),
    );
    if let Some(target) = target {
        line.push_str(" -> ");
        line.push_str(&shown(target));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_written_as_ls_writes_them() {
        for (kind, permissions, text) in [
            (Kind::File, 0o644, "-rw-r--r--"),
            (Kind::Directory, 0o1777, "drwxrwxrwt"),
            (Kind::File, 0o6755, "-rwsr-sr-x"),
            (Kind::File, 0o7644, "-rwSr-Sr-T"),
            (Kind::SymbolicLink, 0o777, "lrwxrwxrwx"),
        ] {
            assert_eq!(mode_text(kind, permissions), text);
        }
    }

    #[test]
    fn times_and_sizes_are_for_people() {
        let time = |seconds, nanoseconds| {
            time_text(Timestamp {
                seconds,
                nanoseconds,
            })
        };
        assert_eq!(time(1_768_478_400, 0), "2026-01-15T12:00:00Z");
        assert_eq!(time(-1, 750_000_000), "1969-12-31T23:59:59.75Z");
        assert_eq!(time(i64::MAX, 0), format!("@{}", i64::MAX));
        assert_eq!(size_text(1023), "1023 bytes");
        assert_eq!(size_text(3 << 29), "1.5 GiB");
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        assert_eq!(from_hex(b"00fFa1"), Some(vec![0, 255, 0xa1]));
        assert_eq!(hex(&[0, 255, 0xa1]), "00ffa1");
        assert_eq!(from_hex(b"0"), None);
        assert_eq!(from_hex(b"0g"), None);
    }
}
