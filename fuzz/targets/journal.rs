//! A journal that needs recovery, replayed when the filesystem is opened.
#![no_main]

use std::sync::Arc;

use christen_ext4::{Access, Error, Ext4, Journal};
use christen_fuzz::ext::{Input, Watched, journal, options, repair};
use christen_vfs::FileSystem as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(mut input) = Input::decode(input) else {
        return;
    };
    if input.is_repaired() {
        journal::repair(&mut input.image);
        repair::repair(&mut input.image);
    }
    let device = Watched::new(input.image);
    let refused = Ext4::open(
        Arc::clone(&device) as _,
        &options(Access::Write, Journal::Refuse),
    );
    if let Err(error) = refused {
        assert!(!device.was_written(), "refused, and written to");
        // Other reasons come first, and hold for a replay too.
        if !matches!(error, Error::UncleanJournal) {
            return;
        }
    }
    let opened = Ext4::open(
        Arc::clone(&device) as _,
        &options(Access::Write, Journal::Replay),
    );
    let Ok(mut fs) = opened else {
        return;
    };
    if fs.finish().is_err() {
        return;
    }
    let again = Ext4::open(device, &options(Access::Write, Journal::Refuse));
    assert!(
        !matches!(again, Err(Error::UncleanJournal)),
        "replayed, and unclean"
    );
});
