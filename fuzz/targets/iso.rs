//! ISO 9660 with Joliet and Rock Ridge: the whole reader and the audit.
#![no_main]

use christen_fuzz::{read_drive, repair};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // The last byte chooses; the rest begins with the first descriptor.
    let Some((choice, descriptors)) = input.split_last() else {
        return;
    };
    read_drive(&repair::iso_image(descriptors, choice % 2 == 0));
});
