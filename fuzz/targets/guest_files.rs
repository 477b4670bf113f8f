//! A guest's own files: read for what the guest is, and changed by an injection.
//!
//! The first byte chooses the guest and the file; the rest is its content.
#![no_main]

use std::io;
use std::sync::LazyLock;

use christen_fuzz::NoFiles;
use christen_fuzz::guest_files::{DESCRIPTION, FILES, GUESTS, Guest};
use christen_inject::guest::Inspection;
use christen_inject::{Existing, Ownership, Request, Secrecy, Stage, inject};
use christen_instance::description::{Limits, parse};
use christen_instance::inputs::RandomSource;
use christen_instance::{Instance, Settings};
use christen_vfs::memory::Memory;
use christen_vfs::{GuestPath, Timestamp};
use libfuzzer_sys::fuzz_target;

struct Zeros;

impl RandomSource for Zeros {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        buffer.fill(0);
        Ok(())
    }
}

static BASES: LazyLock<Vec<(Memory, Instance)>> = LazyLock::new(|| {
    let one = |(make, group, network): &Guest| {
        let description = DESCRIPTION
            .replace("GROUP", group)
            .replace("NETWORK", network);
        let parsed = parse(&description, "fuzz.yaml", &NoFiles, &Limits::default());
        (make(), parsed.expect("the description is right").instance)
    };
    let bases: Vec<_> = GUESTS.iter().map(one).collect();
    for (base, instance) in &bases {
        let done = injected(&mut base.clone(), instance);
        assert!(
            done.is_some_and(|it| it > 0),
            "a guest does not take the identity as it is"
        );
    }
    bases
});

static SETTINGS: LazyLock<Settings> = LazyLock::new(Settings::default);

/// Injects; how many places are changed, or `None` if it is refused.
fn injected(fs: &mut Memory, instance: &Instance) -> Option<usize> {
    let mut request = Request {
        instance,
        settings: &SETTINGS,
        now: Timestamp {
            seconds: 1_795_564_800,
            nanoseconds: 0,
        },
        random: &mut Zeros,
    };
    let mut stage = Stage::new(fs);
    inject(&mut stage, &mut request).ok()?;
    Some(stage.changes().iter().filter(|it| it.is_change()).count())
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, content)) = input.split_first() else {
        return;
    };
    let (guest, path) = FILES[usize::from(*choice) % FILES.len()];
    let (base, instance) = &BASES[guest];
    let mut fs = base.clone();
    let path = GuestPath::new(path).expect("the path is right");
    let mut stage = Stage::new(&mut fs);
    let own = Ownership::root(0o644);
    stage.parents(&path).expect("there is room");
    stage
        .write(&path, content, own, Existing::Keep, Secrecy::Public)
        .expect("it can be written");
    let _ = Inspection::read(&mut fs);
    if injected(&mut fs, instance).is_some() {
        let again = injected(&mut fs, instance);
        assert_eq!(
            again,
            Some(0),
            "`{path}`: the second time something changes"
        );
    }
});
