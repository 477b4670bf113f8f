//! JSON documents: what is accepted is written and read again to the same value.
#![no_main]

use christen_instance::json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let Ok(value) = json::parse(text) else {
        return;
    };
    let encoded = json::encode(&value);
    let again = json::parse(&encoded).expect("what we write we read");
    // By text, since NaN is not equal to itself.
    assert_eq!(json::encode(&again), encoded);
});
