//! Guests in memory, for the tests of the items.

use std::io;

use christen_instance::description::{Limits, parse};
use christen_instance::inputs::{FileSource, RandomSource};
use christen_instance::{Instance, Settings};
use christen_vfs::memory::Memory;
use christen_vfs::walk::LastLink;
use christen_vfs::{GuestPath, Timestamp};

use crate::{Change, Existing, HostKey, Notice, Ownership, Request, Result, Secrecy, Stage};

/// 2026-11-25: day 20782 of shadow(5).
pub(crate) const NOW: Timestamp = Timestamp {
    seconds: 20_782 * 86_400 + 3600,
    nanoseconds: 0,
};

/// Counts up through all bytes, so that no two draws are the same.
#[derive(Debug, Default)]
pub(crate) struct Counting(u8);

impl RandomSource for Counting {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        for byte in buffer {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
        Ok(())
    }
}

struct NoFiles;

impl FileSource for NoFiles {
    fn read(&self, _: &str, _: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

pub(crate) fn path(text: &str) -> GuestPath {
    GuestPath::new(text).expect("the path is right")
}

/// An instance from its description.
#[track_caller]
pub(crate) fn instance(yaml: &str) -> Instance {
    match parse(yaml, "instance.yaml", &NoFiles, &Limits::default()) {
        Ok(parsed) => parsed.instance,
        Err(findings) => panic!("{findings}"),
    }
}

/// A guest with these files of root's, mode 0644; a path that ends with `/` is a directory, a content that begins with `-> ` a link.
pub(crate) fn guest(files: &[(&str, &str)]) -> Memory {
    let mut fs = Memory::new();
    let mut stage = Stage::new(&mut fs);
    for (name, content) in files {
        let path = path(name);
        let own = Ownership::root(0o644);
        stage.parents(&path).expect("parents can be made");
        if name.ends_with('/') {
            let own = Ownership::root(0o755);
            stage.directory(&path, own, Existing::Keep)
        } else if let Some(target) = content.strip_prefix("-> ") {
            stage.symbolic_link(&path, target.as_bytes())
        } else {
            stage.write(
                &path,
                content.as_bytes(),
                own,
                Existing::Keep,
                Secrecy::Public,
            )
        }
        .expect("it can be made");
    }
    fs
}

/// What an injection said.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) changes: Vec<Change>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) host_keys: Vec<HostKey>,
}

/// Runs an item.
pub(crate) fn run(
    fs: &mut Memory,
    instance: &Instance,
    item: impl Fn(&mut Stage<'_>, &mut Request<'_>) -> Result<()>,
) -> Result<Told> {
    let settings = Settings::default();
    let mut request = Request {
        instance,
        settings: &settings,
        now: NOW,
        random: &mut Counting::default(),
    };
    let mut stage = Stage::new(fs);
    item(&mut stage, &mut request)?;
    Ok(Told {
        changes: stage.changes(),
        notices: stage.notices().to_vec(),
        host_keys: stage.host_keys().to_vec(),
    })
}

/// Runs an item twice: the second time changes nothing, though it looks after what the first one did.
#[track_caller]
pub(crate) fn run_twice(
    fs: &mut Memory,
    yaml: &str,
    item: impl Fn(&mut Stage<'_>, &mut Request<'_>) -> Result<()>,
) -> Told {
    let instance = instance(yaml);
    let told = run(fs, &instance, &item).expect("it can be injected");
    let again = run(fs, &instance, &item).expect("it can be injected again");
    let changed: Vec<_> = again.changes.iter().filter(|it| it.is_change()).collect();
    assert!(changed.is_empty(), "changed again: {changed:?}");
    told
}

/// Runs an item that must fail; the chain of messages.
#[track_caller]
pub(crate) fn refusal(
    fs: &mut Memory,
    yaml: &str,
    item: impl Fn(&mut Stage<'_>, &mut Request<'_>) -> Result<()>,
) -> String {
    let error = run(fs, &instance(yaml), item).expect_err("it must be refused");
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// The content of a file as text, `None` if it is not there.
pub(crate) fn text(fs: &mut Memory, name: &str) -> Option<String> {
    let content = Stage::new(fs).read(&path(name)).expect("it can be read");
    content.map(|it| String::from_utf8(it).expect("it is text"))
}

/// Mode, owner and group of what has a name.
#[track_caller]
pub(crate) fn own(fs: &mut Memory, name: &str) -> (u16, u32, u32) {
    let found = Stage::new(fs)
        .look(&path(name), LastLink::Kept)
        .expect("it can be looked at")
        .expect("it is there");
    (found.permissions, found.uid, found.gid)
}
