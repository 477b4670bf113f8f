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

/// Takes bytes into a check of ISO 3309 from any start, without the final complement.
fn crc32(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |state, byte| {
        (0..8).fold(state ^ u32::from(*byte), |state, _| {
            (state >> 1) ^ (0xedb8_8320 * (state & 1))
        })
    })
}

/// UEFI 2.10, section 5.3: the announcement, and the signatures and checksums of both copies, with sectors of 512 bytes.
pub fn repair_gpt(disk: &mut [u8]) {
    let sectors = disk.len() / 512;
    if sectors < 6 {
        return;
    }
    disk[450] = 0xee;
    disk[454..458].copy_from_slice(&1_u32.to_le_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    for sector in [1, sectors - 1] {
        let at = sector * 512;
        let number = |disk: &[u8], offset: usize| {
            let bytes = disk[at + offset..].first_chunk().copied();
            u64::from_le_bytes(bytes.unwrap_or_default())
        };
        let start = usize::try_from(number(disk, 72))
            .unwrap_or(usize::MAX)
            .saturating_mul(512);
        let length = (number(disk, 80) as u32 as usize).saturating_mul(128);
        let entries = disk.get(start..start.saturating_add(length));
        let entries_crc = entries.map(|entries| !crc32(u32::MAX, entries));
        let header = &mut disk[at..at + 512];
        header[..8].copy_from_slice(b"EFI PART");
        header[12..16].copy_from_slice(&92_u32.to_le_bytes());
        header[16..20].fill(0);
        header[24..32].copy_from_slice(&(sector as u64).to_le_bytes());
        header[84..88].copy_from_slice(&128_u32.to_le_bytes());
        header[88..92].copy_from_slice(&entries_crc.unwrap_or_default().to_le_bytes());
        let crc = !crc32(u32::MAX, &header[..92]);
        header[16..20].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Makes a physical volume of LVM2 of a label, the header of a metadata area and a text, in this order; of 1 MiB and a half.
pub fn lvm_volume(input: &[u8], repaired: bool) -> Vec<u8> {
    const START: u32 = 0xf597_a6cf;
    const AREA: usize = 4096;
    let mut volume = vec![0; 3 << 19];
    let mut padded = input.to_vec();
    padded.resize(input.len().max(1024), 0);
    let (label, rest) = padded.split_at(512);
    let (header, text) = rest.split_at(512);
    let text = &text[..text.len().min(60_000)];
    volume[512..1024].copy_from_slice(label);
    volume[AREA..AREA + 512].copy_from_slice(header);
    volume[AREA + 512..AREA + 512 + text.len()].copy_from_slice(text);
    if !repaired {
        return volume;
    }
    let label = &mut volume[512..1024];
    label[..8].copy_from_slice(b"LABELONE");
    label[8..16].copy_from_slice(&1_u64.to_le_bytes());
    label[20..24].copy_from_slice(&32_u32.to_le_bytes());
    label[24..32].copy_from_slice(b"LVM2 001");
    // The identity that the seed's text names.
    label[32..64].fill(b'a');
    // One range of data, one of metadata.
    label[72..136].fill(0);
    label[72..80].copy_from_slice(&(1_u64 << 20).to_le_bytes());
    label[104..112].copy_from_slice(&(AREA as u64).to_le_bytes());
    let crc = crc32(START, &label[20..]);
    label[16..20].copy_from_slice(&crc.to_le_bytes());

    let text_crc = crc32(START, text);
    let area = &mut volume[AREA..AREA + 512];
    area[4..20].copy_from_slice(b"\x20LVM2\x20x[5A%r0N*>");
    area[20..24].copy_from_slice(&1_u32.to_le_bytes());
    for (at, number) in [(24, AREA), (32, 1 << 16), (40, 512), (48, text.len())] {
        area[at..at + 8].copy_from_slice(&(number as u64).to_le_bytes());
    }
    area[56..60].copy_from_slice(&text_crc.to_le_bytes());
    area[60..64].fill(0);
    let crc = crc32(START, &area[4..]);
    area[..4].copy_from_slice(&crc.to_le_bytes());
    volume
}
