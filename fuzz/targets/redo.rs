//! A redo file that somebody has put beside an image.
#![no_main]

use christen_fuzz::repair;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, file)) = input.split_last() else {
        return;
    };
    let mut file = file.to_vec();
    if choice % 2 == 0 {
        repair::repair_redo(&mut file);
    }
    let _ = christen_block::redo::parse(&file);
});
