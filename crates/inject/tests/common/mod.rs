//! Guests in memory, injected, and put where reference tools can read them.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use christen_inject::{Change, Error, Existing, Ownership, Request, Secrecy, Stage, inject};
use christen_instance::Settings;
use christen_instance::description::{Limits, parse};
use christen_instance::inputs::{FileSource, RandomSource};
use christen_vfs::memory::Memory;
use christen_vfs::{GuestPath, Timestamp};

/// 2026-11-25, day 20782 of shadow(5).
pub(crate) const NOW: Timestamp = Timestamp {
    seconds: 20_782 * 86_400,
    nanoseconds: 0,
};

struct Counting(u8);

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

/// A guest with these files of root's, mode 0644.
pub(crate) fn guest(files: &[(&str, &str)]) -> Memory {
    let mut memory = Memory::new();
    let mut stage = Stage::new(&mut memory);
    for (name, content) in files {
        let path = GuestPath::new(name).unwrap();
        let own = Ownership::root(0o644);
        stage.parents(&path).unwrap();
        stage
            .write(
                &path,
                content.as_bytes(),
                own,
                Existing::Keep,
                Secrecy::Public,
            )
            .unwrap();
    }
    memory
}

/// Puts the identity of a description into a guest.
#[track_caller]
pub(crate) fn injected(memory: &mut Memory, yaml: &str) -> Vec<Change> {
    try_injected(memory, yaml).expect("it can be injected")
}

/// As [`injected`], where it may fail.
pub(crate) fn try_injected(memory: &mut Memory, yaml: &str) -> Result<Vec<Change>, Error> {
    let parsed = parse(yaml, "instance.yaml", &NoFiles, &Limits::default());
    let instance = parsed.expect("the description is right").instance;
    let settings = Settings::default();
    let mut request = Request {
        instance: &instance,
        settings: &settings,
        now: NOW,
        random: &mut Counting(1),
    };
    let mut stage = Stage::new(memory);
    inject(&mut stage, &mut request)?;
    Ok(stage.changes())
}

/// The content of a guest's file.
#[track_caller]
pub(crate) fn content(memory: &mut Memory, name: &str) -> Vec<u8> {
    let path = GuestPath::new(name).unwrap();
    let content = Stage::new(memory).read(&path).unwrap();
    content.unwrap_or_else(|| panic!("`{name}` is not there"))
}

/// Copies files of a guest below a directory of the host.
pub(crate) fn export(memory: &mut Memory, to: &Path, names: &[&str]) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for name in names {
        let target = to.join(name.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(&target, content(memory, name)).unwrap();
        paths.push(target);
    }
    paths
}
