//! Directory entries, short and long (the FAT specification, "Directory Structure"; the
//! long ones also Linux `fs/fat/dir.c`).

use std::mem::{offset_of, size_of};

use zerocopy::byteorder::{LE, U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::read::Rule;
use crate::read::iso9660::utf8_from_utf16;
use crate::read::time::fat_time;

/// Bytes of an entry of either kind.
pub(super) const ENTRY_BYTES: usize = 32;

/// A short entry as stored. Little-endian.
///
/// | offset | size | field           | note                                            |
/// |-------:|-----:|-----------------|-------------------------------------------------|
/// |      0 |   11 | `name`          | 8 + 3, filled with spaces; e5 deleted, 0 the end |
/// |     11 |    1 | `attributes`    | 1 read-only, 2 hidden, 4 system, 8 label, 10 directory |
/// |     12 |    1 | `case`          | 8 lower-case base, 10 lower-case extension (Windows NT) |
/// |     20 |    2 | `cluster_high`  | FAT32 only                                      |
/// |     22 |    2 | `time`          | of the last write                               |
/// |     24 |    2 | `date`          |                                                 |
/// |     26 |    2 | `cluster_low`   |                                                 |
/// |     28 |    4 | `size`          | bytes; 0 for a directory                        |
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
struct RawShort {
    name: [u8; 11],
    attributes: u8,
    case: u8,
    creation_tenths: u8,
    creation_time: U16<LE>,
    creation_date: U16<LE>,
    access_date: U16<LE>,
    cluster_high: U16<LE>,
    time: U16<LE>,
    date: U16<LE>,
    cluster_low: U16<LE>,
    size: U32<LE>,
}

const _: () = assert!(size_of::<RawShort>() == ENTRY_BYTES);
const _: () = assert!(offset_of!(RawShort, cluster_low) == 26);

/// A part of a long name as stored: thirteen characters of UTF-16.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
struct RawLong {
    /// Number from 1, the last part with 40 added; it stands first.
    order: u8,
    name_1: [U16<LE>; 5],
    attributes: u8,
    kind: u8,
    checksum: u8,
    name_2: [U16<LE>; 6],
    first_cluster: U16<LE>,
    name_3: [U16<LE>; 2],
}

const _: () = assert!(size_of::<RawLong>() == ENTRY_BYTES);
const _: () = assert!(offset_of!(RawLong, checksum) == 13);

const ATTRIBUTE_LABEL: u8 = 0x08;
const ATTRIBUTE_DIRECTORY: u8 = 0x10;
const ATTRIBUTES_LONG: u8 = 0x0f;
/// The two attribute bits that the specification reserves.
const ATTRIBUTES_RESERVED: u8 = 0xc0;
const LAST_PART: u8 = 0x40;
const DELETED: u8 = 0xe5;
/// The most parts of a name: 255 characters in thirteens.
const MAX_PARTS: u8 = 20;

/// An entry with its name joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) name: Vec<u8>,
    pub(super) short: [u8; 11],
    pub(super) kind: ItemKind,
    pub(super) cluster: u32,
    pub(super) size: u32,
    pub(super) mtime: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    File,
    Directory,
    Label,
    /// `.` or `..`.
    Dot,
}

/// Parts of a long name on the way to their short entry.
#[derive(Debug)]
struct Parts {
    /// The number of the part that must come next; 0 when all are there.
    expected: u8,
    checksum: u8,
    /// Parts from the last to the first.
    characters: Vec<[u16; 13]>,
}

/// Goes through a directory's bytes; calls `item` with each entry, `fault` with each thing
/// wrong, both with the entry's position. `item` returns `false` to stop.
pub(super) fn parse(
    bytes: &[u8],
    fat32: bool,
    mut report: impl FnMut(u64, Result<Item, Rule>) -> bool,
) {
    let mut parts: Option<Parts> = None;
    let mut position = 0_u64;
    for raw in bytes.chunks_exact(ENTRY_BYTES) {
        let at = position;
        position = position.saturating_add(32);
        let first = raw.first().copied().unwrap_or(0);
        if first == 0 {
            break;
        }
        if first == DELETED {
            if parts.take().is_some() && !report(at, Err(Rule::LongNameOrder)) {
                return;
            }
            continue;
        }
        let Ok(short) = RawShort::read_from_bytes(raw) else {
            break;
        };
        if short.attributes & 0x3f == ATTRIBUTES_LONG {
            let Ok(long) = RawLong::read_from_bytes(raw) else {
                break;
            };
            if let Err(rule) = long_part(&mut parts, &long)
                && !report(at, Err(rule))
            {
                return;
            }
            continue;
        }
        for result in short_entry(&short, parts.take(), fat32) {
            if !report(at, result) {
                return;
            }
        }
    }
    if parts.is_some() {
        report(position, Err(Rule::LongNameOrder));
    }
}

/// Takes in one part; a part out of order throws the name away, as in Linux
/// (`fat_parse_long`).
fn long_part(parts: &mut Option<Parts>, long: &RawLong) -> Result<(), Rule> {
    let number = long.order & !LAST_PART;
    let before = parts.take();
    if long.order & LAST_PART != 0 {
        if number == 0 || number > MAX_PARTS {
            return Err(Rule::LongNameOrder);
        }
        *parts = Some(Parts {
            expected: number.saturating_sub(1),
            checksum: long.checksum,
            characters: vec![characters(long)],
        });
        return if before.is_some() {
            Err(Rule::LongNameOrder)
        } else {
            Ok(())
        };
    }
    match before {
        Some(mut known)
            if known.expected == number && number > 0 && known.checksum == long.checksum =>
        {
            known.expected = number.saturating_sub(1);
            known.characters.push(characters(long));
            *parts = Some(known);
            Ok(())
        }
        _ => Err(Rule::LongNameOrder),
    }
}

fn characters(long: &RawLong) -> [u16; 13] {
    let mut units = long
        .name_1
        .iter()
        .chain(&long.name_2)
        .chain(&long.name_3)
        .map(|unit| unit.get());
    std::array::from_fn(|_| units.next().unwrap_or(0))
}

fn short_entry(short: &RawShort, parts: Option<Parts>, fat32: bool) -> Vec<Result<Item, Rule>> {
    let mut results = Vec::new();
    if short.attributes & ATTRIBUTES_RESERVED != 0 {
        results.push(Err(Rule::ReservedBits(short.attributes)));
    }
    let kind = if short.attributes & ATTRIBUTE_LABEL != 0 {
        ItemKind::Label
    } else if matches!(&short.name, b".          " | b"..         ") {
        ItemKind::Dot
    } else if short.attributes & ATTRIBUTE_DIRECTORY != 0 {
        ItemKind::Directory
    } else {
        ItemKind::File
    };
    let mut name = None;
    if let Some(parts) = parts {
        let counted = checksum(&short.name);
        if parts.expected != 0 {
            results.push(Err(Rule::LongNameOrder));
        } else if counted != parts.checksum {
            results.push(Err(Rule::LongNameChecksum {
                says: parts.checksum,
                counted,
            }));
        } else {
            let mut fault = None;
            let units = parts.characters.iter().rev().flatten().copied();
            name = Some(utf8_from_utf16(
                units.take_while(|unit| *unit != 0),
                &mut fault,
            ));
            results.extend(fault.map(Err));
        }
    }
    let name = match (name, kind) {
        (Some(name), _) => name,
        (None, ItemKind::Label) => super::unpadded(&short.name).into_bytes(),
        (None, ItemKind::Dot) => Vec::new(),
        (None, _) => {
            if let Some(byte) = short.name.iter().find(|byte| forbidden(**byte)) {
                results.push(Err(Rule::ShortNameByte(*byte)));
            }
            short_name(short)
        }
    };
    let high = if fat32 { short.cluster_high.get() } else { 0 };
    results.push(Ok(Item {
        name,
        short: short.name,
        kind,
        cluster: (u32::from(high) << 16) | u32::from(short.cluster_low.get()),
        size: short.size.get(),
        mtime: fat_time(short.date.get(), short.time.get()),
    }));
    results
}

/// Bytes that cannot stand in a short name; 05 stands for e5 at its beginning.
fn forbidden(byte: u8) -> bool {
    (byte < 0x20 && byte != 0x05) || b"\"*+,./:;<=>?[\\]|\x7f".contains(&byte)
}

/// The sum over the short name that ties a long name to it ("Long Directory Entries").
fn checksum(name: &[u8; 11]) -> u8 {
    name.iter()
        .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// Joins base and extension, with the case that Windows NT and Linux keep in two bits
/// (Linux's default, `shortname=mixed`). Bytes above 7f are code page 437, Linux's default.
fn short_name(short: &RawShort) -> Vec<u8> {
    let (base, extension) = short.name.split_at(8);
    let part = |bytes: &[u8], lower: bool| -> String {
        let end = bytes
            .iter()
            .rposition(|byte| *byte != b' ')
            .map_or(0, |last| last.saturating_add(1));
        bytes
            .iter()
            .take(end)
            .map(|byte| {
                let character = code_page_437(*byte);
                if lower {
                    // Every letter of the code page has one lower-case form.
                    character.to_lowercase().next().unwrap_or(character)
                } else {
                    character
                }
            })
            .collect()
    };
    let mut base_bytes = [0; 8];
    base_bytes.copy_from_slice(base);
    if let Some(first) = base_bytes.first_mut().filter(|first| **first == 0x05) {
        *first = DELETED;
    }
    let mut name = part(&base_bytes, short.case & 0x08 != 0);
    let extension = part(extension, short.case & 0x10 != 0);
    if !extension.is_empty() {
        name.push('.');
        name.push_str(&extension);
    }
    name.into_bytes()
}

/// The upper half of IBM's code page 437.
const CODE_PAGE_437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»\
    ░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

fn code_page_437(byte: u8) -> char {
    match byte.checked_sub(0x80) {
        None => char::from(byte),
        Some(index) => CODE_PAGE_437
            .chars()
            .nth(usize::from(index))
            .unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(name: &[u8; 11], attributes: u8, case: u8) -> Vec<u8> {
        let mut entry = name.to_vec();
        entry.extend([attributes, case]);
        entry.extend([0; 13]);
        entry.extend([5, 0, 7, 0, 0, 0]);
        entry
    }

    fn long(order: u8, checksum: u8, text: &str) -> Vec<u8> {
        let mut units: Vec<u16> = text.encode_utf16().collect();
        if units.len() < 13 {
            units.push(0);
        }
        units.resize(13, 0xffff);
        let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let mut entry = vec![order];
        entry.extend(&bytes[..10]);
        entry.extend([0x0f, 0, checksum]);
        entry.extend(&bytes[10..22]);
        entry.extend([0, 0]);
        entry.extend(&bytes[22..]);
        entry
    }

    fn names(bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        parse(bytes, false, |_, result| {
            found.push(match result {
                Ok(item) => String::from_utf8_lossy(&item.name).into_owned(),
                Err(rule) => rule.code().to_owned(),
            });
            true
        });
        found
    }

    #[test]
    fn short_names() {
        fn check(name: &[u8; 11], case: u8, expected: &str) {
            assert_eq!(names(&short(name, 0x20, case)), [expected]);
        }
        check(b"META_D~1JSO", 0, "META_D~1.JSO");
        check(b"LATEST     ", 0x08, "latest");
        check(b"README  TXT", 0x10, "README.txt");
        check(b"\x05A         ", 0, "σA");
        check(b"\x8eRGER      ", 0, "ÄRGER");
        check(b"\x8eRGER      ", 0x08, "ärger");
        assert_eq!(CODE_PAGE_437.chars().count(), 128);
        assert_eq!(
            names(&short(b"A*      B  ", 0, 0)),
            ["short-name-byte", "A*.B"]
        );
        assert_eq!(
            names(&short(b"A          ", 0xa0, 0)),
            ["reserved-bits", "A"]
        );
    }

    #[test]
    fn long_names() {
        let name = b"META_D~1JSO";
        let sum = checksum(name);
        let check = |parts: &[Vec<u8>], expected: &[&str]| {
            let mut bytes = parts.concat();
            bytes.extend(short(name, 0x20, 0));
            assert_eq!(names(&bytes), expected);
        };
        let last = long(0x42, sum, "n");
        let first = long(1, sum, "meta_data.jso");
        check(&[last.clone(), first.clone()], &["meta_data.json"]);
        check(
            std::slice::from_ref(&first),
            &["long-name-order", "META_D~1.JSO"],
        );
        check(
            std::slice::from_ref(&last),
            &["long-name-order", "META_D~1.JSO"],
        );
        check(
            &[last.clone(), long(1, sum.wrapping_add(1), "x")],
            &["long-name-order", "META_D~1.JSO"],
        );
        check(
            &[long(0x41, sum.wrapping_add(1), "x")],
            &["long-name-checksum", "META_D~1.JSO"],
        );
        check(&[long(0x41, sum, "😀€")], &["😀€"]);
        assert_eq!(names(&last), ["long-name-order"]);
    }
}
