//! Directories: entries of 32 bytes, the long ones before the short one they belong to.

use super::Options;
use super::boot_sector::label;
use super::fat::Chains;
use super::names::{self, Name, ShortName};
use crate::{EntryId, Error, Format, Kind, Timestamp, Tree};

/// The size of an entry.
pub(super) const ENTRY_BYTES: u64 = 32;
/// The most entries in a directory: 2 MiB (fatgen103; Linux `fs/fat/fat.h`, `FAT_MAX_DIR_SIZE`).
const MAX_ENTRIES: u64 = 65_536;
/// The most in a root: `BPB_RootEntCnt` has 16 bits and counts whole sectors.
const MAX_ROOT_ENTRIES: u64 = 65_520;
/// UTF-16 units in one long entry.
const UNITS_PER_ENTRY: u16 = 13;

/// Attributes (fatgen103, `DIR_Attr`).
const VOLUME_ID: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
const ARCHIVE: u8 = 0x20;
const LONG_NAME: u8 = 0x0f;
/// Marks the long entry with the name's end (fatgen103, `LDIR_Ord`).
const LAST_LONG_ENTRY: u8 = 0x40;

#[derive(Debug)]
struct Directory {
    entry: EntryId,
    names: Vec<Name>,
    entry_count: u64,
}

/// Every directory with the names in it, the root first.
#[derive(Debug)]
pub(super) struct Directories(Vec<Directory>);

impl Directories {
    pub(super) fn new(tree: &Tree) -> Result<Self, Error> {
        let mut directories = Vec::new();
        let below = tree.entries().filter(|entry| tree.is_directory(*entry));
        for entry in std::iter::once(EntryId::ROOT).chain(below) {
            let names = names::assign(tree, tree.children(entry))?;
            let long = |name: &Name| u64::from(name.long_units.div_ceil(UNITS_PER_ENTRY));
            let named: u64 = names.iter().map(|name| long(name) + 1).sum();
            // The root has the label; the others have themselves and the one above.
            let (own, limit) = match entry {
                EntryId::ROOT => (1, MAX_ROOT_ENTRIES),
                _ => (2, MAX_ENTRIES),
            };
            if named + own > limit {
                return Err(Error::CannotHold {
                    format: Format::Vfat,
                    path: format!("{}/", tree.path(entry)),
                    rule: "a directory has at most 65,536 entries, of which a name takes up to 21",
                });
            }
            directories.push(Directory {
                entry,
                names,
                entry_count: named + own,
            });
        }
        Ok(Self(directories))
    }

    /// Returns the directories' numbers in the order of writing; 0 is the root.
    pub(super) fn order(&self) -> impl Iterator<Item = usize> + use<> {
        0..self.0.len()
    }

    pub(super) fn entry(&self, number: usize) -> EntryId {
        self.0[number].entry
    }

    pub(super) fn entry_count(&self, number: usize) -> u64 {
        self.0[number].entry_count
    }

    /// Appends a directory's entries.
    pub(super) fn encode(
        &self,
        tree: &Tree,
        options: &Options,
        number: usize,
        chains: &Chains,
        out: &mut Vec<u8>,
    ) {
        let directory = &self.0[number];
        let time = |entry| tree.attributes(entry).modified.unwrap_or(options.time);
        if directory.entry == EntryId::ROOT {
            short_entry(out, &label(&options.label), VOLUME_ID, options.time, 0, 0);
        } else {
            let above = tree.parent(directory.entry);
            for (name, entry) in [(b".          ", directory.entry), (b"..         ", above)] {
                short_entry(out, name, DIRECTORY, time(entry), chains.first(entry), 0);
            }
        }
        for (child, name) in tree.children(directory.entry).iter().zip(&directory.names) {
            if name.long_units > 0 {
                long_entries(out, tree.name(*child), &name.short);
            }
            let (attributes, length) = match tree.kind(*child) {
                Kind::Directory => (DIRECTORY, 0),
                // Checked to be less than 4 GiB.
                Kind::File(content) => (ARCHIVE, content.len() as u32),
                Kind::Symlink(_) => (ARCHIVE, 0),
            };
            let first = chains.first(*child);
            short_entry(out, &name.short, attributes, time(*child), first, length);
        }
    }
}

/// Appends a short entry (fatgen103, "FAT 32 Byte Directory Entry Structure").
///
/// | offset | size | field                                   |
/// |-------:|-----:|-----------------------------------------|
/// |      0 |   11 | name                                    |
/// |     11 |    1 | attributes                              |
/// |     12 |    1 | reserved, 0                             |
/// |     13 |    1 | hundredths of a second, of creation     |
/// |     14 |    4 | time and date of creation               |
/// |     18 |    2 | date of last access                     |
/// |     20 |    2 | first cluster, upper half               |
/// |     22 |    4 | time and date of last change            |
/// |     26 |    2 | first cluster, lower half               |
/// |     28 |    4 | length in bytes, 0 for a directory      |
fn short_entry(
    out: &mut Vec<u8>,
    name: &ShortName,
    attributes: u8,
    time: Timestamp,
    cluster: u32,
    length: u32,
) {
    let (date, time, hundredths) = date_and_time(time);
    let [low_0, low_1, high_0, high_1] = cluster.to_le_bytes();
    out.extend_from_slice(name);
    out.extend_from_slice(&[attributes, 0, hundredths]);
    out.extend_from_slice(&time);
    out.extend_from_slice(&date);
    out.extend_from_slice(&date);
    out.extend_from_slice(&[high_0, high_1]);
    out.extend_from_slice(&time);
    out.extend_from_slice(&date);
    out.extend_from_slice(&[low_0, low_1]);
    out.extend_from_slice(&length.to_le_bytes());
}

/// Appends the long entries of a name, the last part first (fatgen103, "Organization and Association of Short & Long
/// Directory Entries").
///
/// | offset | size | field                                         |
/// |-------:|-----:|-----------------------------------------------|
/// |      0 |    1 | number from 1, with 0x40 in the last part     |
/// |      1 |   10 | five units                                    |
/// |     11 |    1 | attributes, 0x0f                              |
/// |     12 |    1 | type, 0                                       |
/// |     13 |    1 | checksum of the short name                    |
/// |     14 |   12 | six units                                     |
/// |     26 |    2 | first cluster, 0                              |
/// |     28 |    4 | two units                                     |
fn long_entries(out: &mut Vec<u8>, name: &str, short: &ShortName) {
    let checksum = checksum(short);
    let units: Vec<u16> = name.encode_utf16().collect();
    let parts = units.chunks(usize::from(UNITS_PER_ENTRY));
    let last = parts.len();
    for (index, part) in parts.enumerate().rev() {
        let mark = if index + 1 == last {
            LAST_LONG_ENTRY
        } else {
            0
        };
        let start = out.len();
        // A name has at most 20 parts.
        out.push((index + 1) as u8 | mark);
        // A name that does not fill its last entry ends with a zero, and ones follow.
        let filled = part
            .iter()
            .copied()
            .chain([0])
            .chain(std::iter::repeat(0xffff));
        for (slot, unit) in filled.take(usize::from(UNITS_PER_ENTRY)).enumerate() {
            match slot {
                5 => out.extend_from_slice(&[LONG_NAME, 0, checksum]),
                11 => out.extend_from_slice(&[0, 0]),
                _ => {}
            }
            out.extend_from_slice(&unit.to_le_bytes());
        }
        debug_assert_eq!(out.len() - start, ENTRY_BYTES as usize);
    }
}

/// Returns the checksum that ties long entries to their short one (fatgen103, `ChkSum`).
fn checksum(short: &ShortName) -> u8 {
    short
        .iter()
        .fold(0, |sum: u8, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// Returns date and time in their stored forms and the hundredths of a second left over. Years are those from 1980 to
/// 2107, seconds are even (fatgen103, "Date and Time Formats"); a time outside becomes the first or last moment.
fn date_and_time(time: Timestamp) -> ([u8; 2], [u8; 2], u8) {
    /// 1980-01-01T00:00:00Z and 2107-12-31T23:59:59Z.
    const FIRST: i64 = 315_532_800;
    const LAST: i64 = 4_354_819_199;
    let civil = Timestamp {
        seconds: time.seconds.clamp(FIRST, LAST),
        ..time
    }
    .civil();
    let date =
        ((civil.year - 1980) as u16) << 9 | u16::from(civil.month) << 5 | u16::from(civil.day);
    let time =
        u16::from(civil.hour) << 11 | u16::from(civil.minute) << 5 | u16::from(civil.second / 2);
    let hundredths = civil.second % 2 * 100 + civil.centisecond;
    (date.to_le_bytes(), time.to_le_bytes(), hundredths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times() {
        let check = |seconds, expected| {
            assert_eq!(date_and_time(Timestamp::from_seconds(seconds)), expected);
        };
        check(0, ([0x21, 0x00], [0, 0], 0));
        // 2024-12-31T23:59:59Z.
        check(1_735_689_599, ([0x9f, 0x59], [0x7d, 0xbf], 100));
        check(i64::MAX, ([0x9f, 0xff], [0x7d, 0xbf], 100));
    }
}
