//! VFAT: the whole reader and the audit.
#![no_main]

use christen_fuzz::{read_drive, repair};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, image)) = input.split_last() else {
        return;
    };
    let mut image = image.to_vec();
    if choice % 2 == 0 {
        repair::repair_vfat(&mut image);
    }
    read_drive(&image);
});
