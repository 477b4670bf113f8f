//! Entries in a region of bytes: a block without its tail, or a part of an inode.
//!
//! A directory entry, little-endian. Linux `Documentation/filesystems/ext4/directory.rst`, "Linear (Classic) Directories",
//! `struct ext4_dir_entry_2`.
//!
//! | offset | size | field       | note                                                                   |
//! |-------:|-----:|-------------|------------------------------------------------------------------------|
//! |      0 |    4 | `inode`     | 0 if the entry is not used                                             |
//! |      4 |    2 | `rec_len`   | distance to the next entry, a multiple of 4; the last ends the region  |
//! |      6 |    1 | `name_len`  | without `filetype` the low byte of two; names never need the high one  |
//! |      7 |    1 | `file_type` | without `filetype` 0                                                   |
//! |      8 |    n | `name`      | not terminated                                                         |

use super::Target;

/// The bytes of an entry before its name.
pub(super) const HEADER_BYTES: usize = 8;
/// The bytes of an entry with the shortest name.
pub(super) const SHORTEST_BYTES: usize = 12;

/// What the filesystem says about all entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// The size of a block, which decides how lengths of 64 KiB and more are stored.
    pub(super) block_bytes: usize,
    /// The highest valid inode number.
    pub(super) inodes: u32,
    /// Whether entries tell file types.
    pub(super) file_types: bool,
}

impl Layout {
    /// Reads a length. Linux `fs/ext4/ext4.h`, `ext4_rec_len_from_disk`: 64 KiB does not fit its 16 bits, and the two low bits are free.
    fn record_bytes(self, stored: u16) -> usize {
        let stored = usize::from(stored);
        if self.block_bytes < 1 << 16 {
            return stored;
        }
        match stored {
            0 | 0xffff => self.block_bytes,
            _ => (stored & 0xfffc) | (stored & 3) << 16,
        }
    }

    /// Stores a length, as `ext4_rec_len_to_disk` does; it is at most that of a block.
    fn stored(self, record_bytes: usize) -> u16 {
        if record_bytes < 1 << 16 {
            return record_bytes as u16;
        }
        if record_bytes == self.block_bytes {
            return if self.block_bytes == 1 << 16 {
                0xffff
            } else {
                0
            };
        }
        ((record_bytes & 0xfffc) | (record_bytes >> 16 & 3)) as u16
    }
}

/// Returns the bytes that an entry with a name of that length needs. Directories that are encrypted and ignore case have eight bytes
/// of hash more behind each name (Linux `fs/ext4/ext4.h`, `ext4_dir_rec_len`); they get no new entries here.
pub(super) fn entry_bytes(name_bytes: usize) -> usize {
    (HEADER_BYTES + name_bytes).next_multiple_of(4)
}

/// A rule that an entry breaks, and where it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) offset: usize,
    pub(super) rule: &'static str,
}

impl Broken {
    pub(super) fn new(offset: usize, rule: &'static str) -> Self {
        Self { offset, rule }
    }
}

/// A place for an entry, used or not, that has been checked to lie in its region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    offset: usize,
    length: usize,
    inode: u32,
    name_bytes: u8,
    file_type: u8,
}

impl Slot {
    /// Returns where it begins in the region.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the bytes behind its own entry.
    pub(super) fn room_bytes(&self) -> usize {
        self.length - self.used_bytes()
    }

    /// Returns its length in bytes.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Returns the inode number, 0 if it is not used.
    pub(super) fn inode(&self) -> u32 {
        self.inode
    }

    /// Returns the name.
    pub(super) fn name<'r>(&self, region: &'r [u8]) -> &'r [u8] {
        let start = self.offset + HEADER_BYTES;
        &region[start..start + usize::from(self.name_bytes)]
    }

    /// Returns what it names.
    pub(super) fn target(&self) -> Target {
        Target {
            inode: self.inode,
            file_type: self.file_type,
        }
    }

    /// Returns the bytes that its own entry needs.
    pub(super) fn used_bytes(&self) -> usize {
        if self.inode == 0 {
            0
        } else {
            entry_bytes(usize::from(self.name_bytes))
        }
    }
}

/// Walks over the slots of a region, which they must fill. The walk ends after what breaks a rule.
pub(super) fn slots(layout: Layout, region: &[u8]) -> Slots<'_> {
    Slots {
        layout,
        region,
        offset: 0,
    }
}

/// The walk over the slots of a region.
#[derive(Debug)]
pub(super) struct Slots<'r> {
    layout: Layout,
    region: &'r [u8],
    offset: usize,
}

impl Iterator for Slots<'_> {
    type Item = Result<Slot, Broken>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.offset;
        if offset >= self.region.len() {
            return None;
        }
        let slot = parse(self.layout, self.region, offset);
        self.offset = match &slot {
            Ok(slot) => offset + slot.length,
            Err(_) => self.region.len(),
        };
        Some(slot)
    }
}

/// Parses the slot at an offset. The rules are those of Linux `fs/ext4/dir.c`, `__ext4_check_dir_entry`.
#[inline]
fn parse(layout: Layout, region: &[u8], offset: usize) -> Result<Slot, Broken> {
    let broken = |rule| Err(Broken::new(offset, rule));
    let rest = &region[offset..];
    let Some(header) = rest.first_chunk::<HEADER_BYTES>() else {
        return broken("the region ends within an entry");
    };
    let [i0, i1, i2, i3, l0, l1, name_bytes, file_type] = *header;
    let inode = u32::from_le_bytes([i0, i1, i2, i3]);
    let length = layout.record_bytes(u16::from_le_bytes([l0, l1]));
    if length < SHORTEST_BYTES {
        return broken("`rec_len` is below 12");
    }
    if !length.is_multiple_of(4) {
        return broken("`rec_len` is not a multiple of 4");
    }
    if length > rest.len() {
        return broken("the entry reaches over the end");
    }
    if entry_bytes(usize::from(name_bytes)) > length {
        return broken("`rec_len` is too small for `name_len`");
    }
    let left = rest.len() - length;
    if left != 0 && left < SHORTEST_BYTES {
        return broken("the entry ends too close to the end");
    }
    if inode > layout.inodes {
        return broken("the inode number is beyond the last inode");
    }
    if !layout.file_types && file_type != 0 && inode != 0 {
        return broken("`name_len` is above 255");
    }
    Ok(Slot {
        offset,
        length,
        inode,
        name_bytes,
        file_type,
    })
}

/// A slot that was found, and where the one before it begins, if there is one in the region.
pub(super) type Place = (Slot, Option<usize>);

/// Finds the used entry of a name.
pub(super) fn find(layout: Layout, region: &[u8], name: &[u8]) -> Result<Option<Place>, Broken> {
    let mut previous = None;
    for slot in slots(layout, region) {
        let slot = slot?;
        if slot.inode != 0
            && usize::from(slot.name_bytes) == name.len()
            && slot.name(region) == name
        {
            return Ok(Some((slot, previous)));
        }
        previous = Some(slot.offset);
    }
    Ok(None)
}

/// Finds the first slot with room for an entry of that many bytes, as `ext4_find_dest_de` does in Linux `fs/ext4/namei.c`.
pub(super) fn find_room(
    layout: Layout,
    region: &[u8],
    needed_bytes: usize,
) -> Result<Option<Slot>, Broken> {
    for slot in slots(layout, region) {
        let slot = slot?;
        if slot.room_bytes() >= needed_bytes {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

/// Places an entry in a slot that has room for it, behind the entry that is there, as `ext4_insert_dentry` does.
pub(super) fn place(layout: Layout, region: &mut [u8], slot: Slot, name: &[u8], target: Target) {
    let used = slot.used_bytes();
    if used != 0 {
        set_length(layout, region, slot.offset, used);
    }
    put(
        layout,
        region,
        slot.offset + used,
        slot.length - used,
        name,
        target,
    );
}

/// Writes an entry of a given length.
pub(super) fn put(
    layout: Layout,
    region: &mut [u8],
    offset: usize,
    length: usize,
    name: &[u8],
    target: Target,
) {
    region[offset..offset + 4].copy_from_slice(&target.inode.to_le_bytes());
    set_length(layout, region, offset, length);
    // The names come checked to be at most 255 bytes long.
    region[offset + 6] = name.len() as u8;
    region[offset + 7] = target.file_type;
    let start = offset + HEADER_BYTES;
    region[start..start + name.len()].copy_from_slice(name);
    let end = offset + entry_bytes(name.len()).min(length);
    region[start + name.len()..end].fill(0);
}

/// Makes of a whole region one slot that is not used, and returns it.
pub(super) fn clear(layout: Layout, region: &mut [u8]) -> Slot {
    region.fill(0);
    set_length(layout, region, 0, region.len());
    Slot {
        offset: 0,
        length: region.len(),
        inode: 0,
        name_bytes: 0,
        file_type: 0,
    }
}

/// Returns a region of the same length in which the used entries stand one behind the other.
pub(super) fn pack(layout: Layout, region: &[u8]) -> Result<Vec<u8>, Broken> {
    let mut used = Vec::new();
    for slot in slots(layout, region) {
        let slot = slot?;
        if slot.inode != 0 {
            used.push(slot);
        }
    }
    Ok(pack_slots(layout, region, used.into_iter()))
}

/// Returns a region of the same length with these entries of a region alone, one behind the other.
pub(super) fn pack_slots(
    layout: Layout,
    region: &[u8],
    used: impl Iterator<Item = Slot>,
) -> Vec<u8> {
    let mut packed = vec![0; region.len()];
    let (mut last, mut end) = (0, 0);
    for slot in used {
        let bytes = slot.used_bytes();
        put(
            layout,
            &mut packed,
            end,
            bytes,
            slot.name(region),
            slot.target(),
        );
        (last, end) = (end, end + bytes);
    }
    // The last entry reaches to the end; without one, so does an entry that is not used.
    let length = packed.len() - last;
    set_length(layout, &mut packed, last, length);
    packed
}

/// Tells whether a block begins with an unused entry without a name that fills it.
pub(super) fn is_fake(layout: Layout, block: &[u8]) -> bool {
    block[..4] == [0; 4] && block[6] == 0 && length_at(layout, block, 0) == layout.block_bytes
}

/// Removes an entry: the one before takes its place, or, in front, it stays without being used. What it was is wiped, as
/// `ext4_generic_delete_entry` does in Linux `fs/ext4/namei.c`.
pub(super) fn remove(layout: Layout, region: &mut [u8], offset: usize, previous: Option<usize>) {
    let length = length_at(layout, region, offset);
    region[offset..offset + length].fill(0);
    match previous {
        Some(previous) => {
            let joined = length_at(layout, region, previous) + length;
            set_length(layout, region, previous, joined);
        }
        None => set_length(layout, region, offset, length),
    }
}

/// Lets an entry name something else.
pub(super) fn set_target(region: &mut [u8], offset: usize, target: Target) {
    region[offset..offset + 4].copy_from_slice(&target.inode.to_le_bytes());
    region[offset + 7] = target.file_type;
}

/// Sets the length of an entry.
pub(super) fn set_length(layout: Layout, region: &mut [u8], offset: usize, length: usize) {
    region[offset + 4..offset + 6].copy_from_slice(&layout.stored(length).to_le_bytes());
}

fn length_at(layout: Layout, region: &[u8], offset: usize) -> usize {
    layout.record_bytes(u16::from_le_bytes([region[offset + 4], region[offset + 5]]))
}

/// Returns the entry `..`, which is the second of the first block, after `.`.
pub(super) fn dot_dot(layout: Layout, region: &[u8]) -> Result<Slot, Broken> {
    let mut slots = slots(layout, region);
    let missing = |offset, rule| Broken::new(offset, rule);
    let first = slots
        .next()
        .ok_or_else(|| missing(0, "the first entry is not `.`"))??;
    if first.inode == 0 || first.name(region) != b"." {
        return Err(missing(0, "the first entry is not `.`"));
    }
    let second = slots
        .next()
        .ok_or_else(|| missing(first.length, "the second entry is not `..`"))??;
    if second.inode == 0 || second.name(region) != b".." {
        return Err(missing(second.offset, "the second entry is not `..`"));
    }
    Ok(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        block_bytes: 1024,
        inodes: 1000,
        file_types: true,
    };

    const FILE: Target = Target {
        inode: 12,
        file_type: 1,
    };

    fn region_with(names: &[&[u8]]) -> Vec<u8> {
        let mut region = vec![0xaa; 1024];
        clear(LAYOUT, &mut region);
        for name in names {
            let room = find_room(LAYOUT, &region, entry_bytes(name.len()))
                .unwrap()
                .unwrap();
            place(LAYOUT, &mut region, room, name, FILE);
        }
        region
    }

    fn names(region: &[u8]) -> Vec<Vec<u8>> {
        slots(LAYOUT, region)
            .map(Result::unwrap)
            .filter(|slot| slot.inode() != 0)
            .map(|slot| slot.name(region).to_vec())
            .collect()
    }

    #[test]
    fn what_is_placed_is_found_and_what_is_removed_is_not() {
        let mut region = region_with(&[b"a", b"bcde", b"f"]);
        assert_eq!(
            names(&region),
            [b"a".to_vec(), b"bcde".to_vec(), b"f".to_vec()]
        );
        let (slot, previous) = find(LAYOUT, &region, b"bcde").unwrap().unwrap();
        assert_eq!((slot.offset(), previous), (12, Some(0)));
        remove(LAYOUT, &mut region, slot.offset(), previous);
        assert_eq!(names(&region), [b"a".to_vec(), b"f".to_vec()]);
        assert_eq!(&region[12..24], &[0; 12]);
        // The room is used again.
        let room = find_room(LAYOUT, &region, 12).unwrap().unwrap();
        assert_eq!(room.offset(), 0);
        let (slot, previous) = find(LAYOUT, &region, b"a").unwrap().unwrap();
        remove(LAYOUT, &mut region, slot.offset(), previous);
        assert_eq!(names(&region), [b"f".to_vec()]);
        assert_eq!(slots(LAYOUT, &region).count(), 2);
    }

    #[test]
    fn a_region_is_filled_to_its_end() {
        let mut region = region_with(&[]);
        let mut count = 0;
        while let Some(room) = find_room(LAYOUT, &region, 12).unwrap() {
            place(LAYOUT, &mut region, room, b"abcd", FILE);
            count += 1;
        }
        // The last place of 4 bytes is too short for an entry.
        assert_eq!(count, 1024 / 12);
    }

    #[test]
    fn each_rule_has_its_own_words() {
        type Change = fn(&mut Vec<u8>);
        let rule = |change: Change| {
            let mut region = region_with(&[b"a", b"bcde", b"f"]);
            change(&mut region);
            slots(LAYOUT, &region).find_map(Result::err)
        };
        let cases: [(Change, usize, &str); 8] = [
            (|r| r[4] = 8, 0, "below 12"),
            (|r| r[4] = 14, 0, "multiple of 4"),
            (|r| r[12 + 6] = 200, 12, "too small for `name_len`"),
            (|r| r[24 + 5] = 4, 24, "over the end"),
            (|r| r[24 + 4] = 0xe4, 24, "too close"),
            (|r| r[12 + 2] = 1, 12, "beyond the last inode"),
            (|r| r.truncate(1020), 24, "over the end"),
            (
                |r| r[24 + 4..24 + 6].copy_from_slice(&980_u16.to_le_bytes()),
                1004,
                "below 12",
            ),
        ];
        for (change, offset, words) in cases {
            let broken = rule(change).unwrap();
            assert!(broken.rule.contains(words), "{broken:?}, not {words}");
            assert_eq!(broken.offset, offset, "{words}");
        }
        assert_eq!(rule(|_| ()), None);
    }

    #[test]
    fn without_file_types_a_long_name_is_damage() {
        let region = region_with(&[b"a"]);
        let layout = Layout {
            file_types: false,
            ..LAYOUT
        };
        assert!(slots(layout, &region).any(|slot| slot.is_err()));
    }

    #[test]
    fn a_block_of_64_kib_has_its_own_lengths() {
        let layout = Layout {
            block_bytes: 1 << 16,
            ..LAYOUT
        };
        let mut region = vec![0; 1 << 16];
        clear(layout, &mut region);
        assert_eq!(&region[4..6], &[0xff, 0xff]);
        let room = find_room(layout, &region, 12).unwrap().unwrap();
        assert_eq!(room.length(), 1 << 16);
        place(layout, &mut region, room, b"a", FILE);
        assert_eq!(slots(layout, &region).count(), 1);
        let room = find_room(layout, &region, 12).unwrap().unwrap();
        place(layout, &mut region, room, b"b", FILE);
        assert_eq!(
            slots(layout, &region)
                .map(|slot| slot.unwrap().length())
                .sum::<usize>(),
            1 << 16
        );
    }
}
