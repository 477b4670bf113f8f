//! The description, YAML or JSON: text to tree to instance, or findings.
#![no_main]

use christen_fuzz::NoFiles;
use christen_instance::description::{self, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = str::from_utf8(input) {
        // Findings are a fine answer.
        let _ = description::parse(text, "fuzz.yaml", &NoFiles, &Limits::default());
    }
});
