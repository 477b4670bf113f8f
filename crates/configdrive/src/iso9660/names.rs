//! Names in the plain tree: what genisoimage makes of the names in a file tree.

use std::collections::{HashMap, HashSet};

use super::Reason;

/// How long a name in the plain tree may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Eight characters, a dot and three more (ECMA-119 §10.1, interchange level 1).
    EightDotThree,
    /// So many with the dot but without the version; more than [`Length::MOST`] counts as that.
    Total(u8),
}

impl Length {
    /// The most that a directory record can hold beside the start of a Rock Ridge field and the version.
    pub const MOST: u8 = 188;
}

/// Which names the plain tree may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameRules {
    /// How long they may be.
    pub length: Length,
    /// Keeps lower case (genisoimage's `-allow-lowercase`).
    pub lowercase: bool,
    /// Keeps a dot at the beginning (`-ldots`).
    pub leading_dot: bool,
    /// Keeps more than one dot, and dots in names of directories (`-allow-multidot`).
    pub multiple_dots: bool,
    /// Keeps every ASCII character but `/`, `;` and controls (`-relaxed-filenames`).
    pub relaxed: bool,
    /// Leaves out the version (`-N`).
    pub omit_version: bool,
    /// Leaves out the dot after a name without extension (`-d`).
    pub omit_trailing_dot: bool,
}

impl NameRules {
    /// Those of Nova's arguments: `-ldots -allow-lowercase -allow-multidot -l`.
    pub const NOVA: Self = Self {
        length: Length::Total(31),
        lowercase: true,
        leading_dot: true,
        multiple_dots: true,
        relaxed: false,
        omit_version: false,
        omit_trailing_dot: false,
    };
    /// genisoimage's when nothing is said: interchange level 1.
    pub const LEVEL_1: Self = Self {
        length: Length::EightDotThree,
        lowercase: false,
        leading_dot: false,
        multiple_dots: false,
        relaxed: false,
        omit_version: false,
        omit_trailing_dot: false,
    };
}

/// An identifier in a shared buffer: stem, rest (dot and extension) and version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identifier {
    start: u32,
    stem: u8,
    /// Stem and rest.
    name: u8,
    /// Everything.
    whole: u8,
    pub(super) reason: Option<Reason>,
}

impl Identifier {
    pub(super) fn bytes(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.start as usize..self.start as usize + usize::from(self.whole)]
    }

    /// Returns the identifier without its version.
    pub(super) fn name(self, buffer: &[u8]) -> &[u8] {
        &self.bytes(buffer)[..usize::from(self.name)]
    }
}

/// The version that every file has, with its separator (ECMA-119 §7.5.1).
const VERSION: &[u8] = b";1";

/// Appends the plain tree's identifier for a name.
///
/// The dot that counts is the last one. When the whole is too long, the extension keeps half of it if it needs that
/// much, and the stem keeps the rest (seen with genisoimage 1.1.11, but for names of several dots, whose
/// extension it cuts by the number of dots dropped from the stem).
pub(super) fn plain(
    buffer: &mut Vec<u8>,
    name: &str,
    directory: bool,
    rules: NameRules,
) -> Identifier {
    let start = buffer.len();
    let bytes = name.as_bytes();
    let dot = match directory {
        true => None,
        false => bytes
            .iter()
            .rposition(|byte| *byte == b'.')
            .filter(|dot| *dot > 0 || rules.leading_dot),
    };
    let stem = dot.unwrap_or(bytes.len());
    let extension = dot.map_or(0, |dot| bytes.len() - dot - 1);
    let (stem_kept, extension_kept) = match (rules.length, directory) {
        (Length::EightDotThree, _) => (stem.min(8), extension.min(3)),
        (Length::Total(most), true) => (stem.min(usize::from(most.min(Length::MOST))), 0),
        (Length::Total(most), false) => {
            let room = usize::from(most.min(Length::MOST)).saturating_sub(1);
            let kept = extension.min((room / 2).max(room.saturating_sub(stem)));
            (stem.min(room - kept), kept)
        }
    };
    let map = |(index, byte): (usize, &u8)| match *byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'_' => *byte,
        b'a'..=b'z' if rules.lowercase => *byte,
        b'a'..=b'z' => byte.to_ascii_uppercase(),
        b'.' if rules.multiple_dots && (index > 0 || rules.leading_dot) => b'.',
        b'.' | b'/' | b';' => b'_',
        b' '..=b'~' if rules.relaxed => *byte,
        _ => b'_',
    };
    buffer.extend(bytes[..stem_kept].iter().enumerate().map(map));
    if directory && buffer.last() == Some(&b'.') {
        // Readers drop a dot at the end.
        buffer.pop();
        buffer.push(b'_');
    }
    let mut unchanged = buffer.len();
    if let Some(dot) = dot
        && (extension_kept > 0 || !rules.omit_trailing_dot)
    {
        buffer.push(b'.');
        let extension = &bytes[dot + 1..dot + 1 + extension_kept];
        // There is no dot after the last one, so the index does not matter.
        buffer.extend(extension.iter().enumerate().map(map));
        unchanged = buffer.len();
    } else if !directory && !rules.omit_trailing_dot {
        buffer.push(b'.');
    }
    let end = buffer.len();
    if !directory && !rules.omit_version {
        buffer.extend_from_slice(VERSION);
    }
    let reason = if stem_kept < stem || extension_kept < extension {
        Some(Reason::Length)
    } else if buffer[start..unchanged] != *bytes || (!directory && name.ends_with('.')) {
        // Readers drop a dot at the end.
        Some(Reason::Characters)
    } else {
        None
    };
    Identifier {
        start: start as u32,
        stem: stem_kept as u8,
        name: (end - start) as u8,
        whole: (buffer.len() - start) as u8,
        reason,
    }
}

/// Appends the Joliet tree's identifier for a name: big-endian UTF-16, at most so many units.
///
/// The specification allows no control characters and none of `*/:;?\`; genisoimage replaces them by `_`, cuts
/// what is too long without regard for an extension, and writes no version.
pub(super) fn joliet(buffer: &mut Vec<u8>, name: &str, most_units: usize) -> Identifier {
    let start = buffer.len();
    let mut units = 0;
    let mut dot = None;
    let mut reason = None;
    for character in name.chars() {
        let character = match character {
            '\0'..='\x1f' | '*' | '/' | ':' | ';' | '?' | '\\' => {
                reason = Some(Reason::Characters);
                '_'
            }
            _ => character,
        };
        if units + character.len_utf16() > most_units {
            reason = Some(Reason::Length);
            break;
        }
        if character == '.' {
            dot = Some(units);
        }
        units += character.len_utf16();
        for unit in character.encode_utf16(&mut [0; 2]) {
            buffer.extend_from_slice(&unit.to_be_bytes());
        }
    }
    // A number goes before an extension, if what follows the last dot is short enough to be one.
    let stem = dot
        .filter(|dot| *dot > 0 && units - dot <= 16)
        .unwrap_or(units);
    let length = (buffer.len() - start) as u8;
    Identifier {
        start: start as u32,
        stem: (2 * stem) as u8,
        name: length,
        whole: length,
        reason,
    }
}

/// How many bytes an identifier may have without its version, and how wide its characters are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) most_bytes: usize,
    pub(super) unit_bytes: usize,
}

impl Room {
    pub(super) fn plain(rules: NameRules) -> Self {
        let most_bytes = match rules.length {
            // Numbers shorten the stem, so a level 1 name must fit with its dot and extension; see `numbered`.
            Length::EightDotThree => 12,
            Length::Total(most) => usize::from(most.min(Length::MOST)),
        };
        Self {
            most_bytes,
            unit_bytes: 1,
        }
    }

    pub(super) fn joliet(most_units: usize) -> Self {
        Self {
            most_bytes: 2 * most_units,
            unit_bytes: 2,
        }
    }
}

/// Returns what must differ between two entries of a directory. A name's final dot is not part of it, because
/// Linux drops it (`fs/isofs/dir.c`, `isofs_name_translate`).
fn distinct(name: &[u8]) -> &[u8] {
    name.strip_suffix(b".").unwrap_or(name)
}

/// Gives numbers to identifiers that are not alone. `identifiers` are in the order of their names' bytes by
/// [`order`]; the answer is whether any of them was changed, so that they need sorting again.
///
/// An unchanged name keeps its identifier, otherwise the first one in the tree does; the others get `000`, `001` and so
/// on after as much of the stem as fits, as from genisoimage. Numbers are counted for each beginning, so
/// the cost is linear however many names are alike.
pub(super) fn number<T>(
    buffer: &mut Vec<u8>,
    items: &mut [T],
    room: Room,
    identifier: impl Fn(&mut T) -> &mut Identifier,
    rank: impl Fn(&T) -> u32,
) -> bool {
    let mut losers: Vec<usize> = Vec::new();
    let mut start = 0;
    while start < items.len() {
        let first = *identifier(&mut items[start]);
        let mut end = start + 1;
        while end < items.len() {
            let next = *identifier(&mut items[end]);
            if distinct(next.name(buffer)) != distinct(first.name(buffer)) {
                break;
            }
            end += 1;
        }
        if end - start > 1 {
            let mut keeper = start;
            for index in start..end {
                let better = |item: &mut T, rank: u32| (identifier(item).reason.is_some(), rank);
                let rank_of = (rank(&items[index]), rank(&items[keeper]));
                if better(&mut items[index], rank_of.0) < better(&mut items[keeper], rank_of.1) {
                    keeper = index;
                }
            }
            losers.extend((start..end).filter(|index| *index != keeper));
        }
        start = end;
    }
    if losers.is_empty() {
        return false;
    }
    losers.sort_by_key(|index| rank(&items[*index]));
    let mut taken: HashSet<Vec<u8>> = HashSet::with_capacity(items.len());
    for item in items.iter_mut() {
        taken.insert(distinct(identifier(item).name(buffer)).to_vec());
    }
    let mut next_number: HashMap<(Vec<u8>, Vec<u8>, usize), u32> = HashMap::new();
    for index in losers {
        let identifier = identifier(&mut items[index]);
        *identifier = numbered(buffer, *identifier, room, &mut taken, &mut next_number);
    }
    true
}

/// Appends an identifier that nobody has.
fn numbered(
    buffer: &mut Vec<u8>,
    old: Identifier,
    room: Room,
    taken: &mut HashSet<Vec<u8>>,
    next_number: &mut HashMap<(Vec<u8>, Vec<u8>, usize), u32>,
) -> Identifier {
    let bytes = old.bytes(buffer).to_vec();
    let stem = &bytes[..usize::from(old.stem)];
    let rest = &bytes[usize::from(old.stem)..usize::from(old.name)];
    // Nine digits are more than there can be entries.
    for digits in 3..=9 {
        let most = room
            .most_bytes
            .saturating_sub(rest.len() + digits * room.unit_bytes)
            .min(if room.most_bytes == 12 && room.unit_bytes == 1 {
                8usize.saturating_sub(digits)
            } else {
                usize::MAX
            });
        let mut kept = stem.len().min(most);
        // Half of a surrogate pair is not a character.
        if room.unit_bytes == 2 && kept >= 2 && (0xd8..0xdc).contains(&stem[kept - 2]) {
            kept -= 2;
        }
        let key = (stem[..kept].to_vec(), rest.to_vec(), digits);
        let next = next_number.entry(key).or_insert(0);
        while *next < 10_u32.pow(digits as u32) {
            let mut name = stem[..kept].to_vec();
            for digit in format!("{next:0digits$}").bytes() {
                name.resize(name.len() + room.unit_bytes - 1, 0);
                name.push(digit);
            }
            *next += 1;
            let stem = name.len() as u8;
            name.extend_from_slice(rest);
            if taken.insert(distinct(&name).to_vec()) {
                let start = buffer.len() as u32;
                let length = name.len() as u8;
                buffer.extend_from_slice(&name);
                buffer.extend_from_slice(&bytes[usize::from(old.name)..]);
                return Identifier {
                    start,
                    stem,
                    name: length,
                    whole: length + (old.whole - old.name),
                    reason: Some(Reason::Collision),
                };
            }
        }
    }
    unreachable!("a tree has fewer than a thousand million entries")
}

/// Compares plain identifiers by ECMA-119 §9.3: by name, then extension, then version, the shorter one filled up with
/// spaces. `.` and `;` end a part, so they come before whatever a part may have in it.
pub(super) fn order(left: &[u8], right: &[u8]) -> std::cmp::Ordering {
    fn weight(byte: &u8) -> u8 {
        match byte {
            b';' => 0,
            b'.' => 1,
            other => *other,
        }
    }
    left.iter().map(weight).cmp(right.iter().map(weight))
}

/// Compares Joliet identifiers by the same rule, with 16-bit characters. genisoimage compares them character by
/// character; readers do not mind either.
pub(super) fn joliet_order(left: &[u8], right: &[u8]) -> std::cmp::Ordering {
    fn weights(name: &[u8]) -> impl Iterator<Item = u16> + '_ {
        name.chunks_exact(2).map(|unit| match [unit[0], unit[1]] {
            [0, b'.'] => 1,
            unit => u16::from_be_bytes(unit),
        })
    }
    weights(left).cmp(weights(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, directory: bool, rules: NameRules, expected: &str) {
        let mut buffer = b"before".to_vec();
        let identifier = plain(&mut buffer, name, directory, rules);
        let got = std::str::from_utf8(identifier.bytes(&buffer)).unwrap();
        assert_eq!(got, expected, "{name:?}");
    }

    /// Expected names are those of genisoimage 1.1.11 with Nova's arguments, but for the one of many dots.
    #[test]
    fn files_get_the_names_that_genisoimage_gives() {
        for (name, expected) in [
            ("meta_data.json", "meta_data.json;1"),
            ("user_data", "user_data.;1"),
            ("0000", "0000.;1"),
            ("meta-data.json", "meta_data.json;1"),
            ("..x", "..x;1"),
            (".hid.den", ".hid.den;1"),
            (".hidden", ".hidden;1"),
            ("UPPER.TXT", "UPPER.TXT;1"),
            ("\u{65e5}\u{672c}", "______.;1"),
            ("\u{fc}n\u{ef}code", "__n__code.;1"),
            ("a.b.c.d", "a.b.c.d;1"),
            ("a;b", "a_b.;1"),
            ("a+b,c", "a_b_c.;1"),
            ("ab.;1", "ab._1;1"),
            (
                "abcdefghijklmnopqrstuvwxyzabcd.x",
                "abcdefghijklmnopqrstuvwxyzabc.x;1",
            ),
            ("back\\slash", "back_slash.;1"),
            (
                "long-name-with-extension-that-is-longish.json",
                "long_name_with_extension_t.json;1",
            ),
            (
                "long-name-without-any-extension-at-all-xyz",
                "long_name_without_any_extensio.;1",
            ),
            (
                "mid-length-name-here.mid-length-extension",
                "mid_length_name.mid_length_exte;1",
            ),
            (
                "short.extension-that-is-very-very-long-indeed",
                "short.extension_that_is_very_ve;1",
            ),
            ("trailing.", "trailing.;1"),
            ("two..dots", "two..dots;1"),
            ("x@y~z!", "x_y_z_.;1"),
            (
                "a.tar.gz.which.is.a.long.name.with.many.dots.json",
                "a.tar.gz.which.is.a.long.n.json;1",
            ),
        ] {
            check(name, false, NameRules::NOVA, expected);
        }
    }

    #[test]
    fn directories_have_neither_dot_nor_version() {
        for (name, expected) in [
            ("2012-08-10", "2012_08_10"),
            (".hid", ".hid"),
            ("dir.", "dir_"),
            ("a-b.c.d", "a_b.c.d"),
            (
                "long-directory-name-that-is-more-than-31.characters",
                "long_directory_name_that_is_mor",
            ),
        ] {
            check(name, true, NameRules::NOVA, expected);
        }
    }

    #[test]
    fn level_1_is_eight_and_three() {
        for (name, expected) in [
            ("meta_data.json", "META_DAT.JSO;1"),
            (".hidden", "_HIDDEN.;1"),
            ("a.b.c", "A_B.C;1"),
        ] {
            check(name, false, NameRules::LEVEL_1, expected);
        }
        check("a.long-directory", true, NameRules::LEVEL_1, "A_LONG_D");
    }

    fn numbers(names: &[&str], expected: &[&str]) {
        let mut buffer = Vec::new();
        let mut items: Vec<(u32, Identifier)> = names
            .iter()
            .enumerate()
            .map(|(rank, name)| {
                (
                    rank as u32,
                    plain(&mut buffer, name, false, NameRules::NOVA),
                )
            })
            .collect();
        items.sort_by(|left, right| order(left.1.bytes(&buffer), right.1.bytes(&buffer)));
        let room = Room::plain(NameRules::NOVA);
        number(
            &mut buffer,
            &mut items,
            room,
            |item| &mut item.1,
            |item| item.0,
        );
        items.sort_by_key(|item| item.0);
        let got: Vec<_> = items
            .iter()
            .map(|item| std::str::from_utf8(item.1.bytes(&buffer)).unwrap())
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn names_that_become_alike_are_numbered() {
        numbers(
            &["a-b", "a_b", "a b", "a b.txt", "a_b000"],
            &["a_b001.;1", "a_b.;1", "a_b002.;1", "a_b.txt;1", "a_b000.;1"],
        );
        let long = "x".repeat(40);
        numbers(
            &[&format!("{long}1.json"), &format!("{long}2.json")],
            &[
                &format!("{}.json;1", &long[..26]),
                &format!("{}000.json;1", &long[..23]),
            ],
        );
    }

    #[test]
    fn more_than_a_thousand_alike_get_more_digits() {
        let names: Vec<String> = (0..1500)
            .map(|n| format!("{}{n}", "x".repeat(40)))
            .collect();
        let mut buffer = Vec::new();
        let mut items: Vec<(u32, Identifier)> = names
            .iter()
            .enumerate()
            .map(|(rank, name)| {
                (
                    rank as u32,
                    plain(&mut buffer, name, false, NameRules::NOVA),
                )
            })
            .collect();
        let room = Room::plain(NameRules::NOVA);
        assert!(number(
            &mut buffer,
            &mut items,
            room,
            |item| &mut item.1,
            |item| item.0
        ));
        let distinct: HashSet<_> = items
            .iter()
            .map(|item| item.1.bytes(&buffer).to_vec())
            .collect();
        assert_eq!(distinct.len(), 1500);
        assert_eq!(
            items[1499].1.bytes(&buffer),
            format!("{}0498.;1", "x".repeat(26)).as_bytes()
        );
    }

    #[test]
    fn records_are_in_order_of_name_then_extension() {
        let sorted = [
            "A.;1", "A.B;1", "A.BB;1", "A0.A;1", "AA", "AA.;1", "AA.A;1", "B;1", "_.;1", "a.;1",
        ];
        for pair in sorted.windows(2) {
            let (left, right) = (pair[0].as_bytes(), pair[1].as_bytes());
            assert_eq!(order(left, right), std::cmp::Ordering::Less, "{pair:?}");
            let wide = |name: &[u8]| name.iter().flat_map(|byte| [0, *byte]).collect::<Vec<_>>();
            let name = |name: &[u8]| wide(name.strip_suffix(b";1").unwrap_or(name));
            let by_joliet = joliet_order(&name(left), &name(right));
            assert_eq!(by_joliet, std::cmp::Ordering::Less, "{pair:?}");
        }
    }

    #[test]
    fn joliet_replaces_cuts_and_keeps_pairs_whole() {
        fn check(name: &str, expected: &str) {
            let mut buffer = Vec::new();
            let identifier = joliet(&mut buffer, name, 64);
            let units: Vec<u16> = identifier
                .bytes(&buffer)
                .chunks(2)
                .map(|unit| u16::from_be_bytes([unit[0], unit[1]]))
                .collect();
            assert_eq!(String::from_utf16(&units).unwrap(), expected);
        }
        check("a:b*c?d;e\\f<g>h|i\"j\u{1}", "a_b_c_d_e_f<g>h|i\"j_");
        check(&"k".repeat(70), &"k".repeat(64));
        check(
            &format!("k{}", "\u{1f600}".repeat(40)),
            &format!("k{}", "\u{1f600}".repeat(31)),
        );
    }
}
