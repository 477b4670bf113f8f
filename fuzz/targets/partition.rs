//! A disk: its partition table, and what stands in it and in its partitions.
#![no_main]

use std::sync::Arc;

use christen_block::partition::{self, Table};
use christen_block::{BlockDevice, MemoryDevice, probe};
use christen_fuzz::repair;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, disk)) = input.split_last() else {
        return;
    };
    let mut disk = disk.to_vec();
    if choice % 2 == 0 {
        repair::repair_gpt(&mut disk);
    }
    let _ = probe::image_format(&disk);
    let device: Arc<dyn BlockDevice> = Arc::new(MemoryDevice::new(disk));
    let _ = probe::volumes(&*device);
    let look = |table: Table| {
        for partition in table.partitions.iter().take(16) {
            if let Ok(section) = partition.section(Arc::clone(&device)) {
                let _ = probe::volumes(&section);
            }
        }
    };
    let _ = partition::read(&*device).map(look);
    let _ = partition::read_with_sectors(&*device, 4096).map(look);
});
