//! Tables made by hand; those of other programs are in `tests/judge_partition.rs`.

use super::*;
use crate::crc32;
use crate::device::MemoryDevice;

fn entry(os_type: u8, start: u32, length: u32) -> [u8; 16] {
    let mut entry = [0; 16];
    entry[4] = os_type;
    entry[8..12].copy_from_slice(&start.to_le_bytes());
    entry[12..].copy_from_slice(&length.to_le_bytes());
    entry
}

/// Writes a boot record with these entries.
fn put_record(disk: &mut [u8], sector: usize, entries: &[[u8; 16]]) {
    let record = &mut disk[sector * 512..][..512];
    for (index, entry) in entries.iter().enumerate() {
        record[446 + 16 * index..][..16].copy_from_slice(entry);
    }
    record[510..].copy_from_slice(&[0x55, 0xaa]);
}

/// Writes one copy of a GPT with one partition, sectors 34 to 40.
fn put_gpt(disk: &mut [u8], own: u64, other: u64, entries_sector: u64) {
    let last = disk.len() as u64 / 512 - 1;
    let mut entries = vec![0; 128 * 128];
    entries[..16].fill(1);
    entries[16..32].fill(2);
    entries[32..40].copy_from_slice(&34_u64.to_le_bytes());
    entries[40..48].copy_from_slice(&40_u64.to_le_bytes());
    entries[56..58].copy_from_slice(&[b'a', 0]);
    disk[entries_sector as usize * 512..][..entries.len()].copy_from_slice(&entries);

    let mut header = Vec::new();
    header.extend_from_slice(b"EFI PART\0\0\x01\0");
    header.extend_from_slice(&92_u32.to_le_bytes());
    header.extend_from_slice(&[0; 8]);
    for number in [own, other, 34, last - 33] {
        header.extend_from_slice(&number.to_le_bytes());
    }
    header.extend_from_slice(&[3; 16]);
    header.extend_from_slice(&entries_sector.to_le_bytes());
    header.extend_from_slice(&128_u32.to_le_bytes());
    header.extend_from_slice(&128_u32.to_le_bytes());
    header.extend_from_slice(&crc32::checksum(&entries).to_le_bytes());
    disk[own as usize * 512..][..92].copy_from_slice(&header);
    repair(disk, own);
}

fn repair(disk: &mut [u8], sector: u64) {
    let header = &mut disk[sector as usize * 512..][..92];
    header[16..20].fill(0);
    let checksum = crc32::checksum(header);
    header[16..20].copy_from_slice(&checksum.to_le_bytes());
}

/// A disk of 256 sectors with both copies of a GPT.
fn gpt_disk() -> Vec<u8> {
    let mut disk = vec![0; 256 * 512];
    put_record(&mut disk, 0, &[entry(0xee, 1, 255)]);
    put_gpt(&mut disk, 1, 255, 2);
    put_gpt(&mut disk, 255, 1, 223);
    disk
}

fn table(disk: &[u8]) -> Result<Table> {
    read(&MemoryDevice::new(disk.to_vec()))
}

fn refusal(disk: &[u8]) -> String {
    match table(disk) {
        Err(error) => error.to_string(),
        Ok(table) => panic!("{table:?}"),
    }
}

#[test]
fn a_disk_without_a_table() {
    for length in [0, 511, 512, 5000] {
        let table = table(&vec![0; length]).unwrap();
        assert_eq!(table, Table::none());
    }
}

#[test]
fn one_partition() {
    let table = table(&gpt_disk()).unwrap();
    assert_eq!(table.kind, TableKind::Gpt);
    assert_eq!(table.findings, []);
    let [partition] = &table.partitions[..] else {
        panic!("{table:?}");
    };
    assert_eq!(partition.start_bytes, 34 * 512);
    assert_eq!(partition.length_bytes, 7 * 512);
    assert_eq!(partition.name.as_deref(), Some("a"));
}

#[test]
fn any_changed_byte_of_the_first_copy_leads_to_the_second() {
    let whole = gpt_disk();
    for byte in (512..512 + 92).chain([1024, 1024 + 16383]) {
        let mut disk = whole.clone();
        disk[byte] ^= 1;
        let damaged = table(&disk).unwrap();
        assert_eq!(damaged.partitions, table(&whole).unwrap().partitions);
        assert!(
            matches!(damaged.findings[..], [Finding::PrimaryDamaged(_)]),
            "byte {byte}: {:?}",
            damaged.findings
        );
    }
}

#[test]
fn a_damaged_second_copy_is_told() {
    let mut disk = gpt_disk();
    disk[255 * 512] = 0;
    let table = table(&disk).unwrap();
    assert!(matches!(table.findings[..], [Finding::BackupDamaged(_)]));
}

#[test]
fn two_damaged_copies_are_refused() {
    let mut disk = gpt_disk();
    disk[512] = 0;
    disk[255 * 512] = 0;
    assert_eq!(
        refusal(&disk),
        "GPT header at 512: it must begin with `EFI PART`"
    );
}

#[test]
fn copies_that_differ_are_told() {
    let mut disk = gpt_disk();
    disk[255 * 512 + 56] ^= 1;
    repair(&mut disk, 255);
    assert_eq!(table(&disk).unwrap().findings, [Finding::CopiesDiffer]);
}

#[test]
fn a_disk_that_grew_is_told() {
    let mut disk = gpt_disk();
    disk.resize(300 * 512, 0);
    let table = table(&disk).unwrap();
    assert_eq!(table.findings, [Finding::BackupNotAtEnd { sector: 255 }]);
}

#[test]
fn a_disk_that_was_cut_is_refused() {
    let mut disk = gpt_disk();
    disk.truncate(200 * 512);
    assert!(refusal(&disk).contains("must lie in those of the disk"));
}

#[test]
fn a_gpt_that_is_not_announced_is_not_used() {
    let mut disk = gpt_disk();
    put_record(&mut disk, 0, &[entry(0x83, 40, 10)]);
    let table = table(&disk).unwrap();
    assert_eq!(table.kind, TableKind::Mbr);
    assert_eq!(table.findings, [Finding::UnannouncedGpt]);
}

#[test]
fn a_hybrid_is_told() {
    let mut disk = gpt_disk();
    put_record(&mut disk, 0, &[entry(0xee, 1, 33), entry(0x83, 34, 7)]);
    let table = table(&disk).unwrap();
    assert_eq!(table.kind, TableKind::Gpt);
    assert_eq!(table.findings, [Finding::HybridMbr]);
}

#[test]
fn an_announcement_in_a_wrong_place_is_refused() {
    let mut disk = gpt_disk();
    put_record(&mut disk, 0, &[entry(0xee, 2, 255)]);
    assert!(refusal(&disk).contains("must begin in sector 1"));
}

#[test]
fn entries_that_are_too_many_are_not_read() {
    let mut disk = gpt_disk();
    for sector in [1, 255] {
        disk[sector * 512 + 80..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
        repair(&mut disk, sector as u64);
    }
    assert!(refusal(&disk).contains("1 to 32768 entries"));
}

#[test]
fn an_entry_that_ends_before_it_begins_is_told() {
    let mut disk = gpt_disk();
    for (sector, entries) in [(1_usize, 2_usize), (255, 223)] {
        disk[entries * 512 + 40..][..8].copy_from_slice(&33_u64.to_le_bytes());
        let checksum = crc32::checksum(&disk[entries * 512..][..128 * 128]);
        disk[sector * 512 + 88..][..4].copy_from_slice(&checksum.to_le_bytes());
        repair(&mut disk, sector as u64);
    }
    let table = table(&disk).unwrap();
    assert_eq!(table.findings, [Finding::OutsideDisk { number: 1 }]);
}

#[test]
fn logical_partitions_are_numbered_from_five() {
    let mut disk = vec![0; 256 * 512];
    put_record(
        &mut disk,
        0,
        &[entry(0x83, 1, 9), entry(0x05, 10, 100), entry(0x82, 200, 9)],
    );
    put_record(&mut disk, 10, &[entry(0x83, 1, 9), entry(0x05, 20, 20)]);
    put_record(&mut disk, 30, &[entry(0x83, 1, 9)]);
    let table = table(&disk).unwrap();
    let seen: Vec<_> = table
        .partitions
        .iter()
        .map(|partition| {
            (
                partition.number,
                partition.start_bytes / 512,
                partition.role,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (1, 1, Role::Primary),
            (2, 10, Role::Extended),
            (3, 200, Role::Primary),
            (5, 11, Role::Logical),
            (6, 31, Role::Logical),
        ]
    );
    assert_eq!(table.findings, []);
    let device = MemoryDevice::new(disk);
    assert!(table.partitions[0].section(device_of(&device)).is_ok());
    assert!(matches!(
        table.partitions[1].section(device_of(&device)),
        Err(Error::Unsupported(_))
    ));
}

fn device_of(device: &MemoryDevice) -> std::sync::Arc<MemoryDevice> {
    std::sync::Arc::new(MemoryDevice::new(device.snapshot()))
}

#[test]
fn a_chain_that_returns_is_refused() {
    let mut disk = vec![0; 256 * 512];
    put_record(&mut disk, 0, &[entry(0x05, 10, 100)]);
    put_record(&mut disk, 10, &[entry(0x83, 1, 9), entry(0x05, 20, 20)]);
    put_record(&mut disk, 30, &[entry(0x83, 1, 9), entry(0x05, 20, 20)]);
    assert_eq!(
        refusal(&disk),
        "extended boot record at 15360: the chain of logical partitions must not return"
    );
}

#[test]
fn what_overlaps_or_lies_outside_is_told() {
    let mut disk = vec![0; 256 * 512];
    put_record(
        &mut disk,
        0,
        &[
            entry(0x83, 10, 20),
            entry(0x83, 29, 9),
            entry(0x83, u32::MAX, u32::MAX),
            entry(0x83, 250, 6),
        ],
    );
    let table = table(&disk).unwrap();
    assert_eq!(
        table.findings,
        [
            Finding::OutsideDisk { number: 3 },
            Finding::Overlap {
                first: 1,
                second: 2
            }
        ]
    );
    let whole = std::sync::Arc::new(MemoryDevice::new(disk));
    assert!(table.partitions[2].section(whole).is_err());
}

#[test]
fn a_filesystem_with_an_empty_table_in_its_first_sector_fills_the_disk() {
    let mut disk = vec![0; 256 * 512];
    put_record(&mut disk, 0, &[]);
    assert_eq!(table(&disk).unwrap().kind, TableKind::Mbr);
    disk[1080..1082].copy_from_slice(&[0x53, 0xef]);
    assert_eq!(table(&disk).unwrap().kind, TableKind::None);
}
