//! nova.conf by oslo.config's rules, to settings.
#![no_main]

use christen_fuzz::NoFiles;
use christen_instance::settings::Loader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    // Twice: the same option from two files is where the rules differ.
    if let Ok(loader) = Loader::new().nova_conf(text, "a.conf")
        && let Ok(loader) = loader.nova_conf(text, "b.conf")
    {
        let _ = loader.finish(&NoFiles);
    }
});
