//! Repairs what a mutation breaks first, so that it reaches what stands behind.
//!
//! A reader rightly refuses a descriptor without its magic, or a number whose two byte
//! orders differ; a mutator that must hit both at once gets nowhere. Half of the inputs are
//! repaired, the other half left as they came (the targets take the choice from the input).

use xxhash_rust::xxh3::xxh3_64;

/// Sector of ISO 9660.
const SECTOR: usize = 2048;

/// The system area in front of the descriptors, which no reader looks at.
pub const SYSTEM_AREA_BYTES: usize = 16 * SECTOR;

/// No more directories than this are repaired.
const MAX_DIRECTORIES: usize = 64;

/// Makes an ISO 9660 image of an input that begins with the descriptors.
pub fn iso_image(descriptors: &[u8], repaired: bool) -> Vec<u8> {
    let mut image = vec![0; SYSTEM_AREA_BYTES];
    image.extend_from_slice(descriptors);
    if repaired {
        repair_iso(&mut image);
    }
    image
}

/// ECMA-119 8.4 and 9.1: signatures, and numbers stored in both byte orders.
fn repair_iso(image: &mut [u8]) {
    let mut directories = Vec::new();
    for index in 16..32 {
        let Some(descriptor) = image.get_mut(index * SECTOR..(index + 1) * SECTOR) else {
            break;
        };
        descriptor[1..6].copy_from_slice(b"CD001");
        match descriptor[0] {
            255 => break,
            1 | 2 => {
                both32(descriptor, 80);
                for at in [120, 124, 128] {
                    both16(descriptor, at);
                }
                both32(descriptor, 132);
                both_in_record(&mut descriptor[156..190]);
                directories.push(extent(&descriptor[156..190]));
            }
            _ => {}
        }
    }
    let mut done = 0;
    while let Some((start, length)) = directories.get(done).copied() {
        done += 1;
        let end = start.saturating_add(length).min(image.len());
        let mut at = start;
        while at < end {
            let size = usize::from(image[at]);
            if size < 34 || at + size > end {
                // The rest of the sector is unused.
                at = (at / SECTOR + 1) * SECTOR;
                continue;
            }
            let record = &mut image[at..at + size];
            both_in_record(record);
            let own_or_parent = record[32] == 1 && record[33] <= 1;
            let child = extent(record);
            if record[25] & 2 != 0
                && !own_or_parent
                && directories.len() < MAX_DIRECTORIES
                && !directories.contains(&child)
            {
                directories.push(child);
            }
            at += size;
        }
    }
}

fn both_in_record(record: &mut [u8]) {
    both32(record, 2);
    both32(record, 10);
    both16(record, 28);
}

fn extent(record: &[u8]) -> (usize, usize) {
    let number = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&record[at..at + 4]);
        u32::from_le_bytes(bytes) as usize
    };
    (
        number(2).saturating_mul(SECTOR),
        number(10).min(64 * SECTOR),
    )
}

/// Copies a little-endian number to the big-endian one behind it.
fn both32(bytes: &mut [u8], at: usize) {
    for index in 0..4 {
        bytes[at + 7 - index] = bytes[at + index];
    }
}

fn both16(bytes: &mut [u8], at: usize) {
    bytes[at + 3] = bytes[at];
    bytes[at + 2] = bytes[at + 1];
}

/// The FAT specification, "Boot Sector and BPB": the signature, a total that fits the file,
/// and equal copies of the table.
pub fn repair_vfat(image: &mut [u8]) {
    if image.len() < 512 {
        return;
    }
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    // Jump instruction and media byte are what a prober looks at first.
    image[0] = 0xeb;
    image[2] = 0x90;
    image[21] = 0xf8;
    let word = |at: usize| usize::from(u16::from_le_bytes([image[at], image[at + 1]]));
    let (sector, reserved, table_sectors) = (word(11), word(14), word(22));
    let tables = usize::from(image[16]);
    if sector != 512 || table_sectors == 0 || tables < 2 {
        return;
    }
    let sectors = image.len() / sector;
    if word(19) > sectors {
        let total = u16::try_from(sectors).unwrap_or(u16::MAX);
        image[19..21].copy_from_slice(&total.to_le_bytes());
    }
    let first = reserved * sector;
    let length = table_sectors * sector;
    for copy in 1..tables.min(4) {
        let to = first + copy * length;
        if to + length <= image.len() {
            image.copy_within(first..first + length, to);
        }
    }
}

/// `crates/block/src/redo/layout.rs`: the length, and the checksums of table and header.
pub fn repair_redo(file: &mut [u8]) {
    if file.len() < 72 {
        return;
    }
    let length = file.len() as u64;
    let mut start = [0; 8];
    start.copy_from_slice(&file[24..32]);
    let table = u64::from_le_bytes(start).min(length);
    let mut put = |at: usize, value: u64| file[at..at + 8].copy_from_slice(&value.to_le_bytes());
    put(16, length);
    put(24, table);
    put(32, length - table);
    let checksum = xxh3_64(&file[table as usize..]);
    file[40..48].copy_from_slice(&checksum.to_le_bytes());
    let checksum = xxh3_64(&file[..64]);
    file[64..72].copy_from_slice(&checksum.to_le_bytes());
}
