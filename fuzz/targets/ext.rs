//! A filesystem of the ext family that is read and changed.
//!
//! If our audit finds nothing beforehand and all has been written, it finds nothing afterwards.
#![no_main]

use std::sync::Arc;

use christen_ext4::{Access, Ext4, Journal, check};
use christen_fuzz::ext::{Input, Watched, operations, options, repair};
use christen_vfs::FileSystem as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(mut input) = Input::decode(input) else {
        return;
    };
    if input.is_repaired() {
        repair::repair(&mut input.image);
    }
    let access = match input.choice & 2 {
        0 => Access::Write,
        _ => Access::Read,
    };
    let device = Watched::new(input.image);
    let was_clean = input.choice & 4 == 0
        && check::check(&*device).is_ok_and(|report| report.is_clean() && report.orphans == 0);
    let opened = Ext4::open(Arc::clone(&device) as _, &options(access, Journal::Refuse));
    let Ok(mut fs) = opened else {
        assert!(!device.was_written(), "refused, and written to");
        return;
    };
    operations::run(&mut fs, &input.operations);
    let finished = fs.finish();
    if access == Access::Read {
        assert!(!device.was_written(), "opened for reading, and written to");
    }
    if was_clean && finished.is_ok() {
        let report = check::check(&*device).expect("the audit went through before");
        assert!(report.is_clean(), "{:#?}", report.findings);
    }
});
