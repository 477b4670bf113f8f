//! The audit of a filesystem of the ext family.
#![no_main]

use christen_ext4::check;
use christen_fuzz::ext::{Input, Watched, repair};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(mut input) = Input::decode(input) else {
        return;
    };
    if input.is_repaired() {
        repair::repair(&mut input.image);
    }
    let device = Watched::new(input.image);
    if let Ok(report) = check::check(&*device) {
        assert!(report.findings.len() <= 1000);
        for finding in report.findings {
            let _ = finding.to_string();
        }
    }
    assert!(!device.was_written(), "audited, and written to");
});
