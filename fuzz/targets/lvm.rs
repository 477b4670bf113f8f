//! LVM2: the metadata as text, and a physical volume that holds it.
#![no_main]

use std::sync::Arc;

use christen_block::{BlockDevice, MemoryDevice, lvm};
use christen_fuzz::repair;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_last() else {
        return;
    };
    match choice % 3 {
        0 => {
            let _ = lvm::check_metadata(input);
        }
        1 => open(&repair::lvm_volume(input, true)),
        _ => open(&repair::lvm_volume(input, false)),
    }
});

fn open(volume: &[u8]) {
    let device: Arc<dyn BlockDevice> = Arc::new(MemoryDevice::new(volume.to_vec()));
    let Ok(groups) = lvm::open(&[device]) else {
        return;
    };
    for volume in groups.iter().flat_map(|group| &group.volumes) {
        let Ok(device) = volume.device() else {
            continue;
        };
        let mut buffer = vec![0; device.length().min(10_000) as usize];
        let start = device.length() - buffer.len() as u64;
        device
            .read_at(&mut buffer, start)
            .expect("a volume that is given lies in its device");
        let _ = device.write_at(&buffer, 0);
    }
}
