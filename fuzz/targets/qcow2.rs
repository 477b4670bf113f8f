//! qcow2: header and gate, names of snapshots and bitmaps, reading, writing, the walk over what is allocated.
#![no_main]

use std::sync::Arc;

use christen_block::qcow2::{Header, Qcow2, bitmaps, snapshots};
use christen_block::{Access, BlockDevice, MemoryDevice, MemoryStorage, Storage};
use libfuzzer_sys::fuzz_target;

/// What is read and written lies within this.
const REACH_BYTES: u64 = 1 << 20;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, image)) = input.split_last() else {
        return;
    };
    let storage = Arc::new(MemoryStorage::new(image.to_vec()));
    let Ok(header) = Header::read(&*storage) else {
        return;
    };
    let _ = header.features();
    // Before the gate too: nothing that it lets pass is relied upon.
    let _ = snapshots(&header, &*storage, 1000);
    let _ = bitmaps(&header, &*storage, 1000);
    let backing: Option<Arc<dyn BlockDevice>> = match header.backing_file {
        Some(_) => Some(Arc::new(MemoryDevice::new(vec![0xbb; 300_000]))),
        None => None,
    };
    let data_file: Option<Arc<dyn Storage>> = match header.has_data_file() {
        true => Some(Arc::new(MemoryStorage::default())),
        false => None,
    };
    let Ok(disk) = Qcow2::open(Arc::clone(&storage) as _, backing, data_file, Access::Write) else {
        assert_eq!(storage.snapshot(), image, "refused, and written to");
        return;
    };
    let reach = disk.length().min(REACH_BYTES);
    let mut buffer = vec![0; 30_000.min(reach as usize)];
    for step in 0..8_u64 {
        let offset = (step * 150_000 + u64::from(choice)).min(reach - buffer.len() as u64);
        let _ = disk.read_at(&mut buffer, offset);
    }
    let _ = disk.allocated().take(1000).count();
    for step in 0..8_u64 {
        let offset = (step * 131_072 + u64::from(choice) * 64).min(reach - buffer.len() as u64);
        buffer.fill((step % 3) as u8);
        if disk.write_at(&buffer, offset).is_ok() {
            let mut back = vec![0xff; buffer.len()];
            let _ = disk.read_at(&mut back, offset);
        }
    }
    let _ = disk.flush();
});
