//! The work depends on what is written, not on the size of the volume.

mod common;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use christen_block::{BlockDevice, Error, Result};
use christen_fat::{Access, Volume};
use christen_vfs::{FileSystem, NewFile, NewKind};
use common::Maker;

/// A host file that counts.
#[derive(Debug)]
struct Counted {
    file: File,
    length: u64,
    read: AtomicU64,
    written: AtomicU64,
}

impl BlockDevice for Counted {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.file
            .read_exact_at(buffer, offset)
            .map_err(Error::io("read"))
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        self.written.fetch_add(data.len() as u64, Ordering::Relaxed);
        self.file
            .write_all_at(data, offset)
            .map_err(Error::io("write"))
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_small_change_to_a_large_volume_is_small() {
    let Some(maker) = Maker::new() else { return };
    for (mebibytes, cluster) in [(64, "1"), (32 << 10, "8")] {
        let image = maker.image("large", &["-F", "32", "-s", cluster], mebibytes);
        let device = Arc::new(Counted {
            file: OpenOptions::new()
                .read(true)
                .write(true)
                .open(&image)
                .unwrap(),
            length: mebibytes << 20,
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
        });
        let mut volume = Volume::open(Arc::clone(&device) as _, Access::ReadWrite).unwrap();
        let root = volume.root();
        let new = NewFile {
            kind: NewKind::File,
            permissions: 0,
            uid: 0,
            gid: 0,
        };
        let file = volume.create(root, b"a file", &new).unwrap();
        volume.replace(file, &mut &[1; 10_000][..]).unwrap();
        volume.finish().unwrap();
        let read = device.read.load(Ordering::Relaxed);
        let written = device.written.load(Ordering::Relaxed);
        assert!(read < 64 << 10, "{mebibytes} MiB: {read} bytes read");
        assert!(
            written < 64 << 10,
            "{mebibytes} MiB: {written} bytes written"
        );
    }
}
