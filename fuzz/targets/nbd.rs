//! All that an NBD server says.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = christen_block::nbd::check_server(input);
});
